//! The vote on an instance: whether a reader takes it for the label it was written for.

use super::{VoteRule, reading::best};

/// Reads votes off likelihoods, by one rule.
pub(super) struct Poll {
    rule: VoteRule,
    /// For each label, the sum of its log-probabilities over all texts so far.
    sums: Vec<f64>,
    texts: usize,
}

impl Poll {
    pub fn new(rule: VoteRule, labels: usize) -> Self {
        Self {
            rule,
            sums: vec![0.0; labels],
            texts: 0,
        }
    }

    /// Takes note of what the labels of some texts score (log-likelihoods, nats), before any of them is judged.
    pub fn hear(&mut self, scores: &[Vec<f32>]) {
        for row in scores {
            let normaliser = log_sum(row);
            for (sum, score) in self.sums.iter_mut().zip(row) {
                // A label of no likelihood at all must not outweigh all others for good.
                *sum += (f64::from(*score) - normaliser).max(-50.0);
            }
            self.texts += 1;
        }
    }

    /// The label that is read out of a text: `asked`, where the vote lets it pass.
    pub fn verdict(&self, scores: &[f32], asked: usize) -> usize {
        let likeliest = best(scores);
        match self.rule {
            VoteRule::Best => likeliest,
            VoteRule::TopTwo => {
                let score = |label: usize| scores.get(label).copied().unwrap_or(f32::NEG_INFINITY);
                let above = (0..scores.len())
                    .filter(|label| score(*label) > score(asked))
                    .count();
                if above < 2 { asked } else { likeliest }
            }
            VoteRule::Calibrated => {
                let texts = self.texts.max(1) as f64;
                let adjusted: Vec<f32> = scores
                    .iter()
                    .zip(&self.sums)
                    .map(|(score, sum)| score - (sum / texts) as f32)
                    .collect();
                best(&adjusted)
            }
        }
    }
}

fn log_sum(scores: &[f32]) -> f64 {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores
        .iter()
        .map(|score| f64::from(score - highest).exp())
        .sum();
    f64::from(highest) + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rule: VoteRule, heard: &[Vec<f32>], scores: &[f32], asked: usize) -> usize {
        let mut poll = Poll::new(rule, 3);
        poll.hear(heard);
        poll.verdict(scores, asked)
    }

    #[test]
    fn the_likeliest_label_wins_the_plain_vote() {
        assert_eq!(verdict(VoteRule::Best, &[], &[-3.0, -1.0, -2.0], 2), 1);
    }

    #[test]
    fn the_second_likeliest_passes_among_two_and_the_third_does_not() {
        let scores = [-3.0, -1.0, -2.0];
        assert_eq!(verdict(VoteRule::TopTwo, &[], &scores, 2), 2);
        assert_eq!(verdict(VoteRule::TopTwo, &[], &scores, 0), 1);
    }

    #[test]
    fn a_label_that_wins_everywhere_counts_less_when_calibrated() {
        // Label 0 is always ahead by far; here it is ahead by less than usual.
        let heard = vec![vec![-0.1, -5.0, -5.0]; 10];
        let scores = [-0.2, -2.0, -5.0];
        assert_eq!(verdict(VoteRule::Calibrated, &heard, &scores, 1), 1);
        assert_eq!(verdict(VoteRule::Best, &heard, &scores, 1), 0);
    }

    #[test]
    fn with_nothing_heard_the_calibrated_vote_is_the_plain_one() {
        assert_eq!(
            verdict(VoteRule::Calibrated, &[], &[-3.0, -1.0, -2.0], 0),
            1
        );
    }
}
