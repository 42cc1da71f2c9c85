//! What every recipe shares: the rows it compares, how long they are trained, and the report at the end.

use std::collections::BTreeMap;

use super::data::{limit_seeds, split};
use super::journal::Sum;
use super::stages::{Bench, count};
use super::{
    Event, Instance, Monitor, Recipe, Report, RoundReport, RowName, Settings, Stage, TeacherReport,
    TestRow, evokd, lance, memory, psi,
};
use crate::Error;
use crate::curate::{Filter, Limits};
use crate::kernels::Opened;
use crate::model::{Adapter, Model};
use crate::principle::{self, PrincipleSet};
use crate::privacy::{Brief, Ledger};
use crate::task::{Example, Metrics, Task, TaskKind};
use crate::train::{Memory, Row};

/// What a run leaves, as far as it came.
#[derive(Default)]
pub struct Outcome {
    /// The task as it was run: with its own test rows, or with those held out of the seeds.
    pub task: Option<Task>,
    /// The principles.
    pub principles: Option<PrincipleSet>,
    /// What has left; none where no teacher is asked.
    pub ledger: Option<Ledger>,
    /// What an endpoint answered, with the round: as [`recorded::write`](crate::principle::recorded::write) puts them
    /// down, they are a recorded teacher, and a run with it is the same run.
    pub answers: Vec<(usize, PrincipleSet)>,
    /// All instances, refused ones too.
    pub instances: Vec<Instance>,
    /// The adapter of the last row that was trained, and which row that was.
    pub adapter: Option<(RowName, Adapter)>,
    /// The same as the two files of a PEFT directory, on the host: a device that is lost takes along what lies on it.
    pub peft: Option<(String, Vec<u8>)>,
    /// The result, once the run is over.
    pub report: Option<Report>,
}

/// Nothing that is learnt from counts less than this.
const LEAST_WEIGHT: f64 = 0.01;

/// A run under way.
pub(super) struct Run<'a, 'm> {
    pub bench: Bench<'a>,
    pub monitor: &'a mut Monitor<'m>,
    pub outcome: &'a mut Outcome,
    /// The task as the user brought it.
    pub whole: &'a Task,
    /// The task with all its seeds, where fewer of each label are used.
    pub full: &'a Task,
    pub test: &'a [Example],
    pub rows: BTreeMap<RowName, Metrics>,
    pub rounds: Vec<RoundReport>,
    pub teacher: TeacherReport,
    /// What the teacher was told first.
    pub brief: Option<Brief>,
    /// Steps of each row's fine-tuning: more data, not more training, is what is compared.
    pub steps: usize,
    /// Steps of the writer's warm-up, who is round zero in LANCE.
    pub warm_steps: usize,
    /// What it takes of the device.
    memory: Memory,
}

/// Runs a recipe. What it has made is in `outcome` even when it ends with an error or is stopped.
///
/// # Errors
///
/// [`Error`]; [`Error::Cancelled`] when the monitor's cancel was heard.
pub async fn run(
    model: &Model,
    opened: &Opened,
    task: &Task,
    settings: &Settings,
    monitor: &mut Monitor<'_>,
    outcome: &mut Outcome,
) -> Result<Report, Error> {
    settings.check()?;
    if task.kind == TaskKind::Instruct && settings.recipe == Recipe::Evokd {
        return Err(Error::Unsuited {
            recipe: settings.recipe.name(),
            kind: task.kind.name(),
            why: "it goes by which answers are wrong, and a free response has no one right answer; use lance or psi",
        });
    }
    let whole = task;
    let (full, task, test) = used(task, settings);
    outcome.task = Some(task.clone());
    let task = &task;
    let writes = settings.rows.iter().any(|row| *row > RowName::RoundZero);
    let seeds = task.seeds.len() * settings.seed_weight;
    let passes = seeds + if writes { settings.instances } else { 0 };
    let steps = (settings.epochs * passes).div_ceil(settings.batch);
    let warm_steps = steps_of(task, settings);
    let warm_steps = match settings.recipe {
        // Round zero labels and marks all that follows; a few seeds alone would make it a handful of steps.
        Recipe::Lance => warm_steps.max(steps),
        Recipe::Psi | Recipe::Evokd => warm_steps,
    };

    let bench = Bench::new(model, task, settings)?;
    let mut warnings = task.warnings.clone();
    let context = model.decoder.context();
    warnings.extend(bench.head.note(task, &model.name, context));
    let memory = memory::check(&bench, &test, opened.limits)?;
    let mut run = Run {
        bench,
        memory,
        monitor,
        outcome,
        whole,
        full: &full,
        test: &test,
        rows: BTreeMap::new(),
        rounds: Vec::new(),
        teacher: TeacherReport::of(settings.teacher.kind()),
        brief: None,
        steps,
        warm_steps,
    };
    run.plan();
    run.monitor.send(&Event::RunStarted {
        task: task.name.clone(),
        model: model.name.clone(),
        device: opened.kind.name().into(),
        seed: settings.seed,
        recipe: settings.recipe.name(),
        kind: (task.kind != TaskKind::Classification).then_some(task.kind),
        labels: task.labels.clone(),
        seeds: task.seeds.len(),
        test: test.len(),
        warnings,
        memory,
    });
    let rows = run.test.iter().map(|row| TestRow::of(task, row)).collect();
    run.monitor.send(&Event::Tested { rows });
    let begun = [
        ("model", named(model)),
        ("task", sum_of(whole)),
        ("settings", settings.lines()),
    ];
    let usual = Settings::of(settings.recipe).lines();
    run.monitor.check_start(&begun, &usual)?;
    if run.wants(RowName::Untouched) {
        run.measure(RowName::Untouched, None).await?;
    }
    match settings.recipe {
        Recipe::Psi => psi::run(&mut run).await?,
        Recipe::Lance => lance::run(&mut run).await?,
        Recipe::Evokd => evokd::run(&mut run).await?,
    }
    Ok(run.report(opened))
}

