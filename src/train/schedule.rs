//! How the learning rate runs: up in a line, then down along half a cosine.

/// Linear warm-up, then cosine decay to zero (transformers' `get_cosine_schedule_with_warmup`), or constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Steps of the way up.
    pub warmup: usize,
    /// All steps; `None` keeps the peak after the way up.
    pub total: Option<usize>,
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(rate: f64) -> Self {
        Self {
            peak: rate,
            warmup: 0,
            total: None,
        }
    }

    /// Up over a share of the steps, then down to zero.
    pub fn cosine(peak: f64, total: usize, warmup_share: f64) -> Self {
        Self {
            peak,
            warmup: (total as f64 * warmup_share).ceil() as usize,
            total: Some(total),
        }
    }

    /// The learning rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / (self.warmup + 1) as f64;
        }
        let Some(total) = self.total else {
            return self.peak;
        };
        let span = total.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / span as f64).min(1.0);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_towards_zero() {
        let schedule = Schedule::cosine(1.0, 100, 0.1);
        assert!(schedule.rate(0) > 0.0 && schedule.rate(0) < schedule.rate(5));
        assert!((schedule.rate(10) - 1.0).abs() < 1e-12);
        assert!((schedule.rate(55) - 0.5).abs() < 1e-12);
        assert!(schedule.rate(99) < 0.001);
    }

    #[test]
    fn never_leaves_the_range_between_zero_and_the_peak() {
        for total in [1, 2, 3, 10] {
            let schedule = Schedule::cosine(0.5, total, 0.3);
            for step in 0..2 * total {
                assert!(
                    (0.0..=0.5).contains(&schedule.rate(step)),
                    "step {step} of {total}"
                );
            }
        }
    }

    #[test]
    fn a_constant_rate_is_constant() {
        let schedule = Schedule::constant(0.1);
        assert!((0..10).all(|step| schedule.rate(step) == 0.1));
    }
}
