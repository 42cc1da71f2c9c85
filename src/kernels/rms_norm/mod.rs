//! Root mean square normalisation of rows (arXiv 1910.07467), alone and together with the residual sum before it.

#[cfg(feature = "cpu")]
pub(super) mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(all(test, feature = "desk"))]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// The operation of a backend; see [`rms_norm`], [`add_rms_norm`] and [`rms_norm_backward`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait RmsNormOps: Backend {
    /// See [`rms_norm`].
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
    /// See [`add_rms_norm`].
    fn add_rms_norm(
        x: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// See [`rms_norm_onto`].
    fn rms_norm_onto(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        onto: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`rms_norm_backward`].
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`rms_norm_backward`], with a residual.
    fn rms_norm_backward_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        gradient: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// `x / sqrt(mean(x²) + eps) · weight` for each row of x (`[n, width]`), with the weight of each column (`[width]`).
pub fn rms_norm(x: Tensor<2>, weight: Tensor<1>, eps: f32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        eps,
    ))
}

/// `(sum, rms_norm(sum))` with `sum = x + delta`: the residual stream and its normed form in one pass.
/// x and delta are `[n, width]` and two different tensors.
pub fn add_rms_norm(
    x: Tensor<2>,
    delta: Tensor<2>,
    weight: Tensor<1>,
    eps: f32,
) -> (Tensor<2>, Tensor<2>) {
    let (sum, normed) = Dispatch::add_rms_norm(
        x.into_dispatch(),
        delta.into_dispatch(),
        weight.into_dispatch(),
        eps,
    );
    (Tensor::from_dispatch(sum), Tensor::from_dispatch(normed))
}

/// `onto + rms_norm(x)`, written where `onto` lies (`[n, width]`, as x): nobody else may hold it.
pub fn rms_norm_onto(x: Tensor<2>, weight: Tensor<1>, eps: f32, onto: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm_onto(
        x.into_dispatch(),
        weight.into_dispatch(),
        eps,
        onto.into_dispatch(),
    ))
}

/// The gradient of x (`[n, width]`) from that of [`rms_norm`]'s result. `residual` is a gradient that reaches x by
/// another way, past the norm, and is added in the same pass. The weight is frozen and gets no gradient.
///
/// With `r = 1 / sqrt(mean(x²) + eps)`: `dx = r · weight · dy − x · r³ · mean(weight · dy · x) + residual`.
pub fn rms_norm_backward(
    x: Tensor<2>,
    weight: Tensor<1>,
    eps: f32,
    gradient: Tensor<2>,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let (x, weight, gradient) = (
        x.into_dispatch(),
        weight.into_dispatch(),
        gradient.into_dispatch(),
    );
    Tensor::from_dispatch(match residual {
        Some(residual) => {
            Dispatch::rms_norm_backward_add(x, weight, eps, gradient, residual.into_dispatch())
        }
        None => Dispatch::rms_norm_backward(x, weight, eps, gradient),
    })
}
