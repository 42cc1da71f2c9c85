//! Rotary positions (arXiv 2104.09864) of queries and keys, with the norm of each head where a model has one, and
//! the way of keys and values into their arenas: all that happens between the joined product and attention.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(all(test, feature = "desk"))]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchTensor, backend_extension};
use burn::tensor::{Int, Tensor};

use super::Heads;

/// Where the tokens of a step lie, and how their heads are turned.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[2·n]`: the position of each token, then its slot in the arenas. Positions must lie in `table`, slots in the
    /// arenas, and no two tokens of a step may have the same slot.
    pub places: Tensor<1, Int>,
    /// `[positions, size]`: the cosines of a position's `size / 2` angles, then their sines.
    pub table: Tensor<2>,
    /// `[2·size]`: weights of the RMSNorm over each query head, then over each key head, applied before the turn
    /// (Qwen 3, Gemma 3; for Gemma, one must be added to the checkpoint's weights).
    pub norms: Option<Tensor<1>>,
    /// What is added to the mean square of a head under the norm's root.
    pub eps: f32,
}

impl Rotary {
    /// The norms' weights; where there are none a tensor that is not looked at, for the macro takes none for none.
    fn weights(&self) -> DispatchTensor {
        match &self.norms {
            Some(norms) => norms.clone().into_dispatch(),
            None => self.table.clone().into_dispatch(),
        }
    }
}

/// The operation of a backend; see [`rope`] and [`rope_backward`]. Where `normed` is false `norms` is not looked at.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
#[allow(
    clippy::too_many_arguments,
    reason = "the macro takes tensors one by one; callers see `Rotary`"
)]
pub trait RopeOps: Backend {
    /// See [`rope`].
    fn rope(
        joined: FloatTensor<Self>,
        heads: Heads,
        places: IntTensor<Self>,
        table: FloatTensor<Self>,
        normed: bool,
        norms: FloatTensor<Self>,
        eps: f32,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// See [`rope_backward`].
    fn rope_backward(
        joined: FloatTensor<Self>,
        heads: Heads,
        places: IntTensor<Self>,
        table: FloatTensor<Self>,
        normed: bool,
        norms: FloatTensor<Self>,
        eps: f32,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Takes `joined` (`[n, (queries + 2·keys)·size]`: query, key and value heads side by side) apart: queries and keys
/// are normed and turned, keys and values written into their tokens' rows of the arenas (`[capacity, keys·size]`
/// each, in place). Gives the queries (`[n, queries·size]`) and the two arenas.
///
/// Element `i` of a head is turned together with element `i + size/2`, as in checkpoints of the hub.
pub fn rope(
    joined: Tensor<2>,
    heads: Heads,
    rotary: &Rotary,
    keys: Tensor<2>,
    values: Tensor<2>,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let (queries, keys, values) = Dispatch::rope(
        joined.into_dispatch(),
        heads,
        rotary.places.clone().into_dispatch(),
        rotary.table.clone().into_dispatch(),
        rotary.norms.is_some(),
        rotary.weights(),
        rotary.eps,
        keys.into_dispatch(),
        values.into_dispatch(),
    );
    (
        Tensor::from_dispatch(queries),
        Tensor::from_dispatch(keys),
        Tensor::from_dispatch(values),
    )
}

/// The gradient of `joined` from `gradient`, that of the turned queries, the keys and the values, side by side and in
/// token order as [`super::attention_backward`] gives it. Both are `[n, (queries + 2·keys)·size]`.
pub fn rope_backward(
    joined: Tensor<2>,
    heads: Heads,
    rotary: &Rotary,
    gradient: Tensor<2>,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rope_backward(
        joined.into_dispatch(),
        heads,
        rotary.places.clone().into_dispatch(),
        rotary.table.clone().into_dispatch(),
        rotary.norms.is_some(),
        rotary.weights(),
        rotary.eps,
        gradient.into_dispatch(),
    ))
}
