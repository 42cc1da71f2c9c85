//! One layer, there and back.

use burn::tensor::{Int, Tensor};

use super::Decoder;
use crate::kernels::{self, Gate, Heads, Rotary, Weight};
use crate::model::adapter::{self, Group};
use crate::model::{Adapter, Input};

/// The weights of one layer, `[out, in]` as checkpoints keep them.
pub(super) struct Layer {
    pub input_norm: Tensor<1>,
    /// Query, key and value one below the other.
    pub qkv: Weight,
    pub output: Weight,
    pub post_norm: Tensor<1>,
    /// Gate and up one below the other.
    pub gate_up: Weight,
    pub down: Weight,
    /// Of the joined query, key and value.
    pub bias: Option<Tensor<1>>,
    /// Of each query head, then of each key head.
    pub head_norms: Option<Tensor<1>>,
    /// Norms behind attention and behind the feed-forward block, before they join the stream.
    pub behind: Option<(Tensor<1>, Tensor<1>)>,
    pub gate: Gate,
    /// Which of the ropes turns its heads.
    pub rope: usize,
    /// How many last tokens it sees; all where there is none.
    pub window: Option<usize>,
}

/// What every layer needs to know of the tokens being read.
pub(super) struct Reading {
    places: Tensor<1, Int>,
    tables: Vec<Tensor<2>>,
    /// What the tokens see, for each window that a layer has.
    spans: Vec<(Option<usize>, Tensor<1, Int>)>,
    pub heads: Heads,
    pub scale: f32,
    pub eps: f32,
}

impl Reading {
    /// For reading only, over a cache.
    pub fn new(decoder: &Decoder, input: &Input) -> Self {
        Self::with(decoder, input, |spans| spans)
    }

    /// For a way back, the tokens seeing one another only.
    pub fn for_training(decoder: &Decoder, input: &Input) -> Self {
        Self::with(decoder, input, |spans| {
            kernels::with_seers(spans, input.len())
        })
    }

    fn with(decoder: &Decoder, input: &Input, finish: impl Fn(Vec<u32>) -> Vec<u32>) -> Self {
        let integers = |values: &[u32]| kernels::integers(values, decoder.device());
        let mut windows: Vec<Option<usize>> =
            decoder.layers.iter().map(|layer| layer.window).collect();
        windows.sort_unstable();
        windows.dedup();
        let spans = windows.into_iter().map(|window| {
            let seen = match window {
                Some(window) => input.spans_within(window),
                None => input.spans.clone(),
            };
            (window, integers(&finish(seen)))
        });
        Self {
            places: integers(&[input.positions.as_slice(), &input.slots].concat()),
            tables: decoder.rotary.clone(),
            spans: spans.collect(),
            heads: decoder.heads(),
            scale: decoder.config.attention_scale,
            eps: decoder.config.rms_norm_eps as f32,
        }
    }

    /// How a layer's heads are turned.
    pub fn rotary(&self, layer: &Layer) -> Rotary {
        Rotary {
            places: self.places.clone(),
            table: self.tables[layer.rope].clone(),
            norms: layer.head_norms.clone(),
            eps: self.eps,
        }
    }

    /// What the tokens see in a layer.
    pub fn spans(&self, layer: &Layer) -> Tensor<1, Int> {
        let of = |(window, _): &&(Option<usize>, Tensor<1, Int>)| *window == layer.window;
        // Every layer's window was put there.
        let (_, spans) = self.spans.iter().find(of).unwrap_or(&self.spans[0]);
        spans.clone()
    }

    /// Room for the keys and the values of this many tokens.
    pub fn arena(decoder: &Decoder, slots: usize) -> (Tensor<2>, Tensor<2>) {
        let arena = || Tensor::empty([slots.max(1), decoder.config.kv_size()], decoder.device());
        (arena(), arena())
    }
}

/// An adapter and the values it takes: its own, or those being trained.
pub(super) type Side<'a> = Option<(&'a Adapter, &'a Tensor<1>)>;

