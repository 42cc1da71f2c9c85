//! The CPU twin.

use burn::backend::Flex;

use super::PickOps;
use crate::kernels::flex::{FlexTensor, integers, whole};

impl PickOps for Flex {
    fn pick_into(ids: FlexTensor, which: FlexTensor, out: FlexTensor, at: usize) -> FlexTensor {
        let (ids, which) = (integers(&ids), integers(&which));
        let mut out = whole(out);
        let places = out.storage_mut::<i32>().iter_mut().skip(at);
        for (place, name) in places.zip(which.iter()) {
            if let Some(id) = ids.get(*name as u32 as usize) {
                *place = *id;
            }
        }
        out
    }
}
