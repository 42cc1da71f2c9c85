//! What transformers and PEFT computed for the tiny model, and the checks that every device has to pass.
//!
//! The fixtures lie in `tests/fixtures/tiny-llama-1m`; the numbers are PyTorch's, on the CPU in f32.
#![allow(clippy::unwrap_used, dead_code)]

use safetensors::SafeTensors;
use seedbed::generate::{Answers, Batch, Finish, Sampling, Scorer};
use seedbed::kernels::{Opened, read};
use seedbed::model::{Adapter, Config, Decoder, Files, Input, Model, Vocabulary, Weights};
use seedbed::train::{
    AdamWConfig, DpoLossConfig, DpoTrainer, Pair, Row, Schedule, Trainer, TrainerConfig,
    reference_logps,
};
use serde_json::Value;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/tiny-llama-1m/", $name))
    };
}

const CONFIG: &[u8] = fixture!("config.json");
const TOKENIZER: &[u8] = fixture!("tokenizer.json");
const WEIGHTS: &[u8] = fixture!("model.safetensors");
const EXPECTED: &[u8] = fixture!("expected.safetensors");
const NUMBERS: &[u8] = fixture!("expected.json");
const INIT: (&[u8], &[u8]) = (
    fixture!("lora_init/adapter_config.json"),
    fixture!("lora_init/adapter_model.safetensors"),
);
const TRAINED: (&[u8], &[u8]) = (
    fixture!("lora_sft20/adapter_config.json"),
    fixture!("lora_sft20/adapter_model.safetensors"),
);

pub fn model(opened: &Opened) -> Model {
    let files = Files {
        config: CONFIG,
        tokenizer: TOKENIZER,
        weights: WEIGHTS,
    };
    Model::from_files("tiny-llama-1m", &files, &opened.device).unwrap()
}

pub fn numbers() -> Value {
    serde_json::from_slice(NUMBERS).unwrap()
}

fn floats(name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(EXPECTED).unwrap();
    let view = tensors.tensor(name).unwrap();
    view.data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

fn integers(name: &str) -> Vec<i32> {
    let tensors = SafeTensors::deserialize(EXPECTED).unwrap();
    let view = tensors.tensor(name).unwrap();
    view.data()
        .chunks_exact(4)
        .map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| {
            if a.is_finite() {
                (a - b).abs()
            } else {
                f32::INFINITY
            }
        })
        .fold(0.0, f32::max)
}

fn rows_of(name: &str, width: usize) -> Vec<Vec<u32>> {
    integers(name)
        .chunks(width)
        .map(|row| row.iter().map(|id| *id as u32).collect())
        .collect()
}

async fn logits_of(
    decoder: &Decoder,
    sequences: &[Vec<u32>],
    adapter: Option<&Adapter>,
) -> Vec<f32> {
    let (input, _) = Input::sequences(sequences, 0);
    let hidden = decoder.hidden(&input, adapter, None).unwrap();
    read(decoder.logits(hidden)).await.unwrap()
}

/// Logits of two sequences of 32 tokens.
pub async fn logits_equal_transformers(opened: &Opened) {
    let model = model(opened);
    let found = logits_of(&model.decoder, &rows_of("fwd.input_ids", 32), None).await;
    let worst = largest_difference(&found, &floats("fwd.logits"));
    assert!(worst <= 2e-4, "{worst}");
}

/// The same weights with Llama 3.1's rotary scaling.
pub async fn llama3_rope_scaling_equals_transformers(opened: &Opened) {
    let mut config: Value = serde_json::from_slice(CONFIG).unwrap();
    config["rope_parameters"] = numbers()["rope_llama3"].clone();
    let config = Config::from_json(config.to_string().as_bytes()).unwrap();
    let frequencies: Vec<f32> = config
        .inverse_frequencies()
        .unwrap()
        .iter()
        .map(|frequency| *frequency as f32)
        .collect();
    assert!(largest_difference(&frequencies, &floats("rope_llama3.inv_freq")) <= 1e-6);
    let decoder = Decoder::load(
        config,
        &Weights::parse(WEIGHTS).unwrap(),
        None,
        &opened.device,
    )
    .unwrap();
    let found = logits_of(&decoder, &rows_of("fwd.input_ids", 32), None).await;
    let worst = largest_difference(&found, &floats("rope_llama3.logits"));
    assert!(worst <= 2e-4, "{worst}");
}

