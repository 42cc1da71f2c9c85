//! The stages every recipe is made of: train on rows, write instances, measure.

use crate::Error;
use crate::curate::{Filter, Refusal};
use crate::evolve::{Event, Instance, InstanceCounts, Monitor, RowName, Stage, prompts};
use crate::generate::{Answers, Batch, Finish, Scorer};
use crate::model::{Adapter, LoraConfig, Model};
use crate::principle::{self, PrincipleSet};
use crate::task::{Confusion, Example, Task};
use crate::train::{AdamWConfig, Row, Schedule, TrainError, Trainer, TrainerConfig};

use super::psi::Settings;

/// Everything the stages share.
pub(super) struct Bench<'a> {
    pub model: &'a Model,
    pub task: &'a Task,
    pub settings: &'a Settings,
    pub answers: Answers,
}

impl<'a> Bench<'a> {
    pub fn new(model: &'a Model, task: &'a Task, settings: &'a Settings) -> Result<Self, Error> {
        Ok(Self {
            model,
            task,
            settings,
            answers: answers(model, task)?,
        })
    }

    /// A training row "text → label".
    pub fn labelling_row(&self, text: &str, label: usize) -> Result<Row, Error> {
        let vocabulary = &self.model.vocabulary;
        let prompt = prompts::classify(vocabulary, self.task, text)?;
        Ok(Row::new(
            prompt,
            &vocabulary.answer(&self.task.labels[label])?,
        ))
    }

