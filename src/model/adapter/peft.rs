//! PEFT's directory: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::HashSet;

use burn::tensor::Device;

use super::{Adapter, LoraConfig};
use crate::kernels;
use crate::model::weights::safetensors;
use crate::model::{Config, Kind, ModelError, Weights};

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
        let base = (config.base_model_name_or_path.clone())
            .unwrap_or_else(|| "a model it does not name".into());
        let rank = config.r;
        let adapter = Self::build(config, model, device, |name, shape| {
            weights
                .values(name, &shape)
                .map_err(|error| misfit(error, shape, rank, &base))
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
            return Err(ModelError::AdapterBase {
                what: format!("tensor `{stray}` has no place in this model"),
                base,
            });
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
        let factors = self.entries();
        let described = factors
            .iter()
            .map(|f| (f.name.as_str(), Kind::F32, &f.shape[..]));
        let mut weights = safetensors::header(described);
        for factor in factors {
            let [rows, columns] = factor.shape;
            let values = &values[factor.offset..factor.offset + rows * columns];
            weights.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        let config = serde_json::to_string_pretty(self.config())
            .map_err(|error| ModelError::Adapter(error.to_string()))?;
        Ok((config, weights))
    }
}

/// What a factor that is missing or of another shape says of the adapter. The rank is the first side of `lora_A` and the
/// last of `lora_B`; the other side is the model's.
fn misfit(error: ModelError, expected: [usize; 2], rank: usize, base: &str) -> ModelError {
    let what = match error {
        ModelError::Shape { name, found, .. } => {
            let side = usize::from(name.ends_with("lora_B.weight"));
            match found[..] {
                [a, b] if [a, b][1 - side] == expected[1 - side] => {
                    return ModelError::AdapterRank {
                        tensor: name,
                        found: [a, b][side],
                        rank,
                    };
                }
                _ => {
                    format!("tensor `{name}` has shape {found:?} where this model has {expected:?}")
                }
            }
        }
        ModelError::TensorMissing(name) => format!("it has no tensor `{name}`"),
        other => return other,
    };
    ModelError::AdapterBase {
        what,
        base: base.to_owned(),
    }
}

#[cfg(all(test, feature = "desk"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernels::Choice;

    fn model(hidden: usize, layers: usize) -> Config {
        Config::from_json(
            format!(
                r#"{{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64,
                "hidden_size": {hidden}, "intermediate_size": 32, "num_hidden_layers": {layers},
                "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64,
                "rms_norm_eps": 1e-5, "rope_theta": 10000, "tie_word_embeddings": true}}"#
            )
            .as_bytes(),
        )
        .unwrap()
    }

    /// Reads an adapter of rank 4 for 2 layers of width 16, its configuration changed, beside another model.
    fn read(change: impl FnOnce(&mut LoraConfig), other: &Config) -> Result<(), ModelError> {
        let device = pollster::block_on(kernels::open(Choice::Cpu))
            .unwrap()
            .device;
        let lora = LoraConfig::new(4, 8.0, Some("its-own-base".into()));
        let adapter = Adapter::new(lora, &model(16, 2), 1, &device).unwrap();
        let (config, weights) = pollster::block_on(adapter.to_peft()).unwrap();
        let mut config: LoraConfig = serde_json::from_str(&config).unwrap();
        change(&mut config);
        let config = serde_json::to_vec(&config).unwrap();
        Adapter::from_peft(&config, &weights, other, &device).map(|_| ())
    }

    #[test]
    fn an_adapter_beside_its_own_model_is_read() {
        assert_eq!(read(|_| (), &model(16, 2)), Ok(()));
    }

    #[test]
    fn an_adapter_of_another_rank_than_it_says_is_named() {
        let error = read(|config| config.r = 8, &model(16, 2)).unwrap_err();
        assert!(
            matches!(
                error,
                ModelError::AdapterRank {
                    found: 4,
                    rank: 8,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn an_adapter_of_a_wider_deeper_or_flatter_model_names_its_base() {
        for other in [model(32, 2), model(16, 3), model(16, 1)] {
            let error = read(|_| (), &other).unwrap_err();
            assert!(
                matches!(&error, ModelError::AdapterBase { base, .. } if base == "its-own-base"),
                "{error}"
            );
            assert!(error.to_string().contains("load that model"), "{error}");
        }
    }
}