/// A batch of unlike lengths: the last position of each row.
pub async fn padded_batches_equal_transformers(opened: &Opened) {
    let model = model(opened);
    let mask = integers("leftpad.attention_mask");
    let sequences: Vec<Vec<u32>> = rows_of("leftpad.input_ids", 24)
        .into_iter()
        .zip(mask.chunks(24))
        .map(|(row, mask)| {
            row.into_iter()
                .zip(mask)
                .filter(|(_, m)| **m == 1)
                .map(|(id, _)| id)
                .collect()
        })
        .collect();
    assert!(sequences[0].len() != sequences[1].len());
    let (input, starts) = Input::sequences(&sequences, 0);
    let hidden = model.decoder.hidden(&input, None, None).unwrap();
    let last = starts
        .iter()
        .zip(&sequences)
        .map(|(start, sequence)| (start + sequence.len() - 1) as u32);
    let last = seedbed::kernels::integers(&last.collect::<Vec<_>>(), &opened.device);
    let last = seedbed::kernels::gather_rows(hidden, last);
    let found = read(model.decoder.logits(last)).await.unwrap();
    let worst = largest_difference(&found, &floats("leftpad.logits_last"));
    assert!(worst <= 2e-4, "{worst}");
}

/// 64 tokens, each the best, one at a time behind the cache, beside a neighbour of another length.
pub async fn greedy_tokens_equal_transformers(opened: &Opened) {
    let model = model(opened);
    let numbers = numbers();
    let expected = ids(&numbers["greedy"]["new_ids"]);
    let prompt = ids(&numbers["greedy"]["prompt_ids"]);
    let prompts = [prompt[..5].to_vec(), prompt];
    let mut batch =
        Batch::start(&model, None, &prompts, expected.len(), Sampling::GREEDY, 0).unwrap();
    while !batch.is_done() {
        batch.step().await.unwrap();
    }
    let found = &batch.written()[1].ids;
    let margins = numbers["greedy"]["top1_top2_margin"].as_array().unwrap();
    for (step, (a, b)) in found.iter().zip(&expected).enumerate() {
        if a != b {
            let margin = margins[step].as_f64().unwrap();
            assert!(margin < 1e-3, "step {step}: {a} for {b}, margin {margin}");
            return;
        }
    }
    assert_eq!(found.len(), expected.len());
}

/// Generation ends at an id that only the configuration says ends a text, and leaves it out.
pub async fn generation_stops_at_every_end(opened: &Opened) {
    let numbers = numbers();
    let prompt = ids(&numbers["greedy"]["prompt_ids"]);
    let expected = ids(&numbers["greedy"]["new_ids"]);
    let mut config = Config::from_json(CONFIG).unwrap();
    config.eos = vec![expected[3], config.eos.first().copied().unwrap_or(0)];
    let vocabulary = Vocabulary::from_json(TOKENIZER).unwrap();
    let weights = Weights::parse(WEIGHTS).unwrap();
    let model = Model::assemble("ends", config, vocabulary, &weights, &opened.device).unwrap();
    let mut batch = Batch::start(&model, None, &[prompt], 64, Sampling::GREEDY, 0).unwrap();
    while !batch.is_done() {
        batch.step().await.unwrap();
    }
    let end = expected.iter().position(|id| *id == expected[3]).unwrap();
    let written = &batch.written()[0];
    assert_eq!(
        (&written.ids[..], written.finish),
        (&expected[..end], Finish::Stop)
    );
}

/// Batches of rows out of ids and labels, `rows` of 64 tokens each in a batch.
fn batches_of(ids: &str, labels: &str, rows: usize) -> Vec<Vec<Row>> {
    let (all_ids, all_labels) = (integers(ids), integers(labels));
    all_ids
        .chunks(rows * 64)
        .zip(all_labels.chunks(rows * 64))
        .map(|(batch, labels)| {
            batch
                .chunks(64)
                .zip(labels.chunks(64))
                .map(|(row, labels)| {
                    let first = labels.iter().position(|label| *label >= 0).unwrap();
                    let last = labels.iter().rposition(|label| *label >= 0).unwrap();
                    let ids = row[..=last].iter().map(|id| *id as u32).collect();
                    Row::of(ids, first)
                })
                .collect()
        })
        .collect()
}

