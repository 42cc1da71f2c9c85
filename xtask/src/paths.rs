//! Where things lie in the repository.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The folders every command works on.
pub struct Paths {
    /// The repository.
    pub root: PathBuf,
    /// The npm package.
    pub pkg: PathBuf,
    /// The page's sources.
    pub www: PathBuf,
    /// Where the two wasm modules go, one folder each.
    pub wasm: PathBuf,
    /// Files that Vite copies as they are.
    pub public: PathBuf,
    /// The finished site.
    pub dist: PathBuf,
}

impl Paths {
    /// Finds the repository: from the folder cargo names, else upwards from the working folder (the test runner is
    /// started without cargo's variables, in the package it tests).
    pub fn find() -> Result<Self> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => env::current_dir().context("cannot read the working folder")?,
        };
        let root = start
            .ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .with_context(|| {
                format!(
                    "{} is not inside Seedbed's repository: change into it first",
                    start.display()
                )
            })?
            .to_path_buf();
        let www = root.join("www");
        Ok(Self {
            pkg: root.join("pkg"),
            wasm: www.join("wasm"),
            public: www.join("public"),
            dist: www.join("dist"),
            www,
            root,
        })
    }
}
