//! Rotary positions (RoFormer, arXiv 2104.09864): the frequency of each pair of a head's elements, and the rules that
//! stretch them to longer contexts, by transformers' formulas (`modeling_rope_utils.py`).

use std::f64::consts::PI;

use serde::Deserialize;

use super::ModelError;

/// Rotary scaling as `config.json` spells it: which rule, and its numbers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RopeScaling {
    /// `default`, `linear`, `llama3` or `yarn`.
    #[serde(alias = "type")]
    pub rope_type: Option<String>,
    /// Base of the frequencies (transformers 5).
    pub rope_theta: Option<f64>,
    /// How much longer than in training the context is.
    pub factor: Option<f64>,
    /// `llama3`: wavelengths above `original / low_freq_factor` are stretched in full.
    pub low_freq_factor: Option<f64>,
    /// `llama3`: wavelengths below `original / high_freq_factor` are left alone.
    pub high_freq_factor: Option<f64>,
    /// `llama3` and `yarn`: the context of the training.
    pub original_max_position_embeddings: Option<f64>,
    /// `yarn`: what cosine and sine are multiplied by; out of `factor` when absent.
    pub attention_factor: Option<f64>,
    /// `yarn`: pairs that turn more often than this in the training's context are left alone.
    pub beta_fast: Option<f64>,
    /// `yarn`: pairs that turn less often than this are stretched in full.
    pub beta_slow: Option<f64>,
    /// `yarn`: weighs the logarithm in the attention factor.
    pub mscale: Option<f64>,
    /// `yarn`: divides by the same with this weight.
    pub mscale_all_dim: Option<f64>,
    /// `yarn`: whether the ramp's ends are whole pairs; they are when absent.
    pub truncate: Option<bool>,
    /// The part of a head that is turned; only the whole is supported.
    pub partial_rotary_factor: Option<f64>,
    /// Rotary positions of layers that see everything (Gemma 3 in transformers 5).
    pub full_attention: Option<Box<RopeScaling>>,
    /// Rotary positions of layers that see a window (Gemma 3 in transformers 5).
    pub sliding_attention: Option<Box<RopeScaling>>,
}

/// The rotary positions of a kind of layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians per position, one for each pair of a head's elements.
    pub inverse_frequencies: Vec<f64>,
    /// What cosine and sine are multiplied by; 1 but for `yarn`.
    pub attention_factor: f64,
}

impl Rope {
    /// The plain frequencies `theta^(−2i/size)` of a head of `size` elements.
    pub fn plain(theta: f64, size: usize) -> Self {
        let frequency = |pair: usize| theta.powf(-2.0 * pair as f64 / size as f64);
        Self {
            inverse_frequencies: (0..size / 2).map(frequency).collect(),
            attention_factor: 1.0,
        }
    }

    /// The frequencies after a rule. `context` stands in for a missing factor of `yarn`.
    pub(super) fn scaled(
        theta: f64,
        size: usize,
        scaling: Option<&RopeScaling>,
        context: usize,
    ) -> Result<Self, ModelError> {
        let mut rope = Self::plain(theta, size);
        let Some(scaling) = scaling else {
            return Ok(rope);
        };
        if scaling
            .partial_rotary_factor
            .is_some_and(|part| part != 1.0)
        {
            return Err(ModelError::Config(
                "partial_rotary_factor is not supported; choose a model whose heads are turned as a whole".into(),
            ));
        }
        let frequencies = &mut rope.inverse_frequencies;
        match scaling.rope_type.as_deref().unwrap_or("default") {
            "default" => {}
            "linear" => {
                let factor = positive(scaling.factor, "factor")?;
                frequencies
                    .iter_mut()
                    .for_each(|frequency| *frequency /= factor);
            }
            "llama3" => scaling.llama3(frequencies)?,
            "yarn" => rope.attention_factor = scaling.yarn(frequencies, theta, context)?,
            other => {
                return Err(ModelError::Config(format!(
                    "rope scaling `{other}` is not known; known are default, linear, llama3, yarn"
                )));
            }
        }
        if rope
            .inverse_frequencies
            .iter()
            .all(|frequency| frequency.is_finite())
            && rope.attention_factor.is_finite()
        {
            Ok(rope)
        } else {
            Err(ModelError::Config(
                "rope scaling gives frequencies that are no finite numbers; correct its numbers"
                    .into(),
            ))
        }
    }
}

/// A number that a rule cannot do without, and that must be above zero.
fn positive(value: Option<f64>, name: &str) -> Result<f64, ModelError> {
    match value {
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        Some(value) => Err(ModelError::Config(format!(
            "rope scaling has `{name}` {value}; it must be above zero"
        ))),
        None => Err(ModelError::Config(format!(
            "rope scaling lacks `{name}`; add it to config.json"
        ))),
    }
}

