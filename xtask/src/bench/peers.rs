//! The systems a user could take instead: which of them can be measured on which model, and doing it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::models::Bench;
use super::pages::Pages;
use super::{Device, Options};
use crate::files;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, say};

/// A system in one of its configurations.
struct Peer {
    system: &'static str,
    /// Its page below `www/bench/peers`.
    page: &'static str,
    device: Device,
    /// Its data type, where it reads files made for it.
    variant: Option<&'static str>,
    /// That file, below the model's folder.
    file: Option<&'static str>,
    /// Every core, else one, as the engine itself has in a tab.
    threads: bool,
}

const PEERS: [Peer; 11] = [
    onnx(Device::Cpu, "fp32", "onnx/model.onnx"),
    onnx(Device::Cpu, "int8", "onnx/model_int8.onnx"),
    onnx(Device::Gpu, "fp32", "onnx/model.onnx"),
    onnx(Device::Gpu, "q4", "onnx/model_q4.onnx"),
    gguf(Device::Cpu, "f16", "gguf/model-f16.gguf", false),
    gguf(Device::Cpu, "q8_0", "gguf/model-q8_0.gguf", false),
    gguf(Device::Cpu, "q8_0", "gguf/model-q8_0.gguf", true),
    // Needs a GPU with shader-f16; without one it silently stays on the processor.
    gguf(Device::Gpu, "q4_0", "gguf/model-q4_0.gguf", false),
    trainer("jax-js", "jaxjs", Device::Cpu),
    trainer("jax-js", "jaxjs", Device::Gpu),
    trainer("TensorFlow.js", "tfjs", Device::Cpu),
];

const fn onnx(device: Device, variant: &'static str, file: &'static str) -> Peer {
    Peer {
        system: "transformers.js",
        page: "transformersjs",
        device,
        variant: Some(variant),
        file: Some(file),
        threads: true,
    }
}

const fn gguf(device: Device, variant: &'static str, file: &'static str, threads: bool) -> Peer {
    Peer {
        system: "wllama",
        page: "wllama",
        device,
        variant: Some(variant),
        file: Some(file),
        threads,
    }
}

const fn trainer(system: &'static str, page: &'static str, device: Device) -> Peer {
    Peer {
        system,
        page,
        device,
        variant: None,
        file: None,
        threads: true,
    }
}

impl Peer {
    /// Whether it can do this at all: the ones train, the others write.
    fn takes(&self, measure: &str) -> bool {
        let trains = self.file.is_none();
        match measure {
            "load" => true,
            "sft-step" => trains,
            "dpo-step" => false,
            _ => !trains,
        }
    }
}

/// Installs the packages of `www/bench/package-lock.json`, which are none of the product's.
pub fn install(paths: &Paths) -> Result<()> {
    let folder = paths.www.join("bench");
    let wanted = files::fingerprint(&files::read(&folder.join("package-lock.json"))?);
    let stamp = folder.join("node_modules/.seedbed-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == wanted) {
        return Ok(());
    }
    long_step("npm ci in www/bench", || {
        process::run(node::npm(paths).current_dir(&folder).args([
            "ci",
            // One of them would download a library for Node, which no browser needs.
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]))
    })?;
    files::write(&stamp, wanted.as_bytes())
}

/// Measures every system on every model that it has files of; what is missing is said in one line.
pub fn run(
    paths: &Paths,
    options: &Options,
    bench: &Bench,
    pages: &Pages,
    runs: &mut Vec<Value>,
) -> Result<()> {
    let served = bench.root.join("peer-models");
    let given = options.peer_models.as_deref().unwrap_or(&served);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut missing = Vec::new();
    for model in &options.models {
        for peer in PEERS
            .iter()
            .filter(|peer| options.device.contains(&peer.device))
            .filter(|peer| options.only.iter().any(|measure| peer.takes(measure)))
        {
            if peer.threads && cores == 1 && peer.page == "wllama" {
                continue;
            }
            let base = match peer.file {
                None => format!("/models/{model}"),
                Some(file) => {
                    if !given.join(model).join(file).is_file() {
                        missing.push(format!("{model}/{file}"));
                        continue;
                    }
                    for file in ["config.json", "generation_config.json", file] {
                        place(
                            &given.join(model).join(file),
                            &served.join(model).join(file),
                        )?;
                    }
                    format!("/peer-models/{model}")
                }
            };
            let mut job = pages.job(model, &base, peer.device.of_peers(), options);
            job["threads"] = json!(if peer.threads { cores } else { 1 });
            if let Some(variant) = peer.variant {
                job["variant"] = json!(variant);
            }
            let page = format!("peers/peers/{}.html", peer.page);
            let mut run = pages.run(paths, &page, &job)?;
            run["system"] = json!(peer.system);
            run["where"] = json!("browser");
            run["variant"] = job["variant"].clone();
            run["threads"] = job["threads"].clone();
            runs.push(run);
        }
    }
    if !missing.is_empty() {
        missing.sort();
        missing.dedup();
        say(&format!(
            "left out, for {} lacks {}: make them with `python benches/peers/convert.py {}/* --out {}` \
             (benches/peers/README.md)",
            given.display(),
            missing.join(", "),
            bench.root.join("models").display(),
            given.display(),
        ));
    }
    Ok(())
}

/// Puts a file where it is served, without a second copy where that can be; none there is fine.
fn place(from: &Path, to: &Path) -> Result<()> {
    if from == to || !from.is_file() {
        return Ok(());
    }
    let _ = fs::remove_file(to);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::hard_link(from, to).or_else(|_| files::copy(from, to))
}
