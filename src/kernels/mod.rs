//! Devices and the operations that burn's stock kernels are too slow for. Kernels know no words.
//!
//! Each operation is added to burn through its extension point: a launcher over WGSL for the GPU, the CPU
//! backend's own routine as its twin, and a backward pass. The twins are compared in tests, and a short self-test
//! runs whenever a GPU is opened (`device`), for a driver that computes wrongly spoils a run in silence.

mod device;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(feature = "gpu")]
mod launch;
mod product;
mod swiglu;
#[cfg(all(test, feature = "desk"))]
mod testing;

pub use device::{Choice, DeviceError, Kind, Opened, integers, is_cpu, open, read, read_integers};
pub use product::{Job, Packing, Place, Weight, product, product_into};
pub use swiglu::{Gate, swiglu, swiglu_backward};
