//! The models of the benches: the fixture of the repository, and two shapes with random weights. Speed does not depend
//! on what weights are, and files this large belong in no repository.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::unknown_model;
use crate::files;
use crate::paths::Paths;
use crate::step::step;

/// Where its tokenizer is taken from too.
const FIXTURE: &str = "tests/fixtures/tiny-llama-1m";

/// A Llama with tied embeddings.
struct Shape {
    name: &'static str,
    vocabulary: usize,
    hidden: usize,
    intermediate: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    head: usize,
    theta: f64,
    /// 16 bits a weight, else 32.
    half: bool,
}

const SHAPES: [Shape; 2] = [
    Shape {
        name: "llama-11m",
        vocabulary: 8192,
        hidden: 320,
        intermediate: 864,
        layers: 8,
        heads: 10,
        kv_heads: 2,
        head: 32,
        theta: 1e4,
        half: false,
    },
    Shape {
        name: "smollm2-135m",
        vocabulary: 49_152,
        hidden: 576,
        intermediate: 1536,
        layers: 30,
        heads: 9,
        kv_heads: 3,
        head: 64,
        theta: 1e5,
        half: true,
    },
];

/// The folder everything of the benches lies in, which is also what is served.
pub struct Bench {
    /// In cargo's target folder.
    pub root: PathBuf,
}

impl Bench {
    /// Below cargo's target folder.
    pub fn new(target: &Path) -> Result<Self> {
        let root = target.join("xtask/bench");
        // What is served has a first page.
        files::write(
            &root.join("index.html"),
            b"<!doctype html><title>Benches</title>",
        )?;
        Ok(Self { root })
    }

    /// The folder of a model.
    pub fn model(&self, name: &str) -> PathBuf {
        self.root.join("models").join(name)
    }

    /// Copies or makes a model, unless it is there.
    pub fn provide(&self, paths: &Paths, name: &str) -> Result<()> {
        let folder = self.model(name);
        let fixture = paths.root.join(FIXTURE);
        if fixture.file_name().is_some_and(|fixture| fixture == name) {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            for file in [
                "config.json",
                "generation_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "model.safetensors",
            ] {
                files::copy(&fixture.join(file), &folder.join(file))?;
            }
            return Ok(());
        }
        let Some(shape) = SHAPES.iter().find(|shape| shape.name == name) else {
            return unknown_model(name);
        };
        // Written last, so that it is there when all is.
        let config = folder.join("config.json");
        if config.is_file() {
            return Ok(());
        }
        step(&format!("made {name} with random weights"), || {
            files::write(
                &folder.join("tokenizer.json"),
                &files::read(&fixture.join("tokenizer.json"))?,
            )?;
            let file = folder.join("model.safetensors");
            File::create(&file)
                .and_then(|file| shape.write(&mut BufWriter::new(file)))
                .with_context(|| format!("cannot write {}", file.display()))?;
            files::write(&config, shape.config().to_string().as_bytes())
        })
    }
}

impl Shape {
    fn config(&self) -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head,
            "rope_theta": self.theta,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 2048,
            "hidden_act": "silu",
            "attention_bias": false,
            "mlp_bias": false,
            "tie_word_embeddings": true,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 2,
            "torch_dtype": if self.half { "float16" } else { "float32" },
        })
    }

    /// Every tensor's name and shape, in the order of the file.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (query, kv) = (self.heads * self.head, self.kv_heads * self.head);
        let mut tensors = vec![(
            "model.embed_tokens.weight".to_owned(),
            vec![self.vocabulary, self.hidden],
        )];
        for layer in 0..self.layers {
            let parts = [
                ("input_layernorm", vec![self.hidden]),
                ("self_attn.q_proj", vec![query, self.hidden]),
                ("self_attn.k_proj", vec![kv, self.hidden]),
                ("self_attn.v_proj", vec![kv, self.hidden]),
                ("self_attn.o_proj", vec![self.hidden, query]),
                ("post_attention_layernorm", vec![self.hidden]),
                ("mlp.gate_proj", vec![self.intermediate, self.hidden]),
                ("mlp.up_proj", vec![self.intermediate, self.hidden]),
                ("mlp.down_proj", vec![self.hidden, self.intermediate]),
            ];
            tensors.extend(
                parts.map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape)),
            );
        }
        tensors.push(("model.norm.weight".to_owned(), vec![self.hidden]));
        tensors
    }

    /// A safetensors file: the length of the header, the header, the tensors.
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let width = if self.half { 2 } else { 4 };
        let (mut header, mut end) = (Map::new(), 0);
        for (name, shape) in self.tensors() {
            let begin = end;
            end += shape.iter().product::<usize>() * width;
            let dtype = if self.half { "F16" } else { "F32" };
            let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]});
            header.insert(name, entry);
        }
        let mut header = Value::Object(header).to_string();
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        let mut random = Random(1234);
        for (_, shape) in self.tensors() {
            for _ in 0..shape.iter().product() {
                // Norms are one, as every model begins.
                let value = if shape.len() == 1 {
                    1.0
                } else {
                    random.weight()
                };
                if self.half {
                    out.write_all(&half(value).to_le_bytes())?;
                } else {
                    out.write_all(&value.to_le_bytes())?;
                }
            }
        }
        out.flush()
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same weights everywhere.
struct Random(u64);

impl Random {
    /// Uniform with the deviation 0.02 that transformers starts models with.
    fn weight(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32;
        (2.0 * unit - 1.0) * 0.02 * 3f32.sqrt()
    }
}

/// The 16-bit float below a number of usual size; nearly nothing becomes nothing.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let rest = bits & 0x7FFF_FFFF;
    // The exponent's bias is 127 there and 15 here.
    let rest = rest.checked_sub(112 << 23).map_or(0, |rest| rest >> 13);
    (sign | rest) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_numbers_they_stand_for() {
        assert_eq!(half(1.0), 0x3C00);
        assert_eq!(half(-0.5), 0xB800);
        assert_eq!(half(0.0), 0);
        assert_eq!(half(1e-9), 0);
    }

    #[test]
    fn a_file_is_as_long_as_its_header_says() {
        let shape = Shape {
            name: "small",
            vocabulary: 16,
            hidden: 8,
            intermediate: 12,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head: 4,
            theta: 1e4,
            half: true,
        };
        let mut file = Vec::new();
        shape.write(&mut file).expect("written");
        let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        let header: Value = serde_json::from_slice(&file[8..8 + length]).expect("JSON");
        let end = header["model.norm.weight"]["data_offsets"][1].as_u64();
        assert_eq!(end, Some((file.len() - 8 - length) as u64));
        // Embedding 128; a layer 2 × 64 + 2 × 32 + 3 × 96 + 2 × 8; last norm 8.
        assert_eq!(end, Some(2 * (128 + 2 * 496 + 8)));
    }

    #[test]
    fn the_shapes_have_the_sizes_of_their_names() {
        let count = |shape: &Shape| -> usize {
            shape
                .tensors()
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>())
                .sum()
        };
        assert_eq!(SHAPES.each_ref().map(count), [11_228_480, 134_515_008]);
    }
}
