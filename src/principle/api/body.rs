//! The request: a fixed text, the brief, and how the answer is to look.

use serde_json::Value;

use crate::privacy::{Brief, Cleared};

const SYSTEM: &str = "You write principles from which a small language model will write training texts. Answer with \
JSON only: {\"principles\":[{\"level\":\"task|label|instance\",\"label\":\"a label of the task, or null\",\"attribute\":\"what \
the values vary, or null\",\"values\":[\"...\"],\"text\":\"one rule, at most 200 characters\",\"polarity\":\"do|avoid\"}]}. Level \
task: what makes any text right. Level label: words, openings and topics that mark one label and tell it from its \
neighbours, at least two rules for each. Level instance: an attribute to vary, with its values; a trap to avoid. \
Rules are short imperatives such as: Use the word \"menu\". Write a question. Use between 4 and 9 words.";

/// What a server may not know: it says 400 to it, and is then asked without.
const STRICT: &str = r#","temperature":0.3,"stream_options":{"include_usage":true},"response_format":{"type":"json_schema","json_schema":{"name":"principles","strict":true,"schema":{"type":"object","properties":{"principles":{"type":"array","items":{"type":"object","properties":{"level":{"type":"string","enum":["task","label","instance"]},"label":{"type":["string","null"]},"attribute":{"type":["string","null"]},"values":{"type":"array","items":{"type":"string"}},"text":{"type":"string"},"polarity":{"type":"string","enum":["do","avoid"]}},"required":["level","label","attribute","values","text","polarity"],"additionalProperties":false}}},"required":["principles"],"additionalProperties":false}}}"#;

/// The body that asks `model`; with the schema of the answer where `strict`.
pub(super) fn body(brief: &Cleared<Brief>, model: &str, strict: bool) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    [
        "{\"model\":",
        &quoted(model),
        ",\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":",
        &quoted(SYSTEM),
        "},{\"role\":\"user\",\"content\":",
        &quoted(brief.get().text()),
        "}]",
        if strict { STRICT } else { "" },
        "}",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::privacy::{Destination, Epsilon, Guard, Ledger};

    #[test]
    fn the_body_is_json_that_holds_the_brief_and_no_seed() {
        let json = r#"{"task":"t","type":"classification","instruction":"Sort \"these\".","labels":["a","b"]}"#;
        let seeds = "{\"text\":\"secret canary 4711\",\"label\":\"a\"}\n{\"text\":\"another one\",\"label\":\"b\"}\n";
        let task = crate::task::parse(json, seeds, None).unwrap();
        let place = || Destination::parse("https://a.example").unwrap();
        let mut ledger = Ledger::new(Epsilon::TOTAL);
        let guard = Guard::new(&task, place());
        let (brief, _) = guard
            .clear(Brief::of(&task), place(), &mut ledger, 0)
            .unwrap();
        for strict in [true, false] {
            let sent = body(&brief, "a \"model\"", strict);
            let value: Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(value["model"], "a \"model\"");
            assert_eq!(value["messages"][1]["content"], brief.get().text());
            assert_eq!(value["response_format"].is_object(), strict);
            assert!(!sent.contains("canary") && !sent.contains("another one"));
        }
    }
}
