//! Decoding many sequences at once: a few lanes over one cache, each taking the next prompt as soon as its last has ended.

use std::collections::VecDeque;

use burn::tensor::{Int, Tensor};

use super::Sampling;
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

/// Sequences decoded at once.
const LANES: usize = 64;
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
    /// Tokens drawn and not yet read: whose they are, and the tokens on the device.
    drawn: Vec<(Vec<usize>, Tensor<1, Int>)>,
    /// The tokens drawn last, read or not: what the sequences go on from.
    last: Option<(Vec<usize>, Tensor<1, Int>)>,
    written: Vec<Written>,
    done: Vec<bool>,
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
        let lanes = prompts.len().min(LANES);
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
            last: None,
            written: vec![unwritten; prompts.len()],
            done,
        })
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
        let every = if kernels::is_cpu(self.model.decoder.device()) {
            1
        } else {
            STEPS
        };
        let limit = self.limit;
        let going = |lane: &Option<Lane>| lane.is_some_and(|lane| lane.count < limit);
        if self.drawn.len() >= every || !self.lanes.iter().any(going) {
            self.read().await?;
        }
        Ok(())
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
        let last = self
            .last
            .as_ref()
            .filter(|_| !going.is_empty())
            .map(|(owners, ids)| {
                if going.len() == owners.len() {
                    ids.clone()
                } else {
                    ids.clone().select(0, kernels::integers(&going, device))
                }
            });
        let fresh = (!fresh_ids.is_empty()).then(|| kernels::integers(&fresh_ids, device));
        let ids = match (last, fresh) {
            (Some(last), Some(fresh)) => Tensor::cat(vec![last, fresh], 0),
            (Some(ids), None) | (None, Some(ids)) => ids,
            (None, None) => return Ok(()),
        };
        let mut hidden = decoder.hidden_of(&ids, &input, self.adapter, Some(&mut self.cache))?;
        if rows.len() < input.len() {
            hidden = kernels::gather_rows(hidden, kernels::integers(&rows, device));
        }
        let scores = decoder.logits(hidden);
        let ids = kernels::sample(
            scores,
            self.sampling,
            kernels::integers(&seeds, device),
            None,
        );
        self.last = Some((owners.clone(), ids.clone()));
        self.drawn.push((owners, ids));
        Ok(())
    }

    /// Reads what was drawn, and ends the sequences that have ended.
    async fn read(&mut self) -> Result<(), Error> {
        if self.drawn.is_empty() {
            return Ok(());
        }
        let parts = self.drawn.iter().map(|(_, ids)| ids.clone()).collect();
        let ids = kernels::read_integers(Tensor::cat(parts, 0)).await?;
        let mut ids = ids.into_iter();
        let vocabulary = &self.model.vocabulary;
        for (of, _) in self.drawn.drain(..) {
            for (prompt, id) in of.iter().zip(ids.by_ref()) {
                if self.done[*prompt] {
                    continue;
                }
                let written = &mut self.written[*prompt];
                if vocabulary.is_end(id) {
                    written.finish = Finish::Stop;
                    self.done[*prompt] = true;
                } else {
                    written.ids.push(id);
                    self.done[*prompt] = written.ids.len() >= self.limit;
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