/// How many steps of a warm-up a task's seeds are worth.
fn steps_of(task: &Task, settings: &Settings) -> usize {
    (3 * settings.epochs * task.seeds.len()).div_ceil(settings.batch)
}

/// How many rows of labelling there are to one of writing in a warm-up of `steps` steps by seeds that are worth so many: as many
/// as keep writing near to half of what the seeds are worth.
fn times(steps: usize, worth: usize) -> usize {
    let worth = worth.max(1);
    ((2 * steps).saturating_sub(worth) / worth).max(1)
}

/// The task without rows that only measure; with no more seeds than wanted; and the rows that measure.
fn used(task: &Task, settings: &Settings) -> (Task, Task, Vec<Example>) {
    let (full, test) = split(task, settings.test_limit);
    let mut task = full.clone();
    if let Some(most) = settings.seeds_per_label {
        limit_seeds(&mut task, most, settings.seed);
    }
    (full, task, test)
}

/// The principles that the offline teacher would write in a run: from the seeds that the run learns from, and none of the
/// rows that it only measures with.
pub fn offline_principles(task: &Task, settings: &Settings) -> PrincipleSet {
    let (_, task, _) = used(task, settings);
    principle::offline::write(&task)
}

impl<'a> Run<'a, '_> {
    pub fn settings(&self) -> &'a Settings {
        self.bench.settings
    }

    pub fn task(&self) -> &'a Task {
        self.bench.task
    }

    pub fn wants(&self, row: RowName) -> bool {
        self.settings().rows.contains(&row)
    }

    /// Says something that a person should know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.monitor.send(&Event::Note { text: text.into() });
    }

    /// Training rows "text → label" of the seeds, each once.
    pub fn seed_rows(&self, seeds: &[Example]) -> Result<Vec<Row>, Error> {
        seeds
            .iter()
            .map(|seed| self.bench.labelling_row(seed))
            .collect()
    }

    /// Training rows "text → label" of a row's accepted instances.
    pub fn instance_rows(&self, row: RowName) -> Result<Vec<Row>, Error> {
        kept(&self.outcome.instances, row, None)
            .filter_map(|instance| Some((example_of(self.bench.task, instance)?, instance)))
            .map(|(example, instance)| {
                let mut row = self.bench.labelling_row(&example)?;
                if let (true, Some(agreement)) = (self.settings().weigh, instance.agreement) {
                    row.weight = agreement.max(LEAST_WEIGHT) as f32;
                }
                Ok(row)
            })
            .collect()
    }

    /// A filter that knows the seeds.
    pub fn filter(&self) -> Filter {
        let seeds: Vec<&str> = self
            .bench
            .task
            .seeds
            .iter()
            .map(|seed| seed.text.as_str())
            .collect();
        Filter::new(&seeds, Limits::default())
    }

    /// Fine-tunes a fresh adapter for a row, with the same salt for all rows: the same start and the same order of draws.
    pub async fn train(&mut self, row: RowName, training: Vec<Row>) -> Result<Adapter, Error> {
        let place = (Stage::Train, Some(row));
        self.bench
            .train(self.monitor, place, None, &[training], self.steps, 1)
            .await
    }

    /// Measures a row on the test rows and keeps its adapter.
    pub async fn measure(&mut self, row: RowName, adapter: Option<&Adapter>) -> Result<(), Error> {
        if let Some(adapter) = adapter {
            self.outcome.peft = Some(adapter.to_peft().await?);
            self.outcome.adapter = Some((row, adapter.clone()));
        }
        let scored = self
            .bench
            .measure(self.monitor, row, adapter, self.test)
            .await?;
        self.rows.insert(row, scored.metrics);
        Ok(())
    }

    /// The row `seeds_only`, where it is wanted or `needed`.
    pub async fn seeds_only(&mut self, needed: bool) -> Result<Option<Adapter>, Error> {
        let wanted = self.wants(RowName::SeedsOnly);
        if !wanted && !needed {
            return Ok(None);
        }
        let rows = self.seed_rows(&self.bench.task.seeds)?;
        let adapter = self.train(RowName::SeedsOnly, rows).await?;
        if wanted {
            self.measure(RowName::SeedsOnly, Some(&adapter)).await?;
        }
        Ok(Some(adapter))
    }

    /// The seeds as often as they count, and a row's instances.
    pub fn training(&self, row: RowName) -> Result<Vec<Row>, Error> {
        let mut training = self.weighty_seeds()?;
        training.extend(self.instance_rows(row)?);
        Ok(training)
    }

    /// Training rows "text → label" of the seeds, each as often as it counts.
    fn weighty_seeds(&self) -> Result<Vec<Row>, Error> {
        let seeds = self.seed_rows(&self.bench.task.seeds)?;
        Ok(vec![seeds; self.settings().seed_weight].concat())
    }

    /// Who reads what is written from rules: a student of the seeds and of what those rules say.
    pub async fn reader(&mut self, row: RowName, rules: &[Row]) -> Result<Adapter, Error> {
        let seeds = self.weighty_seeds()?;
        self.train(row, [&seeds[..], rules].concat()).await
    }

    /// Whether what the rules of a label say is learnt: never where answers are written, since a rule is no text that has
    /// entities, or an answer.
    pub fn learns_rules(&self) -> bool {
        self.settings().learns_rules() && !self.bench.task.is_open()
    }

    /// Training rows "text → label" of what the rules of each label say; none where that is not learnt.
    pub fn rule_rows(&self, set: Option<&PrincipleSet>) -> Result<Vec<Row>, Error> {
        let task = self.bench.task;
        let Some(set) = set.filter(|_| self.learns_rules()) else {
            return Ok(Vec::new());
        };
        let mut examples = Vec::new();
        for (label, name) in task.labels.iter().enumerate() {
            let texts = principle::lessons(set, name);
            examples.extend(texts.into_iter().map(|text| Example::new(text, label)));
        }
        self.seed_rows(&examples)
    }

    /// Keeps the report of a round and tells it.
    pub fn round(&mut self, report: RoundReport) {
        self.monitor.send(&Event::RoundFinished {
            report: report.clone(),
        });
        self.rounds.push(report);
    }

    /// Expected work of each part, in rows read once.
    fn plan(&mut self) {
        let settings = self.bench.settings;
        // Forward and backward cost about three times as much as reading; writing reads a prompt and then each token.
        let step = 3.0 * settings.batch as f64;
        let rounds = settings.rounds() as f64;
        let mut parts = Vec::new();
        for row in &settings.rows {
            parts.push((Stage::Evaluate, Some(*row), self.test.len() as f64));
            let in_rounds = matches!(row, RowName::Lance | RowName::Evokd);
            let times = if in_rounds { rounds } else { 1.0 };
            let trained = !matches!(row, RowName::Untouched | RowName::RoundZero);
            for _ in 0..times as usize {
                if trained {
                    parts.push((Stage::Train, Some(*row), step * self.steps as f64 / times));
                }
            }
            if row.writes() {
                // Hard and easy ones are written one after the other.
                let times = rounds * if *row == RowName::Evokd { 2.0 } else { 1.0 };
                for _ in 0..times as usize {
                    let work = 6.0 * settings.instances as f64 / times;
                    parts.push((Stage::Generate, Some(*row), work));
                }
            }
        }
        if settings.rows.iter().any(|row| *row > RowName::AllSeeds) {
            parts.push((Stage::WarmUp, None, step * self.warm_steps as f64));
        }
        self.monitor.plan(parts);
    }

    fn report(&mut self, opened: &Opened) -> Report {
        let settings = self.bench.settings;
        let instances = &self.outcome.instances;
        let of = |row: RowName| count(instances.iter().filter(move |i| i.row == row));
        let report = Report {
            task: self.bench.task.name.clone(),
            model: self.bench.model.name.clone(),
            device: opened.kind.name().into(),
            seed: settings.seed,
            recipe: settings.recipe.name(),
            ablations: settings.ablations.clone(),
            rounds: std::mem::take(&mut self.rounds),
            tokens: self.bench.tokens(),
            rows: std::mem::take(&mut self.rows),
            instances: count(instances.iter()),
            instances_by_row: settings
                .rows
                .iter()
                .filter(|row| **row >= RowName::Direct)
                .map(|row| (*row, of(*row)))
                .collect(),
            teacher: self.teacher.clone(),
            seconds: self.monitor.seconds(),
            memory: self.memory,
        };
        self.monitor.send(&Event::Finished {
            report: report.clone(),
        });
        self.outcome.report = Some(report.clone());
        report
    }
}

