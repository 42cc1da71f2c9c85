//! What can be wrong with a task: one variant per class, one line per message, each with its remedy.

use std::fmt;

use thiserror::Error;

/// Where in the input something was found: a file and, where it is known, a line counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
}

impl Place {
    /// A whole file.
    pub fn file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
        }
    }

    /// One line of a file.
    pub fn line(file: &str, line: usize) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}", self.file),
            None => write!(f, "{}", self.file),
        }
    }
}

/// Why a task was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A file that must be there is not.
    #[error(
        "{path} is missing: a task folder holds task.json, seeds.jsonl and, to measure, test.jsonl"
    )]
    MissingFile {
        /// The path that was looked for.
        path: String,
    },
    /// A file is there but could not be read.
    #[error("{path} could not be read ({problem}): check that it is a file and may be read")]
    Unreadable {
        /// The path.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// Bytes that are not UTF-8.
    #[error("{place}: not valid UTF-8; save the file with the encoding UTF-8")]
    NotUtf8 {
        /// Where the first bad byte is.
        place: Place,
    },
    /// Text that is not JSON.
    #[error("{place}: not valid JSON ({problem}); correct that line")]
    BadJson {
        /// Where it is.
        place: Place,
        /// What the parser said.
        problem: String,
    },
    /// CSV whose quotes or columns do not add up.
    #[error(
        "{place}: not valid CSV ({problem}); put a field with a comma, a quote or a line break in double quotes"
    )]
    BadCsv {
        /// Where it is.
        place: Place,
        /// What is wrong.
        problem: &'static str,
    },
    /// Rows in none of the known formats.
    #[error(
        "{place}: not a row of examples; use JSON lines {{\"text\": …, \"label\": …}}, CSV with the header text,label, or lines label<TAB>text"
    )]
    UnknownFormat {
        /// Where it is.
        place: Place,
    },
    /// Rows in none of the formats of the task's kind.
    #[error("{place}: not a row of examples; {wanted}")]
    UnknownRow {
        /// Where it is.
        place: Place,
        /// What a row may look like.
        wanted: &'static str,
    },
    /// A field that must be there is not.
    #[error("{place}: the field `{field}` is missing; add it")]
    MissingField {
        /// Where it is missing.
        place: Place,
        /// Its name.
        field: &'static str,
    },
    /// A field with a value that cannot be used.
    #[error("{place}: the field `{field}` {problem}")]
    BadField {
        /// Where it is.
        place: Place,
        /// Its name.
        field: &'static str,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A kind of task this version cannot do.
    #[error(
        "the task kind `{kind}` is not supported: bring a task of the type `classification`, `ner`, `qa` or `instruct`"
    )]
    UnsupportedKind {
        /// The kind as written.
        kind: String,
    },
    /// A label name that cannot be used.
    #[error("the label `{label}` {problem}; rename it")]
    BadLabel {
        /// The name, shortened and printable.
        label: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The same label listed twice.
    #[error("the label `{label}` is listed twice; list each label once")]
    DuplicateLabel {
        /// The name.
        label: String,
    },
    /// A row with a label that the task does not list.
    #[error("{place}: unknown label `{label}`; known labels: {known}")]
    UnknownLabel {
        /// Where it is.
        place: Place,
        /// The label as written.
        label: String,
        /// The task's labels (the first dozen).
        known: String,
    },
    /// A row without text.
    #[error("{place}: the text is empty; write it or remove the row")]
    EmptyText {
        /// Where it is.
        place: Place,
    },
    /// A row with too much text.
    #[error(
        "{place}: the text has {characters} characters, the limit is {limit}; shorten it or remove the row"
    )]
    TextTooLong {
        /// Where it is.
        place: Place,
        /// How long the text is.
        characters: usize,
        /// How long it may be.
        limit: usize,
    },
    /// No seeds at all.
    #[error("{place}: there are no seeds; bring at least two examples under different labels")]
    NoSeeds {
        /// Where they were looked for.
        place: Place,
    },
    /// A single seed.
    #[error("{place}: there is only one seed; bring at least two, under different labels")]
    OneSeed {
        /// Where it was found.
        place: Place,
    },
    /// All seeds under one label.
    #[error("{place}: every seed has the label `{label}`; bring seeds of at least two labels")]
    OneLabel {
        /// Where they were found.
        place: Place,
        /// The only label in use.
        label: String,
    },
}

/// A field that must be there is not.
pub(super) fn missing(place: &Place, field: &'static str) -> TaskError {
    TaskError::MissingField {
        place: place.clone(),
        field,
    }
}

/// A field whose value cannot be used; `problem` goes on from its name, and ends with the remedy.
pub(super) fn bad(place: &Place, field: &'static str, problem: &str) -> TaskError {
    TaskError::BadField {
        place: place.clone(),
        field,
        problem: problem.to_owned(),
    }
}

/// A foreign text for a message: one line, at most `limit` characters.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
