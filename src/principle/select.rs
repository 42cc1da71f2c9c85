//! Selection: the seeds vote for the principles that explain them, and as many are kept as a prompt has room for.
//!
//! The votes come from the student (see [`select`]), so this module knows no model, and nothing of it leaves.

use serde::Serialize;

use super::{PrincipleError, PrincipleSet};

/// A seed votes for a principle that raises its log-likelihood by more than this, in nats.
pub const VOTE: f32 = 0.01;

/// What became of a principle, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It adds to those kept before it.
    Kept,
    /// The seeds do not show it; its teacher knows more than they do.
    Trusted,
    /// All in all, the seeds are no likelier with it.
    NoGain,
    /// Those kept before it do as much for every seed.
    Redundant,
    /// It would add, but there is no room for it.
    NoRoom,
}

/// The seeds' verdict on one principle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The principle's id.
    pub id: String,
    /// What became of it.
    pub reason: Reason,
    /// Seeds that vote for it.
    pub votes: usize,
    /// By how much it raises the log-likelihood of all seeds together, in nats; below zero where it lowers it.
    pub gain: f32,
    /// By how much it raised it beyond the principles kept before it, when it was kept or turned down.
    pub added: f32,
    /// Its tokens in a prompt.
    pub tokens: usize,
}

/// The principles that were kept, and the verdict on each, in the order of the set.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The kept ones, in the order of the set.
    pub set: PrincipleSet,
    /// One verdict for each principle that stood for selection.
    pub verdicts: Vec<Verdict>,
}

/// Keeps principles by the seeds' votes, within a budget of tokens.
///
/// `votes[p][s]` is by how much principle `p` raises the student's log-likelihood of seed `s`, its label and its text,
/// over a prompt without principles, in nats; 0 where a principle does not concern the seed. `tokens[p]` is what the
/// principle takes in a prompt.
///
/// A prompt holds few principles, so each seed counts for the one that helps it most: the value of a choice is the sum
/// over the seeds of the largest gain among its principles (facility location). It is monotone and submodular, so taking
/// the principle with the most added value for each token, again and again, comes near the best choice (Nemhauser,
/// Wolsey and Fisher 1978; for costs, Khuller, Moss and Naor 1999). A principle under which the seeds together are no
/// likelier is never kept, except that one, the best, remains where there would be none.
///
/// With `trusting`, what is left of the budget goes to the others, each label's first before its second: of a teacher that knows
/// more than the seeds, a rule that none of a few seeds shows is what it was asked for, and nothing speaks against it.
///
/// # Errors
///
/// [`PrincipleError::BadVotes`] for votes or tokens of another shape than the set, or that are no numbers.
pub fn select(
    set: &PrincipleSet,
    votes: &[Vec<f32>],
    tokens: &[usize],
    budget: usize,
    trusting: bool,
) -> Result<Selection, PrincipleError> {
    let seeds = votes.first().map_or(0, Vec::len);
    let count = set.principles.len();
    if count == 0 {
        return Err(PrincipleError::Empty);
    }
    let shaped = votes.len() == count && tokens.len() == count;
    let sound = |row: &Vec<f32>| row.len() == seeds && row.iter().all(|vote| vote.is_finite());
    if !shaped || !votes.iter().all(sound) {
        return Err(PrincipleError::BadVotes {
            principles: count,
            found: votes.len(),
        });
    }
    let mut verdicts: Vec<Verdict> = set
        .principles
        .iter()
        .zip(votes)
        .zip(tokens)
        .map(|((principle, votes), &tokens)| Verdict {
            id: principle.id.clone(),
            reason: Reason::NoGain,
            votes: votes.iter().filter(|vote| **vote > VOTE).count(),
            gain: votes.iter().sum(),
            added: 0.0,
            tokens: tokens.max(1),
        })
        .collect();

    let mut open: Vec<usize> = (0..count).filter(|&p| verdicts[p].gain > VOTE).collect();
    let mut best_so_far = vec![0.0_f32; seeds];
    let mut room = budget;
    loop {
        for &p in &open {
            let raised = votes[p].iter().zip(&best_so_far);
            verdicts[p].added = raised.map(|(vote, best)| (vote - best).max(0.0)).sum();
        }
        let worth = |p: usize| verdicts[p].added / verdicts[p].tokens as f32;
        // The first of equals.
        let next = open
            .iter()
            .copied()
            .filter(|&p| verdicts[p].added > VOTE && verdicts[p].tokens <= room)
            .reduce(|best, p| if worth(p) > worth(best) { p } else { best });
        let Some(next) = next else { break };
        open.retain(|&p| p != next);
        verdicts[next].reason = Reason::Kept;
        room -= verdicts[next].tokens;
        for (best, vote) in best_so_far.iter_mut().zip(&votes[next]) {
            *best = best.max(*vote);
        }
    }
    for p in open {
        verdicts[p].reason = match verdicts[p].added > VOTE {
            true => Reason::NoRoom,
            false => Reason::Redundant,
        };
    }
    if trusting {
        for p in in_turns(set) {
            let verdict = &mut verdicts[p];
            if verdict.reason != Reason::Kept {
                verdict.reason = match verdict.tokens <= room {
                    true => Reason::Trusted,
                    false => Reason::NoRoom,
                };
                room -= verdict.tokens * usize::from(verdict.reason == Reason::Trusted);
            }
        }
    }
    let stays = |verdict: &Verdict| matches!(verdict.reason, Reason::Kept | Reason::Trusted);
    if !verdicts.iter().any(stays)
        && let Some(best) = (0..count).reduce(|best, p| {
            if verdicts[p].gain > verdicts[best].gain {
                p
            } else {
                best
            }
        })
    {
        verdicts[best].reason = Reason::Kept;
    }
    let kept = |place: usize| stays(&verdicts[place]);
    let principles = set.principles.iter().enumerate();
    Ok(Selection {
        set: PrincipleSet {
            version: set.version,
            task: set.task.clone(),
            principles: principles
                .filter(|(place, _)| kept(*place))
                .map(|(_, principle)| principle.clone())
                .collect(),
        },
        verdicts,
    })
}

