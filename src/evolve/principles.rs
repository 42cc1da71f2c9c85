//! Where a run's principles come from, and which of them the seeds vote for.

use super::journal::{Kept, Sum};
use super::run::Run;
use super::stages::Bench;
use super::{
    Ablation, Event, Monitor, RowName, Settings, Stage, Teacher, prompts, shapes, teaching,
};
use crate::Error;
use crate::generate::Sampling;
use crate::model::Adapter;
use crate::principle::{self, Level, PrincipleError, PrincipleSet, local, offline, recorded};
use crate::train::{Pair, reference_logps};

/// Seeds of a label that vote on each principle: more cost time and change little.
const VOTERS: usize = 4;
/// Most new tokens of an answer that states rules.
const RULES_TOKENS: usize = 160;

/// The teacher's principles, as far as the recipe's levels go.
pub(super) async fn write(run: &mut Run<'_, '_>, row: RowName) -> Result<PrincipleSet, Error> {
    run.monitor.begin(Stage::Principles, Some(row), 1);
    let settings = run.settings();
    let set = match &settings.teacher {
        Teacher::Offline => offline::write(run.task()),
        Teacher::Recorded(text) => recorded::parse(text, run.task())?.set,
        Teacher::Api { .. } => teaching::first(run).await?,
    };
    let set = levels(set, settings)?;
    for principle in &set.principles {
        run.monitor.send(&Event::Principle {
            principle: principle.clone(),
        });
    }
    run.monitor.tick(1).await?;
    run.monitor.end();
    Ok(set)
}

/// The principles of the levels that are switched on.
fn levels(mut set: PrincipleSet, settings: &Settings) -> Result<PrincipleSet, PrincipleError> {
    let only = match () {
        () if settings.lacks(Ablation::TaskLevelOnly) => Some(Level::Task),
        () if settings.lacks(Ablation::LabelLevelOnly) => Some(Level::Label),
        () => None,
    };
    if let Some(only) = only {
        set.principles.retain(|principle| principle.level == only);
    }
    match set.principles.is_empty() {
        true => Err(PrincipleError::Empty),
        false => Ok(set),
    }
}

