//! Devices and the operations that burn's stock kernels are too slow for. Kernels know no words.
//!
//! Each operation is added to burn through its extension point: a launcher over WGSL for the GPU, the CPU
//! backend's own routine as its twin, and a backward pass. The twins are compared in tests, and a short self-test
//! runs whenever a GPU is opened (`device`), for a driver that computes wrongly spoils a run in silence.

mod adamw;
mod answer;
mod device;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(feature = "gpu")]
mod launch;
mod product;
#[cfg(feature = "gpu")]
mod product_gpu;
mod swiglu;
#[cfg(all(test, feature = "desk"))]
mod testing;

pub use adamw::{AdamWStep, adamw, sum_squares};
pub use answer::{absorb, chunk_state, log_likelihood, scores_gradient};
pub use device::{Choice, DeviceError, Kind, Opened, integers, open, read};
pub use product::product;
pub use swiglu::{Gate, swiglu, swiglu_backward};
