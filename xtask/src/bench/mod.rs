//! `cargo xtask bench`: how fast the engine is at the desk and in a browser, and how fast others are at the same work.
//! Every pass is kept in one dated file, as soon as it is there; `benches/README.md` says how to read it.

mod aims;
mod kept;
mod models;
mod pages;
mod peers;
mod plan;
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
use kept::Kept;
use models::Bench;
use pages::Pages;

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

    /// All, the processor first: where time is short, its figures are what most visitors get.
    const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

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
    /// What to time; by default what a model of that size can do in the time there is
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where to compute; both unless told otherwise
    #[arg(long, value_enum, value_delimiter = ',')]
    device: Vec<Device>,
    /// Passes that count
    #[arg(long, default_value_t = 5)]
    samples: usize,
    /// Passes before those that count
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Seconds after which a measure begins no further pass
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    budget: u64,
    /// Seconds a page may take for all its measures of one model; what it has by then is kept
    #[arg(long, value_name = "SECONDS", default_value_t = 150)]
    timeout: u64,
    /// Minutes the measuring may take; what is left then is said, and `--resume` goes on with it
    #[arg(long, value_name = "MINUTES", default_value_t = 22)]
    within: u64,
    /// Go on with today's report: what it has is not measured again
    #[arg(long)]
    resume: bool,
    /// Measure the wasm modules and pages as they were built last
    #[arg(long)]
    built: bool,
    /// Measure nothing; write docs/performance.md from the newest report
    #[arg(long)]
    table: bool,
    /// More flags for the browser; where there is no graphics card WebGPU is played by the processor already
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    chrome_flags: String,
    /// Name of this machine in the report's file name
    #[arg(long = "where", value_name = "NAME")]
    place: Option<String>,
    /// Folder for the report
    #[arg(long, default_value = "benches/runs/bench")]
    out: PathBuf,
}

impl Options {
    fn devices(&self) -> &[Device] {
        match self.device.is_empty() {
            true => &Device::ALL,
            false => &self.device,
        }
    }

    /// What is timed of a model.
    fn measures(&self, model: &str, device: Device, place: plan::Place) -> Vec<String> {
        match self.only.is_empty() {
            true => plan::measures(model, device, place),
            false => self.only.clone(),
        }
    }
}

/// Measures what was asked for, prints the tables and writes the report and `docs/performance.md`.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    let folder = paths.root.join(&options.out);
    if options.table {
        return table(paths, &kept::newest(&folder)?);
    }
    let (native, in_browser) = match (options.native, options.browser, options.peers) {
        // Nothing asked for: all of ours.
        (false, false, false) => (true, true),
        (native, browser, _) => (native, browser),
    };
    let bench = Bench::new(&target_folder(paths)?)?;
    for model in &options.models {
        bench.provide(paths, model)?;
    }
    let mut kept = Kept::open(paths, options, head(paths, options))?;
    if native {
        at_the_desk(paths, options, &bench, &mut kept)?;
    }
    if in_browser || options.peers {
        node::set_up(paths)?;
        let chrome = browser::set_up()?.chrome;
        if in_browser && !options.built {
            setup::wasm_target()?;
            wasm::build(paths, &wasm::Options { optimise: false })?;
            pages::build(paths, &bench, pages::Kind::Seedbed)?;
        }
        if options.peers {
            peers::install(paths)?;
            if !options.built {
                pages::build(paths, &bench, pages::Kind::Peers)?;
            }
        }
        let pages = Pages::serve(&bench, chrome, options)?;
        // The time begins when all is built. One model after the other, so that ours and theirs are measured in the
        // same minutes.
        for device in options.devices() {
            for model in &options.models {
                if in_browser {
                    in_the_tab(paths, options, &pages, (model.as_str(), *device), &mut kept)?;
                }
                if options.peers {
                    let of = (model.as_str(), *device);
                    peers::run(paths, options, &bench, &pages, of, &mut kept)?;
                }
            }
        }
        if options.peers {
            peers::say_what_is_missing(options, &bench);
        }
    }
    let (text, report) = report::write(kept.report().clone());
    print(&text);
    say(&format!("every pass is in {}", kept.file().display()));
    table(paths, &report)
}

