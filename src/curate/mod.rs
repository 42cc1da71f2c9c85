//! Which generated texts are kept: a text must be a text, of a length that the task has, not copied, and new.
//!
//! [`Filter`] holds what there is already (the seeds and what was accepted) and gives each candidate a yes or a
//! [`Refusal`] that says why. Whether the model agrees with the label is asked elsewhere; its verdict is a
//! [`Refusal::Vote`].

mod filter;
mod refusal;
mod similarity;

pub use filter::{Filter, Limits};
pub use refusal::{ParseProblem, Refusal};
pub use similarity::{RougeL, rouge_l, shares_ngram};
