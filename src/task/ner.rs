//! Rows of texts with entities: tagged tokens, spans, CoNLL columns; and an answer's entities in words.
//!
//! Tags are read as `conlleval` and seqeval's default do: an `I-` that follows no tag of its type begins an entity. So BIO2,
//! IOB1, BIOES and tags that do not nest all have one reading; how many tags were read so is said in a warning.

use serde_json::{Map, Value};

use super::error::{Place, TaskError, bad, missing, shorten};
use super::rows::{self, Row};
use super::{Entity, Example};
use crate::order;

/// Said of a text without entities.
pub(crate) const NOTHING: &str = "none";

/// A part of a text with the name of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: String,
}

/// What was put right on the way in.
#[derive(Default)]
struct Repairs {
    tags: usize,
    inner: usize,
}

/// Reads all rows: JSON lines with tokens and tags or with spans, or CoNLL columns.
pub(super) fn read(
    file: &str,
    text: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<Row>, TaskError> {
    let mut repairs = Repairs::default();
    let text = text.trim_start_matches('\u{feff}');
    let found = match text.trim_start().starts_with('{') {
        true => rows::objects(file, text, &mut |line, fields| {
            object(Place::line(file, line), fields, &mut repairs)
        }),
        false => columns(file, text, &mut repairs),
    }?;
    if repairs.tags > 0 {
        warnings.push(format!(
            "{file}: {} tags go on with an entity that was not begun (IOB1, or tags that do not nest); each begins one",
            repairs.tags
        ));
    }
    if repairs.inner > 0 {
        warnings.push(format!(
            "{file}: {} entities overlap a longer or earlier one and are left out",
            repairs.inner
        ));
    }
    Ok(found)
}

fn object(
    place: Place,
    fields: &Map<String, Value>,
    repairs: &mut Repairs,
) -> Result<Row, TaskError> {
    let list = |names: [&'static str; 2]| {
        let found = names
            .into_iter()
            .find_map(|name| Some((name, fields.get(name)?)));
        match found {
            Some((_, Value::Array(list))) => Ok(list),
            Some((field, _)) => Err(bad(&place, field, "is not a list")),
            None => Err(missing(&place, names[0])),
        }
    };
    if fields.contains_key("tokens") {
        let texts = |list: &[Value], field| -> Result<Vec<String>, TaskError> {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let texts: Option<Vec<String>> = list.iter().map(text).collect();
            texts.ok_or_else(|| {
                bad(
                    &place,
                    field,
                    "holds what is no text; write names, in double quotes",
                )
            })
        };
        let tokens = texts(list(["tokens", "words"])?, "tokens")?;
        let tags = texts(list(["tags", "ner_tags"])?, "tags")?;
        return tagged(&place, &tokens, &tags, repairs);
    }
    let whole = match fields.get("text") {
        Some(Value::String(text)) => text.as_str(),
        Some(_) => {
            return Err(bad(
                &place,
                "text",
                "is not a text; put it in double quotes",
            ));
        }
        None => {
            return Err(missing(&place, "text"));
        }
    };
    let offsets: Vec<usize> = whole
        .char_indices()
        .map(|(at, _)| at)
        .chain([whole.len()])
        .collect();
    let lead = whole.len() - whole.trim_start().len();
    let mut spans = Vec::new();
    for entity in list(["entities", "spans"])? {
        let part = |name: &str, index: usize| entity.get(name).or_else(|| entity.get(index));
        let number = |name, index| part(name, index).and_then(Value::as_u64);
        let label = part("label", 2).or_else(|| entity.get("type"));
        let (Some(start), Some(end), Some(label)) = (
            number("start", 0),
            number("end", 1),
            label.and_then(Value::as_str),
        ) else {
            return Err(bad(
                &place,
                "entities",
                "holds an entity without start, end and label; write {\"start\": 0, \"end\": 4, \"label\": \"x\"}",
            ));
        };
        let at = |offset: u64| offsets.get(usize::try_from(offset).ok()?).copied();
        let part = at(start)
            .zip(at(end))
            .and_then(|(from, to)| Some((from, whole.get(from..to)?)));
        match part.filter(|(_, part)| !part.trim().is_empty()) {
            Some((from, part)) => {
                let start = from + part.len() - part.trim_start().len() - lead;
                spans.push(Named {
                    start,
                    end: start + part.trim().len(),
                    label: label.trim().to_owned(),
                });
            }
            None => {
                let problem = format!(
                    "holds the span {start} to {end}, which is no part of the text of {} characters; correct it",
                    offsets.len() - 1
                );
                return Err(bad(&place, "entities", &problem));
            }
        }
    }
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut free = 0;
    spans.retain(|span| {
        let apart = span.start >= free;
        repairs.inner += usize::from(!apart);
        free = free.max(span.end);
        apart
    });
    rows::row(&place, whole, "").map(|row| Row { spans, ..row })
}

/// CoNLL columns: a token first, its tag last, a blank line behind each sentence.
fn columns(file: &str, text: &str, repairs: &mut Repairs) -> Result<Vec<Row>, TaskError> {
    let mut found = Vec::new();
    let (mut tokens, mut tags) = (Vec::new(), Vec::new());
    let mut first = 1;
    for (index, line) in text.lines().chain([""]).enumerate() {
        if line.trim().is_empty() || line.starts_with("-DOCSTART-") {
            if !tokens.is_empty() {
                found.push(tagged(&Place::line(file, first), &tokens, &tags, repairs)?);
                (tokens, tags) = (Vec::new(), Vec::new());
            }
            continue;
        }
        if tokens.is_empty() {
            first = index + 1;
        }
        let mut parts = line.split_whitespace();
        match (parts.next(), parts.next_back()) {
            (Some(token), Some(tag)) => {
                tokens.push(token.to_owned());
                tags.push(tag.to_owned());
            }
            _ => {
                return Err(TaskError::UnknownRow {
                    place: Place::line(file, index + 1),
                    wanted: "write JSON lines {\"tokens\": […], \"tags\": […]} or {\"text\": …, \"entities\": […]}, or a token and its tag on a line",
                });
            }
        }
    }
    Ok(found)
}

fn tagged(
    place: &Place,
    tokens: &[String],
    tags: &[String],
    repairs: &mut Repairs,
) -> Result<Row, TaskError> {
    if tokens.len() != tags.len() {
        let problem = format!(
            "has {} tags for {} tokens; give each token one",
            tags.len(),
            tokens.len()
        );
        return Err(bad(place, "tags", &problem));
    }
    let mut text = String::new();
    let mut spans: Vec<Named> = Vec::new();
    // Whether the last entity may go on.
    let mut open = false;
    for (token, tag) in tokens.iter().zip(tags) {
        let token = token.trim();
        if token.is_empty() {
            return Err(bad(
                place,
                "tokens",
                "holds an empty token; remove it and its tag",
            ));
        }
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(token);
        let (sign, label) = match tag.trim().split_once('-') {
            Some((sign, label)) if !label.is_empty() => (sign, label),
            None if tag.trim() == "O" => {
                open = false;
                continue;
            }
            _ => ("", ""),
        };
        let goes_on = match sign {
            "I" | "E" | "L" | "M" => true,
            "B" | "S" | "U" => false,
            _ => {
                let problem = format!("holds `{}`; a tag is O, B-type or I-type", shorten(tag, 40));
                return Err(bad(place, "tags", &problem));
            }
        };
        match spans.last_mut() {
            Some(last) if goes_on && open && last.label == label => last.end = text.len(),
            _ => {
                repairs.tags += usize::from(goes_on);
                spans.push(Named {
                    start,
                    end: text.len(),
                    label: label.to_owned(),
                });
            }
        }
        open = !matches!(sign, "E" | "L" | "S" | "U");
    }
    rows::row(place, &text, "").map(|row| Row { spans, ..row })
}

/// How many entities of each type the seeds have.
pub(super) fn counts(seeds: &[Example], types: usize) -> Vec<usize> {
    let mut counts = vec![0; types];
    for seed in seeds {
        for entity in entities(seed) {
            if let Some(count) = counts.get_mut(entity.label) {
                *count += 1;
            }
        }
    }
    counts
}

/// The entities of an example.
pub(crate) fn entities(example: &Example) -> &[Entity] {
    match &example.answer {
        super::Answer::Entities(entities) => entities,
        _ => &[],
    }
}

/// The group of a text with these entities: the rarest type among them, so that rare types are shown and asked for; the
/// last group where there are none.
pub(super) fn group(entities: &[Entity], counts: &[usize]) -> usize {
    let types = entities.iter().map(|entity| entity.label);
    types
        .min_by_key(|label| (counts.get(*label).copied().unwrap_or(0), *label))
        .unwrap_or(counts.len())
}

/// Sorts the seeds into groups so that every type has some: a text of several types goes to the one that has fewest so far,
/// texts of one type first.
pub(super) fn sort(seeds: &mut [Example], counts: &[usize]) {
    let kinds = |seed: &Example| -> Vec<usize> {
        let mut kinds: Vec<usize> = entities(seed).iter().map(|entity| entity.label).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    let types = |seed: usize| kinds(&seeds[seed]).len();
    let order = order::places(seeds.len(), &|a, b| types(a).cmp(&types(b)));
    let mut sizes = vec![0; counts.len()];
    for place in order {
        let own = kinds(&seeds[place]).into_iter();
        let label = own.min_by_key(|label| (sizes[*label], counts[*label], *label));
        seeds[place].label = label.unwrap_or(counts.len());
        if let Some(label) = label {
            sizes[label] += 1;
        }
    }
}

/// Entities in words: `type: text`, in the order of the text, with a semicolon between.
pub(super) fn said(text: &str, entities: &[Entity], labels: &[String]) -> String {
    let mut said = String::new();
    for entity in entities {
        let label = labels.get(entity.label).map_or("", String::as_str);
        for part in [
            if said.is_empty() { "" } else { "; " },
            label,
            ": ",
            entity.of(text),
        ] {
            said.push_str(part);
        }
    }
    match said.is_empty() {
        true => NOTHING.to_owned(),
        false => said,
    }
}

/// The entities that words like those of [`said`] tell of. Each is looked for in the text as whole words, and stands for
/// its first place that is not taken; what is not there, or of no type, is left out.
pub(super) fn heard(text: &str, said: &str, types: &[String]) -> Vec<Entity> {
    let mut named: Vec<(usize, String)> = Vec::new();
    for part in said.split(';') {
        let rest = |label: &String| part.trim().strip_prefix(label.as_str())?.strip_prefix(':');
        let label = (0..types.len())
            .filter(|label| rest(&types[*label]).is_some())
            .max_by_key(|label| types[*label].len());
        match (label, named.last_mut()) {
            (Some(label), _) => {
                let name = rest(&types[label]).unwrap_or_default();
                named.push((label, name.trim().to_owned()));
            }
            // A semicolon within a name.
            (None, Some((_, name))) => {
                name.push(';');
                name.push_str(part);
            }
            (None, None) => {}
        }
    }
    let mut found: Vec<Entity> = Vec::new();
    for (label, name) in named {
        let name = name.trim();
        if name.is_empty() {
            continue;
        }
        let place = text.match_indices(name).map(|(start, _)| Entity {
            start,
            end: start + name.len(),
            label,
        });
        let free = |entity: &Entity| {
            is_whole(text, entity.start, entity.end)
                && found
                    .iter()
                    .all(|other| entity.end <= other.start || other.end <= entity.start)
        };
        let place = place.into_iter().find(free);
        found.extend(place);
    }
    found.sort_unstable();
    found
}

/// Whether no word is cut in two at the ends of a part of a text.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let last = |text: &str| text.chars().next_back().is_some_and(char::is_alphanumeric);
    let first = |text: &str| text.chars().next().is_some_and(char::is_alphanumeric);
    let within = |at: usize| last(&text[..at]) && first(&text[at..]);
    !within(start) && !within(end)
}

/// Where the tokens of a text begin and end: at spaces, and with `marks` also where punctuation is at a token's ends.
pub(crate) fn tokens(text: &str, marks: bool) -> Vec<(usize, usize)> {
    let mut tokens = Vec::new();
    for part in text.split_whitespace() {
        // A part of the same text: its place is how far its bytes are from the text's.
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        let inner = part.trim_matches(|c: char| !c.is_alphanumeric());
        if !marks || inner.is_empty() {
            tokens.push((start, start + part.len()));
            continue;
        }
        let at = start + (inner.as_ptr() as usize - part.as_ptr() as usize);
        for (from, to) in [
            (start, at),
            (at, at + inner.len()),
            (at + inner.len(), start + part.len()),
        ] {
            if from < to {
                tokens.push((from, to));
            }
        }
    }
    tokens
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn spans(tokens: &str, tags: &str) -> (Vec<(String, String)>, usize) {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut repairs = Repairs::default();
        let row = tagged(&Place::file("s"), &list(tokens), &list(tags), &mut repairs).unwrap();
        let named = row.spans.iter();
        let named = named.map(|span| {
            (
                span.label.clone(),
                row.text[span.start..span.end].to_owned(),
            )
        });
        (named.collect(), repairs.tags)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn all_schemes_of_tags_have_one_reading() {
        let wanted = pairs(&[("x", "a b"), ("y", "d")]);
        for (tags, repaired) in [
            ("B-x I-x O B-y", 0),
            ("I-x I-x O I-y", 2),
            ("B-x E-x O S-y", 0),
            ("B-x L-x O U-y", 0),
        ] {
            assert_eq!(spans("a b c d", tags), (wanted.clone(), repaired), "{tags}");
        }
    }

    #[test]
    fn tags_that_do_not_nest_begin_entities_and_are_counted() {
        assert_eq!(
            spans("a b c", "B-x I-y O"),
            (pairs(&[("x", "a"), ("y", "b")]), 1)
        );
        assert_eq!(spans("a b c", "O I-x I-x"), (pairs(&[("x", "b c")]), 1));
        assert_eq!(
            spans("a b", "B-x B-x"),
            (pairs(&[("x", "a"), ("x", "b")]), 0)
        );
        // What ends does not go on.
        assert_eq!(
            spans("a b", "S-x I-x"),
            (pairs(&[("x", "a"), ("x", "b")]), 1)
        );
    }

    #[test]
    fn what_is_no_tag_is_named() {
        let tag = |tag: &str| {
            let error = tagged(
                &Place::line("s", 4),
                &["a".into()],
                &[tag.to_owned()],
                &mut Repairs::default(),
            );
            error.unwrap_err().to_string()
        };
        for bad in ["X-y", "person", "B-", "3"] {
            assert!(
                tag(bad).starts_with("s, line 4: the field `tags` holds"),
                "{}",
                tag(bad)
            );
        }
    }

    #[test]
    fn columns_are_read_as_sentences() {
        let text = "-DOCSTART- -X- O O\n\nJan NNP B-PER\nleft VBD O\n\nRome NNP B-LOC";
        let rows = read("s.txt", text, &mut Vec::new()).unwrap();
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["Jan left", "Rome"]);
        assert_eq!((rows[1].line, rows[1].spans[0].label.as_str()), (6, "LOC"));
        let error = read("s.txt", "Jan B-PER\nleft", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("s.txt, line 2: "), "{error}");
    }

    #[test]
    fn a_span_outside_of_the_text_is_named_and_one_within_another_is_left_out() {
        let row = |entities: &str| format!("{{\"text\":\" New York \",\"entities\":{entities}}}");
        let mut warnings = Vec::new();
        let read = read("s", &row("[[1,9,\"city\"],[5,9,\"state\"]]"), &mut warnings).unwrap();
        assert_eq!(read[0].spans.len(), 1);
        assert_eq!((read[0].spans[0].start, read[0].spans[0].end), (0, 8));
        assert!(warnings[0].contains("1 entities overlap"), "{warnings:?}");
        for outside in [
            "[[1,99,\"city\"]]",
            "[[4,4,\"city\"]]",
            "[[9,10,\"city\"]]",
            "[[5,2,\"city\"]]",
        ] {
            let error = super::read("s", &row(outside), &mut Vec::new())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("which is no part of the text of 10 characters"),
                "{error}"
            );
        }
        let error = super::read("s", &row("[{\"start\":1}]"), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("without start, end and label"));
    }

    #[test]
    fn what_was_said_is_found_as_whole_words_once_each() {
        let types = ["person".to_owned(), "person name".to_owned()];
        let text = "Ann and Anna met Ann; B";
        let found = |said: &str| -> Vec<(usize, &str)> {
            let found = heard(text, said, &types);
            found
                .iter()
                .map(|entity| (entity.start, entity.of(text)))
                .collect()
        };
        assert_eq!(found("person: Ann; person: Ann"), [(0, "Ann"), (17, "Ann")]);
        assert_eq!(found("person: Ann; person: Ann; person: Ann").len(), 2);
        assert_eq!(found("person: Ann; B"), [(17, "Ann; B")]);
        assert_eq!(found("person: nn; thing: Ann; person:"), []);
        assert_eq!(heard(text, "person name: Anna", &types)[0].label, 1);
        assert_eq!(found("none"), []);
    }

    #[test]
    fn random_words_are_never_a_reason_to_panic() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pieces = ["a", "é", ";", ": ", "x", " ", "x: ", "🙂", "-", "x:"];
        let types = ["x".to_owned(), "é".to_owned()];
        for _ in 0..2000 {
            let mut text = || -> String {
                (0..rng.usize(0..9))
                    .map(|_| pieces[rng.usize(0..pieces.len())])
                    .collect()
            };
            let (text, said) = (text(), text());
            for entity in heard(&text, &said, &types) {
                assert!(!entity.of(&text).is_empty());
            }
            for marks in [true, false] {
                for (start, end) in tokens(&text, marks) {
                    assert!(!text[start..end].is_empty());
                }
            }
        }
    }

    #[test]
    fn tokens_stand_between_spaces_and_apart_from_marks() {
        let parts = |text: &'static str, marks| -> Vec<&str> {
            tokens(text, marks)
                .into_iter()
                .map(|(from, to)| &text[from..to])
                .collect()
        };
        assert_eq!(parts("Ann's (big) cat.", false), ["Ann's", "(big)", "cat."]);
        assert_eq!(
            parts("Ann's (big) cat.", true),
            ["Ann's", "(", "big", ")", "cat", "."]
        );
    }
}
