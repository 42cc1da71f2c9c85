//! Launches `absorb*.wgsl`, `likelihood.wgsl` and `gradient.wgsl`.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::AnswerOps;
use crate::kernels::launch::{THREADS, contiguous, empty, indices, launch, wgsl};

const FOUR: &str = include_str!("four.wgsl");
const ONE: &str = include_str!("one.wgsl");

wgsl!(AbsorbFour, "absorb.wgsl", "lane" = FOUR);
wgsl!(AbsorbOne, "absorb.wgsl", "lane" = ONE);
wgsl!(AbsorbRowsFour, "absorb_rows.wgsl", "lane" = FOUR);
wgsl!(AbsorbRowsOne, "absorb_rows.wgsl", "lane" = ONE);
wgsl!(Likelihood, "likelihood.wgsl");
wgsl!(GradientFour, "gradient.wgsl", "lane" = FOUR);
wgsl!(GradientOne, "gradient.wgsl", "lane" = ONE);

/// Rows up to this long are walked by one thread each; of longer ones every thread of a workgroup gets its share.
///
/// A real GPU wants the second: its threads then read neighbouring scores, and a few rows still keep it busy. An
/// adapter that the CPU plays pays for the barrier and the joining. On lavapipe a thousand rows took 2.3 ms and by
/// one thread each 0.3 at 256 columns, 1.8 and 0.7 at 512, 6.2 and 2.9 at 4096, where their product takes far longer.
const SHORT: usize = 512;

/// Rows, columns, first id; and whether columns go four at a time.
fn info(scores: &CubeTensor, first: usize) -> ([u32; 3], bool) {
    let shape = scores.meta.shape();
    (
        [shape[0] as u32, shape[1] as u32, first as u32],
        shape[1].is_multiple_of(4),
    )
}

impl AnswerOps for CubeBackend {
    fn absorb(
        state: CubeTensor,
        scores: CubeTensor,
        targets: CubeTensor,
        first: usize,
    ) -> CubeTensor {
        let (state, scores, targets) = (contiguous(state), contiguous(scores), contiguous(targets));
        let (info, by_four) = info(&scores, first);
        let (rows, columns) = (info[0] as usize, info[1] as usize);
        let tensors = [&scores, &targets, &state];
        let threads = (THREADS, 1);
        if columns > SHORT {
            let groups = indices(rows * THREADS as usize);
            match by_four {
                true => launch(AbsorbFour, threads, groups, &tensors, &info),
                false => launch(AbsorbOne, threads, groups, &tensors, &info),
            }
        } else {
            match by_four {
                true => launch(AbsorbRowsFour, threads, indices(rows), &tensors, &info),
                false => launch(AbsorbRowsOne, threads, indices(rows), &tensors, &info),
            }
        }
        state
    }

    fn log_likelihood(state: CubeTensor) -> CubeTensor {
        let state = contiguous(state);
        let rows = state.meta.shape()[0];
        let out = empty(&state, [rows], state.dtype);
        launch(
            Likelihood,
            (THREADS, 1),
            indices(rows),
            &[&state, &out],
            &[rows as u32],
        );
        out
    }

    fn scores_gradient(
        scores: CubeTensor,
        state: CubeTensor,
        targets: CubeTensor,
        weights: CubeTensor,
        first: usize,
    ) -> CubeTensor {
        let (scores, state) = (contiguous(scores), contiguous(state));
        let (targets, weights) = (contiguous(targets), contiguous(weights));
        let (info, by_four) = info(&scores, first);
        let count = info[0] as usize * info[1] as usize;
        let tensors = [&scores, &state, &targets, &weights];
        let threads = (THREADS, 1);
        match by_four {
            true => launch(GradientFour, threads, indices(count / 4), &tensors, &info),
            false => launch(GradientOne, threads, indices(count), &tensors, &info),
        }
        scores
    }
}
