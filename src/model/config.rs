//! A model's `config.json`, in the layout of the hub, read and checked before any weight is touched.

use serde::Deserialize;

use super::ModelError;

/// The shape of a Llama-family decoder, as `config.json` states it.
///
/// Names are those of transformers' `LlamaConfig`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    /// Names of the architecture; the first decides. Only `LlamaForCausalLM` is known so far.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; as many as query heads when absent.
    #[serde(default)]
    pub num_key_value_heads: Option<usize>,
    /// Width of one head; `hidden_size / num_attention_heads` when absent.
    #[serde(default)]
    pub head_dim: Option<usize>,
    /// Longest sequence the model was made for, in tokens.
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    /// Added to the mean square before the root (RMSNorm).
    #[serde(default = "default_eps")]
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    #[serde(default)]
    pub rope_theta: Option<f64>,
    /// Rotary scaling as older configurations spell it.
    #[serde(default)]
    pub rope_scaling: Option<RopeScaling>,
    /// Rotary base and scaling as transformers 5 spells them.
    #[serde(default)]
    pub rope_parameters: Option<RopeScaling>,
    /// Whether the output head is the embedding, transposed.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Whether the attention projections have a bias (not supported yet).
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the feed-forward projections have a bias (not supported yet).
    #[serde(default)]
    pub mlp_bias: bool,
    /// The activation inside the feed-forward part; only `silu`.
    #[serde(default = "default_act")]
    pub hidden_act: String,
}

/// Rotary scaling: which rule, and its numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RopeScaling {
    /// `default`, `linear` or `llama3`.
    #[serde(default, alias = "type")]
    pub rope_type: Option<String>,
    /// Base of the frequencies (transformers 5).
    #[serde(default)]
    pub rope_theta: Option<f64>,
    /// How much longer than in training the context is.
    #[serde(default)]
    pub factor: Option<f64>,
    /// `llama3`: wavelengths above `original / low_freq_factor` are stretched in full.
    #[serde(default)]
    pub low_freq_factor: Option<f64>,
    /// `llama3`: wavelengths below `original / high_freq_factor` are left alone.
    #[serde(default)]
    pub high_freq_factor: Option<f64>,
    /// `llama3`: the context of the training.
    #[serde(default)]
    pub original_max_position_embeddings: Option<f64>,
}

fn default_positions() -> usize {
    2048
}

fn default_eps() -> f64 {
    1e-6
}

fn default_act() -> String {
    "silu".into()
}

/// Architectures this version runs.
const KNOWN: [&str; 1] = ["LlamaForCausalLM"];

/// No model of the size Seedbed is for comes near it; beyond it a count is an attack or a mistake.
const ABSURD: usize = 1 << 20;

