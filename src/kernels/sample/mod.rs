//! The next token of many rows, drawn where the scores are: nothing is read back.
//!
//! There is no sorting, and no sum of floats whose order could matter. A row is drawn from in whole numbers, which
//! the shader and the CPU twin reckon alike, so that the same scores and seed give the same token on every device:
//!
//! - The *depth* of a token is how far it lies below the row's best after the temperature: the number of times its
//!   probability halves, `(best − score) · log2(e) / temperature`, in steps of 2⁻²⁶. Tokens of the same depth are
//!   ties, and the lower id goes first. From 32 halvings on a token is never drawn.
//! - Its *weight* is `2³¹ · 2^−depth`, by a polynomial exact to 9e-8. Sums of weights are 64-bit.
//! - What top-k and top-p leave is every token above a depth, and so many of the ties at it. The depth is found digit
//!   by digit, four times over the row with a histogram of 8 bits: top-k counts tokens, top-p sums weights.
//! - The uniform number of a row is a 32-bit hash of its two seed words, `mix(mix(a) ^ mix(b + 0x9e3779b9))`, with
//!   the finaliser `lowbias32` of <https://github.com/skeeto/hash-prospector>. That share of the sum of the kept
//!   weights, walked in the order of the ids, falls on the token drawn.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(all(test, feature = "desk"))]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};

/// How the next token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Scores are divided by it; 0 takes the best token always.
    pub temperature: f32,
    /// Only the best so many tokens may be drawn; 0 for all.
    pub top_k: usize,
    /// Only the smallest set of best tokens whose probabilities reach this sum may be drawn; 1 for all.
    pub top_p: f32,
}

impl Sampling {
    /// Always the best token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
    };
}

/// The numbers of a [`Sampling`] as the twins reckon with them.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Steps of depth for a score lower by 1; 0 takes the best token always.
    slope: f32,
    /// [`ALL`], or how many tokens are kept.
    top_k: u32,
    /// [`ALL`], or the share of the sum of weights that is kept, in 2⁻³².
    top_p: u32,
}

/// No filter.
const ALL: u32 = u32::MAX;
/// Steps of depth in which a probability halves, as bits: 2²⁶.
const STEP_BITS: u32 = 26;
/// The largest f32 below 32 halvings; from here on a token is never drawn.
#[cfg(any(feature = "cpu", test))]
const DEEPEST: f32 = 2_147_483_520.0;

impl Plan {
    fn of(sampling: Sampling) -> Self {
        let steps = std::f32::consts::LOG2_E * (1u32 << STEP_BITS) as f32;
        Self {
            slope: if sampling.temperature > 0.0 {
                // Within the range in which no factor flushes to zero and no product of finite scores is undefined.
                (steps / sampling.temperature).clamp(1e-30, 1e30)
            } else {
                0.0
            },
            top_k: match sampling.top_k {
                0 => ALL,
                k => u32::try_from(k).unwrap_or(ALL),
            },
            top_p: if sampling.top_p < 1.0 {
                (sampling.top_p * 2f32.powi(32)) as u32
            } else {
                ALL
            },
        }
    }
}

/// The operation of a backend; see [`sample`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait SampleOps: Backend {
    /// See [`sample`].
    fn sample(
        scores: FloatTensor<Self>,
        sampling: Sampling,
        seeds: IntTensor<Self>,
    ) -> IntTensor<Self>;
    /// See [`sample`], with a mask.
    fn sample_allowed(
        scores: FloatTensor<Self>,
        sampling: Sampling,
        seeds: IntTensor<Self>,
        allowed: IntTensor<Self>,
    ) -> IntTensor<Self>;
}

/// Draws one token id for each row of the scores (`[rows, vocabulary]`): `[rows]`.
///
/// The filters follow transformers: temperature, then top-k, then top-p (the token that crosses the sum is kept).
/// Ties go to the lower id. Scores that are not finite are never drawn; a row in which nothing may be drawn gives 0.
///
/// `seeds` (`[2 · rows]`) has two 32-bit words for each row, of which its uniform number is a hash: the row's own
/// seed and the number of the step. So its tokens depend on nothing but its own seed and scores.
///
/// `allowed` (`[rows, ⌈vocabulary / 32⌉]`) has a bit for each token, from the lowest of the first word on; only
/// tokens whose bit is set may be drawn.
///
/// Both are words as [`integers`](super::integers) makes them, and here every 32-bit word is welcome.
pub fn sample(
    scores: Tensor<2>,
    sampling: Sampling,
    seeds: Tensor<1, Int>,
    allowed: Option<Tensor<2, Int>>,
) -> Tensor<1, Int> {
    let (scores, seeds) = (scores.into_dispatch(), seeds.into_dispatch());
    Tensor::from_dispatch(match allowed {
        Some(allowed) => Dispatch::sample_allowed(scores, sampling, seeds, allowed.into_dispatch()),
        None => Dispatch::sample(scores, sampling, seeds),
    })
}
