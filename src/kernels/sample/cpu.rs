//! The CPU twin.

use burn::backend::Flex;
use burn::tensor::TensorData;

use super::{ALL, DEEPEST, Plan, STEP_BITS, SampleOps, Sampling};
use crate::kernels::flex::{FlexTensor, floats, integers};

/// The depth of a token that is never drawn.
const NEVER: u32 = u32::MAX;

impl SampleOps for Flex {
    fn sample(scores: FlexTensor, sampling: Sampling, seeds: FlexTensor) -> FlexTensor {
        sampled(scores, sampling, seeds, None)
    }

    fn sample_allowed(
        scores: FlexTensor,
        sampling: Sampling,
        seeds: FlexTensor,
        allowed: FlexTensor,
    ) -> FlexTensor {
        sampled(scores, sampling, seeds, Some(allowed))
    }
}

/// Every row's token.
fn sampled(
    scores: FlexTensor,
    sampling: Sampling,
    seeds: FlexTensor,
    allowed: Option<FlexTensor>,
) -> FlexTensor {
    let shape = scores.layout().shape();
    let (rows, vocabulary) = (shape[0], shape[1]);
    let plan = Plan::of(sampling);
    let (scores, seeds) = (floats(&scores), integers(&seeds));
    let allowed = allowed.as_ref().map(integers);
    let words = vocabulary.div_ceil(32);
    let mut depths = Vec::new();
    let ids: Vec<i32> = (0..rows)
        .map(|row| {
            let scores = &scores[row * vocabulary..][..vocabulary];
            let allowed = allowed.as_ref().map(|all| &all[row * words..][..words]);
            let uniform = uniform(seeds[2 * row] as u32, seeds[2 * row + 1] as u32);
            draw(scores, allowed, &plan, uniform, &mut depths) as i32
        })
        .collect();
    FlexTensor::from_data(TensorData::new(ids, [rows]))
}

/// One row's token; `depths` is room to work in.
fn draw(
    scores: &[f32],
    allowed: Option<&[i32]>,
    plan: &Plan,
    uniform: u32,
    depths: &mut Vec<u32>,
) -> u32 {
    let may = |id: usize| allowed.is_none_or(|words| words[id / 32] >> (id % 32) & 1 == 1);
    let mut best: Option<(usize, f32)> = None;
    for (id, score) in scores.iter().enumerate() {
        if best.is_none_or(|(_, best)| *score > best) && score.is_finite() && may(id) {
            best = Some((id, *score));
        }
    }
    let Some((id, best)) = best else {
        return 0;
    };
    if plan.slope == 0.0 {
        return id as u32;
    }
    depths.clear();
    depths.extend(scores.iter().map(|score| {
        let steps = (best - score) * plan.slope;
        // Neither infinities nor what is no number.
        if steps >= 0.0 && steps < DEEPEST {
            steps as u32
        } else {
            NEVER
        }
    }));
    if allowed.is_some() {
        for (id, depth) in depths.iter_mut().enumerate() {
            if !may(id) {
                *depth = NEVER;
            }
        }
    }
    let mut cut = Cut {
        depth: NEVER,
        ties: 0,
    };
    if plan.top_k != ALL {
        cut = cut.narrowed(depths, Goal::Count(plan.top_k));
    }
    if plan.top_p != ALL {
        cut = cut.narrowed(depths, Goal::Share(plan.top_p));
    }
    let total: u64 = cut.kept(depths).map(|(_, weight)| weight).sum();
    let mark = share(total, uniform);
    let mut passed = 0;
    cut.kept(depths)
        .find(|(_, weight)| {
            passed += weight;
            mark < passed
        })
        .map_or(0, |(id, _)| id as u32)
}

/// Which tokens are left: those above a depth, and so many of the lowest ids at it.
#[derive(Debug, Clone, Copy)]
struct Cut {
    depth: u32,
    ties: u32,
}

/// How far down tokens are kept.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// So many tokens.
    Count(u32),
    /// Until the sum of weights reaches this share, in 2⁻³².
    Share(u32),
}

impl Cut {
    /// The tokens left with their weights, in the order of their ids.
    fn kept(self, depths: &[u32]) -> impl Iterator<Item = (usize, u64)> {
        let mut left = self.ties;
        depths.iter().enumerate().filter_map(move |(id, depth)| {
            if *depth > self.depth || (*depth == self.depth && left == 0) {
                return None;
            }
            left -= u32::from(*depth == self.depth);
            Some((id, weight(*depth)))
        })
    }

