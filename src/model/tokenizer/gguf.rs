//! A tokenizer out of the metadata of a GGUF file, told to the tokenizer library in its own words (`tokenizer.json`).
//! They are put together as text: a tree of values for it would take a browser build more code than all the rest here.

use std::collections::{HashMap, HashSet};

use crate::model::weights::{Array, Gguf, GgufError, Value};

/// What a GGUF file says of its text.
pub(super) struct Description {
    /// A `tokenizer.json`.
    pub json: String,
    /// The text of the token that begins a sequence.
    pub bos: Option<String>,
    /// Whether the model was trained on texts that begin with it.
    pub begins: bool,
    /// The text of the token that ends a sequence.
    pub eos: Option<String>,
}

// What `tokenizer.ggml.token_type` means.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// Llama 3's splitting of text before merges, and Qwen2's, which differs in taking digits one by one.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokenizer of a GGUF file.
pub(super) fn read(file: &Gguf<'_>) -> Result<Description, GgufError> {
    let model = file
        .text("tokenizer.ggml.model")?
        .ok_or_else(|| GgufError::KeyMissing("tokenizer.ggml.model".into()))?;
    let mut entries = Entries::read(file)?;
    let parts = match model {
        "gpt2" => byte_level(file)?,
        "llama" => {
            let gemma = file.architecture()?.starts_with("gemma");
            if gemma {
                entries.respell_spaces();
            }
            sentence_piece(file, &entries, gemma)?
        }
        other => {
            return Err(GgufError::Tokenizer(format!(
                "is of the kind `{other}`; gpt2 and llama are read"
            )));
        }
    };
    let token = |key: &str| -> Result<Option<String>, GgufError> {
        let id = file.count(&format!("tokenizer.ggml.{key}_token_id"))?;
        let index = id.and_then(|id| usize::try_from(id).ok());
        Ok(index.and_then(|index| entries.tokens.get(index).cloned()))
    };
    let begins = file
        .flag("tokenizer.ggml.add_bos_token")?
        .unwrap_or(model == "llama");
    let json = [
        r#"{"version":"1.0","truncation":null,"padding":null,"post_processor":null,"added_tokens":["#,
        &entries.added(),
        r#"],"normalizer":"#,
        parts.normalizer,
        r#","pre_tokenizer":"#,
        &parts.splitter,
        r#","decoder":"#,
        &parts.decoder,
        r#","model":{"type":"BPE","#,
        parts.model,
        r#""unk_token":"#,
        &parts.unknown,
        r#","vocab":{"#,
        &entries.vocabulary(),
        r#"},"merges":["#,
        &parts.merges,
        "]}}",
    ]
    .concat();
    Ok(Description {
        json,
        bos: token("bos")?,
        begins,
        eos: token("eos")?,
    })
}

