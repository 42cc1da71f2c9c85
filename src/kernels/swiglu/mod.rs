//! The gate of a feed-forward block (arXiv 2002.05202): `act(gate) · up` over gate and up lying side by side.

#[cfg(feature = "cpu")]
pub(super) mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// What the gate goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `x · sigmoid(x)`: Llama, Qwen.
    Silu,
    /// GELU by its tanh formula (`gelu_pytorch_tanh`): Gemma.
    GeluTanh,
}

/// The operation of a backend; see [`swiglu`] and [`swiglu_backward`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait SwigluOps: Backend {
    /// See [`swiglu`].
    fn swiglu(joined: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self>;
    /// See [`swiglu_backward`].
    fn swiglu_backward(
        joined: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        gate: Gate,
    ) -> FloatTensor<Self>;
}

/// `[n, 2·inner] → [n, inner]`: `act(joined[:, ..inner]) · joined[:, inner..]`.
pub fn swiglu(joined: Tensor<2>, gate: Gate) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu(joined.into_dispatch(), gate))
}

/// The gradient of `joined` (`[n, 2·inner]`) from that of [`swiglu`]'s result (`[n, inner]`).
pub fn swiglu_backward(joined: Tensor<2>, gradient: Tensor<2>, gate: Gate) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu_backward(
        joined.into_dispatch(),
        gradient.into_dispatch(),
        gate,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, on_every_device, random};

    const GATES: [Gate; 2] = [Gate::Silu, Gate::GeluTanh];

    /// The plain formula, in f64.
    fn gated(gate: f64, up: f64, kind: Gate) -> f64 {
        up * match kind {
            Gate::Silu => gate / (1.0 + (-gate).exp()),
            Gate::GeluTanh => {
                0.5 * gate
                    * (1.0
                        + ((2.0 / std::f64::consts::PI).sqrt() * (gate + 0.044715 * gate.powi(3)))
                            .tanh())
            }
        }
    }

    #[test]
    fn equals_the_plain_formula_on_every_device() {
        for (rows, inner) in [(1, 1), (3, 5), (7, 64), (130, 33)] {
            let joined = random(rows * inner * 2, 1);
            for kind in GATES {
                let expected: Vec<f32> = (0..rows * inner)
                    .map(|i| {
                        let at = i / inner * 2 * inner + i % inner;
                        gated(joined[at].into(), joined[at + inner].into(), kind) as f32
                    })
                    .collect();
                on_every_device(|device| {
                    let found = swiglu(device.tensor(&joined, [rows, 2 * inner]), kind);
                    assert_close(&device.values(found), &expected, 1e-6);
                });
            }
        }
    }

    #[test]
    fn the_gradient_equals_the_difference_quotient_on_every_device() {
        let (rows, inner) = (3, 5);
        let joined = random(rows * inner * 2, 2);
        let gradient = random(rows * inner, 3);
        for kind in GATES {
            let value = |joined: &[f64]| -> f64 {
                (0..rows * inner)
                    .map(|i| {
                        let at = i / inner * 2 * inner + i % inner;
                        f64::from(gradient[i]) * gated(joined[at], joined[at + inner], kind)
                    })
                    .sum()
            };
            let expected: Vec<f32> = (0..joined.len())
                .map(|i| {
                    let mut moved: Vec<f64> = joined.iter().map(|v| f64::from(*v)).collect();
                    moved[i] += 1e-5;
                    let above = value(&moved);
                    moved[i] -= 2e-5;
                    ((above - value(&moved)) / 2e-5) as f32
                })
                .collect();
            on_every_device(|device| {
                let found = swiglu_backward(
                    device.tensor(&joined, [rows, 2 * inner]),
                    device.tensor(&gradient, [rows, inner]),
                    kind,
                );
                assert_close(&device.values(found), &expected, 1e-4);
            });
        }
    }
}
