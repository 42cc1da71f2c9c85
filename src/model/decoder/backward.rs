//! The way there with what the way back needs, and the way back to the adapter's gradients.

use burn::tensor::{Int, Tensor};

use super::Decoder;
use super::layer::{Kept, Reading};
use crate::kernels;
use crate::model::{Adapter, Input, ModelError};

/// What a layer left behind.
enum Trace {
    /// Everything.
    Whole(Box<Kept>),
    /// Its input: the stream, and what is to be added to it.
    Input(Box<(Tensor<2>, Option<Tensor<2>>)>),
}

/// Tokens on their way: the log-probabilities of the answers are there, the gradients are not yet asked for.
pub struct Pass<'a> {
    decoder: &'a Decoder,
    adapter: &'a Adapter,
    factors: &'a Tensor<1>,
    reading: Reading,
    traces: Vec<Trace>,
    tokens: usize,
    /// The stream after the last layer.
    stream: Tensor<2>,
    sources: Tensor<1, Int>,
    targets: Tensor<1, Int>,
    /// The rows of the normed stream that predict an answer token.
    picked: Tensor<2>,
    state: Tensor<2>,
    /// Scores of the last part of the vocabulary.
    scores: Option<Tensor<2>>,
}

impl Decoder {
    /// Bytes that are kept for the way back, unless told otherwise.
    pub const KEPT: usize = 256 << 20;

    /// Reads tokens, with `factors` for the adapter's values. Behind the tokens `sources` the tokens `targets` are
    /// expected.
    ///
    /// Where it takes no more than `most` bytes, all of every layer is kept for the way back; else only what comes into
    /// it, and the rest is made anew a layer at a time, for a third more arithmetic.
    ///
    /// # Errors
    ///
    /// As [`Decoder::hidden`].
    pub fn pass<'a>(
        &'a self,
        input: &Input,
        adapter: &'a Adapter,
        factors: &'a Tensor<1>,
        sources: &[u32],
        targets: &[u32],
        most: usize,
    ) -> Result<Pass<'a>, ModelError> {
        let tokens = input.len();
        self.check(input, tokens)?;
        let reading = Reading::for_training(self, input);
        let integers = |values: &[u32]| kernels::integers(values, &self.device);
        let each: usize = self.layers.iter().map(super::Layer::kept_values).sum();
        let whole = each * tokens * 4 <= most;
        let mut stream = self
            .embedding
            .select(integers(&input.ids), self.config.embedding_scale);
        let mut delta = None;
        let mut traces = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let arena = Reading::arena(self, tokens);
            let input = (!whole).then(|| Trace::Input(Box::new((stream.clone(), delta.clone()))));
            let done = layer.forward(
                index,
                stream,
                delta,
                &reading,
                Some((adapter, factors)),
                arena,
            );
            stream = done.kept.after.clone();
            delta = Some(done.delta);
            traces.push(input.unwrap_or_else(|| Trace::Whole(Box::new(done.kept))));
        }
        let eps = reading.eps;
        let (stream, normed) = match delta {
            Some(delta) => kernels::add_rms_norm(stream, delta, self.norm.clone(), eps),
            None => (
                stream.clone(),
                kernels::rms_norm(stream, self.norm.clone(), eps),
            ),
        };
        let (sources, targets) = (integers(sources), integers(targets));
        let picked = kernels::gather_rows(normed, sources.clone());
        let (state, scores) = self.absorb(&picked, &targets);
        Ok(Pass {
            decoder: self,
            adapter,
            factors,
            reading,
            traces,
            tokens,
            stream,
            sources,
            targets,
            picked,
            state,
            scores,
        })
    }
}

impl Pass<'_> {
    /// The log-probability of each target, in nats.
    pub fn log_likelihood(&self) -> Tensor<1> {
        kernels::log_likelihood(self.state.clone())
    }

    /// Adds to `gradients` those of `−Σ weight · log-probability` with respect to the adapter's factors.
    pub fn backward(self, weights: &Tensor<1>, mut gradients: Tensor<1>) -> Tensor<1> {
        let decoder = self.decoder;
        let rows = self.picked.dims()[0];
        let mut to_picked = Tensor::zeros(self.picked.dims(), &decoder.device);
        let mut last = self.scores;
        // From the last part back: its scores are still there.
        for (first, count) in decoder.chunks(rows).rev() {
            let scores = last
                .take()
                .unwrap_or_else(|| decoder.head.apply_rows(self.picked.clone(), first, count));
            let slopes = kernels::scores_gradient(
                scores,
                self.state.clone(),
                self.targets.clone(),
                weights.clone(),
                first,
            );
            to_picked = decoder.head.add_rows_back(slopes, first, to_picked);
        }
        let to_normed = kernels::scatter_rows(to_picked, self.sources, self.tokens);
        let eps = self.reading.eps;
        let mut gradient =
            kernels::rms_norm_backward(self.stream, decoder.norm.clone(), eps, to_normed, None);
        let side = (self.adapter, self.factors);
        for (index, (layer, trace)) in decoder.layers.iter().zip(self.traces).enumerate().rev() {
            let kept = match trace {
                Trace::Whole(kept) => *kept,
                Trace::Input(input) => {
                    let (stream, delta) = *input;
                    let arena = Reading::arena(decoder, self.tokens);
                    layer
                        .forward(index, stream, delta, &self.reading, Some(side), arena)
                        .kept
                }
            };
            let through;
            (gradients, through) = layer.backward(
                index,
                kept,
                &self.reading,
                side,
                gradient,
                gradients,
                index > 0,
            );
            match through {
                Some(next) => gradient = next,
                None => break,
            }
        }
        gradients
    }
}
