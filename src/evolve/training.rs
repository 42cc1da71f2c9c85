//! The stages that train: fine-tuning on rows, and preference training on pairs.

use super::journal::Sum;
use super::reading::answer;
use super::stages::Bench;
use crate::Error;
use crate::evolve::{Event, Monitor, RowName, Stage};
use crate::model::{Adapter, LoraConfig};
use crate::task::Example;
use crate::train::{
    AdamWConfig, DpoLossConfig, DpoTrainer, Pair, Row, Schedule, TrainError, Trainer,
    TrainerConfig, reference_logps,
};

/// The rate of preference training, as a share of that of fine-tuning: 5e-6 beside 2e-4 is usual for LoRA.
const PREFERENCE_RATE: f64 = 0.025;

/// How often a training tells what it makes of the texts that are watched, beside its beginning.
const SAMPLES: usize = 4;

impl<'a> Bench<'a> {
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
            schedule: Schedule::cosine(
                settings.rate(shape.hidden_size, shape.num_hidden_layers),
                steps,
                0.1,
            ),
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
        let shape = self.model.decoder.config();
        let peak = settings.rate(shape.hidden_size, shape.num_hidden_layers) * PREFERENCE_RATE;
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
