//! Teacher `api`: an OpenAI-compatible chat endpoint is sent the brief and answers with principles.
//!
//! One call a round: a request is repeated only where the first one was refused (a schema the server does not know) or
//! came to nothing (no connection, too many requests, trouble on the server's side). Every attempt stands in the
//! ledger with its exact body. Headers are `Content-Type` and, with a key, `Authorization`; no others are set.

mod body;
mod completion;
mod error;
pub(super) mod repair;
#[cfg(all(not(target_arch = "wasm32"), feature = "desk"))]
#[path = "wire_desk.rs"]
mod wire;
#[cfg(target_arch = "wasm32")]
#[path = "wire_web.rs"]
mod wire;

use web_time::{SystemTime, UNIX_EPOCH};

pub use error::TeacherError;

use super::PrincipleSet;
use crate::Error;
use crate::privacy::{Brief, Cleared, Ledger, estimate_tokens};
use crate::task::Task;
use completion::{Completion, Flaw};

/// Who is asked. Debug output does not show the key.
#[derive(Clone)]
pub struct Teacher {
    model: String,
    key: Option<String>,
    price: Option<Price>,
    patience: Patience,
}

/// What a teacher's tokens cost, in the user's currency, for a million.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Of the request.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}

/// How often and how long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts, the first included.
    pub tries: u32,
    /// The first wait, in milliseconds; each later one is twice as long, and up to a quarter longer by chance.
    pub first: u32,
    /// The longest wait, in milliseconds; a server that asks for more is not waited for.
    pub most: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 4,
            first: 1_000,
            most: 60_000,
        }
    }
}

impl Teacher {
    /// The model of that name, without a key.
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            key: None,
            price: None,
            patience: Patience::default(),
        }
    }

    /// With a key, which is only ever put into the header `Authorization`.
    #[must_use]
    pub fn with_key(mut self, key: Option<&str>) -> Self {
        self.key = key.filter(|key| !key.is_empty()).map(str::to_owned);
        self
    }

    /// With prices, so that the cost can be shown.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// With another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

impl std::fmt::Debug for Teacher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teacher")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// What a teacher answered, and what that took.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The principles, checked against the task. As JSON text they are a recorded teacher: a run with it is the same
    /// run, without the network.
    pub set: PrincipleSet,
    /// What was left out, one line each.
    pub warnings: Vec<String>,
    /// Requests that left.
    pub requests: usize,
    /// Bytes of their bodies.
    pub bytes_sent: usize,
    /// What the answer took.
    pub usage: Usage,
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Of the request.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
    /// Whether they are estimated, because the server did not count them.
    pub estimated: bool,
    /// What they cost, where prices are known.
    pub cost: Option<f64>,
}

struct Request<'a> {
    url: &'a str,
    /// In a browser the door knows it, and nobody else.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    key: Option<&'a str>,
    body: &'a str,
}

/// Takes bytes as they come; false when it has heard enough.
type Heard<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// Why a request came to nothing.
enum Trouble {
    /// The network, in its own words; it may pass.
    Passing(String),
    /// What trying again does not mend.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    Lasting(Error),
}

struct Reply {
    status: u16,
    /// Seconds to wait, where the server says so.
    retry_after: Option<u64>,
}

impl Reply {
    fn new(status: u16, retry_after: Option<&str>) -> Self {
        // A date instead of seconds is not read: the usual wait does as well.
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok());
        Self {
            status,
            retry_after,
        }
    }

    fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Asks a teacher for principles. `watch` is shown the answer so far whenever more of it is there, and while there is
