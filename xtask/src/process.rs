//! Running other programs.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The command line as a person would type it, for messages.
fn shown(command: &Command) -> String {
    let mut line = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs a program; its output goes to standard error, since standard output is for results only.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!(
            "`{}` failed ({status}); its messages are above",
            shown(command)
        );
    }
    Ok(())
}

/// Runs a program quietly and returns what it wrote to standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let last = message.trim().lines().last().unwrap_or("no message");
        bail!("`{}` failed ({}): {last}", shown(command), output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` wrote something that is not text", shown(command)))
}

/// Runs a program, passes its standard output on line by line, and hands each line to `each`. True when it succeeded.
pub fn stream(command: &mut Command, each: impl FnMut(&str)) -> Result<bool> {
    stream_to(&mut std::io::stdout(), command, each)
}

fn stream_to(
    out: &mut impl Write,
    command: &mut Command,
    mut each: impl FnMut(&str),
) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if let Some(pipe) = child.stdout.take() {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        // Bytes, not `lines()`: a test may print something that is not UTF-8.
        while reader.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
            if !line.ends_with(b"\n") {
                // What follows is another program's, and starts a line of its own.
                line.push(b'\n');
            }
            // Nobody reading is no reason to stop counting.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            each(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child
        .wait()
        .with_context(|| format!("lost sight of `{}`", shown(command)))?;
    Ok(status.success())
}

/// The program called `name` in one of the folders of `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name).with_extension(env::consts::EXE_EXTENSION))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_its_folder() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["build", "--release"]);
        assert_eq!(shown(&command), "cargo build --release");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error =
            read(&mut Command::new("seedbed-no-such-program")).expect_err("it does not exist");
        assert!(error.to_string().contains("seedbed-no-such-program"));
    }

    #[cfg(unix)]
    #[test]
    fn streaming_hands_on_every_line_and_the_outcome() {
        let (mut lines, mut out) = (Vec::new(), Vec::new());
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; printf two; exit 3"]);
        let ok = stream_to(&mut out, &mut command, |line| {
            lines.push(line.trim().to_owned());
        })
        .expect("sh exists");
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(out, b"one\ntwo\n");
        assert!(!ok);
    }
}
