//! Seeds as they stand: never by default, never without a yes, never unmarked.

use std::path::Path;

use seedbed::privacy::{Brief, BriefError, Destination, Guard, Rule};
use serde_json::json;

use super::endpoint::{completion, endpoint};
use super::{MODEL, report, rules, run, task};

const SNIPS: &str = "www/tasks/snips_intent";

#[test]
fn a_guard_that_was_not_told_refuses_a_brief_with_seeds() {
    let task = task("Sort these.", ["a", "b"], &[("x", "a"), ("y", "b")]);
    let guard = Guard::new(&task, Destination::parse("https://a.example").unwrap());
    let brief = Brief::of(&task).sharing(&task, 1);
    let refused = guard.check(&brief).unwrap_err();
    assert!(
        matches!(
            refused,
            BriefError::Refused {
                rule: Rule::Copy,
                ..
            }
        ),
        "{refused}"
    );
    assert!(guard.with_shared_seeds().check(&brief).is_ok());
}

#[test]
fn seeds_are_not_sent_without_a_yes() {
    let out = tempfile::tempdir().unwrap();
    let (address, requests) = endpoint("200 OK", "", completion(&rules()));
    let more = ["--rows", "psi", "--instances", "1", "--share-seeds", "2"];
    let output = run(
        Path::new(SNIPS),
        Path::new(MODEL),
        &out.path().join("run"),
        &address,
        &more,
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no examples were sent"));
    assert!(requests.try_recv().is_err());
}

#[test]
fn seeds_that_are_sent_are_marked_in_ledger_report_and_words() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("run");
    let (address, requests) = endpoint("200 OK", "", completion(&rules()));
    let more = [
        "--rows",
        "psi",
        "--instances",
        "1",
        "--share-seeds",
        "2",
        "--yes",
    ];
    let output = run(Path::new(SNIPS), Path::new(MODEL), &folder, &address, &more);
    let report = report(&output);
    assert_eq!(report["teacher"]["shared_seeds"], 2);
    assert_eq!(report["cost"]["teacher"]["seeds_sent"], 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 OF YOUR SEEDS ARE SENT"));
    let (_, body) = requests.recv().unwrap();
    assert!(body.contains("\\nExamples:\\n"), "{body}");
    let ledger = std::fs::read_to_string(folder.join("ledger.json")).unwrap();
    let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    let entries = ledger["entries"].as_array().unwrap();
    let shared = entries
        .iter()
        .find(|entry| entry["type"] == "shared")
        .unwrap();
    assert_eq!(shared["seeds"], json!(2));
}
