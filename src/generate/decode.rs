//! Decoding many sequences at once with a KV cache.

use super::Sampling;
use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Cache, Input, Model, shared_prefix};

/// Why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// It reached the most tokens allowed, or the end of the model's context.
    Length,
}

/// What was written behind one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The new tokens, the end marker left out.
    pub ids: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// A batch of prompts being continued, one token a step. Steps are the caller's, so that they can show progress and
/// stop in between.
pub struct Batch<'a> {
    model: &'a Model,
    adapter: Option<&'a Adapter>,
    sampling: Sampling,
    rng: fastrand::Rng,
    cache: Cache,
    /// Tokens that all prompts begin with, held once and repeated.
    shared: usize,
    padding: Vec<usize>,
    written: Vec<Written>,
    /// Scores of the next token, `rows × vocabulary`.
    scores: Vec<f32>,
    limit: usize,
    open: Vec<bool>,
}

impl<'a> Batch<'a> {
    /// Reads the prompts.
    ///
    /// `limit` is the most new tokens for each; it is cut to what the model's context has room for.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when a prompt does not fit the model, [`Error::Device`] when the device does not answer.
    pub async fn start(
        model: &'a Model,
        adapter: Option<&'a Adapter>,
        prompts: &[Vec<u32>],
        limit: usize,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self, Error> {
        let shared = shared_prefix(prompts);
        let own: Vec<Vec<u32>> = prompts
            .iter()
            .map(|prompt| prompt[shared..].to_vec())
            .collect();
        let (input, padding) = Input::left_padded_behind(shared, &own);
        let config = model.decoder.config();
        let read = shared + input.width();
        let limit = limit.min(config.max_position_embeddings.saturating_sub(read));
        let device = model.decoder.device();
        let mut cache = if shared > 0 {
            Cache::of(model, adapter, &prompts[0][..shared])?.repeat(prompts.len(), read + limit)
        } else {
            Cache::new(config, prompts.len(), read + limit, device)
        };
        let hidden = model.decoder.hidden(&input, adapter, Some(&mut cache))?;
        let unwritten = Written {
            ids: Vec::new(),
            finish: Finish::Length,
        };
        let mut batch = Self {
            model,
            adapter,
            sampling,
            rng: fastrand::Rng::with_seed(seed),
            cache,
            shared,
            padding,
            written: vec![unwritten; prompts.len()],
            scores: Vec::new(),
            limit,
            open: vec![limit > 0; prompts.len()],
        };
        batch.score(hidden).await?;
        Ok(batch)
    }

    /// Whether every sequence has ended.
    pub fn is_done(&self) -> bool {
        !self.open.iter().any(|open| *open)
    }

    /// Sequences that have ended.
    pub fn done(&self) -> usize {
        self.open.iter().filter(|open| !**open).count()
    }

    /// Draws the next token of every open sequence.
    ///
    /// # Errors
    ///
    /// As [`Batch::start`].
    pub async fn step(&mut self) -> Result<(), Error> {
        let size = self.model.decoder.config().vocab_size;
        let end = self.model.vocabulary.end();
        let mut next = vec![0; self.open.len()];
        for (row, scores) in self.scores.chunks(size).enumerate() {
            // Drawn for closed rows too: a row's tokens must not depend on when its neighbours end.
            let id = self.sampling.draw(scores, &mut self.rng);
            if !self.open[row] {
                continue;
            }
            if Some(id) == end {
                self.written[row].finish = Finish::Stop;
                self.open[row] = false;
                continue;
            }
            next[row] = id;
            self.written[row].ids.push(id);
            self.open[row] = self.written[row].ids.len() < self.limit;
        }
        if self.is_done() {
            return Ok(());
        }
        let input = Input::next(next, self.cache.len(), self.shared, &self.padding);
        let hidden = self
            .model
            .decoder
            .hidden(&input, self.adapter, Some(&mut self.cache))?;
        self.score(hidden).await
    }

    /// What was written so far, in the order of the prompts.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    async fn score(&mut self, hidden: burn::tensor::Tensor<3>) -> Result<(), Error> {
        let [rows, width, size] = hidden.dims();
        let last = hidden.narrow(1, width - 1, 1).reshape([rows, size]);
        self.scores = kernels::read(self.model.decoder.logits(last)).await?;
        Ok(())
    }
}
