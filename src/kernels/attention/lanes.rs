//! The inner loops of the CPU twin: sums in several lanes, which a compiler may keep in SIMD registers.

/// Numbers summed side by side.
const LANES: usize = 8;

/// `Σ a · b`.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

/// `out += factor · row`.
pub(super) fn add(out: &mut [f32], factor: f32, row: &[f32]) {
    for (out, value) in out.iter_mut().zip(row) {
        *out += factor * value;
    }
}

/// `out += Σ factors · rows` for four rows at once, so that `out` is read and written once for all.
pub(super) fn add_four(out: &mut [f32], factors: [f32; 4], rows: [&[f32]; 4]) {
    let [a, b, c, d] = rows.map(|row| &row[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        *out += (factors[0] * a[i] + factors[1] * b[i]) + (factors[2] * c[i] + factors[3] * d[i]);
    }
}

/// `eˣ` for every value, to within 2·10⁻⁷ of it; 0 below -87 or so. The library's function goes value by value.
pub(super) fn exp(values: &mut [f32]) {
    /// Added to a small number, leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that taking whole multiples of it off loses nothing.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    for value in values {
        let x = value.clamp(-87.3, 88.0);
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let whole = rounded - ROUND;
        let r = x - whole * LN_2.0 - whole * LN_2.1;
        // Cephes' polynomial for |r| <= ln 2 / 2.
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
        let power = f32::from_bits(
            rounded
                .to_bits()
                .wrapping_sub(ROUND.to_bits())
                .wrapping_add(127)
                << 23,
        );
        let found = (p * r * r + r + 1.0) * power;
        *value = if *value < -87.3 { 0.0 } else { found };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_as_good_as_single_precision_allows() {
        for i in -9000..8800 {
            let x = i as f32 * 0.01 + 0.003;
            let mut found = [x];
            exp(&mut found);
            let right = f64::from(x).exp();
            let error = (f64::from(found[0]) - right).abs();
            assert!(
                error <= 2e-7 * right || x < -87.0,
                "e^{x} is not {}",
                found[0]
            );
            assert!(found[0] >= 0.0 && f64::from(found[0]) < right * 1.1 + 1e-37);
        }
        let mut far = [-1e30, f32::NEG_INFINITY, 0.0];
        exp(&mut far);
        assert_eq!(far, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn sums_of_any_length_are_whole() {
        for length in [0, 1, 7, 8, 9, 31] {
            let row: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let square: f32 = row.iter().map(|x| x * x).sum();
            assert_eq!(dot(&row, &row), square);
            let mut out = row.clone();
            add(&mut out, 2.0, &row);
            add_four(&mut out, [1.0, 2.0, 3.0, 1.0], [&row, &row, &row, &row]);
            let ten: Vec<f32> = row.iter().map(|x| x * 10.0).collect();
            assert_eq!(out, ten);
        }
    }
}
