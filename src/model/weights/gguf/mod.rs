//! GGUF, the file format of llama.cpp, versions 2 and 3 (`ggml/docs/gguf.md`): metadata, tensor descriptions, data.
//!
//! Everything a file claims is checked before it is believed: nothing is allocated for a count that the rest of the
//! file could not hold, and no tensor can be read that does not lie inside it, aligned and alone.

mod error;
pub(super) mod names;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{HashMap, HashSet};

pub use error::GgufError;
use names::{Change, Rows};
use value::Reader;
pub use value::{Array, Value};

use super::{Data, Kind, Part, Stored, Weights};
use crate::kernels::Packing;
use crate::model::{ModelError, ModelFile};

/// A GGUF file: what it says of itself and where its tensors lie.
#[derive(Debug)]
pub struct Gguf<'a> {
    metadata: HashMap<&'a str, Value<'a>>,
    tensors: Vec<Tensor<'a>>,
}

/// One tensor as the file describes it.
#[derive(Debug)]
struct Tensor<'a> {
    name: &'a str,
    kind: Kind,
    /// Outermost dimension first, as on the hub; the file has them the other way round.
    shape: Vec<usize>,
    bytes: Part<'a>,
}

/// Bytes of the shortest metadata entry (empty key, type, one byte) and of the shortest tensor description.
const LEAST_ENTRY: usize = 8 + 4 + 1;
const LEAST_TENSOR: usize = 8 + 4 + 8 + 4 + 8;
/// How much of a file is read for its description at first, and at most: vocabularies take a few megabytes.
const FIRST_HEAD: u64 = 8 << 20;
const LONGEST_HEAD: u64 = 64 << 20;

