//! The order of things: a run takes a task and a model through its stages and tells what happens.
//!
//! [`run`] does what all recipes share; `psi`, `lance` and `evokd` are the three orders, each readable alone. What they are
//! made of (train, write, vote, read, prefer) knows nothing of the order.

mod answering;
mod data;
mod event;
mod evokd;
mod held;
mod journal;
mod knobs;
mod lance;
mod memory;
mod monitor;
mod principles;
pub mod prompts;
mod psi;
mod reading;
mod run;
mod settings;
mod shapes;
mod stages;
mod teaching;
mod texts;
mod training;
mod vote;
mod writing;

pub use event::{
    Difficulty, Event, Instance, InstanceCounts, Origin, Report, RoundReport, RowName, Stage,
    TeacherReport, TestRow, Tokens,
};
pub use journal::{Files, Journal, Kept, LogError, Waiting, read_log};
pub use knobs::{KNOBS, Knob, Settings, knob};
pub use monitor::{Cancel, Monitor};
pub use reading::{answer, evaluate, predict};
pub use run::{Outcome, offline_principles, run};
pub use settings::{Ablation, GuideFrom, Judge, Recipe, RuleUse, Teacher, VoteRule, Voter};
pub use teaching::{Question, ask, brief};
