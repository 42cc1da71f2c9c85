//! Principles: short rules, on three levels, from which training instances are written.
//!
//! A [`PrincipleSet`] says for the task as a whole what a text looks like, for each label what belongs to it and what
//! does not, and for a single instance what to vary. Who writes them is a teacher: [`offline`] counts in the seeds and
//! asks nobody, [`recorded`] reads a file. [`draw`] then picks the few rules that one instance is written from.
//!
//! ```
//! let task = seedbed::task::parse_pasted(
//!     "mood",
//!     "Say the mood.",
//!     "glad\twhat a lovely day\nglad\tsuch a lovely walk\nsad\ti lost my keys\nsad\ti lost again\n",
//! )?;
//! let set = seedbed::principle::offline::write(&task);
//! let words = set.principles.iter().find(|principle| principle.id == "label/glad/words").unwrap();
//! assert_eq!(words.text, "Use words such as \"lovely\", \"walk\", \"day\".");
//! # Ok::<(), seedbed::task::TaskError>(())
//! ```

pub mod api;
mod error;
mod holding;
mod keyness;
mod lessons;
pub mod local;
pub mod offline;
mod phrases;
pub mod recorded;
mod sample;
mod select;
mod wording;

pub use error::PrincipleError;
pub use holding::holding;
pub use lessons::lessons;
pub use sample::{MAX_RULES, draw, instance_rule};
pub use select::{Reason, Selection, VOTE, Verdict, select};
pub use wording::Wording;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::task::profile;
use crate::task::words::{is_invisible, role_marker};

/// The version of the format that is read and written here.
pub const VERSION: u32 = 1;
/// The longest text of a principle, in characters.
pub const MAX_TEXT_CHARS: usize = 200;
/// The longest value of an attribute, in characters.
pub const MAX_VALUE_CHARS: usize = 80;
/// The most values an attribute may have.
pub const MAX_VALUES: usize = 64;
/// The most principles a set may have.
pub const MAX_PRINCIPLES: usize = 500;

/// What a principle is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every text of the task.
    Task,
    /// The texts of one label.
    Label,
    /// One instance: something to vary from one to the next.
    Instance,
}

/// Whether a principle asks for something or warns of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Do this.
    #[default]
    Do,
    /// Avoid this.
    Avoid,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principle {
    /// Stable and readable, such as `label/BookRestaurant/words`.
    pub id: String,
    /// What it is about.
    pub level: Level,
    /// The label it holds for; none where it holds for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it sets or varies (`length`, `opening`, `form`, `words`, `mention`, …): two rules for one attribute are
    /// never drawn together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The values to choose from; [`instance_rule`] makes a rule of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The rule in words for people, and for the model where there are no values.
    pub text: String,
    /// Whether it asks or warns.
    #[serde(default)]
    pub polarity: Polarity,
    /// How many seeds show it.
    #[serde(default)]
    pub support: usize,
}

/// All principles of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipleSet {
    /// [`VERSION`].
    pub version: u32,
    /// The name of the task they were written for.
    pub task: String,
    /// The rules, the most general first.
    pub principles: Vec<Principle>,
}

impl PrincipleSet {
    /// The set as JSON text, as [`recorded::parse`] reads it.
    ///
    /// # Errors
    ///
    /// None that is known: every set can be written.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// These principles after a `newer` answer: what that one says on a level, or of a label, takes the place of what was
    /// said before.
    #[must_use]
    pub fn followed_by(mut self, newer: Self) -> Self {
        let kept = std::mem::take(&mut self.principles).into_iter();
        let replaced = |old: &Principle| {
            newer
                .principles
                .iter()
                .any(|new| (new.level, &new.label) == (old.level, &old.label))
        };
        self.principles = kept.filter(|old| !replaced(old)).collect();
        self.principles.extend(newer.principles.iter().cloned());
        self.principles.truncate(MAX_PRINCIPLES);
        self
    }

    /// Checks the set against the labels of its task.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; see [`PrincipleError`].
    pub fn validate(&self, labels: &[String]) -> Result<(), PrincipleError> {
        check_frame(self.version, self.principles.len())?;
        let mut ids = HashSet::new();
        for principle in &self.principles {
            principle.validate(labels)?;
            if !ids.insert(principle.id.as_str()) {
                return Err(PrincipleError::DuplicateId {
                    id: principle.id.clone(),
                });
            }
        }
        Ok(())
    }
}

fn check_frame(version: u32, principles: usize) -> Result<(), PrincipleError> {
    if version != VERSION {
        Err(PrincipleError::Version { found: version })
    } else if principles == 0 {
        Err(PrincipleError::Empty)
    } else if principles > MAX_PRINCIPLES {
        Err(PrincipleError::TooMany { found: principles })
    } else {
        Ok(())
    }
}