/// waiting to do; when it says false, the call is given up.
///
/// # Errors
///
/// [`TeacherError`] when there is no usable answer; [`super::PrincipleError`] when there are no principles in it;
/// [`Error::Cancelled`] when `watch` said so.
pub async fn ask(
    brief: Cleared<Brief>,
    teacher: &Teacher,
    task: &Task,
    ledger: &mut Ledger,
    watch: &mut dyn FnMut(&str) -> bool,
) -> Result<Answer, Error> {
    let key = teacher.key.as_deref();
    if key.is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(TeacherError::BadKey.into());
    }
    let host = || brief.destination().host().to_owned();
    let (mut strict, mut tries, mut requests, mut bytes_sent) = (true, 0, 0, 0);
    loop {
        if !watch("") {
            return Err(Error::Cancelled);
        }
        let body = body::body(&brief, &teacher.model, strict);
        ledger.sent(&brief, &body, now());
        requests += 1;
        bytes_sent += body.len();
        tries += 1;

        let mut completion = Completion::default();
        let (mut flaw, mut stopped) = (None, false);
        let request = Request {
            url: brief.destination().url(),
            key,
            body: &body,
        };
        let exchanged = exchange(&request, &mut |bytes| {
            flaw = completion.push(bytes).err();
            stopped = !watch(completion.text());
            flaw.is_none() && !stopped
        })
        .await;
        let status = exchanged.as_ref().map_or(0, |reply| reply.status);
        ledger.answered(
            now(),
            status,
            completion.bytes(),
            completion.tokens(),
            completion.text(),
        );
        if stopped {
            return Err(Error::Cancelled);
        }
        let wait = match exchanged {
            Ok(reply) if reply.good() => {
                let text = match flaw {
                    Some(flaw) => Err(flaw),
                    None => completion.finish().map(str::to_owned),
                };
                let text = text.map_err(|flaw| flawed(flaw, host()))?;
                let (set, warnings) = repair::read(&text, task)?;
                let usage = usage(teacher, &completion, &body, &text);
                return Ok(Answer {
                    set,
                    warnings,
                    requests,
                    bytes_sent,
                    usage,
                });
            }
            Ok(reply) if strict && matches!(reply.status, 400 | 415 | 422 | 501) => {
                // It does not know the schema, or one of the other niceties. Only the schema was refused, so this
                // counts as the same attempt.
                (strict, tries) = (false, tries - 1);
                continue;
            }
            Ok(reply) if passing(reply.status) && tries < teacher.patience.tries => {
                let most = u64::from(teacher.patience.most);
                match reply
                    .retry_after
                    .map(|seconds| seconds.saturating_mul(1000))
                {
                    Some(asked) if asked > most => {
                        let seconds = asked / 1000;
                        return Err(TeacherError::Busy {
                            host: host(),
                            seconds,
                        }
                        .into());
                    }
                    Some(asked) => asked,
                    None => back_off(&teacher.patience, tries),
                }
            }
            Ok(reply) => {
                return Err(TeacherError::Status {
                    host: host(),
                    status: reply.status,
                    remedy: error::remedy(reply.status),
                }
                .into());
            }
            Err(Trouble::Lasting(error)) => return Err(error),
            Err(_) if completion.bytes() > 0 => {
                return Err(TeacherError::Cut { host: host() }.into());
            }
            Err(_) if tries < teacher.patience.tries => back_off(&teacher.patience, tries),
            Err(Trouble::Passing(cause)) => {
                return Err(TeacherError::Unreachable {
                    host: host(),
                    cause,
                }
                .into());
            }
        };
        rest(wait, watch).await?;
    }
}

/// Whether trouble may pass by itself.
fn passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 529)
}

fn flawed(flaw: Flaw, host: String) -> TeacherError {
    match flaw {
        Flaw::NotChat => TeacherError::NotChat { host },
        Flaw::Failed => TeacherError::Failed { host },
        Flaw::Cut => TeacherError::Cut { host },
        Flaw::TooLong => TeacherError::TooLong { host },
    }
}

fn usage(teacher: &Teacher, completion: &Completion, body: &str, text: &str) -> Usage {
    let told = completion.tokens();
    let (input, output) =
        told.unwrap_or_else(|| (estimate_tokens(body) as u64, estimate_tokens(text) as u64));
    let cost = |price: Price| (input as f64 * price.input + output as f64 * price.output) / 1e6;
    Usage {
        input,
        output,
        estimated: told.is_none(),
        cost: teacher.price.map(cost),
    }
}

/// Milliseconds before the next attempt, after so many.
fn back_off(patience: &Patience, tries: u32) -> u64 {
    let wait = u64::from(patience.first) << (tries - 1).min(16);
    // Spread, so that clients that failed together do not come back together.
    let wait = wait + fastrand::u64(0..=wait / 4);
    wait.min(patience.most.into())
}

/// Waits, in short pieces, so that the wish to stop is heard.
async fn rest(mut milliseconds: u64, watch: &mut dyn FnMut(&str) -> bool) -> Result<(), Error> {
    while milliseconds > 0 {
        let piece = milliseconds.min(100);
        pause(piece as u32).await;
        milliseconds -= piece;
        if !watch("") {
            return Err(Error::Cancelled);
        }
    }
    Ok(())
}

/// The body of the first request that [`ask`] would send, byte for byte.
pub fn request_body(brief: &Cleared<Brief>, model: &str) -> String {
    body::body(brief, model, true)
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_millis() as u64)
}

#[cfg(any(target_arch = "wasm32", feature = "desk"))]
use wire::{exchange, pause};

#[cfg(all(not(target_arch = "wasm32"), not(feature = "desk")))]
async fn exchange(request: &Request<'_>, _: Heard<'_>) -> Result<Reply, String> {
    let _ = (request.url, request.key, request.body);
    Err("this build has no network; build with the feature `desk`".into())
}

#[cfg(all(not(target_arch = "wasm32"), not(feature = "desk")))]
async fn pause(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let patience = Patience::default();
        for tries in 1..40 {
            let wait = back_off(&patience, tries);
            let least = (1000_u64 << (tries - 1).min(16)).min(60_000);
            assert!(wait >= least && wait <= 60_000, "{tries}: {wait}");
        }
    }

    #[test]
    fn seconds_to_wait_are_read_and_dates_are_not() {
        assert_eq!(Reply::new(429, Some(" 7 ")).retry_after, Some(7));
        for other in [
            None,
            Some("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some("-1"),
            Some(""),
        ] {
            assert_eq!(Reply::new(429, other).retry_after, None);
        }
    }

    #[test]
    fn debug_output_does_not_show_the_key() {
        let teacher = Teacher::new("m").with_key(Some("sk-secret"));
        assert!(!format!("{teacher:?}").contains("secret"));
    }
}