/// A model as a log names it.
fn named(model: &Model) -> String {
    let parameters = model.decoder.config().parameters();
    format!("{} ({parameters} parameters)", model.name)
}

/// A task as a log names it: by a checksum of all that is in it.
fn sum_of(task: &Task) -> String {
    let all = serde_json::to_string(task).unwrap_or_default();
    format!("{} ({:08x})", task.name, Sum::new().text(&all).end())
}

/// A row's accepted instances as examples, of one round or of all.
pub(super) fn accepted(
    instances: &[Instance],
    task: &Task,
    row: RowName,
    round: Option<usize>,
) -> Vec<Example> {
    kept(instances, row, round)
        .filter_map(|instance| example_of(task, instance))
        .collect()
}

/// A row's accepted instances, of one round or of all.
fn kept(
    instances: &[Instance],
    row: RowName,
    round: Option<usize>,
) -> impl Iterator<Item = &Instance> {
    instances
        .iter()
        .filter(move |instance| instance.row == row && instance.accepted)
        .filter(move |instance| round.is_none_or(|round| round == instance.round))
}

/// An instance as an example.
fn example_of(task: &Task, instance: &Instance) -> Option<Example> {
    Some(Example {
        text: instance.text.clone(),
        label: task.label_index(&instance.label)?,
        context: instance.context.clone(),
        answer: instance.meant.clone(),
    })
}

