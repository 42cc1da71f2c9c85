//! Node and npm: finding them and installing what www/package-lock.json lists.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files;
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, step};

/// The oldest Node that Vite still runs on, major and minor.
const OLDEST: (u32, u32) = (20, 19);

/// npm's script has another name on Windows.
fn program(name: &str) -> String {
    if cfg!(windows) {
        format!("{name}.cmd")
    } else {
        name.to_owned()
    }
}

/// An npm call in www/.
pub fn npm(paths: &Paths) -> Command {
    let mut command = Command::new(program("npm"));
    command.current_dir(&paths.www);
    command
}

/// A program that `npm ci` has put into www/node_modules, run in www/.
pub fn local(paths: &Paths, name: &str) -> Result<Command> {
    let file = paths.www.join("node_modules/.bin").join(program(name));
    if !file.exists() {
        bail!(
            "www/node_modules has no {name}: add its package to www/package.json and run `npm install` in www/"
        );
    }
    let mut command = Command::new(file);
    command.current_dir(&paths.www);
    Ok(command)
}

/// Checks for Node and npm, and runs `npm ci` when node_modules is not what the lock file says.
pub fn set_up(paths: &Paths) -> Result<()> {
    let found = step("looked for node and npm", || {
        let node = process::read(Command::new("node").arg("--version"));
        let npm = process::read(Command::new(program("npm")).arg("--version"));
        match (node, npm) {
            (Ok(node), Ok(_)) if version(&node).is_some_and(|found| found >= OLDEST) => Ok(node),
            (Ok(node), Ok(_)) => bail!(
                "node {} is too old: install Node {}.{} or newer from https://nodejs.org",
                node.trim(),
                OLDEST.0,
                OLDEST.1
            ),
            _ => bail!(
                "node or npm is missing: install Node {}.{} or newer (npm comes with it) from https://nodejs.org",
                OLDEST.0,
                OLDEST.1
            ),
        }
    })?;
    let lock = fs::read(paths.www.join("package-lock.json")).context(
        "www/package-lock.json is missing: check it out, or run `npm install` in www/ once",
    )?;
    // By content and not by time: a checkout gives every file a new time.
    let wanted = format!("{} {}", files::fingerprint(&lock), found.trim());
    let stamp = paths.www.join("node_modules/.seedbed-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == wanted) {
        return Ok(());
    }
    long_step("npm ci in www/", || {
        // Scripts of packages are not run: none is needed, and Playwright's would download browsers.
        process::run(npm(paths).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
    })?;
    files::write(&stamp, wanted.as_bytes())
}

/// Major and minor of `v20.20.2`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read_and_compared() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("nonsense"), None);
        assert!(version("v20.9.0") < Some(OLDEST));
        assert!(version("v22.12.0") > Some(OLDEST));
    }
}
