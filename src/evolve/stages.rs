//! The stages every recipe is made of: train on rows, write instances, measure.

use std::cell::Cell;
use std::rc::Rc;

use super::answering::Answering;
use super::journal::{Kept, Sum};
use crate::Error;
use crate::curate::review::{MOST, likelihood};
use crate::evolve::{
    Cancel, Event, Instance, InstanceCounts, Monitor, RowName, Settings, Stage, Tokens, prompts,
};
use crate::generate::{Answers, Batch, Constraint, Finish, Sampling, Scorer, Shape, Spelling};
use crate::model::{Adapter, LoraConfig, Model, ModelError};
use crate::task::{Answer, Example, Scored, Task};
use crate::train::{
    AdamWConfig, DpoLossConfig, DpoTrainer, Pair, Row, Schedule, TrainError, Trainer,
    TrainerConfig, reference_logps,
};

/// The rate of preference training, as a share of that of fine-tuning: 5e-6 beside 2e-4 is usual for LoRA.
const PREFERENCE_RATE: f64 = 0.025;

/// How often a training tells what it makes of the texts that are watched, beside its beginning.
const SAMPLES: usize = 4;

/// Everything the stages share.
pub(super) struct Bench<'a> {
    pub model: &'a Model,
    pub task: &'a Task,
    pub settings: &'a Settings,
    /// The labels, where answers are labels; none where they are written.
    answers: Answers,
    /// How answers are written, where they are.
    pub(super) answering: Rc<Answering>,
    /// What writing, labelling and reviewing instances has cost so far.
    tokens: Rc<Cell<Tokens>>,
}

/// Makes a prompt about a passage, or a part of it.
type Make<'m> = dyn Fn(Option<&str>) -> Result<Vec<u32>, ModelError> + 'm;

/// A text the model wrote.
pub(super) struct Text {
    pub text: String,
    /// Whether the model ended it itself.
    pub finished: bool,
}

/// What a student reads out of rows.
pub(super) struct Reading {
    /// The label of each row, in the order of the rows; the group of its answer, where that is written.
    pub predicted: Vec<usize>,
    /// The answers, where they are written.
    pub answers: Vec<Answer>,
    /// The mean log-probability of the right label among all labels, nats; of a token of the right answer, where answers are
    /// written.
    pub log_likelihood: f64,
}

impl<'a> Bench<'a> {
    pub fn new(model: &'a Model, task: &'a Task, settings: &'a Settings) -> Result<Self, Error> {
        Ok(Self {
            model,
            task,
            settings,
            answers: answers(model, task)?,
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
            answers: self.answers.clone(),
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
            false => self.answers.total(),
        }
    }

    fn spend(&self, read: usize, written: usize) {
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
        let mut trainer = self.trainer(start, steps, salt)?;
        self.tune(monitor, place, &mut trainer, groups, (steps, true), salt)
            .await?;
        Ok(trainer.finish())
    }

    /// A training of `steps` steps in all, from an adapter or from a fresh one; the steps are [`Bench::steps`].
    pub fn trainer(
        &self,
        start: Option<Adapter>,
        steps: usize,
        salt: u64,
    ) -> Result<Trainer<'a>, Error> {
        let settings = self.settings;
        let shape = self.model.decoder.config();
        let adapter = match start {
            Some(adapter) => adapter,
            None => Adapter::new(
                LoraConfig::new(settings.rank, settings.alpha, Some(self.model.name.clone())),
                shape,
                self.seed(salt),
                self.model.decoder.device(),
            )?,
        };
        let config = TrainerConfig {
            schedule: Schedule::cosine(settings.rate(shape.hidden_size), steps, 0.1),
            optimiser: AdamWConfig::default(),
        };
        Ok(Trainer::new(self.model, adapter, config))
    }

