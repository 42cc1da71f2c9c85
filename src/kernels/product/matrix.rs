//! Matrix products in a tab: register tiles of WebAssembly's 128-bit vectors, straight from where the matrices lie.
//!
//! Nothing is packed first. Where a weight's rows are what comes out (`x·Wᵀ`), both sides run along k, and a tile of 4 × 3
//! sums keeps four partial ones in each vector. Where they are what is summed over (`dy·W`), the right side runs along
//! the columns, and a tile of 4 × 8 takes each left value four times. Either is about twice as fast as the crate `gemm`
//! there, and every value is summed in one order whatever tile or thread it falls to.

use super::{Job, Place};
use crate::kernels::threads;

/// Values of a right side that are gone over before the next, so that they stay in a core's own cache for all rows.
const BLOCK: usize = 1 << 16;
/// Rows of a right side that are summed before sums are written back, where it runs along the columns.
const DEEP: usize = 256;
/// Products below which handing out costs more than it brings.
const SMALL: usize = 1 << 17;
/// Below this k a tile along k spends its time on the sum of its vectors.
const SHORT: usize = 32;

/// Four floats.
#[cfg(target_arch = "wasm32")]
mod four {
    use core::arch::wasm32::{f32x4_add, f32x4_mul, f32x4_splat, v128};

    use pulp::cast;

    pub(super) type Four = v128;

    #[inline(always)]
    pub(super) fn load(values: &[f32; 4]) -> Four {
        cast(*values)
    }

    #[inline(always)]
    pub(super) fn splat(value: f32) -> Four {
        f32x4_splat(value)
    }

    #[inline(always)]
    pub(super) fn add_product(sum: Four, a: Four, b: Four) -> Four {
        f32x4_add(sum, f32x4_mul(a, b))
    }

    #[inline(always)]
    pub(super) fn values(four: Four) -> [f32; 4] {
        cast(four)
    }
}

/// The same, for the tests at the desk.
#[cfg(not(target_arch = "wasm32"))]
mod four {
    pub(super) type Four = [f32; 4];

    pub(super) fn load(values: &[f32; 4]) -> Four {
        *values
    }

    pub(super) fn splat(value: f32) -> Four {
        [value; 4]
    }

    pub(super) fn add_product(sum: Four, a: Four, b: Four) -> Four {
        std::array::from_fn(|i| sum[i] + a[i] * b[i])
    }

    pub(super) fn values(four: Four) -> [f32; 4] {
        four
    }
}

use four::{Four, add_product, load, splat, values};

/// `out = alpha · lhs × rhs (+ out)`; the caller has seen that all matrices lie inside their slices.
pub(super) fn multiply(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    let Job { m, k, n, .. } = *job;
    if m == 0 || n == 0 {
        return;
    }
    let turned = job.rhs.row == 1 && (job.rhs.column != 1 || n == 1);
    if turned && k >= SHORT {
        if job.lhs.column == 1 {
            return along(lhs, rhs, out, job);
        }
        let lhs = dense(lhs, job.lhs, m, k);
        let place = Place::rows(0, k);
        return along(&lhs, rhs, out, &Job { lhs: place, ..*job });
    }
    if job.rhs.column == 1 {
        return across(lhs, rhs, out, job);
    }
    let rhs = dense(rhs, job.rhs, k, n);
    let place = Place::rows(0, n);
    across(lhs, &rhs, out, &Job { rhs: place, ..*job });
}

/// The matrix with its rows one after the other.
fn dense(values: &[f32], place: Place, rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let row = &values[place.offset + row * place.row..];
        out.extend((0..columns).map(|column| row[column * place.column]));
    }
    out
}

/// Some rows of the result: calls `work(first row, its rows)` in every thread.
fn each_rows(out: &mut [f32], job: &Job, n: usize, work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let heavy = job.m * job.k * n >= SMALL;
    #[cfg(target_arch = "wasm32")]
    let threads = if heavy { threads::count() } else { 1 };
    #[cfg(not(target_arch = "wasm32"))]
    let threads = if heavy { 2 } else { 1 };
    // Whole tiles, and a few pieces for each thread.
    let rows = job.m.div_ceil(threads * 4).next_multiple_of(4);
    let rows = if threads == 1 { job.m } else { rows };
    // A single row may lie anywhere.
    let stride = job.out.row.max(n);
    let end = job.out.offset + (job.m - 1) * job.out.row + n;
    let out = &mut out[job.out.offset..end];
    threads::each_chunk(out, rows * stride, heavy, |chunk, out| {
        work(chunk * rows, out);
    });
}

/// A value of the result.
#[inline(always)]
fn put(out: &mut f32, sum: f32, alpha: f32, add: bool) {
    let value = alpha * sum;
    *out = if add { *out + value } else { value };
}

