//! Launches `squares.wgsl`, `total.wgsl` and `step.wgsl`.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::{AdamWOps, AdamWStep};
use crate::kernels::launch::{THREADS, contiguous, empty, indices, launch, wgsl};

wgsl!(
    SquaresFour,
    "squares.wgsl",
    "lane" = "vec4<f32>",
    "square" = "dot(lane, lane)"
);
wgsl!(
    SquaresOne,
    "squares.wgsl",
    "lane" = "f32",
    "square" = "lane * lane"
);
wgsl!(Total, "total.wgsl", "total_threads" = TOTAL_THREADS);
wgsl!(StepFour, "step.wgsl", "lane" = "vec4<f32>");
wgsl!(StepOne, "step.wgsl", "lane" = "f32");

/// Threads of the one workgroup that adds up the partial sums.
const TOTAL_THREADS: u32 = 256;
/// Lanes a thread should have at least before there are more threads.
const LANES_PER_THREAD: usize = 16;
/// Workgroups of the first stage at most: sixty-four partial sums for each thread of the second.
const MOST_GROUPS: usize = 256;

/// Values and whether they go four at a time.
fn lanes(tensor: &CubeTensor) -> (usize, bool) {
    let count = tensor.meta.shape()[0];
    match count.is_multiple_of(4) {
        true => (count / 4, true),
        false => (count, false),
    }
}

impl AdamWOps for CubeBackend {
    fn sum_squares(x: CubeTensor) -> CubeTensor {
        let x = contiguous(x);
        let (lanes, by_four) = lanes(&x);
        let groups = lanes
            .div_ceil(THREADS as usize * LANES_PER_THREAD)
            .clamp(1, MOST_GROUPS);
        let count = groups * THREADS as usize;
        let partial = empty(&x, [count], x.dtype);
        let total = empty(&x, [1], x.dtype);
        let info = [lanes as u32, count as u32];
        match by_four {
            true => launch(
                SquaresFour,
                (THREADS, 1),
                indices(count),
                &[&x, &partial],
                &info,
            ),
            false => launch(
                SquaresOne,
                (THREADS, 1),
                indices(count),
                &[&x, &partial],
                &info,
            ),
        }
        launch(
            Total,
            (TOTAL_THREADS, 1),
            (1, 1, 1),
            &[&partial, &total],
            &[count as u32],
        );
        total
    }

    fn adamw(
        parameters: CubeTensor,
        gradient: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        squares: CubeTensor,
        step: AdamWStep,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let (parameters, gradient) = (contiguous(parameters), contiguous(gradient));
        let (mean, variance) = (contiguous(mean), contiguous(variance));
        let squares = contiguous(squares);
        let (lanes, by_four) = lanes(&parameters);
        let info = [
            lanes as u32,
            u32::from(step.max_norm.is_some()),
            step.max_norm.unwrap_or_default().to_bits(),
            step.keep().to_bits(),
            step.corrected_rate().to_bits(),
            step.beta1.to_bits(),
            (1.0 - step.beta1).to_bits(),
            step.beta2.to_bits(),
            (1.0 - step.beta2).to_bits(),
            step.correction2.sqrt().to_bits(),
            step.eps.to_bits(),
        ];
        let tensors = [&gradient, &squares, &parameters, &mean, &variance];
        match by_four {
            true => launch(StepFour, (THREADS, 1), indices(lanes), &tensors, &info),
            false => launch(StepOne, (THREADS, 1), indices(lanes), &tensors, &info),
        }
        (parameters, mean, variance)
    }
}
