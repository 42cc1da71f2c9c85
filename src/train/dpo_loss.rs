//! The loss of DPO (arXiv 2305.18290) and of its kin, from the log-probabilities of whole answers; TRL's names.
//!
//! Everything here is a few numbers a pair, so it is computed on the host. What goes back to the device is one weight
//! a row of the language-model head: the token rows of an answer get minus the derivative by its log-probability
//! (`kernels::scores_gradient` is the gradient of `−Σ weight · ln p`).

/// What a preference costs, as a function of the margin `δ`, the chosen answer's log-ratio of policy to reference
/// less the rejected one's; TRL's `loss_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DpoLossType {
    /// `−ln σ(β·δ)`: DPO (arXiv 2305.18290, equation 7); with label smoothing ε it is the conservative
    /// `−(1 − ε)·ln σ(β·δ) − ε·ln σ(−β·δ)`.
    #[default]
    Sigmoid,
    /// `max(0, 1 − β·δ)`: the hinge of SLiC-HF (arXiv 2305.10425).
    Hinge,
    /// `(δ − 1/(2β))²`: IPO (arXiv 2310.12036, equation 17), where, as in TRL, `δ` is made of each answer's mean over
    /// its tokens, so that long answers do not count more.
    Ipo,
}

/// What a run of DPO is told; TRL's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpoLossConfig {
    /// How strongly the policy is held to the reference; above 0.
    pub beta: f64,
    /// The share of pairs that are thought to be the wrong way round, from 0 to below 0.5; only
    /// [`DpoLossType::Sigmoid`] heeds it.
    pub label_smoothing: f64,
    /// What a preference costs.
    pub loss_type: DpoLossType,
}

impl Default for DpoLossConfig {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
            loss_type: DpoLossType::Sigmoid,
        }
    }
}

/// Numbers no loss can be made of.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DpoLossError {
    /// No pairs.
    #[error("there are no preference pairs in the batch; every batch needs one")]
    Empty,
    /// A beta that is not above 0.
    #[error("dpo beta is {0}; it must be above 0, such as 0.1")]
    Beta(f64),
    /// A label smoothing out of range.
    #[error("dpo label_smoothing is {0}; it must be at least 0 and below 0.5")]
    LabelSmoothing(f64),
    /// An answer of no tokens.
    #[error("preference pair {0} has an answer without tokens; drop the pair")]
    NoTokens(usize),
}

/// One answer of a pair, as policy and reference see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswerLogps {
    /// Its log-probability under the policy: the sum over its tokens.
    pub policy: f64,
    /// That under the reference.
    pub reference: f64,
    /// Its tokens; only [`DpoLossType::Ipo`] heeds them, but there must be one.
    pub tokens: usize,
}

impl AnswerLogps {
    fn ratio(&self) -> f64 {
        self.policy - self.reference
    }
}

/// A preference: one answer over the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLogps {
    /// The better answer.
    pub chosen: AnswerLogps,
    /// The worse one.
    pub rejected: AnswerLogps,
}

/// The derivative of the batch's loss by the policy's log-probability of each answer of a pair.
///
/// The row weights of an answer's tokens in `kernels::scores_gradient` are minus these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairGradient {
    /// By that of the chosen answer.
    pub chosen: f64,
    /// By that of the rejected one.
    pub rejected: f64,
}

/// What TRL logs of a batch, each a mean over its pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpoMetrics {
    /// β times the log-ratio of the chosen answer.
    pub rewards_chosen: f64,
    /// β times that of the rejected answer.
    pub rewards_rejected: f64,
    /// The share of pairs whose chosen answer has the higher reward.
    pub rewards_accuracies: f64,
    /// Reward of the chosen answer less that of the rejected one.
    pub rewards_margins: f64,
    /// The policy's log-probability of the chosen answer.
    pub logps_chosen: f64,
    /// That of the rejected one.
    pub logps_rejected: f64,
}

impl DpoMetrics {
    /// The values under TRL's names.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("rewards/chosen", self.rewards_chosen),
            ("rewards/rejected", self.rewards_rejected),
            ("rewards/accuracies", self.rewards_accuracies),
            ("rewards/margins", self.rewards_margins),
            ("logps/chosen", self.logps_chosen),
            ("logps/rejected", self.logps_rejected),
        ]
    }
}

/// The loss of a batch and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct DpoLoss {
    /// The mean over the pairs; no number if a log-probability is none.
    pub loss: f64,
    /// Its derivatives, in the order of the pairs.
    pub gradients: Vec<PairGradient>,
    /// For people.
    pub metrics: DpoMetrics,
}

