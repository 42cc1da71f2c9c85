//! The order of things: a run takes a task and a model through its stages and tells what happens.

mod event;
mod monitor;
pub mod prompts;
mod psi;
mod stages;

pub use event::{Event, Instance, InstanceCounts, Report, RowName, Stage, TeacherReport};
pub use monitor::{Cancel, Monitor};
pub use psi::{Outcome, Settings, Teacher, brief, run};
pub use stages::{evaluate, predict};
