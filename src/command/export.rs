//! `export`: what a run has kept, in the forms in which other trainers read instruction and preference data.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use seedbed::Error;
use seedbed::evolve::{RowName, prompts};
use seedbed::task::{self, Task, TaskKind};
use serde_json::{Map, Value, json};

use super::card;
use super::folder::{Begun, Made};

/// The name of the rows, as the hub reads them.
const ROWS: &str = "train.jsonl";

/// Write what a run has kept as rows that other trainers read, one JSON object a line.
///
/// A prompt is what the student was asked, word for word; each row says in `provenance` where it came from. With --out the rows
/// are `train.jsonl`, beside a data set card (README.md), as the Hugging Face hub has data sets; else they are printed.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Folder that `run --out` has made.
    run: PathBuf,
    /// The form of the rows.
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t)]
    form: Form,
    /// The row of the run whose instances to write: that of its recipe, unless given.
    #[arg(long, value_name = "NAME", value_parser = row)]
    row: Option<RowName>,
    /// Folder of the run's task, where that has moved.
    #[arg(long, value_name = "DIR")]
    task: Option<PathBuf>,
    /// Folder for the rows and the card.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A form of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// `messages` with role and content (OpenAI, TRL).
    #[default]
    Messages,
    /// `prompt` and `completion` (TRL).
    PromptCompletion,
    /// `instruction`, `input` and `output` (Alpaca).
    Alpaca,
    /// `conversations` with from and value (ShareGPT).
    Sharegpt,
    /// `prompt`, `chosen` and `rejected` (TRL, for DPO): the preference pairs of a lance run.
    Preference,
}

fn row(text: &str) -> Result<RowName, String> {
    let known = RowName::ALL.iter().filter(|row| **row >= RowName::Direct);
    let found = known.clone().find(|row| row.name() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = known.map(|row| row.name()).collect();
        format!("it must be a row with instances: {}", names.join(", "))
    })
}

impl Export {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        let made = Made::read(&self.run)?;
        let folder = match &self.task {
            Some(folder) => folder.clone(),
            None => Begun::read(&self.run)?.task,
        };
        let task = task::read_folder(&folder)?;
        self.is_that_of(&task, &made)?;
        let rows = match self.form {
            Form::Preference => pairs(&task, &made)?,
            form => kept(&task, &made, form, self.row)?,
        };
        let mut text = String::new();
        for row in &rows {
            text.push_str(&row.to_string());
            text.push('\n');
        }
        let Some(out) = &self.out else {
            // Whoever reads may stop early.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return Ok(());
        };
        let card = card::write(&task, &made, Some(self.form.fields()));
        put(out, ROWS, &text)?;
        put(out, card::FILE, &card)?;
        eprintln!("{} rows in {}", rows.len(), out.join(ROWS).display());
        Ok(())
    }

    /// Another task's words would make other prompts than those that were learnt.
    fn is_that_of(&self, task: &Task, made: &Made) -> Result<(), Error> {
        let started = &made.started;
        if started["task"] == task.name.as_str() && started["labels"] == json!(task.labels) {
            return Ok(());
        }
        Err(Error::Setting(format!(
            "{} is a run of the task {}, and the task {} has another name or other labels; give the run's own by --task",
            self.run.display(),
            started["task"],
            task.name
        )))
    }
}

impl Form {
    /// What a row of it holds.
    fn fields(self) -> &'static str {
        match self {
            Self::Messages => {
                "`messages`: one of the role `user` and one of the role `assistant`, each with its `content`;\n\
                 `provenance` (task, recipe, row, round, label, ids of principles, model, seed)."
            }
            Self::PromptCompletion => {
                "`prompt`, `completion`; `provenance` (task, recipe, row, round, label, ids of principles, model, seed)."
            }
            Self::Alpaca => {
                "`instruction`, `input`, `output`; `provenance` (task, recipe, row, round, label, ids of principles, model, seed)."
            }
            Self::Sharegpt => {
                "`conversations`: one `from` `human` and one `from` `gpt`, each with its `value`;\n\
                 `provenance` (task, recipe, row, round, label, ids of principles, model, seed)."
            }
            Self::Preference => {
                "`prompt`, `chosen`, `rejected`; `provenance` (task, recipe, row, round, the marks of both answers, model, seed)."
            }
        }
    }
}

