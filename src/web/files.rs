//! A run's log in the browser: the page's worker keeps its files.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::Error;
use crate::evolve::{Files, LogError, Waiting};

#[wasm_bindgen]
extern "C" {
    /// What the worker gives: the log so far, and where its files are.
    pub type Log;
    #[wasm_bindgen(method, getter)]
    pub(super) fn past(this: &Log) -> String;
    #[wasm_bindgen(method, catch)]
    async fn put(this: &Log, name: &str, bytes: Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn get(this: &Log, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn remove(this: &Log, name: &str);
}

/// The worker's files as the library uses them.
pub(super) struct JsFiles(pub Log);

fn failed(name: &str) -> impl Fn(JsValue) -> Error + '_ {
    move |thrown| {
        let cause = match thrown.dyn_ref::<js_sys::Error>() {
            Some(error) => error.message().into(),
            None => "the browser does not say why".to_owned(),
        };
        let name = name.to_owned();
        LogError::File { name, cause }.into()
    }
}

impl Files for JsFiles {
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Waiting<'a, ()> {
        let bytes = Uint8Array::from(&bytes[..]);
        Box::pin(async move {
            self.0.put(name, bytes).await.map_err(failed(name))?;
            Ok(())
        })
    }

    fn get<'a>(&'a self, name: &'a str) -> Waiting<'a, Vec<u8>> {
        Box::pin(async move {
            let bytes = self.0.get(name).await.map_err(failed(name))?;
            Ok(Uint8Array::new(&bytes).to_vec())
        })
    }

    fn remove(&self, name: &str) {
        self.0.remove(name);
    }
}
