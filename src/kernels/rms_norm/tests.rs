use super::*;
use crate::kernels::testing::{assert_close, on_every_device, random};

const EPS: f32 = 1e-6;
/// Both ways of sharing rows out, four columns at a time and one.
const SHAPES: [(usize, usize); 8] = [
    (1, 64),
    (1, 2048),
    (3, 131),
    (5, 640),
    (255, 130),
    (256, 129),
    (300, 64),
    (513, 260),
];

/// The plain formula, in f64.
fn normed(x: &[f64], weight: &[f32]) -> Vec<f64> {
    let width = weight.len();
    x.chunks(width)
        .flat_map(|row| {
            let mean = row.iter().map(|v| v * v).sum::<f64>() / width as f64;
            let scale = 1.0 / (mean + f64::from(EPS)).sqrt();
            row.iter()
                .zip(weight)
                .map(move |(v, weight)| v * scale * f64::from(*weight))
        })
        .collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn narrow(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

#[test]
fn equals_the_plain_formula_on_every_device() {
    for (rows, width) in SHAPES {
        let (x, weight) = (random(rows * width, 1), random(width, 2));
        let expected = narrow(normed(&wide(&x), &weight));
        on_every_device(|device| {
            let found = rms_norm(
                device.tensor(&x, [rows, width]),
                device.tensor(&weight, [width]),
                EPS,
            );
            assert_close(&device.values(found), &expected, 2e-6);
        });
    }
}

#[test]
fn adds_the_residual_before_it_norms_on_every_device() {
    for (rows, width) in SHAPES {
        let (x, delta) = (random(rows * width, 3), random(rows * width, 4));
        let weight = random(width, 5);
        let sum: Vec<f32> = x.iter().zip(&delta).map(|(a, b)| a + b).collect();
        let expected = narrow(normed(&wide(&sum), &weight));
        on_every_device(|device| {
            let (found_sum, found) = add_rms_norm(
                device.tensor(&x, [rows, width]),
                device.tensor(&delta, [rows, width]),
                device.tensor(&weight, [width]),
                EPS,
            );
            assert_close(&device.values(found_sum), &sum, 1e-7);
            assert_close(&device.values(found), &expected, 2e-6);
        });
    }
}

#[test]
fn a_row_of_zeros_stays_zero_and_passes_its_gradient_on() {
    on_every_device(|device| {
        let zeros = || device.tensor(&[0.0; 8], [2, 4]);
        let weight = || device.tensor(&[1.0, 2.0, 3.0, 4.0], [4]);
        let normed = rms_norm(zeros(), weight(), EPS);
        assert_close(&device.values(normed), &[0.0; 8], 0.0);
        let ones = device.tensor(&[1e-3; 8], [2, 4]);
        let gradient = rms_norm_backward(zeros(), weight(), EPS, ones, None);
        assert_close(
            &device.values(gradient),
            &[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0],
            1e-5,
        );
    });
}

#[test]
fn the_gradient_equals_the_difference_quotient_on_every_device() {
    let (rows, width) = (2, 12);
    let (x, weight) = (wide(&random(rows * width, 6)), random(width, 7));
    let gradient = random(rows * width, 8);
    let value = |x: &[f64]| -> f64 {
        normed(x, &weight)
            .iter()
            .zip(&gradient)
            .map(|(y, d)| y * f64::from(*d))
            .sum()
    };
    let expected: Vec<f32> = (0..x.len())
        .map(|i| {
            let mut moved = x.clone();
            moved[i] += 1e-5;
            let above = value(&moved);
            moved[i] -= 2e-5;
            ((above - value(&moved)) / 2e-5) as f32
        })
        .collect();
    on_every_device(|device| {
        let found = rms_norm_backward(
            device.tensor(&narrow(x.clone()), [rows, width]),
            device.tensor(&weight, [width]),
            EPS,
            device.tensor(&gradient, [rows, width]),
            None,
        );
        assert_close(&device.values(found), &expected, 1e-4);
    });
}

#[test]
fn the_gradient_equals_its_formula_with_and_without_a_residual_on_every_device() {
    for (rows, width) in SHAPES {
        let (x, weight) = (random(rows * width, 9), random(width, 10));
        let (gradient, residual) = (random(rows * width, 11), random(rows * width, 12));
        let through: Vec<f64> = (0..rows)
            .flat_map(|row| {
                let x = wide(&x[row * width..][..width]);
                let pulled: Vec<f64> = wide(&gradient[row * width..][..width])
                    .iter()
                    .zip(&weight)
                    .map(|(d, weight)| d * f64::from(*weight))
                    .collect();
                let mean = x.iter().map(|v| v * v).sum::<f64>() / width as f64;
                let scale = 1.0 / (mean + f64::from(EPS)).sqrt();
                let along = x.iter().zip(&pulled).map(|(x, d)| x * d).sum::<f64>() / width as f64;
                (0..width)
                    .map(|i| pulled[i] * scale - x[i] * along * scale.powi(3))
                    .collect::<Vec<f64>>()
            })
            .collect();
        for added in [false, true] {
            let expected: Vec<f32> = through
                .iter()
                .zip(&residual)
                .map(|(d, residual)| (d + if added { f64::from(*residual) } else { 0.0 }) as f32)
                .collect();
            on_every_device(|device| {
                let found = rms_norm_backward(
                    device.tensor(&x, [rows, width]),
                    device.tensor(&weight, [width]),
                    EPS,
                    device.tensor(&gradient, [rows, width]),
                    added.then(|| device.tensor(&residual, [rows, width])),
                );
                assert_close(&device.values(found), &expected, 2e-6);
            });
        }
    }
}

#[test]
fn a_norm_put_onto_something_is_the_sum_of_both() {
    for (rows, width) in [(1, 4), (3, 7), (5, 200), (300, 132)] {
        let (x, onto) = (random(rows * width, 31), random(rows * width, 32));
        let weight = random(width, 33);
        on_every_device(|device| {
            let x = device.tensor(&x, [rows, width]);
            let weight = device.tensor(&weight, [width]);
            let normed = device.values(rms_norm(x.clone(), weight.clone(), 1e-5));
            let expected: Vec<f32> = onto.iter().zip(&normed).map(|(a, b)| a + b).collect();
            let onto = device.tensor(&onto, [rows, width]);
            assert_close(
                &device.values(rms_norm_onto(x, weight, 1e-5, onto)),
                &expected,
                1e-6,
            );
        });
    }
}
