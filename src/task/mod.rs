//! What the user brings: a task in their own words, its labels, a handful of seeds, and perhaps test rows.
//!
//! Everything here is plain text work: it knows no model, no device and no network. A [`Task`] that exists is valid:
//! [`parse`], [`parse_pasted`] and `read_folder` check it as they build it and say in one line what is wrong.
//!
//! ```
//! let task = seedbed::task::parse(
//!     r#"{"task": "mood", "type": "classification", "instruction": "Say the mood.", "labels": ["glad", "sad"]}"#,
//!     "{\"text\": \"what a day\", \"label\": \"glad\"}\n{\"text\": \"oh no\", \"label\": \"sad\"}",
//!     None,
//! )?;
//! assert_eq!(task.label_of(&task.seeds[1]), "sad");
//! # Ok::<(), seedbed::task::TaskError>(())
//! ```

mod answer;
mod error;
mod exchange;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod format;
mod metrics;
pub(crate) mod ner;
pub(crate) mod profile;
pub(crate) mod qa;
mod rows;
mod score;
pub mod words;

pub use answer::{Answer, Entity, Span};
pub use error::{Place, TaskError};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::read_folder;
pub use format::{
    MAX_INSTRUCTION_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, Seeds, parse, parse_pasted, parse_rows,
    parse_seeds,
};
pub use metrics::{Confusion, Metrics, wilson};
pub use rows::MAX_TEXT_CHARS;
pub use score::Scored;

use serde::{Deserialize, Serialize};

/// The group of texts without any entity.
pub const NO_ENTITY: &str = "no entity";

/// The one group of instructions with free responses.
pub const INSTRUCTION: &str = "instruction";

/// What sort of answer a task asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One label for a text.
    Classification,
    /// The named things in a text, each with its type.
    Ner,
    /// An answer to a question, free or one of a few.
    Qa,
    /// A free response to an instruction, of which there is no one right one.
    Instruct,
}

impl TaskKind {
    /// The word for it in `task.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Ner => "ner",
            Self::Qa => "qa",
            Self::Instruct => "instruct",
        }
    }
}

/// One text with its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The text, without surrounding white space; the question, in a task of questions.
    pub text: String,
    /// Index into [`Task::labels`]: the label, or the group that a text with another sort of answer belongs to.
    pub label: usize,
    /// The passage that a question is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The answer, where it is not the label.
    #[serde(default, skip_serializing_if = "Answer::is_label")]
    pub answer: Answer,
}

impl Example {
    /// A labelled text.
    pub fn new(text: impl Into<String>, label: usize) -> Self {
        Self {
            text: text.into(),
            label,
            ..Self::default()
        }
    }

    /// Bytes of what is read of it.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.context.as_ref().map_or(0, String::len)
    }
}

/// A checked task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Short name.
    pub name: String,
    /// What sort of answer is asked for.
    pub kind: TaskKind,
    /// What to do, in the user's words.
    pub instruction: String,
    /// What examples are sorted by, without doubles. The labels, in a classification; else the names of the groups that
    /// stand in for labels wherever examples are balanced, counted or shown: entity types and [`NO_ENTITY`] last, the
    /// answers where these are few and listed, or the forms an answer may have; [`INSTRUCTION`] alone.
    pub labels: Vec<String>,
    /// The user's real examples, without doubles; at least two. A classification has them under at least two labels.
    pub seeds: Vec<Example>,
    /// Rows that only measure; none of them is a seed.
    pub test: Vec<Example>,
    /// The licence of the data, where it is stated.
    pub licence: Option<String>,
    /// Where the data comes from, where it is stated.
    pub source: Option<String>,
    /// What was put right or looks odd, one line each.
    pub warnings: Vec<String>,
}

impl Task {
    /// The name of an example's label; empty for an index that is not of this task.
    pub fn label_of(&self, example: &Example) -> &str {
        self.labels.get(example.label).map_or("", String::as_str)
    }

    /// The index of a label's name.
    pub fn label_index(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|label| label == name)
    }

    /// How many seeds each label has, in the order of [`Task::labels`].
    pub fn seeds_per_label(&self) -> Vec<usize> {
        count_per_label(&self.seeds, self.labels.len())
    }
}

fn count_per_label(examples: &[Example], labels: usize) -> Vec<usize> {
    let mut counts = vec![0; labels];
    for example in examples {
        if let Some(count) = counts.get_mut(example.label) {
            *count += 1;
        }
    }
    counts
}
