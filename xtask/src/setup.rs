//! What a fresh machine needs before cargo can build and test for the browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{WASM, cargo};
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, step};

/// Sees to Rust's standard library for wasm: through rustup when it is missing.
pub fn wasm_target() -> Result<()> {
    let missing = step("looked for the wasm target", || {
        let sysroot = process::read(Command::new("rustc").args(["--print", "sysroot"]))
            .context("rustc is missing: install Rust from https://rustup.rs")?;
        let library = PathBuf::from(sysroot.trim())
            .join("lib/rustlib")
            .join(WASM)
            .join("lib");
        Ok(!library.is_dir())
    })?;
    if !missing {
        return Ok(());
    }
    if process::which("rustup").is_none() {
        bail!(
            "the target {WASM} is missing and there is no rustup: install Rust from https://rustup.rs, or your distribution's package of that target"
        );
    }
    long_step("adding the wasm target with rustup", || {
        process::run(Command::new("rustup").args(["target", "add", WASM]))
    })
}

/// Sees to a cargo subcommand that is a component of the toolchain (rustfmt, clippy).
pub fn component(paths: &Paths, subcommand: &str, component: &str) -> Result<()> {
    if process::read(cargo(paths).args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    if process::which("rustup").is_none() {
        bail!(
            "{component} is missing and there is no rustup: install your distribution's package of {component}"
        );
    }
    long_step(&format!("adding {component} with rustup"), || {
        process::run(Command::new("rustup").args(["component", "add", component]))
    })
}
