//! Everything that reads a file of unknown origin, each as one function of bytes: for cargo-fuzz and for `tests/fuzz`.
//!
//! What comes of the bytes is told as text, so that a fuzzer knows when it has found a new way through a reader. That it
//! comes at all, without a panic and without more memory than the bytes deserve, is the point.
#![allow(dead_code)]

use std::fmt::Display;

use seedbed::kernels::{Choice, open};
use seedbed::model::{
    Config, Format, Gguf, HeldFile, Index, Listing, LoraConfig, Model, Placement, Repository, Role,
    Turn, Vocabulary, Weights, merged, merged_files,
};
use seedbed::task;

/// A reader, and the memory it may take: bytes for each byte of its file, beside those it takes for an empty one.
pub struct Reader {
    /// Its name; its corpus lies in a folder called so.
    pub name: &'static str,
    /// Reads, and tells what came of it.
    pub read: fn(&[u8]) -> String,
    /// Most bytes for each byte of the file.
    pub factor: usize,
    /// Most bytes beside them.
    pub beside: usize,
}

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

/// All of them.
pub const READERS: [Reader; 8] = [
    Reader {
        name: "adapter",
        read: adapter,
        factor: 64,
        beside: 64 * KB,
    },
    Reader {
        name: "chat",
        read: chat,
        factor: 64,
        // Templates are run in threads of their own; `tests/template.rs` counts what those take.
        beside: 16 * MB,
    },
    Reader {
        name: "config",
        read: config,
        factor: 64,
        beside: MB,
    },
    Reader {
        name: "gguf",
        read: gguf,
        factor: 64,
        beside: 4 * MB,
    },
    Reader {
        name: "model",
        read: model,
        factor: 64,
        // With the tables of rotary positions, which only the width of a head makes larger.
        beside: 4 * MB,
    },
    Reader {
        name: "safetensors",
        read: safetensors,
        factor: 64,
        beside: 64 * KB,
    },
    Reader {
        name: "task",
        read: task,
        factor: 64,
        beside: 64 * KB,
    },
    Reader {
        name: "tokenizer",
        read: tokenizer,
        factor: 64,
        beside: MB,
    },
];

const TEXTS: [&str; 5] = [
    "",
    "hello world 42",
    "  two  spaces\n\tand\r\na tab ",
    "naïve ﬁ ▁ 日本 🙂",
    "<|im_end|><bos><0x0A>",
];

fn told<T>(result: Result<T, impl Display>) -> String {
    match result {
        Ok(_) => "read".into(),
        Err(error) => error.to_string(),
    }
}

/// Everything that is asked of a vocabulary.
fn talk(vocabulary: &Vocabulary) -> String {
    let mut heard = String::new();
    for text in TEXTS {
        match vocabulary.encode(text) {
            Ok(ids) => heard += &told(vocabulary.decode(&ids)),
            Err(error) => heard += &error.to_string(),
        }
    }
    let some: Vec<u32> = (0..vocabulary.size().min(300) as u32)
        .chain([u32::MAX])
        .collect();
    heard += &told(vocabulary.decode(&some));
    heard + &chats(vocabulary)
}

fn chats(vocabulary: &Vocabulary) -> String {
    let turn = |role, content: &str| Turn {
        role,
        content: content.into(),
    };
    let turns = [
        turn(Role::System, "be brief"),
        turn(Role::User, "what? <|im_end|>"),
        turn(Role::Assistant, "that"),
        turn(Role::User, "why"),
    ];
    let mut heard = told(vocabulary.prompt(&turns));
    heard += &told(vocabulary.prompt(&turns[1..2]));
    heard += &told(vocabulary.conversation(&turns[1..3]));
    heard + &told(vocabulary.answer("yes"))
}

/// All numbers of all tensors.
fn numbers(weights: &Weights<'_>) -> String {
    let mut heard = String::new();
    for name in weights.names() {
        let shape = weights.shape(name).unwrap_or_default();
        let mut count = 0;
        heard += &told(weights.each(name, &shape, &mut |values| count += values.len()));
        heard += &told(weights.blocks(name, &shape));
    }
    heard
}

/// A safetensors file, or the index of several.
pub fn safetensors(data: &[u8]) -> String {
    match Weights::parse(data) {
        Ok(weights) => numbers(&weights),
        Err(error) => format!("{error}{}", told(Index::from_json(data))),
    }
}

