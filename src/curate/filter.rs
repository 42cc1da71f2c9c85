//! The filter that every generated text passes.

use std::collections::{HashMap, HashSet};

use super::refusal::{ParseProblem, Refusal};
use super::similarity::{Lexicon, Pattern, Runs, f_measure, most_common};
use crate::task::words::{is_invisible, role_marker};

/// How many characters of another text a refusal quotes.
const QUOTED: usize = 80;

/// Names that stand before a colon in a dialogue.
const SPEAKERS: [&str; 5] = ["user", "assistant", "system", "human", "ai"];

/// What a text must keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// A run of so many words of a seed is a copy.
    pub copied_words: usize,
    /// A ROUGE-L F above this, against a seed or an accepted text, is too similar.
    pub similar: f64,
    /// The fewest words, as a share of the shortest seed.
    pub shortest: f64,
    /// The most words, as a multiple of the longest seed.
    pub longest: f64,
    /// The fewest words whatever the seeds are (less only where no seed has so many).
    pub least_words: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            copied_words: 8,
            similar: 0.7,
            shortest: 0.5,
            longest: 1.5,
            least_words: 2,
        }
    }
}

/// Checks generated texts against the seeds and against each other.
///
/// ```
/// use seedbed::curate::{Filter, Limits};
/// let mut filter = Filter::new(&["play some slow jazz", "book a table for two"], Limits::default());
/// assert!(filter.check("find me a quiet hotel", "travel", true).is_ok());
/// filter.accept("find me a quiet hotel");
/// let refusal = filter.check("find me a very quiet hotel", "travel", true).unwrap_err();
/// assert_eq!(refusal.code(), "similar");
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    limits: Limits,
    least: usize,
    most: usize,
    lexicon: Lexicon,
    runs: Runs,
    /// Each seed's words, to its place in `known`.
    seeds: HashMap<Vec<u32>, usize>,
    /// Seeds first, then what was accepted.
    known: Vec<Known>,
    accepted: usize,
}

#[derive(Clone, Debug)]
struct Known {
    words: Vec<u32>,
    quote: String,
}

impl Filter {
    /// A filter that knows these seeds.
    pub fn new<S: AsRef<str>>(seeds: &[S], limits: Limits) -> Self {
        let mut lexicon = Lexicon::default();
        let known: Vec<Known> = seeds
            .iter()
            .map(|seed| Known {
                words: lexicon.learn(seed.as_ref()),
                quote: quote(seed.as_ref()),
            })
            .collect();
        let mut runs = Runs::new(limits.copied_words);
        let mut places = HashMap::new();
        for (place, seed) in known.iter().enumerate() {
            runs.add(place, &seed.words);
            places.entry(seed.words.clone()).or_insert(place);
        }
        let lengths = || known.iter().map(|seed| seed.words.len());
        // Without seeds nothing is known about the length.
        let (shortest, longest) = (
            lengths().min().unwrap_or(0),
            lengths().max().unwrap_or(usize::MAX),
        );
        let least = ((shortest as f64 * limits.shortest) as usize)
            .max(limits.least_words)
            .min(longest);
        // A float as large as this ends at usize::MAX when it is cast.
        let most = ((longest as f64 * limits.longest).ceil() as usize).max(least);
        Self {
            limits,
            least,
            most,
            lexicon,
            runs,
            seeds: places,
            known,
            accepted: 0,
        }
    }

    /// The fewest and the most words that a text may have.
    pub fn length_limits(&self) -> (usize, usize) {
        (self.least, self.most)
    }

    /// How many texts were accepted.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Checks one generated text (one line, or as many as the task's texts have; cutting is the caller's), in this
    /// order: whole, length, copy, similar. `label` is the label it was asked for; `finished` says whether the model
    /// ended the text itself.
    ///
    /// # Errors
    ///
    /// The first reason to refuse it.
    pub fn check(&self, text: &str, label: &str, finished: bool) -> Result<(), Refusal> {
        let text = text.trim();
        let words = self.lexicon.look_up(text);
        parse(text, label, finished)?;
        if words.len() < self.least || words.len() > self.most {
            return Err(Refusal::Length {
                words: words.len(),
                least: self.least,
                most: self.most,
            });
        }
        if let Some(place) = self
            .seeds
            .get(&words)
            .copied()
            .or_else(|| self.runs.find(&words))
        {
            return Err(Refusal::Copy {
                other: self.known[place].quote.clone(),
            });
        }
        match self.most_similar(&words) {
            Some((place, score)) => Err(Refusal::Similar {
                other: self.known[place].quote.clone(),
                score,
            }),
            None => Ok(()),
        }
    }

