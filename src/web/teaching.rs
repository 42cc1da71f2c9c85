//! The teacher, as the page asks it: the brief is drawn and shown, and sent as it was shown.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::errors::thrown;
use super::{Engine, TeacherOptions, plain, read_task, settings};
use crate::Error;
use crate::evolve::{self, Cancel, Event, Monitor, Question, Settings, TeacherReport};
use crate::principle::{PrincipleSet, api, recorded};
use crate::privacy::{BriefError, Destination, Epsilon, Guard, Ledger, estimate_tokens};

/// Who is to be asked, and with what.
#[derive(Deserialize)]
struct AskOptions {
    teacher: TeacherOptions,
    epsilon: Epsilon,
    total: Epsilon,
    #[serde(default)]
    own_words_confirmed: bool,
}

/// A brief as it would be sent.
#[derive(Serialize)]
struct BriefSummary<'a> {
    text: &'a str,
    /// Where to; the body of the request; nothing of both where the guard refuses it.
    destination: &'a str,
    body: Option<String>,
    tokens: usize,
    /// What it tells of one seed.
    epsilon: Epsilon,
    spent: Epsilon,
    total: Epsilon,
    /// The families of descriptors that are told, with the number of their bins.
    told: Vec<(&'a str, usize)>,
    warnings: Vec<Told>,
    refusal: Option<Refusal>,
}

/// A line for the user with the words it is about, which are for the user's eyes alone.
#[derive(Serialize)]
struct Told {
    message: String,
    span: String,
}

#[derive(Serialize)]
struct Refusal {
    message: String,
    span: String,
    /// Whether the user may want it sent all the same.
    confirmable: bool,
}

#[derive(Serialize)]
struct Answer {
    principles: PrincipleSet,
    warnings: Vec<String>,
    tokens_in: u64,
    tokens_out: u64,
    estimated: bool,
}

#[derive(Serialize)]
struct Checked {
    principles: PrincipleSet,
    warnings: Vec<String>,
}

#[wasm_bindgen]
impl Engine {
    /// Draws the brief of a task for the user to see. The next question, or the next run with a teacher, sends it as it
    /// stands.
    pub fn draw_brief(
        &self,
        task: &str,
        seeds: &str,
        test: Option<String>,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let task = read_task(task, seeds, test)?;
        let options: AskOptions = read_options(options)?;
        let broken = |error: BriefError| thrown(&error.into());
        let destination = Destination::parse(&options.teacher.url).map_err(broken)?;
        let brief = evolve::brief(&task, options.epsilon).map_err(|error| thrown(&error))?;
        let ledger = self.budget(options.total);
        let mut guard = Guard::new(&task, destination.clone());
        if options.own_words_confirmed {
            guard = guard.with_own_words_confirmed();
        }
        // Cleared on a copy of the ledger and dropped: this clearance sends nothing.
        let (mut body, mut warnings, mut refusal) = (None, Vec::new(), None);
        match guard.clear(
            brief.clone(),
            destination.clone(),
            &mut ledger.clone(),
            api::now(),
        ) {
            Ok((cleared, found)) => {
                body = Some(api::request_body(&cleared, &options.teacher.model));
                warnings.extend(found.into_iter().map(|warning| Told {
                    message: warning.to_string(),
                    span: warning.span,
                }));
            }
            Err(error) => {
                let message = error.to_string();
                let (span, confirmable) = match error {
                    BriefError::Refused { rule, span, .. } => {
                        (span, rule == crate::privacy::Rule::Copy)
                    }
                    _ => (String::new(), false),
                };
                refusal = Some(Refusal {
                    message,
                    span,
                    confirmable,
                });
            }
        }
        let families = brief.sketch().map_or(&[][..], |sketch| &sketch.families);
        let shown = plain(&BriefSummary {
            text: brief.text(),
            destination: destination.url(),
            tokens: estimate_tokens(body.as_deref().unwrap_or(brief.text())),
            body,
            epsilon: brief.epsilon(),
            spent: ledger.spent(),
            total: ledger.total(),
            told: families
                .iter()
                .map(|family| (&*family.name, family.bins.len()))
                .collect(),
            warnings,
            refusal,
        })?;
        *self.brief.borrow_mut() = Some(brief);
        *self.ledger.borrow_mut() = Some(ledger);
        Ok(shown)
    }

