//! `brief`: what would be sent to a teacher, byte for byte, without sending it.

use std::io::Write;
use std::path::{Path, PathBuf};

use seedbed::Error;
use seedbed::principle::api;
use seedbed::privacy::{Brief, Destination, Entry, Epsilon, Guard, Ledger, OsEntropy, Sketch};
use seedbed::task;
use serde_json::json;

use super::print;

/// Print what a teacher would be sent, byte for byte, without sending it.
///
/// The figures about your examples hold fresh random noise each time; a run draws its own, and keeps what it sent in
/// its ledger.
#[derive(Debug, clap::Args)]
pub struct BriefOf {
    /// Folder with task.json and seeds.jsonl.
    task: PathBuf,
    /// How much the brief may tell of one seed: 0 tells nothing, 2 is usual, more is less private.
    #[arg(long, value_name = "E", default_value_t = Epsilon::ROUND, value_parser = epsilon)]
    epsilon: Epsilon,
    /// Address of the teacher it would go to.
    #[arg(long, value_name = "URL", default_value = "http://localhost:11434/v1")]
    teacher: String,
    /// Name of the model at the teacher's address.
    #[arg(long, value_name = "NAME", default_value = "default")]
    teacher_model: String,
    /// Print what a run has sent, out of the ledger.json in its folder, instead of drawing anew.
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    run: Option<PathBuf>,
    /// Which of that run's briefs, counted from 1.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "run")]
    round: usize,
    /// Print the whole body of the request, not only the brief in it.
    #[arg(long)]
    body: bool,
    /// Print one object: the brief, the body, the figures behind it, warnings, and the ledger as it would stand.
    #[arg(long, conflicts_with = "body")]
    json: bool,
}

/// Reads how many seeds may be sent as they stand.
pub fn shared(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= 64 => Ok(count),
        _ => Err("it must be a whole number up to 64".to_owned()),
    }
}

/// Reads an epsilon; zero is allowed.
pub fn epsilon(text: &str) -> Result<Epsilon, String> {
    match text {
        "0" => Ok(Epsilon::ZERO),
        text => text.parse().map_err(|error| format!("{error}, or 0")),
    }
}

impl BriefOf {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        if let Some(folder) = &self.run {
            return write(&self.sent(folder)?);
        }
        let task = task::read_folder(&self.task)?;
        let destination = Destination::parse(&self.teacher)?;
        let sketch = match self.epsilon {
            Epsilon::ZERO => None,
            epsilon => Some(Sketch::draw(&task, epsilon, &mut OsEntropy::default())?),
        };
        let brief = Brief::with(&task, sketch.as_ref(), None);
        let mut ledger = Ledger::new(Epsilon::TOTAL.max(self.epsilon));
        let guard = Guard::new(&task, destination.clone());
        let (brief, warnings) = guard.clear(brief, destination, &mut ledger, api::now())?;
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let body = api::request_body(&brief, &self.teacher_model);
        if self.json {
            return print(&json!({
                "brief": brief.get().text(),
                "body": body,
                "bytes": body.len(),
                "destination": brief.destination().url(),
                "epsilon": brief.get().epsilon(),
                "sketch": sketch,
                "warnings": warnings,
                "ledger": ledger,
            }));
        }
        for warning in warnings {
            eprintln!("note: {warning}");
        }
        let text = if self.body { &body } else { brief.get().text() };
        write(text)
    }

    /// What a run has sent.
    fn sent(&self, folder: &Path) -> Result<String, Error> {
        let path = folder.join("ledger.json");
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Error::Setting(format!(
                "{}: cannot be read ({cause}); give the folder of a run that asked a teacher",
                path.display()
            ))
        })?;
        let ledger = Ledger::from_json(&text)?;
        let found = ledger.entries().iter().filter_map(|entry| match entry {
            Entry::Cleared { text, .. } if !self.body => Some(text.clone()),
            Entry::Sent { body, .. } if self.body => Some(body.clone()),
            _ => None,
        });
        let sent: Vec<String> = found.collect();
        let round = self.round.checked_sub(1).and_then(|at| sent.get(at));
        round.cloned().ok_or_else(|| {
            Error::Setting(format!(
                "{} holds {} of these; choose --round accordingly",
                path.display(),
                sent.len()
            ))
        })
    }
}

/// Exactly these bytes: no line end is added.
fn write(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::Setting(format!("standard output cannot be written ({error})")))
}
