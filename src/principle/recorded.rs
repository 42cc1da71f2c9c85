//! The recorded teacher: principles from a file.
//!
//! A file comes from elsewhere, so it is not trusted: what cannot be seen is taken out, and what is left is checked
//! like everything else.

use super::api::repair;
use super::{PrincipleError, PrincipleSet, VERSION, check_frame};
use crate::task::Task;
use crate::task::words::is_invisible;

/// Principles read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The principles that this task can use.
    pub set: PrincipleSet,
    /// What was left out or looks odd, one line each.
    pub warnings: Vec<String>,
}

/// Reads a recorded [`PrincipleSet`] for a task, or an answer as a model writes it. Principles for labels that the task does
/// not have are left out, with a warning for each.
///
/// # Errors
///
/// Text that is not such a set, another version, and whatever [`PrincipleSet::validate`] refuses.
pub fn parse(json: &str, task: &Task) -> Result<Recorded, PrincipleError> {
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    // The version is read first: a set of another version need not have the fields of this one.
    #[derive(serde::Deserialize)]
    struct Frame {
        version: u32,
    }
    let bad_json = |error: serde_json::Error| {
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        PrincipleError::BadJson {
            line: error.line().max(1),
            problem: message[..end].to_owned(),
        }
    };
    let Frame { version } = match serde_json::from_str(json) {
        Ok(frame) => frame,
        // Perhaps an answer as a model wrote it, copied from elsewhere.
        Err(error) => {
            let (set, warnings) = repair::read(json, task).map_err(|_| bad_json(error))?;
            return Ok(Recorded { set, warnings });
        }
    };
    check_frame(version, 1)?;
    let mut set: PrincipleSet = serde_json::from_str(json).map_err(bad_json)?;
    check_frame(version, set.principles.len())?;

    let mut warnings = Vec::new();
    if set.task != task.name {
        warnings.push(format!(
            "the principles were recorded for the task `{}`",
            clean(&set.task)
        ));
        set.task.clone_from(&task.name);
    }
    for principle in &mut set.principles {
        principle.text = clean(&principle.text);
        principle
            .values
            .iter_mut()
            .for_each(|value| *value = clean(value));
        principle.attribute = principle.attribute.as_deref().map(clean);
    }
    let mut refused = None;
    set.principles
        .retain(|principle| match principle.validate(&task.labels) {
            Ok(()) => true,
            Err(error @ PrincipleError::UnknownLabel { .. }) => {
                warnings.push(format!("{error}; it is left out"));
                false
            }
            Err(error) => {
                refused.get_or_insert(error);
                true
            }
        });
    if let Some(error) = refused {
        return Err(error);
    }
    set.validate(&task.labels)?;
    Ok(Recorded { set, warnings })
}

/// The principles of a later round in a recording of several, checked as in [`parse`]; none where there are none.
///
/// # Errors
///
/// As [`parse`].
pub fn later(
    json: &str,
    task: &Task,
    round: usize,
) -> Result<Option<PrincipleSet>, PrincipleError> {
    #[derive(serde::Deserialize)]
    struct Recording {
        #[serde(default)]
        later: Vec<Later>,
    }
    #[derive(serde::Deserialize)]
    struct Later {
        round: usize,
        principles: serde_json::Value,
    }
    // A recording that is none was refused before the first round.
    let found = serde_json::from_str::<Recording>(json)
        .ok()
        .and_then(|recording| recording.later.into_iter().find(|one| one.round == round));
    let Some(Later { principles, .. }) = found else {
        return Ok(None);
    };
    let set = serde_json::json!({"version": VERSION, "task": task.name, "principles": principles});
    parse(&set.to_string(), task).map(|read| Some(read.set))
}

/// Writes answers down as a recording: the first is the set, those of later rounds stand behind it.
pub fn write(answers: &[(usize, PrincipleSet)]) -> Option<String> {
    let (_, first) = answers.first()?;
    let mut value = serde_json::to_value(first).ok()?;
    if answers.len() > 1 {
        value["later"] = answers[1..]
            .iter()
            .map(|(round, set)| serde_json::json!({"round": round, "principles": set.principles}))
            .collect();
    }
    Some(value.to_string())
}

