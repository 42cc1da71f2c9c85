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

/// What all prompts of a task begin with, as far as the model has room for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The task's instruction, or its beginning.
    pub instruction: String,
    /// How many of the answers that may be given are listed; none where any may be.
    pub listed: usize,
}

impl Head {
    /// The whole of it.
    pub fn of(task: &Task) -> Self {
        Self {
            instruction: task.instruction.clone(),
            listed: match task.kind {
                TaskKind::Instruct => 0,
                TaskKind::Qa if task.is_open() => 0,
                _ => task.types().len(),
            },
        }
    }

    /// As much of it as leaves prompts within `most` tokens while they hold no text yet. The instruction loses its end, down to
    /// no less than half of that; then the list of answers does.
    ///
    /// # Errors
    ///
    /// When the tokenizer cannot encode it.
    pub fn within(vocabulary: &Vocabulary, task: &Task, most: usize) -> Result<Self, ModelError> {
        let mut head = Self::of(task);
        loop {
            let over = head.tokens(vocabulary, task)?.saturating_sub(most);
            let own = plain(vocabulary, head.instruction.clone())?.len();
            let spare = over.min(own.saturating_sub(most / 2));
            if spare > 0 && !head.instruction.is_empty() {
                // A token is two bytes at least, nearly always, so this seldom cuts too much.
                let end = head.instruction.len().saturating_sub(2 * spare);
                let end = head.instruction.floor_char_boundary(end);
                head.instruction.truncate(end);
            } else if over > 0 && head.listed > 0 {
                head.listed -= head.listed.div_ceil(16);
            } else {
                return Ok(head);
            }
        }
    }

    /// The most tokens of a prompt that holds no text, rules or examples yet.
    fn tokens(&self, vocabulary: &Vocabulary, task: &Task) -> Result<usize, ModelError> {
        let longest = (0..task.labels.len()).max_by_key(|label| task.labels[*label].len());
        let asks = ask(vocabulary, task, self, "", None)?;
        let writes = write(vocabulary, task, self, longest.unwrap_or(0), None, &[], &[])?;
        Ok(asks.len().max(writes.len()))
    }

    /// What a person is told where something had to go.
    pub fn note(&self, task: &Task, model: &str, context: usize) -> Option<String> {
        let whole = Self::of(task);
        let mut told = Vec::new();
        if self.instruction != whole.instruction {
            let [part, all] = [self, &whole].map(|head| head.instruction.chars().count());
            told.push(format!(
                "the first {part} of {all} characters of the instruction"
            ));
        }
        if self.listed != whole.listed {
            told.push(format!(
                "the names of {} of {} labels",
                self.listed, whole.listed
            ));
        }
        let told = told.join(" and ");
        (!told.is_empty()).then(|| {
            format!("{model} reads no more than {context} tokens, so it is told only {told}")
        })
    }
}

/// "What is the answer to this?": which label, which entities, or the answer to a question about `context`.
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn ask(
    vocabulary: &Vocabulary,
    task: &Task,
    head: &Head,
    text: &str,
    context: Option<&str>,
) -> Result<Vec<u32>, ModelError> {
    plain(vocabulary, question(task, head, text, context))
}

/// The words that ask for an answer. An instruction stands for itself, so that what was learnt holds in any chat.
pub fn question(task: &Task, head: &Head, text: &str, context: Option<&str>) -> String {
    if task.kind == TaskKind::Instruct {
        return match context {
            Some(context) if !context.is_empty() => [context, "\n\n", text].concat(),
            _ => text.to_owned(),
        };
    }
    let mut content = head.instruction.clone();
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| content.push_str(part));
    if head.listed > 0 {
        let name = match task.kind {
            TaskKind::Qa => "\nAnswers: ",
            _ => "\nLabels: ",
        };
        put(&[name, &task.types()[..head.listed].join(", ")]);
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
    head: &Head,
    label: usize,
    context: Option<&str>,
    rules: &[String],
    examples: &[&str],
) -> Result<Vec<u32>, ModelError> {
    let mut content = head.instruction.clone();
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
