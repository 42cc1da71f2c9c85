//! The CPU twin.

use burn::backend::Flex;

use super::RmsNormOps;
use crate::kernels::flex::{FlexTensor, floats, for_rows, in_place, tensor};

/// The sum of the products, in eight running sums so that it becomes SIMD.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `1 / sqrt(mean(x²) + eps)`.
fn inverse_root(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + eps).sqrt()
}

/// Every row of `width` values normed.
pub(in crate::kernels) fn normed(x: &[f32], width: usize, weight: &[f32], eps: f32) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for_rows(&mut out, width, |row, out| {
        let x = &x[row * width..][..width];
        let scale = inverse_root(x, eps);
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    });
    out
}

fn sides(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

fn backward(
    x: FlexTensor,
    weight: FlexTensor,
    eps: f32,
    gradient: FlexTensor,
    residual: Option<FlexTensor>,
) -> FlexTensor {
    let [rows, width] = sides(&x);
    let (x, weight, gradient) = (floats(&x), floats(&weight), floats(&gradient));
    let residual = residual.as_ref().map(floats);
    let mut out = vec![0.0; rows * width];
    for_rows(&mut out, width, |row, out| {
        let at = row * width;
        let x = &x[at..][..width];
        for ((out, d), weight) in out
            .iter_mut()
            .zip(&gradient[at..][..width])
            .zip(weight.iter())
        {
            *out = d * weight;
        }
        let scale = inverse_root(x, eps);
        let along = dot(out, x) / width as f32 * scale * scale * scale;
        for (out, x) in out.iter_mut().zip(x) {
            *out = *out * scale - x * along;
        }
        if let Some(residual) = &residual {
            for (out, residual) in out.iter_mut().zip(&residual[at..][..width]) {
                *out += residual;
            }
        }
    });
    tensor(out, [rows, width])
}

impl RmsNormOps for Flex {
    fn rms_norm(x: FlexTensor, weight: FlexTensor, eps: f32) -> FlexTensor {
        let [rows, width] = sides(&x);
        tensor(
            normed(&floats(&x), width, &floats(&weight), eps),
            [rows, width],
        )
    }

    fn add_rms_norm(
        x: FlexTensor,
        delta: FlexTensor,
        weight: FlexTensor,
        eps: f32,
    ) -> (FlexTensor, FlexTensor) {
        let [rows, width] = sides(&x);
        let (x, delta) = (floats(&x), floats(&delta));
        let mut sum = vec![0.0; rows * width];
        for_rows(&mut sum, width, |row, sum| {
            let (x, delta) = (&x[row * width..][..width], &delta[row * width..][..width]);
            for ((sum, x), delta) in sum.iter_mut().zip(x).zip(delta) {
                *sum = x + delta;
            }
        });
        let normed = normed(&sum, width, &floats(&weight), eps);
        (tensor(sum, [rows, width]), tensor(normed, [rows, width]))
    }

    fn rms_norm_onto(x: FlexTensor, weight: FlexTensor, eps: f32, onto: FlexTensor) -> FlexTensor {
        let [_, width] = sides(&x);
        let normed = normed(&floats(&x), width, &floats(&weight), eps);
        in_place(onto, |onto| {
            for (onto, normed) in onto.iter_mut().zip(&normed) {
                *onto += normed;
            }
        })
    }

    fn rms_norm_backward(
        x: FlexTensor,
        weight: FlexTensor,
        eps: f32,
        gradient: FlexTensor,
    ) -> FlexTensor {
        backward(x, weight, eps, gradient, None)
    }

    fn rms_norm_backward_add(
        x: FlexTensor,
        weight: FlexTensor,
        eps: f32,
        gradient: FlexTensor,
        residual: FlexTensor,
    ) -> FlexTensor {
        backward(x, weight, eps, gradient, Some(residual))
    }
}
