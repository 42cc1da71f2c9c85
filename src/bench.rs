//! The work that the benches time, written over what the stages themselves call, so that a figure is one a run can
//! reach. How often it is done, on which models and what becomes of the figures is `xtask`'s affair.
//!
//! The arithmetic of a model does not depend on which tokens it reads, so prompts are made by a rule that is the same
//! for the systems Seedbed is compared with (`www/bench/src/work.ts`).

use web_time::Instant;

use crate::Error;
use crate::generate::{Batch, Sampling};
#[cfg(not(target_arch = "wasm32"))]
use crate::model::Module;
use crate::model::{Adapter, LoraConfig, Model};
use crate::train::{
    AdamWConfig, DpoLossConfig, DpoTrainer, Pair, Reference, Row, Schedule, Trainer, TrainerConfig,
};
#[cfg(not(target_arch = "wasm32"))]
use crate::train::{Memory, Workload};

/// Tokens of the prompt that is read.
pub const PREFILL_TOKENS: usize = 256;
/// Tokens of each prompt behind which is decoded, and new tokens that are timed.
pub const DECODE_TOKENS: usize = 64;
/// Instances that are written, unless told otherwise.
pub const INSTANCES: usize = 64;
/// Tokens all instances' prompts begin with.
pub const SHARED_TOKENS: usize = 200;
/// Tokens of each instance's prompt that are its own.
pub const OWN_TOKENS: usize = 8;
/// Most new tokens of an instance.
pub const INSTANCE_TOKENS: usize = 48;
/// Rows of a training batch.
pub const TRAIN_ROWS: usize = 4;
/// Tokens of a training row.
pub const TRAIN_TOKENS: usize = 64;
/// Tokens of a training row that bring no loss.
pub const TRAIN_PROMPT: usize = 8;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Reading a prompt of [`PREFILL_TOKENS`], until the scores of the next token are there.
    Prefill,
    /// Decoding [`DECODE_TOKENS`] behind each of `batch` prompts; reading the prompts is not timed.
    Decode {
        /// Sequences decoded together.
        batch: usize,
    },
    /// Writing instances as a run does: reading the prompts, decoding and sampling, end markers obeyed.
    Instances {
        /// How many; [`Batch::LANES`] at a time.
        count: usize,
    },
    /// One LoRA step (rank 8, AdamW) on [`TRAIN_ROWS`] × [`TRAIN_TOKENS`] tokens.
    SftStep,
    /// One DPO step on as many tokens: half as many pairs as [`TRAIN_ROWS`], the reference's part left out, which is
    /// computed once for a whole run.
    DpoStep,
}

impl Measure {
    /// The measure called `prefill`, `decode-N`, `instances` (of which there are [`INSTANCES`]), `instances-N`,
    /// `sft-step` or `dpo-step`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for any other name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let number = |lead: &str| name.strip_prefix(lead).and_then(|n| n.parse().ok());
        match (name, number("decode-"), number("instances-")) {
            ("prefill", ..) => Ok(Self::Prefill),
            ("instances", ..) => Ok(Self::Instances { count: INSTANCES }),
            ("sft-step", ..) => Ok(Self::SftStep),
            ("dpo-step", ..) => Ok(Self::DpoStep),
            (_, Some(batch @ 1..), _) => Ok(Self::Decode { batch }),
            (_, _, Some(count @ 1..)) => Ok(Self::Instances { count }),
            _ => Err(Error::Setting(format!(
                "`{name}` is no measure; take prefill, decode-N, instances, instances-N, sft-step or dpo-step"
            ))),
        }
    }
}

/// One pass of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds it took.
    pub ms: f64,
    /// What was done, in the measure's own unit: tokens read or written, instances, or steps.
    pub work: usize,
    /// Tokens read (prefill, training) or written.
    pub tokens: usize,
    /// Of a training step, to be compared with other systems' first step on the same rows.
    pub loss: Option<f32>,
}

/// How often a pass is repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeats {
    /// Passes before the ones that count.
    pub warmup: usize,
    /// Passes that count.
    pub samples: usize,
    /// Milliseconds after which no further pass is begun. Where the first one alone took longer it is the only one, and
    /// counts.
    pub budget_ms: f64,
}

