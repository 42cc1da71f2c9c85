//! Where a run lives at the desk: a folder with its log and everything it has made, written as it is made. And where
//! fetched models are kept.

#[cfg(feature = "desk")]
pub mod models;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A run's folder.
pub struct Folder {
    root: PathBuf,
    events: BufWriter<File>,
}

/// A file or folder that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path}: cannot be written ({cause}); free some space or choose another --out, then run again"
)]
pub struct StoreError {
    /// The file or folder.
    pub path: String,
    /// The system's own words.
    pub cause: String,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |cause| StoreError {
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}

impl Folder {
    /// Makes the folder (and those above it) and opens its log.
    ///
    /// # Errors
    ///
    /// [`StoreError`] naming what cannot be written.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(failed(root))?;
        let path = root.join("events.jsonl");
        let file = File::create(&path).map_err(failed(&path))?;
        Ok(Self {
            root: root.to_owned(),
            events: BufWriter::new(file),
        })
    }

    /// Appends one line to the log and hands it to the system at once, so that a killed process loses nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`], on a full disk for example.
    pub fn append(&mut self, event: &impl Serialize) -> Result<(), StoreError> {
        let path = self.root.join("events.jsonl");
        let line = serde_json::to_string(event).unwrap_or_default();
        writeln!(self.events, "{line}")
            .and_then(|()| self.events.flush())
            .map_err(failed(&path))
    }

    /// Writes a file under a temporary name and then renames it, so that a half-written one is never seen.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let temporary = path.with_extension("part");
        fs::write(&temporary, bytes).map_err(failed(&temporary))?;
        fs::rename(&temporary, &path).map_err(failed(&path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_has_one_line_for_each_event_as_soon_as_it_is_appended() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::create(&root.path().join("a/b")).unwrap();
        folder.append(&serde_json::json!({"type": "one"})).unwrap();
        let log = root.path().join("a/b/events.jsonl");
        assert_eq!(fs::read_to_string(&log).unwrap(), "{\"type\":\"one\"}\n");
        folder.append(&serde_json::json!({"type": "two"})).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_temporary() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path()).unwrap();
        folder.put("adapter/x.json", b"1").unwrap();
        folder.put("adapter/x.json", b"22").unwrap();
        assert_eq!(fs::read(root.path().join("adapter/x.json")).unwrap(), b"22");
        assert_eq!(
            fs::read_dir(root.path().join("adapter")).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        let message = Folder::create(&file.join("run")).err().unwrap().to_string();
        assert!(
            message.contains("file") && message.contains("--out"),
            "{message}"
        );
    }
}
