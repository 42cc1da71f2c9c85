//! Models of other families compute what transformers computes for them: Qwen 2 (bias of query, key and value), Qwen 3 (norms of the
//! heads), Gemma 3 (four norms a layer, sliding windows, two rotary bases); on the CPU always, on the GPU where one answers.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;
use seedbed::kernels::{Choice, Opened, gather_rows, integers, open, read};
use seedbed::model::{Adapter, Cache, Config, Decoder, Input, LoraConfig, NOTHING, Weights};
use serde_json::Value;

fn file(family: &str, name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/tiny-{family}/{name}")).unwrap()
}

fn decoder(family: &str, config: &Value, opened: &Opened) -> Decoder {
    let config = Config::from_json(config.to_string().as_bytes()).unwrap();
    let weights = file(family, "model.safetensors");
    Decoder::load(
        config,
        &Weights::parse(&weights).unwrap(),
        None,
        &opened.device,
    )
    .unwrap()
}

fn config(family: &str) -> Value {
    serde_json::from_slice(&file(family, "config.json")).unwrap()
}

fn floats(bytes: &[u8], name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let words = tensors.tensor(name).unwrap().data().to_vec();
    words
        .chunks_exact(4)
        .map(|word| f32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

fn sequences(bytes: &[u8]) -> Vec<Vec<u32>> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let words = tensors.tensor("input_ids").unwrap().data().to_vec();
    let ids: Vec<u32> = words
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    ids.chunks(20).map(<[u32]>::to_vec).collect()
}

fn logits(decoder: &Decoder, sequences: &[Vec<u32>]) -> Vec<f32> {
    let (input, _) = Input::sequences(sequences, 0);
    let hidden = decoder.hidden(&input, None, None).unwrap();
    pollster::block_on(read(decoder.logits(hidden))).unwrap()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= 1e-3, "{what}: {worst}");
}

fn on_every_device(check: impl Fn(&Opened)) {
    check(&pollster::block_on(open(Choice::Cpu)).unwrap());
    match pollster::block_on(open(Choice::Gpu)) {
        Ok(opened) => check(&opened),
        Err(error) => eprintln!("not run on a GPU: {error}"),
    }
}

fn logits_are_right(family: &str) {
    let expected = file(family, "expected.safetensors");
    let numbers: Value = serde_json::from_slice(&file(family, "expected.json")).unwrap();
    let sequences = sequences(&expected);
    on_every_device(|opened| {
        let plain = config(family);
        let found = logits(&decoder(family, &plain, opened), &sequences);
        assert_near(&found, &floats(&expected, "logits"), family);
        for (rule, scaling) in numbers["rope"].as_object().unwrap() {
            let mut scaled = plain.clone();
            scaled["rope_parameters"] = scaling.clone();
            let found = logits(&decoder(family, &scaled, opened), &sequences[..1]);
            assert_near(
                &found,
                &floats(&expected, &format!("rope.{rule}.logits")),
                rule,
            );
        }
    });
}

/// Token by token behind a cache, which is where windows must slide.
fn greedy_tokens_are_right(family: &str) {
    let numbers: Value = serde_json::from_slice(&file(family, "expected.json")).unwrap();
    let greedy = &numbers["greedy"];
    let ids = |name: &str| -> Vec<u32> {
        let list = greedy[name].as_array().unwrap();
        list.iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let (prompt, expected) = (ids("prompt_ids"), ids("new_ids"));
    on_every_device(|opened| {
        let decoder = decoder(family, &config(family), opened);
        let slots = prompt.len() + expected.len();
        let mut cache = Cache::new(decoder.config(), slots, &opened.device);
        let (mut fresh, mut held, mut found) = (prompt.clone(), 0, Vec::new());
        while found.len() < expected.len() {
            let mut input = Input::new();
            for id in &fresh {
                input.push(*id, held, held, [(0, held + 1), NOTHING, NOTHING]);
                held += 1;
            }
            let hidden = decoder.hidden(&input, None, Some(&mut cache)).unwrap();
            let last = integers(&[fresh.len() as u32 - 1], &opened.device);
            let scores = decoder.logits(gather_rows(hidden, last));
            let scores = pollster::block_on(read(scores)).unwrap();
            let best = (0..scores.len())
                .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
                .unwrap();
            found.push(best as u32);
            fresh = vec![best as u32];
        }
        assert_eq!(found, expected, "{family}");
    });
}

/// The slope of the loss along a direction, by the way back and by two ways there; whether or not all is kept in between.
fn gradients_are_right(family: &str) {
    let ids = sequences(&file(family, "expected.safetensors")).remove(0);
    on_every_device(|opened| {
        let decoder = decoder(family, &config(family), opened);
        let lora = LoraConfig::new(4, 8.0, None);
        let adapter = Adapter::new(lora, decoder.config(), 3, &opened.device).unwrap();
        let count = adapter.factors().dims()[0];
        let mut rng = fastrand::Rng::with_seed(5);
        let mut values =
            |size: f32| -> Vec<f32> { (0..count).map(|_| (rng.f32() - 0.5) * size).collect() };
        let (base, direction) = (values(0.2), values(1.0));
        let tensor = |values: Vec<f32>| {
            Tensor::<1>::from_data(TensorData::new(values, [count]), &opened.device)
        };
        let (input, _) = Input::sequences(std::slice::from_ref(&ids), 0);
        let sources: Vec<u32> = (9..19).collect();
        let pass = |factors: &Tensor<1>, most: usize, back: bool| -> (f64, Vec<f32>) {
            let pass = decoder
                .pass(&input, &adapter, factors, &sources, &ids[10..], most)
                .unwrap();
            let logps = pollster::block_on(read(pass.log_likelihood())).unwrap();
            let loss = -logps.iter().map(|logp| f64::from(*logp)).sum::<f64>();
            if !back {
                return (loss, Vec::new());
            }
            let ones = Tensor::ones([10], &opened.device);
            let gradients = pass.backward(&ones, tensor(vec![0.0; count]));
            (loss, pollster::block_on(read(gradients)).unwrap())
        };
        let moved = |step: f32| {
            let values = base
                .iter()
                .zip(&direction)
                .map(|(base, way)| base + step * way)
                .collect();
            pass(&tensor(values), 0, false).0
        };
        let step = 2e-3;
        let expected = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        for most in [0, Decoder::KEPT] {
            let (_, gradients) = pass(&tensor(base.clone()), most, true);
            let slope: f64 = gradients
                .iter()
                .zip(&direction)
                .map(|(a, b)| f64::from(a * b))
                .sum();
            let off = (slope - expected).abs();
            assert!(
                off <= 0.02 * expected.abs().max(1.0),
                "{family}: {slope} for {expected}"
            );
        }
    });
}

macro_rules! families {
    ($($family:ident),*) => {
        $(mod $family {
            #[test]
            fn logits_equal_those_of_transformers() {
                super::logits_are_right(stringify!($family));
            }

            #[test]
            fn greedy_tokens_behind_a_cache_equal_those_of_transformers() {
                super::greedy_tokens_are_right(stringify!($family));
            }

            #[test]
            fn gradients_equal_the_difference_quotient_with_all_kept_and_with_nothing_kept() {
                super::gradients_are_right(stringify!($family));
            }
        })*
    };
}

families!(qwen2, qwen3, gemma3);
