//! The stages that read and measure: what labels score, what rows are answered, and how often that is right.

use super::journal::{Kept, Sum};
use super::stages::Bench;
use crate::Error;
use crate::curate::review::{MOST, likelihood};
use crate::evolve::{Cancel, Event, Monitor, RowName, Settings, Stage};
use crate::generate::{Answers, Sampling, Scorer};
use crate::model::{Adapter, Model};
use crate::order;
use crate::task::{Answer, Example, Scored, Task};

/// What a student reads out of rows.
pub(super) struct Reading {
    /// The label of each row, in the order of the rows; the group of its answer, where that is written.
    pub predicted: Vec<usize>,
    /// The answers, where they are written.
    pub answers: Vec<Answer>,
    /// The mean log-probability of the right label among all labels, nats; of a token of the right answer, where answers are
    /// written.
    pub log_likelihood: f64,
    /// Of free responses, each right one's negative log-likelihood and tokens, in no order.
    pub losses: Vec<(f64, f64)>,
    /// Of free responses, the judge's mark of each that was written, where the recipe has a reviewer (at the desk; it decides
    /// nothing, so a tab does not spend its time on it).
    #[cfg(not(target_arch = "wasm32"))]
    pub marks: Vec<f64>,
}

impl Bench<'_> {
    /// What the labels score behind some prompts, read together.
    pub(super) async fn score(
        &self,
        monitor: &Monitor<'_>,
        scorer: &mut Scorer<'_>,
        prompts: &[Vec<u32>],
        answers: &Answers,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let of = Sum::new().lists(prompts).end();
        if let Some(kept) = monitor.recall("scores", of)? {
            let labels = answers.count().max(1);
            let rows = kept.numbers.chunks(labels);
            return Ok(rows
                .map(|row| row.iter().map(|bits| f32::from_bits(*bits)).collect())
                .collect());
        }
        let scores = monitor.whole(scorer.score(prompts, answers)).await?;
        monitor.keep(Kept {
            what: "scores".into(),
            of,
            numbers: scores.iter().flatten().map(|s| s.to_bits()).collect(),
            ..Kept::default()
        });
        Ok(scores)
    }

    /// The log-likelihood of every label for each text, in nats: `[text][label]`; no scores where answers are written.
    pub async fn scores(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        texts: &[&Example],
    ) -> Result<Vec<Vec<f32>>, Error> {
        if self.task.is_open() {
            return Ok(vec![Vec::new(); texts.len()]);
        }
        let mut scorer = Scorer::new(self.model, adapter);
        let mut scores = Vec::with_capacity(texts.len());
        for batch in texts.chunks(self.settings.readers) {
            let prompts = batch
                .iter()
                .map(|text| self.asked(text))
                .collect::<Result<Vec<_>, _>>()?;
            self.spend(prompts.iter().map(Vec::len).sum(), 0);
            scores.extend(
                self.score(monitor, &mut scorer, &prompts, &self.labels)
                    .await?,
            );
            monitor.breathe().await?;
        }
        Ok(scores)
    }

    /// Answers rows.
    pub async fn read(
        &self,
        monitor: &mut Monitor<'_>,
        place: (Stage, Option<RowName>),
        adapter: Option<&Adapter>,
        rows: &[Example],
    ) -> Result<Reading, Error> {
        monitor.begin(place.0, place.1, rows.len());
        // Rows of like length together: less padding to compute.
        let order = order::places(rows.len(), &|a, b| rows[a].size().cmp(&rows[b].size()));
        let reading = match self.task.is_open() {
            true => self.read_open(monitor, adapter, rows, &order).await?,
            false => self.read_closed(monitor, adapter, rows, &order).await?,
        };
        monitor.end();
        Ok(reading)
    }

    async fn read_closed(
        &self,
        monitor: &mut Monitor<'_>,
        adapter: Option<&Adapter>,
        rows: &[Example],
        order: &[usize],
    ) -> Result<Reading, Error> {
        let mut scorer = Scorer::new(self.model, adapter);
        let mut predicted = vec![0; rows.len()];
        let mut log_likelihood = 0.0;
        let mut done = 0;
        for batch in order.chunks(self.settings.readers) {
            let prompts = batch
                .iter()
                .map(|row| self.asked(&rows[*row]))
                .collect::<Result<Vec<_>, _>>()?;
            let scores = self
                .score(monitor, &mut scorer, &prompts, &self.labels)
                .await?;
            for (row, scores) in batch.iter().zip(&scores) {
                predicted[*row] = best(scores);
                let share = likelihood(scores, rows[*row].label) / MOST;
                log_likelihood += share.max(1e-9).ln() / rows.len() as f64;
            }
            done += batch.len();
            monitor.tick(done).await?;
        }
        Ok(Reading {
            predicted,
            answers: Vec::new(),
            log_likelihood,
            losses: Vec::new(),
            #[cfg(not(target_arch = "wasm32"))]
            marks: Vec::new(),
        })
    }

    /// Answers rows and counts how often that is right.
    pub async fn measure(
        &self,
        monitor: &mut Monitor<'_>,
        row: RowName,
        adapter: Option<&Adapter>,
        rows: &[Example],
    ) -> Result<Scored, Error> {
        let place = (Stage::Evaluate, Some(row));
        let reading = self.read(monitor, place, adapter, rows).await?;
        let scored = self.scored(rows, &reading);
        monitor.send(&Event::RowFinished {
            row,
            metrics: scored.metrics,
            confusion: scored.confusion.clone(),
            answers: rows
                .iter()
                .zip(&reading.answers)
                .map(|(row, answer)| {
                    self.task.said(&Example {
                        answer: answer.clone(),
                        ..row.clone()
                    })
                })
                .collect(),
            predicted: reading.predicted,
        });
        Ok(scored)
    }

    /// How good a reading is.
    pub fn scored(&self, rows: &[Example], reading: &Reading) -> Scored {
        let mut scored = self.task.score(rows, &reading.predicted, &reading.answers);
        scored.add_losses(&reading.losses);
        #[cfg(not(target_arch = "wasm32"))]
        scored.add_marks(&reading.marks);
        scored
    }
}

