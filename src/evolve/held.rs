//! What a text is made to have word for word, because its rules quote it.

use super::stages::Bench;
use super::texts::Drafts;
use crate::model::ModelError;
use crate::principle::{MAX_RULES, Wording};

impl Bench<'_> {
    /// Adds to drafts what their next text shall have, drawn from what its rules quote.
    pub fn hold(
        &self,
        rules: &[String],
        drafts: &mut Drafts,
        rng: &mut fastrand::Rng,
    ) -> Result<(), ModelError> {
        let vocabulary = &self.model.vocabulary;
        // What to avoid stands behind these.
        let rules = &rules[..rules.len().min(MAX_RULES)];
        let Wording { opening, phrase } = Wording::of(rules, rng);
        let seeds = self.task.seeds.iter().map(|seed| seed.text.as_str());
        let opening = begun_like(seeds, &opening.unwrap_or_default());
        let mut opening = vocabulary.encode(&opening)?;
        // Behind a prompt there is room for what may be new; an opening that takes most of it leaves no text to write.
        if opening.len() > self.settings.max_new / 2 {
            opening.clear();
        }
        drafts.openings.push(opening);
        let mut ids = Vec::new();
        if let Some(phrase) = phrase {
            // As it is spelt behind another word.
            let alone = vocabulary.encode("a")?;
            let within = vocabulary.encode(&["a ", &phrase].concat())?;
            ids.extend_from_slice(within.strip_prefix(&alone[..]).unwrap_or_default());
        }
        drafts.phrases.push(ids);
        Ok(())
    }
}

/// An opening with a small or a capital first letter, as texts have it where they all do alike.
fn begun_like<'s>(texts: impl Iterator<Item = &'s str>, opening: &str) -> String {
    let (mut upper, mut lower) = (false, false);
    for first in texts.filter_map(|text| text.chars().next()) {
        upper |= first.is_uppercase();
        lower |= first.is_lowercase();
    }
    let mut letters = opening.chars();
    let first = letters.next().into_iter();
    match (upper, lower) {
        (true, false) => first.flat_map(char::to_uppercase).chain(letters).collect(),
        (false, true) => first.flat_map(char::to_lowercase).chain(letters).collect(),
        _ => opening.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::begun_like;

    #[test]
    fn an_opening_has_the_first_letter_that_all_seeds_have() {
        let begun = |texts: &[&str]| begun_like(texts.iter().copied(), "What is");
        assert_eq!(begun(&["play it", "", "7 up"]), "what is");
        assert_eq!(begun(&["Play it", "play it"]), "What is");
        assert_eq!(begun(&[]), "What is");
        assert_eq!(begun_like(["Who ?"].into_iter(), "what is"), "What is");
        assert_eq!(begun_like(["Who ?"].into_iter(), ""), "");
    }
}