impl Config {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when it is not JSON, lacks a number or holds one that cannot be;
    /// [`ModelError::Architecture`] when the model is of another family.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let config: Self = serde_json::from_slice(bytes).map_err(|error| {
            ModelError::Config(format!(
                "{error}; take config.json from the model's own folder"
            ))
        })?;
        config.check()?;
        Ok(config)
    }

    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// Width of one head.
    pub fn head_size(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// Width of all query heads together.
    pub fn query_size(&self) -> usize {
        self.num_attention_heads * self.head_size()
    }

    /// Width of all key (or value) heads together.
    pub fn kv_size(&self) -> usize {
        self.kv_heads() * self.head_size()
    }

    /// Parameters of the whole model, the tied head counted once.
    pub fn parameters(&self) -> usize {
        let attention = 2 * self.hidden_size * (self.query_size() + self.kv_size());
        let layer =
            attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size;
        let head = if self.tie_word_embeddings { 1 } else { 2 };
        head * self.vocab_size * self.hidden_size
            + self.num_hidden_layers * layer
            + self.hidden_size
    }

    /// The rotary frequencies, one for each pair of a head's elements: radians per position.
    ///
    /// Plain (RoFormer, arXiv 2104.09864), linearly stretched, or stretched by wavelength as Llama 3.1 does
    /// (`transformers/modeling_rope_utils.py`, `_compute_llama3_parameters`).
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] for a rule not known here or one without its numbers.
    pub fn inverse_frequencies(&self) -> Result<Vec<f64>, ModelError> {
        let scaling = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = scaling
            .and_then(|scaling| scaling.rope_theta)
            .or(self.rope_theta)
            .unwrap_or(10_000.0);
        let size = self.head_size();
        let plain = (0..size / 2).map(|pair| theta.powf(-2.0 * pair as f64 / size as f64));
        let Some(scaling) = scaling else {
            return Ok(plain.collect());
        };
        let missing = |name: &str| {
            ModelError::Config(format!(
                "rope scaling lacks `{name}`; add it to config.json"
            ))
        };
        match scaling.rope_type.as_deref().unwrap_or("default") {
            "default" => Ok(plain.collect()),
            "linear" => {
                let factor = scaling.factor.ok_or_else(|| missing("factor"))?;
                Ok(plain.map(|frequency| frequency / factor).collect())
            }
            "llama3" => {
                let factor = scaling.factor.ok_or_else(|| missing("factor"))?;
                let low = scaling
                    .low_freq_factor
                    .ok_or_else(|| missing("low_freq_factor"))?;
                let high = scaling
                    .high_freq_factor
                    .ok_or_else(|| missing("high_freq_factor"))?;
                let original = scaling
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?;
                Ok(plain
                    .map(|frequency| {
                        let turns = original * frequency / (2.0 * std::f64::consts::PI);
                        if turns < low {
                            frequency / factor
                        } else if turns > high {
                            frequency
                        } else {
                            let smooth = (turns - low) / (high - low);
                            (1.0 - smooth) * frequency / factor + smooth * frequency
                        }
                    })
                    .collect())
            }
            other => Err(ModelError::Config(format!(
                "rope scaling `{other}` is not known; known are default, linear, llama3"
            ))),
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        if let Some(name) = self.architectures.first()
            && !KNOWN.contains(&name.as_str())
        {
            return Err(ModelError::Architecture {
                found: name.clone(),
                known: KNOWN.join(", "),
            });
        }
        let counts = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.kv_heads()),
            ("head_dim", self.head_size()),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (name, count) in counts {
            if count == 0 || count > ABSURD {
                return Err(ModelError::Config(format!(
                    "{name} is {count}; it must lie between 1 and {ABSURD}"
                )));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.kv_heads()) {
            return Err(ModelError::Config(format!(
                "{} attention heads cannot be shared by {} key-value heads; the first must be a multiple of the second",
                self.num_attention_heads,
                self.kv_heads()
            )));
        }
        if !self.head_size().is_multiple_of(2) {
            return Err(ModelError::Config(format!(
                "head_dim is {}; rotary positions need an even one",
                self.head_size()
            )));
        }
        if self.head_dim.is_none() && !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ModelError::Config(format!(
                "hidden_size {} is no multiple of {} attention heads; state head_dim",
                self.hidden_size, self.num_attention_heads
            )));
        }
        if self.attention_bias || self.mlp_bias {
            return Err(ModelError::Config(
                "projections with a bias are not supported by this version; use a Llama without"
                    .into(),
            ));
        }
        if self.hidden_act != "silu" {
            return Err(ModelError::Config(format!(
                "hidden_act `{}` is not supported; only silu is",
                self.hidden_act
            )));
        }
        self.inverse_frequencies().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(extra: &str) -> Vec<u8> {
        format!(
            r#"{{"architectures":["LlamaForCausalLM"],"vocab_size":16,"hidden_size":8,"intermediate_size":12,
            "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1{extra}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn counts_the_parameters_of_a_tied_model_once() {
        let config = Config::from_json(&json(r#","tie_word_embeddings":true"#)).unwrap();
        // Embedding 128, q 64, k 32, v 32, o 64, feed-forward 288, two norms 16, last norm 8.
        assert_eq!(config.parameters(), 128 + 64 + 32 + 32 + 64 + 288 + 16 + 8);
    }

    #[test]
    fn an_unknown_architecture_is_named_with_the_known_ones() {
        let text = String::from_utf8(json(""))
            .unwrap()
            .replace("Llama", "Mamba");
        let message = Config::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("MambaForCausalLM") && message.contains("LlamaForCausalLM"));
    }

    #[test]
    fn zero_heads_are_refused() {
        let text = String::from_utf8(json(""))
            .unwrap()
            .replace("heads\":2", "heads\":0");
        assert!(
            Config::from_json(text.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("num_attention_heads is 0")
        );
    }

    #[test]
    fn heads_that_cannot_be_grouped_are_refused() {
        let text = String::from_utf8(json(""))
            .unwrap()
            .replace("key_value_heads\":1", "key_value_heads\":3");
        assert!(
            Config::from_json(text.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("multiple")
        );
    }

    #[test]
    fn an_unknown_rope_scaling_is_refused_by_name() {
        let error = Config::from_json(&json(r#","rope_scaling":{"type":"spiral"}"#)).unwrap_err();
        assert!(error.to_string().contains("spiral"));
    }

    #[test]
    fn linear_scaling_divides_every_frequency() {
        let plain = Config::from_json(&json(""))
            .unwrap()
            .inverse_frequencies()
            .unwrap();
        let scaled =
            Config::from_json(&json(r#","rope_scaling":{"type":"linear","factor":4.0}"#)).unwrap();
        for (a, b) in plain.iter().zip(scaled.inverse_frequencies().unwrap()) {
            assert!((a / 4.0 - b).abs() < 1e-12);
        }
    }
}
