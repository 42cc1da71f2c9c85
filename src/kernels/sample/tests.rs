use std::cell::RefCell;

use super::*;
use crate::kernels::testing::{Device, on_every_device};

const WARM: Sampling = Sampling {
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
};

/// Rows to draw from.
struct Batch {
    vocabulary: usize,
    scores: Vec<f32>,
    seeds: Vec<u32>,
    allowed: Option<Vec<u32>>,
}

impl Batch {
    /// The same scores in each of so many rows, each with its own seed.
    fn repeated(scores: &[f32], rows: u32) -> Self {
        Self {
            vocabulary: scores.len(),
            scores: scores.repeat(rows as usize),
            seeds: (0..rows).flat_map(|row| [row, 5]).collect(),
            allowed: None,
        }
    }

    fn allowing(mut self, words: &[u32]) -> Self {
        self.allowed = Some(words.repeat(self.seeds.len() / 2));
        self
    }

    /// Rows of all kinds: narrow and wide scores, some on a coarse grid so that there are ties, some not finite.
    fn random(rows: usize, vocabulary: usize, masked: bool, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut scores = Vec::with_capacity(rows * vocabulary);
        for row in 0..rows {
            let spread = [0.5, 4.0, 12.0][row % 3];
            for _ in 0..vocabulary {
                let score = (rng.f32() + rng.f32() + rng.f32() - 1.5) * spread;
                scores.push(match (rng.u32(..30), row % 4) {
                    (0, _) => f32::NEG_INFINITY,
                    (_, 3) => (score * 2.0).round() / 2.0,
                    _ => score,
                });
            }
        }
        let words = vocabulary.div_ceil(32);
        Self {
            vocabulary,
            scores,
            seeds: (0..2 * rows).map(|_| rng.u32(..)).collect(),
            allowed: masked.then(|| (0..rows * words).map(|_| rng.u32(..)).collect()),
        }
    }

    fn drawn(&self, device: &Device, sampling: Sampling) -> Vec<usize> {
        let rows = self.seeds.len() / 2;
        let allowed = self.allowed.as_ref().map(|words| {
            device
                .integers(words)
                .reshape([rows, self.vocabulary.div_ceil(32)])
        });
        let scores = device.tensor(&self.scores, [rows, self.vocabulary]);
        let ids = sample(scores, sampling, device.integers(&self.seeds), allowed);
        assert_eq!(ids.dims(), [rows]);
        pollster::block_on(ids.into_data_async())
            .expect("the device answers")
            .try_into_vec::<i32>()
            .expect("ids are 32-bit")
            .into_iter()
            .map(|id| id as usize)
            .collect()
    }

    /// How often each token is drawn.
    fn counts(&self, device: &Device, sampling: Sampling) -> Vec<usize> {
        let mut counts = vec![0; self.vocabulary];
        for id in self.drawn(device, sampling) {
            counts[id] += 1;
        }
        counts
    }

    /// A row's token by sorting, in f64; none where rounding decides.
    fn expected(&self, row: usize, sampling: Sampling) -> Option<usize> {
        const NEAR: f64 = 1e-6;
        let scores = &self.scores[row * self.vocabulary..][..self.vocabulary];
        let words = self.vocabulary.div_ceil(32);
        let may = |id: &usize| {
            scores[*id].is_finite()
                && self
                    .allowed
                    .as_ref()
                    .is_none_or(|all| all[row * words + id / 32] >> (id % 32) & 1 == 1)
        };
        let mut ranked: Vec<usize> = (0..scores.len()).filter(may).collect();
        // Both zeros are the same score.
        let falling = |a: &usize, b: &usize| (scores[*b] + 0.0).total_cmp(&(scores[*a] + 0.0));
        ranked.sort_by(|a, b| falling(a, b).then(a.cmp(b)));
        let Some(best) = ranked.first().copied() else {
            return Some(0);
        };
        if sampling.temperature == 0.0 {
            return Some(best);
        }
        let temperature = f64::from(sampling.temperature);
        let weight =
            |id: usize| ((f64::from(scores[id]) - f64::from(scores[best])) / temperature).exp();
        if sampling.top_k > 0 && sampling.top_k < ranked.len() {
            let (last, next) = (ranked[sampling.top_k - 1], ranked[sampling.top_k]);
            if scores[last] != scores[next] && weight(next) > weight(last) * (1.0 - NEAR) {
                return None;
            }
            ranked.truncate(sampling.top_k);
        }
        if sampling.top_p < 1.0 {
            let total: f64 = ranked.iter().map(|id| weight(*id)).sum();
            let mut sum = 0.0;
            let mut kept = 0;
            for id in &ranked {
                sum += weight(*id);
                kept += 1;
                let past = sum / total - f64::from(sampling.top_p);
                if past.abs() < NEAR {
                    return None;
                }
                if past > 0.0 {
                    break;
                }
            }
            ranked.truncate(kept);
        }
        ranked.sort_unstable();
        let total: f64 = ranked.iter().map(|id| weight(*id)).sum();
        let uniform = cpu::uniform(self.seeds[2 * row], self.seeds[2 * row + 1]);
        let mark = f64::from(uniform) / 2f64.powi(32);
        let mut sum = 0.0;
        for id in ranked {
            sum += weight(id) / total;
            if (sum - mark).abs() < NEAR && sum < 1.0 - NEAR {
                return None;
            }
            if sum > mark {
                return Some(id);
            }
        }
        None
    }
}

