//! Launches `gather.wgsl`, `chain.wgsl` and `scatter.wgsl`.

use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::EmbeddingOps;
use crate::kernels::launch::{THREADS, contiguous, empty, indices, launch, wgsl};

wgsl!(
    /// Four columns a thread; the width is a multiple of 4.
    GatherFours,
    "gather.wgsl",
    "value" = "vec4<f32>",
);
wgsl!(GatherOnes, "gather.wgsl", "value" = "f32");
wgsl!(Chain, "chain.wgsl");
wgsl!(
    /// Four columns a thread; the width is a multiple of 4.
    ScatterFours,
    "scatter.wgsl",
    "value" = "vec4<f32>",
);
wgsl!(ScatterOnes, "scatter.wgsl", "value" = "f32");

const THREAD_LINE: (u32, u32) = (THREADS, 1);

impl EmbeddingOps for CubeBackend {
    fn embedding(table: CubeTensor, ids: CubeTensor, scale: f32) -> CubeTensor {
        let (table, ids) = (contiguous(table), contiguous(ids));
        let (rows, width) = (table.meta.shape()[0], table.meta.shape()[1]);
        let count = ids.meta.shape()[0];
        let out = empty(&table, [count, width], table.dtype);
        let tensors = [&table, &ids, &out];
        let info = |values: usize| [count as u32, values as u32, rows as u32, scale.to_bits()];
        if width.is_multiple_of(4) {
            let (groups, info) = (indices(count * width / 4), info(width / 4));
            launch(GatherFours, THREAD_LINE, groups, &tensors, &info);
        } else {
            let (groups, info) = (indices(count * width), info(width));
            launch(GatherOnes, THREAD_LINE, groups, &tensors, &info);
        }
        out
    }

    fn scatter_rows(gradient: CubeTensor, rows: CubeTensor, n: usize) -> CubeTensor {
        let (gradient, rows) = (contiguous(gradient), contiguous(rows));
        let (count, width) = (gradient.meta.shape()[0], gradient.meta.shape()[1]);
        let out = empty(&gradient, [n, width], gradient.dtype);
        let chain = empty(&gradient, [n + count], DType::I32);
        let info = |values: usize| [n as u32, count as u32, values as u32];
        launch(
            Chain,
            THREAD_LINE,
            indices(n + count),
            &[&rows, &chain],
            &info(width),
        );
        let tensors = [&gradient, &chain, &out];
        if width.is_multiple_of(4) {
            let (groups, info) = (indices(n * width / 4), info(width / 4));
            launch(ScatterFours, THREAD_LINE, groups, &tensors, &info);
        } else {
            let (groups, info) = (indices(n * width), info(width));
            launch(ScatterOnes, THREAD_LINE, groups, &tensors, &info);
        }
        out
    }
}
