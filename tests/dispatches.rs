//! How many kernels a step costs on the GPU. The counts are of the whole process, so this file has one test.
#![cfg(not(target_arch = "wasm32"))]

use seedbed::kernels::{self, Choice, Packing, counted};
use seedbed::model::{Adapter, Cache, Input, LoraConfig, Model, NOTHING, Placement};

/// Kernels a step of decoding starts for each layer.
const A_LAYER: u64 = 7;
/// And once: embedding, last norm, scores.
const ONCE: u64 = 3;

fn decode(model: &Model, adapter: Option<&Adapter>, rows: usize) -> u64 {
    let decoder = &model.decoder;
    let mut cache = Cache::new(decoder.config(), 64 * rows, decoder.device());
    let mut input = Input::new();
    for row in 0..rows {
        input.push(5, 0, 64 * row, [(64 * row, 64 * row + 1), NOTHING, NOTHING]);
    }
    let before = counted().dispatches;
    let hidden = decoder
        .hidden(&input, adapter, Some(&mut cache))
        .expect("a token");
    let scores = decoder.logits(hidden);
    let dispatches = counted().dispatches - before;
    let values = pollster::block_on(kernels::read(scores)).expect("the device answers");
    assert!(values.iter().all(|value| value.is_finite()));
    dispatches
}

#[test]
fn a_step_of_decoding_starts_at_most_seven_kernels_a_layer_adapter_included() {
    let opened = match pollster::block_on(kernels::open(Choice::Gpu)) {
        Ok(opened) => opened,
        Err(error) => return eprintln!("not run on a GPU: {error}"),
    };
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
    for packing in [None, Some(Packing::Q8)] {
        let place = Placement {
            device: opened.device.clone(),
            format: packing.into(),
        };
        let model = Model::from_folder(&folder, place).expect("a fixture");
        let config = model.decoder.config();
        let adapter = Adapter::new(LoraConfig::new(8, 16.0, None), config, 1, &opened.device)
            .expect("settings");
        let most = A_LAYER * config.num_hidden_layers as u64 + ONCE;
        for rows in [1, 8, 64] {
            for adapter in [None, Some(&adapter)] {
                let found = decode(&model, adapter, rows);
                assert!(found <= most, "{packing:?}, {rows} rows: {found} > {most}");
            }
        }
    }
}
