//! A model's shape out of the metadata of a GGUF file.

use serde_json::Value as Json;

use super::file::File;
use super::{Config, Family, ModelError, RopeScaling};
use crate::model::weights::{Gguf, GgufError, Value};

impl Config {
    /// Reads and checks the shape that a GGUF file's metadata states.
    ///
    /// # Errors
    ///
    /// [`ModelError::Gguf`] when a key is missing, of another type or holds what cannot be.
    pub fn from_gguf(file: &Gguf<'_>) -> Result<Self, ModelError> {
        let mut described = read(file)?;
        described.rope_factors = file.values("rope_freqs.weight")?;
        described.into_config().map_err(|error| match error {
            ModelError::Config(reason) => GgufError::Config(reason).into(),
            other => other,
        })
    }
}

/// The `config.json` that says what a GGUF file's metadata do.
///
/// # Errors
///
/// As [`Config::from_gguf`]; [`ModelError::Adapter`] where the rotary positions are told by factors, for which
/// `config.json` has no word.
pub(in crate::model) fn hub_config(file: &Gguf<'_>) -> Result<String, ModelError> {
    if file.has("rope_freqs.weight") {
        return Err(ModelError::Adapter(
            "the GGUF file stretches its rotary positions by factors of its own, which config.json cannot say; merge into the model in the hub's layout".into(),
        ));
    }
    // What cannot be is refused before it is told.
    let family = Config::from_gguf(file)?.family;
    let described = read(file)?;
    let (architecture, kind) = family.names();
    let scaling = described.rope_scaling.map(|scaling| {
        object([
            ("rope_type", scaling.rope_type.into()),
            ("factor", scaling.factor.into()),
            (
                "original_max_position_embeddings",
                scaling.original_max_position_embeddings.into(),
            ),
            ("attention_factor", scaling.attention_factor.into()),
            ("beta_fast", scaling.beta_fast.into()),
            ("beta_slow", scaling.beta_slow.into()),
        ])
    });
    let begin = file.count("tokenizer.ggml.bos_token_id")?;
    let config = object([
        ("architectures", vec![architecture].into()),
        ("model_type", kind.into()),
        ("dtype", "float16".into()),
        ("vocab_size", described.vocab_size.into()),
        ("hidden_size", described.hidden_size.into()),
        ("intermediate_size", described.intermediate_size.into()),
        ("num_hidden_layers", described.num_hidden_layers.into()),
        ("num_attention_heads", described.num_attention_heads.into()),
        ("num_key_value_heads", described.num_key_value_heads.into()),
        ("head_dim", described.head_dim.into()),
        (
            "max_position_embeddings",
            described.max_position_embeddings.into(),
        ),
        ("rms_norm_eps", described.rms_norm_eps.into()),
        ("rope_theta", described.rope_theta.into()),
        (
            "rope_local_base_freq",
            described.rope_local_base_freq.into(),
        ),
        ("rope_scaling", scaling.into()),
        ("tie_word_embeddings", described.tie_word_embeddings.into()),
        (
            "query_pre_attn_scalar",
            described.query_pre_attn_scalar.into(),
        ),
        ("sliding_window", described.sliding_window.into()),
        (
            "sliding_window_pattern",
            described.sliding_window_pattern.into(),
        ),
        ("layer_types", described.layer_types.into()),
        ("eos_token_id", described.eos_token_id.into()),
        ("bos_token_id", begin.into()),
    ]);
    Ok(config.to_string())
}

