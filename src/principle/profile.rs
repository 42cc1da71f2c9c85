//! What one text shows: its words, its form, its habits.
//!
//! The form is told by punctuation in any language, and by the first words in English.

use super::phrases::{is_function_word, is_question_word};
use crate::task::words::{lower, surface_words};

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
pub(super) enum Form {
    Question,
    Command,
    Statement,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::Question, Self::Command, Self::Statement];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Command => "command",
            Self::Statement => "statement",
        }
    }
}

/// What one text shows.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) label: usize,
    /// In lower case.
    pub(super) words: Vec<String>,
    /// As written.
    pub(super) surface: Vec<String>,
    pub(super) form: Form,
    /// The last character, where it ends a sentence.
    pub(super) mark: Option<char>,
    pub(super) lower_case: bool,
    pub(super) capital: bool,
    pub(super) first_person: bool,
    pub(super) second_person: bool,
    pub(super) number: bool,
    pub(super) name: bool,
}

impl Profile {
    pub(super) fn new(text: &str, label: usize) -> Self {
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
    pub(super) fn opening(&self) -> Option<Opening<'_>> {
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
pub(super) struct Opening<'a> {
    profile: &'a Profile,
    /// With one word, or with two where the first says little (`can you`, `how many`).
    pub(super) words: usize,
    /// Whether both words say little, so that any text could begin so.
    pub(super) general: bool,
    /// Whether the first word says how the text goes on: it asks or commands.
    pub(super) alone: bool,
}

impl Opening<'_> {
    /// The first words in lower case.
    pub(super) fn key(&self, words: usize) -> String {
        self.profile.words[..words.min(self.words)].join(" ")
    }

    /// The first words as written.
    pub(super) fn written(&self, words: usize) -> String {
        self.profile.surface[..words.min(self.words)].join(" ")
    }
}

/// Whether many texts could begin with these words: they ask, command, or say little.
pub(super) fn begins_any_text(opening: &str) -> bool {
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
