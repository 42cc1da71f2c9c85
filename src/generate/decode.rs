//! Decoding many sequences at once: a few lanes over one cache, each taking the next prompt as soon as its last has ended.

use std::collections::VecDeque;

use burn::tensor::{Int, Tensor};

use super::{Constraint, GenerateError, Sampling};
use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Cache, Input, Model, NOTHING, shared_prefix};

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
    /// The new tokens, the marker that ended them left out.
    pub ids: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Steps from one reading of drawn tokens to the next on a GPU, where a reading waits for all work before it. What is
/// drawn behind a sequence's end in between is thrown away.
const STEPS: usize = 4;

/// Prompts being continued, a token of each a step. Steps are the caller's, so that they can show progress and stop in between.
///
/// A sequence's tokens depend on the seed and its place among the prompts, not on what is decoded beside it.
pub struct Batch<'a> {
    model: &'a Model,
    adapter: Option<&'a Adapter>,
    sampling: Sampling,
    seed: u64,
    cache: Cache,
    /// Tokens that all prompts begin with, held once in the first slots.
    shared: usize,
    /// The prompts' own tokens.
    prompts: Vec<Vec<u32>>,
    waiting: VecDeque<usize>,
    lanes: Vec<Option<Lane>>,
    /// Slots of a lane.
    room: usize,
    limit: usize,
    /// Whose the tokens are that were drawn and not yet read, step by step.
    drawn: Vec<Vec<usize>>,
    /// These tokens, one step behind the other, with room for all that one reading brings.
    unread: Option<Tensor<1, Int>>,
    /// 0, 1, 2 … for every lane.
    all: Tensor<1, Int>,
    /// The tokens drawn last, read or not: what the sequences go on from.
    last: Option<(Vec<usize>, Tensor<1, Int>)>,
    written: Vec<Written>,
    done: Vec<bool>,
    /// What the texts are held to, one for all or one each; none where they are free.
    constraints: &'a [Constraint],
    /// How far each text has come in its shape.
    states: Vec<u32>,
}

/// A sequence on its way.
#[derive(Debug, Clone, Copy)]
struct Lane {
    prompt: usize,
    /// Tokens in the lane's slots.
    held: usize,
    /// Tokens drawn.
    count: usize,
}

impl<'a> Batch<'a> {
    /// Sequences decoded at once, at most.
    pub const LANES: usize = 64;

    /// Takes the prompts and reads what they share.
    ///
    /// `limit` is the most new tokens for each; it is cut to what the model's context has room for.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when a prompt does not fit the model.
    pub fn start(
        model: &'a Model,
        adapter: Option<&'a Adapter>,
        prompts: &[Vec<u32>],
        limit: usize,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self, Error> {
        let decoder = &model.decoder;
        let shared = shared_prefix(prompts);
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let limit = limit.min(decoder.context().saturating_sub(longest));
        let lanes = prompts.len().min(Self::LANES);
        // The last token drawn is never read in.
        let room = longest - shared + limit;
        let mut cache = Cache::new(decoder.config(), shared + lanes * room, decoder.device());
        if shared > 0 {
            let (input, _) = Input::sequences(&[prompts[0][..shared].to_vec()], 0);
            decoder.hidden(&input, adapter, Some(&mut cache))?;
        }
        let unwritten = Written {
            ids: Vec::new(),
            finish: Finish::Length,
        };
        // An empty prompt has nothing to go on from.
        let done: Vec<bool> = prompts
            .iter()
            .map(|prompt| limit == 0 || prompt.is_empty())
            .collect();
        Ok(Self {
            model,
            adapter,
            sampling,
            seed,
            cache,
            shared,
            waiting: (0..prompts.len()).filter(|prompt| !done[*prompt]).collect(),
            prompts: prompts
                .iter()
                .map(|prompt| prompt[shared.min(prompt.len())..].to_vec())
                .collect(),
            lanes: vec![None; lanes],
            room,
            limit,
            drawn: Vec::new(),
            unread: None,
            all: kernels::integers(&(0..lanes as u32).collect::<Vec<_>>(), decoder.device()),
            last: None,
            written: vec![unwritten; prompts.len()],
            done,
            constraints: &[],
            states: vec![0; prompts.len()],
        })
    }

    /// Holds the texts to a shape: one for all, or one for each prompt. Whatever the sampling, every text is then whole
    /// and of its shape, and has the finish [`Finish::Stop`].
    ///
    /// A shape is followed on the host, so that every step waits for the one before; without one a GPU works ahead.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Count`] for another number of shapes, [`GenerateError::TooShort`] for a shape whose shortest
    /// text is longer than the limit.
    pub fn held_to(mut self, constraints: &'a [Constraint]) -> Result<Self, Error> {
        if constraints.len() != 1 && constraints.len() != self.prompts.len() {
            return Err(GenerateError::Count {
                prompts: self.prompts.len(),
                constraints: constraints.len(),
            }
            .into());
        }
        let least = constraints.iter().map(Constraint::least).max().unwrap_or(0);
        if least > self.limit {
            return Err(GenerateError::TooShort {
                least,
                limit: self.limit,
            }
            .into());
        }
        self.constraints = constraints;
        Ok(self)
    }

    /// The shape of a prompt's text.
    fn constraint(&self, prompt: usize) -> Option<&'a Constraint> {
        match self.constraints {
            [one] => Some(one),
            all => all.get(prompt),
        }
    }

