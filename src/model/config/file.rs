//! A `config.json` as it lies on the hub, family by family, read into the one description the decoder knows.

use serde::Deserialize;
use serde_json::Value;

use super::{Config, Family, ModelError, Rope, RopeScaling};
use crate::kernels::Gate;

/// What a file says, with transformers' names; what it leaves out has the family's default.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub architectures: Vec<String>,
    pub model_type: Option<String>,
    pub vocab_size: Option<usize>,
    pub hidden_size: Option<usize>,
    pub intermediate_size: Option<usize>,
    pub num_hidden_layers: Option<usize>,
    pub num_attention_heads: Option<usize>,
    pub num_key_value_heads: Option<usize>,
    pub head_dim: Option<usize>,
    pub max_position_embeddings: Option<usize>,
    pub rms_norm_eps: Option<f64>,
    pub rope_theta: Option<f64>,
    pub rope_local_base_freq: Option<f64>,
    pub rope_scaling: Option<RopeScaling>,
    pub rope_parameters: Option<RopeScaling>,
    /// What each frequency is divided by: GGUF's form of `llama3`.
    #[serde(skip)]
    pub rope_factors: Option<Vec<f32>>,
    pub tie_word_embeddings: Option<bool>,
    pub attention_bias: bool,
    pub mlp_bias: bool,
    pub hidden_act: Option<String>,
    pub hidden_activation: Option<String>,
    pub query_pre_attn_scalar: Option<f64>,
    pub use_sliding_window: bool,
    pub sliding_window: Option<usize>,
    pub sliding_window_pattern: Option<usize>,
    pub max_window_layers: Option<usize>,
    pub layer_types: Option<Vec<String>>,
    pub attn_logit_softcapping: Option<f64>,
    pub final_logit_softcapping: Option<f64>,
    pub use_bidirectional_attention: Option<bool>,
    pub quantization_config: Option<Value>,
    pub eos_token_id: Option<Value>,
}

/// The widest head: the rotary tables of a wider one would take more memory than the models Seedbed is for.
const WIDEST_HEAD: usize = 1024;
/// More layers than any model has; beyond it a count is an attack or a mistake.
pub(super) const MOST_LAYERS: usize = 4096;

impl File {
    fn family(&self) -> Result<Family, ModelError> {
        let named = self.architectures.first();
        let Some(name) = named.or(self.model_type.as_ref()) else {
            return Ok(Family::Llama);
        };
        Family::ALL
            .into_iter()
            .find(|family| {
                let (architecture, kind) = family.names();
                name == if named.is_some() { architecture } else { kind }
            })
            .ok_or_else(|| ModelError::Architecture {
                found: name.clone(),
                known: Family::ALL.map(|family| family.names().0).join(", "),
            })
    }

    /// The one description of all families.
    pub fn into_config(self) -> Result<Config, ModelError> {
        let family = self.family()?;
        let gemma = family == Family::Gemma3;
        self.refuse_unsupported()?;
        let stated = |value: Option<usize>, name: &str| {
            value.ok_or_else(|| {
                ModelError::Config(format!(
                    "`{name}` is missing; take config.json from the model's own folder"
                ))
            })
        };
        let hidden_size = stated(self.hidden_size, "hidden_size")?;
        let num_hidden_layers = stated(self.num_hidden_layers, "num_hidden_layers")?;
        let num_attention_heads = stated(self.num_attention_heads, "num_attention_heads")?;
        if num_hidden_layers > MOST_LAYERS {
            return Err(ModelError::Config(format!(
                "num_hidden_layers is {num_hidden_layers}; it must lie between 1 and {MOST_LAYERS}"
            )));
        }
        let head_dim = match (self.head_dim, family) {
            (Some(size), _) => size,
            (None, Family::Qwen3) => 128,
            (None, Family::Gemma3) => 256,
            (None, _) => {
                let heads = num_attention_heads.max(1);
                if !hidden_size.is_multiple_of(heads) {
                    return Err(ModelError::Config(format!(
                        "hidden_size {hidden_size} is no multiple of {heads} attention heads; state head_dim"
                    )));
                }
                hidden_size / heads
            }
        };
        // Before a frequency is worked out for each pair of its elements.
        if head_dim > WIDEST_HEAD {
            return Err(ModelError::Config(format!(
                "head_dim is {head_dim}; it must be {WIDEST_HEAD} at most"
            )));
        }
        let max_position_embeddings = self.max_position_embeddings.unwrap_or(match family {
            Family::Llama => 2048,
            Family::Qwen2 | Family::Qwen3 => 32_768,
            Family::Gemma3 => 131_072,
        });
        let layer_window = self.windows(family, num_hidden_layers)?;
        let ropes = self.ropes(gemma, head_dim, max_position_embeddings)?;
        let layer_rope = layer_window
            .iter()
            .map(|window| usize::from(ropes.len() > 1 && window.is_some()))
            .collect();
        let scale = match self.query_pre_attn_scalar {
            Some(scalar) if gemma => scalar,
            None if gemma => 256.0,
            _ => head_dim as f64,
        };
        let config = Config {
            family,
            vocab_size: stated(self.vocab_size, "vocab_size")?,
            hidden_size,
            intermediate_size: stated(self.intermediate_size, "intermediate_size")?,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: self.num_key_value_heads.unwrap_or(num_attention_heads),
            head_dim,
            max_position_embeddings,
            rms_norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(gemma),
            qkv_bias: family == Family::Qwen2,
            qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
            norm_offset: if gemma { 1.0 } else { 0.0 },
            post_block_norms: gemma,
            embedding_scale: if gemma {
                (hidden_size as f32).sqrt()
            } else {
                1.0
            },
            attention_scale: scale.powf(-0.5) as f32,
            gate: self.gate(gemma)?,
            layer_window,
            layer_rope,
            ropes,
            eos: ids(self.eos_token_id.as_ref()),
        };
        config.check()?;
        Ok(config)
    }

