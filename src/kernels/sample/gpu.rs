//! Launches `sample.wgsl`, one workgroup a row: of few threads for a small vocabulary, of many for a large one.

use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::template::{KernelSource, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::KernelId;

use super::{Plan, SampleOps, Sampling};
use crate::kernels::launch::{ACCESS, contiguous, empty, launch};

/// Workgroups along x; in the shader too.
const LINE: u32 = 32_768;
/// Threads of a workgroup up to a vocabulary of [`SMALL`], and past it.
const LANES: (u32, u32) = (64, 256);
const SMALL: u32 = 8192;

/// The kernel, with or without a mask of what may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sample {
    masked: bool,
    lanes: u32,
}

const UNMASKED: &str = "
fn allowed_at(id: u32) -> bool {
    return true;
}
";
const MASKED: &str = "
@group(0) @binding(3) var<storage, {{ access }}> allowed: array<u32>;

fn allowed_at(id: u32) -> bool {
    let word = allowed[row * ((vocabulary + 31u) / 32u) + id / 32u];
    return ((word >> (id % 32u)) & 1u) == 1u;
}
";

impl KernelSource for Sample {
    fn source(&self) -> SourceTemplate {
        let (info, mask) = if self.masked {
            ("4", MASKED)
        } else {
            ("3", UNMASKED)
        };
        SourceTemplate::new(include_str!("sample.wgsl"))
            .add_template(mask)
            .register("info", info)
            .register("lanes", self.lanes.to_string())
            .register("access", ACCESS)
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

impl SampleOps for CubeBackend {
    fn sample(scores: CubeTensor, sampling: Sampling, seeds: CubeTensor) -> CubeTensor {
        sampled(scores, sampling, seeds, None)
    }

    fn sample_allowed(
        scores: CubeTensor,
        sampling: Sampling,
        seeds: CubeTensor,
        allowed: CubeTensor,
    ) -> CubeTensor {
        sampled(scores, sampling, seeds, Some(allowed))
    }
}

/// Every row's token.
fn sampled(
    scores: CubeTensor,
    sampling: Sampling,
    seeds: CubeTensor,
    allowed: Option<CubeTensor>,
) -> CubeTensor {
    let (scores, seeds) = (contiguous(scores), contiguous(seeds));
    let allowed = allowed.map(contiguous);
    let shape = scores.meta.shape();
    let (rows, vocabulary) = (shape[0] as u32, shape[1] as u32);
    let plan = Plan::of(sampling);
    let out = empty(&scores, [rows as usize], DType::I32);
    let mut tensors = vec![&scores, &seeds, &out];
    tensors.extend(allowed.as_ref());
    let kernel = Sample {
        masked: allowed.is_some(),
        lanes: if vocabulary <= SMALL {
            LANES.0
        } else {
            LANES.1
        },
    };
    launch(
        kernel,
        (kernel.lanes, 1),
        (rows.min(LINE), rows.div_ceil(LINE), 1),
        &tensors,
        &[
            rows,
            vocabulary,
            plan.slope.to_bits(),
            plan.top_k,
            plan.top_p,
        ],
    );
    out
}
