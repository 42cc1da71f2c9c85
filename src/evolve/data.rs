//! Which rows a run learns from and which only measure.

use crate::task::{Example, Task};

/// The task's test rows, or a quarter of the seeds of every label where it has none; cut to the limit by chance, the
/// same for every run.
pub(super) fn split(task: &Task, limit: Option<usize>) -> (Task, Vec<Example>) {
    let mut task = task.clone();
    let mut rng = fastrand::Rng::with_seed(0);
    if task.test.is_empty() {
        task.test = hold_out(&mut task, &mut rng);
        task.warnings.push(format!(
            "there are no test rows, so {} of {} seeds are held out to measure on",
            task.test.len(),
            task.test.len() + task.seeds.len()
        ));
    }
    let mut test = task.test.clone();
    if let Some(limit) = limit
        && limit < test.len()
    {
        rng.shuffle(&mut test);
        test.truncate(limit);
    }
    (task, test)
}

/// Takes a quarter of every label's seeds away. A label with fewer than four keeps them all to learn from.
pub(super) fn hold_out(task: &mut Task, rng: &mut fastrand::Rng) -> Vec<Example> {
    let mut order = std::mem::take(&mut task.seeds);
    rng.shuffle(&mut order);
    let counts: Vec<usize> = (0..task.labels.len())
        .map(|label| order.iter().filter(|seed| seed.label == label).count())
        .collect();
    let mut taken = vec![0; task.labels.len()];
    let mut held = Vec::new();
    for seed in order {
        if taken[seed.label] < counts[seed.label] / 4 {
            taken[seed.label] += 1;
            held.push(seed);
        } else {
            task.seeds.push(seed);
        }
    }
    held
}

/// Keeps at most `most` seeds of every label, drawn by chance.
pub(super) fn limit_seeds(task: &mut Task, most: usize, seed: u64) {
    let all = task.seeds.len();
    let mut taken = vec![0; task.labels.len()];
    fastrand::Rng::with_seed(seed).shuffle(&mut task.seeds);
    task.seeds.retain(|seed| {
        taken[seed.label] += 1;
        taken[seed.label] <= most
    });
    if task.seeds.len() < all {
        task.warnings
            .push(format!("{} of {all} seeds are used", task.seeds.len()));
    }
}

/// The labels that have a seed: nobody has shown what the others look like.
pub(super) fn shown(task: &Task) -> Vec<usize> {
    (0..task.labels.len())
        .filter(|label| task.seeds.iter().any(|seed| seed.label == *label))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task(seeds: usize) -> Task {
        let json = r#"{"task":"t","type":"classification","instruction":"i","labels":["a","b"]}"#;
        let rows: String = (0..seeds)
            .map(|i| {
                format!(
                    "{{\"text\":\"text {i}\",\"label\":\"{}\"}}\n",
                    if i % 2 == 0 { "a" } else { "b" }
                )
            })
            .collect();
        crate::task::parse(json, &rows, None).unwrap()
    }

    #[test]
    fn a_quarter_of_each_labels_seeds_is_held_out_where_there_are_no_test_rows() {
        let (task, test) = split(&task(16), None);
        assert_eq!(test.len(), 4);
        assert_eq!(test.iter().filter(|row| row.label == 0).count(), 2);
        assert_eq!(task.seeds.len(), 12);
        assert!(test.iter().all(|row| !task.seeds.contains(row)));
        assert!(
            task.warnings
                .iter()
                .any(|warning| warning.contains("held out"))
        );
    }

    #[test]
    fn a_label_with_few_seeds_keeps_them_all() {
        let (task, test) = split(&task(6), None);
        assert!(test.is_empty());
        assert_eq!(task.seeds.len(), 6);
    }

    #[test]
    fn a_limit_of_seeds_holds_for_every_label_and_is_said() {
        let mut task = task(16);
        limit_seeds(&mut task, 3, 1);
        assert_eq!(task.seeds_per_label(), [3, 3]);
        assert!(
            task.warnings
                .iter()
                .any(|warning| warning == "6 of 16 seeds are used")
        );
        let before = task.clone();
        limit_seeds(&mut task, 100, 2);
        assert_eq!(task.warnings, before.warnings);
    }
}
