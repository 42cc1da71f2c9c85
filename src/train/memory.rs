//! The memory a run will need, worked out before it starts from the model's shape alone, and held against what the device
//! grants. What does not fit is refused with the largest setting that would.
//!
//! The figures are those of tensors; what an allocator adds by rounding and by keeping freed pages is not in them.

use serde::Serialize;

use super::row::AT_ONCE;
use crate::kernels::{Limits, Packing};
use crate::model::{Config, Decoder, Module};

/// Bytes of an f32.
const F32: u64 = 4;
/// Scores over the vocabulary exist in parts of this many bytes (see [`Decoder::log_likelihood`]).
const SCORES: u64 = 16 << 20;
/// Rows shorter than this are no use to train on; the search for what fits ends there.
const SHORTEST: usize = 16;

/// What a run asks of a device, as far as memory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Rows of a training batch (of preference pairs, both rows).
    pub batch: usize,
    /// Tokens of the longest training row.
    pub length: usize,
    /// Rank of the adapter.
    pub rank: usize,
    /// Modules the adapter sits beside.
    pub modules: Vec<Module>,
    /// Most tokens read at one time without a way back: the prompts of what is written or labelled together.
    pub read: usize,
    /// Slots of the key-value cache.
    pub slots: usize,
    /// Sequences written at once.
    pub lanes: usize,
}

/// Bytes on the device, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// The model's matrices, norms, biases and rotary tables.
    pub weights: u64,
    /// The adapter's factors.
    pub adapter: u64,
    /// AdamW's two running moments.
    pub moments: u64,
    /// The gradient of every factor.
    pub gradients: u64,
    /// What layers keep for the way back: that of all layers, or of one where the rest is made anew.
    pub activations: u64,
    /// What comes into each layer, where the rest is made anew.
    pub layer_inputs: u64,
    /// What the way back and the scores over the vocabulary take for a while.
    pub workspace: u64,
    /// Keys and values of what is read and written.
    pub kv: u64,
    /// What reading and drawing take for a while.
    pub reading: u64,
    /// The most that is there at one time: writing and training take turns.
    pub total: u64,
}

impl Memory {
    /// Works it out for a model whose matrices are packed so.
    pub fn of(config: &Config, packing: Option<Packing>, load: &Workload) -> Self {
        let adapter = F32 * factors(config, load);
        let layer = Layer::of(config, load);
        let tokens = at_once(load) as u64;
        // The decoder's own rule, see `Decoder::pass`.
        let layers = config.num_hidden_layers as u64;
        let whole = F32 * tokens * layer.kept * layers <= Decoder::KEPT as u64;
        let hidden = config.hidden_size as u64;
        let kept = F32 * tokens * (layer.kept + layer.side);
        let (activations, layer_inputs) = match whole {
            true => (kept * layers, 0),
            false => (kept, F32 * tokens * 2 * hidden * layers),
        };
        // The last norm and the rows that are scored come beside the gradients inside a layer.
        let workspace = F32 * tokens * (layer.back + 3 * hidden) + 2 * scores(config, tokens);
        let kv = F32 * 2 * (load.slots * config.kv_size()) as u64 * layers;
        let drawn = F32 * (load.lanes * config.vocab_size) as u64;
        let reading = F32 * load.read as u64 * (layer.kept + layer.side + 2 * hidden) + drawn;
        let mut memory = Self {
            weights: weights(config, packing),
            adapter,
            moments: 2 * adapter,
            gradients: adapter,
            activations,
            layer_inputs,
            workspace,
            kv,
            reading,
            total: 0,
        };
        memory.total = memory.weights + adapter + memory.training().max(kv + reading);
        memory
    }

    /// What is there only while training.
    fn training(&self) -> u64 {
        self.moments + self.gradients + self.activations + self.layer_inputs + self.workspace
    }

