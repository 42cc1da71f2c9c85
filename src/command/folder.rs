//! The folder of a run: what it was begun with, its log and its checkpoints, and what it has made.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use seedbed::Error;
use seedbed::evolve::{
    Files, Journal, Kept, LogError, Outcome, Settings, Teacher, Waiting, read_log,
};
use seedbed::principle::recorded;
use seedbed::privacy::{Epsilon, Ledger};
use seedbed::store::Folder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ModelArguments, card, recipe};

/// Files of a run's folder.
const BEGUN: &str = "run.json";
pub(super) const RECIPE: &str = "recipe.toml";
pub(super) const REPORT: &str = "report.json";
const CHECKPOINTS: &str = "checkpoints";
const INSTANCES: &str = "instances.jsonl";
const EVENTS: &str = "events.jsonl";

/// What a run was begun with, beside its recipe: the file `run.json` of its folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) task: PathBuf,
    pub(super) model: ModelArguments,
    /// Texts of files, since those may be gone when the run goes on.
    pub(super) recorded: Option<String>,
    pub(super) epsilon: Epsilon,
    pub(super) ledger: Option<Ledger>,
    pub(super) confirm_own_words: bool,
    #[serde(default)]
    pub(super) watch: Vec<String>,
    pub(super) tell_weakness: bool,
    pub(super) share_seeds: usize,
    pub(super) teacher: Asked,
}

/// Who writes the principles; its key is no part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asked {
    Offline,
    Recorded(String),
    Api { url: String, model: String },
}

impl Begun {
    /// All settings: those of the recipe, and these.
    pub(super) fn settings(&self, recipe: Settings) -> Settings {
        Settings {
            recorded: self.recorded.clone(),
            epsilon: self.epsilon,
            ledger: self.ledger.clone(),
            own_words_confirmed: self.confirm_own_words,
            watch: self.watch.clone(),
            tell_weakness: self.tell_weakness,
            share_seeds: self.share_seeds,
            teacher: match self.teacher.clone() {
                Asked::Offline => Teacher::Offline,
                Asked::Recorded(text) => Teacher::Recorded(text),
                Asked::Api { url, model } => Teacher::Api {
                    url,
                    model,
                    key: std::env::var("SEEDBED_KEY").ok(),
                },
            },
            ..recipe
        }
    }

    /// Makes the folder of a run and writes down what it is begun with.
    pub(super) fn create(&self, path: &Path, settings: &Settings) -> Result<Folder, Error> {
        let log = path.join("events.jsonl");
        let before = std::fs::read_to_string(log).unwrap_or_default();
        // One kept line says what a run was begun with; a second that something was done.
        let worked = read_log(&before).is_ok_and(|(past, _)| past.len() > 1);
        if worked && !path.join(REPORT).exists() {
            return Err(Error::Setting(format!(
                "{0} holds a run that is not finished; go on with it by --resume {0}, or choose another --out",
                path.display()
            )));
        }
        let folder = Folder::create(path)?;
        // What an earlier run left here would pass for this one's.
        let _ = std::fs::remove_file(path.join(REPORT));
        tidy(path);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        folder.put(BEGUN, text.as_bytes())?;
        folder.put(RECIPE, recipe::write(settings).as_bytes())?;
        Ok(folder)
    }

    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(BEGUN);
        let refused = |cause: String| {
            Error::Setting(format!(
                "{}: {cause}; give the --out folder of a run that was begun",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(&path).map_err(|cause| refused(cause.to_string()))?;
        serde_json::from_str(&text).map_err(|cause| refused(cause.to_string()))
    }
}

/// Takes away the checkpoints of a run that nobody goes on with: one that has its report, or whose folder begins anew.
pub(super) fn tidy(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder.join(CHECKPOINTS));
}

/// The files of a run's log, below its folder.
struct Shelf(Rc<Folder>);

impl Files for Shelf {
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Waiting<'a, ()> {
        let name = format!("{CHECKPOINTS}/{name}");
        Box::pin(async move { Ok(self.0.put(&name, &bytes)?) })
    }

