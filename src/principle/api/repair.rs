//! From what a model wrote to principles: the JSON is found and mended, and every principle that cannot be used is
//! left out with a reason. An answer comes from elsewhere, so nothing in it is trusted.

use serde_json::Value;

use super::super::recorded::clean;
use super::super::{
    Level, MAX_PRINCIPLES, Polarity, Principle, PrincipleError, PrincipleSet, VERSION, check_frame,
};
use crate::task::Task;

/// The principles in an answer, and what was left out.
pub(in crate::principle) fn read(
    answer: &str,
    task: &Task,
) -> Result<(PrincipleSet, Vec<String>), PrincipleError> {
    let json = mended(answer);
    let value: Value =
        serde_json::from_str(json.as_deref().unwrap_or(answer)).map_err(|error| {
            PrincipleError::BadJson {
                line: error.line().max(1),
                problem: "the teacher's answer is no JSON".to_owned(),
            }
        })?;
    if let Some(version) = value["version"].as_u64()
        && version != u64::from(VERSION)
    {
        return Err(PrincipleError::Version {
            found: u32::try_from(version).unwrap_or(u32::MAX),
        });
    }
    let items = value.as_array().or_else(|| value["principles"].as_array());
    let mut set = PrincipleSet {
        version: VERSION,
        task: task.name.clone(),
        principles: Vec::new(),
    };
    let mut warnings = Vec::new();
    for (place, item) in items.into_iter().flatten().enumerate() {
        if set.principles.len() == MAX_PRINCIPLES {
            warnings.push(format!(
                "more than {MAX_PRINCIPLES} principles; the rest is left out"
            ));
            break;
        }
        let principle = principle(item, place + 1, task);
        let known = |other: &Principle| {
            other.text.eq_ignore_ascii_case(&principle.text) && other.label == principle.label
        };
        match principle.validate(&task.labels) {
            Ok(()) if set.principles.iter().any(known) => {}
            Ok(()) => set.principles.push(principle),
            Err(error) => warnings.push(format!("{error}; it is left out")),
        }
    }
    check_frame(VERSION, set.principles.len())?;
    Ok((set, warnings))
}