    /// Works it out and holds it against what a device grants.
    ///
    /// # Errors
    ///
    /// [`MemoryError`], with the largest setting that would fit.
    pub fn check(
        config: &Config,
        packing: Option<Packing>,
        load: &Workload,
        limits: Limits,
    ) -> Result<Self, MemoryError> {
        let memory = Self::of(config, packing, load);
        let refused = refusal(config, packing, load, &memory, limits);
        match refused {
            None => Ok(memory),
            Some(Refusal {
                what,
                needs,
                grants,
            }) => Err(MemoryError {
                what,
                needs: Bytes(needs),
                grants: Bytes(grants),
                remedy: Remedy(largest(config, packing, load, limits)),
            }),
        }
    }
}

/// A run that does not fit the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} takes {needs} and this device grants {grants}; {remedy}")]
pub struct MemoryError {
    what: &'static str,
    needs: Bytes,
    grants: Bytes,
    remedy: Remedy,
}

impl MemoryError {
    /// The largest setting that fits, if any does: rows of a batch, tokens of a row, rank.
    pub fn largest(&self) -> Option<(usize, usize, usize)> {
        self.remedy.0
    }
}

/// What to do: a smaller setting, or another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Remedy(Option<(usize, usize, usize)>);

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((batch, length, rank)) => write!(
                f,
                "the largest that fits is a batch of {batch} × {length} tokens with an adapter of rank {rank}"
            ),
            None => f.write_str(
                "no setting of this model fits: take a smaller one, or keep it in fewer bits (q8, q4)",
            ),
        }
    }
}

/// Bytes for a person: in steps of 1024, as devices count memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = self.0 as f64 / f64::from(1 << 20);
        match mib {
            mib if mib >= 1024.0 => write!(f, "{:.1} GiB", mib / 1024.0),
            mib if mib >= 10.0 => write!(f, "{mib:.0} MiB"),
            mib => write!(f, "{mib:.1} MiB"),
        }
    }
}

struct Refusal {
    what: &'static str,
    needs: u64,
    grants: u64,
}

/// The first thing of which there is too much.
fn refusal(
    config: &Config,
    packing: Option<Packing>,
    load: &Workload,
    memory: &Memory,
    limits: Limits,
) -> Option<Refusal> {
    let tokens = at_once(load).max(load.read) as u64;
    let widest = (2 * config.intermediate_size).max(config.query_size() + 2 * config.kv_size());
    let embedding = matrix(packing, config.vocab_size, config.hidden_size);
    let arena = F32 * (load.slots * config.kv_size()) as u64;
    let drawn = F32 * (load.lanes * config.vocab_size) as u64;
    let pieces = [
        ("the embedding, one piece,", embedding),
        (
            "the batch's feed-forward part, one piece,",
            F32 * tokens * widest as u64,
        ),
        ("the adapter, one piece,", memory.adapter),
        ("a layer's keys, one piece,", arena),
        (
            "the scores of all that is written at once, one piece,",
            drawn,
        ),
    ];
    let too_large = pieces
        .into_iter()
        .find(|(_, needs)| *needs > limits.binding);
    let too_much = || {
        let grants = limits.budget?;
        (memory.total > grants).then_some(Refusal {
            what: "this run",
            needs: memory.total,
            grants,
        })
    };
    match too_large {
        Some((what, needs)) => Some(Refusal {
            what,
            needs,
            grants: limits.binding,
        }),
        None => too_much(),
    }
}

/// The largest batch that fits; if none does, the longest row of a batch of one; if none does, the same with a smaller rank.
fn largest(
    config: &Config,
    packing: Option<Packing>,
    load: &Workload,
    limits: Limits,
) -> Option<(usize, usize, usize)> {
    let fits = |batch: usize, length: usize, rank: usize| {
        // What is read without a way back gets smaller with the batch: fewer at once.
        let share = |count: usize| (count * batch * length).div_ceil(load.batch * load.length);
        let load = Workload {
            batch,
            length,
            rank,
            modules: load.modules.clone(),
            read: share(load.read),
            slots: share(load.slots),
            lanes: share(load.lanes),
        };
        let memory = Memory::of(config, packing, &load);
        refusal(config, packing, &load, &memory, limits).is_none()
    };
    // Tried one by one: a shorter row may take more than a longer one, for of short ones all layers are kept.
    let ranks = std::iter::successors(Some(load.rank), |rank| (*rank > 1).then_some(rank / 2));
    for rank in ranks {
        let batches = (1..=load.batch).rev().map(|batch| (batch, load.length));
        let lengths = (SHORTEST..load.length).rev().map(|length| (1, length));
        let found = batches
            .chain(lengths)
            .find(|(batch, length)| fits(*batch, *length, rank));
        if let Some((batch, length)) = found {
            return Some((batch, length, rank));
        }
    }
    None
}

