//! The subcommands and their arguments, each declared once.

mod ask;
mod brief;
mod run;

use std::path::PathBuf;

use seedbed::Error;
use seedbed::kernels::{self, Choice, Opened};
use seedbed::model::{Adapter, Model};

/// Teach a small language model a task from a handful of examples, on your own machine.
#[derive(Debug, clap::Parser)]
#[command(name = "seedbed", version, max_term_width = 100)]
pub struct Command {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Run a task end to end: principles, instances, fine-tuning, and the rows it is compared with.
    Run(run::Run),
    /// Measure a model, with an adapter or without, on a task's test rows.
    Eval(run::Eval),
    /// Print what a teacher would be sent, byte for byte, without sending it.
    Brief(brief::BriefOf),
    /// Print the scores over the vocabulary at every position of a sequence.
    Logits(ask::Logits),
    /// Continue a prompt.
    Generate(ask::Generate),
}

impl Command {
    /// Does what was asked.
    pub async fn run(self) -> Result<(), Error> {
        match self.part {
            Part::Run(run) => run.run().await,
            Part::Eval(eval) => eval.run().await,
            Part::Brief(brief) => brief.run(),
            Part::Logits(logits) => logits.run().await,
            Part::Generate(generate) => generate.run().await,
        }
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum DeviceChoice {
    /// The GPU where a real one answers, else the CPU.
    #[default]
    Auto,
    /// The GPU, or an error.
    Gpu,
    /// The CPU.
    Cpu,
}

/// Which model, and where it runs.
#[derive(Debug, clap::Args)]
struct ModelArguments {
    /// Folder of a model in the hub's layout: config.json, tokenizer.json, model.safetensors.
    #[arg(long, value_name = "DIR", default_value = "models/seedbed-3m")]
    model: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

impl ModelArguments {
    async fn open(&self) -> Result<(Model, Opened), Error> {
        let choice = match self.device {
            DeviceChoice::Auto => Choice::Auto,
            DeviceChoice::Gpu => Choice::Gpu,
            DeviceChoice::Cpu => Choice::Cpu,
        };
        let opened = kernels::open(choice).await?;
        if let Some(notice) = &opened.notice {
            eprintln!("{notice}");
        }
        let model = Model::from_folder(&self.model, &opened.device)?;
        Ok((model, opened))
    }
}

/// A model, and an adapter beside it.
#[derive(Debug, clap::Args)]
struct AdaptedArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// PEFT directory of an adapter to put beside it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
}

impl AdaptedArguments {
    async fn open(&self) -> Result<(Model, Option<Adapter>, Opened), Error> {
        let (model, opened) = self.model.open().await?;
        let adapter = match &self.adapter {
            Some(folder) => Some(Adapter::from_folder(
                folder,
                model.decoder.config(),
                &opened.device,
            )?),
            None => None,
        };
        Ok((model, adapter, opened))
    }
}

/// One object on standard output, and nothing else.
fn print(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::Setting(error.to_string()))?;
    println!("{text}");
    Ok(())
}
