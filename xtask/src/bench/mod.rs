//! `cargo xtask bench`: how fast the engine is at the desk and in a browser, and how fast others are at the same work.
//! Every pass is kept in one dated file; `benches/README.md` says how to read it.

mod models;
mod pages;
mod peers;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::browser;
use crate::cargo::{cargo, target_folder};
use crate::evaluate;
use crate::files;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::setup;
use crate::step::{long_step, say};
use crate::wasm;
use models::Bench;
use pages::Pages;

/// What every run measures, unless told otherwise. The engine knows their meaning (`src/bench.rs`).
const MEASURES: &str = "load,prefill,decode-1,decode-8,decode-64,instances,sft-step,dpo-step";

/// The command, as its file is called.
const PROGRAM: &str = if cfg!(windows) {
    "seedbed.exe"
} else {
    "seedbed"
};

/// Where the work is done.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Device {
    /// The processor; wasm in a browser
    Cpu,
    /// The graphics card; WebGPU in a browser
    Gpu,
}

impl Device {
    /// As `seedbed --device` calls it.
    fn at_the_desk(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    /// As the page of the engine calls it.
    fn in_the_tab(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "webgpu",
        }
    }

    /// As the systems compared with call it.
    fn of_peers(self) -> &'static str {
        match self {
            Self::Cpu => "wasm",
            Self::Gpu => "webgpu",
        }
    }
}

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Measure the command at the desk
    #[arg(long)]
    native: bool,
    /// Measure the engine in headless Chromium
    #[arg(long)]
    browser: bool,
    /// Measure other systems in headless Chromium, and compare
    #[arg(long)]
    peers: bool,
    /// Folder of the models that transformers.js and wllama read, made by benches/peers/convert.py
    #[arg(long, value_name = "DIR")]
    peer_models: Option<PathBuf>,
    /// Models: tiny-llama-1m is in the repository, the others are made with random weights
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "tiny-llama-1m,llama-11m,smollm2-135m"
    )]
    models: Vec<String>,
    /// What to time
    #[arg(long, value_delimiter = ',', default_value = MEASURES)]
    only: Vec<String>,
    /// Where to compute
    #[arg(long, value_enum, value_delimiter = ',', default_value = "cpu")]
    device: Vec<Device>,
    /// Passes that count
    #[arg(long, default_value_t = 5)]
    samples: usize,
    /// Passes before those that count
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Seconds after which a measure begins no further pass
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    budget: u64,
    /// Seconds a page may take for all its measures of one model
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    timeout: u64,
    /// More flags for the browser, such as --use-webgpu-adapter=swiftshader
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    chrome_flags: String,
    /// Name of this machine in the report's file name
    #[arg(long = "where", value_name = "NAME")]
    place: Option<String>,
    /// Folder for the report
    #[arg(long, default_value = "benches/runs/bench")]
    out: PathBuf,
}

