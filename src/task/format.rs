//! From text to a checked [`Task`].

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::error::{Place, TaskError, bad, missing, shorten};
use super::rows::{self, Row};
use super::words::{is_invisible, key, role_marker};
use super::{
    Answer, Entity, Example, INSTRUCTION, NO_ENTITY, Task, TaskKind, count_per_label, exchange,
    ner, qa,
};

/// The longest name a task may have, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest instruction a task may have, in characters.
pub const MAX_INSTRUCTION_CHARS: usize = 2_000;
/// The longest name a label may have, in characters.
pub const MAX_LABEL_CHARS: usize = 80;

/// How many names a message lists at most.
const NAMED: usize = 12;

/// A text with the name it has in messages.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

/// Checked seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The labels: those given, or else those of the seeds in the order of their first appearance.
    pub labels: Vec<String>,
    /// The seeds, without doubles.
    pub examples: Vec<Example>,
    /// What was put right or looks odd.
    pub warnings: Vec<String>,
}

/// Reads a task from the text of `task.json`, of `seeds.jsonl` and, where there are test rows, of `test.jsonl` (rows
/// may also be CSV or lines `label<TAB>text`). Where `task.json` lists no labels, they are those of the seeds.
///
/// Rows of the kind `ner` are tokens with tags, texts with spans, or CoNLL columns; rows of the kind `qa` have a question, an
/// answer, and perhaps a passage and choices. Where a `qa` task lists labels, they are all the answers there are. Rows of the
/// kind `instruct` are instructions with responses, in any form the field keeps them in.
///
/// # Errors
///
/// The first thing that is wrong; see [`TaskError`].
pub fn parse(task_json: &str, seeds: &str, test: Option<&str>) -> Result<Task, TaskError> {
    parse_named(
        task_json,
        &Source {
            file: "seeds.jsonl",
            text: seeds,
        },
        test.map(|text| Source {
            file: "test.jsonl",
            text,
        })
        .as_ref(),
    )
}

/// Makes a task of pasted seeds, in any format that [`parse_seeds`] reads, and the user's own words.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_pasted(name: &str, instruction: &str, seeds: &str) -> Result<Task, TaskError> {
    let head = Head {
        kind: TaskKind::Classification,
        name: checked_name(name)?,
        instruction: checked_instruction(instruction)?,
        labels: None,
        licence: None,
        source: None,
    };
    assemble(
        head,
        &Source {
            file: "seeds",
            text: seeds,
        },
        None,
    )
}

/// Reads seeds that need no `task.json`: JSON lines `{"text": …, "label": …}`, CSV with the header `text,label`, or
/// lines `label<TAB>text`. Without `labels`, the labels are those of the seeds in the order of their first appearance.
///
/// ```
/// let seeds = seedbed::task::parse_seeds("glad\twhat a day\nsad\toh no\n", None)?;
/// assert_eq!(seeds.labels, ["glad", "sad"]);
/// # Ok::<(), seedbed::task::TaskError>(())
/// ```
///
/// # Errors
///
/// The first thing that is wrong; see [`TaskError`].
pub fn parse_seeds(text: &str, labels: Option<&[String]>) -> Result<Seeds, TaskError> {
    let labels = labels.map(checked_labels).transpose()?;
    checked_seeds(
        TaskKind::Classification,
        &Source {
            file: "seeds",
            text,
        },
        labels,
    )
}

/// Reads more rows of a task, in the formats of its kind; their labels must be its own.
///
/// # Errors
///
/// The first thing that is wrong; see [`TaskError`].
pub fn parse_rows(task: &Task, text: &str) -> Result<Vec<Example>, TaskError> {
    let source = Source { file: "rows", text };
    let rows = read_rows(task.kind, &source, &mut Vec::new())?;
    let closed = task.kind != TaskKind::Qa || !task.is_open();
    let mut examples = known(task.kind, source.file, rows, task.types(), closed)?;
    for example in &mut examples {
        example.label = task.group(example);
    }
    Ok(examples)
}

pub(super) fn parse_named(
    task_json: &str,
    seeds: &Source<'_>,
    test: Option<&Source<'_>>,
) -> Result<Task, TaskError> {
    assemble(Head::read("task.json", task_json)?, seeds, test)
}

/// What `task.json` says.
struct Head {
    kind: TaskKind,
    name: String,
    instruction: String,
    labels: Option<Vec<String>>,
    licence: Option<String>,
    source: Option<String>,
}

