//! The values of CPU tensors as slices, and work spread over the rows of a result.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;

use super::threads;

/// Results of fewer values than this are done sooner by one core than handed out to several.
pub(super) const SMALL: usize = 1 << 14;

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

/// The tensor with its values one after the other and nothing around them, ready to be written in place; they are copied
/// where they lie otherwise. The old handle goes here, or the values would count as shared when they are written.
pub(super) fn whole(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The values in row-major order, to be changed where they lie. They are copied first if they lie otherwise or
/// somebody else holds the tensor too.
pub(super) fn in_place(tensor: FlexTensor, change: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut tensor = whole(tensor);
    change(tensor.storage_mut::<f32>());
    tensor
}

/// A tensor of these values.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Calls `work(row, values of the row)` for every row of `width` values, over all cores where there is enough to do. It
/// must not allocate ([`threads`]).
pub(super) fn for_rows(
    out: &mut [f32],
    width: usize,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let heavy = out.len() >= SMALL;
    threads::each_chunk(out, width, heavy, work);
}

/// As [`for_rows`] over two results with as many rows each: `work(row, row of the first, row of the second)`.
pub(super) fn for_row_pairs(
    (first, first_width): (&mut [f32], usize),
    (second, second_width): (&mut [f32], usize),
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync + Send,
) {
    let heavy = first.len() >= SMALL;
    threads::each_chunk_pair((first, first_width), (second, second_width), heavy, work);
}
