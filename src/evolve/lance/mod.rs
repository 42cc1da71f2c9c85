//! The recipe `lance` (arXiv 2412.15151, rebuilt from its released data code): one model reviews, writes, cleans and prefers,
//! round after round, with nobody's help.
//!
//! A question is a text, its answer a label. Round 0 has learnt from the seeds to label and to write, for no fewer steps than a
//! row is trained. Each round reviews the pool; a question whose answer has a mark above 7 gets worse answers beside it, any
//! other gets new questions of its kind with answers to them; what is new is cleaned and reviewed; answers above 8 are
//! fine-tuned on, and of two answers to one question more than 2 apart the better is preferred (DPO). All that was cleaned
//! joins the pool. The round is chosen on seeds that were held out; the test rows are never looked at (the paper shows its
//! best round on the test itself).
//!
//! # What the released code leaves open, and what is done here
//!
//! 1. *A single new question skips the comparison with its parent.* Here every one is compared.
//! 2. *New answers are compared with the parent's answer, though the question differs.* Here answers are compared with answers
//!    to the same question alone; the right label of a new question usually is its parent's.
//! 3. *Only siblings are compared.* Here nothing is kept that is a copy of a seed or like anything kept before.
//! 4. *From round 2 on the original seeds join the new pairs, but not the earlier pool.* Here the pool grows: seeds and all
//!    that was ever cleaned, as the read-me says.
//! 5. *Marks are not refreshed when the model changes.* Kept so, with a reason: an answer the model has been trained on gets a
//!    high mark from that model whatever it is worth. The same goes for seeds, so each half of them is reviewed by a model
//!    that learnt from the other half.
//! 6. *Nothing ties the judge to the truth.* Here a new answer that is not the label its question was written for is checked
//!    against that: its mark is at most the branch threshold, so it is never fine-tuned on.
//! 7. *A later script wants an argument it is not given.* Nothing to decide.
//!
//! Answers that are no labels (entities, free text) are drawn token by token, several times; the likelihood that stands in for
//! a mark is then that of a token, in the geometric mean over the answer's. A worse answer is checked against the one that is
//! there: its mark is at most ten times the F1 of the two, and one that says the same is none. The round is chosen by F1.
//!
//! The likelihood of a free response says more of its length and its words than of its worth, and what a model wrote itself is
//! always likely. So it is asked by how much the instruction makes the response likelier, which empty talk gains nothing by (the
//! difference whose ratio is the IFD score of arXiv 2308.12032); and the mark is the place among the seeds' own responses, each
//! by the model that learnt from the other half: ten times the share of them that gain no more. Responses are
//! cleaned as published (ten words or, where the seeds have fewer, as many as the shortest; ROUGE-L against the others to the
//! same instruction). The round is chosen by the loss on the seeds that were held out. Rows are measured by the loss, and by a
//! judge that is the same for all rows: the model as it came.
//!
//! The published prompt for worse answers asks for harmful ones. A worse answer here is another label, drawn as the model
//! finds them likely. Lengths are those of the seeds, as a label has no ten words.
//!
//! Switches: `sft_only`, `dpo_only`, `no_review` (each question goes both ways, everything is used, and an
//! answer that is there is preferred to one drawn beside it), `no_cleaning`.

mod pool;
mod review;

use super::data::hold_out;
use super::run::{Run, warm_up};
use super::stages::Bench;
use super::{Ablation, Event, Judge, Monitor, Origin, RoundReport, RowName, Stage, Tokens};
use crate::Error;
use crate::curate::pack::pairs;
use crate::curate::review::MOST;
use crate::curate::{CleanLimits, Cleaner};
use crate::model::Adapter;
use crate::task::words::words;
use crate::task::{Example, TaskKind};
use crate::train::Pair;

use pool::Item;

const ROW: RowName = RowName::Lance;

/// What a run of LANCE gathers.
pub(super) struct Lance<'a> {
    /// Over the seeds that are not held out.
    bench: Bench<'a>,
    judge: Judge,
    cleaner: Cleaner,
    /// Of free responses that are marked by likelihood: those of the seeds, from low to high.
    scale: Vec<f64>,
    /// Questions with answers and marks.
    pool: Vec<Item>,
    /// What is fine-tuned on beside the seeds.
    tuned: Vec<Example>,
    preferences: Vec<Pair>,
    rng: fastrand::Rng,
}

