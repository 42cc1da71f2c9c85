//! One safetensors file (`huggingface/safetensors`, format description in its README): read with every claim checked,
//! and written a piece at a time.

mod error;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

pub use error::SafetensorsError;

use super::{Change, Data, Kind, ModelError, Part, Stored};

/// Bytes of the header's length, which a file begins with.
const LENGTH: usize = 8;
/// No header of a model comes near it.
const LONGEST_HEADER: u64 = 100_000_000;
/// Where a file speaks of itself rather than of a tensor.
const METADATA: &str = "__metadata__";

/// The types that the format has, with the bits that a number takes.
const TYPES: [(&str, u64); 22] = [
    ("F32", 32),
    ("F16", 16),
    ("BF16", 16),
    ("F64", 64),
    ("I64", 64),
    ("I32", 32),
    ("I16", 16),
    ("I8", 8),
    ("U64", 64),
    ("U32", 32),
    ("U16", 16),
    ("U8", 8),
    ("BOOL", 8),
    ("F8_E4M3", 8),
    ("F8_E5M2", 8),
    ("F8_E8M0", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("F4", 4),
    ("C64", 64),
];

/// A tensor as the header describes it.
#[derive(serde::Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The header, in its own order; names may occur twice.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// All tensors of a file by name. The header is read and checked, and that every byte behind it belongs to one tensor;
/// no tensor is read.
pub(super) fn parse(data: Data<'_>) -> Result<HashMap<String, Stored<'_>>, ModelError> {
    let left = (data.size())
        .checked_sub(LENGTH as u64)
        .ok_or(SafetensorsError::Truncated)?;
    let mut length = [0; LENGTH];
    length.copy_from_slice(&data.read(0, LENGTH)?);
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(SafetensorsError::HeaderTooLarge(length).into());
    }
    if length > left {
        return Err(SafetensorsError::HeaderLength { length, left }.into());
    }
    let header = data.read(LENGTH as u64, length as usize)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|error| SafetensorsError::Header(error.to_string()))?;
    Ok(place(header, LENGTH as u64 + length, left - length, data)?)
}

/// Gives each description its bytes, which are counted from `start`; there are `size` of them.
fn place<'a>(
    Header(mut entries): Header,
    start: u64,
    size: u64,
    data: Data<'a>,
) -> Result<HashMap<String, Stored<'a>>, SafetensorsError> {
    entries.sort_by_key(|(_, info)| info.data_offsets);
    let mut tensors = HashMap::with_capacity(entries.len());
    let (mut end, mut before) = (0, String::new());
    for (name, info) in entries {
        let (from, to) = info.data_offsets;
        let expected = bytes(&name, &info)?;
        let Some(found) = to.checked_sub(from) else {
            return Err(SafetensorsError::Range(name));
        };
        if found != expected {
            return Err(SafetensorsError::Size {
                name,
                found,
                expected,
            });
        }
        if from < end {
            return Err(SafetensorsError::Overlap(before, name));
        }
        if from > end {
            return Err(SafetensorsError::Gap {
                from: end,
                to: from,
            });
        }
        let Some(length) = usize::try_from(found).ok().filter(|_| to <= size) else {
            return Err(SafetensorsError::Beyond(name));
        };
        let kind = match info.dtype.as_str() {
            "F32" => Ok(Kind::F32),
            "F16" => Ok(Kind::F16),
            "BF16" => Ok(Kind::BF16),
            _ => Err(info.dtype),
        };
        let tensor = Stored {
            kind,
            shape: info.shape,
            bytes: Part {
                data,
                offset: start + from,
                length,
            },
            change: Change::None,
        };
        (end, before) = (to, name.clone());
        if tensors.insert(name, tensor).is_some() {
            return Err(SafetensorsError::TensorTwice(before));
        }
    }
    if end < size {
        return Err(SafetensorsError::Gap {
            from: end,
            to: size,
        });
    }
    Ok(tensors)
}

/// Bytes that shape and type take.
fn bytes(name: &str, info: &Info) -> Result<u64, SafetensorsError> {
    let known = TYPES.iter().find(|(dtype, _)| *dtype == info.dtype);
    let Some((_, bits)) = known else {
        return Err(SafetensorsError::UnknownType {
            name: name.into(),
            dtype: info.dtype.clone(),
        });
    };
    if info.shape.contains(&0) {
        return Ok(0);
    }
    let bits = (info.shape.iter()).try_fold(*bits, |bits, size| bits.checked_mul(*size as u64));
    bits.map(|bits| bits.div_ceil(8))
        .ok_or_else(|| SafetensorsError::Shape(name.into()))
}

/// The beginning of a file that holds these tensors one behind the other: its length and its header.
pub(in crate::model) fn header<'a>(
    tensors: impl Iterator<Item = (&'a str, Kind, &'a [usize])>,
) -> Vec<u8> {
    // PEFT and transformers look for this mark.
    let mut text = format!(r#"{{"{METADATA}":{{"format":"pt"}}"#);
    let mut at = 0;
    for (name, kind, shape) in tensors {
        let end = at + shape.iter().product::<usize>() * kind.block().1;
        let name = serde_json::Value::from(name);
        text += &format!(
            r#",{name}:{{"dtype":"{kind:?}","shape":{shape:?},"data_offsets":[{at},{end}]}}"#
        );
        at = end;
    }
    text.push('}');
    // The data begins at a multiple of eight.
    while !text.len().is_multiple_of(LENGTH) {
        text.push(' ');
    }
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text.into_bytes());
    bytes
}
