//! HTTP in the browser, through the door.
//!
//! The side that holds data cannot open a foreign connection: its Content-Security-Policy forbids it. What asks a teacher
//! is a document of its own, the door (`www/src/door/`), which is given the body of the request and nothing else, and which
//! alone knows the key. The page puts the function `seedbedDoor` into this worker's scope; it waits there until the user
//! has agreed to this very body.

use js_sys::{Error as Thrown, Uint8Array};
use wasm_bindgen::prelude::*;

use super::{Heard, Reply, Request, TeacherError, Trouble};
use crate::Error;

#[wasm_bindgen]
extern "C" {
    /// Sends `body` to `url` by POST, as JSON. Rejects with an error whose name is `cors`, `key`, `declined` or `network`.
    #[wasm_bindgen(catch, js_name = seedbedDoor)]
    async fn door(url: &str, body: &str) -> Result<JsValue, JsValue>;

    /// What came back.
    type Answer;
    /// The HTTP status; 307 stands for every redirect, none of which is followed.
    #[wasm_bindgen(method, getter)]
    fn status(this: &Answer) -> u16;
    /// The header `Retry-After`.
    #[wasm_bindgen(method, getter, js_name = retryAfter)]
    fn retry_after(this: &Answer) -> Option<String>;
    /// The next bytes of the body; nothing after the last.
    #[wasm_bindgen(method, catch)]
    async fn read(this: &Answer) -> Result<JsValue, JsValue>;
    /// Nobody reads on.
    #[wasm_bindgen(method)]
    fn close(this: &Answer);
}

/// Ends the request when nobody waits for it any more: a run that is stopped drops its future.
struct CloseOnDrop(Answer);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Sends a request and hands the bytes of a good answer to `hear`, as they come, until it has heard enough. The key is
/// the door's own affair.
pub(super) async fn exchange(request: &Request<'_>, hear: Heard<'_>) -> Result<Reply, Trouble> {
    let trouble = |thrown| trouble(thrown, request.url);
    let answer = door(request.url, request.body).await.map_err(trouble)?;
    let answer = CloseOnDrop(answer.unchecked_into());
    let reply = Reply::new(answer.0.status(), answer.0.retry_after().as_deref());
    while reply.good() {
        let read = answer.0.read().await.map_err(trouble)?;
        match read.dyn_ref::<Uint8Array>() {
            Some(bytes) if hear(&bytes.to_vec()) => {}
            _ => break,
        }
    }
    Ok(reply)
}

fn trouble(thrown: JsValue, url: &str) -> Trouble {
    let Some(thrown) = thrown.dyn_ref::<Thrown>() else {
        return Trouble::Passing("the browser broke the connection off".to_owned());
    };
    match String::from(thrown.name()).as_str() {
        "cors" => Trouble::Lasting(
            TeacherError::Cors {
                host: crate::privacy::Destination::parse(url)
                    .map_or_else(|_| url.to_owned(), |place| place.host().to_owned()),
            }
            .into(),
        ),
        "key" => Trouble::Lasting(TeacherError::BadKey.into()),
        "declined" => Trouble::Lasting(Error::Cancelled),
        _ => Trouble::Passing(thrown.message().into()),
    }
}

/// Lets some time pass.
pub(super) async fn pause(milliseconds: u32) {
    gloo_timers::future::TimeoutFuture::new(milliseconds).await;
}
