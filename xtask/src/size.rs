//! How large the wasm modules are, and how large they may be.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::Flavour;
use crate::files;
use crate::paths::Paths;
use crate::process;
use crate::step::step;

/// What a visitor downloads may weigh so many bytes (brotli): `www/budget.json`, which the page's own check reads too.
fn limit(budget: &Value, flavour: Flavour) -> Result<u64> {
    let name = flavour.name();
    budget["engines"][name]
        .as_u64()
        .with_context(|| format!("www/budget.json gives no bytes for engines.{name}"))
}

/// Bytes of one module.
#[derive(Debug, PartialEq)]
struct Size {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

/// Prints a table of both modules; with `check`, fails when one is over its limit.
pub fn show(paths: &Paths, check: bool) -> Result<()> {
    let budget: Value = serde_json::from_slice(&files::read(&paths.www.join("budget.json"))?)
        .context("www/budget.json is not JSON")?;
    let sizes = step("compressed both modules", || measure(paths))?;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "module         raw        gzip      brotli       limit"
    );
    let mut over = Vec::new();
    for (flavour, size) in Flavour::ALL.into_iter().zip(sizes) {
        let (name, limit) = (flavour.name(), limit(&budget, flavour)?);
        let _ = writeln!(
            out,
            "{name:<6} {:>11} {:>11} {:>11} {limit:>11}",
            size.raw, size.gzip, size.brotli
        );
        if size.brotli > limit {
            over.push(format!("{name} has {} bytes of {limit}", size.brotli));
        }
    }
    if check && !over.is_empty() {
        bail!(
            "too large when compressed: {}; try `cargo xtask build --optimise`",
            over.join(", ")
        );
    }
    Ok(())
}

/// Has Node compress the modules: it carries gzip and brotli, so xtask need not compile them.
fn measure(paths: &Paths) -> Result<Vec<Size>> {
    let mut command = Command::new("node");
    command.args([
        "--input-type=module",
        "--eval",
        include_str!("size.mjs"),
        "--",
    ]);
    for flavour in Flavour::ALL {
        let name = flavour.name();
        let file = paths.wasm.join(name).join("seedbed_bg.wasm");
        if !file.is_file() {
            bail!("www/wasm/{name} is not built: run `cargo xtask build` first");
        }
        command.arg(file);
    }
    parse(&process::read(&mut command)?)
}

/// Reads `[[raw, gzip, brotli], …]`.
fn parse(text: &str) -> Result<Vec<Size>> {
    let rows: Vec<[u64; 3]> =
        serde_json::from_str(text).context("node printed something else than sizes")?;
    Ok(rows
        .into_iter()
        .map(|[raw, gzip, brotli]| Size { raw, gzip, brotli })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_has_a_limit_for_each_engine() {
        let budget = serde_json::from_str(include_str!("../../www/budget.json")).expect("JSON");
        for flavour in Flavour::ALL {
            assert!(limit(&budget, flavour).is_ok());
        }
        assert!(limit(&Value::Null, Flavour::Cpu).is_err());
    }

    #[test]
    fn sizes_are_read_in_the_order_of_the_script() {
        let sizes = parse("[[9,3,2]]").expect("good JSON");
        assert_eq!(
            sizes,
            [Size {
                raw: 9,
                gzip: 3,
                brotli: 2
            }]
        );
        assert!(parse("oops").is_err());
    }
}
