//! Asking a teacher: what is told, the guard, the call, and the account of it.

use super::journal::{Kept, halves};
use super::run::Run;
use super::{Event, Instance, Monitor, RowName, Settings, Stage, Teacher, TeacherReport};
use crate::Error;
use crate::curate::Judged;
use crate::principle::{PrincipleSet, api, recorded};
use crate::privacy::{self, Brief, Card, Destination, Epsilon, Guard, Ledger, OsEntropy, Sketch};
use crate::task::Task;

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

/// What a teacher is asked about.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The task as the user brought it. A brief tells of all its seeds: which of them a run uses is drawn by chance, so
    /// that one seed more could change many of those, and the bound would be one for the wrong thing.
    pub whole: &'a Task,
    /// The task as it is run: answers are checked against it.
    pub task: &'a Task,
    /// Who is asked, and what the user has confirmed.
    pub settings: &'a Settings,
    /// What the student has written so far; the guard watches over it too.
    pub instances: &'a [Instance],
}

/// Sends a brief to the teacher of the settings: past the guard, on the ledger, once.
///
/// # Errors
///
/// [`Error::Brief`] when the guard or the budget refuses it, [`Error::Teacher`] and [`Error::Principle`] when no principles
/// come back, [`Error::Cancelled`], and [`Error::Setting`] where the teacher is none that is asked.
pub async fn ask(
    question: Question<'_>,
    brief: Brief,
    monitor: &mut Monitor<'_>,
    report: &mut TeacherReport,
    ledger: &mut Ledger,
) -> Result<api::Answer, Error> {
    let settings = question.settings;
    let Teacher::Api { url, model, key } = &settings.teacher else {
        return Err(Error::Setting(
            "this teacher is not asked; give the address of an endpoint".into(),
        ));
    };
    let destination = Destination::parse(url)?;
    let texts = question.instances.iter().flat_map(|one| {
        let answer = one.answer.as_deref();
        [Some(one.text.as_str()), answer].into_iter().flatten()
    });
    let mut guard = Guard::new(question.whole, destination.clone()).with_instances(texts);
    if settings.own_words_confirmed {
        guard = guard.with_own_words_confirmed();
    }
    #[cfg(feature = "desk")]
    let (guard, brief) = match settings.share_seeds {
        0 => (guard, brief),
        seeds => (
            guard.with_shared_seeds(),
            brief.sharing(question.whole, seeds),
        ),
    };
    let before = ledger.spent();
    let (cleared, warnings) = guard.clear(brief, destination, ledger, api::now())?;
    for warning in warnings {
        let text = warning.to_string();
        monitor.send(&Event::Note { text });
    }
    let shared = cleared.get().shared();
    if shared > 0 {
        monitor.send(&Event::Note {
            text: format!(
                "{shared} OF YOUR SEEDS ARE SENT TO {} AS THEY STAND; no bound holds for them",
                cleared.destination().host()
            ),
        });
    }
    report.shared_seeds = report.shared_seeds.max(shared);
    report.epsilon = report.epsilon.plus(ledger.spent_since(before));
    monitor.send(&Event::Brief {
        text: cleared.get().text().to_owned(),
        destination: cleared.destination().url().to_owned(),
        epsilon: ledger.spent_since(before),
    });
    monitor.keep(Kept {
        what: "cleared".into(),
        texts: vec![ledger.to_json()],
        ..Kept::default()
    });
    let asked = api::Teacher::new(model).with_key(key.as_deref());
    let cancel = monitor.cancel();
    let mut watch = |_: &str| !cancel.is_cancelled();
    let call = api::ask(cleared, &asked, question.task, ledger, &mut watch);
    let answer = monitor.race(call).await?;
    report.requests += answer.requests;
    report.bytes += answer.bytes_sent;
    report.tokens_in += answer.usage.input;
    report.tokens_out += answer.usage.output;
    Ok(answer)
}

/// The first principles of a run whose teacher is an endpoint: those the user has asked for already, or those it is
/// asked for now.
pub(super) async fn first(run: &mut Run<'_, '_>) -> Result<PrincipleSet, Error> {
    let settings = run.settings();
    if let Some(text) = &settings.asked {
        let set = recorded::parse(text, run.task())?.set;
        run.brief.clone_from(&settings.brief);
        run.outcome.answers.push((1, set.clone()));
        return Ok(set);
    }
    let brief = match &settings.brief {
        Some(brief) => brief.clone(),
        None => brief(run.whole, settings.epsilon)?,
    };
    run.brief = Some(brief.clone());
    send(run, 1, brief).await
}

