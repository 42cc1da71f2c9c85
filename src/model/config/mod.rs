//! A model's shape, read and checked before any weight is touched: out of the hub's `config.json` or a GGUF file, and
//! told in one way for all families, so that the decoder asks what to do and never for whom.

mod file;
mod gguf;
mod rope;

pub use rope::{Rope, RopeScaling};

use super::ModelError;
use crate::kernels::Gate;
use file::File;

/// The families this version runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama, and what has its shape: SmolLM2.
    Llama,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: norms on query and key.
    Qwen3,
    /// Gemma 3, the text part: norms around each block, windows, two rotary bases.
    Gemma3,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Qwen2, Self::Qwen3, Self::Gemma3];

    /// transformers' names: of the architecture and of the model type.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Llama => ("LlamaForCausalLM", "llama"),
            Self::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Self::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
            Self::Gemma3 => ("Gemma3ForCausalLM", "gemma3_text"),
        }
    }

    /// llama.cpp's name.
    pub fn gguf(self) -> &'static str {
        match self {
            Self::Gemma3 => "gemma3",
            other => other.names().1,
        }
    }
}

/// The shape of a decoder. Names are transformers' where transformers has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which family it is; the decoder needs none of it, only the fields below.
    pub family: Family,
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
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Longest sequence the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square before the root (RMSNorm).
    pub rms_norm_eps: f64,
    /// Whether the output head is the embedding, transposed.
    pub tie_word_embeddings: bool,
    /// Whether query, key and value have a bias: `self_attn.{q,k,v}_proj.bias`.
    pub qkv_bias: bool,
    /// Whether each query and key head goes through an RMSNorm before it is turned: `self_attn.{q,k}_norm.weight`,
    /// `[head_dim]`, shared by the heads.
    pub qk_norm: bool,
    /// Added to every norm's weight, those of `qk_norm` too: Gemma stores `w` and multiplies by `1 + w`.
    pub norm_offset: f32,
    /// Whether a norm stands behind each block too, before it is added to the stream. Then the four are
    /// `input_layernorm`, `post_attention_layernorm` (behind attention), `pre_feedforward_layernorm` and
    /// `post_feedforward_layernorm`; otherwise `post_attention_layernorm` stands before the feed-forward part.
    pub post_block_norms: bool,
    /// What the embedding is multiplied by; the tied head is not.
    pub embedding_scale: f32,
    /// What the products of queries and keys are multiplied by.
    pub attention_scale: f32,
    /// What the gate of the feed-forward part goes through.
    pub gate: Gate,
    /// For each layer, how many last tokens a token sees, itself counted (`query − key < window`); all when `None`.
    pub layer_window: Vec<Option<usize>>,
    /// For each layer, which of `ropes` turns it.
    pub layer_rope: Vec<usize>,
    /// The rotary positions, one or two.
    pub ropes: Vec<Rope>,
    /// Ids after which a text has ended, as `generation_config.json` or else `config.json` says; may be empty.
    pub eos: Vec<u32>,
}

/// No model of the size Seedbed is for comes near it; beyond it a count is an attack or a mistake.
const ABSURD: usize = 1 << 20;
/// Numbers of one matrix; more are not addressed by 32 bits, which is all a browser has.
const LARGEST: usize = 1 << 30;

pub(super) use gguf::hub_config;