    /// Remembers an accepted text, so that the next ones must differ from it.
    pub fn accept(&mut self, text: &str) {
        let words = self.lexicon.learn(text);
        self.known.push(Known {
            words,
            quote: quote(text),
        });
        self.accepted += 1;
    }

    /// The text most like these words, where it is too much like them.
    fn most_similar(&self, words: &[u32]) -> Option<(usize, f64)> {
        let pattern = Pattern::new(words);
        let distinct: HashSet<u32> = words.iter().copied().collect();
        let mut best: Option<(usize, f64)> = None;
        for (place, known) in self.known.iter().enumerate() {
            let to_beat = best.map_or(self.limits.similar, |(_, score)| score);
            let score = |common| f_measure(common, words.len(), known.words.len());
            // Both bounds are cheap, and together they spare nearly every subsequence.
            if score(words.len().min(known.words.len())) <= to_beat
                || score(most_common(&distinct, &known.words)) <= to_beat
            {
                continue;
            }
            let score = score(pattern.lcs(&known.words));
            if score > to_beat {
                best = Some((place, score));
            }
        }
        best
    }
}

fn parse(text: &str, label: &str, finished: bool) -> Result<(), ParseProblem> {
    if text.is_empty() {
        return Err(ParseProblem::Empty);
    }
    if !finished {
        return Err(ParseProblem::Unfinished);
    }
    if role_marker(text).is_some() || names_a_speaker(text) {
        return Err(ParseProblem::RoleMarker);
    }
    // Emoji are built with the zero-width joiner, and texts of several lines are the task's business.
    let allowed = |c| matches!(c, '\n' | '\t' | '\u{200d}');
    if text
        .chars()
        .any(|c| c == '\u{fffd}' || is_invisible(c) && !allowed(c))
    {
        return Err(ParseProblem::Invisible);
    }
    let bare = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    if !bare(label).is_empty() && bare(text) == bare(label) {
        return Err(ParseProblem::LabelOnly);
    }
    Ok(())
}

fn names_a_speaker(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(name, _)| {
            let name = name.trim().trim_matches(['*', '#', ' ']);
            SPEAKERS
                .iter()
                .any(|speaker| name.eq_ignore_ascii_case(speaker))
        })
}

