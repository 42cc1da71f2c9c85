//! The systems a user could take instead: which of them can be measured on which model, and doing it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::kept::Kept;
use super::models::Bench;
use super::pages::Pages;
use super::{Device, Options, cores, plan};
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

const PEERS: [Peer; 12] = [
    onnx(Device::Cpu, "fp32", "onnx/model.onnx"),
    onnx(Device::Cpu, "int8", "onnx/model_int8.onnx"),
    onnx(Device::Gpu, "fp32", "onnx/model.onnx"),
    onnx(Device::Gpu, "q4", "onnx/model_q4.onnx"),
    gguf(Device::Cpu, "f16", "gguf/model-f16.gguf", false),
    gguf(Device::Cpu, "q8_0", "gguf/model-q8_0.gguf", false),
    gguf(Device::Cpu, "q8_0", "gguf/model-q8_0.gguf", true),
    // Needs a GPU with shader-f16.
    gguf(Device::Gpu, "q4_0", "gguf/model-q4_0.gguf", false),
    trainer("jax-js", "jaxjs", Device::Cpu),
    trainer("jax-js", "jaxjs", Device::Gpu),
    trainer("TensorFlow.js", "tfjs", Device::Cpu),
    trainer("TensorFlow.js", "tfjs", Device::Gpu),
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
    /// Whether it is worth its time on a model: of the larger ones only the format that is fastest.
    fn suits(&self, model: &str) -> bool {
        match self.variant {
            // Without a graphics card it stays on the processor, and would be measured under a wrong name.
            Some("q4_0") => plan::has_graphics_card(),
            Some("f16") => model == "tiny-llama-1m",
            Some("fp32") => model != "smollm2-135m" || self.device == Device::Gpu,
            _ => true,
        }
    }

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

/// Where a peer's files of a model are: as given, else where they are served.
fn files_of(options: &Options, bench: &Bench) -> PathBuf {
    let served = bench.root.join("peer-models");
    options.peer_models.clone().unwrap_or(served)
}

/// Measures every system on a model that it has files of.
pub fn run(
    paths: &Paths,
    options: &Options,
    bench: &Bench,
    pages: &Pages,
    (model, device): (&str, Device),
    kept: &mut Kept,
) -> Result<()> {
    let served = bench.root.join("peer-models");
    let given = files_of(options, bench);
    let cores = cores();
    let wanted = options.measures(model, device, plan::Place::Browser);
    for peer in PEERS
        .iter()
        .filter(|peer| peer.device == device && peer.suits(model))
    {
        let measures: Vec<String> = (wanted.iter())
            .filter(|measure| peer.takes(measure))
            .cloned()
            .collect();
        // Loading alone is no work.
        if measures.iter().all(|measure| measure == "load") && options.only.is_empty() {
            continue;
        }
        if peer.threads && cores == 1 && peer.page == "wllama" {
            continue;
        }
        let threads = if peer.threads { cores } else { 1 };
        let name = device.of_peers();
        let mut run = json!({
            "system": peer.system, "where": "browser", "model": model, "device": name, "threads": threads,
        });
        if let Some(variant) = peer.variant {
            run["variant"] = json!(variant);
        }
        if kept.has(&run) {
            continue;
        }
        let base = match peer.file {
            None => format!("/models/{model}"),
            Some(file) => {
                if !given.join(model).join(file).is_file() {
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
        let job = pages.job(&run, &base, &measures, options);
        let page = format!("peers/peers/{}.html", peer.page);
        pages.run_into(&mut run, paths, &page, &job)?;
        kept.add(run)?;
    }
    Ok(())
}

/// Says in one line which models were not made for the peers that read their own formats.
pub fn say_what_is_missing(options: &Options, bench: &Bench) {
    let given = files_of(options, bench);
    let mut missing: Vec<String> = (options.models.iter())
        .flat_map(|model| {
            let peers = PEERS.iter().filter(|peer| {
                options.devices().contains(&peer.device)
                    && peer.suits(model)
                    && !options
                        .measures(model, peer.device, plan::Place::Browser)
                        .is_empty()
            });
            peers.filter_map(move |peer| Some(format!("{model}/{}", peer.file?)))
        })
        .filter(|file| !given.join(file).is_file())
        .collect();
    missing.sort();
    missing.dedup();
    if !missing.is_empty() {
        say(&format!(
            "left out, for {} lacks {}: make them with `python benches/peers/convert.py {}/* --out {}` \
             (benches/peers/README.md)",
            given.display(),
            missing.join(", "),
            bench.root.join("models").display(),
            given.display(),
        ));
    }
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
