//! Texts planted to be found: in seeds, in labels, in a model's chat template, in what the student writes.

use std::path::Path;

use seedbed::evolve;
use seedbed::privacy::{BriefError, Destination, Epsilon, Guard, Rule};
use serde_json::Value;

use super::endpoint::{completion, endpoint};
use super::{MODEL, ask_with, report, rules, run, runs_of, task};

const CANARY: &str = "zqxjkv";

#[test]
fn canaries_in_seeds_reach_no_request() {
    let answer = r#"{"principles":["Be brief."]}"#;
    let (address, requests) = endpoint("200 OK", "", completion(answer));
    for round in 0..40 {
        let canary = format!("{CANARY}{round}");
        let texts: Vec<String> = (0..60)
            .map(|at| format!("please {canary} number {at} is at {canary}@example.org"))
            .collect();
        let seeds: Vec<(&str, &str)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (text.as_str(), if at % 2 == 0 { "a" } else { "b" }))
            .collect();
        let task = task("Sort these.", ["a", "b"], &seeds);
        let brief = evolve::brief(&task, Epsilon::new(20_000).unwrap()).unwrap();
        let (answer, ledger) = ask_with(&task, brief, &address);
        answer.unwrap();
        let (head, body) = requests.recv().unwrap();
        assert!(!head.contains(CANARY) && !body.contains(CANARY));
        assert!(!ledger.to_json().contains(CANARY));
    }
}

#[test]
fn a_canary_in_a_label_is_stopped_though_labels_are_the_users_own_words() {
    let task = task(
        "Sort these.",
        ["a", "Z Q x-jkv"],
        &[("x", "a"), ("y", "Z Q x-jkv")],
    );
    let place = Destination::parse("https://a.example").unwrap();
    let guard = Guard::new(&task, place)
        .with_canary(CANARY)
        .with_own_words_confirmed();
    let brief = evolve::brief(&task, Epsilon::ZERO).unwrap();
    let refused = guard.check(&brief).unwrap_err();
    assert!(
        matches!(
            refused,
            BriefError::Refused {
                rule: Rule::Canary,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_canary_in_a_models_chat_template_reaches_no_request() {
    let model = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(Path::new(MODEL).join(file), model.path().join(file)).unwrap();
    }
    let config = std::fs::read_to_string(Path::new(MODEL).join("tokenizer_config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["chat_template"] = format!(
        "{{% for m in messages %}}{CANARY} {{{{ m.role }}}} {{{{ m.content }}}}{{% endfor %}}"
    )
    .into();
    std::fs::write(
        model.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    let out = tempfile::tempdir().unwrap();
    let (address, requests) = endpoint("200 OK", "", completion(&rules()));
    let more = ["--rows", "psi", "--instances", "1"];
    let snips = Path::new("www/tasks/snips_intent");
    report(&run(
        snips,
        model.path(),
        &out.path().join("run"),
        &address,
        &more,
    ));
    let (head, body) = requests.recv().unwrap();
    assert!(!head.contains(CANARY) && !body.contains(CANARY));
}

#[test]
fn what_the_student_writes_and_gets_wrong_is_told_in_descriptors_and_replays_without_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let (first, again) = (folder.path().join("first"), folder.path().join("again"));
    let (address, requests) = endpoint("200 OK", "", completion(&rules()));
    let evokd = [
        "--recipe",
        "evokd",
        "--rows",
        "evokd",
        "--rounds",
        "2",
        "--instances",
        "4",
        "--seed",
        "3",
    ];
    let more = [
        &evokd[..],
        &["--tell-weakness", "--epsilon", "4", "--epsilon-total", "10"],
    ]
    .concat();
    let snips = Path::new("www/tasks/snips_intent");
    let asked = report(&run(snips, Path::new(MODEL), &first, &address, &more));
    let bodies: Vec<String> = requests.try_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 2, "one request a round");
    assert_eq!(asked["teacher"]["epsilon"], 8.0);
    let written = std::fs::read_to_string(first.join("instances.jsonl")).unwrap();
    let seeds = std::fs::read_to_string(snips.join("seeds.jsonl")).unwrap();
    for run in [runs_of(&written), runs_of(&seeds)].concat() {
        assert!(
            bodies
                .iter()
                .all(|body| !body.to_lowercase().contains(&run)),
            "{run}"
        );
    }
    // The figures of the seeds were drawn and paid for once.
    let told = |body: &String| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["messages"][1]["content"].as_str().unwrap().to_owned()
    };
    let (one, two) = (told(&bodies[0]), told(&bodies[1]));
    let head: Vec<&str> = one.lines().take(5).collect();
    assert_eq!(head, two.lines().take(5).collect::<Vec<_>>());

    let file = format!("recorded:{}", first.join("answers.json").display());
    let replayed = report(&run(snips, Path::new(MODEL), &again, &file, &evokd));
    assert_eq!(replayed["rows"], asked["rows"]);
    assert_eq!(
        std::fs::read_to_string(again.join("instances.jsonl")).unwrap(),
        written
    );
    assert!(requests.try_recv().is_err(), "a recording asks nobody");
}
