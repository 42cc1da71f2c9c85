//! `tokenizer.json`, read with every claim checked that the tokenizer library believes.
//!
//! The library runs whatever a file asks for, and some of it ends in a panic or takes memory without bound: a
//! `Precompiled` normalizer, merges into what is no token, replacements that grow from one to the next. Only the parts
//! that the families' files have are let through.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use tokenizers::models::bpe::{BPE, BpeBuilder, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper, TokenizerBuilder,
    TokenizerImpl,
};

use super::ModelError;

/// What the families' tokenizers are: merges over pieces, with parts of many kinds around them. There is no post-processor:
/// what stands before a text is told apart ([`Read::begin`]).
pub(super) type Tokenizer =
    TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, ByteLevel, DecoderWrapper>;

/// What a file holds.
pub(super) struct Read {
    pub tokenizer: Tokenizer,
    /// One more than the largest id.
    pub size: usize,
    /// The token that the file's post-processor puts before every text.
    pub begin: Option<u32>,
}

/// The file, as far as it is looked at.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    r#type: Option<String>,
    vocab: Vocab,
    merges: Vec<Merge>,
    unk_token: Option<String>,
    dropout: Option<f64>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

/// Two pieces that become one: `"a b"`, or `["a", "b"]` in newer files.
struct Merge(String, String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge of two pieces")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Merge, E> {
                match text.split_once(' ') {
                    Some((left, right)) if !right.contains(' ') => {
                        Ok(Merge(left.into(), right.into()))
                    }
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pieces: A) -> Result<Merge, A::Error> {
                match (
                    pieces.next_element()?,
                    pieces.next_element()?,
                    pieces.next_element::<String>()?,
                ) {
                    (Some(left), Some(right), None) => Ok(Merge(left, right)),
                    _ => Err(de::Error::invalid_length(0, &self)),
                }
            }
        }
        deserializer.deserialize_any(Pair)
    }
}

/// Which model the file has, in any shape.
#[derive(Deserialize)]
struct Kind {
    model: Typed,
}

#[derive(Deserialize)]
struct Typed {
    r#type: Option<String>,
}

const NORMALIZERS: &[&str] = &[
    "Sequence",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Replace",
    "Prepend",
];
const SPLITTERS: &[&str] = &[
    "Sequence",
    "ByteLevel",
    "Digits",
    "Metaspace",
    "Punctuation",
    "Split",
    "Whitespace",
    "WhitespaceSplit",
];
const PROCESSORS: &[&str] = &[
    "Sequence",
    "ByteLevel",
    "TemplateProcessing",
    "BertProcessing",
    "RobertaProcessing",
];
const DECODERS: &[&str] = &[
    "Sequence",
    "ByteLevel",
    "ByteFallback",
    "Fuse",
    "Metaspace",
    "Replace",
    "Strip",
];

/// More parts than any file has.
const MOST_PARTS: usize = 64;
/// Letters of all patterns together: compiled, a few of them may take a hundred thousand times their length.
const LONGEST_PATTERNS: usize = 2048;
/// What one letter may become of by all replacements one after the other.
const MOST_GROWTH: usize = 64;
/// An id beyond the largest of vocabularies.
const MOST_IDS: u32 = 1 << 20;

