//! A run that is killed and resumed, any number of times, ends as one that was left alone.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const SNIPS: &str = "www/tasks/snips_intent";

fn seedbed(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command
        .arg("run")
        .args(arguments)
        .arg("--json")
        // After every step, so that a kill can fall between any two.
        .env("SEEDBED_CHECKPOINT_SECONDS", "0")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A run as short as it can be.
fn begun(task: &str, recipe: &str, out: &Path) -> Command {
    let mut command = seedbed(&[task, "--recipe", recipe, "--device", "cpu"]);
    command
        .args(["--model", "tests/fixtures/tiny-llama-1m", "--seed", "3"])
        .args([
            "--epochs",
            "1",
            "--test-limit",
            "6",
            "--seeds-per-label",
            "4",
        ])
        .args(["--instances", "3", "--rounds", "2", "--out"])
        .arg(out);
    command
}

fn resumed(out: &Path) -> Command {
    seedbed(&["--resume", &out.display().to_string()])
}

fn ended(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
}

/// What came of a run, but for the time it took.
fn report(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("report.json")).expect("a report");
    let mut report: Value = serde_json::from_str(&text).expect("JSON");
    report["seconds"].take();
    report
}

fn lines(out: &Path) -> usize {
    fs::read(out.join("events.jsonl")).map_or(0, |log| log.split(|byte| *byte == b'\n').count())
}

/// Lets it work until the log has so many more lines, then kills it; gives false where it had ended before.
fn killed(mut child: Child, out: &Path, more: usize) -> bool {
    // A resumed run cuts off what does not count before it writes, so lines may first become fewer.
    let mut least = lines(out);
    loop {
        let now = lines(out);
        least = least.min(now);
        if let Some(status) = child.try_wait().expect("the process can be asked") {
            assert!(status.success(), "{status}");
            return false;
        }
        if now >= least + more {
            child.kill().expect("the process can be killed");
            child.wait().expect("the process ends");
            return true;
        }
        std::thread::yield_now();
    }
}

/// What a run told, but for what it cost and what it kept.
fn told(out: &Path) -> Vec<Value> {
    let log = fs::read_to_string(out.join("events.jsonl")).expect("log");
    let mut events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|event: &Value| event["type"] != "kept")
        .collect();
    for event in &mut events {
        for key in ["seconds", "seconds_left"] {
            if event.get(key).is_some() {
                event[key].take();
            }
        }
        if event["type"] == "finished" {
            event["report"]["seconds"].take();
        }
    }
    events
}

/// Kills a run at points drawn by chance, and resumes it to the end each time.
fn survives(task: &str, recipe: &str, kills: usize, seed: u64) {
    let root = tempfile::tempdir().expect("folder");
    let (alone, out) = (root.path().join("alone"), root.path().join("killed"));
    ended(&begun(task, recipe, &alone).output().expect("it starts"));
    let share = lines(&alone) / (kills + 1);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut child = begun(task, recipe, &out).spawn().expect("it starts");
    for _ in 0..kills {
        if !killed(child, &out, rng.usize(1..=2 * share)) {
            break;
        }
        child = resumed(&out).spawn().expect("it starts");
    }
    // Whatever is still at work ends by itself; a run that is over says again what came of it.
    let mut last = resumed(&out);
    let output = loop {
        let output = last.output().expect("it starts");
        let busy = String::from_utf8_lossy(&output.stderr).contains("another process");
        if !busy {
            break output;
        }
        std::thread::yield_now();
    };
    ended(&output);
    assert_eq!(report(&out), report(&alone));
    let (told, expected) = (told(&out), told(&alone));
    if let Some((one, other)) = told.iter().zip(&expected).find(|(one, other)| one != other) {
        panic!("{one}\nwas told instead of\n{other}");
    }
    assert_eq!(told.len(), expected.len());
    for file in [
        "instances.jsonl",
        "adapter/adapter_model.safetensors",
        "README.md",
    ] {
        assert_eq!(
            fs::read(out.join(file)).expect(file),
            fs::read(alone.join(file)).expect(file),
            "{file}"
        );
    }
    assert!(!out.join("checkpoints").exists());
}

#[test]
fn psi_killed_three_times_ends_as_if_it_had_been_left_alone() {
    survives(SNIPS, "psi", 3, 1);
}

#[test]
fn lance_killed_three_times_ends_as_if_it_had_been_left_alone() {
    survives(SNIPS, "lance", 3, 2);
}

#[test]
fn evokd_killed_three_times_ends_as_if_it_had_been_left_alone() {
    survives(SNIPS, "evokd", 3, 3);
}

#[test]
fn runs_whose_answers_are_written_survive_it_too() {
    survives("tests/fixtures/tasks/trips", "evokd", 2, 4);
    survives("tests/fixtures/tasks/sums", "lance", 2, 5);
    survives("tests/fixtures/tasks/tips", "lance", 2, 5);
}

#[test]
fn what_a_kill_after_the_report_left_is_taken_away_by_the_next_look_at_the_run() {
    let root = tempfile::tempdir().expect("folder");
    let out = root.path().join("run");
    ended(&begun(SNIPS, "psi", &out).output().expect("it starts"));
    let left = out.join("checkpoints/before-training");
    fs::create_dir(out.join("checkpoints")).expect("nothing is there");
    fs::write(left, "bytes").expect("written");
    ended(&resumed(&out).output().expect("it starts"));
    assert!(!out.join("checkpoints").exists());
}

/// `cargo test --release --test resume -- --ignored`: a minute on two idle cores.
#[test]
#[ignore = "fifty kills take a minute or more"]
fn fifty_kills_change_nothing() {
    for (seed, recipe) in ["psi", "lance", "evokd", "psi", "lance"]
        .into_iter()
        .enumerate()
    {
        survives(SNIPS, recipe, 10, 100 + seed as u64);
    }
}

fn refuses(arguments: &[&str], words: &[&str]) {
    let output = seedbed(arguments).output().expect("it starts");
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{line}");
    for word in words {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

#[test]
fn a_log_of_another_recipe_or_model_and_a_folder_without_a_run_are_refused_by_name() {
    let root = tempfile::tempdir().expect("folder");
    let out = root.path().join("run");
    let child = begun(SNIPS, "psi", &out).spawn().expect("it starts");
    assert!(killed(child, &out, 40));
    let path = out.display().to_string();

    let recipe = out.join("recipe.toml");
    let written = fs::read_to_string(&recipe).expect("the recipe");
    fs::write(&recipe, written.replace("\nseed = 3\n", "\nseed = 4\n")).expect("written");
    refuses(
        &["--resume", &path],
        &["settings seed 3", "now it is seed 4"],
    );
    fs::write(&recipe, &written).expect("written");

    let begun_with = out.join("run.json");
    let text = fs::read_to_string(&begun_with).expect("what it was begun with");
    fs::write(
        &begun_with,
        text.replace("tests/fixtures/tiny-llama-1m", "models/seedbed-3m"),
    )
    .expect("written");
    refuses(
        &["--resume", &path],
        &["tiny-llama-1m", "seedbed-3m", "begin a new run"],
    );

    let none = root.path().join("none").display().to_string();
    refuses(&["--resume", &none], &["run.json", "--out"]);
    refuses(
        &["--resume", &path, "--instances", "5"],
        &["cannot be used with"],
    );
    // A run that can be gone on with is not written over unseen.
    fs::write(&begun_with, text).expect("written");
    let output = begun(SNIPS, "psi", &out).output().expect("it starts");
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && line.contains("--resume"),
        "{line}"
    );
}
