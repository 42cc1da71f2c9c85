//! `run` and `eval`: a task from end to end, and measuring alone.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use seedbed::Error;
use seedbed::evolve::{
    self, Ablation, Cancel, Event, Judge, Monitor, Outcome, Recipe, Report, RowName, Settings,
    Teacher, VoteRule, Voter,
};
use seedbed::principle::recorded;
use seedbed::privacy::{Epsilon, Ledger};
use seedbed::store::Folder;
use seedbed::task::{self, Metrics};
use seedbed::train::Bytes;
use serde_json::json;

use super::cost::Cost;
use super::{AdaptedArguments, ModelArguments, print};

/// Run a task end to end: principles, instances, fine-tuning, and the rows it is compared with.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Folder with task.json, seeds.jsonl and, if there is one, test.jsonl.
    task: PathBuf,
    #[command(flatten)]
    model: ModelArguments,
    /// The order of stages: `psi` (principles, then instances from them), `lance` (the model reviews, writes and prefers
    /// itself, round after round) or `evokd` (its errors decide what is written next).
    #[arg(long, value_parser = named::<Recipe>, default_value = "psi")]
    recipe: Recipe,
    /// Parts of the recipe to switch off, separated by commas. psi: task_level_only, label_level_only, no_selection,
    /// no_filter. lance: sft_only, dpo_only, no_review, no_cleaning. evokd: no_easy, no_correct, no_history,
    /// no_separation.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_parser = named::<Ablation>)]
    ablate: Vec<Ablation>,
    /// Whose reading of an instance counts: `student` (who learnt to label from the seeds and nothing else), `writer` (who
    /// wrote it) or `none`.
    #[arg(long, value_parser = named::<Voter>, default_value = "student")]
    voter: Voter,
    /// How the vote is read: `best` (the asked label must be the likeliest), `top_two`, or `calibrated` (after taking away
    /// what each label scores on average).
    #[arg(long, value_parser = named::<VoteRule>, default_value = "best")]
    vote: VoteRule,
    /// Who reviews in lance: `rubric` (the model in words) or `likelihood`; likelihood for models below 100 M parameters.
    #[arg(long, value_parser = named::<Judge>)]
    judge: Option<Judge>,
    /// lance: reviews drawn for each answer by the rubric.
    #[arg(long, value_name = "N", default_value_t = Settings::default().reviews)]
    reviews: usize,
    /// lance: most new tokens of a review by the rubric.
    #[arg(long, value_name = "N", default_value_t = Settings::default().review_tokens)]
    review_tokens: usize,
    /// evokd: measure a batch after it was trained on, not before.
    #[arg(long)]
    evaluate_after: bool,
    /// evokd: write and learn a quarter of the instances before the first look at the student.
    #[arg(long)]
    init: bool,
    /// psi: a file of instances that a large model wrote (rows of text and label), for the row `recorded`.
    #[arg(long, value_name = "FILE")]
    recorded: Option<PathBuf>,
    /// Who writes the principles: `offline`, `recorded:FILE`, or the address of an OpenAI-compatible endpoint
    /// (https, or http on this machine), which is sent what `seedbed brief` prints. Its key is read from the variable
    /// SEEDBED_KEY.
    #[arg(long, default_value = "offline")]
    teacher: String,
    /// Name of the model at the teacher's address.
    #[arg(long, value_name = "NAME", default_value = "default")]
    teacher_model: String,
    /// How much the brief may tell a teacher of one seed: 0 tells nothing, 2 is usual, more is less private.
    #[arg(long, value_name = "E", default_value_t = Settings::default().epsilon, value_parser = super::brief::epsilon)]
    epsilon: Epsilon,
    /// How much all rounds together may tell of one seed.
    #[arg(long, value_name = "E", value_parser = super::brief::epsilon)]
    epsilon_total: Option<Epsilon>,
    /// evokd: from the second round on, also tell the teacher, with noise, what the student gets wrong.
    #[arg(long)]
    tell_weakness: bool,
    /// Send the teacher so many of your seeds AS THEY STAND, as the published PSI does. No bound holds for them. Asks
    /// first; off unless given.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = super::brief::shared)]
    share_seeds: usize,
    /// Do not ask before seeds are sent.
    #[arg(long, requires = "share_seeds")]
    yes: bool,
    /// Go on with the budget in the ledger.json of an earlier run on the same seeds.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Send your instruction and label names even where they repeat one of your examples.
    #[arg(long)]
    confirm_own_words: bool,
    /// Accepted instances wanted for each row that has any.
    #[arg(long, value_name = "N", default_value_t = Settings::default().instances)]
    instances: usize,
    /// Rounds in which they are written; usually 1 in psi, 2 in lance, 8 in evokd.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Seed of every random choice.
    #[arg(long, value_name = "N", default_value_t = Settings::default().seed)]
    seed: u64,
    /// Use at most so many seeds of each label, drawn by chance.
    #[arg(long, value_name = "N")]
    seeds_per_label: Option<usize>,
    /// Measure on at most so many test rows.
    #[arg(long, value_name = "N")]
    test_limit: Option<usize>,
    /// Passes over seeds and instances that each row's fine-tuning is as long as.
    #[arg(long, value_name = "N", default_value_t = Settings::default().epochs)]
    epochs: usize,
    /// Peak learning rate; chosen by the model's width unless given.
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Rows to make, separated by commas; the recipe's own unless given. psi: untouched, seeds_only, direct,
    /// own_principles, recorded, psi. lance: untouched, seeds_only, round_zero, lance. evokd: untouched, seeds_only,
    /// all_seeds, static, evokd.
    #[arg(long, value_delimiter = ',', value_parser = row)]
    rows: Vec<RowName>,
    /// Rows trained on at once, at most; with fewer, fewer are written and labelled at once too.
    #[arg(long, value_name = "N", default_value_t = Settings::default().batch)]
    batch: usize,
    /// Rank of the adapter.
    #[arg(long, value_name = "N", default_value_t = Settings::default().rank)]
    rank: usize,
    /// Refuse a run that would take more of the device's memory than this, such as 800M or 4G.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// Folder for the log, the principles, the instances, the adapter and the report.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the report as one object on standard output.
    #[arg(long)]
    json: bool,
}