/// A GGUF file: shape, tokenizer, template and numbers.
pub fn gguf(data: &[u8]) -> String {
    let file = match Gguf::parse(data) {
        Ok(file) => file,
        Err(error) => return error.to_string(),
    };
    let mut heard = told(Config::from_gguf(&file));
    match Vocabulary::from_gguf(&file) {
        Ok(vocabulary) => heard += &talk(&vocabulary),
        Err(error) => heard += &error.to_string(),
    }
    match file.weights() {
        Ok(weights) => heard + &numbers(&weights),
        Err(error) => heard + &error.to_string(),
    }
}

/// A GGUF file, as a whole model on the CPU, and as one that an adapter of nothing is merged into: a model folder of which every
/// file must be one.
pub fn model(data: &[u8]) -> String {
    const CONFIG: &[u8] =
        br#"{"peft_type":"LORA","r":1,"lora_alpha":1,"target_modules":["q_proj"]}"#;
    const NOTHING: &[u8] = b"\x02\0\0\0\0\0\0\0{}";
    thread_local! {
        static DEVICE: Option<seedbed::kernels::Opened> = pollster::block_on(open(Choice::Cpu)).ok();
    }
    DEVICE.with(|opened| {
        let Some(opened) = opened else {
            return String::new();
        };
        let place = Placement {
            device: opened.device.clone(),
            format: Format::Stored,
        };
        let file = HeldFile {
            name: "x.gguf",
            bytes: data,
        };
        let read = Model::read("x", &[&file], place);
        let good = read.is_ok();
        let mut heard = told(read);
        heard += &told(merged_files(
            &[&file],
            CONFIG,
            NOTHING,
            &mut |name, piece| {
                // A model that is read here is told so that it is read again.
                match name {
                    "config.json" if good => Config::from_json(piece).map(|_| ()),
                    "tokenizer.json" if good => Vocabulary::from_json(piece).map(|_| ()),
                    _ => Ok(()),
                }
                .inspect_err(|error| assert!(!good, "{name} is told wrongly: {error}"))
            },
        ));
        heard
    })
}

/// A `tokenizer.json`.
pub fn tokenizer(data: &[u8]) -> String {
    match Vocabulary::from_json(data) {
        Ok(vocabulary) => talk(&vocabulary),
        Err(error) => error.to_string(),
    }
}

/// A `tokenizer_config.json` with its chat template.
pub fn chat(data: &[u8]) -> String {
    const TOKENIZER: &[u8] = include_bytes!("corpus/tokenizer/qwen.json");
    let vocabulary = Vocabulary::from_json(TOKENIZER);
    match vocabulary.and_then(|vocabulary| vocabulary.with_tokenizer_config(data, None)) {
        Ok(vocabulary) => chats(&vocabulary),
        Err(error) => error.to_string(),
    }
}

/// A `config.json`, a `generation_config.json`, and the hub's list of files.
pub fn config(data: &[u8]) -> String {
    let mut heard = String::new();
    match Config::from_json(data) {
        Ok(config) => {
            let parameters = config.parameters();
            heard += if parameters > 0 { "read" } else { "none" };
            heard += &told(config.with_generation(data));
        }
        Err(error) => heard += &error.to_string(),
    }
    match Repository::parse("a/b").map(|repository| Listing::from_json(&repository, data)) {
        Ok(Ok(listing)) => heard + &told(listing.needed(None)),
        Ok(Err(error)) => heard + &error.to_string(),
        Err(error) => heard + &error.to_string(),
    }
}

/// A PEFT directory: `adapter_config.json`, an empty line, `adapter_model.safetensors`; added to a matrix.
pub fn adapter(data: &[u8]) -> String {
    const BASE: &[u8] = include_bytes!("corpus/safetensors/projection.safetensors");
    let cut = data
        .windows(2)
        .position(|two| two == b"\n\n")
        .unwrap_or(data.len());
    let (config, factors) = (&data[..cut], data.get(cut + 2..).unwrap_or_default());
    let heard = told(LoraConfig::from_json(config));
    match Weights::parse(BASE) {
        Ok(base) => heard + &told(merged(&base, config, factors, &mut |_| Ok(()))),
        Err(error) => heard + &error.to_string(),
    }
}

/// A task: `task.json`, seeds and test rows, a zero byte between them.
pub fn task(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\0');
    let (head, seeds) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let mut heard = told(task::parse(head, seeds, parts.next()));
    heard += &told(task::parse_seeds(seeds, None));
    heard + &told(task::parse_pasted("name", "Say which.", seeds))
}