/// The loss of a batch of preference pairs.
///
/// # Errors
///
/// [`DpoLossError`] when there are no pairs, a pair has an empty answer, or the configuration is out of range.
pub fn dpo_loss(pairs: &[PairLogps], config: &DpoLossConfig) -> Result<DpoLoss, DpoLossError> {
    let DpoLossConfig {
        beta,
        label_smoothing: smoothing,
        loss_type,
    } = *config;
    if !(beta.is_finite() && beta > 0.0) {
        return Err(DpoLossError::Beta(beta));
    }
    if !(0.0..0.5).contains(&smoothing) {
        return Err(DpoLossError::LabelSmoothing(smoothing));
    }
    if pairs.is_empty() {
        return Err(DpoLossError::Empty);
    }
    let count = pairs.len() as f64;
    let mut loss = 0.0;
    let mut gradients = Vec::with_capacity(pairs.len());
    // Chosen and rejected reward, accuracy, chosen and rejected log-probability.
    let mut sums = [0.0; 5];
    for (index, PairLogps { chosen, rejected }) in pairs.iter().enumerate() {
        if chosen.tokens == 0 || rejected.tokens == 0 {
            return Err(DpoLossError::NoTokens(index));
        }
        // Each answer's share in the margin, per unit of its log-ratio.
        let (to_chosen, to_rejected) = match loss_type {
            DpoLossType::Ipo => (1.0 / chosen.tokens as f64, 1.0 / rejected.tokens as f64),
            DpoLossType::Sigmoid | DpoLossType::Hinge => (1.0, 1.0),
        };
        let margin = chosen.ratio() * to_chosen - rejected.ratio() * to_rejected;
        let (value, slope) = cost(margin, beta, smoothing, loss_type);
        loss += value / count;
        gradients.push(PairGradient {
            chosen: slope * to_chosen / count,
            rejected: -slope * to_rejected / count,
        });
        let rewards = (beta * chosen.ratio(), beta * rejected.ratio());
        let won = f64::from(u8::from(rewards.0 > rewards.1));
        let seen = [rewards.0, rewards.1, won, chosen.policy, rejected.policy];
        for (sum, value) in sums.iter_mut().zip(seen) {
            *sum += value / count;
        }
    }
    let [
        rewards_chosen,
        rewards_rejected,
        rewards_accuracies,
        logps_chosen,
        logps_rejected,
    ] = sums;
    Ok(DpoLoss {
        loss,
        gradients,
        metrics: DpoMetrics {
            rewards_chosen,
            rewards_rejected,
            rewards_accuracies,
            rewards_margins: rewards_chosen - rewards_rejected,
            logps_chosen,
            logps_rejected,
        },
    })
}

