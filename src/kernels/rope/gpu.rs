//! Launches `forward.wgsl` and `backward.wgsl`, each in one dispatch.
//!
//! Without norms every pair has a thread of its own; with them one thread does a head, for it must sum over it.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::{Heads, RopeOps};
use crate::kernels::launch::{ACCESS, THREADS, contiguous, empty, indices, launch, wgsl};

/// How the buffer of the norms' weights is declared in the kernels that have one.
fn norms(binding: usize) -> String {
    format!("@group(0) @binding({binding}) var<storage, {ACCESS}> norms: array<f32>;")
}

macro_rules! plain {
    ($name:ident, $file:literal, $binding:literal) => {
        wgsl!(
            $name,
            $file,
            "norms" = "",
            "info" = $binding,
            "weight" = "1.0",
            "normed" = "false"
        );
    };
}

macro_rules! normed {
    ($name:ident, $file:literal, $binding:literal) => {
        wgsl!(
            $name,
            $file,
            "norms" = norms($binding),
            "info" = $binding + 1,
            "weight" = "norms[at]",
            "normed" = "true"
        );
    };
}

plain!(Forward, "forward.wgsl", 6);
normed!(NormedForward, "forward.wgsl", 6);
plain!(Backward, "backward.wgsl", 5);
normed!(NormedBackward, "backward.wgsl", 5);

impl RopeOps for CubeBackend {
    fn rope(
        joined: CubeTensor,
        heads: Heads,
        places: CubeTensor,
        table: CubeTensor,
        normed: bool,
        norms: CubeTensor,
        eps: f32,
        keys: CubeTensor,
        values: CubeTensor,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let (joined, places, table) = (contiguous(joined), contiguous(places), contiguous(table));
        let (keys, values) = (contiguous(keys), contiguous(values));
        let tokens = joined.meta.shape()[0];
        let queries = empty(&joined, [tokens, heads.queries * heads.size], joined.dtype);
        let half = heads.size / 2;
        let pairs = if normed { half } else { 1 };
        let info = [
            tokens as u32,
            heads.queries as u32,
            heads.keys as u32,
            half as u32,
            pairs as u32,
            table.meta.shape()[0] as u32,
            keys.meta.shape()[0] as u32,
            eps.to_bits(),
        ];
        let groups = indices(tokens * heads.joined() / (2 * pairs).max(1));
        let buffers = [&joined, &places, &table, &queries, &keys, &values];
        if normed {
            let norms = contiguous(norms);
            let [a, b, c, d, e, f] = buffers;
            let buffers = [a, b, c, d, e, f, &norms];
            launch(NormedForward, (THREADS, 1), groups, &buffers, &info);
        } else {
            launch(Forward, (THREADS, 1), groups, &buffers, &info);
        }
        (queries, keys, values)
    }

    fn rope_backward(
        joined: CubeTensor,
        heads: Heads,
        places: CubeTensor,
        table: CubeTensor,
        normed: bool,
        norms: CubeTensor,
        eps: f32,
        gradient: CubeTensor,
    ) -> CubeTensor {
        let (joined, places, table) = (contiguous(joined), contiguous(places), contiguous(table));
        let gradient = contiguous(gradient);
        let tokens = joined.meta.shape()[0];
        let out = empty(&joined, [tokens, heads.joined()], joined.dtype);
        let half = heads.size / 2;
        let pairs = if normed { half } else { 1 };
        let info = [
            tokens as u32,
            heads.queries as u32,
            heads.keys as u32,
            half as u32,
            pairs as u32,
            table.meta.shape()[0] as u32,
            eps.to_bits(),
        ];
        let groups = indices(tokens * heads.joined() / (2 * pairs).max(1));
        let buffers = [&joined, &places, &table, &gradient, &out];
        if normed {
            let norms = contiguous(norms);
            let [a, b, c, d, e] = buffers;
            let buffers = [a, b, c, d, e, &norms];
            launch(NormedBackward, (THREADS, 1), groups, &buffers, &info);
        } else {
            launch(Backward, (THREADS, 1), groups, &buffers, &info);
        }
        out
    }
}
