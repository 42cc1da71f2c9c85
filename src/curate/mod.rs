//! Which generated texts are kept: a text must be a text, of a length that the task has, not copied, and new.
//!
//! [`Filter`] holds what there is already (the seeds and what was accepted) and gives each candidate a yes or a
//! [`Refusal`] that says why. Whether the model agrees with the label is asked elsewhere; its verdict is a
//! [`Refusal::Vote`]. [`WeaknessCard`] counts what a student gets wrong (EvoKD); [`review`] scores, [`Cleaner`] cleans
//! and [`pack`] sorts what a model has written into data for fine-tuning and for preferences (LANCE).

mod clean;
mod filter;
pub mod pack;
mod refusal;
pub mod review;
mod similarity;
mod weakness;

pub use clean::{CleanLimits, Cleaner};
pub use filter::{Filter, Limits};
pub use refusal::{ParseProblem, Refusal};
pub use similarity::{RougeL, rouge_l, shares_ngram};
pub(crate) use weakness::apportion;
pub use weakness::{Confused, Descriptor, Errors, Judged, Kind, WeaknessCard};
