//! What may leave: the brief, and the one type that proves it was checked. Privacy knows no network.

mod brief;

pub use brief::{Brief, BriefError, Cleared, Destination};
