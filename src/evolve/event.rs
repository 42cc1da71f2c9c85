//! What a run tells while it works: the one log that page, shell and files are read off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ablation, Kept};
use crate::curate::WeaknessCard;
use crate::principle::{Principle, Verdict};
use crate::privacy::Epsilon;
use crate::task::{Answer, Example, Metrics, Span, Task, TaskKind};
use crate::train::Memory;

/// What a student was trained on: the rows that runs compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowName {
    /// Nothing: the model as it came.
    Untouched,
    /// The seeds.
    SeedsOnly,
    /// All seeds, where a run otherwise uses a few of each label: the line a few seeds are to come near to (EvoKD).
    AllSeeds,
    /// The model before the first round of LANCE: it has learnt from the seeds to label and to write.
    RoundZero,
    /// The seeds and instances written without principles (the contrast of the PSI paper).
    Direct,
    /// The seeds and instances written from principles that the small model itself wrote.
    OwnPrinciples,
    /// The seeds and instances that a large model wrote, from a file (for comparison: what PSI spares).
    Recorded,
    /// The seeds and instances written from principles.
    Psi,
    /// What the model wrote, reviewed and preferred itself, round after round.
    Lance,
    /// The seeds and instances written in one go, without looking at the student (the baseline of EvoKD).
    Static,
    /// The seeds and instances written round after round for what the student gets wrong.
    Evokd,
}

impl RowName {
    /// All rows, in the order they are made.
    pub const ALL: [Self; 11] = [
        Self::Untouched,
        Self::SeedsOnly,
        Self::AllSeeds,
        Self::RoundZero,
        Self::Direct,
        Self::OwnPrinciples,
        Self::Recorded,
        Self::Psi,
        Self::Lance,
        Self::Static,
        Self::Evokd,
    ];

    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::SeedsOnly => "seeds_only",
            Self::AllSeeds => "all_seeds",
            Self::RoundZero => "round_zero",
            Self::Direct => "direct",
            Self::OwnPrinciples => "own_principles",
            Self::Recorded => "recorded",
            Self::Psi => "psi",
            Self::Lance => "lance",
            Self::Static => "static",
            Self::Evokd => "evokd",
        }
    }

    /// Whether instances are written for it.
    pub fn writes(self) -> bool {
        self >= Self::Direct && self != Self::Recorded
    }
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The teacher writes principles, or the seeds vote on them.
    Principles,
    /// The student learns the form of the task from the seeds.
    WarmUp,
    /// The student writes instances.
    Generate,
    /// The model reviews answers (LANCE).
    Review,
    /// The student's errors are looked at (EvoKD).
    Analyse,
    /// The student is fine-tuned.
    Train,
    /// The student learns preferences (DPO).
    Prefer,
    /// The student is measured.
    Evaluate,
}

