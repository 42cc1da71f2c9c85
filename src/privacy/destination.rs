//! Where a brief may go.

use super::BriefError;

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
    /// user name or a query in it is refused too, for it would end up in logs, and so are characters that could make
    /// it look like another one.
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
            || !url.bytes().all(|byte| byte.is_ascii_graphic())
            || url.contains(['\\', '?', '#'])
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            "https://good.example\\@evil.example/v1",
            "https://good.example\\evil/v1",
            "https://ехample.org/v1",
            "https://example.org/v1?key=secret",
            "https://example.org/v1#",
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
