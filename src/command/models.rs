//! `pull` and `models`: fetching models from the hub, and what is kept of them.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use seedbed::Error;
use seedbed::model::{Memory, Repository};
use seedbed::store::models::{Hub, Models, PullError};
use serde_json::json;

use super::print;

/// Fetch a model from the hub and keep it on this machine.
///
/// The hub is huggingface.co, or what HF_ENDPOINT says; a token is read from HF_TOKEN. Models are kept in the user's
/// cache, or where SEEDBED_MODELS says. An interrupted download is continued by the same command.
#[derive(Debug, clap::Args)]
pub struct Pull {
    /// owner/name, or owner/name@revision with a branch, a tag or a commit.
    #[arg(value_name = "REPO[@REV]")]
    repository: String,
    /// One GGUF file, where the repository holds several.
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// Print what is kept as one object.
    #[arg(long)]
    json: bool,
}

/// Context that the memory for running is estimated for, in tokens.
const CONTEXT: usize = 2048;
/// Weights lie in memory as f32.
const WEIGHT_BITS: u64 = 32;

impl Pull {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        let repository = Repository::parse(&self.repository).map_err(PullError::from)?;
        let (hub, models) = (Hub::of_user()?, Models::of_user()?);
        let listing = hub.listing(&repository)?;
        let chosen = self.file.as_deref();
        let needed = listing.needed(chosen).map_err(PullError::from)?;
        let bytes = needed.iter().map(|file| file.size).sum();
        eprintln!(
            "{}: {} files, {}",
            repository.name,
            needed.len(),
            readable(bytes)
        );
        if let Some(config) = hub.config(&repository, &listing, chosen)? {
            let memory = Memory::estimate(
                &config,
                WEIGHT_BITS,
                CONTEXT.min(config.max_position_embeddings),
            );
            eprintln!(
                "takes about {} of memory to run and {} to fine-tune",
                readable(memory.run),
                readable(memory.tune)
            );
        }
        let live = std::io::stderr().is_terminal();
        let mut shown = u64::MAX;
        let kept = models.pull(&hub, &repository, &listing, chosen, |progress| {
            let percent = progress.here * 100 / progress.all.max(1);
            if live && percent != shown {
                shown = percent;
                let _ = write!(std::io::stderr(), "\r{percent:3} % {:60}", progress.file);
            }
        });
        if live && shown != u64::MAX {
            eprintln!();
        }
        let kept = kept?;
        if self.json {
            return print(&json!({ "model": kept, "folder": models.folder(&repository) }));
        }
        println!("{}", models.folder(&repository).display());
        Ok(())
    }
}

/// List the models kept on this machine, or delete one.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Delete this one.
    #[arg(long, value_name = "REPO[@REV]")]
    delete: Option<String>,
    /// Print {"models": […]} or {"deleted": bytes}.
    #[arg(long)]
    json: bool,
}

impl List {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        let models = Models::of_user()?;
        models.tidy()?;
        if let Some(name) = &self.delete {
            let repository = Repository::parse(name).map_err(PullError::from)?;
            let freed = models.delete(&repository)?;
            if self.json {
                return print(&json!({ "deleted": freed }));
            }
            println!("{name} is deleted, {} are free again", readable(freed));
            return Ok(());
        }
        let kept = models.list()?;
        if self.json {
            let kept: Vec<_> = kept.iter().map(|(kept, _)| kept).collect();
            return print(&json!({ "models": kept }));
        }
        for (kept, folder) in &kept {
            println!(
                "{}\t{}\t{}",
                kept.name(),
                readable(kept.size()),
                folder.display()
            );
        }
        if kept.is_empty() {
            eprintln!("no model is kept here; fetch one with `seedbed pull owner/name`");
        }
        Ok(())
    }
}

/// Where the model of that name or path lies, and its name on the hub when that is where it is from.
pub fn place(model: &Path) -> Result<(PathBuf, Option<String>), Error> {
    if model.exists() {
        return Ok((model.into(), None));
    }
    // What is neither a path nor a name is reported as the missing folder it would be.
    match model.to_str().map(Repository::parse) {
        Some(Ok(repository)) => {
            let folder = Models::of_user()?.find(&repository)?;
            Ok((folder, Some(repository.name)))
        }
        _ => Ok((model.into(), None)),
    }
}

fn readable(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