    /// A training row "label, rules, examples → text".
    pub fn writing_row(
        &self,
        example: &Example,
        rules: &[String],
        shots: &[&str],
    ) -> Result<Row, Error> {
        let vocabulary = &self.model.vocabulary;
        let prompt = prompts::write(vocabulary, self.task, example.label, rules, shots)?;
        Ok(Row::new(prompt, &vocabulary.answer(&example.text)?))
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

    /// Trains an adapter on groups of rows for exactly `steps` steps. A batch holds rows of one group (they begin
    /// alike, which makes them cheap to read together); rows and batches come in an order drawn anew for every pass.
    pub async fn train(
        &self,
        monitor: &mut Monitor<'_>,
        place: (Stage, Option<RowName>),
        start: Option<Adapter>,
        groups: &[Vec<Row>],
        steps: usize,
        salt: u64,
    ) -> Result<Adapter, Error> {
        let settings = self.settings;
        let seed = settings.seed.wrapping_mul(0x9E37_79B9).wrapping_add(salt);
        let shape = self.model.decoder.config();
        let adapter = match start {
            Some(adapter) => adapter,
            None => Adapter::new(
                LoraConfig::new(settings.rank, settings.alpha, Some(self.model.name.clone())),
                shape,
                seed,
                self.model.decoder.device(),
            )?,
        };
        let config = TrainerConfig {
            schedule: Schedule::cosine(settings.rate(shape.hidden_size), steps, 0.1),
            optimiser: AdamWConfig::default(),
        };
        let mut trainer = Trainer::new(self.model, adapter, config);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut batches: Vec<Vec<Row>> = Vec::new();
        monitor.begin(place.0, place.1, steps);
        for step in 0..steps {
            if batches.is_empty() {
                batches = one_pass(groups, settings.batch, &mut rng);
            }
            let batch = batches.pop().ok_or(TrainError::Empty)?;
            let metrics = monitor.race(trainer.step(&batch)).await?;
            monitor.send(&Event::TrainStep {
                row: place.1,
                step: step + 1,
                total: steps,
                loss: metrics.loss,
                learning_rate: metrics.learning_rate,
                grad_norm: metrics.grad_norm,
                num_tokens: metrics.num_tokens,
            });
            monitor.tick(step + 1).await?;
        }
        monitor.end();
        Ok(trainer.finish())
    }

    /// Writes instances until `wanted` are accepted, or until too few are.
    ///
    /// With principles each prompt carries a few of them; without, none. Labels are asked for in balance.
    #[expect(clippy::too_many_arguments, reason = "one stage, one call site")]
    pub async fn write(
        &self,
        monitor: &mut Monitor<'_>,
        row: RowName,
        round: usize,
        wanted: usize,
        student: &Adapter,
        principles: Option<&PrincipleSet>,
        filter: &mut Filter,
        instances: &mut Vec<Instance>,
    ) -> Result<(), Error> {
        let settings = self.settings;
        let labels = self.task.labels.len();
        let salt = settings.seed ^ (round as u64) << 32 ^ u64::from(row == RowName::Psi) << 48;
        let mut rng = fastrand::Rng::with_seed(salt);
        let mut accepted = vec![0usize; labels];
        let mut fates: Vec<bool> = Vec::new();
        let quota = wanted.div_ceil(labels);
        // Only labels with a seed: nobody has shown what the others look like.
        let shown: Vec<usize> = (0..labels)
            .filter(|label| self.task.seeds.iter().any(|seed| seed.label == *label))
            .collect();
        monitor.begin(Stage::Generate, Some(row), wanted);
        while accepted.iter().sum::<usize>() < wanted && !exhausted(&fates, wanted) {
            let mut prompts = Vec::new();
            let mut asked = Vec::new();
            for _ in 0..settings.writers {
                // The label that is furthest behind, counting what this batch asks for already.
                let pending =
                    |label: usize| asked.iter().filter(|(other, _)| *other == label).count();
                let Some(label) = shown
                    .iter()
                    .copied()
                    .min_by_key(|label| accepted[*label].min(quota) * 4 + pending(*label))
                else {
                    break;
                };
                let rules = match principles {
                    Some(set) => {
                        principle::draw(set, &self.task.labels[label], settings.rules, &mut rng)
                    }
                    None => Vec::new(),
                };
                let (ids, lines): (Vec<String>, Vec<String>) = rules.into_iter().unzip();
                let shots = self.shots(label, None, &mut rng);
                prompts.push(prompts::write(
                    &self.model.vocabulary,
                    self.task,
                    label,
                    &lines,
                    &shots,
                )?);
                asked.push((label, ids));
            }
            let seed = rng.u64(..) >> 12;
            let texts = self
                .decode(monitor, student, &prompts, filter.length_limits().1, seed)
                .await?;
            let votes = self.vote(monitor, student, &texts).await?;
            for (((label, ids), (text, finished)), vote) in asked.into_iter().zip(texts).zip(votes)
            {
                let name = &self.task.labels[label];
                let fate = filter.check(&text, name, finished).and_then(|()| {
                    if vote == label {
                        Ok(())
                    } else {
                        Err(Refusal::Vote {
                            predicted: self.task.labels[vote].clone(),
                        })
                    }
                });
                if fate.is_ok() && accepted.iter().sum::<usize>() >= wanted {
                    // The last batch may hold more than was asked for.
                    break;
                }
                fates.push(fate.is_ok());
                if fate.is_ok() {
                    filter.accept(&text);
                    accepted[label] += 1;
                }
                let instance = Instance {
                    row,
                    round,
                    index: instances.len(),
                    label: name.clone(),
                    text,
                    accepted: fate.is_ok(),
                    reason: fate.as_ref().err().map(ToString::to_string),
                    refusal: fate.as_ref().err().map(|refusal| refusal.code().to_owned()),
                    principles: ids,
                    model: self.model.name.clone(),
                    seed,
                };
                monitor.send(&Event::Instance(instance.clone()));
                instances.push(instance);
            }
            monitor.tick(accepted.iter().sum()).await?;
        }
        monitor.end();
        Ok(())
    }

    /// Continues prompts; gives each text's first line and whether the model ended it itself.
    async fn decode(
        &self,
        monitor: &mut Monitor<'_>,
        student: &Adapter,
        prompts: &[Vec<u32>],
        most_words: usize,
        seed: u64,
    ) -> Result<Vec<(String, bool)>, Error> {
        // A word of a small vocabulary is two tokens at most times.
        let limit = (most_words * 2 + 8).min(self.settings.max_new);
        let sampling = self.settings.sampling;
        let mut batch = Batch::start(self.model, Some(student), prompts, limit, sampling, seed)?;
        while !batch.is_done() {
            monitor.race(batch.step()).await?;
            monitor.breathe().await?;
        }
        batch
            .written()
            .iter()
            .map(|written| {
                let text = self.model.vocabulary.decode(&written.ids)?;
                let text = text.trim();
                let line = text.lines().next().unwrap_or_default().trim();
                // A line that ends is a text that ends, whatever the model would have gone on to say.
                let finished = written.finish == Finish::Stop || line.len() < text.len();
                Ok((line.to_owned(), finished))
            })
            .collect()
    }

    /// The label the student itself reads out of each text.
    async fn vote(
        &self,
        monitor: &mut Monitor<'_>,
        student: &Adapter,
        texts: &[(String, bool)],
    ) -> Result<Vec<usize>, Error> {
        let prompts = texts
            .iter()
            .map(|(text, _)| prompts::classify(&self.model.vocabulary, self.task, text))
            .collect::<Result<Vec<_>, _>>()?;
        let mut scorer = Scorer::new(self.model, Some(student));
        let scores = monitor.race(scorer.score(&prompts, &self.answers)).await?;
        Ok(scores.iter().map(|row| best(row)).collect())
    }

    /// Labels rows and counts how often that is right.
    pub async fn measure(
        &self,
        monitor: &mut Monitor<'_>,
        row: RowName,
        adapter: Option<&Adapter>,
        rows: &[Example],
    ) -> Result<Confusion, Error> {
        let mut scorer = Scorer::new(self.model, adapter);
        let mut confusion = Confusion::new(self.task.labels.len());
        monitor.begin(Stage::Evaluate, Some(row), rows.len());
        // Rows of like length together: less padding to compute.
        let mut order: Vec<&Example> = rows.iter().collect();
        order.sort_by_key(|example| example.text.len());
        let mut done = 0;
        for batch in order.chunks(self.settings.readers) {
            let prompts = batch
                .iter()
                .map(|example| prompts::classify(&self.model.vocabulary, self.task, &example.text))
                .collect::<Result<Vec<_>, _>>()?;
            let scores = monitor.race(scorer.score(&prompts, &self.answers)).await?;
            for (example, scores) in batch.iter().zip(&scores) {
                confusion.add(example.label, best(scores));
            }
            done += batch.len();
            monitor.tick(done).await?;
        }
        monitor.end();
        monitor.send(&Event::RowFinished {
            row,
            metrics: confusion.metrics(),
            confusion: confusion.counts().to_vec(),
        });
        Ok(confusion)
    }
}

/// All rows once, in batches of one group each, by chance.
fn one_pass(groups: &[Vec<Row>], size: usize, rng: &mut fastrand::Rng) -> Vec<Vec<Row>> {
    let mut batches = Vec::new();
    for group in groups {
        let mut order: Vec<&Row> = group.iter().collect();
        rng.shuffle(&mut order);
        batches.extend(
            order
                .chunks(size)
                .map(|batch| batch.iter().map(|row| (*row).clone()).collect()),
        );
    }
    rng.shuffle(&mut batches);
    batches
}

/// Whether going on is no use: under 5 % of the last 200 accepted (papers.md 1.4), or far too many written.
fn exhausted(fates: &[bool], wanted: usize) -> bool {
    const WINDOW: usize = 200;
    let recent = &fates[fates.len().saturating_sub(WINDOW)..];
    let kept = recent.iter().filter(|kept| **kept).count();
    (recent.len() == WINDOW && kept * 20 < WINDOW) || fates.len() >= wanted * 12 + WINDOW / 4
}

/// The labels as answers.
fn answers(model: &Model, task: &Task) -> Result<Answers, Error> {
    let ids = task
        .labels
        .iter()
        .map(|label| model.vocabulary.answer(label))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Answers::new(ids))
}

