//! The pool: questions with answers and marks, and the new questions that come from it.

use std::collections::HashSet;

use super::{Lance, ROW, review};
use crate::Error;
use crate::curate::review::{MOST, likelihood};
use crate::curate::{ParseProblem, Refusal};
use crate::evolve::run::Run;
use crate::evolve::writing::{NO_ANSWER, exhausted};
use crate::evolve::{Ablation, Event, Instance, Monitor, Origin, Stage};
use crate::model::Adapter;
use crate::order;
use crate::task::{Example, TaskKind};

/// A question, an answer and its mark from 0 to 10.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub example: Example,
    /// The label the question was written for, which its answer need not be.
    pub asked: usize,
    pub mark: f64,
}

/// Up to `count` different labels, drawn without replacement as their likelihoods at a temperature say (the best first at
/// temperature 0); `without` is never drawn. Drawn by the Gumbel-top-k trick (arXiv 1903.06059).
pub(super) fn drawn_labels(
    scores: &[f32],
    without: Option<usize>,
    count: usize,
    temperature: f32,
    rng: &mut fastrand::Rng,
) -> Vec<usize> {
    let mut keys: Vec<(usize, f64)> = scores
        .iter()
        .enumerate()
        .map(|(label, score)| {
            let noise = -(-rng.f64().max(1e-300).ln()).ln();
            (
                label,
                f64::from(*score) + f64::from(temperature.max(0.0)) * noise,
            )
        })
        .filter(|(label, _)| Some(*label) != without)
        .collect();
    order::sort(&mut keys, &|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    keys.into_iter()
        .take(count)
        .map(|(label, _)| label)
        .collect()
}

/// A new question, written near a parent.
struct Question {
    /// With the group it was written for.
    example: Example,
    fate: Result<(), Refusal>,
    seed: u64,
}

impl Lance<'_> {
    /// Writes new questions near those whose answers have low marks, answers them, and marks the answers. Gives how many
    /// questions were low.
    pub(super) async fn new_questions(
        &mut self,
        run: &mut Run<'_, '_>,
        round: usize,
        model: &Adapter,
    ) -> Result<usize, Error> {
        let settings = self.bench.settings;
        let rounds = settings.rounds();
        let wanted =
            settings.instances / rounds + usize::from(round <= settings.instances % rounds);
        let low = self.branch(false);
        run.monitor.begin(Stage::Generate, Some(ROW), wanted);
        let mut fates = Vec::new();
        let mut kept = 0;
        let mut parents: Vec<Example> = Vec::new();
        while !low.is_empty() && kept < wanted && !exhausted(&fates, wanted) {
            if parents.is_empty() {
                // Every low one once, in an order drawn anew.
                parents = questions_of(&low);
                self.rng.shuffle(&mut parents);
            }
            let count = settings.writers.div_ceil(settings.draws).min(parents.len());
            let near: Vec<Example> = parents.drain(..count).collect();
            let questions = self.questions(run, model, near).await?;
            let before = kept;
            kept += self
                .answer(run, round, model, questions, wanted - kept, &mut fates)
                .await?;
            run.monitor.tick(kept.max(before)).await?;
        }
        run.monitor.end();
        Ok(low.len())
    }

    /// Several new questions near each parent, cleaned.
    async fn questions(
        &mut self,
        run: &mut Run<'_, '_>,
        model: &Adapter,
        parents: Vec<Example>,
    ) -> Result<Vec<Question>, Error> {
        let (bench, settings) = (&self.bench, self.bench.settings);
        let mut requests = Vec::new();
        for parent in &parents {
            let prompt = bench.ordered(parent, &[], &[&parent.text])?;
            requests.extend(std::iter::repeat_n(prompt, settings.draws));
        }
        let seed = self.rng.u64(..) >> 12;
        let limit = bench.text_limit(self.cleaner.filter());
        let texts = bench
            .texts(
                run.monitor,
                Some(model),
                &requests.into(),
                limit,
                settings.sampling,
                bench.one_line(),
                seed,
            )
            .await?;
        let unclean = self.lacks(Ablation::NoCleaning);
        let mut questions: Vec<Question> = Vec::with_capacity(texts.len());
        for (place, text) in texts.into_iter().enumerate() {
            let parent = &parents[place / settings.draws];
            let siblings: Vec<&str> = questions
                .iter()
                .skip(place - place % settings.draws)
                .filter(|question| question.fate.is_ok())
                .map(|question| question.example.text.as_str())
                .collect();
            let label = &bench.task.labels[parent.label];
            let fate = match unclean {
                true if text.text.is_empty() => Err(ParseProblem::Empty.into()),
                true => Ok(()),
                false => self.cleaner.check_prompt(
                    &text.text,
                    label,
                    text.finished,
                    &parent.text,
                    &siblings,
                ),
            };
            if fate.is_ok() {
                self.cleaner.accept(&text.text);
            }
            let example = Example {
                text: text.text,
                context: parent.context.clone(),
                ..Example::new("", parent.label)
            };
            questions.push(Question {
                example,
                fate,
                seed,
            });
        }
        Ok(questions)
    }

    /// Up to so many different answers to each question that wants some, drawn as the model finds them likely, each with
    /// the mark its likelihood alone gives it; and where those of each question end. Where `worse`, the answer that is there
    /// is left out.
    pub(super) async fn drawn(
        &mut self,
        monitor: &Monitor<'_>,
        model: &Adapter,
        questions: &[(&Example, bool)],
        worse: bool,
    ) -> Result<(Vec<(Example, f64)>, Vec<usize>), Error> {
        let (bench, settings) = (&self.bench, self.bench.settings);
        let mut answers: Vec<(Example, f64)> = Vec::new();
        let mut ends = Vec::with_capacity(questions.len());
        if !bench.task.is_open() {
            let texts: Vec<&Example> = questions.iter().map(|question| question.0).collect();
            let scores = bench.scores(monitor, Some(model), &texts).await?;
            let temperature = settings.review_sampling.temperature;
            for ((question, wanted), scores) in questions.iter().zip(&scores) {
                if *wanted {
                    let without = worse.then_some(question.label);
                    let labels =
                        drawn_labels(scores, without, settings.draws, temperature, &mut self.rng);
                    for label in labels {
                        let answer = Example {
                            label,
                            ..(*question).clone()
                        };
                        answers.push((answer, likelihood(scores, label)));
                    }
                }
                ends.push(answers.len());
            }
            return Ok((answers, ends));
        }
        let wanted = questions.iter().filter(|(_, wanted)| *wanted);
        let asked: Vec<&Example> = wanted
            .flat_map(|(question, _)| std::iter::repeat_n(*question, settings.draws))
            .collect();
        let seed = self.rng.u64(..) >> 12;
        let sampling = settings.review_sampling;
        let said = bench.answers_to(monitor, Some(model), &asked, (sampling, false), seed);
        let mut said = said.await?.into_iter();
        for (question, wanted) in questions {
            let begin = answers.len();
            for answer in said.by_ref().take(if *wanted { settings.draws } else { 0 }) {
                let same = worse && bench.task.is_right(question, &answer);
                let again = answers[begin..]
                    .iter()
                    .any(|(other, _)| other.answer == answer);
                let mut answered = Example {
                    answer,
                    ..(*question).clone()
                };
                if same || again || !bench.is_answer(&answered) {
                    continue;
                }
                if !self.is_clean(question, &answered, &answers[begin..], worse) {
                    continue;
                }
                answered.label = match bench.task.stands_for(&answered, question.label) {
                    true => question.label,
                    false => bench.task.group(&answered),
                };
                let most = match worse {
                    true => MOST * bench.task.agreement(question, &answered.answer),
                    false => MOST,
                };
                answers.push((answered, most));
            }
            ends.push(answers.len());
        }
        let rows: Vec<&Example> = answers.iter().map(|(answer, _)| answer).collect();
        let marks = review::written_marks(bench, monitor, model, &rows).await?;
        for ((_, most), mark) in answers.iter_mut().zip(marks) {
            *most = self.placed(mark).min(*most);
        }
        Ok((answers, ends))
    }

    /// Whether a free response has a usual length and is unlike the others to the same question. Other answers are short, and
    /// there are few of them.
    fn is_clean(
        &self,
        question: &Example,
        answered: &Example,
        others: &[(Example, f64)],
        worse: bool,
    ) -> bool {
        if self.bench.task.kind != TaskKind::Instruct || self.lacks(Ablation::NoCleaning) {
            return true;
        }
        let task = self.bench.task;
        let said = task.said(answered);
        let own = worse.then(|| task.said(question));
        let others = others.iter().map(|(other, _)| task.said(other));
        let others: Vec<String> = own.into_iter().chain(others).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        self.cleaner.check_answer(&said, &others).is_ok()
    }

    /// A likelihood as a mark; that of a free response is its place among those of the seeds' own.
    pub(super) fn placed(&self, mark: f64) -> f64 {
        match self.scale.is_empty() {
            true => mark,
            false => review::place(&self.scale, mark),
        }
    }

    fn keep(&mut self, answer: &Example, asked: usize, mark: f64) {
        self.pool.push(Item {
            example: answer.clone(),
            asked,
            mark,
        });
    }

    /// Answers questions several times, marks the answers and keeps what is good enough, up to `most`; gives how many.
    async fn answer(
        &mut self,
        run: &mut Run<'_, '_>,
        round: usize,
        model: &Adapter,
        questions: Vec<Question>,
        most: usize,
        fates: &mut Vec<bool>,
    ) -> Result<usize, Error> {
        let settings = self.bench.settings;
        let asked: Vec<(&Example, bool)> = questions
            .iter()
            .map(|question| (&question.example, question.fate.is_ok()))
            .collect();
        let (answers, ends) = self.drawn(run.monitor, model, &asked, false).await?;
        let reviewed = !self.lacks(Ablation::NoReview);
        let marks = match reviewed {
            true => self.marks(run.monitor, model, &answers, round).await?,
            false => Vec::new(),
        };
        let (mut kept, mut begin) = (0, 0);
        for (question, end) in questions.into_iter().zip(ends) {
            if kept == most {
                break;
            }
            let asked = question.example.label;
            let own = begin..end;
            begin = end;
            let mut best = (question.example.clone(), None);
            let mut fate = question.fate;
            if fate.is_ok() && own.is_empty() {
                fate = Err(Refusal::Answer(NO_ANSWER));
            }
            if fate.is_ok() && !reviewed {
                // Nobody says which answer is good: it is the first that was drawn.
                if let Some((answer, _)) = answers.get(own.start) {
                    best.0 = answer.clone();
                    self.keep(answer, asked, 0.0);
                }
            } else if fate.is_ok() {
                let mut high = 0.0;
                for place in own {
                    let answer = &answers[place].0;
                    // An answer that is no label has the label it was asked for where it may stand for it.
                    let agrees = answer.label == asked;
                    let mark = checked(marks[place], agrees, settings.cuts.branch);
                    self.say(run.monitor, round, answer, mark, Origin::New);
                    if mark > high {
                        (best.0, high) = (answer.clone(), mark);
                    }
                    self.keep(answer, asked, mark);
                }
                best.1 = Some(high);
                if high <= settings.cuts.sft {
                    let cut = settings.cuts.sft;
                    fate = Err(Refusal::Score { score: high, cut });
                }
            }
            fates.push(fate.is_ok());
            if fate.is_ok() {
                kept += 1;
                self.tuned.push(best.0.clone());
            }
            let labels = &self.bench.task.labels;
            let instance = Instance {
                row: ROW,
                round,
                index: run.outcome.instances.len(),
                accepted: fate.is_ok(),
                reason: fate.as_ref().err().map(ToString::to_string),
                refusal: fate.as_ref().err().map(|refusal| refusal.code().to_owned()),
                model: self.bench.model.name.clone(),
                seed: question.seed,
                asked: (best.0.label != asked).then(|| labels[asked].clone()),
                score: best.1,
                ..Instance::of(self.bench.task, &best.0)
            };
            run.monitor.send(&Event::Instance(instance.clone()));
            run.outcome.instances.push(instance);
        }
        Ok(kept)
    }
}

