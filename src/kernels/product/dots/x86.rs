//! AVX2, where the processor has it.

use core::arch::x86_64::{__m128i, __m256, __m256i};

use pulp::cast;
use pulp::x86::V3;

use super::plain::float;
use super::{BLOCK, Ready, Rows};
use crate::kernels::product::packing::{RAISE, halves};

/// See [`super::dots`].
#[inline(never)]
pub(super) fn dots(simd: V3, x: &Ready<'_>, rows: Rows<'_>, out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || inside(simd, x, rows, out),
    );
}

#[inline(always)]
fn inside(simd: V3, x: &Ready<'_>, rows: Rows<'_>, out: &mut [f32]) {
    let k = x.floats.len();
    let blocks = k / BLOCK;
    match rows {
        Rows::F32(rows) => f32s(simd, x.floats, rows, out),
        Rows::F16(words) => {
            for (out, words) in out.iter_mut().zip(words.chunks_exact(k / 2)) {
                *out = f16s(simd, words, x.floats);
            }
        }
        Rows::Q8(words, scales) => {
            let words = words.as_chunks::<8>().0.chunks_exact(blocks);
            let rows = words.zip(scales.chunks_exact(blocks));
            for (out, (words, scales)) in out.iter_mut().zip(rows) {
                let mut sum = zero(simd);
                let here = words.iter().zip(scales);
                for ((words, scale), (x, x_scale)) in here.zip(x.blocks.iter().zip(&x.scales)) {
                    let [a, b]: [__m128i; 2] = cast(*words);
                    let numbers = [
                        simd.avx2._mm256_cvtepi8_epi16(a),
                        simd.avx2._mm256_cvtepi8_epi16(b),
                    ];
                    sum = scaled(simd, sum, numbers, x, float(*scale) * x_scale);
                }
                *out = total(sum);
            }
        }
        Rows::Q4(words, scales) => {
            let words = words.as_chunks::<4>().0.chunks_exact(blocks);
            let rows = words.zip(scales.chunks_exact(blocks));
            let fifteen = simd.sse2._mm_set1_epi8(15);
            for (out, (words, scales)) in out.iter_mut().zip(rows) {
                let mut sum = zero(simd);
                let mut least = 0.0;
                let here = words.iter().zip(scales);
                let there = x.blocks.iter().zip(&x.scales).zip(&x.sums);
                for ((words, scale), ((x, x_scale), x_sum)) in here.zip(there) {
                    let bytes: __m128i = cast(*words);
                    let low = simd.sse2._mm_and_si128(bytes, fifteen);
                    let high = simd.sse2._mm_srli_epi16::<4>(bytes);
                    let high = simd.sse2._mm_and_si128(high, fifteen);
                    let numbers = [
                        simd.avx2._mm256_cvtepu8_epi16(low),
                        simd.avx2._mm256_cvtepu8_epi16(high),
                    ];
                    let (step, minimum) = halves(*scale as u32);
                    sum = scaled(simd, sum, numbers, x, step * x_scale);
                    least += minimum * x_sum;
                }
                *out = total(sum) + least;
            }
        }
    }
}

/// `sum += scale · Σ numbers · block`
#[inline(always)]
fn scaled(
    simd: V3,
    sum: __m256,
    numbers: [__m256i; 2],
    block: &[i16; BLOCK],
    scale: f32,
) -> __m256 {
    let x: [__m256i; 2] = cast(*block);
    let products = simd.avx2._mm256_add_epi32(
        simd.avx2._mm256_madd_epi16(numbers[0], x[0]),
        simd.avx2._mm256_madd_epi16(numbers[1], x[1]),
    );
    simd.fma._mm256_fmadd_ps(
        simd.avx._mm256_cvtepi32_ps(products),
        simd.avx._mm256_set1_ps(scale),
        sum,
    )
}

#[inline(always)]
fn zero(simd: V3) -> __m256 {
    simd.avx._mm256_setzero_ps()
}

#[inline(always)]
fn total(sum: __m256) -> f32 {
    cast::<__m256, [f32; 8]>(sum).iter().sum()
}

/// Four rows at once, so that x is read once for all.
#[inline(always)]
fn f32s(simd: V3, x: &[f32], rows: &[f32], out: &mut [f32]) {
    let k = x.len();
    let (eights, rest) = x.as_chunks::<8>();
    let at = |row: usize| rows[row * k..][..k].as_chunks::<8>();
    let (fours, last) = out.as_chunks_mut::<4>();
    let done = 4 * fours.len();
    for (index, out) in fours.iter_mut().enumerate() {
        let rows = [0, 1, 2, 3].map(|i| at(4 * index + i));
        let [a, b, c, d] = rows.map(|(whole, _)| &whole[..eights.len()]);
        let mut sums = [zero(simd); 4];
        for (i, x) in eights.iter().enumerate() {
            let x: __m256 = cast(*x);
            sums[0] = simd.fma._mm256_fmadd_ps(x, cast(a[i]), sums[0]);
            sums[1] = simd.fma._mm256_fmadd_ps(x, cast(b[i]), sums[1]);
            sums[2] = simd.fma._mm256_fmadd_ps(x, cast(c[i]), sums[2]);
            sums[3] = simd.fma._mm256_fmadd_ps(x, cast(d[i]), sums[3]);
        }
        for ((out, sum), (_, rest_there)) in out.iter_mut().zip(sums).zip(rows) {
            *out = total(sum) + ends(rest, rest_there);
        }
    }
    for (i, out) in last.iter_mut().enumerate() {
        let (whole, rest_there) = at(done + i);
        let mut sum = zero(simd);
        for (x, row) in eights.iter().zip(whole) {
            sum = simd.fma._mm256_fmadd_ps(cast(*x), cast(*row), sum);
        }
        *out = total(sum) + ends(rest, rest_there);
    }
}

#[inline(always)]
fn ends(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[inline(always)]
fn f16s(simd: V3, words: &[i32], x: &[f32]) -> f32 {
    let (words, words_rest) = words.as_chunks::<4>();
    let (x, x_rest) = x.as_chunks::<8>();
    let mask = simd.avx._mm256_set1_epi32(0x8fff_ffff_u32 as i32);
    let raise = simd.avx._mm256_set1_ps(RAISE);
    let mut sum = zero(simd);
    for (words, x) in words.iter().zip(x) {
        // The sign is spread over the high bits, all but its own are cut off; see `half` in `packing`.
        let halves = simd.avx2._mm256_cvtepi16_epi32(cast(*words));
        let bits = simd.avx2._mm256_slli_epi32::<13>(halves);
        let bits: __m256 = cast(simd.avx2._mm256_and_si256(bits, mask));
        let values = simd.avx._mm256_mul_ps(bits, raise);
        sum = simd.fma._mm256_fmadd_ps(values, cast(*x), sum);
    }
    let mut sum = total(sum);
    for (word, [a, b]) in words_rest.iter().zip(x_rest.as_chunks::<2>().0) {
        let (low, high) = halves(*word as u32);
        sum += low * a + high * b;
    }
    sum
}
