//! The cleaner (LANCE): new prompts and answers must have a usual length and differ from what they were made from.

use super::filter::Filter;
use super::refusal::Refusal;
use super::similarity::rouge_l;
use crate::task::words::words;

/// What a new prompt or answer must keep to; the published values by default (arXiv 2412.15151, the released code).
///
/// The published 5 to 4096 words of a prompt are not here: the seeds say how long the texts of a task are (see
/// [`Limits`](super::Limits)), and many have fewer than five words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanLimits {
    /// ROUGE-L recall, precision or F above this, against parent or sibling, is too similar.
    pub similar: f64,
    /// The fewest and the most words of an answer that is free text.
    pub answer_words: (usize, usize),
}

impl Default for CleanLimits {
    fn default() -> Self {
        Self {
            similar: 0.7,
            answer_words: (10, 4096),
        }
    }
}

/// Cleans what was made from one parent, and keeps all that was accepted from being said again.
#[derive(Clone, Debug)]
pub struct Cleaner {
    limits: CleanLimits,
    filter: Filter,
}

impl Cleaner {
    /// A cleaner over a filter that knows the seeds (it keeps copies and doubles away across parents and rounds, which
    /// the released code does not).
    pub fn new(filter: Filter, limits: CleanLimits) -> Self {
        Self { limits, filter }
    }

    /// The filter it stands on.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Checks a new prompt: whole, of a length the seeds have, no copy of a seed, not like anything accepted before, and
    /// not like its parent and its siblings by recall, precision or F.
    ///
    /// # Errors
    ///
    /// The first reason to refuse it.
    pub fn check_prompt(
        &self,
        text: &str,
        label: &str,
        finished: bool,
        parent: &str,
        siblings: &[&str],
    ) -> Result<(), Refusal> {
        self.filter.check(text, label, finished)?;
        unlike(text, parent, siblings, self.limits.similar)
    }

    /// Checks a free-text answer against others to the same prompt.
    ///
    /// # Errors
    ///
    /// The first reason to refuse it.
    pub fn check_answer(&self, text: &str, others: &[&str]) -> Result<(), Refusal> {
        let count = words(text).len();
        let (least, most) = self.limits.answer_words;
        if count < least || count > most {
            return Err(Refusal::Length {
                words: count,
                least,
                most,
            });
        }
        match others.split_first() {
            Some((first, rest)) => unlike(text, first, rest, self.limits.similar),
            None => Ok(()),
        }
    }

    /// Remembers a prompt that was kept.
    pub fn accept(&mut self, text: &str) {
        self.filter.accept(text);
    }
}

fn unlike(text: &str, parent: &str, siblings: &[&str], most: f64) -> Result<(), Refusal> {
    for other in std::iter::once(&parent).chain(siblings) {
        let rouge = rouge_l(text, other);
        let score = rouge.f.max(rouge.precision).max(rouge.recall);
        if score > most {
            return Err(Refusal::Similar {
                other: other.chars().take(80).collect(),
                score,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::curate::Limits;

    fn cleaner() -> Cleaner {
        let seeds = ["play some slow jazz tonight", "book a table for two now"];
        Cleaner::new(
            Filter::new(&seeds, Limits::default()),
            CleanLimits::default(),
        )
    }

    fn refusal(text: &str, parent: &str, siblings: &[&str]) -> &'static str {
        cleaner()
            .check_prompt(text, "x", true, parent, siblings)
            .map_or_else(|refusal| refusal.code(), |()| "kept")
    }

    #[test]
    fn a_prompt_that_holds_its_parent_is_refused_by_recall_alone() {
        // F is 2·3 / (3 + 7) = 0.6, recall is 1.
        let parent = "find the hotel";
        assert_eq!(
            refusal("please now find me the nice hotel", parent, &[]),
            "similar"
        );
        assert_eq!(refusal("where can i sleep tonight", parent, &[]), "kept");
    }

    #[test]
    fn a_single_new_prompt_is_checked_against_its_parent_too() {
        let parent = "show me the map of town";
        assert_eq!(
            refusal("show me the map of the town", parent, &[]),
            "similar"
        );
    }

    #[test]
    fn siblings_must_differ_from_each_other() {
        let siblings = ["what is the news of today"];
        assert_eq!(refusal("what is the news", "x y", &siblings), "similar");
    }

    #[test]
    fn what_another_parent_has_brought_forth_is_not_kept_again() {
        let mut cleaner = cleaner();
        cleaner.accept("find a quiet room by the sea");
        let refused = cleaner.check_prompt("find a quiet room by the lake", "x", true, "a b", &[]);
        assert_eq!(refused.unwrap_err().code(), "similar");
    }

    #[test]
    fn an_answer_needs_ten_words_and_must_differ_from_the_others() {
        let cleaner = cleaner();
        assert_eq!(
            cleaner.check_answer("too short", &[]).unwrap_err().code(),
            "length"
        );
        let long = "one two three four five six seven eight nine ten";
        assert_eq!(cleaner.check_answer(long, &[]), Ok(()));
        assert_eq!(
            cleaner.check_answer(long, &[long]).unwrap_err().code(),
            "similar"
        );
        let other = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda";
        assert_eq!(cleaner.check_answer(long, &[other]), Ok(()));
    }
}