impl<'a> Gguf<'a> {
    /// Whether these are the first bytes of a GGUF file.
    pub fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(b"GGUF")
    }

    /// Reads metadata and tensor descriptions, and checks that every tensor lies inside the file.
    ///
    /// # Errors
    ///
    /// [`GgufError`], one variant for each way in which a file can be malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, GgufError> {
        Self::parse_part(bytes, Data::Held(bytes))
    }

    /// The beginning of a file, as much as describes it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] when it cannot be read; what is wrong with it is for [`Gguf::parse_head`] to say.
    pub fn head(file: &dyn ModelFile) -> Result<Vec<u8>, ModelError> {
        let mut length = FIRST_HEAD;
        loop {
            length = length.min(file.size());
            let head = Data::Filed(file).read(0, length as usize)?.into_owned();
            let short = matches!(Gguf::parse_head(&head, file), Err(GgufError::Head));
            if !short || length >= LONGEST_HEAD {
                return Ok(head);
            }
            length *= 2;
        }
    }

    /// As [`Gguf::parse`], of a file of which only the beginning is in memory ([`Gguf::head`]); its tensors are read
    /// when they are asked for.
    ///
    /// # Errors
    ///
    /// As [`Gguf::parse`].
    pub fn parse_head(head: &'a [u8], file: &'a dyn ModelFile) -> Result<Self, GgufError> {
        Self::parse_part(head, Data::Filed(file))
    }

    fn parse_part(head: &'a [u8], data: Data<'a>) -> Result<Self, GgufError> {
        if !Self::is(head) {
            return Err(GgufError::Magic);
        }
        let size = usize::try_from(data.size()).unwrap_or(usize::MAX);
        let mut reader = Reader::of(head, size);
        reader.take(4, "the header")?;
        let version = reader.u32("the header")?;
        if !matches!(version, 2 | 3) {
            return Err(GgufError::Version(version));
        }
        let tensors = reader.u64("the header")?;
        let entries = reader.u64("the header")?;
        let fits = |what, count: u64, least: usize, left: usize| {
            usize::try_from(count)
                .ok()
                .filter(|count| *count <= left / least)
                .ok_or(GgufError::Count { what, count })
        };
        let entries = fits("metadata entries", entries, LEAST_ENTRY, reader.left())?;
        let tensors = fits("tensors", tensors, LEAST_TENSOR, reader.left())?;

        let mut metadata = HashMap::with_capacity(entries);
        for _ in 0..entries {
            let key = reader.text("a metadata key")?;
            let kind = reader.u32(key)?;
            let value = reader.value(kind, key, 0)?;
            if metadata.insert(key, value).is_some() {
                return Err(GgufError::KeyTwice(key.into()));
            }
        }
        let mut file = Self {
            metadata,
            tensors: Vec::with_capacity(tensors),
        };
        if let Some(parts) = file.count("split.count")?
            && parts > 1
        {
            return Err(GgufError::Split(parts));
        }
        let alignment = file.count("general.alignment")?.unwrap_or(32);
        if !alignment.is_power_of_two() || alignment > 1 << 16 {
            return Err(GgufError::Alignment(alignment));
        }
        let mut places = Vec::with_capacity(tensors);
        for _ in 0..tensors {
            places.push(describe(&mut reader, alignment)?);
        }
        let start = (reader.at() as u64).next_multiple_of(alignment);
        file.place(places, start, data)?;
        Ok(file)
    }

    /// Gives each description its bytes, which are counted from `start`, and refuses two tensors that share some.
    fn place(
        &mut self,
        mut places: Vec<Place<'a>>,
        start: u64,
        data: Data<'a>,
    ) -> Result<(), GgufError> {
        let mut names = HashSet::with_capacity(places.len());
        places.sort_by_key(|place| place.offset);
        let mut end = 0;
        for place in places {
            let name = place.name;
            if !names.insert(name) {
                return Err(GgufError::TensorTwice(name.into()));
            }
            let offset = start
                .checked_add(place.offset)
                .filter(|offset| {
                    let past = offset.checked_add(place.length as u64);
                    past.is_some_and(|past| past <= data.size())
                })
                .ok_or_else(|| GgufError::Range(name.into()))?;
            if place.offset < end {
                let before = self.tensors.last().map_or("", |tensor| tensor.name);
                return Err(GgufError::Overlap(before.into(), name.into()));
            }
            end = place.offset + place.length as u64;
            self.tensors.push(Tensor {
                name,
                kind: place.kind,
                shape: place.shape,
                bytes: Part {
                    data,
                    offset,
                    length: place.length,
                },
            });
        }
        Ok(())
    }

    /// A metadata value, when there is one of that key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.metadata.get(key).copied()
    }

    /// A count out of the metadata.
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyType`] when the value is none.
    pub fn count(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.typed(key, "a count", |value| value.count())
    }

    /// A number out of the metadata.
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyType`] when the value is none.
    pub fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        self.typed(key, "a number", |value| value.number())
    }

    /// Yes or no out of the metadata.
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyType`] when the value is neither.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.typed(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    /// Text out of the metadata.
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyType`] when the value is none, [`GgufError::Utf8`] when it is broken.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, GgufError> {
        let bytes = self.typed(key, "text", |value| match value {
            Value::Text(bytes) => Some(bytes),
            _ => None,
        })?;
        bytes
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| GgufError::Utf8(key.into())))
            .transpose()
    }

    /// An array out of the metadata.
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyType`] when the value is none.
    pub fn array(&self, key: &str) -> Result<Option<Array<'a>>, GgufError> {
        self.typed(key, "an array", |value| match value {
            Value::Array(array) => Some(array),
            _ => None,
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let found = read(value).ok_or_else(|| GgufError::KeyType {
            key: key.into(),
            expected,
        })?;
        Ok(Some(found))
    }

    /// The family, in llama.cpp's words: `llama`, `qwen2`, …
    ///
    /// # Errors
    ///
    /// [`GgufError::KeyMissing`] or [`GgufError::KeyType`].
    pub fn architecture(&self) -> Result<&'a str, GgufError> {
        self.text("general.architecture")?
            .ok_or_else(|| GgufError::KeyMissing("general.architecture".into()))
    }

    /// The numbers of a tensor by llama.cpp's name, widened to f32; nothing for one that is not there.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] when the file cannot be read.
    pub fn values(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let found = self.tensors.iter().find(|tensor| tensor.name == name);
        found
            .map(|tensor| Ok(tensor.kind.widen(&tensor.bytes.whole()?)))
            .transpose()
    }

    /// Whether there is a tensor of llama.cpp's name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.iter().any(|tensor| tensor.name == name)
    }

    /// The outermost dimension first; nothing for a tensor that is not there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors
            .iter()
            .find(|tensor| tensor.name == name)
            .map(|tensor| &tensor.shape[..])
    }

    /// Bits that a number of it takes in memory where its blocks are kept, in the mean of all and rounded up.
    pub fn stored_bits(&self) -> u64 {
        let (mut bits, mut numbers) = (0, 0);
        for Tensor { kind, shape, .. } in &self.tensors {
            let each = match (kind.is_quantised(), kind.packing()) {
                (false, _) => 32,
                (true, Some(Packing::Q4)) => 5,
                (true, _) => 9,
            };
            let count: u64 = shape.iter().map(|side| *side as u64).product();
            bits += each * count;
            numbers += count;
        }
        u64::div_ceil(bits, numbers.max(1))
    }

    /// The tensors under the hub's names, in the hub's order of rows.
    ///
    /// # Errors
    ///
    /// [`GgufError`] when the metadata that says how they are ordered is missing.
    pub fn weights(&self) -> Result<Weights<'a>, GgufError> {
        let family = self.architecture()?;
        let gemma = family.starts_with("gemma");
        let heads = |key: &str| -> Result<Option<usize>, GgufError> {
            let count = self.count(&format!("{family}.attention.{key}"))?;
            Ok(count.and_then(|count| usize::try_from(count).ok()))
        };
        let query = heads("head_count")?.unwrap_or(1);
        let key = heads("head_count_kv")?.unwrap_or(query);
        let mut tensors = HashMap::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let Some((name, rows)) = names::hub(tensor.name, gemma) else {
                continue;
            };
            let change = match rows {
                Rows::Query if family == "llama" => Change::Interleaved { heads: query },
                Rows::Key if family == "llama" => Change::Interleaved { heads: key },
                _ if gemma && name.ends_with("norm.weight") => Change::PlusOne,
                _ => Change::None,
            };
            tensors.insert(
                name,
                Stored {
                    kind: Ok(tensor.kind),
                    shape: tensor.shape.clone(),
                    bytes: tensor.bytes,
                    change,
                },
            );
        }
        Ok(Weights { tensors })
    }
}

/// A tensor's description before its bytes are found.
struct Place<'a> {
    name: &'a str,
    kind: Kind,
    shape: Vec<usize>,
    offset: u64,
    length: usize,
}

fn describe<'a>(reader: &mut Reader<'a>, alignment: u64) -> Result<Place<'a>, GgufError> {
    let name = reader.text("a tensor's name")?;
    let count = reader.u32(name)?;
    if !(1..=4).contains(&count) {
        return Err(GgufError::Dimensions {
            name: name.into(),
            count,
        });
    }
    let mut shape = Vec::with_capacity(4);
    let mut numbers = 1usize;
    for _ in 0..count {
        let size = usize::try_from(reader.u64(name)?).unwrap_or(0);
        numbers = numbers
            .checked_mul(size)
            .filter(|numbers| (1..=usize::MAX / 4).contains(numbers))
            .ok_or_else(|| GgufError::Shape(name.into()))?;
        shape.push(size);
    }
    let number = reader.u32(name)?;
    let kind = Kind::from_gguf(number).ok_or_else(|| GgufError::TensorType {
        name: name.into(),
        kind: number,
    })?;
    // The first dimension is the innermost: a row must be whole blocks.
    let length = kind
        .bytes(shape[0])
        .and_then(|row| row.checked_mul(numbers / shape[0]))
        .ok_or_else(|| GgufError::Blocks(name.into()))?;
    shape.reverse();
    let offset = reader.u64(name)?;
    if !offset.is_multiple_of(alignment) {
        return Err(GgufError::Misaligned {
            name: name.into(),
            offset,
        });
    }
    Ok(Place {
        name,
        kind,
        shape,
        offset,
        length,
    })
}
