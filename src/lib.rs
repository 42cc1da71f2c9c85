//! Seedbed teaches a small language model a task inside the user's own browser, from a handful of labelled
//! examples, through WebGPU or on the CPU. The seeds and everything made from them stay where they are.
//!
//! The modules follow the flow of the data; arrows point downwards only:
//!
//! ```text
//!             web                main.rs              only translate
//!                    evolve                           knows the order of things, and nothing of how
//!    principle   curate   generate   train            the stages; each takes records and gives records
//!    privacy                model                     privacy knows no network, model knows no task
//!    task        store      kernels                   task knows no GPU, kernels know no words
//! ```

#[cfg(not(any(feature = "cpu", feature = "gpu")))]
compile_error!("choose a device: build with the feature `cpu`, `gpu` or both");

pub mod bench;
pub mod curate;
pub mod error;
pub mod evolve;
pub mod generate;
pub mod kernels;
pub mod model;
mod order;
pub mod principle;
pub mod privacy;
#[cfg(not(target_arch = "wasm32"))]
pub mod store;
pub mod task;
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::Error;
