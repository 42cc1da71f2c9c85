//! A chat completion as it comes in: a stream of server-sent events, or one JSON object.
//!
//! Bytes may be cut anywhere, in the middle of a character too, so lines are put together from bytes and read as text
//! only when they are whole.

use serde_json::Value;

/// The most bytes that are read: a stream wraps each token in some 200.
const MOST_BYTES: usize = 16 << 20;
/// The most bytes of the answer itself.
const MOST_TEXT: usize = 1 << 18;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is no chat completion.
    NotChat,
    /// It says that something failed.
    Failed,
    /// It ends too early.
    Cut,
    /// It does not end.
    TooLong,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Unknown,
    Events,
    Whole,
}

/// An answer that is being read.
#[derive(Debug, Default)]
pub(super) struct Completion {
    form: Form,
    bytes: usize,
    /// The line that is not yet complete, or all of an answer in one piece.
    line: Vec<u8>,
    after_return: bool,
    /// The data of the event that is not yet complete.
    data: Vec<u8>,
    text: String,
    ended: bool,
    tokens: Option<(u64, u64)>,
}

impl Completion {
    /// The answer so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// How many bytes came in.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tokens of the request and of the answer, where they were told.
    pub(super) fn tokens(&self) -> Option<(u64, u64)> {
        self.tokens
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        self.bytes += bytes.len();
        if self.bytes > MOST_BYTES || self.text.len() > MOST_TEXT {
            return Err(Flaw::TooLong);
        }
        for &byte in bytes {
            if self.form == Form::Unknown {
                self.form = match byte {
                    b' ' | b'\n' | b'\r' | b'\t' | 0xef | 0xbb | 0xbf => continue,
                    b'{' => Form::Whole,
                    _ => Form::Events,
                };
            }
            if self.form == Form::Whole {
                self.line.push(byte);
                continue;
            }
            // A line ends with either mark, or with both.
            let second = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if second => {}
                b'\n' | b'\r' => self.end_line()?,
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The answer is over: its text.
    pub(super) fn finish(&mut self) -> Result<&str, Flaw> {
        match self.form {
            Form::Unknown => return Err(Flaw::Cut),
            Form::Whole => {
                let whole = std::mem::take(&mut self.line);
                let value = serde_json::from_slice(&whole).map_err(|_| Flaw::NotChat)?;
                self.read(&value, "message")?;
                self.ended = true;
            }
            Form::Events => {
                self.end_line()?;
                self.end_event()?;
            }
        }
        if !self.ended {
            return Err(if self.text.is_empty() {
                Flaw::NotChat
            } else {
                Flaw::Cut
            });
        }
        if self.text.trim().is_empty() {
            return Err(Flaw::NotChat);
        }
        Ok(&self.text)
    }

    fn end_line(&mut self) -> Result<(), Flaw> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.end_event();
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        // Other fields, and comments that keep the connection open, say nothing.
        Ok(())
    }

    fn end_event(&mut self) -> Result<(), Flaw> {
        let data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return Ok(());
        }
        let value = serde_json::from_slice(&data).map_err(|_| Flaw::NotChat)?;
        self.read(&value, "delta")
    }

    fn read(&mut self, value: &Value, part: &str) -> Result<(), Flaw> {
        if !value["error"].is_null() {
            return Err(Flaw::Failed);
        }
        let choice = &value["choices"][0];
        if let Some(text) = choice[part]["content"].as_str() {
            self.text.push_str(text);
        }
        if choice["finish_reason"].is_string() {
            self.ended = true;
        }
        let count = |name: &str| value["usage"][name].as_u64();
        if let (Some(asked), Some(answered)) = (count("prompt_tokens"), count("completion_tokens"))
        {
            self.tokens = Some((asked, answered));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(text: &str) -> String {
        format!(
            "data: {}\n\n",
            serde_json::json!({"choices": [{"delta": {"content": text}}]})
        )
    }

    fn stream(end: &str) -> String {
        let mut stream = String::from(": hello\n\nevent: message\nid: 1\n");
        for piece in ["Grüße ", "播放", " 🎷", "{\"a\":", "1}"] {
            stream.push_str(&event(piece));
        }
        stream.push_str("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        stream.push_str(
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":7}}\n\n",
        );
        stream.push_str("data: [DONE]\n\n");
        stream.replace('\n', end)
    }

    const ANSWER: &str = "Grüße 播放 🎷{\"a\":1}";

    fn read(bytes: &[u8], step: usize) -> Result<String, Flaw> {
        let mut completion = Completion::default();
        for chunk in bytes.chunks(step) {
            completion.push(chunk)?;
        }
        completion.finish().map(str::to_owned)
    }

    #[test]
    fn a_stream_may_be_cut_anywhere_and_its_lines_may_end_in_any_way() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = stream(end);
            for step in 1..stream.len() {
                assert_eq!(read(stream.as_bytes(), step).unwrap(), ANSWER);
            }
        }
    }

    #[test]
    fn tokens_are_counted_where_they_are_told() {
        let mut completion = Completion::default();
        completion.push(stream("\n").as_bytes()).unwrap();
        assert_eq!(completion.tokens(), Some((12, 7)));
    }

    #[test]
    fn an_answer_in_one_piece_is_read_too() {
        let whole = "\n {\"choices\":[{\"message\":{\"content\":\"Grüße\"}}]}";
        for step in 1..whole.len() {
            assert_eq!(read(whole.as_bytes(), step).unwrap(), "Grüße");
        }
    }

    #[test]
    fn what_is_no_completion_is_told_from_what_was_cut() {
        for (answer, flaw) in [
            ("", Flaw::Cut),
            ("<html>busy</html>", Flaw::NotChat),
            ("{\"choices\":[]}", Flaw::NotChat),
            (
                "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{}]}}]}",
                Flaw::NotChat,
            ),
            ("{\"error\":{\"message\":\"no\"}}", Flaw::Failed),
            ("{\"choices\"", Flaw::NotChat),
            ("data: {\"error\":{\"message\":\"no\"}}\n\n", Flaw::Failed),
            ("data: {broken\n\n", Flaw::NotChat),
            ("data: [DONE]\n\n", Flaw::NotChat),
        ] {
            assert_eq!(read(answer.as_bytes(), 3), Err(flaw), "{answer}");
        }
        assert_eq!(read(event("half").as_bytes(), 5), Err(Flaw::Cut));
        assert_eq!(
            read(
                b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n",
                9
            ),
            Err(Flaw::NotChat)
        );
    }

    #[test]
    fn a_stream_without_end_is_given_up() {
        let mut completion = Completion::default();
        let long = event(&"x".repeat(1000));
        let given_up = (0..400).any(|_| completion.push(long.as_bytes()) == Err(Flaw::TooLong));
        assert!(given_up);
        let mut completion = Completion::default();
        let empty = vec![b':'; 1 << 20];
        assert!((0..20).any(|_| completion.push(&empty) == Err(Flaw::TooLong)));
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        let mut rng = fastrand::Rng::with_seed(11);
        let base = stream("\n").into_bytes();
        for _ in 0..2000 {
            let mut bytes = base.clone();
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(0..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes.truncate(rng.usize(0..bytes.len()));
            let _ = read(&bytes, rng.usize(1..40));
        }
    }
}
