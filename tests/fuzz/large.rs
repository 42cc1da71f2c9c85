//! Files made to take as much memory as a file of their size can: what a byte costs at most.

use crate::memory;
use crate::readers::{READERS, Reader};

fn reader(name: &str) -> &'static Reader {
    READERS.iter().find(|reader| reader.name == name).unwrap()
}

fn gguf(entries: &[Vec<u8>], tensors: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    bytes.extend(entries.concat());
    bytes.extend(tensors.concat());
    bytes.resize(bytes.len().next_multiple_of(32) + 32 * tensors.len(), 0);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key), &kind.to_le_bytes()[..], value].concat()
}

fn array(key: &str, kind: u32, values: &[Vec<u8>]) -> Vec<u8> {
    let count = (values.len() as u64).to_le_bytes();
    entry(
        key,
        9,
        &[&kind.to_le_bytes()[..], &count, &values.concat()].concat(),
    )
}

fn tensor(name: &str, offset: u64) -> Vec<u8> {
    let tail = [
        &1u32.to_le_bytes()[..],
        &8u64.to_le_bytes(),
        &0u32.to_le_bytes(),
        &offset.to_le_bytes(),
    ];
    [&string(name), &tail.concat()[..]].concat()
}

/// A vocabulary in a GGUF file of one kind.
fn vocabulary(model: &str, tokens: &[String], kind: u8) -> Vec<u8> {
    let texts: Vec<Vec<u8>> = tokens.iter().map(|token| string(token)).collect();
    let kinds: Vec<Vec<u8>> = tokens.iter().map(|_| vec![kind]).collect();
    gguf(
        &[
            entry("general.architecture", 8, &string("llama")),
            entry("tokenizer.ggml.model", 8, &string(model)),
            array("tokenizer.ggml.tokens", 8, &texts),
            array("tokenizer.ggml.token_type", 0, &kinds),
            array("tokenizer.ggml.merges", 8, &[]),
        ],
        &[],
    )
}

/// `count` short texts, no two alike.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{index:x}")).collect()
}

fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

