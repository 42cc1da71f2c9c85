//! Launches the shaders.
//!
//! A thread does a head of a token by itself and waits for no other: software adapters pay for every barrier, and a
//! real GPU is busy as soon as there are thousands of threads. Where there are fewer than it wants ([`tiles`]; a step of decoding
//! has one token of each sequence), what a token sees is dealt out to several threads, and
//! `combine.wgsl` puts their results together.
//!
//! Backward, nothing is added to by two threads: queries are summed up by their own threads (`to_queries.wgsl`), and
//! so are keys and values (`to_keys.wgsl`), once for each of some chunks of the tokens, for a slot of a shared prefix
//! is seen by all of them and would keep one thread long after the others have done. `gather.wgsl` adds those up.

use burn_cubecl::CubeBackend;
use burn_cubecl::template::{KernelSource, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::KernelId;

use super::{AttentionOps, Heads, LOWEST};
use crate::kernels::launch::{ACCESS, THREADS, contiguous, empty, indices, launch, span, wgsl};
use crate::kernels::tiles::tiles;

/// Threads that are wanted for the gradients of keys and values, whose work is less even, and the most that share a
/// head of a slot.
const BUSY_BACKWARD: (usize, usize) = (32_768, 8);
/// The most elements that chunks hold before they are put together (64 MiB).
const ROOM: usize = 1 << 24;

/// Into how many chunks to cut the work of `threads` threads that hold `elements` elements.
fn chunks(threads: usize, (wanted, most): (usize, usize), elements: usize) -> usize {
    (wanted / threads.max(1))
        .min(ROOM / elements.max(1))
        .clamp(1, most)
}

wgsl!(Delta, "delta.wgsl");
wgsl!(Gather, "gather.wgsl");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Forward,
    Combine,
    ToQueries,
    ToKeys,
}

/// A kernel whose source is written out for one size of heads, so that a head lies in registers.
struct Unrolled(Step, usize);

impl Unrolled {
    /// Elements that are read at once.
    fn lane(&self) -> usize {
        if self.1.is_multiple_of(4) { 4 } else { 2 }
    }
}

impl KernelSource for Unrolled {
    fn source(&self) -> SourceTemplate {
        let text = match self.0 {
            Step::Forward => include_str!("forward.wgsl"),
            Step::Combine => include_str!("combine.wgsl"),
            Step::ToQueries => include_str!("to_queries.wgsl"),
            Step::ToKeys => include_str!("to_keys.wgsl"),
        };
        let lanes = self.1 / self.lane();
        let lane = if self.lane() == 4 {
            "vec4<f32>"
        } else {
            "vec2<f32>"
        };
        SourceTemplate::new(unrolled(text, lanes))
            .register("access", ACCESS)
            .register("threads", THREADS.to_string())
            .register("span", span())
            .register("lane", lane)
            .register("lanes", lanes.to_string())
            .register("lowest", LOWEST)
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((self.0, self.1))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Writes each line behind `@each` `count` times, with 0, 1, 2.. for `#`.
fn unrolled(text: &str, count: usize) -> String {
    let mut out = String::with_capacity(2 * text.len());
    for line in text.lines() {
        match line.trim_start().strip_prefix("@each ") {
            Some(line) => {
                for number in 0..count {
                    out.push_str(&line.replace('#', &number.to_string()));
                    out.push('\n');
                }
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

impl AttentionOps for CubeBackend {
    fn attention(
        queries: CubeTensor,
        keys: CubeTensor,
        values: CubeTensor,
        spans: CubeTensor,
        heads: Heads,
        scale: f32,
    ) -> (CubeTensor, CubeTensor) {
        let (queries, keys, values) = (contiguous(queries), contiguous(keys), contiguous(values));
        let spans = contiguous(spans);
        let (tokens, slots) = (queries.meta.shape()[0], keys.meta.shape()[0]);
        let out = empty(
            &queries,
            [tokens, heads.queries * heads.size],
            queries.dtype,
        );
        let lse = empty(&queries, [tokens, heads.queries], queries.dtype);
        let rows = tokens * heads.queries;
        let chunks = chunks(rows, tiles().attention, rows * heads.size);
        let forward = |out: &CubeTensor, lse: &CubeTensor| {
            launch(
                Unrolled(Step::Forward, heads.size),
                (THREADS, 1),
                indices(rows * chunks),
                &[&queries, &keys, &values, &spans, out, lse],
                &[
                    tokens as u32,
                    slots as u32,
                    heads.queries as u32,
                    heads.keys as u32,
                    scale.to_bits(),
                    chunks as u32,
                ],
            );
        };
        if chunks == 1 {
            forward(&out, &lse);
            return (out, lse);
        }
        let parts = empty(&queries, [chunks, rows, heads.size], queries.dtype);
        let part_lse = empty(&queries, [chunks, rows], queries.dtype);
        forward(&parts, &part_lse);
        let combine = Unrolled(Step::Combine, heads.size);
        let threads = rows * heads.size / combine.lane();
        launch(
            combine,
            (THREADS, 1),
            indices(threads),
            &[&parts, &part_lse, &out, &lse],
            &[rows as u32, chunks as u32],
        );
        (out, lse)
    }

    fn attention_backward(
        queries: CubeTensor,
        keys: CubeTensor,
        values: CubeTensor,
        spans: CubeTensor,
        out: CubeTensor,
        lse: CubeTensor,
        gradient: CubeTensor,
        heads: Heads,
        scale: f32,
    ) -> CubeTensor {
        let (queries, keys, values) = (contiguous(queries), contiguous(keys), contiguous(values));
        let (spans, out, lse) = (contiguous(spans), contiguous(out), contiguous(lse));
        let gradient = contiguous(gradient);
        let tokens = queries.meta.shape()[0];
        let slots = keys.meta.shape()[0].min(tokens);
        let rows = tokens * heads.queries;
        let threads = (THREADS, 1);

        let sums = empty(&queries, [rows, 2], queries.dtype);
        launch(
            Delta,
            threads,
            indices(rows),
            &[&out, &gradient, &lse, &sums],
            &[rows as u32, heads.size as u32],
        );

        let result = empty(&queries, [tokens, heads.joined()], queries.dtype);
        let width = 2 * heads.keys * heads.size;
        let chunks = chunks(tokens * heads.keys, BUSY_BACKWARD, tokens * width);
        let info = [
            tokens as u32,
            slots as u32,
            heads.queries as u32,
            heads.keys as u32,
            scale.to_bits(),
            chunks as u32,
        ];
        launch(
            Unrolled(Step::ToQueries, heads.size),
            threads,
            indices(rows),
            &[&queries, &keys, &values, &spans, &sums, &gradient, &result],
            &info,
        );

        let partial = empty(&queries, [chunks, tokens, width], queries.dtype);
        launch(
            Unrolled(Step::ToKeys, heads.size),
            threads,
            indices(tokens * heads.keys * chunks),
            &[&queries, &keys, &values, &spans, &sums, &gradient, &partial],
            &info,
        );
        launch(
            Gather,
            threads,
            indices(tokens * width),
            &[&partial, &result],
            &[
                tokens as u32,
                width as u32,
                (heads.queries * heads.size) as u32,
                chunks as u32,
            ],
        );
        result
    }
}
