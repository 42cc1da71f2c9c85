//! The CPU twin.

use burn::backend::Flex;

use super::{AdamWOps, AdamWStep};
use crate::kernels::flex::{FlexTensor, floats, tensor, whole};

/// Running sums side by side, so that the loop need not wait for its last result.
const LANES: usize = 8;
/// Values added up in f32 before the sum goes on in f64.
const RUN: usize = 4096;

fn run(values: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value * value;
        }
    }
    let rest: f32 = chunks.remainder().iter().map(|value| value * value).sum();
    sums.iter().sum::<f32>() + rest
}

impl AdamWOps for Flex {
    fn sum_squares(x: FlexTensor) -> FlexTensor {
        let sum: f64 = floats(&x)
            .chunks(RUN)
            .map(|values| f64::from(run(values)))
            .sum();
        tensor(vec![sum as f32], [1])
    }

    fn adamw(
        parameters: FlexTensor,
        gradient: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        squares: FlexTensor,
        step: AdamWStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let squares = floats(&squares).first().copied().unwrap_or(f32::NAN);
        if !squares.is_finite() {
            return (parameters, mean, variance);
        }
        let gradient = floats(&gradient);
        let (mut parameters, mut mean, mut variance) =
            (whole(parameters), whole(mean), whole(variance));
        let (clip, keep, rate) = (step.clip(squares), step.keep(), step.corrected_rate());
        let (rest1, rest2) = (1.0 - step.beta1, 1.0 - step.beta2);
        let root = step.correction2.sqrt();
        let moments = mean
            .storage_mut::<f32>()
            .iter_mut()
            .zip(variance.storage_mut::<f32>());
        for ((parameter, gradient), (mean, variance)) in parameters
            .storage_mut::<f32>()
            .iter_mut()
            .zip(gradient.iter())
            .zip(moments)
        {
            let gradient = gradient * clip;
            *mean = step.beta1 * *mean + rest1 * gradient;
            *variance = step.beta2 * *variance + rest2 * gradient * gradient;
            *parameter = *parameter * keep - rate * *mean / (variance.sqrt() / root + step.eps);
        }
        (parameters, mean, variance)
    }
}
