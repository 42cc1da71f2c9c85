//! Means, deviations, and a paired test.

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

/// Most pairs whose signs are all tried.
const EXACT: usize = 20;

/// How often differences at least as far from zero on average come about when each sign is thrown by chance: Fisher's
/// paired permutation test, two-sided. Nothing is assumed of the differences but that either sign is as likely. None for
/// fewer than five pairs, which cannot reach 0.05, and for more than can be tried one by one.
pub fn permutation(differences: &[f64]) -> Option<f64> {
    if differences.len() < 5 || differences.len() > EXACT {
        return None;
    }
    let found = differences.iter().sum::<f64>().abs() - 1e-9;
    let all = 1_u32 << differences.len();
    let signed = |signs: u32| -> f64 {
        let terms = differences.iter().enumerate();
        terms
            .map(|(place, value)| {
                if (signs >> place) & 1 == 1 {
                    -value
                } else {
                    *value
                }
            })
            .sum()
    };
    let as_far = (0..all)
        .filter(|signs| signed(*signs).abs() >= found)
        .count();
    Some(as_far as f64 / f64::from(all))
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
        assert_eq!(permutation(&[1.0; 21]), None);
    }
}
