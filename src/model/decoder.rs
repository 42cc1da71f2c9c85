//! A Llama-family decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied or untied head.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use super::{Adapter, Cache, Config, Model, ModelError, Module, Weights};
use crate::kernels;

/// One step's tokens: `rows` sequences of `width` tokens each, row-major, with what each may see.
#[derive(Debug, Clone)]
pub struct Input {
    ids: Vec<u32>,
    positions: Vec<u32>,
    /// `[rows, width, seen]`: 0 where the query may see the key, a large negative number where not.
    mask: Vec<f32>,
    rows: usize,
    width: usize,
    past: usize,
    seen: usize,
}

/// How many first tokens several sequences have in common, each keeping at least one of its own; in whole fours, which
/// keep the products on their fast path. 0 for a single sequence, which shares with nobody.
pub fn shared_prefix(sequences: &[Vec<u32>]) -> usize {
    let Some((first, rest)) = sequences.split_first() else {
        return 0;
    };
    if rest.is_empty() {
        return 0;
    }
    let mut shared = sequences
        .iter()
        .map(Vec::len)
        .min()
        .unwrap_or(0)
        .saturating_sub(1);
    for other in rest {
        shared = first
            .iter()
            .zip(other)
            .take(shared)
            .take_while(|(a, b)| a == b)
            .count();
    }
    shared / 4 * 4
}

/// The longest sequence, in whole fours: they keep the products on their fast path.
fn widest(sequences: &[Vec<u32>]) -> usize {
    sequences
        .iter()
        .map(Vec::len)
        .max()
        .unwrap_or(0)
        .max(1)
        .next_multiple_of(4)
}

/// Far below any score, yet finite: a row in which nothing may be seen must not become NaN.
const HIDDEN: f32 = -1e9;

impl Input {
    /// Sequences of unlike length, filled up on the right. Padding comes after the real tokens and is never seen
    /// by them, so it needs no mask of its own.
    pub fn right_padded(sequences: &[Vec<u32>]) -> Self {
        let width = widest(sequences);
        let mut ids = Vec::with_capacity(sequences.len() * width);
        for sequence in sequences {
            ids.extend_from_slice(sequence);
            ids.resize(ids.len() + width - sequence.len(), 0);
        }
        Self::build(
            ids,
            sequences.len(),
            width,
            0,
            |_, query, key| key <= query,
            |_, column| column as u32,
        )
    }

    /// One long sequence: the first `shared` tokens, which all sequences have in common, once, and then the rest of
    /// each, which sees the shared part and itself. The same arithmetic as a padded batch, without reading the shared
    /// part once for every row. `starts[row]` is the column of a row's first own token.
    pub fn packed(sequences: &[Vec<u32>], shared: usize) -> (Self, Vec<usize>) {
        let mut ids: Vec<u32> = sequences
            .first()
            .map_or(Vec::new(), |first| first[..shared].to_vec());
        // Which row a column belongs to, and its position there; the shared part belongs to all.
        let mut owners: Vec<(usize, usize)> =
            (0..shared).map(|position| (usize::MAX, position)).collect();
        let mut starts = Vec::with_capacity(sequences.len());
        for (row, sequence) in sequences.iter().enumerate() {
            starts.push(ids.len());
            ids.extend_from_slice(&sequence[shared..]);
            owners.extend((shared..sequence.len()).map(|position| (row, position)));
        }
        let width = ids.len().max(1).next_multiple_of(4);
        ids.resize(width, 0);
        // What fills up belongs to nobody, and sees only itself.
        owners.extend((owners.len()..width).map(|column| (sequences.len() + column, 0)));
        let input = Self::build(
            ids,
            1,
            width,
            0,
            |_, query, key| key <= query && (key < shared || owners[key].0 == owners[query].0),
            |_, column| owners[column].1 as u32,
        );
        (input, starts)
    }

