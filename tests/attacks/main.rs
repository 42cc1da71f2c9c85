//! Attacks on the promise that only the brief leaves: one module for each family, each test an attempt.
//!
//! Where an attempt succeeds, its test says so and keeps it: what is not promised stands in `docs/privacy.md`. The attacks
//! on the page itself are `www/e2e/boundary.spec.ts`; those on the guard alone stand beside it.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
#![allow(clippy::unwrap_used)]

mod answers;
mod canaries;
mod disguises;
#[path = "../support/endpoint.rs"]
mod endpoint;
mod files;
mod sharing;
mod transport;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use seedbed::Error;
use seedbed::principle::api::{Answer, Patience, Teacher, ask};
use seedbed::privacy::{Brief, Destination, Epsilon, Guard, Ledger};
use seedbed::task::Task;
use serde_json::{Value, json};

/// The model of the runs here: a real one, far too small to be good at anything.
const MODEL: &str = "tests/fixtures/tiny-llama-1m";

/// A task in the user's words, with two labels.
fn task(instruction: &str, labels: [&str; 2], seeds: &[(&str, &str)]) -> Task {
    let head = json!({"task": "t", "type": "classification", "instruction": instruction, "labels": labels});
    let rows: String = seeds
        .iter()
        .map(|(text, label)| format!("{}\n", json!({"text": text, "label": label})))
        .collect();
    seedbed::task::parse(&head.to_string(), &rows, None).unwrap()
}

/// Asks a teacher with a brief that passes the guard, without waiting between two attempts.
fn ask_with(task: &Task, brief: Brief, address: &str) -> (Result<Answer, Error>, Ledger) {
    let place = || Destination::parse(address).unwrap();
    let mut ledger = Ledger::new(Epsilon::new(100_000).unwrap());
    let (cleared, _) = Guard::new(task, place())
        .clear(brief, place(), &mut ledger, 0)
        .unwrap();
    let teacher = Teacher::new("m")
        .with_key(Some("a-secret-key"))
        .with_patience(Patience {
            tries: 2,
            first: 0,
            most: 1000,
        });
    let answer = pollster::block_on(ask(cleared, &teacher, task, &mut ledger, &mut |_| true));
    (answer, ledger)
}

/// The smallest run that asks a teacher.
fn run(task: &Path, model: &Path, out: &Path, teacher: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args([
            "run".as_ref(),
            task.as_os_str(),
            "--model".as_ref(),
            model.as_os_str(),
        ])
        .args(["--out".as_ref(), out.as_os_str()])
        .args([
            "--device",
            "cpu",
            "--seeds-per-label",
            "1",
            "--epochs",
            "1",
            "--test-limit",
            "2",
        ])
        .args(["--json", "--teacher", teacher])
        .args(more)
        .env("SEEDBED_KEY", "a-secret-key")
        .stdin(Stdio::null())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Rules that the bundled task can use.
fn rules() -> String {
    json!({"principles": [
        {"level": "label", "label": "GetWeather", "text": "Use the word \"forecast\".", "polarity": "do"},
        {"level": "task", "text": "Write a short command.", "polarity": "do"},
    ]})
    .to_string()
}

/// The five-word runs of all texts in rows of JSON.
fn runs_of(rows: &str) -> Vec<String> {
    let texts = rows
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    texts
        .filter_map(|row| row["text"].as_str().map(str::to_lowercase))
        .flat_map(|text| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words
                .windows(5)
                .map(|run| run.join(" "))
                .collect::<Vec<_>>()
        })
        .collect()
}
