//! What JavaScript sees: an engine on a device, runs on it, and typed events. It only translates.

mod ask;
mod bench;
mod console;
mod constructors;
mod errors;
mod files;
mod model;
mod restore;
mod teaching;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use crate::Error;
use crate::evolve::{
    self, Cancel, Event, Journal, Monitor, Outcome, Recipe, Settings, Teacher, knob, read_log,
};
use crate::kernels::{self, Choice, Opened};
use crate::model::Model;
use crate::privacy::{Brief, Epsilon, Ledger, estimate_tokens};
use crate::task::{self, Example, Span, Task, TaskKind};
use errors::thrown;
use files::{JsFiles, Log};

/// Runs once when the module is instantiated.
#[wasm_bindgen(start)]
pub fn start() {
    constructors::run();
    console_error_panic_hook::set_once();
    console::forward_errors();
}

/// From now on heavy work is spread over this many threads by `spread(task, pieces)`; see `pkg/src/worker/threads.ts`.
#[cfg(feature = "cpu")]
#[wasm_bindgen]
pub fn use_helpers(spread: Function, threads: usize) {
    kernels::use_helpers(spread, threads);
}

#[derive(Debug, Deserialize)]
struct TeacherOptions {
    url: String,
    model: String,
}

impl TeacherOptions {
    /// Its key is the door's alone.
    fn endpoint(self) -> Teacher {
        Teacher::Api {
            url: self.url,
            model: self.model,
            key: None,
        }
    }
}

/// The settings that an object of options stands for: `recipe`, any of its knobs, and beside them `principles` (a file's
/// text), `teacher`, `watch`, `tell_weakness`, `epsilon` and `own_words_confirmed`.
fn settings(options: &JsValue) -> Result<Settings, Error> {
    let refused = |problem: &dyn std::fmt::Display| Error::Setting(format!("options: {problem}"));
    let text = js_sys::JSON::stringify(options).ok();
    let text = text.and_then(|text| text.as_string());
    let mut given: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text.as_deref().unwrap_or("{}")).map_err(|error| refused(&error))?;
    given.retain(|_, value| !value.is_null());
    let mut settings = match given.remove("recipe") {
        Some(name) => Settings::of(Recipe::deserialize(name).map_err(|error| refused(&error))?),
        None => Settings::default(),
    };
    if let Some(epsilon) = given.remove("epsilon") {
        settings.epsilon = Epsilon::deserialize(epsilon).map_err(|error| refused(&error))?;
    }
    if let Some(confirmed) = given.remove("own_words_confirmed") {
        settings.own_words_confirmed = confirmed == true;
    }
    if let Some(teacher) = given.remove("teacher") {
        let teacher = TeacherOptions::deserialize(teacher).map_err(|error| refused(&error))?;
        settings.teacher = teacher.endpoint();
    }
    if let Some(watch) = given.remove("watch") {
        settings.watch = Vec::deserialize(watch).map_err(|error| refused(&error))?;
    }
    if let Some(told) = given.remove("tell_weakness") {
        settings.tell_weakness = told == true;
    }
    if let Some(serde_json::Value::String(text)) = given.remove("principles") {
        if let Teacher::Offline = settings.teacher {
            settings.teacher = Teacher::Recorded(text.clone());
        }
        settings.asked = Some(text);
    }
    for (name, value) in given {
        knob(&name)
            .and_then(|knob| knob.set(&mut settings, &value))
            .map_err(Error::Setting)?;
    }
    Ok(settings)
}

#[derive(Serialize)]
struct TaskSummary<'a> {
    name: &'a str,
    kind: &'static str,
    instruction: &'a str,
    labels: &'a [String],
    seeds: usize,
    test: usize,
    /// Bytes and, by estimate, tokens of all seeds.
    seed_bytes: usize,
    seed_tokens: usize,
    per_label: std::collections::BTreeMap<&'a str, usize>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Prediction<'a> {
    label: &'a str,
    /// None where answers are written.
    probabilities: std::collections::BTreeMap<&'a str, f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<Vec<Span>>,
}

#[derive(Serialize)]
struct Predictions<'a> {
    before: Prediction<'a>,
    after: Option<Prediction<'a>>,
}