    /// Whether every sequence has ended.
    pub fn is_done(&self) -> bool {
        self.done.iter().all(|done| *done)
    }

    /// Sequences that have ended.
    pub fn done(&self) -> usize {
        self.done.iter().filter(|done| **done).count()
    }

    /// What was written so far, in the order of the prompts.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// Draws the next token of every sequence under way, and lets waiting prompts in where one has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when a prompt does not fit the model, [`Error::Device`] when the device does not answer.
    pub async fn step(&mut self) -> Result<(), Error> {
        for lane in &mut self.lanes {
            if lane.is_none() {
                *lane = self.waiting.pop_front().map(|prompt| Lane {
                    prompt,
                    held: 0,
                    count: 0,
                });
            }
        }
        self.draw()?;
        let limit = self.limit;
        let going = |lane: &Option<Lane>| lane.is_some_and(|lane| lane.count < limit);
        if self.drawn.len() >= self.every() || !self.lanes.iter().any(going) {
            self.read().await?;
        }
        Ok(())
    }

    /// Steps from one reading to the next.
    fn every(&self) -> usize {
        let on_the_host =
            !self.constraints.is_empty() || kernels::is_cpu(self.model.decoder.device());
        if on_the_host { 1 } else { STEPS }
    }

    /// Waits until all that was drawn is there.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] when the device does not answer.
    pub async fn settle(&mut self) -> Result<(), Error> {
        self.read().await
    }

