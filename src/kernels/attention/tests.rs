use super::*;
use crate::kernels::testing::{assert_close, on_every_device, random};

/// A problem on no device.
struct Case {
    tokens: usize,
    slots: usize,
    heads: Heads,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    spans: Vec<u32>,
}

const SCALE: f32 = 0.37;

impl Case {
    /// Random ranges, among them empty ones, ones the wrong way round, and tokens that see nothing at all.
    fn new(tokens: usize, slots: usize, (queries, keys, size): (usize, usize, usize)) -> Self {
        let mut rng = fastrand::Rng::with_seed((tokens * slots + size) as u64);
        let mut spans = Vec::with_capacity(tokens * 6);
        for token in 0..tokens {
            let mut ends: Vec<u32> = (0..6).map(|_| rng.u32(..=slots as u32)).collect();
            ends.sort_unstable();
            match rng.u8(..8) {
                _ if token == 0 => ends = vec![0, 0, 0, slots as u32, 5, 5],
                0 => ends.swap(0, 1),
                1 => ends[5] = ends[4],
                2 => ends = vec![1, 1, 4, 2, 0, 0],
                3 => ends = vec![ends[2], ends[3], ends[0], ends[1], ends[4], ends[5]],
                _ => {}
            }
            spans.extend(ends);
        }
        Self::seeing(tokens, slots, (queries, keys, size), spans)
    }

    /// Rows of a training batch of unlike length behind a shared prefix.
    fn packed(rows: &[usize], prefix: usize, heads: (usize, usize, usize)) -> Self {
        let mut spans: Vec<u32> = (0..prefix as u32)
            .flat_map(|token| [0, token + 1, 0, 0, 0, 0])
            .collect();
        let mut start = prefix as u32;
        for length in rows {
            for token in start..start + *length as u32 {
                spans.extend([0, prefix as u32, start, token + 1, 0, 0]);
            }
            start += *length as u32;
        }
        let tokens = start as usize;
        Self::seeing(tokens, tokens, heads, spans)
    }

    fn seeing(
        tokens: usize,
        slots: usize,
        (queries, keys, size): (usize, usize, usize),
        spans: Vec<u32>,
    ) -> Self {
        Self {
            tokens,
            slots,
            heads: Heads {
                queries,
                keys,
                size,
            },
            queries: random(tokens * queries * size, 1),
            keys: random(slots * keys * size, 2),
            values: random(slots * keys * size, 3),
            spans,
        }
    }

    /// The slots a token sees.
    fn seen(&self, token: usize) -> Vec<usize> {
        self.spans[token * 6..][..6]
            .chunks_exact(2)
            .flat_map(|range| range[0] as usize..range[1] as usize)
            .collect()
    }

    /// The plain formula in f64 for one head of a token: weights over what it sees, output and log-sum-exp.
    fn attend(&self, token: usize, head: usize) -> (Vec<f64>, Vec<f64>, f64) {
        let Heads {
            queries,
            keys,
            size,
        } = self.heads;
        let query = &self.queries[(token * queries + head) * size..][..size];
        let at = |slot: usize| (slot * keys + head / (queries / keys)) * size;
        let seen = self.seen(token);
        let scores: Vec<f64> = seen
            .iter()
            .map(|slot| f64::from(SCALE) * inner(query, &self.keys[at(*slot)..][..size]))
            .collect();
        let total: f64 = scores.iter().map(|score| score.exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|score| score.exp() / total).collect();
        let mut out = vec![0.0; size];
        for (slot, weight) in seen.iter().zip(&weights) {
            for (out, value) in out.iter_mut().zip(&self.values[at(*slot)..]) {
                *out += weight * f64::from(*value);
            }
        }
        let lse = if seen.is_empty() { -1e30 } else { total.ln() };
        (weights, out, lse)
    }

    /// Outputs and log-sum-exps of all heads of all tokens.
    fn expected(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut outs, mut sums) = (vec![], vec![]);
        for token in 0..self.tokens {
            for head in 0..self.heads.queries {
                let (_, out, lse) = self.attend(token, head);
                outs.extend(out.iter().map(|value| *value as f32));
                sums.push(lse as f32);
            }
        }
        (outs, sums)
    }

    /// The gradients of queries, keys and values side by side, by the softmax's own derivative in f64.
    fn gradients(&self, gradient: &[f32]) -> Vec<f32> {
        let Heads {
            queries,
            keys,
            size,
        } = self.heads;
        let width = self.heads.joined();
        let mut result = vec![0.0f64; self.tokens * width];
        for token in 0..self.tokens {
            for head in 0..queries {
                let (weights, out, _) = self.attend(token, head);
                let query = &self.queries[(token * queries + head) * size..][..size];
                let slope = &gradient[(token * queries + head) * size..][..size];
                let delta: f64 = out.iter().zip(slope).map(|(a, b)| a * f64::from(*b)).sum();
                let key_head = head / (queries / keys);
                for (slot, weight) in self.seen(token).into_iter().zip(weights) {
                    let key = &self.keys[(slot * keys + key_head) * size..][..size];
                    let value = &self.values[(slot * keys + key_head) * size..][..size];
                    let share = weight * (inner(slope, value) - delta) * f64::from(SCALE);
                    let to_key = slot * width + (queries + key_head) * size;
                    for i in 0..size {
                        result[token * width + head * size + i] += share * f64::from(key[i]);
                        result[to_key + i] += share * f64::from(query[i]);
                        result[to_key + keys * size + i] += weight * f64::from(slope[i]);
                    }
                }
            }
        }
        result.iter().map(|value| *value as f32).collect()
    }

    fn check_forward(&self) {
        let (out, lse) = self.expected();
        let (query, key) = (
            self.heads.queries * self.heads.size,
            self.heads.keys * self.heads.size,
        );
        on_every_device(|device| {
            let found = attention(
                device.tensor(&self.queries, [self.tokens, query]),
                device.tensor(&self.keys, [self.slots, key]),
                device.tensor(&self.values, [self.slots, key]),
                device.integers(&self.spans),
                self.heads,
                SCALE,
            );
            assert_close(&device.values(found.0), &out, 1e-5);
            for (found, lse) in device.values(found.1).into_iter().zip(&lse) {
                assert_close(&[found], &[*lse], 1e-5);
            }
        });
    }

    fn check_backward(&self) {
        let (out, lse) = self.expected();
        let gradient = random(out.len(), 4);
        let expected = self.gradients(&gradient);
        let (query, key) = (
            self.heads.queries * self.heads.size,
            self.heads.keys * self.heads.size,
        );
        on_every_device(|device| {
            let found = attention_backward(
                device.tensor(&self.queries, [self.tokens, query]),
                device.tensor(&self.keys, [self.slots, key]),
                device.tensor(&self.values, [self.slots, key]),
                device.integers(&with_seers(self.spans.clone(), self.tokens)),
                device.tensor(&out, [self.tokens, query]),
                device.tensor(&lse, [self.tokens, self.heads.queries]),
                device.tensor(&gradient, [self.tokens, query]),
                self.heads,
                SCALE,
            );
            assert_close(&device.values(found), &expected, 1e-5);
        });
    }
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