#[test]
fn draws_what_sorting_in_f64_draws_and_the_same_on_every_device() {
    let settings = [
        (0.0, 0, 1.0),
        (1.0, 0, 1.0),
        (0.7, 20, 1.0),
        (1.3, 0, 0.9),
        (0.9, 40, 0.6),
    ];
    let (mut rows_drawn, mut left_open) = (0, 0);
    for (rows, vocabulary) in [(9, 1), (40, 2), (40, 33), (60, 300), (24, 5000), (6, 9001)] {
        for (case, (temperature, top_k, top_p)) in settings.into_iter().enumerate() {
            let sampling = Sampling {
                temperature,
                top_k,
                top_p,
            };
            for masked in [false, true] {
                let batch = Batch::random(rows, vocabulary, masked, case as u64);
                let before = RefCell::new(None);
                let open = RefCell::new(0);
                on_every_device(|device| {
                    let drawn = batch.drawn(device, sampling);
                    *open.borrow_mut() = 0;
                    for (row, id) in drawn.iter().enumerate() {
                        match batch.expected(row, sampling) {
                            Some(right) => assert_eq!(
                                *id, right,
                                "row {row} of {rows} × {vocabulary}, {sampling:?}, masked: {masked}"
                            ),
                            None => *open.borrow_mut() += 1,
                        }
                    }
                    if let Some(before) = before.replace(Some(drawn.clone())) {
                        assert_eq!(before, drawn, "two devices draw differently");
                    }
                });
                rows_drawn += rows;
                left_open += open.into_inner();
            }
        }
    }
    assert!(left_open * 100 < rows_drawn, "{left_open} of {rows_drawn}");
}

