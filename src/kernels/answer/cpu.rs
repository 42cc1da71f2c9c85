//! The CPU twin.

use burn::backend::Flex;

use super::AnswerOps;
use crate::kernels::flex::{FlexTensor, SMALL, floats, for_rows, integers, tensor, whole};
use crate::kernels::threads;

/// Running sums and maxima side by side, so that a loop need not wait for its last result.
const LANES: usize = 8;

/// `exp(x)` for `x` up to 0 by the polynomial of Cephes' `expf`, within 1e-7 of it; below -87 it is `exp(-87)`, which
/// beside a sum of at least 1 is nothing.
///
/// Without branches and calls, so that loops over it become SIMD: in WebAssembly 1.3 ns a value where the standard
/// library's takes 13, if this crate is built for speed; built for size, 8 and 11.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2²³ leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Written so that what is no number stays none.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first of which is exact in products with whole numbers.
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    // Not a loop over the coefficients: built for size, it would stay one.
    let series = 1.987_569_1e-4 * rest + 1.398_199_9e-3;
    let series = series * rest + 8.333_452e-3;
    let series = series * rest + 4.166_579_6e-2;
    let series = series * rest + 1.666_666_5e-1;
    let series = series * rest + 0.5;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    (series * rest * rest + rest + 1.0) * power
}

/// The largest score; what is no number is passed over.
fn highest(scores: &[f32]) -> f32 {
    let mut tops = [f32::MIN; LANES];
    let mut chunks = scores.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (top, score) in tops.iter_mut().zip(chunk) {
            *top = if *score > *top { *score } else { *top };
        }
    }
    tops.iter().chain(chunks.remainder()).fold(
        f32::MIN,
        |top, score| if *score > top { *score } else { top },
    )
}

/// `Σ exp(score − most)`.
fn exponentials(scores: &[f32], most: f32) -> f32 {
    let mut sums = [0.0; LANES];
    let mut chunks = scores.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *sum += exp(score - most);
        }
    }
    sums.iter().sum::<f32>()
        + chunks
            .remainder()
            .iter()
            .map(|score| exp(score - most))
            .sum::<f32>()
}

/// The column of a target in the chunk that begins at `first`, if it lies there.
fn column(target: i32, first: usize, columns: usize) -> Option<usize> {
    usize::try_from(target)
        .ok()?
        .checked_sub(first)
        .filter(|column| *column < columns)
}

impl AnswerOps for Flex {
    fn absorb(
        state: FlexTensor,
        scores: FlexTensor,
        targets: FlexTensor,
        first: usize,
    ) -> FlexTensor {
        let columns = scores.layout().shape()[1];
        let (scores, targets) = (floats(&scores), integers(&targets));
        let work = |row: usize, state: &mut [f32]| {
            let scores = &scores[row * columns..][..columns];
            let top = highest(scores);
            if top > state[0] {
                let best = scores.iter().position(|score| *score == top);
                state[1] *= exp(state[0] - top);
                state[0] = top;
                state[3] = (first + best.unwrap_or(0)) as f32;
            }
            state[1] += exponentials(scores, state[0]);
            if let Some(column) = column(targets[row], first, columns) {
                state[2] = scores[column];
            }
        };
        let mut state = whole(state);
        let rows = state.storage_mut::<f32>();
        // Not `for_rows`: a row of the state is four numbers, and the work behind it a thousand times that.
        let heavy = rows.len() / 4 * columns >= SMALL;
        threads::each_chunk(rows, 4, heavy, work);
        state
    }

    fn log_likelihood(state: FlexTensor) -> FlexTensor {
        let values = floats(&state);
        let out: Vec<f32> = values
            .chunks_exact(4)
            .map(|state| state[2] - state[0] - state[1].ln())
            .collect();
        let rows = out.len();
        tensor(out, [rows])
    }

    fn scores_gradient(
        scores: FlexTensor,
        state: FlexTensor,
        targets: FlexTensor,
        weights: FlexTensor,
        first: usize,
    ) -> FlexTensor {
        let columns = scores.layout().shape()[1];
        let (state, weights) = (floats(&state), floats(&weights));
        let targets = integers(&targets);
        let mut scores = whole(scores);
        for_rows(scores.storage_mut::<f32>(), columns, |row, scores| {
            let weight = weights[row];
            if weight == 0.0 {
                scores.fill(0.0);
                return;
            }
            let most = state[row * 4];
            let scale = weight / state[row * 4 + 1];
            for score in scores.iter_mut() {
                *score = scale * exp(*score - most);
            }
            if let Some(column) = column(targets[row], first, columns) {
                scores[column] -= weight;
            }
        });
        scores
    }
}
