use super::*;
use crate::kernels::testing::{Device, assert_close, on_every_device, random};

const EPS: f32 = 1e-3;

/// Tokens, heads, whether heads are normed.
const CASES: [(usize, Heads, bool); 6] = [
    (1, heads(1, 1, 2), false),
    (1, heads(2, 1, 6), true),
    (5, heads(6, 2, 10), false),
    (7, heads(4, 4, 16), true),
    (130, heads(9, 3, 64), false),
    (33, heads(2, 1, 128), true),
];

const fn heads(queries: usize, keys: usize, size: usize) -> Heads {
    Heads {
        queries,
        keys,
        size,
    }
}

/// A step's numbers on no device.
struct Case {
    tokens: usize,
    heads: Heads,
    joined: Vec<f32>,
    positions: Vec<u32>,
    slots: Vec<u32>,
    table: Vec<f32>,
    norms: Option<Vec<f32>>,
    capacity: usize,
}

const POSITIONS: usize = 50;

impl Case {
    fn new((tokens, heads, normed): (usize, Heads, bool)) -> Self {
        let mut rng = fastrand::Rng::with_seed(tokens as u64);
        let capacity = tokens + 9;
        let mut slots: Vec<u32> = (0..capacity as u32).collect();
        rng.shuffle(&mut slots);
        slots.truncate(tokens);
        let half = heads.size / 2;
        let angle = |at: usize| (at / heads.size) as f32 * 0.3 / (1 + at % half) as f32;
        Self {
            tokens,
            heads,
            joined: random(tokens * heads.joined(), 1),
            positions: (0..tokens).map(|_| rng.u32(..POSITIONS as u32)).collect(),
            slots,
            table: (0..POSITIONS * heads.size)
                .map(|at| match at % heads.size < half {
                    true => angle(at).cos(),
                    false => angle(at).sin(),
                })
                .collect(),
            norms: normed.then(|| random(2 * heads.size, 2)),
            capacity,
        }
    }

    fn rotary(&self, device: &Device) -> Rotary {
        let places: Vec<u32> = [self.positions.clone(), self.slots.clone()].concat();
        Rotary {
            places: device.integers(&places),
            table: device.tensor(&self.table, [POSITIONS, self.heads.size]),
            norms: self
                .norms
                .as_ref()
                .map(|norms| device.tensor(norms, [norms.len()])),
            eps: EPS,
        }
    }

    /// The plain formula in f64: queries, keys and values side by side, in token order.
    fn turned(&self, joined: &[f64]) -> Vec<f64> {
        let (size, half) = (self.heads.size, self.heads.size / 2);
        let mut out = joined.to_vec();
        for (at, head) in out.chunks_exact_mut(size).enumerate() {
            let (token, index) = (
                at / (self.heads.joined() / size),
                at % (self.heads.joined() / size),
            );
            if index >= self.heads.queries + self.heads.keys {
                continue;
            }
            if let Some(norms) = &self.norms {
                let mean = head.iter().map(|x| x * x).sum::<f64>() / size as f64;
                let offset = if index < self.heads.queries { 0 } else { size };
                for (i, x) in head.iter_mut().enumerate() {
                    *x *= f64::from(norms[offset + i]) / (mean + f64::from(EPS)).sqrt();
                }
            }
            let row = &self.table[self.positions[token] as usize * size..][..size];
            for i in 0..half {
                let (cosine, sine) = (f64::from(row[i]), f64::from(row[half + i]));
                let (x, y) = (head[i], head[half + i]);
                head[i] = x * cosine - y * sine;
                head[half + i] = x * sine + y * cosine;
            }
        }
        out
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

#[test]
fn turns_queries_and_puts_keys_and_values_into_their_slots_on_every_device() {
    for case in CASES.map(Case::new) {
        let (query, key) = (
            case.heads.queries * case.heads.size,
            case.heads.keys * case.heads.size,
        );
        let turned: Vec<f32> = case
            .turned(&wide(&case.joined))
            .iter()
            .map(|value| *value as f32)
            .collect();
        // What other slots hold must stay.
        let (old_keys, old_values) = (
            random(case.capacity * key, 3),
            random(case.capacity * key, 4),
        );
        let (mut queries, mut keys, mut values) = (vec![], old_keys.clone(), old_values.clone());
        for (row, slot) in turned.chunks_exact(case.heads.joined()).zip(&case.slots) {
            let at = *slot as usize * key;
            queries.extend_from_slice(&row[..query]);
            keys[at..at + key].copy_from_slice(&row[query..query + key]);
            values[at..at + key].copy_from_slice(&row[query + key..]);
        }
        on_every_device(|device| {
            let found = rope(
                device.tensor(&case.joined, [case.tokens, case.heads.joined()]),
                case.heads,
                &case.rotary(device),
                device.tensor(&old_keys, [case.capacity, key]),
                device.tensor(&old_values, [case.capacity, key]),
            );
            assert_close(&device.values(found.0), &queries, 2e-6);
            assert_close(&device.values(found.1), &keys, 2e-6);
            assert_close(&device.values(found.2), &values, 0.0);
        });
    }
}

#[test]
fn the_gradient_equals_the_difference_quotient_on_every_device() {
    for case in CASES[..4].iter().copied().map(Case::new) {
        let shape = [case.tokens, case.heads.joined()];
        let gradient = random(case.joined.len(), 5);
        let value = |joined: &[f64]| -> f64 {
            let turned = case.turned(joined);
            turned
                .iter()
                .zip(&gradient)
                .map(|(value, d)| value * f64::from(*d))
                .sum()
        };
        let joined = wide(&case.joined);
        let expected: Vec<f32> = (0..joined.len())
            .map(|i| {
                let mut moved = joined.clone();
                moved[i] += 1e-5;
                let above = value(&moved);
                moved[i] -= 2e-5;
                ((above - value(&moved)) / 2e-5) as f32
            })
            .collect();
        on_every_device(|device| {
            let found = rope_backward(
                device.tensor(&case.joined, shape),
                case.heads,
                &case.rotary(device),
                device.tensor(&gradient, shape),
            );
            assert_close(&device.values(found), &expected, 1e-5);
        });
    }
}

#[test]
fn a_step_without_tokens_changes_nothing() {
    let heads = heads(2, 1, 4);
    on_every_device(|device| {
        let rotary = Rotary {
            places: device.integers(&[]),
            table: device.tensor(&[1.0, 1.0, 0.0, 0.0], [1, 4]),
            norms: None,
            eps: EPS,
        };
        let arena = random(12, 6);
        let (queries, keys, values) = rope(
            device.tensor(&[], [0, heads.joined()]),
            heads,
            &rotary,
            device.tensor(&arena, [3, 4]),
            device.tensor(&arena, [3, 4]),
        );
        assert_eq!(queries.dims(), [0, 8]);
        assert_close(&device.values(keys), &arena, 0.0);
        assert_close(&device.values(values), &arena, 0.0);
    });
}
