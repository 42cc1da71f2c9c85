//! The recipe `evokd` (arXiv 2403.06414, rebuilt): what the student gets wrong decides what is written next.
//!
//! Each round: what the student makes of the last batch becomes a [`WeaknessCard`] (the analysis, a step of its own); the
//! card sets how many instances each label gets and what the hard ones are like, easy ones keep what is known; texts are
//! written, and labelled apart; the student is measured on the fresh batch *before* it learns it (errors after training
//! measure memory; `evaluate_after` is the other reading of the paper); then it learns the batch over and over, together
//! with the seeds and, every third round, a share of all earlier instances.
//!
//! The paper's large model writes and labels. Here the small one does, from principles that the card sharpens: no sample
//! ever leaves. In the paper's terms the teacher is the warmed-up writer and the student another adapter of the same
//! model, so what can be gained is what the writer knows and the student does not, and what practice brings.
//!
//! | row | what it is |
//! |---|---|
//! | `all_seeds` | the student of all seeds, where `seeds_per_label` leaves some out: the line to come near to |
//! | `static` | as many instances, written in one go and in balance, labelled in the same way |
//! | `evokd` | the loop |
//!
//! Switches: `no_easy`, `no_correct`, `no_history`, `no_separation`; `init` lets a quarter of the instances be written and
//! learnt before the loop (EvoKD + Init).

use super::data::shown;
use super::reading::Reading;
use super::run::{Run, accepted, warm_up};
use super::vote::Poll;
use super::writing::{Labelling, Order};
use super::{
    Ablation, Difficulty, Event, RoundReport, RowName, Stage, Tokens, Voter, principles, teaching,
};
use crate::Error;
use crate::curate::{Descriptor, Filter, Judged, WeaknessCard, apportion};
use crate::model::Adapter;
use crate::principle::{self, PrincipleSet};
use crate::task::Example;
use crate::train::Row;

/// Rounds from one look back at earlier batches to the next.
const REVIEW_EVERY: usize = 3;

/// Makes the rows.
pub(super) async fn run(run: &mut Run<'_, '_>) -> Result<(), Error> {
    let settings = run.settings();
    let writes = run.wants(RowName::Static) || run.wants(RowName::Evokd);
    let reads = writes && settings.voter == Voter::Student;
    let student = run.seeds_only(reads && !run.learns_rules()).await?;
    if run.wants(RowName::AllSeeds) {
        if run.full.seeds.len() > run.task().seeds.len() {
            let rows = run.seed_rows(&run.full.seeds)?;
            // As long as a run over all seeds would train.
            let passes = rows.len() * settings.seed_weight + settings.instances;
            let steps = (settings.epochs * passes).div_ceil(settings.batch);
            let place = (Stage::Train, Some(RowName::AllSeeds));
            let adapter = run
                .bench
                .train(run.monitor, place, None, &[rows], steps, 1)
                .await?;
            run.measure(RowName::AllSeeds, Some(&adapter)).await?;
        } else {
            run.note(
                "all seeds are used, so the row all_seeds would repeat seeds_only; it is left out",
            );
        }
    }
    if !writes {
        return Ok(());
    }
    let set = principles::write(run, RowName::Evokd).await?;
    run.outcome.principles = Some(set.clone());
    let rules = run.rule_rows(Some(&set))?;
    let reader = match reads && run.learns_rules() {
        true => Some(run.reader(RowName::Evokd, &rules).await?),
        false => student,
    };
    let writer = warm_up(&run.bench, run.monitor, Some(&set), run.warm_steps).await?;
    let mut hand = Hand {
        reader: match (settings.voter, reader) {
            (Voter::Student, Some(reader)) => reader,
            _ => writer.clone(),
        },
        writer,
        set,
        rules,
        labelling: match settings.voter {
            Voter::None => Labelling::Asked,
            _ if settings.lacks(Ablation::NoSeparation) => Labelling::Asked,
            _ => Labelling::Apart,
        },
    };
    if run.wants(RowName::Static) {
        let mut pen = run.pen();
        hand.balanced(run, RowName::Static, 1, settings.instances, &mut pen)
            .await?;
        let training = [run.training(RowName::Static)?, hand.rules.clone()].concat();
        let adapter = run.train(RowName::Static, training).await?;
        run.measure(RowName::Static, Some(&adapter)).await?;
    }
    if run.wants(RowName::Evokd) {
        let student = rounds(run, &mut hand).await?;
        run.measure(RowName::Evokd, Some(&student)).await?;
    }
    Ok(())
}

