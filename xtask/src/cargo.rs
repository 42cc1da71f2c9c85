//! Calling cargo from a program that cargo runs. Calls go one after another: two at once would only wait for each
//! other's lock.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::process;

/// The target of the browser builds.
pub const WASM: &str = "wasm32-unknown-unknown";

/// One of the two wasm modules: a feature of the package.
#[derive(Clone, Copy)]
pub enum Flavour {
    /// Runs everywhere.
    Cpu,
    /// Needs WebGPU.
    Gpu,
}

impl Flavour {
    /// Both, the small one first.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    /// The cargo feature, which is also the folder's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// Crates that the small module carries for reading text only, never in a loop of the arithmetic: there they are built for size.
/// At the desk and in the large module, where a tenth of a megabyte is nothing, they are left alone: much is built on them.
const SMALL: [&str; 8] = [
    "aho-corasick",
    "daachorse",
    "regex",
    "regex-automata",
    "regex-syntax",
    "safetensors",
    "serde-wasm-bindgen",
    "serde_json",
];

/// A cargo call in the repository.
pub fn cargo(paths: &Paths) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&paths.root);
    // `cargo run` leaves the variables of the package xtask behind. Some build scripts watch them, and would compile
    // again whenever a person calls cargo without xtask in between.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// A cargo call for one wasm module: `subcommand`, then what chooses target and features.
pub fn wasm_cargo(paths: &Paths, subcommand: &str, flavour: Flavour) -> Command {
    let mut command = cargo(paths);
    command.args([subcommand, "--release", "--package", "seedbed"]);
    command.args([
        "--target",
        WASM,
        "--no-default-features",
        "--features",
        flavour.name(),
    ]);
    if matches!(flavour, Flavour::Cpu) {
        for name in SMALL {
            for setting in ["opt-level=\"z\"", "codegen-units=1"] {
                let setting = format!("profile.release.package.{name}.{setting}");
                command.args(["--config", &setting]);
            }
        }
    }
    // Flags from the environment are meant for the desk, and would silently replace those of `.cargo/config.toml`,
    // without which the module has no SIMD.
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// Where cargo puts what it builds.
pub fn target_folder(paths: &Paths) -> Result<PathBuf> {
    let text =
        process::read(cargo(paths).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("`cargo metadata` wrote something that is not JSON")?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("`cargo metadata` names no target_directory")?;
    Ok(PathBuf::from(folder))
}