/// The files of the hub's layout that say what a GGUF file's metadata do of its text: `tokenizer.json` and
/// `tokenizer_config.json`.
///
/// # Errors
///
/// [`GgufError`] as [`read`].
pub(in crate::model) fn hub_tokenizer(file: &Gguf<'_>) -> Result<[String; 2], GgufError> {
    let Description {
        mut json,
        bos,
        begins,
        eos,
    } = read(file)?;
    let id = file.count("tokenizer.ggml.bos_token_id")?;
    if let (true, Some(bos), Some(id)) = (begins, &bos, id) {
        // In transformers the tokenizer's own file says that a text begins with it.
        let bos = quoted(bos);
        let begin = format!(r#"{{"SpecialToken":{{"id":{bos},"type_id":0}}}}"#);
        let text = |name, kind| format!(r#"{{"Sequence":{{"id":"{name}","type_id":{kind}}}}}"#);
        let (first, second) = (text('A', 0), text('B', 1));
        let processor = format!(
            r#""post_processor":{{"type":"TemplateProcessing","single":[{begin},{first}],"pair":[{begin},{first},{second}],"special_tokens":{{{bos}:{{"id":{bos},"ids":[{id}],"tokens":[{bos}]}}}}}}"#
        );
        json = json.replacen(r#""post_processor":null"#, &processor, 1);
    }
    let mut config = r#"{"tokenizer_class":"PreTrainedTokenizerFast""#.to_owned();
    let template = file.text("tokenizer.chat_template")?;
    for (key, text) in [
        ("bos_token", bos.as_deref()),
        ("eos_token", eos.as_deref()),
        ("chat_template", template),
    ] {
        if let Some(text) = text {
            config += &format!(r#","{key}":{}"#, quoted(text));
        }
    }
    config.push('}');
    Ok([json, config])
}

/// The vocabulary: texts, what they are, and how good they are.
struct Entries {
    tokens: Vec<String>,
    kinds: Vec<i64>,
    scores: Vec<f64>,
}

impl Entries {
    fn read(file: &Gguf<'_>) -> Result<Self, GgufError> {
        let key = "tokenizer.ggml.tokens";
        let tokens = file
            .array(key)?
            .ok_or_else(|| GgufError::KeyMissing(key.into()))?;
        let tokens = texts(tokens, key)?;
        let numbers = |key: &'static str| -> Result<Vec<f64>, GgufError> {
            let Some(array) = file.array(key)? else {
                return Ok(Vec::new());
            };
            let wrong = || GgufError::KeyType {
                key: key.into(),
                expected: "an array of numbers, one for each token",
            };
            if array.len() != tokens.len() {
                return Err(wrong());
            }
            array
                .values(key)
                .map(|value| value?.number().ok_or_else(wrong))
                .collect()
        };
        let kinds = numbers("tokenizer.ggml.token_type")?;
        let scores = numbers("tokenizer.ggml.scores")?;
        Ok(Self {
            kinds: kinds.into_iter().map(|kind| kind as i64).collect(),
            scores,
            tokens,
        })
    }

    fn kind(&self, index: usize) -> i64 {
        self.kinds.get(index).copied().unwrap_or(1)
    }

    /// Gemma's files spell tokens of several spaces with real ones, and all else with `▁`.
    fn respell_spaces(&mut self) {
        for token in &mut self.tokens {
            if !token.is_empty() && token.bytes().all(|byte| byte == b' ') {
                *token = token.replace(' ', "▁");
            }
        }
    }

    /// Texts to ids; of two alike the first counts.
    fn vocabulary(&self) -> String {
        let mut seen = HashSet::with_capacity(self.tokens.len());
        let mut written = String::new();
        for (id, token) in self.tokens.iter().enumerate() {
            if seen.insert(token) {
                separate(&mut written);
                written += &quoted(token);
                written.push(':');
                written += &id.to_string();
            }
        }
        written
    }

    /// Tokens that are matched as a whole before text is taken apart.
    fn added(&self) -> String {
        let mut written = String::new();
        for (id, token) in self.tokens.iter().enumerate() {
            let kind = self.kind(id);
            if matches!(kind, CONTROL | USER_DEFINED) && !token.is_empty() {
                separate(&mut written);
                written += r#"{"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":"#;
                written += if kind == CONTROL { "true" } else { "false" };
                written += r#","id":"#;
                written += &id.to_string();
                written += r#","content":"#;
                written += &quoted(token);
                written.push('}');
            }
        }
        written
    }
}

/// A text as JSON spells it.
fn quoted(text: &str) -> String {
    // Text is always JSON.
    serde_json::to_string(text).unwrap_or_default()
}

fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push(',');
    }
}

fn texts(array: Array<'_>, key: &'static str) -> Result<Vec<String>, GgufError> {
    array
        .values(key)
        .map(|value| match value? {
            Value::Text(bytes) => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| GgufError::Utf8(key.into())),
            _ => Err(GgufError::KeyType {
                key: key.into(),
                expected: "an array of texts",
            }),
        })
        .collect()
}

/// What differs between the kinds of tokenizers, as JSON.
struct Parts {
    normalizer: &'static str,
    splitter: String,
    decoder: String,
    /// The model's own settings, a comma behind each.
    model: &'static str,
    unknown: String,
    merges: String,
}

/// Bytes spelled as letters, behind a splitter or with GPT-2's own.
const BYTES: &str =
    r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}"#;
const SPLIT_BYTES: &str =
    r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;

/// GPT-2's: merges over the bytes of text, spelled as letters.
fn byte_level(file: &Gguf<'_>) -> Result<Parts, GgufError> {
    let key = "tokenizer.ggml.merges";
    let listed = file
        .array(key)?
        .ok_or_else(|| GgufError::KeyMissing(key.into()))?;
    let mut merges = String::new();
    for merge in texts(listed, key)? {
        separate(&mut merges);
        merges += &quoted(&merge);
    }
    let name = file.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let split = |pattern: &str| {
        [
            r#"{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"#,
            &quoted(pattern),
            "}},",
            BYTES,
        ]
        .concat()
    };
    let llama3 = matches!(name, "llama-bpe" | "llama3" | "llama-v3");
    let splitters = match name {
        _ if llama3 => split(LLAMA3),
        "qwen2" | "deepseek-r1-qwen" => split(QWEN2),
        "smollm" | "starcoder" | "refact" => [
            r#"{"type":"Digits","individual_digits":true},"#,
            SPLIT_BYTES,
        ]
        .concat(),
        "gpt-2" | "default" => SPLIT_BYTES.into(),
        other => {
            return Err(GgufError::Tokenizer(format!(
                "splits text as `{other}` does, which is not known; known are smollm, llama-bpe, qwen2, gpt-2"
            )));
        }
    };
    Ok(Parts {
        normalizer: match name {
            "qwen2" => r#"{"type":"NFC"}"#,
            _ => "null",
        },
        splitter: sequence("pretokenizers", &splitters),
        decoder: SPLIT_BYTES.into(),
        model: match llama3 {
            true => r#""fuse_unk":false,"byte_fallback":false,"ignore_merges":true,"#,
            false => r#""fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"#,
        },
        unknown: "null".into(),
        merges,
    })
}

