//! How likely the model finds each of a few given answers: the way labels are predicted and voted for.

use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Cache, Input, Model, NOTHING, shared_prefix};

/// The answers to choose among, as token ids, end marker included.
#[derive(Debug, Clone)]
pub struct Answers {
    ids: Vec<Vec<u32>>,
}

impl Answers {
    /// Answers from their token ids; none may be empty.
    pub fn new(ids: Vec<Vec<u32>>) -> Self {
        Self { ids }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// Tokens of the longest answer.
    pub fn longest(&self) -> usize {
        self.ids.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Tokens of all answers.
    pub fn total(&self) -> usize {
        self.ids.iter().map(Vec::len).sum()
    }
}

/// Scores answers behind prompts. Prompts of one task begin alike; what they share is read once and kept.
pub struct Scorer<'a> {
    model: &'a Model,
    adapter: Option<&'a Adapter>,
    /// The tokens held in the cache's first slots.
    prefix: Vec<u32>,
    cache: Cache,
}

impl<'a> Scorer<'a> {
    /// With an adapter, or without one for the untouched model.
    pub fn new(model: &'a Model, adapter: Option<&'a Adapter>) -> Self {
        Self {
            model,
            adapter,
            prefix: Vec::new(),
            cache: Cache::new(model.decoder.config(), 0, model.decoder.device()),
        }
    }

    /// The log-likelihood of every answer behind every prompt, in nats: `[prompt][answer]`.
    ///
    /// All answers stand behind the prompt, each seeing the prompt and itself only, so that a prompt is read once
    /// however many answers there are.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when a prompt does not fit the model, [`Error::Device`] when the device does not answer.
    pub async fn score(
        &mut self,
        prompts: &[Vec<u32>],
        answers: &Answers,
    ) -> Result<Vec<Vec<f32>>, Error> {
        if prompts.is_empty() || answers.ids.is_empty() {
            return Ok(vec![Vec::new(); prompts.len()]);
        }
        let held = self.hold(prompts, answers)?;
        let mut input = Input::new();
        // The token that predicts each answer token, and that token.
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        for prompt in prompts {
            let begin = held + input.len();
            for (step, id) in prompt[held..].iter().enumerate() {
                let sees = [(0, held), (begin, begin + step + 1), NOTHING];
                input.push(*id, held + step, begin + step, sees);
            }
            let end = held + input.len();
            for answer in &answers.ids {
                let branch = held + input.len();
                for (place, id) in answer.iter().enumerate() {
                    let slot = branch + place;
                    // The first is predicted by the prompt's last token, each other one by the one before it.
                    let source = if place == 0 { end - 1 } else { slot - 1 };
                    sources.push((source - held) as u32);
                    targets.push(*id);
                    let sees = [(0, held), (begin, end), (branch, slot + 1)];
                    // The last of an answer predicts nothing.
                    if place + 1 < answer.len() {
                        input.push(*id, prompt.len() + place, slot, sees);
                    }
                }
            }
        }
        let decoder = &self.model.decoder;
        let hidden = decoder.hidden(&input, self.adapter, Some(&mut self.cache))?;
        let device = decoder.device();
        let picked = kernels::gather_rows(hidden, kernels::integers(&sources, device));
        let chosen = decoder.log_likelihood(&picked, &kernels::integers(&targets, device));
        let values = kernels::read(chosen).await?;
        let mut values = values.into_iter();
        Ok(prompts
            .iter()
            .map(|_| {
                let score = |answer: &Vec<u32>| values.by_ref().take(answer.len()).sum();
                answers.ids.iter().map(score).collect()
            })
            .collect())
    }

    /// Makes the cache hold what the prompts share, with room behind it for the rest, and gives its length.
    fn hold(&mut self, prompts: &[Vec<u32>], answers: &Answers) -> Result<usize, Error> {
        let keeps = |prompt: &Vec<u32>| {
            prompt.len() > self.prefix.len() && prompt.starts_with(&self.prefix)
        };
        if self.prefix.is_empty() || !prompts.iter().all(keeps) {
            self.prefix = prompts[0][..shared_prefix(prompts)].to_vec();
            self.cache = Cache::new(self.model.decoder.config(), 0, self.model.decoder.device());
        }
        let held = self.prefix.len();
        let rest: usize = prompts
            .iter()
            .map(|prompt| prompt.len() - held + answers.total())
            .sum();
        if self.cache.slots() < held + rest {
            let decoder = &self.model.decoder;
            // With some to spare, for the next prompts may be longer.
            self.cache = Cache::new(decoder.config(), held + rest + rest / 2, decoder.device());
            if held > 0 {
                let (input, _) = Input::sequences(std::slice::from_ref(&self.prefix), 0);
                decoder.hidden(&input, self.adapter, Some(&mut self.cache))?;
            }
        }
        Ok(held)
    }
}
