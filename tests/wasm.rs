//! The engine inside the browser: the same checks as at the desk, in a dedicated worker of headless Chromium; the
//! `cpu` build on WebAssembly SIMD, the `gpu` build on WebGPU.
#![cfg(target_arch = "wasm32")]

mod common;

use seedbed::kernels::{Choice, Opened, open};
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
