//! The recipe `psi` (arXiv 2507.05991, rebuilt): principles first, then instances from them, then fine-tuning, and the
//! rows it is compared with.
//!
//! | row | what it adds to the seeds |
//! |---|---|
//! | `direct` | instances the small model writes without principles, the paper's contrast |
//! | `own_principles` | instances from principles that the small model itself found |
//! | `psi` | instances from the teacher's principles, those that the seeds vote for |
//! | `recorded` | instances that a large model wrote, from a file: what the principles spare |
//!
//! Switches: `task_level_only`, `label_level_only`, `no_selection`, `no_filter`.

use super::principles;
use super::run::{Run, accepted, warm_up};
use super::vote::Poll;
use super::writing::{Labelling, Order};
use super::{Ablation, Event, Instance, RowName, Stage, Voter};
use crate::Error;
use crate::curate::apportion;
use crate::model::Adapter;
use crate::principle::{self, PrincipleSet};
use crate::task::{self, TaskKind};
use crate::train::Row;

/// Makes the rows.
pub(super) async fn run(run: &mut Run<'_, '_>) -> Result<(), Error> {
    let mut set = match run.wants(RowName::Psi) {
        true => Some(principles::write(run, RowName::Psi).await?),
        false => None,
    };
    run.outcome.principles = set.clone();
    let writes = run.settings().rows.iter().any(|row| row.writes());
    let votes = run.task().kind != TaskKind::Instruct;
    let reads = writes && votes && run.settings().voter == Voter::Student;
    let rules = run.rule_rows(set.as_ref())?;
    // Who reads what is written from rules may have learnt them; who reads what is written without may not.
    let others = (run.settings().rows.iter()).any(|row| row.writes() && *row != RowName::Psi);
    let student = run
        .seeds_only(reads && (others || rules.is_empty()))
        .await?;
    let reader = match reads && !rules.is_empty() {
        true => Some(run.reader(RowName::Psi, &rules).await?),
        false => student.clone(),
    };
    if run.wants(RowName::Recorded) {
        recorded(run).await?;
    }
    if !writes {
        return Ok(());
    }
    let writer = warm_up(&run.bench, run.monitor, set.as_ref(), run.warm_steps).await?;
    if let Some(all) = set.take() {
        set = Some(match run.settings().lacks(Ablation::NoSelection) {
            true => all,
            false => {
                principles::select(&run.bench, run.monitor, RowName::Psi, &writer, all).await?
            }
        });
        run.outcome.principles = set.clone();
    }
    let mut written = Vec::new();
    for row in [RowName::Direct, RowName::OwnPrinciples, RowName::Psi] {
        if !run.wants(row) {
            continue;
        }
        let set = match row {
            RowName::Psi => set.clone(),
            RowName::OwnPrinciples => match principles::own(run).await? {
                Some(set) => Some(set),
                None => {
                    run.note(
                        "the model found no principle of its own that can stand; the row own_principles is left out",
                    );
                    continue;
                }
            },
            _ => None,
        };
        let reader = match row {
            RowName::Psi => &reader,
            _ => &student,
        };
        write_rounds(run, row, &writer, reader.as_ref(), set.as_ref()).await?;
        written.push(row);
        if !run.settings().equal {
            learn(run, row, &rules).await?;
        }
    }
    if run.settings().equal {
        even(run, &written);
        for row in written {
            learn(run, row, &rules).await?;
        }
    }
    Ok(())
}

/// Fine-tunes a row's student and measures it; that of `psi` learns what the rules say as well.
async fn learn(run: &mut Run<'_, '_>, row: RowName, rules: &[Row]) -> Result<(), Error> {
    let mut training = run.training(row)?;
    if row == RowName::Psi {
        training.extend_from_slice(rules);
    }
    let adapter = run.train(row, training).await?;
    run.measure(row, Some(&adapter)).await
}

/// Leaves every row as many accepted instances as the one with the fewest has, those that were written first.
fn even(run: &mut Run<'_, '_>, rows: &[RowName]) {
    let task = run.task();
    let counts = rows
        .iter()
        .map(|row| accepted(&run.outcome.instances, task, *row, None).len());
    let fewest = counts.min().unwrap_or(0);
    for row in rows {
        let mut kept = 0;
        for instance in &mut run.outcome.instances {
            if instance.row == *row && instance.accepted {
                kept += 1;
                instance.accepted = kept <= fewest;
            }
        }
    }
    run.note(format!("every row learns from {fewest} instances"));
}

