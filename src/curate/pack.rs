//! The packer (LANCE): reviewed answers become rows for fine-tuning and pairs for preference training.

/// Above which mark and gap an answer is used; the published values by default (arXiv 2412.15151, the released code).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cuts {
    /// A prompt whose answer has a higher mark gets worse answers beside it, any other gets new prompts near it.
    pub branch: f64,
    /// An answer with a higher mark is fine-tuned on.
    pub sft: f64,
    /// An answer is preferred to the lowest of its prompt when its mark is higher by more than this.
    pub gap: f64,
}

impl Default for Cuts {
    fn default() -> Self {
        Self {
            branch: 7.0,
            sft: 8.0,
            gap: 2.0,
        }
    }
}

/// The preferences among the answers to one prompt, by their marks: `(better, worse)` places. Each answer is paired with the
/// lowest one when it is better by more than the gap; the mark decides, not who wrote the answer.
///
/// ```
/// // The original answer and three worse ones.
/// let pairs = seedbed::curate::pack::pairs(&[9.0, 3.5, 0.5, 2.0], 2.0);
/// assert_eq!(pairs, [(0, 2), (1, 2)]);
/// ```
pub fn pairs(marks: &[f64], gap: f64) -> Vec<(usize, usize)> {
    let lowest = (0..marks.len()).reduce(|low, place| {
        if marks[place] < marks[low] {
            place
        } else {
            low
        }
    });
    let Some(lowest) = lowest else {
        return Vec::new();
    };
    let mut pairs: Vec<(usize, usize)> = (0..marks.len())
        .filter(|place| marks[*place] - marks[lowest] > gap)
        .map(|place| (place, lowest))
        .collect();
    crate::order::sort(&mut pairs, &|a, b| {
        marks[b.0].total_cmp(&marks[a.0]).then(a.0.cmp(&b.0))
    });
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_wider_than_the_gap_and_the_best_answer_comes_first() {
        let marks = [1.0, 7.0, 3.0, 9.0, 3.1];
        let pairs = pairs(&marks, 2.0);
        assert_eq!(pairs, [(3, 0), (1, 0), (4, 0)]);
        assert!(pairs.iter().all(|(a, b)| marks[*a] - marks[*b] > 2.0));
    }

    #[test]
    fn a_judge_that_always_says_the_same_gives_no_pairs() {
        assert!(pairs(&[5.0; 4], 2.0).is_empty());
        assert!(pairs(&[5.0], 0.0).is_empty());
        assert!(pairs(&[], 2.0).is_empty());
    }

    #[test]
    fn an_original_answer_may_be_the_worse_one() {
        assert_eq!(pairs(&[2.0, 8.0], 2.0), [(1, 0)]);
    }
}
