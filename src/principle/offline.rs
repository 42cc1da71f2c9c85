//! The offline teacher: it counts in the seeds and asks nobody.
//!
//! The same seeds always give the same principles. They speak of the seeds' words, so they stay where the seeds are.
//! Rules that the bundled model is to follow keep to the few wordings it was trained on (`Use between 4 and 6 words.`,
//! `Start with "play".`); see [`instance_rule`](super::instance_rule).

mod answer;
mod instance;
mod label;
mod whole;

use std::collections::BTreeMap;

use super::keyness::{Counts, Likeness};
use super::profile::Profile;
use super::{Level, MAX_PRINCIPLES, Polarity, Principle, PrincipleSet, VERSION};
use crate::task::Task;

/// Writes principles on all three levels.
pub fn write(task: &Task) -> PrincipleSet {
    let seeds = Seeds::new(task);
    let mut ranked = whole::write(&seeds);
    for label in 0..task.labels.len() {
        ranked.extend(label::write(&seeds, label));
    }
    ranked.extend(answer::write(&seeds));
    ranked.extend(instance::write_shared(&seeds));
    for label in 0..task.labels.len() {
        ranked.extend(instance::write(&seeds, label));
    }
    PrincipleSet {
        version: VERSION,
        task: task.name.clone(),
        principles: within_limit(ranked),
    }
}

/// A principle and how readily it is given up where there are too many labels for all.
type Ranked = (u8, Principle);

fn within_limit(mut ranked: Vec<Ranked>) -> Vec<Principle> {
    while ranked.len() > MAX_PRINCIPLES {
        let last = ranked.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
        // Rank 0 is what each label must have; with more labels than that, the last ones go without.
        if last == 0 {
            ranked.truncate(MAX_PRINCIPLES);
        }
        ranked.retain(|(rank, _)| *rank == 0 || *rank < last);
    }
    ranked.into_iter().map(|(_, principle)| principle).collect()
}

/// The seeds and what was counted in them.
struct Seeds<'a> {
    task: &'a Task,
    profiles: Vec<Profile>,
    /// Per label.
    counts: Vec<Counts>,
    all: Counts,
    likeness: Likeness,
    /// How a word is best written: in lower case where it ever is, else as it is most often.
    spelling: BTreeMap<String, String>,
}

impl<'a> Seeds<'a> {
    fn new(task: &'a Task) -> Self {
        let profiles: Vec<Profile> = task
            .seeds
            .iter()
            .map(|seed| Profile::new(&seed.text, seed.label))
            .collect();
        let mut counts = vec![Counts::default(); task.labels.len()];
        let mut all = Counts::default();
        let mut spellings: BTreeMap<&String, BTreeMap<&String, usize>> = BTreeMap::new();
        for profile in &profiles {
            all.add(&profile.words);
            if let Some(counts) = counts.get_mut(profile.label) {
                counts.add(&profile.words);
            }
            for (word, written) in profile.words.iter().zip(&profile.surface) {
                *spellings
                    .entry(word)
                    .or_default()
                    .entry(written)
                    .or_default() += 1;
            }
        }
        let spelling = spellings
            .into_iter()
            .filter(|(word, written)| !written.contains_key(word))
            .filter_map(|(word, written)| Some((word.clone(), most_frequent(written)?.clone())))
            .collect();
        let likeness = Likeness::new(&counts, &all);
        Self {
            task,
            profiles,
            counts,
            all,
            likeness,
            spelling,
        }
    }

    fn of(&self, label: usize) -> Vec<&Profile> {
        self.profiles
            .iter()
            .filter(|profile| profile.label == label)
            .collect()
    }

    fn but(&self, label: usize) -> Vec<&Profile> {
        self.profiles
            .iter()
            .filter(|profile| profile.label != label)
            .collect()
    }

    fn spelled(&self, term: &str) -> String {
        term.split(' ')
            .map(|word| self.spelling.get(word).map_or(word, String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A principle of one level; `label` gives it a label and a place in its id.
fn principle(
    level: Level,
    label: Option<&str>,
    attribute: &str,
    text: String,
    support: usize,
) -> Principle {
    let id = match (level, label) {
        (Level::Task, _) => format!("task/{attribute}"),
        (Level::Label, label) => format!("label/{}/{attribute}", label.unwrap_or_default()),
        (Level::Instance, Some(label)) => format!("instance/{label}/{attribute}"),
        (Level::Instance, None) => format!("instance/{attribute}"),
    };
    Principle {
        id,
        level,
        label: label.map(str::to_owned),
        attribute: Some(attribute.to_owned()),
        values: Vec::new(),
        text,
        polarity: Polarity::Do,
        support,
    }
}

/// A principle of the instance level: values to vary.
fn vary(
    label: Option<&str>,
    attribute: &str,
    values: Vec<String>,
    text: String,
    support: usize,
) -> Principle {
    Principle {
        values,
        ..principle(Level::Instance, label, attribute, text, support)
    }
}

/// The key with the highest count; the first of those in order.
fn most_frequent<K: Ord>(counts: impl IntoIterator<Item = (K, usize)>) -> Option<K> {
    counts
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))
        .map(|(key, _)| key)
}

/// The lengths in words, sorted.
fn lengths(profiles: &[&Profile]) -> Vec<usize> {
    let mut lengths: Vec<usize> = profiles.iter().map(|profile| profile.words.len()).collect();
    lengths.sort_unstable();
    lengths
}

/// The nearest-rank percentile of sorted numbers; 0 where there are none.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// A range of at least two lengths, and of at least one word: nobody writes to the word.
fn range(low: usize, high: usize) -> (usize, usize) {
    let low = low.max(1);
    (low, high.max(low + 1))
}

/// From where to where most of the lengths lie.
fn usual_range(sorted: &[usize]) -> (usize, usize) {
    range(percentile(sorted, 10), percentile(sorted, 90))
}

fn between((low, high): (usize, usize)) -> String {
    format!("Use between {low} and {high} words.")
}

fn within(sorted: &[usize], (low, high): (usize, usize)) -> usize {
    sorted
        .iter()
        .filter(|&&length| (low..=high).contains(&length))
        .count()
}

/// Whether `part` is at least so many per cent of `whole`.
fn at_least(part: usize, percent: usize, whole: usize) -> bool {
    part > 0 && part * 100 >= percent * whole
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