/// The cost of a margin, and its derivative by it.
fn cost(margin: f64, beta: f64, smoothing: f64, loss_type: DpoLossType) -> (f64, f64) {
    match loss_type {
        DpoLossType::Sigmoid => {
            let x = beta * margin;
            // σ(−x), from the exponential that cannot overflow.
            let small = (-x.abs()).exp();
            let wrong = if x > 0.0 { small } else { 1.0 } / (1.0 + small);
            // −ln σ(−x) is −ln σ(x) plus x.
            let value = (-x).max(0.0) + small.ln_1p() + smoothing * x;
            (value, beta * (smoothing - wrong))
        }
        DpoLossType::Hinge => {
            let gap = 1.0 - beta * margin;
            // A comparison that keeps what is no number.
            if gap <= 0.0 { (0.0, 0.0) } else { (gap, -beta) }
        }
        DpoLossType::Ipo => {
            let gap = margin - 0.5 / beta;
            (gap * gap, 2.0 * gap)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TYPES: [DpoLossType; 3] = [DpoLossType::Sigmoid, DpoLossType::Hinge, DpoLossType::Ipo];

    fn config(loss_type: DpoLossType, beta: f64, label_smoothing: f64) -> DpoLossConfig {
        DpoLossConfig {
            beta,
            label_smoothing,
            loss_type,
        }
    }

    fn answer(policy: f64, reference: f64, tokens: usize) -> AnswerLogps {
        AnswerLogps {
            policy,
            reference,
            tokens,
        }
    }

    fn pair(chosen: AnswerLogps, rejected: AnswerLogps) -> PairLogps {
        PairLogps { chosen, rejected }
    }

    /// Log-ratios +2 and −3 (margin 5), and −1 and +3 (margin −4).
    fn pairs() -> [PairLogps; 2] {
        [
            pair(answer(-10.0, -12.0, 4), answer(-23.0, -20.0, 6)),
            pair(answer(-31.0, -30.0, 10), answer(-17.0, -20.0, 5)),
        ]
    }

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9,
            "{found} where {expected} is right"
        );
    }

    #[test]
    fn the_sigmoid_loss_is_the_one_worked_out_by_hand() {
        // β·δ is 0.5 and −0.4: −ln σ is 0.474076984 and 0.913015252.
        let found = dpo_loss(&pairs(), &config(DpoLossType::Sigmoid, 0.1, 0.0)).unwrap();
        assert_near(found.loss, 0.693_546_118_290_0);
        // −β·σ(−β·δ)/2: σ(−0.5) is 0.377540669, σ(0.4) is 0.598687660.
        assert_near(found.gradients[0].chosen, -0.018_877_033_439_907_3);
        assert_near(found.gradients[1].chosen, -0.029_934_383_005_6);
        assert_near(found.gradients[1].rejected, 0.029_934_383_005_6);
    }

    #[test]
    fn label_smoothing_takes_a_share_of_the_pair_turned_round() {
        // 0.8 · 0.474076984 + 0.2 · 0.974076984
        let found = dpo_loss(&pairs()[..1], &config(DpoLossType::Sigmoid, 0.1, 0.2)).unwrap();
        assert_near(found.loss, 0.574_076_984_180_1);
        // β·(ε − σ(−0.5))
        assert_near(found.gradients[0].chosen, -0.017_754_066_879_8);
    }

    #[test]
    fn the_hinge_loss_is_the_one_worked_out_by_hand() {
        // 1 − 0.5 and 1 + 0.4; at β = 0.3 the first pair's 1 − 1.5 is below 0.
        let found = dpo_loss(&pairs(), &config(DpoLossType::Hinge, 0.1, 0.0)).unwrap();
        assert_near(found.loss, 0.95);
        assert_near(found.gradients[0].chosen, -0.05);
        let found = dpo_loss(&pairs(), &config(DpoLossType::Hinge, 0.3, 0.0)).unwrap();
        assert_near(found.loss, 1.1);
        assert_near(found.gradients[0].chosen, 0.0);
        assert_near(found.gradients[1].rejected, 0.15);
    }

    #[test]
    fn the_ipo_loss_takes_the_mean_over_the_tokens() {
        // Margins 2/4 + 3/6 = 1 and −1/10 − 3/5 = −0.7; 1/(2β) is 2: (−1)² and (−2.7)².
        let found = dpo_loss(&pairs(), &config(DpoLossType::Ipo, 0.25, 0.0)).unwrap();
        assert_near(found.loss, 4.145);
        // 2 · −1 / 4 tokens / 2 pairs, 2 · 2.7 / 5 / 2
        assert_near(found.gradients[0].chosen, -0.25);
        assert_near(found.gradients[1].rejected, 0.54);
    }

    #[test]
    fn the_gradient_equals_the_difference_quotient_for_every_type() {
        let pairs = pairs();
        for loss_type in TYPES {
            for (beta, smoothing) in [(0.1, 0.0), (0.3, 0.1), (2.0, 0.4)] {
                let config = config(loss_type, beta, smoothing);
                let found = dpo_loss(&pairs, &config).unwrap().gradients;
                for index in 0..pairs.len() {
                    let moved = |chosen: f64, rejected: f64| {
                        let mut pairs = pairs;
                        pairs[index].chosen.policy += chosen;
                        pairs[index].rejected.policy += rejected;
                        dpo_loss(&pairs, &config).unwrap().loss
                    };
                    let step = 1e-6;
                    let by_chosen = (moved(step, 0.0) - moved(-step, 0.0)) / (2.0 * step);
                    let by_rejected = (moved(0.0, step) - moved(0.0, -step)) / (2.0 * step);
                    let (chosen, rejected) = (found[index].chosen, found[index].rejected);
                    assert!(
                        (chosen - by_chosen).abs() < 1e-7,
                        "{config:?}: {chosen} {by_chosen}"
                    );
                    assert!(
                        (rejected - by_rejected).abs() < 1e-7,
                        "{config:?}: {rejected} {by_rejected}"
                    );
                }
            }
        }
    }

    #[test]
    fn margins_of_any_size_have_a_loss() {
        for (far, expected) in [(1e5, 0.0), (-1e5, 1e4)] {
            let pairs = [pair(answer(far, 0.0, 1), answer(0.0, 0.0, 1))];
            let found = dpo_loss(&pairs, &DpoLossConfig::default()).unwrap();
            assert_near(found.loss, expected);
            assert_near(
                found.gradients[0].chosen,
                if far > 0.0 { 0.0 } else { -0.1 },
            );
        }
    }

    #[test]
    fn a_log_probability_that_is_no_number_makes_the_loss_none() {
        for loss_type in TYPES {
            let mut pairs = pairs();
            pairs[0].rejected.policy = f64::NAN;
            let found = dpo_loss(&pairs, &config(loss_type, 0.1, 0.0)).unwrap();
            assert!(found.loss.is_nan(), "{loss_type:?}");
        }
    }

    #[test]
    fn metrics_have_the_names_and_values_of_trl() {
        let found = dpo_loss(&pairs(), &DpoLossConfig::default()).unwrap();
        let expected = [
            ("rewards/chosen", 0.05),
            ("rewards/rejected", 0.0),
            ("rewards/accuracies", 0.5),
            ("rewards/margins", 0.05),
            ("logps/chosen", -20.5),
            ("logps/rejected", -20.0),
        ];
        for ((name, value), (expected_name, expected)) in
            found.metrics.named().into_iter().zip(expected)
        {
            assert_eq!(name, expected_name);
            assert_near(value, expected);
        }
    }

    #[test]
    fn an_untrained_policy_is_right_about_no_pair_and_loses_ln_2() {
        let pairs = [pair(answer(-5.0, -5.0, 3), answer(-9.0, -9.0, 4))];
        let found = dpo_loss(&pairs, &DpoLossConfig::default()).unwrap();
        assert_near(found.loss, std::f64::consts::LN_2);
        // Equal rewards are no success, as in TRL.
        assert_near(found.metrics.rewards_accuracies, 0.0);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let fine = pairs();
        let error = |pairs: &[PairLogps], config| dpo_loss(pairs, &config).unwrap_err();
        assert_eq!(error(&[], DpoLossConfig::default()), DpoLossError::Empty);
        for beta in [0.0, -0.1, f64::INFINITY] {
            let config = config(DpoLossType::Sigmoid, beta, 0.0);
            assert_eq!(error(&fine, config), DpoLossError::Beta(beta));
        }
        for smoothing in [-0.1, 0.5] {
            let config = config(DpoLossType::Sigmoid, 0.1, smoothing);
            assert_eq!(
                error(&fine, config),
                DpoLossError::LabelSmoothing(smoothing)
            );
        }
        let empty = [fine[0], pair(answer(-1.0, -1.0, 0), answer(-1.0, -1.0, 1))];
        assert_eq!(
            error(&empty, DpoLossConfig::default()),
            DpoLossError::NoTokens(1)
        );
    }

    /// PyTorch's ten steps of DPO on the tiny model; see `tests/fixtures`.
    #[test]
    fn losses_and_rewards_are_those_of_the_reference_run() {
        let numbers: serde_json::Value = serde_json::from_slice(include_bytes!(
            "../../tests/fixtures/tiny-llama-1m/expected.json"
        ))
        .unwrap();
        let run = &numbers["dpo"];
        let config = config(DpoLossType::Sigmoid, run["beta"].as_f64().unwrap(), 0.0);
        let steps = run["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 10);
        for step in steps {
            // Chosen 0 and 1, then rejected 0 and 1.
            let logps = |row: usize| {
                let of = |name: &str| step[name][row].as_f64().unwrap();
                answer(of("policy_logps"), of("ref_logps"), 1)
            };
            let pairs = [pair(logps(0), logps(2)), pair(logps(1), logps(3))];
            let found = dpo_loss(&pairs, &config).unwrap();
            for (found, name) in [
                (found.loss, "loss"),
                (found.metrics.rewards_chosen, "reward_chosen"),
                (found.metrics.rewards_rejected, "reward_rejected"),
                (found.metrics.rewards_margins, "margin"),
                (found.metrics.rewards_accuracies, "accuracy"),
            ] {
                let expected = step[name].as_f64().unwrap();
                assert!(
                    (found - expected).abs() < 2e-6,
                    "{name} is {found}, not {expected}"
                );
            }
        }
    }
}
