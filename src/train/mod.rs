//! Fine-tuning: supervised steps on an adapter beside the frozen model, the optimiser and its schedule.

mod adamw;
mod dpo_loss;
mod schedule;
mod sft;

pub use adamw::{AdamW, AdamWConfig};
pub use dpo_loss::{
    AnswerLogps, DpoLoss, DpoLossConfig, DpoLossError, DpoLossType, DpoMetrics, PairGradient,
    PairLogps, dpo_loss,
};
pub use schedule::Schedule;
pub use sft::{Row, StepMetrics, Trainer, TrainerConfig};

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
}
