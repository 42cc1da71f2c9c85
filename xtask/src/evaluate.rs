//! The table of rows × tasks: runs `seedbed run` natively for several seeds, keeps each report, and writes a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cargo::{cargo, target_folder};
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, say};

/// The rows of a run, in the order of the table.
const ROWS: [&str; 4] = ["untouched", "seeds_only", "direct", "psi"];

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
    /// Runs for each task, with the seeds 1, 2, 3 …
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Folder of the model
    #[arg(long, default_value = "models/seedbed-3m")]
    model: PathBuf,
    /// auto, gpu or cpu
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Further arguments for `seedbed run`, as one text
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    run: String,
    /// Folder for the reports and the table; a report that is there is not made again
    #[arg(long, default_value = "benches/runs/psi")]
    out: PathBuf,
}

/// Runs what is missing and writes the table.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    long_step("building the command", || {
        process::run(cargo(paths).args([
            "build",
            "--release",
            "--package",
            "seedbed",
            "--bin",
            "seedbed",
        ]))
    })?;
    let command = target_folder(paths)?.join("release").join("seedbed");
    let out = paths.root.join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut reports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for task in &options.tasks {
        let name = task
            .file_name()
            .with_context(|| format!("{} is no task folder", task.display()))?
            .to_string_lossy()
            .into_owned();
        for seed in 1..=options.seeds {
            let file = out.join(format!("{name}-{seed}.json"));
            let report = match fs::read_to_string(&file) {
                Ok(text) => serde_json::from_str(&text).with_context(|| {
                    format!("{} is no report; delete it to run again", file.display())
                })?,
                Err(_) => {
                    let report = once(paths, options, &command, task, seed)?;
                    fs::write(&file, serde_json::to_string_pretty(&report)?)
                        .with_context(|| format!("cannot write {}", file.display()))?;
                    report
                }
            };
            reports.entry(name.clone()).or_default().push(report);
        }
    }
    let table = table(&reports);
    let file = out.join("README.md");
    fs::write(&file, format!("{}\n{table}", head(paths, options)))
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!("the table is in {}", file.display()));
    Ok(())
}

fn once(paths: &Paths, options: &Options, command: &Path, task: &Path, seed: u64) -> Result<Value> {
    let what = format!("{} with seed {seed}", task.display());
    let text = long_step(&what, || {
        process::read(
            std::process::Command::new(command)
                .current_dir(&paths.root)
                .arg("run")
                .arg(task)
                .arg("--model")
                .arg(&options.model)
                .args([
                    "--device",
                    &options.device,
                    "--seed",
                    &seed.to_string(),
                    "--json",
                ])
                .args(options.run.split_whitespace()),
        )
    })?;
    let mut report: Value =
        serde_json::from_str(&text).context("`seedbed run --json` wrote no JSON")?;
    if report["rows"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
    {
        bail!("{what}: the report has no rows");
    }
    report["machine"] = machine();
    Ok(report)
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
    let date = process::read(std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]))
        .unwrap_or_default();
    let commit = process::read(
        std::process::Command::new("git")
            .current_dir(&paths.root)
            .args(["rev-parse", "--short", "HEAD"]),
    )
    .unwrap_or_default();
    format!(
        "# Rows compared, {}\n\nModel `{}`, device {}, seeds 1 to {}, `seedbed run` of commit {} with {}. One JSON report \
         a run beside this file. Made by `cargo xtask evaluate`.\n",
        date.trim(),
        options.model.display(),
        options.device,
        options.seeds,
        commit.trim(),
        if options.run.trim().is_empty() {
            "its defaults"
        } else {
            options.run.trim()
        },
    )
}

/// Mean and standard deviation over the seeds, in per cent, for each task and row.
fn table(reports: &BTreeMap<String, Vec<Value>>) -> String {
    let mut text = String::from(
        "Accuracy in %, mean ± standard deviation over the seeds.\n\n\
         | task | test rows | untouched | seeds only | instances without principles | PSI | PSI − seeds only | PSI − without | accepted of written (without / PSI) |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut gains: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for (task, runs) in reports {
        let of = |row: &str| -> Vec<f64> {
            runs.iter()
                .filter_map(|run| run["rows"][row]["accuracy"].as_f64())
                .map(|accuracy| 100.0 * accuracy)
                .collect()
        };
        let cells: Vec<String> = ROWS.iter().map(|row| spread(&of(row))).collect();
        let gain = |base: &str| -> Vec<f64> {
            of("psi")
                .iter()
                .zip(of(base))
                .map(|(psi, other)| psi - other)
                .collect()
        };
        let (over_seeds, over_direct) = (gain("seeds_only"), gain("direct"));
        let counts = |row: &str| {
            let sum = |key: &str| -> u64 {
                runs.iter()
                    .filter_map(|run| run["instances_by_row"][row][key].as_u64())
                    .sum()
            };
            format!("{} of {}", sum("accepted"), sum("generated"))
        };
        let n = runs
            .first()
            .map_or(0, |run| run["rows"]["psi"]["n"].as_u64().unwrap_or(0));
        text.push_str(&format!(
            "| {task} | {n} | {} | {} | {} | {} / {} |\n",
            cells.join(" | "),
            spread(&over_seeds),
            spread(&over_direct),
            counts("direct"),
            counts("psi"),
        ));
        gains[0].push(mean(&over_seeds));
        gains[1].push(mean(&over_direct));
    }
    text.push_str(&format!(
        "\nMean over tasks: PSI − seeds only {:+.1} points, PSI − instances without principles {:+.1} points.\n",
        mean(&gains[0]),
        mean(&gains[1])
    ));
    text
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn spread(values: &[f64]) -> String {
    if values.is_empty() {
        return "–".into();
    }
    let mean = mean(values);
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (values.len().max(2) - 1) as f64;
    format!("{mean:.1} ± {:.1}", variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_means_deviations_and_gains() {
        let run = |seeds: f64, psi: f64| {
            json!({"rows": {"seeds_only": {"accuracy": seeds}, "psi": {"accuracy": psi, "n": 7}},
                "instances_by_row": {"psi": {"accepted": 2, "generated": 5}}})
        };
        let reports = BTreeMap::from([("t".to_owned(), vec![run(0.5, 0.6), run(0.7, 0.8)])]);
        let table = table(&reports);
        assert!(
            table.contains(
                "| t | 7 | – | 60.0 ± 14.1 | – | 70.0 ± 14.1 | 10.0 ± 0.0 | – | 0 of 0 / 4 of 10 |"
            ),
            "{table}"
        );
        assert!(table.contains("PSI − seeds only +10.0 points"));
    }
}
