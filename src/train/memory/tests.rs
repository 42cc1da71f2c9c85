#![allow(clippy::unwrap_used)]
use super::*;
use crate::kernels::{self, Choice};
use crate::model::{Adapter, LoraConfig, Model};

/// SmolLM2-135M.
fn config() -> Config {
    Config::from_json(
        br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152,
            "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
            "rope_theta": 100000, "tie_word_embeddings": true}"#,
    )
    .unwrap()
}

fn load(batch: usize, length: usize) -> Workload {
    Workload {
        batch,
        length,
        rank: 8,
        modules: Module::ALL.to_vec(),
        read: 0,
        slots: 0,
        lanes: 0,
    }
}

const UNLIMITED: Limits = Limits {
    binding: u64::MAX,
    budget: None,
};

#[test]
fn a_model_of_135_million_takes_what_was_worked_out_by_hand() {
    let memory = Memory::of(&config(), None, &load(4, 128));
    // 28,311,552 values of the embedding, 3,540,096 of a layer, 576 of the last norm; tables of 8192 × 64.
    assert_eq!(
        memory.weights,
        4 * (28_311_552 + 30 * 3_540_096 + 576 + 524_288)
    );
    // Rank 8 beside q (576+576), k and v (576+192), o (576+576), gate and up (576+1536), down (1536+576).
    let factors = 8 * 30 * (1152 + 2 * 768 + 1152 + 3 * 2112);
    assert_eq!(memory.adapter, 4 * factors);
    assert_eq!(
        (memory.moments, memory.gradients),
        (8 * factors, 4 * factors)
    );
    // 4·576 + 2·960 + 576 + 3·1536 = 9408 values a token and layer: 578 MB for 512 tokens, which is too much, so
    // only the inputs of layers are kept.
    assert_eq!(memory.activations, 4 * 512 * (9408 + 9 + 56));
    assert_eq!(memory.layer_inputs, 4 * 512 * 2 * 576 * 30);
}

#[test]
fn eight_bits_take_nine_and_four_take_five_with_their_scales() {
    let weights = |packing| Memory::of(&config(), packing, &load(1, 16)).weights as f64;
    let f32 = weights(None);
    assert!((0.28..0.29).contains(&(weights(Some(Packing::Q8)) / f32)));
    assert!((0.15..0.18).contains(&(weights(Some(Packing::Q4)) / f32)));
}

#[test]
fn a_short_batch_keeps_all_layers() {
    let memory = Memory::of(&config(), None, &load(1, 64));
    assert_eq!(memory.activations, 4 * 64 * (9408 + 9 + 56) * 30);
    assert_eq!(memory.layer_inputs, 0);
}

#[test]
fn a_batch_that_is_read_in_parts_takes_no_more_than_a_part() {
    let of = |batch| Memory::of(&config(), None, &load(batch, 512)).total;
    assert_eq!(of(8), of(80));
    assert!(of(8) > of(4));
}

#[test]
fn keys_and_values_take_two_rows_a_slot_and_layer() {
    let load = Workload {
        slots: 1000,
        ..load(1, 16)
    };
    assert_eq!(
        Memory::of(&config(), None, &load).kv,
        4 * 2 * 192 * 1000 * 30
    );
}

#[test]
fn what_does_not_fit_is_refused_with_the_largest_that_does() {
    let config = config();
    let limits = |mib: u64| Limits {
        budget: Some(mib << 20),
        ..UNLIMITED
    };
    let load = load(8, 512);
    let whole = Memory::check(&config, None, &load, UNLIMITED).unwrap();
    let error = Memory::check(&config, None, &load, limits(900)).unwrap_err();
    let (batch, length, rank) = error.largest().unwrap();
    assert!(batch < 8 && (length, rank) == (512, 8), "{error}");
    let at = |batch| {
        Memory::of(
            &config,
            None,
            &Workload {
                batch,
                ..load.clone()
            },
        )
        .total
    };
    assert!(at(batch) <= 900 << 20 && at(batch + 1) > 900 << 20);
    assert!(error.to_string().starts_with("this run takes "), "{error}");
    assert!(error.to_string().contains(&Bytes(whole.total).to_string()));

    let shorter = Memory::check(&config, None, &load, limits(640)).unwrap_err();
    let (batch, length, _) = shorter.largest().unwrap();
    assert!(batch == 1 && length < 512, "{shorter}");
    let none = Memory::check(&config, None, &load, limits(100)).unwrap_err();
    assert!(
        none.largest().is_none() && none.to_string().contains("q4"),
        "{none}"
    );
    assert!(
        Memory::check(
            &config,
            Some(Packing::Q4),
            &Workload {
                batch: 1,
                length: 64,
                ..load
            },
            limits(300)
        )
        .is_ok()
    );
}

#[test]
fn a_piece_larger_than_the_device_binds_is_named() {
    // WebGPU's default limit of a binding.
    let limits = Limits {
        binding: 128 << 20,
        budget: None,
    };
    let slots = Workload {
        slots: 200_000,
        ..load(1, 64)
    };
    let error = Memory::check(&config(), Some(Packing::Q8), &slots, limits).unwrap_err();
    assert!(error.to_string().contains("a layer's keys"), "{error}");
    let error = Memory::check(&config(), Some(Packing::Q8), &load(64, 512), limits);
    assert!(error.is_ok(), "{error:?}");
    let wide = Memory::check(
        &config(),
        None,
        &load(1, 64),
        Limits {
            binding: 100 << 20,
            ..limits
        },
    );
    assert!(wide.unwrap_err().to_string().contains("the embedding"));
}

#[test]
fn the_model_on_the_device_has_the_bytes_that_were_worked_out() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
    let opened = pollster::block_on(kernels::open(Choice::Cpu)).unwrap();
    let model = Model::from_folder(&folder, &opened.device).unwrap();
    let config = model.decoder.config();
    let memory = Memory::of(config, None, &load(1, 64));
    // Beside the matrices: norms and tables.
    let small =
        4 * (9 * config.hidden_size + 2 * config.max_position_embeddings * config.head_size());
    assert!(memory.weights >= model.decoder.bytes() as u64);
    assert!(memory.weights <= (model.decoder.bytes() + small) as u64);
    let lora = LoraConfig::new(8, 16.0, None);
    let adapter = Adapter::new(lora, config, 1, &opened.device).unwrap();
    assert_eq!(memory.adapter, 4 * adapter.factors().dims()[0] as u64);
}
