//! The stage that writes: prompts are continued, freely or in a shape.

use std::rc::Rc;

use super::journal::{Kept, Sum};
use super::stages::Bench;
use crate::Error;
use crate::evolve::Monitor;
use crate::generate::{Batch, Constraint, Finish, Sampling, Shape, Spelling};
use crate::model::Adapter;

/// A text the model wrote.
pub(super) struct Text {
    pub text: String,
    /// Whether the model ended it itself.
    pub finished: bool,
}

/// Texts to be written. Of what is not the prompts, there is one for each of them or none at all.
#[derive(Default)]
pub(super) struct Drafts {
    /// What they are continuations of.
    pub prompts: Vec<Vec<u32>>,
    /// What they are pushed away from: what would stand behind these, as far as the knob `guidance` says.
    pub plain: Vec<Vec<u32>>,
    /// What they begin with.
    pub openings: Vec<Vec<u32>>,
    /// What they are brought to say.
    pub phrases: Vec<Vec<u32>>,
}

impl From<Vec<Vec<u32>>> for Drafts {
    fn from(prompts: Vec<Vec<u32>>) -> Self {
        Self {
            prompts,
            ..Self::default()
        }
    }
}

impl Drafts {
    /// What is continued: prompts, each with the opening of its text.
    fn begun(&self, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let mut begun = prompts.to_vec();
        for (ids, opening) in begun.iter_mut().zip(&self.openings) {
            ids.extend_from_slice(opening);
        }
        begun
    }
}

impl Bench<'_> {
    /// Writes texts. With `one_line`, a text ends with its first line.
    #[expect(
        clippy::too_many_arguments,
        reason = "one stage; each says something else"
    )]
    pub async fn texts(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        drafts: &Drafts,
        limit: usize,
        sampling: Sampling,
        one_line: bool,
        seed: u64,
    ) -> Result<Vec<Text>, Error> {
        let prompts = drafts.begun(&drafts.prompts);
        let plain = drafts.begun(&drafts.plain);
        let all = [&prompts[..], &plain].concat();
        let of = drawn_from(&[&all[..], &drafts.phrases].concat(), limit, sampling, seed);
        if let Some(texts) = self.recalled(monitor, &all, of)? {
            return Ok(texts);
        }
        let mut batch = if plain.len() == prompts.len() {
            let pairs = prompts.iter().cloned().zip(plain.iter().cloned());
            let pairs: Vec<[Vec<u32>; 2]> = pairs.map(<[_; 2]>::from).collect();
            let strength = self.settings.guidance as f32;
            Batch::guided(self.model, adapter, &pairs, strength, limit, sampling, seed)?
        } else {
            Batch::start(self.model, adapter, &prompts, limit, sampling, seed)?
        };
        if !drafts.phrases.is_empty() {
            batch = batch.bringing(&drafts.phrases)?;
        }
        self.written(monitor, batch, (&all, &drafts.openings), one_line, of)
            .await
    }

    /// As [`Bench::texts`], the texts being of a shape, one for all or one each.
    #[expect(
        clippy::too_many_arguments,
        reason = "one stage; each says something else"
    )]
    pub async fn shaped(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        prompts: &[Vec<u32>],
        limit: usize,
        sampling: Sampling,
        shapes: &[Shape],
        seed: u64,
    ) -> Result<Vec<Text>, Error> {
        let of = drawn_from(prompts, limit, sampling, seed);
        if let Some(texts) = self.recalled(monitor, prompts, of)? {
            return Ok(texts);
        }
        let make = || Rc::new(Spelling::new(&self.model.vocabulary));
        let spelling = self.answering.spelling.get_or_init(make);
        let held = shapes
            .iter()
            .map(|shape| Constraint::new(spelling.clone(), shape))
            .collect::<Result<Vec<_>, _>>()?;
        let batch = Batch::start(self.model, adapter, prompts, limit, sampling, seed)?;
        let batch = batch.held_to(&held)?;
        self.written(monitor, batch, (prompts, &[]), false, of)
            .await
    }

    /// Texts that were written before the run was interrupted.
    fn recalled(
        &self,
        monitor: &Monitor<'_>,
        prompts: &[Vec<u32>],
        of: u32,
    ) -> Result<Option<Vec<Text>>, Error> {
        let Some(kept) = monitor.recall("texts", of)? else {
            return Ok(None);
        };
        let (written, finished) = kept.numbers.split_first().unwrap_or((&0, &[]));
        self.spend(prompts.iter().map(Vec::len).sum(), *written as usize);
        let texts = kept.texts.into_iter().zip(finished);
        let texts = texts.map(|(text, finished)| Text {
            text,
            finished: *finished != 0,
        });
        Ok(Some(texts.collect()))
    }

    async fn written(
        &self,
        monitor: &Monitor<'_>,
        mut batch: Batch<'_>,
        (prompts, openings): (&[Vec<u32>], &[Vec<u32>]),
        one_line: bool,
        of: u32,
    ) -> Result<Vec<Text>, Error> {
        while !batch.is_done() {
            monitor.whole(batch.step()).await?;
            monitor.breathe().await?;
        }
        let written = batch.written().iter().map(|text| text.ids.len()).sum();
        self.spend(prompts.iter().map(Vec::len).sum(), written);
        let texts = batch
            .written()
            .iter()
            .enumerate()
            .map(|(place, written)| {
                let opening = openings.get(place).map_or(&[][..], Vec::as_slice);
                let whole = [opening, &written.ids].concat();
                let text = self.model.vocabulary.decode(&whole)?;
                let text = text.trim();
                let mut finished = written.finish == Finish::Stop;
                let mut kept = text;
                if one_line {
                    kept = text.lines().next().unwrap_or_default().trim();
                    // A line that ends is a text that ends, whatever the model would have gone on to say.
                    finished |= kept.len() < text.len();
                }
                Ok(Text {
                    text: kept.to_owned(),
                    finished,
                })
            })
            .collect::<Result<Vec<Text>, Error>>()?;
        let finished = texts.iter().map(|text| u32::from(text.finished));
        monitor.keep(Kept {
            what: "texts".into(),
            of,
            numbers: [written as u32].into_iter().chain(finished).collect(),
            texts: texts.iter().map(|text| text.text.clone()).collect(),
            ..Kept::default()
        });
        Ok(texts)
    }
}

/// A checksum of what texts are drawn from.
fn drawn_from(prompts: &[Vec<u32>], limit: usize, sampling: Sampling, seed: u64) -> u32 {
    let drawn = [limit as u32, sampling.temperature.to_bits(), seed as u32];
    Sum::new().lists(prompts).add(&drawn).end()
}
