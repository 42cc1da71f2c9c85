//! `cargo xtask test`: every check there is, one after another, and one line that counts them.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;

use crate::browser::{self, Browser};
use crate::cargo::{self, Flavour, WASM};
use crate::count::{self, Tally};
use crate::files;
use crate::node;
use crate::package;
use crate::paths::Paths;
use crate::process;
use crate::pypi::{self, Extra, LITELLM, SMOLLM2};
use crate::runner;
use crate::serve;
use crate::setup;
use crate::site;
use crate::step::{long_step, say};
use crate::wasm;

/// The parts, in the order in which they run: what answers soonest comes first.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Part {
    /// The code is formatted
    Fmt,
    /// Clippy finds nothing, natively and for both wasm modules
    Clippy,
    /// The tests at the desk, with those in the documentation
    Native,
    /// The tests of both wasm modules in headless Chromium
    Wasm,
    /// The page's types, and the page from end to end in headless Chromium
    E2e,
}

/// Which parts to run.
#[derive(clap::Args)]
pub struct Options {
    /// Run this part only (may be given several times)
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Leave this part out (may be given several times)
    #[arg(long, value_enum, value_name = "PART")]
    skip: Vec<Part>,
    /// Fetch LiteLLM from PyPI too (750 MB), a real server of the kind that a teacher is; its test is skipped otherwise
    #[arg(long)]
    litellm: bool,
}

impl Options {
    fn parts(&self) -> Vec<Part> {
        Part::value_variants()
            .iter()
            .copied()
            .filter(|part| self.only.is_empty() || self.only.contains(part))
            .filter(|part| !self.skip.contains(part))
            .collect()
    }
}

