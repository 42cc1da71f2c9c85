use super::*;
use crate::kernels::testing::{Device, assert_close, on_every_device, random};

const BETAS: (f64, f64) = (0.9, 0.999);
const EPS: f64 = 1e-8;
const DECAY: f64 = 0.1;

fn step(t: i32, rate: f64, max_norm: Option<f32>) -> AdamWStep {
    AdamWStep {
        rate: rate as f32,
        beta1: BETAS.0 as f32,
        beta2: BETAS.1 as f32,
        eps: EPS as f32,
        weight_decay: DECAY as f32,
        correction1: (1.0 - BETAS.0.powi(t)) as f32,
        correction2: (1.0 - BETAS.1.powi(t)) as f32,
        max_norm,
    }
}

/// PyTorch's documentation of AdamW and clip_grad_norm_, line by line, in f64.
#[derive(Clone)]
struct Plain {
    parameters: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Plain {
    fn step(&mut self, gradient: &[f32], t: i32, rate: f64, max_norm: Option<f32>) {
        let norm = gradient
            .iter()
            .map(|g| f64::from(*g).powi(2))
            .sum::<f64>()
            .sqrt();
        let clip = max_norm.map_or(1.0, |most| (f64::from(most) / (norm + 1e-6)).min(1.0));
        for (i, g) in gradient.iter().enumerate() {
            let g = f64::from(*g) * clip;
            self.parameters[i] -= rate * DECAY * self.parameters[i];
            self.mean[i] = BETAS.0 * self.mean[i] + (1.0 - BETAS.0) * g;
            self.variance[i] = BETAS.1 * self.variance[i] + (1.0 - BETAS.1) * g * g;
            let mean = self.mean[i] / (1.0 - BETAS.0.powi(t));
            let variance = self.variance[i] / (1.0 - BETAS.1.powi(t));
            self.parameters[i] -= rate * mean / (variance.sqrt() + EPS);
        }
    }
}

type State = (Tensor<1>, Tensor<1>, Tensor<1>);

fn start(device: &Device, parameters: &[f32]) -> State {
    let n = parameters.len();
    (
        device.tensor(parameters, [n]),
        device.tensor(&vec![0.0; n], [n]),
        device.tensor(&vec![0.0; n], [n]),
    )
}

fn stepped(device: &Device, state: State, gradient: &[f32], step: AdamWStep) -> State {
    let gradient = device.tensor(gradient, [gradient.len()]);
    let squares = sum_squares(gradient.clone());
    adamw(state.0, gradient, state.1, state.2, squares, step)
}

fn as_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

#[test]
fn steps_are_those_of_pytorch_on_every_device() {
    // Values that go by four and that do not, fewer than a workgroup's, more than the first stage has threads.
    for n in [1, 7, 64, 1000, 70_004, 66_001] {
        for max_norm in [None, Some(1.0), Some(1e6)] {
            let parameters = random(n, 1);
            let mut plain = Plain {
                parameters: parameters.iter().map(|p| f64::from(*p)).collect(),
                mean: vec![0.0; n],
                variance: vec![0.0; n],
            };
            let gradients: Vec<Vec<f32>> = (2..6).map(|seed| random(n, seed)).collect();
            let rates = [1e-2, 2e-2, 1e-2, 5e-3];
            for (t, (gradient, rate)) in (1..).zip(gradients.iter().zip(rates)) {
                plain.step(gradient, t, rate, max_norm);
            }
            on_every_device(|device| {
                let mut state = start(device, &parameters);
                for (t, (gradient, rate)) in (1..).zip(gradients.iter().zip(rates)) {
                    state = stepped(device, state, gradient, step(t, rate, max_norm));
                }
                assert_close(&device.values(state.0), &as_f32(&plain.parameters), 1e-6);
                // 1 − β is rounded as β is, by a 20 000th of it.
                for (moment, expected) in [(state.1, &plain.mean), (state.2, &plain.variance)] {
                    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
                    let found = device.values(moment.mul_scalar(1.0 / largest));
                    let expected: Vec<f64> = expected.iter().map(|e| e / largest).collect();
                    assert_close(&found, &as_f32(&expected), 1e-4);
                }
            });
        }
    }
}

#[test]
fn a_clipped_gradient_counts_as_one_of_the_largest_norm() {
    let parameters = random(10, 1);
    let gradient = random(10, 2);
    let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
    let scaled: Vec<f32> = gradient.iter().map(|g| g * 0.5 / norm).collect();
    on_every_device(|device| {
        let clipped = stepped(
            device,
            start(device, &parameters),
            &gradient,
            step(1, 0.01, Some(0.5)),
        );
        let small = stepped(
            device,
            start(device, &parameters),
            &scaled,
            step(1, 0.01, None),
        );
        assert_close(
            &device.values(clipped.1.mul_scalar(10.0)),
            &device.values(small.1.mul_scalar(10.0)),
            1e-5,
        );
        assert_close(
            &device.values(clipped.2.mul_scalar(1e3)),
            &device.values(small.2.mul_scalar(1e3)),
            1e-4,
        );
    });
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing() {
    for n in [8, 9] {
        let parameters = random(n, 1);
        let gradient = random(n, 2);
        for bad in [f32::NAN, f32::INFINITY, 1e30] {
            let mut spoilt = gradient.clone();
            spoilt[n - 1] = bad;
            on_every_device(|device| {
                let before = stepped(
                    device,
                    start(device, &parameters),
                    &gradient,
                    step(1, 0.01, Some(1.0)),
                );
                let expected = [&before.0, &before.1, &before.2].map(|t| device.values(t.clone()));
                let after = stepped(device, before, &spoilt, step(2, 0.01, Some(1.0)));
                let found = [after.0, after.1, after.2].map(|t| device.values(t));
                assert_eq!(found, expected);
                assert_ne!(found[0], parameters);
            });
        }
    }
}

#[test]
fn the_sum_of_squares_is_right_and_always_the_same() {
    for n in [1, 3, 4, 255, 4096, 100_003, 1_200_000] {
        let values = random(n, 3);
        let expected: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
        on_every_device(|device| {
            let sum = || device.values(sum_squares(device.tensor(&values, [n])));
            let found = sum();
            assert_close(&found, &[expected as f32], 1e-6);
            assert_eq!(found, sum());
        });
    }
}