impl RopeScaling {
    /// `_compute_llama3_parameters`: long wavelengths are stretched, short ones left, those between blended.
    fn llama3(&self, frequencies: &mut [f64]) -> Result<(), ModelError> {
        let factor = positive(self.factor, "factor")?;
        let low = positive(self.low_freq_factor, "low_freq_factor")?;
        let high = positive(self.high_freq_factor, "high_freq_factor")?;
        let original = positive(
            self.original_max_position_embeddings,
            "original_max_position_embeddings",
        )?;
        for frequency in frequencies {
            let turns = original * *frequency / (2.0 * PI);
            if turns < low {
                *frequency /= factor;
            } else if turns <= high {
                let smooth = (turns - low) / (high - low);
                *frequency = (1.0 - smooth) * *frequency / factor + smooth * *frequency;
            }
        }
        Ok(())
    }

    /// `_compute_yarn_parameters` (arXiv 2309.00071): blended by a ramp over the pairs. Gives the attention factor.
    fn yarn(&self, frequencies: &mut [f64], theta: f64, context: usize) -> Result<f64, ModelError> {
        let original = positive(
            self.original_max_position_embeddings,
            "original_max_position_embeddings",
        )?;
        let factor = positive(self.factor.or(Some(context as f64 / original)), "factor")?;
        let size = 2.0 * frequencies.len() as f64;
        // The pair that turns so often in the training's context.
        let pair = |turns: f64| size * (original / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln());
        // transformers takes its defaults for a zero too.
        let given =
            |value: Option<f64>, default| value.filter(|value| *value != 0.0).unwrap_or(default);
        let mut low = pair(given(self.beta_fast, 32.0));
        let mut high = pair(given(self.beta_slow, 1.0));
        if self.truncate.unwrap_or(true) {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(size - 1.0));
        if low == high {
            high += 0.001;
        }
        for (index, frequency) in frequencies.iter_mut().enumerate() {
            let stretched = ((index as f64 - low) / (high - low)).clamp(0.0, 1.0);
            *frequency = *frequency / factor * stretched + *frequency * (1.0 - stretched);
        }
        let scale = |weight: f64| {
            if factor <= 1.0 {
                1.0
            } else {
                0.1 * weight * factor.ln() + 1.0
            }
        };
        Ok(
            match (self.attention_factor, self.mscale, self.mscale_all_dim) {
                (Some(factor), _, _) => factor,
                (None, Some(own), Some(all)) if own != 0.0 && all != 0.0 => scale(own) / scale(all),
                _ => scale(1.0),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scaling(json: &str) -> RopeScaling {
        serde_json::from_str(json).unwrap()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn linear_scaling_divides_every_frequency() {
        let plain = Rope::plain(10_000.0, 8);
        let rule = scaling(r#"{"type":"linear","factor":4.0}"#);
        let scaled = Rope::scaled(10_000.0, 8, Some(&rule), 64).unwrap();
        for (a, b) in plain
            .inverse_frequencies
            .iter()
            .zip(&scaled.inverse_frequencies)
        {
            assert!((a / 4.0 - b).abs() < 1e-12);
        }
    }

    /// transformers 5.23, `ROPE_INIT_FUNCTIONS["yarn"]`, head of 16, theta 10000.
    #[test]
    fn yarn_gives_the_frequencies_and_the_factor_of_transformers() {
        let rule =
            scaling(r#"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":256}"#);
        let rope = Rope::scaled(10_000.0, 16, Some(&rule), 1024).unwrap();
        close(&rope.inverse_frequencies, &YARN);
        assert!((rope.attention_factor - YARN_FACTOR).abs() < 1e-6);
        let rule = scaling(
            r#"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":256,"mscale":0.7,
            "mscale_all_dim":0.3,"beta_fast":16,"beta_slow":2,"truncate":false}"#,
        );
        let rope = Rope::scaled(10_000.0, 16, Some(&rule), 1024).unwrap();
        close(&rope.inverse_frequencies, &YARN_OTHER);
        assert!((rope.attention_factor - YARN_OTHER_FACTOR).abs() < 1e-6);
    }

    const YARN: [f64; 8] = [
        1.00000000e+00,
        2.56935060e-01,
        6.25000000e-02,
        1.38349654e-02,
        2.49999994e-03,
        7.90569466e-04,
        2.50000012e-04,
        7.90569466e-05,
    ];
    const YARN_FACTOR: f64 = 1.1386294;
    const YARN_OTHER: [f64; 8] = [
        1.00000000e+00,
        2.91525632e-01,
        5.06643951e-02,
        7.90569466e-03,
        2.49999994e-03,
        7.90569466e-04,
        2.50000012e-04,
        7.90569466e-05,
    ];
    const YARN_OTHER_FACTOR: f64 = 1.0532377;

    #[test]
    fn a_rule_without_its_numbers_is_told_which_it_lacks() {
        for (rule, lacks) in [
            (r#"{"type":"linear"}"#, "factor"),
            (r#"{"type":"llama3","factor":2.0}"#, "low_freq_factor"),
            (
                r#"{"type":"yarn","factor":2.0}"#,
                "original_max_position_embeddings",
            ),
        ] {
            let error = Rope::scaled(10_000.0, 8, Some(&scaling(rule)), 64).unwrap_err();
            assert!(error.to_string().contains(lacks), "{error}");
        }
    }

    #[test]
    fn a_factor_of_zero_is_refused() {
        let rule = scaling(r#"{"type":"linear","factor":0.0}"#);
        assert!(Rope::scaled(10_000.0, 8, Some(&rule), 64).is_err());
    }
}