    fn refuse_unsupported(&self) -> Result<(), ModelError> {
        let refused = |what: &str, remedy: &str| {
            Err(ModelError::Config(format!(
                "{what} is not supported; {remedy}"
            )))
        };
        if self.attention_bias || self.mlp_bias {
            return refused(
                "a bias on all projections (attention_bias, mlp_bias)",
                "choose a model without",
            );
        }
        if self.attn_logit_softcapping.is_some() || self.final_logit_softcapping.is_some() {
            return refused(
                "soft-capping of logits",
                "choose Gemma 3 rather than Gemma 2",
            );
        }
        if self.use_bidirectional_attention == Some(true) {
            return refused("bidirectional attention", "choose a model that writes text");
        }
        if let Some(method) = &self.quantization_config {
            let method = method["quant_method"]
                .as_str()
                .unwrap_or("quantization_config");
            return refused(
                &format!("the quantisation `{method}`"),
                "choose the unquantised checkpoint or a GGUF file",
            );
        }
        Ok(())
    }

    fn gate(&self, gemma: bool) -> Result<Gate, ModelError> {
        let stated = match gemma {
            true => self
                .hidden_activation
                .as_deref()
                .or(Some("gelu_pytorch_tanh")),
            false => self.hidden_act.as_deref(),
        };
        match stated.unwrap_or("silu") {
            "silu" => Ok(Gate::Silu),
            "gelu_pytorch_tanh" => Ok(Gate::GeluTanh),
            other => Err(ModelError::Config(format!(
                "hidden_act `{other}` is not supported; silu and gelu_pytorch_tanh are"
            ))),
        }
    }

    /// The window of each layer, by the family's pattern unless `layer_types` says it.
    fn windows(&self, family: Family, layers: usize) -> Result<Vec<Option<usize>>, ModelError> {
        let window = match family {
            Family::Llama => return Ok(vec![None; layers]),
            Family::Qwen2 | Family::Qwen3 => {
                let window = self.sliding_window.or(Some(4096));
                window.filter(|_| self.use_sliding_window)
            }
            Family::Gemma3 => self.sliding_window.or(Some(4096)),
        };
        if window == Some(0) {
            return Err(ModelError::Config(
                "sliding_window is 0; a token must see itself at least".into(),
            ));
        }
        let Some(types) = &self.layer_types else {
            let pattern = self.sliding_window_pattern.unwrap_or(6).max(1);
            let from = self.max_window_layers.unwrap_or(28);
            let slides = |layer: usize| match family {
                Family::Gemma3 => !(layer + 1).is_multiple_of(pattern),
                _ => layer >= from,
            };
            return Ok((0..layers)
                .map(|layer| window.filter(|_| slides(layer)))
                .collect());
        };
        if types.len() != layers {
            return Err(ModelError::Config(format!(
                "layer_types has {} entries for {layers} layers; it needs one for each",
                types.len()
            )));
        }
        types
            .iter()
            .map(|kind| match (kind.as_str(), window) {
                ("full_attention", _) => Ok(None),
                ("sliding_attention", Some(window)) => Ok(Some(window)),
                (other, _) => Err(ModelError::Config(format!(
                    "the layer type `{other}` is not supported here; full_attention is, and sliding_attention with a sliding_window"
                ))),
            })
            .collect()
    }

    /// The rotary positions: one for all layers, or with Gemma that of the layers that see everything and that of
    /// those that see a window.
    fn ropes(&self, gemma: bool, size: usize, context: usize) -> Result<Vec<Rope>, ModelError> {
        let global = match &self.rope_parameters {
            Some(parameters) => Some(parameters.full_attention.as_deref().unwrap_or(parameters)),
            None => self.rope_scaling.as_ref(),
        };
        let theta = |rule: Option<&RopeScaling>, stated: Option<f64>, default: f64| {
            let theta = rule
                .and_then(|rule| rule.rope_theta)
                .or(stated)
                .unwrap_or(default);
            if theta > 1.0 && theta.is_finite() {
                Ok(theta)
            } else {
                Err(ModelError::Config(format!(
                    "rope_theta is {theta}; it must be above 1"
                )))
            }
        };
        let base = if gemma { 1e6 } else { 1e4 };
        let mut rope = Rope::scaled(theta(global, self.rope_theta, base)?, size, global, context)?;
        if let Some(factors) = &self.rope_factors {
            if factors.len() != size / 2 || !factors.iter().all(|factor| *factor > 0.0) {
                return Err(ModelError::Config(format!(
                    "there are {} rotary factors where {} above zero are needed",
                    factors.len(),
                    size / 2
                )));
            }
            for (frequency, factor) in rope.inverse_frequencies.iter_mut().zip(factors) {
                *frequency /= f64::from(*factor);
            }
        }
        if !gemma {
            return Ok(vec![rope]);
        }
        let local = self
            .rope_parameters
            .as_ref()
            .and_then(|parameters| parameters.sliding_attention.as_deref());
        let theta = theta(local, self.rope_local_base_freq, 1e4)?;
        Ok(vec![rope, Rope::scaled(theta, size, local, context)?])
    }
}

/// Token ids where a file has one, several or none.
pub(super) fn ids(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(several)) => several.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    }
}
