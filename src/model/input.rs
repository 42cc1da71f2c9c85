//! What the decoder reads in one go: tokens of any number of sequences, one after the other, none of them padding.

/// A run of slots, from the first to one past the last; empty where the first is not below the last.
pub type Span = (usize, usize);

/// No slot at all.
pub const NOTHING: Span = (0, 0);

/// Tokens, each with its position in its own sequence, the slot of a [`super::Cache`] that takes its key and value, and the slots it sees:
/// at most three runs. What sequences have in common is one run that all of them see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    pub(super) ids: Vec<u32>,
    pub(super) positions: Vec<u32>,
    pub(super) slots: Vec<u32>,
    pub(super) spans: Vec<u32>,
}

impl Input {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token. What it sees must be in the order of positions, hold its own slot too (the last), and no slot twice.
    pub fn push(&mut self, id: u32, position: usize, slot: usize, sees: [Span; 3]) {
        self.ids.push(id);
        self.positions.push(position as u32);
        self.slots.push(slot as u32);
        self.spans.extend(
            sees.iter()
                .flat_map(|(from, to)| [*from as u32, *to as u32]),
        );
    }

    /// Whole sequences, token `i` of the input in slot `i`. The first `shared` tokens, which all sequences have in common, stand there
    /// once; the arithmetic is that of the sequences alone. With it, for each sequence, the column at which its first token stands or would
    /// stand: token `i` of a sequence, for `i >= shared`, is in that column plus `i`.
    pub fn sequences(sequences: &[Vec<u32>], shared: usize) -> (Self, Vec<usize>) {
        let mut input = Self::new();
        if let Some(first) = sequences.first() {
            for (position, id) in first[..shared].iter().enumerate() {
                input.push(
                    *id,
                    position,
                    position,
                    [(0, position + 1), NOTHING, NOTHING],
                );
            }
        }
        let starts = sequences
            .iter()
            .map(|sequence| {
                let begin = input.len();
                for (step, id) in sequence[shared..].iter().enumerate() {
                    let column = begin + step;
                    input.push(
                        *id,
                        shared + step,
                        column,
                        [(0, shared), (begin, column + 1), NOTHING],
                    );
                }
                begin - shared
            })
            .collect();
        (input, starts)
    }

    /// What the tokens see where they see their last `window` only, themselves counted. A token's runs are in the order of
    /// their positions.
    pub(super) fn spans_within(&self, window: usize) -> Vec<u32> {
        let mut spans = self.spans.clone();
        for token in spans.chunks_exact_mut(6) {
            let seen: usize = token
                .chunks_exact(2)
                .map(|run| run[1].saturating_sub(run[0]) as usize)
                .sum();
            let mut past = seen.saturating_sub(window);
            for run in token.chunks_exact_mut(2) {
                let cut = past.min(run[1].saturating_sub(run[0]) as usize);
                run[0] += cut as u32;
                past -= cut;
            }
        }
        spans
    }

    /// Tokens.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }
}

/// How many first tokens several sequences have in common, each keeping at least one of its own. 0 for a single sequence,
/// which shares with nobody.
pub fn shared_prefix(sequences: &[Vec<u32>]) -> usize {
    let Some((first, rest)) = sequences.split_first() else {
        return 0;
    };
    if rest.is_empty() {
        return 0;
    }
    let most = sequences
        .iter()
        .map(Vec::len)
        .min()
        .unwrap_or(0)
        .saturating_sub(1);
    rest.iter().fold(most, |shared, other| {
        (first.iter().zip(other).take(shared))
            .take_while(|(a, b)| a == b)
            .count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_prefix_leaves_every_sequence_a_token_of_its_own() {
        let sequence: Vec<u32> = (0..9).collect();
        assert_eq!(
            shared_prefix(&[sequence[..5].to_vec(), sequence.clone()]),
            4
        );
        assert_eq!(
            shared_prefix(&[sequence[..3].to_vec(), vec![0, 1, 7, 8]]),
            2
        );
        assert_eq!(shared_prefix(&[sequence]), 0);
        assert_eq!(shared_prefix(&[]), 0);
    }

    #[test]
    fn a_token_sees_the_shared_part_and_its_own_sequence_up_to_itself_only() {
        let (input, starts) = Input::sequences(&[vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 7]], 4);
        assert_eq!(starts, [0, 2]);
        assert_eq!(input.ids, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(input.positions, [0, 1, 2, 3, 4, 5, 4]);
        let sees = |token: usize| -> Vec<u32> {
            input.spans[token * 6..token * 6 + 6]
                .chunks(2)
                .flat_map(|run| run[0]..run[1])
                .collect()
        };
        assert_eq!(sees(2), [0, 1, 2]);
        assert_eq!(sees(5), [0, 1, 2, 3, 4, 5]);
        assert_eq!(sees(6), [0, 1, 2, 3, 6]);
    }

    #[test]
    fn within_a_window_a_token_sees_its_last_ones_only() {
        let (input, _) = Input::sequences(&[vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 4, 7]], 4);
        let spans = input.spans_within(2);
        let sees = |token: usize| -> Vec<u32> {
            let runs = spans[token * 6..token * 6 + 6].chunks(2);
            runs.flat_map(|run| run[0]..run[1]).collect()
        };
        assert_eq!(sees(0), [0]);
        assert_eq!(sees(3), [2, 3]);
        assert_eq!(sees(4), [3, 4]);
        assert_eq!(sees(6), [3, 6]);
    }
}
