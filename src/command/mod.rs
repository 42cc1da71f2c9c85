//! The subcommands and their arguments, each declared once.

mod ask;
mod bench;
mod brief;
mod card;
mod cost;
mod eval;
mod export;
mod folder;
mod models;
mod recipe;
mod run;
mod shown;

use std::path::PathBuf;

use seedbed::Error;
use seedbed::kernels::{self, Choice, Opened, Packing};
use seedbed::model::{Adapter, Format, Model, Placement};
use serde::{Deserialize, Serialize};

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
    Run(Box<run::Run>),
    /// Print a recipe as a file to edit: every knob with its doc line, its range and its usual value.
    Recipe(recipe::RecipeOf),
    /// Measure a model, with an adapter or without, on a task's test rows.
    Eval(eval::Eval),
    /// Write what a run has kept as rows that other trainers read, with a data set card.
    Export(export::Export),
    /// Print what a teacher would be sent, byte for byte, without sending it.
    Brief(brief::BriefOf),
    /// Print the scores over the vocabulary at every position of a sequence.
    Logits(ask::Logits),
    /// Continue a prompt.
    Generate(ask::Generate),
    /// Time a model: reading, decoding, writing instances, training.
    Bench(bench::Bench),
    /// Add an adapter into a model's weights and write the whole as a model folder.
    Merge(ask::Merge),
    /// Fetch a model from the hub and keep it on this machine.
    Pull(models::Pull),
    /// List the models kept on this machine, or delete one.
    Models(models::List),
}

impl Command {
    /// Does what was asked.
    pub async fn run(self) -> Result<(), Error> {
        match self.part {
            Part::Run(run) => run.run().await,
            Part::Recipe(recipe) => recipe.run(),
            Part::Eval(eval) => eval.run().await,
            Part::Export(export) => export.run(),
            Part::Brief(brief) => brief.run(),
            Part::Logits(logits) => logits.run().await,
            Part::Generate(generate) => generate.run().await,
            Part::Bench(bench) => bench.run().await,
            Part::Merge(merge) => merge.run(),
            Part::Pull(pull) => pull.run(),
            Part::Models(models) => models.run(),
        }
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, clap::Args, Serialize, Deserialize)]
struct ModelArguments {
    /// Folder of a model in the hub's layout, a GGUF file, or the name of a model that `seedbed pull` has fetched.
    #[arg(long, value_name = "PATH", default_value = "models/seedbed-3m")]
    model: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// The format the model's matrices are kept in while it runs.
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
}

/// A format of weights in memory.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dtype {
    /// What a GGUF file has them in, where that is 8 or 4 bits; other blocks in 8 bits, and plain numbers in 32.
    #[default]
    Stored,
    /// 32 bits.
    F32,
    /// 16 bits.
    F16,
    /// 8 bits, a scale for every 32.
    Q8,
    /// 4 bits, a scale and a minimum for every 32.
    Q4,
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
        let place = Placement {
            device: opened.device.clone(),
            format: match self.dtype {
                Dtype::Stored => Format::Stored,
                Dtype::F32 => Format::Plain,
                Dtype::F16 => Format::Packed(Packing::F16),
                Dtype::Q8 => Format::Packed(Packing::Q8),
                Dtype::Q4 => Format::Packed(Packing::Q4),
            },
        };
        let (path, repository) = models::place(&self.model)?;
        let mut model = Model::open(&path, place)?;
        if let Some(name) = repository {
            // An adapter names its base so, and other machines find it by that.
            model.name = name;
        }
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
