//! Where models come from: what a repository of the hub holds, which of its files are needed, and what it takes to run
//! and to fine-tune them. It does no network and knows no disk. The page has its own twin of the lists, `www/src/models/hub.ts`.

use serde::Deserialize;

use super::Config;

/// A repository that cannot be used, or a name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not the name of a repository.
    #[error("`{0}` is no model's name; write owner/name, or owner/name@revision")]
    Name(String),
    /// The hub's answer about a repository cannot be read.
    #[error("the hub's list of files of {name} cannot be read: {cause}")]
    Listing {
        /// The repository.
        name: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No weights in a format that is read.
    #[error(
        "{0} holds neither safetensors with config.json and tokenizer.json nor a GGUF file; other formats are not read"
    )]
    NoWeights(String),
    /// Several GGUF files to choose from.
    #[error("{name} holds several GGUF files; choose one with --file: {files}")]
    Several {
        /// The repository.
        name: String,
        /// The files.
        files: String,
    },
    /// A file that was asked for is not there.
    #[error("{name} holds no file `{file}`; it holds: {files}")]
    NoFile {
        /// The repository.
        name: String,
        /// The file.
        file: String,
        /// What there is.
        files: String,
    },
}

/// A repository by name, and which revision of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`
    pub name: String,
    /// A branch, a tag or a commit; `main` unless said otherwise.
    pub revision: String,
}

impl Repository {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    ///
    /// [`SourceError::Name`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let plain = |part: &str| {
            let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !part.is_empty()
                && part.len() <= 100
                && !part.starts_with('.')
                && part.bytes().all(letters)
        };
        match name.split_once('/') {
            Some((owner, short)) if plain(owner) && plain(short) && plain(revision) => Ok(Self {
                name: name.into(),
                revision: revision.into(),
            }),
            _ => Err(SourceError::Name(text.into())),
        }
    }

    /// Where the hub lists the files, with sizes and hashes.
    pub fn listing_url(&self, hub: &str) -> String {
        format!(
            "{hub}/api/models/{}/revision/{}?blobs=true",
            self.name, self.revision
        )
    }

    /// Where a file of one commit lies; the commit is pinned, so that a download can be continued another day.
    pub fn file_url(&self, hub: &str, commit: &str, file: &str) -> String {
        format!("{hub}/{}/resolve/{commit}/{file}", self.name)
    }
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name, without folders.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The SHA-256 that the hub publishes, as it does for large files.
    pub sha256: Option<String>,
}

/// What one commit of a repository holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The repository's name.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// The files at the top of it.
    pub files: Vec<Remote>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

/// Files beside the weights, with whether a model cannot do without.
const BESIDE: [(&str, bool); 5] = [
    ("config.json", true),
    ("tokenizer.json", true),
    ("tokenizer_config.json", false),
    ("generation_config.json", false),
    ("chat_template.jinja", false),
];
/// The index of weights in several files.
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";

