//! The recipes from end to end at the desk, on the tiny model, as short as they can be.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn seedbed(arguments: &[&str], out: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command
        .args(["run", "www/tasks/snips_intent", "--device", "cpu"])
        .args(["--model", "tests/fixtures/tiny-llama-1m"])
        .args(["--epochs", "1", "--test-limit", "6", "--seed", "3"])
        .arg("--json")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.output().expect("the command starts")
}

/// The report of a run, and its events.
fn run(arguments: &[&str]) -> (Value, Vec<Value>) {
    let root = tempfile::tempdir().expect("folder");
    let output = seedbed(arguments, Some(root.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report = serde_json::from_slice(&output.stdout).expect("JSON");
    let log = fs::read_to_string(root.path().join("events.jsonl")).expect("log");
    let events = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    (report, events)
}

fn of<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

fn refuses(arguments: &[&str], words: &[&str]) {
    let output = seedbed(arguments, None);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    for word in words {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

#[test]
fn lance_reviews_prefers_and_chooses_its_round_on_rows_held_out() {
    let arguments = [
        "--seeds-per-label",
        "4",
        "--recipe",
        "lance",
        "--instances",
        "4",
        "--rounds",
        "2",
    ];
    let (mut report, events) = run(&arguments);
    assert_eq!(report["recipe"], "lance");
    for row in ["untouched", "seeds_only", "round_zero", "lance"] {
        assert_eq!(report["rows"][row]["n"], 6, "{row}");
    }
    let rounds = report["rounds"].as_array().expect("rounds");
    assert_eq!(rounds.len(), 3);
    assert_eq!(
        rounds
            .iter()
            .filter(|round| round["chosen"] == true)
            .count(),
        1
    );
    assert_eq!(rounds[0]["chosen"], false);
    // A quarter of four seeds of each of seven labels.
    assert!(rounds.iter().all(|round| round["dev"]["n"] == 7));
    let reviews = of(&events, "review");
    assert!(reviews.iter().all(|review| {
        let score = review["score"].as_f64().expect("a score");
        (0.0..=10.0).contains(&score)
    }));
    assert_eq!(
        reviews
            .iter()
            .filter(|review| review["origin"] == "seed")
            .count(),
        21
    );
    for pair in of(&events, "preference") {
        let (better, worse) = (&pair["scores"][0], &pair["scores"][1]);
        assert!(better.as_f64() > worse.as_f64().map(|score| score + 2.0));
    }

    // The same seed gives the same.
    let (mut again, _) = run(&arguments);
    // What is reckoned from the time it took differs, as the time does.
    for report in [&mut report, &mut again] {
        report["seconds"].take();
        report["cost"]["local"].take();
    }
    assert_eq!(report, again);
}

#[test]
fn lance_without_a_reviewer_uses_everything_and_still_trains_on_preferences() {
    let (report, events) = run(&[
        "--seeds-per-label",
        "4",
        "--recipe",
        "lance",
        "--rows",
        "lance",
        "--instances",
        "4",
        "--rounds",
        "1",
        "--ablate",
        "no_review,no_cleaning",
    ]);
    assert_eq!(
        report["ablations"],
        serde_json::json!(["no_review", "no_cleaning"])
    );
    assert!(!of(&events, "dpo_step").is_empty());
    assert!(report["instances"]["accepted"].as_u64() > Some(0));
}

#[test]
fn lance_reviews_in_words_where_it_is_told_to() {
    let (report, _) = run(&[
        "--recipe",
        "lance",
        "--rows",
        "lance",
        "--instances",
        "1",
        "--rounds",
        "1",
        "--judge",
        "rubric",
        "--reviews",
        "2",
        "--review-tokens",
        "16",
        "--ablate",
        "dpo_only",
        "--seeds-per-label",
        "1",
    ]);
    assert_eq!(report["rows"]["lance"]["n"], 6);
}

#[test]
fn evokd_follows_the_students_errors_round_by_round() {
    let (report, events) = run(&[
        "--recipe",
        "evokd",
        "--instances",
        "6",
        "--rounds",
        "2",
        "--ablate",
        "no_separation",
        "--seeds-per-label",
        "1",
    ]);
    for row in ["untouched", "seeds_only", "all_seeds", "static", "evokd"] {
        assert_eq!(report["rows"][row]["n"], 6, "{row}");
    }
    assert_eq!(report["rounds"].as_array().map(Vec::len), Some(2));
    assert!(report["tokens"]["written"].as_u64() > Some(0));
    assert_eq!(of(&events, "weakness").len(), 2);
    for quotas in of(&events, "quotas") {
        let sum = |key: &str| -> u64 {
            quotas[key]
                .as_array()
                .expect("counts")
                .iter()
                .filter_map(Value::as_u64)
                .sum()
        };
        assert_eq!((sum("hard"), sum("easy")), (2, 1));
    }
    // The card tells of labels and kinds, and has no place for a text.
    let card = &of(&events, "weakness")[0]["card"];
    let keys: Vec<&String> = card.as_object().expect("a card").keys().collect();
    assert_eq!(keys, ["all", "confused", "kinds", "labels"]);
}

#[test]
fn evokd_runs_with_every_part_switched_off_and_every_variant_on() {
    let (report, events) = run(&[
        "--seeds-per-label",
        "4",
        "--recipe",
        "evokd",
        "--rows",
        "evokd",
        "--instances",
        "4",
        "--rounds",
        "1",
        "--init",
        "--evaluate-after",
        "--ablate",
        "no_easy,no_correct,no_history",
        "--voter",
        "writer",
        "--vote",
        "calibrated",
    ]);
    assert_eq!(report["rows"]["evokd"]["n"], 6);
    let easy = &of(&events, "quotas")[0]["easy"];
    assert!(
        easy.as_array()
            .expect("counts")
            .iter()
            .all(|count| *count == 0)
    );
}

#[test]
fn guidance_pushes_a_text_away_from_its_order_without_rules_or_from_another_labels() {
    let texts = |guidance: &[&str]| {
        let usual = ["--rows", "direct", "--instances", "4", "--voter", "none"];
        let (_, events) = run(&[&["--seeds-per-label", "4"], &usual[..], guidance].concat());
        let written = of(&events, "instance");
        let written: Vec<String> = written.iter().map(|one| one["text"].to_string()).collect();
        assert!(written.len() >= 4);
        written
    };
    let plain = texts(&[]);
    // The row `direct` has no rules, so there is nothing that its orders could be without.
    assert_eq!(texts(&["--guidance", "2"]), plain);
    let otherwise = ["--guidance", "2", "--guide-from", "label"];
    assert_ne!(texts(&otherwise), plain);
}

#[test]
fn psi_runs_with_a_large_models_instances_and_one_level_of_principles() {
    let root = tempfile::tempdir().expect("folder");
    let file = root.path().join("large.jsonl");
    fs::write(
        &file,
        "{\"text\":\"put this song on my summer list\",\"label\":\"AddToPlaylist\"}\n{\"text\":\"will it rain in Oslo tomorrow\",\"label\":\"GetWeather\"}\n",
    )
    .expect("written");
    let (report, events) = run(&[
        "--seeds-per-label",
        "4",
        "--rows",
        "recorded,own_principles,psi",
        "--recorded",
        &file.display().to_string(),
        "--instances",
        "2",
        "--ablate",
        "label_level_only,no_filter",
    ]);
    assert_eq!(report["instances_by_row"]["recorded"]["accepted"], 2);
    assert_eq!(report["rows"]["psi"]["n"], 6);
    let verdicts = of(&events, "verdict");
    assert!(!verdicts.is_empty());
    let principles = of(&events, "principle");
    let written = principles
        .iter()
        .filter(|event| event["principle"]["attribute"].is_string());
    assert!(written.clone().count() > 0);
    assert!(
        written
            .clone()
            .all(|event| event["principle"]["level"] == "label")
    );
}

#[test]
fn what_rules_say_is_learnt_where_a_teacher_states_them_unless_told_otherwise() {
    let teacher = "recorded:tests/fixtures/teacher/snips_intent.answer.json";
    let trained = |recipe: &str, others: &[&str]| {
        let usual = [
            "--seeds-per-label",
            "2",
            "--instances",
            "2",
            "--rows",
            recipe,
        ];
        let (report, events) = run(&[&["--recipe", recipe], &usual[..], others].concat());
        assert_eq!(report["rows"][recipe]["n"], 6);
        let stages = of(&events, "stage_started");
        let rows = stages.iter().filter(|event| event["stage"] == "train");
        let rows: Vec<String> = rows.map(|event| event["row"].to_string()).collect();
        rows.join(" ")
    };
    let taught = ["--teacher", teacher];
    let never = [&taught[..], &["--learn-rules", "never"]].concat();
    // Who reads is trained first: on the seeds alone, or on what the rules say as well.
    assert_eq!(trained("psi", &taught), r#""psi" "psi""#);
    assert_eq!(trained("psi", &never), r#""seeds_only" "psi""#);
    assert_eq!(trained("psi", &[]), r#""seeds_only" "psi""#);
    assert_eq!(
        trained("psi", &["--learn-rules", "always"]),
        r#""psi" "psi""#
    );
    assert!(trained("evokd", &taught).starts_with(r#""evokd" "evokd""#));
    assert!(trained("evokd", &never).starts_with(r#""seeds_only" "evokd""#));
}

#[test]
fn texts_have_what_their_rules_quote_where_rules_are_held_to() {
    let openings = [
        ("AddToPlaylist", vec!["add"]),
        ("PlayMusic", vec!["play"]),
        ("RateBook", vec!["rate", "give"]),
        ("SearchCreativeWork", vec!["find", "show", "look for"]),
    ];
    let followed = |hold: &str| {
        let teacher = "recorded:tests/fixtures/teacher/snips_intent.answer.json";
        let parts = "label_level_only,no_selection,no_filter";
        let (_, events) = run(&[
            ["--teacher", teacher, "--ablate", parts, "--rows", "psi"].as_slice(),
            &["--seeds-per-label", "2", "--instances", "28"],
            &["--learn-rules", "never", "--hold-rules", hold],
        ]
        .concat());
        let principles = of(&events, "principle");
        let text_of = |id: &Value| {
            let named = principles
                .iter()
                .find(|event| event["principle"]["id"] == *id);
            named.expect("a principle")["principle"]["text"].clone()
        };
        let (mut begun, mut ruled) = (0, 0);
        for instance in of(&events, "instance") {
            let ids = instance["principles"].as_array().expect("ids");
            let Some((_, openings)) = openings.iter().find(|(label, _)| {
                instance["label"] == *label
                    && (ids.iter()).any(|id| text_of(id).to_string().starts_with("\"Begin"))
            }) else {
                continue;
            };
            let text = instance["text"].as_str().expect("a text").to_lowercase();
            ruled += 1;
            begun += usize::from(openings.iter().any(|opening| text.starts_with(opening)));
        }
        (begun, ruled)
    };
    let (begun, ruled) = followed("taught");
    assert!(ruled > 1 && begun == ruled, "{begun} of {ruled}");
    let (begun, ruled) = followed("never");
    assert!(begun < ruled, "{begun} of {ruled}");
}

#[test]
fn round_zero_of_lance_learns_no_fewer_steps_than_a_row_however_few_seeds_there_are() {
    let few = [
        "--recipe",
        "lance",
        "--seeds-per-label",
        "2",
        "--instances",
        "40",
    ];
    let (_, events) = run(&[few.as_slice(), &["--rows", "seeds_only,lance"]].concat());
    let steps = |stage: &str, row: serde_json::Value| {
        let stages = of(&events, "stage_started");
        let found = (stages.iter()).find(|event| event["stage"] == stage && event["row"] == row);
        found.expect("a stage")["total"].as_u64().expect("a number")
    };
    assert_eq!(
        steps("warm_up", serde_json::Value::Null),
        steps("train", "seeds_only".into())
    );
}

#[test]
fn an_opening_that_leaves_no_room_for_a_text_is_not_held_to() {
    let folder = tempfile::tempdir().expect("folder");
    let answer = folder.path().join("answer.json");
    let long = "ಠ".repeat(150);
    let rules = ["AddToPlaylist", "PlayMusic"].map(|label| {
        serde_json::json!({
            "level": "label", "label": label, "text": format!("Begin with \"{long}\"."), "polarity": "do",
        })
    });
    let principles = serde_json::json!({ "principles": rules });
    fs::write(&answer, principles.to_string()).expect("written");
    let teacher = format!("recorded:{}", answer.display());
    let (report, events) = run(&[
        ["--teacher", &teacher, "--rows", "psi"].as_slice(),
        &["--ablate", "no_filter", "--max-new", "8"],
        &["--seeds-per-label", "2", "--instances", "7"],
    ]
    .concat());
    assert_eq!(report["rows"]["psi"]["n"], 6);
    let instances = of(&events, "instance");
    assert_eq!(instances.len(), 7);
    for instance in instances {
        let text = instance["text"].as_str().expect("a text");
        assert!(!text.starts_with('ಠ'), "{text}");
    }
}

#[test]
fn a_switch_of_another_recipe_is_named() {
    refuses(
        &["--recipe", "lance", "--ablate", "no_easy"],
        &["no_easy", "evokd", "lance"],
    );
}

#[test]
fn a_row_of_another_recipe_is_named() {
    refuses(&["--recipe", "evokd", "--rows", "psi"], &["psi", "evokd"]);
}

#[test]
fn a_watched_text_is_answered_as_training_goes_and_changes_nothing() {
    let short = [
        "--seeds-per-label",
        "2",
        "--instances",
        "3",
        "--rows",
        "seeds_only,psi",
    ];
    let text = "play some jazz";
    let (mut alone, _) = run(&short);
    let (mut watched, events) = run(&[&short[..], &["--watch", text]].concat());
    for report in [&mut alone, &mut watched] {
        let report = report.as_object_mut().expect("an object");
        report.remove("seconds");
        report.remove("cost");
    }
    assert_eq!(alone, watched);
    let samples = of(&events, "sample");
    // The warm-up and two rows; each at its beginning, at every quarter and at its end.
    assert_eq!(samples.len(), 3 * 5);
    let labels = of(&events, "run_started")[0]["labels"].clone();
    let labels = labels.as_array().expect("labels");
    for sample in samples {
        assert_eq!(sample["text"], text);
        assert!(labels.contains(&sample["label"]), "{sample}");
        let probability = sample["probability"].as_f64().expect("a number");
        assert!(probability * labels.len() as f64 >= 0.999, "{sample}");
    }
}

#[test]
fn what_each_row_makes_of_every_test_row_is_told() {
    let (report, events) = run(&["--seeds-per-label", "2", "--rows", "untouched,seeds_only"]);
    let tested = of(&events, "tested");
    assert_eq!(tested.len(), 1);
    let rows = tested[0]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    let measured = of(&events, "row_finished");
    assert_eq!(measured.len(), 2);
    for row in measured {
        let predicted = row["predicted"].as_array().expect("predictions");
        let right = rows
            .iter()
            .zip(predicted)
            .filter(|(row, predicted)| row["label"] == **predicted);
        let share = right.count() as f64 / rows.len() as f64;
        let name = row["row"].as_str().expect("a name");
        assert_eq!(
            report["rows"][name]["accuracy"].as_f64(),
            Some(share),
            "{name}"
        );
    }
}

/// The tiny model with a context that the words around a text nearly fill.
fn short_model(root: &Path) -> PathBuf {
    let model = root.join("short");
    fs::create_dir(&model).expect("folder");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
        fs::copy(from.join(name), model.join(name)).expect("copy");
    }
    let config = fs::read_to_string(model.join("config.json")).expect("config");
    let short = config.replace(
        "\"max_position_embeddings\": 2048",
        "\"max_position_embeddings\": 384",
    );
    assert_ne!(config, short);
    fs::write(model.join("config.json"), short).expect("config");
    model
}

/// A short run of one's own task and model.
fn run_of(task: &Path, model: &Path, recipe: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedbed"));
    command
        .arg("run")
        .args([task, Path::new("--model"), model])
        .args(["--device", "cpu", "--epochs", "1", "--instances", "2"])
        .args(["--recipe", recipe]);
    command
}

#[test]
fn what_is_longer_than_the_model_reads_loses_its_end_and_the_run_goes_on() {
    let root = tempfile::tempdir().expect("folder");
    let model = short_model(root.path());
    let task = root.path().join("task");
    fs::create_dir(&task).expect("folder");
    fs::write(
        task.join("task.json"),
        r#"{"task": "long", "type": "classification", "instruction": "Say what it is about.", "labels": ["rain", "music"]}"#,
    )
    .expect("task");
    let line = |label: &str, index: usize| {
        let words = match label {
            "rain" => ["clouds", "wet", "umbrella", "storm"],
            _ => ["song", "band", "loud", "piano"],
        };
        let text: Vec<&str> = (0..400 + index)
            .map(|i| words[(i * i + index) % 4])
            .collect();
        format!(
            "{{\"text\": \"{} {index}\", \"label\": \"{label}\"}}\n",
            text.join(" ")
        )
    };
    let lines = |range: std::ops::Range<usize>| -> String {
        range
            .flat_map(|index| ["rain", "music"].map(|label| line(label, index)))
            .collect()
    };
    fs::write(task.join("seeds.jsonl"), lines(0..4)).expect("seeds");
    fs::write(task.join("test.jsonl"), lines(10..13)).expect("test");

    for (recipe, more) in [
        ("psi", &["--rows", "psi,own_principles"][..]),
        ("lance", &["--rounds", "1", "--judge", "rubric"]),
        ("evokd", &["--rounds", "1"]),
    ] {
        let output = run_of(&task, &model, recipe)
            .arg("--json")
            .args(more)
            .output()
            .expect("the command starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{recipe}: {said}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["rows"]["seeds_only"]["n"].as_u64().unwrap_or(6), 6);
        assert_eq!(report["recipe"], recipe);
    }
}

#[test]
fn an_instruction_and_a_list_of_labels_that_are_too_long_for_the_model_lose_their_ends() {
    let root = tempfile::tempdir().expect("folder");
    let model = short_model(root.path());
    let task = root.path().join("task");
    fs::create_dir(&task).expect("folder");
    let labels: Vec<String> = (0..12)
        .map(|index| format!("what customers of the branch in street {index} say"))
        .collect();
    let head = serde_json::json!({
        "task": "long", "type": "classification", "labels": labels,
        "instruction": "Say which of our branches this is about. ".repeat(40),
    });
    fs::write(task.join("task.json"), head.to_string()).expect("task");
    let line = |index: usize, end: &str| {
        let text = format!("I was in street {index} {end}");
        serde_json::json!({"text": text, "label": labels[index]}).to_string() + "\n"
    };
    let seeds: String = (0..12).map(|index| line(index, "and waited.")).collect();
    let test: String = (0..3).map(|index| line(index, "in May.")).collect();
    fs::write(task.join("seeds.jsonl"), seeds).expect("seeds");
    fs::write(task.join("test.jsonl"), test).expect("test");

    for recipe in ["psi", "lance", "evokd"] {
        let out = root.path().join(recipe);
        let output = run_of(&task, &model, recipe)
            .arg("--out")
            .arg(&out)
            .args(["--max-new", "16"])
            .output()
            .expect("the command starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{recipe}: {said}");
        let log = fs::read_to_string(out.join("events.jsonl")).expect("log");
        let first: Value =
            serde_json::from_str(log.lines().next().unwrap_or_default()).expect("JSON");
        let note = first["warnings"].to_string();
        for told in [" of 1639 characters of the instruction", " of 12 labels"] {
            assert!(note.contains(told), "{told} is not in: {note}");
        }
    }
}
