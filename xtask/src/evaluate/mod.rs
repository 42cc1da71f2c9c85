//! The measuring bench: recipes × tasks × seeds natively, one JSON report a run, one table of all of them.
//!
//! A report that is there is not made again, and a run that was killed is resumed, so the whole can be stopped and started
//! at will. All rows of a run are trained for the same number of steps; `psi` compares its rows at equal scale (`--equal`).

mod runs;
mod stats;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cargo::{cargo, target_folder};
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, say};
use runs::{Job, Shots};

/// What to run.
#[derive(clap::Args)]
pub struct Options {
    /// Task folders, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "www/tasks/snips_intent,www/tasks/clinc_domain"
    )]
    tasks: Vec<PathBuf>,
    /// Recipes, separated by commas; `lance-sft_only` is lance without a part, `evokd-init` EvoKD + Init,
    /// `psi-rules=1` psi with a knob set otherwise, `psi-rules=1+weigh` two things at once, `psi-taught` psi with a large model's recorded principles, `psi-recorded` its row of a large model's recorded instances, `evokd-taught+static` EvoKD's baseline with those principles, `seeds` what a model is worth before any instance is written
    #[arg(long, value_delimiter = ',', default_value = "psi,lance,evokd")]
    recipes: Vec<String>,
    /// Beside each recipe, every one of its ablations (its own row only)
    #[arg(long)]
    ablations: bool,
    /// Seeds of each label, separated by commas: numbers or `all`
    #[arg(long, value_delimiter = ',', default_value = "all")]
    per_label: Vec<Shots>,
    /// Runs for each, with the seeds 1, 2, 3 …
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Folder of the model, or its GGUF file
    #[arg(long, default_value = "models/seedbed-3m")]
    model: PathBuf,
    /// auto, gpu or cpu
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Accepted instances wanted for each row
    #[arg(long, default_value_t = 70)]
    instances: usize,
    /// Most test rows
    #[arg(long, default_value_t = 250)]
    test_limit: usize,
    /// Watts of the machine at work, for the estimate of energy
    #[arg(long, default_value_t = 15.0)]
    watts: f64,
    /// Further arguments for `seedbed run`, as one text
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    run: String,
    /// Folder for the reports, each in a folder of its model's name; one that is there is not made again
    #[arg(long, default_value = "benches/runs/recipes")]
    out: PathBuf,
    /// Makes the table of what is there, and runs nothing
    #[arg(long)]
    table_only: bool,
    /// A `seedbed` that is built already
    #[arg(long)]
    command: Option<PathBuf>,
}

/// Runs what is missing and writes the table.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    let out = paths.root.join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    if !options.table_only {
        let command = command(paths, options)?;
        for job in plan(options)? {
            job.make(paths, options, &command, &out)?;
        }
    }
    let reports = runs::read_all(&out)?;
    let text = format!(
        "{}\n{}",
        head(paths, options),
        table::of(&reports, options.watts)
    );
    let file = paths.root.join("docs/results.md");
    let page = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, table::placed(&page, &text))
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!("the table is in {}", file.display()));
    Ok(())
}

fn command(paths: &Paths, options: &Options) -> Result<PathBuf> {
    if let Some(command) = &options.command {
        return Ok(command.clone());
    }
    long_step("building the command", || {
        let arguments = [
            "build",
            "--release",
            "--package",
            "seedbed",
            "--bin",
            "seedbed",
        ];
        process::run(cargo(paths).args(arguments))
    })?;
    Ok(target_folder(paths)?.join("release").join("seedbed"))
}

/// All runs there are to be, the first seed of everything before the second of anything.
fn plan(options: &Options) -> Result<Vec<Job>> {
    let mut recipes = Vec::new();
    for recipe in &options.recipes {
        recipes.push(recipe.clone());
        if options.ablations {
            let parts = runs::ablations(recipe).iter();
            recipes.extend(parts.map(|part| format!("{recipe}-{part}")));
        }
    }
    let mut jobs = Vec::new();
    for seed in 1..=options.seeds {
        for task in &options.tasks {
            for recipe in &recipes {
                for shots in &options.per_label {
                    jobs.push(Job::new(task, recipe, *shots, seed)?);
                }
            }
        }
    }
    Ok(jobs)
}

/// What the figures were measured on.
pub fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    json!({"system": std::env::consts::OS, "processor": processor, "cores": cores})
}

fn head(paths: &Paths, options: &Options) -> String {
    let said = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        let text = process::read(command.current_dir(&paths.root).args(arguments));
        text.unwrap_or_default().trim().to_owned()
    };
    format!(
        "Tables made on {} at commit {}; the runs are in `{}`, one JSON report each, with their machine and model.",
        said("date", &["-u", "+%Y-%m-%d"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        options.out.display(),
    )
}
