//! Writing with the model: sampling, decoding many sequences at once, and scoring given answers.

mod constraint;
mod decode;
mod error;
mod score;

pub use crate::kernels::Sampling;
pub use constraint::{Constraint, Shape, Spelling, Words};
pub use decode::{Batch, Finish, Written};
pub use error::GenerateError;
pub use score::{Answers, Scorer};
