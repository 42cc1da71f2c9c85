//! Matrix products in a tab: register tiles of WebAssembly's 128-bit vectors.
//!
//! With many rows both sides are packed first, so that a tile of 4 × 8 sums reads each from one place, one value after the
//! other, which is faster than reading them where they lie. A few rows of activations against a weight's rows are not worth
//! packing a weight for: both sides run along k there, and a tile of 4 × 3 sums keeps four partial ones in each vector. In either
//! way a value is summed in one order, whatever tile or thread it falls to.

use super::{Job, Place};
use crate::kernels::threads;

/// Values of a right side that are gone over before the next, so that they stay in a core's own cache for all rows.
const BLOCK: usize = 1 << 16;
/// What is summed before sums are written back: eight columns of it stay in the nearest cache.
const DEEP: usize = 512;
/// Rows of a tile where both sides are packed, and its columns.
const ROWS: usize = 4;
const COLUMNS: usize = 8;
/// From so many rows on a weight is packed.
const MANY: usize = 12;
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
    let turned = job.rhs.row == 1 && job.lhs.column == 1;
    match turned && m < MANY && k >= SHORT {
        true => along(lhs, rhs, out, job),
        false => packed(lhs, rhs, out, job),
    }
}

/// A few rows of the result, which a thread works out.
struct Rows<'o> {
    /// The first one's number.
    first: usize,
    count: usize,
    /// Values from one to the next.
    stride: usize,
    out: &'o mut [f32],
}

/// Calls `work` with all rows of the result, some at a time, in every thread.
fn each_rows(out: &mut [f32], job: &Job, work: impl Fn(Rows<'_>) + Sync + Send) {
    let heavy = job.m * job.k * job.n >= SMALL;
    // Whole tiles, and a few pieces for each thread.
    let most = match heavy && threads::count() > 1 {
        true => job.m.div_ceil(threads::count() * 4).next_multiple_of(ROWS),
        false => job.m,
    };
    // A single row may lie anywhere.
    let stride = job.out.row.max(job.n);
    let end = job.out.offset + (job.m - 1) * job.out.row + job.n;
    let out = &mut out[job.out.offset..end];
    threads::each_chunk(out, most * stride, heavy, |chunk, out| {
        let first = chunk * most;
        work(Rows {
            first,
            count: most.min(job.m - first),
            stride,
            out,
        });
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
    let block = (BLOCK / job.k).next_multiple_of(3);
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
        each_rows(out, &part, |rows| {
            let stride = rows.stride;
            let mut done = 0;
            while done < rows.count {
                let lhs = &lhs[part.lhs.offset + (rows.first + done) * part.lhs.row..];
                let out = &mut rows.out[done * stride..];
                done += match rows.count - done {
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

/// Both sides packed, a part of k after the other.
fn packed(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    let Job { m, k, n, .. } = *job;
    let heavy = m * k * n >= SMALL;
    let deep = k.min(DEEP);
    let width = (BLOCK / deep.max(1))
        .next_multiple_of(COLUMNS)
        .min(n.next_multiple_of(COLUMNS));
    let mut left = vec![0.0; m.next_multiple_of(ROWS) * deep];
    let mut right = vec![0.0; width * deep];
    // Once at least, for a sum over nothing is nothing.
    for begin in (0..k.max(1)).step_by(DEEP) {
        let depth = DEEP.min(k - begin);
        let left = &mut left[..m.next_multiple_of(ROWS) * depth];
        let place = Place {
            offset: job.lhs.offset + begin * job.lhs.column,
            ..job.lhs
        };
        pack::<ROWS>(lhs, place, m, left, heavy);
        for first in (0..n).step_by(width) {
            let count = width.min(n - first);
            let right = &mut right[..count.next_multiple_of(COLUMNS) * depth];
            let place = Place {
                offset: job.rhs.offset + begin * job.rhs.row + first * job.rhs.column,
                ..job.rhs
            };
            // Its columns are packed as the rows of the left side are.
            pack::<COLUMNS>(rhs, place.turned(), count, right, heavy);
            let part = Job {
                n: count,
                out: Place {
                    offset: job.out.offset + first,
                    ..job.out
                },
                add: job.add || begin > 0,
                ..*job
            };
            let (left, right) = (&*left, &*right);
            each_rows(out, &part, |rows| {
                for column in (0..count).step_by(COLUMNS) {
                    let right = &right[column * depth..][..COLUMNS * depth];
                    let wide = COLUMNS.min(count - column);
                    for row in (0..rows.count).step_by(ROWS) {
                        let left = &left[(rows.first + row) * depth..][..ROWS * depth];
                        let sums = tile(left, right);
                        for (i, sums) in sums.iter().enumerate().take(rows.count - row) {
                            let out = &mut rows.out[(row + i) * rows.stride + column..][..wide];
                            for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
                                put(out, *sum, part.alpha, part.add);
                            }
                        }
                    }
                }
            });
        }
    }
}

/// Packs rows: of each N of them the first value of each, then the second of each, and so on; nothing where there is no row.
fn pack<const N: usize>(values: &[f32], place: Place, rows: usize, out: &mut [f32], heavy: bool) {
    let depth = out.len() / rows.next_multiple_of(N);
    threads::each_chunk(out, N * depth, heavy, |group, out| {
        let count = N.min(rows - group * N);
        let out = out.as_chunks_mut::<N>().0;
        for i in 0..N {
            if i >= count {
                out.iter_mut().for_each(|out| out[i] = 0.0);
                continue;
            }
            let row = &values[place.offset + (group * N + i) * place.row..];
            for (p, out) in out.iter_mut().enumerate() {
                out[i] = row[p * place.column];
            }
        }
    });
}

/// The sums of a tile over two packed sides.
#[inline(never)]
fn tile(left: &[f32], right: &[f32]) -> [[[f32; 4]; 2]; ROWS] {
    let left = left.as_chunks::<ROWS>().0;
    let right = &right.as_chunks::<COLUMNS>().0[..left.len()];
    let mut sums = [[splat(0.0); 2]; ROWS];
    for (left, right) in left.iter().zip(right) {
        let [first, second] = [0, 1].map(|half| load(&right.as_chunks::<4>().0[half]));
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = splat(*left);
            sums[0] = add_product(sums[0], left, first);
            sums[1] = add_product(sums[1], left, second);
        }
    }
    sums.map(|sums| sums.map(values))
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
    fn in_either_way_a_value_does_not_depend_on_how_many_rows_are_multiplied_with_its() {
        for rhs in [Place::rows(0, 96).turned(), Place::rows(0, 50)] {
            for (m, least) in [(9, 1), (40, MANY)] {
                let (lhs, values) = (random(m * 96, 4), random(96 * 96, 5));
                let mut all = vec![0.0; m * 50];
                let job = Job {
                    rhs,
                    ..Job::dense(m, 96, 50)
                };
                multiply(&lhs, &values, &mut all, &job);
                for row in 0..m - least {
                    let mut some = vec![0.0; least * 50];
                    let lhs = &lhs[row * 96..][..least * 96];
                    multiply(lhs, &values, &mut some, &Job { m: least, ..job });
                    assert_eq!(some, all[row * 50..][..least * 50]);
                }
            }
        }
    }
}
