//! The brief: the only content that is ever sent to a teacher, and the check that stands before the door.

use crate::task::{Task, TaskKind};

/// The most bytes a brief may have: some 600 tokens.
const MOST_BYTES: usize = 2400;

/// What a teacher is told of a task: the user's own words, and nothing of the seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    text: String,
}

/// A brief or a destination that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BriefError {
    /// Too long to be a brief.
    #[error(
        "the brief has {0} bytes, more than the {MOST_BYTES} allowed; shorten the instruction or the labels"
    )]
    TooLong(usize),
    /// It repeats a seed.
    #[error(
        "the instruction repeats a seed word for word (\"{0}\"); describe the task in other words"
    )]
    RepeatsSeed(String),
    /// Not a place a brief may go to.
    #[error(
        "{0} is no allowed destination; use https://, or http:// on this machine (127.0.0.1, localhost)"
    )]
    Destination(String),
    /// The teacher did not answer as it should.
    #[error(
        "the teacher at {host} did not answer ({cause}); check the address and the key, or use the offline teacher"
    )]
    NoAnswer {
        /// Where it was sent.
        host: String,
        /// What came back.
        cause: String,
    },
}

/// Proof that a value passed the guard. Only this module can make one, so a call that skips the guard does not
/// compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared<T>(T);

impl<T> Cleared<T> {
    /// The value that was checked.
    pub fn get(&self) -> &T {
        &self.0
    }
}

/// Where a teacher listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    url: String,
}

impl Destination {
    /// The address to post to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address without its path, for messages and the ledger.
    pub fn host(&self) -> &str {
        let start = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[start..]
            .find('/')
            .map_or(self.url.len(), |at| start + at);
        &self.url[start..end]
    }

    /// Checks an OpenAI-compatible base address and completes it to the chat endpoint.
    ///
    /// # Errors
    ///
    /// [`BriefError::Destination`] for anything but https, or http on the loopback interface; an address with a
    /// user name in it is refused too, for it would end up in logs.
    pub fn parse(url: &str) -> Result<Self, BriefError> {
        let refuse = || BriefError::Destination(url.chars().take(100).collect());
        let (scheme, rest) = url.split_once("://").ok_or_else(refuse)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host),
        };
        let loopback = ["127.0.0.1", "localhost", "::1"].contains(&host);
        let allowed = scheme == "https" || (scheme == "http" && loopback);
        if !allowed
            || host.is_empty()
            || authority.contains('@')
            || url.contains(char::is_whitespace)
        {
            return Err(refuse());
        }
        let url = url.trim_end_matches('/');
        let url = match url.ends_with("/chat/completions") {
            true => url.to_owned(),
            false => format!("{url}/chat/completions"),
        };
        Ok(Self { url })
    }
}

impl Brief {
    /// Writes the brief of a task: its instruction, its kind and its labels.
    pub fn of(task: &Task) -> Self {
        let kind = match task.kind {
            TaskKind::Classification => "classification",
            TaskKind::Ner => "ner",
            TaskKind::Qa => "qa",
        };
        Self {
            text: format!(
                "Task: {}\nKind: {kind}\nLabels: {}",
                task.instruction,
                task.labels.join(", ")
            ),
        }
    }

    /// The bytes that would be sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Passes the guard: not too long, and no seed of five words or more repeated in it.
    ///
    /// # Errors
    ///
    /// [`BriefError::TooLong`] or [`BriefError::RepeatsSeed`].
    pub fn clear(self, task: &Task) -> Result<Cleared<Self>, BriefError> {
        if self.text.len() > MOST_BYTES {
            return Err(BriefError::TooLong(self.text.len()));
        }
        let plain = |text: &str| {
            text.split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_lowercase)
                .collect::<Vec<_>>()
        };
        let words = plain(&self.text);
        for seed in &task.seeds {
            let seed_words = plain(&seed.text);
            let repeats = seed_words
                .windows(5)
                .any(|run| words.windows(5).any(|other| other == run));
            if repeats {
                return Err(BriefError::RepeatsSeed(
                    seed.text.chars().take(60).collect(),
                ));
            }
        }
        Ok(Cleared(self))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task(instruction: &str) -> Task {
        let json = serde_json::json!({"task": "t", "type": "classification", "instruction": instruction, "labels": ["a", "b"]});
        let seeds = "{\"text\":\"my cat Zebulon sleeps on the red sofa\",\"label\":\"a\"}\n{\"text\":\"second\",\"label\":\"b\"}\n";
        crate::task::parse(&json.to_string(), seeds, None).unwrap()
    }

    #[test]
    fn a_brief_holds_the_users_words_and_no_seed() {
        let task = task("Sort these.");
        let brief = Brief::of(&task).clear(&task).unwrap();
        assert!(brief.get().text().contains("Sort these.") && brief.get().text().contains("a, b"));
        assert!(!brief.get().text().contains("Zebulon"));
    }

    #[test]
    fn an_instruction_that_repeats_a_seed_is_refused() {
        let task = task("Sort texts such as: my cat, Zebulon, sleeps on a chair");
        assert!(matches!(
            Brief::of(&task).clear(&task),
            Err(BriefError::RepeatsSeed(_))
        ));
    }

    #[test]
    fn a_brief_that_is_too_long_is_refused() {
        let mut task = task("Sort these.");
        task.labels.extend((0..40).map(|i| format!("{i:080}")));
        assert!(matches!(
            Brief::of(&task).clear(&task),
            Err(BriefError::TooLong(_))
        ));
    }

    #[test]
    fn only_https_or_this_machine_is_a_destination() {
        for good in [
            "https://api.example.org/v1",
            "http://127.0.0.1:11434/v1",
            "http://localhost:8000/v1/",
            "http://[::1]:8000/v1",
        ] {
            assert!(
                Destination::parse(good)
                    .unwrap()
                    .url()
                    .ends_with("/v1/chat/completions"),
                "{good}"
            );
        }
        for bad in [
            "http://example.org/v1",
            "http://127.0.0.1.example.org/v1",
            "http://localhost@example.org/v1",
            "https://user:secret@example.org/v1",
            "ftp://localhost",
            "file:///etc/passwd",
            "example.org",
            "https://",
            "https://a b.org",
        ] {
            assert!(Destination::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_host_is_named_without_the_path() {
        assert_eq!(
            Destination::parse("https://api.example.org/v1")
                .unwrap()
                .host(),
            "api.example.org"
        );
    }
}
