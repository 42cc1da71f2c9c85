//! Products of a few rows with a weight as it is packed: for decoding, where each weight is looked at once and unpacking it
//! to floats first would cost more than the product.
//!
//! Against blocks of 8 or 4 bits, x is rounded to 16-bit whole numbers, 32 values to a scale, and the sum of a block is
//! exact in whole numbers. That moves each value of x by at most 2⁻¹⁶ of the largest of its block: `y` by no more than
//! `2⁻¹⁶ · Σ |w| · max |x|` of each block, a few times what adding floats in another order does. (Eight bits would cost
//! 2⁻⁸, and no less time: the instructions there are multiply 16 bits.) Plain weights and f16 are multiplied as floats.

mod plain;
#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::{Job, Packing};
use crate::kernels::product::cpu::Right;
use crate::kernels::threads;

/// Values of a block.
const BLOCK: usize = 32;
/// Rows of x up to which this is faster than unpacking a weight and multiplying matrices, which is done well as soon as
/// there are some rows (timed in wasm and on a processor with AVX2).
fn most(packing: Option<Packing>) -> usize {
    let wasm = cfg!(target_arch = "wasm32");
    match packing {
        None => 4,
        Some(Packing::F16) => 8,
        // There four rows go past a weight together ([`wasm::tiles`]).
        Some(Packing::Q8) if wasm => 64,
        Some(Packing::Q8) => 16,
        Some(Packing::Q4) => 16,
    }
}

/// Rows of a weight that are taken together, so that they stay in a core's own cache for all rows of x.
const ROWS: usize = 32;
/// Products below which waking other cores costs more than it brings.
const SMALL: usize = 1 << 17;

/// A row of x, made ready for a format.
struct Ready<'a> {
    /// As it came.
    floats: &'a [f32],
    /// For each block 32 whole numbers: in order for 8 bits, for 4 bits those at even places first, then those at odd
    /// ones, as the halves of a byte lie. Empty for other formats.
    blocks: Vec<[i16; BLOCK]>,
    /// What each block's numbers are multiplied by.
    scales: Vec<f32>,
    /// Each block's sum, times its scale, which a minimum is multiplied by.
    sums: Vec<f32>,
}

impl<'a> Ready<'a> {
    fn new(floats: &'a [f32], packing: Option<Packing>) -> Self {
        let mut ready = Self {
            floats,
            blocks: Vec::new(),
            scales: Vec::new(),
            sums: Vec::new(),
        };
        let halves = match packing {
            Some(Packing::Q8) => false,
            Some(Packing::Q4) => true,
            _ => return ready,
        };
        for block in floats.as_chunks::<BLOCK>().0 {
            let largest = block.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let scale = largest / f32::from(i16::MAX);
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let mut numbers = [0i16; BLOCK];
            let mut sum = 0i32;
            for (i, x) in block.iter().enumerate() {
                let number = rounded(x * inverse);
                sum += i32::from(number);
                let place = if halves {
                    i / 2 + i % 2 * (BLOCK / 2)
                } else {
                    i
                };
                numbers[place] = number;
            }
            ready.blocks.push(numbers);
            ready.scales.push(scale);
            ready.sums.push(sum as f32 * scale);
        }
        ready
    }
}

/// The nearest whole number, for a value whose size is at most 32,767 or a rounding more.
fn rounded(x: f32) -> i16 {
    /// Added to a small number, leaves the nearest whole number in the low bits. (`round` is a call on some machines.)
    const ROUND: f32 = 12_582_912.0;
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32 as i16
}

/// Some rows of a weight, one after the other.
#[derive(Clone, Copy)]
enum Rows<'a> {
    F32(&'a [f32]),
    F16(&'a [i32]),
    /// Words and scales.
    Q8(&'a [i32], &'a [i32]),
    Q4(&'a [i32], &'a [i32]),
}

impl<'a> Rows<'a> {
    /// `count` rows of `columns` values of a right side, the row `first` being the first.
    fn of(right: Right<'a>, columns: usize, first: usize, count: usize) -> Self {
        match right {
            Right::Plain(values) => Self::F32(&values[first * columns..][..count * columns]),
            Right::Packed {
                packing,
                words,
                scales,
            } => {
                let width = columns / packing.values_per_word();
                let words = &words[first * width..][..count * width];
                let width = packing.scales_per_row(columns);
                let scales = || &scales[first * width..][..count * width];
                match packing {
                    Packing::F16 => Self::F16(words),
                    Packing::Q8 => Self::Q8(words, scales()),
                    Packing::Q4 => Self::Q4(words, scales()),
                }
            }
        }
    }
}

/// `out[i] = x · row i`.
fn dots(x: &Ready<'_>, rows: Rows<'_>, out: &mut [f32]) {
    #[cfg(target_arch = "wasm32")]
    wasm::dots(x, rows, out);
    #[cfg(not(target_arch = "wasm32"))]
    {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return x86::dots(simd, x, rows, out);
        }
        plain::dots(x, rows, out);
    }
}

/// Whether a job is one for [`multiply`]: few rows, each whole, with a weight's rows.
pub(super) fn is_few(right: Right<'_>, job: &Job) -> bool {
    let few = match right {
        Right::Plain(_) => job.m <= most(None) && job.rhs.column == job.k,
        Right::Packed { packing, .. } => job.m <= most(Some(packing)),
    };
    few && job.m > 0 && job.k > 0 && job.lhs.column == 1 && job.rhs.row == 1
}

