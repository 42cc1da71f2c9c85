//! One step of AdamW (arXiv 1711.05101) over all factors of an adapter lying in one flat tensor, with the gradient's
//! norm clipped on the way: three launches, and nothing is read back.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// The numbers of one step; PyTorch's names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// The learning rate of this step.
    pub rate: f32,
    /// Decay of the running mean.
    pub beta1: f32,
    /// Decay of the running mean square.
    pub beta2: f32,
    /// Added to the root, against division by zero.
    pub eps: f32,
    /// Share of a parameter that is taken away at a rate of 1.
    pub weight_decay: f32,
    /// `1 − β1^t`, the first step being `t = 1`; to be computed in f64, for powers of β2 are close to 1.
    pub correction1: f32,
    /// `1 − β2^t`.
    pub correction2: f32,
    /// A gradient whose norm is larger is scaled down to it.
    pub max_norm: Option<f32>,
}

impl AdamWStep {
    /// What the gradient is multiplied with for its norm; PyTorch's `clip_grad_norm_`.
    #[cfg(feature = "cpu")]
    fn clip(&self, squares: f32) -> f32 {
        self.max_norm
            .map_or(1.0, |most| (most / (squares.sqrt() + 1e-6)).min(1.0))
    }

    /// What a parameter keeps of itself.
    fn keep(&self) -> f32 {
        (1.0 - f64::from(self.rate) * f64::from(self.weight_decay)) as f32
    }

    /// The rate of the corrected mean.
    fn corrected_rate(&self) -> f32 {
        self.rate / self.correction1
    }
}

/// The operations of a backend; see the functions of the same names.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait AdamWOps: Backend {
    /// See [`sum_squares`].
    fn sum_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`adamw`].
    fn adamw(
        parameters: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        squares: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The sum of the squares of all values, `[1]`; the same for the same values, to the last bit, on one device.
pub fn sum_squares(x: Tensor<1>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::sum_squares(x.into_dispatch()))
}

/// One step, in place: parameters, running mean and running mean square (all `[n]`, the latter two zeros before the
/// first step) from the gradient (`[n]`) and [`sum_squares`] of it.
///
/// The numbers are those of PyTorch's `AdamW` behind `clip_grad_norm_`. If the sum of squares is infinite or no
/// number, nothing changes: one bad loss must not spoil the adapter. That is decided on the device.
pub fn adamw(
    parameters: Tensor<1>,
    gradient: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    squares: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let (parameters, mean, variance) = Dispatch::adamw(
        parameters.into_dispatch(),
        gradient.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        squares.into_dispatch(),
        step,
    );
    (
        Tensor::from_dispatch(parameters),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(variance),
    )
}

#[cfg(test)]
mod tests;
