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
    /// What prompts begin with.
    pub(super) head: Rc<prompts::Head>,
    /// The labels, where answers are labels; none where they are written.
    pub(super) labels: Answers,
    /// How answers are written, where they are.
    pub(super) answering: Rc<Answering>,
    /// What writing, labelling and reviewing instances has cost so far.
    tokens: Rc<Cell<Tokens>>,
}

impl<'a> Bench<'a> {
    pub fn new(model: &'a Model, task: &'a Task, settings: &'a Settings) -> Result<Self, Error> {
        let half = model.decoder.context() / 2;
        Ok(Self {
            model,
            task,
            settings,
            head: Rc::new(prompts::Head::within(&model.vocabulary, task, half)?),
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
            head: self.head.clone(),
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

    /// The prompt that asks for an example's answer, with room for that. Of one that is too long for the model the passage loses its
    /// end, then the text.
    pub fn asked(&self, example: &Example) -> Result<Vec<u32>, ModelError> {
        let (vocabulary, task, head) = (&self.model.vocabulary, self.task, &self.head);
        let room = match task.is_open() {
            true => self.answering.limit,
            false => self.labels.longest(),
        };
        let most = self.most(room);
        let (text, context) = (example.text.as_str(), example.context.as_deref());
        let ids = prompts::ask(vocabulary, task, head, text, context)?;
        let ids = prompts::cut(ids, most, context.unwrap_or_default(), &|context| {
            prompts::ask(vocabulary, task, head, text, Some(context))
        })?;
        prompts::cut(ids, most, text, &|text| {
            prompts::ask(vocabulary, task, head, text, context.map(|_| ""))
        })
    }

    /// The prompt that asks for a text of an example's group, about the example's passage, with room for that text. Of one that is too
    /// long for the model the passage loses its end, then the examples go, then the rules, the last first.
    pub fn ordered(
        &self,
        example: &Example,
        rules: &[String],
        shots: &[&str],
    ) -> Result<Vec<u32>, ModelError> {
        let (vocabulary, task, head) = (&self.model.vocabulary, self.task, &self.head);
        let most = self.most(self.settings.max_new);
        let context = example.context.as_deref();
        let write = |context: Option<&str>, rules: &[String], shots: &[&str]| {
            prompts::write(vocabulary, task, head, example.label, context, rules, shots)
        };
        let ids = write(context, rules, shots)?;
        let mut ids = prompts::cut(ids, most, context.unwrap_or_default(), &|context| {
            write(Some(context), rules, shots)
        })?;
        let (mut rules, mut shots) = (rules, shots);
        while ids.len() > most && !(rules.is_empty() && shots.is_empty()) {
            match shots {
                [kept @ .., _] => shots = kept,
                [] => rules = &rules[..rules.len() - 1],
            }
            ids = write(context.map(|_| ""), rules, shots)?;
        }
        Ok(ids)
    }

    /// The most tokens of a prompt that leaves room for so many.
    pub(super) fn most(&self, room: usize) -> usize {
        self.model.decoder.context().saturating_sub(room)
    }

    /// A training row "text → answer".
    pub fn labelling_row(&self, example: &Example) -> Result<Row, Error> {
        let answer = self.model.vocabulary.answer(&self.task.said(example))?;
        Ok(self.row(self.asked(example)?, &answer))
    }

    /// A training row "label, rules, examples → text".
    pub fn writing_row(
        &self,
        example: &Example,
        rules: &[String],
        shots: &[&str],
    ) -> Result<Row, Error> {
        let text = self.model.vocabulary.answer(&example.text)?;
        Ok(self.row(self.ordered(example, rules, shots)?, &text))
    }

    /// A training row; an answer that is too long for the model loses its end.
    fn row(&self, prompt: Vec<u32>, answer: &[u32]) -> Row {
        let room = self.most(prompt.len());
        Row::new(prompt, &answer[..answer.len().min(room)])
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
