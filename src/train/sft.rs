//! Supervised fine-tuning: each row's answer is learnt, its prompt is not.

use burn::tensor::Tensor;

use super::row::parts;
use super::tuning::Tuning;
use super::{Checkpoint, Resumable, Row, TrainError, TrainerConfig};
use crate::Error;
use crate::kernels::{self, Job, Place};
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

    /// The mean loss of rows over their answer tokens, by weight (`[1]`), and its gradient over all factors of the adapter.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`], or [`Error::Model`] when a row does not fit the model.
    pub fn gradients(&self, rows: &[Row]) -> Result<(Tensor<1>, Tensor<1>), Error> {
        if rows.is_empty() {
            return Err(TrainError::Empty.into());
        }
        let weighed = |row: &Row| row.answers() as f32 * row.weight;
        let all: f32 = rows.iter().map(weighed).sum();
        let mut gradients = self.tuning.no_gradients();
        // One number, to which each part adds its share.
        let device = self.tuning.model.decoder.device();
        let mut loss = kernels::floats(vec![0.0], [1], device);
        for part in parts(rows, |row| row.ids.len()) {
            let pass = self.tuning.pass(&part.iter().collect::<Vec<_>>())?;
            let logps = pass.log_likelihood();
            let [count] = logps.dims();
            let shares = part.iter().flat_map(|row| {
                let share = row.weight / all;
                std::iter::repeat_n(share, row.answers())
            });
            let weights = kernels::floats(shares.collect(), [count], device);
            let mean = Job {
                rhs: Place::rows(0, 1),
                alpha: -1.0,
                add: true,
                ..Job::dense(1, count, 1)
            };
            loss = kernels::product_into(weights.clone(), logps, loss, mean);
            gradients = pass.backward(&weights, gradients);
        }
        Ok((loss, gradients))
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

#[cfg(all(test, feature = "desk"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernels::{self, Choice};
    use crate::model::LoraConfig;
    use crate::train::{AdamWConfig, Schedule};

    #[test]
    fn a_loss_that_is_no_number_leaves_the_adapter_as_it_was() {
        let opened = pollster::block_on(kernels::open(Choice::Cpu)).unwrap();
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
        let model = Model::from_folder(&folder, &opened.device).unwrap();
        let lora = LoraConfig::new(4, 8.0, None);
        let adapter = Adapter::new(lora, model.decoder.config(), 1, &opened.device).unwrap();
        // Far beyond what the scores can hold.
        let huge = adapter.factors().clone().zeros_like() + 1e25;
        let config = TrainerConfig {
            schedule: Schedule::constant(1e-3),
            optimiser: AdamWConfig::default(),
        };
        let mut trainer = Trainer::new(&model, adapter.with_factors(huge), config);
        let rows = [Row::new(vec![5, 6, 7], &[8, 9])];
        let error = pollster::block_on(trainer.step(&rows)).unwrap_err();
        assert!(
            matches!(&error, Error::Train(TrainError::Diverged(loss, 0)) if !loss.is_finite()),
            "{error}"
        );
        assert_eq!(error.code(), "train");
        assert!(error.to_string().contains("try a lower learning rate"));
        let left = pollster::block_on(kernels::read(trainer.finish().factors().clone())).unwrap();
        assert!(left.iter().all(|value| *value == 1e25));
    }
}
