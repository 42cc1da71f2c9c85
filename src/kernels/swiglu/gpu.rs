//! Launches `forward.wgsl` and `backward.wgsl`.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::{Gate, SwigluOps};
use crate::kernels::launch::{THREADS, contiguous, empty, indices, launch, wgsl};

wgsl!(Forward, "forward.wgsl");
wgsl!(Backward, "backward.wgsl");

fn info(joined: &CubeTensor, gate: Gate) -> [u32; 3] {
    let shape = joined.meta.shape();
    [
        shape[0] as u32,
        (shape[1] / 2) as u32,
        u32::from(gate == Gate::GeluTanh),
    ]
}

impl SwigluOps for CubeBackend {
    fn swiglu(joined: CubeTensor, gate: Gate) -> CubeTensor {
        let joined = contiguous(joined);
        let info = info(&joined, gate);
        let (rows, inner) = (info[0] as usize, info[1] as usize);
        let out = empty(&joined, [rows, inner], joined.dtype);
        launch(
            Forward,
            (THREADS, 1),
            indices(rows * inner),
            &[&joined, &out],
            &info,
        );
        out
    }

    fn swiglu_backward(joined: CubeTensor, gradient: CubeTensor, gate: Gate) -> CubeTensor {
        let (joined, gradient) = (contiguous(joined), contiguous(gradient));
        let info = info(&joined, gate);
        let (rows, inner) = (info[0] as usize, info[1] as usize);
        let out = empty(&joined, [rows, 2 * inner], joined.dtype);
        launch(
            Backward,
            (THREADS, 1),
            indices(rows * inner),
            &[&joined, &gradient, &out],
            &info,
        );
        out
    }
}
