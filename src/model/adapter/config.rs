//! What an adapter is: the projections it sits beside, its rank, PEFT's `adapter_config.json`.

use serde::{Deserialize, Serialize};

use crate::model::{Config, ModelError};

/// The projections of a decoder layer that an adapter can sit beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// `self_attn.q_proj`
    Query,
    /// `self_attn.k_proj`
    Key,
    /// `self_attn.v_proj`
    Value,
    /// `self_attn.o_proj`
    Output,
    /// `mlp.gate_proj`
    Gate,
    /// `mlp.up_proj`
    Up,
    /// `mlp.down_proj`
    Down,
}

impl Module {
    /// All of them, in the order of a layer.
    pub const ALL: [Self; 7] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// PEFT's name of the module, as in `target_modules`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// PEFT's name of the block the module stands in.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Query | Self::Key | Self::Value | Self::Output => "self_attn",
            Self::Gate | Self::Up | Self::Down => "mlp",
        }
    }

    /// Width of what goes in and of what comes out.
    pub fn sizes(self, config: &Config) -> (usize, usize) {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        match self {
            Self::Query => (hidden, config.query_size()),
            Self::Key | Self::Value => (hidden, config.kv_size()),
            Self::Output => (config.query_size(), hidden),
            Self::Gate | Self::Up => (hidden, inner),
            Self::Down => (inner, hidden),
        }
    }
}

/// PEFT's `adapter_config.json`, as far as it concerns plain LoRA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Always `LORA`.
    pub peft_type: String,
    /// `CAUSAL_LM`
    #[serde(default)]
    pub task_type: Option<String>,
    /// Hub name of the base model.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    /// Rank of the factors.
    pub r: usize,
    /// The side path is scaled by `lora_alpha / r`.
    pub lora_alpha: f64,
    /// Dropout while training; not used here.
    #[serde(default)]
    pub lora_dropout: f64,
    /// The modules that have a side path.
    pub target_modules: Vec<String>,
    /// `none`: biases are left alone.
    #[serde(default = "no_bias")]
    pub bias: String,
    /// Weights stored as `[in, out]`; never, in this family.
    #[serde(default)]
    pub fan_in_fan_out: bool,
    /// Whether the file is for running (it may still be trained on).
    #[serde(default)]
    pub inference_mode: bool,
    /// Scale by `lora_alpha / sqrt(r)` instead; not supported.
    #[serde(default)]
    pub use_rslora: bool,
    /// Weight-decomposed LoRA; not supported.
    #[serde(default)]
    pub use_dora: bool,
    /// Another `lora_alpha` for some modules; not supported.
    #[serde(default, skip_serializing)]
    pub alpha_pattern: serde_json::Value,
}

fn no_bias() -> String {
    "none".into()
}

impl LoraConfig {
    /// An adapter beside all seven projections.
    pub fn new(rank: usize, alpha: f64, base: Option<String>) -> Self {
        Self {
            peft_type: "LORA".into(),
            task_type: Some("CAUSAL_LM".into()),
            base_model_name_or_path: base,
            r: rank,
            lora_alpha: alpha,
            lora_dropout: 0.0,
            target_modules: Module::ALL
                .iter()
                .map(|module| module.name().to_owned())
                .collect(),
            bias: no_bias(),
            fan_in_fan_out: false,
            inference_mode: true,
            use_rslora: false,
            use_dora: false,
            alpha_pattern: serde_json::Value::Null,
        }
    }

    /// Reads `adapter_config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Adapter`] when it is broken, or of an adapter that is not supported.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Adapter(format!("adapter_config.json: {error}")))?;
        config.check()?;
        Ok(config)
    }

    /// The modules named, in the order of a layer, without repeats.
    ///
    /// # Errors
    ///
    /// [`ModelError::Adapter`] for settings that are not supported.
    pub fn modules(&self) -> Result<Vec<Module>, ModelError> {
        self.check()
    }

    pub(super) fn check(&self) -> Result<Vec<Module>, ModelError> {
        let refuse = |why: String| Err(ModelError::Adapter(why));
        if self.peft_type != "LORA" {
            return refuse(format!(
                "peft_type `{}` is not supported; only LORA is",
                self.peft_type
            ));
        }
        if self.r == 0 || self.r > 1024 {
            return refuse(format!("rank {} is out of range; use 1 to 1024", self.r));
        }
        if self.use_dora || self.use_rslora || self.fan_in_fan_out || self.bias != "none" {
            return refuse("use_dora, use_rslora, fan_in_fan_out and bias are not supported; train a plain LoRA".into());
        }
        let patterns = self.alpha_pattern.as_object();
        if patterns.is_some_and(|patterns| !patterns.is_empty()) {
            return refuse(
                "alpha_pattern is not supported; train with one lora_alpha for all modules".into(),
            );
        }
        if !self.lora_alpha.is_finite() {
            return refuse(format!(
                "lora_alpha is {}; it must be a number",
                self.lora_alpha
            ));
        }
        let mut modules = Vec::new();
        for name in &self.target_modules {
            match Module::ALL.iter().find(|module| module.name() == name) {
                Some(module) => modules.push(*module),
                None => {
                    return refuse(format!(
                        "target module `{name}` is not known; known are {}",
                        Module::ALL.map(Module::name).join(", ")
                    ));
                }
            }
        }
        modules.sort();
        modules.dedup();
        if modules.is_empty() {
            return refuse("target_modules is empty; name at least one projection".into());
        }
        Ok(modules)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIELDS: &str =
        r#""peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj","v_proj"]"#;

    #[test]
    fn a_plain_adapter_is_read_and_what_it_leaves_out_is_the_usual() {
        let config = LoraConfig::from_json(format!("{{{FIELDS}}}").as_bytes()).unwrap();
        assert_eq!(config.modules(), Ok(vec![Module::Query, Module::Value]));
        assert_eq!(config.bias, "none");
    }

    #[test]
    fn adapters_of_other_kinds_are_refused_by_what_they_ask_for() {
        for (from, to, word) in [
            ("LORA", "IA3", "IA3"),
            (r#""r":4"#, r#""r":0"#, "rank 0"),
            (r#""r":4"#, r#""r":4,"use_dora":true"#, "use_dora"),
            (r#""r":4"#, r#""r":4,"bias":"all""#, "bias"),
            (
                r#""r":4"#,
                r#""r":4,"alpha_pattern":{"q_proj":1}"#,
                "alpha_pattern",
            ),
            ("v_proj", "lm_head", "lm_head"),
            (r#""q_proj","v_proj""#, "", "target_modules"),
        ] {
            let text = format!("{{{}}}", FIELDS.replacen(from, to, 1));
            let error = LoraConfig::from_json(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
