//! The recipe `psi` (arXiv 2507.05991, rebuilt): principles first, then instances from them, then fine-tuning, and
//! the rows it is compared with.

use std::collections::BTreeMap;

use super::stages::{Bench, count};
use super::{Event, Instance, Monitor, Report, RowName, Stage, TeacherReport};
use crate::Error;
use crate::curate::{Filter, Limits};
use crate::generate::Sampling;
use crate::kernels::Opened;
use crate::model::{Adapter, Model};
use crate::principle::{self, PrincipleSet, api, offline, recorded};
use crate::privacy::{Brief, Destination, Epsilon, Guard, Ledger, OsEntropy, Sketch};
use crate::task::{Example, Metrics, Task};
use crate::train::Row;

/// Who writes the principles.
#[derive(Debug, Clone, Default)]
pub enum Teacher {
    /// Statistics of the seeds; nothing leaves.
    #[default]
    Offline,
    /// A file's text, from an earlier run or by hand.
    Recorded(String),
    /// An OpenAI-compatible endpoint; it is sent the brief.
    Api {
        /// Base address, as `https://host/v1`.
        url: String,
        /// The model's name there.
        model: String,
        /// The key, kept in memory only.
        key: Option<String>,
    },
}

impl Teacher {
    /// The word for it in results.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Recorded(_) => "recorded",
            Self::Api { .. } => "api",
        }
    }
}

/// The knobs of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who writes the principles.
    pub teacher: Teacher,
    /// Accepted instances wanted for each row that has any.
    pub instances: usize,
    /// Rounds in which they are written; after each, the writer learns from what was accepted.
    pub rounds: usize,
    /// How much the brief may tell of one seed; nothing of the seeds is told when zero.
    pub epsilon: Epsilon,
    /// What has left so far, with the user's budget, where a run goes on with an earlier one's.
    pub ledger: Option<Ledger>,
    /// Whether the user has confirmed words of their own that repeat an example.
    pub own_words_confirmed: bool,
    /// Seed of every random choice, but for the noise of the brief.
    pub seed: u64,
    /// Seeds of each label that are used, drawn by chance; all when `None`.
    pub seeds_per_label: Option<usize>,
    /// Most test rows to measure on; all when `None`.
    pub test_limit: Option<usize>,
    /// Passes over seeds and instances that the fine-tuning of each row is as long as.
    pub epochs: usize,
    /// The rows to make.
    pub rows: Vec<RowName>,
    /// Rows of a training batch.
    pub batch: usize,
    /// Peak learning rate; [`Settings::rate`] chooses one by the model's width when `None`.
    pub learning_rate: Option<f64>,
    /// Rank of the adapter.
    pub rank: usize,
    /// `lora_alpha` of the adapter.
    pub alpha: f64,
    /// How often each seed counts beside one instance.
    pub seed_weight: usize,
    /// Most seeds shown as examples in a writing prompt.
    pub shots: usize,
    /// Most rules in a writing prompt.
    pub rules: usize,
    /// Instances written at once.
    pub writers: usize,
    /// Rows labelled at once.
    pub readers: usize,
    /// Most new tokens of an instance.
    pub max_new: usize,
    /// How instances are drawn.
    pub sampling: Sampling,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            teacher: Teacher::Offline,
            instances: 140,
            rounds: 1,
            epsilon: Epsilon::ROUND,
            ledger: None,
            own_words_confirmed: false,
            seed: 1,
            seeds_per_label: None,
            test_limit: None,
            epochs: 5,
            rows: RowName::ALL.to_vec(),
            batch: 8,
            learning_rate: None,
            rank: 16,
            alpha: 32.0,
            seed_weight: 2,
            shots: 3,
            rules: 3,
            writers: 16,
            readers: 16,
            max_new: 96,
            sampling: Sampling {
                temperature: 0.9,
                top_k: 0,
                top_p: 0.95,
            },
        }
    }
}

impl Settings {
    /// The peak learning rate for a model `hidden` wide: 5e-3 at 192, which was the best of four tried there, falling
    /// to the 1e-3 that is usual for LoRA at 576 (SmolLM2-135M).
    pub fn rate(&self, hidden: usize) -> f64 {
        self.learning_rate
            .unwrap_or_else(|| (5e-3 * (192.0 / hidden as f64).powf(1.5)).min(1e-2))
    }

