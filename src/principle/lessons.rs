//! What the rules of a label say by themselves: rows to learn from, and words by which a rule is seen to hold.

use super::{Level, Polarity, Principle, PrincipleSet};

/// The rules that say what belongs to a label and to no other.
pub(super) fn own<'s>(set: &'s PrincipleSet, label: &str) -> impl Iterator<Item = &'s Principle> {
    set.principles.iter().filter(move |principle| {
        principle.level == Level::Label
            && principle.polarity == Polarity::Do
            && principle.label.as_deref() == Some(label)
    })
}

/// What stands between quotes in a rule: the words and openings it names.
pub(super) fn quoted(rule: &str) -> impl Iterator<Item = &str> {
    quotes(rule).map(|(_, quote)| quote)
}

/// The same, each after what stands before it.
pub(super) fn quotes(rule: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = rule.split('"');
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?.trim())))
        .filter(|(_, quote)| !quote.is_empty())
}

/// Short texts that stand for a label: what its rules say, and each word or opening that they quote, once.
///
/// A teacher that knows the task puts more into its rules than a small model can follow as it writes; a reader that learns
/// them as texts of their label knows it at once.
///
/// ```
/// # use seedbed::principle::{Level, Polarity, Principle, PrincipleSet, lessons};
/// let rule = |label: &str, text: &str| Principle {
///     id: text.to_owned(), level: Level::Label, label: Some(label.to_owned()), attribute: None, values: vec![],
///     text: text.to_owned(), polarity: Polarity::Do, support: 0,
/// };
/// let set = PrincipleSet {
///     version: 1, task: "intents".to_owned(),
///     principles: vec![rule("weather", "Use the word \"rain\" or \"snow\"."), rule("music", "Begin with \"play\".")],
/// };
/// assert_eq!(lessons(&set, "weather"), ["Use the word \"rain\" or \"snow\".", "rain", "snow"]);
/// ```
pub fn lessons(set: &PrincipleSet, label: &str) -> Vec<String> {
    let mut lessons: Vec<String> = Vec::new();
    for principle in own(set, label) {
        let texts = std::iter::once(principle.text.as_str()).chain(quoted(&principle.text));
        for text in texts {
            if !lessons.iter().any(|known| known == text) {
                lessons.push(text.to_owned());
            }
        }
    }
    lessons
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_quoted_is_found_even_where_a_quote_is_left_open() {
        let found = |rule| quoted(rule).collect::<Vec<_>>();
        assert_eq!(
            found("Begin with \"what does\" and end with \"stand for\"."),
            ["what does", "stand for"]
        );
        assert_eq!(found("Write a question."), Vec::<&str>::new());
        assert_eq!(found("Use \"\" or \" a\""), ["a"]);
        assert_eq!(found("Use \"open"), ["open"]);
    }
}
