//! The language model: its configuration, tokenizer, weights, decoder, cache and adapter. It knows no task.

mod adapter;
mod cache;
mod config;
mod decoder;
mod embed;
mod error;
mod file;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod input;
mod load;
mod merge;
mod source;
mod tokenizer;
mod weights;

pub use adapter::{Adapter, Factor, LoraConfig, Module};
pub use cache::Cache;
pub use config::{Config, Family, Rope, RopeScaling};
pub use decoder::{Decoder, Pass};
pub use error::ModelError;
pub use file::{HeldFile, ModelFile};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::merge_folder;
pub use input::{Input, NOTHING, Span, shared_prefix};
pub use load::Take;
pub use merge::{merged, merged_files};
pub use source::{Listing, Memory, Remote, Repository, SourceError};
pub use tokenizer::{Role, Turn, Vocabulary};
pub use weights::{Blocks, Gguf, GgufError, Index, Kind, SafetensorsError, Weights};

use burn::tensor::Device;

use crate::kernels::Packing;

/// A decoder with its tokenizer: everything one folder of the hub's layout holds.
pub struct Model {
    /// What the user calls it: the folder's or the repository's name.
    pub name: String,
    /// The weights and the arithmetic.
    pub decoder: Decoder,
    /// Text to token ids and back.
    pub vocabulary: Vocabulary,
}

/// The bytes of the files a model is made of.
pub struct Files<'a> {
    /// `config.json`
    pub config: &'a [u8],
    /// `tokenizer.json`
    pub tokenizer: &'a [u8],
    /// `model.safetensors`
    pub weights: &'a [u8],
}

/// Where a model's matrices go, and the format they keep there.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// What they are kept in.
    pub format: Format,
}

/// What a model's matrices are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// f32.
    Plain,
    /// All of them packed so.
    Packed(Packing),
    /// What their file has them in, where that is blocks of 8 or 4 bits (GGUF's `Q8_0`, `Q4_0`, `Q4_1`); other blocks in
    /// 8 bits, and plain numbers as f32.
    Stored,
}

impl From<Option<Packing>> for Format {
    fn from(packing: Option<Packing>) -> Self {
        packing.map_or(Self::Plain, Self::Packed)
    }
}

impl From<&Device> for Placement {
    fn from(device: &Device) -> Self {
        Self {
            device: device.clone(),
            format: Format::Plain,
        }
    }
}

impl Model {
    /// Builds a model from the bytes of its files.
    ///
    /// # Errors
    ///
    /// [`ModelError`], naming the file's part that does not fit.
    pub fn from_files(
        name: &str,
        files: &Files<'_>,
        place: impl Into<Placement>,
    ) -> Result<Self, ModelError> {
        let config = Config::from_json(files.config)?;
        let vocabulary = Vocabulary::from_json(files.tokenizer)?;
        Self::assemble(
            name,
            config,
            vocabulary,
            &Weights::parse(files.weights)?,
            place,
        )
    }

    /// Puts the parts together, checked to be of one model.
    ///
    /// # Errors
    ///
    /// As [`Model::from_files`].
    pub fn assemble(
        name: &str,
        config: Config,
        mut vocabulary: Vocabulary,
        weights: &Weights<'_>,
        place: impl Into<Placement>,
    ) -> Result<Self, ModelError> {
        if vocabulary.size() > config.vocab_size {
            return Err(ModelError::Tokenizer(format!(
                "it has {} entries but the model's vocabulary only {}; take both from the same model",
                vocabulary.size(),
                config.vocab_size
            )));
        }
        vocabulary.ends_as(&config);
        let Placement { device, format } = place.into();
        let decoder = Decoder::load(config, weights, format, &device)?;
        Ok(Self {
            name: name.into(),
            decoder,
            vocabulary,
        })
    }
}
