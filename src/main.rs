//! The command `seedbed`: what the page does, at the desk. It only translates between a shell and the library.
#![allow(clippy::print_stdout, reason = "results belong on standard output")]

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = command::Command::parse();
    match pollster::block_on(command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seedbed: {error}");
            ExitCode::from(match error {
                seedbed::Error::Cancelled => 130,
                _ => 1,
            })
        }
    }
}
