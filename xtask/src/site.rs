//! The site: the page bundled by Vite, with the model, the demo tasks and the wasm modules beside it.

use anyhow::{Result, bail};

use crate::files;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::setup;
use crate::step::{long_step, step};
use crate::wasm;

/// The files of the models that come with the page.
const MODEL_FILES: [&str; 5] = [
    "models/seedbed-3m/config.json",
    "models/seedbed-3m/tokenizer.json",
    "models/seedbed-3m/tokenizer_config.json",
    "models/seedbed-3m/model.safetensors",
    "models/seedbed-28m/seedbed-28m.gguf",
];

/// From a fresh machine to a finished `www/dist`.
pub fn everything(paths: &Paths, options: &wasm::Options) -> Result<()> {
    setup::wasm_target()?;
    node::set_up(paths)?;
    wasm::build(paths, options)?;
    build(paths)
}

/// Copies models and tasks to where Vite finds them, and bundles.
pub fn build(paths: &Paths) -> Result<()> {
    step("copied the models and the tasks", || copy_data(paths))?;
    long_step("bundling the page", || {
        process::run(node::npm(paths).args(["run", "build"]))
    })
}

fn copy_data(paths: &Paths) -> Result<()> {
    files::remove_folder(&paths.public.join("models"))?;
    for name in MODEL_FILES {
        let file = paths.root.join(name);
        if !file.is_file() {
            bail!("{name} is missing: check it out, or make it anew as models/README.md says");
        }
        files::write(&paths.public.join(name), &files::read(&file)?)?;
    }
    let tasks = paths.public.join("tasks");
    files::remove_folder(&tasks)?;
    files::copy_folder(&paths.www.join("tasks"), &tasks)
}
