//! Exact noise: discrete Laplace, sampled from uniform bits with whole numbers only.
//!
//! Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020), algorithms 1 and 2.
//! No floating-point number takes part, so there is none whose rounding could tell one set of seeds from another
//! (Mironov, "On Significance of the Least Significant Bits for Differential Privacy", CCS 2012).
//!
//! The bits come from the system's secure source, never from a run's seed: whoever reads the seed in a report could
//! draw the noise again and take it off. So the noise is not recorded either; what is recorded is the noisy result.

use super::{BriefError, Epsilon};

/// A source of uniform random bits.
pub trait Entropy {
    /// 64 fresh bits.
    ///
    /// # Errors
    ///
    /// [`BriefError::NoEntropy`] where the source has none.
    fn bits(&mut self) -> Result<u64, BriefError>;
}

/// The secure source of the system: `crypto.getRandomValues` in the browser, the kernel's at the desk.
#[derive(Debug, Default)]
pub struct OsEntropy {
    store: Vec<u64>,
}

/// Words fetched at once: a call out of WebAssembly costs more than the bits.
const FETCHED: usize = 128;

impl Entropy for OsEntropy {
    fn bits(&mut self) -> Result<u64, BriefError> {
        if self.store.is_empty() {
            let mut bytes = [0; 8 * FETCHED];
            getrandom::fill(&mut bytes).map_err(|_| BriefError::NoEntropy)?;
            self.store = bytes
                .as_chunks()
                .0
                .iter()
                .map(|word| u64::from_le_bytes(*word))
                .collect();
        }
        self.store.pop().ok_or(BriefError::NoEntropy)
    }
}

/// One draw of discrete Laplace noise: the whole number x with a probability proportional to exp(-ε |x|).
///
/// Added to a count that one seed changes by at most 1, it makes the count ε-differentially private.
///
/// # Errors
///
/// [`BriefError::NoEntropy`], and [`BriefError::Epsilon`] for an ε of zero, which would ask for endless noise.
pub fn discrete_laplace(epsilon: Epsilon, entropy: &mut dyn Entropy) -> Result<i64, BriefError> {
    // ε = s / t, both whole.
    let (s, t) = (u64::from(epsilon.thousandths()), 1000);
    if s == 0 {
        return Err(BriefError::Epsilon("0".into()));
    }
    loop {
        let u = below(t, entropy)?;
        if !exp_minus(u, t, entropy)? {
            continue;
        }
        let mut v = 0;
        while exp_minus(1, 1, entropy)? {
            v += 1;
        }
        let magnitude = ((u + t * v) / s) as i64;
        let negative = entropy.bits()? & 1 == 1;
        // Zero would come up twice, once with each sign.
        if !(negative && magnitude == 0) {
            return Ok(if negative { -magnitude } else { magnitude });
        }
    }
}

/// A uniform whole number below `bound`, which is at least 1.
fn below(bound: u64, entropy: &mut dyn Entropy) -> Result<u64, BriefError> {
    // The last, incomplete run of `bound` numbers is drawn again, for it would favour the small ones.
    let rest = (u64::MAX % bound + 1) % bound;
    loop {
        let bits = entropy.bits()?;
        if bits <= u64::MAX - rest {
            return Ok(bits % bound);
        }
    }
}

