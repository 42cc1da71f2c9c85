use super::*;
use crate::kernels::testing::{Device, assert_close, on_every_device, random};

/// Rows, vocabulary, chunk: one row, long rows, odd sizes, a last chunk that is shorter, both launches of `absorb`.
const SHAPES: [(usize, usize, usize); 8] = [
    (1, 1, 1),
    (1, 7, 3),
    (3, 130, 130),
    (5, 1000, 256),
    (2, 20_001, 8192),
    (4, 12_288, 8192),
    (130, 33, 8),
    (1000, 300, 299),
];

struct Case {
    rows: usize,
    vocabulary: usize,
    chunk: usize,
    scores: Vec<f32>,
    targets: Vec<u32>,
}

impl Case {
    fn new((rows, vocabulary, chunk): (usize, usize, usize), seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            rows,
            vocabulary,
            chunk,
            // Between -12 and 12, as the scores of a trained model are.
            scores: random(rows * vocabulary, seed)
                .iter()
                .map(|score| score * 6.0)
                .collect(),
            targets: (0..rows).map(|_| rng.u32(0..vocabulary as u32)).collect(),
        }
    }

    fn row(&self, row: usize) -> Vec<f64> {
        self.scores[row * self.vocabulary..][..self.vocabulary]
            .iter()
            .map(|score| f64::from(*score))
            .collect()
    }

    /// First id, columns, scores of every chunk.
    fn chunks(&self) -> Vec<(usize, usize, Vec<f32>)> {
        (0..self.vocabulary)
            .step_by(self.chunk)
            .map(|first| {
                let columns = self.chunk.min(self.vocabulary - first);
                let scores = (0..self.rows)
                    .flat_map(|row| &self.scores[row * self.vocabulary + first..][..columns])
                    .copied()
                    .collect();
                (first, columns, scores)
            })
            .collect()
    }

    fn state(&self, device: &Device) -> Tensor<2> {
        let targets = device.integers(&self.targets);
        let start = chunk_state(self.rows, &targets.device());
        self.chunks()
            .iter()
            .fold(start, |state, (first, columns, scores)| {
                let scores = device.tensor(scores, [self.rows, *columns]);
                absorb(state, scores, targets.clone(), *first)
            })
    }

    fn likelihoods(&self, device: &Device) -> Vec<f32> {
        device.values(log_likelihood(self.state(device)))
    }

    /// The gradient of all scores, put together from its chunks.
    fn gradient(&self, device: &Device, weights: &[f32]) -> Vec<f32> {
        let state = self.state(device);
        let mut whole = vec![0.0; self.scores.len()];
        for (first, columns, scores) in self.chunks() {
            let part = device.values(scores_gradient(
                device.tensor(&scores, [self.rows, columns]),
                state.clone(),
                device.integers(&self.targets),
                device.tensor(weights, [self.rows]),
                first,
            ));
            for (row, part) in part.chunks(columns).enumerate() {
                whole[row * self.vocabulary + first..][..columns].copy_from_slice(part);
            }
        }
        whole
    }
}

/// The plain formula, in f64.
fn plain(scores: &[f64], target: usize) -> f64 {
    let most = scores.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
    scores[target] - most - sum.ln()
}

#[test]
fn equals_the_plain_formula_on_every_device_however_the_vocabulary_is_cut() {
    for shape in SHAPES {
        let case = Case::new(shape, 1);
        let expected: Vec<f32> = (0..case.rows)
            .map(|row| plain(&case.row(row), case.targets[row] as usize) as f32)
            .collect();
        on_every_device(|device| assert_close(&case.likelihoods(device), &expected, 1e-6));
    }
}

#[test]
fn scores_far_from_zero_do_not_overflow() {
    for shape in [(3, 300, 200), (3, 3000, 2000)] {
        let mut case = Case::new(shape, 2);
        for (row, far) in [1e4, -1e4, 0.0].into_iter().enumerate() {
            let scores = &mut case.scores[row * case.vocabulary..][..case.vocabulary];
            for (id, score) in scores.iter_mut().enumerate() {
                // The last row climbs, so that every score is a new maximum.
                *score = if far == 0.0 { id as f32 } else { *score + far };
            }
        }
        let expected: Vec<f32> = (0..3)
            .map(|row| plain(&case.row(row), case.targets[row] as usize) as f32)
            .collect();
        on_every_device(|device| assert_close(&case.likelihoods(device), &expected, 1e-5));
    }
}

