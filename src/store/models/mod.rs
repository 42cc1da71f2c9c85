//! Models kept on this machine: one folder for each, complete when its `model.json` is there.
//!
//! A file is written under a temporary name, checked against the hub's hash, and then renamed; `model.json` comes
//! last. Whatever else lies in a folder is the beginning of a download, which is continued, and thrown away when it
//! has not been for a week.

mod error;
mod pull;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

pub use error::PullError;
pub use pull::{Hub, Progress};

use super::failed;
use crate::model::Repository;

/// What `model.json` says: where a model is from, and what its files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `owner/name`
    pub repository: String,
    /// The revision that was asked for.
    pub revision: String,
    /// The commit it was then.
    pub commit: String,
    /// The hub's address.
    pub hub: String,
    /// When it was complete, in seconds since 1970.
    pub fetched: u64,
    /// Its files.
    pub files: Vec<KeptFile>,
}

/// A file of a kept model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Whether the hub publishes this hash, or it was only recorded here.
    pub published: bool,
}

impl Kept {
    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// `owner/name`, with the revision when it is not `main`.
    pub fn name(&self) -> String {
        match self.revision.as_str() {
            "main" => self.repository.clone(),
            revision => format!("{}@{revision}", self.repository),
        }
    }
}

const METADATA: &str = "model.json";
/// A download that nobody has continued for so long is thrown away.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The folder of all kept models.
#[derive(Debug, Clone)]
pub struct Models {
    root: PathBuf,
}

impl Models {
    /// Models kept in a folder, which need not be there yet.
    pub fn in_folder(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// Models kept in the user's cache: `SEEDBED_MODELS`, else `seedbed/models` in the system's place for caches.
    ///
    /// # Errors
    ///
    /// [`PullError::NoHome`] when the system has no such place.
    pub fn of_user() -> Result<Self, PullError> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(root) = variable("SEEDBED_MODELS") {
            return Ok(Self { root: root.into() });
        }
        let home = |rest: &str| variable("HOME").map(|home| Path::new(&home).join(rest));
        let cache = if cfg!(windows) {
            variable("LOCALAPPDATA").map(PathBuf::from)
        } else if cfg!(target_os = "macos") {
            home("Library/Caches")
        } else {
            variable("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| home(".cache"))
        };
        let cache = cache.ok_or(PullError::NoHome)?;
        Ok(Self {
            root: cache.join("seedbed").join("models"),
        })
    }

    /// The folder of a model, whether it is there or not.
    pub fn folder(&self, repository: &Repository) -> PathBuf {
        let name = repository.name.replace('/', "--");
        self.root.join(format!("{name}@{}", repository.revision))
    }

    /// All complete models with their folders, by name; what is broken is passed over.
    ///
    /// # Errors
    ///
    /// [`PullError::Store`] when the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<(Kept, PathBuf)>, PullError> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let mut models = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed(&self.root))? {
            let folder = entry.map_err(failed(&self.root))?.path();
            if let Some(kept) = read(&folder) {
                models.push((kept, folder));
            }
        }
        models.sort_by_key(|(kept, _)| kept.name());
        Ok(models)
    }

    /// The folder of a complete model.
    ///
    /// # Errors
    ///
    /// [`PullError::NotKept`] when it is not here, with how to fetch it.
    pub fn find(&self, repository: &Repository) -> Result<PathBuf, PullError> {
        let folder = self.folder(repository);
        match read(&folder) {
            Some(_) => Ok(folder),
            None => Err(PullError::NotKept(repository.name.clone())),
        }
    }

    /// Deletes a model, and how many bytes that frees.
    ///
    /// # Errors
    ///
    /// [`PullError::NotKept`] when it is not here, [`PullError::Store`] when it cannot be deleted.
    pub fn delete(&self, repository: &Repository) -> Result<u64, PullError> {
        let folder = self.find(repository)?;
        let size = read(&folder).map_or(0, |kept| kept.size());
        // The metadata goes first: what is left if the rest fails is no model any more.
        let metadata = folder.join(METADATA);
        fs::remove_file(&metadata).map_err(failed(&metadata))?;
        fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        Ok(size)
    }

    /// Throws away downloads that nobody has continued for a week.
    ///
    /// # Errors
    ///
    /// [`PullError::Store`] when one cannot be deleted.
    pub fn tidy(&self) -> Result<(), PullError> {
        self.tidy_at(SystemTime::now())
    }

    fn tidy_at(&self, now: SystemTime) -> Result<(), PullError> {
        let Ok(folders) = fs::read_dir(&self.root) else {
            return Ok(());
        };
        for folder in folders.filter_map(|entry| Some(entry.ok()?.path())) {
            // Only what this program has begun: a name with a revision, and no metadata yet.
            let ours = folder.is_dir() && folder.to_string_lossy().contains('@');
            if !ours || folder.join(METADATA).exists() {
                continue;
            }
            let Ok(files) = fs::read_dir(&folder) else {
                continue;
            };
            let touched = files
                .filter_map(|file| file.ok()?.metadata().ok()?.modified().ok())
                .max();
            let old = touched
                .is_none_or(|touched| now.duration_since(touched).is_ok_and(|age| age > PATIENCE));
            if old {
                fs::remove_dir_all(&folder).map_err(failed(&folder))?;
            }
        }
        Ok(())
    }
}

