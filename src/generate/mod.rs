//! Writing with the model: sampling, decoding many sequences at once, and scoring given answers.

mod decode;
mod score;

pub use crate::kernels::Sampling;
pub use decode::{Batch, Finish, Written};
pub use score::{Answers, Scorer};