    /// Sequences of unlike length, filled up on the left so that all end in the same column; positions count from
    /// each row's first real token. `padding[row]` says how many columns of a row are filling.
    pub fn left_padded(sequences: &[Vec<u32>]) -> (Self, Vec<usize>) {
        Self::left_padded_behind(0, sequences)
    }

    /// As [`Input::left_padded`], behind a prefix of `past` tokens that all rows see, held in the cache.
    pub fn left_padded_behind(past: usize, sequences: &[Vec<u32>]) -> (Self, Vec<usize>) {
        let width = widest(sequences);
        let padding: Vec<usize> = sequences
            .iter()
            .map(|sequence| width - sequence.len())
            .collect();
        let mut ids = Vec::with_capacity(sequences.len() * width);
        for (sequence, fill) in sequences.iter().zip(&padding) {
            ids.resize(ids.len() + fill, 0);
            ids.extend_from_slice(sequence);
        }
        let input = Self::build(
            ids,
            sequences.len(),
            width,
            past,
            |row, query, key| (key < past || key >= past + padding[row]) && key <= query,
            |row, column| (past + column.saturating_sub(padding[row])) as u32,
        );
        (input, padding)
    }

    /// The next token of each sequence, behind `past` columns: `shared` that all rows see, then `padding[row]` of
    /// filling, then the row's own.
    pub fn next(ids: Vec<u32>, past: usize, shared: usize, padding: &[usize]) -> Self {
        let rows = ids.len();
        Self::build(
            ids,
            rows,
            1,
            past,
            |row, _, key| key < shared || key >= shared + padding[row],
            |row, _| (past - padding[row]) as u32,
        )
    }

    /// Tokens with positions and visibility of the caller's own: `sees(row, query column, key column)`, key columns
    /// counted from the first token in the cache.
    pub fn build(
        ids: Vec<u32>,
        rows: usize,
        width: usize,
        past: usize,
        sees: impl Fn(usize, usize, usize) -> bool,
        position: impl Fn(usize, usize) -> u32,
    ) -> Self {
        let seen = Cache::seen(past, width);
        let mut mask = Vec::with_capacity(rows * width * seen);
        let mut positions = Vec::with_capacity(rows * width);
        for row in 0..rows {
            for query in 0..width {
                positions.push(position(row, query));
                mask.extend((0..seen).map(|key| {
                    let visible = key < past + width && sees(row, past + query, key);
                    if visible { 0.0 } else { HIDDEN }
                }));
            }
        }
        Self {
            ids,
            positions,
            mask,
            rows,
            width,
            past,
            seen,
        }
    }

    /// Sequences.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens of each sequence, padding counted.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// The weights of one layer, laid out `[in, out]` so that a row of activations times a matrix needs no transpose.
struct Layer {
    input_norm: Tensor<1>,
    /// Query, key and value side by side: one product instead of three.
    qkv: Tensor<2>,
    output: Tensor<2>,
    post_norm: Tensor<1>,
    /// Gate and up side by side.
    gate_up: Tensor<2>,
    down: Tensor<2>,
}

/// A decoder on a device. Its weights are frozen: they never enter an autodiff graph.
pub struct Decoder {
    config: Config,
    embedding: Tensor<2>,
    layers: Vec<Layer>,
    norm: Tensor<1>,
    /// `[hidden, vocabulary]`
    head: Tensor<2>,
    /// `[positions, head size / 2]`
    cosine: Tensor<2>,
    sine: Tensor<2>,
    device: Device,
}

impl Decoder {
    /// Puts the weights of a checkpoint onto a device.
    ///
    /// # Errors
    ///
    /// [`ModelError`] when a tensor is missing, of another shape, type or not finite.
    pub fn load(
        config: Config,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (query, kv) = (config.query_size(), config.kv_size());
        let vector = |name: &str| -> Result<Tensor<1>, ModelError> {
            Ok(Tensor::from_data(
                TensorData::new(weights.values(name, &[hidden])?, [hidden]),
                device,
            ))
        };
        // Checkpoints keep `[out, in]`; several matrices of one input are joined side by side.
        let matrix = |names: &[(String, usize)], input: usize| -> Result<Tensor<2>, ModelError> {
            let total: usize = names.iter().map(|(_, output)| output).sum();
            let mut joined = vec![0.0f32; input * total];
            let mut offset = 0;
            for (name, output) in names {
                let values = weights.values(name, &[*output, input])?;
                for (column, row) in values.chunks_exact(input).enumerate() {
                    for (line, value) in row.iter().enumerate() {
                        joined[line * total + offset + column] = *value;
                    }
                }
                offset += output;
            }
            Ok(Tensor::from_data(
                TensorData::new(joined, [input, total]),
                device,
            ))
        };

        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{index}.{part}.weight");
            layers.push(Layer {
                input_norm: vector(&name("input_layernorm"))?,
                qkv: matrix(
                    &[
                        (name("self_attn.q_proj"), query),
                        (name("self_attn.k_proj"), kv),
                        (name("self_attn.v_proj"), kv),
                    ],
                    hidden,
                )?,
                output: matrix(&[(name("self_attn.o_proj"), hidden)], query)?,
                post_norm: vector(&name("post_attention_layernorm"))?,
                gate_up: matrix(
                    &[(name("mlp.gate_proj"), inner), (name("mlp.up_proj"), inner)],
                    hidden,
                )?,
                down: matrix(&[(name("mlp.down_proj"), hidden)], inner)?,
            });
        }