/// What set-up found. A thing that is missing fails the parts that need it, and no others.
struct Tools {
    target: Result<()>,
    node: Result<()>,
    browser: Result<Browser>,
    /// Variables that name what was fetched for tests that are skipped without it.
    extras: Vec<(&'static str, PathBuf)>,
}

/// Runs the parts, and writes how many checks passed as the last line.
pub fn run(paths: &Paths, options: &Options) -> ExitCode {
    let parts = options.parts();
    let tools = set_up(paths, &parts, options);
    let mut sum = Tally::default();
    for part in parts {
        let name = part
            .to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default();
        let outcome = long_step(&format!("part {name}"), || match part {
            Part::Fmt => fmt(paths),
            Part::Clippy => clippy(paths, &tools),
            Part::Native => native(paths, &tools),
            Part::Wasm => wasm_tests(paths, &tools),
            Part::E2e => e2e(paths, &tools),
        });
        let tally = outcome.unwrap_or_else(|error| {
            say(&format!("error: {name}: {error:#}"));
            Tally::check(false)
        });
        let _ = writeln!(std::io::stdout(), "{name}: {tally}");
        sum += tally;
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{sum}").and_then(|()| out.flush());
    if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Sees to what the chosen parts need.
fn set_up(paths: &Paths, parts: &[Part], options: &Options) -> Tools {
    let any = |wanted: &[Part]| parts.iter().any(|part| wanted.contains(part));
    let not_asked = || anyhow!("was not set up");
    Tools {
        target: if any(&[Part::Clippy, Part::Wasm, Part::E2e]) {
            setup::wasm_target()
        } else {
            Err(not_asked())
        },
        node: if any(&[Part::E2e]) {
            node::set_up(paths)
        } else {
            Err(not_asked())
        },
        browser: if any(&[Part::Wasm, Part::E2e]) {
            browser::set_up()
        } else {
            Err(not_asked())
        },
        extras: if any(&[Part::Native, Part::E2e]) {
            let wanted: &[Extra] = if options.litellm {
                &[SMOLLM2, LITELLM]
            } else {
                &[SMOLLM2]
            };
            pypi::set_up(paths, wanted)
        } else {
            Vec::new()
        },
    }
}

/// The thing a part needs, or why it is not there. (An error cannot be shared, so its words are.)
fn needed<T>(tool: &Result<T>) -> Result<&T> {
    tool.as_ref().map_err(|error| anyhow!("{error:#}"))
}

/// Runs a check that passes or fails as a whole.
fn succeeds(command: &mut Command) -> Result<bool> {
    process::stream(command, |_| ())
}

fn fmt(paths: &Paths) -> Result<Tally> {
    setup::component(paths, "fmt", "rustfmt")?;
    Ok(Tally::check(succeeds(
        cargo::cargo(paths).args(["fmt", "--all", "--check"]),
    )?))
}

/// Clippy, each package and each module by itself: together they would get each other's features, and everything they
/// depend on would be compiled once more. `--release`, so that build scripts and macros are shared with the tests.
fn clippy(paths: &Paths, tools: &Tools) -> Result<Tally> {
    setup::component(paths, "clippy", "clippy")?;
    let mut ok = true;
    for package in ["xtask", "seedbed"] {
        let mut command = cargo::cargo(paths);
        command.args([
            "clippy",
            "--release",
            "--package",
            package,
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]);
        ok &= succeeds(&mut command)?;
    }
    needed(&tools.target)?;
    for flavour in Flavour::ALL {
        let mut command = cargo::wasm_cargo(paths, "clippy", flavour);
        command.args(["--lib", "--test", "wasm", "--", "-D", "warnings"]);
        ok &= succeeds(&mut command)?;
    }
    Ok(Tally::check(ok))
}

/// A call of `cargo test`, counted.
fn cargo_test(command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let ok = process::stream(command, |line| {
        if let Some(found) = count::summary(line) {
            tally += found;
        }
    })?;
    Ok(tally.settled(ok))
}

/// The tests of each package by itself, for the reason given at [`clippy`].
fn native(paths: &Paths, tools: &Tools) -> Result<Tally> {
    let mut tally = Tally::default();
    for package in ["xtask", "seedbed"] {
        let mut command = cargo::cargo(paths);
        tally += cargo_test(
            command
                .args(["test", "--release", "--package", package, "--no-fail-fast"])
                .envs(tools.extras.iter().cloned()),
        )?;
    }
    Ok(tally)
}

fn wasm_tests(paths: &Paths, tools: &Tools) -> Result<Tally> {
    needed(&tools.target)?;
    let browser = needed(&tools.browser)?;
    let program = env::current_exe().context("cannot find xtask's own program")?;
    let mut tally = Tally::default();
    for flavour in Flavour::ALL {
        let mut command = cargo::wasm_cargo(paths, "test", flavour);
        command.args(["--test", "wasm", "--no-fail-fast"]);
        command.env(
            format!(
                "CARGO_TARGET_{}_RUNNER",
                WASM.to_uppercase().replace('-', "_")
            ),
            format!("{} wasm-test-runner", program.display()),
        );
        runner::configure(&mut command, paths, browser)?;
        tally += cargo_test(&mut command)?;
    }
    Ok(tally)
}

fn e2e(paths: &Paths, tools: &Tools) -> Result<Tally> {
    needed(&tools.target)?;
    needed(&tools.node)?;
    let browser = needed(&tools.browser)?;
    wasm::build(paths, &wasm::Options { optimise: false })?;
    // Vite drops the types without a look at them. After the build, which makes those of the wasm modules.
    let mut types = node::npm(paths);
    types.args(["run", "--if-present", "typecheck"]);
    let typed = Tally::check(succeeds(&mut types)?);
    site::build(paths)?;
    // Its tarball is tried in fresh apps.
    package::build(paths)?;
    let server = serve::start(serve::bind(0)?, &paths.dist)?;
    let report = cargo::target_folder(paths)?.join("xtask/playwright.json");
    // An old report must not be taken for this run's.
    files::write(&report, b"")?;
    let mut command = node::local(paths, "playwright")?;
    command
        .args(["test", "--config", "e2e/playwright.config.ts"])
        .env("BASE_URL", server.url().trim_end_matches('/'))
        .env("CHROME", &browser.chrome)
        .env("REPORT", &report)
        .envs(tools.extras.iter().cloned());
    let ok = succeeds(&mut command)?;
    let pages = count::playwright(&files::read(&report)?).with_context(|| {
        format!(
            "playwright left no report in {}; its messages are above",
            report.display()
        )
    })?;
    let mut tally = pages.settled(ok);
    tally += typed;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_run_unless_told_otherwise() {
        let all = Options {
            only: vec![],
            skip: vec![],
            litellm: false,
        };
        assert_eq!(
            all.parts(),
            [Part::Fmt, Part::Clippy, Part::Native, Part::Wasm, Part::E2e]
        );
        let some = Options {
            only: vec![Part::E2e, Part::Fmt],
            skip: vec![Part::Fmt],
            litellm: false,
        };
        assert_eq!(some.parts(), [Part::E2e]);
    }
}
