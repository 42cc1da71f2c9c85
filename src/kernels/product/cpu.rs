//! The CPU twin: for plain matrices the crate `gemm`, in a tab tiles of our own (`matrix`); packed ones are unpacked a few
//! rows at a time. Few rows of activations go past both ([`dots`]).

use burn::backend::Flex;

use super::{Job, Packing, Place, ProductOps, dots};
use crate::kernels::flex::{FlexTensor, floats, for_rows, integers, tensor, whole};

/// Values of a packed weight that are unpacked at once: as floats they stay in a core's own cache.
const UNPACKED: usize = 1 << 16;
/// As many at most where there are many rows of activations, which are gone over anew for each part: 4 MB.
const MOST_UNPACKED: usize = 1 << 20;

/// A right side: values, or a packed weight.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Right<'a> {
    Plain(&'a [f32]),
    Packed {
        packing: Packing,
        words: &'a [i32],
        scales: &'a [i32],
    },
}

/// `out = alpha · lhs × rhs (+ out)`. A packed side is turned where `job.rhs.row` is 1, else as it lies.
pub(in crate::kernels) fn multiply(lhs: &[f32], rhs: Right<'_>, out: &mut [f32], job: &Job) {
    match rhs {
        _ if dots::is_few(rhs, job) => dots::multiply(lhs, rhs, out, job),
        Right::Plain(rhs) => plain(lhs, rhs, out, job),
        Right::Packed {
            packing,
            words,
            scales,
        } => packed(lhs, (packing, words, scales), out, job),
    }
}

/// Over slices that hold what the job names.
fn plain(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    assert!(
        job.fits(lhs.len(), rhs.len(), out.len()),
        "product: a matrix lies outside its tensor"
    );
    #[cfg(target_arch = "wasm32")]
    super::matrix::multiply(lhs, rhs, out, job);
    #[cfg(not(target_arch = "wasm32"))]
    at_the_desk(lhs, rhs, out, job);
}

/// The crate `gemm`, which knows the instructions of each processor.
#[cfg(not(target_arch = "wasm32"))]
fn at_the_desk(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    // Below this, waking other cores costs more than it brings.
    let parallelism = if job.m * job.k * job.n < 1 << 18 {
        gemm::Parallelism::None
    } else {
        gemm::Parallelism::Rayon(0)
    };
    let stride = |value: usize| value as isize;
    #[expect(
        unsafe_code,
        reason = "gemm takes pointers; `plain` has asserted that every access stays inside the slices"
    )]
    // SAFETY: `fits` has shown that the last value each matrix names lies inside its slice, and `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            job.m,
            job.n,
            job.k,
            out.as_mut_ptr().add(job.out.offset),
            1,
            stride(job.out.row),
            job.add,
            lhs.as_ptr().add(job.lhs.offset),
            stride(job.lhs.column),
            stride(job.lhs.row),
            rhs.as_ptr().add(job.rhs.offset),
            stride(job.rhs.column),
            stride(job.rhs.row),
            1.0,
            job.alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Over a packed weight, a few of whose rows are unpacked at a time.
fn packed(
    lhs: &[f32],
    (packing, words, scales): (Packing, &[i32], &[i32]),
    out: &mut [f32],
    job: &Job,
) {
    let turned = job.rhs.row == 1;
    // A weight's rows are what comes out when it is turned, and what is summed over when it is not.
    let (rows, columns) = if turned {
        (job.n, job.k)
    } else {
        (job.k, job.n)
    };
    let first = job.rhs.offset / columns;
    let many = (2 * job.m).min(MOST_UNPACKED / columns.max(1));
    let at_once = (UNPACKED / columns.max(1)).max(many).clamp(1, rows.max(1));
    let mut block = vec![0.0; at_once * columns];
    for begin in (0..rows).step_by(at_once) {
        let count = at_once.min(rows - begin);
        let block = &mut block[..count * columns];
        unpack(packing, words, scales, first + begin, columns, block);
        let place = Place::rows(0, columns);
        let part = if turned {
            Job {
                n: count,
                rhs: place.turned(),
                out: Place {
                    offset: job.out.offset + begin,
                    ..job.out
                },
                ..*job
            }
        } else {
            Job {
                k: count,
                lhs: Place {
                    offset: job.lhs.offset + begin * job.lhs.column,
                    ..job.lhs
                },
                rhs: place,
                add: job.add || begin > 0,
                ..*job
            }
        };
        plain(lhs, block, out, &part);
    }
}

impl ProductOps for Flex {
    fn product_into(lhs: FlexTensor, rhs: FlexTensor, out: FlexTensor, job: Job) -> FlexTensor {
        let mut out = whole(out);
        let (lhs, rhs) = (floats(&lhs), floats(&rhs));
        multiply(&lhs, Right::Plain(&rhs), out.storage_mut::<f32>(), &job);
        out
    }

    fn product_packed(
        lhs: FlexTensor,
        words: FlexTensor,
        scales: FlexTensor,
        out: FlexTensor,
        job: Job,
        packing: Packing,
    ) -> FlexTensor {
        let mut out = whole(out);
        let (lhs, words, scales) = (floats(&lhs), integers(&words), integers(&scales));
        let right = Right::Packed {
            packing,
            words: &words,
            scales: &scales,
        };
        multiply(&lhs, right, out.storage_mut::<f32>(), &job);
        out
    }

    fn unpack_rows(
        words: FlexTensor,
        scales: FlexTensor,
        ids: FlexTensor,
        columns: usize,
        packing: Packing,
        scale: f32,
        _: FlexTensor,
    ) -> FlexTensor {
        let (words, scales, ids) = (integers(&words), integers(&scales), integers(&ids));
        let mut out = vec![0.0; ids.len() * columns];
        for (row, id) in out.chunks_exact_mut(columns).zip(ids.iter()) {
            unpack(packing, &words, &scales, *id as usize, columns, row);
            for value in row {
                *value *= scale;
            }
        }
        tensor(out, [ids.len(), columns])
    }
}

/// Unpacks whole rows from the row `first` on.
fn unpack(
    packing: Packing,
    words: &[i32],
    scales: &[i32],
    first: usize,
    columns: usize,
    out: &mut [f32],
) {
    let (width, steps) = (
        columns / packing.values_per_word(),
        packing.scales_per_row(columns),
    );
    for_rows(out, columns, |row, out| {
        let at = first + row;
        packing.unpack(
            &words[at * width..(at + 1) * width],
            &scales[at * steps..(at + 1) * steps],
            out,
        );
    });
}