/// Writes the page of figures and aims.
fn table(paths: &Paths, report: &Value) -> Result<()> {
    let file = paths.root.join("docs/performance.md");
    files::write(&file, aims::page(report).as_bytes())?;
    say(&format!("the table is in {}", file.display()));
    Ok(())
}

/// What a report begins with.
fn head(paths: &Paths, options: &Options) -> Value {
    json!({
        "format": "seedbed-bench/2",
        "date": said(std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%MZ"])),
        "commit": said(
            std::process::Command::new("git")
                .current_dir(&paths.root)
                .args(["rev-parse", "--short", "HEAD"]),
        ),
        "machine": evaluate::machine(),
        "load_before": load_average(),
        "protocol": {
            "warmup": options.warmup,
            "samples": options.samples,
            "budget_s": options.budget,
            "chrome_flags": options.chrome_flags,
        },
        "runs": [],
    })
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

/// One process for each measure: what one leaves in memory, or breaks, is not the next one's.
fn at_the_desk(paths: &Paths, options: &Options, bench: &Bench, kept: &mut Kept) -> Result<()> {
    // A copy: what is measured stays the same, whatever is built meanwhile.
    // In a folder of its own: the engine's pages beside it have the same name.
    let folder = bench.root.join("bin");
    let command = folder.join(PROGRAM);
    if !options.built {
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
        let built = target_folder(paths)?.join("release").join(PROGRAM);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        files::copy(&built, &command)?;
    }
    for device in options.devices() {
        for model in &options.models {
            let measures = options.measures(model, *device, plan::Place::Native);
            let device = device.at_the_desk();
            let mut run = json!({
                "system": "seedbed", "where": "native", "model": model, "device": device, "measures": {},
            });
            if measures.is_empty() || kept.has(&run) {
                continue;
            }
            for measure in &measures {
                let outcome = long_step(&format!("{model}, {device}, {measure}"), || {
                    let text = process::read(
                        std::process::Command::new(&command)
                            .args(["bench", "--json", "--device", device, "--only", measure])
                            .arg("--model")
                            .arg(bench.model(model))
                            .args(["--dtype", plan::dtype(measure)])
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
                        for key in ["device_name", "parameters"] {
                            run[key] = said[key].take();
                        }
                    }
                    Err(error) => {
                        run["measures"][measure] = json!({"error": format!("{error:#}")});
                    }
                }
            }
            kept.add(run)?;
        }
    }
    Ok(())
}

fn in_the_tab(
    paths: &Paths,
    options: &Options,
    pages: &Pages,
    (model, device): (&str, Device),
    kept: &mut Kept,
) -> Result<()> {
    let name = device.in_the_tab();
    let cores = cores();
    for setup in plan::setups(model, device) {
        let mut measures = options.measures(model, device, plan::Place::Browser);
        if options.only.is_empty() {
            measures.retain(|measure| setup.takes(measure, device));
        }
        let threads = if setup.threads { cores } else { 1 };
        let mut run = json!({
            "system": "seedbed", "where": "browser", "model": model, "device": name,
            "variant": setup.dtype, "threads": threads,
        });
        if measures.is_empty() || kept.has(&run) {
            continue;
        }
        let job = pages.job(&run, &format!("/models/{model}"), &measures, options);
        pages.run_into(&mut run, paths, "seedbed/index.html", &job)?;
        kept.add(run)?;
    }
    Ok(())
}

/// Threads that a system gets which takes every core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The name of a model that is asked for but not known.
fn unknown_model<T>(name: &str) -> Result<T> {
    bail!("no model `{name}`; take tiny-llama-1m, llama-11m or smollm2-135m")
}
