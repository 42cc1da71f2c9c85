//! What answers are like that are no labels: the entities of each type, and free answers to questions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ranked, Seeds, at_least, principle, vary};
use crate::order;
use crate::principle::phrases::{is_function_word, joined, quoted};
use crate::principle::{Level, Polarity, Principle};
use crate::task::words::{surface_words, words};
use crate::task::{Answer, TaskKind, ner};

/// What fewer answers show (per cent) is not said.
const COMMON: usize = 20;
/// From this share on (per cent), something is said of all.
const MOST: usize = 70;
/// How many words a rule names.
const NAMED: usize = 4;

pub(super) fn write(seeds: &Seeds<'_>) -> Vec<Ranked> {
    match seeds.task.kind {
        TaskKind::Classification | TaskKind::Instruct => Vec::new(),
        TaskKind::Ner => entities(seeds),
        TaskKind::Qa => questions(seeds),
    }
}

/// Whether an entity shows something.
type Test = fn(&str) -> bool;

/// The entities of one type, as they stand in the seeds.
struct Named<'a> {
    texts: Vec<&'a str>,
    /// The words before them, in lower case.
    before: Vec<String>,
}

fn entities(seeds: &Seeds<'_>) -> Vec<Ranked> {
    let types = seeds.task.types();
    let mut all: Vec<Named<'_>> = Vec::new();
    for label in 0..types.len() {
        let (mut texts, mut before) = (Vec::new(), Vec::new());
        for seed in &seeds.task.seeds {
            for entity in ner::entities(seed)
                .iter()
                .filter(|entity| entity.label == label)
            {
                texts.push(entity.of(&seed.text));
                before.extend(words(&seed.text[..entity.start]).pop());
            }
        }
        all.push(Named { texts, before });
    }
    let mut ranked = Vec::new();
    let counts = seeds
        .task
        .seeds
        .iter()
        .map(|seed| ner::entities(seed).len());
    ranked.extend(amounts(
        "entities",
        "Vary how many entities a text has: ",
        counts.collect(),
    ));
    for (label, named) in all.iter().enumerate() {
        ranked.extend(of_type(seeds, label, named));
        ranked.extend(taken_for(seeds, label, &all).map(|principle| (6, principle)));
    }
    ranked
}

/// How often each of some words is there, the most frequent first, those seen once left out.
fn frequent(words: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    order::sort(&mut counts, &|a, b| b.1.cmp(&a.1));
    counts.truncate(NAMED);
    counts
}

fn of_type(seeds: &Seeds<'_>, label: usize, named: &Named<'_>) -> Vec<Ranked> {
    let all = named.texts.len();
    if all == 0 {
        return Vec::new();
    }
    let name = &seeds.task.labels[label];
    let mut ranked = Vec::new();
    let mut add = |rank, attribute, text, support| {
        let own = Some(name.as_str());
        ranked.push((rank, principle(Level::Label, own, attribute, text, support)));
    };
    let heads = frequent(named.texts.iter().filter_map(|text| words(text).pop()));
    if !heads.is_empty() {
        let support = heads.iter().map(|(_, count)| count).sum();
        let heads: Vec<String> = heads.into_iter().map(|(word, _)| word).collect();
        let text = quoted(&format!("Let the {name} end with "), &heads, " or ", ".");
        add(2, "entity_head", text, support);
    }
    let before = frequent(named.before.iter().cloned());
    let before: Vec<_> = before
        .into_iter()
        .filter(|(_, count)| at_least(*count, COMMON, all))
        .collect();
    if !before.is_empty() {
        let support = before.iter().map(|(_, count)| count).sum();
        let before: Vec<String> = before.into_iter().map(|(word, _)| word).collect();
        let text = quoted(&format!("Put the {name} behind "), &before, " or ", ".");
        add(2, "entity_before", text, support);
    }
    let shows: [(&str, Test); 3] = [
        ("digits", |text| text.contains(|c: char| c.is_numeric())),
        ("capital letters", |text| text.contains(char::is_uppercase)),
        ("small letters only", |text| {
            !text.contains(char::is_uppercase)
        }),
    ];
    for (what, test) in shows {
        let support = named.texts.iter().filter(|text| test(text)).count();
        if at_least(support, MOST, all) {
            add(
                4,
                "entity_form",
                format!("Write the {name} with {what}."),
                support,
            );
            break;
        }
    }
    let mut lengths: Vec<usize> = named
        .texts
        .iter()
        .map(|text| surface_words(text).len())
        .collect();
    lengths.sort_unstable();
    let (low, high) = (
        lengths[all / 10].max(1),
        lengths[(all * 9 / 10).min(all - 1)].max(1),
    );
    let length = match low == high {
        true if low == 1 => "one word".to_owned(),
        true => format!("{low} words"),
        false => format!("{low} to {high} words"),
    };
    let support = lengths
        .iter()
        .filter(|length| (low..=high).contains(*length))
        .count();
    add(
        5,
        "entity_length",
        format!("Let the {name} have {length}."),
        support,
    );
    ranked
}

