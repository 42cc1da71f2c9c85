//! Which words tell one group of texts from another.
//!
//! Log-odds with an informative Dirichlet prior: Monroe, Colaresi and Quinn, "Fightin' Words: Lexical Feature Selection
//! and Evaluation for Identifying the Content of Political Conflict" (Political Analysis 16, 2008), equations 15, 16 and
//! 22. Counts are of texts, not of tokens, so that one text that repeats itself does not decide.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::phrases::{is_function_word, is_question_word};
use crate::order;

/// The prior's weight, as a share of everything counted: strong enough to keep words seen once in their place.
const PRIOR: f64 = 0.1;

/// Above this a difference is not chance (two-sided 95 %).
const CERTAIN: f64 = 1.96;

/// The longest word worth a rule; longer ones are links and the like.
const LONGEST_WORD: usize = 24;

/// In how many texts each word and each pair of neighbouring words stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    words: BTreeMap<String, usize>,
    pairs: BTreeMap<String, usize>,
    all_words: usize,
    all_pairs: usize,
}

impl Counts {
    pub(super) fn add(&mut self, text: &[String]) {
        let words: BTreeSet<&String> = text.iter().collect();
        let pairs: BTreeSet<String> = text.windows(2).map(|pair| pair.join(" ")).collect();
        self.all_words += words.len();
        self.all_pairs += pairs.len();
        for word in words {
            *self.words.entry(word.clone()).or_default() += 1;
        }
        for pair in pairs {
            *self.pairs.entry(pair).or_default() += 1;
        }
    }

    /// How many texts hold the word.
    pub(super) fn word(&self, word: &str) -> usize {
        self.words.get(word).copied().unwrap_or(0)
    }
}

/// How alike groups of texts are, by the words that say something.
#[derive(Clone, Debug)]
pub(super) struct Likeness {
    /// For each group its words, by number in rising order, with their counts; as long as 1 altogether.
    vectors: Vec<Vec<(usize, f64)>>,
}

impl Likeness {
    /// `all` holds the counts of all groups together.
    pub(super) fn new(groups: &[Counts], all: &Counts) -> Self {
        let telling: BTreeMap<&String, usize> = all
            .words
            .keys()
            .filter(|word| !says_little(word))
            .zip(0..)
            .collect();
        let vector = |group: &Counts| {
            let counts: Vec<(usize, f64)> = group
                .words
                .iter()
                .filter_map(|(word, &count)| Some((*telling.get(word)?, count as f64)))
                .collect();
            let norm = counts
                .iter()
                .map(|(_, count)| count * count)
                .sum::<f64>()
                .sqrt();
            counts
                .into_iter()
                .map(|(word, count)| (word, count / norm))
                .collect()
        };
        Self {
            vectors: groups.iter().map(vector).collect(),
        }
    }

    /// The cosine of two groups' counts; 0 where one has no words.
    pub(super) fn cosine(&self, a: usize, b: usize) -> f64 {
        let (mut a, mut b) = (&self.vectors[a][..], &self.vectors[b][..]);
        let mut sum = 0.0;
        while let ([first, rest_of_a @ ..], [second, rest_of_b @ ..]) = (a, b) {
            match first.0.cmp(&second.0) {
                Ordering::Less => a = rest_of_a,
                Ordering::Greater => b = rest_of_b,
                Ordering::Equal => {
                    sum += first.1 * second.1;
                    (a, b) = (rest_of_a, rest_of_b);
                }
            }
        }
        sum
    }
}

/// A word, or two, with how strongly it tells its group from the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) text: String,
    /// The log-odds, in standard deviations.
    pub(super) z: f64,
    /// In how many texts of its group it stands.
    pub(super) support: usize,
}

/// The terms that stand in the texts of `here` rather than in those of `there` (without it: in all others), the strongest
/// first; `all` is what the prior is drawn from.
pub(super) fn terms(here: &Counts, there: Option<&Counts>, all: &Counts) -> Vec<Term> {
    let words = (&here.words, there.map(|counts| &counts.words), &all.words);
    let pairs = (&here.pairs, there.map(|counts| &counts.pairs), &all.pairs);
    let words_sums = (
        here.all_words,
        there.map(|counts| counts.all_words),
        all.all_words,
    );
    let pairs_sums = (
        here.all_pairs,
        there.map(|counts| counts.all_pairs),
        all.all_pairs,
    );
    let mut terms = Vec::new();
    for ((here, there, all), (n_here, n_there, n_all)) in [(words, words_sums), (pairs, pairs_sums)]
    {
        for (text, &support) in here {
            let everywhere = all.get(text).copied().unwrap_or(0).max(support);
            let elsewhere = there.map_or(everywhere - support, |there| {
                there.get(text).copied().unwrap_or(0)
            });
            let n_elsewhere = n_there.unwrap_or(n_all.saturating_sub(n_here));
            let prior = (PRIOR * everywhere as f64, PRIOR * n_all as f64);
            let z = log_odds((support, n_here), (elsewhere, n_elsewhere), prior);
            if z > 0.0 && tells(text, z, support) {
                terms.push(Term {
                    text: text.clone(),
                    z,
                    support,
                });
            }
        }
    }
    // Of two equally strong terms the longer says more.
    order::sort(&mut terms, &|a: &Term, b| {
        b.z.total_cmp(&a.z)
            .then_with(|| b.text.len().cmp(&a.text.len()))
            .then_with(|| a.text.cmp(&b.text))
    });
    terms
}

