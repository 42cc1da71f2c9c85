//! `pull` and `models` against a hub on this machine: resumed, checked, and never half a model.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const LLAMA: &str = "tests/fixtures/tiny-llama-1m";

/// What the hub serves, and how it misbehaves.
#[derive(Default)]
struct Served {
    files: HashMap<String, Vec<u8>>,
    /// Paths that are cut off after so many bytes, once.
    cuts: HashMap<String, usize>,
    /// Requests: path and range.
    asked: Vec<(String, Option<usize>)>,
}

struct Hub {
    address: String,
    served: Arc<Mutex<Served>>,
    cache: tempfile::TempDir,
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Hub {
    /// A hub with the repository `a/b` at commit `0abc`. Files named `published` have a hash that is told.
    fn with(files: &[(&str, Vec<u8>)], published: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let siblings: Vec<Value> = files
            .iter()
            .map(|(name, bytes)| {
                let mut sibling = json!({"rfilename": name, "size": bytes.len()});
                if let Some((_, hash)) = published.iter().find(|(file, _)| file == name) {
                    sibling["lfs"] = json!({"sha256": hash, "size": bytes.len()});
                }
                sibling
            })
            .collect();
        let mut served = Served::default();
        let listing = json!({"sha": "0abc", "siblings": siblings}).to_string();
        served.files.insert(
            "/api/models/a/b/revision/main?blobs=true".into(),
            listing.into_bytes(),
        );
        for (name, bytes) in files {
            served
                .files
                .insert(format!("/a/b/resolve/0abc/{name}"), bytes.clone());
        }
        let served = Arc::new(Mutex::new(served));
        let shared = served.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap())
                    .lines()
                    .map_while(Result::ok);
                let Some(first) = lines.next() else { continue };
                let path = first.split(' ').nth(1).unwrap_or("").to_owned();
                let range = lines
                    .take_while(|line| !line.is_empty())
                    .filter_map(|line| {
                        line.to_lowercase()
                            .strip_prefix("range: bytes=")?
                            .strip_suffix('-')?
                            .parse()
                            .ok()
                    })
                    .last();
                let mut served = shared.lock().unwrap();
                served.asked.push((path.clone(), range));
                let Some(bytes) = served.files.get(&path).cloned() else {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    continue;
                };
                let from: usize = range.unwrap_or(0);
                let rest = &bytes[from.min(bytes.len())..];
                let status = if range.is_some() {
                    "206 Partial Content"
                } else {
                    "200 OK"
                };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    rest.len()
                );
                let sent = served
                    .cuts
                    .remove(&path)
                    .map_or(rest.len(), |cut| cut.min(rest.len()));
                let _ = stream.write_all(&rest[..sent]);
            }
        });
        Self {
            address,
            served,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_seedbed"))
            .args(arguments)
            .env("HF_ENDPOINT", &self.address)
            .env("SEEDBED_MODELS", self.cache.path())
            .env_remove("HF_TOKEN")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    }

    fn object(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The one line of a refusal.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("panicked"), "{text}");
        text.lines().last().unwrap_or_default().to_owned()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.cache.path().join("a--b@main")
    }

    fn asked(&self, file: &str) -> Vec<Option<usize>> {
        let served = self.served.lock().unwrap();
        let of_file = served.asked.iter().filter(|(path, _)| path.ends_with(file));
        of_file.map(|(_, range)| *range).collect()
    }
}

fn llama() -> Vec<(&'static str, Vec<u8>)> {
    ["config.json", "tokenizer.json", "model.safetensors"]
        .map(|name| (name, fs::read(Path::new(LLAMA).join(name)).unwrap()))
        .to_vec()
}

#[test]
fn a_pulled_model_is_kept_listed_used_and_deleted() {
    let files = llama();
    let weights = hash(&files[2].1);
    let hub = Hub::with(&files, &[("model.safetensors", weights.clone())]);
    let kept = hub.object(&["pull", "a/b", "--json"]);
    assert_eq!(kept["model"]["commit"], "0abc");
    let recorded = &kept["model"]["files"];
    assert_eq!(
        (&recorded[2]["sha256"], &recorded[2]["published"]),
        (&json!(weights), &json!(true))
    );
    assert_eq!(
        (&recorded[0]["sha256"], &recorded[0]["published"]),
        (&json!(hash(&files[0].1)), &json!(false))
    );

    assert_eq!(
        hub.object(&["models", "--json"])["models"][0],
        kept["model"]
    );
    let wrote = [
        "generate",
        "--device",
        "cpu",
        "--ids",
        "5,6",
        "--max-new",
        "2",
        "--greedy",
        "--json",
        "--model",
    ];
    let of_cache = hub.object(&[&wrote[..], &["a/b"]].concat());
    assert_eq!(of_cache, hub.object(&[&wrote[..], &[LLAMA]].concat()));

    // It is here: nothing is fetched again but the list and the shape.
    hub.object(&["pull", "a/b", "--json"]);
    assert_eq!(hub.asked("model.safetensors").len(), 1);

    let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(
        hub.object(&["models", "--delete", "a/b", "--json"])["deleted"],
        json!(size)
    );
    assert!(hub.refusal(&["models", "--delete", "a/b"]).contains("a/b"));
}

