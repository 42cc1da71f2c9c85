//! How weights are packed into 32-bit words: f16, and blocks of 32 values in 8 or 4 bits.

use half::f16;

/// The format of a packed weight. Blocks run along a row, so a row is a whole number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Two half floats to a word; no scales. Rows of a multiple of 4 values.
    F16,
    /// Blocks of 32 signed bytes, four to a word, and one scale (f32) for each block: `value = scale · byte`.
    Q8,
    /// Blocks of 32 unsigned half-bytes, eight to a word, and one word for each block with scale and minimum as half
    /// floats (scale in the low half): `value = scale · nibble + minimum`.
    Q4,
}

/// Values of a block.
const BLOCK: usize = 32;

impl Packing {
    /// What a row's length must be a multiple of.
    pub fn granule(self) -> usize {
        match self {
            Self::F16 => 4,
            Self::Q8 | Self::Q4 => BLOCK,
        }
    }

    /// Values in one word.
    pub(super) fn values_per_word(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::Q8 => 4,
            Self::Q4 => 8,
        }
    }

    /// Words of scales for a row of this many values.
    pub(super) fn scales_per_row(self, columns: usize) -> usize {
        match self {
            Self::F16 => 0,
            Self::Q8 | Self::Q4 => columns / BLOCK,
        }
    }

    /// Packs values (whole granules) behind the words and scales already there.
    pub fn pack(self, values: &[f32], words: &mut Vec<u32>, scales: &mut Vec<u32>) {
        match self {
            Self::F16 => words.extend(
                values
                    .chunks_exact(2)
                    .map(|pair| half_pair(f16::from_f32(pair[0]), f16::from_f32(pair[1]))),
            ),
            Self::Q8 => {
                for block in values.chunks_exact(BLOCK) {
                    let largest = block
                        .iter()
                        .fold(0.0f32, |most, value| most.max(value.abs()));
                    let scale = largest / 127.0;
                    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                    scales.push(scale.to_bits());
                    words.extend(block.chunks_exact(4).map(|four| {
                        u32::from_le_bytes(
                            [0, 1, 2, 3].map(|i| (four[i] * inverse).round() as i8 as u8),
                        )
                    }));
                }
            }
            Self::Q4 => {
                for block in values.chunks_exact(BLOCK) {
                    let low = block.iter().copied().fold(f32::INFINITY, f32::min);
                    let high = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    // Rounded first: the nibbles must fit the scale that will be read back.
                    let (scale, low) = (f16::from_f32((high - low) / 15.0), f16::from_f32(low));
                    let (step, minimum) = (scale.to_f32(), low.to_f32());
                    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
                    scales.push(half_pair(scale, low));
                    words.extend(block.chunks_exact(8).map(|eight| {
                        eight.iter().enumerate().fold(0, |word, (i, value)| {
                            let nibble = ((value - minimum) * inverse).round().clamp(0.0, 15.0);
                            word | (nibble as u32) << (4 * i)
                        })
                    }));
                }
            }
        }
    }

    /// Unpacks a row of `out.len()` values.
    #[cfg(any(feature = "cpu", test))]
    pub(in crate::kernels) fn unpack(self, words: &[i32], scales: &[i32], out: &mut [f32]) {
        match self {
            // Arrays of a fixed length, which a compiler makes SIMD of.
            Self::F16 => {
                let (eights, rest) = out.as_chunks_mut::<8>();
                let (fours, last) = words.as_chunks::<4>();
                for (eight, four) in eights.iter_mut().zip(fours) {
                    let mut bits = [[0; 2]; 4];
                    for (bits, word) in bits.iter_mut().zip(four) {
                        *bits = [*word as u32, *word as u32 >> 16];
                    }
                    for (value, bits) in eight.iter_mut().zip(bits.as_flattened()) {
                        *value = half(*bits);
                    }
                }
                for (pair, word) in rest.as_chunks_mut::<2>().0.iter_mut().zip(last) {
                    *pair = [half(*word as u32), half(*word as u32 >> 16)];
                }
            }
            Self::Q8 => {
                let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut();
                for ((block, words), scale) in blocks.zip(words.as_chunks::<8>().0).zip(scales) {
                    let scale = f32::from_bits(*scale as u32);
                    let bytes = words.map(i32::to_le_bytes);
                    for (value, byte) in block.iter_mut().zip(bytes.as_flattened()) {
                        *value = scale * f32::from(*byte as i8);
                    }
                }
            }
            Self::Q4 => {
                let blocks = out.as_chunks_mut::<BLOCK>().0.iter_mut();
                for ((block, words), scale) in blocks.zip(words.as_chunks::<4>().0).zip(scales) {
                    let (scale, low) = halves(*scale as u32);
                    let bytes = words.map(i32::to_le_bytes);
                    for (pair, byte) in block
                        .as_chunks_mut::<2>()
                        .0
                        .iter_mut()
                        .zip(bytes.as_flattened())
                    {
                        *pair =
                            [byte & 15, byte >> 4].map(|nibble| scale * f32::from(nibble) + low);
                    }
                }
            }
        }
    }
}