fn batches() -> Vec<Vec<Row>> {
    batches_of("sft.input_ids", "sft.labels", 4)
}

/// Steps of DPO from a saved start, the reference being the model without an adapter: losses, log-probabilities, rewards.
pub async fn preference_losses_equal_peft(opened: &Opened, steps: usize) {
    let model = model(opened);
    let config = model.decoder.config();
    let adapter = Adapter::from_peft(INIT.0, INIT.1, config, &opened.device).unwrap();
    let training = TrainerConfig {
        schedule: Schedule::constant(5e-4),
        optimiser: AdamWConfig {
            max_grad_norm: None,
            ..AdamWConfig::default()
        },
    };
    let mut trainer = DpoTrainer::new(&model, adapter, training, DpoLossConfig::default());
    let batches: Vec<Vec<Pair>> = batches_of("dpo.chosen_input_ids", "dpo.chosen_labels", 2)
        .into_iter()
        .zip(batches_of(
            "dpo.rejected_input_ids",
            "dpo.rejected_labels",
            2,
        ))
        .map(|(chosen, rejected)| {
            let pair = |(chosen, rejected)| Pair { chosen, rejected };
            chosen.into_iter().zip(rejected).map(pair).collect()
        })
        .collect();
    let numbers = numbers();
    let expected = numbers["dpo"]["steps"].as_array().unwrap();
    for (step, expected) in expected.iter().enumerate().take(steps) {
        let batch = &batches[step % batches.len()];
        let references = reference_logps(&model, None, batch).await.unwrap();
        let found: Vec<f64> = references
            .iter()
            .map(|reference| reference.chosen)
            .chain(references.iter().map(|reference| reference.rejected))
            .collect();
        for (found, right) in found.iter().zip(expected["ref_logps"].as_array().unwrap()) {
            let right = right.as_f64().unwrap();
            assert!(
                (found - right).abs() <= 1e-3 * right.abs(),
                "{found} for {right}"
            );
        }
        let metrics = trainer.step(batch, &references).await.unwrap();
        let near = |found: f64, name: &str, share: f64| {
            let right = expected[name].as_f64().unwrap();
            let off = (found - right).abs();
            assert!(
                off <= share * right.abs().max(0.1),
                "step {step}: {name} {found} for {right}"
            );
        };
        near(metrics.loss.into(), "loss", 0.005);
        near(metrics.grad_norm.into(), "grad_norm", 0.01);
        near(metrics.metrics.rewards_chosen, "reward_chosen", 0.02);
        near(metrics.metrics.rewards_margins, "margin", 0.02);
        near(metrics.metrics.rewards_accuracies, "accuracy", 0.0);
    }
}

fn trainer<'a>(model: &'a Model, opened: &Opened) -> Trainer<'a> {
    let adapter =
        Adapter::from_peft(INIT.0, INIT.1, model.decoder.config(), &opened.device).unwrap();
    let config = TrainerConfig {
        schedule: Schedule::constant(1e-3),
        optimiser: AdamWConfig {
            max_grad_norm: None,
            ..AdamWConfig::default()
        },
    };
    Trainer::new(model, adapter, config)
}

/// The gradients of the first step: those of every `b` (those of `a` are 0 while `b` is).
pub async fn first_gradients_equal_pytorch(opened: &Opened) {
    let model = model(opened);
    let trainer = trainer(&model, opened);
    let (_, grads) = trainer.gradients(&batches()[0]).unwrap();
    let grads = read(grads).await.unwrap();
    let mut compared = 0;
    for factor in trainer.adapter().entries() {
        let name = &factor.name;
        let values = &grads[factor.offset..factor.offset + factor.shape[0] * factor.shape[1]];
        if name.contains("lora_A") {
            assert!(values.iter().all(|value| *value == 0.0), "{name}");
            continue;
        }
        let expected = floats(&format!("sft.grad0.{name}"));
        let largest = expected
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()));
        let worst = largest_difference(values, &expected);
        assert!(worst <= 1e-3 * largest, "{name}: {worst} of {largest}");
        compared += 1;
    }
    assert_eq!(compared, 4 * 7);
}