/// What the way back needs of the way there. All but `before` can be made anew from it.
pub(super) struct Kept {
    /// The stream that comes in.
    pub before: Tensor<2>,
    normed: Tensor<2>,
    joined: Tensor<2>,
    queries: Tensor<2>,
    pub keys: Tensor<2>,
    pub values: Tensor<2>,
    mixed: Tensor<2>,
    /// Log-sum-exp of the attention scores.
    lse: Tensor<2>,
    /// The stream between attention and feed-forward block.
    pub after: Tensor<2>,
    normed_after: Tensor<2>,
    gate_up: Tensor<2>,
    gated: Tensor<2>,
    /// What the blocks gave, where a norm stands behind them.
    raw: Option<(Tensor<2>, Tensor<2>)>,
    /// The narrow middles of the side paths, in the order of [`Group`].
    middles: [Option<Tensor<2>>; 4],
}

/// What a layer gives: the stream goes on as `kept.after + delta`.
pub(super) struct Done {
    pub delta: Tensor<2>,
    pub kept: Kept,
}

impl Layer {
    pub fn bytes(&self) -> usize {
        [&self.qkv, &self.output, &self.gate_up, &self.down]
            .map(Weight::bytes)
            .iter()
            .sum()
    }

    /// Values for each token in a [`Kept`], `before` left out.
    pub fn kept_values(&self) -> usize {
        let hidden = self.qkv.columns();
        4 * hidden + 2 * self.qkv.rows() + self.output.columns() + 3 * self.down.columns()
    }

    /// The layer over the stream `before + delta`.
    pub fn forward(
        &self,
        index: usize,
        before: Tensor<2>,
        delta: Option<Tensor<2>>,
        reading: &Reading,
        side: Side<'_>,
        (keys, values): (Tensor<2>, Tensor<2>),
    ) -> Done {
        let eps = reading.eps;
        let (before, normed) = match delta {
            Some(delta) => kernels::add_rms_norm(before, delta, self.input_norm.clone(), eps),
            None => (
                before.clone(),
                kernels::rms_norm(before, self.input_norm.clone(), eps),
            ),
        };
        let (mut joined, attention) = apply(&self.qkv, &normed, side, index, Group::Attention);
        if let Some(bias) = &self.bias {
            joined = kernels::add_row(joined, bias.clone());
        }
        let (queries, keys, values) = kernels::rope(
            joined.clone(),
            reading.heads,
            &reading.rotary(self),
            keys,
            values,
        );
        let (mixed, lse) = kernels::attention(
            queries.clone(),
            keys.clone(),
            values.clone(),
            reading.spans(self),
            reading.heads,
            reading.scale,
        );
        let (mut attended, output) = apply(&self.output, &mixed, side, index, Group::Output);
        let raw_attended = attended.clone();
        if let Some((weight, _)) = &self.behind {
            attended = kernels::rms_norm(attended, weight.clone(), eps);
        }
        let (after, normed_after) =
            kernels::add_rms_norm(before.clone(), attended, self.post_norm.clone(), eps);
        let (gate_up, feed_forward) = apply(
            &self.gate_up,
            &normed_after,
            side,
            index,
            Group::FeedForward,
        );
        let gated = kernels::swiglu(gate_up.clone(), self.gate);
        let (mut delta, down) = apply(&self.down, &gated, side, index, Group::Down);
        let mut raw = None;
        if let Some((_, weight)) = &self.behind {
            raw = Some((raw_attended, delta.clone()));
            delta = kernels::rms_norm(delta, weight.clone(), eps);
        }
        Done {
            delta,
            kept: Kept {
                before,
                normed,
                joined,
                queries,
                keys,
                values,
                mixed,
                lse,
                after,
                normed_after,
                gate_up,
                gated,
                raw,
                middles: [attention, output, feed_forward, down],
            },
        }
    }

