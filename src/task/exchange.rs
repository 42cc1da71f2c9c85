//! Rows in the forms in which the field keeps instruction data: `messages` (OpenAI), `conversations` (ShareGPT), `prompt` with
//! `completion` or with `chosen` and `rejected` (TRL; texts or lists of messages), `instruction`, `input` and `output` (Alpaca).
//!
//! Whatever the form, a row is what the user said last, the assistant's response to it, and what stood before.

use serde_json::{Map, Value};

use super::error::{Place, TaskError, bad, missing, shorten};
use super::qa;
use super::rows::{self, Row, given};

/// The names of what is asked, of what it is about, and of the response, beside those of lists of messages.
const PROMPT: [&str; 4] = ["prompt", "instruction", "question", "text"];
const CONTEXT: [&str; 2] = ["input", "context"];
const RESPONSE: [&str; 6] = [
    "completion",
    "chosen",
    "output",
    "response",
    "answer",
    "answers",
];
const MESSAGES: [&str; 2] = ["messages", "conversations"];

const WANTED: &str = "write one JSON object a line (`jq -c '.[]'` makes lines of a list) with prompt and completion, prompt and chosen, instruction and output, messages or conversations; or CSV with such a header";

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    System,
    User,
    Assistant,
}

type Turns = Vec<(Speaker, String)>;

/// Reads all rows of instructions with responses: JSON lines, or CSV with a header.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Row>, TaskError> {
    let text = text.trim_start_matches('\u{feff}');
    let unknown = |line| TaskError::UnknownRow {
        place: Place::line(file, line),
        wanted: WANTED,
    };
    match text.trim_start().chars().next() {
        None => return Ok(Vec::new()),
        Some('{') => {
            return rows::objects(file, text, &mut |line, fields| {
                object(&Place::line(file, line), fields, false)
            });
        }
        Some('[') => return Err(unknown(1)),
        Some(_) => {}
    }
    qa::table(file, text, &[&PROMPT, &CONTEXT, &RESPONSE], false).ok_or_else(|| unknown(1))?
}

/// Whether a row is of a form that only this module reads.
pub(super) fn is_exchange(fields: &Map<String, Value>) -> bool {
    let own = MESSAGES.iter().chain(&["chosen", "instruction"]);
    own.into_iter().any(|name| fields.contains_key(*name))
}

/// Reads a row of any of the forms. With `flat`, a response is one line.
pub(super) fn object(
    place: &Place,
    fields: &Map<String, Value>,
    flat: bool,
) -> Result<Row, TaskError> {
    let (field, all, context) = match given(fields, &MESSAGES) {
        Some((field, value)) => (field, turns(place, field, value, Speaker::User)?, None),
        None => {
            let (field, mut value) =
                given(fields, &RESPONSE).ok_or_else(|| missing(place, RESPONSE[0]))?;
            if let Some(first) = value.get(0).filter(|first| first.is_string()) {
                // Several that are right: the first is what is learnt.
                value = first;
            }
            let said = turns(place, field, value, Speaker::Assistant)?;
            // A list may hold what was asked, too.
            match said.first() {
                Some((Speaker::Assistant, _)) | None => {
                    let (asked, value) =
                        given(fields, &PROMPT).ok_or_else(|| missing(place, PROMPT[0]))?;
                    let context = match given(fields, &CONTEXT) {
                        Some((name, about)) => Some(text(place, name, about)?),
                        None => None,
                    };
                    let mut all = turns(place, asked, value, Speaker::User)?;
                    all.extend(said);
                    (field, all, context)
                }
                Some(_) => (field, said, None),
            }
        }
    };
    row(place, all, context, field, flat)
}

/// A text as what `speaker` says, or a list of messages.
fn turns(
    place: &Place,
    field: &'static str,
    value: &Value,
    speaker: Speaker,
) -> Result<Turns, TaskError> {
    let Value::Array(messages) = value else {
        return Ok(vec![(speaker, text(place, field, value)?)]);
    };
    let mut turns = Vec::with_capacity(messages.len());
    for message in messages {
        let part = |names: [&str; 2]| names.iter().find_map(|name| message.get(name));
        let (Some(Value::String(role)), Some(content)) =
            (part(["role", "from"]), part(["content", "value"]))
        else {
            return Err(bad(
                place,
                field,
                "holds a message without role and content (or from and value); add them",
            ));
        };
        let speaker = match role.as_str() {
            "system" | "developer" => Speaker::System,
            "user" | "human" => Speaker::User,
            "assistant" | "gpt" | "model" | "bot" => Speaker::Assistant,
            other => {
                let problem = [
                    "has a message of the role `",
                    &shorten(other, 40),
                    "`, which is not read; leave the row out, or make it of system, user and assistant",
                ];
                return Err(bad(place, field, &problem.concat()));
            }
        };
        turns.push((speaker, text(place, field, content)?));
    }
    Ok(turns)
}

/// A text, or the text parts of a message.
fn text(place: &Place, field: &'static str, value: &Value) -> Result<String, TaskError> {
    let refused = || bad(place, field, "is not a text; put it in double quotes");
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Array(parts) => {
            let mut whole = String::new();
            for part in parts {
                whole.push_str(
                    part.get("text")
                        .and_then(Value::as_str)
                        .ok_or_else(refused)?,
                );
                whole.push('\n');
            }
            Ok(whole.trim().to_owned())
        }
        _ => Err(refused()),
    }
}