/// Reads a `tokenizer.json`.
pub(super) fn read(bytes: &[u8]) -> Result<Read, ModelError> {
    let broken = |error: String| {
        ModelError::Tokenizer(format!(
            "{error}; take the file from the model's own folder"
        ))
    };
    let file: File = match serde_json::from_slice(bytes) {
        Ok(file) => file,
        Err(error) => {
            // Another kind of model has another shape: its name says more than where it differs.
            let kind = serde_json::from_slice(bytes).ok();
            let found = kind.and_then(|Kind { model }| model.r#type);
            return Err(match found {
                Some(found) if found != "BPE" => other("model", found, &["BPE"]),
                _ => broken(error.to_string()),
            });
        }
    };
    let mut seen = Seen::default();
    for (part, value, known) in [
        ("normalizer", &file.normalizer, NORMALIZERS),
        ("pre_tokenizer", &file.pre_tokenizer, SPLITTERS),
        ("post_processor", &file.post_processor, PROCESSORS),
        ("decoder", &file.decoder, DECODERS),
    ] {
        seen.growth = 1;
        seen.part(part, value, known)?;
    }
    let last = file.model.vocab.values().max().copied();
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(file.model.build()?)
        .with_normalizer(of(file.normalizer, "normalizer")?)
        .with_pre_tokenizer(of(file.pre_tokenizer, "pre_tokenizer")?)
        .with_decoder(of(file.decoder, "decoder")?)
        .build()
        .map_err(|error| broken(error.to_string()))?;
    tokenizer
        .add_tokens(file.added_tokens)
        .map_err(|error| broken(error.to_string()))?;
    let last = (tokenizer.get_added_tokens_decoder().keys().copied().max()).max(last);
    let size = last.map_or(0, |last| last as usize + 1);
    let begin = begin(&file.post_processor).and_then(|id| u32::try_from(id).ok());
    Ok(Read {
        tokenizer,
        size,
        begin: begin.filter(|id| (*id as usize) < size),
    })
}

/// The token that a post-processor puts before every text.
fn begin(processor: &Value) -> Option<u64> {
    match processor["type"].as_str()? {
        "Sequence" => processor["processors"].as_array()?.iter().find_map(begin),
        "TemplateProcessing" => {
            let name = processor["single"][0]["SpecialToken"]["id"].as_str()?;
            processor["special_tokens"][name]["ids"][0].as_u64()
        }
        "BertProcessing" | "RobertaProcessing" => processor["cls"][1].as_u64(),
        _ => None,
    }
}

fn of<T: de::DeserializeOwned>(value: Value, part: &str) -> Result<Option<T>, ModelError> {
    serde_json::from_value(value).map_err(|error| {
        ModelError::Tokenizer(format!(
            "its {part} is broken: {error}; take the file from the model's own folder"
        ))
    })
}

fn other(part: &'static str, found: String, known: &[&str]) -> ModelError {
    ModelError::TokenizerPart {
        part,
        found,
        known: known.join(", "),
    }
}

/// What the parts looked at so far ask for.
#[derive(Default)]
struct Seen {
    parts: usize,
    patterns: usize,
    growth: usize,
}

impl Seen {
    /// Looks at a part, whose type must be one of `known`, and at all that it holds.
    fn part(
        &mut self,
        part: &'static str,
        value: &Value,
        known: &[&str],
    ) -> Result<(), ModelError> {
        let too_much = |what: &str| {
            Err(ModelError::Tokenizer(format!(
                "its {part} {what}; no model needs that, take another"
            )))
        };
        match value {
            Value::Array(several) => several
                .iter()
                .try_for_each(|value| self.part(part, value, known)),
            Value::Object(fields) => {
                if let Some(found) = fields.get("type").and_then(Value::as_str) {
                    self.parts += 1;
                    if self.parts > MOST_PARTS {
                        return too_much("has too many parts");
                    }
                    if !known.contains(&found) {
                        return Err(other(part, found.into(), known));
                    }
                }
                if let Some(pattern) = fields.get("Regex").and_then(Value::as_str) {
                    self.patterns += pattern.len();
                    if self.patterns > LONGEST_PATTERNS {
                        return too_much("has patterns that are too long");
                    }
                }
                // The library ends in a panic on a token that is shorter.
                if fields.get("stop").is_some_and(|stop| *stop != 0) {
                    return too_much("cuts off the ends of tokens");
                }
                if let Some(content) = fields.get("content").and_then(Value::as_str) {
                    self.growth = self.growth.saturating_mul(content.len().max(1));
                    if self.growth > MOST_GROWTH {
                        return too_much("makes text longer and longer");
                    }
                }
                fields
                    .values()
                    .try_for_each(|value| self.part(part, value, known))
            }
            _ => Ok(()),
        }
    }
}

impl Model {
    fn build(self) -> Result<BPE, ModelError> {
        let refused = |what: &str| {
            ModelError::Tokenizer(format!("{what} is not supported; take a model without"))
        };
        if let Some(found) = self.r#type.filter(|found| found != "BPE") {
            return Err(other("model", found, &["BPE"]));
        }
        if self.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err(refused("dropout of merges"));
        }
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if given(&self.continuing_subword_prefix) || given(&self.end_of_word_suffix) {
            return Err(refused("a mark at the edges of words"));
        }
        if let Some((token, id)) = self.vocab.iter().find(|(_, id)| **id >= MOST_IDS) {
            return Err(ModelError::Tokenizer(format!(
                "the token `{token}` has the id {id}, which no vocabulary reaches; take the file from the model's own folder"
            )));
        }
        let mut whole = String::new();
        let mut merges = Vec::with_capacity(self.merges.len());
        for Merge(left, right) in self.merges {
            whole.clear();
            whole.push_str(&left);
            whole.push_str(&right);
            for piece in [&left, &right, &whole] {
                if !self.vocab.contains_key(piece) {
                    return Err(ModelError::TokenizerMerge(format!(
                        "`{left}` `{right}` holds or makes `{piece}`, which"
                    )));
                }
            }
            merges.push((left, right));
        }
        let mut model = BpeBuilder::new()
            .vocab_and_merges(self.vocab, merges)
            .fuse_unk(self.fuse_unk)
            .byte_fallback(self.byte_fallback)
            .ignore_merges(self.ignore_merges);
        if let Some(unknown) = self.unk_token {
            model = model.unk_token(unknown);
        }
        model
            .build()
            .map_err(|error| ModelError::Tokenizer(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A file of three tokens, with `parts` beside its model.
    fn file(parts: &str, merges: &str) -> String {
        format!(
            r#"{{"version":"1.0","added_tokens":[]{parts},"model":{{"type":"BPE","vocab":{{"a":0,"b":1,"ab":2}},"merges":{merges}}}}}"#
        )
    }

    fn refused(text: &str) -> ModelError {
        match read(text.as_bytes()) {
            Ok(_) => panic!("read all the same: {text}"),
            Err(error) => error,
        }
    }

    #[test]
    fn merges_are_read_in_the_old_form_and_the_new() {
        for merges in [r#"["a b"]"#, r#"[["a","b"]]"#] {
            let Read {
                tokenizer,
                size,
                begin,
            } = read(file("", merges).as_bytes()).unwrap();
            assert_eq!((size, begin), (3, None));
            let ids = tokenizer.encode_fast("aba", false).unwrap();
            assert_eq!(ids.get_ids(), [2, 0]);
        }
    }

    #[test]
    fn another_model_is_named_with_the_known_one() {
        let unigram = r#"{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0]]}}"#;
        let magic = file("", "[]").replace("BPE", "Magic");
        for (text, found) in [(unigram, "Unigram"), (&magic, "Magic")] {
            let expected = ModelError::TokenizerPart {
                part: "model",
                found: found.into(),
                known: "BPE".into(),
            };
            assert_eq!(refused(text), expected);
        }
    }

    #[test]
    fn the_token_before_every_text_is_the_post_processors() {
        let template = |of: &str, id: u32| {
            format!(
                r#"{{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":"b","type_id":0}}}},{{"Sequence":{{"id":"A","type_id":0}}}}],
                "pair":[],"special_tokens":{{"{of}":{{"id":"{of}","ids":[{id}],"tokens":["b"]}}}}}}"#
            )
        };
        let within = |part: &str| {
            format!(r#"{{"type":"Sequence","processors":[{{"type":"ByteLevel"}},{part}]}}"#)
        };
        for (processor, begin) in [
            (template("b", 1), Some(1)),
            (within(&template("b", 1)), Some(1)),
            (
                r#"{"type":"RobertaProcessing","sep":["a",0],"cls":["b",1]}"#.into(),
                Some(1),
            ),
            (r#"{"type":"ByteLevel"}"#.into(), None),
            // The library ends in a panic on a template of a token that it does not describe.
            (template("c", 1), None),
            (template("b", 7), None),
        ] {
            let text = file(&format!(r#","post_processor":{processor}"#), "[]");
            assert_eq!(read(text.as_bytes()).unwrap().begin, begin, "{processor}");
        }
    }

    #[test]
    fn merges_of_or_into_what_is_no_token_are_refused() {
        for (merges, piece) in [
            (r#"["a c"]"#, "`c`"),
            (r#"["c a"]"#, "`c`"),
            // The library would write this one behind the end of its longest token.
            (r#"["ab ab"]"#, "`abab`"),
        ] {
            let error = refused(&file("", merges));
            assert!(
                matches!(&error, ModelError::TokenizerMerge(what) if what.contains(piece)),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_pair_of_pieces_is_no_merge() {
        for merges in [
            r#"["ab"]"#,
            r#"["a b c"]"#,
            r#"[["a"]]"#,
            r#"[["a","b","a"]]"#,
            "[1]",
        ] {
            let error = refused(&file("", merges)).to_string();
            assert!(error.contains("merge of two pieces"), "{error}");
        }
    }

    #[test]
    fn parts_that_no_family_has_are_named_with_the_known_ones() {
        for (part, kind) in [
            (
                "normalizer",
                r#"{"type":"Precompiled","precompiled_charsmap":"/////w=="}"#,
            ),
            (
                "pre_tokenizer",
                r#"{"type":"Sequence","pretokenizers":[{"type":"FixedLength","length":0}]}"#,
            ),
            ("post_processor", r#"{"type":"Magic"}"#),
            ("decoder", r#"{"type":"CTC"}"#),
        ] {
            let error = refused(&file(&format!(r#","{part}":{kind}"#), "[]"));
            assert!(
                matches!(&error, ModelError::TokenizerPart { part: found, .. } if *found == part),
                "{error}"
            );
        }
    }

    #[test]
    fn replacements_that_grow_from_one_to_the_next_are_refused() {
        let one = r#"{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaa"}"#;
        let several = |count: usize| {
            let list = vec![one; count].join(",");
            file(
                &format!(r#","normalizer":{{"type":"Sequence","normalizers":[{list}]}}"#),
                "[]",
            )
        };
        assert!(read(several(1).as_bytes()).is_ok());
        assert!(
            refused(&several(30))
                .to_string()
                .contains("longer and longer")
        );
    }

    #[test]
    fn ends_of_tokens_are_not_cut_off() {
        let strip = |stop: u32| {
            let part =
                format!(r#","decoder":{{"type":"Strip","content":"a","start":1,"stop":{stop}}}"#);
            file(&part, "[]")
        };
        assert!(read(strip(0).as_bytes()).is_ok());
        assert!(refused(&strip(1)).to_string().contains("ends of tokens"));
    }

    #[test]
    fn patterns_without_end_are_refused() {
        let long = r"(?=\\pL{50})".repeat(300);
        let split = format!(
            r#","pre_tokenizer":{{"type":"Split","pattern":{{"Regex":"{long}"}},"behavior":"Isolated","invert":false}}"#
        );
        assert!(
            refused(&file(&split, "[]"))
                .to_string()
                .contains("patterns")
        );
    }

    #[test]
    fn ids_beyond_any_vocabulary_are_refused() {
        let text = file("", "[]").replace("\"ab\":2", "\"ab\":4294967295");
        assert!(refused(&text).to_string().contains("4294967295"));
    }

    #[test]
    fn marks_at_the_edges_of_words_and_dropout_are_not_supported() {
        for field in [
            r###""continuing_subword_prefix":"##""###,
            r#""end_of_word_suffix":"</w>""#,
            r#""dropout":0.5"#,
        ] {
            let text = file("", "[]").replace("\"merges\"", &format!("{field},\"merges\""));
            assert!(refused(&text).to_string().contains("not supported"));
        }
    }
}
