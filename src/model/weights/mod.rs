//! The tensors of a checkpoint under the hub's names, whatever file they lie in: checked for shape, type and
//! finiteness, widened to f32 or handed out as they are stored.

mod gguf;
mod kind;
mod packed;
pub(super) mod safetensors;
mod sharded;

use std::borrow::Cow;
use std::collections::HashMap;

use super::file::{Data, Part};
use super::{ModelError, ModelFile};
use crate::kernels::{Packing, WeightRows};
use gguf::names::Change;
pub use gguf::{Array, Gguf, GgufError, Value};
pub use kind::Kind;
pub use safetensors::SafetensorsError;
pub use sharded::Index;

/// The tensors of a checkpoint, borrowed from its files; each is read when it is asked for.
#[derive(Debug)]
pub struct Weights<'a> {
    tensors: HashMap<String, Stored<'a>>,
}

/// A tensor as it lies in its file.
#[derive(Debug, Clone)]
struct Stored<'a> {
    /// The type, or the name of one of safetensors' that is not read.
    kind: Result<Kind, String>,
    shape: Vec<usize>,
    bytes: Part<'a>,
    change: Change,
}

/// Bytes of a large tensor that are read in one go.
const AT_ONCE: usize = 1 << 22;

/// What is done with some whole rows of a tensor, as they are stored.
type Take<'t, 'a> = dyn FnMut(&Stored<'a>, Kind, &[u8]) -> Result<(), ModelError> + 't;

/// A tensor's bytes in row-major order, whole blocks to a row, in the type they are stored in.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks<'a> {
    /// How the numbers are stored.
    pub kind: Kind,
    /// Borrowed from the file, unless its rows had to be put into the hub's order.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Weights<'a> {
    /// Reads one safetensors file and checks that every tensor lies inside it.
    ///
    /// # Errors
    ///
    /// [`SafetensorsError`], one variant for each way in which a file can be malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Ok(Self {
            tensors: safetensors::parse(Data::Held(bytes))?,
        })
    }

    /// As [`Weights::parse`], of a file that is read a part at a time.
    ///
    /// # Errors
    ///
    /// As [`Weights::parse`]; [`ModelError::Missing`] when it cannot be read.
    pub fn read(file: &'a dyn ModelFile) -> Result<Self, ModelError> {
        Ok(Self {
            tensors: safetensors::parse(Data::Filed(file))?,
        })
    }

    /// Reads a checkpoint in several safetensors files, which the index tells by their names.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] for a file that the index names and `files` lacks, [`ModelError::TensorMissing`] for a
    /// tensor that is not in the file the index names, else as [`Weights::parse`].
    pub fn sharded(index: &Index, files: &[&'a dyn ModelFile]) -> Result<Self, ModelError> {
        Ok(Self {
            tensors: sharded::join(index, files)?,
        })
    }

    /// Names of all tensors.
    pub fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor, when there is one of that name.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.shape.clone())
    }

    /// The values of the tensor `name`, in row-major order, widened to f32.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`], [`ModelError::Shape`], [`ModelError::Dtype`] or [`ModelError::NotFinite`].
    pub fn values(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let mut all = Vec::new();
        self.each(name, expected, &mut |values| {
            if all.is_empty() {
                all = values;
            } else {
                all.extend(values);
            }
        })?;
        Ok(all)
    }

    /// As [`Weights::values`], whole rows at a time: a few megabytes, so that a large tensor need not be held as f32.
    ///
    /// # Errors
    ///
    /// As [`Weights::values`].
    pub fn each(
        &self,
        name: &str,
        expected: &[usize],
        take: &mut dyn FnMut(Vec<f32>),
    ) -> Result<(), ModelError> {
        self.parts(name, expected, &mut |tensor, kind, bytes| {
            take(tensor.widen(kind, bytes, name)?);
            Ok(())
        })
    }

    /// Puts all rows of a matrix into a weight: without a loss where both have the same format, else through f32.
    ///
    /// # Errors
    ///
    /// As [`Weights::values`].
    pub(super) fn fill(
        &self,
        name: &str,
        expected: &[usize],
        weight: &mut WeightRows,
    ) -> Result<(), ModelError> {
        self.parts(name, expected, &mut |tensor, kind, bytes| {
            let packing = weight.packing();
            if packing.is_none() || packing != kind.packing() || tensor.change == Change::PlusOne {
                weight.push(tensor.widen(kind, bytes, name)?);
                return Ok(());
            }
            let (words, scales) = weight.packed();
            match kind.keep(bytes, words, scales) {
                true => Ok(()),
                false => Err(ModelError::NotFinite(name.into())),
            }
        })
    }

    /// The packing in which a matrix of these tensors keeps what their blocks say, or nearly so; nothing where all of
    /// them are plain numbers.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`] or [`ModelError::Dtype`].
    pub(super) fn packing<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Option<Packing>, ModelError> {
        let (mut quantised, mut four) = (false, true);
        for name in names {
            let kind = self.kind(name)?;
            quantised |= kind.is_quantised();
            four &= kind.packing() == Some(Packing::Q4);
        }
        let packing = if four { Packing::Q4 } else { Packing::Q8 };
        Ok(Some(packing).filter(|_| quantised))
    }

    /// The rows of a tensor as they are stored, in the hub's order, a few megabytes at a time.
    fn parts(
        &self,
        name: &str,
        expected: &[usize],
        take: &mut Take<'_, 'a>,
    ) -> Result<(), ModelError> {
        let tensor = self.find(name, expected)?;
        let kind = tensor.kind(name)?;
        if tensor.bytes.length == 0 {
            // However many rows of nothing there are said to be.
            return take(tensor, kind, &[]);
        }
        let rows = expected.first().copied().unwrap_or(1);
        let row = tensor.bytes.length / rows;
        let step = match tensor.change {
            // The rows of a head change places among themselves.
            Change::Interleaved { .. } => rows,
            Change::None | Change::PlusOne => (AT_ONCE / row.max(1)).clamp(1, rows),
        };
        for first in (0..rows).step_by(step) {
            let count = step.min(rows - first);
            let bytes = if count == rows {
                tensor.blocks(name)?.bytes
            } else {
                tensor.bytes.read(first * row, count * row)?
            };
            take(tensor, kind, &bytes)?;
        }
        Ok(())
    }

    /// The tensor `name` as it is stored, for weights that stay quantised; whether its numbers are finite is not
    /// looked at. Nothing when it is only to be had in f32, from [`Weights::values`].
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`], [`ModelError::Shape`] or [`ModelError::Dtype`].
    pub fn blocks(&self, name: &str, expected: &[usize]) -> Result<Option<Blocks<'a>>, ModelError> {
        let tensor = self.find(name, expected)?;
        if tensor.change == Change::PlusOne {
            return Ok(None);
        }
        tensor.blocks(name).map(Some)
    }

    /// The type a tensor is stored in.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`] or [`ModelError::Dtype`].
    pub(super) fn kind(&self, name: &str) -> Result<Kind, ModelError> {
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| ModelError::TensorMissing(name.into()))?;
        tensor.kind(name)
    }

    /// Whether a tensor's bytes lie in its file as they would on the hub.
    pub(super) fn is_the_hubs(&self, name: &str) -> bool {
        let tensor = self.tensors.get(name);
        tensor.is_some_and(|tensor| tensor.change == Change::None)
    }

    /// The bytes of a tensor as they lie in its file, a few megabytes at a time.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`], [`ModelError::Missing`] when the file cannot be read, and what `give` says.
    pub(super) fn pieces(
        &self,
        name: &str,
        give: &mut dyn FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let tensor = self.tensors.get(name);
        let part = tensor
            .ok_or_else(|| ModelError::TensorMissing(name.into()))?
            .bytes;
        for from in (0..part.length).step_by(AT_ONCE) {
            give(&part.read(from, AT_ONCE.min(part.length - from))?)?;
        }
        Ok(())
    }

    /// Whether a tensor is there in this shape.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`] or [`ModelError::Shape`].
    pub(super) fn expect(&self, name: &str, shape: &[usize]) -> Result<(), ModelError> {
        self.find(name, shape).map(|_| ())
    }

    fn find(&self, name: &str, expected: &[usize]) -> Result<&Stored<'a>, ModelError> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| ModelError::TensorMissing(name.into()))?;
        if tensor.shape != expected {
            return Err(ModelError::Shape {
                name: name.into(),
                found: tensor.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        Ok(tensor)
    }
}

impl<'a> Stored<'a> {
    fn kind(&self, name: &str) -> Result<Kind, ModelError> {
        self.kind.clone().map_err(|dtype| ModelError::Dtype {
            name: name.into(),
            dtype,
        })
    }

    /// The numbers behind some of its bytes.
    fn widen(&self, kind: Kind, bytes: &[u8], name: &str) -> Result<Vec<f32>, ModelError> {
        let mut values = kind.widen(bytes);
        if self.change == Change::PlusOne {
            for value in &mut values {
                *value -= 1.0;
            }
        }
        // The hub's files do hold NaN at times, and one of them silently spoils every answer.
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(ModelError::NotFinite(name.into())),
        }
    }

    /// The bytes with the rows in the hub's order.
    fn blocks(&self, name: &str) -> Result<Blocks<'a>, ModelError> {
        let kind = self.kind(name)?;
        let mut bytes = self.bytes.whole()?;
        if let Change::Interleaved { heads } = self.change {
            bytes = Cow::Owned(self.apart(&bytes, heads, name)?);
        }
        Ok(Blocks { kind, bytes })
    }

    /// Rows `2i` and `2i + 1` of a head go back to `i` and `i + half`. Rows are whole blocks, so that this works on
    /// every type.
    fn apart(&self, bytes: &[u8], heads: usize, name: &str) -> Result<Vec<u8>, ModelError> {
        let rows = self.shape[0];
        if heads == 0 || !rows.is_multiple_of(2 * heads) {
            return Err(ModelError::Shape {
                name: name.into(),
                found: self.shape.clone(),
                expected: vec![2 * heads],
            });
        }
        let (length, half) = (bytes.len() / rows, rows / heads / 2);
        let mut ordered = Vec::with_capacity(bytes.len());
        for row in 0..rows {
            let (head, place) = (row / (2 * half), row % (2 * half));
            let from = head * 2 * half + place % half * 2 + place / half;
            ordered.extend_from_slice(&bytes[from * length..][..length]);
        }
        Ok(ordered)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use half::{bf16, f16};

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn reads_f32_f16_and_bf16_alike() {
        let mut data = Vec::new();
        data.extend_from_slice(&1.5f32.to_le_bytes());
        data.extend_from_slice(&f16::from_f32(1.5).to_le_bytes());
        data.extend_from_slice(&bf16::from_f32(1.5).to_le_bytes());
        let bytes = file(
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[4,6]},"c":{"dtype":"BF16","shape":[1],"data_offsets":[6,8]}}"#,
            &data,
        );
        let weights = Weights::parse(&bytes).unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(weights.values(name, &[1]).unwrap(), vec![1.5]);
        }
    }

    #[test]
    fn a_tensor_of_another_shape_is_named_with_both_shapes() {
        let bytes = file(
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            &[0; 4],
        );
        let error = Weights::parse(&bytes)
            .unwrap()
            .values("a", &[2])
            .unwrap_err();
        assert_eq!(
            error,
            ModelError::Shape {
                name: "a".into(),
                found: vec![1],
                expected: vec![2]
            }
        );
    }

    #[test]
    fn a_tensor_that_is_not_there_is_named() {
        let bytes = file("{}", &[]);
        let error = Weights::parse(&bytes)
            .unwrap()
            .values("w", &[1])
            .unwrap_err();
        assert_eq!(error, ModelError::TensorMissing("w".into()));
    }

    #[test]
    fn integers_are_refused_as_weights() {
        let bytes = file(
            r#"{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#,
            &[0; 4],
        );
        let error = Weights::parse(&bytes)
            .unwrap()
            .values("a", &[1])
            .unwrap_err();
        assert!(matches!(error, ModelError::Dtype { .. }));
    }

    #[test]
    fn a_weight_that_is_no_number_is_refused() {
        let bytes = file(
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            &f32::NAN.to_le_bytes(),
        );
        let error = Weights::parse(&bytes)
            .unwrap()
            .values("a", &[1])
            .unwrap_err();
        assert_eq!(error, ModelError::NotFinite("a".into()));
    }

    /// A file that says how much of it was asked for at once.
    #[derive(Debug)]
    struct Watched<'a> {
        bytes: &'a [u8],
        most: std::cell::Cell<usize>,
    }

    impl ModelFile for Watched<'_> {
        fn name(&self) -> &str {
            "model.safetensors"
        }

        fn size(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String> {
            self.most.set(self.most.get().max(out.len()));
            let from = offset as usize;
            out.copy_from_slice(&self.bytes[from..from + out.len()]);
            Ok(())
        }
    }

    #[test]
    fn a_large_tensor_comes_in_parts_that_together_are_the_whole() {
        let (rows, columns) = (1500, 1024);
        let data: Vec<u8> = (0..rows * columns)
            .flat_map(|place| (place as f32).to_le_bytes())
            .collect();
        let header = format!(
            r#"{{"a":{{"dtype":"F32","shape":[{rows},{columns}],"data_offsets":[0,{}]}}}}"#,
            data.len()
        );
        let bytes = file(&header, &data);
        let watched = Watched {
            bytes: &bytes,
            most: 0.into(),
        };
        let weights = Weights::read(&watched).unwrap();
        let (mut parts, mut all) = (0, Vec::new());
        weights
            .each("a", &[rows, columns], &mut |values| {
                parts += 1;
                all.extend(values);
            })
            .unwrap();
        assert!(parts > 1 && watched.most.get() <= 1 << 22);
        assert_eq!(all, weights.values("a", &[rows, columns]).unwrap());
        assert!(
            all.iter()
                .zip(0..)
                .all(|(value, place)| *value == place as f32)
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_reason() {
        #[derive(Debug)]
        struct Gone;
        impl ModelFile for Gone {
            fn name(&self) -> &str {
                "model.safetensors"
            }
            fn size(&self) -> u64 {
                100
            }
            fn read(&self, _: u64, _: &mut [u8]) -> Result<(), String> {
                Err("it was moved away".into())
            }
        }
        let error = Weights::read(&Gone).unwrap_err().to_string();
        assert!(error.contains("model.safetensors") && error.contains("moved away"));
    }
}
