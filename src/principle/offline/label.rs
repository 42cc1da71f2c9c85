//! The label level: what belongs to a label, and what it is confused with.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ranked, Seeds, at_least, between, lengths, most_frequent, percentile, principle, usual_range,
    within,
};
use crate::order;
use crate::principle::keyness::{Term, terms};
use crate::principle::phrases::{is_function_word, quoted};
use crate::principle::profile::{Form, Profile};
use crate::principle::{Level, Polarity, Principle};

/// How strong a term must be, in standard deviations, to be named without need.
const STRONG: f64 = 1.0;
/// How many words a rule names.
const NAMED: usize = 5;
/// How many words a rule should name, if need be with words seen once.
const WANTED: usize = 4;
/// Below so many seeds, what one of them shows is all there is.
const FEW: usize = 4;
/// The longest opening worth a rule, in characters.
const LONGEST_OPENING: usize = 40;
/// Below this cosine two labels have only chance words in common, and need not be told apart.
const ALIKE: f64 = 0.1;

pub(super) fn write(seeds: &Seeds<'_>, label: usize) -> Vec<Ranked> {
    let own = seeds.of(label);
    if own.is_empty() {
        return Vec::new();
    }
    let name = seeds.task.labels[label].as_str();
    let rule =
        |attribute, text, support| principle(Level::Label, Some(name), attribute, text, support);
    let mut ranked = Vec::new();
    match words(seeds, label, &own) {
        Some((text, support)) => ranked.push((0, rule("words", text, support))),
        // Nothing sets these seeds apart: the name is all there is to go by.
        None => ranked.push((
            0,
            rule(
                "words",
                format!("Write a text that fits \"{name}\"."),
                own.len(),
            ),
        )),
    }
    ranked.extend(openings(&own).map(|(text, support)| (3, rule("opening", text, support))));
    ranked.extend(
        length(seeds, label, &own).map(|(text, support)| (7, rule("length", text, support))),
    );
    ranked.extend(form(seeds, label, &own).map(|(text, support)| (8, rule("form", text, support))));
    ranked.extend(contrast(seeds, label).map(|principle| (6, principle)));
    ranked
}

/// The terms that set a label apart, no two with a word in common: first those that are strong and not seen only
/// once; then, while there are fewer than `wanted`, words that one seed alone has.
pub(super) fn key_terms(seeds: &Seeds<'_>, label: usize, wanted: usize) -> Vec<Term> {
    let few = seeds.of(label).len() < FEW;
    let all = terms(&seeds.counts[label], None, &seeds.all);
    let (firm, rest): (Vec<Term>, Vec<Term>) = all
        .into_iter()
        .partition(|term| few || term.z >= STRONG && term.support >= 2);
    let (function, mut chosen): (Vec<Term>, Vec<Term>) = firm
        .into_iter()
        .partition(|term| is_function_word(&term.text));
    // "you" may be all that marks small talk, but "to" says nothing beside "playlist".
    if chosen.len() < 2 {
        chosen.extend(function);
    }
    let mut chosen = apart(chosen.into_iter());
    let missing = wanted.saturating_sub(chosen.len());
    let named = |term: &Term| {
        chosen
            .iter()
            .any(|known| known.text.split(' ').any(|word| word == term.text))
    };
    let mut more: Vec<Term> = rest
        .into_iter()
        .filter(|term| !named(term) && worth_once(seeds, &term.text))
        .collect();
    // They are all equally strong, so they come in the order in which the seeds have them.
    let own = seeds.of(label);
    let mut places = BTreeMap::new();
    for (place, word) in own.iter().flat_map(|profile| &profile.words).enumerate() {
        places.entry(word.as_str()).or_insert(place);
    }
    let place = |term: &Term| places.get(term.text.as_str());
    order::sort(&mut more, &|a, b| place(a).cmp(&place(b)));
    more.truncate(missing);
    chosen.extend(more);
    chosen
}

/// Whether a word that was seen once may be named: a plain, not too rare one. A capital letter means a name, and a name
/// belongs to its seed.
fn worth_once(seeds: &Seeds<'_>, word: &str) -> bool {
    let length = word.chars().count();
    let plain = !word.contains(' ') && !is_function_word(word) && seeds.spelled(word) == word;
    plain && length <= 10 && (length >= 3 || !word.is_ascii())
}

fn apart(terms: impl Iterator<Item = Term>) -> Vec<Term> {
    let mut taken = BTreeSet::new();
    terms
        .filter(|term| {
            let free = term.text.split(' ').all(|word| !taken.contains(word));
            if free {
                taken.extend(term.text.split(' ').map(str::to_owned));
            }
            free
        })
        .collect()
}

/// Whether a text holds a word, or two neighbouring ones.
pub(super) fn holds(profile: &Profile, term: &str) -> bool {
    match term.split_once(' ') {
        Some((first, second)) => profile
            .words
            .windows(2)
            .any(|pair| pair[0] == first && pair[1] == second),
        None => profile.words.iter().any(|word| word == term),
    }
}

