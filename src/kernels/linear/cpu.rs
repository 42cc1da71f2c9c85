//! The CPU twin: one part after the other over a few rows, which stay in a core's own cache.

use burn::backend::Flex;

use super::{LinearOps, Packing, Plan};
use crate::kernels::flex::{FlexTensor, floats, integers, tensor, whole};
use crate::kernels::product::cpu::{Right, multiply};
use crate::kernels::product::{Job, Place};
use crate::kernels::rms_norm;
use crate::kernels::swiglu;

/// What a plan has beside x and the weight; the others are not looked at.
struct Beside<'a> {
    gain: &'a FlexTensor,
    bias: &'a FlexTensor,
    factors: &'a FlexTensor,
}

fn run(
    x: &FlexTensor,
    weight: Right<'_>,
    beside: &Beside<'_>,
    out: FlexTensor,
    plan: &Plan,
) -> FlexTensor {
    let Plan { m, k, n, .. } = *plan;
    let x = floats(x);
    let normed = plan
        .norm
        .then(|| rms_norm::cpu::normed(&x, k, &floats(beside.gain), plan.eps));
    let x = normed.as_deref().unwrap_or(&x);
    let mut out = whole(out);
    if let Some(gate) = plan.gate {
        let mut joined = vec![0.0; m * n];
        sums(x, weight, beside, &mut joined, plan, false);
        let gated = swiglu::cpu::gated(&joined, m, n / 2, gate);
        if !plan.add {
            return tensor(gated, [m, n / 2]);
        }
        for (out, value) in out.storage_mut::<f32>().iter_mut().zip(gated) {
            *out += value;
        }
    } else {
        sums(x, weight, beside, out.storage_mut::<f32>(), plan, plan.add);
    }
    out
}

/// The product with its side path and bias.
fn sums(
    x: &[f32],
    weight: Right<'_>,
    beside: &Beside<'_>,
    out: &mut [f32],
    plan: &Plan,
    add: bool,
) {
    let Plan { m, k, n, .. } = *plan;
    let job = Job {
        rhs: Place::rows(0, k).turned(),
        add,
        ..Job::dense(m, k, n)
    };
    multiply(x, weight, out, &job);
    if let Some(lora) = plan.lora {
        let factors = floats(beside.factors);
        let narrow = lora.narrow();
        let mut middle = vec![0.0; m * narrow];
        let job = Job {
            rhs: Place::rows(lora.a, k).turned(),
            ..Job::dense(m, k, narrow)
        };
        multiply(x, Right::Plain(&factors), &mut middle, &job);
        for (index, part) in lora.parts.iter().flatten().enumerate() {
            let job = Job {
                lhs: Place::rows(index * lora.rank, narrow),
                rhs: Place::rows(part.b, lora.rank).turned(),
                out: Place::rows(part.column, n),
                alpha: lora.scale,
                add: true,
                ..Job::dense(m, lora.rank, part.width)
            };
            multiply(&middle, Right::Plain(&factors), out, &job);
        }
    }
    if plan.bias {
        let bias = floats(beside.bias);
        for row in out.chunks_exact_mut(n) {
            for (out, bias) in row.iter_mut().zip(bias.iter()) {
                *out += bias;
            }
        }
    }
}

impl LinearOps for Flex {
    fn linear(
        x: FlexTensor,
        weight: FlexTensor,
        gain: FlexTensor,
        bias: FlexTensor,
        factors: FlexTensor,
        out: FlexTensor,
        plan: Plan,
    ) -> FlexTensor {
        let beside = Beside {
            gain: &gain,
            bias: &bias,
            factors: &factors,
        };
        run(&x, Right::Plain(&floats(&weight)), &beside, out, &plan)
    }

    fn linear_packed(
        x: FlexTensor,
        words: FlexTensor,
        scales: FlexTensor,
        gain: FlexTensor,
        bias: FlexTensor,
        factors: FlexTensor,
        out: FlexTensor,
        plan: Plan,
        packing: Packing,
    ) -> FlexTensor {
        let beside = Beside {
            gain: &gain,
            bias: &bias,
            factors: &factors,
        };
        let right = Right::Packed {
            packing,
            words: &integers(&words),
            scales: &integers(&scales),
        };
        run(&x, right, &beside, out, &plan)
    }
}
