//! The engine inside the browser: the same checks as at the desk, in a dedicated worker of headless Chromium; the
//! `cpu` build on WebAssembly SIMD, the `gpu` build on WebGPU.
#![cfg(target_arch = "wasm32")]

mod common;

use seedbed::kernels::{Choice, Opened, Packing, Weight, floats, integers, open, read};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

async fn opened() -> Opened {
    // The test harness does not run a module's start function.
    seedbed::web::start();
    let choice = if cfg!(feature = "gpu") {
        Choice::Gpu
    } else {
        Choice::Cpu
    };
    open(choice)
        .await
        .expect("the device of this build answers")
}

#[wasm_bindgen_test]
async fn logits_equal_those_of_transformers() {
    common::logits_equal_transformers(&opened().await).await;
}

#[wasm_bindgen_test]
async fn padded_batches_equal_those_of_transformers() {
    common::padded_batches_equal_transformers(&opened().await).await;
}

#[wasm_bindgen_test]
async fn greedy_tokens_equal_those_of_transformers() {
    common::greedy_tokens_equal_transformers(&opened().await).await;
}

#[wasm_bindgen_test]
async fn the_first_gradients_equal_those_of_pytorch() {
    common::first_gradients_equal_pytorch(&opened().await).await;
}

#[wasm_bindgen_test]
async fn twenty_training_losses_equal_those_of_peft() {
    common::training_losses_equal_peft(&opened().await, 20).await;
}

#[wasm_bindgen_test]
async fn ten_preference_losses_equal_those_of_peft() {
    common::preference_losses_equal_peft(&opened().await, 10).await;
}

#[wasm_bindgen_test]
async fn adapters_of_peft_load_and_save_unchanged() {
    common::adapters_of_peft_load_and_save(&opened().await).await;
}

#[wasm_bindgen_test]
async fn packed_rows_train_like_rows_alone() {
    common::packed_rows_train_like_rows_alone(&opened().await).await;
}

#[wasm_bindgen_test]
async fn shared_prompts_score_like_prompts_alone() {
    common::shared_prompts_score_like_prompts_alone(&opened().await).await;
}

#[wasm_bindgen_test]
async fn a_text_lies_at_the_mean_of_its_own_states_whatever_is_read_beside_it() {
    common::a_text_lies_at_the_mean_of_its_states(&opened().await).await;
}

/// As many rows as fill the tiles of a tab's own instructions, and some over.
#[wasm_bindgen_test]
async fn weights_of_every_format_multiply_as_their_values_do() {
    let device = opened().await.device;
    let (k, n) = (96, 72);
    let mut state = 7u32;
    let mut values = |count: usize| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    };
    let given = values(n * k);
    for packing in [
        None,
        Some(Packing::F16),
        Some(Packing::Q8),
        Some(Packing::Q4),
    ] {
        let weight = Weight::new(given.clone(), [n, k], packing, &device);
        let all: Vec<u32> = (0..n as u32).collect();
        let kept = read(weight.select(integers(&all, &device), 1.0))
            .await
            .expect("values");
        for m in [1, 3, 4, 9, 70] {
            let x = values(m * k);
            let found = weight.apply(floats(x.clone(), [m, k], &device));
            for (i, found) in read(found).await.expect("values").iter().enumerate() {
                let (x, row) = (&x[i / n * k..][..k], &kept[i % n * k..][..k]);
                let right: f32 = x.iter().zip(row).map(|(a, b)| a * b).sum();
                assert!(
                    (found - right).abs() < 2e-3,
                    "{packing:?}, {m} rows: {found}, not {right}"
                );
            }
            let slope = values(m * n);
            let back = weight.apply_back(floats(slope.clone(), [m, n], &device));
            for (i, found) in read(back).await.expect("values").iter().enumerate() {
                let right: f32 = (0..n)
                    .map(|row| slope[i / k * n + row] * kept[row * k + i % k])
                    .sum();
                assert!((found - right).abs() < 1e-4, "{packing:?}, back, {m} rows");
            }
        }
    }
}
