//! Small lists in sentences, and the words that say little by themselves.

use super::MAX_TEXT_CHARS;

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
pub(super) fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// Whether a lower-case word asks.
pub(super) fn is_question_word(word: &str) -> bool {
    QUESTION_WORDS.contains(&word)
}

/// `head "a", "b" tail`: as many of the words, in quotes, as a principle's text has room for.
pub(super) fn quoted(head: &str, words: &[String], last: &str, tail: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    joined(head, &words, last, tail)
}

/// `head a, b or c tail`: as many of the items as a principle's text has room for.
pub(super) fn joined(head: &str, items: &[String], last: &str, tail: &str) -> String {
    for count in (1..=items.len()).rev() {
        let list = match &items[..count] {
            [rest @ .., end] if !rest.is_empty() => format!("{}{last}{end}", rest.join(", ")),
            all => all.concat(),
        };
        let text = format!("{head}{list}{tail}");
        if text.chars().count() <= MAX_TEXT_CHARS {
            return text;
        }
    }
    // A single item that is too long even alone; labels and words are shorter than that.
    format!("{head}{}{tail}", items.concat())
        .chars()
        .take(MAX_TEXT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_words_are_sorted_as_the_search_needs() {
        assert!(FUNCTION_WORDS.is_sorted());
        assert!(is_function_word("you") && !is_function_word("book"));
    }

    #[test]
    fn a_list_is_cut_before_it_is_too_long() {
        let words: Vec<String> = (0..100).map(|n| format!("word{n}")).collect();
        let text = quoted("Use ", &words, " or ", ".");
        assert!(
            text.chars().count() <= 200 && text.ends_with("\"."),
            "{text}"
        );
        assert_eq!(
            quoted("Use ", &words[..2], " or ", "."),
            "Use \"word0\" or \"word1\"."
        );
        assert_eq!(quoted("Use ", &words[..1], " or ", "."), "Use \"word0\".");
    }
}
