//! Adapters trained here, in the hands of PEFT and of llama.cpp's converter.
//!
//! Needs a Python with torch, transformers and peft: `python3`, or the one that `SEEDBED_PYTHON` names. For llama.cpp
//! `SEEDBED_LLAMA_CPP` names a folder with its `convert_lora_to_gguf.py` (see `peft/llama_cpp.py`). Without them nothing
//! is run, and a line says so.
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use seedbed::kernels::{Choice, open};
use seedbed::model::{Adapter, Files, LoraConfig, Model};
use seedbed::train::{AdamWConfig, Row, Schedule, Trainer, TrainerConfig};
use serde_json::Value;

/// A tiny model of each kind of tensor layout; the script reads the same folder.
const MODELS: [&str; 3] = ["tiny-llama-1m", "tiny-qwen3", "tiny-gemma3"];

fn here(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(part)
}

fn python() -> Command {
    let name = std::env::var_os("SEEDBED_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(name);
    // Nothing is fetched: the models lie here.
    command.env("HF_HUB_OFFLINE", "1");
    command
}

/// What a script prints, or nothing when it cannot run.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

/// Whether PEFT is there; else a line that says how to get it.
fn peft_is_there() -> bool {
    let version = printed(python().arg(here("peft/check.py")).arg("--has"));
    if version.is_none() {
        eprintln!(
            "not run: no Python with torch, transformers and peft; name one with SEEDBED_PYTHON"
        );
    }
    version.is_some()
}

/// A few steps on made-up rows: every factor has moved.
fn trained(name: &str, folder: &Path) -> (Vec<u32>, Vec<Vec<f32>>) {
    let opened = pollster::block_on(open(Choice::Cpu)).unwrap();
    let read = |file: &str| std::fs::read(here("fixtures").join(name).join(file)).unwrap();
    let files = Files {
        config: &read("config.json"),
        // Any will do: no text is read.
        tokenizer: include_bytes!("../fuzz/corpus/tokenizer/qwen.json"),
        weights: &read("model.safetensors"),
    };
    let model = Model::from_files(name, &files, &opened.device).unwrap();
    let config = model.decoder.config();
    let lora = LoraConfig::new(4, 8.0, Some("owner/name".into()));
    let adapter = Adapter::new(lora, config, 7, &opened.device).unwrap();
    let training = TrainerConfig {
        schedule: Schedule::constant(2e-2),
        optimiser: AdamWConfig::default(),
    };
    let mut trainer = Trainer::new(&model, adapter, training);
    let rows: Vec<Row> = (0..4)
        .map(|row| {
            let ids = (0..24).map(|place| 3 + (row * 37 + place * 11) % 150);
            Row::of(ids.collect(), 6)
        })
        .collect();
    for _ in 0..6 {
        pollster::block_on(trainer.step(&rows)).unwrap();
    }
    let adapter = trainer.finish();
    let (config, weights) = pollster::block_on(adapter.to_peft()).unwrap();
    std::fs::write(folder.join("adapter_config.json"), config).unwrap();
    std::fs::write(folder.join("adapter_model.safetensors"), weights).unwrap();
    let ids: Vec<u32> = (0..32).map(|place| 2 + (place * 29) % 150).collect();
    let logits = pollster::block_on(model.logits(&ids, Some(&adapter))).unwrap();
    (ids, logits)
}

#[test]
fn an_adapter_trained_here_gives_the_same_logits_in_peft() {
    if !peft_is_there() {
        return;
    }
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let (ids, ours) = trained(name, folder.path());
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        let mut command = python();
        command
            .arg(here("peft/check.py"))
            .args([&here("fixtures").join(name), folder.path()])
            .arg(ids.join(","));
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut worst = 0.0f64;
        for (ours, theirs) in ours.iter().zip(theirs["logits"].as_array().unwrap()) {
            let theirs = theirs.as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                let apart = (f64::from(*ours) - theirs.as_f64().unwrap()).abs();
                worst = if apart.is_finite() {
                    worst.max(apart)
                } else {
                    f64::INFINITY
                };
            }
        }
        eprintln!("{name}: logits at most {worst:e} apart");
        assert!(worst <= 1e-3, "{name}: {worst}");
    }
}

#[test]
fn llama_cpps_converter_takes_an_adapter_trained_here() {
    let Some(converter) = std::env::var_os("SEEDBED_LLAMA_CPP") else {
        eprintln!("not run: SEEDBED_LLAMA_CPP names no folder with convert_lora_to_gguf.py");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    trained("tiny-llama-1m", folder.path());
    let mut command = python();
    command
        .arg(here("peft/llama_cpp.py"))
        .arg(converter)
        .args([&here("fixtures/tiny-llama-1m"), folder.path()]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let made: Value = serde_json::from_slice(output.stdout.trim_ascii()).unwrap();
    assert_eq!(made["tensors"], 4 * 7 * 2);
}
