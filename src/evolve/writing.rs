//! Writing instances: labels are asked for as they are wanted, texts filtered, and their labels checked or given apart.

use super::stages::Bench;
use super::texts::{Drafts, Text};
use super::vote::Poll;
use super::{Difficulty, Event, GuideFrom, Instance, Monitor, RowName, Stage, Voter, data};
use crate::Error;
use crate::curate::review::{MOST, likelihood};
use crate::curate::{Filter, ParseProblem, Refusal};
use crate::generate::Sampling;
use crate::model::{Adapter, ModelError};
use crate::task::{Example, TaskKind};

/// How an instance gets its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labelling {
    /// It is the one it was written for.
    Asked,
    /// It is the one it was written for, if the reader agrees. An answer that is no label is the reader's, if the writer gives
    /// much the same, and it is of the group that was asked for or of one that is still wanted.
    Vote,
    /// The reader gives it, whatever it was written for: where it agrees, or is sure of itself and that label is still
    /// wanted.
    Apart,
}

/// How probable a label must be, among all, to be given against the one that was asked for; and how far two answers that are
/// written must agree.
const SURE: f64 = 0.5;

/// Why an answer is none.
pub(super) const NO_ANSWER: &str = "is empty or not ended, or does not stand in the passage";

/// Draws the rules of an instance of a label.
pub(super) type Rules<'r> = dyn FnMut(usize, &mut fastrand::Rng) -> Vec<(String, String)> + 'r;

/// What is to be written.
pub(super) struct Order<'o> {
    pub row: RowName,
    /// From 1.
    pub round: usize,
    /// How many are to be kept, of each label.
    pub wanted: &'o [usize],
    pub difficulty: Option<Difficulty>,
    /// The rules for one instance of a label: ids and lines.
    pub rules: &'o mut Rules<'o>,
    pub labelling: Labelling,
    /// Who reads the labels.
    pub reader: &'o Adapter,
    /// Whatever is a text is kept.
    pub unfiltered: bool,
}