    /// What is left of this when the tokens from the best down are kept until they reach the goal. The depth at which
    /// they do is found by its four digits of 8 bits, the highest first.
    fn narrowed(self, depths: &[u32], goal: Goal) -> Self {
        let amount = |depth: u32| match goal {
            Goal::Count(_) => 1,
            Goal::Share(_) => weight(depth),
        };
        let mut reach = 0;
        let mut passed = 0;
        let mut found = 0u32;
        for level in 0..4 {
            let shift = 24 - 8 * level;
            let of_found = |depth: u32| level == 0 || depth >> (shift + 8) == found;
            let mut bins = [0u64; 256];
            for depth in depths {
                if *depth < self.depth && of_found(*depth) {
                    bins[(depth >> shift & 255) as usize] += amount(*depth);
                }
            }
            if self.ties > 0 && of_found(self.depth) {
                bins[(self.depth >> shift & 255) as usize] +=
                    u64::from(self.ties) * amount(self.depth);
            }
            if level == 0 {
                reach = match goal {
                    Goal::Count(count) => count.into(),
                    Goal::Share(part) => share(bins.iter().sum(), part),
                };
            }
            let mut digit = 0;
            while digit < 255 && passed + bins[digit] < reach {
                passed += bins[digit];
                digit += 1;
            }
            found = found << 8 | digit as u32;
        }
        if found == NEVER {
            // There are fewer than the goal.
            return self;
        }
        // The ties at the goal itself: at least one, and as many as it takes.
        let ties = (reach - passed).div_ceil(amount(found).max(1)).max(1);
        Self {
            depth: found,
            ties: ties as u32,
        }
    }
}

/// `2³¹ · 2^−depth`, rounded down.
fn weight(depth: u32) -> u64 {
    // 2^−f over one halving, the least polynomial of its degree in relative error with the value 1 at f = 0.
    const TERMS: [u64; 5] = [
        1_488_514_807,
        515_782_929,
        118_750_173,
        19_769_301,
        2_029_165,
    ];
    if depth == NEVER {
        return 0;
    }
    let f = u64::from(depth << (32 - STEP_BITS));
    let tail = TERMS
        .iter()
        .rev()
        .fold(0, |below, term| term - (f * below >> 32));
    ((1 << 31) - (f * tail >> 32)) >> (depth >> STEP_BITS)
}

/// `total · part / 2³²`, rounded down.
fn share(total: u64, part: u32) -> u64 {
    let part = u64::from(part);
    (total >> 32) * part + ((total & 0xffff_ffff) * part >> 32)
}

/// The uniform number of a row, in 2⁻³².
pub(super) fn uniform(seed: u32, step: u32) -> u32 {
    mix(mix(seed) ^ mix(step.wrapping_add(0x9e37_79b9)))
}

fn mix(word: u32) -> u32 {
    let word = (word ^ word >> 16).wrapping_mul(0x7feb_352d);
    let word = (word ^ word >> 15).wrapping_mul(0x846c_a68b);
    word ^ word >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_halves_with_each_step_of_depth_to_nine_digits() {
        for depth in (0..10u32 << STEP_BITS).step_by(99_991) {
            let right = 2f64.powf(31.0 - f64::from(depth) / f64::from(1 << STEP_BITS));
            let found = weight(depth) as f64;
            assert!((found - right).abs() <= 9e-8 * right + 2.0, "{depth}");
        }
        assert_eq!(weight(0), 1 << 31);
        assert_eq!(weight(31 << STEP_BITS), 1);
        assert_eq!(weight(NEVER), 0);
    }

    #[test]
    fn uniform_numbers_are_spread_evenly_over_seeds_and_over_steps() {
        let bins = |number: &dyn Fn(u32) -> u32| {
            let mut bins = [0.0f64; 16];
            for i in 0..16_000 {
                bins[(number(i) >> 28) as usize] += 1.0;
            }
            // Chi-square with 15 degrees of freedom: above 45 once in 10 000.
            bins.iter()
                .map(|n| (n - 1000.0).powi(2) / 1000.0)
                .sum::<f64>()
        };
        assert!(bins(&|seed| uniform(seed, 0)) < 45.0);
        assert!(bins(&|step| uniform(0, step)) < 45.0);
        assert!(bins(&|both| uniform(both, both)) < 45.0);
        // One step and the next of the same seed have nothing to do with each other.
        assert!(bins(&|seed| uniform(seed, 1).wrapping_sub(uniform(seed, 0))) < 45.0);
    }
}
