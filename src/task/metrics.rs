//! How well predictions agree with the truth.

use serde::{Deserialize, Serialize};

/// The 97.5 % point of the normal distribution: 95 % lie between it and its negative.
const Z: f64 = 1.959_963_984_540_054;

/// What a row of the report says; all shares are between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The share of right predictions.
    pub accuracy: f64,
    /// The plain mean of the labels' F1; see [`Confusion::macro_f1`].
    pub macro_f1: f64,
    /// Lower end of the 95 % interval of the accuracy.
    pub low: f64,
    /// Upper end of the 95 % interval of the accuracy.
    pub high: f64,
    /// How many predictions were counted.
    pub n: usize,
    /// F1 of all entities together, or the mean F1 of the answers' words; none where answers are labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// The share of found entities that are right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// The share of entities that were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
    /// Lower end of the 95 % interval of `f1`, by the bootstrap over rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1_low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1_high: Option<f64>,
    /// The mean negative log-likelihood of a token of the right response, nats; lower is better. Only of free responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Lower end of its 95 % interval, by the bootstrap over rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_high: Option<f64>,
    /// e to the power of `loss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// The judge's mean mark of what was written, 0 to 10, where the recipe has a reviewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Lower end of its 95 % interval, by the bootstrap over rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_high: Option<f64>,
}

/// How often each label was predicted for each true label.
///
/// ```
/// let mut confusion = seedbed::task::Confusion::new(2);
/// for (gold, predicted) in [(0, 0), (0, 0), (1, 0), (1, 1)] {
///     confusion.add(gold, predicted);
/// }
/// assert_eq!(confusion.counts(), [[2, 0], [1, 1]]);
/// assert_eq!(confusion.accuracy(), 0.75);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// An empty table for so many labels.
    pub fn new(labels: usize) -> Self {
        Self {
            counts: vec![vec![0; labels]; labels],
        }
    }

    /// Counts one prediction; says false, and counts nothing, where an index is not a label of this table.
    pub fn add(&mut self, gold: usize, predicted: usize) -> bool {
        match self
            .counts
            .get_mut(gold)
            .and_then(|row| row.get_mut(predicted))
        {
            Some(count) => {
                *count += 1;
                true
            }
            None => false,
        }
    }

    /// The table, `[gold][predicted]`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// How many predictions were counted.
    pub fn n(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// The share of right predictions; 0 where there are none.
    pub fn accuracy(&self) -> f64 {
        share(self.right(), self.n())
    }

    /// The mean of the labels' F1, each label weighing the same.
    ///
    /// A label's F1 is 2·TP / (2·TP + FP + FN). A label that is neither there nor predicted has none and does not
    /// count, as in scikit-learn's `f1_score(average="macro")`; see Opitz and Burst, "Macro F1 and Macro F1"
    /// (arXiv 1911.03347), for why the mean of F1 is meant and not the F1 of means.
    pub fn macro_f1(&self) -> f64 {
        let (mut sum, mut labels) = (0.0, 0);
        for (label, row) in self.counts.iter().enumerate() {
            let gold: usize = row.iter().sum();
            let predicted: usize = self.counts.iter().map(|row| row[label]).sum();
            if gold + predicted > 0 {
                sum += share(2 * row[label], gold + predicted);
                labels += 1;
            }
        }
        if labels == 0 {
            0.0
        } else {
            sum / f64::from(labels)
        }
    }

    /// All of it in one record.
    pub fn metrics(&self) -> Metrics {
        let n = self.n();
        let (low, high) = wilson(self.right(), n);
        Metrics {
            accuracy: self.accuracy(),
            macro_f1: self.macro_f1(),
            low,
            high,
            n,
            ..Metrics::default()
        }
    }

    /// F1 of each label, in the order of the labels; 0 for one that is neither there nor predicted.
    pub fn f1_by_label(&self) -> Vec<f64> {
        let counts = &self.counts;
        (0..counts.len())
            .map(|label| {
                let gold: usize = counts[label].iter().sum();
                let predicted: usize = counts.iter().map(|row| row[label]).sum();
                2.0 * counts[label][label] as f64 / (gold + predicted).max(1) as f64
            })
            .collect()
    }

    fn right(&self) -> usize {
        self.counts
            .iter()
            .enumerate()
            .map(|(label, row)| row[label])
            .sum()
    }
}

/// The 95 % Wilson score interval of a share: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
/// Inference", JASA 22 (1927). Unlike the textbook's normal interval it stays within 0 and 1 and holds for few rows.
///
/// ```
/// let (low, high) = seedbed::task::wilson(8, 10);
/// assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
/// ```
pub fn wilson(right: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (p, n) = (share(right.min(n), n), n as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    (
        ((middle - half) / whole).max(0.0),
        ((middle + half) / whole).min(1.0),
    )
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn an_empty_table_knows_nothing() {
        let metrics = Confusion::new(3).metrics();
        assert_eq!(
            metrics,
            Metrics {
                accuracy: 0.0,
                macro_f1: 0.0,
                low: 0.0,
                high: 1.0,
                ..Metrics::default()
            }
        );
    }

    #[test]
    fn macro_f1_weighs_a_rare_label_like_a_common_one() {
        let mut confusion = Confusion::new(2);
        for _ in 0..9 {
            confusion.add(0, 0);
        }
        confusion.add(1, 0);
        assert!(near(confusion.accuracy(), 0.9));
        assert!(near(confusion.macro_f1(), (18.0 / 19.0) / 2.0));
    }

    #[test]
    fn a_label_that_never_occurs_does_not_lower_macro_f1() {
        let mut confusion = Confusion::new(3);
        confusion.add(0, 0);
        confusion.add(1, 1);
        assert!(near(confusion.macro_f1(), 1.0));
        confusion.add(0, 2);
        assert!(near(confusion.macro_f1(), (2.0 / 3.0 + 1.0 + 0.0) / 3.0));
    }

    #[test]
    fn the_f1_of_a_label_that_is_never_seen_is_zero() {
        let mut confusion = Confusion::new(3);
        confusion.add(0, 0);
        confusion.add(0, 1);
        confusion.add(1, 1);
        let f1 = confusion.f1_by_label();
        assert!(near(f1[0], 2.0 / 3.0) && near(f1[1], 2.0 / 3.0) && f1[2] == 0.0);
    }

    #[test]
    fn an_index_out_of_range_is_not_counted() {
        let mut confusion = Confusion::new(2);
        assert!(!confusion.add(2, 0) && !confusion.add(0, 2) && confusion.add(1, 1));
        assert_eq!(confusion.n(), 1);
    }

    #[test]
    fn the_interval_holds_the_share_and_stays_within_zero_and_one() {
        for n in [1, 2, 7, 500] {
            for right in 0..=n {
                let (low, high) = wilson(right, n);
                let p = right as f64 / n as f64;
                assert!(
                    0.0 <= low && low <= p + 1e-12 && p - 1e-12 <= high && high <= 1.0,
                    "{right}/{n}"
                );
            }
        }
        // Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 15 of 148 gives 0.0624 to 0.1605.
        let (low, high) = wilson(81, 263);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5);
        let (low, high) = wilson(15, 148);
        assert!((low - 0.0624).abs() < 5e-5 && (high - 0.1605).abs() < 5e-5);
    }
}
