//! One safetensors file.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::{Change, Data, Kind, ModelError, Part, Stored};

/// Bytes of the header's length, which a file begins with.
const LENGTH: usize = 8;
/// No header of a model comes near it.
const LONGEST_HEADER: u64 = 100_000_000;

/// All tensors of a file by name. The header is read and checked, and that every tensor lies inside the file; no
/// tensor is read.
pub(super) fn parse(data: Data<'_>) -> Result<HashMap<String, Stored<'_>>, ModelError> {
    let failed = |reason: String| ModelError::Safetensors(reason);
    if data.size() < LENGTH as u64 {
        return Err(failed("the file is too short for a header".into()));
    }
    let mut length = [0; LENGTH];
    length.copy_from_slice(&data.read(0, LENGTH)?);
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length > data.size() - LENGTH as u64 {
        return Err(failed(format!(
            "its header claims {length} bytes, more than there are or can be"
        )));
    }
    let header = data.read(LENGTH as u64, length as usize)?;
    let header = std::str::from_utf8(&header).map_err(|error| failed(error.to_string()))?;
    // This checks shapes against ranges, and that these follow each other without gap or overlap.
    let header: Metadata =
        serde_json::from_str(header).map_err(|error| failed(error.to_string()))?;
    let start = LENGTH as u64 + length;
    let expected = start + header.data_len() as u64;
    if expected != data.size() {
        return Err(failed(format!(
            "it has {} bytes where its header speaks of {expected}",
            data.size()
        )));
    }
    let tensors = header.tensors().into_iter().map(|(name, info)| {
        let kind = match info.dtype {
            Dtype::F32 => Ok(Kind::F32),
            Dtype::F16 => Ok(Kind::F16),
            Dtype::BF16 => Ok(Kind::BF16),
            other => Err(other),
        };
        let (first, end) = info.data_offsets;
        let tensor = Stored {
            kind,
            shape: info.shape.clone(),
            bytes: Part {
                data,
                offset: start + first as u64,
                length: end - first,
            },
            change: Change::None,
        };
        (name, tensor)
    });
    Ok(tensors.collect())
}
