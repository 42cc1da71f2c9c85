//! How alike two texts are: ROUGE-L over words, and runs of words that both hold.

use std::collections::{HashMap, HashSet};

use crate::task::words::words;

/// ROUGE-L of a text against another (Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004): the longest
/// common subsequence of words, as a share of either text. Words are in lower case and not stemmed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeL {
    /// The share of the candidate's words.
    pub precision: f64,
    /// The share of the reference's words.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f: f64,
}

impl RougeL {
    fn new(common: usize, candidate: usize, reference: usize) -> Self {
        let share = |whole: usize| {
            if whole == 0 {
                0.0
            } else {
                common as f64 / whole as f64
            }
        };
        Self {
            precision: share(candidate),
            recall: share(reference),
            f: f_measure(common, candidate, reference),
        }
    }
}

/// ROUGE-L of a candidate against a reference.
///
/// ```
/// let score = seedbed::curate::rouge_l("play some slow jazz", "Play jazz!");
/// assert_eq!((score.precision, score.recall), (0.5, 1.0));
/// ```
pub fn rouge_l(candidate: &str, reference: &str) -> RougeL {
    let mut lexicon = Lexicon::default();
    let (candidate, reference) = (lexicon.learn(candidate), lexicon.learn(reference));
    RougeL::new(
        Pattern::new(&candidate).lcs(&reference),
        candidate.len(),
        reference.len(),
    )
}

/// Whether two texts share a run of `n` words.
///
/// ```
/// use seedbed::curate::shares_ngram;
/// assert!(shares_ngram("so, book a table please", "Book a table", 3));
/// assert!(!shares_ngram("a table to book", "book a table", 3));
/// ```
pub fn shares_ngram(a: &str, b: &str, n: usize) -> bool {
    let mut lexicon = Lexicon::default();
    let mut runs = Runs::new(n);
    runs.add(0, &lexicon.learn(a));
    runs.find(&lexicon.learn(b)).is_some()
}

/// The F of ROUGE-L from counts of words.
pub(super) fn f_measure(common: usize, a: usize, b: usize) -> f64 {
    if a + b == 0 {
        0.0
    } else {
        2.0 * common as f64 / (a + b) as f64
    }
}

/// A number for each word, so that words are compared once and numbers after that.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexicon {
    numbers: HashMap<String, u32>,
}

impl Lexicon {
    /// The words of a text as numbers; new words get one.
    pub(super) fn learn(&mut self, text: &str) -> Vec<u32> {
        words(text)
            .into_iter()
            .map(|word| {
                let next = self.numbers.len() as u32;
                *self.numbers.entry(word).or_insert(next)
            })
            .collect()
    }

    /// The words of a text as numbers; new words get one that no known word has, and are forgotten again, so that
    /// refused texts leave nothing behind.
    pub(super) fn look_up(&self, text: &str) -> Vec<u32> {
        let mut fresh: HashMap<String, u32> = HashMap::new();
        words(text)
            .into_iter()
            .map(|word| match self.numbers.get(&word) {
                Some(&number) => number,
                None => {
                    let next = u32::MAX - fresh.len() as u32;
                    *fresh.entry(word).or_insert(next)
                }
            })
            .collect()
    }
}

/// A text prepared for its longest common subsequence with many others: for each word, a row of bits says where it
/// stands. One other text then costs one pass over its words, 64 places at a time (Hyyrö, "Bit-Parallel LCS-length
/// Computation Revisited", 2004).
pub(super) struct Pattern {
    places: HashMap<u32, Vec<u64>>,
    blocks: usize,
}

impl Pattern {
    pub(super) fn new(text: &[u32]) -> Self {
        let blocks = text.len().div_ceil(64);
        let mut places: HashMap<u32, Vec<u64>> = HashMap::new();
        for (at, &word) in text.iter().enumerate() {
            places.entry(word).or_insert_with(|| vec![0; blocks])[at / 64] |= 1 << (at % 64);
        }
        Self { places, blocks }
    }

