//! The CPU twin.

use burn::backend::Flex;

use super::{Gate, SwigluOps};
use crate::kernels::flex::{FlexTensor, floats, for_rows, tensor};
use crate::kernels::lanes;

const ROOT: f32 = 0.797_884_6;
const CUBE: f32 = 0.044715;

/// What stands in the gate's sigmoid, for both gates are `x · σ(u(x))`: a half of one plus tanh is a sigmoid of twice as much.
fn inside(x: f32, gate: Gate) -> f32 {
    match gate {
        Gate::Silu => x,
        Gate::GeluTanh => 2.0 * ROOT * (x + CUBE * x * x * x),
    }
}

/// The derivative of [`inside`].
fn slope(x: f32, gate: Gate) -> f32 {
    match gate {
        Gate::Silu => 1.0,
        Gate::GeluTanh => 2.0 * ROOT * (1.0 + 3.0 * CUBE * x * x),
    }
}

/// `e^-u` of a row of gates, all at once: the library's function goes value by value.
fn exponentials(gates: &[f32], gate: Gate, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(gates) {
        *out = inside(*x, gate);
    }
    lanes::exp(out, -1.0, 0.0);
}

/// `act(gate) · up` for rows of gates with as many ups behind them.
pub(in crate::kernels) fn gated(joined: &[f32], rows: usize, inner: usize, gate: Gate) -> Vec<f32> {
    let mut out = vec![0.0; rows * inner];
    for_rows(&mut out, inner, |row, out| {
        let (gates, ups) = joined[row * 2 * inner..][..2 * inner].split_at(inner);
        exponentials(gates, gate, out);
        for ((out, x), up) in out.iter_mut().zip(gates).zip(ups) {
            *out = x / (1.0 + *out) * up;
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
            exponentials(gates, gate, to_ups);
            for (i, d) in gradient[row * inner..][..inner].iter().enumerate() {
                let (x, sigmoid) = (gates[i], 1.0 / (1.0 + to_ups[i]));
                let value = x * sigmoid;
                to_gates[i] = d * ups[i] * (sigmoid + value * (1.0 - sigmoid) * slope(x, gate));
                to_ups[i] = d * value;
            }
        });
        tensor(out, [rows, 2 * inner])
    }
}