fn row(name: &str) -> Result<RowName, String> {
    RowName::ALL
        .into_iter()
        .find(|row| row.name() == name)
        .ok_or_else(|| {
            let known: Vec<&str> = RowName::ALL.iter().map(|row| row.name()).collect();
            format!("known rows are {}", known.join(", "))
        })
}

/// Reads a size: bytes, or with K, M or G in steps of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => 64,
    };
    (digits.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(1u64.checked_shl(shift)?))
        .ok_or_else(|| "give a number of bytes, such as 800M or 4G".to_owned())
}

/// Reads one of a few words by the names that files use for them.
fn named<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(json!(word)).map_err(|error| error.to_string())
}

impl Run {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let task = task::read_folder(&self.task)?;
        let usual = Settings::of(self.recipe);
        let share = |count: usize| (count * self.batch).div_ceil(usual.batch);
        let settings = Settings {
            batch: self.batch,
            writers: share(usual.writers).min(usual.writers),
            readers: share(usual.readers).min(usual.readers),
            rank: self.rank,
            ablations: self.ablate.clone(),
            voter: self.voter,
            vote: self.vote,
            judge: self.judge,
            reviews: self.reviews,
            review_tokens: self.review_tokens,
            evaluate_after: self.evaluate_after,
            init: self.init,
            recorded: self.recorded()?,
            teacher: self.teacher()?,
            epsilon: self.epsilon,
            ledger: self.ledger()?,
            own_words_confirmed: self.confirm_own_words,
            tell_weakness: self.tell_weakness,
            share_seeds: self.share_seeds,
            instances: self.instances,
            rounds: self.rounds,
            seed: self.seed,
            seeds_per_label: self.seeds_per_label,
            test_limit: self.test_limit,
            epochs: self.epochs,
            learning_rate: self.learning_rate,
            rows: match self.rows.is_empty() {
                true => usual.rows.clone(),
                false => self.rows.clone(),
            },
            ..usual
        };
        settings.check()?;
        self.confirm_sharing(&settings.teacher)?;
        let mut folder = match &self.out {
            Some(path) => Some(Folder::create(path)?),
            None => None,
        };
        let (model, mut opened) = self.model.open().await?;
        opened.limits.budget = self.memory.or(opened.limits.budget);
        eprintln!("{} on {} ({})", task.name, model.name, opened.name);

