//! Teacher `api`: an OpenAI-compatible chat endpoint is sent the brief, once, and answers with principles.

use serde_json::{Value, json};

use super::{PrincipleSet, recorded};
use crate::Error;
use crate::privacy::{Brief, BriefError, Cleared, Destination};
use crate::task::Task;

/// What a teacher answered, and what it was sent.
pub struct Answer {
    /// The principles, checked against the task.
    pub set: PrincipleSet,
    /// Bytes of the request's body.
    pub bytes_sent: usize,
}

/// The most bytes of an answer that are read.
const MOST_BYTES: usize = 1 << 20;

const SYSTEM: &str = "You write principles from which a small language model will write training texts. Answer with \
JSON only: {\"version\":1,\"task\":\"...\",\"principles\":[{\"id\":\"...\",\"level\":\"task|label|instance\",\"label\":\"only for \
level label\",\"attribute\":\"only with values\",\"values\":[\"...\"],\"text\":\"one rule, at most 200 characters\",\"polarity\":\
\"do|avoid\"}]}. Level task: what makes any text right. Level label: words, openings and topics that mark one label \
and tell it from its neighbours, at least two rules for each. Level instance: an attribute to vary, with its values. \
Rules are short imperatives such as: Use the word \"menu\". Write a question. Use between 4 and 9 words.";

/// The body of the request: the brief and a fixed text, nothing else.
fn body(brief: &Cleared<Brief>, model: &str) -> Vec<u8> {
    json!({
        "model": model,
        "temperature": 0.3,
        "response_format": {"type": "json_object"},
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": brief.get().text()},
        ],
    })
    .to_string()
    .into_bytes()
}

/// Asks a teacher for principles.
///
/// # Errors
///
/// [`BriefError::NoAnswer`] when it does not answer, answers with an error or with something that is no chat
/// completion; [`super::PrincipleError`] when its principles cannot be used.
pub async fn ask(
    brief: &Cleared<Brief>,
    destination: &Destination,
    model: &str,
    key: Option<&str>,
    task: &Task,
) -> Result<Answer, Error> {
    let body = body(brief, model);
    let bytes_sent = body.len();
    let failed = |cause: String| BriefError::NoAnswer {
        host: destination.host().into(),
        cause,
    };
    let (status, text) = post(destination, key, body).await.map_err(failed)?;
    if !(200..300).contains(&status) {
        // The body may repeat the key or be a page of HTML; the status says enough.
        return Err(failed(format!("status {status}")).into());
    }
    let completion: Value =
        serde_json::from_str(&text).map_err(|_| failed("its answer is no JSON".into()))?;
    let content = completion["choices"][0]["message"]["content"]
        .as_str()
        .ok_or_else(|| failed("its answer is no chat completion".into()))?;
    let recorded = recorded::parse(unfenced(content), task)?;
    Ok(Answer {
        set: recorded.set,
        bytes_sent,
    })
}

/// The JSON inside an answer that a model has wrapped in a code fence or in words.
fn unfenced(content: &str) -> &str {
    match (content.find('{'), content.rfind('}')) {
        (Some(start), Some(end)) if start < end => &content[start..=end],
        _ => content,
    }
}

#[cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
async fn post(
    destination: &Destination,
    key: Option<&str>,
    body: Vec<u8>,
) -> Result<(u16, String), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(std::time::Duration::from_secs(180)))
        // A redirect would carry the brief to a place nobody has consented to.
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent
        .post(destination.url())
        .header("Content-Type", "application/json");
    if let Some(key) = key {
        request = request.header("Authorization", &format!("Bearer {key}"));
    }
    let mut response = request.send(&body[..]).map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(MOST_BYTES as u64)
        .read_to_string()
        .map_err(|error| error.to_string())?;
    Ok((status, text))
}

#[cfg(all(not(target_arch = "wasm32"), not(feature = "desk")))]
async fn post(_: &Destination, _: Option<&str>, _: Vec<u8>) -> Result<(u16, String), String> {
    Err("this build has no network; build with the feature `desk`".into())
}

#[cfg(target_arch = "wasm32")]
async fn post(
    destination: &Destination,
    key: Option<&str>,
    body: Vec<u8>,
) -> Result<(u16, String), String> {
    use gloo_net::http::Request;

    let mut request = Request::post(destination.url())
        .header("Content-Type", "application/json")
        .credentials(web_sys::RequestCredentials::Omit)
        .referrer_policy(web_sys::ReferrerPolicy::NoReferrer)
        .redirect(web_sys::RequestRedirect::Error);
    if let Some(key) = key {
        request = request.header("Authorization", &format!("Bearer {key}"));
    }
    let response = request
        .body(js_sys::Uint8Array::from(&body[..]))
        .map_err(|error| error.to_string())?
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let status = response.status();
    let text = response.text().await.map_err(|error| error.to_string())?;
    if text.len() > MOST_BYTES {
        return Err(format!("its answer has more than {MOST_BYTES} bytes"));
    }
    Ok((status, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_body_holds_the_brief_and_no_seed() {
        let json = r#"{"task":"t","type":"classification","instruction":"Sort these.","labels":["a","b"]}"#;
        let seeds = "{\"text\":\"secret canary 4711\",\"label\":\"a\"}\n{\"text\":\"another one\",\"label\":\"b\"}\n";
        let task = crate::task::parse(json, seeds, None).unwrap();
        let brief = Brief::of(&task).clear(&task).unwrap();
        let sent = String::from_utf8(body(&brief, "m")).unwrap();
        assert!(sent.contains("Sort these."));
        assert!(!sent.contains("canary") && !sent.contains("another one"));
    }

    #[test]
    fn json_is_found_inside_a_fence() {
        assert_eq!(unfenced("Here:\n```json\n{\"a\":{}}\n```"), "{\"a\":{}}");
        assert_eq!(unfenced("no json"), "no json");
    }
}
