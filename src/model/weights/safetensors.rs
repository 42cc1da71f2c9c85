//! One safetensors file.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors};

use super::{Change, Kind, ModelError, Stored};

/// All tensors of a file by name.
pub(super) fn parse(bytes: &[u8]) -> Result<HashMap<String, Stored<'_>>, ModelError> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| ModelError::Safetensors(error.to_string()))?;
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let kind = match view.dtype() {
            Dtype::F32 => Ok(Kind::F32),
            Dtype::F16 => Ok(Kind::F16),
            Dtype::BF16 => Ok(Kind::BF16),
            other => Err(other),
        };
        let tensor = Stored {
            kind,
            shape: view.shape().to_vec(),
            bytes: view.data(),
            change: Change::None,
        };
        (name, tensor)
    });
    Ok(tensors.collect())
}
