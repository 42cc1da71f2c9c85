//! The CPU twin: a head of a token goes through what it sees in tiles of slots, whose scores stay on the stack.

use burn::backend::Flex;

use super::{AttentionOps, Heads};
use crate::kernels::flex::{FlexTensor, floats, for_row_pairs, for_rows, integers, tensor};
use crate::kernels::lanes;

/// Slots whose scores are taken together.
const TILE: usize = 64;

/// Lower than any score; the log-sum-exp of a token that sees nothing.
const LOWEST: f32 = -1e30;

/// What attention reads: the arenas and who sees what of them.
struct Arena<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    spans: &'a [i32],
    /// Slots that may be seen.
    slots: usize,
    heads: Heads,
}

impl Arena<'_> {
    /// Calls `work(first slot, slots)` for all that a token sees, a tile at most at a time.
    fn tiles(&self, token: usize, mut work: impl FnMut(usize, usize)) {
        let ranges = self.spans[token * 6..][..6].chunks_exact(2);
        for range in ranges {
            let mut first = range[0].max(0) as usize;
            let end = (range[1].max(0) as usize).min(self.slots);
            while first < end {
                let count = (end - first).min(TILE);
                work(first, count);
                first += count;
            }
        }
    }

    /// One head of the rows of an arena from slot `first` on, and how far apart the rows are.
    fn rows<'b>(&self, arena: &'b [f32], first: usize, head: usize) -> (&'b [f32], usize) {
        let stride = self.heads.keys * self.heads.size;
        (&arena[first * stride + head * self.heads.size..], stride)
    }

    /// `out[i] = row · head of slot first + i`.
    fn products(&self, arena: &[f32], first: usize, head: usize, row: &[f32], out: &mut [f32]) {
        let (rows, stride) = self.rows(arena, first, head);
        lanes::products(row, rows, stride, out);
    }

    /// `out += Σ weights[i] · head of slot first + i`.
    fn add(&self, arena: &[f32], first: usize, head: usize, weights: &[f32], out: &mut [f32]) {
        let (rows, stride) = self.rows(arena, first, head);
        lanes::add_rows(out, weights, rows, stride);
    }

    /// Attention of one head of a token, into `out`; gives the log-sum-exp.
    fn forward(
        &self,
        token: usize,
        key_head: usize,
        query: &[f32],
        scale: f32,
        out: &mut [f32],
    ) -> f32 {
        let (mut top, mut total) = (LOWEST, 0.0);
        let mut tile = [0.0; TILE];
        self.tiles(token, |first, count| {
            let weights = &mut tile[..count];
            self.products(self.keys, first, key_head, query, weights);
            let highest = top.max(scale * lanes::largest(weights, f32::MIN));
            if highest > top {
                let shrink = lanes::exp(&mut [top], 1.0, highest);
                total *= shrink;
                out.iter_mut().for_each(|out| *out *= shrink);
                top = highest;
            }
            total += lanes::exp(weights, scale, top);
            self.add(self.values, first, key_head, weights, out);
        });
        if total == 0.0 {
            return LOWEST;
        }
        let share = 1.0 / total;
        out.iter_mut().for_each(|out| *out *= share);
        top + total.ln()
    }
}

impl AttentionOps for Flex {
    fn attention(
        queries: FlexTensor,
        keys: FlexTensor,
        values: FlexTensor,
        spans: FlexTensor,
        heads: Heads,
        scale: f32,
    ) -> (FlexTensor, FlexTensor) {
        let (tokens, slots) = (queries.layout().shape()[0], keys.layout().shape()[0]);
        let width = heads.queries * heads.size;
        let (queries, spans) = (floats(&queries), integers(&spans));
        let (keys, values) = (floats(&keys), floats(&values));
        let arena = Arena {
            keys: &keys,
            values: &values,
            spans: &spans,
            slots,
            heads,
        };
        let mut out = vec![0.0; tokens * width];
        let mut lse = vec![0.0; tokens * heads.queries];
        for_row_pairs(
            (&mut out, width),
            (&mut lse, heads.queries),
            |token, out, lse| {
                let queries = queries[token * width..].chunks_exact(heads.size);
                let outs = out.chunks_exact_mut(heads.size).zip(lse);
                for (head, (query, (out, lse))) in queries.zip(outs).enumerate() {
                    *lse = arena.forward(token, head / heads.group(), query, scale, out);
                }
            },
        );
        (
            tensor(out, [tokens, width]),
            tensor(lse, [tokens, heads.queries]),
        )
    }

