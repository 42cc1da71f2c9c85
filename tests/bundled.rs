//! The larger model that comes with Seedbed: what it writes equals what transformers writes with the same file
//! (`models/recipe/check.py --write`).
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]
#![allow(clippy::unwrap_used)]

use std::path::Path;

use seedbed::generate::{Batch, Sampling};
use seedbed::kernels::{Choice, open};
use seedbed::model::{Format, Model, Placement, Role, Turn};
use serde_json::Value;

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// As f32, and with the blocks of the file left as they are.
#[test]
fn the_larger_bundled_model_writes_the_greedy_tokens_of_transformers() {
    let cases = include_bytes!("fixtures/seedbed-28m/greedy.json");
    let cases: Vec<Value> = serde_json::from_slice(cases).unwrap();
    let opened = pollster::block_on(open(Choice::Cpu)).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/seedbed-28m");
    for format in [Format::Plain, Format::Stored] {
        let place = Placement {
            device: opened.device.clone(),
            format,
        };
        let model = Model::open(&folder, place).unwrap();
        for case in &cases {
            let text = case["prompt"].as_str().unwrap();
            let turn = Turn {
                role: Role::User,
                content: text.into(),
            };
            let prompt = match case["chat"].as_bool().unwrap() {
                true => model.vocabulary.prompt(&[turn]).unwrap(),
                false => model.vocabulary.encode(text).unwrap(),
            };
            assert_eq!(prompt, ids(&case["ids"]), "{text}");
            // transformers' tokens hold the end marker, ours leave it out.
            let end = model.vocabulary.end().unwrap();
            let wanted: Vec<u32> = ids(&case["new_ids"])
                .into_iter()
                .filter(|id| *id != end)
                .collect();
            let found = pollster::block_on(async {
                let mut batch =
                    Batch::start(&model, None, &[prompt], 48, Sampling::GREEDY, 1).unwrap();
                while !batch.is_done() {
                    batch.step().await.unwrap();
                }
                batch.written()[0].ids.clone()
            });
            assert_eq!(found, wanted, "{format:?}: {text}");
        }
    }
}
