//! Who reviews: the model in words, or by its likelihoods.

use super::{Lance, ROW};
use crate::Error;
use crate::curate::review::{self, MOST, SMALLEST_REVIEWER, likelihood};
use crate::evolve::stages::Bench;
use crate::evolve::{Judge, Monitor, Stage, prompts, shapes};
use crate::model::{Adapter, Model};
use crate::task::{Example, TaskKind};
use crate::train::Row;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    evolve::{Ablation, Recipe},
    generate::{Answers, Scorer},
    task::Answer,
};

/// The judge for a model: small ones cannot hold the rubric.
pub(super) fn usual(model: &Model) -> Judge {
    match model.decoder.config().parameters() < SMALLEST_REVIEWER {
        true => Judge::Likelihood,
        false => Judge::Rubric,
    }
}

/// The judge of a run.
pub(super) fn judge(bench: &Bench<'_>) -> Judge {
    (bench.settings.judge).unwrap_or_else(|| usual(bench.model))
}

/// Ten times the share of some numbers, from low to high, that another is at least as large as.
pub(super) fn place(scale: &[f64], number: f64) -> f64 {
    let below = scale.partition_point(|other| *other <= number);
    MOST * below as f64 / scale.len() as f64
}

#[cfg(not(target_arch = "wasm32"))]
impl Bench<'_> {
    /// The marks of free responses by the judge that all rows have, the model as it came: its reviews in words, or how
    /// probable it finds it that a response is good. None where the recipe has no reviewer.
    pub(in crate::evolve) async fn judged(
        &self,
        monitor: &Monitor<'_>,
        rows: &[Example],
        answers: &[Answer],
    ) -> Result<Vec<f64>, Error> {
        let settings = self.settings;
        let free = self.task.kind == TaskKind::Instruct;
        if !free || settings.recipe != Recipe::Lance || settings.lacks(Ablation::NoReview) {
            return Ok(Vec::new());
        }
        let answered = rows.iter().zip(answers).map(|(row, answer)| Example {
            answer: answer.clone(),
            ..row.clone()
        });
        let answered: Vec<Example> = answered.collect();
        if judge(self) == Judge::Rubric {
            return reviewed(self, monitor, None, &answered, 0).await;
        }
        let vocabulary = &self.model.vocabulary;
        let words = ["good", "bad"].map(|word| vocabulary.answer(word));
        let words = Answers::new(words.into_iter().collect::<Result<_, _>>()?);
        let mut scorer = Scorer::new(self.model, None);
        let mut marks = Vec::with_capacity(rows.len());
        for batch in answered.chunks(settings.readers) {
            let prompts = batch.iter().map(|answered| {
                let context = answered.context.as_deref();
                let asked = prompts::question(self.task, &self.head, &answered.text, context);
                let said = self.task.said(answered);
                let make = |asked: &str| prompts::plain(vocabulary, review::verdict(asked, &said));
                prompts::cut(make(&asked)?, self.most(words.longest()), &asked, &make)
            });
            let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
            let scores = self.score(monitor, &mut scorer, &prompts, &words).await?;
            marks.extend(scores.iter().map(|scores| likelihood(scores, 0)));
            monitor.breathe().await?;
        }
        Ok(marks)
    }
}

/// The mark of each seed: its answer's likelihood to a model that learnt from the other half of the seeds.
pub(super) async fn crossed(
    bench: &Bench<'_>,
    monitor: &mut Monitor<'_>,
    steps: usize,
) -> Result<Vec<f64>, Error> {
    let seeds = &bench.task.seeds;
    let half_of = halves(seeds, bench.task.labels.len());
    let mut marks = vec![0.0; seeds.len()];
    for half in 0..2 {
        let mut rows = Vec::new();
        for (seed, own) in seeds.iter().zip(&half_of) {
            if *own != half {
                rows.push(bench.labelling_row(seed)?);
            }
        }
        if rows.is_empty() {
            continue;
        }
        let place = (Stage::Review, Some(ROW));
        let reviewer = bench
            .train(monitor, place, None, &[rows], steps.max(1), 3)
            .await?;
        let places: Vec<usize> = (0..seeds.len())
            .filter(|seed| half_of[*seed] == half)
            .collect();
        let texts: Vec<&Example> = places.iter().map(|seed| &seeds[*seed]).collect();
        if bench.task.is_open() {
            let found = written_marks(bench, monitor, &reviewer, &texts).await?;
            for (seed, mark) in places.into_iter().zip(found) {
                marks[seed] = mark;
            }
            continue;
        }
        let scores = bench.scores(monitor, Some(&reviewer), &texts).await?;
        for (seed, scores) in places.into_iter().zip(scores) {
            marks[seed] = likelihood(&scores, seeds[seed].label);
        }
    }
    Ok(marks)
}

