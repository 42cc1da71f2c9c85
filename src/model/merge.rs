//! A checkpoint with an adapter added into its weights: `W + s·B·A`, what PEFT's `merge_and_unload` gives.

use std::collections::HashMap;

use half::{bf16, f16};

use super::adapter::LoraConfig;
use super::load::{Take, in_the_hubs_layout};
use super::weights::safetensors;
use super::{Kind, ModelError, ModelFile, Weights};

/// PEFT's prefix for the modules of the wrapped model.
const PREFIX: &str = "base_model.model.";

/// Adds an adapter (the two files of a PEFT directory) to a checkpoint and gives the whole as one safetensors file, piece
/// after piece: a few megabytes, or one changed matrix. Every tensor keeps its name, its shape and its type, but that a
/// quantised one becomes F16; sums are made in f32 and rounded once.
///
/// # Errors
///
/// [`ModelError::Adapter`] for an adapter of another kind or another model, before the first piece is given. Then what
/// `give` says.
pub fn merged(
    weights: &Weights<'_>,
    adapter_config: &[u8],
    adapter: &[u8],
    give: &mut dyn FnMut(&[u8]) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let config = LoraConfig::from_json(adapter_config)?;
    let adapter = Weights::parse(adapter)?;
    let changes = changes(weights, &config, &adapter)?;
    let mut names = weights.names();
    names.sort_unstable();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let kind = match weights.kind(name)? {
            kind if kind.is_quantised() => Kind::F16,
            kind => kind,
        };
        tensors.push((name, kind, weights.shape(name).unwrap_or_default()));
    }
    give(&safetensors::header(
        (tensors.iter()).map(|(name, kind, shape)| (*name, *kind, &shape[..])),
    ))?;
    for (name, kind, shape) in tensors {
        if let Some(module) = changes.get(name) {
            let values = changed(weights, &config, &adapter, (name, &shape, module))?;
            give(&stored(kind, &values))?;
        } else if kind == weights.kind(name)? && weights.is_the_hubs(name) {
            weights.pieces(name, give)?;
        } else {
            let mut given = Ok(());
            weights.each(name, &shape, &mut |values| {
                if given.is_ok() {
                    given = give(&stored(kind, &values));
                }
            })?;
            given?;
        }
    }
    Ok(())
}

/// As [`merged`], of a model's files: the files of a model folder in the hub's layout, one after the other and each piece by
/// its file's name, `model.safetensors` the last. A GGUF file's description is written in the hub's words; the files beside the
/// weights of any other model are given as they are.
///
/// # Errors
///
/// As [`merged`], and as [`Model::read`](super::Model::read). [`ModelError::Adapter`] also for a GGUF file that the hub's
/// layout cannot tell.
pub fn merged_files(
    files: &[&dyn ModelFile],
    adapter_config: &[u8],
    adapter: &[u8],
    give: &mut Take<'_>,
) -> Result<(), ModelError> {
    in_the_hubs_layout(files, give, &mut |weights, give| {
        merged(weights, adapter_config, adapter, &mut |piece| {
            give("model.safetensors", piece)
        })
    })
}

/// The modules of an adapter by the tensors that they change, each of them checked to fit.
fn changes(
    weights: &Weights<'_>,
    config: &LoraConfig,
    adapter: &Weights<'_>,
) -> Result<HashMap<String, String>, ModelError> {
    let mut changes = HashMap::new();
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
            if adapter.has(&half_of(module, 'A')) {
                continue;
            }
        }
        let module = module.strip_suffix(".lora_A.weight").ok_or_else(stray)?;
        let of = format!("{module}.weight");
        match weights.shape(&of).as_deref() {
            Some(&[rows, columns]) if rows > 0 && columns > 0 => {
                adapter.expect(name, &[config.r, columns])?;
                adapter.expect(&half_of(module, 'B'), &[rows, config.r])?;
            }
            _ => return Err(stray()),
        }
        changes.insert(of, module.to_owned());
    }
    Ok(changes)
}

/// PEFT's name of one of the two factors beside a module.
fn half_of(module: &str, letter: char) -> String {
    format!("{PREFIX}{module}.lora_{letter}.weight")
}

/// A matrix with the product of its factors added.
fn changed(
    weights: &Weights<'_>,
    config: &LoraConfig,
    adapter: &Weights<'_>,
    (name, shape, module): (&str, &[usize], &str),
) -> Result<Vec<f32>, ModelError> {
    let scale = (config.lora_alpha / config.r as f64) as f32;
    let (rows, columns) = (shape[0], shape[1]);
    let mut values = weights.values(name, shape)?;
    let a = adapter.values(&half_of(module, 'A'), &[config.r, columns])?;
    let b = adapter.values(&half_of(module, 'B'), &[rows, config.r])?;
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
    Ok(values)
}

/// Values in a type of 16 or 32 bits.
pub(super) fn stored(kind: Kind, values: &[f32]) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &[u8] =
        br#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_modules": ["q_proj"]}"#;

    /// A file of f32 tensors, or of f16 ones.
    fn file(kind: Kind, tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let described = tensors.iter().map(|(name, shape, _)| (*name, kind, *shape));
        let mut bytes = safetensors::header(described);
        for (_, _, values) in tensors {
            bytes.extend(stored(kind, values));
        }
        bytes
    }

    fn whole(weights: &Weights<'_>, config: &[u8], adapter: &[u8]) -> Result<Vec<u8>, ModelError> {
        let mut bytes = Vec::new();
        merged(weights, config, adapter, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
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
            let whole = whole(&weights, CONFIG, &factors()).expect("they belong together");
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
        let refused = whole(&weights, CONFIG, &factors()).expect_err("there is no q_proj");
        assert!(
            refused.to_string().contains("q_proj.lora_A.weight"),
            "{refused}"
        );
    }

    #[test]
    fn an_adapter_beside_a_matrix_of_nothing_is_refused() {
        let base = file(Kind::F32, &[("q_proj.weight", &[2, 0], &[])]);
        let weights = Weights::parse(&base).expect("it is whole");
        let nothing = file(
            Kind::F32,
            &[
                ("base_model.model.q_proj.lora_A.weight", &[1, 0], &[]),
                ("base_model.model.q_proj.lora_B.weight", &[2, 1], &[0.0; 2]),
            ],
        );
        let refused = whole(&weights, CONFIG, &nothing);
        assert!(matches!(refused, Err(ModelError::Adapter(_))));
    }

    #[test]
    fn nothing_is_given_before_all_of_it_is_known_to_fit() {
        let base = file(Kind::F32, &[("q_proj.weight", &[2, 3], &[0.0; 6])]);
        let weights = Weights::parse(&base).expect("it is whole");
        let refused = merged(&weights, CONFIG, &factors(), &mut |_| {
            panic!("a piece was given")
        });
        assert!(matches!(refused, Err(ModelError::Shape { .. })));
    }
}
