//! Servers that do not behave.

use seedbed::privacy::{Brief, Entry};

use super::endpoint::{completion, endpoint};
use super::{ask_with, task};

fn refused(status: &'static str, headers: &'static str, body: &str) -> String {
    let task = task("Sort these.", ["a", "b"], &[("x", "a"), ("y", "b")]);
    let (address, _requests) = endpoint(status, headers, body.to_owned());
    let (answer, ledger) = ask_with(&task, Brief::of(&task), &address);
    let message = answer.unwrap_err().to_string();
    for kept in [&message, &ledger.to_json()] {
        assert!(!kept.contains("a-secret-key"), "{kept}");
    }
    assert!(
        message.contains("127.0.0.1") && !message.contains('\n'),
        "{message}"
    );
    message
}

#[test]
fn every_refusal_is_told_from_the_others_with_what_to_do() {
    for (status, word) in [
        ("401 Unauthorized", "check the key"),
        ("402 Payment Required", "no credit"),
        ("403 Forbidden", "check the key"),
        ("404 Not Found", "model's name"),
        ("429 Too Many Requests", "too many requests"),
        ("500 Internal Server Error", "on its side"),
        ("503 Service Unavailable", "on its side"),
    ] {
        let message = refused(status, "", "{\"error\":\"a-secret-key is wrong\"}");
        assert!(
            message.contains(word) && message.contains(&status[..3]),
            "{message}"
        );
    }
}

#[test]
fn a_page_of_html_is_neither_read_as_an_answer_nor_shown() {
    let message = refused(
        "200 OK",
        "Content-Type: text/html\r\n",
        "<html><script>alert(1)</script></html>",
    );
    assert!(
        message.contains("chat completion") && !message.contains("script"),
        "{message}"
    );
}

#[test]
fn a_redirect_takes_the_brief_nowhere() {
    let (elsewhere, stolen) = endpoint("200 OK", "", completion("{}"));
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location: &'static str =
            Box::leak(format!("Location: {elsewhere}/chat/completions\r\n").into_boxed_str());
        let message = refused(status, location, "");
        assert!(message.contains("elsewhere"), "{message}");
    }
    assert!(stolen.try_recv().is_err());
}

#[test]
fn an_endless_stream_is_given_up_and_written_down() {
    let task = task("Sort these.", ["a", "b"], &[("x", "a"), ("y", "b")]);
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"on and on \"}}]}\n\n";
    let (address, _requests) = endpoint("200 OK", "", event.repeat(300_000));
    let (answer, ledger) = ask_with(&task, Brief::of(&task), &address);
    assert!(
        answer
            .unwrap_err()
            .to_string()
            .contains("does not come to an end")
    );
    assert!(matches!(
        ledger.entries().last(),
        Some(Entry::Answered { status: 200, .. })
    ));
}