    fn attention_backward(
        queries: FlexTensor,
        keys: FlexTensor,
        values: FlexTensor,
        spans: FlexTensor,
        out: FlexTensor,
        lse: FlexTensor,
        gradient: FlexTensor,
        heads: Heads,
        scale: f32,
    ) -> FlexTensor {
        let tokens = queries.layout().shape()[0];
        let slots = keys.layout().shape()[0].min(tokens);
        let (queries, spans, lse) = (floats(&queries), integers(&spans), floats(&lse));
        let (keys, values) = (floats(&keys), floats(&values));
        let (out, gradient) = (floats(&out), floats(&gradient));
        let arena = Arena {
            keys: &keys,
            values: &values,
            spans: &spans,
            slots,
            heads,
        };
        let (size, group) = (heads.size, heads.group());
        // Each key head with its queries is summed up by itself: first the gradients of the queries, then of the
        // keys, then of the values, token after token.
        let part = tokens * (group + 2) * size;
        let mut parts = vec![0.0; heads.keys * part];
        for_rows(&mut parts, part, |key_head, part| {
            let (to_queries, rest) = part.split_at_mut(tokens * group * size);
            let (to_keys, to_values) = rest.split_at_mut(tokens * size);
            let (mut weights, mut shares) = ([0.0; TILE], [0.0; TILE]);
            for (row, to_query) in to_queries.chunks_exact_mut(size).enumerate() {
                let token = row / group;
                let head = token * heads.queries + key_head * group + row % group;
                let query = &queries[head * size..][..size];
                let slope = &gradient[head * size..][..size];
                let mut delta = [0.0];
                lanes::products(slope, &out[head * size..], size, &mut delta);
                let [delta] = delta;
                let lse = lse[head];
                arena.tiles(token, |first, count| {
                    let (weights, shares) = (&mut weights[..count], &mut shares[..count]);
                    arena.products(arena.keys, first, key_head, query, weights);
                    lanes::exp(weights, scale, lse);
                    arena.products(arena.values, first, key_head, slope, shares);
                    for (share, weight) in shares.iter_mut().zip(weights.iter()) {
                        *share = weight * (*share - delta) * scale;
                    }
                    arena.add(arena.keys, first, key_head, shares, to_query);
                    lanes::add_to_rows(&mut to_keys[first * size..], size, shares, query);
                    lanes::add_to_rows(&mut to_values[first * size..], size, weights, slope);
                });
            }
        });

        let width = heads.joined();
        let mut result = vec![0.0; tokens * width];
        for_rows(&mut result, width, |token, out| {
            let (to_queries, rest) = out.split_at_mut(heads.queries * size);
            let (to_keys, to_values) = rest.split_at_mut(heads.keys * size);
            for (key_head, part) in parts.chunks_exact(part.max(1)).enumerate() {
                let queries = &part[token * group * size..][..group * size];
                let keys = &part[(tokens * group + token) * size..][..size];
                let values = &part[(tokens * (group + 1) + token) * size..][..size];
                to_queries[key_head * group * size..][..group * size].copy_from_slice(queries);
                to_keys[key_head * size..][..size].copy_from_slice(keys);
                to_values[key_head * size..][..size].copy_from_slice(values);
            }
        });
        tensor(result, [tokens, width])
    }
}