        let mut shown = Shown::new();
        let mut broken = None;
        let mut outcome = Outcome::default();
        let result = {
            let cancel = Cancel::new();
            let stop = cancel.clone();
            let mut monitor = Monitor::new(
                |event: &Event| {
                    shown.show(event);
                    if let Some(folder) = &mut folder
                        && let Err(error) = folder.append(event)
                    {
                        // The run ends in good order, with everything made so far handed over below.
                        broken = Some(error);
                        stop.cancel();
                    }
                },
                cancel,
            );
            evolve::run(
                &model,
                &opened,
                &task,
                &settings,
                &mut monitor,
                &mut outcome,
            )
            .await
        };
        shown.end();
        if let Some(error) = broken {
            return Err(error.into());
        }
        if let Some(folder) = &folder {
            keep(folder, &outcome)?;
        }
        let report = result?;
        if self.json {
            return print(&Costed {
                cost: Cost::of(&report, &task),
                report: &report,
            });
        }
        if report.teacher.shared_seeds > 0 {
            println!(
                "{} OF YOUR SEEDS WERE SENT TO THE TEACHER AS THEY STAND",
                report.teacher.shared_seeds
            );
        }
        for (row, metrics) in &report.rows {
            println!("{}", line(row.name(), metrics));
        }
        Ok(())
    }

    fn recorded(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.recorded else {
            return Ok(None);
        };
        std::fs::read_to_string(path).map(Some).map_err(|cause| {
            Error::Setting(format!(
                "{}: cannot be read ({cause}); give a file of rows with text and label",
                path.display()
            ))
        })
    }

    /// Sending seeds is the one thing that cannot be taken back, so it is asked for twice.
    fn confirm_sharing(&self, teacher: &Teacher) -> Result<(), Error> {
        let Teacher::Api { url, .. } = teacher else {
            return match self.share_seeds {
                0 => Ok(()),
                _ => Err(Error::Setting(
                    "--share-seeds needs an endpoint as --teacher; without one nothing is sent"
                        .into(),
                )),
            };
        };
        if self.share_seeds == 0 || self.yes {
            return Ok(());
        }
        eprint!(
            "{} of your examples will be sent to {url} AS THEY STAND. No bound holds for them. Type yes to send them: ",
            self.share_seeds
        );
        let mut said = String::new();
        let heard = std::io::stdin().read_line(&mut said);
        match heard.is_ok() && said.trim() == "yes" {
            true => Ok(()),
            false => Err(Error::Setting(
                "no examples were sent, as you did not say yes; leave --share-seeds out, or add --yes".into(),
            )),
        }
    }

    fn ledger(&self) -> Result<Option<Ledger>, Error> {
        let ledger = self.ledger_file()?;
        Ok(match self.epsilon_total {
            None => ledger,
            Some(total) => {
                let mut ledger = ledger.unwrap_or_else(|| Ledger::new(total));
                ledger.set_total(total);
                Some(ledger)
            }
        })
    }

    fn ledger_file(&self) -> Result<Option<Ledger>, Error> {
        let Some(path) = &self.ledger else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::Setting(format!(
                "{}: cannot be read ({cause}); give a ledger.json",
                path.display()
            ))
        })?;
        Ok(Some(Ledger::from_json(&text)?))
    }

    fn teacher(&self) -> Result<Teacher, Error> {
        if self.teacher == "offline" {
            return Ok(Teacher::Offline);
        }
        if let Some(file) = self.teacher.strip_prefix("recorded:") {
            return std::fs::read_to_string(file)
                .map(Teacher::Recorded)
                .map_err(|cause| {
                    Error::Setting(format!(
                        "{file}: cannot be read ({cause}); give a principles file"
                    ))
                });
        }
        if self.teacher.contains("://") {
            return Ok(Teacher::Api {
                url: self.teacher.clone(),
                model: self.teacher_model.clone(),
                key: std::env::var("SEEDBED_KEY").ok(),
            });
        }
        Err(Error::Setting(format!(
            "--teacher {} is not known; use offline, recorded:FILE or an address",
            self.teacher
        )))
    }
}

/// A report with what it took.
#[derive(serde::Serialize)]
struct Costed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    cost: Option<Cost>,
}

/// Writes what a run has made, however far it came.
fn keep(folder: &Folder, outcome: &Outcome) -> Result<(), Error> {
    if let Some(set) = &outcome.principles {
        let text = set
            .to_json()
            .map_err(|error| Error::Setting(error.to_string()))?;
        folder.put("principles.json", text.as_bytes())?;
    }
    if let Some(text) = recorded::write(&outcome.answers) {
        folder.put("answers.json", text.as_bytes())?;
    }
    if let Some(ledger) = &outcome.ledger {
        folder.put("ledger.json", ledger.to_json().as_bytes())?;
    }
    let mut lines = String::new();
    for instance in &outcome.instances {
        lines.push_str(&serde_json::to_string(instance).unwrap_or_default());
        lines.push('\n');
    }
    folder.put("instances.jsonl", lines.as_bytes())?;
    if let Some((config, weights)) = &outcome.peft {
        folder.put("adapter/adapter_config.json", config.as_bytes())?;
        folder.put("adapter/adapter_model.safetensors", weights)?;
    }
    if let Some(report) = &outcome.report {
        let text = serde_json::to_string_pretty(report).unwrap_or_default();
        folder.put("report.json", text.as_bytes())?;
    }
    Ok(())
}

