//! The pages that are measured: building them, serving them, and running one in a fresh browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Options;
use super::models::Bench;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::serve;
use crate::step::long_step;

/// Whose pages.
#[derive(Clone, Copy)]
pub enum Kind {
    /// The engine's.
    Seedbed,
    /// Those of the systems compared with.
    Peers,
}

/// Bundles pages with Vite into a folder of the benches; the product's `dist` stays as it is.
pub fn build(paths: &Paths, bench: &Bench, kind: Kind) -> Result<()> {
    let (folder, mode) = match kind {
        Kind::Seedbed => ("seedbed", "production"),
        Kind::Peers => ("peers", "peers"),
    };
    long_step(&format!("bundling the pages of {folder}"), || {
        process::run(
            node::local(paths, "vite")?
                .args(["build", "--config", "bench/vite.config.ts", "--mode", mode])
                .env("BENCH_OUT", bench.root.join(folder)),
        )
    })
}

/// Pages being served, and the browser to open them in.
pub struct Pages {
    server: serve::Server,
    chrome: PathBuf,
    flags: String,
    timeout: u64,
}

impl Pages {
    /// Serves the folder of the benches on this machine.
    pub fn serve(bench: &Bench, chrome: PathBuf, options: &Options) -> Result<Self> {
        Ok(Self {
            server: serve::start(serve::bind(0)?, &bench.root)?,
            chrome,
            flags: options.chrome_flags.clone(),
            timeout: options.timeout,
        })
    }

    /// What a page is asked to do; `www/bench/src/job.ts` has the meaning of each key.
    pub fn job(&self, model: &str, base: &str, device: &str, options: &Options) -> Value {
        json!({
            "model": model,
            "base": base,
            "device": device,
            "measures": options.only,
            "warmup": options.warmup,
            "samples": options.samples,
            "budget_ms": options.budget * 1000,
            "threads": 1,
        })
    }

    /// Runs a page's job in a browser of its own. A page that fails says so in its outcome.
    pub fn run(&self, paths: &Paths, page: &str, job: &Value) -> Result<Value> {
        let word = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let what = format!(
            "{page}: {} on {} {}",
            word("model"),
            word("device"),
            word("variant")
        );
        long_step(what.trim_end(), || {
            let text = process::read(
                Command::new("node")
                    .current_dir(&paths.www)
                    .arg("bench/drive.mjs")
                    .arg(format!("{}{page}", self.server.url()))
                    .arg(job.to_string())
                    .env("CHROME", &self.chrome)
                    .env("CHROME_FLAGS", &self.flags)
                    .env("TIMEOUT_S", self.timeout.to_string()),
            )?;
            let mut outcome: Value =
                serde_json::from_str(&text).context("www/bench/drive.mjs wrote no JSON")?;
            // What the page could not say itself, because it never came so far.
            for key in ["model", "device"] {
                if outcome[key].is_null() {
                    outcome[key] = job[key].clone();
                }
            }
            Ok(outcome)
        })
    }
}
