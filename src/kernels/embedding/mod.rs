//! Rows picked from a table by their numbers, and their gradients put back.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};

/// The operation of a backend; see [`embedding`] and [`scatter_rows`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait EmbeddingOps: Backend {
    /// See [`embedding`].
    fn embedding(table: FloatTensor<Self>, ids: IntTensor<Self>, scale: f32) -> FloatTensor<Self>;
    /// See [`scatter_rows`].
    fn scatter_rows(
        gradient: FloatTensor<Self>,
        rows: IntTensor<Self>,
        n: usize,
    ) -> FloatTensor<Self>;
}

/// The rows of the table (`[vocabulary, width]`) that the ids (`[n]`, from [`integers`](super::integers)) name,
/// times `scale`: `[n, width]`. An id that names no row gives zeros.
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>, scale: f32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::embedding(
        table.into_dispatch(),
        ids.into_dispatch(),
        scale,
    ))
}

/// Rows `rows[0], rows[1], ..` (`[m]`) of x (`[n, width]`): `[m, width]`. A number that names no row gives zeros.
pub fn gather_rows(x: Tensor<2>, rows: Tensor<1, Int>) -> Tensor<2> {
    embedding(x, rows, 1.0)
}

/// The gradient of x (`[n, width]`) from that of [`gather_rows`]' result (`[m, width]`): zeros, with each row of the
/// gradient added where `rows` says. A row named more than once gets the sum, added in the order of the names on
/// every device. Numbers from `n` on are passed over.
pub fn scatter_rows(gradient: Tensor<2>, rows: Tensor<1, Int>, n: usize) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::scatter_rows(
        gradient.into_dispatch(),
        rows.into_dispatch(),
        n,
    ))
}

#[cfg(all(test, feature = "desk"))]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, on_every_device, random};

    fn names(count: usize, below: u32, seed: u64) -> Vec<u32> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| rng.u32(..below)).collect()
    }

    #[test]
    fn picks_and_scales_the_named_rows_on_every_device() {
        for (vocabulary, width, count) in [(1, 1, 1), (7, 5, 9), (300, 64, 130), (50, 33, 1)] {
            let table = random(vocabulary * width, 1);
            let ids = names(count, vocabulary as u32, 2);
            let picked = |scale: f32| -> Vec<f32> {
                ids.iter()
                    .flat_map(|id| &table[*id as usize * width..][..width])
                    .map(|value| value * scale)
                    .collect()
            };
            on_every_device(|device| {
                let table = || device.tensor(&table, [vocabulary, width]);
                let scaled = embedding(table(), device.integers(&ids), 2.5);
                assert_close(&device.values(scaled), &picked(2.5), 0.0);
                let gathered = gather_rows(table(), device.integers(&ids));
                assert_close(&device.values(gathered), &picked(1.0), 0.0);
            });
        }
    }

    #[test]
    fn a_name_past_the_last_row_gives_zeros_and_takes_none() {
        on_every_device(|device| {
            let table = device.tensor(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
            let found = embedding(table, device.integers(&[2, 1, 1 << 30]), 1.0);
            assert_close(&device.values(found), &[0.0, 0.0, 3.0, 4.0, 0.0, 0.0], 0.0);
            let gradient = device.tensor(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
            let found = scatter_rows(gradient, device.integers(&[2, 0]), 2);
            assert_close(&device.values(found), &[3.0, 4.0, 0.0, 0.0], 0.0);
        });
    }

    #[test]
    fn puts_gradients_back_and_sums_rows_named_twice_on_every_device() {
        // The last has many names for few rows, the one before rows without a name.
        for (n, width, count) in [(1, 1, 1), (9, 5, 7), (400, 64, 130), (3, 33, 70)] {
            let gradient = random(count * width, 3);
            let rows = names(count, n as u32, 4);
            let mut expected = vec![0.0; n * width];
            for (values, row) in gradient.chunks(width).zip(&rows) {
                for (sum, value) in expected[*row as usize * width..].iter_mut().zip(values) {
                    *sum += value;
                }
            }
            on_every_device(|device| {
                let gradient = device.tensor(&gradient, [count, width]);
                let found = scatter_rows(gradient, device.integers(&rows), n);
                assert_close(&device.values(found), &expected, 0.0);
            });
        }
    }

    #[test]
    fn no_names_scatter_to_zeros_alone() {
        on_every_device(|device| {
            let gradient = device.tensor(&[], [0, 4]);
            let found = scatter_rows(gradient, device.integers(&[]), 3);
            assert_close(&device.values(found), &[0.0; 12], 0.0);
        });
    }
}