impl Listing {
    /// Reads the hub's answer.
    ///
    /// # Errors
    ///
    /// [`SourceError::Listing`] when it is not one.
    pub fn from_json(repository: &Repository, bytes: &[u8]) -> Result<Self, SourceError> {
        let failed = |cause: String| SourceError::Listing {
            name: repository.name.clone(),
            cause,
        };
        let answer: Answer =
            serde_json::from_slice(bytes).map_err(|error| failed(error.to_string()))?;
        if answer.sha.is_empty() || !answer.sha.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(failed("it names no commit".into()));
        }
        let files = answer.siblings.into_iter().filter_map(|file| {
            // A name becomes a path here: nothing that could leave the folder.
            let name = file.rfilename;
            if name.starts_with('.') || name.contains(['/', '\\', ':']) {
                return None;
            }
            let (sha256, large) = file
                .lfs
                .map_or((None, None), |large| (large.sha256, large.size));
            Some(Remote {
                name,
                size: large.or(file.size).unwrap_or(0),
                sha256: sha256.map(|hash| hash.to_ascii_lowercase()),
            })
        });
        Ok(Self {
            name: repository.name.clone(),
            commit: answer.sha,
            files: files.collect(),
        })
    }

    /// The files that a model needs: safetensors with what stands beside them, else the one GGUF file; or the GGUF
    /// file of the name `chosen`.
    ///
    /// # Errors
    ///
    /// [`SourceError::NoWeights`], [`SourceError::Several`] or [`SourceError::NoFile`].
    pub fn needed(&self, chosen: Option<&str>) -> Result<Vec<&Remote>, SourceError> {
        let gguf: Vec<&Remote> = self
            .files
            .iter()
            .filter(|file| file.name.ends_with(".gguf"))
            .collect();
        if let Some(chosen) = chosen {
            return match gguf.iter().find(|file| file.name == chosen) {
                Some(file) => Ok(vec![file]),
                None => Err(SourceError::NoFile {
                    name: self.name.clone(),
                    file: chosen.into(),
                    files: names(&self.files.iter().collect::<Vec<_>>()),
                }),
            };
        }
        if let Some(files) = self.safetensors() {
            return Ok(files);
        }
        match gguf[..] {
            [] => Err(SourceError::NoWeights(self.name.clone())),
            [file] => Ok(vec![file]),
            _ => Err(SourceError::Several {
                name: self.name.clone(),
                files: names(&gguf),
            }),
        }
    }

    fn find(&self, name: &str) -> Option<&Remote> {
        self.files.iter().find(|file| file.name == name)
    }

    fn safetensors(&self) -> Option<Vec<&Remote>> {
        let mut files = Vec::new();
        for (name, needed) in BESIDE {
            match self.find(name) {
                Some(file) => files.push(file),
                None if needed => return None,
                None => {}
            }
        }
        match (self.find(SINGLE), self.find(INDEX)) {
            (Some(file), _) => files.push(file),
            (None, Some(index)) => {
                files.push(index);
                let shard = |file: &&Remote| {
                    file.name.starts_with("model-") && file.name.ends_with(".safetensors")
                };
                files.extend(self.files.iter().filter(shard));
            }
            (None, None) => return None,
        }
        Some(files)
    }
}

fn names(files: &[&Remote]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.join(", ")
}

/// Bytes of memory that a model takes, beside the program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Weights, and the keys and values of one sequence.
    pub run: u64,
    /// The same with an adapter of rank 16, its gradients and moments, and one step's activations.
    pub tune: u64,
}

/// Rows and tokens of a training step that the estimate is made for, and the adapter's rank.
const STEP_TOKENS: u64 = 4 * 256;
const RANK: u64 = 16;

