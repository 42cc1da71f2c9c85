//! The log-likelihood of chosen tokens, the vocabulary taken chunk by chunk, so that the scores of a whole batch
//! never exist: 1 000 rows over 260 000 tokens would be a gigabyte (the idea of arXiv 2411.09009).
//!
//! Whoever calls makes the scores of a chunk, `hidden [m, width] × head[first..first + chunk]ᵀ`, with whatever
//! product the head's format asks for, twice: once to [`absorb`] them into a running state of four numbers a row,
//! and, when the state is finished and training wants it, once more for their gradient.
//!
//! ```text
//! state = chunk_state(m, device)
//! for first in (0..vocabulary).step_by(chunk)      state = absorb(state, scores(first), targets, first)
//! log_likelihood(state)                            [m]
//! for first in (0..vocabulary).step_by(chunk)      d = scores_gradient(scores(first), state, targets, weights, first)
//!                                                  hidden's gradient += d × head[first..first + chunk]
//! ```

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Int, Tensor};

/// The operations of a backend; see the functions of the same names.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait AnswerOps: Backend {
    /// See [`absorb`].
    fn absorb(
        state: FloatTensor<Self>,
        scores: FloatTensor<Self>,
        targets: IntTensor<Self>,
        first: usize,
    ) -> FloatTensor<Self>;
    /// See [`log_likelihood`].
    fn log_likelihood(state: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`scores_gradient`].
    fn scores_gradient(
        scores: FloatTensor<Self>,
        state: FloatTensor<Self>,
        targets: IntTensor<Self>,
        weights: FloatTensor<Self>,
        first: usize,
    ) -> FloatTensor<Self>;
}

/// The state of `m` rows before any chunk: `[m, 4]`.
///
/// A row holds the maximum of the scores so far, the sum of their exponentials relative to that maximum, the score
/// of the target, and the id of the maximum (the lowest of equals; a whole number, exact up to 2²⁴). A target that
/// no chunk holds keeps the lowest f32 as its score, so that it shows as a probability of zero.
pub fn chunk_state(m: usize, device: &Device) -> Tensor<2> {
    let values = [f32::MIN, 0.0, f32::MIN, 0.0].repeat(m);
    super::floats(values, [m, 4], device)
}

/// Takes in the scores (`[m, chunk]`) of vocabulary rows `first..first + chunk`, each chunk once and in order.
///
/// `targets` (`[m]`, made by [`integers`](super::integers)) are ids of the whole vocabulary. The state is changed in
/// place; the scores are only read. A score that is no number makes its row's likelihood none.
pub fn absorb(
    state: Tensor<2>,
    scores: Tensor<2>,
    targets: Tensor<1, Int>,
    first: usize,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::absorb(
        state.into_dispatch(),
        scores.into_dispatch(),
        targets.into_dispatch(),
        first,
    ))
}

/// `ln p(target)` of every row from the state after all chunks: `[m, 4] → [m]`.
pub fn log_likelihood(state: Tensor<2>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::log_likelihood(state.into_dispatch()))
}

/// The gradient of `−Σ weight · ln p(target)` by the scores of a chunk (`[m, chunk]`), in place of the scores:
/// `weight · (softmax − onehot)`.
///
/// `state` is that after all chunks, `weights` is `[m]`; rows of weight 0 get zeros whatever their scores.
pub fn scores_gradient(
    scores: Tensor<2>,
    state: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
    first: usize,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::scores_gradient(
        scores.into_dispatch(),
        state.into_dispatch(),
        targets.into_dispatch(),
        weights.into_dispatch(),
        first,
    ))
}

#[cfg(test)]
mod tests;
