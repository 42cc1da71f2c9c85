//! Writing with the model: sampling, decoding many sequences at once, and scoring given answers.

mod decode;
mod sampling;
mod score;

pub use decode::{Batch, Finish, Written};
pub use sampling::Sampling;
pub use score::{Answers, Scorer};
