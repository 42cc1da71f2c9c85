//! What every kind of training shares: an adapter beside a frozen model, its optimiser, and where it is.

use burn::tensor::Tensor;

use super::row::Laid;
use super::{AdamW, Checkpoint, Row, TrainError, TrainerConfig};
use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Decoder, Model, Pass};

/// An adapter in training.
pub(super) struct Tuning<'a> {
    pub model: &'a Model,
    /// The adapter without its values: the optimiser has them.
    frame: Adapter,
    config: TrainerConfig,
    optimiser: AdamW,
    step: usize,
}

/// What an update told.
pub(super) struct Updated {
    /// The values that were to be read.
    pub values: Vec<f32>,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f32,
    pub learning_rate: f64,
}

impl<'a> Tuning<'a> {
    pub fn new(model: &'a Model, adapter: Adapter, config: TrainerConfig) -> Self {
        let (frame, factors) = adapter.into_parts();
        Self {
            model,
            // A copy: training writes in place.
            optimiser: AdamW::new(config.optimiser, kernels::copied(factors)),
            frame,
            config,
            step: 0,
        }
    }

    /// A copy of the adapter as trained so far.
    pub fn adapter(&self) -> Adapter {
        let factors = kernels::copied(self.optimiser.factors().clone());
        self.frame.clone().with_factors(factors)
    }

    pub fn finish(self) -> Adapter {
        self.frame.with_factors(self.optimiser.finish())
    }

    pub fn checkpoint(&self, whole: bool, tokens: usize) -> Checkpoint {
        Checkpoint {
            tensors: self.optimiser.state(whole),
            step: self.step,
            tokens,
        }
    }

    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        self.step = checkpoint.step;
        self.optimiser.restore(checkpoint.tensors, checkpoint.step)
    }

    /// Gradients of nothing yet.
    pub fn no_gradients(&self) -> Tensor<1> {
        self.optimiser.factors().zeros_like()
    }

    /// Reads rows as far as the log-probabilities of their answer tokens.
    pub fn pass(&self, rows: &[&Row]) -> Result<Pass<'_>, Error> {
        let laid = Laid::new(rows)?;
        Ok(self.model.decoder.pass(
            &laid.input,
            &self.frame,
            self.optimiser.factors(),
            &laid.sources,
            &laid.targets,
            Decoder::KEPT,
        )?)
    }

    /// One step of the optimiser, and one reading (`read [n]` comes back as values): it also keeps the queue of a slow
    /// device short, so that Stop is heard.
    ///
    /// The first value is the loss: when it or the gradients are no number, nothing has changed and the error says so.
    pub async fn update(
        &mut self,
        gradients: Tensor<1>,
        read: Tensor<1>,
    ) -> Result<Updated, Error> {
        let learning_rate = self.config.schedule.rate(self.step);
        let squares = self.optimiser.step(gradients, learning_rate);
        let mut values = kernels::read(kernels::join(read, squares)).await?;
        let grad_norm = values.pop().unwrap_or(f32::NAN).sqrt();
        let loss = values.first().copied().unwrap_or(f32::NAN);
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(TrainError::Diverged(loss, self.step).into());
        }
        self.step += 1;
        Ok(Updated {
            values,
            grad_norm,
            learning_rate,
        })
    }
}
