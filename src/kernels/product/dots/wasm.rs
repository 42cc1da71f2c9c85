//! WebAssembly's 128-bit instructions. All of them are safe to call; values get into them by casts of whole arrays.

use core::arch::wasm32::*;

use pulp::cast;

use super::plain::float;
use super::{BLOCK, Ready, Rows};
use crate::kernels::lanes;
use crate::kernels::product::packing::{RAISE, halves};

/// See [`super::dots`].
#[inline(never)]
pub(super) fn dots(x: &Ready<'_>, rows: Rows<'_>, out: &mut [f32]) {
    let k = x.floats.len();
    let blocks = k / BLOCK;
    match rows {
        Rows::F32(rows) => lanes::products(x.floats, rows, k, out),
        Rows::F16(words) => {
            for (out, words) in out.iter_mut().zip(words.chunks_exact(k / 2)) {
                *out = f16(words, x.floats);
            }
        }
        Rows::Q8(words, scales) => {
            let words = words.as_chunks::<8>().0.chunks_exact(blocks);
            let rows = words.zip(scales.chunks_exact(blocks));
            for (out, (words, scales)) in out.iter_mut().zip(rows) {
                let mut sum = f32x4_splat(0.0);
                let here = words.iter().zip(scales);
                for ((words, scale), (x, x_scale)) in here.zip(x.blocks.iter().zip(&x.scales)) {
                    let [a, b]: [v128; 2] = cast(*words);
                    let x: [v128; 4] = cast(*x);
                    let numbers = i32x4_add(
                        i32x4_add(
                            i32x4_dot_i16x8(i16x8_extend_low_i8x16(a), x[0]),
                            i32x4_dot_i16x8(i16x8_extend_high_i8x16(a), x[1]),
                        ),
                        i32x4_add(
                            i32x4_dot_i16x8(i16x8_extend_low_i8x16(b), x[2]),
                            i32x4_dot_i16x8(i16x8_extend_high_i8x16(b), x[3]),
                        ),
                    );
                    sum = scaled(sum, numbers, float(*scale) * x_scale);
                }
                *out = total(sum);
            }
        }
        Rows::Q4(words, scales) => {
            let words = words.as_chunks::<4>().0.chunks_exact(blocks);
            let rows = words.zip(scales.chunks_exact(blocks));
            for (out, (words, scales)) in out.iter_mut().zip(rows) {
                let mut sum = f32x4_splat(0.0);
                let mut least = 0.0;
                let here = words.iter().zip(scales);
                let there = x.blocks.iter().zip(&x.scales).zip(&x.sums);
                for ((words, scale), ((x, x_scale), x_sum)) in here.zip(there) {
                    let bytes: v128 = cast(*words);
                    let (low, high) = (v128_and(bytes, u8x16_splat(15)), u8x16_shr(bytes, 4));
                    let x: [v128; 4] = cast(*x);
                    let numbers = i32x4_add(
                        i32x4_add(
                            i32x4_dot_i16x8(u16x8_extend_low_u8x16(low), x[0]),
                            i32x4_dot_i16x8(u16x8_extend_high_u8x16(low), x[1]),
                        ),
                        i32x4_add(
                            i32x4_dot_i16x8(u16x8_extend_low_u8x16(high), x[2]),
                            i32x4_dot_i16x8(u16x8_extend_high_u8x16(high), x[3]),
                        ),
                    );
                    let (step, minimum) = halves(*scale as u32);
                    sum = scaled(sum, numbers, step * x_scale);
                    least += minimum * x_sum;
                }
                *out = total(sum) + least;
            }
        }
    }
}

/// Rows of x that go past a row of 8-bit blocks together, so that its numbers are widened once for all.
const TILE: usize = 4;

/// `out[row of the weight][row of x]` for as many rows of x as fill tiles; gives how many those are.
#[inline(never)]
pub(super) fn tiles(x: &[Ready<'_>], rows: Rows<'_>, out: &mut [f32]) -> usize {
    let Rows::Q8(words, scales) = rows else {
        return 0;
    };
    let m = x.len();
    let Some(first) = x.first() else {
        return 0;
    };
    let blocks = first.blocks.len();
    let (tiles, _) = x.as_chunks::<TILE>();
    for (tile, x) in tiles.iter().enumerate() {
        let numbers = x.each_ref().map(|x| &x.blocks[..blocks]);
        let factors = x.each_ref().map(|x| &x.scales[..blocks]);
        let words = words.as_chunks::<8>().0.chunks_exact(blocks);
        let rows = words.zip(scales.chunks_exact(blocks));
        for (out, (words, scales)) in out.chunks_exact_mut(m).zip(rows) {
            let mut sums = [f32x4_splat(0.0); TILE];
            for (block, (words, scale)) in words.iter().zip(scales).enumerate() {
                let [a, b]: [v128; 2] = cast(*words);
                let weight = [
                    i16x8_extend_low_i8x16(a),
                    i16x8_extend_high_i8x16(a),
                    i16x8_extend_low_i8x16(b),
                    i16x8_extend_high_i8x16(b),
                ];
                let scale = float(*scale);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x: [v128; 4] = cast(numbers[i][block]);
                    let products = i32x4_add(
                        i32x4_add(
                            i32x4_dot_i16x8(weight[0], x[0]),
                            i32x4_dot_i16x8(weight[1], x[1]),
                        ),
                        i32x4_add(
                            i32x4_dot_i16x8(weight[2], x[2]),
                            i32x4_dot_i16x8(weight[3], x[3]),
                        ),
                    );
                    *sum = scaled(*sum, products, scale * factors[i][block]);
                }
            }
            for (out, sum) in out[tile * TILE..][..TILE].iter_mut().zip(sums) {
                *out = total(sum);
            }
        }
    }
    tiles.len() * TILE
}

fn f16(words: &[i32], x: &[f32]) -> f32 {
    let (words, words_rest) = words.as_chunks::<4>();
    let (x, x_rest) = x.as_chunks::<8>();
    let mut sums = [f32x4_splat(0.0); 2];
    for (words, x) in words.iter().zip(x) {
        let halves: v128 = cast(*words);
        let x: [v128; 2] = cast(*x);
        let low = floats(i32x4_extend_low_i16x8(halves));
        let high = floats(i32x4_extend_high_i16x8(halves));
        sums[0] = f32x4_add(sums[0], f32x4_mul(low, x[0]));
        sums[1] = f32x4_add(sums[1], f32x4_mul(high, x[1]));
    }
    let mut sum = total(f32x4_add(sums[0], sums[1]));
    for (word, [a, b]) in words_rest.iter().zip(x_rest.as_chunks::<2>().0) {
        let (low, high) = halves(*word as u32);
        sum += low * a + high * b;
    }
    sum
}

/// Half floats, each in the low bits of a lane and its sign in the high ones, as floats; see [`half` in `packing`].
#[inline(always)]
fn floats(halves: v128) -> v128 {
    let bits = v128_and(i32x4_shl(halves, 13), u32x4_splat(0x8fff_ffff));
    f32x4_mul(bits, f32x4_splat(RAISE))
}

#[inline(always)]
fn scaled(sum: v128, numbers: v128, scale: f32) -> v128 {
    f32x4_add(
        sum,
        f32x4_mul(f32x4_convert_i32x4(numbers), f32x4_splat(scale)),
    )
}

#[inline(always)]
fn total(sum: v128) -> f32 {
    cast::<v128, [f32; 4]>(sum).iter().sum()
}
