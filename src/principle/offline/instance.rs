//! The instance level: what to vary from one instance to the next, and within what.

use std::cmp::Ordering;

use super::label::{holds, key_terms, ways_to_begin};
use super::{Ranked, Seeds, at_least, lengths, percentile, range, vary, within};
use crate::principle::Principle;
use crate::principle::phrases::{is_function_word, joined, quoted};
use crate::principle::profile::{Form, Profile, begins_any_text};

/// How many values an attribute has at most.
const VALUES: usize = 12;
/// How many words there should be to vary, if need be with words seen once.
const WANTED: usize = 8;
/// With fewer seeds than this, a label's own lengths would only be those of its seeds.
const OWN_LENGTHS: usize = 6;
/// What fewer texts show (per cent) is not asked for.
const RARE: usize = 20;

/// What holds for every label.
pub(super) fn write_shared(seeds: &Seeds<'_>) -> Vec<Ranked> {
    let all: Vec<&Profile> = seeds.profiles.iter().collect();
    vec![(1, length(None, &all))]
}

/// What holds for one label.
pub(super) fn write(seeds: &Seeds<'_>, label: usize) -> Vec<Ranked> {
    let own = seeds.of(label);
    let name = Some(seeds.task.labels[label].as_str());
    let mut ranked = Vec::new();
    if own.len() >= OWN_LENGTHS {
        ranked.push((4, length(name, &own)));
    }
    ranked.extend(openings(name, &own).map(|principle| (2, principle)));
    ranked.extend(form(name, &own).map(|principle| (5, principle)));
    ranked.extend(words(seeds, label, &own).map(|principle| (1, principle)));
    ranked.extend(mentions(name, &own).map(|principle| (5, principle)));
    ranked
}

/// Short, medium and long: thirds of the lengths between the 10th and the 90th percentile.
fn length(label: Option<&str>, profiles: &[&Profile]) -> Principle {
    let lengths = lengths(profiles);
    let at = |percent| percentile(&lengths, percent);
    let (low, short, medium, high) = (at(10).max(1), at(34), at(67), at(90));
    let mut ranges = Vec::new();
    let mut last = range(low, short);
    for end in [medium, high] {
        match end.cmp(&(last.1 + 1)) {
            Ordering::Greater => {
                ranges.push(last);
                last = (last.1 + 1, end);
            }
            // A third of one length alone is no range; it joins the one before.
            Ordering::Equal => last.1 = end,
            Ordering::Less => {}
        }
    }
    ranges.push(last);
    let support = within(&lengths, (low, last.1));
    let values: Vec<String> = ranges
        .iter()
        .map(|(low, high)| format!("{low} to {high} words"))
        .collect();
    let text = joined("Vary the length: ", &values, " or ", ".");
    vary(label, "length", values, text, support)
}

/// Ways to begin that more than one text shows; where these are few, also those seen once that would begin any text.
fn openings(label: Option<&str>, own: &[&Profile]) -> Option<Principle> {
    let ways = ways_to_begin(own);
    let usual = ways.iter().filter(|(_, count)| *count >= 2).count();
    let few = usual < 3;
    let chosen: Vec<&(String, usize)> = ways
        .iter()
        .filter(|(way, count)| *count >= 2 || few && begins_any_text(way))
        .take(VALUES)
        .collect();
    if chosen.is_empty() {
        return None;
    }
    let support = chosen.iter().map(|(_, count)| count).sum();
    let values: Vec<String> = chosen.into_iter().map(|(way, _)| way.clone()).collect();
    let text = quoted("Vary the opening: start with ", &values, " or ", ".");
    Some(vary(label, "opening", values, text, support))
}

fn form(label: Option<&str>, own: &[&Profile]) -> Option<Principle> {
    let count = |form: &Form| own.iter().filter(|profile| profile.form == *form).count();
    let forms: Vec<Form> = Form::ALL
        .into_iter()
        .filter(|form| at_least(count(form), RARE, own.len()))
        .collect();
    if forms.is_empty() {
        return None;
    }
    let support = forms.iter().map(count).sum();
    let values: Vec<String> = forms.iter().map(|form| form.name().to_owned()).collect();
    let named: Vec<String> = values.iter().map(|value| format!("a {value}")).collect();
    let head = if values.len() == 1 {
        "Keep the form: write "
    } else {
        "Vary the form: write "
    };
    Some(vary(
        label,
        "form",
        values,
        joined(head, &named, " or ", "."),
        support,
    ))
}

fn words(seeds: &Seeds<'_>, label: usize, own: &[&Profile]) -> Option<Principle> {
    let terms: Vec<String> = key_terms(seeds, label, WANTED)
        .into_iter()
        .map(|term| term.text)
        .filter(|term| !term.contains(' ') && !is_function_word(term))
        .take(VALUES)
        .collect();
    if terms.is_empty() {
        return None;
    }
    let support = own
        .iter()
        .filter(|profile| terms.iter().any(|term| holds(profile, term)))
        .count();
    let values: Vec<String> = terms.iter().map(|term| seeds.spelled(term)).collect();
    let text = quoted("Vary the topic: use the word ", &values, " or ", ".");
    let name = seeds.task.labels[label].as_str();
    Some(vary(Some(name), "words", values, text, support))
}

/// Whether a text shows something.
type Test = fn(&Profile) -> bool;

fn mentions(label: Option<&str>, own: &[&Profile]) -> Option<Principle> {
    let shows: [(&str, Test); 2] = [("a number", |p| p.number), ("a name", |p| p.name)];
    let common: Vec<_> = shows
        .into_iter()
        .filter(|(_, test)| {
            at_least(
                own.iter().filter(|profile| test(profile)).count(),
                RARE,
                own.len(),
            )
        })
        .collect();
    if common.is_empty() {
        return None;
    }
    let support = own
        .iter()
        .filter(|profile| common.iter().any(|(_, test)| test(profile)))
        .count();
    let values: Vec<String> = common
        .iter()
        .map(|(value, _)| (*value).to_owned())
        .collect();
    let text = joined("Sometimes mention ", &values, " or ", ".");
    Some(vary(label, "mention", values, text, support))
}