/// What was said last and the response to it; what stood before is what it is about.
fn row(
    place: &Place,
    mut turns: Turns,
    context: Option<String>,
    field: &'static str,
    flat: bool,
) -> Result<Row, TaskError> {
    let Some((Speaker::Assistant, response)) = turns.pop() else {
        let problem =
            "does not end with what the assistant says; add the response, or leave the row out";
        return Err(bad(place, field, problem));
    };
    let Some((Speaker::User, prompt)) = turns.pop() else {
        let problem = "has no message of the user before the response; add what was asked";
        return Err(bad(place, field, problem));
    };
    if response.is_empty() {
        let problem = "is empty; write the response, or leave the row out";
        return Err(bad(place, field, problem));
    }
    let mut before = context.unwrap_or_default();
    for (speaker, said) in turns {
        before.push_str(match speaker {
            Speaker::System => "\n",
            Speaker::User => "\nuser: ",
            Speaker::Assistant => "\nassistant: ",
        });
        before.push_str(&said);
    }
    qa::checked(place, &prompt, Some(before), vec![response], flat)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task::MAX_TEXT_CHARS;

    /// Context, prompt and response of each row.
    fn parts(text: &str) -> Vec<(String, String, String)> {
        let rows = read("rows", text).unwrap();
        rows.into_iter()
            .map(|row| {
                let response = row.answers.into_iter().next().unwrap();
                (row.context.unwrap_or_default(), row.text, response)
            })
            .collect()
    }

    fn part(context: &str, prompt: &str, response: &str) -> (String, String, String) {
        (context.to_owned(), prompt.to_owned(), response.to_owned())
    }

    #[test]
    fn every_form_of_the_field_gives_the_same_row() {
        let plain = [part("", "Name a bird.", "A wren.\nSmall.")];
        for text in [
            r#"{"messages":[{"role":"user","content":"Name a bird."},{"role":"assistant","content":"A wren.\nSmall."}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Name a bird."}]},{"role":"assistant","content":"A wren.\nSmall."}]}"#,
            r#"{"conversations":[{"from":"human","value":"Name a bird."},{"from":"gpt","value":"A wren.\nSmall."}]}"#,
            r#"{"prompt":"Name a bird.","completion":" A wren.\nSmall. "}"#,
            r#"{"prompt":[{"role":"user","content":"Name a bird."}],"completion":[{"role":"assistant","content":"A wren.\nSmall."}]}"#,
            r#"{"instruction":"Name a bird.","input":"","output":"A wren.\nSmall."}"#,
            r#"{"prompt":"Name a bird.","chosen":"A wren.\nSmall.","rejected":"No."}"#,
            r#"{"prompt":"Name a bird.","chosen":[{"role":"user","content":"Name a bird."},{"role":"assistant","content":"A wren.\nSmall."}],"rejected":[]}"#,
            r#"{"chosen":[{"role":"user","content":"Name a bird."},{"role":"assistant","content":"A wren.\nSmall."}]}"#,
            r#"{"text":"Name a bird.","label":"instruction","answer":"A wren.\nSmall.","accepted":true}"#,
            "prompt,completion\nName a bird.,\"A wren.\nSmall.\"\n",
        ] {
            assert_eq!(parts(text), plain, "{text}");
        }
    }

    #[test]
    fn what_stood_before_and_what_it_is_about_is_kept() {
        let talk = r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Name a bird."},{"role":"assistant","content":"A wren."}]}"#;
        let alpaca =
            r#"{"instruction":"Sum it up.","input":"A long tale.","output":"It is long."}"#;
        assert_eq!(
            parts(&[talk, "\n", alpaca].concat()),
            [
                part(
                    "Be brief.\nuser: Hi\nassistant: Hello",
                    "Name a bird.",
                    "A wren."
                ),
                part("A long tale.", "Sum it up.", "It is long."),
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named_with_its_line() {
        let refusal = |row: &str| {
            let text = format!("{{\"prompt\":\"a\",\"completion\":\"b\"}}\n{row}");
            read("seeds.jsonl", &text).unwrap_err().to_string()
        };
        for (row, words) in [
            (
                r#"{"prompt":"a"}"#,
                "the field `completion` is missing; add it",
            ),
            (r#"{"output":"a"}"#, "the field `prompt` is missing; add it"),
            (
                r#"{"prompt":"a","completion":" "}"#,
                "the field `completion` is empty",
            ),
            (
                r#"{"prompt":"a","completion":{}}"#,
                "the field `completion` is not a text",
            ),
            (
                r#"{"messages":[{"role":"user","content":"a"}]}"#,
                "the field `messages` does not end with what the assistant says",
            ),
            (
                r#"{"messages":[{"role":"assistant","content":"a"}]}"#,
                "the field `messages` has no message of the user",
            ),
            (
                r#"{"messages":[{"content":"a"}]}"#,
                "the field `messages` holds a message without role",
            ),
            (
                r#"{"conversations":[{"from":"human","value":"a"},{"from":"tool","value":"b"}]}"#,
                "has a message of the role `tool`",
            ),
            (r#"{"prompt":"","completion":"b"}"#, "the text is empty"),
        ] {
            let line = refusal(row);
            assert!(
                line.starts_with("seeds.jsonl, line 2: ") && line.contains(words),
                "{line}"
            );
        }
        let list = read("seeds.jsonl", "[{\"prompt\":\"a\"}]").unwrap_err();
        assert!(list.to_string().contains("one JSON object a line"));
        assert!(read("s", "just words").is_err());
    }

    #[test]
    fn a_response_that_is_too_long_is_refused() {
        let text = format!(
            "{{\"prompt\":\"a\",\"completion\":\"{}\"}}",
            "b".repeat(MAX_TEXT_CHARS + 1)
        );
        assert!(matches!(
            read("s", &text),
            Err(TaskError::TextTooLong { .. })
        ));
    }
}
