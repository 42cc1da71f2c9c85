//! Supervised fine-tuning: each row's answer is learnt, its prompt is not.

use burn::tensor::Tensor;

use super::row::parts;
use super::tuning::Tuning;
use super::{Checkpoint, Resumable, Row, TrainError, TrainerConfig};
use crate::Error;
use crate::model::{Adapter, Model};

/// What one step did; TRL's names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepMetrics {
    /// Mean cross-entropy over the answer tokens of the batch, in nats, before the step.
    pub loss: f32,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f32,
    /// The rate that was used.
    pub learning_rate: f64,
    /// Tokens read so far.
    pub num_tokens: usize,
}

/// Trains an adapter beside a frozen model.
pub struct Trainer<'a> {
    tuning: Tuning<'a>,
    tokens: usize,
}

impl<'a> Trainer<'a> {
    /// Continues an adapter (a fresh one, or one that was trained before; that one stays as it is).
    pub fn new(model: &'a Model, adapter: Adapter, config: TrainerConfig) -> Self {
        Self {
            tuning: Tuning::new(model, adapter, config),
            tokens: 0,
        }
    }

    /// The adapter as trained so far. It is a copy; the training goes on without it.
    pub fn adapter(&self) -> Adapter {
        self.tuning.adapter()
    }

    /// Ends the training.
    pub fn finish(self) -> Adapter {
        self.tuning.finish()
    }

    /// The mean loss of rows over their answer tokens (`[1]`), and its gradient over all factors of the adapter.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`], or [`Error::Model`] when a row does not fit the model.
    pub fn gradients(&self, rows: &[Row]) -> Result<(Tensor<1>, Tensor<1>), Error> {
        let answers: usize = rows.iter().map(Row::answers).sum();
        let share = 1.0 / answers.max(1) as f32;
        let mut gradients = self.tuning.no_gradients();
        let mut loss: Option<Tensor<1>> = None;
        for part in parts(rows, |row| row.ids.len()) {
            let pass = self.tuning.pass(&part.iter().collect::<Vec<_>>())?;
            let logps = pass.log_likelihood();
            let weights = Tensor::full(logps.dims(), share, &logps.device());
            let sum = logps.sum() * -share;
            loss = Some(match loss {
                Some(loss) => loss + sum,
                None => sum,
            });
            gradients = pass.backward(&weights, gradients);
        }
        Ok((loss.ok_or(TrainError::Empty)?, gradients))
    }

    /// One step on a batch of rows.
    ///
    /// # Errors
    ///
    /// As [`Trainer::gradients`]; [`TrainError::Diverged`] when the loss is no number (the adapter is then left as
    /// it was before the step), [`Error::Device`] when the device does not answer.
    pub async fn step(&mut self, rows: &[Row]) -> Result<StepMetrics, Error> {
        let (loss, gradients) = self.gradients(rows)?;
        let updated = self.tuning.update(gradients, loss).await?;
        self.tokens += rows.iter().map(|row| row.ids.len()).sum::<usize>();
        Ok(StepMetrics {
            loss: updated.values[0],
            grad_norm: updated.grad_norm,
            learning_rate: updated.learning_rate,
            num_tokens: self.tokens,
        })
    }
}

impl Resumable for Trainer<'_> {
    fn checkpoint(&self, whole: bool) -> Checkpoint {
        self.tuning.checkpoint(whole, self.tokens)
    }

    fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        self.tokens = checkpoint.tokens;
        self.tuning.restore(checkpoint)
    }
}