/// The student learns from the seeds to label texts and to write them, half of the time from rules that hold for
/// the text at hand, so that it learns what a rule is for. Of more steps than the seeds are worth, those beyond are all of labelling:
/// who writes a few seeds over and over has them by heart and writes nothing else.
pub(super) async fn warm_up(
    bench: &Bench<'_>,
    monitor: &mut Monitor<'_>,
    set: Option<&PrincipleSet>,
    steps: usize,
) -> Result<Adapter, Error> {
    let mut rng = fastrand::Rng::with_seed(bench.settings.seed);
    let (mut labelling, mut free, mut ruled) = (Vec::new(), Vec::new(), Vec::new());
    for seed in &bench.task.seeds {
        labelling.push(bench.labelling_row(seed)?);
        let shots = bench.shots(seed.label, Some(&seed.text), &mut rng);
        free.push(bench.writing_row(seed, &[], &shots)?);
        if let Some(set) = set {
            let label = &bench.task.labels[seed.label];
            let rules = principle::holding(set, label, &seed.text, bench.settings.rules, &mut rng);
            let shots = bench.shots(seed.label, Some(&seed.text), &mut rng);
            ruled.push(bench.writing_row(seed, &rules, &shots)?);
        }
    }
    let times = times(steps, steps_of(bench.task, bench.settings));
    let labelling = std::iter::repeat_n(labelling, times).flatten();
    let groups = [labelling.collect(), free, ruled];
    bench
        .train(monitor, (Stage::WarmUp, None), None, &groups, steps, 2)
        .await
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn a_warm_up_longer_than_the_seeds_are_worth_is_longer_in_labelling_alone() {
        assert_eq!(times(120, 120), 1);
        assert_eq!(times(124, 113), 1);
        // Of 52 steps 4 are of writing, as of the 8 that the seeds are worth.
        assert_eq!(times(52, 8), 12);
        assert_eq!(52 / (times(52, 8) + 1), 8 / 2);
        assert_eq!(times(0, 0), 1);
    }
}
