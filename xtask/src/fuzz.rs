//! `cargo xtask fuzz`: damaged files for the readers of models and tasks, for as long as one likes.

use anyhow::Result;

use crate::cargo;
use crate::paths::Paths;
use crate::process;

/// For how long, and which reader.
#[derive(clap::Args)]
pub struct Options {
    /// For how long; the readers take turns of a minute
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// This reader only: adapter, chat, config, gguf, model, safetensors, task or tokenizer
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
}

/// Runs the test `fuzz` with time to look around. Whether there was no finding.
pub fn run(paths: &Paths, options: &Options) -> Result<bool> {
    let mut command = cargo::cargo(paths);
    command
        .args([
            "test",
            "--release",
            "--package",
            "seedbed",
            "--test",
            "fuzz",
        ])
        .args(["--", "--nocapture", "changed_files"])
        .env("SEEDBED_FUZZ_SECONDS", options.seconds.to_string());
    if let Some(reader) = &options.reader {
        command.env("SEEDBED_FUZZ_READER", reader);
    }
    process::stream(&mut command, |_| ())
}
