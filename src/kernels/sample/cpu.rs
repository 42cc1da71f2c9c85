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
    let mut row_at_work = Row::default();
    let ids: Vec<i32> = (0..rows)
        .map(|row| {
            let scores = &scores[row * vocabulary..][..vocabulary];
            let allowed = allowed.as_ref().map(|all| &all[row * words..][..words]);
            let uniform = uniform(seeds[2 * row] as u32, seeds[2 * row + 1] as u32);
            row_at_work.draw(scores, allowed, &plan, uniform) as i32
        })
        .collect();
    FlexTensor::from_data(TensorData::new(ids, [rows]))
}

/// The row being drawn from; its room is used again for the next.
#[derive(Default)]
struct Row {
    depths: Vec<u32>,
    /// What each token counts: 1 while they are counted, then its weight; 0 once it is out.
    amounts: Vec<u32>,
}

impl Row {
    fn draw(&mut self, scores: &[f32], allowed: Option<&[i32]>, plan: &Plan, uniform: u32) -> u32 {
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
        self.depths.clear();
        self.depths.extend(scores.iter().map(|score| {
            let steps = (best - score) * plan.slope;
            // Neither infinities nor what is no number.
            if (0.0..DEEPEST).contains(&steps) {
                steps as u32
            } else {
                NEVER
            }
        }));
        if allowed.is_some() {
            for (id, depth) in self.depths.iter_mut().enumerate() {
                if !may(id) {
                    *depth = NEVER;
                }
            }
        }
        self.amounts.clear();
        self.amounts
            .extend(self.depths.iter().map(|depth| u32::from(*depth != NEVER)));
        if plan.top_k != ALL {
            self.keep(plan.top_k.into());
        }
        for (amount, depth) in self.amounts.iter_mut().zip(&self.depths) {
            if *amount > 0 {
                *amount = weight(*depth);
            }
        }
        if plan.top_p != ALL {
            self.keep(share(self.total(), plan.top_p));
        }
        let mark = share(self.total(), uniform);
        let mut passed = 0;
        let drawn = self.amounts.iter().position(|amount| {
            passed += u64::from(*amount);
            mark < passed
        });
        drawn.unwrap_or(id) as u32
    }

    fn total(&self) -> u64 {
        self.amounts.iter().map(|amount| u64::from(*amount)).sum()
    }

    /// Keeps the tokens from the best down until their amounts reach the goal, and puts the others out. The depth at
    /// which they do is found by its four digits of 8 bits, the highest first.
    fn keep(&mut self, goal: u64) {
        if self.total() < goal {
            return;
        }
        let mut passed = 0;
        let mut found = 0u32;
        for level in 0..4 {
            let shift = 24 - 8 * level;
            let mut bins = [0u64; 256];
            for (depth, amount) in self.depths.iter().zip(&self.amounts) {
                if level == 0 || depth >> (shift + 8) == found {
                    bins[(depth >> shift & 255) as usize] += u64::from(*amount);
                }
            }
            let mut digit = 0;
            while digit < 255 && passed + bins[digit] < goal {
                passed += bins[digit];
                digit += 1;
            }
            found = found << 8 | digit as u32;
        }
        // The ties at the goal itself: at least one, and as many as it takes.
        let mut left = (goal - passed).max(1);
        for (depth, amount) in self.depths.iter().zip(&mut self.amounts) {
            if *depth > found || (*depth == found && left == 0) {
                *amount = 0;
            } else if *depth == found {
                left = left.saturating_sub((*amount).into());
            }
        }
    }
}

/// `2³¹ · 2^−depth`, rounded down.
fn weight(depth: u32) -> u32 {
    // 2^−f over one halving: of the polynomials of this degree that are 1 at f = 0 the nearest, in relative error.
    const TERMS: [u64; 5] = [
        1_488_514_807,
        515_782_929,
        118_750_173,
        19_769_301,
        2_029_165,
    ];
    let f = u64::from(depth << (32 - STEP_BITS));
    let tail = TERMS
        .iter()
        .rev()
        .fold(0, |below, term| term - ((f * below) >> 32));
    (((1 << 31) - ((f * tail) >> 32)) >> (depth >> STEP_BITS)) as u32
}

/// `total · part / 2³²`, rounded down.
fn share(total: u64, part: u32) -> u64 {
    let part = u64::from(part);
    (total >> 32) * part + (((total & 0xffff_ffff) * part) >> 32)
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
    fn a_weight_halves_with_each_step_of_depth_to_seven_digits() {
        for depth in (0..10u32 << STEP_BITS).step_by(99_991) {
            let right = 2f64.powf(31.0 - f64::from(depth) / f64::from(1 << STEP_BITS));
            let found = f64::from(weight(depth));
            assert!((found - right).abs() <= 9e-8 * right + 2.0, "{depth}");
        }
        assert_eq!(weight(0), 1 << 31);
        assert_eq!(weight(31 << STEP_BITS), 1);
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
