//! The CPU twin.

use burn::backend::Flex;

use super::{Heads, RopeOps};
use crate::kernels::flex::{FlexTensor, floats, for_rows, in_place, integers, tensor};

/// What turns one token's heads.
struct Turn<'a> {
    cosine: &'a [f32],
    sine: &'a [f32],
    eps: f32,
}

impl<'a> Turn<'a> {
    /// For a position; one past the table is taken for its last.
    fn at(table: &'a [f32], position: i32, half: usize, eps: f32) -> Self {
        let last = (table.len() / (2 * half)).saturating_sub(1);
        let row = table.get((position.max(0) as usize).min(last) * 2 * half..);
        let (cosine, sine) = row.unwrap_or_default()[..2 * half].split_at(half);
        Self { cosine, sine, eps }
    }

    /// `1 / sqrt(mean(x²) + eps)`.
    fn root(&self, head: &[f32]) -> f32 {
        let sum: f32 = head.iter().map(|x| x * x).sum();
        1.0 / (sum / head.len() as f32 + self.eps).sqrt()
    }

    /// Norms a head where it has a weight, and turns it.
    fn forward(&self, head: &[f32], weight: Option<&[f32]>, out: &mut [f32]) {
        match weight {
            None => out.copy_from_slice(head),
            Some(weight) => {
                let root = self.root(head);
                for ((out, x), weight) in out.iter_mut().zip(head).zip(weight) {
                    *out = x * root * weight;
                }
            }
        }
        let (low, high) = out.split_at_mut(self.cosine.len());
        let turns = self.cosine.iter().zip(self.sine);
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(turns) {
            let (x, y) = (*low, *high);
            *low = x * cosine - y * sine;
            *high = y * cosine + x * sine;
        }
    }

    /// The gradient of `head` from that of what [`Turn::forward`] made of it.
    fn backward(&self, head: &[f32], weight: Option<&[f32]>, gradient: &[f32], out: &mut [f32]) {
        out.copy_from_slice(gradient);
        let (low, high) = out.split_at_mut(self.cosine.len());
        let turns = self.cosine.iter().zip(self.sine);
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(turns) {
            let (x, y) = (*low, *high);
            *low = x * cosine + y * sine;
            *high = y * cosine - x * sine;
        }
        if let Some(weight) = weight {
            let root = self.root(head);
            let mut along = 0.0;
            for ((out, x), weight) in out.iter_mut().zip(head).zip(weight) {
                *out *= weight;
                along += *out * x;
            }
            along *= root * root / head.len() as f32;
            for (out, x) in out.iter_mut().zip(head) {
                *out = root * (*out - along * x);
            }
        }
    }
}

impl RopeOps for Flex {
    fn rope(
        joined: FlexTensor,
        heads: Heads,
        places: FlexTensor,
        table: FlexTensor,
        normed: bool,
        norms: FlexTensor,
        eps: f32,
        keys: FlexTensor,
        values: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let tokens = joined.layout().shape()[0];
        let size = heads.size;
        let (query, key) = (heads.queries * size, heads.keys * size);
        let (joined, places, table) = (floats(&joined), integers(&places), floats(&table));
        let norms = floats(&norms);
        let norms = normed.then(|| norms.split_at(size));
        let turn = |token: usize| Turn::at(&table, places[token], size / 2, eps);

        let mut queries = vec![0.0; tokens * query];
        for_rows(&mut queries, query, |token, out| {
            let turn = turn(token);
            let row = &joined[token * heads.joined()..][..query];
            for (head, out) in row.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
                turn.forward(head, norms.map(|norms| norms.0), out);
            }
        });
        let keys = in_place(keys, |arena| {
            for (token, slot) in places[tokens..].iter().enumerate() {
                let Some(out) = slot_of(arena, *slot, key) else {
                    continue;
                };
                let turn = turn(token);
                let row = &joined[token * heads.joined() + query..][..key];
                for (head, out) in row.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
                    turn.forward(head, norms.map(|norms| norms.1), out);
                }
            }
        });
        let values = in_place(values, |arena| {
            for (token, slot) in places[tokens..].iter().enumerate() {
                if let Some(out) = slot_of(arena, *slot, key) {
                    out.copy_from_slice(&joined[token * heads.joined() + query + key..][..key]);
                }
            }
        });
        (tensor(queries, [tokens, query]), keys, values)
    }

    fn rope_backward(
        joined: FlexTensor,
        heads: Heads,
        places: FlexTensor,
        table: FlexTensor,
        normed: bool,
        norms: FlexTensor,
        eps: f32,
        gradient: FlexTensor,
    ) -> FlexTensor {
        let tokens = joined.layout().shape()[0];
        let (size, width) = (heads.size, heads.joined());
        let (joined, places, table) = (floats(&joined), integers(&places), floats(&table));
        let gradient = floats(&gradient);
        let norms = floats(&norms);
        let norms = normed.then(|| norms.split_at(size));
        let mut out = vec![0.0; tokens * width];
        for_rows(&mut out, width, |token, out| {
            let turn = Turn::at(&table, places[token], size / 2, eps);
            let rows = joined[token * width..].chunks_exact(size);
            let gradients = gradient[token * width..].chunks_exact(size);
            for (head, ((out, x), gradient)) in out
                .chunks_exact_mut(size)
                .zip(rows)
                .zip(gradients)
                .enumerate()
            {
                if head < heads.queries {
                    turn.backward(x, norms.map(|norms| norms.0), gradient, out);
                } else if head < heads.queries + heads.keys {
                    turn.backward(x, norms.map(|norms| norms.1), gradient, out);
                } else {
                    out.copy_from_slice(gradient);
                }
            }
        });
        tensor(out, [tokens, width])
    }
}

/// A slot's row in an arena, unless the arena ends before it.
fn slot_of(arena: &mut [f32], slot: i32, width: usize) -> Option<&mut [f32]> {
    let start = usize::try_from(slot).ok()? * width;
    arena.get_mut(start..start + width)
}
