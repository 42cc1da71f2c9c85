//! What can be wrong with a wish for a shape.

/// A shape that cannot be written, or a model that gives no scores to choose by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// No sequence of tokens spells a text of the shape.
    #[error(
        "this model's tokenizer cannot spell the shape that is asked for; use another shape or another model"
    )]
    Unspellable,
    /// The automaton of the shape would be too large.
    #[error(
        "the shape that is asked for needs more than {0} states; ask for fewer labels, fields or words at once"
    )]
    TooLarge(usize),
    /// The shortest text of the shape is longer than what may be written.
    #[error("the shape needs {least} new tokens at least and {limit} are allowed; allow more")]
    TooShort {
        /// Tokens of the shortest text.
        least: usize,
        /// Tokens that may be written.
        limit: usize,
    },
    /// Constraints, or phrases, and prompts do not belong together.
    #[error(
        "{prompts} prompts came with {constraints} constraints or phrases; give each its own (one constraint may serve all)"
    )]
    Count {
        /// Prompts.
        prompts: usize,
        /// Constraints, or phrases.
        constraints: usize,
    },
    /// A token outside the shape came back: there was no finite score to choose by.
    #[error(
        "the model's scores are no numbers any more; use the adapter before this one, a lower learning rate, or the CPU"
    )]
    NotFinite,
}
