//! The matrix product, written into a place of the caller's, over matrices that lie anywhere in their tensors and, on the
//! right, weights in any of the formats they are kept in.

#[cfg(feature = "cpu")]
pub(super) mod cpu;
#[cfg(feature = "cpu")]
mod dots;
#[cfg(feature = "gpu")]
pub(super) mod gpu;
#[cfg(all(feature = "cpu", any(target_arch = "wasm32", test)))]
mod matrix;
mod packing;
#[cfg(all(test, feature = "desk"))]
mod tests;
mod weight;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

pub use packing::Packing;
pub(super) use weight::Values;
pub use weight::{Weight, WeightRows};

/// How a matrix lies in the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where its first value stands.
    pub offset: usize,
    /// Values from one row to the next.
    pub row: usize,
    /// Values from one column to the next.
    pub column: usize,
}

impl Place {
    /// Rows one after the other, `row` values apart, from the value `offset` on.
    pub fn rows(offset: usize, row: usize) -> Self {
        Self {
            offset,
            row,
            column: 1,
        }
    }

    /// The same values with rows and columns changed about.
    pub fn turned(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// One past the last value of a matrix of this size.
    fn end(self, rows: usize, columns: usize) -> usize {
        self.offset
            + rows.saturating_sub(1) * self.row
            + columns.saturating_sub(1) * self.column
            + 1
    }
}

/// `out = alpha · lhs × rhs`, or `out += …`: `[m, k] × [k, n] → [m, n]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// Rows of the result.
    pub m: usize,
    /// What is summed over.
    pub k: usize,
    /// Columns of the result.
    pub n: usize,
    /// Where the left matrix lies.
    pub lhs: Place,
    /// Where the right matrix lies.
    pub rhs: Place,
    /// Where the result goes; its columns lie side by side.
    pub out: Place,
    /// The product is scaled by it.
    pub alpha: f32,
    /// Whether it is added to what is there.
    pub add: bool,
}

impl Job {
    /// The plain product of dense matrices by rows.
    pub fn dense(m: usize, k: usize, n: usize) -> Self {
        Self {
            m,
            k,
            n,
            lhs: Place::rows(0, k),
            rhs: Place::rows(0, n),
            out: Place::rows(0, n),
            alpha: 1.0,
            add: false,
        }
    }

    /// Whether the three matrices lie inside tensors of these numbers of values.
    fn fits(&self, lhs: usize, rhs: usize, out: usize) -> bool {
        self.out.column == 1
            && self.lhs.end(self.m, self.k) <= lhs
            && self.rhs.end(self.k, self.n) <= rhs
            && self.out.end(self.m, self.n) <= out
    }
}

/// The operations of a backend; see [`product_into`] and [`Weight`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait ProductOps: Backend {
    /// See [`product_into`].
    fn product_into(
        lhs: FloatTensor<Self>,
        rhs: FloatTensor<Self>,
        out: FloatTensor<Self>,
        job: Job,
    ) -> FloatTensor<Self>;

    /// As [`product_into`], the right side being a packed weight `[rows, columns]`: turned (`x·Wᵀ`, `k` its columns)
    /// where `job.rhs.row` is 1, else as it lies (`dy·W`, `k` its rows).
    fn product_packed(
        lhs: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: IntTensor<Self>,
        out: FloatTensor<Self>,
        job: Job,
        packing: Packing,
    ) -> FloatTensor<Self>;

    /// Rows of a packed weight by number, as floats: `[ids, columns]`, times `scale`.
    fn unpack_rows(
        words: IntTensor<Self>,
        scales: IntTensor<Self>,
        ids: IntTensor<Self>,
        columns: usize,
        packing: Packing,
        scale: f32,
        like: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Does the job in place and gives `out` back. `out` must be no other tensor's too: on the GPU it is written where it lies.
pub fn product_into<const L: usize, const R: usize, const D: usize>(
    lhs: Tensor<L>,
    rhs: Tensor<R>,
    out: Tensor<D>,
    job: Job,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::product_into(
        lhs.into_dispatch(),
        rhs.into_dispatch(),
        out.into_dispatch(),
        job,
    ))
}

/// `[m, k] × [k, n] → [m, n]`.
pub fn product(lhs: Tensor<2>, rhs: Tensor<2>) -> Tensor<2> {
    let ([m, k], [_, n]) = (lhs.dims(), rhs.dims());
    let out = Tensor::empty([m, n], &lhs.device());
    product_into(lhs, rhs, out, Job::dense(m, k, n))
}

/// Adds the row (`[n]`) to every row of x (`[m, n]`), which is written where it lies: the product of a column of ones with it.
pub fn add_row(x: Tensor<2>, row: Tensor<1>) -> Tensor<2> {
    let [m, n] = x.dims();
    let job = Job {
        // One and the same value in every row.
        lhs: Place::rows(0, 0),
        add: true,
        ..Job::dense(m, 1, n)
    };
    product_into(super::floats(vec![1.0], [1], &x.device()), row, x, job)
}

/// The values of `head` and behind them those of `tail`: two products with one. burn's own `cat` and arithmetic bring every type
/// they know into a browser's module, the quantised ones among them.
pub fn join(head: Tensor<1>, tail: Tensor<1>) -> Tensor<1> {
    let ([first], [second]) = (head.dims(), tail.dims());
    let out = Tensor::empty([first + second], &head.device());
    copy_into(tail, copy_into(head, out, 0), first)
}

/// The same values in memory of their own.
pub fn copied(values: Tensor<1>) -> Tensor<1> {
    let out = Tensor::empty(values.dims(), &values.device());
    copy_into(values, out, 0)
}

/// Adds values to as many others, which are written where they lie.
pub fn add(values: Tensor<1>, to: Tensor<1>) -> Tensor<1> {
    put_into(values, to, 0, true)
}

fn copy_into(values: Tensor<1>, out: Tensor<1>, offset: usize) -> Tensor<1> {
    put_into(values, out, offset, false)
}

fn put_into(values: Tensor<1>, mut out: Tensor<1>, offset: usize, add: bool) -> Tensor<1> {
    /// A GPU starts 65,535 workgroups side by side at most, and each of a single row's takes 32 values.
    const ROW: usize = 1 << 20;
    let [count] = values.dims();
    let one = super::floats(vec![1.0], [1], &out.device());
    for first in (0..count).step_by(ROW) {
        // One row, so that the values lie in fours.
        let length = ROW.min(count - first);
        let job = Job {
            rhs: Place::rows(first, length),
            out: Place::rows(offset + first, length),
            add,
            ..Job::dense(1, 1, length)
        };
        out = product_into(one.clone(), values.clone(), out, job);
    }
    out
}
