//! What one text shows: its words, its form, its habits.
//!
//! The form is told by punctuation in any language, and by the first words in English.

use super::words::{lower, surface_words};

/// English words that hold sentences together; by themselves they say nothing about a topic. Pieces of contractions and
/// of HTML entities, as badly cleaned texts have them, are among them.
const FUNCTION_WORDS: &[&str] = &[
    "a", "about", "above", "after", "again", "against", "all", "also", "am", "amp", "an", "and",
    "any", "are", "aren't", "as", "at", "be", "because", "been", "before", "being", "below",
    "between", "both", "but", "by", "can", "can't", "cannot", "could", "couldn't", "did", "didn't",
    "do", "does", "doesn't", "doing", "don't", "down", "during", "each", "etc", "even", "few",
    "for", "from", "further", "gt", "had", "has", "hasn't", "have", "haven't", "having", "he",
    "her", "here", "hers", "him", "his", "i", "i'd", "i'll", "i'm", "i've", "if", "im", "in",
    "into", "is", "isn't", "it", "it's", "its", "just", "let", "let's", "like", "ll", "lt", "may",
    "me", "might", "more", "most", "must", "my", "n't", "no", "nor", "not", "of", "off", "on",
    "once", "one", "only", "or", "other", "our", "out", "over", "own", "please", "quot", "re", "s",
    "same", "shall", "she", "should", "so", "some", "such", "t", "than", "that", "that's", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "too",
    "under", "until", "up", "us", "ve", "very", "was", "wasn't", "we", "were", "while", "will",
    "with", "would", "you", "you're", "your", "yours",
];

/// Words that ask. They say what sort of answer is wanted, so they may well tell labels apart.
const QUESTION_WORDS: &[&str] = &[
    "how", "what", "what's", "whats", "when", "when's", "where", "where's", "which", "who",
    "who's", "whom", "whose", "why",
];

/// Whether a lower-case word says little by itself.
pub(crate) fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// Whether a lower-case word asks.
pub(crate) fn is_question_word(word: &str) -> bool {
    QUESTION_WORDS.contains(&word)
}

/// Verbs that begin a sentence when it is a command.
const COMMANDS: &[&str] = &[
    "add",
    "adjust",
    "ask",
    "book",
    "bring",
    "buy",
    "calculate",
    "call",
    "cancel",
    "change",
    "check",
    "choose",
    "click",
    "close",
    "compare",
    "convert",
    "cook",
    "create",
    "delete",
    "describe",
    "display",
    "do",
    "don't",
    "download",
    "email",
    "enter",
    "explain",
    "fetch",
    "find",
    "flip",
    "forget",
    "get",
    "give",
    "go",
    "help",
    "include",
    "insert",
    "keep",
    "launch",
    "let",
    "let's",
    "list",
    "locate",
    "look",
    "make",
    "move",
    "name",
    "open",
    "order",
    "pay",
    "play",
    "please",
    "press",
    "pull",
    "put",
    "rate",
    "read",
    "recommend",
    "remind",
    "remove",
    "repeat",
    "reply",
    "reserve",
    "roll",
    "save",
    "say",
    "schedule",
    "search",
    "see",
    "send",
    "set",
    "share",
    "show",
    "skip",
    "solve",
    "spell",
    "start",
    "stop",
    "suggest",
    "switch",
    "take",
    "tell",
    "text",
    "transfer",
    "translate",
    "try",
    "turn",
    "update",
    "use",
    "wake",
    "watch",
    "write",
];

/// Verbs that begin a sentence when it is a question.
const AUXILIARIES: &[&str] = &[
    "am", "are", "aren't", "can", "can't", "could", "did", "didn't", "do", "does", "doesn't",
    "don't", "has", "have", "is", "isn't", "may", "might", "shall", "should", "was", "were",
    "will", "won't", "would",
];

const PRONOUNS: &[&str] = &[
    "he", "i", "i'd", "it", "my", "our", "she", "that", "the", "there", "they", "this", "we",
    "you", "your",
];

const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "twenty", "thirty", "forty", "fifty", "hundred", "thousand", "million",
];

/// A question without a mark is not longer than this: longer ones are clauses ("When the war was over, …").
const SHORT_QUESTION: usize = 20;

/// What a sentence does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Question,
    Command,
    Statement,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Question, Self::Command, Self::Statement];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Command => "command",
            Self::Statement => "statement",
        }
    }
}

/// What one text shows.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) label: usize,
    /// In lower case.
    pub(crate) words: Vec<String>,
    /// As written.
    pub(crate) surface: Vec<String>,
    pub(crate) form: Form,
    /// The last character, where it ends a sentence.
    pub(crate) mark: Option<char>,
    pub(crate) lower_case: bool,
    pub(crate) capital: bool,
    pub(crate) first_person: bool,
    pub(crate) second_person: bool,
    pub(crate) number: bool,
    pub(crate) name: bool,
}

impl Profile {
    pub(crate) fn new(text: &str, label: usize) -> Self {
        let surface: Vec<String> = surface_words(text).into_iter().map(str::to_owned).collect();
        let words: Vec<String> = surface.iter().map(|word| lower(word)).collect();
        let mark = text.trim_end_matches(['"', '\'', ')', ' ']).chars().last();
        let mark = mark.filter(|c| matches!(c, '.' | '!' | '?' | '…' | '。' | '？' | '！'));
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        Self {
            label,
            form: form(&words, mark),
            mark,
            lower_case: text.chars().any(char::is_lowercase)
                && !text.chars().any(char::is_uppercase),
            capital: text
                .chars()
                .find(|c| c.is_alphabetic())
                .is_some_and(char::is_uppercase),
            first_person: has(&[
                "i", "i'm", "im", "i've", "i'd", "i'll", "my", "me", "we", "our",
            ]),
            second_person: has(&["you", "your", "you're", "u", "ur"]),
            number: has(NUMBERS) || text.chars().any(char::is_numeric),
            name: has_name(text),
            words,
            surface,
        }
    }

