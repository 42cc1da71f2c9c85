//! A whole model out of a GGUF file computes what transformers computes of the same weights.
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]
#![allow(clippy::unwrap_used)]

use std::path::Path;

use seedbed::generate::{Batch, Sampling};
use seedbed::kernels::{Choice, open};
use seedbed::model::{Config, Gguf, Model, Vocabulary, Weights, merged};
use serde_json::Value;

const FOLDER: &str = "tests/fixtures/tiny-llama-1m";

fn json(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("{FOLDER}/{file}")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn model() -> Model {
    let opened = pollster::block_on(open(Choice::Cpu)).unwrap();
    Model::open(
        Path::new(&format!("{FOLDER}/gguf/model-q4_0.gguf")),
        &opened.device,
    )
    .unwrap()
}

#[test]
fn greedy_tokens_of_a_quantised_file_equal_those_of_transformers() {
    let expected = &json("gguf/model-q4_0.expected.json")["greedy"];
    let wanted = ids(&expected["new_ids"]);
    let model = model();
    let prompt = ids(&expected["prompt_ids"]);
    pollster::block_on(async {
        let mut batch =
            Batch::start(&model, None, &[prompt], wanted.len(), Sampling::GREEDY, 1).unwrap();
        while !batch.is_done() {
            batch.step().await.unwrap();
        }
        let found = &batch.written()[0].ids;
        assert_eq!(found[..], wanted[..found.len()]);
        assert!(found.len() >= 32, "{}", found.len());
    });
}

#[test]
fn the_tokenizer_of_the_file_is_that_of_the_hub() {
    let of_file = model().vocabulary;
    let of_hub =
        Vocabulary::from_json(&std::fs::read(format!("{FOLDER}/tokenizer.json")).unwrap()).unwrap();
    assert_eq!(of_file.size(), of_hub.size());
    for text in [
        "Hello world",
        "x = 12 34\n\n\n    return  a  1",
        "naïve 日本 🙂",
        "<|im_end|> here",
        " '’s don't",
        "",
    ] {
        assert_eq!(
            of_file.encode(text).unwrap(),
            of_hub.encode(text).unwrap(),
            "{text:?}"
        );
    }
}

/// The names and changes of llama.cpp undone, family by family; in what the file is merged into, too.
#[test]
fn tensors_of_a_family_are_those_of_the_hub() {
    for family in ["qwen2", "gemma3"] {
        let folder = format!("tests/fixtures/tiny-{family}");
        let read = |file: &str| std::fs::read(format!("{folder}/{file}")).unwrap();
        let (bytes, hub) = (read("model.gguf"), read("model.safetensors"));
        let file = Gguf::parse(&bytes).unwrap();
        let weights = file.weights().unwrap();
        same_tensors(family, &weights, &hub);
        let whole = merged_with_nothing(&weights);
        same_tensors(family, &Weights::parse(&whole).unwrap(), &hub);
        let (of_file, of_hub) = (
            Config::from_gguf(&file).unwrap(),
            Config::from_json(&read("config.json")).unwrap(),
        );
        assert_eq!(of_file.parameters(), of_hub.parameters());
        if family == "gemma3" {
            assert_eq!(of_file.layer_window, of_hub.layer_window);
            assert_eq!(
                (of_file.ropes, of_file.layer_rope),
                (of_hub.ropes, of_hub.layer_rope)
            );
            assert_eq!(of_file.embedding_scale, of_hub.embedding_scale);
        }
    }
}

/// A checkpoint with an adapter of nothing added.
fn merged_with_nothing(weights: &Weights<'_>) -> Vec<u8> {
    let config = br#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"]}"#;
    let nothing = [&2u64.to_le_bytes()[..], b"{}"].concat();
    let mut whole = Vec::new();
    merged(weights, config, &nothing, &mut |piece| {
        whole.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    whole
}

fn same_tensors(family: &str, found: &Weights<'_>, hub: &[u8]) {
    let expected = Weights::parse(hub).unwrap();
    assert_eq!(found.names().len(), expected.names().len());
    for name in expected.names() {
        let shape = expected.shape(name).unwrap();
        let values = found.values(name, &shape).unwrap().into_iter();
        let pairs = values.zip(expected.values(name, &shape).unwrap());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Gemma's norms had one added, which costs their last bits.
        assert!(worst <= 1e-6, "{family} {name} {worst}");
    }
}

/// Every way of cutting text before merges, and SentencePiece with and without a space in front.
#[test]
fn tokenizers_out_of_metadata_give_the_ids_of_their_makers() {
    let expected: Value =
        serde_json::from_slice(&std::fs::read("tests/fixtures/gguf/tokenizers.json").unwrap())
            .unwrap();
    let texts = expected["texts"].as_array().unwrap();
    for (name, tokenizer) in expected["tokenizers"].as_object().unwrap() {
        let bytes = std::fs::read(format!("tests/fixtures/gguf/tokenizer-{name}.gguf")).unwrap();
        let vocabulary = Vocabulary::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
        let begin = tokenizer["begin"].as_u64().map(|id| id as u32);
        assert_eq!(vocabulary.begin(), begin, "{name}");
        for (text, wanted) in texts.iter().zip(tokenizer["ids"].as_array().unwrap()) {
            let text = text.as_str().unwrap();
            let found = vocabulary.encode(text).unwrap();
            assert_eq!(found, ids(wanted), "{name} {text:?}");
            // Qwen2 composes accents, so that its text comes back composed.
            if name != "qwen2" && !name.starts_with("spm") {
                assert_eq!(vocabulary.decode(&found).unwrap(), text, "{name}");
            }
        }
    }
}
