//! Where a run lives at the desk: a folder with its log and everything it has made, written as it is made. And where
//! fetched models are kept.

#[cfg(feature = "desk")]
pub mod models;

use std::cell::RefCell;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The log's name.
const LOG: &str = "events.jsonl";

/// A run's folder.
pub struct Folder {
    root: PathBuf,
    events: RefCell<File>,
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
    /// Makes the folder (and those above it) and begins its log; one that is there is begun anew.
    ///
    /// # Errors
    ///
    /// [`StoreError`] naming what cannot be written.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(failed(root))?;
        let folder = Self::locked(root, true)?;
        folder.cut(0)?;
        Ok(folder)
    }

    /// Opens a folder that is there, and reads its log as far as it is text: a killed process may leave a character half
    /// written at its end.
    ///
    /// # Errors
    ///
    /// [`StoreError`] naming what cannot be opened.
    pub fn open(root: &Path) -> Result<(Self, String), StoreError> {
        let folder = Self::locked(root, false)?;
        let bytes = fs::read(root.join(LOG)).map_err(failed(&root.join(LOG)))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let whole = error.utf8_error().valid_up_to();
                String::from_utf8_lossy(&error.as_bytes()[..whole]).into_owned()
            }
        };
        Ok((folder, text))
    }

    /// Two processes that write one log would make it worthless. The lock goes with the process, however it ends.
    fn locked(root: &Path, create: bool) -> Result<Self, StoreError> {
        let path = root.join(LOG);
        let file = File::options()
            .append(true)
            .create(create)
            .open(&path)
            .map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                root: root.to_owned(),
                events: RefCell::new(file),
            }),
            Err(TryLockError::WouldBlock) => Err(StoreError {
                path: root.display().to_string(),
                cause: "another process is at this run".into(),
            }),
            Err(TryLockError::Error(cause)) => Err(failed(&path)(cause)),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cuts the log off after so many bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn cut(&self, bytes: usize) -> Result<(), StoreError> {
        let file = self.events.borrow();
        file.set_len(bytes as u64)
            .map_err(failed(&self.root.join(LOG)))
    }

    /// Appends one line to the log and hands it to the system at once, so that a killed process loses nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`], on a full disk for example.
    pub fn append(&self, event: &impl Serialize) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        let mut file = self.events.borrow_mut();
        file.write_all(&line).map_err(failed(&self.root.join(LOG)))
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
        let folder = Folder::create(&root.path().join("a/b")).unwrap();
        folder.append(&serde_json::json!({"type": "one"})).unwrap();
        let log = root.path().join("a/b/events.jsonl");
        assert_eq!(fs::read_to_string(&log).unwrap(), "{\"type\":\"one\"}\n");
        folder.append(&serde_json::json!({"type": "two"})).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_log_goes_on_where_it_was_cut_and_one_process_alone_writes_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path()).unwrap();
        folder.append(&1).unwrap();
        folder.append(&2).unwrap();
        let second = Folder::open(root.path()).err().unwrap().to_string();
        assert!(second.contains("another process"), "{second}");
        drop(folder);
        let log = root.path().join(LOG);
        // Half a character at the end, as a kill may leave it.
        let mut bytes = fs::read(&log).unwrap();
        bytes.push(0xc3);
        fs::write(&log, bytes).unwrap();
        let (folder, text) = Folder::open(root.path()).unwrap();
        assert_eq!(text, "1\n2\n");
        folder.cut(2).unwrap();
        folder.append(&3).unwrap();
        assert_eq!(fs::read_to_string(log).unwrap(), "1\n3\n");
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