fn line(name: &str, metrics: &Metrics) -> String {
    format!(
        "{name:<12} accuracy {:5.1} % ({:.1} to {:.1})  macro-F1 {:5.1} %  n {}",
        100.0 * metrics.accuracy,
        100.0 * metrics.low,
        100.0 * metrics.high,
        100.0 * metrics.macro_f1,
        metrics.n
    )
}

/// Progress on standard error: a line that is rewritten on a terminal, a line for each stage otherwise.
struct Shown {
    terminal: bool,
    length: usize,
}

impl Shown {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            length: 0,
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                warnings, memory, ..
            } => {
                let of = Bytes;
                eprintln!(
                    "memory: {} at most (weights {}, adapter and optimiser {}, activations {}, keys and values {})",
                    of(memory.total),
                    of(memory.weights),
                    of(memory.adapter + memory.moments + memory.gradients),
                    of(memory.activations + memory.layer_inputs + memory.workspace),
                    of(memory.kv)
                );
                for warning in warnings {
                    self.keep(&format!("note: {warning}"));
                }
            }
            Event::Brief {
                text,
                destination,
                epsilon,
            } => {
                let size = text.len();
                self.keep(&format!(
                    "sending a brief of {size} bytes to {destination}, epsilon {epsilon}"
                ));
            }
            Event::Progress {
                stage,
                row,
                done,
                total,
                seconds_left,
                overall,
            } if self.terminal => {
                let left = seconds_left.map_or(String::new(), |left| format!(", {left:.0} s left"));
                let row = row.map_or("", RowName::name);
                self.rewrite(&format!(
                    "{:3.0} %  {} {row} {done}/{total}{left}",
                    100.0 * overall,
                    stage.name()
                ));
            }
            Event::StageFinished {
                stage,
                row,
                seconds,
            } => {
                self.keep(&format!(
                    "{:<11} {:<11} {seconds:7.1} s",
                    stage.name(),
                    row.map_or("", RowName::name)
                ));
            }
            Event::Note { text } => self.keep(&format!("note: {text}")),
            Event::RoundFinished { report } => {
                let dev = report.dev.map_or(String::new(), |dev| {
                    format!(", {:.1} % of {} right", 100.0 * dev.accuracy, dev.n)
                });
                self.keep(&format!(
                    "{} round {}: {} of {} kept, {} pairs{dev}",
                    report.row.name(),
                    report.round,
                    report.accepted,
                    report.generated,
                    report.pairs
                ));
            }
            Event::RowFinished { row, metrics, .. } => self.keep(&line(row.name(), metrics)),
            _ => {}
        }
    }

    fn rewrite(&mut self, text: &str) {
        eprint!("\r{text:<width$}", width = self.length);
        // A lost progress line is no reason to stop.
        let _ = std::io::stderr().flush();
        self.length = text.len();
    }

    fn keep(&mut self, text: &str) {
        self.end();
        eprintln!("{text}");
    }

    fn end(&mut self) {
        if self.length > 0 {
            self.rewrite("");
            eprint!("\r");
            self.length = 0;
        }
    }
}

/// Measure a model, with an adapter or without, on a task's test rows.
#[derive(Debug, clap::Args)]
pub struct Eval {
    /// Folder with task.json, seeds.jsonl and test.jsonl.
    task: PathBuf,
    #[command(flatten)]
    model: AdaptedArguments,
    /// Print one object on standard output.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let task = task::read_folder(&self.task)?;
        if task.test.is_empty() {
            return Err(Error::Setting(format!(
                "{} has no test.jsonl; add one with rows to measure on",
                self.task.display()
            )));
        }
        let (model, adapter, opened) = self.model.open().await?;
        let mut shown = Shown::new();
        let confusion = {
            let mut monitor = Monitor::new(|event: &Event| shown.show(event), Cancel::new());
            evolve::evaluate(&model, &task, adapter.as_ref(), &task.test, &mut monitor).await?
        };
        shown.end();
        let metrics = confusion.metrics();
        if self.json {
            return print(&json!({
                "task": task.name,
                "model": model.name,
                "device": opened.kind.name(),
                "accuracy": metrics.accuracy,
                "macro_f1": metrics.macro_f1,
                "low": metrics.low,
                "high": metrics.high,
                "n": metrics.n,
            }));
        }
        println!("{}", line(&task.name, &metrics));
        Ok(())
    }
}