    /// Checks that every knob lies in its range.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the knob and its range.
    pub fn check(&self) -> Result<(), Error> {
        let ranges = [
            ("instances", self.instances, 1, 100_000),
            ("rounds", self.rounds, 1, 100),
            ("epochs", self.epochs, 1, 1000),
            ("batch", self.batch, 1, 1024),
            ("rank", self.rank, 1, 1024),
            (
                "seeds per label",
                self.seeds_per_label.unwrap_or(1),
                1,
                1_000_000,
            ),
            ("test rows", self.test_limit.unwrap_or(1), 1, 10_000_000),
        ];
        for (name, value, least, most) in ranges {
            if value < least || value > most {
                return Err(Error::Setting(format!(
                    "{name} is {value}; it must lie between {least} and {most}"
                )));
            }
        }
        if let Some(rate) = self.learning_rate
            && !(rate > 0.0 && rate <= 1.0)
        {
            return Err(Error::Setting(format!(
                "the learning rate is {rate}; it must lie above 0 and at most at 1"
            )));
        }
        if let Teacher::Api { url, .. } = &self.teacher {
            Destination::parse(url)?;
        }
        if self.rows.is_empty() {
            return Err(Error::Setting(
                "no row is chosen; choose at least one".into(),
            ));
        }
        Ok(())
    }
}

/// What a run leaves, as far as it came.
#[derive(Default)]
pub struct Outcome {
    /// The task as it was run: with its own test rows, or with those held out of the seeds.
    pub task: Option<Task>,
    /// The principles.
    pub principles: Option<PrincipleSet>,
    /// What has left; none where no teacher is asked.
    pub ledger: Option<Ledger>,
    /// All instances, refused ones too.
    pub instances: Vec<Instance>,
    /// The adapter of the last row that was trained, and which row that was.
    pub adapter: Option<(RowName, Adapter)>,
    /// The result, once the run is over.
    pub report: Option<Report>,
}

