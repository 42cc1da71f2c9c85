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

impl Bench<'_> {
    /// Continues prompts. With `one_line`, a text ends with its first line. Texts are pushed away from what would stand behind
    /// the prompts of `plain`, one for each or none at all, as far as the knob `guidance` says.
    #[expect(
        clippy::too_many_arguments,
        reason = "one stage; each says something else"
    )]
    pub async fn texts(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        prompts: &[Vec<u32>],
        plain: &[Vec<u32>],
        limit: usize,
        sampling: Sampling,
        one_line: bool,
        seed: u64,
    ) -> Result<Vec<Text>, Error> {
        let all = [prompts, plain].concat();
        let of = drawn_from(&all, limit, sampling, seed);
        if let Some(texts) = self.recalled(monitor, &all, of)? {
            return Ok(texts);
        }
        let batch = if plain.len() == prompts.len() {
            let pairs = prompts.iter().cloned().zip(plain.iter().cloned());
            let pairs: Vec<[Vec<u32>; 2]> = pairs.map(<[_; 2]>::from).collect();
            let strength = self.settings.guidance as f32;
            Batch::guided(self.model, adapter, &pairs, strength, limit, sampling, seed)?
        } else {
            Batch::start(self.model, adapter, prompts, limit, sampling, seed)?
        };
        self.written(monitor, batch, &all, one_line, of).await
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
        self.written(monitor, batch.held_to(&held)?, prompts, false, of)
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
        prompts: &[Vec<u32>],
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
            .map(|written| {
                let text = self.model.vocabulary.decode(&written.ids)?;
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
