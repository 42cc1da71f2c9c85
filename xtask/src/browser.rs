//! Chromium or Chrome and its driver: finding them, installing them on Debian, opening a page.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cargo;
use crate::files;
use crate::paths::Paths;
use crate::process;
use crate::step::{long_step, say};

/// The usual names, the free one first.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Where macOS keeps applications.
const MAC: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A browser to test in.
pub struct Browser {
    /// Chromium or Chrome.
    pub chrome: PathBuf,
    /// The chromedriver that belongs to it; only the wasm tests need one.
    pub driver: Option<PathBuf>,
}

/// Finds both programs, after installing Debian's when this is Debian, the user may, and one is missing.
pub fn set_up() -> Result<Browser> {
    let (mut chrome, mut driver) = find()?;
    if (chrome.is_none() || driver.is_none()) && is_root_on_debian() {
        long_step(
            "installing chromium and chromium-driver with apt-get",
            || {
                process::run(apt().arg("update"))?;
                process::run(apt().args([
                    "install",
                    "-y",
                    "--no-install-recommends",
                    "chromium",
                    "chromium-driver",
                ]))
            },
        )?;
        (chrome, driver) = find()?;
    }
    let chrome = chrome.context(
        "Chromium is missing: install Chromium or Chrome, or name its program in the variable CHROME",
    )?;
    Ok(Browser { chrome, driver })
}

/// What the variables name, else what lies in the usual places.
fn find() -> Result<(Option<PathBuf>, Option<PathBuf>)> {
    let chrome = named("CHROME")?
        .or_else(|| NAMES.iter().find_map(|name| process::which(name)))
        .or_else(|| MAC.iter().map(PathBuf::from).find(|file| file.is_file()));
    let driver = named("CHROMEDRIVER")?
        .or_else(|| chrome.as_deref().and_then(driver_beside))
        .or_else(|| process::which("chromedriver"));
    Ok((chrome, driver))
}

/// The program that a variable names. A wrong name is an error: another browser than the wished one is no help.
fn named(variable: &str) -> Result<Option<PathBuf>> {
    let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let file = PathBuf::from(&value);
    if file.is_file() {
        return Ok(Some(file));
    }
    process::which(&value.to_string_lossy())
        .map(Some)
        .with_context(|| {
            format!(
                "{variable} names {}, which is no file: correct or unset it",
                file.display()
            )
        })
}

/// The driver in the browser's own folder.
fn driver_beside(chrome: &Path) -> Option<PathBuf> {
    let file = chrome
        .with_file_name("chromedriver")
        .with_extension(env::consts::EXE_EXTENSION);
    file.is_file().then_some(file)
}

fn is_root_on_debian() -> bool {
    Path::new("/etc/debian_version").exists()
        && process::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

impl Browser {
    /// The driver, or what to do about its absence.
    pub fn driver(&self) -> Result<&Path> {
        self.driver.as_deref().context(
            "chromedriver is missing: install that of the browser's version, or name it in the variable CHROMEDRIVER",
        )
    }

    /// Writes the capabilities for chromedriver: webdriver.json of the repository with the browser that was found.
    pub fn write_capabilities(&self, paths: &Paths) -> Result<PathBuf> {
        let template = files::read(&paths.root.join("webdriver.json"))?;
        let capabilities = with_binary(&template, &self.chrome)?;
        let file = cargo::target_folder(paths)?.join("xtask/webdriver.json");
        files::write(&file, capabilities.to_string().as_bytes())?;
        Ok(file)
    }
}

/// Chromedriver's capabilities with the path of the browser filled in.
fn with_binary(template: &[u8], chrome: &Path) -> Result<Value> {
    let mut capabilities: Value =
        serde_json::from_slice(template).context("webdriver.json is not valid JSON")?;
    let options = capabilities
        .get_mut("goog:chromeOptions")
        .and_then(Value::as_object_mut)
        .context("webdriver.json has no object `goog:chromeOptions`")?;
    options.insert("binary".to_owned(), json!(chrome));
    Ok(capabilities)
}

/// Opens a page in the user's own browser. Where there is none, the line with the address is enough.
pub fn open(url: &str) {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let outcome = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if outcome.is_err() {
        say("no program to open a page with: open the address yourself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_filled_into_the_capabilities() {
        let template = br#"{"goog:chromeOptions":{"args":["--headless=new"]}}"#;
        let capabilities =
            with_binary(template, Path::new("/opt/chrome")).expect("a good template");
        assert_eq!(capabilities["goog:chromeOptions"]["binary"], "/opt/chrome");
        assert_eq!(
            capabilities["goog:chromeOptions"]["args"][0],
            "--headless=new"
        );
    }

    #[test]
    fn capabilities_without_chrome_options_are_refused() {
        assert!(with_binary(b"{}", Path::new("x")).is_err());
        assert!(with_binary(b"{", Path::new("x")).is_err());
    }

    #[test]
    fn the_repository_has_good_capabilities() {
        let template = include_bytes!("../../webdriver.json");
        with_binary(template, Path::new("x")).expect("webdriver.json is good");
    }
}