impl Config {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when it is not JSON, lacks a number, holds one that cannot be or asks for what is not
    /// supported; [`ModelError::Architecture`] when the model is of another family.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| {
            ModelError::Config(format!(
                "{error}; take config.json from the model's own folder"
            ))
        })?;
        file.into_config()
    }

    /// Takes the ids that end a text from a `generation_config.json`, where it has some.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when it is not JSON.
    pub fn with_generation(mut self, bytes: &[u8]) -> Result<Self, ModelError> {
        let file: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Config(format!("generation_config.json: {error}")))?;
        let ids = file::ids(file.get("eos_token_id"));
        if !ids.is_empty() {
            self.eos = ids;
        }
        Ok(self)
    }

    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.num_key_value_heads
    }

    /// Width of one head.
    pub fn head_size(&self) -> usize {
        self.head_dim
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
    pub fn parameters(&self) -> u64 {
        // Too many for a browser's 32 bits in models that are to be refused there.
        let (hidden, inner) = (self.hidden_size as u64, self.intermediate_size as u64);
        let (query, kv) = (self.query_size() as u64, self.kv_size() as u64);
        let bias = u64::from(self.qkv_bias) * (query + 2 * kv);
        let heads = u64::from(self.qk_norm) * 2 * self.head_size() as u64;
        let norms = if self.post_block_norms { 4 } else { 2 };
        let layer = 2 * hidden * (query + kv) + bias + heads + 3 * hidden * inner + norms * hidden;
        let head = if self.tie_word_embeddings { 1 } else { 2 };
        head * self.vocab_size as u64 * hidden + self.num_hidden_layers as u64 * layer + hidden
    }

    /// The rotary frequencies of the layers that see everything, one for each pair of a head's elements: radians per
    /// position. Those of other layers, and the factor of `yarn`, are in `ropes`.
    ///
    /// # Errors
    ///
    /// None any more: the rules are checked when the configuration is read.
    pub fn inverse_frequencies(&self) -> Result<Vec<f64>, ModelError> {
        Ok(self
            .ropes
            .first()
            .map(|rope| rope.inverse_frequencies.clone())
            .unwrap_or_default())
    }

    fn check(&self) -> Result<(), ModelError> {
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
        let products = [
            (
                "all heads together",
                self.num_attention_heads,
                self.head_size(),
                ABSURD,
            ),
            ("the vocabulary", self.vocab_size, self.hidden_size, LARGEST),
            (
                "the feed-forward part",
                self.intermediate_size,
                self.hidden_size,
                LARGEST,
            ),
        ];
        for (name, a, b, most) in products {
            if a.checked_mul(b).is_none_or(|product| product > most) {
                return Err(ModelError::Config(format!(
                    "{name}: {a} times {b} is more than {most}; the numbers cannot be right"
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
        if !(self.attention_scale > 0.0 && self.attention_scale.is_finite()) {
            return Err(ModelError::Config(
                "query_pre_attn_scalar must be above zero".into(),
            ));
        }
        if !(self.rms_norm_eps >= 0.0 && self.rms_norm_eps.is_finite()) {
            return Err(ModelError::Config(format!(
                "rms_norm_eps is {}; it must be a number not below zero",
                self.rms_norm_eps
            )));
        }
        Ok(())
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
    fn heads_that_are_together_too_wide_are_refused() {
        let text = String::from_utf8(json(r#","head_dim":4"#))
            .unwrap()
            .replace("heads\":2", "heads\":1048576");
        let message = Config::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("all heads together"), "{message}");
    }

    #[test]
    fn a_width_that_the_heads_do_not_divide_is_refused() {
        let text = String::from_utf8(json(""))
            .unwrap()
            .replace("heads\":2", "heads\":3");
        let message = Config::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(
            message.contains("hidden_size 8 is no multiple of 3"),
            "{message}"
        );
    }

    #[test]
    fn an_unknown_rope_scaling_is_refused_by_name() {
        let error = Config::from_json(&json(r#","rope_scaling":{"type":"spiral"}"#)).unwrap_err();
        assert!(error.to_string().contains("spiral"));
    }

    #[test]
    fn a_count_that_is_missing_is_named() {
        let text = String::from_utf8(json(""))
            .unwrap()
            .replace("vocab_size", "vocabulary");
        let error = Config::from_json(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("vocab_size"));
    }

    fn family(name: &str, extra: &str) -> Config {
        let text = String::from_utf8(json(extra)).unwrap();
        let text = text
            .replace("LlamaForCausalLM", name)
            .replace("layers\":1", "layers\":7");
        Config::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn qwen2_has_biases_and_sees_everything_unless_told_otherwise() {
        let config = family("Qwen2ForCausalLM", r#","sliding_window":3"#);
        assert!(config.qkv_bias && !config.qk_norm);
        assert_eq!(config.layer_window, [None; 7]);
        let config = family(
            "Qwen2ForCausalLM",
            r#","sliding_window":3,"use_sliding_window":true,"max_window_layers":5"#,
        );
        assert_eq!(config.layer_window[4..], [None, Some(3), Some(3)]);
        assert_eq!(config.layer_rope, [0; 7]);
    }

    #[test]
    fn qwen3_has_heads_of_its_own_size_with_norms() {
        let config = family("Qwen3ForCausalLM", "");
        assert!(config.qk_norm && !config.qkv_bias);
        assert_eq!(config.head_size(), 128);
        assert_eq!(config.query_size(), 256);
    }

    #[test]
    fn gemma3_alternates_windows_and_rotary_bases() {
        let config = family(
            "Gemma3ForCausalLM",
            r#","head_dim":4,"sliding_window":5,"query_pre_attn_scalar":16,"rope_scaling":{"rope_type":"linear","factor":8.0}"#,
        );
        let window = Some(5);
        assert_eq!(
            config.layer_window,
            [window, window, window, window, window, None, window]
        );
        assert_eq!(config.layer_rope, [1, 1, 1, 1, 1, 0, 1]);
        assert_eq!(config.ropes[0].inverse_frequencies, [1.0 / 8.0, 1e-3 / 8.0]);
        assert_eq!(config.ropes[1].inverse_frequencies, [1.0, 1e-2]);
        assert_eq!(config.attention_scale, 0.25);
        assert_eq!(config.embedding_scale, 8f32.sqrt());
        assert_eq!((config.norm_offset, config.gate), (1.0, Gate::GeluTanh));
        assert!(config.post_block_norms && config.tie_word_embeddings);
    }

    #[test]
    fn gemma3_as_transformers_5_writes_it_reads_alike() {
        let config = family(
            "Gemma3ForCausalLM",
            r#","head_dim":4,"layer_types":["sliding_attention","full_attention","full_attention","full_attention","full_attention","full_attention","full_attention"],
            "rope_parameters":{"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":10000.0},"sliding_attention":{"rope_type":"default","rope_theta":100.0}}"#,
        );
        assert_eq!(config.layer_window[..2], [Some(4096), None]);
        assert_eq!(config.ropes[0].inverse_frequencies, [1.0 / 8.0, 1e-2 / 8.0]);
        assert_eq!(config.ropes[1].inverse_frequencies, [1.0, 0.1]);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (extra, word) in [
            (r#","attention_bias":true"#, "attention_bias"),
            (r#","hidden_act":"relu2""#, "relu2"),
            (r#","final_logit_softcapping":30.0"#, "soft-capping"),
            (r#","quantization_config":{"quant_method":"gptq"}"#, "gptq"),
            (r#","rope_theta":0.0"#, "rope_theta"),
            (
                r#","max_position_embeddings":9999999"#,
                "max_position_embeddings",
            ),
            (r#","head_dim":1026"#, "head_dim is 1026"),
            (r#","head_dim":1099511627776"#, "1024 at most"),
            (r#","head_dim":3"#, "head_dim is 3"),
        ] {
            let error = Config::from_json(&json(extra)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn layer_types_must_be_known_and_as_many_as_layers() {
        let text = |types: &str| {
            let text = String::from_utf8(json(&format!(r#","layer_types":{types}"#))).unwrap();
            text.replace("LlamaFor", "Qwen3For")
        };
        for (types, word) in [
            (r#"["linear_attention"]"#, "linear_attention"),
            (r#"["full_attention","full_attention"]"#, "2 entries"),
        ] {
            let error = Config::from_json(text(types).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn the_ids_that_end_a_text_come_from_the_generation_config_where_it_has_some() {
        let config = Config::from_json(&json(r#","eos_token_id":2"#)).unwrap();
        assert_eq!(config.eos, [2]);
        let config = config
            .with_generation(br#"{"eos_token_id":[1,106]}"#)
            .unwrap();
        assert_eq!(config.eos, [1, 106]);
        let config = config.with_generation(b"{}").unwrap();
        assert_eq!(config.eos, [1, 106]);
        assert!(config.with_generation(b"[").is_err());
    }
}
