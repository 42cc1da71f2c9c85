//! The keys and values of tokens already read, kept so that each new token costs one token's work.

use burn::tensor::{Device, Tensor};

use super::Config;

/// Keys and values of all layers in numbered slots, one for each token. Who uses it decides what stands where: sequences that begin
/// alike see the same slots, and a sequence that has ended leaves its slots to the next.
pub struct Cache {
    /// `[slots, kv heads · head size]`, one for each layer. Taken out while a layer writes: nobody else may hold it then.
    pub(super) layers: Vec<Option<(Tensor<2>, Tensor<2>)>>,
    slots: usize,
}

impl Cache {
    /// An empty cache.
    pub fn new(config: &Config, slots: usize, device: &Device) -> Self {
        let arena = || Tensor::empty([slots.max(1), config.kv_size()], device);
        Self {
            layers: (0..config.num_hidden_layers)
                .map(|_| Some((arena(), arena())))
                .collect(),
            slots,
        }
    }

    /// Tokens for which there is room.
    pub fn slots(&self) -> usize {
        self.slots
    }
}
