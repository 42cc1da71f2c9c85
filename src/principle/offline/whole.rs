//! The task level: what makes an answer right, and what every text looks like.

use super::{
    Ranked, Seeds, at_least, between, lengths, most_frequent, principle, usual_range, within,
};
use crate::principle::phrases::joined;
use crate::principle::profile::{Form, Profile};
use crate::principle::{Level, MAX_TEXT_CHARS};
use crate::task::TaskKind;

/// From this share on (per cent), something is said of "most" texts.
const MOST: usize = 60;

pub(super) fn write(seeds: &Seeds<'_>) -> Vec<Ranked> {
    let all: Vec<&Profile> = seeds.profiles.iter().collect();
    let mut principles = vec![answer(seeds), length(&all)];
    principles.extend(form(&all));
    principles.extend(casing(&all));
    principles.extend(person(&all));
    principles
        .into_iter()
        .map(|(attribute, text, support)| {
            (1, principle(Level::Task, None, attribute, text, support))
        })
        .collect()
}

type Rule = (&'static str, String, usize);

fn answer(seeds: &Seeds<'_>) -> Rule {
    let task = seeds.task;
    if task.kind == TaskKind::Qa && task.is_open() {
        let counts = task.seeds_per_label();
        let usual = most_frequent(counts.iter().copied().enumerate());
        let form = usual.unwrap_or_default();
        let text = format!("The right answer is most often {}.", task.labels[form]);
        return ("answer", text, counts[form]);
    }
    if task.kind == TaskKind::Instruct {
        let text = "The response does what the instruction asks, and no more.";
        return ("answer", text.to_owned(), seeds.profiles.len());
    }
    let labels = task.types();
    if task.kind == TaskKind::Ner {
        let head = "The right answer is each entity as it stands in the text, with its type: ";
        return (
            "answer",
            joined(head, labels, ", ", "."),
            seeds.profiles.len(),
        );
    }
    let all = format!("The right answer is exactly one of: {}.", labels.join(", "));
    let text = if all.chars().count() <= MAX_TEXT_CHARS {
        all
    } else {
        joined(
            &format!(
                "The right answer is exactly one of {} labels, such as ",
                labels.len()
            ),
            &labels[..labels.len().min(3)],
            ", ",
            ".",
        )
    };
    ("answer", text, seeds.profiles.len())
}

fn length(all: &[&Profile]) -> Rule {
    let lengths = lengths(all);
    let range = usual_range(&lengths);
    ("length", between(range), within(&lengths, range))
}

fn form(all: &[&Profile]) -> Option<Rule> {
    let count = |form| all.iter().filter(|profile| profile.form == form).count();
    let form = most_frequent(Form::ALL.map(|form| (form, count(form))))?;
    let texts: Vec<_> = all.iter().filter(|profile| profile.form == form).collect();
    if !at_least(texts.len(), MOST, all.len()) {
        return None;
    }
    let usual = if form == Form::Question { '?' } else { '.' };
    let name = if form == Form::Question {
        "question mark"
    } else {
        "full stop"
    };
    let with = texts
        .iter()
        .filter(|profile| profile.mark == Some(usual))
        .count();
    let without = texts
        .iter()
        .filter(|profile| profile.mark.is_none())
        .count();
    let mark = if at_least(with, MOST, texts.len()) {
        format!(" with a {name}")
    } else if at_least(without, MOST, texts.len()) {
        format!(" without a {name}")
    } else {
        String::new()
    };
    Some((
        "form",
        format!("Most texts are {}s{mark}.", form.name()),
        texts.len(),
    ))
}

fn casing(all: &[&Profile]) -> Option<Rule> {
    let lower = all.iter().filter(|profile| profile.lower_case).count();
    let capital = all.iter().filter(|profile| profile.capital).count();
    if at_least(lower, MOST, all.len()) {
        Some((
            "casing",
            "Most texts are written in lower case.".to_owned(),
            lower,
        ))
    } else if at_least(capital, MOST, all.len()) {
        Some((
            "casing",
            "Most texts start with a capital letter.".to_owned(),
            capital,
        ))
    } else {
        None
    }
}

fn person(all: &[&Profile]) -> Option<Rule> {
    let first = all.iter().filter(|profile| profile.first_person).count();
    let second = all.iter().filter(|profile| profile.second_person).count();
    let (who, support) = if first >= second {
        ("I or we", first)
    } else {
        ("you", second)
    };
    if at_least(support, MOST, all.len()) {
        Some(("person", format!("Most texts say {who}."), support))
    } else if at_least(support, 30, all.len()) {
        Some(("person", format!("Many texts say {who}."), support))
    } else {
        None
    }
}
