//! Models on a disk: a folder in the hub's layout, or a GGUF file.

use std::fs;
use std::path::Path;

use super::{Config, Index, Model, ModelError, Placement, Vocabulary, Weights, merged};

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|cause| ModelError::Missing {
        path: path.display().to_string(),
        cause: cause.to_string(),
    })
}

impl Model {
    /// Builds a model from a folder in the hub's layout or from a GGUF file.
    ///
    /// # Errors
    ///
    /// As [`Model::from_folder`] and [`Model::from_gguf`].
    pub fn open(path: &Path, place: impl Into<Placement>) -> Result<Self, ModelError> {
        if path.is_dir() || !path.exists() {
            return Self::from_folder(path, place);
        }
        let bytes = read(path)?;
        Self::from_gguf(&name(path), &bytes, place)
    }

    /// Builds a model from a folder in the hub's layout: `config.json`, `tokenizer.json`, and `model.safetensors` or
    /// the files that `model.safetensors.index.json` names; or else the one GGUF file in it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] for a file that cannot be read, else as [`Model::from_files`].
    pub fn from_folder(folder: &Path, place: impl Into<Placement>) -> Result<Self, ModelError> {
        if let Some(file) = only_gguf(folder) {
            return Self::from_gguf(&name(folder), &read(&file)?, place);
        }
        let mut config = Config::from_json(&read(&folder.join("config.json"))?)?;
        let generation = folder.join("generation_config.json");
        if generation.exists() {
            config = config.with_generation(&read(&generation)?)?;
        }
        let mut vocabulary = Vocabulary::from_json(&read(&folder.join("tokenizer.json"))?)?;
        let chats = folder.join("tokenizer_config.json");
        if chats.exists() {
            let template = fs::read_to_string(folder.join("chat_template.jinja")).ok();
            vocabulary = vocabulary.with_tokenizer_config(&read(&chats)?, template.as_deref())?;
        }
        with_weights(folder, |weights| {
            Self::assemble(&name(folder), config, vocabulary, weights, place)
        })
    }
}

/// Writes a model folder with an adapter (a PEFT directory) added into its weights; see [`merged`]. All files but the
/// weights are copied as they are.
///
/// # Errors
///
/// As [`merged`], and [`ModelError::Missing`] for a file that cannot be read or written. A GGUF file is refused.
pub fn merge_folder(model: &Path, adapter: &Path, out: &Path) -> Result<(), ModelError> {
    if !model.is_dir() || only_gguf(model).is_some() {
        return Err(ModelError::Adapter(format!(
            "{} is no model folder in the hub's layout; an adapter is merged into unquantised safetensors only",
            model.display()
        )));
    }
    let [config, factors] = ["adapter_config.json", "adapter_model.safetensors"];
    let (config, factors) = (read(&adapter.join(config))?, read(&adapter.join(factors))?);
    let bytes = with_weights(model, |weights| merged(weights, &config, &factors))?;
    let write = |path: &Path, done: std::io::Result<()>| {
        done.map_err(|cause| ModelError::NotWritten {
            path: path.display().to_string(),
            cause: cause.to_string(),
        })
    };
    write(out, fs::create_dir_all(out))?;
    for file in BESIDE {
        let (from, to) = (model.join(file), out.join(file));
        if from.exists() {
            write(&to, fs::copy(&from, &to).map(|_| ()))?;
        }
    }
    let file = out.join("model.safetensors");
    write(&file, fs::write(&file, bytes))
}

/// What lies beside the weights in a folder of the hub's layout.
const BESIDE: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Opens the weights of a folder, in one file or several, for as long as `work` takes.
fn with_weights<T>(
    folder: &Path,
    work: impl FnOnce(&Weights<'_>) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let single = folder.join("model.safetensors");
    let list = folder.join("model.safetensors.index.json");
    if single.exists() || !list.exists() {
        return work(&Weights::parse(&read(&single)?)?);
    }
    let index = Index::from_json(&read(&list)?)?;
    let mut files = Vec::new();
    for file in index.files() {
        files.push((file, read(&folder.join(file))?));
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(file, bytes)| (*file, &bytes[..]))
        .collect();
    work(&Weights::sharded(&index, &files)?)
}

/// The GGUF file of a folder that holds no model in the hub's layout, when there is just one.
fn only_gguf(folder: &Path) -> Option<std::path::PathBuf> {
    if folder.join("config.json").exists() {
        return None;
    }
    let mut files = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "gguf"));
    let first = files.next()?;
    files.next().is_none().then_some(first)
}

/// What the user calls it: the last part of the path.
fn name(path: &Path) -> String {
    path.canonicalize()
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| path.display().to_string())
}