    fn get<'a>(&'a self, name: &'a str) -> Waiting<'a, Vec<u8>> {
        let path = self.0.root().join(CHECKPOINTS).join(name);
        Box::pin(async move {
            std::fs::read(&path).map_err(|cause| {
                let (name, cause) = (path.display().to_string(), cause.to_string());
                LogError::File { name, cause }.into()
            })
        })
    }

    fn remove(&self, name: &str) {
        // It only takes room, and goes with the rest when the run is over.
        let _ = std::fs::remove_file(self.0.root().join(CHECKPOINTS).join(name));
    }
}

/// What a run has made, as its folder has it.
pub(super) struct Made {
    /// The beginning of the run, as it was last begun or gone on with.
    pub(super) started: Value,
    /// All instances, refused ones too.
    pub(super) instances: Vec<Value>,
    /// The preference pairs that were trained on.
    pub(super) preferences: Vec<Value>,
    /// The report; none where the run did not end.
    pub(super) report: Option<Value>,
}

impl Made {
    /// Reads it.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let refused = |name: &str, cause: &dyn std::fmt::Display| {
            Error::Setting(format!(
                "{}: cannot be read ({cause}); give the --out folder of a run",
                folder.join(name).display()
            ))
        };
        let read = |name: &str| {
            std::fs::read(folder.join(name))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|cause| refused(name, &cause))
        };
        let mut made = Self {
            started: Value::Null,
            instances: Vec::new(),
            preferences: Vec::new(),
            report: None,
        };
        for line in read(EVENTS)?.lines() {
            // A run that was gone on with tells everything again from its beginning; its last line may be torn.
            let parse = || serde_json::from_str::<Value>(line).unwrap_or_default();
            if line.starts_with("{\"type\":\"run_started\"") {
                made.started = parse();
                made.preferences.clear();
            } else if line.starts_with("{\"type\":\"preference\"") {
                made.preferences.push(parse());
            }
        }
        for (index, line) in read(INSTANCES)?.lines().enumerate() {
            let instance = serde_json::from_str(line);
            let name = format!("{INSTANCES}, line {}", index + 1);
            made.instances
                .push(instance.map_err(|cause| refused(&name, &cause))?);
        }
        if folder.join(REPORT).exists() {
            let report = serde_json::from_str(&read(REPORT)?);
            made.report = Some(report.map_err(|cause| refused(REPORT, &cause))?);
        }
        Ok(made)
    }
}

/// The journal of a run. How often a training is kept changes nothing but the time a resumed run takes, so it is no knob;
/// tests want it after every step.
pub(super) fn journal(folder: Rc<Folder>, past: Vec<Kept>) -> Journal {
    let journal = Journal::new(Rc::new(Shelf(folder)), past);
    match std::env::var("SEEDBED_CHECKPOINT_SECONDS").map(|text| text.parse()) {
        Ok(Ok(seconds)) => journal.checkpoint_every(Duration::from_secs(seconds)),
        _ => journal,
    }
}

/// Writes what a run has made, however far it came.
pub(super) fn keep(folder: &Folder, outcome: &Outcome) -> Result<(), Error> {
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
    folder.put(INSTANCES, lines.as_bytes())?;
    if let Some((config, weights)) = &outcome.peft {
        folder.put("adapter/adapter_config.json", config.as_bytes())?;
        folder.put("adapter/adapter_model.safetensors", weights)?;
    }
    let carded = keep_card(folder, outcome);
    // Last of all: a run that has it is not gone on with, so that what is not written by then never would be.
    if let Some(report) = &outcome.report {
        let text = serde_json::to_string_pretty(report).unwrap_or_default();
        folder.put(REPORT, text.as_bytes())?;
    }
    carded
}

fn keep_card(folder: &Folder, outcome: &Outcome) -> Result<(), Error> {
    let Some(task) = &outcome.task else {
        return Ok(());
    };
    let mut made = Made::read(folder.root())?;
    made.report = (outcome.report.as_ref()).and_then(|report| serde_json::to_value(report).ok());
    let card = card::write(task, &made, card::FIELDS);
    Ok(folder.put(card::FILE, card.as_bytes())?)
}