/// True with the probability exp(-n/d), for n ≤ d.
fn exp_minus(n: u64, d: u64, entropy: &mut dyn Entropy) -> Result<bool, BriefError> {
    let mut k = 1;
    // Comes to its end at once: k! grows fast.
    while below(d * k, entropy)? < n {
        k += 1;
    }
    Ok(k % 2 == 1)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Bits that are the same in every test run.
    pub(crate) struct Seeded(pub(crate) fastrand::Rng);

    impl Seeded {
        pub(crate) fn new(seed: u64) -> Self {
            Self(fastrand::Rng::with_seed(seed))
        }
    }

    impl Entropy for Seeded {
        fn bits(&mut self) -> Result<u64, BriefError> {
            Ok(self.0.u64(..))
        }
    }

    struct Dry;
    impl Entropy for Dry {
        fn bits(&mut self) -> Result<u64, BriefError> {
            Err(BriefError::NoEntropy)
        }
    }

    /// Within five standard deviations of what is expected: one test in a million would fail by chance, and these
    /// bits are always the same.
    pub(crate) fn near(seen: usize, draws: usize, probability: f64) -> bool {
        let expected = draws as f64 * probability;
        (seen as f64 - expected).abs() <= 5.0 * (expected * (1.0 - probability)).sqrt() + 1.0
    }

    #[test]
    fn uniform_numbers_are_below_their_bound_and_even() {
        let mut entropy = Seeded::new(1);
        let mut seen = [0; 7];
        for _ in 0..70_000 {
            seen[below(7, &mut entropy).unwrap() as usize] += 1;
        }
        assert!(
            seen.iter().all(|&count| near(count, 70_000, 1.0 / 7.0)),
            "{seen:?}"
        );
        assert_eq!(below(1, &mut entropy).unwrap(), 0);
    }

    #[test]
    fn bits_past_the_last_whole_run_are_drawn_again() {
        struct Two(Vec<u64>);
        impl Entropy for Two {
            fn bits(&mut self) -> Result<u64, BriefError> {
                self.0.pop().ok_or(BriefError::NoEntropy)
            }
        }
        // 2^64 = 3 · 6148914691236517205 + 1: only the very last number is too many.
        assert_eq!(below(3, &mut Two(vec![5, u64::MAX])).unwrap(), 2);
        assert_eq!(below(3, &mut Two(vec![u64::MAX - 1])).unwrap(), 2);
        assert_eq!(below(4, &mut Two(vec![u64::MAX])).unwrap(), 3);
    }

    #[test]
    fn exp_minus_has_its_probability() {
        let mut entropy = Seeded::new(2);
        for (n, d) in [(0, 1), (1, 3), (999, 1000), (1, 1)] {
            let seen = (0..50_000)
                .filter(|_| exp_minus(n, d, &mut entropy).unwrap())
                .count();
            assert!(
                near(seen, 50_000, (-(n as f64) / d as f64).exp()),
                "{n}/{d}: {seen}"
            );
        }
    }

    #[test]
    fn the_noise_follows_the_discrete_laplace_law() {
        for thousandths in [250, 1000, 2500] {
            let mut entropy = Seeded::new(u64::from(thousandths));
            let epsilon = Epsilon::new(thousandths).unwrap();
            let e = f64::from(thousandths) / 1000.0;
            let mut seen = std::collections::BTreeMap::new();
            for _ in 0..60_000 {
                *seen
                    .entry(discrete_laplace(epsilon, &mut entropy).unwrap())
                    .or_insert(0) += 1;
            }
            // (e^ε - 1) / (e^ε + 1) · e^(-ε |x|)
            let zero = (e.exp() - 1.0) / (e.exp() + 1.0);
            for x in -8_i64..=8 {
                let expected = zero * (-e * x.unsigned_abs() as f64).exp();
                let count = seen.get(&x).copied().unwrap_or(0);
                assert!(near(count, 60_000, expected), "ε {e}, x {x}: {count}");
            }
        }
    }

    #[test]
    fn without_bits_there_is_no_noise_and_no_panic() {
        let epsilon = Epsilon::new(1000).unwrap();
        assert_eq!(
            discrete_laplace(epsilon, &mut Dry),
            Err(BriefError::NoEntropy)
        );
        assert!(discrete_laplace(Epsilon::ZERO, &mut Seeded::new(1)).is_err());
    }

    #[test]
    fn the_system_gives_bits_that_differ() {
        let mut entropy = OsEntropy::default();
        let drawn: std::collections::BTreeSet<u64> =
            (0..300).map(|_| entropy.bits().unwrap()).collect();
        assert_eq!(drawn.len(), 300);
    }
}
