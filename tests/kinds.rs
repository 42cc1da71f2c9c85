//! Tasks of entities and of questions from end to end at the desk, on the tiny model, as short as they can be.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A folder with a task of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(task: &Value, seeds: &str, test: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        for (name, text) in [
            ("task.json", task.to_string().as_str()),
            ("seeds.jsonl", seeds),
            ("test.jsonl", test),
        ] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        Self(folder)
    }

    fn ner() -> Self {
        let task = json!({"task": "trips", "type": "ner", "instruction": "Find people and places.", "labels": ["person", "place"]});
        let row = |text: &str| {
            let mut tags = Vec::new();
            let mut tokens = Vec::new();
            for word in text.split(' ') {
                let (token, tag) = word.split_once('/').unwrap_or((word, "O"));
                tokens.push(token);
                tags.push(tag);
            }
            format!("{}\n", json!({"tokens": tokens, "tags": tags}))
        };
        let seeds = [
            "Ann/B-person flew to Rome/B-place",
            "we met Bo/B-person Lee/I-person at noon",
            "nobody was at home today",
            "the train from New/B-place York/I-place was late",
            "Cy/B-person likes tea",
            "it rained for a week",
            "take me to Oslo/B-place please",
            "Di/B-person and Ed/B-person sang",
        ];
        let test = [
            "Fay/B-person left Bern/B-place",
            "so it goes on",
            "Rome/B-place is far",
            "nobody was at home today",
        ];
        let rows = |texts: &[&str]| texts.iter().map(|text| row(text)).collect::<String>();
        Self::new(&task, &rows(&seeds), &rows(&test))
    }

    fn qa(labels: &Value) -> Self {
        let task = json!({"task": "shop", "type": "qa", "instruction": "Answer the question.", "labels": labels});
        let row = |(question, answer): &(&str, &str)| match labels.is_null() {
            true => format!("{}\n", json!({"question": question, "answer": answer})),
            false => {
                let answer = if answer.len() == 1 { "yes" } else { "no" };
                format!(
                    "{}\n",
                    json!({"question": question, "context": "Shops sell things.", "answer": answer})
                )
            }
        };
        let seeds = [
            ("Ann has 2 pens and buys 3. How many has she?", "5"),
            ("Bo had 9 cups and broke 1. How many are left?", "8"),
            ("Cy buys 4 bags of 5 nuts. How many nuts are there?", "20"),
            ("A box holds 6 eggs. How many do 3 boxes hold?", "18"),
            ("Di had 7 pears and ate 2. How many are left?", "5"),
            ("Ed has 10 stamps and gets 5. How many has he?", "15"),
        ];
        let test = [
            ("Fay has 3 hats and buys 3. How many has she?", "6"),
            ("Gus had 12 keys and lost 2. How many are left?", "10"),
        ];
        let rows = |rows: &[(&str, &str)]| rows.iter().map(row).collect::<String>();
        Self::new(&task, &rows(&seeds), &rows(&test))
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_seedbed"))
            .arg(name)
            .arg(self.0.path())
            .args([
                "--device",
                "cpu",
                "--model",
                "tests/fixtures/tiny-llama-1m",
                "--json",
            ])
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the command starts")
    }

    /// The report of a run, its events, and its instances.
    fn run(&self, arguments: &[&str]) -> (Value, Vec<Value>, Vec<Value>) {
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
        let output = self.command("run", &[&short[..], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let lines = |name: &str| lines(&out.path().join(name));
        let report = serde_json::from_slice(&output.stdout).expect("JSON");
        (report, lines("events.jsonl"), lines("instances.jsonl"))
    }
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
    let folder = Folder::ner();
    let run = folder.run(&[
        "--rows",
        "untouched,seeds_only,direct,psi",
        "--voter",
        "none",
        "--max-new",
        "12",
    ]);
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
    let run = Folder::ner().run(&[
        "--recipe",
        "lance",
        "--rounds",
        "1",
        "--max-new",
        "12",
        "--draws",
        "2",
    ]);
    holds(&run, "ner", "lance", 3);
    assert!(
        run.1
            .iter()
            .any(|event| event["type"] == "review" && event["answer"] == "none")
    );
}

#[test]
fn evokd_runs_on_entities() {
    let run = Folder::ner().run(&[
        "--recipe",
        "evokd",
        "--rounds",
        "1",
        "--rows",
        "evokd",
        "--max-new",
        "12",
    ]);
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
    let run = Folder::qa(&Value::Null).run(&["--rows", "seeds_only,psi", "--voter", "none"]);
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
    let folder = Folder::qa(&Value::Null);
    let run = folder.run(&["--recipe", "lance", "--rounds", "1", "--draws", "2"]);
    holds(&run, "qa", "lance", 2);
    let run = folder.run(&[
        "--recipe",
        "evokd",
        "--rounds",
        "1",
        "--rows",
        "static,evokd",
        "--voter",
        "writer",
    ]);
    holds(&run, "qa", "evokd", 2);
}

#[test]
fn every_recipe_runs_on_questions_with_listed_answers_about_passages() {
    let folder = Folder::qa(&json!(["no", "yes"]));
    for (recipe, rows) in [
        ("psi", "seeds_only,psi"),
        ("lance", "lance"),
        ("evokd", "evokd"),
    ] {
        let run = folder.run(&["--recipe", recipe, "--rounds", "1", "--rows", rows]);
        holds(&run, "qa", recipe, 2);
        for instance in &run.2 {
            assert_eq!(instance["context"], "Shops sell things.", "{instance}");
        }
    }
}

#[test]
fn a_model_is_measured_on_entities_and_questions() {
    for (folder, key) in [
        (Folder::ner(), "precision"),
        (Folder::qa(&Value::Null), "f1"),
    ] {
        let output = folder.command("eval", &[]);
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
        let output = Folder::new(&task, seeds, seeds).command("eval", &[]);
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