    /// How the text begins; none where it has no words.
    pub(crate) fn opening(&self) -> Option<Opening<'_>> {
        let first = self.words.first()?;
        let asks = is_question_word(first);
        let second = self
            .words
            .get(1)
            .filter(|second| second.chars().count() > 1 || is_function_word(second));
        let second = second.filter(|_| asks || is_function_word(first));
        Some(Opening {
            profile: self,
            words: 1 + usize::from(second.is_some()),
            general: second.is_some_and(|second| is_function_word(second)),
            alone: asks
                || COMMANDS.contains(&first.as_str())
                || AUXILIARIES.contains(&first.as_str()),
        })
    }
}

/// How a text begins.
pub(crate) struct Opening<'a> {
    profile: &'a Profile,
    /// With one word, or with two where the first says little (`can you`, `how many`).
    pub(crate) words: usize,
    /// Whether both words say little, so that any text could begin so.
    pub(crate) general: bool,
    /// Whether the first word says how the text goes on: it asks or commands.
    pub(crate) alone: bool,
}

impl Opening<'_> {
    /// The first words in lower case.
    pub(crate) fn key(&self, words: usize) -> String {
        self.profile.words[..words.min(self.words)].join(" ")
    }

    /// The first words as written.
    pub(crate) fn written(&self, words: usize) -> String {
        self.profile.surface[..words.min(self.words)].join(" ")
    }
}

/// Whether many texts could begin with these words: they ask, command, or say little.
pub(crate) fn begins_any_text(opening: &str) -> bool {
    opening.split(' ').map(lower).all(|word| {
        let word = word.as_str();
        is_function_word(word)
            || is_question_word(word)
            || COMMANDS.contains(&word)
            || AUXILIARIES.contains(&word)
    })
}

fn form(words: &[String], mark: Option<char>) -> Form {
    if matches!(mark, Some('?' | '？')) {
        return Form::Question;
    }
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let (first, second) = (word(0), word(1));
    let asks =
        is_question_word(first) || AUXILIARIES.contains(&first) && PRONOUNS.contains(&second);
    if asks && mark.is_none() && words.len() <= SHORT_QUESTION {
        Form::Question
    } else if COMMANDS.contains(&first) && !asks {
        Form::Command
    } else {
        Form::Statement
    }
}

/// Whether a word inside a sentence is written like a name. A text that capitalises nearly everything shows nothing.
fn has_name(text: &str) -> bool {
    let mut names = 0;
    let mut inside = 0;
    let mut starts = true;
    for token in text.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() && !starts {
            inside += 1;
            let mut characters = word.chars();
            let capital = characters.next().is_some_and(char::is_uppercase);
            names += usize::from(capital && characters.next().is_some_and(char::is_lowercase));
        }
        if !word.is_empty() || !starts {
            starts = token.ends_with(['.', '!', '?', ':', '"']);
        }
    }
    names > 0 && (names * 3 <= inside * 2 || inside < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_words_are_sorted_as_the_search_needs() {
        assert!(FUNCTION_WORDS.is_sorted());
        assert!(is_function_word("you") && !is_function_word("book"));
    }

    fn form_of(text: &str) -> Form {
        Profile::new(text, 0).form
    }

    #[test]
    fn a_question_is_told_with_and_without_its_mark() {
        for text in [
            "Where is it?",
            "what is the weather",
            "can you help me",
            "Is it cold now in Carlos, IL",
            "Rain ?",
        ] {
            assert_eq!(form_of(text), Form::Question, "{text}");
        }
    }

    #[test]
    fn a_command_starts_with_its_verb() {
        for text in [
            "play some jazz",
            "Please book a table.",
            "Add this tune to my list",
            "don't wake me!",
        ] {
            assert_eq!(form_of(text), Form::Command, "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_statement() {
        for text in [
            "i feel fine",
            "Weather for Coaldale Arkansas",
            "When it rained, we left.",
            "",
            "🙂",
        ] {
            assert_eq!(form_of(text), Form::Statement, "{text}");
        }
    }

    #[test]
    fn an_opening_is_one_word_or_two_where_the_first_says_little() {
        let opening = |text| {
            Profile::new(text, 0)
                .opening()
                .map(|opening| opening.key(opening.words))
        };
        assert_eq!(opening("Play some jazz").as_deref(), Some("play"));
        assert_eq!(opening("Can you book it").as_deref(), Some("can you"));
        assert_eq!(opening("?"), None);
    }

    #[test]
    fn names_and_numbers_are_seen() {
        let shows = |text| {
            let profile = Profile::new(text, 0);
            (profile.name, profile.number)
        };
        assert_eq!(shows("play music by Mark Heard"), (true, false));
        assert_eq!(shows("Play it. Then stop, I said"), (false, false));
        assert_eq!(shows("a table for two at 7"), (false, true));
        assert_eq!(shows("Every Word Here Is A Title Word"), (false, false));
    }
}