/// The principles' places in an order in which each label's first, or each level's, come before any second.
fn in_turns(set: &PrincipleSet) -> Vec<usize> {
    let of = |place: usize| (set.principles[place].level, &set.principles[place].label);
    let turn = |place: usize| (0..place).filter(|other| of(*other) == of(place)).count();
    let turns: Vec<usize> = (0..set.principles.len()).map(turn).collect();
    let last = turns.iter().copied().max().unwrap_or(0);
    (0..=last)
        .flat_map(|turn| {
            (0..turns.len())
                .filter(|place| turns[*place] == turn)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::principle;
    use super::*;

    fn set(count: usize) -> PrincipleSet {
        let principles = (0..count).map(|p| super::super::Principle {
            id: format!("p{p}"),
            ..principle()
        });
        PrincipleSet {
            version: 1,
            task: "t".to_owned(),
            principles: principles.collect(),
        }
    }

    fn reasons(votes: &[&[f32]], tokens: &[usize], budget: usize) -> Vec<Reason> {
        let votes: Vec<Vec<f32>> = votes.iter().map(|row| row.to_vec()).collect();
        let selection = select(&set(votes.len()), &votes, tokens, budget, false).unwrap();
        let kept: Vec<&String> = selection.set.principles.iter().map(|p| &p.id).collect();
        let said: Vec<&String> = selection
            .verdicts
            .iter()
            .filter(|verdict| verdict.reason == Reason::Kept)
            .map(|verdict| &verdict.id)
            .collect();
        assert_eq!(kept, said);
        selection
            .verdicts
            .into_iter()
            .map(|verdict| verdict.reason)
            .collect()
    }

    use Reason::{Kept, NoGain, NoRoom, Redundant};

    #[test]
    fn principles_that_help_different_seeds_are_kept_and_their_doubles_are_not() {
        let votes: &[&[f32]] = &[
            &[1.0, 0.0, 0.0],
            &[0.9, 0.0, 0.0],
            &[0.0, 0.5, 0.5],
            &[0.0, -1.0, 0.2],
        ];
        assert_eq!(
            reasons(votes, &[5; 4], 100),
            [Kept, Redundant, Kept, NoGain]
        );
    }

    #[test]
    fn the_budget_goes_where_a_token_adds_most() {
        let votes: &[&[f32]] = &[&[3.0, 3.0], &[2.0, 0.0], &[0.0, 2.0]];
        assert_eq!(reasons(votes, &[30, 5, 5], 10), [NoRoom, Kept, Kept]);
        assert_eq!(reasons(votes, &[30, 5, 5], 40), [Kept, Kept, Kept]);
        assert_eq!(reasons(votes, &[6, 5, 5], 6), [Kept, Redundant, Redundant]);
    }

    #[test]
    fn one_principle_remains_even_when_none_helps() {
        assert_eq!(
            reasons(&[&[-2.0], &[-1.0], &[-3.0]], &[1; 3], 10),
            [NoGain, Kept, NoGain]
        );
        assert_eq!(reasons(&[&[], &[]], &[1; 2], 10), [Kept, NoGain]);
    }

    #[test]
    fn a_teacher_that_is_trusted_keeps_what_no_seed_shows_a_rule_of_each_label_first() {
        let mut set = set(5);
        for (principle, label) in set.principles.iter_mut().zip(["a", "a", "a", "b", "b"]) {
            principle.level = super::super::Level::Label;
            principle.label = Some(label.to_owned());
        }
        let votes: Vec<Vec<f32>> = [1.0, -1.0, -1.0, -1.0, -1.0].map(|v| vec![v]).to_vec();
        let reasons = |budget, trusting| -> Vec<Reason> {
            let found = select(&set, &votes, &[10; 5], budget, trusting).unwrap();
            found
                .verdicts
                .iter()
                .map(|verdict| verdict.reason)
                .collect()
        };
        use Reason::Trusted;
        assert_eq!(reasons(50, false), [Kept, NoGain, NoGain, NoGain, NoGain]);
        assert_eq!(
            reasons(50, true),
            [Kept, Trusted, Trusted, Trusted, Trusted]
        );
        assert_eq!(reasons(30, true), [Kept, Trusted, NoRoom, Trusted, NoRoom]);
        assert_eq!(
            select(&set, &votes, &[10; 5], 30, true)
                .unwrap()
                .set
                .principles
                .len(),
            3
        );
    }

    #[test]
    fn votes_and_gains_are_told() {
        let votes = vec![vec![0.5, 0.001, -0.1]];
        let verdict = select(&set(1), &votes, &[3], 10, false)
            .unwrap()
            .verdicts
            .remove(0);
        assert_eq!((verdict.votes, verdict.tokens), (1, 3));
        assert!((verdict.gain - 0.401).abs() < 1e-6);
    }

    #[test]
    fn greedy_is_near_the_best_choice() {
        let mut rng = fastrand::Rng::with_seed(17);
        for _ in 0..200 {
            let (count, seeds) = (8, 6);
            let votes: Vec<Vec<f32>> = (0..count)
                .map(|_| (0..seeds).map(|_| (rng.f32() - 0.3).max(0.0)).collect())
                .collect();
            let value = |chosen: &dyn Fn(usize) -> bool| -> f32 {
                (0..seeds)
                    .map(|s| {
                        (0..count)
                            .filter(|&p| chosen(p))
                            .map(|p| votes[p][s])
                            .fold(0.0, f32::max)
                    })
                    .sum()
            };
            let verdicts = select(&set(count), &votes, &[1; 8], 3, false)
                .unwrap()
                .verdicts;
            let ours = value(&|p| verdicts[p].reason == Kept);
            let best = (0..1_u32 << count)
                .filter(|mask| mask.count_ones() <= 3)
                .map(|mask| value(&|p| mask >> p & 1 == 1))
                .fold(0.0, f32::max);
            assert!(
                ours >= (1.0 - 1.0 / std::f32::consts::E) * best - 0.05,
                "{ours} of {best}"
            );
        }
    }

    #[test]
    fn votes_of_another_shape_or_that_are_no_numbers_are_refused() {
        let bad: [(Vec<Vec<f32>>, Vec<usize>); 4] = [
            (vec![vec![0.0]], vec![1, 1]),
            (vec![vec![0.0], vec![0.0, 1.0]], vec![1, 1]),
            (vec![vec![0.0], vec![f32::NAN]], vec![1, 1]),
            (vec![vec![0.0], vec![0.0]], vec![1]),
        ];
        for (votes, tokens) in bad {
            assert!(matches!(
                select(&set(2), &votes, &tokens, 9, false),
                Err(PrincipleError::BadVotes { .. })
            ));
        }
        assert_eq!(
            select(&set(0), &[], &[], 9, false),
            Err(PrincipleError::Empty)
        );
    }
}