impl Stage {
    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Principles => "principles",
            Self::WarmUp => "warm_up",
            Self::Generate => "generate",
            Self::Review => "review",
            Self::Analyse => "analyse",
            Self::Train => "train",
            Self::Prefer => "prefer",
            Self::Evaluate => "evaluate",
        }
    }

    /// What the stage counts.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Principles => "principles",
            Self::WarmUp | Self::Train | Self::Prefer => "steps",
            Self::Generate => "instances",
            Self::Review => "answers",
            Self::Analyse | Self::Evaluate => "rows",
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
        /// `psi`, `lance` or `evokd`.
        recipe: &'static str,
        /// The kind of the task, where it is none of classification.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<TaskKind>,
        /// The labels, or the groups that stand in for them, in the order of the confusion matrix.
        labels: Vec<String>,
        /// Seeds that are used.
        seeds: usize,
        /// Test rows that are used.
        test: usize,
        /// What was mended or left out on the way in.
        warnings: Vec<String>,
        /// Bytes it will take of the device, at most.
        memory: Memory,
    },
    /// The rows that will measure, once; what each row of the run makes of them stands in [`Event::RowFinished`].
    Tested {
        /// In the order they are measured in.
        rows: Vec<TestRow>,
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
    /// A brief passed the guard and is sent to the teacher.
    Brief {
        /// The brief, byte for byte.
        text: String,
        /// Where it goes.
        destination: String,
        /// What it tells of one seed, beyond what was told before.
        epsilon: Epsilon,
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
    /// What the student makes of a text that is watched, as its training goes.
    Sample {
        /// For which row; none in the warm-up.
        row: Option<RowName>,
        /// After so many steps; 0 is before the first.
        step: usize,
        /// Steps of this training.
        total: usize,
        /// The text.
        text: String,
        /// The label, or the group of the answer.
        label: String,
        /// How probable the label is among all; none where answers are written.
        probability: Option<f32>,
        /// The answer in words, where that is no label.
        #[serde(skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
    },
    /// The seeds have voted on a principle.
    Verdict {
        /// Theirs.
        verdict: Verdict,
    },
    /// An answer was reviewed (LANCE).
    Review {
        /// For which row.
        row: RowName,
        /// The round, from 1.
        round: usize,
        /// The question.
        text: String,
        /// The answer in words: a label, where answers are labels.
        answer: String,
        /// 0 to 10.
        score: f64,
        /// Where its question came from.
        origin: Origin,
    },
    /// Of two answers the better one is to become likelier (LANCE).
    Preference {
        /// For which row.
        row: RowName,
        /// The round, from 1.
        round: usize,
        /// The question.
        text: String,
        /// The passage it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<String>,
        /// The better answer.
        chosen: String,
        /// The worse one.
        rejected: String,
        /// Their scores.
        scores: [f64; 2],
    },
    /// A step of preference training was made; rewards as in TRL.
    DpoStep {
        /// For which row.
        row: Option<RowName>,
        /// Counted from 1.
        step: usize,
        /// Steps of this training.
        total: usize,
        /// The mean loss of the batch.
        loss: f32,
        /// The rate that was used.
        learning_rate: f64,
        /// Norm of all gradients before clipping.
        grad_norm: f32,
        /// Reward of the better answers.
        rewards_chosen: f64,
        /// Reward of the worse ones.
        rewards_rejected: f64,
        /// Share of pairs whose better answer has the higher reward.
        rewards_accuracies: f64,
        /// Reward of the better answers less that of the worse ones.
        rewards_margins: f64,
    },
    /// What the student gets wrong (EvoKD).
    Weakness {
        /// For which row.
        row: RowName,
        /// The round that follows from it, from 1.
        round: usize,
        /// Counts, and no text.
        card: WeaknessCard,
    },
    /// How many instances of each label a round is to write (EvoKD).
    Quotas {
        /// For which row.
        row: RowName,
        /// The round, from 1.
        round: usize,
        /// Hard ones, in the order of the labels.
        hard: Vec<usize>,
        /// Easy ones.
        easy: Vec<usize>,
    },
    /// A round is over.
    RoundFinished {
        /// What it did.
        report: RoundReport,
    },
    /// Something that a person should know; the run goes on.
    Note {
        /// In one line.
        text: String,
    },
    /// Something was computed: what a run that was interrupted goes on from.
    Kept(Kept),
    /// A row was measured.
    RowFinished {
        /// Which.
        row: RowName,
        /// Its figures.
        metrics: Metrics,
        /// `[gold][predicted]`, counts.
        confusion: Vec<Vec<usize>>,
        /// The label of each test row, or the group of its answer, by its index.
        predicted: Vec<usize>,
        /// The answers in words, where they are no labels.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        answers: Vec<String>,
    },
    /// The run is over.
    Finished {
        /// Its result.
        report: Report,
    },
}

/// A row that measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestRow {
    /// The text.
    pub text: String,
    /// Its label, or the group of its answer, by its index.
    pub label: usize,
    /// The answer in words, where that is no label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

impl TestRow {
    pub(super) fn of(task: &Task, example: &Example) -> Self {
        Self {
            text: example.text.clone(),
            label: example.label,
            answer: (!example.answer.is_label()).then(|| task.said(example)),
        }
    }
}

/// Where a question that is reviewed came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It is a seed with its own answer.
    Seed,
    /// The answer was drawn to be worse than the one that is there.
    Contrast,
    /// The question is new.
    New,
}