#[test]
fn many_tokens_give_the_plain_formula_on_every_device() {
    Case::packed(&[40, 1, 33, 90, 62], 75, (9, 3, 16)).check_forward();
    Case::new(260, 300, (8, 8, 20)).check_forward();
}

#[test]
fn few_tokens_over_many_slots_give_the_plain_formula_on_every_device() {
    for heads in [(9, 3, 64), (2, 1, 16), (4, 2, 20), (3, 1, 256), (1, 1, 512)] {
        Case::new(11, 700, heads).check_forward();
    }
    Case::new(1, 129, (1, 1, 4)).check_forward();
}

#[test]
fn heads_of_every_even_size_give_the_plain_formula_on_every_device() {
    for size in [2, 4, 6, 30, 64, 128, 256] {
        Case::new(7, 33, (4, 2, size)).check_forward();
    }
    Case::new(5, 300, (2, 1, 18)).check_forward();
    Case::new(1, 1, (1, 1, 2)).check_forward();
}

#[test]
fn scores_far_apart_neither_overflow_nor_vanish_on_any_device() {
    for slots in [100, 300] {
        let mut case = Case::new(3, slots, (2, 1, 8));
        // Scores of some ±500, whose exponentials no f32 holds.
        for (slot, key) in case.keys.chunks_exact_mut(8).enumerate() {
            let factor = if slot % 3 == 0 { 80.0 } else { 1.0 };
            key.iter_mut().for_each(|key| *key *= factor);
        }
        case.check_forward();
    }
}

#[test]
fn the_gradients_equal_the_plain_formula_on_every_device() {
    Case::new(1, 1, (1, 1, 2)).check_backward();
    for heads in [(1, 1, 8), (4, 2, 6), (9, 3, 64), (2, 1, 128)] {
        Case::new(37, 37, heads).check_backward();
    }
    Case::packed(&[40, 1, 33, 90, 62], 75, (6, 2, 16)).check_backward();
}

#[test]
fn the_plain_formula_for_gradients_equals_the_difference_quotient() {
    let mut case = Case::new(9, 9, (4, 2, 6));
    let gradient = random(case.queries.len(), 5);
    let found = case.gradients(&gradient);
    let value = |case: &Case| -> f64 {
        (0..case.tokens * case.heads.queries)
            .flat_map(|row| {
                case.attend(row / case.heads.queries, row % case.heads.queries)
                    .1
            })
            .zip(&gradient)
            .map(|(out, d)| out * f64::from(*d))
            .sum()
    };
    let Heads {
        queries,
        keys,
        size,
    } = case.heads;
    let width = case.heads.joined();
    let parts: [fn(&mut Case) -> &mut Vec<f32>; 3] = [
        |case| &mut case.queries,
        |case| &mut case.keys,
        |case| &mut case.values,
    ];
    let starts = [0, queries * size, (queries + keys) * size, width];
    for (part, span) in parts.iter().zip(starts.windows(2)) {
        let columns = span[1] - span[0];
        for i in 0..case.tokens * columns {
            let old = part(&mut case)[i];
            // A step that f32 holds without rounding.
            part(&mut case)[i] = old + 0.0078125;
            let (above, high) = (value(&case), part(&mut case)[i]);
            part(&mut case)[i] = old - 0.0078125;
            let (below, low) = (value(&case), part(&mut case)[i]);
            part(&mut case)[i] = old;
            let quotient = (above - below) / f64::from(high - low);
            let at = i / columns * width + span[0] + i % columns;
            assert_close(&[found[at]], &[quotient as f32], 1e-3);
        }
    }
}

#[test]
fn seers_are_the_first_and_the_last_token_that_see_a_slot() {
    let spans = vec![
        0, 1, 0, 0, 0, 0, // sees slot 0
        0, 2, 4, 4, 0, 0, // sees 0 and 1
        3, 1, 0, 0, 2, 9, // sees 2 and 3, which is the last there is
        0, 1, 0, 0, 0, 0, // sees 0
    ];
    let with = with_seers(spans.clone(), 4);
    assert_eq!(with[..24], spans);
    assert_eq!(with[24..], [0, 4, 1, 2, 2, 3, 2, 3]);
    assert_eq!(with_seers(vec![], 2), [0, 0, 0, 0]);
}