/// Steps of LoRA fine-tuning from a saved start: every loss and every gradient norm.
pub async fn training_losses_equal_peft(opened: &Opened, steps: usize) {
    let model = model(opened);
    let mut trainer = trainer(&model, opened);
    let numbers = numbers();
    let expected = numbers["sft"]["loss"].as_array().unwrap();
    let norms = numbers["sft"]["grad_norm"].as_array().unwrap();
    let batches = batches();
    for step in 0..steps.min(expected.len()) {
        let metrics = trainer.step(&batches[step % batches.len()]).await.unwrap();
        let (loss, norm) = (
            expected[step].as_f64().unwrap(),
            norms[step].as_f64().unwrap(),
        );
        let off = (f64::from(metrics.loss) - loss).abs() / loss;
        assert!(
            off <= 0.005,
            "step {step}: loss {} for {loss}",
            metrics.loss
        );
        let off = (f64::from(metrics.grad_norm) - norm).abs() / norm;
        assert!(
            off <= 0.01,
            "step {step}: gradient norm {} for {norm}",
            metrics.grad_norm
        );
    }
    if steps < expected.len() {
        return;
    }
    let sequences = rows_of("fwd.input_ids", 32);
    let found = logits_of(&model.decoder, &sequences, Some(&trainer.adapter())).await;
    let worst = largest_difference(&found, &floats("sft.after.logits"));
    // Twenty steps of rounding lie between.
    assert!(worst <= 2e-2, "{worst}");
}

/// An adapter that PEFT trained gives PEFT's logits here, and is written back byte for byte alike.
pub async fn adapters_of_peft_load_and_save(opened: &Opened) {
    let model = model(opened);
    let config = model.decoder.config();
    let adapter = Adapter::from_peft(TRAINED.0, TRAINED.1, config, &opened.device).unwrap();
    let found = logits_of(
        &model.decoder,
        &rows_of("fwd.input_ids", 32),
        Some(&adapter),
    )
    .await;
    let worst = largest_difference(&found, &floats("sft.after.logits"));
    assert!(worst <= 1e-3, "{worst}");
    let (_, saved) = adapter.to_peft().await.unwrap();
    let (ours, theirs) = (
        SafeTensors::deserialize(&saved).unwrap(),
        SafeTensors::deserialize(TRAINED.1).unwrap(),
    );
    let mut names = theirs.names();
    names.sort_unstable();
    let mut found = ours.names();
    found.sort_unstable();
    assert_eq!(found, names);
    for name in names {
        let (a, b) = (ours.tensor(name).unwrap(), theirs.tensor(name).unwrap());
        assert_eq!((a.shape(), a.data()), (b.shape(), b.data()), "{name}");
    }
}

/// Four sequences that begin with the same tokens.
fn alike() -> Vec<Vec<u32>> {
    let row = &rows_of("sft.input_ids", 64)[0];
    let other = &rows_of("sft.input_ids", 64)[1];
    [(3, 11), (20, 26), (9, 12), (30, 42)]
        .map(|(from, to)| [&row[..33], &other[from..to]].concat())
        .to_vec()
}

/// Rows that begin alike are packed behind one copy of that beginning: loss and gradients are those of the rows alone, as much
/// of each as its weight says.
pub async fn packed_rows_train_like_rows_alone(opened: &Opened) {
    let model = model(opened);
    let trainer = trainer(&model, opened);
    let rows: Vec<Row> = alike()
        .into_iter()
        .zip([1.0, 0.25, 2.0, 0.5])
        .map(|(ids, weight)| Row {
            weight,
            ..Row::of(ids, 34)
        })
        .collect();
    let tokens: Vec<f32> = rows
        .iter()
        .map(|row| (row.ids.len() - row.answer) as f32 * row.weight)
        .collect();
    let total: f32 = tokens.iter().sum();
    let (loss, grads) = trainer.gradients(&rows).unwrap();
    let (mut expected, mut sum) = (0.0, vec![0.0; trainer.adapter().factors().dims()[0]]);
    for (row, count) in rows.iter().zip(&tokens) {
        let (loss, grads) = trainer.gradients(std::slice::from_ref(row)).unwrap();
        expected += read(loss).await.unwrap()[0] * count / total;
        for (a, b) in sum.iter_mut().zip(read(grads).await.unwrap()) {
            *a += b * count / total;
        }
    }
    let loss = read(loss).await.unwrap()[0];
    assert!((loss - expected).abs() <= 1e-4, "{loss} for {expected}");
    let largest = sum.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let worst = largest_difference(&read(grads).await.unwrap(), &sum);
    assert!(worst <= 1e-3 * largest, "{worst} of {largest}");
}

