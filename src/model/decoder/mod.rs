//! A Llama-family decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied or untied head.
//!
//! There is no autodiff graph: the base is frozen and the adapter's gradients are what `backward` gives, a layer at a
//! time, so that no more is kept on the way there than is needed on the way back.

mod backward;
mod fused;
mod layer;

use burn::tensor::{Device, Int, Tensor};

use super::{Adapter, Cache, Config, Format, Input, Model, ModelError, Rope, Weights};
use crate::kernels::{self, Heads, Packing, Weight, WeightRows};
use layer::{Layer, Reading};

pub use backward::Pass;

/// A decoder on a device. Its weights are frozen.
pub struct Decoder {
    config: Config,
    embedding: Weight,
    layers: Vec<Layer>,
    norm: Tensor<1>,
    /// `[vocabulary, hidden]`; the embedding's where the two are tied.
    head: Weight,
    /// For each of the configuration's ropes `[positions, head size]`: cosines, then sines.
    rotary: Vec<Tensor<2>>,
    device: Device,
    packing: Option<Packing>,
}

impl Decoder {
    /// The most positions there are tables for: those of 131,072 alone would take more memory than a small model.
    pub const LONGEST: usize = 8192;

    /// Puts the weights of a checkpoint onto a device, the matrices in this format.
    ///
    /// # Errors
    ///
    /// [`ModelError`] when a tensor is missing, of another shape, type or not finite.
    pub fn load(
        config: Config,
        weights: &Weights<'_>,
        format: impl Into<Format>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::load_as(config, weights, format.into(), device)
    }

    fn load_as(
        config: Config,
        weights: &Weights<'_>,
        format: Format,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (query, kv) = (config.query_size(), config.kv_size());
        let vector = |values: Vec<f32>| {
            let count = values.len();
            kernels::floats(values, [count], device)
        };
        let norm_of = |name: &str, size: usize| -> Result<Vec<f32>, ModelError> {
            let mut values = weights.values(name, &[size])?;
            values
                .iter_mut()
                .for_each(|value| *value += config.norm_offset);
            Ok(values)
        };
        let norm = |name: &str| Ok::<_, ModelError>(vector(norm_of(name, hidden)?));
        // Matrices of one input are joined: one product instead of several.
        let matrix = |names: &[(String, usize)], input: usize| -> Result<Weight, ModelError> {
            let rows = names.iter().map(|(_, output)| output).sum();
            let packing = match format {
                Format::Plain => None,
                Format::Packed(packing) => Some(packing),
                Format::Stored => weights.packing(names.iter().map(|(name, _)| name.as_str()))?,
            };
            let mut weight = WeightRows::new([rows, input], packing);
            for (name, output) in names {
                weights.fill(name, &[*output, input], &mut weight)?;
            }
            Ok(weight.finish(device))
        };

        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{index}.{part}");
            let weight = |part: &str| name(&format!("{part}.weight"));
            let attention = [("q", query), ("k", kv), ("v", kv)];
            let projections =
                attention.map(|(part, size)| (weight(&format!("self_attn.{part}_proj")), size));
            let bias = if config.qkv_bias {
                let mut values = Vec::with_capacity(query + 2 * kv);
                for (part, size) in attention {
                    values.extend(
                        weights.values(&name(&format!("self_attn.{part}_proj.bias")), &[size])?,
                    );
                }
                Some(vector(values))
            } else {
                None
            };
            let head_norms = if config.qk_norm {
                let mut values = norm_of(&weight("self_attn.q_norm"), config.head_size())?;
                values.extend(norm_of(&weight("self_attn.k_norm"), config.head_size())?);
                Some(vector(values))
            } else {
                None
            };
            // With norms behind the blocks too, the one called so stands behind attention.
            let (before_feed_forward, behind) = if config.post_block_norms {
                let behind = (
                    norm(&weight("post_attention_layernorm"))?,
                    norm(&weight("post_feedforward_layernorm"))?,
                );
                ("pre_feedforward_layernorm", Some(behind))
            } else {
                ("post_attention_layernorm", None)
            };
            layers.push(Layer {
                input_norm: norm(&weight("input_layernorm"))?,
                qkv: matrix(&projections, hidden)?,
                bias,
                head_norms,
                output: matrix(&[(weight("self_attn.o_proj"), hidden)], query)?,
                post_norm: norm(&weight(before_feed_forward))?,
                gate_up: matrix(
                    &[
                        (weight("mlp.gate_proj"), inner),
                        (weight("mlp.up_proj"), inner),
                    ],
                    hidden,
                )?,
                down: matrix(&[(weight("mlp.down_proj"), hidden)], inner)?,
                behind,
                gate: config.gate,
                rope: config.layer_rope[index],
                window: config.layer_window[index],
            });
        }

