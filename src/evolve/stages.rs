//! What the stages of every recipe share: a model, a task, the settings, and the prompts and rows made of them.

use std::cell::Cell;
use std::rc::Rc;

use super::answering::Answering;
use crate::Error;
use crate::evolve::{Instance, InstanceCounts, Settings, Tokens, prompts};
use crate::generate::Answers;
use crate::model::{Model, ModelError};
use crate::task::{Example, Task};
use crate::train::Row;

/// Everything the stages share.
pub(super) struct Bench<'a> {
    pub model: &'a Model,
    pub task: &'a Task,
    pub settings: &'a Settings,
    /// The labels, where answers are labels; none where they are written.
    pub(super) labels: Answers,
    /// How answers are written, where they are.
    pub(super) answering: Rc<Answering>,
    /// What writing, labelling and reviewing instances has cost so far.
    tokens: Rc<Cell<Tokens>>,
}

/// Makes a prompt about a passage, or a part of it.
type Make<'m> = dyn Fn(Option<&str>) -> Result<Vec<u32>, ModelError> + 'm;

impl<'a> Bench<'a> {
    pub fn new(model: &'a Model, task: &'a Task, settings: &'a Settings) -> Result<Self, Error> {
        Ok(Self {
            model,
            task,
            settings,
            labels: answers(model, task)?,
            answering: Rc::new(Answering::new(model, task)?),
            tokens: Rc::default(),
        })
    }

    /// The same bench over other seeds of the same task; tokens are counted together.
    pub fn over<'b>(&self, task: &'b Task) -> Bench<'b>
    where
        'a: 'b,
    {
        Bench {
            model: self.model,
            task,
            settings: self.settings,
            labels: self.labels.clone(),
            answering: self.answering.clone(),
            tokens: self.tokens.clone(),
        }
    }

    /// What writing, labelling and reviewing instances has cost so far.
    pub fn tokens(&self) -> Tokens {
        self.tokens.get()
    }

    pub(super) fn set_tokens(&self, tokens: Tokens) {
        self.tokens.set(tokens);
    }

    /// Tokens of all labels as answers, or of the longest answer that may be written.
    pub fn answer_tokens(&self) -> usize {
        match self.task.is_open() {
            true => self.answering.limit,
            false => self.labels.total(),
        }
    }

    pub(super) fn spend(&self, read: usize, written: usize) {
        let before = self.tokens.get();
        self.tokens.set(Tokens {
            read: before.read + read,
            written: before.written + written,
        });
    }

    /// The prompt that asks for an example's answer.
    pub fn asked(&self, example: &Example) -> Result<Vec<u32>, ModelError> {
        let (vocabulary, task) = (&self.model.vocabulary, self.task);
        self.fitted(example, self.answer_tokens(), &|context| {
            prompts::ask(vocabulary, task, &example.text, context)
        })
    }

    /// The prompt that asks for a text of an example's group, about the example's passage.
    pub fn ordered(
        &self,
        example: &Example,
        rules: &[String],
        shots: &[&str],
    ) -> Result<Vec<u32>, ModelError> {
        let (vocabulary, task) = (&self.model.vocabulary, self.task);
        self.fitted(example, self.settings.max_new, &|context| {
            prompts::write(vocabulary, task, example.label, context, rules, shots)
        })
    }

    /// A prompt that leaves room for so many tokens: a passage that is too long for the model loses its end.
    fn fitted(
        &self,
        example: &Example,
        room: usize,
        make: &Make<'_>,
    ) -> Result<Vec<u32>, ModelError> {
        let most = self.model.decoder.context().saturating_sub(room);
        let mut context = example.context.as_deref();
        let mut ids = make(context)?;
        while let Some(long) = context.filter(|long| ids.len() > most && !long.is_empty()) {
            // A token is two bytes at least, nearly always, so this seldom cuts too much.
            let mut end = long.len().saturating_sub(2 * (ids.len() - most));
            while !long.is_char_boundary(end) {
                end -= 1;
            }
            context = Some(&long[..end]);
            ids = make(context)?;
        }
        Ok(ids)
    }

    /// A training row "text → answer".
    pub fn labelling_row(&self, example: &Example) -> Result<Row, Error> {
        let answer = self.model.vocabulary.answer(&self.task.said(example))?;
        Ok(Row::new(self.asked(example)?, &answer))
    }

    /// A training row "label, rules, examples → text".
    pub fn writing_row(
        &self,
        example: &Example,
        rules: &[String],
        shots: &[&str],
    ) -> Result<Row, Error> {
        let text = self.model.vocabulary.answer(&example.text)?;
        Ok(Row::new(self.ordered(example, rules, shots)?, &text))
    }

    /// A few seeds of a label to go by, drawn by chance; `except` is left out.
    pub fn shots(
        &self,
        label: usize,
        except: Option<&str>,
        rng: &mut fastrand::Rng,
    ) -> Vec<&'a str> {
        let mut seeds: Vec<&str> = self
            .task
            .seeds
            .iter()
            .filter(|seed| seed.label == label && Some(seed.text.as_str()) != except)
            .map(|seed| seed.text.as_str())
            .collect();
        rng.shuffle(&mut seeds);
        seeds.truncate(rng.usize(0..=self.settings.shots));
        seeds
    }

    pub(super) fn seed(&self, salt: u64) -> u64 {
        let seed = self.settings.seed.wrapping_mul(0x9E37_79B9);
        seed.wrapping_add(salt)
    }
}

/// The labels as answers; none where answers are written.
fn answers(model: &Model, task: &Task) -> Result<Answers, Error> {
    if task.is_open() {
        return Ok(Answers::new(Vec::new()));
    }
    let ids = task
        .labels
        .iter()
        .map(|label| model.vocabulary.answer(label))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Answers::new(ids))
}

/// Counts the fates of instances.
pub(super) fn count<'i>(instances: impl Iterator<Item = &'i Instance>) -> InstanceCounts {
    let mut counts = InstanceCounts::default();
    for instance in instances {
        counts.generated += 1;
        match &instance.refusal {
            None => counts.accepted += 1,
            Some(code) => *counts.refused.entry(code.clone()).or_default() += 1,
        }
    }
    counts
}
