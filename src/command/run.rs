//! `run`: a task from end to end.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use seedbed::Error;
use seedbed::evolve::{self, Cancel, Event, Monitor, Outcome, Report, Settings, Teacher, read_log};
use seedbed::privacy::{Epsilon, Ledger};
use seedbed::store::Folder;
use seedbed::task;

use super::cost::Cost;
use super::folder::{Asked, Begun, RECIPE, REPORT, journal, keep, tidy};
use super::recipe::{self, Options};
use super::shown::{Shown, line};
use super::{ModelArguments, print};

/// Run a task end to end: principles, instances, fine-tuning, and the rows it is compared with.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Folder with task.json, seeds.jsonl and, if there is one, test.jsonl.
    #[arg(required_unless_present = "resume")]
    task: Option<PathBuf>,
    /// Go on with the run in a folder that --out has made, where it was interrupted: nothing that is finished is done
    /// again, and the end is the same.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = [
            "task", "model", "device", "dtype", "recipe", "knobs", "recorded", "teacher", "teacher_model", "epsilon",
            "epsilon_total", "tell_weakness", "share_seeds", "ledger", "confirm_own_words", "watch", "out",
        ]
    )]
    resume: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// The order of stages, by its name or as a file that `seedbed recipe` has printed: `psi` (principles, then instances
    /// from them), `lance` (the model reviews, writes and prefers itself, round after round) or `evokd` (its errors decide
    /// what is written next). Options count more than what a file says.
    #[arg(long, value_name = "NAME|FILE", default_value = "psi")]
    recipe: String,
    #[command(flatten, next_help_heading = "Knobs of the recipe")]
    options: Options,
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
    /// A text for the student to answer as it learns, to see it come to its answer; may be given several times.
    #[arg(long, value_name = "TEXT")]
    watch: Vec<String>,
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

impl Run {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let (begun, settings, folder, past) = match &self.resume {
            Some(path) => {
                let opened = Folder::open(path);
                // Asked once the folder is held: until then another process may have brought the run to its end.
                if path.join(REPORT).exists() {
                    if opened.is_ok() {
                        // It may have been killed between its report and this.
                        tidy(path);
                    }
                    return self.finished(path);
                }
                let begun = Begun::read(path)?;
                let recipe = path.join(RECIPE);
                let settings = begun.settings(recipe::open(&recipe.to_string_lossy())?);
                let (folder, log) = opened?;
                let (past, whole) = read_log(&log)?;
                folder.cut(whole)?;
                (begun, settings, Some(folder), past)
            }
            None => {
                let begun = self.begin()?;
                let mut settings = begun.settings(recipe::open(&self.recipe)?);
                self.options.apply(&mut settings)?;
                shrink(&mut settings);
                settings.check()?;
                self.confirm_sharing(&settings.teacher)?;
                let folder = match &self.out {
                    Some(path) => Some(begun.create(path, &settings)?),
                    None => None,
                };
                (begun, settings, folder, Vec::new())
            }
        };
        settings.check()?;
        let task = task::read_folder(&begun.task)?;
        let (model, mut opened) = begun.model.open().await?;
        opened.limits.budget = self.memory.or(opened.limits.budget);
        eprintln!("{} on {} ({})", task.name, model.name, opened.name);

        let mut shown = Shown::new();
        let mut broken = None;
        let mut outcome = Outcome::default();
        let folder = folder.map(Rc::new);
        let result = {
            let cancel = Cancel::new();
            let stop = cancel.clone();
            let mut monitor = Monitor::new(
                |event: &Event| {
                    shown.show(event);
                    if let Some(folder) = &folder
                        && let Err(error) = folder.append(event)
                    {
                        // The run ends in good order, with everything made so far handed over below.
                        broken = Some(error);
                        stop.cancel();
                    }
                },
                cancel,
            );
            if let Some(folder) = &folder {
                monitor = monitor.with_journal(journal(folder.clone(), past));
            }
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
        if let Some(folder) = &folder {
            tidy(folder.root());
        }
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

    /// A run that needs no going on says what came of it.
    fn finished(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(REPORT);
        if !self.json {
            eprintln!("this run is finished; its report is {}", path.display());
            return Ok(());
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
            Error::Setting(format!(
                "{}: no report ({error}); delete it",
                path.display()
            ))
        })?;
        print(&report)
    }

    fn begin(&self) -> Result<Begun, Error> {
        let here = |path: &Path| match path.exists() {
            true => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            false => path.to_owned(),
        };
        let task = self.task.as_deref().unwrap_or(Path::new("."));
        Ok(Begun {
            task: here(task),
            // A name of a kept model is no path, and stays as it is.
            model: ModelArguments {
                model: here(&self.model.model),
                ..self.model
            },
            recorded: self.recorded()?,
            epsilon: self.epsilon,
            ledger: self.ledger()?,
            confirm_own_words: self.confirm_own_words,
            watch: self.watch.clone(),
            tell_weakness: self.tell_weakness,
            share_seeds: self.share_seeds,
            teacher: self.teacher()?,
        })
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

    fn teacher(&self) -> Result<Asked, Error> {
        if self.teacher == "offline" {
            return Ok(Asked::Offline);
        }
        if let Some(file) = self.teacher.strip_prefix("recorded:") {
            return std::fs::read_to_string(file)
                .map(Asked::Recorded)
                .map_err(|cause| {
                    Error::Setting(format!(
                        "{file}: cannot be read ({cause}); give a principles file"
                    ))
                });
        }
        if self.teacher.contains("://") {
            return Ok(Asked::Api {
                url: self.teacher.clone(),
                model: self.teacher_model.clone(),
            });
        }
        Err(Error::Setting(format!(
            "--teacher {} is not known; use offline, recorded:FILE or an address",
            self.teacher
        )))
    }
}

/// With fewer rows trained on at once, fewer are written and labelled at once too.
fn shrink(settings: &mut Settings) {
    let usual = Settings::of(settings.recipe);
    let share = |count: usize| (count * settings.batch).div_ceil(usual.batch).max(1);
    let (writers, readers) = (share(usual.writers), share(usual.readers));
    if settings.batch < usual.batch {
        settings.writers = settings.writers.min(writers);
        settings.readers = settings.readers.min(readers);
    }
}

/// A report with what it took.
#[derive(serde::Serialize)]
struct Costed<'a> {
    #[serde(flatten)]
    report: &'a Report,
    cost: Option<Cost>,
}
