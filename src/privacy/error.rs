//! Why a brief does not leave: one variant per class, one line per message, each with its remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Epsilon, MOST_BYTES, MOST_TOKENS, PersonalKind};

/// A rule of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Five words in a row, or 24 letters and digits, that stand in a seed, a test row or an instance.
    Copy,
    /// Personal data.
    Personal(PersonalKind),
    /// A text planted to be found.
    Canary,
    /// Characters that cannot be seen.
    Invisible,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Copy => "repeats one of your examples",
            Self::Personal(kind) => kind.described(),
            Self::Canary => "holds a planted canary",
            Self::Invisible => "holds invisible characters",
        })
    }
}

/// A part of a brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The user's instruction.
    Instruction,
    /// The user's label names.
    Labels,
    /// Any other part.
    Text,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instruction => "the instruction",
            Self::Labels => "a label name",
            Self::Text => "the brief",
        })
    }
}

/// A brief, a destination or a budget that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BriefError {
    /// Too long to be a brief.
    #[error(
        "the brief has {bytes} bytes, about {tokens} tokens; at most {MOST_BYTES} bytes and {MOST_TOKENS} tokens may leave: shorten the instruction or the labels"
    )]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// Its tokens, estimated.
        tokens: usize,
    },
    /// A rule of the guard is broken. The message names the rule and the place, for it may end up in a log; the span
    /// is for the user's eyes.
    #[error("{place} {rule}, so the brief was not sent; describe the task in other words")]
    Refused {
        /// Which rule.
        rule: Rule,
        /// Where.
        place: Place,
        /// The offending span, as it stands.
        span: String,
    },
    /// Not a place a brief may go to.
    #[error(
        "{0} is no allowed destination; use https://, or http:// on this machine (127.0.0.1, localhost)"
    )]
    Destination(String),
    /// A place a brief may go to, but not the one that was agreed on.
    #[error(
        "the brief was to go to {wanted}, but {agreed} is what was agreed on; start again with that teacher"
    )]
    OtherDestination {
        /// Where it was to go.
        wanted: String,
        /// Where it may go.
        agreed: String,
    },
    /// An ε out of its range.
    #[error("epsilon is {0}; it must be a number from 0.01 to 100")]
    Epsilon(String),
    /// The budget is spent.
    #[error(
        "this brief costs epsilon {wanted}, but only {left} of {total} is left; raise the total, choose a smaller epsilon or use the offline teacher"
    )]
    Budget {
        /// What the brief costs.
        wanted: Epsilon,
        /// What is left.
        left: Epsilon,
        /// The user's total.
        total: Epsilon,
    },
    /// A ledger that does not add up.
    #[error("the ledger cannot be read ({0}); bring the file as it was exported")]
    BadLedger(String),
    /// No random bits.
    #[error(
        "the system gives no secure random bits, so nothing private can be told; use the offline teacher"
    )]
    NoEntropy,
}
