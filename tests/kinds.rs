//! Tasks of entities and of questions from end to end at the desk, on the tiny model, as short as they can be.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const TRIPS: &str = "tests/fixtures/tasks/trips";
const SUMS: &str = "tests/fixtures/tasks/sums";
const SHOPS: &str = "tests/fixtures/tasks/shops";
const TIPS: &str = "tests/fixtures/tasks/tips";

fn command(name: &str, task: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args([name, task, "--device", "cpu", "--json"])
        .args(["--model", "tests/fixtures/tiny-llama-1m"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the command starts")
}

/// The report of a run, its events, and its instances.
fn run(task: &str, arguments: &[&str]) -> (Value, Vec<Value>, Vec<Value>) {
    let out = tempfile::tempdir().expect("folder");
    let place = out.path().display().to_string();
    let short = [
        "--epochs",
        "1",
        "--instances",
        "3",
        "--seed",
        "3",
        "--out",
        &place,
    ];
    let output = command("run", task, &[&short[..], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = |name: &str| lines(&out.path().join(name));
    let report = serde_json::from_slice(&output.stdout).expect("JSON");
    (report, lines("events.jsonl"), lines("instances.jsonl"))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    let line = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

/// What every run of a kind must have: figures of each row with all keys, groups, and instances with their answers.
fn holds(run: &(Value, Vec<Value>, Vec<Value>), kind: &str, row: &str, test: usize) {
    let (report, events, instances) = run;
    let started = events
        .iter()
        .find(|event| event["type"] == "run_started")
        .expect("a start");
    assert_eq!(started["kind"], kind);
    let groups = started["labels"].as_array().expect("groups").len();
    let rows = report["rows"].as_object().expect("rows");
    assert!(rows.contains_key(row), "{rows:?}");
    for (name, figures) in rows {
        for key in [
            "accuracy", "macro_f1", "low", "high", "f1", "f1_low", "f1_high",
        ] {
            let figure = figures[key].as_f64().unwrap_or(-1.0);
            assert!((0.0..=1.0).contains(&figure), "{name} {key}: {figures}");
        }
        assert_eq!(figures["n"], test, "{name}");
        assert_eq!(figures["precision"].is_number(), kind == "ner", "{name}");
    }
    for event in events
        .iter()
        .filter(|event| event["type"] == "row_finished")
    {
        let confusion = event["confusion"].as_array().expect("a table");
        assert!(confusion.len() == groups && confusion[0].as_array().map(Vec::len) == Some(groups));
    }
    for instance in instances
        .iter()
        .filter(|instance| instance["accepted"] == true)
    {
        let text = instance["text"].as_str().expect("a text");
        assert!(!text.is_empty());
        if kind == "ner" {
            assert!(instance["answer"].is_string(), "{instance}");
            for entity in instance["entities"].as_array().expect("entities") {
                let place = |key: &str| entity[key].as_u64().expect("a place") as usize;
                let named: String = text
                    .chars()
                    .skip(place("start"))
                    .take(place("end") - place("start"))
                    .collect();
                assert_eq!(entity["text"], named.as_str(), "{instance}");
            }
        }
    }
}

#[test]
fn psi_runs_on_entities_and_its_instances_can_be_seeds() {
    let run = run(
        TRIPS,
        &[
            "--rows",
            "untouched,seeds_only,direct,psi",
            "--voter",
            "none",
            "--max-new",
            "12",
        ],
    );
    holds(&run, "ner", "psi", 3);
    let started = &run
        .1
        .iter()
        .find(|event| event["type"] == "run_started")
        .expect("a start");
    assert_eq!(started["labels"], json!(["person", "place", "no entity"]));
    let warnings = started["warnings"].as_array().expect("warnings");
    assert!(
        warnings[0]
            .as_str()
            .is_some_and(|text| text.starts_with("1 test row is also a seed"))
    );
    let accepted = run
        .2
        .iter()
        .filter(|instance| instance["accepted"] == true)
        .collect::<Vec<_>>();
    if accepted.len() > 1 {
        let rows: String = accepted
            .iter()
            .map(|instance| format!("{instance}\n"))
            .collect();
        let json = r#"{"task":"t","type":"ner","instruction":"i","labels":["person","place"]}"#;
        let known = "{\"tokens\":[\"Ann\",\"x\"],\"tags\":[\"B-person\",\"O\"]}\n";
        let task = seedbed::task::parse(json, &(rows + known), None).expect("rows are read");
        assert!(task.seeds.len() > 1);
    }
}

#[test]
fn lance_runs_on_entities() {
    let run = run(
        TRIPS,
        &[
            "--recipe",
            "lance",
            "--rounds",
            "1",
            "--max-new",
            "12",
            "--draws",
            "2",
        ],
    );
    holds(&run, "ner", "lance", 3);
    assert!(
        run.1
            .iter()
            .any(|event| event["type"] == "review" && event["answer"] == "none")
    );
}

#[test]
fn evokd_runs_on_entities() {
    let run = run(
        TRIPS,
        &[
            "--recipe",
            "evokd",
            "--rounds",
            "1",
            "--rows",
            "evokd",
            "--max-new",
            "12",
        ],
    );
    holds(&run, "ner", "evokd", 3);
    let card = run
        .1
        .iter()
        .find(|event| event["type"] == "weakness")
        .expect("a card");
    assert_eq!(card["card"]["labels"].as_array().map(Vec::len), Some(3));
    assert!(card["card"]["all"]["judged"].as_u64() > Some(0));
}

#[test]
fn psi_runs_on_questions_with_free_answers() {
    let run = run(SUMS, &["--rows", "seeds_only,psi", "--voter", "none"]);
    holds(&run, "qa", "psi", 2);
    // All seeds' answers are numbers, so all answers are.
    for instance in run.2.iter().filter(|instance| instance["accepted"] == true) {
        assert!(
            instance["answer"]
                .as_str()
                .is_some_and(|answer| answer.parse::<f64>().is_ok()),
            "{instance}"
        );
        assert_eq!(instance["label"], "a number");
    }
}

#[test]
fn lance_and_evokd_run_on_questions_with_free_answers() {
    let lance = run(
        SUMS,
        &["--recipe", "lance", "--rounds", "1", "--draws", "2"],
    );
    holds(&lance, "qa", "lance", 2);
    let rows = ["--rows", "static,evokd", "--voter", "writer"];
    let evokd = run(
        SUMS,
        &[&["--recipe", "evokd", "--rounds", "1"], &rows[..]].concat(),
    );
    holds(&evokd, "qa", "evokd", 2);
}

#[test]
fn every_recipe_runs_on_questions_with_listed_answers_about_passages() {
    for (recipe, rows) in [
        ("psi", "seeds_only,psi"),
        ("lance", "lance"),
        ("evokd", "evokd"),
    ] {
        let run = run(
            SHOPS,
            &["--recipe", recipe, "--rounds", "1", "--rows", rows],
        );
        holds(&run, "qa", recipe, 2);
        for instance in &run.2 {
            assert_eq!(
                instance["context"], "Shops sell things, and kiosks sell papers.",
                "{instance}"
            );
        }
    }
}

/// What every run on instructions must have: the loss of each row with its interval, and instances with responses.
fn is_measured_by_loss(run: &(Value, Vec<Value>, Vec<Value>), rows: &[&str], judged: bool) {
    let (report, events, instances) = run;
    for row in rows {
        let figures = &report["rows"][row];
        let figure = |key: &str| figures[key].as_f64();
        let (Some(loss), Some(low), Some(high)) =
            (figure("loss"), figure("loss_low"), figure("loss_high"))
        else {
            panic!("{row}: {figures}");
        };
        assert!(0.0 < low && low <= loss && loss <= high, "{row}: {figures}");
        let perplexity = figure("perplexity").unwrap_or(0.0);
        assert!((perplexity.ln() - loss).abs() < 1e-9, "{row}: {figures}");
        assert_eq!(figures["n"], 2, "{row}: a test row is a seed");
        let score = figure("score");
        assert_eq!(score.is_some(), judged, "{row}: {figures}");
        assert!(score.is_none_or(|score| (0.0..=10.0).contains(&score)));
    }
    let started = &events[0];
    assert_eq!(started["kind"], "instruct");
    assert_eq!(started["labels"], json!(["instruction"]));
    for instance in instances
        .iter()
        .filter(|instance| instance["accepted"] == true)
    {
        assert!(
            instance["answer"]
                .as_str()
                .is_some_and(|said| !said.is_empty()),
            "{instance}"
        );
    }
}

#[test]
fn lance_runs_on_instructions_and_lowers_the_loss_of_what_was_not_seen() {
    let arguments = [
        "--recipe",
        "lance",
        "--rounds",
        "2",
        "--draws",
        "2",
        "--seed-weight",
        "12",
    ];
    let run = run(TIPS, &arguments);
    let rows = ["untouched", "seeds_only", "round_zero", "lance"];
    is_measured_by_loss(&run, &rows, true);
    let loss = |row: &str| run.0["rows"][row]["loss"].as_f64().unwrap_or(f64::NAN);
    assert!(loss("seeds_only") < loss("untouched"), "{}", run.0["rows"]);
    // Marks are places among the seeds' own responses, so some are high and some low.
    let marks: Vec<f64> = run
        .1
        .iter()
        .filter(|event| event["type"] == "review" && event["origin"] == "seed")
        .filter_map(|event| event["score"].as_f64())
        .collect();
    assert!(marks.iter().any(|mark| *mark > 7.0) && marks.iter().any(|mark| *mark < 4.0));
    let chosen = run.0["rounds"].as_array().expect("rounds");
    assert_eq!(
        chosen
            .iter()
            .filter(|round| round["chosen"] == true)
            .count(),
        1
    );
    assert!(chosen.iter().all(|round| round["dev"]["loss"].is_number()));
}

#[test]
fn psi_runs_on_instructions_without_a_vote_and_seeds_alone_need_no_recipe() {
    let psi = run(
        TIPS,
        &["--rows", "seeds_only,direct,psi", "--max-new", "24"],
    );
    is_measured_by_loss(&psi, &["seeds_only", "psi"], false);
    let refused = |word: &str| psi.0["instances"]["refused"][word].as_u64().unwrap_or(0);
    assert_eq!(refused("vote") + refused("agreement"), 0);
    let alone = run(TIPS, &["--rows", "untouched,seeds_only"]);
    is_measured_by_loss(&alone, &["untouched", "seeds_only"], false);
    assert!(alone.2.is_empty());
}

#[test]
fn evokd_refuses_instructions_in_one_line_that_names_what_can_be_done() {
    let output = command("run", TIPS, &["--recipe", "evokd"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.trim_end().lines().last().unwrap_or_default();
    for word in ["evokd", "`instruct`", "use lance or psi"] {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

#[test]
fn a_model_is_measured_on_entities_and_questions_and_instructions() {
    for (task, key) in [(TRIPS, "precision"), (SUMS, "f1"), (TIPS, "perplexity")] {
        let output = command("eval", task, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(
            figures[key].is_number() && figures["accuracy"].is_number(),
            "{figures}"
        );
    }
}

#[test]
fn bad_rows_are_named_in_one_line() {
    let refusal = |task: Value, seeds: &str| {
        let folder = tempfile::tempdir().expect("folder");
        let task = task.to_string();
        for (name, text) in [
            ("task.json", task.as_str()),
            ("seeds.jsonl", seeds),
            ("test.jsonl", seeds),
        ] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let output = command("eval", &folder.path().display().to_string(), &[]);
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
        line
    };
    let ner = || json!({"task": "t", "type": "ner", "instruction": "i", "labels": ["x"]});
    let line = refusal(ner(), "{\"text\":\"ab\",\"entities\":[[0,9,\"x\"]]}");
    assert!(
        line.contains("seeds.jsonl, line 1") && line.contains("0 to 9"),
        "{line}"
    );
    let line = refusal(ner(), "{\"tokens\":[\"a\"],\"tags\":[\"B-y\"]}");
    assert!(
        line.contains("unknown label `y`; known labels: x"),
        "{line}"
    );
    let qa = json!({"task": "t", "type": "qa", "instruction": "i"});
    let line = refusal(qa, "{\"question\":\"q\",\"answer\":\"\"}");
    assert!(line.contains("the field `answer` is missing"), "{line}");
}
