//! `eval`: measuring alone.

use std::path::PathBuf;

use seedbed::Error;
use seedbed::evolve::{self, Cancel, Event, Monitor};
use seedbed::task::{self, Metrics};

use super::shown::{Shown, line};
use super::{AdaptedArguments, print};

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

/// What `eval` prints.
#[derive(serde::Serialize)]
struct Measured<'a> {
    task: &'a str,
    model: &'a str,
    device: &'a str,
    #[serde(flatten)]
    metrics: Metrics,
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
        let scored = {
            let mut monitor = Monitor::new(|event: &Event| shown.show(event), Cancel::new());
            evolve::evaluate(&model, &task, adapter.as_ref(), &task.test, &mut monitor).await?
        };
        shown.end();
        let metrics = scored.metrics;
        if self.json {
            return print(&Measured {
                task: &task.name,
                model: &model.name,
                device: opened.kind.name(),
                metrics,
            });
        }
        println!("{}", line(&task.name, &metrics));
        Ok(())
    }
}
