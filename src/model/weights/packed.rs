//! Blocks of a file as the kernels take them, without a loss, where these have the format.

use half::f16;

use super::Kind;
use crate::kernels::Packing;

impl Kind {
    /// Whether it is made of blocks with scales, and not of plain numbers.
    pub(in crate::model) fn is_quantised(self) -> bool {
        self.block().0 > 1
    }

    /// The packing that holds blocks of this type as they are; nothing for a type that the kernels do not have.
    pub(super) fn packing(self) -> Option<Packing> {
        match self {
            Self::Q8_0 => Some(Packing::Q8),
            Self::Q4_0 | Self::Q4_1 => Some(Packing::Q4),
            _ => None,
        }
    }

    /// Puts whole blocks behind the words and scales of [`Kind::packing`]. Whether all of their scales are finite.
    pub(super) fn keep(self, bytes: &[u8], words: &mut Vec<u32>, scales: &mut Vec<u32>) -> bool {
        let mut finite = true;
        for block in bytes.chunks_exact(self.block().1) {
            let scale = f16::from_le_bytes([block[0], block[1]]);
            finite &= scale.is_finite();
            if self == Self::Q8_0 {
                scales.push(scale.to_f32().to_bits());
                let fours = block[2..].chunks_exact(4);
                words.extend(
                    fours.map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])),
                );
                continue;
            }
            let (least, nibbles) = match self {
                Self::Q4_1 => (f16::from_le_bytes([block[2], block[3]]), &block[4..]),
                // Its numbers are the nibbles less 8. A product with a power of two is exact.
                _ => (f16::from_f32(-8.0 * scale.to_f32()), &block[2..]),
            };
            finite &= least.is_finite();
            scales.push(u32::from(scale.to_bits()) | u32::from(least.to_bits()) << 16);
            // The low halves of 16 bytes come first, then the high ones; a word has eight that follow each other.
            for shift in [0, 4] {
                for eight in nibbles.chunks_exact(8) {
                    let word = eight
                        .iter()
                        .rev()
                        .fold(0, |word, byte| word << 4 | u32::from(byte >> shift & 15));
                    words.push(word);
                }
            }
        }
        finite
    }
}

#[cfg(all(test, feature = "desk"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Gguf, Weights};
    use super::*;
    use crate::kernels::{Choice, WeightRows, integers, open, read};
    use crate::model::ModelError;

    /// A file that has every type.
    const TYPES: &[u8] = include_bytes!("../../../tests/fixtures/gguf/types.gguf");

    /// The numbers of a matrix after it went into a weight in the packing of its blocks.
    fn there_and_back(weights: &Weights<'_>, name: &str, packing: Packing) -> Vec<f32> {
        let device = pollster::block_on(open(Choice::Cpu)).unwrap().device;
        let shape = weights.shape(name).unwrap();
        let mut rows = WeightRows::new([shape[0], shape[1]], Some(packing));
        weights.fill(name, &shape, &mut rows).unwrap();
        let ids: Vec<u32> = (0..shape[0] as u32).collect();
        let weight = rows.finish(&device);
        assert_eq!(weight.packing(), Some(packing));
        pollster::block_on(read(weight.select(integers(&ids, &device), 1.0))).unwrap()
    }

    #[test]
    fn blocks_that_the_kernels_have_are_kept_without_a_loss_and_others_nearly() {
        let file = Gguf::parse(TYPES).unwrap();
        let weights = file.weights().unwrap();
        let mut kept = Vec::new();
        for name in weights.names() {
            let shape = weights.shape(name).unwrap();
            let Some(packing) = weights.packing([name].into_iter()).unwrap() else {
                assert!(!weights.kind(name).unwrap().is_quantised());
                continue;
            };
            let kind = weights.kind(name).unwrap();
            let found = there_and_back(&weights, name, packing);
            let wanted = weights.values(name, &shape).unwrap();
            for (found, wanted) in found.chunks(32).zip(wanted.chunks(32)) {
                let largest = wanted
                    .iter()
                    .fold(0.0f32, |most, value| most.max(value.abs()));
                let step = match kind.packing() {
                    Some(_) => 0.0,
                    None => largest / 127.0 * 0.51,
                };
                let near = |(found, wanted): (&f32, &f32)| (found - wanted).abs() <= step;
                assert!(found.iter().zip(wanted).all(near), "{name} ({kind:?})");
            }
            kept.extend(kind.packing().map(|_| format!("{kind:?}")));
        }
        kept.sort();
        kept.dedup();
        assert_eq!(kept, ["Q4_0", "Q4_1", "Q8_0"]);
    }

    #[test]
    fn matrices_of_several_types_go_where_none_of_them_loses_much() {
        let file = Gguf::parse(TYPES).unwrap();
        let weights = file.weights().unwrap();
        let of = |wanted: &[Kind]| {
            let names = weights.names().into_iter();
            let names: Vec<&str> = names
                .filter(|name| wanted.contains(&weights.kind(name).unwrap()))
                .collect();
            weights.packing(names.into_iter()).unwrap()
        };
        assert_eq!(of(&[Kind::Q4_0, Kind::Q4_1]), Some(Packing::Q4));
        assert_eq!(of(&[Kind::Q4_0, Kind::Q6_K]), Some(Packing::Q8));
        assert_eq!(of(&[Kind::F32, Kind::F16, Kind::BF16]), None);
    }

    #[test]
    fn a_block_whose_scale_is_no_number_is_refused() {
        let file = Gguf::parse(TYPES).unwrap();
        let weights = file.weights().unwrap();
        for kind in [Kind::Q8_0, Kind::Q4_0, Kind::Q4_1] {
            let mut block = vec![0; kind.block().1];
            block[..2].copy_from_slice(&f16::INFINITY.to_le_bytes());
            assert!(!kind.keep(&block, &mut Vec::new(), &mut Vec::new()));
        }
        let missing = weights.packing(["nothing"].into_iter());
        assert_eq!(missing, Err(ModelError::TensorMissing("nothing".into())));
    }
}
