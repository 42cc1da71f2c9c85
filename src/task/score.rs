//! How well answers of any kind agree with the truth.

use super::metrics::{Confusion, Metrics, wilson};
use super::{Answer, Example, Task, TaskKind, ner, qa};

/// Draws of the bootstrap, and their seed: an interval is the same each time.
const DRAWS: usize = 1000;
const SEED: u64 = 0;

/// What came of a student's answers to some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The figures.
    pub metrics: Metrics,
    /// `[gold][predicted]`, by the task's labels. Of entities, those found in their place with their or another type, those
    /// missed (predicted as [`NO_ENTITY`](super::NO_ENTITY)) and those made up (gold of that name), and texts rightly left
    /// without any; of free answers, how often each form was answered with each.
    pub confusion: Vec<Vec<usize>>,
    /// For each label its F1 (of free answers, the mean F1 of their words); 0 for one that is neither there nor predicted.
    pub f1_by_label: Vec<f64>,
    /// Which rows were answered rightly.
    pub right: Vec<bool>,
}

impl Task {
    /// Compares answers with rows, one each: their labels, and where answers are written ([`Task::is_open`]) the answers.
    pub fn score(&self, rows: &[Example], predicted: &[usize], answers: &[Answer]) -> Scored {
        let mut confusion = Confusion::new(self.labels.len());
        let mut right = Vec::with_capacity(rows.len());
        // What the bootstrap draws: for each row a part of the F1 and of what it is divided by.
        let mut parts: Vec<(f64, f64)> = Vec::new();
        let mut means = vec![(0.0, 0usize); self.labels.len()];
        for (place, row) in rows.iter().enumerate() {
            let label = predicted.get(place).copied().unwrap_or_default();
            if self.kind == TaskKind::Classification {
                confusion.add(row.label, label);
                right.push(row.label == label);
                continue;
            }
            let answer = answers.get(place).unwrap_or(&Answer::Label);
            right.push(match answer {
                Answer::Label => row.label == label,
                answer => self.is_right(row, answer),
            });
            if let Answer::Entities(found) = answer {
                let gold = ner::entities(row);
                let hits = gold.iter().filter(|entity| found.contains(entity)).count();
                parts.push((2.0 * hits as f64, (gold.len() + found.len()) as f64));
                self.match_up(gold, found, &mut confusion);
                continue;
            }
            let f1 = match (answer, &row.answer) {
                (Answer::Text(said), Answer::Text(gold)) => {
                    let said = said.first().map_or("", String::as_str);
                    match qa::right(gold, said) {
                        true => 1.0,
                        false => qa::token_f1(gold, said),
                    }
                }
                _ => {
                    let name = |label: usize| self.labels.get(label).cloned().unwrap_or_default();
                    qa::token_f1(&[name(row.label)], &name(label))
                }
            };
            confusion.add(row.label, label);
            parts.push((f1, 1.0));
            if let Some((sum, count)) = means.get_mut(row.label) {
                *sum += f1;
                *count += 1;
            }
        }
        let mut metrics = confusion.metrics();
        let mut f1_by_label = confusion.f1_by_label();
        if self.kind != TaskKind::Classification {
            let all = right.len();
            let hits = right.iter().filter(|right| **right).count();
            metrics.n = all;
            metrics.accuracy = hits as f64 / all.max(1) as f64;
            (metrics.low, metrics.high) = wilson(hits, all);
            metrics.f1 = Some(ratio(parts.iter().copied()));
            let (low, high) = bootstrap(&parts);
            (metrics.f1_low, metrics.f1_high) = (Some(low), Some(high));
        }
        if self.kind == TaskKind::Ner {
            let types = self.types().len();
            let counts = confusion.counts();
            let sum = |cells: &mut dyn Iterator<Item = usize>| cells.sum::<usize>() as f64;
            let hits = sum(&mut (0..types).map(|label| counts[label][label]));
            let gold = sum(&mut counts[..types].iter().flatten().copied());
            let found = sum(&mut counts.iter().flat_map(|row| &row[..types]).copied());
            metrics.precision = Some(hits / found.max(1.0));
            metrics.recall = Some(hits / gold.max(1.0));
            // The group of texts without entities is no type.
            f1_by_label.truncate(types);
            let seen = |label: &usize| {
                counts[*label].iter().sum::<usize>()
                    + counts.iter().map(|row| row[*label]).sum::<usize>()
                    > 0
            };
            let seen: Vec<usize> = (0..types).filter(seen).collect();
            let total: f64 = seen.iter().map(|label| f1_by_label[*label]).sum();
            metrics.macro_f1 = total / seen.len().max(1) as f64;
            f1_by_label.push(ratio(std::iter::once(none_of(counts))));
        } else if self.is_open() {
            let mean = |(sum, count): &(f64, usize)| sum / (*count).max(1) as f64;
            f1_by_label = means.iter().map(mean).collect();
            let seen = means.iter().filter(|(_, count)| *count > 0).count();
            metrics.macro_f1 = f1_by_label.iter().sum::<f64>() / seen.max(1) as f64;
        }
        Scored {
            metrics,
            confusion: confusion.counts().to_vec(),
            f1_by_label,
            right,
        }
    }

