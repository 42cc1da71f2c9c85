//! Why a generated text was refused.

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Why a generated text was refused. [`Refusal::code`] is for counting (and is how it is serialised), the message is
/// for people.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// It is not one whole text.
    #[error("{0}")]
    Parse(ParseProblem),
    /// It is shorter or longer than the task's texts are.
    #[error("it has {words} word(s); {least} to {most} are allowed")]
    Length {
        /// Its length.
        words: usize,
        /// The fewest words allowed.
        least: usize,
        /// The most words allowed.
        most: usize,
    },
    /// It repeats a seed, or a long run of words of one.
    #[error("it copies a seed: \"{other}\"")]
    Copy {
        /// The seed.
        other: String,
    },
    /// It says nearly the same as a text that is there already.
    #[error("it is too much like \"{other}\" (ROUGE-L {score:.2})")]
    Similar {
        /// The text that is there.
        other: String,
        /// How alike they are, 0 to 1.
        score: f64,
    },
    /// The model reads another label out of it.
    #[error("the model takes it for `{predicted}`")]
    Vote {
        /// The label that was read.
        predicted: String,
    },
    /// The reader is too sure of its label to learn from it, or not sure enough to trust it.
    #[error("the reader gives its label {:.0} %; from {:.0} to {:.0} % is wanted", 100.0 * .share, 100.0 * .least, 100.0 * .most)]
    Agreement {
        /// The label's probability, 0 to 1.
        share: f64,
        /// The least that is wanted.
        least: f64,
        /// The most.
        most: f64,
    },
    /// It was not given an answer that can be one.
    #[error("its answer {0}")]
    Answer(&'static str),
    /// The reviewer's mark for it is too low.
    #[error("its mark is {score:.1}; above {cut:.1} is needed")]
    Score {
        /// The mark, 0 to 10.
        score: f64,
        /// What it must be above.
        cut: f64,
    },
}

/// Why a generated text is not one whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseProblem {
    /// Nothing was written.
    #[error("it is empty")]
    Empty,
    /// The model was cut off before it had ended the text.
    #[error("it is unfinished")]
    Unfinished,
    /// It holds a marker of the chat template, or a speaker's name before a colon.
    #[error("it holds a role marker")]
    RoleMarker,
    /// It holds characters that cannot be seen, or the sign for broken bytes.
    #[error("it holds broken or invisible characters")]
    Invisible,
    /// It is the name of the label it was asked for, and nothing else.
    #[error("it is only the label's name")]
    LabelOnly,
}

impl Refusal {
    /// The reason as one word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Parse(_) => "parse",
            Self::Length { .. } => "length",
            Self::Copy { .. } => "copy",
            Self::Similar { .. } => "similar",
            Self::Vote { .. } => "vote",
            Self::Agreement { .. } => "agreement",
            Self::Answer(_) => "answer",
            Self::Score { .. } => "score",
        }
    }
}

impl From<ParseProblem> for Refusal {
    fn from(problem: ParseProblem) -> Self {
        Self::Parse(problem)
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_serialised_as_one_word_and_shown_as_a_sentence() {
        let refusal = Refusal::Similar {
            other: "play jazz".to_owned(),
            score: 0.8,
        };
        assert_eq!(serde_json::to_string(&refusal).unwrap(), "\"similar\"");
        assert_eq!(
            refusal.to_string(),
            "it is too much like \"play jazz\" (ROUGE-L 0.80)"
        );
        let refusal = Refusal::from(ParseProblem::Empty);
        assert_eq!(
            (refusal.code(), refusal.to_string()),
            ("parse", "it is empty".to_owned())
        );
    }
}
