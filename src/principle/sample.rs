//! The few rules that one instance is written from.

use std::collections::BTreeSet;

use super::{Level, Polarity, Principle, PrincipleSet};

/// How many rules an instance usually has; a small model does not follow more.
pub const MAX_RULES: usize = 3;

/// The rule, in the wording the bundled model was trained on, for one value of a principle's attribute. Attributes
/// that have no such wording (a recorded principle may have any) are named: `Tone: formal.`
///
/// ```
/// # use seedbed::principle::{Level, Polarity, Principle, instance_rule};
/// # let mut principle = Principle {
/// #     id: "instance/length".to_owned(), level: Level::Instance, label: None, attribute: Some("length".to_owned()),
/// #     values: vec![], text: "Vary the length.".to_owned(), polarity: Polarity::Do, support: 0,
/// # };
/// assert_eq!(instance_rule(&principle, "4 to 6 words"), "Use between 4 and 6 words.");
/// principle.attribute = Some("opening".to_owned());
/// assert_eq!(instance_rule(&principle, "play"), "Start with \"play\".");
/// ```
pub fn instance_rule(principle: &Principle, value: &str) -> String {
    let value = value.trim().replace('"', "'");
    let Some(attribute) = principle
        .attribute
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
    else {
        return principle.text.clone();
    };
    match attribute.to_lowercase().as_str() {
        "length" => {
            if let [low, high] = numbers(&value)[..] {
                return format!("Use between {low} and {high} words.");
            }
        }
        "opening" => return format!("Start with \"{value}\"."),
        "form" => return format!("Write {} {value}.", article(&value)),
        "words" if value.contains(' ') => return format!("Use the words \"{value}\"."),
        "words" => return format!("Use the word \"{value}\"."),
        "mention" => return format!("Mention {value}."),
        _ => {}
    }
    let mut characters = attribute.chars();
    let first: String = characters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}: {value}.", characters.as_str())
}

fn numbers(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .collect()
}

fn article(noun: &str) -> &'static str {
    if noun.to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// Draws the rules for one instance of a label, at most `max_rules` (usually [`MAX_RULES`]), as pairs of the principle's
/// id and the rule: what belongs to the label, then one or two things to vary, then perhaps what holds for the task.
/// No two rules set the same thing. What to avoid comes only as a fourth rule or later, because a small model tends
/// to write the very words it is told to avoid.
pub fn draw(
    set: &PrincipleSet,
    label: &str,
    max_rules: usize,
    rng: &mut fastrand::Rng,
) -> Vec<(String, String)> {
    let mut drawn = Drawn {
        rules: Vec::new(),
        set_already: BTreeSet::new(),
        max_rules,
    };
    let of = |level: Level, polarity: Polarity| -> Vec<&Principle> {
        set.principles
            .iter()
            .filter(|principle| principle.level == level && principle.polarity == polarity)
            .filter(|principle| principle.label.as_deref().is_none_or(|own| own == label))
            .collect()
    };
    // The rule of the label is one that tells it from others, where there is one.
    let (shape, telling): (Vec<_>, Vec<_>) = of(Level::Label, Polarity::Do)
        .into_iter()
        .partition(|principle| matches!(principle.attribute.as_deref(), Some("length" | "form")));
    drawn.take(if telling.is_empty() { shape } else { telling }, 1, rng);

    let mut instance = of(Level::Instance, Polarity::Do);
    // A label's own values come before those of the whole task.
    let own: BTreeSet<&str> = instance
        .iter()
        .filter(|p| p.label.is_some())
        .filter_map(|p| p.attribute.as_deref())
        .collect();
    instance.retain(|p| {
        p.label.is_some()
            || p.attribute
                .as_deref()
                .is_none_or(|name| !own.contains(name))
    });
    // An opening alone may fit several labels, so a word of the topic goes with it.
    let count = rng.usize(1..=2);
    let before = drawn.rules.len();
    if drawn.set_already.contains("opening") {
        let topics = instance
            .iter()
            .copied()
            .filter(|p| p.attribute.as_deref() == Some("words"));
        drawn.take(topics.collect(), 1, rng);
    }
    drawn.take(
        instance,
        (before + count).saturating_sub(drawn.rules.len()),
        rng,
    );

    let mut task = of(Level::Task, Polarity::Do);
    // What the answers are is no rule about the text.
    task.retain(|principle| principle.attribute.as_deref() != Some("answer"));
    if rng.bool() || drawn.rules.is_empty() {
        drawn.take(task, 1, rng);
    }
    if drawn.rules.len() >= MAX_RULES {
        drawn.take(of(Level::Label, Polarity::Avoid), 1, rng);
    }
    drawn.rules
}

