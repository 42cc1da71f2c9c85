//! Where a text lies in the model's own space.

use super::{Adapter, Input, Model};
use crate::Error;
use crate::kernels;

impl Model {
    /// The mean of the last hidden states (behind the final norm) over the tokens of each sequence: one row of `hidden_size`
    /// values a sequence, row after row. A sequence without tokens is at the origin; one that is too long is read as far
    /// as the context goes.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when an id is not of the vocabulary, [`Error::Device`] when the device does not answer.
    pub async fn embed(
        &self,
        sequences: &[Vec<u32>],
        adapter: Option<&Adapter>,
    ) -> Result<Vec<f32>, Error> {
        let width = self.decoder.config().hidden_size;
        let sequences: Vec<Vec<u32>> = sequences
            .iter()
            .map(|ids| ids[..ids.len().min(self.decoder.context())].to_vec())
            .collect();
        let mut means = vec![0.0; sequences.len() * width];
        let (input, _) = Input::sequences(&sequences, 0);
        if input.is_empty() {
            return Ok(means);
        }
        let hidden = self.decoder.hidden(&input, adapter, None)?;
        let states = kernels::read(hidden).await?;
        let mut states = states.chunks_exact(width);
        for (ids, mean) in sequences.iter().zip(means.chunks_exact_mut(width)) {
            for state in states.by_ref().take(ids.len()) {
                for (sum, value) in mean.iter_mut().zip(state) {
                    *sum += value / ids.len() as f32;
                }
            }
        }
        Ok(means)
    }
}
