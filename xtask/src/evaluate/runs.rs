//! The runs of the bench: what each is, and making those that are missing.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Options, machine};
use crate::cargo::target_folder;
use crate::files;
use crate::paths::Paths;
use crate::process;
use crate::step::long_step;

/// How many seeds of each label are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shots {
    /// So many.
    Some(usize),
    /// All there are.
    All,
}

impl FromStr for Shots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            text => (text.parse().map(Self::Some))
                .map_err(|_| format!("{text} is neither a number nor all")),
        }
    }
}

impl fmt::Display for Shots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Some(shots) => write!(formatter, "{shots}"),
            Self::All => formatter.write_str("all"),
        }
    }
}

/// What a model is worth before any instance is written, under a name of its own among the recipes: the two rows that all
/// recipes have.
pub const SEEDS: &str = "seeds";

/// The folder of a model's reports, of its file or folder.
pub fn model_name(model: &Path) -> Result<String> {
    let name = match model.extension() {
        Some(end) if end == "gguf" => model.file_stem(),
        _ => model.file_name(),
    };
    let name = name.with_context(|| format!("{} is no model", model.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

/// The parts of a recipe that can be switched off.
pub fn ablations(recipe: &str) -> &'static [&'static str] {
    match recipe {
        "psi" => &[
            "task_level_only",
            "label_level_only",
            "no_selection",
            "no_filter",
        ],
        "lance" => &["sft_only", "dpo_only", "no_review", "no_cleaning"],
        "evokd" => &["no_easy", "no_correct", "no_history", "no_separation"],
        _ => &[],
    }
}

/// The variant whose principles are a large model's: its recorded answer to the brief of the task, which lies beside it.
const TAUGHT: &str = "taught";

/// The variant whose instances are a large model's: those it wrote itself, which lie beside its principles.
const RECORDED: &str = "recorded";

/// The baseline of EvoKD, as a variant: what it is with the principles of another.
const STATIC: &str = "static";

/// The row that a change makes in place of the recipe's own.
fn other_row(recipe: &str, change: &str) -> Option<&'static str> {
    match (recipe, change) {
        ("psi", RECORDED) => Some(RECORDED),
        ("evokd", STATIC) => Some(STATIC),
        _ => None,
    }
}

/// The row that a variant makes of a recipe: its own, that of recorded instances, or the baseline.
pub fn own_row<'n>(recipe: &'n str, variant: &str) -> &'n str {
    changes(Some(variant))
        .find_map(|change| other_row(recipe, change))
        .unwrap_or(recipe)
}

/// What a variant changes, one by one.
fn changes(variant: Option<&str>) -> impl Iterator<Item = &str> {
    variant.into_iter().flat_map(|variant| variant.split('+'))
}

/// Knobs that are on or off.
const SWITCHES: [&str; 2] = ["init", "weigh"];

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    task: PathBuf,
    task_name: String,
    recipe: String,
    /// What is otherwise, joined by `+`: a part that is switched off, a switch of [`SWITCHES`], a knob and its value,
    /// [`TAUGHT`], or another row ([`RECORDED`], [`STATIC`]).
    variant: Option<String>,
    shots: Shots,
    seed: u64,
}

impl Job {
    pub fn new(task: &Path, recipe: &str, shots: Shots, seed: u64) -> Result<Self> {
        let name = task.file_name();
        let name = name.with_context(|| format!("{} is no task folder", task.display()))?;
        let (recipe, variant) = match recipe.split_once('-') {
            Some((recipe, variant)) => (recipe, Some(variant.to_owned())),
            None => (recipe, None),
        };
        let known = |change: &&str| {
            change.contains('=')
                || recipe != "lance" && *change == TAUGHT
                || other_row(recipe, change).is_some()
                || SWITCHES.contains(change)
                || ablations(recipe).contains(change)
        };
        if let Some(unknown) = changes(variant.as_deref()).find(|change| !known(change)) {
            bail!(
                "{recipe} has no part {unknown}; it has {}, the switches {}, knobs as NAME=VALUE, {TAUGHT} in psi and evokd, {RECORDED} in psi, and {STATIC} in evokd",
                ablations(recipe).join(", "),
                SWITCHES.join(", ")
            );
        }
        Ok(Self {
            task: task.to_owned(),
            task_name: name.to_string_lossy().into_owned(),
            recipe: recipe.to_owned(),
            variant,
            shots,
            seed,
        })
    }

