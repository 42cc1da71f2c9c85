//! Answers that are more than a label: entities in a text, or a text of their own.

use serde::{Deserialize, Serialize};

use super::{Example, Task, TaskKind, ner, qa};

/// The answer to an example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is the example's label.
    #[default]
    Label,
    /// The entities of the text, in their order; they do not overlap.
    Entities(Vec<Entity>),
    /// Texts, any of which is right; the first is what is learnt. Empty where nothing was answered.
    Text(Vec<String>),
}

impl Answer {
    /// Whether it is the label.
    pub fn is_label(&self) -> bool {
        *self == Self::Label
    }
}

/// A named thing in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    /// The byte it begins at.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// Its type, an index into [`Task::labels`].
    pub label: usize,
}

/// An entity as files have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The character it begins at.
    pub start: usize,
    /// The character behind it.
    pub end: usize,
    /// Its type.
    pub label: String,
    /// Its text.
    pub text: String,
}

impl Task {
    /// Whether answers are written, not chosen among the labels.
    pub fn is_open(&self) -> bool {
        // The labels of questions whose answers are listed are these answers; no other seeds have labels as answers.
        matches!(self.kind, TaskKind::Ner | TaskKind::Instruct)
            || self.kind == TaskKind::Qa && self.seeds.iter().any(|seed| !seed.answer.is_label())
    }

    /// How many labels are what an answer may hold: all but the group of texts without an entity.
    pub fn types(&self) -> &[String] {
        match (self.kind, self.labels.split_last()) {
            (TaskKind::Ner, Some((_, types))) => types,
            _ => &self.labels,
        }
    }

    /// An example's answer in words: what a student learns to say.
    pub fn said(&self, example: &Example) -> String {
        match &example.answer {
            Answer::Label => self.label_of(example).to_owned(),
            Answer::Entities(entities) => ner::said(&example.text, entities, &self.labels),
            Answer::Text(texts) => texts.first().cloned().unwrap_or_default(),
        }
    }

    /// An answer in words as it is meant, for the example's text. What cannot be meant is left out.
    pub fn heard(&self, example: &Example, said: &str) -> Answer {
        match self.kind {
            TaskKind::Classification => Answer::Label,
            TaskKind::Ner => Answer::Entities(ner::heard(&example.text, said, self.types())),
            TaskKind::Qa | TaskKind::Instruct => Answer::Text(match said.trim() {
                "" => Vec::new(),
                said => vec![said.to_owned()],
            }),
        }
    }

    /// The group of an example by its answer.
    pub fn group(&self, example: &Example) -> usize {
        match &example.answer {
            Answer::Label => example.label,
            Answer::Entities(entities) => {
                ner::group(entities, &ner::counts(&self.seeds, self.types().len()))
            }
            Answer::Text(_) if self.kind == TaskKind::Instruct => 0,
            Answer::Text(texts) => texts
                .first()
                .map_or(0, |text| qa::form(text, &example.text)),
        }
    }

    /// Whether an answered example may stand for a group: it has an entity of that type, or an answer of that form.
    pub fn stands_for(&self, example: &Example, group: usize) -> bool {
        match &example.answer {
            Answer::Entities(entities) if group < self.types().len() => {
                entities.iter().any(|entity| entity.label == group)
            }
            _ => self.group(example) == group,
        }
    }

    /// How far two answers say the same, 0 to 1: F1 of their entities or of their words, 1 where both are right if one is.
    pub fn agreement(&self, gold: &Example, other: &Answer) -> f64 {
        match (&gold.answer, other) {
            (Answer::Entities(gold), Answer::Entities(other)) => {
                let both = gold.iter().filter(|entity| other.contains(entity)).count();
                match gold.len() + other.len() {
                    0 => 1.0,
                    all => 2.0 * both as f64 / all as f64,
                }
            }
            (Answer::Text(gold), Answer::Text(other)) => {
                let other = other.first().map_or("", String::as_str);
                match qa::right(gold, other) {
                    true => 1.0,
                    false => qa::token_f1(gold, other),
                }
            }
            (gold, other) => f64::from(u8::from(gold == other)),
        }
    }

    /// Whether an answer is right.
    pub fn is_right(&self, gold: &Example, other: &Answer) -> bool {
        match (&gold.answer, other) {
            (Answer::Text(gold), Answer::Text(other)) => {
                qa::right(gold, other.first().map_or("", String::as_str))
            }
            (gold, other) => gold == other,
        }
    }

    /// The entities of an example as files have them; none where its answer is none of that sort.
    pub fn spans(&self, example: &Example) -> Option<Vec<Span>> {
        let Answer::Entities(entities) = &example.answer else {
            return None;
        };
        let count = |end: usize| {
            example
                .text
                .get(..end)
                .map_or(0, |text| text.chars().count())
        };
        let spans = entities.iter().map(|entity| Span {
            start: count(entity.start),
            end: count(entity.end),
            label: self.labels.get(entity.label).cloned().unwrap_or_default(),
            text: entity.of(&example.text).to_owned(),
        });
        Some(spans.collect())
    }
}

impl Entity {
    /// What it is called in its text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task::parse;

    fn people() -> Task {
        parse(
            r#"{"task":"t","type":"ner","instruction":"i","labels":["person","place"]}"#,
            "{\"tokens\":[\"Jan\",\"Brewer\",\"left\",\"Rome\"],\"tags\":[\"B-person\",\"I-person\",\"O\",\"B-place\"]}\n\
             {\"tokens\":[\"nobody\",\"left\"],\"tags\":[\"O\",\"O\"]}\n\
             {\"tokens\":[\"Ann\",\"left\"],\"tags\":[\"B-person\",\"O\"]}\n",
            None,
        )
        .unwrap()
    }

    #[test]
    fn entities_are_said_and_heard_again() {
        let task = people();
        for seed in &task.seeds {
            assert_eq!(task.heard(seed, &task.said(seed)), seed.answer);
        }
        assert_eq!(task.said(&task.seeds[0]), "person: Jan Brewer; place: Rome");
        assert_eq!(task.said(&task.seeds[1]), "none");
    }

    #[test]
    fn a_text_of_several_types_is_in_the_group_that_has_fewest() {
        let task = people();
        let groups: Vec<usize> = task.seeds.iter().map(|seed| seed.label).collect();
        assert_eq!(groups, [1, 2, 0]);
        assert!(task.stands_for(&task.seeds[0], 0) && task.stands_for(&task.seeds[0], 1));
        assert!(!task.stands_for(&task.seeds[0], 2) && task.stands_for(&task.seeds[1], 2));
    }

    #[test]
    fn spans_of_files_count_characters() {
        let task = parse(
            r#"{"task":"t","type":"ner","instruction":"i"}"#,
            "{\"text\":\"né à Rome\",\"entities\":[{\"start\":5,\"end\":9,\"label\":\"place\"}]}\n{\"text\":\"rien\",\"entities\":[]}",
            None,
        )
        .unwrap();
        let spans = task.spans(&task.seeds[0]).unwrap();
        assert_eq!((spans[0].start, spans[0].end), (5, 9));
        assert_eq!(spans[0].text, "Rome");
    }

    #[test]
    fn agreement_is_the_f1_of_what_was_said() {
        let task = people();
        let seed = &task.seeds[0];
        assert_eq!(task.agreement(seed, &seed.answer), 1.0);
        let half = task.heard(seed, "person: Jan Brewer");
        assert!((task.agreement(seed, &half) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(task.agreement(seed, &Answer::Entities(Vec::new())), 0.0);
        assert!(!task.is_right(seed, &half));
    }
}