/// Does such a job; the caller has seen that all matrices lie inside their slices.
pub(super) fn multiply(lhs: &[f32], right: Right<'_>, out: &mut [f32], job: &Job) {
    let Job { m, k, n, .. } = *job;
    let (packing, right, first) = match right {
        Right::Plain(values) => (None, Right::Plain(&values[job.rhs.offset..]), 0),
        Right::Packed { packing, .. } => (Some(packing), right, job.rhs.offset / k),
    };
    let ready: Vec<Ready<'_>> = (0..m)
        .map(|row| Ready::new(&lhs[job.lhs.offset + row * job.lhs.row..][..k], packing))
        .collect();
    // Turned, so that the rows of a weight that are taken together have a slice of their own.
    let mut turned = vec![0.0; n * m];
    let work = |chunk: usize, values: &mut [f32]| {
        let count = values.len() / m;
        let rows = Rows::of(right, k, first + chunk * ROWS, count);
        let mut sums = [0.0; ROWS];
        #[cfg(target_arch = "wasm32")]
        let done = wasm::tiles(&ready, rows, values);
        #[cfg(not(target_arch = "wasm32"))]
        let done = 0;
        for (row, x) in ready.iter().enumerate().skip(done) {
            dots(x, rows, &mut sums[..count]);
            for (values, sum) in values.chunks_exact_mut(m).zip(&sums) {
                values[row] = *sum;
            }
        }
    };
    threads::each_chunk(&mut turned, ROWS * m, m * n * k >= SMALL, work);
    for row in 0..m {
        let out = &mut out[job.out.offset + row * job.out.row..][..n];
        for (out, values) in out.iter_mut().zip(turned.chunks_exact(m)) {
            let value = job.alpha * values[row];
            *out = if job.add { *out + value } else { value };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::product::Place;

    fn random(count: usize, seed: u64, size: f32) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| (rng.f32() * 2.0 - 1.0) * size).collect()
    }

    /// A packed weight with the values it keeps.
    fn packed(values: &[f32], packing: Packing) -> (Vec<i32>, Vec<i32>, Vec<f32>) {
        let (mut words, mut scales) = (Vec::new(), Vec::new());
        packing.pack(values, &mut words, &mut scales);
        let signed =
            |words: Vec<u32>| -> Vec<i32> { words.into_iter().map(|w| w as i32).collect() };
        let (words, scales) = (signed(words), signed(scales));
        let mut kept = vec![0.0; values.len()];
        packing.unpack(&words, &scales, &mut kept);
        (words, scales, kept)
    }

    #[test]
    fn a_packed_product_is_as_near_to_the_exact_one_as_is_said() {
        let (m, k, n) = (3, 96, 70);
        let mut x = random(m * k, 1, 3.0);
        // Blocks of very different sizes, and one of nothing.
        x[..32].iter_mut().for_each(|x| *x *= 1e-3);
        x[k..k + 32].fill(0.0);
        for packing in [Packing::F16, Packing::Q8, Packing::Q4] {
            let (words, scales, kept) = packed(&random(n * k, 2, 0.1), packing);
            let right = Right::Packed {
                packing,
                words: &words,
                scales: &scales,
            };
            let job = Job {
                rhs: Place::rows(0, k).turned(),
                ..Job::dense(m, k, n)
            };
            let mut out = vec![0.0; m * n];
            assert!(is_few(right, &job));
            multiply(&x, right, &mut out, &job);
            for (i, found) in out.iter().enumerate() {
                let (x, row) = (&x[i / n * k..][..k], &kept[i % n * k..][..k]);
                let exact: f64 = x
                    .iter()
                    .zip(row)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                let bound: f32 = x
                    .chunks(BLOCK)
                    .zip(row.chunks(BLOCK))
                    .map(|(x, row)| {
                        let largest = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                        largest * row.iter().map(|w| w.abs()).sum::<f32>()
                    })
                    .sum();
                let bound = f64::from(bound) * 2f64.powi(-16) + 1e-6;
                assert!(
                    (f64::from(*found) - exact).abs() <= bound,
                    "{packing:?} {i}"
                );
            }
        }
    }

    #[test]
    fn this_machines_instructions_and_plain_loops_agree() {
        for k in [4, 12, 32, 64, 100, 160, 576] {
            let n = 9;
            let (x, values) = (random(k, 3, 2.0), random(n * k, 4, 0.5));
            let mut found = vec![0.0; n];
            let mut right = vec![0.0; n];
            let mut check = |packing: Option<Packing>, rows: Rows<'_>| {
                let ready = Ready::new(&x, packing);
                dots(&ready, rows, &mut found);
                plain::dots(&ready, rows, &mut right);
                for (found, right) in found.iter().zip(&right) {
                    assert!((found - right).abs() < 1e-4, "{packing:?} of {k}");
                }
            };
            check(None, Rows::F32(&values));
            for packing in [Packing::F16, Packing::Q8, Packing::Q4] {
                if k.is_multiple_of(packing.granule()) {
                    let (words, scales, _) = packed(&values, packing);
                    let right = Right::Packed {
                        packing,
                        words: &words,
                        scales: &scales,
                    };
                    check(Some(packing), Rows::of(right, k, 0, n));
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_the_nearest() {
        for x in [-32_767.0, -1.5, -0.4, 0.0, 0.6, 2.5, 32_766.7] {
            assert!((f32::from(rounded(x)) - x).abs() <= 0.5, "{x}");
        }
    }
}
