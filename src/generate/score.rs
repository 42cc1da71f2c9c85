//! How likely the model finds each of a few given answers: the way labels are predicted and voted for.

use burn::tensor::{Int, Tensor, TensorData, activation};

use crate::Error;
use crate::kernels;
use crate::model::{Adapter, Cache, Input, Model, shared_prefix};

/// The answers to choose among, as token ids, end marker included.
#[derive(Debug, Clone)]
pub struct Answers {
    ids: Vec<Vec<u32>>,
}

impl Answers {
    /// Answers from their token ids; none may be empty.
    pub fn new(ids: Vec<Vec<u32>>) -> Self {
        Self { ids }
    }

    fn total(&self) -> usize {
        self.ids.iter().map(Vec::len).sum()
    }
}

/// Scores answers behind prompts. Prompts of one task begin alike; what they share is read once and kept.
pub struct Scorer<'a> {
    model: &'a Model,
    adapter: Option<&'a Adapter>,
    prefix: Option<(Vec<u32>, Cache)>,
}

impl<'a> Scorer<'a> {
    /// With an adapter, or without one for the untouched model.
    pub fn new(model: &'a Model, adapter: Option<&'a Adapter>) -> Self {
        Self {
            model,
            adapter,
            prefix: None,
        }
    }

    /// The log-likelihood of every answer behind every prompt, in nats: `[prompt][answer]`.
    ///
    /// All answers stand behind the prompt in one sequence, each seeing the prompt and itself only (a tree in the
    /// mask), so that a prompt is read once however many answers there are.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] when a prompt does not fit the model, [`Error::Device`] when the device does not answer.
    pub async fn score(
        &mut self,
        prompts: &[Vec<u32>],
        answers: &Answers,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let rows = prompts.len();
        let branches = answers.total();
        let shared = self.read_prefix(prompts)?;
        let own: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt[shared..]).collect();
        let longest = own.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        // Whole fours keep the products on their fast path.
        let width = (longest + branches).next_multiple_of(4);
        let trunk = width - branches;

        // Column of the branch → (answer, place in it)
        let places: Vec<(usize, usize)> = answers
            .ids
            .iter()
            .enumerate()
            .flat_map(|(answer, ids)| (0..ids.len()).map(move |place| (answer, place)))
            .collect();
        let mut ids = Vec::with_capacity(rows * width);
        for prompt in &own {
            ids.resize(ids.len() + trunk - prompt.len(), 0);
            ids.extend_from_slice(prompt);
            ids.extend(answers.ids.iter().flatten());
        }
        let padding: Vec<usize> = own.iter().map(|prompt| trunk - prompt.len()).collect();
        let input = Input::build(
            ids,
            rows,
            width,
            shared,
            |row, query, key| {
                let (Some(key), query) = (key.checked_sub(shared), query - shared) else {
                    return true;
                };
                if key < trunk {
                    return key >= padding[row] && key <= query;
                }
                let (key, query) = (
                    places[key - trunk],
                    query.checked_sub(trunk).map(|column| places[column]),
                );
                query.is_some_and(|query| query.0 == key.0 && key.1 <= query.1)
            },
            |row, column| {
                let depth = match column.checked_sub(trunk) {
                    Some(branch) => trunk + places[branch].1,
                    None => column,
                };
                (shared + depth.saturating_sub(padding[row])) as u32
            },
        );
        let mut cache = match &self.prefix {
            Some((_, prefix)) if shared > 0 => Some(prefix.repeat(rows, shared + width)),
            _ => None,
        };
        let hidden = self
            .model
            .decoder
            .hidden(&input, self.adapter, cache.as_mut())?;

        // The token that predicts each answer token: the prompt's last, or the answer token before it.
        let size = self.model.decoder.config().hidden_size;
        let device = self.model.decoder.device();
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        for row in 0..rows {
            for (column, (answer, place)) in places.iter().enumerate() {
                let source = if *place == 0 {
                    trunk - 1
                } else {
                    trunk + column - 1
                };
                sources.push((row * width + source) as i32);
                targets.push(answers.ids[*answer][*place] as i32);
            }
        }
        let count = sources.len();
        let picked = hidden.reshape([rows * width, size]).select(
            0,
            Tensor::<1, Int>::from_data(TensorData::new(sources, [count]), device),
        );
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [count]), device)
            .reshape([count, 1]);
        let chosen =
            activation::log_softmax(self.model.decoder.logits(picked), 1).gather(1, targets);
        let values = kernels::read(chosen).await?;

        Ok(values
            .chunks(branches.max(1))
            .map(|row| {
                let mut sums = vec![0.0; answers.ids.len()];
                for ((answer, _), value) in places.iter().zip(row) {
                    sums[*answer] += value;
                }
                sums
            })
            .collect())
    }

    /// Reads what the prompts share, unless that was done for earlier ones, and gives its length.
    fn read_prefix(&mut self, prompts: &[Vec<u32>]) -> Result<usize, Error> {
        let shared = shared_prefix(prompts);
        if let (Some((held, _)), Some(prompt)) = (&self.prefix, prompts.first())
            && held.len() <= shared
            && prompt.starts_with(held)
        {
            return Ok(held.len());
        }
        self.prefix = match prompts.first() {
            Some(prompt) if shared > 0 => {
                let prefix = prompt[..shared].to_vec();
                let cache = Cache::of(self.model, self.adapter, &prefix)?;
                Some((prefix, cache))
            }
            _ => None,
        };
        Ok(self.prefix.as_ref().map_or(0, |(prefix, _)| prefix.len()))
    }
}