fn words(seeds: &Seeds<'_>, label: usize, own: &[&Profile]) -> Option<(String, usize)> {
    let terms: Vec<String> = key_terms(seeds, label, WANTED)
        .into_iter()
        .take(NAMED)
        .map(|term| term.text)
        .collect();
    if terms.is_empty() {
        return None;
    }
    let spelled: Vec<String> = terms.iter().map(|term| seeds.spelled(term)).collect();
    let support = own
        .iter()
        .filter(|profile| terms.iter().any(|term| holds(profile, term)))
        .count();
    Some((quoted("Use words such as ", &spelled, ", ", "."), support))
}

/// The ways to begin, the usual ones first: as they are written most often, and how many texts begin so.
pub(super) fn ways_to_begin(own: &[&Profile]) -> Vec<(String, usize)> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for opening in own.iter().filter_map(|profile| profile.opening()) {
        *seen.entry(opening.key(opening.words)).or_default() += 1;
    }
    let mut found: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for opening in own.iter().filter_map(|profile| profile.opening()) {
        // "how many" is a way to begin when it is seen again; "which city" seen once is only "which", and "i walked"
        // seen once is none.
        let again = seen
            .get(&opening.key(opening.words))
            .is_some_and(|count| *count >= 2);
        let words = if again || opening.general {
            opening.words
        } else if opening.words == 1 || opening.alone {
            1
        } else {
            continue;
        };
        *found
            .entry(opening.key(words))
            .or_default()
            .entry(opening.written(words))
            .or_default() += 1;
    }
    let mut ways: Vec<(String, usize)> = found
        .into_values()
        .filter_map(|written| {
            let count = written.values().sum();
            most_frequent(written).map(|way| (way, count))
        })
        .filter(|(way, _)| way.chars().count() <= LONGEST_OPENING)
        .collect();
    // The sort is stable, and the ways came in alphabetical order.
    order::sort(&mut ways, &|a: &(String, usize), b| b.1.cmp(&a.1));
    ways
}

fn openings(own: &[&Profile]) -> Option<(String, usize)> {
    let mut ways = ways_to_begin(own);
    ways.retain(|(_, count)| *count >= 2 && at_least(*count, 15, own.len()));
    ways.truncate(3);
    if ways.is_empty() {
        return None;
    }
    let support = ways.iter().map(|(_, count)| count).sum();
    let ways: Vec<String> = ways.into_iter().map(|(way, _)| way).collect();
    Some((quoted("Often starts with ", &ways, " or ", "."), support))
}

fn length(seeds: &Seeds<'_>, label: usize, own: &[&Profile]) -> Option<(String, usize)> {
    let (own, rest) = (lengths(own), lengths(&seeds.but(label)));
    let (here, there) = (percentile(&own, 50), percentile(&rest, 50));
    let differs = here.abs_diff(there) >= 2 && at_least(here.abs_diff(there), 25, there);
    let range = usual_range(&own);
    (own.len() >= 3 && differs).then(|| (between(range), within(&own, range)))
}

fn form(seeds: &Seeds<'_>, label: usize, own: &[&Profile]) -> Option<(String, usize)> {
    let count = |profiles: &[&Profile], form| {
        profiles
            .iter()
            .filter(|profile| profile.form == form)
            .count()
    };
    let rest = seeds.but(label);
    let usual = most_frequent(Form::ALL.map(|form| (form, count(own, form))))?;
    let elsewhere = most_frequent(Form::ALL.map(|form| (form, count(&rest, form))))?;
    let support = count(own, usual);
    (own.len() >= 3 && usual != elsewhere && at_least(support, 70, own.len()))
        .then(|| (format!("Write a {}.", usual.name()), support))
}

/// What belongs to the label most like this one, and is never said here.
fn contrast(seeds: &Seeds<'_>, label: usize) -> Option<Principle> {
    let own = &seeds.counts[label];
    let (nearest, likeness) = (0..seeds.counts.len())
        .filter(|&other| other != label)
        .map(|other| (other, seeds.likeness.cosine(label, other)))
        .fold(None, |best: Option<(usize, f64)>, next| match best {
            Some(best) if best.1 >= next.1 => Some(best),
            _ => Some(next),
        })?;
    if likeness < ALIKE {
        return None;
    }
    let few = seeds.of(nearest).len() < FEW;
    let theirs = terms(&seeds.counts[nearest], Some(own), &seeds.all)
        .into_iter()
        .filter(|term| {
            (few || term.support >= 2)
                && !is_function_word(&term.text)
                && term.text.split(' ').all(|word| own.word(word) == 0)
        });
    let theirs: Vec<String> = apart(theirs)
        .into_iter()
        .take(4)
        .map(|term| term.text)
        .collect();
    if theirs.is_empty() {
        return None;
    }
    let support = seeds
        .of(nearest)
        .iter()
        .filter(|profile| theirs.iter().any(|term| holds(profile, term)))
        .count();
    let spelled: Vec<String> = theirs.iter().map(|term| seeds.spelled(term)).collect();
    let (name, other) = (&seeds.task.labels[label], &seeds.task.labels[nearest]);
    let text = quoted(
        &format!("Not {other}: avoid words such as "),
        &spelled,
        ", ",
        ".",
    );
    Some(Principle {
        id: format!("label/{name}/not/{other}"),
        polarity: Polarity::Avoid,
        ..principle(Level::Label, Some(name), "contrast", text, support)
    })
}