/// Whether an instance was to be hard or easy for the student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Like those the student gets wrong.
    Hard,
    /// Like those it should not forget.
    Easy,
}

/// Tokens that went through the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tokens {
    /// Read as prompts.
    pub read: usize,
    /// Written.
    pub written: usize,
}

/// What one round of a row did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundReport {
    /// The row.
    pub row: RowName,
    /// The round, from 1; 0 is the start.
    pub round: usize,
    /// Instances written.
    pub generated: usize,
    /// Instances kept.
    pub accepted: usize,
    /// Kept instances of each label, in the order of the labels.
    pub accepted_by_label: Vec<usize>,
    /// Rows fine-tuned on in this round.
    pub rows: usize,
    /// Preference pairs trained on in this round.
    pub pairs: usize,
    /// Tokens spent on writing, labelling and reviewing in this round.
    pub tokens: Tokens,
    /// How the student fares on rows held out of the seeds (LANCE chooses its round by them), or on the fresh batch
    /// (EvoKD); never on the test rows.
    pub dev: Option<Metrics>,
    /// F1 of each label on the same rows, 0 to 1.
    pub f1_by_label: Vec<f64>,
    /// Whether the row's student is that of this round.
    pub chosen: bool,
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
    /// The label it was asked to have; the group it is of, where answers are no labels.
    pub label: String,
    /// What was written.
    pub text: String,
    /// The passage it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Its answer in words, where that is no label and one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The entities of the text, where these are the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<Span>>,
    /// The answer as it is meant.
    #[serde(skip)]
    pub meant: Answer,
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
    /// Whether it was to be hard or easy; none where that was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<Difficulty>,
    /// The label it was written for, where it was then labelled otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// How probable the reader found the label of a kept one, or how far its two answers agreed, 0 to 1; none where nobody
    /// voted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// The answer's mark from 0 to 10, where it was reviewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl Instance {
    /// What an example is in an instance; all else is still to be said.
    pub(super) fn of(task: &Task, example: &Example) -> Self {
        let answered = !example.answer.is_label();
        Self {
            row: RowName::Untouched,
            round: 1,
            index: 0,
            label: task.label_of(example).to_owned(),
            text: example.text.clone(),
            context: example.context.clone(),
            answer: answered.then(|| task.said(example)),
            entities: task.spans(example),
            meant: example.answer.clone(),
            accepted: false,
            reason: None,
            refusal: None,
            principles: Vec::new(),
            model: String::new(),
            seed: 0,
            difficulty: None,
            asked: None,
            agreement: None,
            score: None,
        }
    }
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
    pub epsilon: Epsilon,
    /// Seeds that were sent as they stand, which only the desk can do and only when told to.
    pub shared_seeds: usize,
}

impl TeacherReport {
    /// Nothing was asked yet of a teacher of this kind.
    pub fn of(kind: &'static str) -> Self {
        Self {
            kind,
            requests: 0,
            bytes: 0,
            tokens_in: 0,
            tokens_out: 0,
            epsilon: Epsilon::ZERO,
            shared_seeds: 0,
        }
    }
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
    /// `psi`, `lance` or `evokd`.
    pub recipe: &'static str,
    /// The parts of the method that were switched off.
    pub ablations: Vec<Ablation>,
    /// What each round did, for the rows that have rounds.
    pub rounds: Vec<RoundReport>,
    /// Tokens the model read and wrote to write, label and review instances.
    pub tokens: Tokens,
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
    /// Bytes it was reckoned to take of the device, at most.
    pub memory: Memory,
}