/// Tokens of a batch that are read in one go.
fn at_once(load: &Workload) -> usize {
    (load.batch * load.length).min(load.length.max(AT_ONCE))
}

/// Bytes of the scores that are there at one time.
fn scores(config: &Config, rows: u64) -> u64 {
    (F32 * rows * config.vocab_size as u64).min(SCORES)
}

/// Values for each token of a layer.
struct Layer {
    /// What is kept for the way back, by which the decoder decides whether to keep it.
    kept: u64,
    /// The log-sum-exp of each head, the adapter's narrow middles, and what the norms behind the blocks read.
    side: u64,
    /// Gradients that are there at one time.
    back: u64,
}

impl Layer {
    fn of(config: &Config, load: &Workload) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let joined = config.query_size() + 2 * config.kv_size();
        let raw = if config.post_block_norms {
            2 * hidden
        } else {
            0
        };
        let middles = load.rank * load.modules.len();
        Self {
            kept: (4 * hidden + 2 * joined + config.query_size() + 3 * inner) as u64,
            side: (config.num_attention_heads + middles + raw) as u64,
            back: (3 * hidden + (3 * inner).max(2 * joined + config.query_size())) as u64,
        }
    }
}

/// Factors of the adapter, each beginning at a multiple of four.
fn factors(config: &Config, load: &Workload) -> u64 {
    let fours = |count: usize| count.next_multiple_of(4) as u64;
    let layer: u64 = (load.modules.iter())
        .map(|module| {
            let (input, output) = module.sizes(config);
            fours(load.rank * input) + fours(load.rank * output)
        })
        .sum();
    config.num_hidden_layers as u64 * layer
}

/// Bytes of a matrix in its format; one whose rows are no whole blocks stays in f32.
fn matrix(packing: Option<Packing>, rows: usize, columns: usize) -> u64 {
    let values = (rows * columns) as u64;
    match packing.filter(|packing| columns.is_multiple_of(packing.granule())) {
        None => F32 * values,
        // A word without a scale is bound all the same.
        Some(Packing::F16) => 2 * values + F32,
        Some(Packing::Q8) => values + F32 * values / 32,
        Some(Packing::Q4) => values / 2 + F32 * values / 32,
    }
}

fn weights(config: &Config, packing: Option<Packing>) -> u64 {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (query, joined) = (
        config.query_size(),
        config.query_size() + 2 * config.kv_size(),
    );
    let of = |rows, columns| matrix(packing, rows, columns);
    let norms = if config.post_block_norms { 4 } else { 2 } * hidden
        + usize::from(config.qkv_bias) * joined
        + usize::from(config.qk_norm) * 2 * config.head_size();
    let layer = of(joined, hidden) + of(hidden, query) + of(2 * inner, hidden) + of(hidden, inner);
    let ends = if config.tie_word_embeddings { 1 } else { 2 };
    let positions = config.max_position_embeddings.min(Decoder::LONGEST);
    let tables: usize = (config.ropes.iter())
        .map(|rope| positions * 2 * rope.inverse_frequencies.len())
        .sum();
    config.num_hidden_layers as u64 * (layer + F32 * norms as u64)
        + ends * of(config.vocab_size, hidden)
        + F32 * (hidden + tables) as u64
}

#[cfg(all(test, feature = "desk"))]
mod tests;
