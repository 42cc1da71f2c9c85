//! Training rows, and how a batch of them is laid out for the model.

use super::TrainError;
use crate::model::{Input, shared_prefix};

/// One training row as token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Prompt and answer, one after the other.
    pub ids: Vec<u32>,
    /// Where the answer begins; tokens before it bring no loss.
    pub answer: usize,
    /// How much each token of the answer counts beside those of other rows; above 0, and 1 unless told otherwise. Preference
    /// training does not heed it.
    pub weight: f32,
}

impl Row {
    /// A row from a prompt and the answer that should follow it.
    pub fn new(mut prompt: Vec<u32>, answer: &[u32]) -> Self {
        let start = prompt.len();
        prompt.extend_from_slice(answer);
        Self::of(prompt, start)
    }

    /// A row of tokens whose answer begins at a place among them.
    pub fn of(ids: Vec<u32>, answer: usize) -> Self {
        Self {
            ids,
            answer,
            weight: 1.0,
        }
    }

    /// Tokens to be learnt.
    pub fn answers(&self) -> usize {
        self.ids.len().saturating_sub(self.answer)
    }
}

/// Rows as one input. What they begin with alike stands there once.
pub(super) struct Laid {
    pub input: Input,
    /// The tokens that predict an answer token, row after row.
    pub sources: Vec<u32>,
    /// Those answer tokens.
    pub targets: Vec<u32>,
}

impl Laid {
    /// Lays rows out.
    ///
    /// # Errors
    ///
    /// [`TrainError::Empty`], [`TrainError::NoAnswer`].
    pub fn new(rows: &[&Row]) -> Result<Self, TrainError> {
        if rows.is_empty() {
            return Err(TrainError::Empty);
        }
        if let Some(index) = rows
            .iter()
            .position(|row| row.answer == 0 || row.answers() == 0)
        {
            return Err(TrainError::NoAnswer(index));
        }
        let sequences: Vec<Vec<u32>> = rows.iter().map(|row| row.ids.clone()).collect();
        // The token that predicts the first of an answer must be the row's own.
        let first = rows.iter().map(|row| row.answer - 1).min().unwrap_or(0);
        let (input, starts) = Input::sequences(&sequences, shared_prefix(&sequences).min(first));
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        for (row, start) in rows.iter().zip(starts) {
            for place in row.answer..row.ids.len() {
                // The token before predicts it.
                sources.push((start + place - 1) as u32);
                targets.push(row.ids[place]);
            }
        }
        Ok(Self {
            input,
            sources,
            targets,
        })
    }
}

/// Tokens that are read in one go; a larger batch is read in parts whose gradients are added up.
pub(super) const AT_ONCE: usize = 4096;

/// Items in parts of at most [`AT_ONCE`] tokens, each of one item at least.
pub(super) fn parts<T>(items: &[T], tokens: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let (mut begin, mut sum) = (0, 0);
    for (index, item) in items.iter().enumerate() {
        if sum + tokens(item) > AT_ONCE && index > begin {
            parts.push(&items[begin..index]);
            (begin, sum) = (index, 0);
        }
        sum += tokens(item);
    }
    if begin < items.len() {
        parts.push(&items[begin..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_in_parts_that_fit_and_nothing_is_lost() {
        let lengths = [
            AT_ONCE + 5,
            100,
            AT_ONCE - 100,
            1 + AT_ONCE / 2,
            AT_ONCE / 2,
        ];
        let sizes: Vec<usize> = parts(&lengths, |length| *length)
            .iter()
            .map(|part| part.len())
            .collect();
        assert_eq!(sizes, [1, 2, 1, 1]);
        assert!(parts(&[] as &[usize], |length| *length).is_empty());
    }

    #[test]
    fn the_token_before_each_answer_token_predicts_it_though_the_beginning_stands_there_once() {
        let rows = [
            Row::new(vec![1, 2, 3, 4], &[5, 6]),
            Row::new(vec![1, 2, 7], &[8]),
        ];
        let laid = Laid::new(&[&rows[0], &rows[1]]).expect("both rows have answers");
        assert_eq!(laid.input.len(), 2 + 4 + 2);
        assert_eq!(laid.sources, [3, 4, 6]);
        assert_eq!(laid.targets, [5, 6, 8]);
    }

    #[test]
    fn a_row_without_an_answer_is_named_by_its_number() {
        let rows = [Row::new(vec![1, 2], &[3]), Row::new(vec![1, 2], &[])];
        assert_eq!(
            Laid::new(&[&rows[0], &rows[1]]).err(),
            Some(TrainError::NoAnswer(1))
        );
        assert_eq!(Laid::new(&[]).err(), Some(TrainError::Empty));
    }
}
