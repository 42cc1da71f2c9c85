//! Launches `forward.wgsl`, `add.wgsl` and `backward.wgsl`, each by one thread a row or by several.
//!
//! [`LANES`] threads a row give a GPU enough to do when there are few rows. From [`MANY_ROWS`] on one thread a row
//! does, which needs no barrier and no second sum; a software adapter pays for both. Rows up to [`SHORT`] are always
//! one thread's: reading them takes no longer than agreeing on a sum.

use burn_cubecl::CubeBackend;
use burn_cubecl::template::{KernelSource, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::KernelId;

use super::RmsNormOps;
use crate::kernels::launch::{ACCESS, THREADS, contiguous, empty, indices, launch, span};

/// Threads that share a row where they do; a workgroup has several such rows.
const LANES: usize = 16;
const MANY_ROWS: usize = 256;
const SHORT: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pass {
    Forward,
    Onto,
    Add,
    Backward { residual: bool },
}

/// One of the kernels: what it computes, and how rows are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RmsNorm {
    pass: Pass,
    /// [`LANES`] threads for each row, and not one.
    shared: bool,
    /// Four columns at a time; the width is a multiple of 4.
    wide: bool,
}

const NO_RESIDUAL: &str = "
fn residual_at(i: u32) -> {{ value }} {
    return {{ value }}();
}
";
const RESIDUAL: &str = "
@group(0) @binding(4) var<storage, {{ access }}> residual: array<{{ value }}>;

fn residual_at(i: u32) -> {{ value }} {
    return residual[i];
}
";

impl KernelSource for RmsNorm {
    fn source(&self) -> SourceTemplate {
        let source = SourceTemplate::new(match self.pass {
            Pass::Forward | Pass::Onto => include_str!("forward.wgsl"),
            Pass::Add => include_str!("add.wgsl"),
            Pass::Backward { .. } => include_str!("backward.wgsl"),
        });
        let source = match self.pass {
            Pass::Backward { residual: true } => {
                source.register("info", "5").add_template(RESIDUAL)
            }
            Pass::Backward { residual: false } => {
                source.register("info", "4").add_template(NO_RESIDUAL)
            }
            _ => source,
        };
        let source = if self.shared {
            source.add_template(include_str!("lanes.wgsl"))
        } else {
            source.add_template(include_str!("thread.wgsl"))
        };
        let (value, sum) = if self.wide {
            ("vec4<f32>", "dot(v, vec4<f32>(1.0))")
        } else {
            ("f32", "v")
        };
        source
            .register("value", value)
            .register("sum", sum)
            .register(
                "before",
                if self.pass == Pass::Onto {
                    "result[start + i] + "
                } else {
                    ""
                },
            )
            .register("lanes", LANES.to_string())
            .register("access", ACCESS)
            .register("threads", THREADS.to_string())
            .register("span", span())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Sends a pass off; x is the first of the tensors, and all are contiguous.
fn normalise(pass: Pass, tensors: &[&CubeTensor], eps: f32) {
    let shape = tensors[0].meta.shape();
    let (rows, width) = (shape[0], shape[1]);
    let kernel = RmsNorm {
        pass,
        shared: rows < MANY_ROWS && width > SHORT,
        wide: width.is_multiple_of(4),
    };
    let groups = indices(if kernel.shared { rows * LANES } else { rows });
    let values = if kernel.wide { width / 4 } else { width };
    let share = 1.0 / width as f32;
    launch(
        kernel,
        (THREADS, 1),
        groups,
        tensors,
        &[rows as u32, values as u32, share.to_bits(), eps.to_bits()],
    );
}

fn like(x: &CubeTensor) -> CubeTensor {
    let shape = x.meta.shape();
    empty(x, [shape[0], shape[1]], x.dtype)
}

fn backward(
    x: CubeTensor,
    weight: CubeTensor,
    eps: f32,
    gradient: CubeTensor,
    residual: Option<CubeTensor>,
) -> CubeTensor {
    let (x, weight, gradient) = (contiguous(x), contiguous(weight), contiguous(gradient));
    let residual = residual.map(contiguous);
    let out = like(&x);
    let mut tensors = vec![&x, &weight, &gradient, &out];
    tensors.extend(residual.as_ref());
    let pass = Pass::Backward {
        residual: residual.is_some(),
    };
    normalise(pass, &tensors, eps);
    out
}

impl RmsNormOps for CubeBackend {
    fn rms_norm(x: CubeTensor, weight: CubeTensor, eps: f32) -> CubeTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        let out = like(&x);
        normalise(Pass::Forward, &[&x, &weight, &out], eps);
        out
    }

    fn add_rms_norm(
        x: CubeTensor,
        delta: CubeTensor,
        weight: CubeTensor,
        eps: f32,
    ) -> (CubeTensor, CubeTensor) {
        let (x, delta, weight) = (contiguous(x), contiguous(delta), contiguous(weight));
        let (sum, normed) = (like(&x), like(&x));
        normalise(Pass::Add, &[&x, &delta, &weight, &sum, &normed], eps);
        (sum, normed)
    }

    fn rms_norm_onto(x: CubeTensor, weight: CubeTensor, eps: f32, onto: CubeTensor) -> CubeTensor {
        let (x, weight, onto) = (contiguous(x), contiguous(weight), contiguous(onto));
        normalise(Pass::Onto, &[&x, &weight, &onto], eps);
        onto
    }

    fn rms_norm_backward(
        x: CubeTensor,
        weight: CubeTensor,
        eps: f32,
        gradient: CubeTensor,
    ) -> CubeTensor {
        backward(x, weight, eps, gradient, None)
    }

    fn rms_norm_backward_add(
        x: CubeTensor,
        weight: CubeTensor,
        eps: f32,
        gradient: CubeTensor,
        residual: CubeTensor,
    ) -> CubeTensor {
        backward(x, weight, eps, gradient, Some(residual))
    }
}
