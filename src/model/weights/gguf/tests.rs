//! One test for each way in which a file can be malformed, and the file that has every type.
#![allow(clippy::unwrap_used)]

use super::super::ModelError;
use super::*;
use crate::model::{Config, HeldFile, Vocabulary};

const TYPES: &[u8] = include_bytes!("../../../../tests/fixtures/gguf/types.gguf");
const EXPECTED: &[u8] = include_bytes!("../../../../tests/fixtures/gguf/types.safetensors");

/// A file made by hand: metadata entries and tensor descriptions as bytes, and data behind them.
struct File {
    entries: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: usize,
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}

fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = string(key.as_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    bytes
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string(name.as_bytes());
    bytes.extend((shape.len() as u32).to_le_bytes());
    shape
        .iter()
        .for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        bytes.extend(self.entries.concat());
        bytes.extend(self.tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        bytes
    }
}

/// What reading a file with these entries says.
fn of_entries(entries: &[Vec<u8>]) -> GgufError {
    let file = File {
        entries: entries.to_vec(),
        tensors: Vec::new(),
        data: 0,
    };
    Gguf::parse(&file.bytes()).unwrap_err()
}

/// What reading a file with these tensors and 64 bytes of data says.
fn of_tensors(tensors: &[Vec<u8>]) -> GgufError {
    let file = File {
        entries: Vec::new(),
        tensors: tensors.to_vec(),
        data: 64,
    };
    Gguf::parse(&file.bytes()).unwrap_err()
}

#[test]
fn every_type_is_widened_to_the_bits_of_the_gguf_package() {
    let file = Gguf::parse(TYPES).unwrap();
    let weights = file.weights().unwrap();
    let expected = Weights::parse(EXPECTED).unwrap();
    assert_eq!(weights.names().len(), expected.names().len());
    for name in expected.names() {
        let shape = expected.shape(name).unwrap();
        let wanted = expected.values(name, &shape).unwrap();
        let found = weights.values(name, &weights.shape(name).unwrap()).unwrap();
        assert_eq!(found[..wanted.len()], wanted, "{name}");
        assert_eq!(weights.shape(name).unwrap()[1..], shape[1..]);
    }
}

#[test]
fn what_a_number_takes_in_memory_is_the_mean_of_its_blocks() {
    // 32 numbers of Q8_0 (34 bytes) and 64 of Q4_0 (two blocks of 18).
    let of = |tensors: &[Vec<u8>], data| {
        let file = File {
            entries: Vec::new(),
            tensors: tensors.to_vec(),
            data,
        };
        Gguf::parse(&file.bytes()).unwrap().stored_bits()
    };
    let (eight, four) = (tensor("a", &[32], 8, 0), tensor("b", &[32, 2], 2, 64));
    assert_eq!(of(std::slice::from_ref(&eight), 64), 9);
    assert_eq!(of(&[eight, four], 128), 7);
    assert_eq!(of(&[tensor("a", &[8], 0, 0)], 32), 32);
    assert_eq!(of(&[], 0), 0);
}

#[test]
fn blocks_of_a_query_have_the_rows_of_the_hub() {
    let file = Gguf::parse(TYPES).unwrap();
    let weights = file.weights().unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    let blocks = weights.blocks(name, &[32, 256]).unwrap().unwrap();
    assert_eq!(blocks.kind, Kind::Q4_K);
    assert_eq!(
        blocks.kind.widen(&blocks.bytes),
        weights.values(name, &[32, 256]).unwrap()
    );
}

#[test]
fn metadata_of_every_type_is_read() {
    let file = Gguf::parse(TYPES).unwrap();
    for (key, value) in [
        ("uint8", Value::Unsigned(200)),
        ("int8", Value::Signed(-2)),
        ("uint16", Value::Unsigned(60_000)),
        ("int16", Value::Signed(-300)),
        ("uint32", Value::Unsigned(4_000_000_000)),
        ("int32", Value::Signed(-70_000)),
        ("uint64", Value::Unsigned(1 << 40)),
        ("int64", Value::Signed(-(1 << 40))),
        ("float32", Value::Float(0.5)),
        ("float64", Value::Float(0.25)),
        ("bool", Value::Bool(true)),
        ("string", Value::Text("ä".as_bytes())),
    ] {
        assert_eq!(file.get(&format!("test.{key}")), Some(value), "{key}");
    }
    let array = file.array("test.array").unwrap().unwrap();
    let numbers: Vec<_> = array
        .values("test.array")
        .map(|v| v.unwrap().number().unwrap())
        .collect();
    assert_eq!(numbers, [1.0, 2.0, 3.0]);
}