fn put(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let write = || {
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, text)
    };
    write().map_err(|cause| {
        Error::Setting(format!(
            "{}: cannot be written ({cause}); choose another --out",
            path.display()
        ))
    })
}

/// Where all rows of a run come from.
fn origin(made: &Made) -> Map<String, Value> {
    let mut origin = Map::new();
    for (name, field) in [
        ("task", "task"),
        ("recipe", "recipe"),
        ("model", "model"),
        ("run_seed", "seed"),
    ] {
        origin.insert(name.to_owned(), made.started[field].clone());
    }
    origin
}

/// The accepted instances of a row.
fn kept(task: &Task, made: &Made, form: Form, row: Option<RowName>) -> Result<Vec<Value>, Error> {
    let recipe = made.started["recipe"].as_str().unwrap_or_default();
    let row = match row {
        Some(row) => row.name(),
        None => recipe,
    };
    let mut rows = Vec::new();
    for instance in &made.instances {
        if instance["row"] != row || instance["accepted"] != true {
            continue;
        }
        let word = |field: &str| instance[field].as_str();
        let text = word("text").unwrap_or_default();
        let answer = word("answer").or(word("label")).unwrap_or_default();
        let mut provenance = origin(made);
        let told = [
            "text", "context", "answer", "entities", "accepted", "reason", "refusal",
        ];
        for (field, value) in instance.as_object().into_iter().flatten() {
            if !told.contains(&field.as_str()) {
                provenance.insert(field.clone(), value.clone());
            }
        }
        let mut written = form.row(task, text, word("context"), answer);
        written.insert("provenance".to_owned(), Value::Object(provenance));
        rows.push(Value::Object(written));
    }
    match rows.is_empty() {
        false => Ok(rows),
        true => Err(Error::Setting(format!(
            "the run has no instance that was kept for the row {row}; choose another by --row"
        ))),
    }
}

impl Form {
    fn row(
        self,
        task: &Task,
        text: &str,
        context: Option<&str>,
        answer: &str,
    ) -> Map<String, Value> {
        let prompt = prompts::question(task, &prompts::Head::of(task), text, context);
        let row = match self {
            Self::Messages => json!({"messages": [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": answer},
            ]}),
            Self::Sharegpt => json!({"conversations": [
                {"from": "human", "value": prompt},
                {"from": "gpt", "value": answer},
            ]}),
            Self::Alpaca => {
                let (instruction, input) = halves(task, text, context);
                json!({"instruction": instruction, "input": input, "output": answer})
            }
            Self::PromptCompletion | Self::Preference => {
                json!({"prompt": prompt, "completion": answer})
            }
        };
        match row {
            Value::Object(row) => row,
            _ => Map::new(),
        }
    }
}

/// What is to be done, and what with.
fn halves(task: &Task, text: &str, context: Option<&str>) -> (String, String) {
    if task.kind == TaskKind::Instruct {
        return (text.to_owned(), context.unwrap_or_default().to_owned());
    }
    let whole = prompts::question(task, &prompts::Head::of(task), "", None);
    // The last line is where the text goes.
    let instruction = whole.rsplit_once('\n').map_or("", |parts| parts.0);
    let input = match context {
        Some(context) => [context, "\n", text].concat(),
        None => text.to_owned(),
    };
    (instruction.to_owned(), input)
}

/// The preference pairs, each once.
fn pairs(task: &Task, made: &Made) -> Result<Vec<Value>, Error> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for pair in &made.preferences {
        let text = pair["text"].as_str().unwrap_or_default();
        let prompt = prompts::question(
            task,
            &prompts::Head::of(task),
            text,
            pair["context"].as_str(),
        );
        let mut provenance = origin(made);
        for field in ["row", "round", "scores"] {
            provenance.insert(field.to_owned(), pair[field].clone());
        }
        let row = json!({
            "prompt": prompt,
            "chosen": pair["chosen"],
            "rejected": pair["rejected"],
            "provenance": provenance,
        });
        if seen.insert(row.to_string()) {
            rows.push(row);
        }
    }
    match rows.is_empty() {
        false => Ok(rows),
        true => Err(Error::Setting(
            "the run has no preference pairs; they come of --recipe lance, where two answers to one question are far enough apart"
                .into(),
        )),
    }
}