/// Who writes from what, and who labels.
struct Hand {
    writer: Adapter,
    reader: Adapter,
    set: PrincipleSet,
    /// What the rules of the set say, where that is learnt.
    rules: Vec<Row>,
    labelling: Labelling,
}

/// What is remembered from one batch to the next.
struct Pen {
    filter: Filter,
    poll: Poll,
}

impl Run<'_, '_> {
    fn pen(&self) -> Pen {
        Pen {
            filter: self.filter(),
            poll: Poll::new(self.settings().vote, self.task().labels.len()),
        }
    }
}

impl Hand {
    /// Writes instances of all labels alike, without a look at the student.
    async fn balanced(
        &self,
        run: &mut Run<'_, '_>,
        row: RowName,
        round: usize,
        total: usize,
        pen: &mut Pen,
    ) -> Result<usize, Error> {
        let task = run.task();
        let wanted = apportion(total, &shown(task), &vec![1.0; task.labels.len()]);
        self.write(run, (row, round), &wanted, None, None, pen)
            .await
    }

    async fn write(
        &self,
        run: &mut Run<'_, '_>,
        (row, round): (RowName, usize),
        wanted: &[usize],
        difficulty: Option<Difficulty>,
        card: Option<&WeaknessCard>,
        pen: &mut Pen,
    ) -> Result<usize, Error> {
        let (task, most) = (run.task(), run.settings().rules);
        let order = Order {
            row,
            round,
            wanted,
            difficulty,
            rules: &mut |label, rng| {
                let name = &task.labels[label];
                match card.and_then(|card| card.weak_kind(label, rng)) {
                    Some(kind) => sharpened(&self.set, name, kind, most, rng),
                    None => principle::draw(&self.set, name, most, rng),
                }
            },
            labelling: self.labelling,
            reader: &self.reader,
            unfiltered: false,
        };
        let instances = &mut run.outcome.instances;
        let (filter, poll) = (&mut pen.filter, &mut pen.poll);
        run.bench
            .write(run.monitor, &self.writer, order, filter, poll, instances)
            .await
    }
}

/// The rules of a hard instance: the kind of text that goes wrong, and principles that leave that kind open.
fn sharpened(
    set: &PrincipleSet,
    label: &str,
    kind: Descriptor,
    most: usize,
    rng: &mut fastrand::Rng,
) -> Vec<(String, String)> {
    let decided: &[&str] = match kind {
        Descriptor::Question | Descriptor::Command | Descriptor::Statement => &["form", "opening"],
        Descriptor::Number | Descriptor::Name => &["mention"],
        _ => &["length"],
    };
    let free = PrincipleSet {
        version: set.version,
        task: set.task.clone(),
        principles: set
            .principles
            .iter()
            .filter(|principle| {
                let attribute = principle.attribute.as_deref();
                attribute.is_none_or(|attribute| !decided.contains(&attribute))
            })
            .cloned()
            .collect(),
    };
    let mut rules = principle::draw(&free, label, most.saturating_sub(1), rng);
    rules.push(("weakness".to_owned(), kind.rule().to_owned()));
    rules
}