/// What a folder's `model.json` says, when it is there, can be read, and all files are as large as it says.
fn read(folder: &Path) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(&fs::read(folder.join(METADATA)).ok()?).ok()?;
    let whole = kept.files.iter().all(|file| {
        let found = fs::metadata(folder.join(&file.name));
        found.is_ok_and(|found| found.len() == file.size)
    });
    whole.then_some(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keep(models: &Models, name: &str) -> Repository {
        let repository = Repository::parse(name).unwrap();
        let folder = models.folder(&repository);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("x.gguf"), b"12345").unwrap();
        let kept = Kept {
            repository: repository.name.clone(),
            revision: repository.revision.clone(),
            commit: "0a".into(),
            hub: "http://127.0.0.1".into(),
            fetched: 1,
            files: vec![KeptFile {
                name: "x.gguf".into(),
                size: 5,
                sha256: "00".into(),
                published: false,
            }],
        };
        fs::write(folder.join(METADATA), serde_json::to_vec(&kept).unwrap()).unwrap();
        repository
    }

    #[test]
    fn complete_models_are_listed_by_name_and_found() {
        let root = tempfile::tempdir().unwrap();
        let models = Models::in_folder(root.path());
        assert!(models.list().unwrap().is_empty());
        keep(&models, "b/two@v1");
        let one = keep(&models, "a/one");
        let names: Vec<String> = models
            .list()
            .unwrap()
            .iter()
            .map(|(kept, _)| kept.name())
            .collect();
        assert_eq!(names, ["a/one", "b/two@v1"]);
        assert!(models.find(&one).unwrap().join("x.gguf").exists());
    }

    #[test]
    fn a_model_whose_file_has_another_size_is_not_here() {
        let root = tempfile::tempdir().unwrap();
        let models = Models::in_folder(root.path());
        let one = keep(&models, "a/one");
        fs::write(models.folder(&one).join("x.gguf"), b"1").unwrap();
        assert!(matches!(models.find(&one), Err(PullError::NotKept(name)) if name == "a/one"));
    }

    #[test]
    fn a_deleted_model_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let models = Models::in_folder(root.path());
        let one = keep(&models, "a/one");
        assert_eq!(models.delete(&one).unwrap(), 5);
        assert!(models.delete(&one).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_downloads_that_nobody_continues_are_thrown_away() {
        let root = tempfile::tempdir().unwrap();
        let models = Models::in_folder(root.path());
        let whole = keep(&models, "a/one");
        let part = root.path().join("a--two@main");
        let other = root.path().join("notes");
        for folder in [&part, &other] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("x.gguf.part"), b"1").unwrap();
        }
        models.tidy().unwrap();
        assert!(part.exists());
        models.tidy_at(SystemTime::now() + PATIENCE * 2).unwrap();
        assert!(!part.exists() && other.exists() && models.find(&whole).is_ok());
    }
}