fn sequence(what: &str, parts: &str) -> String {
    [r#"{"type":"Sequence",""#, what, r#"":["#, parts, "]}"].concat()
}

/// SentencePiece's: pieces with scores, spaces spelled `▁`, unknown letters as bytes. The merges are those that the
/// pieces imply, as transformers recovers them (`generate_merges`).
fn sentence_piece(file: &Gguf<'_>, entries: &Entries, gemma: bool) -> Result<Parts, GgufError> {
    let prefix = file
        .flag("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(!gemma);
    let unknown = (0..entries.tokens.len()).find(|index| entries.kind(*index) == UNKNOWN);
    let mut decoders = String::from(
        r#"{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}"#,
    );
    if prefix {
        decoders += r#",{"type":"Strip","content":" ","start":1,"stop":0}"#;
    }
    let mut written = String::new();
    for [left, right] in merges(entries, gemma)? {
        separate(&mut written);
        written.push('[');
        written += &quoted(left);
        written.push(',');
        written += &quoted(right);
        written.push(']');
    }
    Ok(Parts {
        normalizer: match prefix {
            true => {
                r#"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"#
            }
            false => r#"{"type":"Replace","pattern":{"String":" "},"content":"▁"}"#,
        },
        splitter: "null".into(),
        decoder: sequence("decoders", &decoders),
        model: r#""fuse_unk":true,"byte_fallback":true,"#,
        unknown: unknown.map_or("null".into(), |index| quoted(&entries.tokens[index])),
        merges: written,
    })
}

/// Pieces longer than any that is trained are not taken apart: it would take the square of their length.
const LONGEST: usize = 128;

/// Ways of making a piece, on average: Gemma's have two.
const MOST_MERGES: usize = 8;

/// Every way of making a piece of two others, the best pieces first. Gemma's scores do not follow its merges; the
/// order of its pieces does.
fn merges(entries: &Entries, by_place: bool) -> Result<Vec<[&str; 2]>, GgufError> {
    let mut ids = HashMap::with_capacity(entries.tokens.len());
    for (id, token) in entries.tokens.iter().enumerate() {
        ids.entry(token.as_str()).or_insert(id);
    }
    let mut found = Vec::new();
    for (id, token) in entries.tokens.iter().enumerate() {
        let again = ids.get(token.as_str()) != Some(&id);
        if again || token.len() > LONGEST || matches!(entries.kind(id), CONTROL | BYTE | UNKNOWN) {
            continue;
        }
        let score = match entries.scores.get(id) {
            Some(score) if !by_place => *score,
            _ => -(id as f64),
        };
        let first = found.len();
        for (letters, (cut, _)) in token.char_indices().enumerate().skip(1) {
            let (left, right) = token.split_at(cut);
            if let (Some(a), Some(b)) = (ids.get(left), ids.get(right)) {
                found.push((score, letters, (*a, *b), [left, right]));
            }
        }
        found[first..].sort_by_key(|(_, _, ids, _)| *ids);
        if found.len() > MOST_MERGES * entries.tokens.len() {
            return Err(GgufError::Tokenizer(format!(
                "has pieces that can be put together in more than {MOST_MERGES} ways each; no model's have"
            )));
        }
    }
    // The sort is stable, as Python's is; the longer left part wins between equals.
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    Ok(found.into_iter().map(|(_, _, _, pair)| pair).collect())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Vocabulary;

    #[test]
    fn a_tokenizer_told_in_the_hubs_files_gives_the_same_ids() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gguf");
        for name in ["gpt-2", "llama-bpe", "qwen2", "smollm", "spm", "spm-gemma"] {
            let bytes = std::fs::read(folder.join(format!("tokenizer-{name}.gguf"))).unwrap();
            let file = Gguf::parse(&bytes).unwrap();
            let [tokenizer, about] = hub_tokenizer(&file).unwrap();
            let of_file = Vocabulary::from_gguf(&file).unwrap();
            let of_hub = Vocabulary::from_json(tokenizer.as_bytes())
                .and_then(|vocabulary| vocabulary.with_tokenizer_config(about.as_bytes(), None))
                .unwrap();
            assert_eq!(of_hub.begin(), of_file.begin(), "{name}");
            for text in ["Hello, world!", "  naïve\n\n12345 x", "日本 🙂"] {
                let (hub, own) = (of_hub.encode(text), of_file.encode(text));
                assert_eq!(hub.unwrap(), own.unwrap(), "{name} {text:?}");
            }
        }
    }
}
