//! The words that stand between a task's records and the model: one form for answering, one for writing.

use crate::model::{ModelError, Role, Turn, Vocabulary};
use crate::task::{Task, TaskKind};

/// A prompt of one turn.
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn plain(vocabulary: &Vocabulary, content: String) -> Result<Vec<u32>, ModelError> {
    vocabulary.prompt(&[Turn {
        role: Role::User,
        content,
    }])
}

/// What is made of a part of a text.
type Make<'m> = dyn Fn(&str) -> Result<Vec<u32>, ModelError> + 'm;

/// A prompt of at most `most` tokens, if it can be had: while `ids` is longer, what `make` makes of a shorter beginning of `long`.
///
/// # Errors
///
/// Those of `make`.
pub fn cut(
    mut ids: Vec<u32>,
    most: usize,
    mut long: &str,
    make: &Make<'_>,
) -> Result<Vec<u32>, ModelError> {
    while ids.len() > most && !long.is_empty() {
        // A token is two bytes at least, nearly always, so this seldom cuts too much.
        let mut end = long.len().saturating_sub(2 * (ids.len() - most));
        while !long.is_char_boundary(end) {
            end -= 1;
        }
        long = &long[..end];
        ids = make(long)?;
    }
    Ok(ids)
}

/// "What is the answer to this?": which label, which entities, or the answer to a question about `context`.
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn ask(
    vocabulary: &Vocabulary,
    task: &Task,
    text: &str,
    context: Option<&str>,
) -> Result<Vec<u32>, ModelError> {
    plain(vocabulary, question(task, text, context))
}

/// The words that ask for an answer. An instruction stands for itself, so that what was learnt holds in any chat.
pub fn question(task: &Task, text: &str, context: Option<&str>) -> String {
    if task.kind == TaskKind::Instruct {
        return match context {
            Some(context) if !context.is_empty() => [context, "\n\n", text].concat(),
            _ => text.to_owned(),
        };
    }
    let mut content = task.instruction.clone();
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| content.push_str(part));
    match task.kind {
        TaskKind::Qa if task.is_open() => {}
        TaskKind::Qa => put(&["\nAnswers: ", &task.labels.join(", ")]),
        _ => put(&["\nLabels: ", &task.types().join(", ")]),
    }
    if let Some(context) = context {
        put(&["\nPassage: ", context]);
    }
    let head = match task.kind {
        TaskKind::Qa => "\nQuestion: ",
        _ => "\nText: ",
    };
    put(&[head, text]);
    content
}

/// "Write a text of this group", with rules to follow and examples to go by; either may be empty. A question is written to a
/// passage, where the task has any.
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn write(
    vocabulary: &Vocabulary,
    task: &Task,
    label: usize,
    context: Option<&str>,
    rules: &[String],
    examples: &[&str],
) -> Result<Vec<u32>, ModelError> {
    let mut content = task.instruction.clone();
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| content.push_str(part));
    if let Some(context) = context {
        let head = match task.kind {
            TaskKind::Instruct => "\nContext: ",
            _ => "\nPassage: ",
        };
        put(&[head, context]);
    }
    let name = task.labels.get(label).map_or("", String::as_str);
    let (order, group) = match task.kind {
        TaskKind::Classification => ("\nWrite one text with the label ", name),
        TaskKind::Ner if label < task.types().len() => {
            ("\nWrite one text with the entity type ", name)
        }
        TaskKind::Ner => ("\nWrite one text with ", name),
        TaskKind::Qa => ("\nWrite one question with the answer ", name),
        TaskKind::Instruct => ("\nWrite one ", name),
    };
    put(&[order, group, "."]);
    for rule in rules {
        put(&["\n- ", rule]);
    }
    if !examples.is_empty() {
        put(&["\nExamples:"]);
        for example in examples {
            put(&["\n- ", example]);
        }
    }
    plain(vocabulary, content)
}
