//! Models on a disk: a folder in the hub's layout, or a GGUF file.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Model, ModelError, ModelFile, Placement, merged_files};

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
        let in_folder = |error| in_folder(folder, error);
        let files = disk_files(folder).map_err(in_folder)?;
        let files: Vec<&dyn ModelFile> = files.iter().map(|file| file as &dyn ModelFile).collect();
        Self::read(&name(folder), &files, place).map_err(in_folder)
    }
}

/// Writes a model folder with an adapter (a PEFT directory) added into its weights, out of a folder or a GGUF file; see
/// [`merged_files`].
///
/// # Errors
///
/// As [`merged_files`]; [`ModelError::Missing`] for a file that cannot be read, and [`ModelError::NotWritten`].
pub fn merge_folder(model: &Path, adapter: &Path, out: &Path) -> Result<(), ModelError> {
    let read = |file: &str| {
        fs::read(adapter.join(file)).map_err(|cause| {
            ModelError::Adapter(format!(
                "{} cannot be read ({cause}); give a PEFT directory",
                adapter.join(file).display()
            ))
        })
    };
    let (config, factors) = (
        read("adapter_config.json")?,
        read("adapter_model.safetensors")?,
    );
    let files = match model.is_file() {
        true => vec![DiskFile::open(model)?],
        false => disk_files(model)?,
    };
    let files: Vec<&dyn ModelFile> = files.iter().map(|file| file as &dyn ModelFile).collect();
    let write =
        |path: &Path, done: std::io::Result<()>| done.map_err(|cause| not_written(path, &cause));
    write(out, fs::create_dir_all(out))?;
    // Each under another name until all are whole; the model may itself lie where it is written to.
    let part = |name: &str| out.join(format!("{name}.part"));
    let mut written: Vec<(String, File)> = Vec::new();
    let done = merged_files(&files, &config, &factors, &mut |name, piece| {
        let part = part(name);
        if written.last().is_none_or(|(last, _)| last != name) {
            let file = File::create(&part).map_err(|cause| not_written(&part, &cause))?;
            written.push((name.to_owned(), file));
        }
        match written.last_mut() {
            Some((_, file)) => write(&part, file.write_all(piece)),
            None => Ok(()),
        }
    });
    for (name, _) in &written {
        let (part, file) = (part(name), out.join(name));
        match &done {
            Ok(()) => write(&file, fs::rename(part, &file))?,
            // What is half written is of no use; that it stays would be no harm either.
            Err(_) => drop(fs::remove_file(part)),
        }
    }
    done
}

fn not_written(path: &Path, cause: &std::io::Error) -> ModelError {
    ModelError::NotWritten {
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}

/// The error with the whole path of a file that it names without.
fn in_folder(folder: &Path, error: ModelError) -> ModelError {
    match error {
        ModelError::Missing { path, cause } if !path.contains(['/', '\\']) => ModelError::Missing {
            path: folder.join(path).display().to_string(),
            cause,
        },
        other => other,
    }
}

/// The files of a folder that may belong to a model.
fn disk_files(folder: &Path) -> Result<Vec<DiskFile>, ModelError> {
    // A folder that is not there is one that lacks its first file.
    let lacking = |cause: String| ModelError::Missing {
        path: "config.json".into(),
        cause,
    };
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|cause| lacking(cause.to_string()))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let of_a_model = path.extension().is_some_and(|kind| {
            ["json", "jinja", "safetensors", "gguf"].contains(&kind.to_string_lossy().as_ref())
        });
        if of_a_model && path.is_file() {
            files.push(DiskFile::open(&path)?);
        }
    }
    if files.is_empty() {
        return Err(lacking("it is not there".into()));
    }
    Ok(files)
}

/// What the user calls it: the last part of the path.
fn name(path: &Path) -> String {
    path.canonicalize()
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| path.display().to_string())
}
