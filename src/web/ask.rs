//! Asking the student directly: writing behind a prompt, and where texts lie in its own space.

use js_sys::{Array, Float32Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;
use web_time::{Duration, Instant};

use super::Engine;
use super::errors::thrown;
use crate::Error;
use crate::generate::{Batch, Sampling};

/// How long the tab's other work waits at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// Texts that are read at once.
const TEXTS: usize = 32;

/// How to write.
#[derive(Deserialize)]
#[serde(default)]
struct GenerateOptions {
    n: usize,
    max_tokens: usize,
    temperature: f32,
    top_k: usize,
    top_p: f32,
    seed: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            n: 1,
            max_tokens: 64,
            temperature: 0.8,
            top_k: 0,
            top_p: 0.95,
            seed: 1,
        }
    }
}

impl GenerateOptions {
    fn sampling(&self) -> Result<Sampling, Error> {
        let wrong = if self.n == 0 || self.n > 4096 {
            "n must be from 1 to 4096"
        } else if !self.temperature.is_finite() || self.temperature < 0.0 {
            "temperature must be 0 or more"
        } else if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            "top_p must be above 0 and at most 1"
        } else if self.temperature == 0.0 {
            return Ok(Sampling::GREEDY);
        } else {
            return Ok(Sampling {
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
            });
        };
        Err(Error::Setting(wrong.into()))
    }
}

/// Lets the tab do its other work when that has waited long enough, and hears whether the caller has given up.
async fn breathe(since: &mut Instant, signal: Option<&AbortSignal>) -> Result<(), Error> {
    if since.elapsed() >= PATIENCE {
        gloo_timers::future::TimeoutFuture::new(0).await;
        *since = Instant::now();
    }
    match signal {
        Some(signal) if signal.aborted() => Err(Error::Cancelled),
        _ => Ok(()),
    }
}

#[wasm_bindgen]
impl Engine {
    /// Writes `n` texts behind a prompt, with the adapter of the last run where there is one.
    pub async fn generate(
        &self,
        prompt: String,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Result<Array, JsValue> {
        let options: Option<GenerateOptions> = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(&Error::Setting(format!("options: {error}"))))?;
        self.write(&prompt, &options.unwrap_or_default(), signal.as_ref())
            .await
            .map_err(|error| thrown(&error))
    }

    /// Where texts lie: the mean of the last layer's states over a text's tokens, row after row.
    pub async fn embed(
        &self,
        texts: Vec<String>,
        signal: Option<AbortSignal>,
    ) -> Result<Float32Array, JsValue> {
        self.place(&texts, signal.as_ref())
            .await
            .map_err(|error| thrown(&error))
    }
}

impl Engine {
    async fn write(
        &self,
        prompt: &str,
        options: &GenerateOptions,
        signal: Option<&AbortSignal>,
    ) -> Result<Array, Error> {
        let model = self.model()?;
        let outcome = self.outcome.borrow().clone();
        let adapter = outcome.adapter.as_ref().map(|(_, adapter)| adapter);
        let mut ids: Vec<u32> = model.vocabulary.begin().into_iter().collect();
        ids.extend(model.vocabulary.encode(prompt)?);
        if ids.is_empty() {
            return Err(Error::Setting(
                "the prompt is empty; give at least one word".into(),
            ));
        }
        let context = model.decoder.context();
        if ids.len() >= context {
            return Err(Error::Setting(format!(
                "the prompt has {} tokens, and the model reads {context} at most; shorten it",
                ids.len()
            )));
        }
        let mut batch = Batch::start(
            &model,
            adapter,
            &vec![ids; options.n],
            options.max_tokens,
            options.sampling()?,
            options.seed,
        )?;
        let mut since = Instant::now();
        while !batch.is_done() {
            batch.step().await?;
            if let Err(stopped) = breathe(&mut since, signal).await {
                // What the device has begun it ends, or it would hold up whatever comes next.
                batch.settle().await?;
                return Err(stopped);
            }
        }
        let texts = Array::new();
        for written in batch.written() {
            texts.push(&model.vocabulary.decode(&written.ids)?.into());
        }
        Ok(texts)
    }

    async fn place(
        &self,
        texts: &[String],
        signal: Option<&AbortSignal>,
    ) -> Result<Float32Array, Error> {
        let model = self.model()?;
        let outcome = self.outcome.borrow().clone();
        let adapter = outcome.adapter.as_ref().map(|(_, adapter)| adapter);
        let mut places = Vec::new();
        let mut since = Instant::now();
        for some in texts.chunks(TEXTS) {
            let ids = some
                .iter()
                .map(|text| model.vocabulary.encode(text))
                .collect::<Result<Vec<_>, _>>()?;
            places.extend(model.embed(&ids, adapter).await?);
            breathe(&mut since, signal).await?;
        }
        Ok(Float32Array::from(&places[..]))
    }
}