/// Answers scored behind several prompts at once, which share their beginning, have the scores of prompts alone, and
/// those are the log-probabilities that the plain logits give.
pub async fn shared_prompts_score_like_prompts_alone(opened: &Opened) {
    let model = model(opened);
    let ids = vec![vec![17, 300, 5], vec![17, 9], vec![1200]];
    let answers = Answers::new(ids.clone());
    let prompts = alike();
    let together = Scorer::new(&model, None)
        .score(&prompts, &answers)
        .await
        .unwrap();
    for (prompt, found) in prompts.iter().zip(&together) {
        let alone = Scorer::new(&model, None)
            .score(std::slice::from_ref(prompt), &answers)
            .await
            .unwrap();
        let worst = largest_difference(found, &alone[0]);
        assert!(worst <= 1e-3, "{worst}");
        for (answer, score) in ids.iter().zip(found) {
            let sequence = [prompt.as_slice(), answer].concat();
            let logits = model.logits(&sequence, None).await.unwrap();
            let mut expected = 0.0;
            for (place, id) in answer.iter().enumerate() {
                let row = &logits[prompt.len() + place - 1];
                let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = row.iter().map(|score| (score - highest).exp()).sum();
                expected += row[*id as usize] - highest - sum.ln();
            }
            assert!((score - expected).abs() <= 1e-3, "{score} for {expected}");
        }
    }
}

/// Sequences continued together, behind what they share, get the tokens they get alone.
pub async fn shared_prompts_continue_like_prompts_alone(opened: &Opened) {
    let model = model(opened);
    let prompts = alike();
    let mut together = Batch::start(&model, None, &prompts, 8, Sampling::GREEDY, 0).unwrap();
    while !together.is_done() {
        together.step().await.unwrap();
    }
    for (prompt, written) in prompts.iter().zip(together.written()) {
        let mut alone = Batch::start(
            &model,
            None,
            std::slice::from_ref(prompt),
            8,
            Sampling::GREEDY,
            0,
        )
        .unwrap();
        while !alone.is_done() {
            alone.step().await.unwrap();
        }
        assert_eq!(alone.written()[0].ids, written.ids);
    }
}

/// A text's place is the mean of its own states, as the decoder gives them for it alone.
pub async fn a_text_lies_at_the_mean_of_its_states(opened: &Opened) {
    let model = model(opened);
    let texts = alike();
    let width = model.decoder.config().hidden_size;
    let mut sequences = texts.clone();
    // A text without tokens has a place too, and moves nobody else's.
    sequences.insert(1, Vec::new());
    let places = model.embed(&sequences, None).await.unwrap();
    assert_eq!(places.len(), sequences.len() * width);
    for (ids, place) in sequences.iter().zip(places.chunks_exact(width)) {
        let mut expected = vec![0.0; width];
        if !ids.is_empty() {
            let (input, _) = Input::sequences(std::slice::from_ref(ids), 0);
            let hidden = model.decoder.hidden(&input, None, None).unwrap();
            for state in seedbed::kernels::read(hidden).await.unwrap().chunks(width) {
                for (sum, value) in expected.iter_mut().zip(state) {
                    *sum += value / ids.len() as f32;
                }
            }
        }
        for (found, expected) in place.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
        }
    }
}