fn quote(text: &str) -> String {
    let mut characters = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    let mut quote: String = characters.by_ref().take(QUOTED).collect();
    if characters.next().is_some() {
        quote.push('…');
    }
    quote
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::curate::{rouge_l, shares_ngram};

    const SEEDS: [&str; 3] = [
        "play some slow jazz",
        "book me a table for two",
        "what will the weather be like in the old town on friday",
    ];

    fn filter() -> Filter {
        Filter::new(&SEEDS, Limits::default())
    }

    fn refused(text: &str) -> Refusal {
        filter().check(text, "GetWeather", true).unwrap_err()
    }

    #[test]
    fn a_new_text_of_a_usual_length_passes() {
        assert_eq!(
            filter().check("is it cold outside today", "GetWeather", true),
            Ok(())
        );
    }

    #[test]
    fn a_text_that_is_none_is_refused() {
        assert_eq!(refused("  "), ParseProblem::Empty.into());
        assert_eq!(
            refused("is it cold <|im_start|>"),
            ParseProblem::RoleMarker.into()
        );
        assert_eq!(
            refused("hello there\nAssistant: yes"),
            ParseProblem::RoleMarker.into()
        );
        assert_eq!(
            refused("is it \u{fffd} today"),
            ParseProblem::Invisible.into()
        );
        assert_eq!(
            refused("is it\u{200b} cold"),
            ParseProblem::Invisible.into()
        );
        assert_eq!(refused("Get weather."), ParseProblem::LabelOnly.into());
        assert_eq!(
            filter().check("is it cold outside", "GetWeather", false),
            Err(ParseProblem::Unfinished.into())
        );
    }

    #[test]
    fn a_family_of_emoji_is_no_invisible_character() {
        assert_eq!(
            filter().check("is it cold \u{1f468}\u{200d}\u{1f469} today", "x", true),
            Ok(())
        );
    }

    #[test]
    fn the_length_must_be_near_that_of_the_seeds() {
        assert_eq!(filter().length_limits(), (2, 18));
        assert_eq!(
            refused("rain"),
            Refusal::Length {
                words: 1,
                least: 2,
                most: 18
            }
        );
        assert_eq!(refused(&"so ".repeat(19)).code(), "length");
        assert_eq!(refused("!!! ???").code(), "length");
    }

    #[test]
    fn seeds_of_one_word_allow_texts_of_one_word() {
        let filter = Filter::new(&["hello", "goodbye"], Limits::default());
        assert_eq!(filter.length_limits(), (1, 2));
        assert_eq!(filter.check("welcome", "greeting", true), Ok(()));
    }

    #[test]
    fn without_seeds_only_the_least_length_is_kept() {
        let filter = Filter::new::<&str>(&[], Limits::default());
        assert_eq!(filter.check(&"so on ".repeat(5000), "x", true), Ok(()));
        assert_eq!(filter.check("so", "x", true).unwrap_err().code(), "length");
    }

    #[test]
    fn a_run_of_eight_words_of_a_seed_is_a_copy_and_names_the_seed() {
        let copy = "hm Will the weather be like in the old days";
        assert_eq!(
            refused(copy),
            Refusal::Copy {
                other: SEEDS[2].to_owned()
            }
        );
        let seven = "hm will the weather be like in the end or not";
        assert_eq!(filter().check(seven, "x", true), Ok(()));
    }

    #[test]
    fn a_short_seed_is_copied_when_the_words_are_the_same() {
        assert_eq!(
            refused("Play some SLOW jazz!!"),
            Refusal::Copy {
                other: SEEDS[0].to_owned()
            }
        );
    }

    #[test]
    fn a_text_much_like_a_seed_or_an_accepted_one_is_refused_and_names_it() {
        match refused("play some very slow jazz") {
            Refusal::Similar { other, score } => {
                assert_eq!(other, SEEDS[0]);
                assert!((score - 8.0 / 9.0).abs() < 1e-9);
            }
            other => panic!("{other:?}"),
        }
        let mut filter = filter();
        filter.accept("find a nice hotel nearby");
        assert_eq!(filter.accepted(), 1);
        assert_eq!(
            filter
                .check("find a nice hotel", "x", true)
                .unwrap_err()
                .code(),
            "similar"
        );
        assert_eq!(
            filter
                .check("find a nice hotel nearby", "x", true)
                .unwrap_err()
                .code(),
            "similar"
        );
    }

    #[test]
    fn the_filter_agrees_with_the_plain_definitions_on_random_texts() {
        let mut rng = fastrand::Rng::with_seed(11);
        let mut write = |least, most| {
            (0..rng.usize(least..most))
                .map(|_| ["a", "b", "c", "d", "e"][rng.usize(0..5)])
                .collect::<Vec<_>>()
                .join(" ")
        };
        let seeds: Vec<String> = (0..30).map(|_| write(4, 14)).collect();
        let filter = Filter::new(&seeds, Limits::default());
        let mut seen = HashSet::new();
        for round in 0..300 {
            let text = if round % 10 == 0 {
                format!("a {}", seeds[round % seeds.len()])
            } else {
                write(4, 14)
            };
            let copied = seeds
                .iter()
                .any(|seed| *seed == text || shares_ngram(seed, &text, 8));
            let similar = seeds.iter().any(|seed| rouge_l(&text, seed).f > 0.7);
            let code = filter
                .check(&text, "", true)
                .err()
                .map(|refusal| refusal.code());
            assert_eq!(
                code,
                if copied {
                    Some("copy")
                } else {
                    similar.then_some("similar")
                },
                "{text}"
            );
            seen.insert(code);
        }
        assert_eq!(seen.len(), 3);
    }
}