impl Bench<'_> {
    /// Writes instances until as many as wanted are accepted, or until too few are; gives how many were.
    pub async fn write(
        &self,
        monitor: &mut Monitor<'_>,
        writer: &Adapter,
        order: Order<'_>,
        filter: &mut Filter,
        poll: &mut Poll,
        instances: &mut Vec<Instance>,
    ) -> Result<usize, Error> {
        let settings = self.settings;
        let salt = (order.round as u64) << 32
            ^ (order.row as u64) << 48
            ^ u64::from(order.difficulty == Some(Difficulty::Easy)) << 56;
        let mut rng = fastrand::Rng::with_seed(settings.seed ^ salt);
        let wanted: usize = order.wanted.iter().sum();
        let mut accepted = vec![0usize; self.task.labels.len()];
        let mut fates: Vec<bool> = Vec::new();
        monitor.begin(Stage::Generate, Some(order.row), wanted);
        while accepted.iter().sum::<usize>() < wanted && !exhausted(&fates, wanted) {
            let mut drafts = Drafts::default();
            let mut asked: Vec<(Example, Vec<String>)> = Vec::new();
            for _ in 0..settings.writers {
                let pending = |label: usize| {
                    asked
                        .iter()
                        .filter(|(other, _)| other.label == label)
                        .count()
                };
                let Some(label) = furthest_behind(order.wanted, &accepted, pending) else {
                    break;
                };
                let (ids, lines): (Vec<String>, Vec<String>) =
                    (order.rules)(label, &mut rng).into_iter().unzip();
                let shots = self.shots(label, None, &mut rng);
                let order = Example {
                    context: self.passage(&mut rng),
                    ..Example::new("", label)
                };
                drafts.prompts.push(self.ordered(&order, &lines, &shots)?);
                if settings.holds_rules() {
                    self.hold(&lines, &mut drafts, &mut rng)?;
                }
                if settings.guidance != 1.0 {
                    drafts.plain.push(match settings.guide_from {
                        GuideFrom::Rules => self.ordered(&order, &[], &shots)?,
                        // From a copy, so that all else is drawn as it is without guidance.
                        GuideFrom::Label => self.ordered_other(&order, rng.clone())?,
                    });
                }
                asked.push((order, ids));
            }
            if drafts.plain == drafts.prompts {
                // Without rules there is nothing to push away from.
                drafts.plain.clear();
            }
            let seed = rng.u64(..) >> 12;
            let limit = self.text_limit(filter);
            let texts = self
                .texts(
                    monitor,
                    Some(writer),
                    &drafts,
                    limit,
                    settings.sampling,
                    self.one_line(),
                    seed,
                )
                .await?;
            let mut written: Vec<Example> = Vec::with_capacity(texts.len());
            for ((order, _), text) in asked.iter().zip(&texts) {
                written.push(Example {
                    text: text.text.clone(),
                    ..order.clone()
                });
            }
            let readable: Vec<&Example> = written.iter().collect();
            let scores = match order.labelling {
                Labelling::Asked => Vec::new(),
                _ => self.scores(monitor, Some(order.reader), &readable).await?,
            };
            poll.hear(&scores);
            let mut shares = vec![1.0; written.len()];
            if self.task.is_open() {
                let sound: Vec<bool> = asked
                    .iter()
                    .zip(&texts)
                    .map(|((wish, _), text)| {
                        let label = self.task.label_of(wish);
                        check(filter, text, label, order.unfiltered).is_ok()
                    })
                    .collect();
                self.answer(
                    monitor,
                    writer,
                    &order,
                    &sound,
                    seed,
                    &mut written,
                    &mut shares,
                )
                .await?;
            }
            for (place, ((wish, ids), text)) in asked.into_iter().zip(texts).enumerate() {
                let scores = scores.get(place).map_or(&[][..], Vec::as_slice);
                let wish = wish.label;
                let fate = check(filter, &text, &self.task.labels[wish], order.unfiltered)
                    .and_then(|()| {
                        let open = |label: usize| accepted[label] < order.wanted[label];
                        match self.task.is_open() {
                            true if order.unfiltered => Ok(wish),
                            true => {
                                let written = &written[place];
                                self.settle_open(
                                    order.labelling,
                                    written,
                                    shares[place],
                                    wish,
                                    open,
                                )
                            }
                            false => self.settle(order.labelling, poll, scores, wish, open),
                        }
                    });
                if fate.is_ok() && accepted.iter().sum::<usize>() >= wanted {
                    // The last batch may hold more than was asked for.
                    break;
                }
                fates.push(fate.is_ok());
                let label = *fate.as_ref().unwrap_or(&wish);
                if fate.is_ok() {
                    filter.accept(&text.text);
                    accepted[label] += 1;
                }
                let voted = fate.is_ok() && order.labelling != Labelling::Asked;
                let agreement = voted.then(|| match self.task.is_open() {
                    true => shares[place],
                    false => likelihood(scores, label) / MOST,
                });
                written[place].label = label;
                let instance = Instance {
                    row: order.row,
                    round: order.round,
                    index: instances.len(),
                    accepted: fate.is_ok(),
                    reason: fate.as_ref().err().map(ToString::to_string),
                    refusal: fate.as_ref().err().map(|refusal| refusal.code().to_owned()),
                    principles: ids,
                    model: self.model.name.clone(),
                    seed,
                    difficulty: order.difficulty,
                    agreement,
                    asked: (label != wish).then(|| self.task.labels[wish].clone()),
                    ..Instance::of(self.task, &written[place])
                };
                monitor.send(&Event::Instance(instance.clone()));
                instances.push(instance);
            }
            monitor.tick(accepted.iter().sum()).await?;
        }
        monitor.end();
        Ok(accepted.iter().sum())
    }

    /// An order for another label, drawn by chance, with examples of it; for its own, where there is no other.
    fn ordered_other(
        &self,
        order: &Example,
        mut rng: fastrand::Rng,
    ) -> Result<Vec<u32>, ModelError> {
        let others = data::shown(self.task);
        let others: Vec<usize> = others
            .into_iter()
            .filter(|other| *other != order.label)
            .collect();
        let label = rng.choice(others).unwrap_or(order.label);
        let shots = self.shots(label, None, &mut rng);
        let other = Example {
            label,
            ..order.clone()
        };
        self.ordered(&other, &[], &shots)
    }

    /// A passage to write a question to: one of the seeds', by chance; none where the task has none.
    pub fn passage(&self, rng: &mut fastrand::Rng) -> Option<String> {
        let seeds = &self.task.seeds;
        let mut passages = Vec::new();
        for (place, seed) in seeds.iter().enumerate() {
            // Some instructions are about something and some are not, and so shall be those that are written.
            if seed.context.is_some() || self.task.kind == TaskKind::Instruct {
                passages.push(place);
            }
        }
        // Where there are no passages, nothing is drawn.
        match passages.is_empty() {
            true => None,
            false => seeds[passages[rng.usize(0..passages.len())]]
                .context
                .clone(),
        }
    }

    /// Answers texts, each in a call of its own, twice: by the reader, whose answer counts, and by the writer. Gives how far
    /// the two agree. Where both are one, the second answer is drawn: a sure reader draws what it finds best.
    #[expect(
        clippy::too_many_arguments,
        reason = "one stage; each says something else"
    )]
    async fn answer(
        &self,
        monitor: &Monitor<'_>,
        writer: &Adapter,
        order: &Order<'_>,
        sound: &[bool],
        seed: u64,
        written: &mut [Example],
        shares: &mut [f64],
    ) -> Result<(), Error> {
        let places: Vec<usize> = (0..written.len()).filter(|place| sound[*place]).collect();
        let texts: Vec<Example> = places.iter().map(|place| written[*place].clone()).collect();
        let texts: Vec<&Example> = texts.iter().collect();
        let reader = match order.labelling {
            Labelling::Asked => writer,
            _ => order.reader,
        };
        let first = self.answers_to(
            monitor,
            Some(reader),
            &texts,
            (Sampling::GREEDY, false),
            seed,
        );
        let first = first.await?;
        for (place, answer) in places.iter().zip(first) {
            written[*place].answer = answer;
        }
        if order.labelling == Labelling::Asked {
            return Ok(());
        }
        let sampling = match self.settings.voter {
            Voter::Student => Sampling::GREEDY,
            _ => self.settings.review_sampling,
        };
        let second = self.answers_to(monitor, Some(writer), &texts, (sampling, false), seed);
        for (place, answer) in places.iter().zip(second.await?) {
            shares[*place] = self.task.agreement(&written[*place], &answer);
        }
        Ok(())
    }

    /// The group of a text by its answer, or why it is not kept.
    fn settle_open(
        &self,
        labelling: Labelling,
        answered: &Example,
        share: f64,
        asked: usize,
        open: impl Fn(usize) -> bool,
    ) -> Result<usize, Refusal> {
        if !self.is_answer(answered) {
            return Err(Refusal::Answer(NO_ANSWER));
        }
        let group = match self.task.stands_for(answered, asked) {
            true => asked,
            false => self.task.group(answered),
        };
        if labelling == Labelling::Asked {
            return Ok(group);
        }
        if group != asked && !open(group) {
            return Err(Refusal::Vote {
                predicted: self.task.labels[group].clone(),
            });
        }
        let (least, most) = (self.settings.least_agreement, self.settings.most_agreement);
        let least = least.max(SURE);
        match (least..=most).contains(&share) {
            true => Ok(group),
            false => Err(Refusal::Agreement { share, least, most }),
        }
    }

    /// Most new tokens of a text: a word of a small vocabulary is two at most times.
    pub fn text_limit(&self, filter: &Filter) -> usize {
        let (_, words) = filter.length_limits();
        words
            .saturating_mul(2)
            .saturating_add(8)
            .min(self.settings.max_new)
    }

    /// The label of a text, or why it has none.
    fn settle(
        &self,
        labelling: Labelling,
        poll: &Poll,
        scores: &[f32],
        asked: usize,
        open: impl Fn(usize) -> bool,
    ) -> Result<usize, Refusal> {
        if labelling == Labelling::Asked {
            return Ok(asked);
        }
        let read = poll.verdict(scores, asked);
        let sure = likelihood(scores, read) >= SURE * MOST;
        if read == asked || labelling == Labelling::Apart && sure && open(read) {
            let share = likelihood(scores, read) / MOST;
            let (least, most) = (self.settings.least_agreement, self.settings.most_agreement);
            return match (least..=most).contains(&share.min(1.0)) {
                true => Ok(read),
                false => Err(Refusal::Agreement { share, least, most }),
            };
        }
        Err(Refusal::Vote {
            predicted: self.task.labels[read].clone(),
        })
    }
}