#[test]
fn the_state_names_the_lowest_id_of_the_highest_score() {
    for shape in SHAPES {
        let mut case = Case::new(shape, 3);
        let mut expected = Vec::new();
        for row in 0..case.rows {
            // Twice the same maximum, once perhaps in a later chunk, lane or thread.
            let (a, b) = (row % case.vocabulary, row * 31 % case.vocabulary);
            case.scores[row * case.vocabulary + a] = 20.0;
            case.scores[row * case.vocabulary + b] = 20.0;
            expected.push(a.min(b) as f32);
        }
        on_every_device(|device| {
            let state = device.values(case.state(device));
            let best: Vec<f32> = state.chunks(4).map(|row| row[3]).collect();
            assert_eq!(best, expected);
        });
    }
}

#[test]
fn a_score_that_is_no_number_makes_only_its_row_none() {
    for shape in [(3, 40, 16), (3, 41, 16), (3, 4000, 2000), (3, 4001, 1001)] {
        let mut case = Case::new(shape, 4);
        case.scores[case.vocabulary + 17] = f32::NAN;
        on_every_device(|device| {
            let found = case.likelihoods(device);
            assert!(found[1].is_nan(), "{found:?}");
            assert!(found[0].is_finite() && found[2].is_finite(), "{found:?}");
        });
    }
}

#[test]
fn a_target_outside_the_vocabulary_has_no_probability() {
    let mut case = Case::new((2, 200, 150), 5);
    case.targets[1] = 200;
    on_every_device(|device| {
        let found = case.likelihoods(device);
        assert!(found[0] > -100.0 && found[1] < -1e38, "{found:?}");
    });
}

#[test]
fn tokens_that_may_not_come_have_no_share() {
    for (vocabulary, chunk) in [(200, 100), (2001, 1000)] {
        let mut case = Case::new((2, vocabulary, chunk), 6);
        // A whole chunk is forbidden in one row, every other token in the other.
        case.targets = vec![chunk as u32 + 50, 1];
        case.scores[..chunk].fill(f32::NEG_INFINITY);
        for score in case.scores[vocabulary..].iter_mut().step_by(2) {
            *score = f32::NEG_INFINITY;
        }
        let expected: Vec<f32> = (0..2)
            .map(|row| plain(&case.row(row), case.targets[row] as usize) as f32)
            .collect();
        on_every_device(|device| {
            assert_close(&case.likelihoods(device), &expected, 1e-6);
            let gradient = case.gradient(device, &[1.0, 1.0]);
            for (gradient, score) in gradient.iter().zip(&case.scores) {
                assert!(score.is_finite() || *gradient < 1e-37, "{gradient}");
            }
        });
    }
}

#[test]
fn the_gradient_equals_the_plain_formula_on_every_device() {
    for shape in SHAPES {
        let case = Case::new(shape, 7);
        let weights = random(case.rows, 8);
        let mut expected = Vec::new();
        for (row, weight) in weights.iter().enumerate() {
            let scores = case.row(row);
            let (target, weight) = (case.targets[row] as usize, f64::from(*weight));
            let log_sum = scores[target] - plain(&scores, target);
            expected.extend(scores.iter().enumerate().map(|(id, score)| {
                let hit = f64::from(u8::from(id == target));
                (weight * ((score - log_sum).exp() - hit)) as f32
            }));
        }
        on_every_device(|device| assert_close(&case.gradient(device, &weights), &expected, 1e-6));
    }
}

#[test]
fn the_gradient_equals_the_difference_quotient_on_every_device() {
    let case = Case::new((3, 41, 16), 9);
    let weights = [0.5, -1.25, 2.0];
    let expected: Vec<f32> = (0..case.scores.len())
        .map(|i| {
            let (row, id) = (i / 41, i % 41);
            let loss = |moved: f64| {
                let mut scores = case.row(row);
                scores[id] += moved;
                -f64::from(weights[row]) * plain(&scores, case.targets[row] as usize)
            };
            ((loss(1e-5) - loss(-1e-5)) / 2e-5) as f32
        })
        .collect();
    on_every_device(|device| assert_close(&case.gradient(device, &weights), &expected, 1e-5));
}

#[test]
fn rows_of_weight_zero_get_no_gradient_whatever_their_scores() {
    for shape in [(3, 41, 16), (3, 40, 40)] {
        let mut case = Case::new(shape, 10);
        case.scores[case.vocabulary..][..case.vocabulary].fill(f32::NAN);
        on_every_device(|device| {
            let found = case.gradient(device, &[1.0, 0.0, 1.0]);
            for (row, values) in found.chunks(case.vocabulary).enumerate() {
                assert!(values.iter().all(|value| value.is_finite()));
                assert_eq!(values.iter().all(|value| *value == 0.0), row == 1);
            }
        });
    }
}