#[test]
fn draws_in_proportion_to_the_probabilities_on_every_device() {
    let scores = [0.0, -1.0, 0.5, -3.0, 1.5, -0.2, 0.9, -2.0];
    let rows = 6000;
    for temperature in [1.0, 2.0] {
        let weights: Vec<f64> = scores
            .iter()
            .map(|score| f64::from(score / temperature).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let sampling = Sampling {
            temperature,
            ..WARM
        };
        on_every_device(|device| {
            let counts = Batch::repeated(&scores, rows).counts(device, sampling);
            let chi_square: f64 = counts
                .iter()
                .zip(&weights)
                .map(|(count, weight)| {
                    let right = weight / total * f64::from(rows);
                    (*count as f64 - right).powi(2) / right
                })
                .sum();
            // With 7 degrees of freedom above 30 once in 10 000.
            assert!(chi_square < 30.0, "{chi_square}: {counts:?}");
        });
    }
}

/// Which tokens are ever drawn in 400 rows.
fn ever(device: &Device, scores: &[f32], sampling: Sampling) -> Vec<usize> {
    let counts = Batch::repeated(scores, 400).counts(device, sampling);
    (0..scores.len()).filter(|id| counts[*id] > 0).collect()
}

#[test]
fn top_k_keeps_exactly_k_and_of_ties_the_lower_ids() {
    let scores = [1.0, 2.0, 2.0, 2.0, 0.0, 2.5];
    let kept = [
        vec![5],
        vec![1, 5],
        vec![1, 2, 5],
        vec![1, 2, 3, 5],
        vec![0, 1, 2, 3, 5],
    ];
    on_every_device(|device| {
        for (k, kept) in kept.iter().enumerate() {
            let sampling = Sampling {
                top_k: k + 1,
                ..WARM
            };
            assert_eq!(ever(device, &scores, sampling), *kept);
        }
        let more_than_there_are = Sampling { top_k: 7, ..WARM };
        assert_eq!(ever(device, &scores, more_than_there_are).len(), 6);
    });
}

#[test]
fn top_p_keeps_the_token_that_crosses_the_sum_and_of_ties_the_lower_ids() {
    // Probabilities 0.2, 0.5, 0.3
    let three = [0.2f32.ln(), 0.5f32.ln(), 0.3f32.ln()];
    let equal = [0.25f32; 4];
    let at = |top_p: f32| Sampling { top_p, ..WARM };
    on_every_device(|device| {
        assert_eq!(ever(device, &three, at(0.0)), [1]);
        assert_eq!(ever(device, &three, at(0.49)), [1]);
        assert_eq!(ever(device, &three, at(0.6)), [1, 2]);
        assert_eq!(ever(device, &three, at(0.81)), [0, 1, 2]);
        assert_eq!(ever(device, &equal, at(0.5)), [0, 1]);
        assert_eq!(ever(device, &equal, at(0.51)), [0, 1, 2]);
    });
}

#[test]
fn top_p_is_a_share_of_what_top_k_has_left() {
    // Of the first two 0.625 and 0.375: with the third 0.5 and 0.3, whose sum would let both in.
    let three = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
    // Three ties of which two are left: half of the sum is the first.
    let ties = [1.0; 3];
    let sampling = |top_p: f32| Sampling {
        top_k: 2,
        top_p,
        ..WARM
    };
    on_every_device(|device| {
        assert_eq!(ever(device, &three, sampling(0.6)), [0]);
        assert_eq!(ever(device, &three, sampling(0.65)), [0, 1]);
        assert_eq!(ever(device, &ties, sampling(0.5)), [0]);
        assert_eq!(ever(device, &ties, sampling(0.6)), [0, 1]);
    });
}

#[test]
fn greedy_takes_the_best_and_the_lower_id_on_a_tie() {
    let mut long = vec![-1.0; 3000];
    long[2001] = 4.0;
    long[2900] = 4.0;
    on_every_device(|device| {
        let greedy = |scores: &[f32]| Batch::repeated(scores, 1).drawn(device, Sampling::GREEDY);
        assert_eq!(greedy(&[0.0, 2.0, 2.0, 1.0]), [1]);
        assert_eq!(greedy(&[-3.0, -0.0, 0.0]), [1]);
        assert_eq!(greedy(&[-3.0, -2.5, -4.0]), [1]);
        assert_eq!(greedy(&long), [2001]);
    });
}

#[test]
fn scores_that_are_not_finite_are_never_drawn() {
    let scores = [f32::NEG_INFINITY, 0.0, f32::NAN, 0.5, f32::INFINITY];
    on_every_device(|device| {
        assert_eq!(ever(device, &scores, WARM), [1, 3]);
        assert_eq!(ever(device, &scores, Sampling::GREEDY), [3]);
        assert_eq!(ever(device, &[f32::NEG_INFINITY; 3], WARM), [0]);
        assert_eq!(ever(device, &[f32::NAN; 3], Sampling::GREEDY), [0]);
    });
}

#[test]
fn only_allowed_tokens_are_drawn_even_when_the_best_is_not() {
    let mut scores = vec![0.0; 70];
    scores[3] = 9.0;
    // Tokens 2, 31, 33 and 69.
    let words = [1 << 2 | 1 << 31, 1 << 1, 1 << 5];
    on_every_device(|device| {
        let counts = |sampling| {
            Batch::repeated(&scores, 400)
                .allowing(&words)
                .counts(device, sampling)
        };
        let drawn =
            |counts: Vec<usize>| -> Vec<usize> { (0..70).filter(|id| counts[*id] > 0).collect() };
        assert_eq!(drawn(counts(WARM)), [2, 31, 33, 69]);
        assert_eq!(drawn(counts(Sampling { top_k: 3, ..WARM })), [2, 31, 33]);
        assert_eq!(drawn(counts(Sampling::GREEDY)), [2]);
        let nothing = Batch::repeated(&scores, 2).allowing(&[0, 0, 0]);
        assert_eq!(nothing.drawn(device, WARM), [0, 0]);
    });
}

#[test]
fn a_row_draws_the_same_alone_and_among_others() {
    let sampling = Sampling {
        top_k: 30,
        top_p: 0.95,
        ..WARM
    };
    on_every_device(|device| {
        let batch = Batch::random(20, 100, false, 7);
        let together = batch.drawn(device, sampling);
        for (row, id) in together.iter().enumerate() {
            let alone = Batch {
                vocabulary: 100,
                scores: batch.scores[row * 100..][..100].to_vec(),
                seeds: batch.seeds[2 * row..][..2].to_vec(),
                allowed: None,
            };
            assert_eq!(alone.drawn(device, sampling), [*id]);
        }
    });
}

#[test]
fn extreme_temperatures_go_to_the_best_token_and_to_chance() {
    let scores = [1.0, 1.5, 1.25];
    let at = |temperature: f32| Sampling {
        temperature,
        ..WARM
    };
    on_every_device(|device| {
        assert_eq!(ever(device, &scores, at(1e-9)), [1]);
        assert_eq!(ever(device, &scores, at(f32::MIN_POSITIVE)), [1]);
        assert_eq!(ever(device, &scores, at(f32::INFINITY)), [0, 1, 2]);
    });
}