/// Writes a row's instances in rounds; after each but the last, the writer learns from what was accepted.
async fn write_rounds(
    run: &mut Run<'_, '_>,
    row: RowName,
    writer: &Adapter,
    student: Option<&Adapter>,
    set: Option<&PrincipleSet>,
) -> Result<(), Error> {
    let settings = run.settings();
    let task = run.task();
    let mut filter = run.filter();
    let mut poll = Poll::new(settings.vote, task.labels.len());
    let mut writer = writer.clone();
    let rounds = settings.rounds();
    let unfiltered = settings.lacks(Ablation::NoFilter);
    let shown = super::data::shown(task);
    for round in 1..=rounds {
        // What does not divide evenly is written in the first rounds.
        let wanted =
            settings.instances / rounds + usize::from(round <= settings.instances % rounds);
        let wanted = apportion(wanted, &shown, &vec![1.0; task.labels.len()]);
        let order = Order {
            row,
            round,
            wanted: &wanted,
            difficulty: None,
            rules: &mut |label, rng| match set {
                Some(set) => principle::draw(set, &task.labels[label], settings.rules, rng),
                None => Vec::new(),
            },
            labelling: match settings.voter {
                Voter::None => Labelling::Asked,
                _ if unfiltered => Labelling::Asked,
                // Two free responses need not agree for either to be good.
                _ if task.kind == TaskKind::Instruct => Labelling::Asked,
                _ => Labelling::Vote,
            },
            reader: match (settings.voter, student) {
                (Voter::Student, Some(student)) => student,
                _ => &writer,
            },
            unfiltered,
        };
        let instances = &mut run.outcome.instances;
        run.bench
            .write(
                run.monitor,
                &writer,
                order,
                &mut filter,
                &mut poll,
                instances,
            )
            .await?;
        if round == rounds {
            break;
        }
        let mut rng = fastrand::Rng::with_seed(settings.seed ^ round as u64);
        let (mut labelling, mut writing) = (Vec::new(), Vec::new());
        let written = accepted(instances, task, row, None);
        for example in task.seeds.iter().chain(&written) {
            labelling.push(run.bench.labelling_row(example)?);
            let shots = run
                .bench
                .shots(example.label, Some(&example.text), &mut rng);
            writing.push(run.bench.writing_row(example, &[], &shots)?);
        }
        let place = (Stage::WarmUp, Some(row));
        let (groups, steps) = ([labelling, writing], run.warm_steps.div_ceil(2));
        writer = run
            .bench
            .train(
                run.monitor,
                place,
                Some(writer),
                &groups,
                steps,
                2 + round as u64,
            )
            .await?;
    }
    Ok(())
}

/// The row `recorded`: seeds and as many of a large model's instances as the other rows have. Those that are seeds or test
/// rows word for word are left out.
async fn recorded(run: &mut Run<'_, '_>) -> Result<(), Error> {
    let (task, settings) = (run.task(), run.settings());
    let text = settings.recorded.as_deref().unwrap_or_default();
    let mut filter = run.filter();
    for row in run.test {
        filter.accept(&row.text);
    }
    let rows = match task.kind {
        TaskKind::Classification => task::parse_seeds(text, Some(&task.labels))?.examples,
        _ => task::parse_rows(task, text)?,
    };
    let mut kept = 0;
    for (index, example) in rows.into_iter().enumerate() {
        let fate = filter.check(&example.text, task.label_of(&example), true);
        if fate.is_ok() && kept == settings.instances {
            break;
        }
        if fate.is_ok() {
            filter.accept(&example.text);
            kept += 1;
        }
        let instance = Instance {
            row: RowName::Recorded,
            index,
            accepted: fate.is_ok(),
            reason: fate.as_ref().err().map(ToString::to_string),
            refusal: fate.as_ref().err().map(|refusal| refusal.code().to_owned()),
            model: "recorded".into(),
            ..Instance::of(task, &example)
        };
        run.monitor.send(&Event::Instance(instance.clone()));
        run.outcome.instances.push(instance);
    }
    if kept < settings.instances {
        run.note(format!(
            "the file of recorded instances has {kept} that can be used, of {} wanted",
            settings.instances
        ));
    }
    let training = run.training(RowName::Recorded)?;
    let adapter = run.train(RowName::Recorded, training).await?;
    run.measure(RowName::Recorded, Some(&adapter)).await
}
