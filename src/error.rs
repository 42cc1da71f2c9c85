//! The one error of the crate: what went wrong, in one line a person can act on, and a code a program can.

use crate::evolve::LogError;
use crate::generate::GenerateError;
use crate::kernels::DeviceError;
use crate::model::ModelError;
use crate::principle::PrincipleError;
use crate::principle::api::TeacherError;
use crate::privacy::BriefError;
use crate::task::TaskError;
use crate::train::{MemoryError, TrainError};

/// Anything that can go wrong; each part names the offending thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A task, its seeds or its test rows.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A model, its tokenizer or an adapter.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The GPU or the CPU.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Principles from a file or a teacher.
    #[error(transparent)]
    Principle(#[from] PrincipleError),
    /// The brief or its way out.
    #[error(transparent)]
    Brief(#[from] BriefError),
    /// A teacher that did not answer as it should.
    #[error(transparent)]
    Teacher(#[from] TeacherError),
    /// A training step.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A run that does not fit the device.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Writing with the model.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Writing a run's files.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Fetching or finding a model.
    #[cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
    #[error(transparent)]
    Pull(#[from] crate::store::models::PullError),
    /// A run's log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A recipe that a kind of task gives nothing to go by.
    #[error("the recipe {recipe} cannot run on a task of the kind `{kind}`: {why}")]
    Unsuited {
        /// The recipe.
        recipe: &'static str,
        /// The kind of the task.
        kind: &'static str,
        /// What is missing, and the remedy.
        why: &'static str,
    },
    /// A setting out of its range.
    #[error("{0}")]
    Setting(String),
    /// The user stopped it.
    #[error("stopped; what was made so far is kept")]
    Cancelled,
}

impl Error {
    /// A short code that stays the same when the words change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Task(_) => "bad_task",
            Self::Model(_) => "bad_model",
            Self::Device(DeviceError::NoGpu(_) | DeviceError::NotBuilt(_)) => "no_webgpu",
            Self::Device(_) => "device",
            Self::Principle(_) => "bad_principles",
            Self::Brief(_) | Self::Teacher(_) => "teacher",
            Self::Train(_) => "train",
            Self::Memory(_) => "memory",
            Self::Generate(_) => "generate",
            #[cfg(not(target_arch = "wasm32"))]
            Self::Store(_) => "storage",
            #[cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
            Self::Pull(_) => "download",
            Self::Log(_) => "bad_log",
            Self::Setting(_) | Self::Unsuited { .. } => "bad_setting",
            Self::Cancelled => "cancelled",
        }
    }
}
