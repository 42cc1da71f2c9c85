//! The brief: the only content that is ever sent to a teacher.

use std::collections::HashSet;

use super::sketch::LABELS;
use super::{Card, Epsilon, Histogram, Release, Sketch};
use crate::task::{Task, TaskKind};

/// The most bytes a brief may have.
pub const MOST_BYTES: usize = 2400;
/// The most tokens a brief may have, by [`estimate_tokens`].
pub const MOST_TOKENS: usize = 600;

/// What a teacher is told of a task: the user's own words, fixed phrases, and noisy figures. There is no way to put
/// the text of a seed or of an instance into one, other than through the user's own words, which the guard reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    text: String,
    pub(super) instruction: String,
    pub(super) labels: Vec<String>,
    pub(super) releases: Vec<Release>,
    /// Seeds that stand in it as they are; none in a browser.
    pub(super) shared: usize,
    /// Bytes of the text before those seeds.
    pub(super) own: usize,
    sketch: Option<Sketch>,
}

impl Brief {
    /// The brief of a task that tells nothing of its seeds: the user's own words and the form of an answer.
    pub fn of(task: &Task) -> Self {
        Self::with(task, None, None)
    }

    /// The brief of a task with what may be told of its seeds, and from the second round on of the student's mistakes.
    /// Families that would make it too long are left out, the least needed first; they are paid for all the same.
    pub fn with(task: &Task, sketch: Option<&Sketch>, card: Option<&Card>) -> Self {
        let families = sketch.map_or(&[][..], |sketch| &sketch.families);
        let mut told = families.len();
        let text = loop {
            let text = write(task, sketch, &families[..told], card);
            if told == 0 || fits(&text) {
                break text;
            }
            told -= 1;
        };
        let releases = sketch.map(|sketch| &sketch.release).into_iter();
        Self {
            own: text.len(),
            text,
            shared: 0,
            sketch: sketch.cloned(),
            instruction: task.instruction.clone(),
            labels: task.labels.clone(),
            releases: releases
                .chain(card.map(|card| &card.release))
                .cloned()
                .collect(),
        }
    }

    /// The same with what may be told of the student's mistakes. The figures about the seeds stay as they were drawn, so
    /// that they cost nothing again.
    #[must_use]
    pub fn with_card(&self, task: &Task, card: &Card) -> Self {
        Self::with(task, self.sketch.as_ref(), Some(card))
    }

    /// The same with up to `most` seeds as they stand, as the published PSI has it. No bound holds for those; the guard
    /// lets such a brief pass only when it was told so, and the ledger marks it. It does not exist in a browser.
    #[cfg(feature = "desk")]
    #[must_use]
    pub fn sharing(mut self, task: &Task, most: usize) -> Self {
        let (seeds, count) = (&task.seeds, most.min(task.seeds.len()));
        if count > 0 {
            self.text.push_str("\nExamples:");
        }
        for index in 0..count {
            // Spread over the file, which is often sorted by label.
            let seed = &seeds[index * seeds.len() / count];
            let line = [
                "\n",
                &task.said(seed),
                ": ",
                &seed.text.replace(['\n', '\r'], " "),
            ]
            .concat();
            self.text.push_str(&line);
        }
        self.shared = count;
        self
    }

    /// How many seeds stand in it as they are.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// The noisy figures in it, where there are any.
    pub fn sketch(&self) -> Option<&Sketch> {
        self.sketch.as_ref()
    }

    /// The bytes that would be sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What its noisy figures cost together, each drawing counted once.
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon_besides(&HashSet::new())
    }

    /// The same without the drawings that are paid for already.
    pub(super) fn epsilon_besides(&self, paid: &HashSet<&str>) -> Epsilon {
        self.releases
            .iter()
            .filter(|release| !paid.contains(release.id.as_str()))
            .fold(Epsilon::ZERO, |sum, release| sum.plus(release.epsilon))
    }
}

