//! A checkpoint in several safetensors files, and the index that says which tensor lies where.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::{Data, ModelError, ModelFile, SafetensorsError, Stored, safetensors};

/// `model.safetensors.index.json`: which tensor lies in which file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Index {
    weight_map: HashMap<String, String>,
}

impl Index {
    /// Reads the index.
    ///
    /// # Errors
    ///
    /// [`SafetensorsError`] when it is not one, or names a file outside its own folder.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|error| SafetensorsError::Index(error.to_string()))?;
        for file in index.weight_map.values() {
            if file.contains(['/', '\\', ':']) || !file.ends_with(".safetensors") {
                return Err(SafetensorsError::IndexFile(file.clone()).into());
            }
        }
        Ok(index)
    }

    /// The files, each once, in the order of their names.
    pub fn files(&self) -> Vec<&str> {
        let files: BTreeSet<&str> = self.weight_map.values().map(String::as_str).collect();
        files.into_iter().collect()
    }
}

/// All tensors of the index, each out of the file it names.
pub(super) fn join<'a>(
    index: &Index,
    files: &[&'a dyn ModelFile],
) -> Result<HashMap<String, Stored<'a>>, ModelError> {
    let mut read = HashMap::new();
    for file in index.files() {
        let found = files
            .iter()
            .find(|found| found.name() == file)
            .ok_or_else(|| ModelError::Missing {
                path: file.into(),
                cause: "model.safetensors.index.json names it".into(),
            })?;
        read.insert(file, safetensors::parse(Data::Filed(*found))?);
    }
    index
        .weight_map
        .iter()
        .map(|(name, file)| {
            let tensor = read
                .get_mut(file.as_str())
                .and_then(|file| file.remove(name));
            match tensor {
                Some(tensor) => Ok((name.clone(), tensor)),
                None => Err(ModelError::TensorMissing(name.clone())),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Weights;
    use super::*;
    use crate::model::HeldFile;

    fn file(name: &str, value: f32) -> Vec<u8> {
        let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
        bytes
    }

    fn held<'a>(name: &'a str, bytes: &'a [u8]) -> HeldFile<'a> {
        HeldFile { name, bytes }
    }

    const INDEX: &[u8] =
        br#"{"metadata":{"total_size":8},"weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors"}}"#;

    #[test]
    fn each_tensor_comes_from_the_file_that_the_index_names() {
        let (first, second) = (file("a", 1.0), file("b", 2.0));
        let index = Index::from_json(INDEX).unwrap();
        assert_eq!(index.files(), ["x-1.safetensors", "x-2.safetensors"]);
        let files = [
            held("x-2.safetensors", &second),
            held("x-1.safetensors", &first),
        ];
        let weights = Weights::sharded(&index, &[&files[0], &files[1]]).unwrap();
        assert_eq!(weights.values("a", &[1]).unwrap(), [1.0]);
        assert_eq!(weights.values("b", &[1]).unwrap(), [2.0]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let first = file("a", 1.0);
        let index = Index::from_json(INDEX).unwrap();
        let file = held("x-1.safetensors", &first);
        let error = Weights::sharded(&index, &[&file]).unwrap_err();
        assert!(matches!(error, ModelError::Missing { path, .. } if path == "x-2.safetensors"));
    }

    #[test]
    fn a_tensor_that_is_in_another_file_than_the_index_says_is_named() {
        let (first, second) = (file("a", 1.0), file("c", 2.0));
        let index = Index::from_json(INDEX).unwrap();
        let files = [
            held("x-1.safetensors", &first),
            held("x-2.safetensors", &second),
        ];
        let error = Weights::sharded(&index, &[&files[0], &files[1]]).unwrap_err();
        assert_eq!(error, ModelError::TensorMissing("b".into()));
    }

    #[test]
    fn an_index_cannot_name_a_file_of_another_folder() {
        let index = br#"{"weight_map":{"a":"../secret.safetensors"}}"#;
        let file = "../secret.safetensors".into();
        assert_eq!(
            Index::from_json(index).unwrap_err(),
            SafetensorsError::IndexFile(file).into()
        );
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for text in ["[", "{}", r#"{"weight_map":["a"]}"#] {
            assert!(matches!(
                Index::from_json(text.as_bytes()),
                Err(ModelError::Safetensors(SafetensorsError::Index(_)))
            ));
        }
    }
}
