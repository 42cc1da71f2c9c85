//! What the model's answers must look like where the engine asks for something it will read: the words are in
//! [`crate::principle::local`] and [`crate::curate::review`], as are those who read the answers.

use crate::generate::Shape;
use crate::principle::local::RULES;

/// Rules, one a line, so many at most, behind the dash that the question ends with.
pub(super) fn rules() -> Shape {
    let rule = |lead: &str| Shape::Sequence(vec![Shape::Text(lead.into()), Shape::Line]);
    Shape::Sequence(vec![
        rule(" "),
        Shape::Repeat {
            item: Box::new(rule("\n- ")),
            between: String::new(),
            least: 0,
            most: Some(RULES - 1),
        },
    ])
}

/// A review: reasons in one line, and in the next a mark from 0 to 10.
pub(super) fn review() -> Shape {
    Shape::Sequence(vec![
        Shape::Line,
        Shape::Text("\nScore: ".into()),
        Shape::choice((0..=10).map(|mark: u32| mark.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::curate::review::mark;
    use crate::principle::local;
    use crate::task::parse_pasted;

    #[test]
    fn answers_of_the_shape_are_read_as_rules() {
        let answer = " Speak of nice things.\n- Keep it very short.";
        assert!(rules().fits(answer));
        for other in [
            "",
            " ",
            " One.\n\n- Two.",
            " One.\nTwo.",
            " a\n- b\n- c\n- d\n- e",
        ] {
            assert!(!rules().fits(other), "{other:?}");
        }
        let task = parse_pasted("mood", "Say the mood.", "glad\tlovely day\nsad\tlost it").unwrap();
        let (set, _) = local::read(&task, &[(0, answer.to_owned())]).unwrap();
        assert_eq!(set.principles.len(), 2);
    }

    #[test]
    fn a_review_of_the_shape_has_a_mark() {
        let text = "Clear and right.\nScore: 10";
        assert!(review().fits(text));
        assert_eq!(mark(text), Some(10.0));
        for other in ["Clear and right.", "Clear.\nScore: 11", "\nScore: 1"] {
            assert!(!review().fits(other), "{other:?}");
        }
    }
}
