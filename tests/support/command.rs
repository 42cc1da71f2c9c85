//! The command, called from the repository as a shell would.

use std::process::{Command, Output};

/// Runs it to its end.
pub fn seedbed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the command starts")
}
