//! HTTP at the desk.

use std::io::Read;
use std::time::Duration;

use super::{Heard, Reply, Request, Trouble};

/// The longest an answer may take: a large model may think for minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sends a request and hands the bytes of a good answer to `hear`, as they come, until it has heard enough.
pub(super) async fn exchange(request: &Request<'_>, hear: Heard<'_>) -> Result<Reply, Trouble> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        // A redirect would carry the brief to a place nobody has consented to.
        .max_redirects(0)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .http_status_as_error(false)
        .build()
        .into();
    let mut post = agent
        .post(request.url)
        .header("Content-Type", "application/json");
    if let Some(key) = request.key {
        post = post.header("Authorization", &["Bearer ", key].concat());
    }
    let response = post
        .send(request.body.as_bytes())
        .map_err(|error| Trouble::Passing(error.to_string()))?;
    let reply = Reply::new(
        response.status().as_u16(),
        response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()),
    );
    if reply.good() {
        let mut reader = response.into_body().into_reader();
        let mut chunk = [0; 8192];
        loop {
            let read = reader
                .read(&mut chunk)
                .map_err(|error| Trouble::Passing(error.to_string()))?;
            if read == 0 || !hear(&chunk[..read]) {
                break;
            }
        }
    }
    Ok(reply)
}

/// Lets some time pass.
pub(super) async fn pause(milliseconds: u32) {
    std::thread::sleep(Duration::from_millis(milliseconds.into()));
}
