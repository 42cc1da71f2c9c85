//! The CPU twin.

use burn::backend::Flex;

use super::{Gate, SwigluOps};
use crate::kernels::flex::{FlexTensor, floats, for_rows, tensor};

const ROOT: f32 = 0.797_884_6;
const CUBE: f32 = 0.044715;

/// The gate's value and its derivative.
fn activation(x: f32, gate: Gate) -> (f32, f32) {
    match gate {
        Gate::Silu => {
            let sigmoid = 1.0 / (1.0 + (-x).exp());
            (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid)))
        }
        Gate::GeluTanh => {
            let inner = ROOT * (x + CUBE * x * x * x);
            let tanh = inner.tanh();
            let slope = ROOT * (1.0 + 3.0 * CUBE * x * x);
            (
                0.5 * x * (1.0 + tanh),
                0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope,
            )
        }
    }
}

/// `act(gate) · up` for rows of gates with as many ups behind them.
pub(in crate::kernels) fn gated(joined: &[f32], rows: usize, inner: usize, gate: Gate) -> Vec<f32> {
    let mut out = vec![0.0; rows * inner];
    for_rows(&mut out, inner, |row, out| {
        let (gates, ups) = joined[row * 2 * inner..][..2 * inner].split_at(inner);
        for ((out, x), up) in out.iter_mut().zip(gates).zip(ups) {
            *out = activation(*x, gate).0 * up;
        }
    });
    out
}

impl SwigluOps for Flex {
    fn swiglu(joined: FlexTensor, gate: Gate) -> FlexTensor {
        let shape = joined.layout().shape();
        let (rows, inner) = (shape[0], shape[1] / 2);
        tensor(gated(&floats(&joined), rows, inner, gate), [rows, inner])
    }

    fn swiglu_backward(joined: FlexTensor, gradient: FlexTensor, gate: Gate) -> FlexTensor {
        let shape = joined.layout().shape();
        let (rows, inner) = (shape[0], shape[1] / 2);
        let (values, gradient) = (floats(&joined), floats(&gradient));
        let mut out = vec![0.0; rows * 2 * inner];
        for_rows(&mut out, 2 * inner, |row, out| {
            let (gates, ups) = values[row * 2 * inner..][..2 * inner].split_at(inner);
            let (to_gates, to_ups) = out.split_at_mut(inner);
            for (i, d) in gradient[row * inner..][..inner].iter().enumerate() {
                let (value, slope) = activation(gates[i], gate);
                to_gates[i] = d * ups[i] * slope;
                to_ups[i] = d * value;
            }
        });
        tensor(out, [rows, 2 * inner])
    }
}
