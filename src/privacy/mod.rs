//! What may leave, and the proof that it was checked. Privacy knows no network.
//!
//! The modules are the nouns of the promise: a [`Sketch`] says with noise what the seeds look like, a [`Brief`] is the
//! text a teacher is sent, the [`Guard`] checks it, and only the guard can make the [`Cleared`] brief that a teacher
//! can be asked with. The [`Ledger`] keeps what left, and stops when the user's budget is spent.
//!
//! # What the bound covers
//!
//! For any two sets of seeds that differ by one seed, added or taken away, every sketch is drawn with a probability
//! that differs by a factor of at most e^ε ([`Sketch::draw`] gives the proof). Sketches add up: two with ε₁ and ε₂ are
//! together bound by ε₁ + ε₂, and the ledger keeps that sum. What the bound does not cover: the user's own words
//! (the instruction and the label names), runs whose ledgers are kept apart, a [`Card`] of a student that was trained
//! on the very seeds it tells of (see there), and how long the drawing takes.

mod account;
mod brief;
mod card;
mod descriptor;
mod destination;
mod error;
mod guard;
mod ledger;
mod noise;
mod personal;
mod sketch;

pub use account::{Epsilon, Release};
pub use brief::{Brief, MOST_BYTES, MOST_TOKENS, estimate_tokens};
pub use card::{Card, Judged};
pub use destination::Destination;
pub use error::{BriefError, Place, Rule};
pub use guard::{Cleared, Guard, Warning};
pub use ledger::{Entry, Ledger};
pub use noise::{Entropy, OsEntropy, discrete_laplace};
pub use personal::{Personal, PersonalKind};
pub use sketch::{Histogram, Sketch};