    /// Counts a text's entities, gold ones and those that were found.
    fn match_up(&self, gold: &[super::Entity], found: &[super::Entity], confusion: &mut Confusion) {
        let none = self.types().len();
        let place = |entity: &super::Entity| (entity.start, entity.end);
        for entity in gold {
            let same = found.iter().find(|other| place(other) == place(entity));
            confusion.add(entity.label, same.map_or(none, |same| same.label));
        }
        for entity in found {
            if gold.iter().all(|other| place(other) != place(entity)) {
                confusion.add(none, entity.label);
            }
        }
        if gold.is_empty() && found.is_empty() {
            confusion.add(none, none);
        }
    }
}

impl Scored {
    /// Adds how likely the right responses are: of each row the negative log-likelihood of all its tokens, and how many there are.
    pub fn add_losses(&mut self, losses: &[(f64, f64)]) {
        if losses.is_empty() {
            return;
        }
        let loss = ratio(losses.iter().copied());
        let (low, high) = bootstrap(losses);
        let metrics = &mut self.metrics;
        (metrics.loss, metrics.loss_low, metrics.loss_high) = (Some(loss), Some(low), Some(high));
        metrics.perplexity = Some(loss.exp());
    }

    /// Adds a judge's marks of the answers, one for each row.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn add_marks(&mut self, marks: &[f64]) {
        if marks.is_empty() {
            return;
        }
        let parts: Vec<(f64, f64)> = marks.iter().map(|mark| (*mark, 1.0)).collect();
        let (low, high) = bootstrap(&parts);
        let metrics = &mut self.metrics;
        metrics.score = Some(ratio(parts.into_iter()));
        (metrics.score_low, metrics.score_high) = (Some(low), Some(high));
    }
}

/// Texts without entities: twice those rightly left so, and all that were or were taken to be.
fn none_of(counts: &[Vec<usize>]) -> (f64, f64) {
    let Some(row) = counts.last() else {
        return (0.0, 0.0);
    };
    let both = row.last().copied().unwrap_or(0);
    let all = row.iter().sum::<usize>() + counts.iter().filter_map(|row| row.last()).sum::<usize>();
    (2.0 * both as f64, all as f64)
}

/// The sum of the first over the sum of the second; 0 where there is nothing.
fn ratio(parts: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (above, below) = parts.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    if below > 0.0 { above / below } else { 0.0 }
}