/// Both sides along k.
fn along(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    let width = job.rhs.column;
    let block = (BLOCK / job.k).next_multiple_of(12);
    for first in (0..job.n).step_by(block) {
        let count = block.min(job.n - first);
        let rhs = &rhs[job.rhs.offset + first * width..];
        let part = Job {
            out: Place {
                offset: job.out.offset + first,
                ..job.out
            },
            n: count,
            ..*job
        };
        each_rows(out, &part, count, |row, out| {
            let stride = part.out.row.max(count);
            let rows = (out.len() - count) / stride + 1;
            let mut done = 0;
            while done < rows {
                let lhs = &lhs[part.lhs.offset + (row + done) * part.lhs.row..];
                let out = &mut out[done * stride..];
                done += match rows - done {
                    1 => along_rows::<1>(lhs, rhs, out, stride, &part),
                    2 => along_rows::<2>(lhs, rhs, out, stride, &part),
                    3 => along_rows::<3>(lhs, rhs, out, stride, &part),
                    _ => along_rows::<4>(lhs, rhs, out, stride, &part),
                };
            }
        });
    }
}

/// M rows of the result, all columns; gives M.
#[inline(never)]
fn along_rows<const M: usize>(
    lhs: &[f32],
    rhs: &[f32],
    out: &mut [f32],
    stride: usize,
    job: &Job,
) -> usize {
    let Job { k, n, .. } = *job;
    let left: [&[f32]; M] = std::array::from_fn(|i| &lhs[i * job.lhs.row..][..k]);
    let right = |column: usize| &rhs[column * job.rhs.column..][..k];
    let mut column = 0;
    while column + 3 <= n {
        let sums = along_tile(left, [0, 1, 2].map(|i| right(column + i)));
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut out[i * stride + column..][..3];
            for (out, sum) in out.iter_mut().zip(sums) {
                put(out, *sum, job.alpha, job.add);
            }
        }
        column += 3;
    }
    while column < n {
        let sums = along_tile(left, [right(column)]);
        for (i, [sum]) in sums.iter().enumerate() {
            put(&mut out[i * stride + column], *sum, job.alpha, job.add);
        }
        column += 1;
    }
    M
}

/// M × N sums over k.
#[inline(always)]
fn along_tile<const M: usize, const N: usize>(
    left: [&[f32]; M],
    right: [&[f32]; N],
) -> [[f32; N]; M] {
    let k = right[0].len();
    let fours = k / 4;
    let left_fours = left.map(|row| &row.as_chunks::<4>().0[..fours]);
    let right_fours = right.map(|row| &row.as_chunks::<4>().0[..fours]);
    let mut sums = [[splat(0.0); N]; M];
    for p in 0..fours {
        let right: [Four; N] = std::array::from_fn(|j| load(&right_fours[j][p]));
        for (sums, left) in sums.iter_mut().zip(&left_fours) {
            let left = load(&left[p]);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = add_product(*sum, left, right);
            }
        }
    }
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let [a, b, c, d] = values(sums[i][j]);
            let mut sum = (a + b) + (c + d);
            for p in fours * 4..k {
                sum += left[i][p] * right[j][p];
            }
            sum
        })
    })
}

/// The right side along the columns.
fn across(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    for first in (0..job.k.max(1)).step_by(DEEP) {
        let part = Job {
            k: DEEP.min(job.k - first),
            lhs: Place {
                offset: job.lhs.offset + first * job.lhs.column,
                ..job.lhs
            },
            add: job.add || first > 0,
            ..*job
        };
        let rhs = &rhs[(job.rhs.offset + first * job.rhs.row).min(rhs.len())..];
        each_rows(out, &part, part.n, |row, out| {
            let stride = part.out.row.max(part.n);
            let rows = (out.len() - part.n) / stride + 1;
            let lhs = &lhs[(part.lhs.offset + row * part.lhs.row).min(lhs.len())..];
            let mut column = 0;
            while column + 8 <= part.n {
                across_columns::<2>(lhs, rhs, out, (rows, stride, column), &part);
                column += 8;
            }
            while column + 4 <= part.n {
                across_columns::<1>(lhs, rhs, out, (rows, stride, column), &part);
                column += 4;
            }
            for column in column..part.n {
                for row in 0..rows {
                    let mut sum = 0.0;
                    for p in 0..part.k {
                        let left = lhs[row * part.lhs.row + p * part.lhs.column];
                        sum += left * rhs[p * part.rhs.row + column];
                    }
                    put(&mut out[row * stride + column], sum, part.alpha, part.add);
                }
            }
        });
    }
}

/// N fours of columns of the result, all rows of a piece.
#[inline(never)]
fn across_columns<const N: usize>(
    lhs: &[f32],
    rhs: &[f32],
    out: &mut [f32],
    (rows, stride, column): (usize, usize, usize),
    job: &Job,
) {
    let rhs = rhs.get(column..).unwrap_or_default();
    let mut row = 0;
    while row < rows {
        let lhs = lhs.get(row * job.lhs.row..).unwrap_or_default();
        let out = &mut out[row * stride + column..];
        row += match rows - row {
            1 => across_tile::<1, N>(lhs, rhs, out, stride, job),
            2 => across_tile::<2, N>(lhs, rhs, out, stride, job),
            3 => across_tile::<3, N>(lhs, rhs, out, stride, job),
            _ => across_tile::<4, N>(lhs, rhs, out, stride, job),
        };
    }
}