#[test]
fn the_shape_and_the_tokenizer_come_out_of_the_metadata() {
    let file = Gguf::parse(TYPES).unwrap();
    let config = Config::from_gguf(&file).unwrap();
    assert_eq!(
        (config.hidden_size, config.head_size(), config.kv_heads()),
        (256, 16, 1)
    );
    assert_eq!((config.vocab_size, config.eos.as_slice()), (280, &[1][..]));
    assert!(config.tie_word_embeddings);
    let vocabulary = Vocabulary::from_gguf(&file).unwrap();
    let ids = vocabulary.encode("hello world 42").unwrap();
    assert_eq!(vocabulary.decode(&ids).unwrap(), "hello world 42");
    // hello, ␣world, ␣, 4, 2: digits stand alone.
    assert_eq!(ids.len(), 5);
    assert_eq!(vocabulary.end(), Some(1));
}

#[test]
fn other_files_are_refused() {
    assert_eq!(Gguf::parse(b"PK\x03\x04").unwrap_err(), GgufError::Magic);
}

#[test]
fn other_versions_are_named() {
    for version in [1u32, 4, 3u32.swap_bytes()] {
        let mut bytes = TYPES.to_vec();
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        assert_eq!(
            Gguf::parse(&bytes).unwrap_err(),
            GgufError::Version(version)
        );
    }
}

#[test]
fn a_file_that_ends_early_says_where() {
    assert!(matches!(
        Gguf::parse(&TYPES[..20]),
        Err(GgufError::Truncated(_))
    ));
}

