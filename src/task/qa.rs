//! Rows of questions with answers, the forms that answers have, and when two answers say the same.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::{Place, TaskError, bad, missing};
use super::exchange;
use super::rows::{self, MAX_TEXT_CHARS, Row, given};

/// What stands before the answers to choose from, behind a question.
const CHOICES: &str = " Choices: ";

/// The names that files have for the parts of a row.
const QUESTION: [&str; 4] = ["question", "text", "input", "prompt"];
const CONTEXT: [&str; 2] = ["context", "passage"];
const ANSWER: [&str; 6] = [
    "answer",
    "answers",
    "output",
    "target",
    "label",
    "completion",
];

/// The forms of answers. They are the same for all tasks, so which there are tells nothing of the seeds.
pub(super) const FORMS: [&str; 7] = [
    "yes or no",
    "a number",
    "one of the choices",
    "a name",
    "one word",
    "a few words",
    "a sentence",
];

/// The form of an answer to a question, an index into [`FORMS`].
pub(super) fn form(answer: &str, question: &str) -> usize {
    let plain = normalised(answer);
    let words: Vec<&str> = answer.split_whitespace().collect();
    let capital = |word: &&str| word.chars().next().is_some_and(char::is_uppercase);
    if choices(question).any(|choice| normalised(choice) == plain) {
        return 2;
    }
    match plain.as_str() {
        "yes" | "no" | "true" | "false" => 0,
        _ if number(answer).is_some() => 1,
        _ if words.len() <= 4 && !words.is_empty() && words.iter().all(capital) => 3,
        _ => match words.len() {
            0 | 1 => 4,
            2..=5 => 5,
            _ => 6,
        },
    }
}

/// The answers to choose from that stand behind a question; none where it has none.
pub(crate) fn choices(question: &str) -> impl Iterator<Item = &str> {
    let list = question
        .rfind(CHOICES)
        .map_or("", |at| &question[at + CHOICES.len()..]);
    list.split("; ")
        .map(str::trim)
        .filter(|choice| !choice.is_empty())
}

/// A text without what the metric of SQuAD leaves out: case, punctuation, articles, double spaces (arXiv 1606.05250).
pub(super) fn normalised(text: &str) -> String {
    let bare: String = text
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .flat_map(char::to_lowercase)
        .collect();
    let words = bare.split_whitespace();
    let words: Vec<&str> = words
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .collect();
    words.join(" ")
}

/// The number that a text is: with a sign, thousands between commas, a point, a fraction, a currency or per cent.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches(['.', '%']).trim();
    let text = text.trim_start_matches(['$', '€', '£', '+']).trim();
    let plain = |text: &str| -> Option<f64> {
        // `inf`, `nan` and `1e5` are numbers to the parser.
        let sound = text
            .chars()
            .all(|c| c.is_ascii_digit() || "-.,".contains(c));
        sound.then(|| text.replace(',', "").parse().ok()).flatten()
    };
    match text.split_once('/') {
        Some((above, below)) => {
            Some(plain(above.trim())? / plain(below.trim()).filter(|below| *below != 0.0)?)
        }
        None => plain(text),
    }
}

/// The last number in a text.
fn last_number(text: &str) -> Option<f64> {
    text.split_whitespace().rev().find_map(|word| {
        number(word.trim_matches(|c: char| !c.is_ascii_digit() && !"-$/".contains(c)))
    })
}

/// Whether an answer is right: it is an accepted one as SQuAD compares them, or where that is a number, its last number
/// is the same.
pub(super) fn right(accepted: &[String], answer: &str) -> bool {
    let plain = normalised(answer);
    accepted.iter().any(|other| match number(other) {
        Some(wanted) => last_number(answer)
            .is_some_and(|found| (found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0)),
        None => normalised(other) == plain,
    })
}

/// F1 of the words of an answer, against the accepted one that is most like it (SQuAD).
pub(super) fn token_f1(accepted: &[String], answer: &str) -> f64 {
    let plain = normalised(answer);
    let said: Vec<&str> = plain.split_whitespace().collect();
    let mut best: f64 = 0.0;
    for other in accepted {
        let other = normalised(other);
        let mut left: HashMap<&str, usize> = HashMap::new();
        let mut wanted = 0;
        for word in other.split_whitespace() {
            *left.entry(word).or_default() += 1;
            wanted += 1;
        }
        let mut both = 0;
        for word in &said {
            if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
                *count -= 1;
                both += 1;
            }
        }
        let f1 = match wanted + said.len() {
            0 => 1.0,
            all => 2.0 * f64::from(both) / all as f64,
        };
        best = best.max(f1);
    }
    best
}

/// Whether an answer stands in a text, as SQuAD compares them.
pub(crate) fn stands_in(answer: &str, text: &str) -> bool {
    let [answer, text] = [answer, text].map(|text| [" ", &normalised(text), " "].concat());
    text.contains(&answer)
}

