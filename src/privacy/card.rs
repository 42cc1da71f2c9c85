//! The weakness card: what the student gets wrong, in descriptors, with noise (EvoKD's compass, made private).

use serde::Serialize;

use super::descriptor::{FORM, Family, SHORT_OR_LONG, Text};
use super::sketch::{least_told, noisy};
use super::{BriefError, Entropy, Epsilon, Release};
use crate::order;
use crate::task::Task;

/// A row that the student has labelled.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The row's text.
    pub text: &'a str,
    /// Its label, an index into the task's.
    pub label: usize,
    /// What the student said.
    pub predicted: usize,
    /// Whether that is right; an answer that is no label may be wrong and yet of the right group.
    pub right: bool,
}

/// What may be told of a student's mistakes.
///
/// # What the bound covers
///
/// The card is drawn so that, *for one and the same student*, it is bound by its ε for every row that was judged: a row
/// adds 1 to one cell of each family. A row that the student was trained on also shaped the student, and through it the
/// judgement of all other rows; no noise of this size bounds that. So judge rows that the student was not trained on,
/// and know that for the rows it was trained on a card keeps no bound of its own. This is why a card is sent only when
/// the user asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// What it costs.
    pub release: Release,
    /// Pairs of labels that stand out: the right one, the one that was said, and about how often.
    pub confusions: Vec<(usize, usize, u64)>,
    /// Descriptors with the share of mistakes among their texts, in tenths.
    pub errors: Vec<(&'static str, u64)>,
}

/// The families for which a rate of errors is told.
const RATED: [&Family; 2] = [&SHORT_OR_LONG, &FORM];

impl Card {
    /// Draws a card that costs `epsilon`, or a little less: half for the confused labels, the rest for the rates of
    /// errors. Rows with labels that the task does not have are left out.
    ///
    /// # Errors
    ///
    /// [`BriefError::NoEntropy`], and [`BriefError::Epsilon`] for an ε too small to be split.
    pub fn draw(
        task: &Task,
        judged: &[Judged<'_>],
        epsilon: Epsilon,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, BriefError> {
        let labels = task.labels.len();
        let judged: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|row| row.label < labels && row.predicted < labels)
            .collect();
        let half = epsilon.split(2);

        let mut counts = vec![0; labels * labels];
        for row in &judged {
            counts[row.label * labels + row.predicted] += 1;
        }
        let least = least_told(half, labels * labels);
        let mut confusions = Vec::new();
        for (cell, count) in counts.into_iter().enumerate() {
            let (label, predicted) = (cell / labels, cell % labels);
            // Right answers are not told, so their cells need no noise.
            if label != predicted {
                let count = noisy(count, half, entropy)?;
                if count >= least {
                    confusions.push((label, predicted, count));
                }
            }
        }
        order::sort(&mut confusions, &|a, b| b.2.cmp(&a.2));

        let each = half.split(RATED.len());
        let mut errors = Vec::new();
        for family in RATED {
            let mut cells = vec![[0_u64; 2]; family.bins.len()];
            for row in &judged {
                if let Some(bin) = (family.bin)(&Text::new(row.text)) {
                    cells[bin][usize::from(!row.right)] += 1;
                }
            }
            let least = least_told(each, 2 * cells.len());
            for (name, [right, wrong]) in family.bins.iter().zip(cells) {
                let (right, wrong) = (noisy(right, each, entropy)?, noisy(wrong, each, entropy)?);
                let all = right + wrong;
                if all >= least {
                    errors.push((*name, (20 * wrong + all) / (2 * all)));
                }
            }
        }
        Ok(Self {
            release: Release::new(epsilon, entropy)?,
            confusions,
            errors,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::noise::tests::Seeded;
    use super::super::sketch::tests::task;
    use super::*;

    fn judged(text: &str, label: usize, predicted: usize) -> Judged<'_> {
        Judged {
            text,
            label,
            predicted,
            right: label == predicted,
        }
    }

    #[test]
    fn frequent_mistakes_are_told_and_right_answers_are_not() {
        let mut rows = vec![judged("is it?", 0, 1); 150];
        rows.extend(vec![judged("is it?", 0, 0); 50]);
        rows.extend(vec![judged("it is so", 1, 1); 200]);
        let epsilon = Epsilon::new(4000).unwrap();
        let card = Card::draw(&task(&[]), &rows, epsilon, &mut Seeded::new(1)).unwrap();
        assert_eq!(card.confusions.len(), 1);
        let (label, predicted, count) = card.confusions[0];
        assert_eq!((label, predicted), (0, 1));
        assert!(count.abs_diff(150) < 20);
        let rate = |name| {
            card.errors
                .iter()
                .find(|error| error.0 == name)
                .map(|error| error.1)
        };
        assert!(matches!(rate("question"), Some(7 | 8)), "{card:?}");
        assert!(matches!(rate("statement"), Some(0 | 1)), "{card:?}");
        assert_eq!(card.release.epsilon, epsilon);
    }

    #[test]
    fn a_single_mistake_is_lost_in_the_noise() {
        let rows = [judged("is it?", 0, 1)];
        let told: usize = (0..300)
            .map(|salt| {
                let epsilon = Epsilon::new(2000).unwrap();
                let card = Card::draw(&task(&[]), &rows, epsilon, &mut Seeded::new(salt)).unwrap();
                card.confusions.len()
            })
            .sum();
        assert!(told < 60, "{told}");
    }

    #[test]
    fn rows_with_foreign_labels_are_left_out() {
        let rows = [judged("x", 7, 0), judged("x", 0, 7)];
        let epsilon = Epsilon::new(2000).unwrap();
        assert!(Card::draw(&task(&[]), &rows, epsilon, &mut Seeded::new(1)).is_ok());
    }
}