/// Plain objects, as JSON would give them.
fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(JsValue::from)
}

/// An open device, with a model once one is loaded and what the last run has made.
#[wasm_bindgen]
pub struct Engine {
    opened: Opened,
    model: RefCell<Option<Rc<Model>>>,
    outcome: RefCell<Rc<Outcome>>,
    brief: RefCell<Option<Brief>>,
    ledger: RefCell<Option<Ledger>>,
    running: Cell<bool>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the device this module was built for.
    pub async fn open() -> Result<Engine, JsValue> {
        let choice = if cfg!(feature = "gpu") {
            Choice::Gpu
        } else {
            Choice::Cpu
        };
        let opened = kernels::open(choice)
            .await
            .map_err(|error| thrown(&error.into()))?;
        Ok(Self {
            opened,
            model: RefCell::new(None),
            outcome: RefCell::new(Rc::new(Outcome::default())),
            brief: RefCell::new(None),
            ledger: RefCell::new(None),
            running: Cell::new(false),
        })
    }

    /// `webgpu` or `cpu`.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.opened.kind.name().into()
    }

    /// The device's name, for people.
    #[wasm_bindgen(getter)]
    pub fn device_name(&self) -> String {
        self.opened.name.clone()
    }

    /// Something a person should know of the device, such as a GPU that is played by the CPU.
    #[wasm_bindgen(getter)]
    pub fn notice(&self) -> Option<String> {
        self.opened.notice.clone()
    }

    /// Reads a task without running it.
    pub fn check_task(
        &self,
        task: &str,
        seeds: &str,
        test: Option<String>,
    ) -> Result<JsValue, JsValue> {
        let task = read_task(task, seeds, test)?;
        plain(&TaskSummary {
            name: &task.name,
            kind: task.kind.name(),
            instruction: &task.instruction,
            labels: &task.labels,
            seeds: task.seeds.len(),
            test: task.test.len(),
            seed_bytes: task.seeds.iter().map(Example::size).sum(),
            seed_tokens: task
                .seeds
                .iter()
                .map(|seed| {
                    let passage = seed.context.as_deref().unwrap_or_default();
                    estimate_tokens(&seed.text) + estimate_tokens(passage)
                })
                .sum(),
            per_label: task
                .labels
                .iter()
                .map(String::as_str)
                .zip(task.seeds_per_label())
                .collect(),
            warnings: &task.warnings,
        })
    }

    /// Runs a task end to end. Events go to `on_event` as they happen; `signal` stops the run. With a `log`, a run that was
    /// interrupted goes on where that ends.
    #[expect(
        clippy::too_many_arguments,
        reason = "JavaScript hands over texts and functions one by one"
    )]
    pub async fn run(
        &self,
        task: String,
        seeds: String,
        test: Option<String>,
        options: JsValue,
        on_event: Function,
        signal: Option<AbortSignal>,
        log: Option<Log>,
    ) -> Result<JsValue, JsValue> {
        let model = self.loaded()?;
        let task = read_task(&task, &seeds, test)?;
        let settings = settings(&options).map_err(|error| thrown(&error))?;
        let journal = match log {
            Some(log) => {
                let (past, _) = read_log(&log.past()).map_err(|error| thrown(&error.into()))?;
                Some(Journal::new(Rc::new(JsFiles(log)), past))
            }
            None => None,
        };
        if self.running.replace(true) {
            return Err(thrown(&Error::Setting(
                "a run is going on; stop it first".into(),
            )));
        }
        let cancel = Cancel::new();
        let heard = {
            let cancel = cancel.clone();
            Closure::<dyn FnMut()>::new(move || cancel.cancel())
        };
        if let Some(signal) = &signal {
            signal.set_onabort(Some(heard.as_ref().unchecked_ref()));
            if signal.aborted() {
                cancel.cancel();
            }
        }
        let mut outcome = Outcome::default();
        let settings = Settings {
            brief: self.brief.borrow_mut().take(),
            ledger: self.ledger.borrow().clone(),
            ..settings
        };
        let result = {
            let send = |event: &Event| {
                // A listener that throws must not stop the run.
                if let Ok(value) = plain(event) {
                    let _ = on_event.call1(&JsValue::NULL, &value);
                }
            };
            let mut monitor = Monitor::new(send, cancel);
            if let Some(journal) = journal {
                monitor = monitor.with_journal(journal);
            }
            evolve::run(
                &model,
                &self.opened,
                &task,
                &settings,
                &mut monitor,
                &mut outcome,
            )
            .await
        };
        if let Some(signal) = &signal {
            signal.set_onabort(None);
        }
        self.running.set(false);
        if outcome.ledger.is_some() {
            self.ledger.borrow_mut().clone_from(&outcome.ledger);
        }
        // Kept whether or not the run came to its end: nothing made so far is lost.
        *self.outcome.borrow_mut() = Rc::new(outcome);
        match result {
            Ok(report) => plain(&report),
            Err(error) => Err(thrown(&error)),
        }
    }

    /// The answer to a text, or to a question about a passage, by the untouched model and by the student of the last run.
    pub async fn predict(&self, text: String, context: Option<String>) -> Result<JsValue, JsValue> {
        let model = self.loaded()?;
        let outcome = self.outcome.borrow().clone();
        let Some(task) = &outcome.task else {
            return Err(thrown(&Error::Setting("run a task first".into())));
        };
        let mut said = Vec::new();
        let trained = outcome.adapter.as_ref().map(|(_, adapter)| Some(adapter));
        for adapter in [None].into_iter().chain(trained) {
            let example = Example {
                context: context.clone(),
                ..Example::new(&*text, 0)
            };
            let answered = evolve::answer(&model, task, adapter, example).await;
            let (example, probabilities) = answered.map_err(|error| thrown(&error))?;
            let written = task.kind != TaskKind::Classification;
            said.push(Prediction {
                label: task.labels.get(example.label).map_or("", String::as_str),
                probabilities: task
                    .labels
                    .iter()
                    .map(String::as_str)
                    .zip(probabilities)
                    .collect(),
                answer: written.then(|| task.said(&example)),
                entities: task.spans(&example),
            });
        }
        let mut said = said.into_iter();
        let Some(before) = said.next() else {
            return Ok(JsValue::NULL);
        };
        plain(&Predictions {
            before,
            after: said.next(),
        })
    }

    /// `adapter_config.json` of the adapter trained last.
    pub async fn adapter_config(&self) -> Result<String, JsValue> {
        self.peft(|(config, _)| config.clone())
    }

    /// `adapter_model.safetensors` of the adapter trained last.
    pub async fn adapter_weights(&self) -> Result<Uint8Array, JsValue> {
        self.peft(|(_, weights)| Uint8Array::from(&weights[..]))
    }

    /// The instances of the last run, refused ones too, one JSON object a line.
    pub fn instances(&self) -> String {
        self.outcome
            .borrow()
            .instances
            .iter()
            .filter_map(|instance| serde_json::to_string(instance).ok())
            .map(|line| line + "\n")
            .collect()
    }

    /// Scores over the vocabulary at every position of a sequence, row after row.
    pub async fn logits(&self, ids: Vec<u32>) -> Result<Vec<f32>, JsValue> {
        let model = self.loaded()?;
        let logits = model
            .logits(&ids, None)
            .await
            .map_err(|error| thrown(&error))?;
        Ok(logits.into_iter().flatten().collect())
    }

    fn peft<T>(&self, part: impl FnOnce(&(String, Vec<u8>)) -> T) -> Result<T, JsValue> {
        match &self.outcome.borrow().peft {
            Some(files) => Ok(part(files)),
            None => Err(thrown(&Error::Setting(
                "nothing is trained yet; run a task first".into(),
            ))),
        }
    }

    fn loaded(&self) -> Result<Rc<Model>, JsValue> {
        self.model().map_err(|error| thrown(&error))
    }

    fn model(&self) -> Result<Rc<Model>, Error> {
        self.model
            .borrow()
            .clone()
            .ok_or_else(|| Error::Setting("no model is loaded; load one first".into()))
    }
}

fn read_task(task: &str, seeds: &str, test: Option<String>) -> Result<Task, JsValue> {
    task::parse(task, seeds, test.as_deref()).map_err(|error| thrown(&error.into()))
}
