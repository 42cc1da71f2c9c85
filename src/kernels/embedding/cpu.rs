//! The CPU twin.

use burn::backend::Flex;

use super::EmbeddingOps;
use crate::kernels::flex::{FlexTensor, floats, for_rows, integers, tensor};

impl EmbeddingOps for Flex {
    fn embedding(table: FlexTensor, ids: FlexTensor, scale: f32) -> FlexTensor {
        let width = table.layout().shape()[1];
        let (table, ids) = (floats(&table), integers(&ids));
        let mut out = vec![0.0; ids.len() * width];
        for_rows(&mut out, width, |row, out| {
            if let Some(values) = row_of(&table, ids[row], width) {
                for (out, value) in out.iter_mut().zip(values) {
                    *out = value * scale;
                }
            }
        });
        tensor(out, [ids.len(), width])
    }

    fn scatter_rows(gradient: FlexTensor, rows: FlexTensor, n: usize) -> FlexTensor {
        let width = gradient.layout().shape()[1];
        let (gradient, rows) = (floats(&gradient), integers(&rows));
        let mut out = vec![0.0; n * width];
        for (index, row) in rows.iter().enumerate() {
            let row = *row as u32 as usize;
            if row < n {
                let values = &gradient[index * width..][..width];
                for (sum, value) in out[row * width..].iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        tensor(out, [n, width])
    }
}

/// The row with this number, where there is one.
fn row_of(table: &[f32], id: i32, width: usize) -> Option<&[f32]> {
    let start = (id as u32 as usize).checked_mul(width)?;
    table.get(start..start.checked_add(width)?)
}
