//! The language model: its configuration, tokenizer, weights, decoder, cache and adapter. It knows no task.

mod adapter;
mod cache;
mod config;
mod decoder;
mod error;
mod input;
mod tokenizer;
mod weights;

pub use adapter::{Adapter, Factor, LoraConfig, Module};
pub use cache::Cache;
pub use config::{Config, RopeScaling};
pub use decoder::{Decoder, Pass};
pub use error::ModelError;
pub use input::{Input, NOTHING, Span, shared_prefix};
pub use tokenizer::{Role, Turn, Vocabulary};
pub use weights::Weights;

use burn::tensor::Device;

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

impl Model {
    /// Builds a model on `device` from the bytes of its files.
    ///
    /// # Errors
    ///
    /// [`ModelError`], naming the file's part that does not fit.
    pub fn from_files(name: &str, files: &Files<'_>, device: &Device) -> Result<Self, ModelError> {
        let config = Config::from_json(files.config)?;
        let vocabulary = Vocabulary::from_json(files.tokenizer)?;
        if vocabulary.size() > config.vocab_size {
            return Err(ModelError::Tokenizer(format!(
                "it has {} entries but the model's vocabulary only {}; take both from the same model",
                vocabulary.size(),
                config.vocab_size
            )));
        }
        let weights = Weights::parse(files.weights)?;
        let decoder = Decoder::load(config, &weights, None, device)?;
        Ok(Self {
            name: name.into(),
            decoder,
            vocabulary,
        })
    }

    /// Builds a model from a folder in the hub's layout.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] for a file that cannot be read, else as [`Model::from_files`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_folder(folder: &std::path::Path, device: &Device) -> Result<Self, ModelError> {
        let read = |file: &str| {
            let path = folder.join(file);
            std::fs::read(&path).map_err(|cause| ModelError::Missing {
                path: path.display().to_string(),
                cause: cause.to_string(),
            })
        };
        let name = folder
            .canonicalize()
            .ok()
            .and_then(|path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            })
            .unwrap_or_else(|| folder.display().to_string());
        let (config, tokenizer, weights) = (
            read("config.json")?,
            read("tokenizer.json")?,
            read("model.safetensors")?,
        );
        Self::from_files(
            &name,
            &Files {
                config: &config,
                tokenizer: &tokenizer,
                weights: &weights,
            },
            device,
        )
    }
}