        let table = weights.values("model.embed_tokens.weight", &[config.vocab_size, hidden])?;
        let embedding =
            Tensor::from_data(TensorData::new(table, [config.vocab_size, hidden]), device);
        let head = if config.tie_word_embeddings || !weights.has("lm_head.weight") {
            matrix(
                &[("model.embed_tokens.weight".into(), config.vocab_size)],
                hidden,
            )?
        } else {
            matrix(&[("lm_head.weight".into(), config.vocab_size)], hidden)?
        };
        let norm = vector("model.norm.weight")?;
        let (cosine, sine) = Self::rotary(&config, device)?;
        Ok(Self {
            config,
            embedding,
            layers,
            norm,
            head,
            cosine,
            sine,
            device: device.clone(),
        })
    }

    fn rotary(config: &Config, device: &Device) -> Result<(Tensor<2>, Tensor<2>), ModelError> {
        let frequencies = config.inverse_frequencies()?;
        let shape = [config.max_position_embeddings, frequencies.len()];
        let table = |turn: fn(f64) -> f64| {
            let values: Vec<f32> = (0..config.max_position_embeddings)
                .flat_map(|position| {
                    frequencies
                        .iter()
                        .map(move |frequency| turn(position as f64 * frequency) as f32)
                })
                .collect();
            Tensor::<2>::from_data(TensorData::new(values, shape), device)
        };
        Ok((table(f64::cos), table(f64::sin)))
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Checks that every id exists and every position lies inside the model's context.
    ///
    /// # Errors
    ///
    /// [`ModelError::TokenId`] or [`ModelError::Context`].
    pub fn check(&self, input: &Input) -> Result<(), ModelError> {
        if let Some(id) = input
            .ids
            .iter()
            .find(|id| **id as usize >= self.config.vocab_size)
        {
            return Err(ModelError::TokenId {
                id: *id,
                size: self.config.vocab_size,
            });
        }
        match input.positions.iter().max() {
            Some(last) if *last as usize >= self.config.max_position_embeddings => {
                Err(ModelError::Context {
                    tokens: *last as usize + 1,
                    context: self.config.max_position_embeddings,
                })
            }
            _ => Ok(()),
        }
    }

    /// The residual stream after the last norm: `[rows, width, hidden]`.
    ///
    /// With a cache, the tokens come behind those held, and are held themselves afterwards. With an adapter whose
    /// factors are tracked, the result is differentiable with respect to them alone.
    ///
    /// # Errors
    ///
    /// As [`Decoder::check`]; [`ModelError::Context`] too when the cache has no room left.
    pub fn hidden(
        &self,
        input: &Input,
        adapter: Option<&Adapter>,
        mut cache: Option<&mut Cache>,
    ) -> Result<Tensor<3>, ModelError> {
        self.check(input)?;
        let held = cache.as_ref().map_or(0, |cache| cache.len());
        if let Some(cache) = &cache
            && (cache.room() < input.width || cache.rows() != input.rows)
        {
            return Err(ModelError::Context {
                tokens: held + input.width,
                context: held + cache.room(),
            });
        }
        debug_assert_eq!(
            held, input.past,
            "the mask is made for what the cache holds"
        );
        let (rows, width) = (input.rows, input.width);
        let count = rows * width;
        let hidden = self.config.hidden_size;
        let integers = |values: &[u32]| {
            let values: Vec<i32> = values.iter().map(|value| *value as i32).collect();
            Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &self.device)
        };
        let positions = integers(&input.positions);
        let half = self.config.head_size() / 2;
        let turn = |table: &Tensor<2>| {
            table
                .clone()
                .select(0, positions.clone())
                .reshape([rows, width, 1, half])
        };
        let rotary = (turn(&self.cosine), turn(&self.sine));
        let mask = Tensor::<1>::from_data(
            TensorData::new(input.mask.clone(), [input.mask.len()]),
            &self.device,
        )
        .reshape([rows, 1, 1, width, input.seen]);

        let mut stream: Tensor<2> = self.embedding.clone().select(0, integers(&input.ids));
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = self.rms_norm(stream.clone(), &layer.input_norm);
            let attended = self.attention(
                index,
                layer,
                normed,
                &rotary,
                &mask,
                adapter,
                cache.as_deref_mut(),
                (rows, width),
            );
            stream = stream + attended;
            let normed = self.rms_norm(stream.clone(), &layer.post_norm);
            stream = stream + self.feed_forward(index, layer, normed, adapter);
        }
        if let Some(cache) = cache {
            cache.advance(width);
        }
        Ok(self
            .rms_norm(stream, &self.norm)
            .reshape([rows, width, hidden]))
    }

    /// Scores over the vocabulary for some rows of the stream: `[n, hidden]` to `[n, vocabulary]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        kernels::product(hidden, self.head.clone())
    }

    fn rms_norm(&self, x: Tensor<2>, weight: &Tensor<1>) -> Tensor<2> {
        let scale = (x.clone().square().mean_dim(1) + self.config.rms_norm_eps).sqrt();
        x / scale * weight.clone().unsqueeze()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call site; a struct would only rename the arguments"
    )]
    fn attention(
        &self,
        index: usize,
        layer: &Layer,
        x: Tensor<2>,
        rotary: &(Tensor<4>, Tensor<4>),
        mask: &Tensor<5>,
        adapter: Option<&Adapter>,
        cache: Option<&mut Cache>,
        (rows, width): (usize, usize),
    ) -> Tensor<2> {
        let (heads, kv_heads, size) = (
            self.config.num_attention_heads,
            self.config.kv_heads(),
            self.config.head_size(),
        );
        let (query_size, kv_size) = (self.config.query_size(), self.config.kv_size());
        let joined = kernels::product(x.clone(), layer.qkv.clone());
        let part = |module: Module, start: usize, length: usize| {
            let base = joined.clone().narrow(1, start, length);
            Adapter::add(adapter, index, module, &x, base)
        };
        let query = part(Module::Query, 0, query_size);
        let key = part(Module::Key, query_size, kv_size);
        let value = part(Module::Value, query_size + kv_size, kv_size);

        let query = Self::rotate(query.reshape([rows, width, heads, size]), rotary).swap_dims(1, 2);
        let key = Self::rotate(key.reshape([rows, width, kv_heads, size]), rotary).swap_dims(1, 2);
        let value = value.reshape([rows, width, kv_heads, size]).swap_dims(1, 2);
        let (key, value) = match cache {
            Some(cache) => cache.extend(index, key, value),
            None => (key, value),
        };
        // Grouped heads: the queries that share a key head are stacked as rows of one product.
        let group = heads / kv_heads;
        let seen = key.dims()[2];
        let scores = kernels::product(
            query.reshape([rows, kv_heads, group * width, size]),
            key.swap_dims(2, 3),
        );
        let scores = scores.reshape([rows, kv_heads, group, width, seen]) / (size as f64).sqrt()
            + mask.clone();
        let weights = activation::softmax(scores, 4).reshape([rows, kv_heads, group * width, seen]);
        let mixed = kernels::product(weights, value)
            .reshape([rows, heads, width, size])
            .swap_dims(1, 2)
            .reshape([rows * width, query_size]);
        let base = kernels::product(mixed.clone(), layer.output.clone());
        Adapter::add(adapter, index, Module::Output, &mixed, base)
    }

    fn feed_forward(
        &self,
        index: usize,
        layer: &Layer,
        x: Tensor<2>,
        adapter: Option<&Adapter>,
    ) -> Tensor<2> {
        let inner = self.config.intermediate_size;
        let joined = kernels::product(x.clone(), layer.gate_up.clone());
        let gate = Adapter::add(
            adapter,
            index,
            Module::Gate,
            &x,
            joined.clone().narrow(1, 0, inner),
        );
        let up = Adapter::add(
            adapter,
            index,
            Module::Up,
            &x,
            joined.narrow(1, inner, inner),
        );
        let product = activation::silu(gate) * up;
        let base = kernels::product(product.clone(), layer.down.clone());
        Adapter::add(adapter, index, Module::Down, &product, base)
    }

    /// Rotary positions in the hub's layout: the first half of a head's elements pairs with the second half.
    fn rotate(x: Tensor<4>, (cosine, sine): &(Tensor<4>, Tensor<4>)) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let first = x.clone().narrow(3, 0, half);
        let second = x.narrow(3, half, half);
        Tensor::cat(
            vec![
                first.clone() * cosine.clone() - second.clone() * sine.clone(),
                second * cosine.clone() + first * sine.clone(),
            ],
            3,
        )
    }
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
        let input = Input::right_padded(&[ids.to_vec()]);
        let hidden = self.decoder.hidden(&input, adapter, None)?;
        let size = self.decoder.config().hidden_size;
        let logits = self.decoder.logits(hidden.reshape([input.width(), size]));
        let values = kernels::read(logits).await?;
        Ok(values
            .chunks(self.decoder.config().vocab_size)
            .take(ids.len())
            .map(<[f32]>::to_vec)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_prefix_leaves_every_sequence_a_token_of_its_own() {
        let sequence: Vec<u32> = (0..9).collect();
        assert_eq!(
            shared_prefix(&[sequence[..5].to_vec(), sequence.clone()]),
            4
        );
        assert_eq!(
            shared_prefix(&[sequence[..4].to_vec(), sequence.clone()]),
            0
        );
        assert_eq!(shared_prefix(&[sequence]), 0);
        assert_eq!(shared_prefix(&[]), 0);
    }

    #[test]
    fn a_packed_token_sees_the_shared_part_and_its_own_row_only() {
        let (input, starts) = Input::packed(&[vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 7]], 4);
        assert_eq!(starts, [4, 6]);
        assert_eq!(input.ids, [1, 2, 3, 4, 5, 6, 7, 0]);
        assert_eq!(input.positions[..7], [0, 1, 2, 3, 4, 5, 4]);
        let sees = |query: usize| -> Vec<usize> {
            (0..8)
                .filter(|key| input.mask[query * 8 + key] == 0.0)
                .collect()
        };
        assert_eq!(sees(5), [0, 1, 2, 3, 4, 5]);
        assert_eq!(sees(6), [0, 1, 2, 3, 6]);
        assert_eq!(sees(2), [0, 1, 2]);
    }
}
