//! Causal attention with grouped heads over a flat list of tokens, each of which says which slots of the arenas it
//! sees. Scores are never written down: forward as in FlashAttention (arXiv 2205.14135) with online softmax, backward
//! from the scores' log-sum-exp.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "cpu")]
mod lanes;
#[cfg(all(test, feature = "desk"))]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};

use super::Heads;

/// The log-sum-exp of a token that sees nothing: lower than any score, and yet finite, as WGSL wants it.
#[cfg(feature = "gpu")]
const LOWEST: &str = "-1e30";

/// The operation of a backend; see [`attention`] and [`attention_backward`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
#[allow(
    clippy::too_many_arguments,
    reason = "each is a tensor of its own; a struct would only rename them"
)]
pub trait AttentionOps: Backend {
    /// See [`attention`].
    fn attention(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        spans: IntTensor<Self>,
        heads: Heads,
        scale: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// See [`attention_backward`].
    fn attention_backward(
        queries: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        spans: IntTensor<Self>,
        out: FloatTensor<Self>,
        lse: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
    ) -> FloatTensor<Self>;
}

/// `out = softmax(scale · q · kᵀ) · v` for `queries` (`[n, queries·size]`) over the slots that each token sees in
/// the arenas `keys` and `values` (`[capacity, keys·size]` each), and `lse`, the log-sum-exp of the scaled scores.
///
/// `spans` (`[6·n]`, or longer as [`with_seers`] makes it) has for each token three half-open ranges of slots, `first,
/// end, first, end, first, end`. A range whose end is not past its first slot is empty; ranges of one token must not
/// overlap. A token that sees nothing gives 0, and `lse` -1e30.
///
/// Gives `out` (`[n, queries·size]`) and `lse` (`[n, queries]`).
pub fn attention(
    queries: Tensor<2>,
    keys: Tensor<2>,
    values: Tensor<2>,
    spans: Tensor<1, Int>,
    heads: Heads,
    scale: f32,
) -> (Tensor<2>, Tensor<2>) {
    let (out, lse) = Dispatch::attention(
        queries.into_dispatch(),
        keys.into_dispatch(),
        values.into_dispatch(),
        spans.into_dispatch(),
        heads,
        scale,
    );
    (Tensor::from_dispatch(out), Tensor::from_dispatch(lse))
}

/// The gradients of queries, keys and values side by side, `[n, (queries + 2·keys)·size]`, as
/// [`super::rope_backward`] takes them, from `gradient`, that of [`attention`]'s `out`.
///
/// In training, slot `i` holds what token `i` wrote: row `i` has the gradient of slot `i`'s key and value, and tokens
/// may see slots below `n` only. `spans` must have been made by [`with_seers`] for `n` slots.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a tensor of its own; a struct would only rename them"
)]
pub fn attention_backward(
    queries: Tensor<2>,
    keys: Tensor<2>,
    values: Tensor<2>,
    spans: Tensor<1, Int>,
    out: Tensor<2>,
    lse: Tensor<2>,
    gradient: Tensor<2>,
    heads: Heads,
    scale: f32,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::attention_backward(
        queries.into_dispatch(),
        keys.into_dispatch(),
        values.into_dispatch(),
        spans.into_dispatch(),
        out.into_dispatch(),
        lse.into_dispatch(),
        gradient.into_dispatch(),
        heads,
        scale,
    ))
}

/// Adds to the spans of some tokens (six numbers each, see [`attention`]) which tokens may see each of `slots` slots:
/// the first that does and one past the last, 0 and 0 where none does. With that, the gradient of a slot of one
/// training row does not look through the tokens of all the others.
pub fn with_seers(mut spans: Vec<u32>, slots: usize) -> Vec<u32> {
    let mut seers = vec![[0u32; 2]; slots];
    for (token, ranges) in spans.chunks_exact(6).enumerate() {
        for range in ranges.chunks_exact(2) {
            let (first, end) = (range[0] as usize, (range[1] as usize).min(slots));
            for [from, to] in seers.get_mut(first..end).unwrap_or_default() {
                if *to == 0 {
                    *from = token as u32;
                }
                *to = token as u32 + 1;
            }
        }
    }
    spans.extend(seers.into_iter().flatten());
    spans
}
