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

/// By how much the score of the rest of a phrase is raised that a text has begun to say.
const CERTAIN: f32 = 1e4;

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
    /// The prompts' own tokens, side by side with those of what they are pushed away from, if they are.
    prompts: Vec<Vec<Vec<u32>>>,
    /// How far they are pushed; 1 where they are not.
    strength: f32,
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
    /// What each text has still to be brought to say; empty where nothing is.
    phrases: Vec<Vec<u32>>,
    /// Whether a text is in the midst of its phrase.
    saying: Vec<bool>,
}

/// A sequence on its way.
#[derive(Debug, Clone, Copy)]
struct Lane {
    prompt: usize,
    /// Tokens in the lane's slots, of the prompt and of what it is pushed away from.
    held: [usize; 2],
    /// Tokens drawn.
    count: usize,
}

impl<'a> Batch<'a> {
    /// Sequences decoded at once, at most.
    pub const LANES: usize = 64;
    /// By how much the score of what a text is brought to say is raised before its first token, in nats.
    pub const URGE: f32 = 2.0;
    /// By how much more with each token that it goes without.
    pub const URGE_RISE: f32 = 0.5;

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
        let prompts = prompts.iter().map(|prompt| vec![prompt.clone()]).collect();
        Self::begin(model, adapter, prompts, 1.0, limit, sampling, seed)
    }

    /// As [`Batch::start`], each text being pushed away from what would stand behind a plainer prompt (classifier-free
    /// guidance, arXiv 2306.17806): the scores of a token are `plain + strength · (full − plain)`, of pairs of prompts
    /// `[full, plain]`. Strength 1 leaves them as they are, more obeys what only the full prompt says the more. Every token
    /// is read twice, unless the strength is 1.
    ///
    /// # Errors
    ///
    /// As [`Batch::start`].
    pub fn guided(
        model: &'a Model,
        adapter: Option<&'a Adapter>,
        pairs: &[[Vec<u32>; 2]],
        strength: f32,
        limit: usize,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self, Error> {
        let sides = if strength == 1.0 { 1 } else { 2 };
        let prompts = pairs.iter().map(|pair| pair[..sides].to_vec()).collect();
        Self::begin(model, adapter, prompts, strength, limit, sampling, seed)
    }

    /// Prompts with as many sides each: one, or two.
    fn begin(
        model: &'a Model,
        adapter: Option<&'a Adapter>,
        mut prompts: Vec<Vec<Vec<u32>>>,
        strength: f32,
        limit: usize,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self, Error> {
        let decoder = &model.decoder;
        let sides = prompts.first().map_or(1, Vec::len);
        let all: Vec<Vec<u32>> = prompts.iter().flatten().cloned().collect();
        let shared = shared_prefix(&all);
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        let limit = limit.min(decoder.context().saturating_sub(longest));
        let lanes = prompts.len().min(Self::LANES);
        // The last token drawn is never read in.
        let room = longest - shared + limit;
        let slots = shared + sides * lanes * room;
        let mut cache = Cache::new(decoder.config(), slots, decoder.device());
        if shared > 0 {
            let (input, _) = Input::sequences(&[all[0][..shared].to_vec()], 0);
            decoder.hidden(&input, adapter, Some(&mut cache))?;
        }
        let unwritten = Written {
            ids: Vec::new(),
            finish: Finish::Length,
        };
        // An empty prompt has nothing to go on from.
        let done: Vec<bool> = prompts
            .iter()
            .map(|sides| limit == 0 || sides.iter().any(Vec::is_empty))
            .collect();
        for ids in prompts.iter_mut().flatten() {
            ids.drain(..shared.min(ids.len()));
        }
        Ok(Self {
            model,
            adapter,
            sampling,
            seed,
            cache,
            shared,
            waiting: (0..prompts.len()).filter(|prompt| !done[*prompt]).collect(),
            written: vec![unwritten; prompts.len()],
            states: vec![0; prompts.len()],
            phrases: Vec::new(),
            saying: vec![false; prompts.len()],
            prompts,
            strength,
            lanes: vec![None; lanes],
            room,
            limit,
            drawn: Vec::new(),
            unread: None,
            all: kernels::integers(&(0..lanes as u32).collect::<Vec<_>>(), decoder.device()),
            last: None,
            done,
            constraints: &[],
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

    /// Brings each text to say a phrase, where it fits best: the score of its first token rises the longer the text goes
    /// without it (a soft form of lexically constrained decoding, arXiv 1704.07138), and what has been begun is said to its
    /// end. A text that ends before has not said it. One phrase for each prompt, as tokens; empty for none.
    ///
    /// Phrases are followed on the host: while one is not said, every step waits for the one before.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Count`] for another number of phrases.
    pub fn bringing(mut self, phrases: &[Vec<u32>]) -> Result<Self, Error> {
        if phrases.len() != self.prompts.len() {
            return Err(GenerateError::Count {
                prompts: self.prompts.len(),
                constraints: phrases.len(),
            }
            .into());
        }
        self.phrases = phrases.to_vec();
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
                    held: [0; 2],
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

    /// Steps from one reading to the next. It changes only when something was read.
    fn every(&self) -> usize {
        let mut under_way = self.lanes.iter().flatten();
        let urged = under_way.any(|lane| !self.unsaid(lane.prompt).is_empty());
        let on_the_host = urged || !self.constraints.is_empty();
        if on_the_host || kernels::is_cpu(self.model.decoder.device()) {
            1
        } else {
            STEPS
        }
    }

    /// What a prompt's text has still to be brought to say.
    fn unsaid(&self, prompt: usize) -> &[u32] {
        self.phrases.get(prompt).map_or(&[], Vec::as_slice)
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
        let (mut owners, mut seeds) = (Vec::new(), Vec::new());
        // Those that go on stand first, in the order in which their last tokens were drawn, then the new ones.
        let before: &[usize] = self.last.as_ref().map_or(&[], |(owners, _)| owners);
        let mut going = Vec::new();
        let mut old: Vec<usize> = Vec::new();
        for (index, prompt) in before.iter().enumerate() {
            let place = |lane: &Option<Lane>| {
                lane.is_some_and(|lane| lane.prompt == *prompt && lane.count < self.limit)
            };
            if let Some(lane) = self.lanes.iter().position(place) {
                going.push(index as u32);
                old.push(lane);
            }
        }
        let fresh: Vec<usize> = (0..self.lanes.len())
            .filter(|lane| self.lanes[*lane].is_some_and(|lane| lane.count == 0))
            .collect();
        let sides = if self.strength == 1.0 { 1 } else { 2 };
        let mut rows = vec![Vec::new(); sides];
        let mut fresh_ids = Vec::new();
        for lanes in [&old, &fresh] {
            for (side, rows) in rows.iter_mut().enumerate() {
                for index in lanes {
                    let begin = self.shared + (side * self.lanes.len() + index) * self.room;
                    let Some(lane) = &mut self.lanes[*index] else {
                        continue;
                    };
                    let new: &[u32] = if lane.count == 0 {
                        fresh_ids.extend_from_slice(&self.prompts[lane.prompt][side]);
                        &self.prompts[lane.prompt][side]
                    } else {
                        // Its id is on the device.
                        &[0]
                    };
                    for id in new {
                        let held = lane.held[side];
                        let slot = begin + held;
                        let sees = [(0, self.shared), (begin, slot + 1), NOTHING];
                        input.push(*id, self.shared + held, slot, sees);
                        lane.held[side] += 1;
                    }
                    rows.push(input.len() as u32 - 1);
                }
            }
        }
        for index in old.iter().chain(&fresh) {
            if let Some(lane) = &mut self.lanes[*index] {
                owners.push(lane.prompt);
                seeds.extend([mixed(self.seed, lane.prompt), lane.count as u32]);
                lane.count += 1;
            }
        }
        if owners.is_empty() {
            return Ok(());
        }
        let device = decoder.device();
        let ids = match &self.last {
            Some((before, ids))
                if going.len() == before.len() && fresh_ids.is_empty() && sides == 1 =>
            {
                ids.clone()
            }
            last => {
                // Those that go on have their tokens on the device; they take the place of the zeros.
                let going = going.repeat(sides);
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
        let rows = rows.concat();
        if !rows.iter().copied().eq(0..input.len() as u32) {
            hidden = kernels::gather_rows(hidden, kernels::integers(&rows, device));
        }
        let mut scores = decoder.logits(hidden);
        if sides == 2 {
            scores = pushed(scores, self.strength);
        }
        scores = self.urged(scores, &owners);
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

    /// The scores of these prompts' texts, those of what they are brought to say raised.
    fn urged(&self, scores: Tensor<2>, owners: &[usize]) -> Tensor<2> {
        let (mut cells, mut raises) = (Vec::new(), Vec::new());
        let [rows, size] = scores.dims();
        for (row, prompt) in owners.iter().enumerate() {
            let next = self.unsaid(*prompt).first();
            if let Some(next) = next.filter(|id| (**id as usize) < size) {
                cells.push((row * size) as u32 + next);
                raises.push(match self.saying[*prompt] {
                    true => CERTAIN,
                    false => Self::URGE + Self::URGE_RISE * self.written[*prompt].ids.len() as f32,
                });
            }
        }
        if cells.is_empty() {
            return scores;
        }
        let device = scores.device();
        let raises = kernels::floats(raises.clone(), [raises.len(), 1], &device);
        let raised = kernels::scatter_rows(raises, kernels::integers(&cells, &device), rows * size);
        kernels::add(raised.reshape([-1]), scores.reshape([-1])).reshape([rows, size])
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
                if let Some(phrase) = self.phrases.get_mut(*prompt) {
                    let said = phrase.first() == Some(&id);
                    phrase.drain(..usize::from(said));
                    self.saying[*prompt] = said && !phrase.is_empty();
                }
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

/// `plain + strength · (full − plain)`, of scores whose first half is full and whose second is plain.
fn pushed(scores: Tensor<2>, strength: f32) -> Tensor<2> {
    let [rows, _] = scores.dims();
    let half = rows / 2;
    let mut shares = vec![0.0; half * rows];
    for row in 0..half {
        shares[row * rows + row] = strength;
        shares[row * rows + half + row] = 1.0 - strength;
    }
    let shares = kernels::floats(shares, [half, rows], &scores.device());
    kernels::product(shares, scores)
}

/// A sequence's own seed (the finaliser of MurmurHash3 over both numbers).
fn mixed(seed: u64, prompt: usize) -> u32 {
    let mut x = seed ^ (prompt as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ x >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    // The kernels' integers are below 2³¹.
    ((x ^ x >> 33) as u32) >> 1
}
