//! The site: the page bundled by Vite, with the model, the demo tasks and the wasm modules beside it.

use anyhow::{Result, bail};

use crate::files;
use crate::node;
use crate::paths::Paths;
use crate::process;
use crate::setup;
use crate::step::{long_step, step};
use crate::wasm;

/// The model that comes with the page.
const MODEL: &str = "models/seedbed-3m";

/// Its files, and whether the page needs them.
const MODEL_FILES: [(&str, bool); 4] = [
    ("config.json", true),
    ("tokenizer.json", true),
    ("tokenizer_config.json", false),
    ("model.safetensors", true),
];

/// From a fresh machine to a finished `www/dist`.
pub fn everything(paths: &Paths, options: &wasm::Options) -> Result<()> {
    setup::wasm_target()?;
    node::set_up(paths)?;
    wasm::build(paths, options)?;
    build(paths)
}

/// Copies model and tasks to where Vite finds them, and bundles.
pub fn build(paths: &Paths) -> Result<()> {
    step("copied the model and the tasks", || copy_data(paths))?;
    long_step("bundling the page", || {
        process::run(node::npm(paths).args(["run", "build"]))
    })
}

fn copy_data(paths: &Paths) -> Result<()> {
    let (from, to) = (paths.root.join(MODEL), paths.public.join(MODEL));
    files::remove_folder(&to)?;
    for (name, needed) in MODEL_FILES {
        let file = from.join(name);
        if file.is_file() {
            files::write(&to.join(name), &files::read(&file)?)?;
        } else if needed {
            bail!(
                "{MODEL}/{name} is missing: check it out, or make it anew as models/README.md says"
            );
        }
    }
    let tasks = paths.public.join("tasks");
    files::remove_folder(&tasks)?;
    files::copy_folder(&paths.www.join("tasks"), &tasks)
}
