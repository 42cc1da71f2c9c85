//! The engine computes what transformers and PEFT compute: on the CPU always, on the GPU where one answers.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use seedbed::kernels::{Choice, Opened, open};

fn cpu() -> Opened {
    pollster::block_on(open(Choice::Cpu)).expect("the CPU is always there")
}

/// The GPU, or nothing with a line that says so: a machine without one is no failure.
fn gpu() -> Option<Opened> {
    match pollster::block_on(open(Choice::Gpu)) {
        Ok(opened) => Some(opened),
        Err(error) => {
            eprintln!("not run on a GPU: {error}");
            None
        }
    }
}

macro_rules! on_both {
    ($($name:ident: $check:ident $(, $argument:expr)?;)*) => {
        mod on_the_cpu {
            $(#[test]
            fn $name() {
                pollster::block_on(super::common::$check(&super::cpu() $(, $argument)?));
            })*
        }
        mod on_the_gpu_where_one_answers {
            $(#[test]
            fn $name() {
                if let Some(opened) = super::gpu() {
                    pollster::block_on(super::common::$check(&opened $(, $argument)?));
                }
            })*
        }
    };
}

on_both! {
    generation_stops_at_every_id_that_the_configuration_ends_texts_with: generation_stops_at_every_end;
    logits_equal_those_of_transformers: logits_equal_transformers;
    llama3_rope_scaling_equals_that_of_transformers: llama3_rope_scaling_equals_transformers;
    padded_batches_equal_those_of_transformers: padded_batches_equal_transformers;
    greedy_tokens_equal_those_of_transformers: greedy_tokens_equal_transformers;
    the_first_gradients_equal_those_of_pytorch: first_gradients_equal_pytorch;
    twenty_training_losses_equal_those_of_peft: training_losses_equal_peft, 20;
    ten_preference_losses_equal_those_of_peft: preference_losses_equal_peft, 10;
    adapters_of_peft_load_and_save_unchanged: adapters_of_peft_load_and_save;
    packed_rows_train_like_rows_alone: packed_rows_train_like_rows_alone;
    shared_prompts_score_like_prompts_alone: shared_prompts_score_like_prompts_alone;
    shared_prompts_continue_like_prompts_alone: shared_prompts_continue_like_prompts_alone;
    guided_texts_follow_the_pushed_scores: guided_texts_follow_the_pushed_scores;
    texts_are_brought_to_say_phrases: texts_are_brought_to_say_phrases;
    a_text_lies_at_the_mean_of_its_own_states_whatever_is_read_beside_it: a_text_lies_at_the_mean_of_its_states;
}