    /// The name of its report.
    pub fn name(&self) -> String {
        let variant = self
            .variant
            .as_ref()
            .map_or(String::new(), |v| format!("-{v}"));
        let (task, recipe) = (&self.task_name, &self.recipe);
        format!("{task}-{recipe}{variant}-{}-{}", self.shots, self.seed)
    }

    /// The arguments that say what this run is.
    fn arguments(&self) -> Vec<String> {
        let recipe = match self.recipe.as_str() {
            SEEDS => "psi",
            recipe => recipe,
        };
        let mut list = vec!["--recipe".to_owned(), recipe.to_owned()];
        for change in changes(self.variant.as_deref()) {
            match change.split_once('=') {
                Some((knob, value)) => {
                    list.extend([format!("--{}", knob.replace('_', "-")), value.to_owned()]);
                }
                None if SWITCHES.contains(&change) => list.push(format!("--{change}")),
                None if change == TAUGHT => {
                    let answer = format!("tests/fixtures/teacher/{}.answer.json", self.task_name);
                    list.extend(["--teacher".into(), format!("recorded:{answer}")]);
                }
                None if change == RECORDED => {
                    let rows = format!("tests/fixtures/teacher/{}.instances.jsonl", self.task_name);
                    list.extend(["--recorded".into(), rows]);
                }
                // All that is otherwise is the row.
                None if change == STATIC => {}
                None => list.extend(["--ablate".into(), change.to_owned()]),
            }
        }
        match &self.variant {
            Some(variant) => {
                let row = own_row(&self.recipe, variant);
                list.extend(["--rows".into(), row.to_owned()]);
            }
            None if self.recipe == SEEDS => {
                list.extend(["--rows".into(), "untouched,seeds_only".into()]);
            }
            None if self.recipe == "psi" => list.push("--equal".into()),
            None => {}
        }
        if let Shots::Some(shots) = self.shots {
            list.extend(["--seeds-per-label".into(), shots.to_string()]);
        }
        list.extend(["--seed".into(), self.seed.to_string()]);
        list
    }

    /// Makes the report, unless it is there. A run that was killed goes on where it was.
    pub fn make(&self, paths: &Paths, options: &Options, command: &Path, out: &Path) -> Result<()> {
        let model = model_name(&options.model)?;
        let file = out.join(&model).join(format!("{}.json", self.name()));
        if file.exists() {
            return Ok(());
        }
        let runs = target_folder(paths)?.join("evaluate").join(&model);
        let folder = runs.join(self.name());
        let mut process = std::process::Command::new(command);
        process.current_dir(&paths.root).args(["run", "--json"]);
        if folder.join("run.json").exists() {
            process.arg("--resume").arg(&folder);
        } else {
            process
                .arg(&self.task)
                .arg("--out")
                .arg(&folder)
                .arg("--model")
                .arg(&options.model)
                .args(["--device", &options.device])
                .args(["--instances", &options.instances.to_string()])
                .args(["--test-limit", &options.test_limit.to_string()])
                .args(self.arguments())
                .args(options.run.split_whitespace());
        }
        let text = long_step(&self.name(), || process::read(&mut process))?;
        let mut report: Value =
            serde_json::from_str(&text).context("`seedbed run --json` wrote no JSON")?;
        report["machine"] = machine();
        report["recipe"] = json!(self.recipe);
        report["per_label"] = json!(self.shots.to_string());
        report["variant"] = json!(self.variant);
        files::write(&file, serde_json::to_string_pretty(&report)?.as_bytes())?;
        files::remove_folder(&folder)
    }
}

