//! Devices and the operations that burn's stock kernels are too slow for. Kernels know no words.
//!
//! Each operation is added to burn through its extension point: a launcher over WGSL for the GPU, the CPU
//! backend's own routine as its twin, and a backward pass. The twins are compared in tests, and a short self-test
//! runs whenever a GPU is opened (`device`), for a driver that computes wrongly spoils a run in silence.

mod device;
mod embedding;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(feature = "gpu")]
mod launch;
mod product;
#[cfg(feature = "gpu")]
mod product_gpu;
mod rms_norm;
mod sample;
mod swiglu;
#[cfg(all(test, feature = "desk"))]
mod testing;

pub use device::{Choice, DeviceError, Kind, Opened, integers, open, read};
pub use embedding::{embedding, gather_rows, scatter_rows};
pub use product::product;
pub use rms_norm::{add_rms_norm, rms_norm, rms_norm_backward};
pub use sample::{Sampling, sample};
pub use swiglu::{Gate, swiglu, swiglu_backward};
