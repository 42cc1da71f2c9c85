//! What rules ask a text to have word for word.

use super::lessons::quotes;

/// An opening and a phrase that a text shall have: of those that its rules quote, one each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// What it shall begin with.
    pub opening: Option<String>,
    /// What shall stand somewhere in it.
    pub phrase: Option<String>,
}

impl Wording {
    /// Draws it from rule lines that ask for something (not from those that warn of it); the first line that quotes an
    /// opening, or a phrase, decides.
    ///
    /// ```
    /// # use seedbed::principle::Wording;
    /// let rules = ["Begin with \"How many\" or \"How much\".".to_owned(), "Use the word \"river\".".to_owned()];
    /// let wording = Wording::of(&rules, &mut fastrand::Rng::with_seed(1));
    /// assert!(wording.opening.unwrap().starts_with("How m"));
    /// assert_eq!(wording.phrase.unwrap(), "river");
    /// ```
    pub fn of<T: AsRef<str>>(rules: &[T], rng: &mut fastrand::Rng) -> Self {
        let mut wording = Self::default();
        for rule in rules {
            let (openings, phrases) = quoted_in(rule.as_ref());
            wording.opening = wording.opening.or_else(|| chosen(openings, rng));
            wording.phrase = wording.phrase.or_else(|| chosen(phrases, rng));
        }
        let opening = wording
            .opening
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        // What the opening says already need not be said again.
        wording
            .phrase
            .take_if(|phrase| opening.contains(&phrase.to_lowercase()));
        wording
    }
}

/// Whether a rule is about how a text begins.
pub(super) fn is_about_openings(rule: &str) -> bool {
    ["Begin", "Start"].iter().any(|verb| rule.starts_with(verb))
}

/// The openings that a rule gives to choose from, and the other phrases that it quotes.
fn quoted_in(rule: &str) -> (Vec<&str>, Vec<&str>) {
    let mut leading = is_about_openings(rule);
    let (mut openings, mut phrases) = (Vec::new(), Vec::new());
    for (place, (before, quote)) in quotes(rule).enumerate() {
        // The list of openings goes on as long as nothing else is said: `Begin with "who" or "what" and end with "?"`.
        leading &= place == 0 || matches!(before.trim(), "," | "or" | ", or");
        match leading {
            true => openings.push(quote),
            false => phrases.push(quote),
        }
    }
    (openings, phrases)
}

fn chosen(of: Vec<&str>, rng: &mut fastrand::Rng) -> Option<String> {
    rng.choice(of).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_the_list_that_a_rule_begins_with_and_phrases_all_other_quotes() {
        assert_eq!(
            quoted_in("Begin with \"find\", \"show\" or \"look for\"."),
            (vec!["find", "show", "look for"], vec![])
        );
        assert_eq!(
            quoted_in("Begin with \"What does\" and end with \"stand for\"."),
            (vec!["What does"], vec!["stand for"])
        );
        assert_eq!(
            quoted_in("Use the word \"book\" or \"reserve\"."),
            (vec![], vec!["book", "reserve"])
        );
        assert_eq!(quoted_in("Write a question."), (vec![], vec![]));
    }

    #[test]
    fn the_first_rule_decides_and_a_phrase_is_not_asked_for_twice() {
        let mut rng = fastrand::Rng::with_seed(1);
        let rules = [
            "Begin with \"What is\".",
            "Start with \"who\".",
            "Use the word \"what\".",
        ];
        let wording = Wording::of(&rules, &mut rng);
        assert_eq!(wording.opening.as_deref(), Some("What is"));
        assert_eq!(wording.phrase, None);
        assert_eq!(Wording::of::<&str>(&[], &mut rng), Wording::default());
    }
}