/// Runs the recipe. What it has made is in `outcome` even when it ends with an error or is stopped.
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
    let (mut task, test) = split(task, settings.test_limit);
    if let Some(most) = settings.seeds_per_label {
        limit_seeds(&mut task, most, settings.seed);
    }
    outcome.task = Some(task.clone());
    let task = &task;
    let bench = Bench::new(model, task, settings)?;
    let wants = |row: RowName| settings.rows.contains(&row);
    let writes = wants(RowName::Direct) || wants(RowName::Psi);

    let seed_rows = task
        .seeds
        .iter()
        .map(|seed| bench.labelling_row(&seed.text, seed.label))
        .collect::<Result<Vec<_>, _>>()?;
    let passes =
        seed_rows.len() * settings.seed_weight + if writes { settings.instances } else { 0 };
    // Every row is trained for the same number of steps: more data, not more training, is what is compared.
    let steps = (settings.epochs * passes).div_ceil(settings.batch);
    let forms = if wants(RowName::Psi) { 3 } else { 2 };
    let warm_steps = (forms * settings.epochs * task.seeds.len()).div_ceil(settings.batch);
    plan(monitor, settings, steps, warm_steps, test.len());

    monitor.send(&Event::RunStarted {
        task: task.name.clone(),
        model: model.name.clone(),
        device: opened.kind.name().into(),
        seed: settings.seed,
        recipe: "psi",
        labels: task.labels.clone(),
        seeds: task.seeds.len(),
        test: test.len(),
        warnings: task.warnings.clone(),
    });

    let mut rows: BTreeMap<RowName, Metrics> = BTreeMap::new();
    let mut teacher = TeacherReport {
        kind: settings.teacher.kind(),
        requests: 0,
        bytes: 0,
        tokens_in: 0,
        tokens_out: 0,
        epsilon: Epsilon::ZERO,
    };

    if wants(RowName::Untouched) {
        let confusion = bench
            .measure(monitor, RowName::Untouched, None, &test)
            .await?;
        rows.insert(RowName::Untouched, confusion.metrics());
    }

    if wants(RowName::Psi) {
        let set = principles(task, settings, monitor, &mut teacher, &mut outcome.ledger).await?;
        outcome.principles = Some(set);
    }

    if wants(RowName::SeedsOnly) {
        let place = (Stage::Train, Some(RowName::SeedsOnly));
        let adapter = bench
            .train(
                monitor,
                place,
                None,
                std::slice::from_ref(&seed_rows),
                steps,
                1,
            )
            .await?;
        outcome.adapter = Some((RowName::SeedsOnly, adapter.clone()));
        let confusion = bench
            .measure(monitor, RowName::SeedsOnly, Some(&adapter), &test)
            .await?;
        rows.insert(RowName::SeedsOnly, confusion.metrics());
    }

    let writer = match writes {
        true => Some(warm_up(&bench, monitor, outcome.principles.as_ref(), warm_steps).await?),
        false => None,
    };
    for row in [RowName::Direct, RowName::Psi] {
        let (true, Some(writer)) = (wants(row), &writer) else {
            continue;
        };
        let set = match row {
            RowName::Psi => outcome.principles.clone(),
            _ => None,
        };
        write_rounds(
            &bench,
            monitor,
            row,
            writer,
            set.as_ref(),
            warm_steps,
            &mut outcome.instances,
        )
        .await?;
        let mut training: Vec<Row> = Vec::new();
        for _ in 0..settings.seed_weight {
            training.extend(seed_rows.iter().cloned());
        }
        for instance in outcome
            .instances
            .iter()
            .filter(|instance| instance.row == row && instance.accepted)
        {
            if let Some(label) = task.label_index(&instance.label) {
                training.push(bench.labelling_row(&instance.text, label)?);
            }
        }
        // The same salt for all rows: the same start and the same order of draws.
        let adapter = bench
            .train(
                monitor,
                (Stage::Train, Some(row)),
                None,
                &[training],
                steps,
                1,
            )
            .await?;
        outcome.adapter = Some((row, adapter.clone()));
        let confusion = bench.measure(monitor, row, Some(&adapter), &test).await?;
        rows.insert(row, confusion.metrics());
    }

    let of = |row: RowName| {
        count(
            outcome
                .instances
                .iter()
                .filter(move |instance| instance.row == row),
        )
    };
    let report = Report {
        task: task.name.clone(),
        model: model.name.clone(),
        device: opened.kind.name().into(),
        seed: settings.seed,
        recipe: "psi",
        rows,
        instances: count(outcome.instances.iter()),
        instances_by_row: [RowName::Direct, RowName::Psi]
            .into_iter()
            .filter(|row| wants(*row))
            .map(|row| (row, of(row)))
            .collect(),
        teacher,
        seconds: monitor.seconds(),
    };
    monitor.send(&Event::Finished {
        report: report.clone(),
    });
    outcome.report = Some(report.clone());
    Ok(report)
}

/// The task's test rows, or a quarter of the seeds of every label where it has none; cut to the limit by chance, the
/// same for every run.
fn split(task: &Task, limit: Option<usize>) -> (Task, Vec<Example>) {
    let mut task = task.clone();
    let mut rng = fastrand::Rng::with_seed(0);
    if task.test.is_empty() {
        let mut order = std::mem::take(&mut task.seeds);
        rng.shuffle(&mut order);
        let counts: Vec<usize> = (0..task.labels.len())
            .map(|label| order.iter().filter(|seed| seed.label == label).count())
            .collect();
        let mut taken = vec![0; task.labels.len()];
        for seed in order {
            // A label with fewer than four seeds keeps them all to learn from.
            if taken[seed.label] < counts[seed.label] / 4 {
                taken[seed.label] += 1;
                task.test.push(seed);
            } else {
                task.seeds.push(seed);
            }
        }
        task.warnings.push(format!(
            "there are no test rows, so {} of {} seeds are held out to measure on",
            task.test.len(),
            task.test.len() + task.seeds.len()
        ));
    }
    let mut test = task.test.clone();
    if let Some(limit) = limit
        && limit < test.len()
    {
        rng.shuffle(&mut test);
        test.truncate(limit);
    }
    (task, test)
}

