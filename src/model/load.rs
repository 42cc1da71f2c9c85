//! A model out of its files: the hub's layout, or a GGUF file, which holds all of it.

use super::config::hub_config;
use super::file::whole;
use super::tokenizer::hub_tokenizer;
use super::{
    Config, Format, Gguf, Index, Model, ModelError, ModelFile, Placement, Vocabulary, Weights,
};

const INDEX: &str = "model.safetensors.index.json";

impl Config {
    /// What a model's files say of its shape; no weight is read.
    ///
    /// # Errors
    ///
    /// As [`Model::read`].
    pub fn read(files: &[&dyn ModelFile]) -> Result<Self, ModelError> {
        if let Some(file) = gguf(files)? {
            let head = Gguf::head(file)?;
            return Self::from_gguf(&Gguf::parse_head(&head, file)?);
        }
        let config = Self::from_json(&whole(needed(files, "config.json")?)?)?;
        match find(files, "generation_config.json") {
            Some(file) => config.with_generation(&whole(file)?),
            None => Ok(config),
        }
    }
}

impl Format {
    /// Bits that a number takes in memory, in the mean of all, where the blocks of a GGUF file are kept as they are
    /// ([`Format::Stored`]); nothing for other files.
    ///
    /// # Errors
    ///
    /// As [`Model::read`].
    pub fn stored_bits(files: &[&dyn ModelFile]) -> Result<Option<u64>, ModelError> {
        match gguf(files)? {
            Some(file) => Ok(Some(
                Gguf::parse_head(&Gguf::head(file)?, file)?.stored_bits(),
            )),
            None => Ok(None),
        }
    }
}

impl Model {
    /// Builds a model from its files: `config.json`, `tokenizer.json`, and `model.safetensors` or the files that
    /// `model.safetensors.index.json` names, with what else of the hub's layout there is; or from a GGUF file. Weights
    /// are read a part at a time and go to the device as they come.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoModel`] when the files are none, [`ModelError::Missing`] for one that is lacking or cannot be
    /// read, else as [`Model::assemble`].
    pub fn read(
        name: &str,
        files: &[&dyn ModelFile],
        place: impl Into<Placement>,
    ) -> Result<Self, ModelError> {
        if let Some(file) = gguf(files)? {
            let head = Gguf::head(file)?;
            let file = Gguf::parse_head(&head, file)?;
            let config = Config::from_gguf(&file)?;
            let vocabulary = Vocabulary::from_gguf(&file)?;
            return Self::assemble(name, config, vocabulary, &file.weights()?, place);
        }
        let config = Config::read(files)?;
        let mut vocabulary = Vocabulary::from_json(&whole(needed(files, "tokenizer.json")?)?)?;
        if let Some(chats) = find(files, "tokenizer_config.json") {
            let template = match find(files, "chat_template.jinja") {
                Some(file) => String::from_utf8(whole(file)?).ok(),
                None => None,
            };
            vocabulary = vocabulary.with_tokenizer_config(&whole(chats)?, template.as_deref())?;
        }
        Self::assemble(name, config, vocabulary, &Weights::of_files(files)?, place)
    }
}

