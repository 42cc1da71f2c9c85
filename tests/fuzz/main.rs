//! Files of unknown origin: whatever bytes they hold, a reader neither panics nor takes more memory than a small multiple
//! of their size.
//!
//! The corpus in `fuzz/corpus` is read as it is, and then changed at random by a seeded mutator that knows what lengths,
//! numbers and brackets look like. `SEEDBED_FUZZ_SECONDS=3600` makes it a fuzzer (`cargo xtask fuzz`): what leads to a new
//! answer is kept as a parent of more, and what leads to a finding is written to `fuzz/artifacts`.
#![cfg(all(
    not(target_arch = "wasm32"),
    feature = "desk",
    feature = "cpu",
    feature = "template"
))]
#![allow(clippy::unwrap_used)]

mod large;
mod memory;
mod mutate;
#[path = "../../fuzz/readers.rs"]
mod readers;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::Mutator;
use readers::{READERS, Reader};

/// Inputs of each reader when nobody asks for more.
const INPUTS: usize = 1500;
/// The longest that a small file may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Parents that are kept at most.
const MOST_PARENTS: usize = 5000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a reader's corpus, in the order of their names.
fn corpus(reader: &Reader) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("corpus").join(reader.name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// What a reader says of some bytes, with the memory it took for each byte beside what it is granted for none; or what
/// is wrong with that.
fn judge(reader: &Reader, bytes: &[u8]) -> Result<(String, usize), String> {
    let began = Instant::now();
    let read = || memory::most(|| catch_unwind(AssertUnwindSafe(|| (reader.read)(bytes))));
    let granted = reader.beside + reader.factor * bytes.len();
    let (mut said, mut most) = read();
    if most > granted {
        // Once more: tables of the thread's own grow once and outlive the file.
        (said, most) = read();
    }
    let said = said.map_err(|_| "it panics".to_owned())?;
    if most > granted {
        return Err(format!(
            "it takes {most} bytes of memory for a file of {}",
            bytes.len()
        ));
    }
    if began.elapsed() > LONGEST {
        return Err(format!("it takes {:?}", began.elapsed()));
    }
    let beyond = most.saturating_sub(reader.beside);
    Ok((said, beyond.div_ceil(bytes.len().max(1))))
}

/// An answer without what differs from file to file.
fn gist(said: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut quoted = false;
    for letter in said.chars() {
        quoted ^= letter == '`';
        if !quoted && !letter.is_ascii_digit() {
            letter.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Feeds a reader until there were enough inputs, or the time is over. Gives the number of findings.
fn feed(reader: &Reader, seed: u64, inputs: usize, until: Option<Instant>) -> usize {
    let mut parents: Vec<Vec<u8>> = corpus(reader).into_iter().map(|(_, bytes)| bytes).collect();
    let mut known = HashSet::new();
    for parent in &parents {
        // Things that are made once and kept are nobody's memory.
        (reader.read)(parent);
        known.insert(gist(&judge(reader, parent).unwrap_or_default().0));
    }
    let first = parents.len();
    let artifacts = folder().join("artifacts").join(reader.name);
    let current = artifacts.join("current");
    if until.is_some() {
        std::fs::create_dir_all(&artifacts).unwrap();
    }
    let (mut mutator, mut done, mut findings, mut worst) = (Mutator::new(seed), 0, 0, 0);
    while until.map_or(done < inputs, |until| Instant::now() < until) {
        let bytes = mutator.child(&parents);
        if until.is_some() {
            // For what ends the process.
            std::fs::write(&current, &bytes).unwrap();
        }
        done += 1;
        match judge(reader, &bytes) {
            Ok((said, factor)) => {
                worst = worst.max(factor);
                if parents.len() < MOST_PARENTS && known.insert(gist(&said)) {
                    parents.push(bytes);
                }
            }
            Err(wrong) => {
                findings += 1;
                let file = artifacts.join(format!("{seed}-{done}"));
                std::fs::create_dir_all(&artifacts).unwrap();
                std::fs::write(&file, &bytes).unwrap();
                eprintln!("{}: {wrong}; see {}", reader.name, file.display());
                if findings > 20 {
                    break;
                }
            }
        }
    }
    let _ = std::fs::remove_file(&current);
    eprintln!(
        "{}: {done} inputs, {} new answers, {findings} findings, {worst} bytes for a byte at most, seed {seed}",
        reader.name,
        parents.len() - first
    );
    findings
}

#[test]
fn the_kept_corpus_is_read_within_its_memory() {
    for reader in &READERS {
        let files = corpus(reader);
        assert!(!files.is_empty(), "{}", reader.name);
        for (name, bytes) in files {
            (reader.read)(&bytes);
            if let Err(wrong) = judge(reader, &bytes) {
                panic!("{}/{name}: {wrong}", reader.name);
            }
        }
    }
}

#[test]
fn changed_files_neither_panic_nor_take_more_memory_than_they_deserve() {
    let seconds = std::env::var("SEEDBED_FUZZ_SECONDS").ok();
    let seconds: Option<u64> = seconds.map(|seconds| seconds.parse().unwrap());
    let only = std::env::var("SEEDBED_FUZZ_READER").ok();
    let readers = || {
        READERS
            .iter()
            .filter(|reader| only.as_deref().is_none_or(|only| only == reader.name))
    };
    // Each pass has a seed of its own, and a minute a reader.
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut findings, mut seed) = (0, 5);
    loop {
        for reader in readers() {
            let until = end.map(|end| end.min(Instant::now() + Duration::from_secs(60)));
            findings += feed(reader, seed, INPUTS, until);
        }
        seed += 1;
        if end.is_none_or(|end| Instant::now() >= end) {
            break;
        }
    }
    assert_eq!(findings, 0, "the inputs are in fuzz/artifacts");
}

/// What was found once stays found: each file of `fuzz/findings` had a reader, whose name it begins with, fail.
#[test]
fn what_was_found_once_is_read_now() {
    for entry in std::fs::read_dir(folder().join("findings")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let reader = READERS.iter().find(|reader| name.starts_with(reader.name));
        let reader = reader.unwrap_or_else(|| panic!("{name} begins with no reader's name"));
        let bytes = std::fs::read(&path).unwrap();
        (reader.read)(&bytes);
        if let Err(wrong) = judge(reader, &bytes) {
            panic!("{name}: {wrong}");
        }
    }
}
