//! The words that stand between a task's records and the model: one form for labelling, one for writing.

use crate::model::{ModelError, Role, Turn, Vocabulary};
use crate::task::Task;

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

/// "Which label has this text?"
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn classify(vocabulary: &Vocabulary, task: &Task, text: &str) -> Result<Vec<u32>, ModelError> {
    let content = format!(
        "{}\nLabels: {}\nText: {text}",
        task.instruction,
        task.labels.join(", ")
    );
    plain(vocabulary, content)
}

/// "Write a text with this label", with rules to follow and examples to go by; either may be empty.
///
/// # Errors
///
/// When the tokenizer cannot encode it.
pub fn write(
    vocabulary: &Vocabulary,
    task: &Task,
    label: usize,
    rules: &[String],
    examples: &[&str],
) -> Result<Vec<u32>, ModelError> {
    let mut content = format!(
        "{}\nWrite one text with the label {}.",
        task.instruction, task.labels[label]
    );
    for rule in rules {
        content.push_str("\n- ");
        content.push_str(rule);
    }
    if !examples.is_empty() {
        content.push_str("\nExamples:");
        for example in examples {
            content.push_str("\n- ");
            content.push_str(example);
        }
    }
    plain(vocabulary, content)
}
