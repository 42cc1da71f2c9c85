//! HTTP in the browser.

use gloo_net::http;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, ReadableStreamDefaultReader, ReferrerPolicy, RequestCredentials,
    RequestRedirect,
};

use super::{Heard, Reply, Request};

/// Ends the request when nobody waits for it any more: a run that is stopped drops its future.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request and hands the bytes of a good answer to `hear`, as they come, until it has heard enough.
pub(super) async fn exchange(request: &Request<'_>, hear: Heard<'_>) -> Result<Reply, String> {
    let said = |_: wasm_bindgen::JsValue| "the browser broke the connection off".to_owned();
    let abort = AbortOnDrop(AbortController::new().map_err(said)?);
    let signal = abort.0.signal();
    let mut post = http::Request::post(request.url)
        .header("Content-Type", "application/json")
        .abort_signal(Some(&signal))
        .credentials(RequestCredentials::Omit)
        .referrer_policy(ReferrerPolicy::NoReferrer)
        // A redirect would carry the brief to a place nobody has consented to.
        .redirect(RequestRedirect::Error);
    if let Some(key) = request.key {
        post = post.header("Authorization", &["Bearer ", key].concat());
    }
    let response = post
        .body(Uint8Array::from(request.body.as_bytes()))
        .map_err(|error| error.to_string())?
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let reply = Reply::new(
        response.status(),
        response.headers().get("retry-after").as_deref(),
    );
    if let (true, Some(body)) = (reply.good(), response.body()) {
        let reader = body
            .get_reader()
            .unchecked_into::<ReadableStreamDefaultReader>();
        loop {
            let read = JsFuture::from(reader.read()).await.map_err(said)?;
            let done = Reflect::get(&read, &"done".into()).map_err(said)?;
            let value = Reflect::get(&read, &"value".into()).map_err(said)?;
            if done.is_truthy() || !hear(&Uint8Array::new(&value).to_vec()) {
                break;
            }
        }
    }
    Ok(reply)
}

/// Lets some time pass.
pub(super) async fn pause(milliseconds: u32) {
    gloo_timers::future::TimeoutFuture::new(milliseconds).await;
}
