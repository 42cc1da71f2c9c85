//! The teacher `api` over real HTTP: one request, which carries the brief and nothing of the seeds.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

const MODEL: &str = "tests/fixtures/tiny-llama-1m";

/// What a request brought: its head and its body.
type Request = (String, String);

/// An endpoint on this machine that answers every request alike, and hands over what it was sent.
fn endpoint(
    status: &'static str,
    headers: &'static str,
    body: String,
) -> (String, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/v1", listener.local_addr().expect("address"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("stream"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("length");
                }
                head.push_str(&line);
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).expect("body");
            let _ = sender.send((head, String::from_utf8(sent).expect("UTF-8")));
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (address, receiver)
}

fn completion(content: &str) -> String {
    json!({"choices": [{"message": {"role": "assistant", "content": content}}]}).to_string()
}

fn run(address: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args([
            "run",
            "www/tasks/snips_intent",
            "--model",
            MODEL,
            "--device",
            "cpu",
            "--rows",
            "psi",
        ])
        .args([
            "--seeds-per-label",
            "1",
            "--instances",
            "1",
            "--epochs",
            "1",
            "--test-limit",
            "2",
            "--json",
        ])
        .args(["--teacher", address])
        .env("SEEDBED_KEY", "a-secret-key")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the command starts")
}

fn principles() -> String {
    json!({"version": 1, "task": "snips_intent", "principles": [
        {"id": "p1", "level": "label", "label": "GetWeather", "text": "Use the word \"forecast\".", "polarity": "do"},
        {"id": "p2", "level": "task", "text": "Write a short command.", "polarity": "do"},
    ]})
    .to_string()
}

#[test]
fn a_teacher_is_sent_the_brief_once_and_nothing_of_the_seeds() {
    // Models like to wrap JSON in a fence.
    let answer = completion(&format!("```json\n{}\n```", principles()));
    let (address, requests) = endpoint("200 OK", "Content-Type: application/json\r\n", answer);
    let output = run(&address);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let (head, body) = requests.recv().expect("a request");
    assert!(requests.try_recv().is_err(), "one request and no more");
    assert!(head.starts_with("POST /v1/chat/completions "), "{head}");
    assert!(head.contains("Bearer a-secret-key"));
    assert!(!body.contains("a-secret-key"));
    assert_eq!(
        report["teacher"],
        json!({"kind": "api", "requests": 1, "bytes": body.len()})
    );

    let sent: Value = serde_json::from_str(&body).expect("JSON");
    assert!(
        sent["messages"][1]["content"]
            .as_str()
            .expect("text")
            .contains("GetWeather")
    );
    let seeds = std::fs::read_to_string("www/tasks/snips_intent/seeds.jsonl").expect("seeds");
    for seed in seeds.lines() {
        let seed: Value = serde_json::from_str(seed).expect("JSON");
        let words: Vec<&str> = seed["text"]
            .as_str()
            .expect("text")
            .split_whitespace()
            .collect();
        for run in words.windows(3) {
            assert!(!body.contains(&run.join(" ")), "{run:?} left the machine");
        }
    }
}

/// The one line a run ends with.
fn refusal(address: &str) -> String {
    let output = run(address);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !text.contains("panicked") && !text.contains("a-secret-key"),
        "{text}"
    );
    text.lines().last().expect("a line").to_owned()
}

#[test]
fn a_refused_key_is_said_with_the_host_and_the_status() {
    let (address, _requests) = endpoint("401 Unauthorized", "", "{}".into());
    let line = refusal(&address);
    assert!(line.contains("127.0.0.1") && line.contains("401"), "{line}");
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, stolen) = endpoint("200 OK", "", completion(&principles()));
    let location: &'static str =
        Box::leak(format!("Location: {elsewhere}/chat/completions\r\n").into_boxed_str());
    let (address, _requests) = endpoint("307 Temporary Redirect", location, String::new());
    refusal(&address);
    assert!(
        stolen.try_recv().is_err(),
        "the brief went where nobody had sent it"
    );
}

#[test]
fn a_page_of_html_is_no_answer() {
    let (address, _requests) = endpoint("200 OK", "", "<html>busy</html>".into());
    let line = refusal(&address);
    assert!(
        line.contains("127.0.0.1") && !line.contains("<html>"),
        "{line}"
    );
}

#[test]
fn principles_that_cannot_be_used_are_named() {
    let (address, _requests) = endpoint(
        "200 OK",
        "",
        completion("{\"version\": 9, \"principles\": []}"),
    );
    assert!(refusal(&address).contains('9'));
}
