//! Small lists in sentences.

use super::MAX_TEXT_CHARS;
pub(super) use crate::task::profile::{is_function_word, is_question_word};

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
