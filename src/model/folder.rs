//! Models on a disk: a folder in the hub's layout, or a GGUF file.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{Model, ModelError, ModelFile, Placement};

/// A file on a disk.
#[derive(Debug)]
struct DiskFile {
    name: String,
    size: u64,
    file: File,
}

impl DiskFile {
    fn open(path: &Path) -> Result<Self, ModelError> {
        let failed = |cause: std::io::Error| ModelError::Missing {
            path: path.display().to_string(),
            cause: cause.to_string(),
        };
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let name = path.file_name().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            size,
            file,
        })
    }
}

impl ModelFile for DiskFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(out))
            .map_err(|cause| cause.to_string())
    }
}

impl Model {
    /// Builds a model from a folder in the hub's layout or from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`Model::from_folder`] and [`Model::read`].
    pub fn open(path: &Path, place: impl Into<Placement>) -> Result<Self, ModelError> {
        if path.is_dir() || !path.exists() {
            return Self::from_folder(path, place);
        }
        Self::read(&name(path), &[&DiskFile::open(path)?], place)
    }

    /// Builds a model from a folder in the hub's layout: `config.json`, `tokenizer.json`, and `model.safetensors` or
    /// the files that `model.safetensors.index.json` names; or else the one GGUF file in it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] for a file that cannot be read, else as [`Model::read`].
    pub fn from_folder(folder: &Path, place: impl Into<Placement>) -> Result<Self, ModelError> {
        let in_folder = |error: ModelError| match error {
            ModelError::Missing { path, cause } if !path.contains(['/', '\\']) => {
                ModelError::Missing {
                    path: folder.join(path).display().to_string(),
                    cause,
                }
            }
            other => other,
        };
        let mut files = Vec::new();
        // A folder that is not there is one that lacks its first file.
        let entries = fs::read_dir(folder).map_err(|cause| {
            in_folder(ModelError::Missing {
                path: "config.json".into(),
                cause: cause.to_string(),
            })
        })?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let of_a_model = path.extension().is_some_and(|kind| {
                ["json", "jinja", "safetensors", "gguf"].contains(&kind.to_string_lossy().as_ref())
            });
            if of_a_model && path.is_file() {
                files.push(DiskFile::open(&path)?);
            }
        }
        let files: Vec<&dyn ModelFile> = files.iter().map(|file| file as &dyn ModelFile).collect();
        if files.is_empty() {
            return Err(in_folder(ModelError::Missing {
                path: "config.json".into(),
                cause: "it is not there".into(),
            }));
        }
        Self::read(&name(folder), &files, place).map_err(in_folder)
    }
}

/// What the user calls it: the last part of the path.
fn name(path: &Path) -> String {
    path.canonicalize()
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| path.display().to_string())
}