fn half_pair(low: f16, high: f16) -> u32 {
    u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16
}

/// 2¹¹²
#[cfg(any(feature = "cpu", test))]
pub(super) const RAISE: f32 = f32::from_bits((127 + 112) << 23);

/// The value of the finite half float in the low 16 bits, without a branch: its bits, put where a float has them, are that
/// value over 2¹¹².
#[cfg(any(feature = "cpu", test))]
#[inline(always)]
pub(super) fn half(bits: u32) -> f32 {
    f32::from_bits((bits & 0x8000) << 16 | (bits & 0x7fff) << 13) * RAISE
}

#[cfg(any(feature = "cpu", test))]
pub(super) fn halves(word: u32) -> (f32, f32) {
    (half(word), half(word >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(packing: Packing, values: &[f32]) -> Vec<f32> {
        let (mut words, mut scales) = (Vec::new(), Vec::new());
        packing.pack(values, &mut words, &mut scales);
        assert_eq!(words.len() * packing.values_per_word(), values.len());
        assert_eq!(scales.len(), packing.scales_per_row(values.len()));
        let signed = |words: Vec<u32>| {
            words
                .into_iter()
                .map(|word| word as i32)
                .collect::<Vec<_>>()
        };
        let mut out = vec![0.0; values.len()];
        packing.unpack(&signed(words), &signed(scales), &mut out);
        out
    }

    #[test]
    fn values_come_back_within_half_a_step() {
        let mut rng = fastrand::Rng::with_seed(5);
        let values: Vec<f32> = (0..96).map(|_| rng.f32() * 2.0 - 1.0).collect();
        for (packing, step) in [
            (Packing::F16, 1.0 / 1024.0),
            (Packing::Q8, 1.0 / 127.0),
            (Packing::Q4, 2.0 / 15.0),
        ] {
            for (a, b) in there_and_back(packing, &values).iter().zip(&values) {
                assert!((a - b).abs() <= step * 0.51, "{packing:?}: {a} for {b}");
            }
        }
    }

    #[test]
    fn every_finite_half_float_is_read_as_it_is() {
        for bits in (0..0x7c00u32).flat_map(|bits| [bits, bits | 0x8000]) {
            let right = f16::from_bits(bits as u16).to_f32();
            assert_eq!(
                half(bits | 0xabcd_0000).to_bits(),
                right.to_bits(),
                "{bits:x}"
            );
        }
    }

    #[test]
    fn a_block_of_one_value_is_kept_as_it_is() {
        for packing in [Packing::F16, Packing::Q8, Packing::Q4] {
            assert_eq!(there_and_back(packing, &[0.0; 32]), [0.0; 32]);
            assert_eq!(
                there_and_back(packing, &[0.5; 32]),
                [0.5; 32],
                "{packing:?}"
            );
        }
    }
}