/// The difference of a term's log-odds in two groups, in standard deviations.
fn log_odds(here: (usize, usize), there: (usize, usize), prior: (f64, f64)) -> f64 {
    let odds = |(count, all): (usize, usize)| {
        let (count, all) = (count as f64 + prior.0, all as f64 + prior.1);
        // A group that is nothing but this term has no odds; half a count keeps them finite.
        (count / (all - count).max(0.5)).ln()
    };
    let variance = |count: usize| 1.0 / (count as f64 + prior.0);
    (odds(here) - odds(there)) / (variance(here.0) + variance(there.0)).sqrt()
}

/// Whether a rule about the term would mean something. Words that only hold sentences together must stand out beyond
/// chance; pairs must not begin or end with one.
fn tells(text: &str, z: f64, support: usize) -> bool {
    // A single Latin letter is a piece of an abbreviation, or nothing.
    let plain = |word: &str| {
        let length = word.chars().count();
        let one_letter = length == 1 && word.is_ascii();
        let figures = word
            .chars()
            .all(|c| c.is_numeric() || c.is_ascii_punctuation());
        !figures && !one_letter && length <= LONGEST_WORD
    };
    let certain = z >= CERTAIN && support >= 3;
    let mut words = text.split(' ');
    match (words.next(), words.next()) {
        (Some(first), Some(second)) => {
            let asks = is_question_word(first) && !is_function_word(second);
            (asks || !says_little(first) && !says_little(second)) && plain(first) && plain(second)
        }
        _ => plain(text) && (certain || !says_little(text)),
    }
}

fn says_little(word: &str) -> bool {
    is_function_word(word) || is_question_word(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::words::words;

    fn counts(texts: &[&str]) -> Counts {
        let mut counts = Counts::default();
        texts.iter().for_each(|text| counts.add(&words(text)));
        counts
    }

    const MUSIC: [&str; 3] = ["play the slow song", "play the new song", "i want the song"];
    const FOOD: [&str; 3] = [
        "book the old table",
        "book the table now",
        "i want the soup",
    ];

    fn music() -> Vec<Term> {
        let all: Vec<&str> = MUSIC.iter().chain(&FOOD).copied().collect();
        terms(&counts(&MUSIC), Some(&counts(&FOOD)), &counts(&all))
    }

    #[test]
    fn words_of_one_group_come_first_and_shared_ones_not_at_all() {
        let terms = music();
        assert_eq!((terms[0].text.as_str(), terms[0].support), ("song", 3));
        assert_eq!(terms[1].text, "play");
        assert!(
            terms
                .iter()
                .all(|term| !["the", "i", "want"].contains(&term.text.as_str()))
        );
    }

    #[test]
    fn all_others_are_the_default_to_compare_with() {
        let all: Vec<&str> = MUSIC.iter().chain(&FOOD).copied().collect();
        assert_eq!(terms(&counts(&MUSIC), None, &counts(&all)), music());
    }

    #[test]
    fn a_word_seen_more_often_is_stronger_evidence() {
        let terms = music();
        let z = |text: &str| {
            terms
                .iter()
                .find(|term| term.text == text)
                .map_or(0.0, |term| term.z)
        };
        assert!(z("song") > z("play") && z("play") > z("slow") && z("slow") > 0.0);
    }

    #[test]
    fn the_log_odds_agree_with_the_formula_by_hand() {
        // y = 3 of 10 and 1 of 20, prior 0.4 of 3.
        let delta = (3.4_f64 / 9.6).ln() - (1.4_f64 / 21.6).ln();
        let sigma = (1.0_f64 / 3.4 + 1.0 / 1.4).sqrt();
        assert!((log_odds((3, 10), (1, 20), (0.4, 3.0)) - delta / sigma).abs() < 1e-12);
    }

    #[test]
    fn a_text_that_repeats_a_word_counts_once() {
        assert_eq!(counts(&["no no no no"]).word("no"), 1);
    }

    #[test]
    fn pairs_do_not_begin_or_end_with_function_words_but_may_ask() {
        assert!(tells("movie schedules", 1.0, 2) && tells("how many", 1.0, 2));
        assert!(
            !tells("the weather", 1.0, 2) && !tells("what is", 3.0, 9) && !tells("7 30", 1.0, 2)
        );
    }

    #[test]
    fn groups_without_words_are_not_alike() {
        let groups = [
            counts(&["?"]),
            counts(&["?"]),
            counts(&MUSIC),
            counts(&FOOD),
        ];
        let all: Vec<&str> = MUSIC.iter().chain(&FOOD).copied().collect();
        let likeness = Likeness::new(&groups, &counts(&all));
        assert_eq!(likeness.cosine(0, 1), 0.0);
        assert!((likeness.cosine(2, 2) - 1.0).abs() < 1e-12);
        // Of music's words (song 3, play 2, slow, new, want 1) and food's (book, table 2, old, now, soup, want 1).
        let cosine = 1.0 / (16.0_f64 * 12.0).sqrt();
        assert!((likeness.cosine(2, 3) - cosine).abs() < 1e-12);
    }
}