        let embedding = matrix(
            &[("model.embed_tokens.weight".into(), config.vocab_size)],
            hidden,
        )?;
        let head = if config.tie_word_embeddings || !weights.has("lm_head.weight") {
            embedding.clone()
        } else {
            matrix(&[("lm_head.weight".into(), config.vocab_size)], hidden)?
        };
        let norm = norm("model.norm.weight")?;
        let packing = match format {
            Format::Plain => None,
            Format::Packed(packing) => Some(packing),
            // They differ: what the largest is kept in is said of all.
            Format::Stored => head.packing(),
        };
        let rotary = config
            .ropes
            .iter()
            .map(|rope| Self::rotary(rope, context(&config), device))
            .collect();
        Ok(Self {
            config,
            embedding,
            layers,
            norm,
            head,
            rotary,
            device: device.clone(),
            packing,
        })
    }

    fn rotary(rope: &Rope, positions: usize, device: &Device) -> Tensor<2> {
        let frequencies = &rope.inverse_frequencies;
        let factor = rope.attention_factor;
        let values: Vec<f32> = (0..positions)
            .flat_map(|position| {
                let angle = move |frequency: &f64| position as f64 * frequency;
                let cosines = frequencies
                    .iter()
                    .map(move |frequency| (factor * angle(frequency).cos()) as f32);
                let sines = frequencies
                    .iter()
                    .map(move |frequency| (factor * angle(frequency).sin()) as f32);
                cosines.chain(sines)
            })
            .collect();
        kernels::floats(values, [positions, 2 * frequencies.len()], device)
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The most tokens a sequence may have.
    pub fn context(&self) -> usize {
        context(&self.config)
    }

    /// Where the weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How the matrices are packed, or the largest of them where they differ; as f32 where it is `None`.
    pub fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// The matrix of scores, `[vocabulary, hidden]`.
    pub fn head(&self) -> &Weight {
        &self.head
    }

    /// Bytes of all matrices on the device.
    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        let head = if self.config.tie_word_embeddings {
            0
        } else {
            self.head.bytes()
        };
        self.embedding.bytes() + layers + head
    }

    fn heads(&self) -> Heads {
        Heads {
            queries: self.config.num_attention_heads,
            keys: self.config.kv_heads(),
            size: self.config.head_size(),
        }
    }

    /// Checks that every id exists and every position and slot lies inside the model's context and the cache.
    ///
    /// # Errors
    ///
    /// [`ModelError::TokenId`] or [`ModelError::Context`].
    fn check(&self, input: &Input, slots: usize) -> Result<(), ModelError> {
        let size = self.config.vocab_size;
        if let Some(id) = input.ids.iter().find(|id| **id as usize >= size) {
            return Err(ModelError::TokenId { id: *id, size });
        }
        let past = |numbers: &[u32], room: usize| match numbers.iter().max() {
            Some(last) if *last as usize >= room => Err(ModelError::Context {
                tokens: *last as usize + 1,
                context: room,
            }),
            _ => Ok(()),
        };
        past(&input.positions, self.context())?;
        past(&input.slots, slots)?;
        // A run's end is one past its last slot.
        let ends: Vec<u32> = input
            .spans
            .chunks(2)
            .map(|run| run[1].saturating_sub(1))
            .collect();
        past(&ends, slots)
    }

    /// The residual stream after the last norm, `[tokens, hidden]`.
    ///
    /// With a cache the tokens take the slots they name, beside what is held there already; without one they see each
    /// other only.
    ///
    /// # Errors
    ///
    /// [`ModelError::TokenId`] for an id that is not in the vocabulary, [`ModelError::Context`] for a position or a
    /// slot for which there is no room.
    pub fn hidden(
        &self,
        input: &Input,
        adapter: Option<&Adapter>,
        cache: Option<&mut Cache>,
    ) -> Result<Tensor<2>, ModelError> {
        self.hidden_of(
            &kernels::integers(&input.ids, &self.device),
            input,
            adapter,
            cache,
        )
    }

    /// As [`Decoder::hidden`], with token ids that the device has drawn itself; those of `input` are not read.
    ///
    /// # Errors
    ///
    /// As [`Decoder::hidden`].
    pub fn hidden_of(
        &self,
        ids: &Tensor<1, Int>,
        input: &Input,
        adapter: Option<&Adapter>,
        cache: Option<&mut Cache>,
    ) -> Result<Tensor<2>, ModelError> {
        let mut own;
        let cache = match cache {
            Some(cache) => cache,
            None => {
                own = Cache::new(&self.config, input.len(), &self.device);
                &mut own
            }
        };
        self.check(input, cache.slots())?;
        let reading = Reading::new(self, input);
        let mut stream = self
            .embedding
            .select(ids.clone(), self.config.embedding_scale);
        let side = adapter.map(|adapter| (adapter, adapter.factors()));
        let fused = |(index, layer): (usize, &Layer)| layer.is_fused(index, side);
        let few = input.len() <= FEW && self.layers.iter().enumerate().all(fused);
        let mut delta = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let arena = cache.layers[index].take();
            let arena = arena.unwrap_or_else(|| Reading::arena(self, cache.slots()));
            if few {
                let kept;
                (stream, kept) = layer.read(index, stream, &reading, side, arena);
                cache.layers[index] = Some(kept);
                continue;
            }
            let done = layer.forward(index, stream, delta, &reading, side, arena);
            cache.layers[index] = Some((done.kept.keys, done.kept.values));
            stream = done.kept.after;
            delta = Some(done.delta);
        }
        let eps = self.config.rms_norm_eps as f32;
        Ok(match delta {
            Some(delta) => kernels::add_rms_norm(stream, delta, self.norm.clone(), eps).1,
            None => kernels::rms_norm(stream, self.norm.clone(), eps),
        })
    }

    /// Scores over the vocabulary for some rows of the stream: `[n, hidden]` to `[n, vocabulary]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head.apply(hidden)
    }

    /// The log-probability of one token each behind some rows of the stream (`[n, hidden]`), in nats: `[n]`.
    /// The scores over the vocabulary exist a part at a time only.
    pub fn log_likelihood(&self, hidden: &Tensor<2>, targets: &Tensor<1, Int>) -> Tensor<1> {
        let (state, _) = self.absorb(hidden, targets);
        kernels::log_likelihood(state)
    }

    /// The state of all scores taken in, and those of the last chunk.
    fn absorb(
        &self,
        hidden: &Tensor<2>,
        targets: &Tensor<1, Int>,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        let rows = hidden.dims()[0];
        let mut state = kernels::chunk_state(rows, &self.device);
        let mut last = None;
        for (first, count) in self.chunks(rows) {
            let scores = self.head.apply_rows(hidden.clone(), first, count);
            state = kernels::absorb(state, scores.clone(), targets.clone(), first);
            last = Some(scores);
        }
        (state, last)
    }

    /// The vocabulary in parts whose scores for `rows` rows take 16 MB at most: first row of the head and count.
    fn chunks(&self, rows: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        const SCORES: usize = 1 << 22;
        let size = self.config.vocab_size;
        // Fours keep the products on their fast path.
        let most = (SCORES / rows.max(1)).clamp(64, size.max(64)) / 4 * 4;
        let parts = size.div_ceil(most).max(1);
        (0..parts).map(move |part| (part * most, most.min(size - part * most)))
    }
}

/// Tokens up to which a layer's parts are fused into its products ([`Layer::read`]): as many as are decoded at once. With more
/// tokens a norm made anew by every tile of a product would cost more than starting a kernel for it.
const FEW: usize = 64;

/// What the model was made for, or less.
fn context(config: &Config) -> usize {
    config.max_position_embeddings.min(Decoder::LONGEST)
}

impl Model {
    /// Scores over the vocabulary at every position of one sequence: `[position][vocabulary]`.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for ids or lengths the model does not have, [`crate::kernels::DeviceError`] when the device
    /// does not answer.
    pub async fn logits(
        &self,
        ids: &[u32],
        adapter: Option<&Adapter>,
    ) -> Result<Vec<Vec<f32>>, crate::Error> {
        let (input, _) = Input::sequences(&[ids.to_vec()], 0);
        if input.is_empty() {
            return Ok(Vec::new());
        }
        let hidden = self.decoder.hidden(&input, adapter, None)?;
        let values = kernels::read(self.decoder.logits(hidden)).await?;
        Ok(values
            .chunks(self.decoder.config().vocab_size)
            .map(<[f32]>::to_vec)
            .collect())
    }
}