/// An object of what is said; transformers would read null as a value.
fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    let said = entries.into_iter().filter(|(_, value)| !value.is_null());
    Json::Object(said.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Gemma 3's largest scales its scores by another number than the head's size, and says so by its depth alone.
const DEEPEST_GEMMA: usize = 62;

fn read(file: &Gguf<'_>) -> Result<File, GgufError> {
    let name = file.architecture()?;
    let family = Family::ALL
        .into_iter()
        .find(|family| family.gguf() == name)
        .ok_or_else(|| GgufError::Architecture(name.into()))?;
    let key = |part: &str| format!("{name}.{part}");
    let count = |part: &str| -> Result<Option<usize>, GgufError> {
        let count = file.count(&key(part))?;
        Ok(count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)))
    };
    let number = |part: &str| file.number(&key(part));
    let needed = |part: &str| {
        count(part)?
            .ok_or_else(|| GgufError::KeyMissing(key(part)))
            .map(Some)
    };

    if count("expert_count")?.unwrap_or(0) > 0 {
        return Err(GgufError::Config(
            "it is a mixture of experts, which is not supported; choose a dense model".into(),
        ));
    }
    let hidden = needed("embedding_length")?;
    let heads = needed("attention.head_count")?;
    let layers = needed("block_count")?;
    let head = count("attention.key_length")?.or_else(|| match (hidden, heads) {
        (Some(hidden), Some(heads)) if family != Family::Gemma3 => hidden.checked_div(heads),
        _ => None,
    });
    for part in ["attention.value_length", "rope.dimension_count"] {
        let stated = count(part)?;
        if stated.is_some() && head.is_some() && stated != head {
            return Err(GgufError::Config(format!(
                "its `{}` is not the size of a head, which is not supported",
                key(part)
            )));
        }
    }
    let vocabulary = file
        .shape("token_embd.weight")
        .and_then(|shape| shape.first().copied())
        .ok_or_else(|| GgufError::KeyMissing("token_embd.weight".into()))?;
    let scalar = match (hidden, heads) {
        (Some(hidden), Some(heads)) if layers == Some(DEEPEST_GEMMA) => hidden.checked_div(heads),
        _ => head,
    };
    let (pattern, types) = windows(file, &key("attention.sliding_window_pattern"))?;
    let mut stops = Vec::new();
    for part in ["eos", "eot"] {
        stops.extend(file.count(&format!("tokenizer.ggml.{part}_token_id"))?);
    }
    Ok(File {
        architectures: vec![family.names().0.into()],
        vocab_size: Some(vocabulary),
        hidden_size: hidden,
        intermediate_size: needed("feed_forward_length")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: count("attention.head_count_kv")?,
        head_dim: head,
        max_position_embeddings: needed("context_length")?,
        rms_norm_eps: number("attention.layer_norm_rms_epsilon")?,
        rope_theta: number("rope.freq_base")?,
        rope_local_base_freq: number("rope.freq_base_swa")?,
        rope_scaling: scaling(file, name)?,
        tie_word_embeddings: Some(!file.has("output.weight")),
        query_pre_attn_scalar: scalar.map(|scalar| scalar as f64),
        // llama.cpp keeps a window for Gemma alone.
        sliding_window: count("attention.sliding_window")?,
        sliding_window_pattern: pattern,
        layer_types: types,
        eos_token_id: Some(stops.into()),
        ..File::default()
    })
}

/// Which layers see a window: every how manieth sees everything, or a flag for each.
fn windows(file: &Gguf<'_>, key: &str) -> Result<(Option<usize>, Option<Vec<String>>), GgufError> {
    let Some(Value::Array(flags)) = file.get(key) else {
        let count = file.count(key)?;
        return Ok((count.and_then(|count| usize::try_from(count).ok()), None));
    };
    let kinds: Result<_, _> = flags
        .values("attention.sliding_window_pattern")
        // One more than any model has is enough to be refused.
        .take(super::file::MOST_LAYERS + 1)
        .map(|flag| match flag? {
            Value::Bool(true) => Ok("sliding_attention".into()),
            _ => Ok("full_attention".into()),
        })
        .collect();
    Ok((None, Some(kinds?)))
}

fn scaling(file: &Gguf<'_>, name: &str) -> Result<Option<RopeScaling>, GgufError> {
    let number = |part: &str| file.number(&format!("{name}.rope.scaling.{part}"));
    let kind = file.text(&format!("{name}.rope.scaling.type"))?;
    let Some(kind) = kind.filter(|kind| *kind != "none") else {
        return Ok(None);
    };
    let factor = number("factor")?;
    // llama.cpp multiplies what transformers computes of the factor.
    let attention_factor = match (number("attn_factor")?, factor) {
        (Some(own), Some(factor)) if kind == "yarn" => Some(own * (0.1 * factor.ln() + 1.0)),
        _ => None,
    };
    Ok(Some(RopeScaling {
        rope_type: Some(kind.into()),
        factor,
        original_max_position_embeddings: number("original_context_length")?,
        attention_factor,
        beta_fast: number("yarn_beta_fast")?,
        beta_slow: number("yarn_beta_slow")?,
        ..RopeScaling::default()
    }))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shape_told_in_the_hubs_words_is_the_same_shape() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        for family in ["qwen2", "gemma3"] {
            let folder = folder.join(format!("tiny-{family}"));
            let bytes = std::fs::read(folder.join("model.gguf")).unwrap();
            let file = Gguf::parse(&bytes).unwrap();
            let told = Config::from_json(hub_config(&file).unwrap().as_bytes()).unwrap();
            let own = Config::from_gguf(&file).unwrap();
            assert_eq!(format!("{told:?}"), format!("{own:?}"), "{family}");
        }
    }
}
