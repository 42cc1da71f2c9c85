//! Direct preference optimisation (arXiv 2305.18290): of two answers to a prompt the better one becomes likelier.

use burn::tensor::Tensor;

use super::row::{Laid, parts};
use super::tuning::Tuning;
use super::{
    AnswerLogps, Checkpoint, DpoLossConfig, DpoMetrics, PairLogps, Resumable, Row, TrainError,
    TrainerConfig, dpo_loss,
};
use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Model};

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Prompt and better answer.
    pub chosen: Row,
    /// Prompt and worse answer.
    pub rejected: Row,
}

impl Pair {
    fn tokens(&self) -> usize {
        self.chosen.ids.len() + self.rejected.ids.len()
    }
}

/// The log-probability of both answers of a pair under the reference, in nats, summed over their tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// Of the better one.
    pub chosen: f64,
    /// Of the worse one.
    pub rejected: f64,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpoStepMetrics {
    /// The mean loss of the batch before the step.
    pub loss: f32,
    /// Rewards and log-probabilities under TRL's names.
    pub metrics: DpoMetrics,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f32,
    /// The rate that was used.
    pub learning_rate: f64,
}

/// The log-probabilities of pairs under a reference: the model with an adapter, or alone. They are computed once; no second
/// model is held while training.
///
/// # Errors
///
/// [`TrainError::NoAnswer`], [`Error::Model`] when a row does not fit the model, [`Error::Device`] when the device does
/// not answer.
pub async fn reference_logps(
    model: &Model,
    adapter: Option<&Adapter>,
    pairs: &[Pair],
) -> Result<Vec<Reference>, Error> {
    let mut references = Vec::with_capacity(pairs.len());
    for part in parts(pairs, Pair::tokens) {
        let rows = rows_of(part);
        let laid = Laid::new(&rows)?;
        let decoder = &model.decoder;
        let hidden = decoder.hidden(&laid.input, adapter, None)?;
        let integers = |values: &[u32]| kernels::integers(values, decoder.device());
        let picked = kernels::gather_rows(hidden, integers(&laid.sources));
        let logps =
            kernels::read(decoder.log_likelihood(&picked, &integers(&laid.targets))).await?;
        let sums = sums(&rows, &logps);
        references.extend(sums.chunks_exact(2).map(|pair| Reference {
            chosen: pair[0],
            rejected: pair[1],
        }));
    }
    Ok(references)
}

/// Trains an adapter on preferences.
pub struct DpoTrainer<'a> {
    tuning: Tuning<'a>,
    loss: DpoLossConfig,
}

impl<'a> DpoTrainer<'a> {
    /// Continues an adapter, which itself stays as it is.
    pub fn new(
        model: &'a Model,
        adapter: Adapter,
        config: TrainerConfig,
        loss: DpoLossConfig,
    ) -> Self {
        Self {
            tuning: Tuning::new(model, adapter, config),
            loss,
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

    /// One step on a batch of pairs and what the reference thinks of them.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`], [`TrainError::Dpo`] for settings no loss can be made of,
    /// [`TrainError::Diverged`] when the loss is no number (the adapter is then left as it was before the step),
    /// [`Error::Model`] when a row does not fit the model, [`Error::Device`] when the device does not answer.
    pub async fn step(
        &mut self,
        pairs: &[Pair],
        references: &[Reference],
    ) -> Result<DpoStepMetrics, Error> {
        if pairs.len() != references.len() {
            return Err(TrainError::References(pairs.len(), references.len()).into());
        }
        let mut gradients = self.tuning.no_gradients();
        let mut all = Vec::with_capacity(pairs.len());
        for part in parts(pairs, Pair::tokens) {
            let rows = rows_of(part);
            let pass = self.tuning.pass(&rows)?;
            let logps = kernels::read(pass.log_likelihood()).await?;
            let begin = all.len();
            all.extend(
                sums(&rows, &logps)
                    .chunks_exact(2)
                    .zip(part)
                    .zip(&references[begin..])
                    .map(|((policy, pair), reference)| PairLogps {
                        chosen: AnswerLogps {
                            policy: policy[0],
                            reference: reference.chosen,
                            tokens: pair.chosen.answers(),
                        },
                        rejected: AnswerLogps {
                            policy: policy[1],
                            reference: reference.rejected,
                            tokens: pair.rejected.answers(),
                        },
                    }),
            );
            let slopes = dpo_loss(&all[begin..], &self.loss)
                .map_err(TrainError::Dpo)?
                .gradients;
            // The loss is the mean over the whole batch, of which this is a part.
            let share = part.len() as f64 / pairs.len() as f64;
            let mut weights = Vec::with_capacity(logps.len());
            for (pair, slope) in part.iter().zip(slopes) {
                for (row, slope) in [
                    (&pair.chosen, slope.chosen),
                    (&pair.rejected, slope.rejected),
                ] {
                    weights.resize(weights.len() + row.answers(), (-slope * share) as f32);
                }
            }
            let count = weights.len();
            let device = self.tuning.model.decoder.device();
            let weights = kernels::floats(weights, [count], device);
            gradients = pass.backward(&weights, gradients);
        }
        let loss = dpo_loss(&all, &self.loss).map_err(TrainError::Dpo)?;
        let value = Tensor::full([1], loss.loss as f32, self.tuning.model.decoder.device());
        let updated = self.tuning.update(gradients, value).await?;
        Ok(DpoStepMetrics {
            loss: loss.loss as f32,
            metrics: loss.metrics,
            grad_norm: updated.grad_norm,
            learning_rate: updated.learning_rate,
        })
    }
}

impl Resumable for DpoTrainer<'_> {
    fn checkpoint(&self, whole: bool) -> Checkpoint {
        self.tuning.checkpoint(whole, 0)
    }

    fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        self.tuning.restore(checkpoint)
    }
}

/// The rows of pairs, the better answer before the worse.
fn rows_of(pairs: &[Pair]) -> Vec<&Row> {
    pairs
        .iter()
        .flat_map(|pair| [&pair.chosen, &pair.rejected])
        .collect()
}

/// For each row the sum over its answer tokens.
fn sums(rows: &[&Row], logps: &[f32]) -> Vec<f64> {
    let mut logps = logps.iter().map(|logp| f64::from(*logp));
    rows.iter()
        .map(|row| logps.by_ref().take(row.answers()).sum())
        .collect()
}