fn check(filter: &Filter, text: &Text, label: &str, unfiltered: bool) -> Result<(), Refusal> {
    match unfiltered {
        true if text.text.is_empty() => Err(ParseProblem::Empty.into()),
        true => Ok(()),
        false => filter.check(&text.text, label, text.finished),
    }
}

/// The label that is furthest behind what is wanted of it, counting what is asked for already; the first of equals.
fn furthest_behind(
    wanted: &[usize],
    accepted: &[usize],
    pending: impl Fn(usize) -> usize,
) -> Option<usize> {
    // Few of those asked for are accepted, so one that is there counts for more than one that is asked for.
    let behind = |label: usize| {
        (4 * accepted[label].min(wanted[label]) + pending(label)) as f64 / wanted[label] as f64
    };
    (0..wanted.len())
        .filter(|label| wanted[*label] > 0)
        .min_by(|a, b| behind(*a).total_cmp(&behind(*b)))
}

/// Whether going on is no use: under 5 % of the last 200 accepted (papers.md 1.4), or far too many written.
pub(super) fn exhausted(fates: &[bool], wanted: usize) -> bool {
    const WINDOW: usize = 200;
    let recent = &fates[fates.len().saturating_sub(WINDOW)..];
    let kept = recent.iter().filter(|kept| **kept).count();
    (recent.len() == WINDOW && kept * 20 < WINDOW) || fates.len() >= wanted * 12 + WINDOW / 4
}