/// The questions of some items, each once, with the labels they were written for.
fn questions_of(items: &[Item]) -> Vec<Example> {
    let mut seen = HashSet::new();
    items
        .iter()
        .filter(|item| seen.insert((&item.example.text, &item.example.context)))
        .map(|item| Example {
            label: item.asked,
            ..item.example.clone()
        })
        .collect()
}

/// A mark that no answer against the label its question was written for can carry above the branch threshold.
fn checked(mark: f64, agrees: bool, branch: f64) -> f64 {
    if agrees { mark } else { mark.min(branch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_drawn_once_each_and_never_the_one_left_out() {
        let scores = [0.0, -1.0, -2.0, -3.0, -4.0];
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..100 {
            let mut drawn = drawn_labels(&scores, Some(0), 3, 0.7, &mut rng);
            assert!(drawn.len() == 3 && !drawn.contains(&0));
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 3);
        }
        assert_eq!(drawn_labels(&scores, None, 9, 0.7, &mut rng).len(), 5);
    }

    #[test]
    fn likelier_labels_are_drawn_first_more_often_and_always_without_temperature() {
        let scores = [0.0, 2.0];
        let mut rng = fastrand::Rng::with_seed(4);
        let first = |temperature: f32, rng: &mut fastrand::Rng| {
            (0..1000)
                .filter(|_| drawn_labels(&scores, None, 1, temperature, rng) == [1])
                .count()
        };
        assert_eq!(first(0.0, &mut rng), 1000);
        // e² / (1 + e²) = 0.88.
        let warm = first(1.0, &mut rng);
        assert!((840..920).contains(&warm), "{warm}");
    }

    #[test]
    fn a_question_with_several_answers_has_new_ones_near_it_once_and_under_its_own_label() {
        let item = |text: &str, label, asked| Item {
            example: Example::new(text, label),
            asked,
            mark: 1.0,
        };
        let found = questions_of(&[item("a", 2, 0), item("a", 1, 0), item("b", 1, 1)]);
        let found: Vec<(&str, usize)> = found.iter().map(|q| (q.text.as_str(), q.label)).collect();
        assert_eq!(found, [("a", 0), ("b", 1)]);
    }

    #[test]
    fn an_answer_against_its_question_is_never_fine_tuned_on() {
        assert_eq!(checked(9.5, true, 7.0), 9.5);
        assert_eq!(checked(9.5, false, 7.0), 7.0);
        assert_eq!(checked(3.0, false, 7.0), 3.0);
    }
}