/// Keeps at most `most` seeds of every label, drawn by chance.
fn limit_seeds(task: &mut Task, most: usize, seed: u64) {
    let all = task.seeds.len();
    let mut taken = vec![0; task.labels.len()];
    fastrand::Rng::with_seed(seed).shuffle(&mut task.seeds);
    task.seeds.retain(|seed| {
        taken[seed.label] += 1;
        taken[seed.label] <= most
    });
    if task.seeds.len() < all {
        task.warnings
            .push(format!("{} of {all} seeds are used", task.seeds.len()));
    }
}

/// Expected work of each part, in rows read once.
fn plan(
    monitor: &mut Monitor<'_>,
    settings: &Settings,
    steps: usize,
    warm_steps: usize,
    test: usize,
) {
    // Forward and backward cost about three times as much as reading; writing reads a prompt and then each token.
    let step = 3.0 * settings.batch as f64;
    let write = 6.0 * settings.instances as f64;
    let writes = settings.rows.iter().any(|row| *row > RowName::SeedsOnly);
    let mut parts = Vec::new();
    for row in &settings.rows {
        parts.push((Stage::Evaluate, Some(*row), test as f64));
        if *row != RowName::Untouched {
            parts.push((Stage::Train, Some(*row), step * steps as f64));
        }
        if *row > RowName::SeedsOnly {
            parts.push((Stage::Generate, Some(*row), write));
        }
    }
    if writes {
        parts.push((Stage::WarmUp, None, step * warm_steps as f64));
    }
    monitor.plan(parts);
}

async fn principles(
    task: &Task,
    settings: &Settings,
    monitor: &mut Monitor<'_>,
    teacher: &mut TeacherReport,
    ledger: &mut Option<Ledger>,
) -> Result<PrincipleSet, Error> {
    monitor.begin(Stage::Principles, Some(RowName::Psi), 1);
    let set = match &settings.teacher {
        Teacher::Offline => offline::write(task),
        Teacher::Recorded(text) => recorded::parse(text, task)?.set,
        Teacher::Api { url, model, key } => {
            let destination = Destination::parse(url)?;
            let sketch = match settings.epsilon {
                Epsilon::ZERO => None,
                epsilon => Some(Sketch::draw(task, epsilon, &mut OsEntropy::default())?),
            };
            let brief = Brief::with(task, sketch.as_ref(), None);
            let mut guard = Guard::new(task, destination.clone());
            if settings.own_words_confirmed {
                guard = guard.with_own_words_confirmed();
            }
            let ledger = ledger.insert(
                settings
                    .ledger
                    .clone()
                    .unwrap_or_else(|| Ledger::new(Epsilon::TOTAL)),
            );
            let spent = ledger.spent();
            let (brief, _) = guard.clear(brief, destination, ledger, api::now())?;
            teacher.epsilon = ledger.spent_since(spent);
            let asked = api::Teacher::new(model).with_key(key.as_deref());
            let cancel = monitor.cancel();
            let mut watch = |_: &str| !cancel.is_cancelled();
            let answer = monitor
                .race(api::ask(brief, &asked, task, ledger, &mut watch))
                .await?;
            teacher.requests += answer.requests;
            teacher.bytes += answer.bytes_sent;
            teacher.tokens_in += answer.usage.input;
            teacher.tokens_out += answer.usage.output;
            answer.set
        }
    };
    for principle in &set.principles {
        monitor.send(&Event::Principle {
            principle: principle.clone(),
        });
    }
    monitor.tick(1).await?;
    monitor.end();
    Ok(set)
}

/// The student learns from the seeds to label texts and to write them, half of the time from rules that hold for
/// the text at hand, so that it learns what a rule is for.
async fn warm_up(
    bench: &Bench<'_>,
    monitor: &mut Monitor<'_>,
    set: Option<&PrincipleSet>,
    steps: usize,
) -> Result<Adapter, Error> {
    let mut rng = fastrand::Rng::with_seed(bench.settings.seed);
    let (mut labelling, mut free, mut ruled) = (Vec::new(), Vec::new(), Vec::new());
    for seed in &bench.task.seeds {
        labelling.push(bench.labelling_row(&seed.text, seed.label)?);
        let shots = bench.shots(seed.label, Some(&seed.text), &mut rng);
        free.push(bench.writing_row(seed, &[], &shots)?);
        if let Some(set) = set {
            let label = &bench.task.labels[seed.label];
            let rules = principle::holding(set, label, &seed.text, bench.settings.rules, &mut rng);
            let shots = bench.shots(seed.label, Some(&seed.text), &mut rng);
            ruled.push(bench.writing_row(seed, &rules, &shots)?);
        }
    }
    let groups = [labelling, free, ruled];
    bench
        .train(monitor, (Stage::WarmUp, None), None, &groups, steps, 2)
        .await
}

