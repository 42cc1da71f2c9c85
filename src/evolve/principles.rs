//! Where a run's principles come from, and which of them the seeds vote for.

use super::journal::{Kept, Sum, halves};
use super::run::Run;
use super::stages::Bench;
use super::{Ablation, Event, Monitor, RowName, Settings, Stage, Teacher, TeacherReport, prompts};
use crate::Error;
use crate::generate::Sampling;
use crate::model::Adapter;
use crate::principle::{self, Level, PrincipleError, PrincipleSet, api, local, offline, recorded};
use crate::privacy::{Brief, Destination, Epsilon, Guard, Ledger, OsEntropy, Sketch};
use crate::task::Task;
use crate::train::{Pair, reference_logps};

/// Seeds of a label that vote on each principle: more cost time and change little.
const VOTERS: usize = 4;
/// Most new tokens of an answer that states rules.
const RULES_TOKENS: usize = 160;

/// The teacher's principles, as far as the recipe's levels go.
pub(super) async fn write(run: &mut Run<'_, '_>, row: RowName) -> Result<PrincipleSet, Error> {
    run.monitor.begin(Stage::Principles, Some(row), 1);
    let (tasks, settings) = ((run.task(), run.whole), run.settings());
    let (teacher, ledger) = (&mut run.teacher, &mut run.outcome.ledger);
    let set = taught(tasks, settings, run.monitor, teacher, ledger).await?;
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

/// The brief of a task, with fresh noise; it tells nothing of the seeds where ε is zero.
///
/// # Errors
///
/// [`Error::Brief`] where the system has no random bits.
pub fn brief(task: &Task, epsilon: Epsilon) -> Result<Brief, Error> {
    let sketch = match epsilon {
        Epsilon::ZERO => None,
        epsilon => Some(Sketch::draw(task, epsilon, &mut OsEntropy::default())?),
    };
    Ok(Brief::with(task, sketch.as_ref(), None))
}

/// Lets the teacher write principles.
///
/// `whole` is the task as the user brought it. A brief tells of all its seeds: which of them a run uses is drawn by
/// chance, so that one seed more could change many of those, and the bound would be one for the wrong thing.
async fn taught(
    (task, whole): (&Task, &Task),
    settings: &Settings,
    monitor: &mut Monitor<'_>,
    teacher: &mut TeacherReport,
    ledger: &mut Option<Ledger>,
) -> Result<PrincipleSet, Error> {
    let set = match &settings.teacher {
        Teacher::Offline => offline::write(task),
        Teacher::Recorded(text) => recorded::parse(text, task)?.set,
        Teacher::Api { url, model, key } => {
            let destination = Destination::parse(url)?;
            let mut known = settings.ledger.clone();
            // What was told before the run was interrupted stays told, whether or not an answer came.
            while let Some(kept) = monitor.recall_if("cleared")? {
                let texts = kept.texts.first().map_or("", String::as_str);
                known = Some(Ledger::from_json(texts)?);
                if let Some(kept) = monitor.recall_if("principles")? {
                    return answered(&kept, task, teacher, ledger);
                }
            }
            let brief = match &settings.brief {
                Some(brief) => brief.clone(),
                None => brief(whole, settings.epsilon)?,
            };
            let mut guard = Guard::new(whole, destination.clone());
            if settings.own_words_confirmed {
                guard = guard.with_own_words_confirmed();
            }
            let ledger = ledger.insert(known.unwrap_or_else(|| Ledger::new(Epsilon::TOTAL)));
            let spent = settings
                .ledger
                .as_ref()
                .map_or(Epsilon::ZERO, Ledger::spent);
            let (brief, _) = guard.clear(brief, destination, ledger, api::now())?;
            teacher.epsilon = ledger.spent_since(spent);
            monitor.send(&Event::Brief {
                text: brief.get().text().to_owned(),
                destination: brief.destination().url().to_owned(),
                epsilon: teacher.epsilon,
            });
            monitor.keep(Kept {
                what: "cleared".into(),
                texts: vec![ledger.to_json()],
                ..Kept::default()
            });
            let asked = api::Teacher::new(model).with_key(key.as_deref());
            let cancel = monitor.cancel();
            let mut watch = |_: &str| !cancel.is_cancelled();
            let answer = monitor
                .race(api::ask(brief, &asked, task, ledger, &mut watch))
                .await?;
            teacher.requests += answer.requests;
            teacher.bytes += answer.bytes_sent;
            teacher.tokens_in += answer.usage.input;
            teacher.tokens_out += answer.usage.output;
            let counts = [
                teacher.requests as u64,
                teacher.bytes as u64,
                teacher.tokens_in,
                teacher.tokens_out,
                u64::from(teacher.epsilon.thousandths()),
            ];
            monitor.keep(Kept {
                what: "principles".into(),
                texts: vec![ledger.to_json(), answer.set.to_json().unwrap_or_default()],
                numbers: counts.into_iter().flat_map(halves).collect(),
                ..Kept::default()
            });
            answer.set
        }
    };
    Ok(set)
}

/// What a teacher answered before the run was interrupted, and what that had cost.
fn answered(
    kept: &Kept,
    task: &Task,
    teacher: &mut TeacherReport,
    ledger: &mut Option<Ledger>,
) -> Result<PrincipleSet, Error> {
    let text = |place: usize| kept.texts.get(place).map_or("", String::as_str);
    let count = |place: usize| match kept.numbers.get(2 * place..2 * place + 2) {
        Some(halves) => u64::from(halves[0]) << 32 | u64::from(halves[1]),
        None => 0,
    };
    *ledger = Some(Ledger::from_json(text(0))?);
    teacher.requests = count(0) as usize;
    teacher.bytes = count(1) as usize;
    (teacher.tokens_in, teacher.tokens_out) = (count(2), count(3));
    teacher.epsilon = Epsilon::new(count(4) as u32)?;
    Ok(recorded::parse(text(1), task)?.set)
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
        .map(|question| prompts::plain(vocabulary, question.text.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let sampling = Sampling {
        temperature: 0.2,
        ..bench.settings.sampling
    };
    let seed = bench.settings.seed;
    let texts = bench
        .texts(
            run.monitor,
            None,
            &prompts,
            RULES_TOKENS,
            sampling,
            false,
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
    let selection = principle::select(&set, &votes, &tokens, bench.settings.principle_tokens)?;
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
