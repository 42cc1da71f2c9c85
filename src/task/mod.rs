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

mod error;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod format;
mod metrics;
pub(crate) mod profile;
mod rows;
pub mod words;

pub use error::{Place, TaskError};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::read_folder;
pub use format::{
    MAX_INSTRUCTION_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, Seeds, parse, parse_pasted, parse_seeds,
};
pub use metrics::{Confusion, Metrics, wilson};
pub use rows::MAX_TEXT_CHARS;

use serde::{Deserialize, Serialize};

/// What sort of answer a task asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One label for a text.
    Classification,
    /// Tagged tokens; not yet supported.
    Ner,
    /// A question with a free answer; not yet supported.
    Qa,
}

/// One labelled text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The text, without surrounding white space.
    pub text: String,
    /// Index into [`Task::labels`].
    pub label: usize,
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
    /// The label names, without doubles.
    pub labels: Vec<String>,
    /// The user's real examples, without doubles; at least two, under at least two labels.
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