/// The 95 % interval of a ratio of sums over rows: the middle of what it is over rows drawn anew from these rows (the
/// percentile bootstrap). An F1 is no share, so Wilson's interval does not hold for it.
fn bootstrap(parts: &[(f64, f64)]) -> (f64, f64) {
    if parts.is_empty() {
        return (0.0, 1.0);
    }
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut drawn: Vec<f64> = (0..DRAWS)
        .map(|_| ratio((0..parts.len()).map(|_| parts[rng.usize(0..parts.len())])))
        .collect();
    drawn.sort_by(f64::total_cmp);
    (drawn[DRAWS / 40], drawn[DRAWS - 1 - DRAWS / 40])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task::parse;
    use serde_json::Value;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// Tags and seqeval's own figures for them; the recipe lies beside the file.
    #[test]
    fn entities_are_scored_as_seqeval_does() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/seqeval.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let rows = |tags: &str| -> String {
                let tags = case[tags].as_array().unwrap().iter();
                let row = |(place, tags): (usize, &Value)| {
                    let count = tags.as_array().unwrap().len();
                    let tokens: Vec<String> =
                        (0..count).map(|at| format!("w{place}x{at}")).collect();
                    format!("{}\n", serde_json::json!({"tokens": tokens, "tags": tags}))
                };
                tags.enumerate().map(row).collect()
            };
            let json = serde_json::json!({"task":"t","type":"ner","instruction":"i","labels":case["types"]}).to_string();
            let gold = parse(&json, &rows("gold"), None).unwrap();
            let found = ner::read("s", &rows("predicted"), &mut Vec::new()).unwrap();
            let answers: Vec<Answer> = found
                .iter()
                .map(|row| {
                    let entity = |span: &ner::Named| super::super::Entity {
                        start: span.start,
                        end: span.end,
                        label: gold.label_index(&span.label).unwrap(),
                    };
                    Answer::Entities(row.spans.iter().map(entity).collect())
                })
                .collect();
            let scored = gold.score(&gold.seeds, &[], &answers);
            let wanted = |key: &str| case[key].as_f64().unwrap();
            let metrics = scored.metrics;
            assert!(
                near(metrics.f1.unwrap(), wanted("f1")),
                "{metrics:?} {case}"
            );
            assert!(
                near(metrics.precision.unwrap(), wanted("precision")),
                "{metrics:?} {case}"
            );
            assert!(
                near(metrics.recall.unwrap(), wanted("recall")),
                "{metrics:?} {case}"
            );
            assert!(
                near(metrics.macro_f1, wanted("macro_f1")),
                "{metrics:?} {case}"
            );
            let (low, high) = (metrics.f1_low.unwrap(), metrics.f1_high.unwrap());
            assert!(
                low <= wanted("f1") + 1e-9 && wanted("f1") <= high + 1e-9,
                "{low} {high}"
            );
        }
        assert!(cases.as_array().unwrap().len() >= 8);
    }

    #[test]
    fn entities_are_missed_made_up_and_taken_for_others() {
        let task = parse(
            r#"{"task":"t","type":"ner","instruction":"i","labels":["a","b"]}"#,
            "{\"tokens\":[\"u\",\"v\",\"w\"],\"tags\":[\"B-a\",\"B-b\",\"B-a\"]}\n{\"tokens\":[\"x\"],\"tags\":[\"O\"]}\n{\"tokens\":[\"y\"],\"tags\":[\"O\"]}",
            None,
        )
        .unwrap();
        let answers: Vec<Answer> = ["a: u; a: v", "none", "b: y"]
            .iter()
            .zip(&task.seeds)
            .map(|(said, seed)| task.heard(seed, said))
            .collect();
        let scored = task.score(&task.seeds, &[], &answers);
        assert_eq!(scored.confusion, [[1, 0, 1], [1, 0, 0], [0, 1, 1]]);
        assert_eq!(scored.right, [false, true, false]);
        assert!(near(scored.metrics.accuracy, 1.0 / 3.0) && scored.metrics.n == 3);
        assert!(near(scored.metrics.f1.unwrap(), 2.0 / 6.0));
        assert!(near(scored.f1_by_label[0], 0.5) && near(scored.f1_by_label[1], 0.0));
    }

    #[test]
    fn free_answers_are_right_or_partly_so() {
        let task = parse(
            r#"{"task":"t","type":"qa","instruction":"i"}"#,
            "{\"question\":\"one\",\"answer\":\"the old brook\"}\n{\"question\":\"two\",\"answer\":7}\n{\"question\":\"three\",\"answer\":8}",
            None,
        )
        .unwrap();
        let said = ["brook", "it is 7", "9"];
        let answers: Vec<Answer> = said
            .iter()
            .map(|said| Answer::Text(vec![(*said).to_owned()]))
            .collect();
        let labels = vec![4, 5, 1];
        let scored = task.score(&task.seeds, &labels, &answers);
        assert_eq!(scored.right, [false, true, false]);
        let f1 = 2.0 / 3.0;
        assert!(near(scored.metrics.f1.unwrap(), (f1 + 1.0) / 3.0));
        assert!(near(scored.metrics.macro_f1, (f1 + 0.5) / 2.0));
        assert_eq!(scored.metrics.precision, None);
    }

    #[test]
    fn free_responses_are_measured_by_token_and_by_mark() {
        let task = parse(
            r#"{"task":"t","type":"instruct","instruction":"i"}"#,
            "{\"prompt\":\"one\",\"completion\":\"the old brook\"}\n{\"prompt\":\"two\",\"completion\":\"a hill\"}",
            None,
        )
        .unwrap();
        assert_eq!(task.labels, [super::super::INSTRUCTION]);
        let answers = [Answer::Text(vec!["the brook".into()]), Answer::Text(vec![])];
        let mut scored = task.score(&task.seeds, &[0, 0], &answers);
        assert_eq!(scored.metrics.loss, None);
        // A long row weighs more: it is tokens that are counted.
        scored.add_losses(&[(6.0, 2.0), (6.0, 6.0)]);
        scored.add_marks(&[4.0, 7.0]);
        let metrics = scored.metrics;
        assert!(near(metrics.loss.unwrap(), 1.5));
        assert!(near(metrics.perplexity.unwrap(), 1.5f64.exp()));
        let (low, high) = (metrics.loss_low.unwrap(), metrics.loss_high.unwrap());
        assert!(near(low, 1.0) && near(high, 3.0), "{low} {high}");
        assert!(near(metrics.score.unwrap(), 5.5));
        assert_eq!(
            (metrics.score_low, metrics.score_high),
            (Some(4.0), Some(7.0))
        );
        assert!(near(metrics.f1.unwrap(), 1.0 / 3.0) && metrics.n == 2);
        let mut none = task.score(&[], &[], &[]);
        none.add_losses(&[]);
        none.add_marks(&[]);
        assert_eq!((none.metrics.loss, none.metrics.score), (None, None));
    }

    #[test]
    fn the_bootstrap_holds_the_figure_and_nothing_known_is_all_possible() {
        assert_eq!(bootstrap(&[]), (0.0, 1.0));
        assert_eq!(bootstrap(&[(1.0, 1.0); 5]), (1.0, 1.0));
        let parts: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i % 2), 1.0)).collect();
        let (low, high) = bootstrap(&parts);
        // The normal interval of one half of 200 is 0.43 to 0.57.
        assert!(
            (0.41..0.45).contains(&low) && (0.55..0.59).contains(&high),
            "{low} {high}"
        );
    }
}
