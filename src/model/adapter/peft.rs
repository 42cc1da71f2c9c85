//! PEFT's directory: `adapter_config.json` and `adapter_model.safetensors`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use burn::tensor::Device;
use safetensors::{Dtype, View};

use super::{Adapter, LoraConfig};
use crate::kernels;
use crate::model::{Config, ModelError, Weights};

impl Adapter {
    /// Reads the two files of a PEFT directory.
    ///
    /// # Errors
    ///
    /// [`ModelError::Adapter`] for another kind of adapter, and [`ModelError`] of the weights when it is of
    /// another model.
    pub fn from_peft(
        config: &[u8],
        weights: &[u8],
        model: &Config,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let config = LoraConfig::from_json(config)?;
        let weights = Weights::parse(weights)?;
        let adapter = Self::build(config, model, device, |name, shape| {
            weights.values(name, &shape)
        })?;
        let known: HashSet<&str> = adapter
            .entries
            .iter()
            .map(|factor| factor.name.as_str())
            .collect();
        if let Some(stray) = weights
            .names()
            .into_iter()
            .find(|name| !known.contains(name))
        {
            return Err(ModelError::Adapter(format!(
                "tensor `{stray}` has no place in this model; the adapter was trained on another one"
            )));
        }
        Ok(adapter)
    }

    /// Reads a PEFT directory.
    ///
    /// # Errors
    ///
    /// As [`Adapter::from_peft`], and [`ModelError::Missing`] for a file that cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_folder(
        folder: &std::path::Path,
        model: &Config,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let read = |file: &str| {
            let path = folder.join(file);
            std::fs::read(&path).map_err(|cause| {
                ModelError::Adapter(format!(
                    "{} cannot be read ({cause}); give a PEFT directory",
                    path.display()
                ))
            })
        };
        Self::from_peft(
            &read("adapter_config.json")?,
            &read("adapter_model.safetensors")?,
            model,
            device,
        )
    }

    /// The files of a PEFT directory: `adapter_config.json` and `adapter_model.safetensors` (f32).
    ///
    /// # Errors
    ///
    /// [`crate::Error`] when the device does not give the factors back.
    pub async fn to_peft(&self) -> Result<(String, Vec<u8>), crate::Error> {
        let values = kernels::read(self.factors().clone()).await?;
        let tensors = self.entries().iter().map(|factor| {
            let [rows, columns] = factor.shape;
            let values = &values[factor.offset..factor.offset + rows * columns];
            let data = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            (
                factor.name.as_str(),
                Stored {
                    shape: factor.shape,
                    data,
                },
            )
        });
        // PEFT and transformers look for this mark.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let weights = safetensors::serialize(tensors, Some(metadata))
            .map_err(|error| ModelError::Adapter(error.to_string()))?;
        let config = serde_json::to_string_pretty(self.config())
            .map_err(|error| ModelError::Adapter(error.to_string()))?;
        Ok((config, weights))
    }
}

struct Stored {
    shape: [usize; 2],
    data: Vec<u8>,
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_slice().into()
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}
