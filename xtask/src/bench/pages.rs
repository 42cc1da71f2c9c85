//! The pages that are measured: building them, serving them, and running one in a fresh browser.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::models::Bench;
use super::{Options, plan};
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
    timeout: Duration,
    /// When the measuring is to be over.
    end: Instant,
}

impl Pages {
    /// Serves the folder of the benches on this machine.
    pub fn serve(bench: &Bench, chrome: PathBuf, options: &Options) -> Result<Self> {
        let mut flags = options.chrome_flags.clone();
        if !plan::has_graphics_card() && !flags.contains("--use-webgpu-adapter") {
            flags.push_str(" --use-webgpu-adapter=swiftshader");
        }
        Ok(Self {
            server: serve::start(serve::bind(0)?, &bench.root)?,
            chrome,
            flags,
            timeout: Duration::from_secs(options.timeout),
            end: Instant::now() + Duration::from_secs(60 * options.within),
        })
    }

    /// What a page is asked to do for a run; `www/bench/src/job.ts` has the meaning of each key.
    pub fn job(&self, run: &Value, base: &str, measures: &[String], options: &Options) -> Value {
        json!({
            "model": run["model"],
            "base": base,
            "device": run["device"],
            "variant": run["variant"],
            "threads": run["threads"],
            "measures": measures,
            "warmup": options.warmup,
            "samples": options.samples,
            "budget_ms": options.budget * 1000,
        })
    }

    /// Runs a page's job in a browser of its own and puts what came of it into `run`. A page that fails says so in its
    /// outcome; where the time is up, the outcome says that.
    pub fn run_into(&self, run: &mut Value, paths: &Paths, page: &str, job: &Value) -> Result<()> {
        /// A browser is not worth starting for less.
        const LEAST: Duration = Duration::from_secs(15);
        let left = self.end.saturating_duration_since(Instant::now());
        if left < LEAST {
            run["error"] = json!("not measured: the time was up; go on with --resume");
            return Ok(());
        }
        let word = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let what = format!(
            "{page}: {} on {} {}",
            word("model"),
            word("device"),
            word("variant")
        );
        let outcome = long_step(what.trim_end(), || {
            let text = process::read(
                Command::new("node")
                    .current_dir(&paths.www)
                    .arg("bench/drive.mjs")
                    .arg(format!("{}{page}", self.server.url()))
                    .arg(job.to_string())
                    .env("CHROME", &self.chrome)
                    .env("CHROME_FLAGS", &self.flags)
                    .env("TIMEOUT_S", self.timeout.min(left).as_secs().to_string()),
            )?;
            serde_json::from_str::<Value>(&text).context("www/bench/drive.mjs wrote no JSON")
        })?;
        // What tells the run from others stays as it was asked for.
        for (key, value) in outcome.as_object().into_iter().flatten() {
            if run[key].is_null() {
                run[key] = value.clone();
            }
        }
        if run["device"] != outcome["device"] {
            run["opened"] = outcome["device"].clone();
        }
        Ok(())
    }
}
