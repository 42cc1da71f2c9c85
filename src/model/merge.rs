//! A checkpoint with an adapter added into its weights: `W + s·B·A`, what PEFT's `merge_and_unload` gives.

use std::borrow::Cow;
use std::collections::HashMap;

use half::{bf16, f16};
use safetensors::{Dtype, View};

use super::adapter::LoraConfig;
use super::{Kind, ModelError, Weights};

/// PEFT's prefix for the modules of the wrapped model.
const PREFIX: &str = "base_model.model.";

/// Adds an adapter (the two files of a PEFT directory) to a checkpoint and gives the whole as one safetensors file. Every
/// tensor keeps its name, its shape and its type; sums are made in f32 and rounded once.
///
/// # Errors
///
/// [`ModelError::Adapter`] for an adapter of another kind or another model, and for a quantised checkpoint, into which an
/// adapter cannot go without a loss.
pub fn merged(
    weights: &Weights<'_>,
    adapter_config: &[u8],
    adapter: &[u8],
) -> Result<Vec<u8>, ModelError> {
    let config = LoraConfig::from_json(adapter_config)?;
    let adapter = Weights::parse(adapter)?;
    let mut sums = sums(weights, &config, &adapter)?;
    let mut names = weights.names();
    names.sort_unstable();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let shape = weights.shape(name).unwrap_or_default();
        let blocks = weights.blocks(name, &shape)?;
        let (kind, bytes) = match blocks.map(|blocks| (blocks.kind, blocks.bytes)) {
            Some((kind @ (Kind::F32 | Kind::F16 | Kind::BF16), bytes)) => (kind, bytes),
            other => {
                return Err(ModelError::Adapter(format!(
                    "tensor `{name}` is stored as {}; an adapter is merged into F32, F16 or BF16 only, so take the unquantised model",
                    other.map_or("a changed type".into(), |(kind, _)| format!("{kind:?}")),
                )));
            }
        };
        let bytes = match sums.remove(name) {
            Some(values) => Cow::Owned(stored(kind, &values)),
            None => bytes,
        };
        tensors.push((name, Tensor { kind, shape, bytes }));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| ModelError::Safetensors(error.to_string()))
}

/// The changed matrices by name.
fn sums(
    weights: &Weights<'_>,
    config: &LoraConfig,
    adapter: &Weights<'_>,
) -> Result<HashMap<String, Vec<f32>>, ModelError> {
    let scale = (config.lora_alpha / config.r as f64) as f32;
    let mut sums = HashMap::new();
    let mut names = adapter.names();
    names.sort_unstable();
    for name in names {
        let stray = || {
            ModelError::Adapter(format!(
                "tensor `{name}` has no place in this model; the adapter was trained on another one"
            ))
        };
        let module = name.strip_prefix(PREFIX).ok_or_else(stray)?;
        if let Some(module) = module.strip_suffix(".lora_B.weight") {
            // Taken with its other half; alone it is as much a stray as any.
            if adapter.has(&format!("{PREFIX}{module}.lora_A.weight")) {
                continue;
            }
        }
        let module = module.strip_suffix(".lora_A.weight").ok_or_else(stray)?;
        let of = format!("{module}.weight");
        let Some(&[rows, columns]) = weights.shape(&of).as_deref() else {
            return Err(stray());
        };
        let mut values = weights.values(&of, &[rows, columns])?;
        let a = adapter.values(name, &[config.r, columns])?;
        let b = adapter.values(
            &format!("{PREFIX}{module}.lora_B.weight"),
            &[rows, config.r],
        )?;
        for (row, b) in values
            .chunks_exact_mut(columns)
            .zip(b.chunks_exact(config.r))
        {
            for (factor, a) in b.iter().zip(a.chunks_exact(columns)) {
                for (value, a) in row.iter_mut().zip(a) {
                    *value += scale * factor * a;
                }
            }
        }
        sums.insert(of, values);
    }
    Ok(sums)
}

/// Values in a type of 16 or 32 bits.
fn stored(kind: Kind, values: &[f32]) -> Vec<u8> {
    match kind {
        Kind::F16 => (values.iter())
            .flat_map(|value| f16::from_f32(*value).to_le_bytes())
            .collect(),
        Kind::BF16 => (values.iter())
            .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
            .collect(),
        _ => (values.iter())
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}

struct Tensor<'a> {
    kind: Kind,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.kind {
            Kind::F16 => Dtype::F16,
            Kind::BF16 => Dtype::BF16,
            _ => Dtype::F32,
        }
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &[u8] =
        br#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_modules": ["q_proj"]}"#;

    /// A file of f32 tensors, or of f16 ones.
    fn file(kind: Kind, tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let tensors = tensors.iter().map(|(name, shape, values)| {
            let tensor = Tensor {
                kind,
                shape: shape.to_vec(),
                bytes: Cow::Owned(stored(kind, values)),
            };
            (*name, tensor)
        });
        safetensors::serialize(tensors, None).expect("the test's own tensors fit")
    }

    fn factors() -> Vec<u8> {
        file(
            Kind::F32,
            &[
                (
                    "base_model.model.q_proj.lora_A.weight",
                    &[1, 2],
                    &[1.0, 3.0],
                ),
                (
                    "base_model.model.q_proj.lora_B.weight",
                    &[2, 1],
                    &[0.5, -1.0],
                ),
            ],
        )
    }

    #[test]
    fn the_scaled_product_of_the_factors_is_added_and_all_else_kept() {
        for kind in [Kind::F32, Kind::F16, Kind::BF16] {
            let base = file(
                kind,
                &[
                    ("norm.weight", &[2], &[7.0, 8.0]),
                    ("q_proj.weight", &[2, 2], &[1.0, 1.0, 1.0, 1.0]),
                ],
            );
            let weights = Weights::parse(&base).expect("it is whole");
            let whole = merged(&weights, CONFIG, &factors()).expect("they belong together");
            let whole = Weights::parse(&whole).expect("it is whole");
            assert_eq!(whole.values("norm.weight", &[2]), Ok(vec![7.0, 8.0]));
            assert_eq!(
                whole.values("q_proj.weight", &[2, 2]),
                Ok(vec![2.0, 4.0, -1.0, -5.0])
            );
            let blocks = whole.blocks("q_proj.weight", &[2, 2]).expect("it is there");
            assert_eq!(blocks.map(|blocks| blocks.kind), Some(kind));
        }
    }

    #[test]
    fn an_adapter_of_another_model_is_refused_by_the_name_of_its_tensor() {
        let base = file(Kind::F32, &[("k_proj.weight", &[1], &[1.0])]);
        let weights = Weights::parse(&base).expect("it is whole");
        let refused = merged(&weights, CONFIG, &factors()).expect_err("there is no q_proj");
        assert!(
            refused.to_string().contains("q_proj.lora_A.weight"),
            "{refused}"
        );
    }
}
