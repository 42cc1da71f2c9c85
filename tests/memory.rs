//! What is worked out before a run starts, held against what a GPU then holds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use seedbed::kernels::{self, Choice};
use seedbed::model::{Adapter, Cache, Input, LoraConfig, Model, Module};
use seedbed::train::{Memory, Workload};

// Where there is no GPU nobody counts. One test only: the figures are those of the whole process.
#[test]
fn what_a_gpu_holds_is_within_a_quarter_of_what_was_worked_out() {
    let Ok(opened) = pollster::block_on(kernels::open(Choice::Gpu)) else {
        return;
    };
    let held = || {
        opened
            .device
            .memory_pool_usage()
            .map(|usage| usage.bytes_in_use)
    };
    let near = |held: u64, wanted: u64, what: &str| {
        let ratio = held as f64 / wanted as f64;
        assert!(
            (0.75..1.25).contains(&ratio),
            "{what}: {held} held, {wanted} worked out"
        );
    };
    let Some(before) = held() else { return };
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
    let model = Model::from_folder(&folder, &opened.device).unwrap();
    let config = model.decoder.config();
    let lora = LoraConfig::new(8, 16.0, None);
    let adapter = Adapter::new(lora, config, 1, &opened.device).unwrap();
    let sequences: Vec<Vec<u32>> = (0..4)
        .map(|row| (0..64).map(|i| 3 + row * 64 + i).collect())
        .collect();
    let (input, _) = Input::sequences(&sequences, 0);
    let wanted = Memory::of(
        config,
        None,
        &Workload {
            slots: 4096,
            batch: 4,
            length: 64,
            rank: 8,
            modules: Module::ALL.to_vec(),
            read: 0,
            lanes: 0,
        },
    );
    let loaded = held().unwrap() - before;
    near(
        loaded,
        wanted.weights + wanted.adapter,
        "weights and adapter",
    );
    for (most, kept) in [
        (usize::MAX, wanted.activations),
        (
            0,
            4 * 256 * 2 * (config.hidden_size * config.num_hidden_layers) as u64,
        ),
    ] {
        let (sources, targets) = ([1u32, 2, 3], [4u32, 5, 6]);
        let pass = model
            .decoder
            .pass(
                &input,
                &adapter,
                adapter.factors(),
                &sources,
                &targets,
                most,
            )
            .unwrap();
        // What a layer gives goes into the next one's `before`: one stream more at the end.
        let held = held().unwrap() - before - loaded;
        near(held, kept + 4 * 3 * config.vocab_size as u64, "activations");
        drop(pass);
    }
    let cache = Cache::new(config, 4096, &opened.device);
    near(
        held().unwrap() - before - loaded,
        wanted.kv,
        "keys and values",
    );
    drop(cache);
}