/// Reads all rows: JSON lines, CSV with a header, or lines `answer<TAB>question`.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Row>, TaskError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return rows::objects(file, text, &mut |line, fields| {
            object(&Place::line(file, line), fields)
        });
    }
    let header = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    if header.contains('\t') {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let row = |(index, line): (usize, &str)| {
            let place = Place::line(file, index + 1);
            match line.split_once('\t') {
                Some((answer, question)) => {
                    checked(&place, question, None, vec![answer.to_owned()], true)
                }
                None => Err(TaskError::UnknownFormat { place }),
            }
        };
        return lines.map(row).collect();
    }
    table(file, text, &[&QUESTION, &CONTEXT, &ANSWER], true).ok_or_else(|| TaskError::UnknownRow {
        place: Place::line(file, 1),
        wanted: "write JSON lines {\"question\": …, \"answer\": …}, CSV with the header question,answer, or lines answer<TAB>question",
    })?
}

/// Rows of a CSV text whose header names the question, perhaps what it is about, and the answer; none where it does not.
/// With `flat`, an answer is one line.
pub(super) fn table(
    file: &str,
    text: &str,
    names: &[&[&'static str]; 3],
    flat: bool,
) -> Option<Result<Vec<Row>, TaskError>> {
    let mut records = rows::csv(file, text);
    let header = match records.next() {
        Some(Ok((_, header))) => header,
        Some(Err(error)) => return Some(Err(error)),
        None => return Some(Ok(Vec::new())),
    };
    let column = |names: &[&'static str]| {
        let is = |name: &&'static str, field: &String| field.trim().eq_ignore_ascii_case(name);
        names
            .iter()
            .find_map(|name| header.iter().position(|field| is(name, field)))
    };
    let [question, context, answer] = names.map(column);
    let (question, answer) = (question?, answer?);
    let rows = records.map(|record| {
        let (line, fields) = record?;
        let field = |column: usize| fields.get(column).map_or("", String::as_str);
        let place = Place::line(file, line);
        let context = context.map(field).map(str::to_owned);
        let answers = vec![field(answer).to_owned()];
        checked(&place, field(question), context, answers, flat)
    });
    Some(rows.collect())
}

fn object(place: &Place, fields: &Map<String, Value>) -> Result<Row, TaskError> {
    if exchange::is_exchange(fields) {
        return exchange::object(place, fields, true);
    }
    let text = |names: &[&'static str]| match given(fields, names) {
        Some((_, Value::String(text))) => Ok(Some(text.clone())),
        Some((field, _)) => Err(bad(place, field, "is not a text; put it in double quotes")),
        None => Ok(None),
    };
    let mut question = text(&QUESTION)?.ok_or_else(|| missing(place, QUESTION[0]))?;
    if let Some(choices) = fields.get("choices").and_then(Value::as_array) {
        let choices: Option<Vec<&str>> = choices.iter().map(Value::as_str).collect();
        let choices = choices.ok_or_else(|| {
            bad(
                place,
                "choices",
                "holds what is no text; put each in double quotes",
            )
        })?;
        if !choices.is_empty() && !question.contains(CHOICES) {
            question = [question.trim(), CHOICES, &choices.join("; ")].concat();
        }
    }
    // The first name gives what is learnt; a list beside it, what is accepted too.
    let found = [given(fields, &ANSWER), given(fields, &["answers"])];
    let mut answers: Vec<String> = Vec::new();
    for (field, value) in found.into_iter().flatten() {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            let answer = match value {
                Value::String(answer) => answer.trim().to_owned(),
                Value::Number(answer) => answer.to_string(),
                Value::Bool(answer) => answer.to_string(),
                _ => {
                    return Err(bad(
                        place,
                        field,
                        "is no text, number or list of texts; write an answer",
                    ));
                }
            };
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
    }
    checked(place, &question, text(&CONTEXT)?, answers, true)
}

/// A row, all its parts checked. With `flat`, an answer is one line.
pub(super) fn checked(
    place: &Place,
    question: &str,
    context: Option<String>,
    mut answers: Vec<String>,
    flat: bool,
) -> Result<Row, TaskError> {
    for answer in &mut answers {
        *answer = match flat {
            // An answer is one line of a prompt.
            true => answer.split_whitespace().collect::<Vec<_>>().join(" "),
            false => answer.trim().to_owned(),
        };
    }
    answers.retain(|answer| !answer.is_empty());
    if answers.is_empty() {
        return Err(missing(place, ANSWER[0]));
    }
    let context = context.map(|context| context.trim().to_owned());
    let long = answers.iter().chain(&context).map(String::as_str);
    for text in long {
        rows::row(
            place,
            if text.len() > MAX_TEXT_CHARS {
                text
            } else {
                "."
            },
            "",
        )?;
    }
    let row = rows::row(place, question, "")?;
    Ok(Row {
        context: context.filter(|context| !context.is_empty()),
        answers,
        ..row
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn accepted(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn answers_are_compared_without_case_articles_and_punctuation() {
        assert!(right(&accepted(&["The wen."]), "a Wen"));
        assert!(right(&accepted(&["x", "y z"]), "Y  z!"));
        assert!(!right(&accepted(&["y z"]), "z y"));
        assert!(!right(&accepted(&["yes"]), ""));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for (wanted, said) in [
            ("7", "7.0"),
            ("1,250", "1250"),
            ("18", "It is $18."),
            ("0.5", "1/2"),
            ("-2/19", "-2/19"),
            ("-3", "-3"),
            ("12", "3 + 9 = 12"),
        ] {
            assert!(right(&accepted(&[wanted]), said), "{wanted} {said}");
        }
        for (wanted, said) in [
            ("7", "70"),
            ("7", "seven"),
            ("7", "7 of 9"),
            ("3", "-3"),
            ("1", ""),
        ] {
            assert!(!right(&accepted(&[wanted]), said), "{wanted} {said}");
        }
        assert_eq!(number("inf"), None);
        assert_eq!(number("1/0"), None);
    }

    #[test]
    fn the_f1_of_words_is_that_of_squad() {
        assert!((token_f1(&accepted(&["the brook"]), "a brook and hill") - 0.5).abs() < 1e-9);
        assert_eq!(token_f1(&accepted(&["x", "b c"]), "b c"), 1.0);
        assert_eq!(token_f1(&accepted(&["b"]), "c"), 0.0);
        assert!((token_f1(&accepted(&["b b c"]), "b d") - 0.4).abs() < 1e-9);
    }

    #[test]
    fn answers_have_forms() {
        for (answer, question, wanted) in [
            ("yes", "q", "yes or no"),
            ("7", "q", "a number"),
            ("-2/19", "q", "a number"),
            ("cage", "Where? Choices: zoo; cage", "one of the choices"),
            ("Jan Brewer", "q", "a name"),
            ("brook", "q", "one word"),
            ("the brook", "q", "a few words"),
            ("he went there to see if it was so", "q", "a sentence"),
        ] {
            assert_eq!(FORMS[form(answer, question)], wanted, "{answer}");
        }
    }

    #[test]
    fn rows_are_read_in_all_formats() {
        let json = "{\"question\":\"q?\",\"answer\":\"a\",\"answers\":[\"a\",\"b\"],\"context\":\"c\"}\n\
                    {\"input\":\"q\",\"output\":7}\n{\"text\":\"q\",\"target\":[\"x\"],\"choices\":[\"x\",\"y\"]}";
        let rows = read("s", json).unwrap();
        assert_eq!(rows[0].answers, ["a", "b"]);
        assert_eq!(rows[0].context.as_deref(), Some("c"));
        assert_eq!(rows[1].answers, ["7"]);
        assert_eq!(rows[2].text, "q Choices: x; y");
        assert_eq!(choices(&rows[2].text).collect::<Vec<_>>(), ["x", "y"]);
        let csv = read("s", "Question,Context,Answer\n\"q, r\",c,a\nq2,,b\n").unwrap();
        assert_eq!(
            (csv[0].text.as_str(), csv[0].context.as_deref()),
            ("q, r", Some("c"))
        );
        assert_eq!(
            (csv[1].context.as_deref(), csv[1].answers[0].as_str()),
            (None, "b")
        );
        let tab = read("s", "b\tq two\n").unwrap();
        assert_eq!(
            (tab[0].text.as_str(), tab[0].answers[0].as_str()),
            ("q two", "b")
        );
    }

    #[test]
    fn a_row_without_question_or_answer_is_named_with_its_line() {
        for (row, words) in [
            (
                "{\"question\":\"q\"}",
                "line 1: the field `answer` is missing",
            ),
            (
                "{\"question\":\"q\",\"answer\":\" \"}",
                "the field `answer` is missing",
            ),
            ("{\"answer\":\"q\"}", "the field `question` is missing"),
            ("{\"question\":\" \",\"answer\":\"q\"}", "the text is empty"),
            (
                "{\"question\":\"q\",\"answer\":{}}",
                "the field `answer` is no text",
            ),
            ("question,note\nq,n", "CSV with the header question,answer"),
        ] {
            let error = read("s", row).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let long = format!(
            "{{\"question\":\"q\",\"answer\":\"a\",\"context\":\"{}\"}}",
            "x".repeat(20_001)
        );
        assert!(matches!(
            read("s", &long),
            Err(TaskError::TextTooLong { .. })
        ));
    }

    #[test]
    fn an_answer_stands_in_a_text_as_whole_words() {
        assert!(stands_in("The brook", "she went to a brook, alone"));
        assert!(!stands_in("rook", "to a brook"));
    }
}