impl Principle {
    /// Checks one principle against the labels of its task.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; see [`PrincipleError`].
    pub fn validate(&self, labels: &[String]) -> Result<(), PrincipleError> {
        if self.id.trim().is_empty()
            || self.id.chars().count() > MAX_TEXT_CHARS
            || self.id.chars().any(is_invisible)
        {
            return Err(PrincipleError::BadId {
                text: shorten(&self.text),
            });
        }
        let id = || shorten(&self.id);
        if self.text.trim().is_empty() {
            return Err(PrincipleError::EmptyText { id: id() });
        }
        let characters = self.text.chars().count();
        if characters > MAX_TEXT_CHARS {
            return Err(PrincipleError::TextTooLong {
                id: id(),
                characters,
            });
        }
        let bad_value =
            |value: &String| value.trim().is_empty() || value.chars().count() > MAX_VALUE_CHARS;
        if self.values.len() > MAX_VALUES || self.values.iter().any(bad_value) {
            return Err(PrincipleError::BadValues { id: id() });
        }
        for text in self
            .values
            .iter()
            .chain([&self.text])
            .chain(&self.attribute)
        {
            if text.chars().any(is_invisible) {
                return Err(PrincipleError::Invisible { id: id() });
            }
            if role_marker(text).is_some() {
                return Err(PrincipleError::RoleMarker { id: id() });
            }
        }
        match (&self.label, self.level) {
            (Some(label), _) if !labels.contains(label) => {
                return Err(PrincipleError::UnknownLabel {
                    id: id(),
                    label: shorten(label),
                });
            }
            (None, Level::Label) => return Err(PrincipleError::NoLabel { id: id() }),
            _ => {}
        }
        if !self.values.is_empty()
            && self
                .attribute
                .as_deref()
                .is_none_or(|name| name.trim().is_empty())
        {
            return Err(PrincipleError::NoAttribute { id: id() });
        }
        Ok(())
    }
}

fn shorten(text: &str) -> String {
    text.chars()
        .filter(|&c| !is_invisible(c))
        .take(60)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(in crate::principle) mod tests {
    use super::*;

    pub(in crate::principle) fn principle() -> Principle {
        Principle {
            id: "label/a/words".to_owned(),
            level: Level::Label,
            label: Some("a".to_owned()),
            attribute: Some("words".to_owned()),
            values: vec![],
            text: "Use words such as \"x\".".to_owned(),
            polarity: Polarity::Do,
            support: 2,
        }
    }

    fn check(change: impl FnOnce(&mut Principle)) -> Result<(), PrincipleError> {
        let mut principle = principle();
        change(&mut principle);
        let set = PrincipleSet {
            version: 1,
            task: "t".to_owned(),
            principles: vec![principle],
        };
        set.validate(&["a".to_owned(), "b".to_owned()])
    }

    #[test]
    fn a_sound_principle_passes() {
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|p| p.text = "é".repeat(200)), Ok(()));
    }

    #[test]
    fn an_empty_or_overlong_text_is_refused() {
        assert!(matches!(
            check(|p| p.text = " ".to_owned()),
            Err(PrincipleError::EmptyText { .. })
        ));
        let long = check(|p| p.text = "é".repeat(201));
        assert!(matches!(
            long,
            Err(PrincipleError::TextTooLong {
                characters: 201,
                ..
            })
        ));
    }

    #[test]
    fn invisible_characters_and_role_markers_are_refused() {
        for text in ["a\u{200b}b", "a\nb", "a\u{202e}b"] {
            assert!(matches!(
                check(|p| p.text = text.to_owned()),
                Err(PrincipleError::Invisible { .. })
            ));
        }
        let marked = check(|p| p.values = vec!["<|im_end|>".to_owned()]);
        assert!(matches!(marked, Err(PrincipleError::RoleMarker { .. })));
    }

    #[test]
    fn an_unknown_or_missing_label_is_refused() {
        let unknown = check(|p| p.label = Some("c".to_owned()));
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "principle `label/a/words`: the task has no label `c`"
        );
        assert!(matches!(
            check(|p| p.label = None),
            Err(PrincipleError::NoLabel { .. })
        ));
    }

    #[test]
    fn values_need_an_attribute_and_a_text() {
        let nameless = check(|p| (p.attribute, p.values) = (None, vec!["x".to_owned()]));
        assert!(matches!(nameless, Err(PrincipleError::NoAttribute { .. })));
        assert!(matches!(
            check(|p| p.values = vec![String::new()]),
            Err(PrincipleError::BadValues { .. })
        ));
        assert!(matches!(
            check(|p| p.values = vec!["x".to_owned(); 65]),
            Err(PrincipleError::BadValues { .. })
        ));
    }

    #[test]
    fn a_bad_or_doubled_id_is_refused() {
        assert!(matches!(
            check(|p| p.id = String::new()),
            Err(PrincipleError::BadId { .. })
        ));
        let set = PrincipleSet {
            version: 1,
            task: "t".to_owned(),
            principles: vec![principle(), principle()],
        };
        assert!(matches!(
            set.validate(&["a".to_owned()]),
            Err(PrincipleError::DuplicateId { .. })
        ));
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_what_was_said_of_the_same() {
        let set = |principles: Vec<Principle>| PrincipleSet {
            version: 1,
            task: String::new(),
            principles,
        };
        let of = |id: &str, label: &str| Principle {
            id: id.to_owned(),
            label: Some(label.to_owned()),
            ..principle()
        };
        let old = set(vec![of("1", "a"), of("2", "b"), of("3", "a")]);
        let both = old.followed_by(set(vec![of("4", "a")]));
        let ids: Vec<&str> = both.principles.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["2", "4"]);
    }

    #[test]
    fn a_set_of_another_version_or_size_is_refused() {
        let set = |version, count| PrincipleSet {
            version,
            task: String::new(),
            principles: vec![principle(); count],
        };
        assert_eq!(
            set(2, 1).validate(&[]),
            Err(PrincipleError::Version { found: 2 })
        );
        assert_eq!(set(1, 0).validate(&[]), Err(PrincipleError::Empty));
        assert_eq!(
            set(1, 501).validate(&[]),
            Err(PrincipleError::TooMany { found: 501 })
        );
    }
}