struct Drawn {
    rules: Vec<(String, String)>,
    /// What the rules so far have decided.
    set_already: BTreeSet<String>,
    max_rules: usize,
}

impl Drawn {
    /// Draws up to `count` of the principles, as far as they do not meddle with each other.
    fn take(&mut self, mut principles: Vec<&Principle>, count: usize, rng: &mut fastrand::Rng) {
        rng.shuffle(&mut principles);
        let most = (self.rules.len() + count).min(self.max_rules);
        for principle in principles {
            if self.rules.len() >= most {
                return;
            }
            // Principles without an attribute are on nobody's way.
            let decides = principle.attribute.as_deref().map(decides);
            if decides.is_some_and(|what| !self.set_already.insert(what.to_owned())) {
                continue;
            }
            let rule = match (principle.level, rng.choice(&principle.values)) {
                (Level::Instance, Some(value)) => instance_rule(principle, value),
                _ => principle.text.clone(),
            };
            self.rules.push((principle.id.clone(), rule));
        }
    }
}

/// What an attribute decides: a first word decides the form too ("what is" cannot start a command).
fn decides(attribute: &str) -> &str {
    match attribute {
        "opening" | "form" => "opening",
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::principle::tests::principle;

    fn set() -> PrincipleSet {
        let make =
            |id: &str, level, label: Option<&str>, attribute: &str, values: &[&str], text: &str| {
                Principle {
                    id: id.to_owned(),
                    level,
                    label: label.map(str::to_owned),
                    attribute: Some(attribute.to_owned()),
                    values: values.iter().map(|&value| value.to_owned()).collect(),
                    text: text.to_owned(),
                    ..principle()
                }
            };
        let avoid = make(
            "label/a/not/b",
            Level::Label,
            Some("a"),
            "contrast",
            &[],
            "Not b: avoid \"y\".",
        );
        PrincipleSet {
            version: 1,
            task: "t".to_owned(),
            principles: vec![
                make(
                    "task/answer",
                    Level::Task,
                    None,
                    "answer",
                    &[],
                    "The right answer is a or b.",
                ),
                make(
                    "task/casing",
                    Level::Task,
                    None,
                    "casing",
                    &[],
                    "Most texts are written in lower case.",
                ),
                make(
                    "label/a/words",
                    Level::Label,
                    Some("a"),
                    "words",
                    &[],
                    "Use words such as \"x\".",
                ),
                make(
                    "label/a/opening",
                    Level::Label,
                    Some("a"),
                    "opening",
                    &[],
                    "Often starts with \"x\".",
                ),
                make(
                    "label/b/words",
                    Level::Label,
                    Some("b"),
                    "words",
                    &[],
                    "Use words such as \"y\".",
                ),
                Principle {
                    polarity: Polarity::Avoid,
                    ..avoid
                },
                make(
                    "instance/length",
                    Level::Instance,
                    None,
                    "length",
                    &["1 to 9 words"],
                    "Vary the length.",
                ),
                make(
                    "instance/a/length",
                    Level::Instance,
                    Some("a"),
                    "length",
                    &["2 to 3 words", "4 to 5 words"],
                    "L",
                ),
                make(
                    "instance/a/form",
                    Level::Instance,
                    Some("a"),
                    "form",
                    &["question"],
                    "F",
                ),
                make(
                    "instance/a/words",
                    Level::Instance,
                    Some("a"),
                    "words",
                    &["x", "x y"],
                    "W",
                ),
                make(
                    "instance/b/mention",
                    Level::Instance,
                    Some("b"),
                    "mention",
                    &["a number"],
                    "M",
                ),
            ],
        }
    }

    fn many(label: &str, max_rules: usize) -> Vec<Vec<(String, String)>> {
        let (set, mut rng) = (set(), fastrand::Rng::with_seed(5));
        (0..300)
            .map(|_| draw(&set, label, max_rules, &mut rng))
            .collect()
    }

    #[test]
    fn rules_are_worded_as_the_bundled_model_knows_them() {
        let rule = |attribute: &str, value: &str| {
            instance_rule(
                &Principle {
                    attribute: Some(attribute.to_owned()),
                    ..principle()
                },
                value,
            )
        };
        assert_eq!(rule("length", "4 to 6 words"), "Use between 4 and 6 words.");
        assert_eq!(rule("opening", "play"), "Start with \"play\".");
        assert_eq!(rule("words", "restaurant"), "Use the word \"restaurant\".");
        assert_eq!(
            rule("words", "olive \"garden\""),
            "Use the words \"olive 'garden'\"."
        );
        assert_eq!(rule("form", "question"), "Write a question.");
        assert_eq!(rule("form", "order"), "Write an order.");
        assert_eq!(rule("mention", "a number"), "Mention a number.");
        assert_eq!(rule("length", "short"), "Length: short.");
        assert_eq!(rule("tone", "formal"), "Tone: formal.");
        assert_eq!(
            instance_rule(
                &Principle {
                    attribute: None,
                    ..principle()
                },
                "x"
            ),
            principle().text
        );
    }

    #[test]
    fn each_draw_has_one_rule_of_the_label_its_words_and_something_to_vary() {
        for rules in many("a", MAX_RULES) {
            assert!(
                rules.iter().any(|(id, _)| id.ends_with("words")),
                "{rules:?}"
            );
            assert!((2..=3).contains(&rules.len()), "{rules:?}");
            assert!(rules[0].0.starts_with("label/a/"), "{rules:?}");
            assert!(rules[1].0.starts_with("instance/a/"), "{rules:?}");
        }
    }

    #[test]
    fn no_two_rules_set_the_same_thing_and_none_is_about_answers_or_other_labels() {
        for rules in many("a", 10) {
            let ids: Vec<&str> = rules.iter().map(|(id, _)| id.as_str()).collect();
            let both = |a: &str, b: &str| ids.contains(&a) && ids.contains(&b);
            assert!(
                !both("label/a/words", "instance/a/words")
                    && !both("label/a/opening", "instance/a/form")
            );
            assert!(
                ids.iter().all(|id| !id.contains("/b/")
                    && *id != "task/answer"
                    && *id != "instance/length")
            );
        }
    }

    #[test]
    fn values_vary_from_draw_to_draw() {
        let lines: BTreeSet<String> = many("a", 3)
            .into_iter()
            .flatten()
            .map(|(_, rule)| rule)
            .collect();
        for line in [
            "Use between 2 and 3 words.",
            "Use between 4 and 5 words.",
            "Write a question.",
            "Use the word \"x\".",
        ] {
            assert!(lines.contains(line), "{lines:?}");
        }
    }

    #[test]
    fn what_to_avoid_needs_room_for_a_fourth_rule() {
        let avoids = |max_rules| {
            many("a", max_rules)
                .iter()
                .flatten()
                .any(|(id, _)| id == "label/a/not/b")
        };
        assert!(!avoids(3) && avoids(4));
    }

    #[test]
    fn a_label_without_own_rules_takes_the_shared_ones() {
        for rules in many("c", 3) {
            assert_eq!(rules[0].1, "Use between 1 and 9 words.");
        }
    }

    #[test]
    fn no_rules_are_drawn_where_none_are_wanted_or_known() {
        assert!(many("a", 0).iter().all(Vec::is_empty));
        let empty = PrincipleSet {
            principles: vec![],
            ..set()
        };
        assert!(draw(&empty, "a", 3, &mut fastrand::Rng::with_seed(1)).is_empty());
    }

    #[test]
    fn the_same_seed_draws_the_same_rules() {
        assert_eq!(many("a", 3), many("a", 3));
    }
}