impl Memory {
    /// An estimate: `weight_bits` are those of one weight as it lies in memory (32 for f32, about 9 for q8), `context`
    /// the tokens of the longest sequence. Activations are those of one layer, which is computed again on the way
    /// back, the stream between layers, and the scores over the vocabulary with their gradient.
    pub fn estimate(config: &Config, weight_bits: u64, context: usize) -> Self {
        let weights = config.parameters() * weight_bits / 8;
        let layers = config.num_hidden_layers as u64;
        let (hidden, inner) = (config.hidden_size as u64, config.intermediate_size as u64);
        let (query, kv) = (config.query_size() as u64, config.kv_size() as u64);
        let cache = 2 * layers * kv * context as u64 * 4;
        let run = weights + cache;
        // In and out of the seven projections that an adapter sits beside.
        let sides = 2 * (hidden + query) + 2 * (hidden + kv) + 3 * (hidden + inner);
        // Value, gradient and the optimiser's two moments.
        let adapter = 4 * 4 * RANK * sides * layers;
        let layer = 4 * hidden + 2 * (query + 2 * kv) + 4 * inner;
        let stream = layers * hidden;
        let scores = 2 * config.vocab_size as u64;
        let tune = weights + adapter + 4 * STEP_TOKENS * (layer + stream + scores);
        Self { run, tune }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn listing(files: &[&str]) -> Listing {
        let siblings: Vec<String> = files
            .iter()
            .map(|name| format!(r#"{{"rfilename":"{name}","size":5}}"#))
            .collect();
        let json = format!(r#"{{"sha":"0abc","siblings":[{}]}}"#, siblings.join(","));
        Listing::from_json(&Repository::parse("a/b").unwrap(), json.as_bytes()).unwrap()
    }

    fn needed(files: &[&str]) -> Vec<String> {
        let listing = listing(files);
        let files = listing.needed(None).unwrap();
        files.into_iter().map(|file| file.name.clone()).collect()
    }

    #[test]
    fn a_name_has_an_owner_and_may_have_a_revision() {
        let found = Repository::parse("Hugging-Face.TB/SmolLM2_1@v1.0").unwrap();
        assert_eq!(
            (&*found.name, &*found.revision),
            ("Hugging-Face.TB/SmolLM2_1", "v1.0")
        );
        assert_eq!(Repository::parse("a/b").unwrap().revision, "main");
        for wrong in [
            "a", "a/b/c", "../b", "a/..", "a/b@", "a b/c", "/b", "a/b@x/y", "a/b?x",
        ] {
            assert_eq!(
                Repository::parse(wrong),
                Err(SourceError::Name(wrong.into()))
            );
        }
    }

    #[test]
    fn safetensors_are_taken_with_what_stands_beside_them() {
        let found = needed(&[
            "README.md",
            "model.gguf",
            "model.safetensors",
            "tokenizer.json",
            "config.json",
            "pytorch_model.bin",
            "generation_config.json",
        ]);
        assert_eq!(
            found,
            [
                "config.json",
                "tokenizer.json",
                "generation_config.json",
                "model.safetensors"
            ]
        );
    }

    #[test]
    fn weights_in_several_files_are_taken_with_their_index() {
        let found = needed(&[
            "config.json",
            "tokenizer.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "consolidated.safetensors",
        ]);
        assert_eq!(
            found[2..],
            [
                "model.safetensors.index.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ]
        );
    }

    #[test]
    fn one_gguf_file_is_taken_and_of_several_one_must_be_chosen() {
        assert_eq!(needed(&["README.md", "x.gguf"]), ["x.gguf"]);
        let several = listing(&["x.gguf", "y.gguf"]);
        assert!(
            matches!(several.needed(None), Err(SourceError::Several { files, .. }) if files == "x.gguf, y.gguf")
        );
        assert_eq!(several.needed(Some("y.gguf")).unwrap()[0].name, "y.gguf");
        assert!(matches!(
            several.needed(Some("z.gguf")),
            Err(SourceError::NoFile { .. })
        ));
    }

    #[test]
    fn pickles_are_never_taken() {
        let pickles = listing(&["config.json", "tokenizer.json", "pytorch_model.bin"]);
        assert_eq!(
            pickles.needed(None),
            Err(SourceError::NoWeights("a/b".into()))
        );
    }

    #[test]
    fn names_that_could_leave_the_folder_are_not_seen() {
        let listing = listing(&[
            "../x.gguf",
            "sub/x.gguf",
            ".hidden.gguf",
            "c:x.gguf",
            "ok.gguf",
        ]);
        assert_eq!(listing.files.len(), 1);
    }

    #[test]
    fn the_hash_and_the_size_of_a_large_file_are_the_published_ones() {
        let json = br#"{"sha":"0abc","siblings":[{"rfilename":"x.gguf","size":9,"lfs":{"sha256":"AB","size":10}}]}"#;
        let listing = Listing::from_json(&Repository::parse("a/b").unwrap(), json).unwrap();
        assert_eq!(
            listing.files[0],
            Remote {
                name: "x.gguf".into(),
                size: 10,
                sha256: Some("ab".into())
            }
        );
        let none = Listing::from_json(
            &Repository::parse("a/b").unwrap(),
            br#"{"sha":"../x","siblings":[]}"#,
        );
        assert!(matches!(none, Err(SourceError::Listing { .. })));
    }

    #[test]
    fn memory_is_weights_and_cache_and_for_tuning_more() {
        let json =
            br#"{"vocab_size":100,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,
            "num_attention_heads":2,"num_key_value_heads":1,"tie_word_embeddings":true}"#;
        let config = Config::from_json(json).unwrap();
        let memory = Memory::estimate(&config, 32, 10);
        assert_eq!(memory.run, 4 * config.parameters() + 2 * 2 * 4 * 10 * 4);
        assert!(memory.tune > memory.run);
        assert!(Memory::estimate(&config, 9, 10).run < memory.run);
    }
}
