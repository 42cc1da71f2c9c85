//! Reading safetensors: every tensor by name, checked for shape, type and finiteness, widened to f32.

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::ModelError;

/// The tensors of one safetensors file, borrowed from its bytes.
pub struct Weights<'a> {
    tensors: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    /// Reads the header and checks that every tensor lies inside the file.
    ///
    /// # Errors
    ///
    /// [`ModelError::Safetensors`] with the reader's own reason (truncated, overlapping, header too large …).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|error| ModelError::Safetensors(error.to_string()))?;
        Ok(Self { tensors })
    }

    /// Names of all tensors.
    pub fn names(&self) -> Vec<&str> {
        self.tensors.names().into_iter().collect()
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The shape of a tensor, when there is one of that name.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors
            .tensor(name)
            .ok()
            .map(|view| view.shape().to_vec())
    }

    /// The values of the tensor `name`, in row-major order, widened to f32.
    ///
    /// # Errors
    ///
    /// [`ModelError::TensorMissing`], [`ModelError::Shape`], [`ModelError::Dtype`] or [`ModelError::NotFinite`].
    pub fn values(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| ModelError::TensorMissing(name.into()))?;
        if view.shape() != expected {
            return Err(ModelError::Shape {
                name: name.into(),
                found: view.shape().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => data
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            Dtype::BF16 => data
                .chunks_exact(2)
                .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            other => {
                return Err(ModelError::Dtype {
                    name: name.into(),
                    dtype: format!("{other:?}"),
                });
            }
        };
        // The hub's files do hold NaN at times, and one of them silently spoils every answer.
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite(name.into()));
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
    fn a_truncated_file_is_refused() {
        let bytes = file(
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            &[0; 4],
        );
        assert!(matches!(
            Weights::parse(&bytes),
            Err(ModelError::Safetensors(_))
        ));
    }

    #[test]
    fn a_header_longer_than_the_file_is_refused() {
        assert!(matches!(
            Weights::parse(&u64::MAX.to_le_bytes()),
            Err(ModelError::Safetensors(_))
        ));
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
}
