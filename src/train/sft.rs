//! Supervised fine-tuning: each row's answer is learnt, its prompt is not.

use burn::tensor::{Tensor, TensorData};

use super::{AdamW, AdamWConfig, Schedule, TrainError};
use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Input, Model, shared_prefix};

/// One training row as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Prompt and answer, one after the other.
    pub ids: Vec<u32>,
    /// Where the answer begins; tokens before it bring no loss.
    pub answer: usize,
}

impl Row {
    /// A row from a prompt and the answer that should follow it.
    pub fn new(mut prompt: Vec<u32>, answer: &[u32]) -> Self {
        let start = prompt.len();
        prompt.extend_from_slice(answer);
        Self {
            ids: prompt,
            answer: start,
        }
    }

    /// Tokens to be learnt.
    fn answers(&self) -> usize {
        self.ids.len() - self.answer
    }
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainerConfig {
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// The optimiser.
    pub optimiser: AdamWConfig,
}

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
    model: &'a Model,
    /// The adapter without its values: the optimiser has them.
    frame: Adapter,
    config: TrainerConfig,
    optimiser: AdamW,
    step: usize,
    tokens: usize,
}

/// Tokens that are read in one go; a larger batch is read in parts whose gradients are added up.
const AT_ONCE: usize = 4096;

impl<'a> Trainer<'a> {
    /// Continues an adapter (a fresh one, or one that was trained before; that one stays as it is).
    pub fn new(model: &'a Model, adapter: Adapter, config: TrainerConfig) -> Self {
        let (frame, factors) = adapter.into_parts();
        Self {
            model,
            // A copy: training writes in place.
            optimiser: AdamW::new(config.optimiser, factors * 1.0),
            frame,
            config,
            step: 0,
            tokens: 0,
        }
    }

    /// The adapter as trained so far. It is a copy; the training goes on without it.
    pub fn adapter(&self) -> Adapter {
        self.frame
            .clone()
            .with_factors(self.optimiser.factors().clone() * 1.0)
    }

    /// Ends the training.
    pub fn finish(self) -> Adapter {
        self.frame.with_factors(self.optimiser.finish())
    }

    /// The mean loss of rows over their answer tokens (`[1]`), and its gradient over all factors of the adapter.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`], or [`Error::Model`] when a row does not fit the model.
    pub fn gradients(&self, rows: &[Row]) -> Result<(Tensor<1>, Tensor<1>), Error> {
        if rows.is_empty() {
            return Err(TrainError::Empty.into());
        }
        if let Some(index) = rows
            .iter()
            .position(|row| row.answer == 0 || row.answer >= row.ids.len())
        {
            return Err(TrainError::NoAnswer(index).into());
        }
        let share = 1.0 / rows.iter().map(Row::answers).sum::<usize>() as f32;
        let factors = self.optimiser.factors();
        let mut gradients = factors.zeros_like();
        let mut loss: Option<Tensor<1>> = None;
        for part in parts(rows) {
            let sequences: Vec<Vec<u32>> = part.iter().map(|row| row.ids.clone()).collect();
            // The token that predicts the first of an answer must be the row's own.
            let first = part.iter().map(|row| row.answer - 1).min().unwrap_or(0);
            let (input, starts) =
                Input::sequences(&sequences, shared_prefix(&sequences).min(first));
            let (mut sources, mut targets) = (Vec::new(), Vec::new());
            for (row, start) in part.iter().zip(starts) {
                for place in row.answer..row.ids.len() {
                    // The token before predicts it.
                    sources.push((start + place - 1) as u32);
                    targets.push(row.ids[place]);
                }
            }
            let decoder = &self.model.decoder;
            let pass = decoder.pass(&input, &self.frame, factors, &sources, &targets)?;
            let sum = pass.log_likelihood().sum() * -share;
            loss = Some(match loss {
                Some(loss) => loss + sum,
                None => sum,
            });
            let weights = TensorData::new(vec![share; targets.len()], [targets.len()]);
            let weights = Tensor::from_data(weights, decoder.device());
            gradients = pass.backward(&weights, gradients);
        }
        let loss = loss.ok_or(TrainError::Empty)?;
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
        let learning_rate = self.config.schedule.rate(self.step);
        let squares = self.optimiser.step(gradients, learning_rate);
        // One reading a step: it also keeps the queue of a slow device short, so that Stop is heard.
        let values = kernels::read(Tensor::cat(vec![loss, squares], 0)).await?;
        let (loss, grad_norm) = (values[0], values[1].sqrt());
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(TrainError::Diverged(loss, self.step).into());
        }
        self.step += 1;
        self.tokens += rows.iter().map(|row| row.ids.len()).sum::<usize>();
        Ok(StepMetrics {
            loss,
            grad_norm,
            learning_rate,
            num_tokens: self.tokens,
        })
    }
}

/// The rows in parts of at most [`AT_ONCE`] tokens, each of one row at least.
fn parts(rows: &[Row]) -> Vec<&[Row]> {
    let mut parts = Vec::new();
    let (mut begin, mut tokens) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        if tokens + row.ids.len() > AT_ONCE && index > begin {
            parts.push(&rows[begin..index]);
            (begin, tokens) = (index, 0);
        }
        tokens += row.ids.len();
    }
    parts.push(&rows[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_in_parts_that_fit_and_no_row_is_lost() {
        let row = |length: usize| Row::new(vec![0; length - 1], &[0]);
        let rows: Vec<Row> = [
            AT_ONCE + 5,
            100,
            AT_ONCE - 100,
            1 + AT_ONCE / 2,
            AT_ONCE / 2,
        ]
        .map(row)
        .to_vec();
        let sizes: Vec<usize> = parts(&rows).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [1, 2, 1, 1]);
    }
}
