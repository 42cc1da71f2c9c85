//! Epsilon, in whole thousandths, so that budgets add up exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BriefError, Entropy};

/// How much a release may tell of one seed, in thousandths: the probability of any outcome changes by a factor of at
/// most e^ε when a seed is added or taken away. Smaller is more private and more noisy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Epsilon(u32);

impl Epsilon {
    /// Nothing is told.
    pub const ZERO: Self = Self(0);
    /// What a round spends unless the user chooses otherwise.
    pub const ROUND: Self = Self(2_000);
    /// What all rounds together may spend unless the user chooses otherwise.
    pub const TOTAL: Self = Self(6_000);
    /// The largest that is accepted; far below it the bound has stopped to mean much.
    const MOST: u32 = 100_000;

    /// So many thousandths.
    ///
    /// # Errors
    ///
    /// [`BriefError::Epsilon`] above 100.
    pub fn new(thousandths: u32) -> Result<Self, BriefError> {
        if thousandths > Self::MOST {
            return Err(BriefError::Epsilon(Self(thousandths).to_string()));
        }
        Ok(Self(thousandths))
    }

    /// ε in thousandths.
    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// Both together: the bound of two releases.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of this after `other`; zero where that is more.
    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// One of `parts` equal parts, rounded down: what does not divide evenly is not spent.
    pub(super) fn split(self, parts: usize) -> Self {
        Self(self.0 / u32::try_from(parts.max(1)).unwrap_or(u32::MAX))
    }

    /// The scale of the noise, 1/ε in seeds; for rounding and suppressing only, never for drawing.
    pub(super) fn scale(self) -> f64 {
        1000.0 / f64::from(self.0.max(1))
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> Self {
        Self::from(epsilon.0) / 1000.0
    }
}

impl TryFrom<f64> for Epsilon {
    type Error = BriefError;

    /// Rounds to the nearest thousandth.
    fn try_from(value: f64) -> Result<Self, BriefError> {
        if !(0.0..=100.0).contains(&value) {
            return Err(BriefError::Epsilon(value.to_string()));
        }
        Self::new((value * 1000.0).round() as u32)
    }
}

impl std::str::FromStr for Epsilon {
    type Err = BriefError;

    /// Reads what a user chooses: a number from 0.01 to 100.
    fn from_str(text: &str) -> Result<Self, BriefError> {
        let refused = || BriefError::Epsilon(text.chars().take(20).collect());
        let value: f64 = text.trim().parse().map_err(|_| refused())?;
        let epsilon = Self::try_from(value).map_err(|_| refused())?;
        if epsilon.0 < 10 {
            return Err(refused());
        }
        Ok(epsilon)
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f64::from(*self).fmt(f)
    }
}

/// One noisy drawing and what it costs. It is charged once, however often its result is sent: what was told once
/// tells no more the second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Drawn by chance; tells this drawing from others.
    pub id: String,
    /// What it costs.
    pub epsilon: Epsilon,
}

impl Release {
    pub(super) fn new(epsilon: Epsilon, entropy: &mut dyn Entropy) -> Result<Self, BriefError> {
        let mut id = String::new();
        for word in [entropy.bits()?, entropy.bits()?] {
            id.push_str(&format!("{word:016x}"));
        }
        Ok(Self { id, epsilon })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn epsilon_is_read_and_written_exactly() {
        for text in ["2", "0.5", "0.333", "0.01", "100"] {
            let epsilon: Epsilon = text.parse().unwrap();
            assert_eq!(epsilon.to_string(), text);
            let json = serde_json::to_string(&epsilon).unwrap();
            assert_eq!(serde_json::from_str::<Epsilon>(&json).unwrap(), epsilon);
        }
    }

    #[test]
    fn an_epsilon_that_is_none_is_refused_with_its_range() {
        for text in ["0", "-1", "101", "NaN", "inf", "", "two", "0.0001", "1e9"] {
            let error = text.parse::<Epsilon>().unwrap_err().to_string();
            assert!(error.contains("0.01"), "{error}");
        }
        assert!(serde_json::from_str::<Epsilon>("-3").is_err());
        assert!(Epsilon::new(100_001).is_err());
    }

    #[test]
    fn parts_never_add_up_to_more_than_the_whole() {
        let whole = Epsilon::new(1001).unwrap();
        for parts in 1..50 {
            let part = whole.split(parts).thousandths() as usize;
            assert!(part * parts <= 1001);
        }
        assert_eq!(whole.split(0), whole);
    }
}
