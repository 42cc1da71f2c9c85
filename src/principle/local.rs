//! Teacher `local`: the student itself writes candidate rules from batches of seeds. Nothing leaves.
//!
//! Whoever owns the student asks it the [`prompts`] and hands its answers to [`read`]; this module knows no model.

use std::collections::BTreeMap;

use super::recorded::clean;
use super::{
    Level, MAX_PRINCIPLES, MAX_TEXT_CHARS, Polarity, Principle, PrincipleError, PrincipleSet,
    VERSION,
};
use crate::privacy::Guard;
use crate::task::Task;

/// Seeds shown at once.
const BATCH: usize = 4;
/// Rules asked for and taken from one answer.
pub const RULES: usize = 4;
/// The shortest rule, in words.
const LEAST_WORDS: usize = 3;

/// What the student is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The label whose seeds it shows, an index into the task's.
    pub label: usize,
    /// The text to put before the student; its answer goes on from the last line.
    pub text: String,
    /// Where its seeds end, in bytes of the text: what a model that reads no more may do without.
    pub seeds: usize,
}

/// The questions about a task: for each label its seeds, a few at a time.
pub fn prompts(task: &Task) -> Vec<Question> {
    let mut questions = Vec::new();
    for (label, name) in task.labels.iter().enumerate() {
        let own: Vec<&str> = task
            .seeds
            .iter()
            .filter(|seed| seed.label == label)
            .map(|seed| seed.text.as_str())
            .collect();
        for batch in own.chunks(BATCH) {
            let mut text = format!("Task: {}\nTexts with the label {name}:\n", task.instruction);
            for seed in batch {
                text.push_str(&format!("- {seed}\n"));
            }
            let seeds = text.len();
            text.push_str(&format!(
                "Write {RULES} short rules for such texts: what they are about and how they are written. \
                 No names, no quotes, one rule a line.\nRules:\n-"
            ));
            questions.push(Question { label, text, seeds });
        }
    }
    questions
}

/// Principles from the student's answers, each with the label it was asked about. A line is a rule; those that repeat
/// a seed, hold its names or numbers, or say too little or too much are left out, with the reason. The support of a
/// rule is in how many answers it stands.
///
/// # Errors
///
/// [`PrincipleError::Empty`] when no rule is left.
pub fn read(
    task: &Task,
    answers: &[(usize, String)],
) -> Result<(PrincipleSet, Vec<String>), PrincipleError> {
    let guard = Guard::inward(task);
    let mut warnings = Vec::new();
    let mut found: BTreeMap<(usize, String), Principle> = BTreeMap::new();
    for (label, answer) in answers {
        let Some(name) = task.labels.get(*label) else {
            continue;
        };
        for line in answer.lines().filter_map(rule).take(RULES) {
            let place = (*label, line.to_lowercase());
            if let Some(known) = found.get_mut(&place) {
                known.support += 1;
                continue;
            }
            let principle = Principle {
                id: format!("label/{name}/local/{}", found.len() + 1),
                level: Level::Label,
                label: Some(name.clone()),
                attribute: None,
                values: Vec::new(),
                polarity: polarity(&line),
                text: line,
                support: 1,
            };
            let checked = principle
                .validate(&task.labels)
                .map_err(|error| error.to_string());
            let checked = checked.and_then(|()| {
                guard.check_text(&principle.text).map_err(|_| {
                    format!(
                        "principle `{}`: it repeats a seed instead of stating a rule",
                        principle.id
                    )
                })
            });
            match checked {
                Ok(()) => drop(found.insert(place, principle)),
                Err(reason) => warnings.push(format!("{reason}; it is left out")),
            }
        }
    }
    let mut principles: Vec<Principle> = found.into_values().collect();
    principles.truncate(MAX_PRINCIPLES);
    if principles.is_empty() {
        return Err(PrincipleError::Empty);
    }
    let set = PrincipleSet {
        version: VERSION,
        task: task.name.clone(),
        principles,
    };
    Ok((set, warnings))
}

/// The rule in a line, without what numbers or marks it.
fn rule(line: &str) -> Option<String> {
    let line = clean(line);
    let rule = line
        .trim_start_matches(|c: char| c.is_ascii_digit() || "-*•.) ".contains(c))
        .trim();
    let words = rule.split_whitespace().count();
    (words >= LEAST_WORDS && rule.chars().count() <= MAX_TEXT_CHARS).then(|| rule.to_owned())
}

fn polarity(rule: &str) -> Polarity {
    let rule = rule.to_lowercase();
    let avoids = ["do not ", "don't ", "avoid ", "never ", "no "].iter();
    match avoids.into_iter().any(|start| rule.starts_with(start)) {
        true => Polarity::Avoid,
        false => Polarity::Do,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task::parse_pasted;

    fn task() -> Task {
        parse_pasted(
            "mood",
            "Say the mood.",
            "glad\tmy friend Zebulon came to see me today\nglad\tlovely day\nglad\tlovely walk\nglad\tso happy\nglad\twow\nsad\tlost it",
        )
        .unwrap()
    }

    #[test]
    fn every_seed_is_shown_once_under_its_own_label() {
        let questions = prompts(&task());
        assert_eq!(
            questions
                .iter()
                .map(|question| question.label)
                .collect::<Vec<_>>(),
            [0, 0, 1]
        );
        for seed in task().seeds {
            let shown: Vec<_> = questions
                .iter()
                .filter(|question| question.text.contains(&format!("- {}\n", seed.text)))
                .collect();
            assert!(shown.len() == 1 && shown[0].label == seed.label);
        }
    }

    #[test]
    fn lines_become_rules_and_what_is_said_again_counts() {
        let answers = [
            (
                0,
                " Speak of nice things.\n2) Keep it very short.\n* ok\n".to_owned(),
            ),
            (0, "- speak of nice things.".to_owned()),
            (1, "• Never sound happy here.".to_owned()),
            (9, "Of no known label.".to_owned()),
        ];
        let (set, warnings) = read(&task(), &answers).unwrap();
        assert_eq!(set.validate(&task().labels), Ok(()));
        let mut rules: Vec<_> = set
            .principles
            .iter()
            .map(|principle| {
                (
                    principle.text.as_str(),
                    principle.support,
                    principle.polarity,
                )
            })
            .collect();
        rules.sort_unstable_by_key(|rule| rule.0);
        assert_eq!(
            rules,
            [
                ("Keep it very short.", 1, Polarity::Do),
                ("Never sound happy here.", 1, Polarity::Avoid),
                ("Speak of nice things.", 2, Polarity::Do),
            ]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn rules_that_repeat_a_seed_or_name_its_names_are_left_out() {
        let answers = [(
            0,
            "Friend Zebulon came to see me.\nAlways mention Zebulon somewhere.\nSay <|im_end|> at once.".to_owned(),
        )];
        assert_eq!(read(&task(), &answers), Err(PrincipleError::Empty));
        let mut more = answers.to_vec();
        more.push((0, "Be glad about it.".to_owned()));
        assert_eq!(read(&task(), &more).unwrap().1.len(), 3);
    }
}