/// The principles that the small model itself finds in the seeds; none where it finds none that can stand.
pub(super) async fn own(run: &mut Run<'_, '_>) -> Result<Option<PrincipleSet>, Error> {
    let (bench, task) = (&run.bench, run.bench.task);
    let questions = local::prompts(task);
    let place = (Stage::Principles, Some(RowName::OwnPrinciples));
    run.monitor.begin(place.0, place.1, questions.len());
    let vocabulary = &bench.model.vocabulary;
    let prompts = questions
        .iter()
        .map(|question| {
            let (seeds, order) = question.text.split_at(question.seeds);
            let make = |seeds: &str| prompts::plain(vocabulary, [seeds, order].concat());
            prompts::cut(make(seeds)?, bench.most(RULES_TOKENS), seeds, &make)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sampling = Sampling {
        temperature: 0.2,
        ..bench.settings.sampling
    };
    let seed = bench.settings.seed;
    let texts = bench
        .shaped(
            run.monitor,
            None,
            &prompts,
            RULES_TOKENS,
            sampling,
            &[shapes::rules()],
            seed,
        )
        .await?;
    let answers: Vec<(usize, String)> = questions
        .iter()
        .zip(texts)
        .map(|(question, text)| (question.label, text.text))
        .collect();
    run.monitor.tick(questions.len()).await?;
    run.monitor.end();
    match local::read(task, &answers) {
        Ok((set, _)) => {
            for principle in &set.principles {
                run.monitor.send(&Event::Principle {
                    principle: principle.clone(),
                });
            }
            Ok(Some(set))
        }
        Err(PrincipleError::Empty) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The principles that the seeds vote for: those that make the seeds they concern likelier to the student.
pub(super) async fn select(
    bench: &Bench<'_>,
    monitor: &mut Monitor<'_>,
    row: RowName,
    student: &Adapter,
    set: PrincipleSet,
) -> Result<PrincipleSet, Error> {
    let task = bench.task;
    let mut voters = Vec::new();
    let mut taken = vec![0; task.labels.len()];
    for seed in &task.seeds {
        taken[seed.label] += 1;
        if taken[seed.label] <= VOTERS {
            voters.push(seed);
        }
    }
    monitor.begin(Stage::Principles, Some(row), set.principles.len());
    let mut votes = Vec::with_capacity(set.principles.len());
    let mut tokens = Vec::with_capacity(set.principles.len());
    let mut rng = fastrand::Rng::with_seed(bench.settings.seed);
    for principle in &set.principles {
        let alone = PrincipleSet {
            principles: vec![principle.clone()],
            ..set.clone()
        };
        let (mut pairs, mut places) = (Vec::new(), Vec::new());
        for (place, seed) in voters.iter().enumerate() {
            let label = &task.labels[seed.label];
            if principle.label.as_ref().is_some_and(|own| own != label) {
                continue;
            }
            // A value to vary must hold for the text that votes on it.
            let rules = match principle.values.is_empty() {
                true => vec![principle.text.clone()],
                false => principle::holding(&alone, label, &seed.text, 1, &mut rng),
            };
            if rules.is_empty() {
                continue;
            }
            places.push(place);
            pairs.push(Pair {
                chosen: bench.writing_row(seed, &rules, &[])?,
                rejected: bench.writing_row(seed, &[], &[])?,
            });
        }
        let found = asked(bench, monitor, student, &pairs).await?;
        let mut gains = vec![0.0f32; voters.len()];
        for (place, gain) in places.into_iter().zip(found) {
            gains[place] = gain;
        }
        votes.push(gains);
        tokens.push(bench.model.vocabulary.encode(&principle.text)?.len());
        monitor.tick(votes.len()).await?;
    }
    monitor.end();
    // Fewer seeds than might vote show too little of a label to speak against a rule that none of them shows.
    let few = task.seeds.len() < VOTERS * task.labels.len();
    let trusting = few && bench.settings.is_taught();
    let budget = bench.settings.principle_tokens;
    let selection = principle::select(&set, &votes, &tokens, budget, trusting)?;
    for verdict in &selection.verdicts {
        monitor.send(&Event::Verdict {
            verdict: verdict.clone(),
        });
    }
    Ok(selection.set)
}

/// By how much the chosen text of each pair is likelier than the other, nats.
async fn asked(
    bench: &Bench<'_>,
    monitor: &Monitor<'_>,
    student: &Adapter,
    pairs: &[Pair],
) -> Result<Vec<f32>, Error> {
    let rows = pairs.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]);
    let of = Sum::new().rows(rows).end();
    if let Some(kept) = monitor.recall("votes", of)? {
        return Ok(kept.numbers.into_iter().map(f32::from_bits).collect());
    }
    let found = monitor
        .whole(reference_logps(bench.model, Some(student), pairs))
        .await?;
    let gains: Vec<f32> = found
        .iter()
        .map(|logps| (logps.chosen - logps.rejected) as f32)
        .collect();
    monitor.keep(Kept {
        what: "votes".into(),
        of,
        numbers: gains.iter().map(|gain| gain.to_bits()).collect(),
        ..Kept::default()
    });
    Ok(gains)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::task::parse_pasted;

    #[test]
    fn a_level_that_is_switched_on_alone_leaves_no_principle_of_another() {
        let task = parse_pasted(
            "mood",
            "Say the mood.",
            "glad\tlovely day\nglad\tlovely walk\nsad\tlost it\nsad\tlost again",
        )
        .unwrap();
        for (ablation, level) in [
            (Ablation::TaskLevelOnly, Level::Task),
            (Ablation::LabelLevelOnly, Level::Label),
        ] {
            let mut settings = Settings::default();
            settings.ablations.push(ablation);
            let set = levels(offline::write(&task), &settings).unwrap();
            assert!(
                set.principles
                    .iter()
                    .all(|principle| principle.level == level)
            );
            let mut none = set;
            none.principles.clear();
            assert_eq!(levels(none, &settings), Err(PrincipleError::Empty));
        }
    }
}