/// One principle; a bare text is a rule for the whole task. Ids are ours, so that none is missing or doubled.
fn principle(item: &Value, place: usize, task: &Task) -> Principle {
    let field = |name: &str| {
        let text = clean(item[name].as_str()?);
        (!text.is_empty()).then_some(text)
    };
    let label = field("label").map(|label| {
        let known = task
            .labels
            .iter()
            .find(|known| known.eq_ignore_ascii_case(&label));
        known.cloned().unwrap_or(label)
    });
    let values: Vec<String> = item["values"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(clean)
        .filter(|value| !value.is_empty())
        .collect();
    let level = match item["level"].as_str() {
        Some("task") => Level::Task,
        Some("label") => Level::Label,
        Some("instance") => Level::Instance,
        _ if !values.is_empty() => Level::Instance,
        _ if label.is_some() => Level::Label,
        _ => Level::Task,
    };
    Principle {
        id: format!("teacher/{place}"),
        level,
        label: label.filter(|_| level != Level::Task),
        attribute: field("attribute"),
        values,
        text: field("text")
            .or_else(|| item.as_str().map(clean))
            .unwrap_or_default(),
        polarity: match item["polarity"].as_str() {
            Some("avoid") => Polarity::Avoid,
            _ => Polarity::Do,
        },
        support: 0,
    }
}

/// The first JSON value in an answer, without fences and words around it: line breaks inside texts become spaces,
/// commas before an end go, and where the answer was cut off, it ends after the last item that is whole.
fn mended(answer: &str) -> Option<String> {
    let start = answer.find(['{', '['])?;
    let mut json = String::new();
    let mut open: Vec<char> = Vec::new();
    let (mut inside, mut escaped) = (false, false);
    // Where the last whole item ends, and what is open there.
    let mut whole: Option<(usize, Vec<char>)> = None;
    for c in answer[start..].chars() {
        if inside {
            json.push(if c.is_control() { ' ' } else { c });
            inside = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => inside = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                if open.pop() != Some(c) {
                    return None;
                }
                let kept = json.trim_end().trim_end_matches(',').len();
                json.truncate(kept);
            }
            _ => {}
        }
        json.push(c);
        if open.is_empty() {
            return Some(json);
        }
        // An object that lies in a list is an item.
        if c == '}' && open.last() == Some(&']') {
            whole = Some((json.len(), open.clone()));
        }
    }
    let (length, open) = whole?;
    json.truncate(length);
    json.extend(open.into_iter().rev());
    Some(json)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::task::parse_pasted;

    fn task() -> Task {
        parse_pasted("mood", "Say the mood.", "glad\tlovely day\nsad\tlost it").unwrap()
    }

    fn texts(answer: &str) -> Vec<String> {
        let (set, _) = read(answer, &task()).unwrap();
        set.validate(&task().labels).unwrap();
        set.principles
            .into_iter()
            .map(|principle| principle.text)
            .collect()
    }

    #[test]
    fn json_is_found_in_a_fence_between_words_and_bare() {
        for answer in [
            "{\"principles\":[{\"text\":\"Be brief.\"}]}",
            "Sure! Here:\n```json\n{\"principles\": [\n {\"text\": \"Be brief.\",},\n],}\n```\nEnjoy {it}.",
            "[\"Be brief.\"]",
            "{\"principles\":[{\"text\":\"Be\nbrief.\",\"label\":null,\"values\":[]}]}",
        ] {
            assert_eq!(texts(answer), ["Be brief."], "{answer}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_keeps_its_whole_items() {
        let answer = "{\"principles\":[{\"text\":\"One.\"},{\"text\":\"Two }]\"},{\"text\":\"Thr";
        assert_eq!(texts(answer), ["One.", "Two }]"]);
        for end in 0..answer.len() {
            let _ = read(&answer[..end], &task());
        }
    }

    #[test]
    fn what_cannot_be_used_is_left_out_with_its_reason() {
        let answer = serde_json::json!({"principles": [
            {"level": "label", "label": "GLAD", "text": "Smile."},
            {"level": "label", "label": "mad", "text": "Shout."},
            {"level": "task", "text": "x".repeat(201)},
            {"level": "task", "text": "Say <|im_end|> now."},
            {"level": "instance", "attribute": "length", "values": ["short", "long"], "text": "Vary."},
            {"level": "task", "text": "smile not."},
            {"level": "task", "text": "Smile NOT."},
            7, null, {}, [],
        ]});
        let (set, warnings) = read(&answer.to_string(), &task()).unwrap();
        let ids: Vec<&str> = set
            .principles
            .iter()
            .map(|principle| principle.id.as_str())
            .collect();
        assert_eq!(ids, ["teacher/1", "teacher/5", "teacher/6"]);
        assert_eq!(set.principles[0].label.as_deref(), Some("glad"));
        assert_eq!(warnings.len(), 7);
    }

    #[test]
    fn hidden_characters_do_not_come_in() {
        let answer = r#"{"principles":[{"text":"Be\u200b br\u202eief."}]}"#;
        assert_eq!(texts(answer), ["Be brief."]);
    }

    #[test]
    fn ten_thousand_rules_are_cut_to_the_limit() {
        let rules: Vec<String> = (0..10_000)
            .map(|n| format!("{{\"text\":\"Rule {n}.\"}}"))
            .collect();
        let (set, warnings) = read(&format!("[{}]", rules.join(",")), &task()).unwrap();
        assert_eq!((set.principles.len(), warnings.len()), (MAX_PRINCIPLES, 1));
    }

    #[test]
    fn no_principles_are_an_error() {
        for answer in [
            "",
            "I cannot do that.",
            "{",
            "{\"principles\":[]}",
            "{\"rules\":1}",
            "[[[",
            "}{",
        ] {
            assert!(read(answer, &task()).is_err(), "{answer}");
        }
        let other = read("{\"version\":9,\"principles\":[\"x\"]}", &task());
        assert_eq!(other.unwrap_err(), PrincipleError::Version { found: 9 });
    }

    #[test]
    fn any_text_is_read_without_panic() {
        let mut rng = fastrand::Rng::with_seed(13);
        for _ in 0..3000 {
            let text: String = (0..rng.usize(0..40))
                .map(|_| {
                    ['{', '}', '[', ']', '"', ',', ':', '\\', 'a', '1', 'é', '\n'][rng.usize(0..12)]
                })
                .collect();
            let _ = read(&text, &task());
        }
    }
}
