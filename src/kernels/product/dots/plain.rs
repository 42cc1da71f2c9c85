//! The plain loops: what the others are compared with, and what machines without their instructions run.

#[cfg(not(target_arch = "wasm32"))]
use super::{BLOCK, Ready, Rows};
#[cfg(not(target_arch = "wasm32"))]
use crate::kernels::{lanes, product::packing::halves};

/// See [`super::dots`].
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn dots(x: &Ready<'_>, rows: Rows<'_>, out: &mut [f32]) {
    let k = x.floats.len();
    match rows {
        Rows::F32(rows) => lanes::products(x.floats, rows, k, out),
        Rows::F16(words) => {
            for (out, words) in out.iter_mut().zip(words.chunks_exact(k / 2)) {
                let pairs = x.floats.as_chunks::<2>().0;
                *out = words
                    .iter()
                    .zip(pairs)
                    .map(|(word, [a, b])| {
                        let (low, high) = halves(*word as u32);
                        low * a + high * b
                    })
                    .sum();
            }
        }
        Rows::Q8(words, scales) => {
            let scaled = scales.chunks_exact(k / BLOCK);
            for ((out, words), scales) in out.iter_mut().zip(words.chunks_exact(k / 4)).zip(scaled)
            {
                let mut sum = 0.0;
                for (i, words) in words.as_chunks::<8>().0.iter().enumerate() {
                    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
                    let numbers = bytes.map(|byte| i32::from(byte as i8));
                    sum += x.scales[i] * float(scales[i]) * whole(numbers, &x.blocks[i]);
                }
                *out = sum;
            }
        }
        Rows::Q4(words, scales) => {
            let scaled = scales.chunks_exact(k / BLOCK);
            for ((out, words), scales) in out.iter_mut().zip(words.chunks_exact(k / 8)).zip(scaled)
            {
                let mut sum = 0.0;
                for (i, words) in words.as_chunks::<4>().0.iter().enumerate() {
                    let bytes = || words.iter().flat_map(|word| word.to_le_bytes());
                    let low = bytes().map(|byte| i32::from(byte & 15));
                    let high = bytes().map(|byte| i32::from(byte >> 4));
                    let (step, least) = halves(scales[i] as u32);
                    let numbers = whole(low.chain(high), &x.blocks[i]);
                    sum += x.scales[i] * step * numbers + x.sums[i] * least;
                }
                *out = sum;
            }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn whole(numbers: impl Iterator<Item = i32>, block: &[i16; BLOCK]) -> f32 {
    numbers
        .zip(block)
        .map(|(a, b)| a * i32::from(*b))
        .sum::<i32>() as f32
}

/// A scale of 8-bit blocks.
#[inline(always)]
pub(super) fn float(bits: i32) -> f32 {
    f32::from_bits(bits as u32)
}