fn best(scores: &[f32]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

/// How probable each label is for a text, in the order of the task's labels; they add up to 1.
///
/// # Errors
///
/// [`Error::Model`] when the text does not fit the model, [`Error::Device`] when the device does not answer.
pub async fn predict(
    model: &Model,
    task: &Task,
    adapter: Option<&Adapter>,
    text: &str,
) -> Result<Vec<f32>, Error> {
    let prompt = prompts::classify(&model.vocabulary, task, text)?;
    let scores = Scorer::new(model, adapter)
        .score(&[prompt], &answers(model, task)?)
        .await?;
    let row = scores.into_iter().next().unwrap_or_default();
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = row.iter().map(|score| (score - highest).exp()).collect();
    let total: f32 = weights.iter().sum();
    Ok(weights.iter().map(|weight| weight / total).collect())
}

/// Measures a model, with an adapter or without, on a task's test rows.
///
/// # Errors
///
/// As [`predict`]; [`Error::Cancelled`].
pub async fn evaluate(
    model: &Model,
    task: &Task,
    adapter: Option<&Adapter>,
    rows: &[Example],
    monitor: &mut Monitor<'_>,
) -> Result<Confusion, Error> {
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

#[cfg(test)]
mod tests {
    use super::exhausted;

    #[test]
    fn writing_goes_on_while_one_in_twenty_is_accepted() {
        let fates: Vec<bool> = (0..200).map(|i| i % 20 == 0).collect();
        assert!(!exhausted(&fates, 1000));
    }

    #[test]
    fn writing_stops_when_fewer_than_one_in_twenty_is_accepted() {
        let fates: Vec<bool> = (0..200).map(|i| i % 25 == 0).collect();
        assert!(exhausted(&fates, 1000));
    }

    #[test]
    fn a_short_run_of_refusals_does_not_stop_the_writing() {
        assert!(!exhausted(&[false; 199], 1000));
    }
}