/// About how many tokens a text has, seldom too few: four letters, one digit or one mark each, two bytes of other
/// scripts. No tokenizer of the teacher is at hand.
pub fn estimate_tokens(text: &str) -> usize {
    let (mut tokens, mut letters) = (0, 0_usize);
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            letters += 1;
            continue;
        }
        tokens += letters.div_ceil(4);
        letters = 0;
        if c.is_ascii() {
            tokens += usize::from(c != ' ');
        } else {
            tokens += c.len_utf8().div_ceil(2);
        }
    }
    tokens + letters.div_ceil(4)
}

pub(super) fn fits(text: &str) -> bool {
    text.len() <= MOST_BYTES && estimate_tokens(text) <= MOST_TOKENS
}

fn write(
    task: &Task,
    sketch: Option<&Sketch>,
    families: &[Histogram],
    card: Option<&Card>,
) -> String {
    let (kind, answer) = match task.kind {
        TaskKind::Classification => ("classification", "one label, as it is written above"),
        TaskKind::Ner => ("ner", "the entities, each with its type"),
        // The forms of free answers are the same for all tasks, and nobody's words.
        TaskKind::Qa if task.is_open() => {
            ("qa", "a short text; the labels are the forms it may have")
        }
        TaskKind::Qa => ("qa", "one label, as it is written above"),
        TaskKind::Instruct => ("instruct", "a free response"),
    };
    let mut text = String::from("Task: ");
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));
    put(&[&task.instruction, "\nKind: ", kind]);
    put(&["\nLabels: ", &task.labels.join(", "), "\nAnswer: ", answer]);
    if let Some(sketch) = sketch {
        put(&["\nExamples: about ", &rounded(sketch.seeds).to_string()]);
        put(&[" (figures hold random noise, on purpose)"]);
        let mut shows = Vec::new();
        for family in families {
            match &family.bins[..] {
                // A family of one bin is a share of all examples.
                [(name, count)] if *name == family.name => {
                    shows.push(share(name, *count, sketch.seeds));
                }
                [] => {}
                bins => {
                    let name = if family.name == LABELS {
                        "Shares"
                    } else {
                        &family.name
                    };
                    // Noise may make the bins more than the whole.
                    let all = bins.iter().map(|bin| bin.1).sum::<u64>().max(sketch.seeds);
                    let shares: Vec<String> = bins
                        .iter()
                        .map(|(name, count)| share(name, *count, all))
                        .collect();
                    put(&["\n", name, ": ", &shares.join(", ")]);
                }
            }
        }
        if !shows.is_empty() {
            put(&["\nSome are: ", &shows.join(", ")]);
        }
    }
    if let Some(card) = card {
        let name = |label: usize| task.labels.get(label).map_or("", String::as_str);
        for (label, predicted, count) in card.confusions.iter().take(5) {
            put(&[
                "\nThe student mistakes ",
                name(*label),
                " for ",
                name(*predicted),
            ]);
            put(&[": about ", &rounded(*count).to_string(), " times"]);
        }
        if !card.errors.is_empty() {
            let rates: Vec<String> = card
                .errors
                .iter()
                .map(|(name, tenths)| share(name, *tenths, 10))
                .collect();
            put(&["\nThe student is wrong on: ", &rates.join(", ")]);
        }
    }
    text
}

/// A name and its share, to the nearest twentieth.
fn share(name: &str, count: u64, all: u64) -> String {
    let all = all.max(1);
    let percent = (40 * count.min(all) + all) / (2 * all) * 5;
    format!("{name} {percent} %")
}