#[cfg(test)]
mod tests {
    use super::{exhausted, furthest_behind};

    #[test]
    fn writing_goes_on_while_one_in_twenty_is_accepted() {
        let fates: Vec<bool> = (0..200).map(|i| i % 20 == 0).collect();
        assert!(!exhausted(&fates, 1000));
    }

    #[test]
    fn writing_stops_when_fewer_than_one_in_twenty_is_accepted() {
        let fates: Vec<bool> = (0..200).map(|i| i % 25 == 0).collect();
        assert!(exhausted(&fates, 1000));
    }

    #[test]
    fn a_short_run_of_refusals_does_not_stop_the_writing() {
        assert!(!exhausted(&[false; 199], 1000));
    }

    #[test]
    fn labels_are_asked_for_in_proportion_to_what_is_wanted() {
        let mut asked = [0; 3];
        for _ in 0..12 {
            let label = furthest_behind(&[4, 0, 8], &[0, 0, 0], |label| asked[label]);
            asked[label.expect("one is wanted")] += 1;
        }
        assert_eq!(asked, [4, 0, 8]);
        assert_eq!(furthest_behind(&[0, 0], &[0, 0], |_| 0), None);
        assert_eq!(furthest_behind(&[2, 2], &[2, 1], |_| 0), Some(1));
    }
}
