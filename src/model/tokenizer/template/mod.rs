//! Chat templates: Jinja as transformers runs it (`chat_template_utils.py`), over turns of plain text.
//!
//! A template comes with a model file. It can call nothing but what is set up here, is stopped after a number of
//! steps and of bytes that it makes, and what it writes is text.

mod bounded;
mod json;
mod python;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::sync::Arc;

use minijinja::machinery::{CompiledTemplate, TemplateConfig, eval, make_string_output};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, context, escape_formatter};

use super::frame::{Rendered, Special};
use super::{ModelError, Turn, time};

/// A template, read and ready.
pub(super) struct Template {
    environment: Environment<'static>,
    config: TemplateConfig,
    source: String,
}

const NAME: &str = "chat";
/// Around what the model writes; no text holds them, they are set aside by Unicode for use inside a program.
const OPEN: char = '\u{FDD1}';
const CLOSE: char = '\u{FDD2}';

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// [`ModelError::Template`] with the line where it is broken.
    pub fn new(source: &str) -> Result<Self, ModelError> {
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        let template = Self {
            environment: environment(),
            config: TemplateConfig {
                syntax_config: syntax.map_err(|error| failed(&error, source))?,
                default_auto_escape: Arc::new(|_| AutoEscape::None),
            },
            source: generation_blocks(source),
        };
        template.compiled()?;
        Ok(template)
    }

    /// The template as steps of the machine, those that make much of little in our own hands. They borrow the source, so
    /// they are made anew for each conversation, which takes less than to write it.
    fn compiled(&self) -> Result<CompiledTemplate<'_>, ModelError> {
        let mut compiled = CompiledTemplate::new(NAME, &self.source, &self.config)
            .map_err(|error| failed(&error, &self.source))?;
        bounded::guard(&mut compiled.instructions);
        compiled.blocks.values_mut().for_each(bounded::guard);
        Ok(compiled)
    }

    /// What the model reads of some turns, and with `open` the beginning of the answer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Template`] when the template refuses the turns, in its own words; [`ModelError::TemplateTakesTooMuch`]
    /// when it does not come to an end, or makes too much on its way there.
    pub fn render(
        &self,
        turns: &[Turn],
        open: bool,
        special: &Special,
    ) -> Result<Rendered, ModelError> {
        bounded::run(|| self.write(turns, open, special))
            .map_err(|error| ModelError::Template(format!("no thread can be had ({error})")))?
    }

    fn write(&self, turns: &[Turn], open: bool, special: &Special) -> Result<Rendered, ModelError> {
        let messages: Vec<Value> = turns
            .iter()
            .map(|turn| context! { role => turn.role.name(), content => turn.content.as_str() })
            .collect();
        let given = context! {
            messages => messages,
            add_generation_prompt => open,
            tools => (), documents => (),
            bos_token => special.bos.as_deref(), eos_token => special.eos.as_deref(),
            enable_thinking => special.thinking,
        };
        let compiled = self.compiled()?;
        let mut text = String::new();
        eval(
            &self.environment,
            &compiled.instructions,
            given,
            &compiled.blocks,
            &mut make_string_output(&mut text),
            AutoEscape::None,
        )
        .map_err(|error| failed(&error, &self.source))?;
        Ok(unmarked(&text))
    }
}

/// What templates can call.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    add_jinja(&mut environment);
    bounded::add_to(&mut environment);
    environment.set_fuel(Some(bounded::STEPS));
    environment.set_formatter(|out, state, value| {
        bounded::weigh(state, value)?;
        escape_formatter(out, state, value)
    });
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        python::method(state, value, method, arguments)
    });
    environment.add_function(
        "raise_exception",
        |state: &State<'_, '_>, message: &Value| -> Result<Value, Error> {
            bounded::weigh(state, message)?;
            Err(Error::new(ErrorKind::InvalidOperation, message.to_string()))
        },
    );
    environment.add_function("strftime_now", |format: &str| time::now(format));
    environment.add_filter(
        "tojson",
        |state: &State<'_, '_>, value: &Value, options: Kwargs| {
            let indent: Option<usize> = options.get("indent")?;
            // Taken and of no effect: the keys of a literal come sorted, and letters are never escaped.
            let _: Option<bool> = options.get("ensure_ascii")?;
            let _: Option<bool> = options.get("sort_keys")?;
            options.assert_all_used()?;
            json::write(state, value, indent)
        },
    );
    environment.add_filter(GENERATION, |text: &str| format!("{OPEN}{text}{CLOSE}"));
    environment
}

/// Jinja's own filters, tests and functions, as far as published templates use them: the rest would be dead weight in
/// a browser.
fn add_jinja(environment: &mut Environment<'_>) {
    use minijinja::{filters, functions, tests};
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("default", filters::default);
    environment.add_filter("items", filters::items);
    environment.add_filter("first", filters::first);
    environment.add_filter("list", filters::list);
    environment.add_filter("map", filters::map);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("string", tests::is_string);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("number", tests::is_number);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("in", tests::is_in);
    environment.add_function("range", functions::range);
    environment.add_function("dict", functions::dict);
}

fn failed(error: &Error, source: &str) -> ModelError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.kind() == ErrorKind::OutOfFuel {
            return ModelError::TemplateTakesTooMuch {
                begins: source.trim_start().chars().take(BEGINS).collect(),
                steps: bounded::STEPS,
                megabytes: bounded::STEPS * bounded::BYTES_A_STEP / 1_000_000,
            };
        }
        cause = error.source().and_then(|cause| cause.downcast_ref());
    }
    ModelError::Template(error.to_string())
}

/// Letters by which an error names a template: it has no name of its own.
const BEGINS: usize = 40;

/// Takes the marks around what the model writes out of a text, and keeps where they were.
fn unmarked(marked: &str) -> Rendered {
    let (mut text, mut generated, mut start) = (String::with_capacity(marked.len()), Vec::new(), 0);
    for letter in marked.chars() {
        match letter {
            OPEN => start = text.len(),
            CLOSE => generated.push(start..text.len()),
            other => text.push(other),
        }
    }
    Rendered { text, generated }
}

const GENERATION: &str = "generation";

/// `{% generation %} … {% endgeneration %}` is transformers' own; Jinja's filter blocks do the same.
fn generation_blocks(source: &str) -> String {
    let mut written = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // Behind the opening: in `{%}` the two share a letter.
        let Some(length) = rest[start + 2..].find("%}") else {
            break;
        };
        let tag = &rest[start + 2..][..length];
        let inside = tag.trim_matches(['-', '+']).trim();
        written.push_str(&rest[..start + 2]);
        match inside {
            GENERATION => written.push_str(&tag.replace(GENERATION, "filter generation")),
            "endgeneration" => written.push_str(&tag.replace("endgeneration", "endfilter")),
            _ => written.push_str(tag),
        }
        rest = &rest[start + 2 + length..];
    }
    written.push_str(rest);
    written
}