/// The loop; gives the student.
async fn rounds(run: &mut Run<'_, '_>, hand: &mut Hand) -> Result<Adapter, Error> {
    let row = RowName::Evokd;
    let (task, settings) = (run.task(), run.settings());
    let labels = task.labels.len();
    let rounds = settings.rounds();
    let mut pen = run.pen();
    let mut instances = settings.instances;
    let mut first = [run.seed_rows(&task.seeds)?, hand.rules.clone()].concat();
    let mut learnt = task.seeds.len() * settings.seed_weight;
    let total = learnt + instances;
    if settings.init {
        let written = hand
            .balanced(run, row, 0, instances.div_ceil(4), &mut pen)
            .await?;
        first.extend(run.instance_rows(row)?);
        learnt += written;
        instances = instances.saturating_sub(written);
    }
    let place = (Stage::Train, Some(row));
    let start = (run.steps * learnt / total).clamp(1, run.steps);
    // One training from the first seed to the last batch: a new one each round would begin each time with the long
    // strides of a fresh optimiser, which a few steps cannot make good.
    let mut trainer = run.bench.trainer(None, run.steps, 1)?;
    run.bench
        .steps(run.monitor, place, &mut trainer, &[first], start, 1)
        .await?;
    let mut left = run.steps - start;
    let mut batch: Vec<Example> = task.seeds.clone();
    let mut reading = read(run, &trainer.adapter(), &batch).await?;
    for round in 1..=rounds {
        let before = run.bench.tokens();
        let right = run.bench.scored(&batch, &reading).right;
        let card = analyse(
            &batch,
            (&reading.predicted, &right),
            labels,
            settings.lacks(Ablation::NoCorrect),
        );
        run.monitor.send(&Event::Weakness {
            row,
            round,
            card: card.clone(),
        });
        if round > 1 {
            // Unless `evaluate_after`, the batch was read before it was learnt: the card is of rows new to the student.
            let judged = judged(&batch, (&reading.predicted, &right));
            let judged: Vec<Judged<'_>> = judged.collect();
            if let Some(newer) = teaching::again(run, row, round, &judged).await? {
                hand.set = hand.set.clone().followed_by(newer);
                hand.rules = run.rule_rows(Some(&hand.set))?;
                run.outcome.principles = Some(hand.set.clone());
            }
        }
        let all = instances / rounds + usize::from(round <= instances % rounds);
        let easy = match settings.lacks(Ablation::NoEasy) {
            true => 0,
            false => all / 2,
        };
        let open = shown(task);
        let hard = card.quotas(all - easy, &open);
        let easy = apportion(easy, &open, &vec![1.0; labels]);
        run.monitor.send(&Event::Quotas {
            row,
            round,
            hard: hard.clone(),
            easy: easy.clone(),
        });
        let from = run.outcome.instances.len();
        let place_of = (row, round);
        let hard_kind = Some(Difficulty::Hard);
        hand.write(run, place_of, &hard, hard_kind, Some(&card), &mut pen)
            .await?;
        hand.write(run, place_of, &easy, Some(Difficulty::Easy), None, &mut pen)
            .await?;
        let fresh = accepted(&run.outcome.instances, task, row, Some(round));
        if fresh.is_empty() {
            run.note(format!(
                "round {round}: nothing that was written was kept, so the batch before it is learnt again"
            ));
        } else {
            batch = fresh;
        }
        if !settings.evaluate_after {
            reading = read(run, &trainer.adapter(), &batch).await?;
        }
        let training = lesson(run, row, round, &batch, &hand.rules)?;
        let rows = training.len();
        let steps = left / (rounds + 1 - round);
        left -= steps;
        let salt = 10 + round as u64;
        run.bench
            .steps(run.monitor, place, &mut trainer, &[training], steps, salt)
            .await?;
        if settings.evaluate_after {
            reading = read(run, &trainer.adapter(), &batch).await?;
        }
        let scored = run.bench.scored(&batch, &reading);
        let mut by_label = vec![0; labels];
        for example in accepted(&run.outcome.instances, task, row, Some(round)) {
            by_label[example.label] += 1;
        }
        let after = run.bench.tokens();
        run.round(RoundReport {
            row,
            round,
            generated: run.outcome.instances.len() - from,
            accepted: by_label.iter().sum(),
            accepted_by_label: by_label,
            rows,
            pairs: 0,
            tokens: Tokens {
                read: after.read - before.read,
                written: after.written - before.written,
            },
            dev: Some(scored.metrics),
            f1_by_label: scored.f1_by_label,
            chosen: round == rounds,
        });
    }
    Ok(trainer.finish())
}

