//! Sending a WGSL kernel to the GPU: its source, its buffers, its numbers.

use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::template::{KernelSource, SourceKernel};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{CubeCount, CubeDim};
use cubecl::server::{KernelArguments, MetadataBindingInfo};

use super::counted::dispatched;

/// Threads of a workgroup in kernels that give one thread to each index; in WGSL `{{ threads }}`.
pub(super) const THREADS: u32 = 64;
/// Workgroups along x in [`indices`], and the threads of one such line, in WGSL `{{ span }}`: past it the index goes on in y.
const LINE: u32 = 32_768;

/// How inputs are bound, in WGSL `{{ access }}`. Tensors share pages at the desk, and a page may not be bound for
/// reading and writing at once; in the browser each has a buffer of its own, which may not be bound twice for writing.
pub(super) const ACCESS: &str = if cfg!(target_family = "wasm") {
    "read"
} else {
    "read_write"
};

/// The text put for `{{ span }}`.
pub(super) fn span() -> String {
    format!("{}u", LINE * THREADS)
}

/// Makes a kernel out of a WGSL file beside the caller's. In the file, buffers come first in the order of the launch
/// (`var<storage, {{ access }}>` what is read, `var<storage, read_write>` what is written), and behind them
/// `var<storage, read> info: array<u32>`, the launch's numbers. The kernel has one entry point, `main`.
macro_rules! wgsl {
    ($(#[$doc:meta])* $name:ident, $file:literal $(, $key:literal = $value:expr)* $(,)?) => {
        $(#[$doc])*
        struct $name;

        impl burn_cubecl::template::KernelSource for $name {
            fn source(&self) -> burn_cubecl::template::SourceTemplate {
                burn_cubecl::template::SourceTemplate::new(include_str!($file))
                    .register("access", $crate::kernels::launch::ACCESS)
                    .register("threads", $crate::kernels::launch::THREADS.to_string())
                    .register("span", $crate::kernels::launch::span())
                    $(.register($key, $value.to_string()))*
            }

            fn id(&self) -> cubecl::prelude::KernelId {
                cubecl::prelude::KernelId::new::<Self>()
            }

            fn lang(&self) -> &'static str {
                "wgsl"
            }
        }
    };
}
pub(super) use wgsl;

/// Workgroups for `count` indices, one thread each, with [`THREADS`] threads a workgroup. In the kernel
/// (`@workgroup_size({{ threads }}, 1, 1)`, `id` the global invocation id) the index is `id.y * {{ span }} + id.x`,
/// and threads at or past the count return.
pub(super) fn indices(count: usize) -> (u32, u32, u32) {
    let groups = count.div_ceil(THREADS as usize) as u32;
    (groups.min(LINE), groups.div_ceil(LINE), 1)
}

/// Launches a kernel whose workgroup has `threads` threads (x, y) over `groups` workgroups. No tensor may be given twice.
pub(super) fn launch(
    kernel: impl KernelSource,
    threads: (u32, u32),
    groups: (u32, u32, u32),
    tensors: &[&CubeTensor],
    info: &[u32],
) {
    if groups.0 == 0 || groups.1 == 0 || groups.2 == 0 {
        return;
    }
    // WebGPU's defaults, which every device grants. What is past them is a mistake of the caller's: `indices` goes on in y, and
    // products have tiles of 32 × 16 values at least, so that no matrix of a model comes near.
    assert!(
        groups.0.max(groups.1).max(groups.2) <= 65_535 && threads.0 * threads.1 <= 256,
        "a kernel of {groups:?} workgroups is more than WebGPU starts"
    );
    assert!(tensors.len() < 8, "with the numbers at most eight buffers");
    let kernel = SourceKernel::new(kernel, CubeDim::new_2d(threads.0, threads.1));
    let mut arguments = KernelArguments::new();
    for tensor in tensors {
        arguments = arguments.with_buffer(tensor.handle.clone().binding());
    }
    arguments.info = MetadataBindingInfo::custom(packed(info));
    dispatched(info.len().next_multiple_of(2) * 4);
    let client = &tensors[0].client;
    client.launch(
        Box::new(kernel),
        CubeCount::Static(groups.0, groups.1, groups.2),
        arguments,
    );
}

/// Room for a tensor on the device of `like`, its values not yet set.
pub(super) fn empty<const D: usize>(
    like: &CubeTensor,
    shape: [usize; D],
    dtype: DType,
) -> CubeTensor {
    let count: usize = shape.iter().product();
    let handle = like.client.empty(count * dtype.size());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        handle,
        dtype,
    )
}

/// The tensor with its values one after the other in row-major order, copied only where they are not.
pub(super) fn contiguous(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(tensor)
}

/// Two 32-bit numbers to a word, low half first, as the shader reads them.
fn packed(numbers: &[u32]) -> Vec<u64> {
    numbers
        .chunks(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 32)
        .collect()
}
