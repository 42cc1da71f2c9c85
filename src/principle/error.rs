//! What can be wrong with principles.

use thiserror::Error;

/// Why principles were refused; one line each.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrincipleError {
    /// Text that is not JSON, or not JSON of a principle set.
    #[error("principles, line {line}: {problem}; export them again")]
    BadJson {
        /// The line, counted from 1.
        line: usize,
        /// What the parser said.
        problem: String,
    },
    /// Another version of the format.
    #[error("the principles have version {found}, this version reads 1; export them again")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A set without principles.
    #[error("there are no principles; use the offline teacher or another file")]
    Empty,
    /// More principles than are allowed.
    #[error("there are {found} principles, at most 500 are allowed; remove some")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// An id that is empty, overlong or unprintable.
    #[error("the principle \"{text}\" needs an id of 1 to 200 visible characters")]
    BadId {
        /// The principle's text, shortened.
        text: String,
    },
    /// Two principles with one id.
    #[error("two principles have the id `{id}`; ids must differ")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// Votes that do not belong to the principles.
    #[error(
        "there are votes on {found} principles for a set of {principles}, or some are no numbers; count them again"
    )]
    BadVotes {
        /// How many principles there are.
        principles: usize,
        /// How many were voted on.
        found: usize,
    },
    /// A principle that says nothing.
    #[error("principle `{id}`: its text is empty")]
    EmptyText {
        /// The id.
        id: String,
    },
    /// A principle that says too much.
    #[error("principle `{id}`: its text has {characters} characters, at most 200 are allowed")]
    TextTooLong {
        /// The id.
        id: String,
        /// How many characters there are.
        characters: usize,
    },
    /// Values that are empty, overlong or too many.
    #[error("principle `{id}`: it may have up to 64 values of 1 to 80 characters")]
    BadValues {
        /// The id.
        id: String,
    },
    /// Values of nothing.
    #[error("principle `{id}`: it has values but no attribute; name what varies")]
    NoAttribute {
        /// The id.
        id: String,
    },
    /// Characters that cannot be seen.
    #[error("principle `{id}`: it holds invisible characters; remove them")]
    Invisible {
        /// The id.
        id: String,
    },
    /// A marker of a chat template.
    #[error("principle `{id}`: it holds a chat role marker; remove it")]
    RoleMarker {
        /// The id.
        id: String,
    },
    /// A label the task does not have.
    #[error("principle `{id}`: the task has no label `{label}`")]
    UnknownLabel {
        /// The id.
        id: String,
        /// The label as written.
        label: String,
    },
    /// A rule for a label that does not say for which.
    #[error("principle `{id}`: it is about a label but names none; add `label`")]
    NoLabel {
        /// The id.
        id: String,
    },
}