    /// Sends one step to the device.
    fn draw(&mut self) -> Result<(), Error> {
        let decoder = &self.model.decoder;
        let mut input = Input::new();
        let (mut rows, mut owners, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
        // Those that go on stand first, in the order in which their last tokens were drawn, then the new ones.
        let before: &[usize] = self.last.as_ref().map_or(&[], |(owners, _)| owners);
        let mut going = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        for (index, prompt) in before.iter().enumerate() {
            let place = |lane: &Option<Lane>| {
                lane.is_some_and(|lane| lane.prompt == *prompt && lane.count < self.limit)
            };
            if let Some(lane) = self.lanes.iter().position(place) {
                going.push(index as u32);
                order.push(lane);
            }
        }
        let fresh = (0..self.lanes.len())
            .filter(|lane| self.lanes[*lane].is_some_and(|lane| lane.count == 0));
        order.extend(fresh);
        let mut fresh_ids = Vec::new();
        for index in order {
            let Some(lane) = &mut self.lanes[index] else {
                continue;
            };
            let begin = self.shared + index * self.room;
            let new: &[u32] = if lane.count == 0 {
                fresh_ids.extend_from_slice(&self.prompts[lane.prompt]);
                &self.prompts[lane.prompt]
            } else {
                // Its id is on the device.
                &[0]
            };
            for id in new {
                let slot = begin + lane.held;
                let sees = [(0, self.shared), (begin, slot + 1), NOTHING];
                input.push(*id, self.shared + lane.held, slot, sees);
                lane.held += 1;
            }
            rows.push(input.len() as u32 - 1);
            owners.push(lane.prompt);
            seeds.extend([mixed(self.seed, lane.prompt), lane.count as u32]);
            lane.count += 1;
        }
        if owners.is_empty() {
            return Ok(());
        }
        let device = decoder.device();
        let ids = match &self.last {
            Some((before, ids)) if going.len() == before.len() && fresh_ids.is_empty() => {
                ids.clone()
            }
            last => {
                // Those that go on have their tokens on the device; they take the place of the zeros.
                let mut begun = vec![0; going.len()];
                begun.extend(fresh_ids);
                let ids = kernels::integers(&begun, device);
                match last {
                    Some((_, last)) if !going.is_empty() => {
                        kernels::pick_into(last.clone(), kernels::integers(&going, device), ids, 0)
                    }
                    _ => ids,
                }
            }
        };
        let mut hidden = decoder.hidden_of(&ids, &input, self.adapter, Some(&mut self.cache))?;
        if rows.len() < input.len() {
            hidden = kernels::gather_rows(hidden, kernels::integers(&rows, device));
        }
        let scores = decoder.logits(hidden);
        let allowed = self.masks(&owners);
        let ids = kernels::sample(
            scores,
            self.sampling,
            kernels::integers(&seeds, device),
            allowed,
        );
        self.last = Some((owners.clone(), ids.clone()));
        self.keep(owners, ids);
        Ok(())
    }

    /// Puts what a step has drawn behind what waits to be read.
    fn keep(&mut self, owners: Vec<usize>, ids: Tensor<1, Int>) {
        let at = self.drawn.iter().map(Vec::len).sum();
        self.unread = Some(match self.unread.take() {
            None if self.every() == 1 => ids,
            unread => {
                let unread = unread.unwrap_or_else(|| {
                    let room = self.every() * self.lanes.len();
                    kernels::integers(&vec![0; room], self.model.decoder.device())
                });
                kernels::pick_into(ids, self.all.clone(), unread, at)
            }
        });
        self.drawn.push(owners);
    }

    /// What may be drawn for each of these prompts' texts.
    fn masks(&self, owners: &[usize]) -> Option<Tensor<2, Int>> {
        if self.constraints.is_empty() {
            return None;
        }
        let decoder = &self.model.decoder;
        let size = decoder.config().vocab_size;
        let words = size.div_ceil(32);
        let mut all = Vec::with_capacity(owners.len() * words);
        for prompt in owners {
            if let Some(constraint) = self.constraint(*prompt) {
                let left = self.limit.saturating_sub(self.written[*prompt].ids.len());
                all.extend_from_slice(&constraint.mask(self.states[*prompt], left, size));
            }
        }
        let masks = kernels::integers(&all, decoder.device());
        Some(masks.reshape([owners.len(), words]))
    }

    /// Reads what was drawn, and ends the sequences that have ended.
    async fn read(&mut self) -> Result<(), Error> {
        let Some(unread) = self.unread.take() else {
            return Ok(());
        };
        let mut ids = kernels::read_integers(unread).await?.into_iter();
        let vocabulary = &self.model.vocabulary;
        for of in std::mem::take(&mut self.drawn) {
            for (prompt, id) in of.iter().zip(ids.by_ref()) {
                if self.done[*prompt] {
                    continue;
                }
                let constraint = self.constraint(*prompt);
                let (written, state) = (&mut self.written[*prompt], &mut self.states[*prompt]);
                if vocabulary.is_end(id) && constraint.is_none_or(|shape| shape.is_whole(*state)) {
                    written.finish = Finish::Stop;
                    self.done[*prompt] = true;
                    continue;
                }
                written.ids.push(id);
                let left = self.limit - written.ids.len();
                self.done[*prompt] = left == 0;
                if let Some(shape) = constraint {
                    *state = shape.step(*state, id).ok_or(GenerateError::NotFinite)?;
                    if shape.is_complete(*state, left) {
                        written.finish = Finish::Stop;
                        self.done[*prompt] = true;
                    }
                }
            }
        }
        for lane in &mut self.lanes {
            if lane.is_some_and(|lane| self.done[lane.prompt]) {
                *lane = None;
            }
        }
        Ok(())
    }
}

/// A sequence's own seed (the finaliser of MurmurHash3 over both numbers).
fn mixed(seed: u64, prompt: usize) -> u32 {
    let mut x = seed ^ (prompt as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ x >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    // The kernels' integers are below 2³¹.
    ((x ^ x >> 33) as u32) >> 1
}
