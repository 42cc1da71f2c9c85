//! The metadata of a GGUF file: keys with typed values, kept as they lie in the file.

use super::GgufError;

/// A metadata value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Any of the unsigned integers.
    Unsigned(u64),
    /// Any of the signed integers.
    Signed(i64),
    /// F32 or F64.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Text; checked for UTF-8 when it is asked for.
    Text(&'a [u8]),
    /// Several values of one type.
    Array(Array<'a>),
}

/// Several values of one type, left in the file's bytes until they are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Array<'a> {
    kind: u32,
    count: usize,
    bytes: &'a [u8],
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// Deep enough for anything that has ever been written.
const DEEPEST: usize = 4;

impl<'a> Value<'a> {
    /// The number as a count, when it is one.
    pub fn count(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(value) => Some(value),
            Self::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The number, when it is one.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> Array<'a> {
    /// Entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries one after the other; nothing behind a nested array is reached, none is of use to a model.
    pub fn values(
        &self,
        key: &'a str,
    ) -> impl Iterator<Item = Result<Value<'a>, GgufError>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        let kind = self.kind;
        (0..self.count).map(move |_| reader.value(kind, key, 0))
    }
}

/// A cursor over the file's first bytes that never reaches beyond them.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bytes of the whole file.
    size: usize,
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::of(bytes, bytes.len())
    }

    /// Over the beginning of a file of `size` bytes.
    pub fn of(bytes: &'a [u8], size: usize) -> Self {
        Self {
            bytes,
            size: size.max(bytes.len()),
            at: 0,
        }
    }

    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes of the file that are still to come.
    pub fn left(&self) -> usize {
        self.size - self.at
    }

    pub fn take(&mut self, count: usize, place: &str) -> Result<&'a [u8], GgufError> {
        if count > self.left() {
            return Err(GgufError::Truncated(place.into()));
        }
        if count > self.bytes.len() - self.at {
            return Err(GgufError::Head);
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// A little-endian integer of up to eight bytes.
    fn little(&mut self, size: usize, place: &str) -> Result<u64, GgufError> {
        let bytes = self.take(size, place)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub fn u32(&mut self, place: &str) -> Result<u32, GgufError> {
        Ok(self.little(4, place)? as u32)
    }

    pub fn u64(&mut self, place: &str) -> Result<u64, GgufError> {
        self.little(8, place)
    }

    pub fn string(&mut self, place: &str) -> Result<&'a [u8], GgufError> {
        let length = self.u64(place)?;
        match usize::try_from(length) {
            Ok(count) if count <= self.left() => self.take(count, place),
            _ => Err(GgufError::StringLength {
                place: place.into(),
                length,
            }),
        }
    }

    pub fn text(&mut self, place: &str) -> Result<&'a str, GgufError> {
        std::str::from_utf8(self.string(place)?).map_err(|_| GgufError::Utf8(place.into()))
    }

    /// A value of the type `kind` (GGUF's number), `depth` arrays deep.
    pub fn value(&mut self, kind: u32, key: &str, depth: usize) -> Result<Value<'a>, GgufError> {
        let Some(size) = size(kind) else {
            return Err(GgufError::ValueType {
                key: key.into(),
                kind,
            });
        };
        if kind == STRING {
            return Ok(Value::Text(self.string(key)?));
        }
        if kind == ARRAY {
            return self.array(key, depth);
        }
        let bits = self.little(size, key)?;
        Ok(match kind {
            0 | 2 | 4 | 10 => Value::Unsigned(bits),
            1 => Value::Signed(i64::from(bits as i8)),
            3 => Value::Signed(i64::from(bits as i16)),
            5 => Value::Signed(i64::from(bits as i32)),
            11 => Value::Signed(bits as i64),
            6 => Value::Float(f64::from(f32::from_bits(bits as u32))),
            12 => Value::Float(f64::from_bits(bits)),
            _ => Value::Bool(bits != 0),
        })
    }

    fn array(&mut self, key: &str, depth: usize) -> Result<Value<'a>, GgufError> {
        if depth >= DEEPEST {
            return Err(GgufError::Nesting(key.into()));
        }
        let kind = self.u32(key)?;
        let Some(size) = size(kind) else {
            return Err(GgufError::ValueType {
                key: key.into(),
                kind,
            });
        };
        let claimed = self.u64(key)?;
        let count = usize::try_from(claimed)
            .ok()
            .filter(|count| *count <= self.left() / size)
            .ok_or_else(|| GgufError::ArrayLength {
                key: key.into(),
                count: claimed,
            })?;
        let start = self.at;
        if kind == STRING || kind == ARRAY {
            for _ in 0..count {
                self.value(kind, key, depth + 1)?;
            }
        } else {
            self.take(count * size, key)?;
        }
        Ok(Value::Array(Array {
            kind,
            count,
            bytes: &self.bytes[start..self.at],
        }))
    }
}

/// The fewest bytes that a value of GGUF's type takes; nothing for a type that does not exist.
fn size(kind: u32) -> Option<usize> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        STRING | 10..=12 => 8,
        ARRAY => 12,
        _ => return None,
    })
}
