//! Token ids moved about on the device, where reading them would hold it up. burn's own `select` and `cat` do it for every
//! type there is, which a module in the browser would carry.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::backend::tensor::IntTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};

/// The operation of a backend; see [`pick_into`].
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
pub trait PickOps: Backend {
    /// See [`pick_into`].
    fn pick_into(
        ids: IntTensor<Self>,
        which: IntTensor<Self>,
        out: IntTensor<Self>,
        at: usize,
    ) -> IntTensor<Self>;
}

/// Puts `ids[which[0]], ids[which[1]], ..` into `out` from its index `at` on, and gives `out` back. All are from
/// [`integers`](super::integers). What names no id or has no place in `out` is passed over.
///
/// `out` must be nobody else's: on the GPU it is written where it lies.
pub fn pick_into(
    ids: Tensor<1, Int>,
    which: Tensor<1, Int>,
    out: Tensor<1, Int>,
    at: usize,
) -> Tensor<1, Int> {
    Tensor::from_dispatch(Dispatch::pick_into(
        ids.into_dispatch(),
        which.into_dispatch(),
        out.into_dispatch(),
        at,
    ))
}

#[cfg(all(test, feature = "desk"))]
mod tests {
    use super::*;
    use crate::kernels::read_integers;
    use crate::kernels::testing::on_every_device;

    #[test]
    fn puts_the_named_ids_in_their_place_and_leaves_the_rest_on_every_device() {
        for count in [1, 3, 64, 200] {
            let ids: Vec<u32> = (0..count).map(|i| i * 7 + 1).collect();
            let which: Vec<u32> = (0..count).rev().step_by(2).collect();
            let mut expected = vec![9; count as usize + 5];
            for (place, index) in expected[2..].iter_mut().zip(&which) {
                *place = ids[*index as usize];
            }
            on_every_device(|device| {
                let out = device.integers(&vec![9; count as usize + 5]);
                let out = pick_into(device.integers(&ids), device.integers(&which), out, 2);
                assert_eq!(
                    pollster::block_on(read_integers(out)).expect("the device answers"),
                    expected
                );
            });
        }
    }

    #[test]
    fn passes_over_what_names_no_id_or_has_no_place() {
        on_every_device(|device| {
            let (ids, out) = (device.integers(&[5, 6]), device.integers(&[0, 0, 0]));
            let out = pick_into(ids, device.integers(&[1, 1 << 30, 0]), out, 1);
            assert_eq!(
                pollster::block_on(read_integers(out)).expect("the device answers"),
                [0, 6, 0]
            );
        });
    }
}
