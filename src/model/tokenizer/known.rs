//! The chat templates of the families that are run, without Jinja, whose interpreter alone would not fit a browser
//! build: a template is recognised by what it spells, and what it would write is written here.
//!
//! At the desk (feature `template`) templates are run as they are; tests hold the two against each other.

use super::frame::{Rendered, Special};
use super::{ModelError, Role, Turn, time};

/// A frame that is known.
pub(super) struct Template {
    shape: Shape,
    /// Whether a text begins with the model's own marker.
    begins: bool,
    /// Whether what is said loses the spaces around it.
    trims: bool,
}

enum Shape {
    ChatMl {
        /// What a conversation without a system turn begins with.
        system: Option<String>,
        /// Whether the model can think aloud, and its template says where (Qwen3).
        thinks: bool,
    },
    Llama3 {
        /// The day that the model is told.
        day: Option<String>,
    },
    Gemma,
}

const SYSTEM: &str = "<|im_start|>system\n";
const END: &str = "<|im_end|>";
const NO_THOUGHT: &str = "<think>\n\n</think>\n\n";
const END_OF_THOUGHT: &str = "</think>";

impl Template {
    /// Recognises a template.
    ///
    /// # Errors
    ///
    /// [`ModelError::Template`] when it is none of those that are known.
    pub fn new(source: &str) -> Result<Self, ModelError> {
        let spelled = source.replace("\\n", "\n");
        let has = |text: &str| spelled.contains(text);
        let shape = if has("<|im_start|>") {
            Shape::ChatMl {
                system: default_system(&spelled),
                thinks: has("enable_thinking"),
            }
        } else if has("<|start_header_id|>") {
            let today = || match has("strftime_now(") {
                true => time::now("%d %b %Y"),
                false => "26 Jul 2024".into(),
            };
            Shape::Llama3 {
                day: has("Cutting Knowledge Date").then(today),
            }
        } else if has("<start_of_turn>") {
            Shape::Gemma
        } else {
            return Err(ModelError::Template(
                "it is none of those that a browser build knows: ChatML, Llama 3 and Gemma".into(),
            ));
        };
        Ok(Self {
            begins: has("bos_token"),
            trims: has("| trim") || has("|trim"),
            shape,
        })
    }

    /// What the model reads of some turns, and with `open` the beginning of the answer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Template`] when the model's own template would refuse the turns.
    pub fn render(
        &self,
        turns: &[Turn],
        open: bool,
        special: &Special,
    ) -> Result<Rendered, ModelError> {
        let mut text = String::new();
        if self.begins {
            text += special.bos.as_deref().unwrap_or_default();
        }
        match &self.shape {
            Shape::ChatMl { system, thinks } => {
                self.chat_ml(turns, system.as_deref(), *thinks, &mut text);
                if open {
                    text += "<|im_start|>assistant\n";
                    if *thinks && special.thinking == Some(false) {
                        text += NO_THOUGHT;
                    }
                }
            }
            Shape::Llama3 { day } => {
                self.llama3(turns, day.as_deref(), &mut text);
                if open {
                    text += "<|start_header_id|>assistant<|end_header_id|>\n\n";
                }
            }
            Shape::Gemma => {
                self.gemma(turns, &mut text)?;
                if open {
                    text += "<start_of_turn>model\n";
                }
            }
        }
        Ok(Rendered {
            text,
            generated: Vec::new(),
        })
    }

    fn said<'a>(&self, turn: &'a Turn) -> &'a str {
        match self.trims {
            true => turn.content.trim(),
            false => &turn.content,
        }
    }

    fn chat_ml(&self, turns: &[Turn], system: Option<&str>, thinks: bool, text: &mut String) {
        if let Some(system) = system
            && turns.first().is_some_and(|turn| turn.role != Role::System)
        {
            push(text, &[SYSTEM, system, END, "\n"]);
        }
        let last_question = turns.iter().rposition(|turn| turn.role == Role::User);
        for (index, turn) in turns.iter().enumerate() {
            push(text, &["<|im_start|>", turn.role.name(), "\n"]);
            let said = self.said(turn);
            if thinks && turn.role == Role::Assistant {
                // What was thought before earlier answers is not read again.
                let (thought, answer) = match said.rsplit_once(END_OF_THOUGHT) {
                    Some((_, answer)) => (thought_of(said), answer.trim_start_matches('\n')),
                    None => ("", said),
                };
                let current = last_question.is_none_or(|question| index > question);
                if current && (index + 1 == turns.len() || !thought.is_empty()) {
                    push(
                        text,
                        &["<think>\n", thought.trim_matches('\n'), "\n</think>\n\n"],
                    );
                    push(text, &[answer.trim_start_matches('\n')]);
                } else {
                    push(text, &[answer]);
                }
            } else {
                push(text, &[said]);
            }
            push(text, &[END, "\n"]);
        }
    }

    fn llama3(&self, turns: &[Turn], day: Option<&str>, text: &mut String) {
        let mut turns = turns;
        let mut say = |role: &str, parts: &[&str]| {
            push(
                text,
                &["<|start_header_id|>", role, "<|end_header_id|>\n\n"],
            );
            push(text, parts);
            push(text, &["<|eot_id|>"]);
        };
        if let Some(day) = day {
            let mut system = "";
            if let Some((turn, rest)) = turns.split_first()
                && turn.role == Role::System
            {
                system = turn.content.trim();
                turns = rest;
            }
            let known = "Cutting Knowledge Date: December 2023\nToday Date: ";
            say("system", &[known, day, "\n\n", system]);
        }
        for turn in turns {
            say(turn.role.name(), &[self.said(turn)]);
        }
    }

    fn gemma(&self, turns: &[Turn], text: &mut String) -> Result<(), ModelError> {
        // There is no system turn: what it says stands before the first question.
        let (mut before, mut turns) = (None, turns);
        if let Some((turn, rest)) = turns.split_first()
            && turn.role == Role::System
        {
            (before, turns) = (Some(turn.content.as_str()), rest);
        }
        for (index, turn) in turns.iter().enumerate() {
            if (turn.role == Role::User) != index.is_multiple_of(2) {
                return Err(ModelError::Template(
                    "Conversation roles must alternate user/assistant/user/assistant/...".into(),
                ));
            }
            let role = match turn.role {
                Role::Assistant => "model",
                other => other.name(),
            };
            push(text, &["<start_of_turn>", role, "\n"]);
            if let Some(before) = before.take() {
                push(text, &[before, "\n\n"]);
            }
            push(text, &[self.said(turn), "<end_of_turn>\n"]);
        }
        Ok(())
    }
}

fn push(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

/// What stands between the marks of a thought.
fn thought_of(said: &str) -> &str {
    let thought = said.split(END_OF_THOUGHT).next().unwrap_or_default();
    let thought = thought.trim_end_matches('\n');
    let thought = thought.rsplit("<think>").next().unwrap_or_default();
    thought.trim_start_matches('\n')
}

/// The system turn that a template writes of its own: a literal one, not put together from what is said.
fn default_system(spelled: &str) -> Option<String> {
    let turns = spelled.split(SYSTEM).skip(1);
    let mut literal = turns.filter_map(|rest| {
        let (said, _) = rest.split_once(END)?;
        (!said.contains(['\'', '"', '{', '}'])).then(|| said.to_owned())
    });
    literal.next()
}
