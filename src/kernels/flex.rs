//! The values of CPU tensors as slices, and work spread over the rows of a result.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;

/// A tensor of the CPU backend, of floats or integers.
pub(super) type FlexTensor = FloatTensor<Flex>;

/// The values in row-major order, copied only where they do not lie that way.
pub(super) fn floats(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(values) => Cow::Borrowed(values),
        None => {
            let dense = tensor.to_contiguous();
            Cow::Owned(
                dense
                    .as_slice::<f32>()
                    .map(<[f32]>::to_vec)
                    .unwrap_or_default(),
            )
        }
    }
}

/// The values of a tensor made by [`super::integers`].
pub(super) fn integers(tensor: &FlexTensor) -> Cow<'_, [i32]> {
    match tensor.as_slice::<i32>() {
        Some(values) => Cow::Borrowed(values),
        None => {
            let dense = tensor.to_contiguous();
            Cow::Owned(
                dense
                    .as_slice::<i32>()
                    .map(<[i32]>::to_vec)
                    .unwrap_or_default(),
            )
        }
    }
}

/// A tensor of these values.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Calls `work(row, values of the row)` for every row of `width` values; over all cores at the desk.
pub(super) fn for_rows(
    out: &mut [f32],
    width: usize,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    if width == 0 {
        return;
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        // Less than this is done sooner by one core than handed out to several.
        const SMALL: usize = 1 << 14;
        if out.len() >= SMALL {
            out.par_chunks_mut(width)
                .enumerate()
                .for_each(|(row, values)| work(row, values));
            return;
        }
    }
    for (row, values) in out.chunks_mut(width).enumerate() {
        work(row, values);
    }
}
