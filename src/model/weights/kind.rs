//! The types in which checkpoints store numbers, and how they are widened to f32.
//!
//! The block layouts are those of ggml (`ggml-common.h`); the order of the floating-point operations is that of the
//! Python package `gguf`, so that both give the same bits.

use half::{bf16, f16};

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "ggml's own names")]
pub enum Kind {
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 16 bits.
    F16,
    /// The upper half of an F32.
    BF16,
    /// 32 numbers: an f16 scale, then 4 bits each, minus 8.
    Q4_0,
    /// 32 numbers: an f16 scale and an f16 minimum, then 4 bits each.
    Q4_1,
    /// 32 numbers: an f16 scale, the fifth bits, then 4 bits each, minus 16.
    Q5_0,
    /// 32 numbers: an f16 scale and an f16 minimum, the fifth bits, then 4 bits each.
    Q5_1,
    /// 32 numbers: an f16 scale, then a signed byte each.
    Q8_0,
    /// 256 numbers in 8 parts with 6-bit scales and minima, 4 bits each.
    Q4_K,
    /// 256 numbers in 8 parts with 6-bit scales and minima, 5 bits each.
    Q5_K,
    /// 256 numbers in 16 parts with 8-bit scales, 6 bits each, minus 32.
    Q6_K,
}

impl Kind {
    /// Numbers of one block, and the bytes it takes; a plain number is a block of one.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4_K => (256, 144),
            Self::Q5_K => (256, 176),
            Self::Q6_K => (256, 210),
        }
    }

    /// The type behind GGUF's number, when it is one that is read.
    pub fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// Bytes that `count` numbers take; nothing when they fill no whole blocks or the product overflows.
    pub fn bytes(self, count: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        if !count.is_multiple_of(numbers) {
            return None;
        }
        (count / numbers).checked_mul(bytes)
    }

    /// The numbers behind whole blocks of bytes.
    pub fn widen(self, bytes: &[u8]) -> Vec<f32> {
        let (numbers, size) = self.block();
        let mut values = Vec::with_capacity(bytes.len() / size * numbers);
        for block in bytes.chunks_exact(size) {
            self.widen_block(block, &mut values);
        }
        values
    }

    fn widen_block(self, block: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F32 => out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
            Self::F16 => out.push(half(block, 0)),
            Self::BF16 => out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
            Self::Q8_0 => {
                let scale = half(block, 0);
                out.extend(block[2..].iter().map(|q| f32::from(*q as i8) * scale));
            }
            Self::Q4_0 => {
                let scale = half(block, 0);
                fours(&block[2..], 0, |q| scale * (f32::from(q) - 8.0), out);
            }
            Self::Q4_1 => {
                let (scale, least) = (half(block, 0), half(block, 2));
                fours(&block[4..], 0, |q| scale * f32::from(q) + least, out);
            }
            Self::Q5_0 => {
                let scale = half(block, 0);
                let fifth = word(block, 2);
                fours(&block[6..], fifth, |q| scale * (f32::from(q) - 16.0), out);
            }
            Self::Q5_1 => {
                let (scale, least) = (half(block, 0), half(block, 2));
                let fifth = word(block, 4);
                fours(&block[8..], fifth, |q| scale * f32::from(q) + least, out);
            }
            Self::Q4_K => widen_k(block, &[], &block[16..], out),
            Self::Q5_K => widen_k(block, &block[16..48], &block[48..], out),
            Self::Q6_K => widen_q6_k(block, out),
        }
    }
}

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// 32 numbers: the low halves of 16 bytes and then the high ones, with a fifth bit for each.
fn fours(bytes: &[u8], fifth: u32, value: impl Fn(u8) -> f32, out: &mut Vec<f32>) {
    for index in 0..32 {
        let byte = bytes[index % 16];
        let low = if index < 16 { byte & 15 } else { byte >> 4 };
        let high = (fifth >> index & 1) as u8;
        out.push(value(low | high << 4));
    }
}

/// The 6-bit scale and minimum of one of eight parts, out of the 12 bytes they are packed into.
fn six_bits(packed: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            packed[part + 4] & 15 | (packed[part - 4] >> 6) << 4,
            packed[part + 4] >> 4 | (packed[part] >> 6) << 4,
        )
    }
}

/// Q4_K, and with the fifth bits in `fifth` Q5_K: eight parts of 32 numbers, two parts to 32 bytes.
fn widen_k(block: &[u8], fifth: &[u8], fours: &[u8], out: &mut Vec<f32>) {
    let (scale, least) = (half(block, 0), half(block, 2));
    for part in 0..8 {
        let (part_scale, part_least) = six_bits(&block[4..16], part);
        let (scale, least) = (scale * f32::from(part_scale), least * f32::from(part_least));
        for (column, byte) in fours[part / 2 * 32..][..32].iter().enumerate() {
            let low = if part % 2 == 0 { byte & 15 } else { byte >> 4 };
            let high = fifth.get(column).map_or(0, |bits| bits >> part & 1);
            out.push(scale * f32::from(low | high << 4) - least);
        }
    }
}

/// Two halves of 128 numbers; in each, four runs of 32 share their bytes.
fn widen_q6_k(block: &[u8], out: &mut Vec<f32>) {
    let scale = half(block, 208);
    for part in 0..2 {
        let (low, high) = (&block[part * 64..][..64], &block[128 + part * 32..][..32]);
        let scales = &block[192 + part * 8..][..8];
        for run in 0..4 {
            for column in 0..32 {
                let byte = low[run % 2 * 32 + column];
                let four = if run < 2 { byte & 15 } else { byte >> 4 };
                let two = high[column] >> (2 * run) & 3;
                let scale = scale * f32::from(scales[run * 2 + column / 16] as i8);
                out.push(scale * (f32::from(four | two << 4) - 32.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_that_fill_no_whole_blocks_have_no_size() {
        assert_eq!(Kind::Q4_0.bytes(64), Some(36));
        assert_eq!(Kind::Q4_0.bytes(33), None);
        assert_eq!(Kind::Q6_K.bytes(255), None);
        assert_eq!(Kind::F32.bytes(usize::MAX), None);
    }

    #[test]
    fn an_eight_bit_block_is_its_scale_times_signed_bytes() {
        let mut block = f16::from_f32(0.5).to_le_bytes().to_vec();
        block.extend((0..32).map(|index| (index as i8 - 16) as u8));
        let values = Kind::Q8_0.widen(&block);
        assert_eq!(values[0], -8.0);
        assert_eq!(values[31], 7.5);
    }

    #[test]
    fn the_fifth_bit_belongs_to_the_number_of_its_place() {
        let mut block = f16::from_f32(1.0).to_le_bytes().to_vec();
        block.extend((1u32 << 20).to_le_bytes());
        block.extend([0x21; 16]);
        let values = Kind::Q5_0.widen(&block);
        assert_eq!(values[3], 1.0 - 16.0);
        assert_eq!(values[19], 2.0 - 16.0);
        assert_eq!(values[20], 18.0 - 16.0);
    }
}
