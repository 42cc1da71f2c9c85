//! The two wasm modules of the package, with their JavaScript: `www/wasm/cpu` and `www/wasm/gpu`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::cargo::{self, Flavour, WASM};
use crate::files;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, step};
use crate::threads;

/// How to build.
#[derive(clap::Args)]
pub struct Options {
    /// Shrink the wasm modules with wasm-opt (npm package binaryen); takes minutes
    #[arg(long)]
    pub optimise: bool,
}

/// Builds both modules.
pub fn build(paths: &Paths, options: &Options) -> Result<()> {
    let target = cargo::target_folder(paths)?;
    for flavour in Flavour::ALL {
        let name = flavour.name();
        long_step(&format!("building the wasm module {name}"), || {
            process::run(cargo::wasm_cargo(paths, "build", flavour).arg("--lib"))
        })?;
        // Both features leave their module at the same place, so it is taken before the next one is built.
        let module = target.join(WASM).join("release/seedbed.wasm");
        bind(paths, options, flavour, &module)?;
    }
    Ok(())
}

/// Turns cargo's module into the one for the browser, unless that was done before with the same bytes.
fn bind(paths: &Paths, options: &Options, flavour: Flavour, module: &Path) -> Result<()> {
    let name = flavour.name();
    let folder = paths.wasm.join(name);
    let stamp = folder.join(".stamp");
    let wanted = format!(
        "{} optimise={}",
        files::fingerprint(&files::read(module)?),
        options.optimise
    );
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    // Before names are taken out, for the wrappers are known by theirs.
    if runs_constructors_at_every_call(&files::read(module)?) {
        bail!(
            "the module {name} runs all its constructors at every call (it has `command_export` wrappers): \
             call `__wasm_call_ctors` once in the function marked #[wasm_bindgen(start)]"
        );
    }
    files::remove_folder(&folder)?;
    step(&format!("wrote www/wasm/{name}"), || {
        let mut bindgen = Bindgen::new();
        match flavour {
            Flavour::Cpu => {
                bindgen.input_module("seedbed", threads::open_up(&files::read(module)?)?)
            }
            Flavour::Gpu => bindgen.input_path(module),
        };
        bindgen
            .out_name("seedbed")
            .web(true)
            .and_then(|bindgen| {
                bindgen
                    .typescript(true)
                    .omit_default_module_path(false)
                    // A tenth of the module; nobody reads them in a tab.
                    .remove_name_section(true)
                    .remove_producers_section(true);
                bindgen.generate(&folder)
            })
            .with_context(|| format!("wasm-bindgen refused {}", module.display()))?;
        match flavour {
            Flavour::Cpu => share(&folder),
            Flavour::Gpu => Ok(()),
        }
    })?;
    if options.optimise {
        optimise(paths, name, &folder.join("seedbed_bg.wasm"))?;
    }
    files::write(&stamp, wanted.as_bytes())
}

/// Makes the bound module one for several threads.
fn share(folder: &Path) -> Result<()> {
    let (module, glue) = (folder.join("seedbed_bg.wasm"), folder.join("seedbed.js"));
    let (bytes, pages) = threads::keep_data(&files::read(&module)?)?;
    files::write(&module, &bytes)?;
    let text =
        fs::read_to_string(&glue).with_context(|| format!("cannot read {}", glue.display()))?;
    files::write(&glue, threads::share_glue(&text, pages)?.as_bytes())
}

/// Whether the linker has wrapped every export in `*.command_export`. It does so when nothing calls
/// `__wasm_call_ctors`; a call from JavaScript then costs a hundred times as much.
fn runs_constructors_at_every_call(module: &[u8]) -> bool {
    const MARK: &[u8] = b"command_export";
    module.windows(MARK.len()).any(|window| window == MARK)
}

/// Runs wasm-opt over a module in place.
fn optimise(paths: &Paths, name: &str, module: &Path) -> Result<()> {
    long_step(&format!("shrinking the wasm module {name}"), || {
        let output = module.with_extension("opt.wasm");
        let mut command = node::local(paths, "wasm-opt")?;
        command.args(["-O1", "--strip-debug", "--strip-producers"]);
        // What rustc uses today, named one by one: `--all-features` would let wasm-opt use what browsers lack.
        command.args(
            [
                "simd",
                "bulk-memory",
                "bulk-memory-opt",
                "nontrapping-float-to-int",
                "sign-ext",
                "mutable-globals",
                "reference-types",
                "multivalue",
            ]
            .map(|feature| format!("--enable-{feature}")),
        );
        process::run(command.arg(module).arg("-o").arg(&output))?;
        fs::rename(&output, module).with_context(|| format!("cannot replace {}", module.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_of_the_linker_are_noticed() {
        assert!(runs_constructors_at_every_call(b"..main.command_export.."));
        assert!(!runs_constructors_at_every_call(b"..main..export"));
    }
}