/// The type that has most words in common with this one's entities.
fn taken_for(seeds: &Seeds<'_>, label: usize, all: &[Named<'_>]) -> Option<Principle> {
    let content = |named: &Named<'_>| -> Vec<String> {
        let found: BTreeSet<String> = named.texts.iter().flat_map(|text| words(text)).collect();
        let content = found.into_iter().filter(|word| !is_function_word(word));
        content.collect()
    };
    let own = content(&all[label]);
    let shared = |other: usize| -> Vec<String> {
        let theirs = content(&all[other]);
        own.iter()
            .filter(|word| theirs.contains(word))
            .take(NAMED)
            .cloned()
            .collect()
    };
    let others = (0..all.len()).filter(|other| *other != label);
    // The first of those with the most.
    let (other, words) = others
        .map(|other| (other, shared(other)))
        .rev()
        .max_by_key(|(_, words)| words.len())?;
    if words.is_empty() {
        return None;
    }
    let (name, other) = (&seeds.task.labels[label], &seeds.task.labels[other]);
    let head = format!("Not {other}: leave no doubt about words such as ");
    Some(Principle {
        id: format!("label/{name}/taken_for/{other}"),
        polarity: Polarity::Avoid,
        ..principle(
            Level::Label,
            Some(name),
            "entity_contrast",
            quoted(&head, &words, ", ", "."),
            words.len(),
        )
    })
}

/// How many of something most texts have, as values to vary.
fn amounts(attribute: &str, head: &str, counts: Vec<usize>) -> Option<Ranked> {
    const NAMES: [&str; 5] = ["none", "one", "two", "three", "four or more"];
    let mut bins = [0; NAMES.len()];
    for count in &counts {
        bins[(*count).min(NAMES.len() - 1)] += 1;
    }
    let mut values = Vec::new();
    let mut support = 0;
    for (name, count) in NAMES.iter().zip(bins).skip(1) {
        if at_least(count, COMMON, counts.len()) {
            values.push((*name).to_owned());
            support += count;
        }
    }
    let text = joined(head, &values, " or ", ".");
    (!values.is_empty()).then(|| (3, vary(None, attribute, values, text, support)))
}

