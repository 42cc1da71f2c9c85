//! Where a training is: enough to go on as if it had never stopped.

use burn::tensor::{Device, Tensor};

use super::TrainError;
use crate::Error;
use crate::kernels;

/// A training between two steps.
pub struct Checkpoint {
    /// Factors; in the middle of a training also the running mean and mean square of their gradients. `[n]` each.
    pub(super) tensors: Vec<Tensor<1>>,
    /// Steps made.
    pub(super) step: usize,
    /// Tokens read.
    pub(super) tokens: usize,
}

/// A training that can stop and go on.
pub trait Resumable {
    /// Where it is. Without the optimiser's moments (`whole` false) it can only end from there, and takes a third of the
    /// room.
    fn checkpoint(&self, whole: bool) -> Checkpoint;

    /// Puts it where it was.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`] for one of another adapter.
    fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError>;
}

/// Numbers before the values: tensors, steps, tokens, values of each tensor, checksum; eight bytes each, least first.
const HEAD: usize = 5;

impl Checkpoint {
    /// The checkpoint as bytes: five whole numbers of eight bytes, then 32-bit floats, all little-endian.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] when the device does not answer.
    pub async fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        // One after the other: burn's own joining would bring every type it knows along.
        let mut values = Vec::new();
        for tensor in &self.tensors {
            values.extend(kernels::read(tensor.clone()).await?);
        }
        let head = [
            self.tensors.len(),
            self.step,
            self.tokens,
            values.len() / self.tensors.len().max(1),
        ];
        let mut bytes = Vec::with_capacity(8 * HEAD + 4 * values.len());
        for number in head {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.extend([0; 8]);
        for value in values {
            bytes.extend(value.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes[8 * (HEAD - 1)..8 * HEAD].copy_from_slice(&sum.to_le_bytes());
        Ok(bytes)
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`] for bytes that are cut short or changed.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, TrainError> {
        let number = |place: usize| {
            let bytes = bytes.get(8 * place..8 * place + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let count = |place: usize| number(place).and_then(|number| usize::try_from(number).ok());
        let read = || {
            let (parts, step, tokens, length) = (count(0)?, count(1)?, count(2)?, count(3)?);
            let values = bytes.get(8 * HEAD..)?;
            let whole = parts.checked_mul(length)?.checked_mul(4)? == values.len();
            if !whole || length == 0 || number(4)? != checksum(bytes) {
                return None;
            }
            let values: Vec<f32> = (values.chunks_exact(4))
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect();
            Some(Self {
                tensors: values
                    .chunks(length)
                    .map(|part| kernels::floats(part.to_vec(), [length], device))
                    .collect(),
                step,
                tokens,
            })
        };
        read().ok_or(TrainError::Checkpoint)
    }
}

/// FNV-1a over words of four bytes, leaving out the place where it is written itself.
fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let own = 2 * (HEAD - 1)..2 * HEAD;
    for (place, word) in bytes.chunks(4).enumerate() {
        if !own.contains(&place) {
            let word = word
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }
    sum
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernels::{Choice, floats, open};

    fn device() -> Device {
        pollster::block_on(open(Choice::Cpu)).unwrap().device
    }

    fn bytes() -> Vec<u8> {
        let device = device();
        let part = |values: [f32; 2]| floats(values.to_vec(), [2], &device);
        let checkpoint = Checkpoint {
            tensors: vec![part([0.1, -0.0]), part([1e-40, 3.0]), part([f32::MAX, 0.0])],
            step: 7,
            tokens: 1000,
        };
        pollster::block_on(checkpoint.to_bytes()).unwrap()
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit() {
        let bytes = bytes();
        let back = Checkpoint::from_bytes(&bytes, &device()).unwrap();
        assert_eq!((back.step, back.tokens, back.tensors.len()), (7, 1000, 3));
        assert_eq!(pollster::block_on(back.to_bytes()).unwrap(), bytes);
    }

    #[test]
    fn a_checkpoint_that_is_cut_short_or_changed_is_refused() {
        let bytes = bytes();
        for length in 0..bytes.len() {
            let cut = Checkpoint::from_bytes(&bytes[..length], &device());
            assert!(matches!(cut, Err(TrainError::Checkpoint)), "{length}");
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let read = Checkpoint::from_bytes(&changed, &device());
            assert!(matches!(read, Err(TrainError::Checkpoint)), "{place}");
        }
    }
}