/// Makes the rows.
pub(super) async fn run(run: &mut Run<'_, '_>) -> Result<(), Error> {
    run.seeds_only(false).await?;
    if !run.wants(RowName::RoundZero) && !run.wants(ROW) {
        return Ok(());
    }
    let settings = run.settings();
    let mut task = run.task().clone();
    let mut rng = fastrand::Rng::with_seed(settings.seed);
    let dev = hold_out(&mut task, &mut rng);
    if dev.is_empty() {
        run.note("no label has four seeds, so none are held out to choose the round by; the last round is taken");
    }
    let bench = run.bench.over(&task);
    let mut model = warm_up(&bench, run.monitor, None, run.warm_steps).await?;
    if run.wants(RowName::RoundZero) {
        run.measure(RowName::RoundZero, Some(&model)).await?;
    }
    if !run.wants(ROW) {
        return Ok(());
    }
    let mut lance = Lance {
        judge: review::judge(&bench),
        cleaner: Cleaner::new(run.filter(), limits(&bench)),
        bench,
        scale: Vec::new(),
        pool: Vec::new(),
        tuned: Vec::new(),
        preferences: Vec::new(),
        rng,
    };
    lance
        .review_seeds(run.monitor, &model, run.warm_steps)
        .await?;
    let mut best: Option<(usize, (f64, f64), Adapter)> = None;
    let report = lance
        .measured(run.monitor, 0, &model, &dev, (0, 0))
        .await?
        .0;
    run.round(report);
    for round in 1..=settings.rounds() {
        let before = run.bench.tokens();
        let from = run.outcome.instances.len();
        let added = lance.contrasts(run.monitor, round, &model).await?;
        let low = lance.new_questions(run, round, &model).await?;
        if low == 0 {
            run.note(format!(
                "round {round}: every answer has a mark above {}, so no new questions are written",
                settings.cuts.branch
            ));
        }
        if lance.preferences.is_empty() && !settings.lacks(Ablation::SftOnly) {
            run.note(format!(
                "round {round}: no two answers are more than {} marks apart, so no preferences are learnt",
                settings.cuts.gap
            ));
        }
        model = lance
            .learn(run.monitor, round, model, run.steps / settings.rounds())
            .await?;
        let rows = lance.tuned.len() + lance.bench.task.seeds.len() * settings.seed_weight;
        let counts = (rows, added);
        let (mut report, score) = lance
            .measured(run.monitor, round, &model, &dev, counts)
            .await?;
        let written = &run.outcome.instances[from..];
        report.generated = written.len();
        for instance in written.iter().filter(|instance| instance.accepted) {
            if let Some(label) = run.task().label_index(&instance.label) {
                report.accepted_by_label[label] += 1;
                report.accepted += 1;
            }
        }
        let after = run.bench.tokens();
        report.tokens = Tokens {
            read: after.read - before.read,
            written: after.written - before.written,
        };
        run.round(report);
        // With nothing held out all scores are alike, and the last round is taken.
        if best.as_ref().is_none_or(|(_, high, _)| score >= *high) {
            best = Some((round, score, model.clone()));
        }
    }
    if let Some((round, _, adapter)) = best {
        for report in &mut run.rounds {
            report.chosen = report.round == round;
        }
        run.measure(ROW, Some(&adapter)).await?;
    }
    Ok(())
}

/// What the cleaner asks of a response: the published lengths, or the seeds' where these are shorter.
fn limits(bench: &Bench<'_>) -> CleanLimits {
    let mut limits = CleanLimits::default();
    if bench.task.kind == TaskKind::Instruct {
        for seed in &bench.task.seeds {
            let words = words(&bench.task.said(seed)).len();
            limits.answer_words.0 = limits.answer_words.0.min(words.max(1));
        }
    }
    limits
}

