//! The weakness card (EvoKD's analysis as its own step): what a student gets wrong, in descriptors, never in examples.
//!
//! A card counts: which labels are taken for which, how often each label is missed, and how often texts of a kind are
//! (short ones, questions, those with a number). It holds no text and no word of one. Its figures are exact, so it stays
//! where the seeds are; what may be told to a teacher is drawn from the same rows, with noise, by
//! [`privacy::Card`](crate::privacy::Card).

use serde::Serialize;

use crate::order;
use crate::task::profile::{Form, Profile};

/// A kind of text, told without any of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Descriptor {
    /// One to three words.
    UpTo3Words,
    /// Four to six words.
    UpTo6Words,
    /// Seven to nine words.
    UpTo9Words,
    /// Ten to fourteen words.
    UpTo14Words,
    /// Fifteen words or more.
    Longer,
    /// A question.
    Question,
    /// A command.
    Command,
    /// Neither of both.
    Statement,
    /// A number in it.
    Number,
    /// A name in it.
    Name,
}

impl Descriptor {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::UpTo3Words,
        Self::UpTo6Words,
        Self::UpTo9Words,
        Self::UpTo14Words,
        Self::Longer,
        Self::Question,
        Self::Command,
        Self::Statement,
        Self::Number,
        Self::Name,
    ];

    /// The rule that asks for such a text, in the wording the bundled model was trained on (see
    /// [`instance_rule`](crate::principle::instance_rule)).
    pub fn rule(self) -> &'static str {
        match self {
            Self::UpTo3Words => "Use between 1 and 3 words.",
            Self::UpTo6Words => "Use between 4 and 6 words.",
            Self::UpTo9Words => "Use between 7 and 9 words.",
            Self::UpTo14Words => "Use between 10 and 14 words.",
            Self::Longer => "Use between 15 and 25 words.",
            Self::Question => "Write a question.",
            Self::Command => "Write a command.",
            Self::Statement => "Write a statement.",
            Self::Number => "Mention a number.",
            Self::Name => "Mention a name.",
        }
    }

    /// What a text is.
    pub fn of(text: &str) -> Vec<Self> {
        let profile = Profile::new(text, 0);
        let mut found = vec![
            match profile.words.len() {
                0..=3 => Self::UpTo3Words,
                4..=6 => Self::UpTo6Words,
                7..=9 => Self::UpTo9Words,
                10..=14 => Self::UpTo14Words,
                _ => Self::Longer,
            },
            match profile.form {
                Form::Question => Self::Question,
                Form::Command => Self::Command,
                Form::Statement => Self::Statement,
            },
        ];
        if profile.number {
            found.push(Self::Number);
        }
        if profile.name {
            found.push(Self::Name);
        }
        found
    }
}

/// A row that the student has labelled.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its label, an index into the task's.
    pub label: usize,
    /// What the student said.
    pub predicted: usize,
    /// Whether that is right. An answer that is no label may be wrong and yet be taken for none of another label.
    pub right: bool,
}

/// How many rows there were and how many of them the student got wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Wrong ones.
    pub wrong: usize,
    /// All.
    pub judged: usize,
}

impl Errors {
    fn add(&mut self, wrong: bool) {
        self.judged += 1;
        self.wrong += usize::from(wrong);
    }

    /// The share of wrong ones, drawn towards one half where little was seen (Laplace's rule of succession).
    pub fn rate(&self) -> f64 {
        (self.wrong + 1) as f64 / (self.judged + 2) as f64
    }
}

/// One label taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Confused {
    /// The right label.
    pub label: usize,
    /// What the student said.
    pub predicted: usize,
    /// How often.
    pub count: usize,
}

/// How the student fares with texts of a kind, of one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// The label.
    pub label: usize,
    /// What the texts are.
    pub descriptor: Descriptor,
    /// How they fare.
    pub errors: Errors,
}

