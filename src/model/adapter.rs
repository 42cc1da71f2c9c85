//! LoRA adapters (arXiv 2106.09685): low-rank side paths beside the frozen projections, read and written as PEFT does.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, View};
use serde::{Deserialize, Serialize};

use super::{Config, ModelError, Weights};
use crate::kernels;

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

    fn path(self) -> &'static str {
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
        }
    }

    fn check(&self) -> Result<Vec<Module>, ModelError> {
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

/// The factors of an adapter: for every layer and module `a [in, r]` and `b [r, out]`, `y = xW + s·(xa)b`.
#[derive(Clone)]
pub struct Adapter {
    config: LoraConfig,
    scale: f64,
    names: Vec<String>,
    /// `a` and `b` of each place in turn.
    factors: Vec<Tensor<2>>,
    places: HashMap<(usize, Module), usize>,
}

impl Adapter {
    /// A fresh adapter: `a` uniform in ±1/√in (PEFT's Kaiming start), `b` zero, so that it changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`ModelError::Adapter`] for settings that are not supported.
    pub fn new(
        config: LoraConfig,
        model: &Config,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self::build(config, model, device, |_, input, output, rank, first| {
            Ok(if first {
                let bound = 1.0 / (input as f32).sqrt();
                (0..input * rank)
                    .map(|_| (rng.f32() * 2.0 - 1.0) * bound)
                    .collect()
            } else {
                vec![0.0; rank * output]
            })
        })
    }

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
        let config: LoraConfig = serde_json::from_slice(config)
            .map_err(|error| ModelError::Adapter(format!("adapter_config.json: {error}")))?;
        let weights = Weights::parse(weights)?;
        let adapter = Self::build(config, model, device, |name, input, output, rank, first| {
            // PEFT stores both factors as `[out, in]` of their own linear layer.
            let (rows, columns) = if first { (rank, input) } else { (output, rank) };
            let values = weights.values(name, &[rows, columns])?;
            Ok(transpose(&values, rows, columns))
        })?;
        let known: std::collections::HashSet<&str> =
            adapter.names.iter().map(String::as_str).collect();
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

    fn build(
        config: LoraConfig,
        model: &Config,
        device: &Device,
        mut values: impl FnMut(&str, usize, usize, usize, bool) -> Result<Vec<f32>, ModelError>,
    ) -> Result<Self, ModelError> {
        let modules = config.check()?;
        let rank = config.r;
        let (mut names, mut factors, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        for layer in 0..model.num_hidden_layers {
            for &module in &modules {
                let (input, output) = module.sizes(model);
                let stem = format!(
                    "base_model.model.model.layers.{layer}.{}.{}",
                    module.path(),
                    module.name()
                );
                places.insert((layer, module), factors.len());
                for (first, shape) in [(true, [input, rank]), (false, [rank, output])] {
                    let name = format!("{stem}.lora_{}.weight", if first { "A" } else { "B" });
                    let data = TensorData::new(values(&name, input, output, rank, first)?, shape);
                    factors.push(Tensor::from_data(data, device));
                    names.push(name);
                }
            }
        }
        Ok(Self {
            scale: config.lora_alpha / rank as f64,
            config,
            names,
            factors,
            places,
        })
    }

    /// PEFT's names of the factors, in the order of [`Adapter::factors`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The factors: `a [in, r]` and `b [r, out]` of each place in turn.
    pub fn factors(&self) -> &[Tensor<2>] {
        &self.factors
    }

    /// The settings.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// The same adapter with other factors (tracked ones for training, new ones after a step).
    pub fn with_factors(&self, factors: Vec<Tensor<2>>) -> Self {
        debug_assert_eq!(factors.len(), self.factors.len());
        Self {
            factors,
            ..self.clone()
        }
    }

    /// Numbers that are trained.
    pub fn parameters(&self) -> usize {
        self.factors
            .iter()
            .map(|factor| factor.dims().iter().product::<usize>())
            .sum()
    }

    /// `base + s·(xa)b` where the adapter has a side path, else `base`.
    pub(super) fn add(
        adapter: Option<&Self>,
        layer: usize,
        module: Module,
        x: &Tensor<2>,
        base: Tensor<2>,
    ) -> Tensor<2> {
        let Some(adapter) = adapter else { return base };
        let Some(&place) = adapter.places.get(&(layer, module)) else {
            return base;
        };
        let (a, b) = (
            adapter.factors[place].clone(),
            adapter.factors[place + 1].clone(),
        );
        base + kernels::product(kernels::product(x.clone(), a) * adapter.scale, b)
    }

    /// The files of a PEFT directory: `adapter_config.json` and `adapter_model.safetensors` (f32).
    ///
    /// # Errors
    ///
    /// [`crate::Error`] when the device does not give the factors back.
    pub async fn to_peft(&self) -> Result<(String, Vec<u8>), crate::Error> {
        let mut tensors = Vec::with_capacity(self.factors.len());
        for (name, factor) in self.names.iter().zip(&self.factors) {
            let [rows, columns] = factor.dims();
            let values = kernels::read(factor.clone()).await?;
            let data: Vec<u8> = transpose(&values, rows, columns)
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            tensors.push((
                name.clone(),
                Factor {
                    shape: [columns, rows],
                    data,
                },
            ));
        }
        // PEFT and transformers look for this mark.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let weights = safetensors::serialize(tensors, Some(metadata))
            .map_err(|error| ModelError::Adapter(error.to_string()))?;
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|error| ModelError::Adapter(error.to_string()))?;
        Ok((config, weights))
    }
}

struct Factor {
    shape: [usize; 2],
    data: Vec<u8>,
}

impl View for Factor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.data.as_slice().into()
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate().take(rows) {
        for (column, value) in line.iter().enumerate() {
            turned[column * rows + row] = *value;
        }
    }
    turned
}