/// Repeats a measure on a model and gives every pass in order, the [`Repeats::warmup`] first ones too. None when
/// the engine cannot do it.
///
/// # Errors
///
/// Those of the work itself: [`Error::Model`] when the model's context is too short, [`Error::Device`] when the device
/// does not answer, [`Error::Train`].
pub async fn measure(
    model: &Model,
    measure: Measure,
    repeats: Repeats,
) -> Result<Vec<Sample>, Error> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    let (mut trainer, mut preferences) = (None, None);
    for pass in 0..repeats.warmup + repeats.samples {
        if pass > 0 && milliseconds(begin) > repeats.budget_ms {
            break;
        }
        samples.push(match measure {
            Measure::Prefill => prefill(model).await?,
            Measure::Decode { batch } => decode(model, batch).await?,
            Measure::Instances { count } => instances(model, count).await?,
            Measure::SftStep => {
                let trainer = match &mut trainer {
                    Some(trainer) => trainer,
                    none => none.insert(new_trainer(model)?),
                };
                sft_step(trainer, model).await?
            }
            Measure::DpoStep => {
                let trainer = match &mut preferences {
                    Some(trainer) => trainer,
                    none => none.insert(new_dpo_trainer(model)?),
                };
                dpo_step(trainer, model).await?
            }
        });
    }
    Ok(samples)
}

async fn prefill(model: &Model) -> Result<Sample, Error> {
    let prompts = [tokens(model, 0, PREFILL_TOKENS)];
    let begin = Instant::now();
    let mut reading = Batch::start(model, None, &prompts, 1, Sampling::GREEDY, 0)?;
    reading.step().await?;
    Ok(Sample {
        ms: milliseconds(begin),
        work: PREFILL_TOKENS,
        tokens: PREFILL_TOKENS,
        loss: None,
    })
}

async fn decode(model: &Model, batch: usize) -> Result<Sample, Error> {
    let prompts: Vec<Vec<u32>> = (0..batch)
        .map(|row| tokens(model, row, DECODE_TOKENS))
        .collect();
    // One more than is timed: the first is drawn where the prompt is read.
    let limit = DECODE_TOKENS + 1;
    let mut decoding = Batch::start(model, None, &prompts, limit, Sampling::GREEDY, 0)?;
    decoding.step().await?;
    decoding.settle().await?;
    let begin = Instant::now();
    while !decoding.is_done() {
        decoding.step().await?;
    }
    let ms = milliseconds(begin);
    let written = written(&decoding).saturating_sub(batch);
    Ok(Sample {
        ms,
        work: written,
        tokens: written,
        loss: None,
    })
}

async fn instances(model: &Model, count: usize) -> Result<Sample, Error> {
    let shared = tokens(model, 0, SHARED_TOKENS);
    let prompts: Vec<Vec<u32>> = (1..=count)
        .map(|row| [&shared[..], &tokens(model, row, OWN_TOKENS)].concat())
        .collect();
    // As the stage that writes instances draws.
    let sampling = Sampling {
        temperature: 0.9,
        top_k: 0,
        top_p: 0.95,
    };
    let begin = Instant::now();
    let mut decoding = Batch::start(model, None, &prompts, INSTANCE_TOKENS, sampling, 1)?;
    while !decoding.is_done() {
        decoding.step().await?;
    }
    Ok(Sample {
        ms: milliseconds(begin),
        work: count,
        tokens: written(&decoding),
        loss: None,
    })
}

fn fresh(model: &Model) -> Result<(Adapter, TrainerConfig), Error> {
    let adapter = Adapter::new(
        LoraConfig::new(8, 16.0, None),
        model.decoder.config(),
        1,
        model.decoder.device(),
    )?;
    let config = TrainerConfig {
        schedule: Schedule::constant(1e-3),
        optimiser: AdamWConfig::default(),
    };
    Ok((adapter, config))
}

fn new_trainer(model: &Model) -> Result<Trainer<'_>, Error> {
    let (adapter, config) = fresh(model)?;
    Ok(Trainer::new(model, adapter, config))
}

fn new_dpo_trainer(model: &Model) -> Result<DpoTrainer<'_>, Error> {
    let (adapter, config) = fresh(model)?;
    Ok(DpoTrainer::new(
        model,
        adapter,
        config,
        DpoLossConfig::default(),
    ))
}

fn train_row(model: &Model, row: usize) -> Row {
    Row::of(tokens(model, row, TRAIN_TOKENS), TRAIN_PROMPT)
}

async fn dpo_step(trainer: &mut DpoTrainer<'_>, model: &Model) -> Result<Sample, Error> {
    let pairs: Vec<Pair> = (0..TRAIN_ROWS / 2)
        .map(|pair| Pair {
            chosen: train_row(model, 2 * pair),
            rejected: train_row(model, 2 * pair + 1),
        })
        .collect();
    // What the reference thinks changes no arithmetic.
    let references = vec![
        Reference {
            chosen: -100.0,
            rejected: -100.0
        };
        pairs.len()
    ];
    let begin = Instant::now();
    let metrics = trainer.step(&pairs, &references).await?;
    Ok(Sample {
        ms: milliseconds(begin),
        work: 1,
        tokens: TRAIN_ROWS * TRAIN_TOKENS,
        loss: Some(metrics.loss),
    })
}