/// Writes a row's instances in rounds; after each but the last, the writer learns from what was accepted.
async fn write_rounds(
    bench: &Bench<'_>,
    monitor: &mut Monitor<'_>,
    row: RowName,
    writer: &Adapter,
    set: Option<&PrincipleSet>,
    steps: usize,
    instances: &mut Vec<Instance>,
) -> Result<(), Error> {
    let seeds: Vec<&str> = bench
        .task
        .seeds
        .iter()
        .map(|seed| seed.text.as_str())
        .collect();
    let mut filter = Filter::new(&seeds, Limits::default());
    let mut writer = writer.clone();
    let rounds = bench.settings.rounds;
    for round in 1..=rounds {
        // What does not divide evenly is written in the first rounds.
        let wanted = bench.settings.instances / rounds
            + usize::from(round <= bench.settings.instances % rounds);
        bench
            .write(
                monitor,
                row,
                round,
                wanted,
                &writer,
                set,
                &mut filter,
                instances,
            )
            .await?;
        if round == rounds {
            break;
        }
        let mut rng = fastrand::Rng::with_seed(bench.settings.seed ^ round as u64);
        let (mut labelling, mut writing) = (Vec::new(), Vec::new());
        let written = instances
            .iter()
            .filter(|instance| instance.row == row && instance.accepted)
            .filter_map(|instance| {
                let label = bench.task.label_index(&instance.label)?;
                Some(Example {
                    text: instance.text.clone(),
                    label,
                })
            });
        for example in bench.task.seeds.iter().cloned().chain(written) {
            labelling.push(bench.labelling_row(&example.text, example.label)?);
            let shots = bench.shots(example.label, Some(&example.text), &mut rng);
            writing.push(bench.writing_row(&example, &[], &shots)?);
        }
        writer = bench
            .train(
                monitor,
                (Stage::WarmUp, Some(row)),
                Some(writer),
                &[labelling, writing],
                steps.div_ceil(2),
                2 + round as u64,
            )
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task(seeds: usize) -> Task {
        let json = r#"{"task":"t","type":"classification","instruction":"i","labels":["a","b"]}"#;
        let rows: String = (0..seeds)
            .map(|i| {
                format!(
                    "{{\"text\":\"text {i}\",\"label\":\"{}\"}}\n",
                    if i % 2 == 0 { "a" } else { "b" }
                )
            })
            .collect();
        crate::task::parse(json, &rows, None).unwrap()
    }

    #[test]
    fn a_quarter_of_each_labels_seeds_is_held_out_where_there_are_no_test_rows() {
        let (task, test) = split(&task(16), None);
        assert_eq!(test.len(), 4);
        assert_eq!(test.iter().filter(|row| row.label == 0).count(), 2);
        assert_eq!(task.seeds.len(), 12);
        assert!(test.iter().all(|row| !task.seeds.contains(row)));
        assert!(
            task.warnings
                .iter()
                .any(|warning| warning.contains("held out"))
        );
    }

    #[test]
    fn a_label_with_few_seeds_keeps_them_all() {
        let (task, test) = split(&task(6), None);
        assert!(test.is_empty());
        assert_eq!(task.seeds.len(), 6);
    }

    #[test]
    fn a_limit_of_seeds_holds_for_every_label_and_is_said() {
        let mut task = task(16);
        limit_seeds(&mut task, 3, 1);
        assert_eq!(task.seeds_per_label(), [3, 3]);
        assert!(
            task.warnings
                .iter()
                .any(|warning| warning == "6 of 16 seeds are used")
        );
        let before = task.clone();
        limit_seeds(&mut task, 100, 2);
        assert_eq!(task.warnings, before.warnings);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let settings = Settings {
            epochs: 0,
            ..Settings::default()
        };
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("epochs is 0")
        );
    }
}