    /// Asks the teacher for principles with the brief that was drawn last. Nothing leaves before the page's door has the
    /// user's consent. The ledger holds what was sent whether or not an answer came.
    pub async fn ask_teacher(
        &self,
        task: String,
        seeds: String,
        test: Option<String>,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Result<JsValue, JsValue> {
        let task = read_task(&task, &seeds, test)?;
        let options: AskOptions = read_options(options)?;
        let drawn = self.brief.borrow().clone();
        let Some(brief) = drawn else {
            let error = Error::Setting("no brief was drawn; look at it first".into());
            return Err(thrown(&error));
        };
        let mut ledger = self.budget(options.total);
        let settings = Settings {
            own_words_confirmed: options.own_words_confirmed,
            teacher: options.teacher.endpoint(),
            ..Settings::default()
        };
        let cancel = Cancel::new();
        let heard = {
            let cancel = cancel.clone();
            Closure::<dyn FnMut()>::new(move || cancel.cancel())
        };
        if let Some(signal) = &signal {
            signal.set_onabort(Some(heard.as_ref().unchecked_ref()));
        }
        let question = Question {
            whole: &task,
            task: &task,
            settings: &settings,
            instances: &[],
        };
        let mut report = TeacherReport::of(settings.teacher.kind());
        let mut monitor = Monitor::new(|_: &Event| (), cancel);
        let asked = evolve::ask(question, brief, &mut monitor, &mut report, &mut ledger).await;
        if let Some(signal) = &signal {
            signal.set_onabort(None);
        }
        *self.ledger.borrow_mut() = Some(ledger);
        let answer = asked.map_err(|error| thrown(&error))?;
        plain(&Answer {
            principles: answer.set,
            warnings: answer.warnings,
            tokens_in: answer.usage.input,
            tokens_out: answer.usage.output,
            estimated: answer.usage.estimated,
        })
    }

    /// The principles of the offline teacher for a run with these options, or those in a text, checked against the task.
    pub fn check_principles(
        &self,
        task: &str,
        seeds: &str,
        test: Option<String>,
        text: Option<String>,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let task = read_task(task, seeds, test)?;
        let (principles, warnings) = match text {
            None => {
                let settings = settings(&options).map_err(|error| thrown(&error))?;
                let set = evolve::offline_principles(&task, &settings);
                (set, Vec::new())
            }
            Some(text) => {
                let read = recorded::parse(&text, &task).map_err(|error| thrown(&error.into()))?;
                (read.set, read.warnings)
            }
        };
        plain(&Checked {
            principles,
            warnings,
        })
    }

    /// What has left since the engine was opened, or since the ledger that was set, as JSON; none where nothing could.
    pub fn ledger(&self) -> Option<String> {
        self.ledger.borrow().as_ref().map(Ledger::to_json)
    }

    /// Goes on with an earlier ledger and its budget.
    pub fn set_ledger(&self, json: &str) -> Result<(), JsValue> {
        let ledger = Ledger::from_json(json).map_err(|error| thrown(&error.into()))?;
        *self.ledger.borrow_mut() = Some(ledger);
        Ok(())
    }

    /// What an endpoint answered in the last run, as a recording.
    pub fn answers(&self) -> Option<String> {
        recorded::write(&self.outcome.borrow().answers)
    }
}

impl Engine {
    fn budget(&self, total: Epsilon) -> Ledger {
        let mut ledger = match &*self.ledger.borrow() {
            Some(ledger) => ledger.clone(),
            None => Ledger::new(total),
        };
        ledger.set_total(total);
        ledger
    }
}

fn read_options<T: DeserializeOwned>(options: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(options)
        .map_err(|error| thrown(&Error::Setting(format!("options: {error}"))))
}