/// Texts that are pushed away from plainer prompts' take, token by token, the best of `plain + 1.5 · (full − plain)`, also
/// where lanes change hands; and a push of 1 is none.
pub async fn guided_texts_follow_the_pushed_scores(opened: &Opened) {
    let model = model(opened);
    let strength = 1.5;
    let kinds: Vec<[Vec<u32>; 2]> = alike()
        .into_iter()
        .map(|full| [full.clone(), [&full[..7], &full[30..]].concat()])
        .collect();
    let pairs: Vec<[Vec<u32>; 2]> = kinds.iter().cycle().take(70).cloned().collect();
    let texts = async |pairs: &[[Vec<u32>; 2]], strength: f32| {
        let mut batch =
            Batch::guided(&model, None, pairs, strength, 5, Sampling::GREEDY, 0).unwrap();
        while !batch.is_done() {
            batch.step().await.unwrap();
        }
        (batch.written().iter())
            .map(|text| text.ids.clone())
            .collect::<Vec<_>>()
    };
    let found = texts(&pairs, strength).await;
    for (place, pair) in kinds.iter().enumerate() {
        for text in found.iter().skip(place).step_by(kinds.len()) {
            assert_eq!(*text, found[place]);
        }
        let mut sides = Vec::new();
        for side in pair {
            let sequence = [side.as_slice(), &found[place]].concat();
            let scores = model.logits(&sequence, None).await.unwrap();
            sides.push(scores[side.len() - 1..].to_vec());
        }
        for (step, id) in found[place].iter().enumerate() {
            let (full, plain) = (&sides[0][step], &sides[1][step]);
            let pushed = |id: usize| plain[id] + strength * (full[id] - plain[id]);
            let best = (0..full.len()).map(pushed).fold(f32::MIN, f32::max);
            let short = best - pushed(*id as usize);
            assert!(short < 1e-3, "token {step} of {place} lies {short} below");
        }
    }
    let unpushed = texts(&kinds, 1.0).await;
    let full: Vec<Vec<u32>> = kinds.into_iter().map(|[full, _]| full).collect();
    let mut batch = Batch::start(&model, None, &full, 5, Sampling::GREEDY, 0).unwrap();
    while !batch.is_done() {
        batch.step().await.unwrap();
    }
    assert_ne!(unpushed, found[..unpushed.len()]);
    for (text, unpushed) in batch.written().iter().zip(unpushed) {
        assert_eq!(text.ids, unpushed);
    }
}

/// Texts that are brought to say a phrase take, token by token, the best of the scores with that of the phrase raised, and
/// say what they have begun; where there is no phrase they are as they were.
pub async fn texts_are_brought_to_say_phrases(opened: &Opened) {
    let model = model(opened);
    let kinds = alike();
    let phrase: Vec<u32> = kinds[0][3..6].to_vec();
    let prompts: Vec<Vec<u32>> = kinds.iter().cycle().take(70).cloned().collect();
    // Of the same prompts, the first ones are brought to say something and the last ones are not.
    let phrases: Vec<Vec<u32>> = (0..prompts.len())
        .map(|place| match place < kinds.len() {
            true => phrase.clone(),
            false => Vec::new(),
        })
        .collect();
    let limit = 24;
    let texts = async |phrases: Option<&[Vec<u32>]>| {
        let mut batch = Batch::start(&model, None, &prompts, limit, Sampling::GREEDY, 0).unwrap();
        if let Some(phrases) = phrases {
            batch = batch.bringing(phrases).unwrap();
        }
        while !batch.is_done() {
            batch.step().await.unwrap();
        }
        (batch.written().iter())
            .map(|text| text.ids.clone())
            .collect::<Vec<_>>()
    };
    let (found, free) = (texts(Some(&phrases)).await, texts(None).await);
    assert_eq!(found[kinds.len()..], free[kinds.len()..]);
    let mut said = 0;
    for (prompt, text) in prompts.iter().zip(&found[..kinds.len()]) {
        let sequence = [prompt.as_slice(), text].concat();
        let scores = model.logits(&sequence, None).await.unwrap();
        let scores = &scores[prompt.len() - 1..];
        let mut next = 0;
        for (step, id) in text.iter().enumerate() {
            if (1..phrase.len()).contains(&next) {
                assert_eq!(*id, phrase[next], "what is begun is said");
            } else {
                let raised = |id: usize| {
                    let open = next == 0 && id == phrase[0] as usize;
                    let raise = Batch::URGE + Batch::URGE_RISE * step as f32;
                    scores[step][id] + if open { raise } else { 0.0 }
                };
                let best = (0..scores[step].len()).map(raised).fold(f32::MIN, f32::max);
                let short = best - raised(*id as usize);
                assert!(short < 1e-3, "token {step} lies {short} below");
            }
            if next < phrase.len() && *id == phrase[next] {
                next += 1;
            }
        }
        said += usize::from(next == phrase.len());
    }
    assert!(said > 0, "none of {} says it", kinds.len());
    let one = Batch::start(&model, None, &prompts, limit, Sampling::GREEDY, 0).unwrap();
    assert!(one.bringing(&phrases[1..]).is_err());
}