    /// The length of the longest common subsequence.
    pub(super) fn lcs(&self, other: &[u32]) -> usize {
        // A zero bit marks a place where the subsequence grows by one. Bits past the text stay one: no word stands
        // there, and what a carry clears there is set again by the `or`.
        let mut state = vec![u64::MAX; self.blocks];
        for places in other.iter().filter_map(|word| self.places.get(word)) {
            let mut carry = false;
            for (state, &places) in state.iter_mut().zip(places) {
                let matched = *state & places;
                let (sum, first) = state.overflowing_add(matched);
                let (sum, second) = sum.overflowing_add(u64::from(carry));
                carry = first || second;
                *state = sum | (*state & !places);
            }
        }
        state.iter().map(|block| block.count_zeros() as usize).sum()
    }
}

/// All runs of `n` words of some texts, and whose they are.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    n: usize,
    owners: HashMap<Box<[u32]>, usize>,
}

impl Runs {
    pub(super) fn new(n: usize) -> Self {
        Self {
            n: n.max(1),
            owners: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, owner: usize, text: &[u32]) {
        for run in text.windows(self.n) {
            self.owners.entry(run.into()).or_insert(owner);
        }
    }

    /// Whose run the text holds, if any.
    pub(super) fn find(&self, text: &[u32]) -> Option<usize> {
        text.windows(self.n)
            .find_map(|run| self.owners.get(run).copied())
    }
}

/// How many words two texts share at most, whatever their order; cheap, and never less than the subsequence.
pub(super) fn most_common(words: &HashSet<u32>, other: &[u32]) -> usize {
    other.iter().filter(|word| words.contains(word)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive_lcs(a: &[u32], b: &[u32]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                table[i + 1][j + 1] = if x == y {
                    table[i][j] + 1
                } else {
                    table[i][j + 1].max(table[i + 1][j])
                };
            }
        }
        table[a.len()][b.len()]
    }

    fn random(rng: &mut fastrand::Rng, most: usize, vocabulary: u32) -> Vec<u32> {
        (0..rng.usize(0..=most))
            .map(|_| rng.u32(0..vocabulary))
            .collect()
    }

    #[test]
    fn the_bit_parallel_subsequence_is_the_naive_one() {
        let mut rng = fastrand::Rng::with_seed(7);
        for round in 0..1000 {
            let vocabulary = [1, 2, 5, 40][round % 4];
            let most = if round % 10 == 0 { 300 } else { 30 };
            let (a, b) = (
                random(&mut rng, most, vocabulary),
                random(&mut rng, most, vocabulary),
            );
            assert_eq!(Pattern::new(&a).lcs(&b), naive_lcs(&a, &b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_bound_is_never_below_the_subsequence() {
        let mut rng = fastrand::Rng::with_seed(8);
        for _ in 0..1000 {
            let (a, b) = (random(&mut rng, 20, 9), random(&mut rng, 20, 9));
            assert!(most_common(&a.iter().copied().collect(), &b) >= naive_lcs(&a, &b));
        }
    }

    #[test]
    fn a_text_is_wholly_like_itself_and_not_at_all_like_another() {
        assert_eq!(
            rouge_l("Play it again", "play it, AGAIN!"),
            RougeL {
                precision: 1.0,
                recall: 1.0,
                f: 1.0
            }
        );
        assert_eq!(rouge_l("play it", "book one"), RougeL::default());
        assert_eq!(rouge_l("", "book one"), RougeL::default());
        assert_eq!(rouge_l("", ""), RougeL::default());
    }

    #[test]
    fn words_that_were_looked_up_are_not_kept_and_not_mistaken_for_known_ones() {
        let mut lexicon = Lexicon::default();
        let known = lexicon.learn("a b");
        let found = lexicon.look_up("b c d c");
        assert_eq!(found[0], known[1]);
        assert_eq!(found[1], found[3]);
        assert_ne!(found[1], found[2]);
        assert_eq!(lexicon.numbers.len(), 2);
    }

    #[test]
    fn a_run_of_words_is_found_wherever_it_stands() {
        let mut runs = Runs::new(3);
        runs.add(0, &[1, 2, 3, 4]);
        runs.add(1, &[7, 8, 9]);
        assert_eq!(runs.find(&[5, 7, 8, 9, 5]), Some(1));
        assert_eq!(runs.find(&[2, 3, 4]), Some(0));
        assert_eq!(runs.find(&[1, 2, 4, 3]), None);
        assert_eq!(runs.find(&[1, 2]), None);
    }
}