/// What a student gets wrong.
///
/// ```
/// use seedbed::curate::{Judged, WeaknessCard};
/// let rows = [("rain today?", 0, 1), ("play jazz", 1, 1)];
/// let rows = rows.map(|(text, label, predicted)| Judged { text, label, predicted, right: label == predicted });
/// let card = WeaknessCard::new(2, &rows);
/// assert_eq!((card.confused[0].label, card.confused[0].predicted), (0, 1));
/// // Six more rows are best spent where the mistakes are.
/// assert_eq!(card.quotas(6, &[0, 1]), [4, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeaknessCard {
    /// All rows.
    pub all: Errors,
    /// For each label, in the order of the task's.
    pub labels: Vec<Errors>,
    /// Pairs of labels, the most confused first.
    pub confused: Vec<Confused>,
    /// Kinds of texts that were seen, by label.
    pub kinds: Vec<Kind>,
}

impl WeaknessCard {
    /// Counts in rows; those with labels that are none of the `labels` are left out.
    pub fn new(labels: usize, rows: &[Judged<'_>]) -> Self {
        let mut card = Self {
            all: Errors::default(),
            labels: vec![Errors::default(); labels],
            confused: Vec::new(),
            kinds: Vec::new(),
        };
        let known = |row: &&Judged<'_>| row.label < labels && row.predicted < labels;
        for row in rows.iter().filter(known) {
            let wrong = !row.right;
            card.all.add(wrong);
            card.labels[row.label].add(wrong);
            if row.label != row.predicted {
                let same = |pair: &&mut Confused| {
                    (pair.label, pair.predicted) == (row.label, row.predicted)
                };
                match card.confused.iter_mut().find(same) {
                    Some(pair) => pair.count += 1,
                    None => card.confused.push(Confused {
                        label: row.label,
                        predicted: row.predicted,
                        count: 1,
                    }),
                }
            }
            for descriptor in Descriptor::of(row.text) {
                let same =
                    |kind: &&mut Kind| (kind.label, kind.descriptor) == (row.label, descriptor);
                match card.kinds.iter_mut().find(same) {
                    Some(kind) => kind.errors.add(wrong),
                    None => {
                        let mut errors = Errors::default();
                        errors.add(wrong);
                        card.kinds.push(Kind {
                            label: row.label,
                            descriptor,
                            errors,
                        });
                    }
                }
            }
        }
        order::sort(&mut card.confused, &|a, b| {
            let labels = (a.label, a.predicted).cmp(&(b.label, b.predicted));
            b.count.cmp(&a.count).then(labels)
        });
        order::sort(&mut card.kinds, &|a, b| {
            (a.label, a.descriptor).cmp(&(b.label, b.descriptor))
        });
        card
    }

    /// How many of `total` new rows each label gets: in proportion to its rate of errors (see [`Errors::rate`]), among
    /// the `open` labels; the others get none. Shares that do not come out even go to the largest remainders.
    pub fn quotas(&self, total: usize, open: &[usize]) -> Vec<usize> {
        let rates: Vec<f64> = self.labels.iter().map(Errors::rate).collect();
        apportion(total, open, &rates)
    }

    /// The kind of text of a label that goes wrong most surely, and by its own account goes wrong at all: drawn by chance
    /// in proportion to its mistakes.
    pub fn weak_kind(&self, label: usize, rng: &mut fastrand::Rng) -> Option<Descriptor> {
        let own = || self.kinds.iter().filter(|kind| kind.label == label);
        let total: usize = own().map(|kind| kind.errors.wrong).sum();
        if total == 0 {
            return None;
        }
        let mut left = rng.usize(0..total);
        for kind in own() {
            if left < kind.errors.wrong {
                return Some(kind.descriptor);
            }
            left -= kind.errors.wrong;
        }
        None
    }

    /// What the student takes a label for most often.
    pub fn taken_for(&self, label: usize) -> Option<usize> {
        self.confused
            .iter()
            .find(|pair| pair.label == label)
            .map(|pair| pair.predicted)
    }
}

/// Shares `total` out among the `open` places of `weights` in proportion to them (the method of largest remainders);
/// the earlier of equals comes first.
pub(crate) fn apportion(total: usize, open: &[usize], weights: &[f64]) -> Vec<usize> {
    let mut shares = vec![0; weights.len()];
    let open: Vec<usize> = open
        .iter()
        .copied()
        .filter(|place| *place < weights.len())
        .collect();
    let sum: f64 = open.iter().map(|place| weights[*place]).sum();
    if open.is_empty() || sum <= 0.0 {
        return shares;
    }
    let mut rests: Vec<(usize, f64)> = Vec::with_capacity(open.len());
    let mut given = 0;
    for place in open {
        let exact = total as f64 * weights[place] / sum;
        shares[place] = exact as usize;
        given += shares[place];
        rests.push((place, exact - exact.floor()));
    }
    order::sort(&mut rests, &|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (place, _) in rests.into_iter().take(total.saturating_sub(given)) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn card(rows: &[(&str, usize, usize)]) -> WeaknessCard {
        let rows: Vec<Judged<'_>> = rows
            .iter()
            .map(|&(text, label, predicted)| Judged {
                text,
                label,
                predicted,
                right: label == predicted,
            })
            .collect();
        WeaknessCard::new(3, &rows)
    }

    #[test]
    fn a_card_counts_pairs_labels_and_kinds_and_holds_no_word_of_any_text() {
        let card = card(&[
            ("where is Zebulon now?", 0, 1),
            ("is Zebulon there?", 0, 1),
            ("is it zany?", 0, 0),
            ("call Zebulon", 1, 2),
            ("stray", 9, 0),
        ]);
        assert_eq!(
            card.all,
            Errors {
                wrong: 3,
                judged: 4
            }
        );
        assert_eq!(
            card.labels[0],
            Errors {
                wrong: 2,
                judged: 3
            }
        );
        assert_eq!(card.taken_for(0), Some(1));
        assert_eq!(card.taken_for(2), None);
        let questions = card
            .kinds
            .iter()
            .find(|kind| kind.descriptor == Descriptor::Question)
            .unwrap();
        assert_eq!(
            questions.errors,
            Errors {
                wrong: 2,
                judged: 3
            }
        );
        let text = serde_json::to_string(&card).unwrap().to_lowercase();
        for word in ["zebulon", "where", "zany", "call"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn quotas_follow_the_errors_and_add_up() {
        let card = card(&[("a b", 0, 1), ("a c", 0, 1), ("b c", 1, 1), ("b d", 1, 1)]);
        for total in 0..40 {
            let quotas = card.quotas(total, &[0, 1, 2]);
            assert_eq!(quotas.iter().sum::<usize>(), total);
            assert!(
                quotas[0] >= quotas[2] && quotas[2] >= quotas[1],
                "{quotas:?}"
            );
        }
        // A label nobody has shown gets none.
        assert_eq!(card.quotas(9, &[0, 1])[2], 0);
    }

    #[test]
    fn a_weak_kind_is_one_that_went_wrong() {
        let card = card(&[("is it 5?", 0, 1), ("play it", 0, 0), ("say so", 1, 1)]);
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..50 {
            let kind = card.weak_kind(0, &mut rng).unwrap();
            assert!(kind != Descriptor::Command, "{kind:?}");
        }
        assert_eq!(card.weak_kind(1, &mut rng), None);
    }

    #[test]
    fn a_rule_asks_for_texts_that_have_its_descriptor() {
        assert!(Descriptor::of("play some slow jazz").contains(&Descriptor::UpTo6Words));
        assert!(Descriptor::of("is it cold?").contains(&Descriptor::Question));
        assert!(Descriptor::of("a table for 2").contains(&Descriptor::Number));
        let rules: std::collections::BTreeSet<&str> =
            Descriptor::ALL.into_iter().map(Descriptor::rule).collect();
        assert_eq!(rules.len(), Descriptor::ALL.len());
    }

    #[test]
    fn shares_of_nothing_are_nothing() {
        assert_eq!(apportion(5, &[], &[1.0, 1.0]), [0, 0]);
        assert_eq!(apportion(0, &[0, 1], &[1.0, 1.0]), [0, 0]);
        assert_eq!(apportion(3, &[1], &[1.0, 1.0]), [0, 3]);
    }
}