#[test]
fn absurd_counts_are_refused_before_anything_is_allocated() {
    for (at, what) in [(8, "tensors"), (16, "metadata entries")] {
        let mut bytes = TYPES.to_vec();
        bytes[at..at + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        let error = Gguf::parse(&bytes).unwrap_err();
        assert!(
            matches!(error, GgufError::Count { what: found, .. } if found == what),
            "{error}"
        );
    }
}

#[test]
fn a_string_longer_than_the_file_is_refused() {
    let error = of_entries(&[entry("a", 8, &(1u64 << 60).to_le_bytes())]);
    assert!(matches!(error, GgufError::StringLength { place, .. } if place == "a"));
}

#[test]
fn an_array_longer_than_the_file_is_refused() {
    let mut value = 4u32.to_le_bytes().to_vec();
    value.extend((u64::MAX / 4).to_le_bytes());
    let error = of_entries(&[entry("a", 9, &value)]);
    assert!(matches!(error, GgufError::ArrayLength { key, .. } if key == "a"));
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    let mut bytes = string(&[0xFF, 0xFE]);
    bytes.extend(7u32.to_le_bytes());
    bytes.push(1);
    assert!(matches!(of_entries(&[bytes]), GgufError::Utf8(_)));
}

#[test]
fn a_type_of_value_that_does_not_exist_is_refused() {
    let error = of_entries(&[entry("a", 99, &[0; 8])]);
    assert_eq!(
        error,
        GgufError::ValueType {
            key: "a".into(),
            kind: 99
        }
    );
}

#[test]
fn arrays_within_arrays_have_an_end() {
    let mut value = Vec::new();
    for _ in 0..1000 {
        value.extend(9u32.to_le_bytes());
        value.extend(1u64.to_le_bytes());
    }
    assert_eq!(
        of_entries(&[entry("a", 9, &value)]),
        GgufError::Nesting("a".into())
    );
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    let one = entry("a", 7, &[1]);
    assert_eq!(
        of_entries(&[one.clone(), one]),
        GgufError::KeyTwice("a".into())
    );
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_refused() {
    for alignment in [0u32, 24, 1 << 20] {
        let error = of_entries(&[entry("general.alignment", 4, &alignment.to_le_bytes())]);
        assert_eq!(error, GgufError::Alignment(alignment.into()));
    }
}

#[test]
fn one_part_of_several_is_refused() {
    let error = of_entries(&[entry("split.count", 2, &3u16.to_le_bytes())]);
    assert_eq!(error, GgufError::Split(3));
}

#[test]
fn a_tensor_that_occurs_twice_is_refused() {
    let error = of_tensors(&[tensor("a", &[4], 0, 0), tensor("a", &[4], 0, 32)]);
    assert_eq!(error, GgufError::TensorTwice("a".into()));
}

#[test]
fn a_tensor_has_one_to_four_dimensions() {
    for shape in [&[][..], &[1; 5]] {
        let error = of_tensors(&[tensor("a", shape, 0, 0)]);
        assert!(matches!(error, GgufError::Dimensions { .. }), "{error}");
    }
}

#[test]
fn a_shape_whose_product_overflows_or_is_nothing_is_refused() {
    for shape in [[0, 4], [1 << 33, 1 << 33], [u64::MAX, 1]] {
        assert_eq!(
            of_tensors(&[tensor("a", &shape, 0, 0)]),
            GgufError::Shape("a".into())
        );
    }
}

#[test]
fn a_type_that_is_not_read_is_named() {
    // 10 is Q2_K, 99 nothing.
    for kind in [10, 99] {
        let error = of_tensors(&[tensor("a", &[256], kind, 0)]);
        assert_eq!(
            error,
            GgufError::TensorType {
                name: "a".into(),
                kind
            }
        );
    }
}

#[test]
fn a_row_that_is_no_whole_number_of_blocks_is_refused() {
    let error = of_tensors(&[tensor("a", &[16, 2], 2, 0)]);
    assert_eq!(error, GgufError::Blocks("a".into()));
}

#[test]
fn a_tensor_off_the_alignment_is_refused() {
    let error = of_tensors(&[tensor("a", &[4], 0, 8)]);
    assert_eq!(
        error,
        GgufError::Misaligned {
            name: "a".into(),
            offset: 8
        }
    );
}

#[test]
fn a_tensor_beyond_the_end_is_refused() {
    for (size, offset) in [(17, 0), (4, 64), (4, u64::MAX - 31)] {
        let error = of_tensors(&[tensor("a", &[size], 0, offset)]);
        assert_eq!(error, GgufError::Range("a".into()));
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let error = of_tensors(&[tensor("a", &[16], 0, 0), tensor("b", &[4], 0, 32)]);
    assert_eq!(error, GgufError::Overlap("a".into(), "b".into()));
}

#[test]
fn a_file_without_a_model_says_which_key_it_lacks() {
    let file = File {
        entries: Vec::new(),
        tensors: Vec::new(),
        data: 0,
    };
    let bytes = file.bytes();
    let error = Config::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap_err();
    assert_eq!(
        error,
        GgufError::KeyMissing("general.architecture".into()).into()
    );
}

#[test]
fn a_description_that_reaches_beyond_what_was_read_asks_for_more_and_a_cut_file_is_cut() {
    let file = File {
        entries: vec![entry("general.name", 8, &string(&[b'x'; 4000]))],
        tensors: Vec::new(),
        data: 0,
    };
    let bytes = file.bytes();
    let whole = HeldFile {
        name: "x.gguf",
        bytes: &bytes,
    };
    let of_head = |length: usize| Gguf::parse_head(&bytes[..length], &whole).map(|_| ());
    assert_eq!(of_head(100), Err(GgufError::Head));
    assert_eq!(of_head(bytes.len()), Ok(()));
    assert_eq!(Gguf::head(&whole).unwrap(), bytes);
    let cut = Gguf::parse(&bytes[..100]).unwrap_err();
    assert!(matches!(cut, GgufError::StringLength { .. }), "{cut}");
}

#[test]
fn an_architecture_that_is_not_run_is_named() {
    let file = File {
        entries: vec![entry("general.architecture", 8, &string(b"mamba"))],
        tensors: Vec::new(),
        data: 0,
    };
    let bytes = file.bytes();
    let error = Config::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap_err();
    assert_eq!(
        error,
        ModelError::Gguf(GgufError::Architecture("mamba".into()))
    );
}

#[test]
fn a_key_of_another_type_is_named() {
    let bytes = File {
        entries: vec![entry("general.architecture", 7, &[1])],
        tensors: Vec::new(),
        data: 0,
    }
    .bytes();
    let error = Gguf::parse(&bytes).unwrap().architecture().unwrap_err();
    assert!(matches!(error, GgufError::KeyType { key, .. } if key == "general.architecture"));
}

/// What reading the tokenizer of a file says, with one of its texts replaced by another of the same length.
fn of_tokenizer(text: &str, other: &str) -> ModelError {
    assert_eq!(text.len(), other.len());
    let at = TYPES
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap();
    let mut bytes = TYPES.to_vec();
    bytes[at..at + other.len()].copy_from_slice(other.as_bytes());
    match Vocabulary::from_gguf(&Gguf::parse(&bytes).unwrap()) {
        Ok(_) => panic!("read all the same"),
        Err(error) => error,
    }
}

#[test]
fn a_kind_of_tokenizer_that_is_not_read_is_named() {
    assert!(of_tokenizer("gpt2", "bert").to_string().contains("`bert`"));
}

#[test]
fn a_way_of_cutting_text_that_is_not_known_is_named() {
    assert!(
        of_tokenizer("smollm", "tekken")
            .to_string()
            .contains("`tekken`")
    );
}

#[test]
fn merges_of_what_is_no_token_are_refused() {
    assert!(matches!(
        of_tokenizer("hell o", "hell \u{1}"),
        ModelError::Gguf(GgufError::Tokenizer(_))
    ));
}

/// Everything that is ever asked of a file, whatever comes of it.
fn ask_everything(bytes: &[u8]) {
    let Ok(file) = Gguf::parse(bytes) else { return };
    let _ = Config::from_gguf(&file);
    let _ = Vocabulary::from_gguf(&file);
    if let Ok(weights) = file.weights() {
        for name in weights.names() {
            let _ = weights.values(name, &weights.shape(name).unwrap_or_default());
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let described = 9000;
    for length in (0..described)
        .step_by(7)
        .chain((described..TYPES.len()).step_by(997))
    {
        assert!(Gguf::parse(&TYPES[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..600 {
        let mut bytes = TYPES.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..9000);
            bytes[at] = random.u8(..);
        }
        ask_everything(&bytes);
    }
}