/// Principles of a later round, from a teacher that is told what the student gets wrong: none where the user does not
/// want that told, and where it comes to nothing; the run then goes on with those it has.
///
/// The rows that are judged should be none that the student has learnt (see [`Card`]).
pub(super) async fn again(
    run: &mut Run<'_, '_>,
    row: RowName,
    round: usize,
    judged: &[Judged<'_>],
) -> Result<Option<PrincipleSet>, Error> {
    let settings = run.settings();
    let set = match &settings.teacher {
        Teacher::Recorded(text) => recorded::later(text, run.task(), round)?,
        Teacher::Api { .. } if settings.tell_weakness && settings.epsilon > Epsilon::ZERO => {
            let judged: Vec<privacy::Judged<'_>> = judged
                .iter()
                .map(|row| privacy::Judged {
                    text: row.text,
                    label: row.label,
                    predicted: row.predicted,
                    right: row.right,
                })
                .collect();
            let first = match &run.brief {
                Some(brief) => brief.clone(),
                None => Brief::of(run.whole),
            };
            let entropy = &mut OsEntropy::default();
            let card = Card::draw(run.whole, &judged, settings.epsilon, entropy)?;
            match send(run, round, first.with_card(run.whole, &card)).await {
                Ok(set) => Some(set),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => {
                    run.note(format!(
                        "round {round}: {error}; the run goes on with the principles it has"
                    ));
                    None
                }
            }
        }
        _ => None,
    };
    let Some(set) = set else { return Ok(None) };
    run.monitor.begin(Stage::Principles, Some(row), 1);
    for principle in &set.principles {
        run.monitor.send(&Event::Principle {
            principle: principle.clone(),
        });
    }
    run.monitor.tick(1).await?;
    run.monitor.end();
    Ok(Some(set))
}

/// Asks, and keeps the answer so that the run can be replayed.
async fn send(run: &mut Run<'_, '_>, round: usize, brief: Brief) -> Result<PrincipleSet, Error> {
    let settings = run.settings();
    let mut ledger = match run
        .outcome
        .ledger
        .take()
        .or_else(|| settings.ledger.clone())
    {
        Some(ledger) => ledger,
        None => Ledger::new(Epsilon::TOTAL),
    };
    // What was told before the run was interrupted stays told, whether or not an answer came.
    while let Some(kept) = run.monitor.recall_if("cleared")? {
        let before = ledger.spent();
        ledger = ledger_of(&kept)?;
        run.teacher.epsilon = run.teacher.epsilon.plus(ledger.spent_since(before));
        if let Some(kept) = run.monitor.recall_if("unanswered")? {
            run.outcome.ledger = Some(ledger_of(&kept)?);
            return Err(Error::Setting(kept.texts.into_iter().skip(1).collect()));
        }
        if let Some(kept) = run.monitor.recall_if("principles")? {
            run.outcome.ledger = Some(ledger_of(&kept)?);
            recount(&mut run.teacher, &kept.numbers);
            let text = kept.texts.get(1).map_or("", String::as_str);
            let set = recorded::parse(text, run.bench.task)?.set;
            run.outcome.answers.push((round, set.clone()));
            return Ok(set);
        }
    }
    let question = Question {
        whole: run.whole,
        task: run.bench.task,
        settings,
        instances: &run.outcome.instances,
    };
    let answer = ask(question, brief, run.monitor, &mut run.teacher, &mut ledger).await;
    let account = ledger.to_json();
    // What was sent was sent, whatever came of it.
    run.outcome.ledger = Some(ledger);
    if let Err(error) = &answer
        && round > 1
        && !matches!(error, Error::Cancelled)
    {
        // A first question that fails ends the run, and is asked again when that goes on; a later one does not.
        run.monitor.keep(Kept {
            what: "unanswered".into(),
            texts: vec![account.clone(), error.to_string()],
            ..Kept::default()
        });
    }
    let mut set = answer?.set;
    if round > 1 {
        // Ids name a principle over all rounds.
        for principle in &mut set.principles {
            principle.id = format!("round{round}/{}", principle.id);
        }
    }
    run.monitor.keep(Kept {
        what: "principles".into(),
        texts: vec![account, set.to_json().unwrap_or_default()],
        numbers: counts(&run.teacher),
        ..Kept::default()
    });
    run.outcome.answers.push((round, set.clone()));
    Ok(set)
}

fn ledger_of(kept: &Kept) -> Result<Ledger, Error> {
    let text = kept.texts.first().map_or("", String::as_str);
    Ok(Ledger::from_json(text)?)
}

/// The account of a teacher as numbers of a kept line; [`recount`] reads them.
fn counts(teacher: &TeacherReport) -> Vec<u32> {
    let counts = [
        teacher.requests as u64,
        teacher.bytes as u64,
        teacher.tokens_in,
        teacher.tokens_out,
        u64::from(teacher.epsilon.thousandths()),
        teacher.shared_seeds as u64,
    ];
    counts.into_iter().flat_map(halves).collect()
}

fn recount(teacher: &mut TeacherReport, numbers: &[u32]) {
    let count = |place: usize| match numbers.get(2 * place..2 * place + 2) {
        Some(halves) => u64::from(halves[0]) << 32 | u64::from(halves[1]),
        None => 0,
    };
    teacher.requests = count(0) as usize;
    teacher.bytes = count(1) as usize;
    (teacher.tokens_in, teacher.tokens_out) = (count(2), count(3));
    teacher.epsilon = Epsilon::new(count(4) as u32).unwrap_or_default();
    teacher.shared_seeds = count(5) as usize;
}