async fn sft_step(trainer: &mut Trainer<'_>, model: &Model) -> Result<Sample, Error> {
    let rows: Vec<Row> = (0..TRAIN_ROWS).map(|row| train_row(model, row)).collect();
    let begin = Instant::now();
    let metrics = trainer.step(&rows).await?;
    Ok(Sample {
        ms: milliseconds(begin),
        work: 1,
        tokens: TRAIN_ROWS * TRAIN_TOKENS,
        loss: Some(metrics.loss),
    })
}

/// Tokens over all the vocabulary but its first three entries, where the markers are. Rows differ from their first
/// token on, so that nothing is shared by chance.
fn tokens(model: &Model, row: usize, count: usize) -> Vec<u32> {
    let span = model.decoder.config().vocab_size.saturating_sub(3).max(1);
    (0..count)
        .map(|place| {
            // Knuth's multiplicative hash of the place.
            let hash = ((row * 4096 + place + 1) as u32).wrapping_mul(2_654_435_761) >> 8;
            (hash as usize % span) as u32 + 3
        })
        .collect()
}

fn written(batch: &Batch<'_>) -> usize {
    batch.written().iter().map(|one| one.ids.len()).sum()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// What a QLoRA step takes of the device: worked out, and held by the allocator after it (freed pages too, so this is
/// the most there was). None where the device does not tell, as the CPU does not.
///
/// # Errors
///
/// As [`measure`].
#[cfg(not(target_arch = "wasm32"))]
pub async fn memory(model: &Model, length: usize) -> Result<Option<(Memory, u64)>, Error> {
    let mut trainer = new_trainer(model)?;
    let rows: Vec<Row> = (0..TRAIN_ROWS)
        .map(|row| Row::of(tokens(model, row, length), TRAIN_PROMPT))
        .collect();
    trainer.step(&rows).await?;
    let decoder = &model.decoder;
    let load = Workload {
        batch: TRAIN_ROWS,
        length,
        rank: 8,
        modules: Module::ALL.to_vec(),
        read: 0,
        slots: 0,
        lanes: 0,
    };
    let memory = Memory::of(decoder.config(), decoder.packing(), &load);
    let held = decoder.device().memory_pool_usage();
    Ok(held.map(|held| (memory, held.bytes_reserved)))
}

#[cfg(all(test, not(target_arch = "wasm32"), feature = "cpu", feature = "desk"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernels::{self, Choice};

    fn fixture() -> Model {
        let opened = pollster::block_on(kernels::open(Choice::Cpu)).unwrap();
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
        Model::from_folder(&folder, &opened.device).unwrap()
    }

    fn passes(name: &str, repeats: Repeats) -> Vec<Sample> {
        let model = fixture();
        let measured = measure(&model, Measure::parse(name).unwrap(), repeats);
        pollster::block_on(measured).unwrap()
    }

    const TWICE: Repeats = Repeats {
        warmup: 1,
        samples: 1,
        budget_ms: f64::MAX,
    };

    #[test]
    fn every_measure_does_the_work_it_says() {
        assert_eq!(passes("prefill", TWICE)[1].work, PREFILL_TOKENS);
        let decoded = passes("decode-2", TWICE)[1];
        assert!(decoded.work > 0 && decoded.work <= 2 * DECODE_TOKENS);
        let written = passes("instances", TWICE)[1];
        assert_eq!(written.work, INSTANCES);
        assert!(written.tokens > 0 && written.tokens <= INSTANCES * INSTANCE_TOKENS);
        assert_eq!(passes("dpo-step", TWICE).len(), 2);
    }

    #[test]
    fn a_training_step_learns_from_the_one_before() {
        let steps = passes("sft-step", TWICE);
        assert!(steps[1].loss < steps[0].loss, "{steps:?}");
    }

    #[test]
    fn a_spent_budget_leaves_one_pass() {
        let repeats = Repeats {
            warmup: 2,
            samples: 5,
            budget_ms: 0.0,
        };
        assert_eq!(passes("prefill", repeats).len(), 1);
    }

    #[test]
    fn measures_are_known_by_name_and_others_are_refused() {
        assert_eq!(
            Measure::parse("decode-64").unwrap(),
            Measure::Decode { batch: 64 }
        );
        assert_eq!(
            Measure::parse("instances-512").unwrap(),
            Measure::Instances { count: 512 }
        );
        for name in [
            "instances-",
            "decode-0",
            "decode-",
            "decode",
            "",
            "prefill ",
        ] {
            assert!(Measure::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn prompts_follow_the_rule_that_the_other_systems_follow() {
        let model = fixture();
        // As `tokens` of www/bench/src/work.ts gives them.
        assert_eq!(tokens(&model, 1, 3), [701, 1441, 100]);
        assert_ne!(tokens(&model, 0, 1), tokens(&model, 1, 1));
    }
}