/// The marks of answers that are written: ten times the probability of a token, in the geometric mean over the answer's. Of
/// free responses it is by how much the instruction makes a token likelier, nats in the mean, which is no mark yet.
pub(super) async fn written_marks(
    bench: &Bench<'_>,
    monitor: &Monitor<'_>,
    model: &Adapter,
    answers: &[&Example],
) -> Result<Vec<f64>, Error> {
    let rows = answers.iter().map(|answer| bench.labelling_row(answer));
    let mut rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
    let free = bench.task.kind == TaskKind::Instruct;
    if free {
        let nothing = prompts::plain(&bench.model.vocabulary, String::new())?;
        for place in 0..answers.len() {
            let said = &rows[place].ids[rows[place].answer..];
            rows.push(Row::new(nothing.clone(), said));
        }
    }
    let logps = bench.token_logps(monitor, Some(model), &rows).await?;
    let (logps, alone) = logps.split_at(answers.len());
    Ok(match free {
        true => logps
            .iter()
            .zip(alone)
            .map(|(logp, alone)| logp - alone)
            .collect(),
        false => logps.iter().map(|logp| MOST * logp.exp()).collect(),
    })
}

/// Deals each label's seeds out to two halves in turn.
fn halves(seeds: &[Example], labels: usize) -> Vec<usize> {
    let mut seen = vec![0usize; labels];
    seeds
        .iter()
        .map(|seed| {
            seen[seed.label] += 1;
            seen[seed.label] % 2
        })
        .collect()
}

impl Lance<'_> {
    /// The marks of answers, each with what its likelihood alone would give it.
    pub(super) async fn marks(
        &self,
        monitor: &Monitor<'_>,
        model: &Adapter,
        answers: &[(Example, f64)],
        round: usize,
    ) -> Result<Vec<f64>, Error> {
        match self.judge {
            Judge::Rubric => {
                let answers: Vec<Example> =
                    answers.iter().map(|(answer, _)| answer.clone()).collect();
                reviewed(&self.bench, monitor, Some(model), &answers, round).await
            }
            Judge::Likelihood => Ok(answers.iter().map(|(_, mark)| *mark).collect()),
        }
    }
}

/// Reviews in words: several draws for each answer, and the mean of their marks.
pub(super) async fn reviewed(
    bench: &Bench<'_>,
    monitor: &Monitor<'_>,
    model: Option<&Adapter>,
    answers: &[Example],
    round: usize,
) -> Result<Vec<f64>, Error> {
    let settings = bench.settings;
    let mut requests = Vec::new();
    for answer in answers {
        let said = bench.task.said(answer);
        let question = match &answer.context {
            None => answer.text.clone(),
            Some(context) => [context, "\n", &answer.text].concat(),
        };
        let make = |question: &str| {
            let request = review::request(&bench.head.instruction, question, &said);
            prompts::plain(&bench.model.vocabulary, request)
        };
        let most = bench.most(settings.review_tokens);
        let prompt = prompts::cut(make(&question)?, most, &question, &make)?;
        requests.extend(std::iter::repeat_n(prompt, settings.reviews));
    }
    let (sampling, seed) = (
        settings.review_sampling,
        settings.seed ^ (round as u64) << 40,
    );
    let texts = bench
        .shaped(
            monitor,
            model,
            &requests,
            settings.review_tokens,
            sampling,
            &[shapes::review()],
            seed,
        )
        .await?;
    let marks: Vec<Option<f64>> = texts.iter().map(|text| review::mark(&text.text)).collect();
    Ok(marks.chunks(settings.reviews).map(review::mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_share_of_the_scale_that_is_no_higher() {
        let scale = [1.0, 2.0, 2.0, 4.0];
        let places = [0.5, 1.0, 2.0, 3.9, 4.0, 9.0].map(|number| place(&scale, number));
        assert_eq!(places, [0.0, 2.5, 7.5, 7.5, 10.0, 10.0]);
    }

    #[test]
    fn both_halves_have_seeds_of_every_label_that_has_two() {
        let seeds: Vec<Example> = (0..9).map(|seed| Example::new("", seed / 4)).collect();
        let halves = halves(&seeds, 3);
        for label in 0..2 {
            let own = |half| {
                (0..9)
                    .filter(|s| seeds[*s].label == label && halves[*s] == half)
                    .count()
            };
            assert_eq!((own(0), own(1)), (2, 2));
        }
    }
}