fn cases() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let many = names(20_000);
    let listed = |text: &str| vec![text; 100_000].join(",");
    let entries: Vec<Vec<u8>> = many.iter().map(|key| entry(key, 7, &[1])).collect();
    let tensors: Vec<Vec<u8>> = (0u64..)
        .zip(&many)
        .map(|(place, name)| tensor(name, 32 * place))
        .collect();
    let empty = many
        .iter()
        .map(|name| format!(r#""{name}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#));
    let empty = empty.collect::<Vec<_>>().join(",");
    let pieces = (0..)
        .zip(&many)
        .map(|(id, name)| format!(r#""{name}":{id}"#));
    let pieces = pieces.collect::<Vec<_>>().join(",");
    // Every piece of letters that come in order can be put together of two others, wherever it is cut.
    let steps: Vec<String> = (0..110 * 110)
        .map(|place| "a".repeat(place / 110) + &"b".repeat(place % 110))
        .collect();
    let model = |vocab: &str, merges: &str| {
        format!(r#""model":{{"type":"BPE","vocab":{{{vocab}}},"merges":[{merges}]}}"#)
    };
    let tokenizer =
        |vocab: &str, merges: &str| format!("{{{}}}", model(vocab, merges)).into_bytes();
    let beside = |part: &str| format!("{{{part},{}}}", model(r#""a":0"#, "")).into_bytes();
    let added = r#"{"id":1,"content":"NAME","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}"#;
    let added = many
        .iter()
        .map(|name| added.replace("NAME", name))
        .collect::<Vec<_>>()
        .join(",");
    vec![
        ("gguf", "many keys", gguf(&entries, &[])),
        ("gguf", "many tensors", gguf(&[], &tensors)),
        (
            "gguf",
            "many numbers",
            gguf(&[array("a", 0, &vec![vec![1]; 200_000])], &[]),
        ),
        ("gguf", "many pieces", vocabulary("gpt2", &many, 1)),
        ("gguf", "many markers", vocabulary("gpt2", &many, 3)),
        (
            "gguf",
            "no piece, many times",
            vocabulary("gpt2", &vec![String::new(); 50_000], 1),
        ),
        ("gguf", "pieces of pieces", vocabulary("llama", &many, 1)),
        (
            "gguf",
            "pieces of all pieces",
            vocabulary("llama", &steps, 1),
        ),
        (
            "gguf",
            "one piece, many times",
            vocabulary("llama", &vec!["ab".repeat(60); 5000], 1),
        ),
        (
            "safetensors",
            "many tensors",
            safetensors(&format!("{{{empty}}}")),
        ),
        (
            "safetensors",
            "many sides",
            safetensors(&format!(
                r#"{{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[0,0]}}}}"#,
                listed("1")
            )),
        ),
        (
            "safetensors",
            "much to say",
            safetensors(&format!(r#"{{"__metadata__":{{"a":[{}]}}}}"#, listed("[]"))),
        ),
        (
            "safetensors",
            "a large index",
            format!(
                r#"{{"weight_map":{{{}}}}}"#,
                many.iter()
                    .map(|name| format!(r#""{name}":"x.safetensors""#))
                    .collect::<Vec<_>>()
                    .join(",")
            )
            .into_bytes(),
        ),
        ("tokenizer", "many pieces", tokenizer(&pieces, "")),
        (
            "tokenizer",
            "many merges",
            tokenizer(r#""a":0,"aa":1"#, &listed(r#""a a""#)),
        ),
        (
            "tokenizer",
            "many markers",
            beside(&format!(r#""added_tokens":[{added}]"#)),
        ),
        (
            "tokenizer",
            "many parts",
            beside(&format!(r#""normalizer":[{}]"#, listed("{}"))),
        ),
        (
            "tokenizer",
            "many numbers",
            beside(&format!(r#""decoder":[{}]"#, listed("0"))),
        ),
        (
            "tokenizer",
            "of another kind",
            format!(
                r#"{{"model":{{"type":"Unigram","vocab":[{}]}}}}"#,
                listed("[]")
            )
            .into_bytes(),
        ),
        (
            "config",
            "many layers",
            format!(r#"{{"layer_types":[{}]}}"#, listed("\"\"")).into_bytes(),
        ),
        (
            "config",
            "a large unknown",
            format!(r#"{{"x":[{0}],"quantization_config":[{0}]}}"#, listed("0")).into_bytes(),
        ),
        (
            "config",
            "many files",
            format!(
                r#"{{"sha":"0","siblings":[{}]}}"#,
                listed(r#"{"rfilename":""}"#)
            )
            .into_bytes(),
        ),
        (
            "chat",
            "much text",
            format!(r#"{{"chat_template":"{}"}}"#, "{{a}}".repeat(30_000)).into_bytes(),
        ),
        (
            "chat",
            "many settings",
            format!(r#"{{"x":[{}]}}"#, listed("0")).into_bytes(),
        ),
        (
            "task",
            "many seeds",
            format!(
                r#"{{"task":"t","type":"classification","instruction":"i"}}{}{}"#,
                '\0',
                (0..20_000)
                    .map(|row| format!("a{}\t{row}\n", row % 9))
                    .collect::<String>()
            )
            .into_bytes(),
        ),
    ]
}

#[test]
fn no_byte_of_a_large_file_costs_more_than_a_small_constant() {
    let mut wrong = Vec::new();
    for (name, what, bytes) in cases() {
        let reader = reader(name);
        let (said, most) = memory::most(|| (reader.read)(&bytes));
        let factor = most.saturating_sub(reader.beside) as f64 / bytes.len() as f64;
        eprintln!(
            "{name}, {what}: {} bytes, {factor:.1} for each; {}",
            bytes.len(),
            said.chars().take(70).collect::<String>().replace('\n', " ")
        );
        if factor > reader.factor as f64 {
            wrong.push((name, what, factor));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
