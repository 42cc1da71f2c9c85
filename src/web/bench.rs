//! What the bench's page sees: the measures of [`crate::bench`] as plain numbers.

use wasm_bindgen::prelude::*;

use super::Engine;
use super::errors::thrown;
use crate::bench::{self, Measure, Repeats};

#[wasm_bindgen]
impl Engine {
    /// Times the measure `name` on the loaded model: warm-up passes, then samples until `budget_ms` is spent.
    ///
    /// Four numbers a pass, in order: milliseconds, work, tokens, loss (not a number where there is none). Flat and
    /// without names, because every visitor downloads this and only the bench calls it.
    pub async fn bench(
        &self,
        name: String,
        warmup: usize,
        samples: usize,
        budget_ms: f64,
    ) -> Result<Vec<f64>, JsValue> {
        let model = self.loaded()?;
        let repeats = Repeats {
            warmup,
            samples,
            budget_ms,
        };
        let measure = Measure::parse(&name).map_err(|error| thrown(&error))?;
        let passes = bench::measure(&model, measure, repeats)
            .await
            .map_err(|error| thrown(&error))?;
        Ok(passes
            .iter()
            .flat_map(|pass| {
                [
                    pass.ms,
                    pass.work as f64,
                    pass.tokens as f64,
                    pass.loss.map_or(f64::NAN, f64::from),
                ]
            })
            .collect())
    }
}