/// Measures what was asked for, prints the tables and writes the report.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    let (native, in_browser) = match (options.native, options.browser, options.peers) {
        // Nothing asked for: all of ours.
        (false, false, false) => (true, true),
        (native, browser, _) => (native, browser),
    };
    let load = load_average();
    let bench = Bench::new(&target_folder(paths)?)?;
    for model in &options.models {
        bench.provide(paths, model)?;
    }
    let mut runs = Vec::new();
    if native {
        at_the_desk(paths, options, &bench, &mut runs)?;
    }
    if in_browser || options.peers {
        node::set_up(paths)?;
        let chrome = browser::set_up()?.chrome;
        let pages = Pages::serve(&bench, chrome, options)?;
        if in_browser {
            setup::wasm_target()?;
            wasm::build(paths, &wasm::Options { optimise: false })?;
            pages::build(paths, &bench, pages::Kind::Seedbed)?;
            in_the_tab(paths, options, &pages, &mut runs)?;
        }
        if options.peers {
            peers::install(paths)?;
            pages::build(paths, &bench, pages::Kind::Peers)?;
            peers::run(paths, options, &bench, &pages, &mut runs)?;
        }
    }
    let (text, report) = report::write(json!({
        "format": "seedbed-bench/1",
        "date": said(std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%MZ"])),
        "commit": said(
            std::process::Command::new("git")
                .current_dir(&paths.root)
                .args(["rev-parse", "--short", "HEAD"]),
        ),
        "machine": evaluate::machine(),
        "load_before": load,
        "protocol": {
            "warmup": options.warmup,
            "samples": options.samples,
            "budget_s": options.budget,
            "chrome_flags": options.chrome_flags,
        },
        "runs": runs,
    }));
    let file = paths.root.join(&options.out).join(name(&report, options));
    files::write(
        &file,
        format!("{}\n", serde_json::to_string_pretty(&report)?).as_bytes(),
    )?;
    print(&text);
    say(&format!("every pass is in {}", file.display()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the tables are the result")]
fn print(text: &str) {
    println!("{text}");
}

fn said(command: &mut std::process::Command) -> String {
    process::read(command).unwrap_or_default().trim().to_owned()
}

/// How many programs wanted the processor in the last minute, where the system says so. Figures of a busy machine are
/// those of its other programs too.
fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// `2026-11-20-linux-2-cores.json`
fn name(report: &Value, options: &Options) -> String {
    let date = report["date"].as_str().unwrap_or_default();
    let day = date.split('T').next().unwrap_or_default();
    let machine = &report["machine"];
    let place = options.place.clone().unwrap_or_else(|| {
        format!(
            "{}-{}-cores",
            machine["system"].as_str().unwrap_or("somewhere"),
            machine["cores"]
        )
    });
    format!("{day}-{place}.json")
}

/// One process for each measure: what one leaves in memory, or breaks, is not the next one's.
fn at_the_desk(
    paths: &Paths,
    options: &Options,
    bench: &Bench,
    runs: &mut Vec<Value>,
) -> Result<()> {
    long_step("building the command", || {
        process::run(cargo(paths).args([
            "build",
            "--release",
            "--package",
            "seedbed",
            "--bin",
            "seedbed",
        ]))
    })?;
    // A copy: what is measured stays the same, whatever is built meanwhile.
    let built = target_folder(paths)?.join("release").join(PROGRAM);
    let command = bench.root.join(PROGRAM);
    files::copy(&built, &command)?;
    for model in &options.models {
        for device in &options.device {
            let device = device.at_the_desk();
            let mut run =
                json!({"system": "seedbed", "where": "native", "model": model, "measures": {}});
            for measure in &options.only {
                let outcome = long_step(&format!("{model}, {device}, {measure}"), || {
                    let text = process::read(
                        std::process::Command::new(&command)
                            .args(["bench", "--json", "--device", device, "--only", measure])
                            .arg("--model")
                            .arg(bench.model(model))
                            .args(["--samples", &options.samples.to_string()])
                            .args(["--warmup", &options.warmup.to_string()])
                            .args(["--budget", &options.budget.to_string()]),
                    )?;
                    serde_json::from_str::<Value>(&text)
                        .context("`seedbed bench --json` wrote no JSON")
                });
                match outcome {
                    Ok(mut said) => {
                        run["measures"][measure] = said["measures"][measure].take();
                        for key in ["device", "device_name", "parameters"] {
                            run[key] = said[key].take();
                        }
                    }
                    Err(error) => {
                        run["device"] = json!(device);
                        run["measures"][measure] = json!({"error": format!("{error:#}")});
                    }
                }
            }
            runs.push(run);
        }
    }
    Ok(())
}

fn in_the_tab(
    paths: &Paths,
    options: &Options,
    pages: &Pages,
    runs: &mut Vec<Value>,
) -> Result<()> {
    for model in &options.models {
        for device in &options.device {
            let job = pages.job(
                model,
                &format!("/models/{model}"),
                device.in_the_tab(),
                options,
            );
            let mut run = pages.run(paths, "seedbed/index.html", &job)?;
            run["system"] = json!("seedbed");
            run["where"] = json!("browser");
            runs.push(run);
        }
    }
    Ok(())
}

/// The name of a model that is asked for but not known.
fn unknown_model<T>(name: &str) -> Result<T> {
    bail!("no model `{name}`; take tiny-llama-1m, llama-11m or smollm2-135m")
}
