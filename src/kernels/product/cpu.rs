//! The CPU twin: the crate `gemm` for plain matrices; packed ones are unpacked a few rows at a time.

use burn::backend::Flex;

use super::{Job, Packing, Place, ProductOps};
use crate::kernels::flex::{FlexTensor, floats, integers, tensor, whole};

/// Rows of a packed weight that are unpacked at once: with rows of 2,048 values this stays in a core's own cache.
const ROWS: usize = 32;

/// `out = alpha · lhs × rhs (+ out)` over slices that hold what the job names.
fn multiply(lhs: &[f32], rhs: &[f32], out: &mut [f32], job: &Job) {
    assert!(
        job.fits(lhs.len(), rhs.len(), out.len()),
        "product: a matrix lies outside its tensor"
    );
    #[cfg(target_arch = "wasm32")]
    let parallelism = gemm::Parallelism::None;
    // Below this, waking other cores costs more than it brings.
    #[cfg(not(target_arch = "wasm32"))]
    let parallelism = if job.m * job.k * job.n < 1 << 18 {
        gemm::Parallelism::None
    } else {
        gemm::Parallelism::Rayon(0)
    };
    let stride = |value: usize| value as isize;
    #[expect(
        unsafe_code,
        reason = "gemm takes pointers; the assertion above keeps every access inside the slices"
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

impl ProductOps for Flex {
    fn product_into(lhs: FlexTensor, rhs: FlexTensor, out: FlexTensor, job: Job) -> FlexTensor {
        let mut out = whole(out);
        let (lhs, rhs) = (floats(&lhs), floats(&rhs));
        multiply(&lhs, &rhs, out.storage_mut::<f32>(), &job);
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
        let turned = job.rhs.row == 1;
        // A weight's rows are what comes out when it is turned, and what is summed over when it is not.
        let (rows, columns) = if turned {
            (job.n, job.k)
        } else {
            (job.k, job.n)
        };
        let first = job.rhs.offset / columns;
        let mut block = vec![0.0; ROWS.min(rows) * columns];
        for begin in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - begin);
            unpack(
                packing,
                &words,
                &scales,
                first + begin,
                columns,
                &mut block[..count * columns],
            );
            let place = Place::rows(0, columns);
            let part = if turned {
                Job {
                    n: count,
                    rhs: place.turned(),
                    out: Place {
                        offset: job.out.offset + begin,
                        ..job.out
                    },
                    ..job
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
                    ..job
                }
            };
            multiply(&lhs, &block, out.storage_mut::<f32>(), &part);
        }
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
    for (i, row) in out.chunks_exact_mut(columns).enumerate() {
        let at = first + i;
        packing.unpack(
            &words[at * width..(at + 1) * width],
            &scales[at * steps..(at + 1) * steps],
            row,
        );
    }
}