/// M rows and N fours of columns; gives M.
#[inline(always)]
fn across_tile<const M: usize, const N: usize>(
    lhs: &[f32],
    rhs: &[f32],
    out: &mut [f32],
    stride: usize,
    job: &Job,
) -> usize {
    let mut sums = [[splat(0.0); N]; M];
    if job.k > 0 {
        let step = job.lhs.column;
        let left: [&[f32]; M] =
            std::array::from_fn(|i| &lhs[i * job.lhs.row..][..(job.k - 1) * step + 1]);
        for p in 0..job.k {
            let right = &rhs[p * job.rhs.row..][..4 * N].as_chunks::<4>().0[..N];
            let right: [Four; N] = std::array::from_fn(|j| load(&right[j]));
            for (sums, left) in sums.iter_mut().zip(&left) {
                let left = splat(left[p * step]);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = add_product(*sum, left, right);
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let fours = out[i * stride..][..4 * N].as_chunks_mut::<4>().0;
        for (out, sum) in fours.iter_mut().zip(sums) {
            for (out, sum) in out.iter_mut().zip(values(*sum)) {
                put(out, sum, job.alpha, job.add);
            }
        }
    }
    M
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| rng.f32() * 2.0 - 1.0).collect()
    }

    fn check(job: &Job) {
        let size = |place: Place, rows, columns| place.end(rows, columns) + 3;
        let lhs = random(size(job.lhs, job.m, job.k), 1);
        let rhs = random(size(job.rhs, job.k, job.n), 2);
        let before = random(size(job.out, job.m, job.n), 3);
        let mut out = before.clone();
        multiply(&lhs, &rhs, &mut out, job);
        let mut right: Vec<f64> = before.iter().copied().map(f64::from).collect();
        for i in 0..job.m {
            for j in 0..job.n {
                let at = |place: Place, row, column| {
                    place.offset + row * place.row + column * place.column
                };
                let sum: f64 = (0..job.k)
                    .map(|p| f64::from(lhs[at(job.lhs, i, p)]) * f64::from(rhs[at(job.rhs, p, j)]))
                    .sum();
                let place = at(job.out, i, j);
                let old = if job.add { right[place] } else { 0.0 };
                right[place] = old + f64::from(job.alpha) * sum;
            }
        }
        for (i, (found, right)) in out.iter().zip(&right).enumerate() {
            assert!(
                (f64::from(*found) - right).abs() < 1e-4,
                "{i} of {job:?}: {found}, not {right}"
            );
        }
    }

    #[test]
    fn products_of_any_size_and_layout_are_right_and_nothing_else_is_written() {
        let mut rng = fastrand::Rng::with_seed(11);
        let sizes = [1, 2, 3, 4, 5, 7, 8, 13, 31, 32, 33, 64, 70, 300];
        for round in 0..600 {
            let mut size = || sizes[rng.usize(..sizes.len())];
            let (m, k, n) = (size(), size(), size());
            let mut place = |rows: usize, columns: usize| {
                let (offset, gap) = (rng.usize(..4), rng.usize(..3));
                match rng.u8(..3) {
                    0 => Place::rows(offset, columns + gap),
                    1 => Place::rows(offset, rows + gap).turned(),
                    // Neither side by side.
                    _ => Place {
                        offset,
                        row: columns * 2 + gap,
                        column: 2,
                    },
                }
            };
            let (lhs, rhs) = (place(m, k), place(k, n));
            check(&Job {
                m,
                k,
                n,
                lhs,
                rhs,
                out: Place::rows(round % 3, n + round % 2),
                alpha: if round % 2 == 0 { 1.0 } else { -0.5 },
                add: round % 3 == 0,
            });
        }
    }

    #[test]
    fn a_left_side_of_one_value_goes_to_every_row() {
        let job = Job {
            lhs: Place::rows(0, 0),
            add: true,
            ..Job::dense(5, 1, 19)
        };
        check(&job);
    }

    #[test]
    fn a_sum_over_nothing_is_nothing() {
        let mut out = vec![1.0; 12];
        multiply(&[], &[], &mut out, &Job::dense(2, 0, 6));
        assert_eq!(out, [0.0; 12]);
    }

    #[test]
    fn a_value_does_not_depend_on_how_many_rows_are_multiplied_with_its() {
        for rhs in [Place::rows(0, 96).turned(), Place::rows(0, 50)] {
            let (lhs, values) = (random(9 * 96, 4), random(96 * 96, 5));
            let mut all = vec![0.0; 9 * 50];
            let job = Job {
                rhs,
                ..Job::dense(9, 96, 50)
            };
            multiply(&lhs, &values, &mut all, &job);
            for row in 0..9 {
                let mut one = vec![0.0; 50];
                let lhs = &lhs[row * 96..][..96];
                multiply(lhs, &values, &mut one, &Job { m: 1, ..job });
                assert_eq!(one, all[row * 50..][..50]);
            }
        }
    }
}