impl Head {
    fn read(file: &str, text: &str) -> Result<Self, TaskError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value = serde_json::from_str(text).map_err(|error| TaskError::BadJson {
            place: Place::line(file, error.line().max(1)),
            problem: rows::json_problem(&error),
        })?;
        let Value::Object(fields) = value else {
            return Err(TaskError::BadJson {
                place: Place::line(file, 1),
                problem: "a task is an object in braces".to_owned(),
            });
        };
        let name = checked_name(required(file, &fields, "task")?)?;
        // The kind comes before the rest: another kind has other fields, and naming those would mislead.
        let kind = match required(file, &fields, "type")? {
            "classification" => TaskKind::Classification,
            "ner" => TaskKind::Ner,
            "qa" => TaskKind::Qa,
            "instruct" => TaskKind::Instruct,
            kind => {
                return Err(TaskError::UnsupportedKind {
                    kind: shorten(kind, 40),
                });
            }
        };
        Ok(Self {
            kind,
            name,
            instruction: checked_instruction(required(file, &fields, "instruction")?)?,
            labels: read_labels(file, &fields, kind)?,
            licence: optional(&fields, "licence"),
            source: optional(&fields, "source"),
        })
    }
}

fn required<'a>(
    file: &str,
    fields: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, TaskError> {
    match fields.get(field) {
        None | Some(Value::Null) => Err(missing(&Place::file(file), field)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(bad_field(
            file,
            field,
            "is not a text; put it in double quotes",
        )),
    }
}

fn optional(fields: &Map<String, Value>, field: &str) -> Option<String> {
    fields
        .get(field)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn read_labels(
    file: &str,
    fields: &Map<String, Value>,
    kind: TaskKind,
) -> Result<Option<Vec<String>>, TaskError> {
    let not_a_list = || {
        bad_field(
            file,
            "labels",
            "is not a list of texts; write [\"one\", \"two\"]",
        )
    };
    match fields.get("labels") {
        None | Some(Value::Null) => Ok(None),
        Some(_) if kind == TaskKind::Instruct => Err(bad_field(
            file,
            "labels",
            "is there, but instructions have no labels; leave it out",
        )),
        Some(Value::Array(values)) => {
            let labels = values
                .iter()
                .map(|value| match value {
                    Value::String(label) => Ok(label.clone()),
                    Value::Number(label) => Ok(label.to_string()),
                    _ => Err(not_a_list()),
                })
                .collect::<Result<Vec<_>, _>>()?;
            // One type of entity is a task; one label is none.
            let least = if kind == TaskKind::Ner { 1 } else { 2 };
            if labels.len() < least {
                let problem = "lists fewer than two labels; list at least two, or leave it out";
                return Err(bad_field(file, "labels", problem));
            }
            checked_labels(&labels).map(Some)
        }
        Some(_) => Err(not_a_list()),
    }
}

fn bad_field(file: &str, field: &'static str, problem: &str) -> TaskError {
    bad(&Place::file(file), field, problem)
}

fn checked_name(name: &str) -> Result<String, TaskError> {
    let name = name.trim();
    let problem = if name.is_empty() {
        "is empty; give the task a name"
    } else if name.chars().count() > MAX_NAME_CHARS {
        "is longer than 100 characters; shorten it"
    } else if name
        .chars()
        .any(|c| is_invisible(c) || matches!(c, '/' | '\\'))
        || name.starts_with('.')
    {
        // The name becomes part of a file's name wherever a run is kept.
        "starts with a full stop or holds a slash or an invisible character; use a plain name"
    } else {
        return Ok(name.to_owned());
    };
    Err(bad_field("task.json", "task", problem))
}

fn checked_instruction(instruction: &str) -> Result<String, TaskError> {
    let instruction = instruction.trim();
    let problem = if instruction.is_empty() {
        "is empty; say in a sentence what to do"
    } else if instruction.chars().count() > MAX_INSTRUCTION_CHARS {
        "is longer than 2,000 characters; shorten it"
    } else {
        return Ok(instruction.to_owned());
    };
    Err(bad_field("task.json", "instruction", problem))
}

fn checked_labels(labels: &[String]) -> Result<Vec<String>, TaskError> {
    let mut checked: Vec<String> = Vec::with_capacity(labels.len());
    let mut seen = HashSet::new();
    for label in labels {
        let label = checked_label(label)?;
        if !seen.insert(label.to_owned()) {
            return Err(TaskError::DuplicateLabel {
                label: label.to_owned(),
            });
        }
        checked.push(label.to_owned());
    }
    Ok(checked)
}

fn checked_label(label: &str) -> Result<&str, TaskError> {
    let label = label.trim();
    let problem = if label.is_empty() {
        "is empty"
    } else if label.chars().count() > MAX_LABEL_CHARS {
        "is longer than 80 characters"
    } else if label.contains(['\n', '\r']) {
        "holds a line break"
    } else if label.contains(',') {
        "holds a comma"
    } else if label.chars().any(is_invisible) {
        "holds an invisible character"
    } else if role_marker(label).is_some() {
        "holds a chat role marker"
    } else {
        return Ok(label);
    };
    Err(TaskError::BadLabel {
        label: shorten(label, 40),
        problem,
    })
}

fn assemble(head: Head, seeds: &Source<'_>, test: Option<&Source<'_>>) -> Result<Task, TaskError> {
    let Seeds {
        labels,
        examples: seeds,
        warnings,
    } = checked_seeds(head.kind, seeds, head.labels)?;
    let mut task = Task {
        name: head.name,
        kind: head.kind,
        instruction: head.instruction,
        labels,
        seeds,
        test: Vec::new(),
        licence: head.licence,
        source: head.source,
        warnings,
    };
    if let Some(source) = test {
        checked_test(source, &mut task)?;
    }
    if task.test.is_empty() {
        task.warnings
            .push("there are no test rows, so nothing can be measured; add test.jsonl".to_owned());
    }
    Ok(task)
}

fn read_rows(
    kind: TaskKind,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Row>, TaskError> {
    match kind {
        TaskKind::Classification => rows::read(source.file, source.text),
        TaskKind::Ner => ner::read(source.file, source.text, warnings),
        TaskKind::Qa => qa::read(source.file, source.text),
        TaskKind::Instruct => exchange::read(source.file, source.text),
    }
}

fn checked_seeds(
    kind: TaskKind,
    source: &Source<'_>,
    labels: Option<Vec<String>>,
) -> Result<Seeds, TaskError> {
    let mut warnings = Vec::new();
    let rows = read_rows(kind, source, &mut warnings)?;
    // Whether answers are labels, or of labelled things.
    let closed = kind != TaskKind::Qa || labels.is_some();
    let mut labels = match labels {
        Some(labels) => labels,
        None if kind == TaskKind::Qa => qa::FORMS.map(str::to_owned).to_vec(),
        None if kind == TaskKind::Instruct => vec![INSTRUCTION.to_owned()],
        None => labels_of(kind, &rows)?,
    };
    let place = || Place::file(source.file);
    let mut examples = known(kind, source.file, rows, &labels, closed)?;
    // Of entities, not of texts: a type that is in no group of its own may well be shown.
    let mut unseen = None;
    if kind == TaskKind::Ner {
        if labels.iter().any(|label| label == NO_ENTITY) {
            return Err(TaskError::DuplicateLabel {
                label: NO_ENTITY.to_owned(),
            });
        }
        let counts = ner::counts(&examples, labels.len());
        ner::sort(&mut examples, &counts);
        unseen = Some(counts);
        labels.push(NO_ENTITY.to_owned());
    }
    let examples = without_doubles(examples, &labels, &mut warnings);
    match examples.as_slice() {
        [] => return Err(TaskError::NoSeeds { place: place() }),
        [_] => return Err(TaskError::OneSeed { place: place() }),
        // Texts without any entity show no type; answers that are written need no second form.
        [first, rest @ ..]
            if rest.iter().all(|example| example.label == first.label)
                && match kind {
                    TaskKind::Classification => true,
                    TaskKind::Ner => first.label + 1 == labels.len(),
                    TaskKind::Qa => closed,
                    TaskKind::Instruct => false,
                } =>
        {
            return Err(TaskError::OneLabel {
                place: place(),
                label: labels[first.label].clone(),
            });
        }
        _ => {}
    }
    // Nobody listed the forms of answers, nor the group of texts without entities.
    let listed = match kind {
        TaskKind::Classification => labels.len(),
        TaskKind::Ner => labels.len() - 1,
        TaskKind::Qa if closed => labels.len(),
        TaskKind::Qa | TaskKind::Instruct => 0,
    };
    let without_seeds: Vec<_> = unseen
        .unwrap_or_else(|| count_per_label(&examples, labels.len()))
        .into_iter()
        .zip(&labels[..listed])
        .filter(|(count, _)| *count == 0)
        .map(|(_, label)| label.as_str())
        .collect();
    if !without_seeds.is_empty() {
        warnings.push(format!("labels without a seed: {}", list(&without_seeds)));
    }
    let mut lower = HashMap::new();
    for label in &labels {
        if let Some(other) = lower.insert(key(label), label) {
            warnings.push(format!(
                "the labels `{other}` and `{label}` differ only in case"
            ));
        }
    }
    Ok(Seeds {
        labels,
        examples,
        warnings,
    })
}

fn labels_of(kind: TaskKind, rows: &[Row]) -> Result<Vec<String>, TaskError> {
    let mut labels = Vec::new();
    let mut seen = HashSet::new();
    for row in rows {
        let own = (kind == TaskKind::Classification).then_some(row.label.as_str());
        let spans = row.spans.iter().map(|span| span.label.as_str());
        for label in own.into_iter().chain(spans) {
            let label = checked_label(label)?;
            if seen.insert(label) {
                labels.push(label.to_owned());
            }
        }
    }
    Ok(labels)
}

/// Rows as examples. With `closed`, answers are labels or parts of a text that have one; the examples of texts with entities
/// have no group yet.
fn known(
    kind: TaskKind,
    file: &str,
    rows: Vec<Row>,
    labels: &[String],
    closed: bool,
) -> Result<Vec<Example>, TaskError> {
    let index: HashMap<&str, usize> = labels
        .iter()
        .enumerate()
        .map(|(index, label)| (label.as_str(), index))
        .collect();
    let find = |line: usize, label: &str| match index.get(label) {
        Some(&label) => Ok(label),
        None => Err(TaskError::UnknownLabel {
            place: Place::line(file, line),
            label: shorten(label, 40),
            known: list(labels),
        }),
    };
    let example = |row: Row| {
        let (label, answer) = match kind {
            TaskKind::Classification => (find(row.line, &row.label)?, Answer::Label),
            TaskKind::Ner => {
                let entity = |span: &ner::Named| {
                    let (start, end) = (span.start, span.end);
                    find(row.line, &span.label).map(|label| Entity { start, end, label })
                };
                let entities = row.spans.iter().map(entity).collect::<Result<_, _>>()?;
                (0, Answer::Entities(entities))
            }
            TaskKind::Qa if closed => (find(row.line, &row.answers[0])?, Answer::Label),
            TaskKind::Qa => (
                qa::form(&row.answers[0], &row.text),
                Answer::Text(row.answers),
            ),
            TaskKind::Instruct => (0, Answer::Text(row.answers)),
        };
        Ok(Example {
            text: row.text,
            label,
            context: row.context,
            answer,
        })
    };
    rows.into_iter().map(example).collect()
}

/// What makes two examples the same: their texts, and the passages these are about.
fn identity(example: &Example) -> String {
    match &example.context {
        None => key(&example.text),
        Some(context) => [&key(&example.text), "\n", &key(context)].concat(),
    }
}

/// Keeps the first of all examples with the same text (case and spacing aside).
fn without_doubles(
    examples: Vec<Example>,
    labels: &[String],
    warnings: &mut Vec<String>,
) -> Vec<Example> {
    let mut first: HashMap<String, (usize, Answer)> = HashMap::new();
    let mut kept = Vec::with_capacity(examples.len());
    let (mut doubles, mut conflicts) = (0, 0);
    let mut conflict = None;
    for example in examples {
        match first.get(&identity(&example)) {
            None => {
                let answer = (example.label, example.answer.clone());
                first.insert(identity(&example), answer);
                kept.push(example);
            }
            Some((label, answer)) if *label == example.label && *answer == example.answer => {
                doubles += 1;
            }
            Some((label, _)) => {
                conflicts += 1;
                conflict.get_or_insert((example, *label));
            }
        }
    }
    if doubles > 0 {
        warnings.push(format!(
            "{doubles} duplicate seed{} removed",
            if doubles == 1 { "" } else { "s" }
        ));
    }
    if let Some((example, label)) = conflict {
        let more = match conflicts {
            1 => String::new(),
            many => format!(" (and {} more)", many - 1),
        };
        let what = match example.answer {
            Answer::Label => format!(
                "labels, `{}` and `{}`",
                labels[label], labels[example.label]
            ),
            _ => "answers".to_owned(),
        };
        warnings.push(format!(
            "the seed \"{}\" has two {what}; the first is kept{more}",
            shorten(&example.text, 60),
        ));
    }
    kept
}

fn checked_test(source: &Source<'_>, task: &mut Task) -> Result<(), TaskError> {
    let seeds: HashSet<String> = task.seeds.iter().map(identity).collect();
    let warnings = &mut task.warnings;
    let rows = read_rows(task.kind, source, warnings)?;
    let closed = task.kind != TaskKind::Qa || !task.is_open();
    let mut test = known(task.kind, source.file, rows, task.types(), closed)?;
    let all = test.len();
    test.retain(|example| !seeds.contains(&identity(example)));
    let warnings = &mut task.warnings;
    match all - test.len() {
        0 => {}
        1 => warnings.push("1 test row is also a seed and is left out of the test".to_owned()),
        many => warnings.push(format!(
            "{many} test rows are also seeds and are left out of the test"
        )),
    }
    if task.kind == TaskKind::Ner {
        for example in &mut test {
            example.label = task.group(example);
        }
    }
    task.test = test;
    Ok(())
}

fn list<S: AsRef<str>>(names: &[S]) -> String {
    let mut list = names
        .iter()
        .take(NAMED)
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMED {
        list.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    list
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