pub(super) fn best(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

/// What a model answers to an example, which needs no answer of its own: the example with that answer, and how probable
/// each label is, in the order of the task's labels; they add up to 1. Where answers are written, there are no probabilities.
///
/// # Errors
///
/// [`Error::Model`] when the text does not fit the model, [`Error::Device`] when the device does not answer.
pub async fn answer(
    model: &Model,
    task: &Task,
    adapter: Option<&Adapter>,
    mut example: Example,
) -> Result<(Example, Vec<f32>), Error> {
    let settings = Settings::default();
    let bench = Bench::new(model, task, &settings)?;
    let monitor = Monitor::new(|_: &Event| {}, Cancel::new());
    if task.is_open() {
        let said = bench
            .answers_to(&monitor, adapter, &[&example], (Sampling::GREEDY, true), 0)
            .await?;
        example.answer = said.into_iter().next().unwrap_or_default();
        example.label = task.group(&example);
        return Ok((example, Vec::new()));
    }
    let scores = bench.scores(&monitor, adapter, &[&example]).await?;
    let row = scores.into_iter().next().unwrap_or_default();
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = row.iter().map(|score| (score - highest).exp()).collect();
    let total: f32 = weights.iter().sum();
    example.label = best(&row);
    Ok((
        example,
        weights.iter().map(|weight| weight / total).collect(),
    ))
}

/// How probable each label is for a text, in the order of the task's labels; they add up to 1.
///
/// # Errors
///
/// As [`answer`].
pub async fn predict(
    model: &Model,
    task: &Task,
    adapter: Option<&Adapter>,
    text: &str,
) -> Result<Vec<f32>, Error> {
    let example = Example::new(text, 0);
    Ok(answer(model, task, adapter, example).await?.1)
}

/// Measures a model, with an adapter or without, on a task's test rows.
///
/// # Errors
///
/// As [`answer`]; [`Error::Cancelled`].
pub async fn evaluate(
    model: &Model,
    task: &Task,
    adapter: Option<&Adapter>,
    rows: &[Example],
    monitor: &mut Monitor<'_>,
) -> Result<Scored, Error> {
    let settings = Settings::default();
    let row = if adapter.is_some() {
        RowName::Psi
    } else {
        RowName::Untouched
    };
    monitor.plan([(Stage::Evaluate, Some(row), rows.len() as f64)]);
    Bench::new(model, task, &settings)?
        .measure(monitor, row, adapter, rows)
        .await
}
