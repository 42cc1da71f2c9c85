//! Inner loops of the CPU's kernels over rows of a table, written so that a compiler makes SIMD of them at speed
//! (`opt-level = 3`; for size it leaves SIMD alone, and they take four times as long). They are never inlined: a copy
//! in each caller would make the module larger and the loops no faster.
//!
//! `rows` is always a table of which row `i` starts at element `i · stride` and is as long as the other row given.
//! A slice too short for that is a mistake of the caller's and panics, as indexing does.

/// Numbers summed side by side.
const WIDE: usize = 16;

/// `out[i] = row · rows[i]`.
#[inline(never)]
pub(super) fn products(row: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
    let at = |index: usize| &rows[index * stride..][..row.len()];
    let (whole, rest) = row.as_chunks::<WIDE>();
    let (fours, last) = out.as_chunks_mut::<4>();
    let done = fours.len() * 4;
    for (index, out) in fours.iter_mut().enumerate() {
        // Four at once, so that `row` is read once for all.
        let others = [0, 1, 2, 3].map(|i| at(index * 4 + i).as_chunks::<WIDE>());
        let [a, b, c, d] = others.map(|(whole_there, _)| &whole_there[..whole.len()]);
        let mut sums = [[0.0f32; WIDE]; 4];
        for (i, x) in whole.iter().enumerate() {
            for lane in 0..WIDE {
                sums[0][lane] += x[lane] * a[i][lane];
                sums[1][lane] += x[lane] * b[i][lane];
                sums[2][lane] += x[lane] * c[i][lane];
                sums[3][lane] += x[lane] * d[i][lane];
            }
        }
        for ((out, sums), (_, rest_there)) in out.iter_mut().zip(sums).zip(others) {
            *out = sums.iter().sum::<f32>() + plain(rest, rest_there);
        }
    }
    for (index, out) in last.iter_mut().enumerate() {
        *out = plain(row, at(done + index));
    }
}

/// `a · b`, one after the other.
#[inline(always)]
fn plain(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `out += Σ factors[i] · rows[i]`.
#[inline(never)]
pub(super) fn add_rows(out: &mut [f32], factors: &[f32], rows: &[f32], stride: usize) {
    let size = out.len();
    let at = |index: usize| &rows[index * stride..][..size];
    let (fours, rest) = factors.as_chunks::<4>();
    for (index, factors) in fours.iter().enumerate() {
        // Four at once, so that `out` is read and written once for all.
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| at(index * 4 + i));
        for (i, out) in out.iter_mut().enumerate() {
            *out +=
                (factors[0] * a[i] + factors[1] * b[i]) + (factors[2] * c[i] + factors[3] * d[i]);
        }
    }
    for (index, factor) in rest.iter().enumerate() {
        for (out, value) in out.iter_mut().zip(at(fours.len() * 4 + index)) {
            *out += factor * value;
        }
    }
}

/// `rows[i] += factors[i] · row`.
#[inline(never)]
pub(super) fn add_to_rows(rows: &mut [f32], stride: usize, factors: &[f32], row: &[f32]) {
    for (index, factor) in factors.iter().enumerate() {
        let out = &mut rows[index * stride..][..row.len()];
        for (out, value) in out.iter_mut().zip(row) {
            *out += factor * value;
        }
    }
}

/// The largest value, or `least` if none is larger.
#[inline(never)]
pub(super) fn largest(values: &[f32], least: f32) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = values.as_chunks::<8>();
    let mut lanes = [least; 8];
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = greater(*lane, *value);
        }
    }
    lanes.iter().chain(rest).fold(least, |a, b| greater(a, *b))
}

/// `values = e^(scale · values - shift)`; gives their sum.
///
/// Each is within 2·10⁻⁷ of itself; 0 where the exponent is below -87. The library's function goes value by value.
#[inline(never)]
pub(super) fn exp(values: &mut [f32], scale: f32, shift: f32) -> f32 {
    for value in values.iter_mut() {
        *value = exponential(scale * *value - shift);
    }
    let (whole, rest) = values.as_chunks::<WIDE>();
    let mut sums = [0.0; WIDE];
    for chunk in whole {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// `eˣ` without a branch: a power of two times Cephes' polynomial over what is left.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    /// Added to a small number, leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that taking whole multiples of it off loses nothing.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    let near = x.clamp(-87.3, 88.0);
    let rounded = near * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let r = near - whole * LN_2.0 - whole * LN_2.1;
    let mut p = 1.987_569_1e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p * r + coefficient;
    }
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(exponent.wrapping_add(127) << 23);
    if x < -87.3 {
        0.0
    } else {
        (p * r * r + r + 1.0) * power
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(length: usize, factor: f32) -> Vec<f32> {
        (0..length).map(|i| i as f32 * factor).collect()
    }

    #[test]
    fn the_exponential_is_as_good_as_single_precision_allows() {
        for i in -9000..8800 {
            let x = i as f32 * 0.01 + 0.003;
            let mut found = [x];
            assert_eq!(exp(&mut found, 1.0, 0.0), found[0]);
            let right = f64::from(x).exp();
            let error = (f64::from(found[0]) - right).abs();
            assert!(error <= 2e-7 * right || x < -87.0, "e^{x} is not {found:?}");
            assert!(found[0] >= 0.0 && f64::from(found[0]) < right * 1.1 + 1e-37);
        }
        let mut far = [-1e30, f32::NEG_INFINITY, 0.5];
        exp(&mut far, 2.0, 1.0);
        assert_eq!(far, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn sums_over_rows_of_any_length_and_number_are_whole() {
        for length in [0, 1, 7, 16, 17, 40] {
            for count in [0, 1, 3, 4, 9] {
                let stride = length + 3;
                let one = row(length, 1.0);
                let rows = row(stride * count, 0.5);
                let factors = row(count, 1.0);
                let at = |i: usize| &rows[i * stride..][..length];

                let mut found = vec![7.0; count];
                products(&one, &rows, stride, &mut found);
                let mut sum = vec![1.0; length];
                add_rows(&mut sum, &factors, &rows, stride);
                let mut table = rows.clone();
                add_to_rows(&mut table, stride, &factors, &one);
                for i in 0..count {
                    let product: f32 = one.iter().zip(at(i)).map(|(a, b)| a * b).sum();
                    assert_eq!(found[i], product);
                    for j in 0..length {
                        assert_eq!(table[i * stride + j], at(i)[j] + factors[i] * one[j]);
                    }
                    assert_eq!(table[i * stride + length], rows[i * stride + length]);
                }
                for (j, sum) in sum.iter().enumerate() {
                    let right: f32 = (0..count).map(|i| factors[i] * at(i)[j]).sum();
                    assert_eq!(*sum, 1.0 + right);
                }
            }
        }
    }

    #[test]
    fn sums_and_the_largest_of_any_number_of_values_are_whole() {
        for count in [0, 1, 8, 16, 21, 64] {
            let mut zeros = vec![0.0; count];
            assert_eq!(exp(&mut zeros, 3.0, 0.0), count as f32);
            for place in 0..count {
                let mut values = vec![-5.0; count];
                values[place] = -2.0;
                assert_eq!(largest(&values, -9.0), -2.0);
            }
            assert_eq!(largest(&vec![-5.0; count], -1.0), -1.0);
        }
    }
}
