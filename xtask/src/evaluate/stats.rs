//! Means, deviations, and a paired test.

use std::collections::BTreeMap;

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The sample's standard deviation; none of fewer than two.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// "mean ± deviation", or what there is of it, to so many decimals.
pub fn spread(values: &[f64], decimals: usize) -> String {
    match (values, deviation(values)) {
        ([], _) => "–".into(),
        (values, Some(deviation)) => {
            format!("{:.decimals$} ± {deviation:.decimals$}", mean(values))
        }
        (values, None) => format!("{:.decimals$}", mean(values)),
    }
}

/// The parts of a point, or of a nat, that differences are rounded to in the test.
const GRID: f64 = 10_000.0;

/// How often differences at least as far from zero on average come about when each sign is thrown by chance:
/// Fisher's paired permutation test, two-sided and exact, of differences to a ten-thousandth. Nothing is assumed of them but that
/// either sign is as likely. None for fewer than five pairs, which cannot reach 0.05.
pub fn permutation(differences: &[f64]) -> Option<f64> {
    if differences.len() < 5 {
        return None;
    }
    let steps = differences
        .iter()
        .map(|value| (value * GRID).round() as i64);
    // How likely each sum is: all signs are thrown at once, as many ways lead to the same sum.
    let mut sums = BTreeMap::from([(0_i64, 1.0_f64)]);
    let mut found = 0;
    for step in steps {
        found += step;
        let mut next = BTreeMap::new();
        for (sum, share) in sums {
            *next.entry(sum + step).or_default() += share / 2.0;
            *next.entry(sum - step).or_default() += share / 2.0;
        }
        sums = next;
    }
    let far = |(sum, share): (i64, f64)| (sum.abs() >= found.abs()).then_some(share);
    Some(sums.into_iter().filter_map(far).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_a_deviation_from_two_values_on() {
        assert_eq!(spread(&[], 1), "–");
        assert_eq!(spread(&[3.0], 1), "3.0");
        assert_eq!(spread(&[60.0, 80.0], 1), "70.0 ± 14.1");
        assert_eq!(spread(&[2.0, 2.25], 3), "2.125 ± 0.177");
    }

    #[test]
    fn differences_of_one_sign_are_as_rare_as_their_number_says() {
        assert_eq!(permutation(&[1.0; 5]), Some(2.0 / 32.0));
        assert_eq!(permutation(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]), Some(1.0));
        assert_eq!(permutation(&[1.0; 4]), None);
        assert_eq!(permutation(&[1.0; 30]), Some(2.0_f64.powi(-29)));
    }

    #[test]
    fn differences_of_both_signs_are_counted_as_if_each_throw_were_made() {
        let differences = [7.2, -4.0, 0.8, 3.6, -1.2, 5.0, 0.0, 2.4];
        let found = differences.iter().sum::<f64>().abs() - 1e-9;
        let thrown = |signs: u32| -> f64 {
            let signed = differences.iter().enumerate();
            signed
                .map(|(place, value)| {
                    if signs >> place & 1 == 1 {
                        -value
                    } else {
                        *value
                    }
                })
                .sum()
        };
        let as_far = (0..1 << differences.len()).filter(|&signs| thrown(signs).abs() >= found);
        assert_eq!(
            permutation(&differences),
            Some(as_far.count() as f64 / 256.0)
        );
    }
}
