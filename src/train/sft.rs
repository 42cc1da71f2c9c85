//! Supervised fine-tuning: each row's answer is learnt, its prompt is not.

use burn::tensor::{Int, Tensor, TensorData, activation};

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
}

/// Rows as one input, and for each row the column (over the whole input) at which its first token would stand.
///
/// Rows of one task begin alike (the instruction, the labels). Where that saves a quarter of the tokens, they are
/// packed behind one copy of that beginning; the arithmetic is the same.
fn laid_out(rows: &[Row]) -> (Input, Vec<usize>) {
    /// Attention grows with the square of a packed sequence; beyond this it costs what the packing saves.
    const LONGEST: usize = 768;
    let sequences: Vec<Vec<u32>> = rows.iter().map(|row| row.ids.clone()).collect();
    // The token that predicts the first of an answer must be the row's own.
    let first = rows.iter().map(|row| row.answer - 1).min().unwrap_or(0);
    let shared = shared_prefix(&sequences).min(first);
    let padded = Input::right_padded(&sequences);
    let whole: usize = sequences.iter().map(Vec::len).sum();
    let packed = whole - shared * (rows.len() - 1);
    if packed <= LONGEST && packed * 4 <= padded.rows() * padded.width() * 3 {
        let (input, starts) = Input::packed(&sequences, shared);
        return (input, starts.iter().map(|start| start - shared).collect());
    }
    let width = padded.width();
    (padded, (0..rows.len()).map(|row| row * width).collect())
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
    /// Tokens read so far, padding left out.
    pub num_tokens: usize,
}

/// Trains an adapter beside a frozen model.
pub struct Trainer<'a> {
    model: &'a Model,
    adapter: Adapter,
    config: TrainerConfig,
    optimiser: AdamW,
    step: usize,
    tokens: usize,
}

impl<'a> Trainer<'a> {
    /// Continues an adapter (a fresh one, or one that was trained before).
    pub fn new(model: &'a Model, adapter: Adapter, config: TrainerConfig) -> Self {
        Self {
            model,
            optimiser: AdamW::new(config.optimiser, adapter.factors().len()),
            adapter,
            config,
            step: 0,
            tokens: 0,
        }
    }

    /// The adapter as trained so far.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Ends the training.
    pub fn finish(self) -> Adapter {
        self.adapter
    }

    /// The loss of rows and the gradients of all factors, without a step.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`], or [`Error::Model`] when a row does not fit the model.
    pub fn gradients(&self, rows: &[Row]) -> Result<(Tensor<1>, Vec<Tensor<2>>), Error> {
        if rows.is_empty() {
            return Err(TrainError::Empty.into());
        }
        if let Some(index) = rows
            .iter()
            .position(|row| row.answer == 0 || row.answer >= row.ids.len())
        {
            return Err(TrainError::NoAnswer(index).into());
        }
        let (input, columns) = laid_out(rows);
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        for (row, column) in rows.iter().zip(columns) {
            for place in row.answer..row.ids.len() {
                // The token before predicts it.
                sources.push((column + place - 1) as i32);
                targets.push(row.ids[place] as i32);
            }
        }
        let tracked: Vec<Tensor<2>> = self
            .adapter
            .factors()
            .iter()
            .map(|factor| factor.clone().autodiff().require_grad())
            .collect();
        let adapter = self.adapter.with_factors(tracked.clone());
        let hidden = self.model.decoder.hidden(&input, Some(&adapter), None)?;

        // Scores are made for answer tokens only; those of a whole batch would not fit a small device.
        let [count, width, size] = hidden.dims();
        let device = self.model.decoder.device();
        let integers = |values: Vec<i32>| {
            let length = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [length]), device)
        };
        let answers = targets.len();
        let picked = hidden
            .reshape([count * width, size])
            .select(0, integers(sources));
        let scores = activation::log_softmax(self.model.decoder.logits(picked), 1);
        let loss = scores
            .gather(1, integers(targets).reshape([answers, 1]))
            .mean()
            .neg();
        let mut grads = loss.backward();
        let zero = |factor: &Tensor<2>| factor.clone().inner().zeros_like();
        let grads = tracked
            .iter()
            .map(|factor| {
                factor
                    .grad_remove(&mut grads)
                    .unwrap_or_else(|| zero(factor))
            })
            .collect();
        Ok((loss.inner(), grads))
    }

    /// One step on a batch of rows.
    ///
    /// # Errors
    ///
    /// As [`Trainer::gradients`]; [`TrainError::Diverged`] when the loss is no number (the adapter is then left as
    /// it was before the step), [`Error::Device`] when the device does not answer.
    pub async fn step(&mut self, rows: &[Row]) -> Result<StepMetrics, Error> {
        let (loss, grads) = self.gradients(rows)?;
        let learning_rate = self.config.schedule.rate(self.step);
        let (factors, norm) = self
            .optimiser
            .step(self.adapter.factors(), grads, learning_rate);
        // One reading a step: it also keeps the queue of a slow device short, so that Stop is heard.
        let values = kernels::read(Tensor::cat(vec![loss, norm], 0)).await?;
        let (loss, grad_norm) = (values[0], values[1]);
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(TrainError::Diverged(loss, self.step).into());
        }
        self.adapter = self.adapter.with_factors(factors);
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
