//! Choosing the next token from its scores.

pub use crate::kernels::Sampling;

impl Sampling {
    /// Draws a token id from scores over the vocabulary.
    ///
    /// The filters follow transformers: temperature, then top-k, then top-p (the token that crosses the sum is
    /// kept). Ties go to the lower id. Scores of minus infinity are never drawn.
    pub fn draw(&self, scores: &[f32], rng: &mut fastrand::Rng) -> u32 {
        let best = || {
            let mut best = 0;
            for (id, score) in scores.iter().enumerate() {
                if *score > scores[best] {
                    best = id;
                }
            }
            best as u32
        };
        if self.temperature <= 0.0 {
            return best();
        }
        let mut ranked: Vec<(u32, f32)> = scores
            .iter()
            .enumerate()
            .filter(|(_, score)| score.is_finite())
            .map(|(id, score)| (id as u32, score / self.temperature))
            .collect();
        if ranked.is_empty() {
            return best();
        }
        let falling = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if self.top_k > 0 && self.top_k < ranked.len() {
            ranked.select_nth_unstable_by(self.top_k - 1, falling);
            ranked.truncate(self.top_k);
        }
        ranked.sort_unstable_by(falling);
        let highest = ranked[0].1;
        let mut total = 0.0;
        for entry in &mut ranked {
            entry.1 = (entry.1 - highest).exp();
            total += entry.1;
        }
        if self.top_p < 1.0 {
            let limit = self.top_p * total;
            let mut sum = 0.0;
            let mut kept = 0;
            for entry in &ranked {
                sum += entry.1;
                kept += 1;
                if sum >= limit {
                    break;
                }
            }
            ranked.truncate(kept);
            total = ranked.iter().map(|entry| entry.1).sum();
        }
        let mut left = rng.f32() * total;
        for (id, weight) in &ranked {
            left -= weight;
            if left < 0.0 {
                return *id;
            }
        }
        ranked[ranked.len() - 1].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sampling: Sampling, scores: &[f32]) -> Vec<usize> {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut counts = vec![0; scores.len()];
        for _ in 0..4000 {
            counts[sampling.draw(scores, &mut rng) as usize] += 1;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_best_and_the_lower_id_on_a_tie() {
        let mut rng = fastrand::Rng::with_seed(0);
        assert_eq!(Sampling::GREEDY.draw(&[0.0, 2.0, 2.0, 1.0], &mut rng), 1);
    }

    #[test]
    fn temperature_one_draws_in_proportion_to_the_softmax() {
        let all = Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
        };
        let counts = counts(all, &[0.0, 3f32.ln()]);
        assert!(
            (counts[1] as f32 / 4000.0 - 0.75).abs() < 0.03,
            "{counts:?}"
        );
    }

    #[test]
    fn top_k_never_draws_beyond_the_best_k() {
        let two = Sampling {
            temperature: 5.0,
            top_k: 2,
            top_p: 1.0,
        };
        let counts = counts(two, &[1.0, 0.9, 0.8, 0.7]);
        assert_eq!(counts[2] + counts[3], 0);
        assert!(counts[0] > 0 && counts[1] > 0);
    }

    #[test]
    fn top_p_keeps_the_token_that_crosses_the_sum() {
        let nucleus = Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 0.6,
        };
        // Probabilities 0.5, 0.3, 0.2: the second crosses 0.6, the third is out.
        let counts = counts(nucleus, &[0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()]);
        assert!(counts[1] > 0);
        assert_eq!(counts[2], 0);
    }

    #[test]
    fn forbidden_tokens_are_never_drawn() {
        let warm = Sampling {
            temperature: 2.0,
            top_k: 0,
            top_p: 1.0,
        };
        assert_eq!(counts(warm, &[f32::NEG_INFINITY, 0.0])[0], 0);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let warm = Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 0.9,
        };
        assert_eq!(
            counts(warm, &[0.1, 0.2, 0.3]),
            counts(warm, &[0.1, 0.2, 0.3])
        );
    }
}