/// To two digits: more would be noise.
fn rounded(count: u64) -> u64 {
    let mut unit = 1;
    while count / unit >= 100 {
        unit *= 10;
    }
    (count + unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::noise::tests::Seeded;
    use super::super::sketch::tests::task;
    use super::super::{Epsilon, Judged};
    use super::*;

    fn sketch(task: &Task, thousandths: u32) -> Sketch {
        Sketch::draw(
            task,
            Epsilon::new(thousandths).unwrap(),
            &mut Seeded::new(1),
        )
        .unwrap()
    }

    #[test]
    fn a_brief_holds_the_users_words_and_no_seed() {
        let task = task(&[("my cat Zebulon sleeps on the red sofa", 0); 200]);
        let brief = Brief::with(&task, Some(&sketch(&task, 4000)), None);
        assert!(
            brief
                .text()
                .starts_with("Task: Sort these.\nKind: classification\nLabels: a, b\n")
        );
        assert!(
            brief.text().contains("Form: statement 100 %"),
            "{}",
            brief.text()
        );
        for word in ["Zebulon", "sleeps", "sofa"] {
            assert!(!brief.text().contains(word), "{}", brief.text());
        }
        assert_eq!(brief.epsilon(), Epsilon::new(4000).unwrap());
    }

    #[test]
    fn a_brief_without_a_sketch_costs_nothing() {
        let task = task(&[("x", 0), ("y", 1)]);
        assert_eq!(Brief::of(&task).epsilon(), Epsilon::ZERO);
        assert_eq!(
            Brief::of(&task).text(),
            "Task: Sort these.\nKind: classification\nLabels: a, b\nAnswer: one label, as it is written above"
        );
    }

    #[test]
    fn the_weakness_card_is_told_in_label_names_and_descriptors() {
        let task = task(&[("x", 0), ("y", 1)]);
        let row = Judged {
            text: "is Zebulon in?",
            label: 0,
            predicted: 1,
            right: false,
        };
        let epsilon = Epsilon::new(8000).unwrap();
        let card = Card::draw(&task, &[row; 100], epsilon, &mut Seeded::new(2)).unwrap();
        let brief = Brief::with(&task, None, Some(&card));
        assert!(
            brief
                .text()
                .contains("The student mistakes a for b: about "),
            "{}",
            brief.text()
        );
        assert!(brief.text().contains("The student is wrong on: "));
        assert!(!brief.text().contains("Zebulon"));
        assert_eq!(brief.epsilon(), epsilon);
    }

    #[test]
    fn a_card_is_added_without_a_new_drawing_of_the_seeds() {
        let task = task(&[("play it for me", 0); 200]);
        let first = Brief::with(&task, Some(&sketch(&task, 2000)), None);
        let epsilon = Epsilon::new(1000).unwrap();
        let card = Card::draw(&task, &[], epsilon, &mut Seeded::new(2)).unwrap();
        let second = first.with_card(&task, &card);
        assert_eq!(second.releases[0], first.releases[0]);
        assert_eq!(second.epsilon(), Epsilon::new(3000).unwrap());
        assert!(second.text().starts_with(first.text()));
    }

    #[test]
    #[cfg(feature = "desk")]
    fn shared_seeds_stand_behind_the_brief_and_are_counted() {
        let task = task(&[("one", 0), ("two", 0), ("three", 1), ("four", 1)]);
        let brief = Brief::of(&task).sharing(&task, 2);
        assert!(brief.text().ends_with("\nExamples:\na: one\nb: three"));
        assert_eq!(brief.shared(), 2);
        assert_eq!(&brief.text()[..brief.own], Brief::of(&task).text());
        assert_eq!(Brief::of(&task).sharing(&task, 9).shared(), 4);
    }

    #[test]
    fn families_are_left_out_before_a_brief_is_too_long() {
        let mut task = task(&[("play it for me now please", 0); 2000]);
        let sketch = sketch(&task, 20_000);
        let whole = Brief::with(&task, Some(&sketch), None);
        task.instruction = "word ".repeat(410);
        let short = Brief::with(&task, Some(&sketch), None);
        assert!(fits(short.text()) && short.text().contains("Examples: about "));
        assert!(short.text().lines().count() < whole.text().lines().count());
        assert_eq!(short.epsilon(), whole.epsilon());
    }

    #[test]
    fn figures_are_rounded() {
        assert_eq!(
            [0, 7, 99, 104, 1251, 99_900].map(rounded),
            [0, 7, 99, 100, 1300, 100_000]
        );
        assert_eq!(share("x", 1, 3), "x 35 %");
        assert_eq!(share("x", 9, 3), "x 100 %");
        assert_eq!(share("x", 0, 0), "x 0 %");
    }

    #[test]
    fn tokens_are_estimated_rather_too_high() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("the classification, 42"), 1 + 4 + 1 + 2);
        assert!(estimate_tokens("播放音乐") >= 4);
    }
}
