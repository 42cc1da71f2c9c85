//! Devices and the operations that burn's stock kernels are too slow for. Kernels know no words.
//!
//! Each operation is a folder: what it is and its tests (`mod.rs`), WGSL and its launcher for the GPU (`gpu.rs`), its
//! twin for the CPU (`cpu.rs`), and, where it is trained through, its way back. They are added to burn through its
//! extension point. The twins are compared in tests, and a short self-test runs whenever a GPU is opened (`device`),
//! for a driver that computes wrongly spoils a run in silence.

mod adamw;
mod answer;
mod attention;
mod counted;
mod device;
mod embedding;
#[cfg(feature = "cpu")]
mod flex;
mod heads;
#[cfg(feature = "cpu")]
mod lanes;
#[cfg(feature = "gpu")]
mod launch;
mod linear;
mod pick;
mod product;
mod rms_norm;
mod rope;
mod sample;
mod swiglu;
#[cfg(all(test, feature = "desk"))]
mod testing;
#[cfg(feature = "cpu")]
mod threads;
#[cfg(feature = "gpu")]
mod tiles;

pub use adamw::{AdamWStep, adamw, sum_squares};
pub use answer::{absorb, chunk_state, log_likelihood, scores_gradient};
pub use attention::{attention, attention_backward, with_seers};
pub use counted::{Counted, counted};
pub use device::{
    Choice, DeviceError, Kind, Limits, Opened, floats, integers, is_cpu, open, read, read_integers,
    words,
};
pub use embedding::{embedding, gather_rows, scatter_rows};
pub use heads::Heads;
pub use linear::{Around, Lora, LoraPart, is_linear, linear};
pub use pick::pick_into;
pub use product::{
    Job, Packing, Place, Weight, WeightRows, add, add_row, copied, join, product, product_into,
};
pub use rms_norm::{add_rms_norm, rms_norm, rms_norm_backward, rms_norm_onto};
pub use rope::{Rotary, rope, rope_backward};
pub use sample::{Sampling, sample};
pub use swiglu::{Gate, swiglu, swiglu_backward};
#[cfg(all(feature = "cpu", target_arch = "wasm32"))]
pub use threads::use_helpers;
