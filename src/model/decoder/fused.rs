//! One layer over few tokens, for reading only.

use burn::tensor::Tensor;

use super::layer::{Layer, Reading, Side, path};
use crate::kernels::{self, Around, Weight};
use crate::model::adapter::Group;

impl Layer {
    /// Whether [`Layer::read`] can do this layer.
    pub fn is_fused(&self, index: usize, side: Side<'_>) -> bool {
        let weights = [
            (&self.qkv, Group::Attention),
            (&self.output, Group::Output),
            (&self.gate_up, Group::FeedForward),
            (&self.down, Group::Down),
        ];
        weights.iter().all(|(weight, group)| {
            let side = path(side, index, *group);
            let lora = side.as_ref().map(|side| side.lora().0);
            kernels::is_linear(weight, lora.as_ref())
        })
    }

    /// The layer over few tokens, nothing being kept for a way back: norms, biases, side paths, the gate and the sum with
    /// the stream happen inside the four products. Gives the stream, which is written where it lies, and the arenas.
    pub fn read(
        &self,
        index: usize,
        stream: Tensor<2>,
        reading: &Reading,
        side: Side<'_>,
        (keys, values): (Tensor<2>, Tensor<2>),
    ) -> (Tensor<2>, (Tensor<2>, Tensor<2>)) {
        let eps = reading.eps;
        let product = |weight: &Weight, x, group, around: Around<'_>| {
            let side = path(side, index, group);
            let lora = side.as_ref().map(|side| side.lora());
            kernels::linear(weight, x, Around { lora, ..around })
        };
        let around = Around {
            norm: Some((&self.input_norm, eps)),
            bias: self.bias.as_ref(),
            ..Around::default()
        };
        let joined = product(&self.qkv, stream.clone(), Group::Attention, around);
        let rotary = reading.rotary(self);
        let (queries, keys, values) = kernels::rope(joined, reading.heads, &rotary, keys, values);
        let (mixed, _) = kernels::attention(
            queries,
            keys.clone(),
            values.clone(),
            reading.spans(self),
            reading.heads,
            reading.scale,
        );
        // What a block gives joins the stream, through its norm where one stands behind it.
        let joins = |weight: &Weight, x, group, norm: Option<&Tensor<1>>, stream| match norm {
            Some(norm) => {
                let raw = product(weight, x, group, Around::default());
                kernels::rms_norm_onto(raw, norm.clone(), eps, stream)
            }
            None => {
                let onto = Around {
                    onto: Some(stream),
                    ..Around::default()
                };
                product(weight, x, group, onto)
            }
        };
        let (behind_attention, behind_feed_forward) = match &self.behind {
            Some((attention, feed_forward)) => (Some(attention), Some(feed_forward)),
            None => (None, None),
        };
        let stream = joins(&self.output, mixed, Group::Output, behind_attention, stream);
        let around = Around {
            norm: Some((&self.post_norm, eps)),
            gate: Some(self.gate),
            ..Around::default()
        };
        let gated = product(&self.gate_up, stream.clone(), Group::FeedForward, around);
        let stream = joins(&self.down, gated, Group::Down, behind_feed_forward, stream);
        (stream, (keys, values))
    }
}
