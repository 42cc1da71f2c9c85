//! What a run has kept, written for other trainers and read back, on the tiny model.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::seedbed;
use seedbed::task::{Answer, Task, parse};
use serde_json::Value;

const TIPS: &str = "tests/fixtures/tasks/tips";
const SHOPS: &str = "tests/fixtures/tasks/shops";

/// The folder of a run that is as short as it can be.
fn run(task: &str, recipe: &str, more: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let place = folder.path().display().to_string();
    let usual = ["--device", "cpu", "--model", "tests/fixtures/tiny-llama-1m"];
    let short = ["--epochs", "1", "--instances", "3", "--seed", "3"];
    let own = ["run", task, "--recipe", recipe, "--out", &place];
    let output = seedbed(&[&own, &usual[..], &short, more].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    folder
}

fn lines(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

fn exported(run: &Path, arguments: &[&str]) -> String {
    let place = run.display().to_string();
    let output = seedbed(&[&["export", &place], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(run: &Path, arguments: &[&str], words: &[&str]) {
    let place = run.display().to_string();
    let output = seedbed(&[&["export", &place], arguments].concat());
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    for word in words {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

fn accepted(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("instances.jsonl")).expect("instances");
    let mut all = lines(&text);
    all.retain(|instance| instance["accepted"] == true);
    all
}

/// Rows read back as seeds of a task of instructions.
fn read(rows: &str) -> Task {
    // Two seeds more, as a run may keep one instance.
    let more = "{\"prompt\":\"p\",\"completion\":\"c\"}\n{\"prompt\":\"q\",\"completion\":\"d\"}\n";
    let json = r#"{"task":"t","type":"instruct","instruction":"i"}"#;
    parse(json, &[rows, more].concat(), None).expect("rows are read")
}

#[test]
fn instructions_are_written_in_every_form_and_read_back_the_same() {
    let run = run(TIPS, "lance", &["--rounds", "2", "--draws", "2"]);
    let kept = accepted(run.path());
    assert!(!kept.is_empty());
    for form in ["messages", "prompt-completion", "alpaca", "sharegpt"] {
        let text = exported(run.path(), &["--as", form]);
        let rows = lines(&text);
        assert_eq!(rows.len(), kept.len(), "{form}");
        for (row, instance) in rows.iter().zip(&kept) {
            let from = &row["provenance"];
            for key in [
                "row",
                "round",
                "index",
                "label",
                "principles",
                "seed",
                "score",
            ] {
                assert_eq!(from[key], instance[key], "{form}: {row}");
            }
            assert_eq!(
                (&from["task"], &from["recipe"]),
                (&"tips".into(), &"lance".into())
            );
            assert_eq!(from["model"], "tiny-llama-1m");
            assert_eq!(from["run_seed"], 3);
        }
        let task = read(&text);
        for (seed, instance) in task.seeds.iter().zip(&kept) {
            let word = |key: &str| instance[key].as_str().unwrap_or_default();
            let (context, text) = match form {
                // Both are one in what the student is asked.
                "alpaca" => (seed.context.clone().unwrap_or_default(), seed.text.clone()),
                _ => (word("context").to_owned(), seed.text.clone()),
            };
            assert_eq!(context, word("context"), "{form}");
            assert!(text.ends_with(word("text")), "{form}: {text}");
            assert_eq!(
                seed.answer,
                Answer::Text(vec![word("answer").to_owned()]),
                "{form}"
            );
        }
    }
}

#[test]
fn preference_pairs_say_what_was_asked_and_can_be_read_as_seeds() {
    let run = run(TIPS, "lance", &["--rounds", "2", "--draws", "2"]);
    let log = fs::read_to_string(run.path().join("events.jsonl")).expect("log");
    let told: Vec<Value> = lines(&log)
        .into_iter()
        .filter(|event| event["type"] == "preference")
        .collect();
    let text = exported(run.path(), &["--as", "preference"]);
    let rows = lines(&text);
    assert!(!rows.is_empty() && rows.len() == told.len());
    for (row, event) in rows.iter().zip(&told) {
        assert_eq!(
            (&row["chosen"], &row["rejected"]),
            (&event["chosen"], &event["rejected"])
        );
        assert_ne!(row["chosen"], row["rejected"]);
        let asked = row["prompt"].as_str().expect("a prompt");
        assert!(
            asked.ends_with(event["text"].as_str().expect("a text")),
            "{row}"
        );
        assert_eq!(row["provenance"]["scores"], event["scores"]);
        assert_eq!(row["provenance"]["round"], event["round"]);
    }
    let task = read(&text);
    assert_eq!(
        task.seeds[0].answer,
        Answer::Text(vec![
            rows[0]["chosen"]
                .as_str()
                .expect("a text")
                .trim()
                .to_owned()
        ])
    );
}

#[test]
fn other_kinds_are_asked_as_the_student_was_and_a_card_lies_beside_the_rows() {
    let run = run(SHOPS, "psi", &["--rows", "direct,psi", "--voter", "none"]);
    let instances = fs::read_to_string(run.path().join("instances.jsonl")).expect("instances");
    let direct = lines(&instances)
        .iter()
        .filter(|instance| instance["accepted"] == true && instance["row"] == "direct")
        .count();
    let out = tempfile::tempdir().expect("folder");
    let place = out.path().join("new/data");
    let arguments = ["--as", "alpaca", "--row", "direct", "--out"];
    let place_text = place.display().to_string();
    assert_eq!(
        exported(run.path(), &[&arguments[..], &[&place_text]].concat()),
        ""
    );
    let rows = lines(&fs::read_to_string(place.join("train.jsonl")).expect("rows"));
    assert_eq!(rows.len(), direct);
    for row in &rows {
        let instruction = row["instruction"].as_str().expect("a text");
        assert!(instruction.contains("\nAnswers: "), "{row}");
        let input = row["input"].as_str().expect("a text");
        assert!(
            input.starts_with("Shops sell things, and kiosks sell papers.\n"),
            "{row}"
        );
        assert_eq!(row["provenance"]["row"], "direct");
        assert_eq!(row["output"], row["provenance"]["label"]);
    }
    for card in [place.join("README.md"), run.path().join("README.md")] {
        let card = fs::read_to_string(card).expect("a card");
        for part in [
            "---\npretty_name: \"shops\"\n",
            "- question-answering\n",
            "recipe `psi`, random seed 3",
            "- Written by: `tiny-llama-1m` on `cpu`",
            "- Principles by: offline, 0 bytes sent",
            "| psi | ",
        ] {
            assert!(card.contains(part), "{part} is not in: {card}");
        }
        // Nothing of a seed is in it.
        let seeds = fs::read_to_string(format!("{SHOPS}/seeds.jsonl")).expect("seeds");
        for seed in lines(&seeds) {
            assert!(!card.contains(seed["question"].as_str().expect("a question")));
        }
    }
    // What this run has none of.
    refused(
        run.path(),
        &["--as", "preference"],
        &["no preference pairs", "lance"],
    );
    refused(
        run.path(),
        &["--row", "evokd"],
        &["no instance", "evokd", "--row"],
    );
    refused(
        run.path(),
        &["--task", TIPS],
        &["\"shops\"", "tips", "--task"],
    );
    refused(
        out.path(),
        &[],
        &["events.jsonl", "give the --out folder of a run"],
    );
}
