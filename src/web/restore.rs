//! A run that was brought back from storage or a file: the engine answers for it as if it had just been run.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use super::errors::thrown;
use super::{Engine, read_task};
use crate::Error;
use crate::evolve::{Outcome, RowName};
use crate::model::Adapter;

#[wasm_bindgen]
impl Engine {
    /// Takes a task, and the two files of the adapter that a run on it has left, for those of the last run; `predict` and
    /// the adapter's files then are theirs. The model that was loaded must be the one the adapter was trained on.
    pub fn restore(
        &self,
        task: &str,
        seeds: &str,
        test: Option<String>,
        config: String,
        weights: Vec<u8>,
    ) -> Result<(), JsValue> {
        let model = self.loaded()?;
        let task = read_task(task, seeds, test)?;
        if self.running.get() {
            let busy = "a run is going on; stop it before another is brought back".to_owned();
            return Err(thrown(&Error::Setting(busy)));
        }
        let adapter = Adapter::from_peft(
            config.as_bytes(),
            &weights,
            model.decoder.config(),
            model.decoder.device(),
        )
        .map_err(|error| thrown(&error.into()))?;
        *self.outcome.borrow_mut() = Rc::new(Outcome {
            task: Some(task),
            adapter: Some((RowName::Psi, adapter)),
            peft: Some((config, weights)),
            ..Outcome::default()
        });
        Ok(())
    }
}