    /// From the gradient of what the layer gives to that of the stream that came in (where `through` says so), the
    /// factors' gradients being added on the way.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; a struct would only rename the arguments"
    )]
    pub fn backward(
        &self,
        index: usize,
        kept: Kept,
        reading: &Reading,
        side: (&Adapter, &Tensor<1>),
        gradient: Tensor<2>,
        gradients: Tensor<1>,
        through: bool,
    ) -> (Tensor<1>, Option<Tensor<2>>) {
        let [attention, output, feed_forward, down] = kept.middles;
        let back = |weight: &Weight, x, middle, gradient, gradients, group| {
            apply_back(weight, x, middle, gradient, gradients, side, index, group)
        };
        let eps = reading.eps;
        // Through the norm behind the feed-forward block, where there is one.
        let d_down = match (&self.behind, &kept.raw) {
            (Some((_, weight)), Some((_, raw))) => {
                kernels::rms_norm_backward(raw.clone(), weight.clone(), eps, gradient.clone(), None)
            }
            _ => gradient.clone(),
        };
        let (gradients, d_gated) =
            back(&self.down, kept.gated, down, d_down, gradients, Group::Down);
        let d_gate_up = kernels::swiglu_backward(kept.gate_up, d_gated, self.gate);
        let (gradients, d_normed) = back(
            &self.gate_up,
            kept.normed_after,
            feed_forward,
            d_gate_up,
            gradients,
            Group::FeedForward,
        );
        let d_after = kernels::rms_norm_backward(
            kept.after,
            self.post_norm.clone(),
            eps,
            d_normed,
            Some(gradient),
        );
        let d_attended = match (&self.behind, kept.raw) {
            (Some((weight, _)), Some((raw, _))) => {
                kernels::rms_norm_backward(raw, weight.clone(), eps, d_after.clone(), None)
            }
            _ => d_after.clone(),
        };
        let (gradients, d_mixed) = back(
            &self.output,
            kept.mixed.clone(),
            output,
            d_attended,
            gradients,
            Group::Output,
        );
        let d_turned = kernels::attention_backward(
            kept.queries,
            kept.keys,
            kept.values,
            reading.spans(self),
            kept.mixed,
            kept.lse,
            d_mixed,
            reading.heads,
            reading.scale,
        );
        let d_joined =
            kernels::rope_backward(kept.joined, reading.heads, &reading.rotary(self), d_turned);
        if !through {
            let gradients = factors_back(
                kept.normed,
                attention,
                d_joined,
                gradients,
                side,
                index,
                Group::Attention,
            );
            return (gradients, None);
        }
        let (gradients, d_normed) = back(
            &self.qkv,
            kept.normed,
            attention,
            d_joined,
            gradients,
            Group::Attention,
        );
        let d_before = kernels::rms_norm_backward(
            kept.before,
            self.input_norm.clone(),
            eps,
            d_normed,
            Some(d_after),
        );
        (gradients, Some(d_before))
    }
}

/// An adapter's side path beside the projections of a group.
pub(super) fn path<'a>(side: Side<'a>, index: usize, group: Group) -> Option<adapter::Side<'a>> {
    side.and_then(|(adapter, factors)| adapter.side(index, group, factors))
}

/// `x·Wᵀ` and the side path beside it, with the narrow middle of the latter.
fn apply(
    weight: &Weight,
    x: &Tensor<2>,
    side: Side<'_>,
    index: usize,
    group: Group,
) -> (Tensor<2>, Option<Tensor<2>>) {
    let y = weight.apply(x.clone());
    match path(side, index, group) {
        Some(side) => {
            let (y, middle) = side.add(x.clone(), y);
            (y, Some(middle))
        }
        None => (y, None),
    }
}

/// The way back through [`apply`].
#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename the arguments"
)]
fn apply_back(
    weight: &Weight,
    x: Tensor<2>,
    middle: Option<Tensor<2>>,
    gradient: Tensor<2>,
    gradients: Tensor<1>,
    (adapter, factors): (&Adapter, &Tensor<1>),
    index: usize,
    group: Group,
) -> (Tensor<1>, Tensor<2>) {
    let to_x = weight.apply_back(gradient.clone());
    match (adapter.side(index, group, factors), middle) {
        (Some(side), Some(middle)) => {
            let (gradients, to_x) = side.add_back(x, middle, gradient, gradients, to_x);
            (gradients, to_x)
        }
        _ => (gradients, to_x),
    }
}

/// The factors' part of [`apply_back`], where nothing goes further back.
fn factors_back(
    x: Tensor<2>,
    middle: Option<Tensor<2>>,
    gradient: Tensor<2>,
    gradients: Tensor<1>,
    (adapter, factors): (&Adapter, &Tensor<1>),
    index: usize,
    group: Group,
) -> Tensor<1> {
    match (adapter.side(index, group, factors), middle) {
        (Some(side), Some(middle)) => side.add_back_factors(x, middle, gradient, gradients).0,
        _ => gradients,
    }
}
