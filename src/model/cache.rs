//! The keys and values of tokens already read, kept so that each new token costs one token's work.

use burn::tensor::{Device, Tensor};

use super::{Adapter, Config, Input, Model, ModelError};

/// Keys and values of all layers for `rows` sequences of up to `capacity` tokens.
pub struct Cache {
    /// `[rows, kv heads, capacity, head size]`, one for each layer.
    keys: Vec<Tensor<4>>,
    /// As `keys`.
    values: Vec<Tensor<4>>,
    rows: usize,
    capacity: usize,
    length: usize,
}

impl Cache {
    /// An empty cache.
    pub fn new(config: &Config, rows: usize, capacity: usize, device: &Device) -> Self {
        let capacity = capacity.next_multiple_of(4);
        let shape = [rows, config.kv_heads(), capacity, config.head_size()];
        let arena = || {
            (0..config.num_hidden_layers)
                .map(|_| Tensor::<4>::zeros(shape, device))
                .collect::<Vec<_>>()
        };
        Self {
            keys: arena(),
            values: arena(),
            rows,
            capacity,
            length: 0,
        }
    }

    /// A cache that holds one sequence, exactly as long as it is.
    ///
    /// # Errors
    ///
    /// [`ModelError`] when the sequence does not fit the model.
    pub fn of(
        model: &Model,
        adapter: Option<&Adapter>,
        sequence: &[u32],
    ) -> Result<Self, ModelError> {
        let mut cache = Self::new(
            model.decoder.config(),
            1,
            sequence.len(),
            model.decoder.device(),
        );
        let input = Input::build(
            sequence.to_vec(),
            1,
            sequence.len(),
            0,
            |_, query, key| key <= query,
            |_, column| column as u32,
        );
        model.decoder.hidden(&input, adapter, Some(&mut cache))?;
        Ok(cache)
    }

    /// Tokens held for each sequence (padding on the left counted).
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is held yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Sequences held.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens for which there is room left.
    pub fn room(&self) -> usize {
        self.capacity - self.length
    }

    /// The one sequence held here, repeated for `rows` sequences with room for `capacity` tokens: a prefix that
    /// many prompts share is read once.
    pub fn repeat(&self, rows: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(4);
        let widen = |source: &Tensor<4>| {
            let [_, heads, _, size] = source.dims();
            let held =
                source
                    .clone()
                    .narrow(2, 0, self.length)
                    .expand([rows, heads, self.length, size]);
            Tensor::<4>::zeros([rows, heads, capacity, size], &source.device())
                .slice_assign([0..rows, 0..heads, 0..self.length, 0..size], held)
        };
        Self {
            keys: self.keys.iter().map(widen).collect(),
            values: self.values.iter().map(widen).collect(),
            rows,
            capacity,
            length: self.length,
        }
    }

    /// Key columns an attention over `past` held and `new` fresh tokens sees: whole fours once something is held
    /// (they keep the products on their fast path), the columns past the last token being hidden by the mask.
    pub(super) fn seen(past: usize, new: usize) -> usize {
        if past == 0 {
            new
        } else {
            (past + new).next_multiple_of(4)
        }
    }

    /// Appends the keys and values of one layer behind what is held and gives back all that is seen:
    /// `[rows, kv heads, seen, head size]`. The length itself moves with [`Cache::advance`].
    pub(super) fn extend(
        &mut self,
        layer: usize,
        key: Tensor<4>,
        value: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [rows, heads, new, size] = key.dims();
        let end = self.length + new;
        let place = [0..rows, 0..heads, self.length..end, 0..size];
        // The arena is moved out so that the backend may write in place instead of copying it.
        self.keys[layer].inplace(|arena| arena.slice_assign(place.clone(), key));
        self.values[layer].inplace(|arena| arena.slice_assign(place, value));
        let seen = Self::seen(self.length, new);
        (
            self.keys[layer].clone().narrow(2, 0, seen),
            self.values[layer].clone().narrow(2, 0, seen),
        )
    }

    /// Counts `new` tokens as held, after every layer has appended them.
    pub(super) fn advance(&mut self, new: usize) {
        self.length += new;
    }
}
