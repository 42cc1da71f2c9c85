//! Errors as JavaScript throws them.

use wasm_bindgen::JsValue;

use crate::Error;

/// An `Error` whose `name` is the code and whose `message` is the line for a person.
pub(super) fn thrown(error: &Error) -> JsValue {
    let thrown = js_sys::Error::new(&error.to_string());
    thrown.set_name(error.code());
    thrown.into()
}