/// The text on one line, without what cannot be seen.
pub(super) fn clean(text: &str) -> String {
    let text: String = text
        .chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if is_invisible(c) => None,
            c => Some(c),
        })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::principle::{Level, Polarity, offline};
    use crate::task::parse_pasted;

    fn task() -> Task {
        parse_pasted(
            "mood",
            "Say the mood.",
            "glad\tlovely day\nglad\tlovely walk\nsad\tlost it\nsad\tlost again",
        )
        .unwrap()
    }

    fn recorded(principles: &str) -> Result<Recorded, PrincipleError> {
        parse(
            &format!("{{\"version\":1,\"task\":\"mood\",\"principles\":[{principles}]}}"),
            &task(),
        )
    }

    #[test]
    fn what_the_offline_teacher_writes_can_be_recorded() {
        let set = offline::write(&task());
        let read = parse(&set.to_json().unwrap(), &task()).unwrap();
        assert_eq!(
            read,
            Recorded {
                set,
                warnings: vec![]
            }
        );
    }

    #[test]
    fn a_principle_may_leave_out_what_has_a_default() {
        let read = recorded(r#"{"id":"a","level":"task","text":"Be brief."}"#).unwrap();
        let principle = &read.set.principles[0];
        assert_eq!(
            (principle.level, principle.polarity, principle.support),
            (Level::Task, Polarity::Do, 0)
        );
    }

    #[test]
    fn bad_json_is_refused_with_its_line() {
        let error = parse("{\n\"version\": 1,\n\"task\": 5}", &task()).unwrap_err();
        assert!(
            matches!(&error, PrincipleError::BadJson { line: 3, .. }),
            "{error}"
        );
        assert!(matches!(
            parse("", &task()),
            Err(PrincipleError::BadJson { .. })
        ));
        assert!(matches!(
            recorded(r#"{"id":"a","level":"poem","text":"x"}"#),
            Err(PrincipleError::BadJson { .. })
        ));
    }

    #[test]
    fn another_version_is_refused_even_when_its_fields_are_others() {
        assert_eq!(
            parse(r#"{"version":2,"rules":[]}"#, &task()),
            Err(PrincipleError::Version { found: 2 })
        );
    }

    #[test]
    fn an_empty_set_is_refused_and_so_is_one_of_unknown_labels_only() {
        assert_eq!(recorded(""), Err(PrincipleError::Empty));
        assert_eq!(
            recorded(r#"{"id":"a","level":"label","label":"mad","text":"x"}"#),
            Err(PrincipleError::Empty)
        );
    }

    #[test]
    fn principles_for_unknown_labels_are_left_out_with_a_warning() {
        let read = recorded(
            r#"{"id":"a","level":"label","label":"mad","text":"Shout."},{"id":"b","level":"label","label":"sad","text":"Sigh."}"#,
        )
        .unwrap();
        assert_eq!(read.set.principles.len(), 1);
        assert_eq!(
            read.warnings,
            ["principle `a`: the task has no label `mad`; it is left out"]
        );
    }

    #[test]
    fn answers_of_several_rounds_are_written_and_read_back_by_round() {
        let first = offline::write(&task());
        let mut third = first.clone();
        third.principles.truncate(1);
        let text = write(&[(1, first.clone()), (3, third.clone())]).unwrap();
        assert_eq!(parse(&text, &task()).unwrap().set, first);
        assert_eq!(later(&text, &task(), 2), Ok(None));
        assert_eq!(later(&text, &task(), 3), Ok(Some(third)));
        assert_eq!(write(&[]), None);
    }

    #[test]
    fn principles_of_another_task_are_a_warning() {
        let json = r#"{"version":1,"task":"weather","principles":[{"id":"a","level":"task","text":"Be brief."}]}"#;
        let read = parse(json, &task()).unwrap();
        assert_eq!(read.set.task, "mood");
        assert_eq!(
            read.warnings,
            ["the principles were recorded for the task `weather`"]
        );
    }

    #[test]
    fn what_cannot_be_seen_is_taken_out_and_role_markers_are_refused() {
        let read = recorded(r#"{"id":"a","level":"task","text":" Be\nbr\u200bief. "}"#).unwrap();
        assert_eq!(read.set.principles[0].text, "Be brief.");
        let hidden = r#"{"id":"a","level":"task","text":"Be <\u200b|im_start|> brief."}"#;
        assert!(matches!(
            recorded(hidden),
            Err(PrincipleError::RoleMarker { .. })
        ));
        let nothing = r#"{"id":"a","level":"task","text":"\u200b"}"#;
        assert!(matches!(
            recorded(nothing),
            Err(PrincipleError::EmptyText { .. })
        ));
    }
}
