//! The report on disk: written after every run, so that a bench that is broken off has lost one run at most, and taken up
//! again where that is wished.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Options, report};
use crate::files;
use crate::paths::Paths;

/// What tells one run from another.
const KEY: [&str; 6] = ["system", "where", "model", "device", "variant", "threads"];

/// A report and where it lies.
pub struct Kept {
    file: PathBuf,
    report: Value,
    resume: bool,
}

impl Kept {
    /// Today's report of this machine, or a new one. Runs that are measured again take the place of those before.
    pub fn open(paths: &Paths, options: &Options, head: Value) -> Result<Self> {
        let file = paths.root.join(&options.out).join(name(&head, options));
        let mut report = head;
        if file.is_file() {
            let before: Value = serde_json::from_slice(&files::read(&file)?)
                .with_context(|| format!("{} is no JSON; delete it", file.display()))?;
            report["runs"] = before["runs"].clone();
        }
        Ok(Self {
            file,
            report,
            resume: options.resume,
        })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn report(&self) -> &Value {
        &self.report
    }

    /// Whether a run is there that need not be made again.
    pub fn has(&self, run: &Value) -> bool {
        let whole = |other: &Value| same(run, other) && other["error"].is_null();
        self.resume && self.runs().any(whole)
    }

    fn runs(&self) -> impl Iterator<Item = &Value> {
        self.report["runs"].as_array().into_iter().flatten()
    }

    /// Puts a run in the place of the one before, or behind all others, and writes the report.
    pub fn add(&mut self, mut run: Value) -> Result<()> {
        run["date"] = self.report["date"].clone();
        run["commit"] = self.report["commit"].clone();
        let mut runs: Vec<Value> = self.runs().cloned().collect();
        match runs.iter().position(|other| same(&run, other)) {
            Some(place) => runs[place] = run,
            None => runs.push(run),
        }
        self.report["runs"] = json!(runs);
        let (_, whole) = report::write(self.report.clone());
        let text = serde_json::to_string_pretty(&whole)?;
        files::write(&self.file, format!("{text}\n").as_bytes())
    }
}

fn same(run: &Value, other: &Value) -> bool {
    KEY.iter().all(|key| run[key] == other[key])
}

/// The report that was made last.
pub fn newest(folder: &Path) -> Result<Value> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let report: Value = serde_json::from_slice(&files::read(&path)?)
                .with_context(|| format!("{} is no JSON", path.display()))?;
            found.push((
                report["date"].as_str().unwrap_or_default().to_owned(),
                report,
            ));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    match found.pop() {
        Some((_, report)) => Ok(report),
        None => bail!(
            "{} holds no report: make one with `cargo xtask bench`",
            folder.display()
        ),
    }
}

/// `2026-11-20-linux-2-cores.json`
fn name(report: &Value, options: &Options) -> String {
    let date = report["date"].as_str().unwrap_or_default();
    let day = date.split('T').next().unwrap_or_default();
    let machine = &report["machine"];
    let place = options.place.clone().unwrap_or_else(|| {
        format!(
            "{}-{}-cores",
            machine["system"].as_str().unwrap_or("somewhere"),
            machine["cores"]
        )
    });
    format!("{day}-{place}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_measured_again_takes_the_place_of_the_one_before_and_a_failed_one_is_not_there() {
        let run = |device: &str, value: u64| json!({"system": "seedbed", "device": device, "value": value});
        let file = std::env::temp_dir().join(format!("seedbed-kept-{}.json", std::process::id()));
        let mut kept = Kept {
            file: file.clone(),
            report: json!({"runs": []}),
            resume: true,
        };
        for (device, value) in [("cpu", 1), ("webgpu", 2), ("cpu", 3)] {
            kept.add(run(device, value)).expect("it is written");
        }
        let values: Vec<_> = kept.runs().map(|run| run["value"].as_u64()).collect();
        assert_eq!(values, [Some(3), Some(2)]);
        assert!(kept.has(&run("cpu", 0)) && !kept.has(&run("gpu", 0)));
        let mut failed = run("cpu", 4);
        failed["error"] = json!("too slow");
        kept.add(failed).expect("it is written");
        assert!(!kept.has(&run("cpu", 0)));
        let _ = fs::remove_file(file);
    }
}
