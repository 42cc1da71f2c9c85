//! What a run tells while it works: the one log that page, shell and files are read off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::principle::Principle;
use crate::task::Metrics;

/// What a student was trained on: the rows that every run compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowName {
    /// Nothing: the model as it came.
    Untouched,
    /// The seeds.
    SeedsOnly,
    /// The seeds and instances written without principles (the contrast of the PSI paper).
    Direct,
    /// The seeds and instances written from principles.
    Psi,
}

impl RowName {
    /// All rows, in the order they are made.
    pub const ALL: [Self; 4] = [Self::Untouched, Self::SeedsOnly, Self::Direct, Self::Psi];

    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::SeedsOnly => "seeds_only",
            Self::Direct => "direct",
            Self::Psi => "psi",
        }
    }
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The teacher writes principles.
    Principles,
    /// The student learns the form of the task from the seeds.
    WarmUp,
    /// The student writes instances.
    Generate,
    /// The student is fine-tuned.
    Train,
    /// The student is measured on the test rows.
    Evaluate,
}

impl Stage {
    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Principles => "principles",
            Self::WarmUp => "warm_up",
            Self::Generate => "generate",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
        }
    }

    /// What the stage counts.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Principles => "principles",
            Self::WarmUp | Self::Train => "steps",
            Self::Generate => "instances",
            Self::Evaluate => "rows",
        }
    }
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run begins; everything it depends on.
    RunStarted {
        /// The task's name.
        task: String,
        /// The model's name.
        model: String,
        /// `webgpu`, `gpu` or `cpu`.
        device: String,
        /// Seed of every random choice.
        seed: u64,
        /// `psi`
        recipe: &'static str,
        /// The labels, in the order of the confusion matrix.
        labels: Vec<String>,
        /// Seeds that are used.
        seeds: usize,
        /// Test rows that are used.
        test: usize,
        /// What was mended or left out on the way in.
        warnings: Vec<String>,
    },
    /// A stage begins.
    StageStarted {
        /// Which.
        stage: Stage,
        /// For which row, where it belongs to one.
        row: Option<RowName>,
        /// How much there is to do.
        total: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A stage gets on.
    Progress {
        /// Which.
        stage: Stage,
        /// For which row.
        row: Option<RowName>,
        /// Done so far.
        done: usize,
        /// How much there is to do.
        total: usize,
        /// Seconds the whole run is likely to take from here, once that can be said.
        seconds_left: Option<f64>,
        /// Share of the whole run that is done, 0 to 1.
        overall: f64,
    },
    /// A stage is over.
    StageFinished {
        /// Which.
        stage: Stage,
        /// For which row.
        row: Option<RowName>,
        /// How long it took.
        seconds: f64,
    },
    /// A principle was written.
    Principle {
        /// The principle.
        principle: Principle,
    },
    /// An instance was written and judged.
    Instance(Instance),
    /// A training step was made.
    TrainStep {
        /// For which row.
        row: Option<RowName>,
        /// Counted from 1.
        step: usize,
        /// Steps of this training.
        total: usize,
        /// Mean cross-entropy over answer tokens, nats.
        loss: f32,
        /// The rate that was used.
        learning_rate: f64,
        /// Norm of all gradients before clipping.
        grad_norm: f32,
        /// Tokens read so far in this training.
        num_tokens: usize,
    },
    /// A row was measured.
    RowFinished {
        /// Which.
        row: RowName,
        /// Its figures.
        metrics: Metrics,
        /// `[gold][predicted]`, counts.
        confusion: Vec<Vec<usize>>,
    },
    /// The run is over.
    Finished {
        /// Its result.
        report: Report,
    },
}

/// One written instance with its provenance and its fate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// The row it was written for.
    pub row: RowName,
    /// The round it was written in, from 1.
    pub round: usize,
    /// Counted within the row, from 0.
    pub index: usize,
    /// The label it was asked to have.
    pub label: String,
    /// What was written.
    pub text: String,
    /// Whether it is trained on.
    pub accepted: bool,
    /// Why not, in words.
    pub reason: Option<String>,
    /// The word the refusal is counted under.
    pub refusal: Option<String>,
    /// Ids of the principles it was written from.
    pub principles: Vec<String>,
    /// The model that wrote it.
    pub model: String,
    /// Seed of the generator of its batch.
    pub seed: u64,
}

/// What became of the instances.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct InstanceCounts {
    /// Written.
    pub generated: usize,
    /// Kept.
    pub accepted: usize,
    /// Refused, by reason.
    pub refused: BTreeMap<String, usize>,
}

/// Who wrote the principles and what that cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeacherReport {
    /// `offline`, `recorded` or `api`.
    pub kind: &'static str,
    /// Requests that left.
    pub requests: usize,
    /// Bytes that left in their bodies.
    pub bytes: usize,
    /// Tokens of the requests, estimated where the teacher did not count them.
    pub tokens_in: u64,
    /// Tokens of its answers, estimated likewise.
    pub tokens_out: u64,
    /// What the briefs told of one seed.
    pub epsilon: crate::privacy::Epsilon,
}

/// The result of a run. Keys are added over time, none is renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The task's name.
    pub task: String,
    /// The model's name.
    pub model: String,
    /// `webgpu`, `gpu` or `cpu`.
    pub device: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// `psi`
    pub recipe: &'static str,
    /// The figures of each row that was made.
    pub rows: BTreeMap<RowName, Metrics>,
    /// The fate of the instances of all rows together.
    pub instances: InstanceCounts,
    /// The same for each row that had instances.
    pub instances_by_row: BTreeMap<RowName, InstanceCounts>,
    /// Who wrote the principles.
    pub teacher: TeacherReport,
    /// Seconds of each stage, summed over rows.
    pub seconds: BTreeMap<String, f64>,
}
