//! Fine-tuning: supervised steps on an adapter beside the frozen model, the optimiser and its schedule.

mod adamw;
mod checkpoint;
mod dpo;
mod dpo_loss;
mod memory;
mod row;
mod schedule;
mod sft;
mod tuning;

pub use adamw::{AdamW, AdamWConfig};
pub use checkpoint::{Checkpoint, Resumable};
pub use dpo::{DpoStepMetrics, DpoTrainer, Pair, Reference, reference_logps};
pub use dpo_loss::{
    AnswerLogps, DpoLoss, DpoLossConfig, DpoLossError, DpoLossType, DpoMetrics, PairGradient,
    PairLogps, dpo_loss,
};
pub use memory::{Bytes, Memory, MemoryError, Workload};
pub use row::Row;
pub use schedule::Schedule;
pub use sft::{StepMetrics, Trainer};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainerConfig {
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// The optimiser.
    pub optimiser: AdamWConfig,
}

/// A training that cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// Nothing to learn from.
    #[error("there are no rows to train on; add seeds or accept instances")]
    Empty,
    /// The loss is no number any more.
    #[error(
        "the loss became {0} at step {1}; the last good adapter is kept, try a lower learning rate"
    )]
    Diverged(f32, usize),
    /// Every answer of a batch is empty.
    #[error("row {0} has no answer to learn; every training row needs one")]
    NoAnswer(usize),
    /// Pairs and reference log-probabilities do not belong together.
    #[error(
        "{0} pairs came with {1} reference log-probabilities; compute them for exactly these pairs"
    )]
    References(usize, usize),
    /// A checkpoint cannot be gone on from.
    #[error("a checkpoint of the run is damaged, or of another adapter; begin the run anew")]
    Checkpoint,
    /// No loss of DPO can be made.
    #[error("{0}")]
    Dpo(DpoLossError),
}