/// All reports in a folder, by model and name.
pub fn read_all(out: &Path) -> Result<Vec<Value>> {
    let mut names = Vec::new();
    for model in entries(out)?.into_iter().filter(|entry| entry.is_dir()) {
        let is_report = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        names.extend(entries(&model)?.into_iter().filter(is_report));
    }
    names
        .iter()
        .map(|file| {
            serde_json::from_slice(&files::read(file)?)
                .with_context(|| format!("{} is no report; delete it to run again", file.display()))
        })
        .collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn job(recipe: &str, shots: &str) -> Result<Job> {
        Job::new(Path::new("a/trec6"), recipe, shots.parse().unwrap(), 2)
    }

    #[test]
    fn a_run_is_named_by_all_that_it_is() {
        assert_eq!(job("psi", "all").unwrap().name(), "trec6-psi-all-2");
        assert_eq!(
            job("evokd-init", "1").unwrap().name(),
            "trec6-evokd-init-1-2"
        );
        assert_eq!(
            job("psi-rules=1", "2").unwrap().name(),
            "trec6-psi-rules=1-2-2"
        );
        assert_eq!(
            job("lance-sft_only", "8").unwrap().name(),
            "trec6-lance-sft_only-8-2"
        );
    }

    #[test]
    fn a_models_reports_lie_in_a_folder_of_its_name() {
        let name = |path: &str| model_name(Path::new(path)).unwrap();
        assert_eq!(name("models/seedbed-3m"), "seedbed-3m");
        assert_eq!(name("kept/SmolLM2-135M.Q4_1.gguf"), "SmolLM2-135M.Q4_1");
    }

    #[test]
    fn an_ablation_makes_its_own_row_alone_and_one_of_another_recipe_is_refused() {
        let arguments = job("lance-sft_only", "all").unwrap().arguments().join(" ");
        assert_eq!(
            arguments,
            "--recipe lance --ablate sft_only --rows lance --seed 2"
        );
        for (variant, told) in [
            ("psi-seed_weight=6", "--seed-weight 6"),
            ("psi-weigh", "--weigh"),
            (
                "psi-guidance=2+guide_from=label+no_filter",
                "--guidance 2 --guide-from label --ablate no_filter",
            ),
            (
                "psi-taught",
                "--teacher recorded:tests/fixtures/teacher/trec6.answer.json",
            ),
        ] {
            let arguments = job(variant, "all").unwrap().arguments().join(" ");
            assert_eq!(
                arguments,
                format!("--recipe psi {told} --rows psi --seed 2")
            );
        }
        assert!(
            job("psi", "2")
                .unwrap()
                .arguments()
                .contains(&"--equal".to_owned())
        );
        assert_eq!(
            job("seeds", "8").unwrap().arguments().join(" "),
            "--recipe psi --rows untouched,seeds_only --seeds-per-label 8 --seed 2"
        );
        assert_eq!(
            job("psi-recorded", "all").unwrap().arguments().join(" "),
            "--recipe psi --recorded tests/fixtures/teacher/trec6.instances.jsonl --rows recorded --seed 2"
        );
        assert_eq!(
            job("evokd-taught+static", "1")
                .unwrap()
                .arguments()
                .join(" "),
            "--recipe evokd --teacher recorded:tests/fixtures/teacher/trec6.answer.json --rows static --seeds-per-label 1 --seed 2"
        );
        assert!(job("psi-static", "all").is_err());
        assert!(job("lance-taught", "all").is_err());
        assert!(job("psi-sft_only", "all").is_err());
        let unknown = job("psi-weigh+sft_only", "all").unwrap_err().to_string();
        assert!(
            unknown.starts_with("psi has no part sft_only;"),
            "{unknown}"
        );
        assert!("few".parse::<Shots>().is_err());
    }
}
