//! The shapes a text can be held to: an explicit grammar without recursion, small enough to read.

/// What a text must look like, from its first byte to its last.
///
/// ```
/// use seedbed::generate::Shape;
/// let shape = Shape::object([
///     ("label", Shape::json_choice(["PlayMusic", "GetWeather"])),
///     ("text", Shape::json_string()),
/// ]);
/// assert!(shape.fits(r#"{"label": "PlayMusic", "text": "play \"Blue\" by Joni"}"#));
/// assert!(!shape.fits(r#"{"label": "Play", "text": ""}"#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Exactly this text.
    Text(String),
    /// A line that does not begin with a space: any characters but control characters, one at least.
    Line,
    /// What stands between the quotes of a JSON string, possibly nothing; escapes of one letter only.
    JsonCharacters,
    /// A JSON number: at most nine digits before the point and nine behind it, no exponent.
    JsonNumber,
    /// One of these; none at all is a shape that no text has.
    OneOf(Vec<Shape>),
    /// One after the other.
    Sequence(Vec<Shape>),
    /// The same again and again.
    Repeat {
        /// What.
        item: Box<Shape>,
        /// What stands between two.
        between: String,
        /// How often at least.
        least: usize,
        /// How often at most; without an end where there is none.
        most: Option<usize>,
    },
    /// One line for each word, `word TAG`, as CoNLL files have it, without a line break behind the last. A tag is `O`,
    /// `B-kind` or `I-kind`, the last only behind `B-kind` or `I-kind` (IOB2).
    Bio {
        /// The kinds of names, such as `PER`.
        kinds: Vec<String>,
        /// The words.
        words: Words,
    },
}

/// The words that are tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// These, in this order: the text is known and its tags are asked for.
    Given(Vec<String>),
    /// Any, so many at least: text and tags are written together. A word is anything without spaces and control characters.
    Free {
        /// How many at least.
        least: usize,
    },
}

impl Shape {
    /// One of a few texts, such as the labels of a task.
    pub fn choice<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::OneOf(
            texts
                .into_iter()
                .map(|text| Self::Text(text.into()))
                .collect(),
        )
    }

    /// A JSON string of any content.
    pub fn json_string() -> Self {
        let quote = || Self::Text("\"".into());
        Self::Sequence(vec![quote(), Self::JsonCharacters, quote()])
    }

    /// A JSON string, one of these.
    pub fn json_choice<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::choice(texts.into_iter().map(|text| quoted(&text.into())))
    }

    /// A JSON list, written as Python's `json.dumps` does.
    pub fn json_list(item: Self, least: usize, most: Option<usize>) -> Self {
        Self::Sequence(vec![
            Self::Text("[".into()),
            Self::Repeat {
                item: Box::new(item),
                between: ", ".into(),
                least,
                most,
            },
            Self::Text("]".into()),
        ])
    }

    /// A JSON object with exactly these keys in this order, written as Python's `json.dumps` does.
    pub fn object<'k>(fields: impl IntoIterator<Item = (&'k str, Self)>) -> Self {
        let mut parts = Vec::new();
        for (index, (key, value)) in fields.into_iter().enumerate() {
            let before = if index == 0 { "{" } else { ", " };
            parts.push(Self::Text(format!("{before}{}: ", quoted(key))));
            parts.push(value);
        }
        if parts.is_empty() {
            parts.push(Self::Text("{".into()));
        }
        parts.push(Self::Text("}".into()));
        Self::Sequence(parts)
    }

    /// Lines, one below the other.
    pub fn lines(item: Self, least: usize, most: usize) -> Self {
        Self::Repeat {
            item: Box::new(item),
            between: "\n".into(),
            least,
            most: Some(most),
        }
    }

    /// Whether a text has this shape; one that needs too many states fits nothing.
    pub fn fits(&self, text: &str) -> bool {
        super::Automaton::of(self, false).is_ok_and(|automaton| automaton.accepts(text.as_bytes()))
    }
}

/// A JSON string with its quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_nothing_more_or_less_fits_itself() {
        let shape = Shape::choice(["a", "ab"]);
        for (text, fits) in [("a", true), ("ab", true), ("", false), ("abb", false)] {
            assert_eq!(shape.fits(text), fits, "{text}");
        }
        assert!(!Shape::OneOf(Vec::new()).fits(""));
        assert!(Shape::Sequence(Vec::new()).fits(""));
    }

    #[test]
    fn characters_between_quotes_are_those_json_allows() {
        let shape = Shape::json_string();
        for text in [r#""""#, r#""ü 漢 🌱""#, r#""a\"b\\\n""#] {
            assert!(shape.fits(text), "{text}");
            assert!(serde_json::from_str::<String>(text).is_ok());
        }
        for text in ["\"a\nb\"", r#""a"b""#, r#""\x""#, r#"""#] {
            assert!(!shape.fits(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_those_json_allows() {
        for (text, fits) in [
            ("0", true),
            ("-12.50", true),
            ("123456789", true),
            ("01", false),
            ("1.", false),
            (".5", false),
            ("-", false),
            ("1234567890", false),
        ] {
            assert_eq!(Shape::JsonNumber.fits(text), fits, "{text}");
        }
    }

    #[test]
    fn a_list_has_as_many_items_as_it_may() {
        let shape = Shape::json_list(Shape::JsonNumber, 1, Some(2));
        assert!(shape.fits("[1]") && shape.fits("[1, 2]"));
        assert!(!shape.fits("[]") && !shape.fits("[1, 2, 3]") && !shape.fits("[1,2]"));
        let any = Shape::json_list(Shape::JsonNumber, 0, None);
        assert!(any.fits("[]") && any.fits("[1, 2, 3, 4]") && !any.fits("[, 1]"));
    }

    #[test]
    fn a_line_has_no_break_and_begins_with_no_space() {
        assert!(Shape::Line.fits("Keep it short.") && Shape::Line.fits("é"));
        for text in ["", " a", "a\nb", "\t"] {
            assert!(!Shape::Line.fits(text), "{text:?}");
        }
    }

    #[test]
    fn inside_follows_its_own_kind_only() {
        let shape = Shape::Bio {
            kinds: vec!["PER".into(), "LOC".into()],
            words: Words::Given(vec!["Ada".into(), "Lovelace".into(), "wrote".into()]),
        };
        assert!(shape.fits("Ada B-PER\nLovelace I-PER\nwrote O"));
        assert!(shape.fits("Ada O\nLovelace B-LOC\nwrote B-LOC"));
        for text in [
            "Ada I-PER\nLovelace I-PER\nwrote O",
            "Ada B-PER\nLovelace I-LOC\nwrote O",
            "Ada O\nLovelace I-PER\nwrote O",
            "Ada O\nwrote O",
            "Ada O\nLovelace O\nwrote O\n",
        ] {
            assert!(!shape.fits(text), "{text}");
        }
    }

    #[test]
    fn free_words_are_tagged_by_the_same_rule() {
        let shape = Shape::Bio {
            kinds: vec!["PER".into()],
            words: Words::Free { least: 2 },
        };
        assert!(shape.fits("Hi O\nAda B-PER") && shape.fits("Ada B-PER\nL. I-PER\n! O"));
        for text in [
            "Ada B-PER",
            "Ada I-PER\nx O",
            "Ada B-PER\nx O\n",
            "a b O\nc O",
        ] {
            assert!(!shape.fits(text), "{text}");
        }
    }
}
