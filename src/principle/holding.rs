//! The rules that hold for a text at hand: what a student is shown so that it learns what a rule is for.

use super::profile::Profile;
use super::wording::is_about_openings;
use super::{Level, Polarity, Principle, PrincipleSet, instance_rule, lessons};

/// Up to `most` rule lines of the set that are true of `text`, which has the label `label`, drawn by chance; no two
/// about the same attribute. Of the label's rules in a teacher's own words one comes first, where the text has what it quotes.
pub fn holding(
    set: &PrincipleSet,
    label: &str,
    text: &str,
    most: usize,
    rng: &mut fastrand::Rng,
) -> Vec<String> {
    let profile = Profile::new(text, 0);
    let mut principles: Vec<&Principle> = set
        .principles
        .iter()
        .filter(|principle| {
            principle.level == Level::Instance && principle.polarity == Polarity::Do
        })
        .filter(|principle| principle.label.as_deref().is_none_or(|own| own == label))
        .collect();
    rng.shuffle(&mut principles);
    let mut seen: Vec<&str> = Vec::new();
    let mut rules = Vec::new();
    for principle in principles {
        let Some(attribute) = principle.attribute.as_deref() else {
            continue;
        };
        if rules.len() >= most || seen.contains(&attribute) {
            continue;
        }
        let mut true_values: Vec<&String> = principle
            .values
            .iter()
            .filter(|value| holds(attribute, value, &profile))
            .collect();
        rng.shuffle(&mut true_values);
        if let Some(value) = true_values.first() {
            seen.push(attribute);
            rules.push(instance_rule(principle, value));
        }
    }
    let spoken: Vec<&Principle> = lessons::own(set, label)
        .filter(|principle| principle.attribute.is_none() && names(&principle.text, &profile))
        .collect();
    if let Some(principle) = rng.choice(spoken)
        && most > 0
    {
        rules.truncate(most - 1);
        rules.insert(0, principle.text.clone());
    }
    rules
}

/// Whether a text has a word that a rule quotes, or begins with it where the rule is about beginnings.
fn names(rule: &str, profile: &Profile) -> bool {
    let attribute = match is_about_openings(rule) {
        true => "opening",
        false => "words",
    };
    lessons::quoted(rule).any(|term| holds(attribute, term, profile))
}

/// Whether one value of an attribute is true of a text; attributes of a teacher's own making cannot be judged, so
/// they are not claimed to hold.
fn holds(attribute: &str, value: &str, profile: &Profile) -> bool {
    let words = |text: &str| Profile::new(text, 0).words;
    match attribute {
        "length" => {
            let numbers: Vec<usize> = value
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect();
            matches!(numbers[..], [low, high] if (low..=high).contains(&profile.words.len()))
        }
        "opening" => profile.words.starts_with(&words(value)) && !value.is_empty(),
        "form" => profile.form.name() == value,
        "words" => {
            let wanted = words(value);
            !wanted.is_empty() && profile.words.windows(wanted.len()).any(|run| run == wanted)
        }
        "mention" => match value {
            "a number" => profile.number,
            "a name" => profile.name,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task;

    #[test]
    fn every_rule_that_is_shown_is_true_of_the_text() {
        let json =
            r#"{"task":"t","type":"classification","instruction":"i","labels":["book","play"]}"#;
        let seeds = [
            ("book a table for 4 people", "book"),
            ("please book a restaurant", "book"),
            ("book a table now", "book"),
            ("play some jazz", "play"),
            ("play the new song by Adele", "play"),
            ("play jazz music", "play"),
        ];
        let rows: String = seeds
            .iter()
            .map(|(text, label)| format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}\n"))
            .collect();
        let task = task::parse(json, &rows, None).unwrap();
        let set = super::super::offline::write(&task);
        let mut some = 0;
        for draw in 0..50 {
            let mut rng = fastrand::Rng::with_seed(draw);
            for (text, label) in seeds {
                for rule in holding(&set, label, text, 3, &mut rng) {
                    some += 1;
                    if let Some(word) = rule.strip_prefix("Use the word \"") {
                        assert!(
                            text.contains(word.trim_end_matches("\".")),
                            "{rule}: {text}"
                        );
                    }
                    if let Some(start) = rule.strip_prefix("Start with \"") {
                        assert!(
                            text.starts_with(start.trim_end_matches("\".")),
                            "{rule}: {text}"
                        );
                    }
                }
            }
        }
        assert!(some > 100);
    }

    #[test]
    fn a_rule_in_a_teachers_own_words_is_shown_where_the_text_has_what_it_quotes() {
        let rule = |text: &str, polarity| Principle {
            level: Level::Label,
            label: Some("human".to_owned()),
            attribute: None,
            text: text.to_owned(),
            polarity,
            ..super::super::tests::principle()
        };
        let set = PrincipleSet {
            version: 1,
            task: "t".to_owned(),
            principles: vec![
                rule("Begin with \"who\".", Polarity::Do),
                rule("Use the word \"where\".", Polarity::Avoid),
            ],
        };
        let shown = |label: &str, text: &str, most: usize| {
            holding(&set, label, text, most, &mut fastrand::Rng::with_seed(0))
        };
        assert_eq!(shown("human", "Who wrote it ?", 3), ["Begin with \"who\"."]);
        assert!(shown("human", "the man who wrote it", 3).is_empty());
        assert!(shown("human", "where is it ?", 3).is_empty());
        assert!(shown("place", "Who wrote it ?", 3).is_empty());
        assert!(shown("human", "Who wrote it ?", 0).is_empty());
    }
}
