//! The npm package `seedbed`: `pkg/dist`, and the tarball that `npm publish` would send.

use std::process::Command;

use anyhow::Result;

use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::setup;
use crate::step::{long_step, step};
use crate::wasm;

/// From a fresh machine to `pkg/seedbed-VERSION.tgz`.
pub fn everything(paths: &Paths, options: &wasm::Options) -> Result<()> {
    setup::wasm_target()?;
    node::set_up(paths)?;
    wasm::build(paths, options)?;
    build(paths)
}

/// Makes the package of the modules that are built.
pub fn build(paths: &Paths) -> Result<()> {
    long_step("making the package", || {
        process::run(
            Command::new("node")
                .arg("build.mjs")
                .current_dir(&paths.pkg),
        )
    })?;
    step("packed it", || {
        process::run(
            node::npm(paths)
                .args(["pack", "--loglevel=error"])
                .current_dir(&paths.pkg),
        )
    })
}