fn questions(seeds: &Seeds<'_>) -> Vec<Ranked> {
    let task = seeds.task;
    let mut ranked = Vec::new();
    let is_number = |word: &String| word.starts_with(|c: char| c.is_ascii_digit());
    let numbers = seeds.profiles.iter().map(|profile| {
        let own = profile.words.iter();
        own.filter(|word| is_number(word)).count()
    });
    ranked.extend(amounts(
        "numbers",
        "Vary how many numbers a question has: ",
        numbers.collect(),
    ));
    let answers: Vec<&str> = (task.seeds.iter())
        .filter_map(|seed| match &seed.answer {
            Answer::Text(texts) => texts.first().map(String::as_str),
            _ => None,
        })
        .collect();
    if answers.is_empty() {
        return ranked;
    }
    let mut lengths: Vec<usize> = answers
        .iter()
        .map(|answer| answer.split_whitespace().count())
        .collect();
    lengths.sort_unstable();
    let high = lengths[(lengths.len() * 9 / 10).min(lengths.len() - 1)];
    let support = lengths.iter().filter(|length| **length <= high).count();
    let words = if high == 1 { "one word" } else { "words" };
    let text = match high {
        1 => format!("Ask for what is answered in {words}."),
        high => format!("Ask for what is answered in at most {high} {words}."),
    };
    ranked.push((
        2,
        principle(Level::Task, None, "answer_length", text, support),
    ));
    let stands = task.seeds.iter().filter(|seed| {
        let passage = seed.context.as_deref();
        passage.is_some_and(|passage| crate::task::qa::stands_in(&task.said(seed), passage))
    });
    let support = stands.count();
    if at_least(support, MOST, task.seeds.len()) {
        let text = "Ask for what stands in the passage, word for word.".to_owned();
        ranked.push((
            2,
            principle(Level::Task, None, "answer_place", text, support),
        ));
    }
    ranked
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::principle::PrincipleSet;
    use crate::principle::offline::write;
    use crate::task::{Task, parse};

    fn texts(set: &PrincipleSet) -> Vec<String> {
        let line = |principle: &crate::principle::Principle| {
            format!("{} {}", principle.id, principle.text)
        };
        set.principles.iter().map(line).collect()
    }

    fn ner() -> Task {
        let row = |tokens: &str, tags: &str| {
            let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
            format!(
                "{}\n",
                serde_json::json!({"tokens": list(tokens), "tags": list(tags)})
            )
        };
        let rows = [
            row("see it at AMC Theatre now", "O O O B-hall I-hall O"),
            row(
                "see it at Rex Theatre with Ann Lee",
                "O O O B-hall I-hall O B-who I-who",
            ),
            row("call Ann Lee", "O B-who I-who"),
            row("call Lee Hall", "O B-who I-who"),
            row("so it goes", "O O O"),
        ];
        parse(
            r#"{"task":"t","type":"ner","instruction":"i","labels":["hall","who"]}"#,
            &rows.concat(),
            None,
        )
        .unwrap()
    }

    #[test]
    fn each_type_has_its_heads_its_place_its_form_and_what_it_is_taken_for() {
        let task = ner();
        let set = write(&task);
        set.validate(&task.labels).unwrap();
        let found = texts(&set);
        for wanted in [
            "label/hall/entity_head Let the hall end with \"theatre\".",
            "label/hall/entity_before Put the hall behind \"at\".",
            "label/who/entity_before Put the who behind \"call\".",
            "label/hall/entity_form Write the hall with capital letters.",
            "label/who/entity_length Let the who have 2 words.",
            "instance/entities Vary how many entities a text has: one or two.",
            "task/answer The right answer is each entity as it stands in the text, with its type: hall, who.",
        ] {
            assert!(
                found.iter().any(|line| line == wanted),
                "{wanted}\n{found:#?}"
            );
        }
        assert!(!found.iter().any(|line| line.contains("/no entity/entity_")));
    }

    #[test]
    fn questions_say_what_their_answers_are_like() {
        let rows = "{\"question\":\"Ann has 2 and gets 3. how many?\",\"answer\":5,\"context\":\"it says 5 here\"}\n\
                    {\"question\":\"Bo has 4 and gets 3. how many?\",\"answer\":7,\"context\":\"there are 7\"}\n";
        let task = parse(r#"{"task":"t","type":"qa","instruction":"i"}"#, rows, None).unwrap();
        let set = write(&task);
        set.validate(&task.labels).unwrap();
        let found = texts(&set);
        for wanted in [
            "instance/numbers Vary how many numbers a question has: two.",
            "task/answer_length Ask for what is answered in one word.",
            "task/answer_place Ask for what stands in the passage, word for word.",
            "task/answer The right answer is most often a number.",
        ] {
            assert!(
                found.iter().any(|line| line == wanted),
                "{wanted}\n{found:#?}"
            );
        }
    }
}
