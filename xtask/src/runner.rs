//! Acts as `wasm-bindgen-test-runner`: cargo hands it a test binary, and it runs that in headless Chromium.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::browser::{self, Browser};
use crate::paths::Paths;

/// Where the runner reads chromedriver's capabilities from.
const CAPABILITIES: &str = "WASM_BINDGEN_TEST_WEBDRIVER_JSON";

/// How long things may take, in seconds, unless the environment says otherwise. The runner's own limits (20 and 5) are
/// too short for a model on an emulated GPU, and for a busy machine's first start of the driver.
const LIMITS: [(&str, &str); 2] = [
    ("WASM_BINDGEN_TEST_TIMEOUT", "1200"),
    ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60"),
];

/// Tells the runner, through a command's environment, which browser to use.
pub fn configure(command: &mut Command, paths: &Paths, browser: &Browser) -> Result<()> {
    command
        .env(CAPABILITIES, browser.write_capabilities(paths)?)
        .env("CHROMEDRIVER", browser.driver()?);
    for (name, seconds) in LIMITS {
        if env::var_os(name).is_none() {
            command.env(name, seconds);
        }
    }
    // Left over from a machine that tests in other browsers too; the runner would prefer them.
    for other in [
        "GECKODRIVER",
        "SAFARIDRIVER",
        "GECKODRIVER_REMOTE",
        "SAFARIDRIVER_REMOTE",
    ] {
        command.env_remove(other);
    }
    Ok(())
}

/// Runs one test binary; the arguments are those cargo gives.
pub fn run(paths: &Paths, args: Vec<OsString>) -> Result<ExitCode> {
    if env::var_os(CAPABILITIES).is_some() {
        let named = std::iter::once(OsString::from("wasm-bindgen-test-runner")).chain(args);
        wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(named)?;
        return Ok(ExitCode::SUCCESS);
    }
    // The runner reads its settings from the environment only, so it needs a process that was born with them.
    let mut command = Command::new(env::current_exe().context("cannot find xtask's own program")?);
    configure(&mut command, paths, &browser::set_up()?)?;
    let status = command
        .arg("wasm-test-runner")
        .args(args)
        .status()
        .context("cannot start xtask a second time")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
