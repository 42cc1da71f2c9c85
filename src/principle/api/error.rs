//! Why a teacher gave no principles. Messages name the host and the status, never the answer's text: it may repeat
//! the key, or be a page of HTML.

use thiserror::Error;

/// A teacher that cannot be asked, or that did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TeacherError {
    /// A key that no header can hold.
    #[error(
        "the teacher's key holds characters that no key has; copy it again, without spaces or line breaks"
    )]
    BadKey,
    /// No connection, or none that the browser allows.
    #[error(
        "the teacher at {host} cannot be reached ({cause}); check the address, and that it allows requests from here, or use the offline teacher"
    )]
    Unreachable {
        /// Where it was asked.
        host: String,
        /// What the network said.
        cause: String,
    },
    /// A server that pages may not ask, or whose refusal they may not read.
    #[error(
        "the teacher at {host} answers, but not to this page (CORS): let it allow requests from every page (Ollama: start it with OLLAMA_ORIGINS=*), or check the key and the address, if its refusals cannot be read"
    )]
    Cors {
        /// Where it was asked.
        host: String,
    },
    /// A status that says no.
    #[error("the teacher at {host} answered with status {status}; {remedy}")]
    Status {
        /// Where it was asked.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What to do.
        remedy: &'static str,
    },
    /// It asks for more patience than there is.
    #[error(
        "the teacher at {host} asks to wait {seconds} s; try again then, or use the offline teacher"
    )]
    Busy {
        /// Where it was asked.
        host: String,
        /// For how long.
        seconds: u64,
    },
    /// Nothing like a chat completion.
    #[error(
        "the teacher at {host} did not answer with a chat completion; check that the address is that of an OpenAI-compatible endpoint"
    )]
    NotChat {
        /// Where it was asked.
        host: String,
    },
    /// An error in the middle of an answer.
    #[error("the teacher at {host} broke off with an error; try again, or use another model")]
    Failed {
        /// Where it was asked.
        host: String,
    },
    /// A stream without an end.
    #[error("the teacher at {host} broke off before its answer was complete; try again")]
    Cut {
        /// Where it was asked.
        host: String,
    },
    /// An answer of endless length.
    #[error("the teacher at {host} does not come to an end; use another model")]
    TooLong {
        /// Where it was asked.
        host: String,
    },
}

/// What to do about a status.
pub(super) fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "it sends requests elsewhere, where the brief does not go; use its final address"
        }
        401 | 403 => "check the key",
        402 => "its account has no credit left",
        404 => "check the address and the model's name",
        413 => "it takes no request of this size; use another model",
        429 => "it has had too many requests; wait a while",
        500..=599 => "the trouble is on its side; wait a while",
        _ => "check the address and the model's name, or use the offline teacher",
    }
}