    /// So many steps of a training.
    pub async fn steps(
        &self,
        monitor: &mut Monitor<'_>,
        place: (Stage, Option<RowName>),
        trainer: &mut Trainer<'_>,
        groups: &[Vec<Row>],
        steps: usize,
        salt: u64,
    ) -> Result<(), Error> {
        self.tune(monitor, place, trainer, groups, (steps, false), salt)
            .await
    }

    /// So many steps, and whether the training ends with them.
    async fn tune(
        &self,
        monitor: &mut Monitor<'_>,
        place: (Stage, Option<RowName>),
        trainer: &mut Trainer<'_>,
        groups: &[Vec<Row>],
        (steps, ends): (usize, bool),
        salt: u64,
    ) -> Result<(), Error> {
        let mut rng = fastrand::Rng::with_seed(self.seed(salt));
        let mut batches: Vec<Vec<Row>> = Vec::new();
        monitor.begin(place.0, place.1, steps);
        let of = Sum::new().rows(groups.iter().flatten()).end();
        let device = self.model.decoder.device();
        let done = monitor.resume(trainer, of, steps, device).await?;
        if done > 0 {
            monitor.tick(done).await?;
        }
        let mut checkpoints = monitor.checkpoints(of, ends);
        if done == 0 {
            self.sample(monitor, place.1, trainer, 0, steps).await?;
        }
        for step in 0..steps {
            if batches.is_empty() {
                batches = one_pass(groups, self.settings.batch, &mut rng);
            }
            let batch = batches.pop().ok_or(TrainError::Empty)?;
            if step < done {
                continue;
            }
            let metrics = monitor.whole(trainer.step(&batch)).await?;
            monitor.send(&Event::TrainStep {
                row: place.1,
                step: step + 1,
                total: steps,
                loss: metrics.loss,
                learning_rate: metrics.learning_rate,
                grad_norm: metrics.grad_norm,
                num_tokens: metrics.num_tokens,
            });
            self.sample(monitor, place.1, trainer, step + 1, steps)
                .await?;
            checkpoints.after(monitor, trainer, step + 1, steps).await?;
            monitor.tick(step + 1).await?;
        }
        monitor.end();
        Ok(())
    }

    /// Tells what the student makes of the texts that are watched: before a training's first step, at each quarter and at
    /// its end. Neither chance nor the log of what was computed has a part in it.
    async fn sample(
        &self,
        monitor: &Monitor<'_>,
        row: Option<RowName>,
        trainer: &Trainer<'_>,
        step: usize,
        total: usize,
    ) -> Result<(), Error> {
        let quarter = |step: usize| SAMPLES * step / total.max(1);
        let due = step == 0 || quarter(step) > quarter(step - 1);
        if self.settings.watch.is_empty() || !due {
            return Ok(());
        }
        let adapter = trainer.adapter();
        for text in &self.settings.watch {
            let watched = Example::new(text.trim(), 0);
            let said = answer(self.model, self.task, Some(&adapter), watched);
            let (example, probabilities) = monitor.whole(said).await?;
            monitor.send(&Event::Sample {
                row,
                step,
                total,
                text: text.clone(),
                label: self.task.label_of(&example).to_owned(),
                probability: probabilities.get(example.label).copied(),
                answer: self.task.is_open().then(|| self.task.said(&example)),
            });
        }
        Ok(())
    }

    fn seed(&self, salt: u64) -> u64 {
        let seed = self.settings.seed.wrapping_mul(0x9E37_79B9);
        seed.wrapping_add(salt)
    }

