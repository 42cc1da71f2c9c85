//! Small file work that the standard library lacks.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

/// A short name for some bytes; it changes when they do. Only ever compared with itself on the same machine.
pub fn fingerprint(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Reads a whole file and names it when that fails.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Writes a whole file and its folders, and names it when that fails.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

/// Removes a folder with all that is in it; none is fine.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Copies the files of a folder and of the folders in it; hidden ones stay behind.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (name, source) = (entry.file_name(), entry.path());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if source.is_dir() {
            copy_folder(&source, &to.join(name))?;
        } else {
            copy(&source, &to.join(name))?;
        }
    }
    Ok(())
}

/// Copies one file; its folder must be there.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_whole_but_for_hidden_files() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (place.path().join("a"), place.path().join("b"));
        write(&from.join("x/task.json"), b"{}").expect("write");
        write(&from.join(".stamp"), b"1").expect("write");
        copy_folder(&from, &to).expect("copy");
        assert_eq!(read(&to.join("x/task.json")).expect("read"), b"{}");
        assert!(!to.join(".stamp").exists());
    }

    #[test]
    fn a_fingerprint_changes_with_the_bytes() {
        assert_eq!(fingerprint(b"a"), fingerprint(b"a"));
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }

    #[test]
    fn removing_a_folder_that_is_not_there_is_fine() {
        let place = tempfile::tempdir().expect("a temporary folder");
        remove_folder(&place.path().join("none")).expect("nothing to do");
    }
}