#[test]
fn an_adapter_names_the_pulled_model_beside_which_it_was_trained() {
    let files = llama();
    let hub = Hub::with(&files, &[("model.safetensors", hash(&files[2].1))]);
    hub.object(&["pull", "a/b", "--json"]);
    let out = tempfile::tempdir().unwrap();
    let run = "run www/tasks/snips_intent --model a/b --device cpu --rows psi --instances 2 --epochs 1 --test-limit 1 --json --out";
    let mut run: Vec<&str> = run.split(' ').collect();
    run.push(out.path().to_str().unwrap());
    hub.object(&run);
    let config = fs::read(out.path().join("adapter/adapter_config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["base_model_name_or_path"], "a/b");
}

#[test]
fn an_interrupted_download_is_continued_and_is_no_model_before() {
    let files = llama();
    let hub = Hub::with(&files, &[("model.safetensors", hash(&files[2].1))]);
    hub.served
        .lock()
        .unwrap()
        .cuts
        .insert("/a/b/resolve/0abc/model.safetensors".into(), 70_000);
    let line = hub.refusal(&["pull", "a/b"]);
    assert!(
        line.contains("model.safetensors") && line.contains("kept"),
        "{line}"
    );
    assert!(
        !hub.folder().join("model.json").exists()
            && !hub.folder().join("model.safetensors").exists()
    );
    assert_eq!(hub.object(&["models", "--json"])["models"], json!([]));

    hub.object(&["pull", "a/b", "--json"]);
    let asked = hub.asked("model.safetensors");
    assert_eq!(
        (
            asked[0],
            asked[1].is_some_and(|from| from > 0 && from <= 70_000)
        ),
        (None, true),
        "{asked:?}"
    );
    assert_eq!(
        fs::read(hub.folder().join("model.safetensors")).unwrap(),
        files[2].1
    );
    let left: Vec<_> = fs::read_dir(hub.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
}

#[test]
fn a_file_with_another_hash_than_published_is_thrown_away() {
    let files = vec![("x.gguf", b"GGUF and more".to_vec())];
    let hub = Hub::with(&files, &[("x.gguf", "00".repeat(32))]);
    let line = hub.refusal(&["pull", "a/b"]);
    assert!(
        line.contains("x.gguf") && line.contains("SHA-256"),
        "{line}"
    );
    assert!(!hub.folder().join("x.gguf").exists() && !hub.folder().join("x.gguf.part").exists());
}

#[test]
fn a_beginning_of_another_commit_is_not_continued() {
    let files = vec![("x.gguf", b"GGUF and more".to_vec())];
    let hub = Hub::with(&files, &[("x.gguf", hash(&files[0].1))]);
    fs::create_dir_all(hub.folder()).unwrap();
    fs::write(hub.folder().join("x.gguf.part"), b"OLD").unwrap();
    fs::write(hub.folder().join("commit.part"), b"0999").unwrap();
    hub.object(&["pull", "a/b", "--json"]);
    assert_eq!(hub.asked("x.gguf"), [None]);
}

#[test]
fn a_family_that_is_not_run_is_refused_before_anything_large_is_fetched() {
    let mut files = llama();
    let config = String::from_utf8(files[0].1.clone())
        .unwrap()
        .replace("LlamaFor", "MambaFor");
    files[0].1 = config.into_bytes();
    let hub = Hub::with(&files, &[]);
    assert!(hub.refusal(&["pull", "a/b"]).contains("MambaForCausalLM"));
    assert!(hub.asked("model.safetensors").is_empty());
}

#[test]
fn several_gguf_files_need_a_choice() {
    let hub = Hub::with(
        &[("x.gguf", b"1".to_vec()), ("y.gguf", b"22".to_vec())],
        &[],
    );
    assert!(hub.refusal(&["pull", "a/b"]).contains("--file"));
    let kept = hub.object(&["pull", "a/b", "--file", "y.gguf", "--json"]);
    assert_eq!(kept["model"]["files"][0]["size"], 2);
}

#[test]
fn what_is_nowhere_is_said_with_the_remedy() {
    let hub = Hub::with(&[], &[]);
    assert!(hub.refusal(&["pull", "no/where"]).contains("no/where"));
    assert!(hub.refusal(&["pull", "nonsense"]).contains("owner/name"));
    let line = hub.refusal(&["generate", "--prompt", "x", "--model", "no/where"]);
    assert!(line.contains("seedbed pull"), "{line}");
}
