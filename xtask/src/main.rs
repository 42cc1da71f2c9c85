//! `cargo xtask <command>`: builds, serves, tests and measures Seedbed. `cargo xtask help` lists the commands.

mod bench;
mod browser;
mod cargo;
mod count;
mod docs;
mod evaluate;
mod files;
mod fuzz;
mod node;
mod package;
mod paths;
mod process;
mod pypi;
mod runner;
mod serve;
mod setup;
mod site;
mod size;
mod step;
mod test;
mod threads;
mod wasm;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::paths::Paths;

#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    about = "Builds, serves, tests and measures Seedbed",
    version
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up, build, serve on this machine and open the page
    Demo {
        #[command(flatten)]
        build: wasm::Options,
        /// Port on 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = serve::DEFAULT_PORT)]
        port: u16,
        /// Do not open the browser
        #[arg(long)]
        no_open: bool,
    },
    /// Set up, then build both wasm modules and the site into www/dist
    Build {
        #[command(flatten)]
        build: wasm::Options,
    },
    /// Serve what is built in www/dist
    Serve {
        /// Port on 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = serve::DEFAULT_PORT)]
        port: u16,
    },
    /// Set up, then build the npm package and its tarball into pkg/
    Package {
        #[command(flatten)]
        build: wasm::Options,
    },
    /// Make the book of docs/ into docs/book
    Docs,
    /// Run every check: format, clippy, native tests, wasm tests and the page's tests
    Test(test::Options),
    /// Run tasks natively for several seeds and write the table of rows
    Evaluate(evaluate::Options),
    /// Feed damaged files to the readers of models and tasks
    Fuzz(fuzz::Options),
    /// Time the engine at the desk and in a browser, and other systems at the same work
    Bench(bench::Options),
    /// Show the size of both wasm modules, raw and compressed
    Size {
        /// Fail when a module is larger than its limit
        #[arg(long)]
        check: bool,
    },
    /// Run one wasm test binary in headless Chromium (cargo calls this)
    #[command(hide = true)]
    WasmTestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            step::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let paths = Paths::find()?;
    match command {
        Command::Demo {
            build,
            port,
            no_open,
        } => {
            // Taken before the build, so that a port in use is known now and not in ten minutes.
            let listener = serve::bind(port)?;
            site::everything(&paths, &build)?;
            let server = serve::start(listener, &paths.dist)?;
            server.announce();
            if !no_open {
                browser::open(&server.url());
            }
            server.wait();
        }
        Command::Build { build } => site::everything(&paths, &build)?,
        Command::Serve { port } => {
            let server = serve::start(serve::bind(port)?, &paths.dist)?;
            server.announce();
            server.wait();
        }
        Command::Package { build } => package::everything(&paths, &build)?,
        Command::Docs => docs::build(&paths)?,
        Command::Test(options) => return Ok(test::run(&paths, &options)),
        Command::Evaluate(options) => evaluate::run(&paths, &options)?,
        Command::Fuzz(options) => {
            if !fuzz::run(&paths, &options)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Bench(options) => bench::run(&paths, &options)?,
        Command::Size { check } => size::show(&paths, check)?,
        Command::WasmTestRunner { args } => return runner::run(&paths, args),
    }
    Ok(ExitCode::SUCCESS)
}