impl Lance<'_> {
    fn lacks(&self, ablation: Ablation) -> bool {
        self.bench.settings.lacks(ablation)
    }

    /// Marks the seeds, which are the first pool.
    async fn review_seeds(
        &mut self,
        monitor: &mut Monitor<'_>,
        model: &Adapter,
        warm_steps: usize,
    ) -> Result<(), Error> {
        let seeds = &self.bench.task.seeds;
        let marks = match (self.lacks(Ablation::NoReview), self.judge) {
            (true, _) => vec![0.0; seeds.len()],
            (false, Judge::Rubric) => {
                review::reviewed(&self.bench, monitor, Some(model), seeds, 0).await?
            }
            (false, Judge::Likelihood) => {
                let found = review::crossed(&self.bench, monitor, warm_steps.div_ceil(3)).await?;
                if self.bench.task.kind == TaskKind::Instruct {
                    self.scale.clone_from(&found);
                    self.scale.sort_by(f64::total_cmp);
                }
                found.into_iter().map(|mark| self.placed(mark)).collect()
            }
        };
        for (seed, mark) in seeds.iter().zip(marks) {
            self.pool.push(Item {
                asked: seed.label,
                example: seed.clone(),
                mark,
            });
        }
        for item in &self.pool {
            self.say(monitor, 0, &item.example, item.mark, Origin::Seed);
        }
        Ok(())
    }

    fn say(
        &self,
        monitor: &mut Monitor<'_>,
        round: usize,
        answered: &Example,
        score: f64,
        origin: Origin,
    ) {
        monitor.send(&Event::Review {
            row: ROW,
            round,
            text: answered.text.clone(),
            answer: self.bench.task.said(answered),
            score,
            origin,
        });
    }

    /// The items that get worse answers (`high`), or new questions.
    fn branch(&self, high: bool) -> Vec<Item> {
        let cut = self.bench.settings.cuts.branch;
        let both = self.lacks(Ablation::NoReview);
        self.pool
            .iter()
            .filter(|item| both || (item.mark > cut) == high)
            .cloned()
            .collect()
    }

    /// Puts worse answers beside good ones; gives how many preferences came of it.
    async fn contrasts(
        &mut self,
        monitor: &mut Monitor<'_>,
        round: usize,
        model: &Adapter,
    ) -> Result<usize, Error> {
        if self.lacks(Ablation::SftOnly) {
            return Ok(0);
        }
        let settings = self.bench.settings;
        let high = self.branch(true);
        let questions: Vec<(&Example, bool)> =
            high.iter().map(|item| (&item.example, true)).collect();
        monitor.begin(Stage::Review, Some(ROW), high.len());
        let (worse, ends) = self.drawn(monitor, model, &questions, true).await?;
        let reviewed = !self.lacks(Ablation::NoReview);
        let marks = match reviewed {
            true => self.marks(monitor, model, &worse, round).await?,
            // The right answer is taken for the better one, and all others are alike.
            false => vec![-MOST; worse.len()],
        };
        let (mut added, mut begin) = (0, 0);
        for (item, end) in high.iter().zip(ends) {
            let mut answers = vec![&item.example];
            let mut scores = vec![item.mark];
            for ((answer, _), mark) in worse[begin..end].iter().zip(&marks[begin..end]) {
                answers.push(answer);
                scores.push(*mark);
                if reviewed {
                    self.say(monitor, round, answer, *mark, Origin::Contrast);
                }
            }
            begin = end;
            let name = |place: usize| self.bench.task.said(answers[place]);
            for (better, worse) in pairs(&scores, settings.cuts.gap) {
                monitor.send(&Event::Preference {
                    row: ROW,
                    round,
                    text: item.example.text.clone(),
                    context: item.example.context.clone(),
                    chosen: name(better),
                    rejected: name(worse),
                    scores: [scores[better], scores[worse]],
                });
                self.preferences.push(Pair {
                    chosen: self.bench.labelling_row(answers[better])?,
                    rejected: self.bench.labelling_row(answers[worse])?,
                });
                added += 1;
            }
        }
        monitor.tick(high.len()).await?;
        monitor.end();
        Ok(added)
    }

    /// Fine-tunes on the seeds and all that was kept so far, then trains on all preferences so far.
    async fn learn(
        &mut self,
        monitor: &mut Monitor<'_>,
        round: usize,
        mut model: Adapter,
        steps: usize,
    ) -> Result<Adapter, Error> {
        let salt = 20 + round as u64;
        let bench = &self.bench;
        if !self.lacks(Ablation::DpoOnly) {
            let (mut labelling, mut writing) = (Vec::new(), Vec::new());
            let seeds = &bench.task.seeds;
            for example in seeds.iter().chain(&self.tuned) {
                labelling.push(bench.labelling_row(example)?);
                let shots = bench.shots(example.label, Some(&example.text), &mut self.rng);
                writing.push(bench.writing_row(example, &[], &shots)?);
            }
            for _ in 1..bench.settings.seed_weight {
                labelling.extend_from_within(..seeds.len());
            }
            let place = (Stage::Train, Some(ROW));
            let groups = [labelling, writing];
            model = bench
                .train(monitor, place, Some(model), &groups, steps, salt)
                .await?;
        }
        if !self.lacks(Ablation::SftOnly) && !self.preferences.is_empty() {
            model = bench
                .prefer(monitor, ROW, model, &self.preferences, salt)
                .await?;
        }
        Ok(model)
    }

    /// How a round's model fares on the seeds that were held out: the report, and what rounds are compared by (accuracy, or F1
    /// where answers are written; then the likelihood of the right answers: a few rows give many ties).
    async fn measured(
        &self,
        monitor: &mut Monitor<'_>,
        round: usize,
        model: &Adapter,
        dev: &[Example],
        (rows, pairs): (usize, usize),
    ) -> Result<(RoundReport, (f64, f64)), Error> {
        let place = (Stage::Evaluate, Some(ROW));
        let mut score = (0.0, 0.0);
        let mut report = RoundReport {
            row: ROW,
            round,
            generated: 0,
            accepted: 0,
            accepted_by_label: vec![0; self.bench.task.labels.len()],
            rows,
            pairs,
            tokens: Tokens::default(),
            dev: None,
            f1_by_label: Vec::new(),
            chosen: false,
        };
        if !dev.is_empty() {
            let reading = self.bench.read(monitor, place, Some(model), dev).await?;
            let scored = self.bench.scored(dev, &reading);
            score = (scored.metrics.accuracy, reading.log_likelihood);
            if scored.metrics.loss.is_some() {
                score = (reading.log_likelihood, 0.0);
            } else if let Some(f1) = scored.metrics.f1.filter(|_| self.bench.task.is_open()) {
                let rows: Vec<&Example> = dev.iter().collect();
                let marks = review::written_marks(&self.bench, monitor, model, &rows).await?;
                score = (f1, marks.iter().sum());
            }
            report.dev = Some(scored.metrics);
            report.f1_by_label = scored.f1_by_label;
        }
        Ok((report, score))
    }
}
