//! Chat templates: Jinja as transformers runs it (`chat_template_utils.py`), over turns of plain text.
//!
//! A template comes with a model file. It can call nothing but what is set up here, is stopped after a number of
//! steps, and what it writes is text.

mod json;
mod python;
#[cfg(test)]
mod tests;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, context};

use super::frame::{Rendered, Special};
use super::{ModelError, Turn, time};

/// A template, read and ready.
pub(super) struct Template {
    environment: Environment<'static>,
}

const NAME: &str = "chat";
/// Steps of the machine that runs templates; the longest conversation that fits a small model takes a fraction.
const STEPS: u64 = 2_000_000;
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
        let mut environment = Environment::empty();
        add_jinja(&mut environment);
        Self::set_up(environment, source).map_err(|error| failed(&error))
    }

    fn set_up(mut environment: Environment<'static>, source: &str) -> Result<Self, Error> {
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()?,
        );
        environment.set_fuel(Some(STEPS));
        environment.set_unknown_method_callback(|_, value, method, arguments| {
            python::method(value, method, arguments)
        });
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment.add_function("strftime_now", |format: String| time::now(&format));
        environment.add_filter("tojson", |value: Value, options: Kwargs| {
            let indent: Option<usize> = options.get("indent")?;
            // Taken and of no effect: the keys of a literal come sorted, and letters are never escaped.
            let _: Option<bool> = options.get("ensure_ascii")?;
            let _: Option<bool> = options.get("sort_keys")?;
            options.assert_all_used()?;
            json::write(&value, indent)
        });
        environment.add_filter(GENERATION, |text: String| format!("{OPEN}{text}{CLOSE}"));
        environment.add_template_owned(NAME, generation_blocks(source))?;
        Ok(Self { environment })
    }

    /// What the model reads of some turns, and with `open` the beginning of the answer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Template`] when the template refuses the turns, in its own words, or does not come to an end.
    pub fn render(
        &self,
        turns: &[Turn],
        open: bool,
        special: &Special,
    ) -> Result<Rendered, ModelError> {
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
        let text = self
            .environment
            .get_template(NAME)
            .and_then(|template| template.render(given))
            .map_err(|error| failed(&error))?;
        Ok(unmarked(&text))
    }
}

/// Jinja's own filters, tests and functions, as far as published templates use them: the rest would be dead weight in
/// a browser.
fn add_jinja(environment: &mut Environment<'_>) {
    use minijinja::{filters, functions, tests};
    environment.add_filter("trim", filters::trim);
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("default", filters::default);
    environment.add_filter("string", filters::string);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("title", filters::title);
    environment.add_filter("safe", filters::safe);
    environment.add_filter("dictsort", filters::dictsort);
    environment.add_filter("items", filters::items);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("join", filters::join);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("list", filters::list);
    environment.add_filter("int", filters::int);
    environment.add_filter("map", filters::map);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("reverse", filters::reverse);
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
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("in", tests::is_in);
    environment.add_function("namespace", functions::namespace);
    environment.add_function("range", functions::range);
    environment.add_function("dict", functions::dict);
}

fn failed(error: &Error) -> ModelError {
    ModelError::Template(error.to_string())
}

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