/// What a round is learnt from: the batch; the seeds, and what the rules say; every third round a share of all earlier
/// instances.
fn lesson(
    run: &Run<'_, '_>,
    row: RowName,
    round: usize,
    batch: &[Example],
    rules: &[Row],
) -> Result<Vec<Row>, Error> {
    let (task, settings) = (run.task(), run.settings());
    if settings.lacks(Ablation::NoHistory) {
        return run.seed_rows(batch);
    }
    let mut examples = [batch, &task.seeds].concat();
    if round.is_multiple_of(REVIEW_EVERY) {
        let mut history: Vec<Example> = (0..round)
            .flat_map(|round| accepted(&run.outcome.instances, task, row, Some(round)))
            .collect();
        let mut rng = fastrand::Rng::with_seed(settings.seed ^ round as u64);
        rng.shuffle(&mut history);
        let share = (history.len() as f64 * settings.replay).ceil() as usize;
        examples.extend(history.into_iter().take(share));
    }
    let mut training = run.seed_rows(&examples)?;
    training.extend_from_slice(rules);
    Ok(training)
}

async fn read(
    run: &mut Run<'_, '_>,
    student: &Adapter,
    batch: &[Example],
) -> Result<Reading, Error> {
    let place = (Stage::Analyse, Some(RowName::Evokd));
    run.bench
        .read(run.monitor, place, Some(student), batch)
        .await
}

/// The analysis, from wrong rows and right ones, or from the wrong ones alone.
fn analyse(
    batch: &[Example],
    verdict: (&[usize], &[bool]),
    labels: usize,
    wrong_only: bool,
) -> WeaknessCard {
    let judged: Vec<Judged<'_>> = judged(batch, verdict)
        .filter(|row| !wrong_only || !row.right)
        .collect();
    WeaknessCard::new(labels, &judged)
}

/// A batch with what the student took each row for, and whether it was right.
fn judged<'b>(
    batch: &'b [Example],
    (predicted, right): (&'b [usize], &'b [bool]),
) -> impl Iterator<Item = Judged<'b>> {
    batch
        .iter()
        .zip(predicted)
        .zip(right)
        .map(|((row, predicted), right)| Judged {
            text: &row.text,
            label: row.label,
            predicted: *predicted,
            right: *right,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::principle::offline;
    use crate::task::parse_pasted;

    #[test]
    fn an_analysis_without_what_is_right_sees_the_wrong_rows_alone() {
        let batch = [
            Example::new("a b", 0),
            Example::new("c d", 0),
            Example::new("e f", 1),
        ];
        let verdict = (&[1, 0, 1][..], &[false, true, true][..]);
        let card = analyse(&batch, verdict, 2, false);
        assert_eq!((card.all.wrong, card.all.judged), (1, 3));
        let card = analyse(&batch, verdict, 2, true);
        assert_eq!((card.all.wrong, card.all.judged), (1, 1));
    }

    #[test]
    fn a_hard_instance_is_of_the_weak_kind_and_no_other_rule_decides_the_same() {
        let task = parse_pasted(
            "mood",
            "Say the mood.",
            "glad\tlovely day\nglad\tlovely long walk today with you\nsad\tlost it\nsad\tlost it again now",
        )
        .unwrap();
        let set = offline::write(&task);
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let rules = sharpened(&set, "glad", Descriptor::UpTo6Words, 3, &mut rng);
            assert!(rules.len() <= 3);
            assert_eq!(rules.last().unwrap().1, "Use between 4 and 6 words.");
            let lengths = rules.iter().filter(|(_, rule)| rule.contains(" words."));
            assert_eq!(
                lengths
                    .filter(|(_, rule)| rule.starts_with("Use between"))
                    .count(),
                1
            );
        }
    }
}