    /// Trains an adapter on preferences for one pass; the reference is the adapter as it was.
    pub async fn prefer(
        &self,
        monitor: &mut Monitor<'_>,
        row: RowName,
        start: Adapter,
        pairs: &[Pair],
        salt: u64,
    ) -> Result<Adapter, Error> {
        let settings = self.settings;
        let steps = pairs.len().div_ceil(settings.batch);
        let peak = settings.rate(self.model.decoder.config().hidden_size) * PREFERENCE_RATE;
        let config = TrainerConfig {
            schedule: Schedule::cosine(peak, steps, 0.1),
            optimiser: AdamWConfig::default(),
        };
        monitor.begin(Stage::Prefer, Some(row), steps);
        let mut order: Vec<&Pair> = pairs.iter().collect();
        fastrand::Rng::with_seed(settings.seed ^ salt << 32).shuffle(&mut order);
        let mut trainer =
            DpoTrainer::new(self.model, start.clone(), config, DpoLossConfig::default());
        let ids = order.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]);
        let of = Sum::new().rows(ids).end();
        let device = self.model.decoder.device();
        let done = monitor.resume(&mut trainer, of, steps, device).await?;
        if done > 0 {
            monitor.tick(done).await?;
        }
        let mut checkpoints = monitor.checkpoints(of, true);
        for (step, batch) in order.chunks(settings.batch).enumerate().skip(done) {
            let batch: Vec<Pair> = batch.iter().map(|pair| (*pair).clone()).collect();
            let references = monitor
                .whole(reference_logps(self.model, Some(&start), &batch))
                .await?;
            let done = monitor.whole(trainer.step(&batch, &references)).await?;
            monitor.send(&Event::DpoStep {
                row: Some(row),
                step: step + 1,
                total: steps,
                loss: done.loss,
                learning_rate: done.learning_rate,
                grad_norm: done.grad_norm,
                rewards_chosen: done.metrics.rewards_chosen,
                rewards_rejected: done.metrics.rewards_rejected,
                rewards_accuracies: done.metrics.rewards_accuracies,
                rewards_margins: done.metrics.rewards_margins,
            });
            checkpoints
                .after(monitor, &trainer, step + 1, steps)
                .await?;
            monitor.tick(step + 1).await?;
        }
        monitor.end();
        Ok(trainer.finish())
    }

    /// Continues prompts. With `one_line`, a text ends with its first line.
    #[expect(
        clippy::too_many_arguments,
        reason = "one stage; each says something else"
    )]
    pub async fn texts(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        prompts: &[Vec<u32>],
        limit: usize,
        sampling: Sampling,
        one_line: bool,
        seed: u64,
    ) -> Result<Vec<Text>, Error> {
        let of = drawn_from(prompts, limit, sampling, seed);
        if let Some(texts) = self.recalled(monitor, prompts, of)? {
            return Ok(texts);
        }
        let batch = Batch::start(self.model, adapter, prompts, limit, sampling, seed)?;
        self.written(monitor, batch, prompts, one_line, of).await
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

    /// What the labels score behind some prompts, read together.
    async fn score(
        &self,
        monitor: &Monitor<'_>,
        scorer: &mut Scorer<'_>,
        prompts: &[Vec<u32>],
    ) -> Result<Vec<Vec<f32>>, Error> {
        let of = Sum::new().lists(prompts).end();
        if let Some(kept) = monitor.recall("scores", of)? {
            let labels = self.task.labels.len().max(1);
            let rows = kept.numbers.chunks(labels);
            return Ok(rows
                .map(|row| row.iter().map(|bits| f32::from_bits(*bits)).collect())
                .collect());
        }
        let scores = monitor.whole(scorer.score(prompts, &self.answers)).await?;
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
            scores.extend(self.score(monitor, &mut scorer, &prompts).await?);
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
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|row| rows[*row].size());
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
            let scores = self.score(monitor, &mut scorer, &prompts).await?;
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
        self.task.score(rows, &reading.predicted, &reading.answers)
    }
}

/// A checksum of what texts are drawn from.
fn drawn_from(prompts: &[Vec<u32>], limit: usize, sampling: Sampling, seed: u64) -> u32 {
    let drawn = [limit as u32, sampling.temperature.to_bits(), seed as u32];
    Sum::new().lists(prompts).add(&drawn).end()
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
            .answers_to(&monitor, adapter, &[&example], Sampling::GREEDY, 0)
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