impl<'a> Weights<'a> {
    /// The weights of a model in the hub's layout, in one file or in those that its index names.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] when there are none, else as [`Weights::sharded`] and [`Weights::read`].
    pub(super) fn of_files(files: &[&'a dyn ModelFile]) -> Result<Self, ModelError> {
        match (single(files), find(files, INDEX)) {
            (None, Some(index)) => Self::sharded(&Index::from_json(&whole(index)?)?, files),
            (Some(file), _) => Self::read(file),
            (None, None) => Self::read(needed(files, "model.safetensors")?),
        }
    }
}

/// What else of the hub's layout there is.
const BESIDE: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Takes files one after the other, piece after piece, by name.
pub type Take<'t> = dyn FnMut(&str, &[u8]) -> Result<(), ModelError> + 't;

/// Hands a model's weights to `of_weights`, and all that stands beside them in the hub's layout to `take`: the files there
/// are, or what says the same as a GGUF file's metadata.
///
/// # Errors
///
/// As [`Model::read`], what `take` and `of_weights` say, and [`ModelError::Adapter`] for a GGUF file that the hub's layout
/// cannot tell.
pub(super) fn in_the_hubs_layout(
    files: &[&dyn ModelFile],
    take: &mut Take<'_>,
    of_weights: &mut dyn FnMut(&Weights<'_>, &mut Take<'_>) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    if let Some(file) = gguf(files)? {
        let head = Gguf::head(file)?;
        let file = Gguf::parse_head(&head, file)?;
        let [tokenizer, about] = hub_tokenizer(&file)?;
        for (name, text) in [
            ("config.json", hub_config(&file)?),
            ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", about),
        ] {
            take(name, text.as_bytes())?;
        }
        return of_weights(&file.weights()?, take);
    }
    let weights = Weights::of_files(files)?;
    for name in BESIDE {
        if let Some(file) = find(files, name) {
            take(name, &whole(file)?)?;
        }
    }
    of_weights(&weights, take)
}

fn find<'a>(files: &[&'a dyn ModelFile], name: &str) -> Option<&'a dyn ModelFile> {
    files.iter().copied().find(|file| file.name() == name)
}

fn needed<'a>(files: &[&'a dyn ModelFile], name: &str) -> Result<&'a dyn ModelFile, ModelError> {
    find(files, name).ok_or_else(|| ModelError::Missing {
        path: name.into(),
        cause: "it is not there".into(),
    })
}

/// The weights in one file, under whatever name when there is no other.
fn single<'a>(files: &[&'a dyn ModelFile]) -> Option<&'a dyn ModelFile> {
    let mut weights = files
        .iter()
        .copied()
        .filter(|file| file.name().ends_with(".safetensors"));
    find(files, "model.safetensors").or_else(|| {
        let first = weights.next()?;
        let alone = weights.next().is_none() && find(files, INDEX).is_none();
        alone.then_some(first)
    })
}

/// The GGUF file of files that are no model in the hub's layout.
fn gguf<'a>(files: &[&'a dyn ModelFile]) -> Result<Option<&'a dyn ModelFile>, ModelError> {
    if find(files, "config.json").is_some() {
        return Ok(None);
    }
    let mut found = files
        .iter()
        .copied()
        .filter(|file| file.name().ends_with(".gguf"));
    match (found.next(), found.next()) {
        (Some(file), None) => Ok(Some(file)),
        (None, _) if files.iter().any(|file| file.name().ends_with(".json")) => Ok(None),
        _ => {
            let names: Vec<&str> = files.iter().take(4).map(|file| file.name()).collect();
            Err(ModelError::NoModel(names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::HeldFile;
    use super::*;

    fn file<'a>(name: &'a str, bytes: &'a [u8]) -> HeldFile<'a> {
        HeldFile { name, bytes }
    }

    #[test]
    fn files_that_are_no_model_are_named_with_what_is_wanted() {
        let photo = file("photo.jpg", b"\xff\xd8");
        let error = Config::read(&[&photo]).unwrap_err().to_string();
        assert!(
            error.contains("photo.jpg") && error.contains(".gguf"),
            "{error}"
        );
    }

    #[test]
    fn of_two_gguf_files_none_is_taken() {
        let (a, b) = (file("a.gguf", b"GGUF"), file("b.gguf", b"GGUF"));
        assert!(matches!(
            Config::read(&[&a, &b]),
            Err(ModelError::NoModel(names)) if names == "a.gguf, b.gguf"
        ));
    }

    #[test]
    fn a_file_of_the_hubs_layout_that_is_not_there_is_named() {
        let tokenizer = file("tokenizer.json", b"{}");
        assert!(matches!(
            Config::read(&[&tokenizer]),
            Err(ModelError::Missing { path, .. }) if path == "config.json"
        ));
    }
}
