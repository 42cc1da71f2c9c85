//! Launches `pick.wgsl`.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::PickOps;
use crate::kernels::launch::{THREADS, contiguous, indices, launch, wgsl};

wgsl!(Pick, "pick.wgsl");

impl PickOps for CubeBackend {
    fn pick_into(ids: CubeTensor, which: CubeTensor, out: CubeTensor, at: usize) -> CubeTensor {
        let (ids, which, out) = (contiguous(ids), contiguous(which), contiguous(out));
        let count = which.meta.shape()[0];
        let info = [
            count as u32,
            ids.meta.shape()[0] as u32,
            at as u32,
            out.meta.shape()[0] as u32,
        ];
        let tensors = [&ids, &which, &out];
        launch(Pick, (THREADS, 1), indices(count), &tensors, &info);
        out
    }
}
