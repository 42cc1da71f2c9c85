//! What a template may take of the machine: every byte it makes is paid for out of the same purse as its steps, before
//! it is made.
//!
//! minijinja counts bytes as well as steps since 3.1, but a text that stands many times in a list costs it the list
//! only, whatever comes of the list as a text. So the three operators that make much of little are done here, and what
//! turns a value into text weighs it first.

use std::cell::RefCell;
use std::collections::BTreeMap;

use minijinja::machinery::{Instruction, Instructions, eval, make_string_output};
use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, filters, functions};

/// What a template may use, in steps of the machine that runs it. The longest conversation that fits a small model takes
/// a fraction.
pub(super) const STEPS: u64 = 250_000;
/// Bytes that cost as much as a step, as minijinja has it.
pub(super) const BYTES_A_STEP: u64 = 64;
/// Deep enough for any description of a tool, and shallow enough for the stack.
const DEEPEST: usize = 64;
/// Bytes that an entry of a list takes, and its brackets and commas as text.
const ENTRY: usize = 64;
/// Places that a byte takes at most where a text is written with its quotes, as `\u{1}`.
const QUOTED: usize = 6;

/// Of the thread that runs a template: lists can lie in lists as deep as there are steps, and are put away level by level.
const STACK: usize = 256 << 20;

thread_local! {
    /// The namespaces that the template of this thread has made.
    static NAMESPACES: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Does what a template asks for, with stack enough, and lets go of all that it made.
///
/// # Errors
///
/// [`std::io::Error`] where no thread can be had.
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || {
                let done = work();
                NAMESPACES.take().iter().for_each(empty);
                done
            })?;
        thread
            .join()
            .or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Takes everything out of a namespace: one that holds itself would never be let go of.
fn empty(namespace: &Value) {
    let names: Vec<String> = match namespace.try_iter() {
        Ok(names) => names.map(|name| name.to_string()).collect(),
        Err(_) => return,
    };
    let environment = Environment::empty();
    let mut steps = Instructions::new("", "");
    for name in &names {
        steps.add(Instruction::LoadConst(Value::UNDEFINED));
        steps.add(Instruction::LoadConst(namespace.clone()));
        steps.add(Instruction::SetAttr(name));
    }
    // It is a namespace, so that its parts can be set.
    let _ = eval(
        &environment,
        &steps,
        Value::UNDEFINED,
        &BTreeMap::new(),
        &mut make_string_output(&mut String::new()),
        AutoEscape::None,
    );
}

/// Puts the operators of this file in the place of the machine's own; no template can name them as filters.
pub(super) fn guard(instructions: &mut Instructions<'_>) {
    let mut place = 0;
    while let Some(instruction) = instructions.get_mut(place) {
        let own = match instruction {
            Instruction::StringConcat => Some("~"),
            Instruction::Add => Some("+"),
            Instruction::Mul => Some("*"),
            Instruction::Eq => Some("=="),
            Instruction::Ne => Some("!="),
            Instruction::Lt => Some("<"),
            Instruction::Lte => Some("<="),
            Instruction::Gt => Some(">"),
            Instruction::Gte => Some(">="),
            _ => None,
        };
        if let Some(name) = own {
            // `u8::MAX`: looked up by its name each time.
            *instruction = Instruction::ApplyFilter(name, Some(2), u8::MAX);
        }
        place += 1;
    }
}

/// Takes from the purse what so many bytes cost.
///
/// # Errors
///
/// [`ErrorKind::OutOfFuel`] when there is not as much left.
pub(super) fn pay(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel((bytes as u64).div_ceil(BYTES_A_STEP))
}

/// Takes from the purse what a value is as text, which may be far more than it is as a value.
///
/// # Errors
///
/// [`ErrorKind::OutOfFuel`] when there is not as much left; another when the value is nested too deep to be written.
pub(super) fn weigh(state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    weigh_at(state, value, 0)
}

fn weigh_at(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(refusal("a value is nested too deep to be written"));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|entry| {
            pay(state, ENTRY)?;
            weigh_at(state, &entry, depth + 1)
        }),
        ValueKind::Map => value.try_iter()?.try_for_each(|key| {
            pay(state, ENTRY)?;
            weigh_at(state, &key, depth + 1)?;
            weigh_at(state, &value.get_item(&key)?, depth + 1)
        }),
        _ => {
            let length = value
                .as_str()
                .map(str::len)
                .or_else(|| value.as_bytes().map(<[u8]>::len));
            let places = if depth == 0 { 1 } else { QUOTED };
            pay(state, length.map_or(ENTRY, |length| length * places))
        }
    }
}

fn refusal(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// The operators, the filters that make texts or lists, and what compares.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("~", concat);
    environment.add_filter("+", add);
    environment.add_filter("*", repeat);
    environment.add_filter("join", join);
    environment.add_filter("last", last);
    environment.add_filter("reverse", reverse);
    environment.add_function("namespace", |values: Option<ValueOrKwargs>| {
        let made = functions::namespace(values)?;
        NAMESPACES.with_borrow_mut(|all| all.push(made.clone()));
        Ok::<_, Error>(made)
    });
    macro_rules! weighed {
        ($($name:ident),*) => { $(
            environment.add_filter(concat!(stringify!($name), "~"), filters::$name);
            environment.add_filter(stringify!($name), |state: &mut State<'_, '_>, values: Rest<ValueOrKwargs>| {
                let values = values.into_values();
                values.iter().take(3).try_for_each(|value| weigh(state, value))?;
                let made = state.apply_filter(concat!(stringify!($name), "~"), &values)?;
                // What a filter makes for another one is paid for by nobody else.
                pay(state, made.as_str().map_or(0, str::len))?;
                Ok::<_, Error>(made)
            });
        )* };
    }
    weighed!(
        trim, string, upper, lower, capitalize, title, safe, replace, int, dictsort
    );
    macro_rules! compared {
        ($($name:literal $operator:tt),*) => { $(
            environment.add_filter($name, |state: &State<'_, '_>, left: &Value, right: &Value| {
                comparable(state, left, right)?;
                Ok::<_, Error>(left $operator right)
            });
        )* };
    }
    compared!("==" ==, "!=" !=, "<" <, "<=" <=, ">" >, ">=" >=);
    for name in ["eq", "equalto"] {
        environment.add_test(
            name,
            |state: &State<'_, '_>, left: &Value, right: &Value| {
                comparable(state, left, right)?;
                Ok::<_, Error>(left == right)
            },
        );
    }
}

/// Two lists are compared part by part, which is paid for as if they were written; and what holds itself has no end.
fn comparable(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<(), Error> {
    if left.as_object().is_some() && right.as_object().is_some() {
        weigh(state, left)?;
        weigh(state, right)?;
    }
    Ok(())
}

fn concat(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<String, Error> {
    weigh(state, left)?;
    weigh(state, right)?;
    Ok(format!("{left}{right}"))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn add(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        pay(state, left.len() + right.len())?;
        return Ok([left, right].concat().into());
    }
    if is_list(left) && is_list(right) {
        let mut both = entries(state, left)?;
        both.extend(entries(state, right)?);
        return Ok(both.into());
    }
    arithmetic(left, right, i128::checked_add, |left, right| left + right)
        .ok_or_else(|| refusal("+ takes two texts, two lists or two numbers"))
}

fn repeat(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    for (value, times) in [(left, right), (right, left)] {
        let Some(times) = whole(times) else { continue };
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        if let Some(text) = value.as_str() {
            pay(state, text.len().saturating_mul(times))?;
            return Ok(text.repeat(times).into());
        }
        if is_list(value) {
            let once = entries(state, value)?;
            pay(
                state,
                ENTRY.saturating_mul(once.len()).saturating_mul(times),
            )?;
            let all = std::iter::repeat_n(once, times).flatten();
            return Ok(all.collect::<Vec<_>>().into());
        }
    }
    arithmetic(left, right, i128::checked_mul, |left, right| left * right)
        .ok_or_else(|| refusal("* takes two numbers, or a number with a text or a list"))
}

/// The entries of a list, each paid for as it comes.
fn entries(state: &State<'_, '_>, list: &Value) -> Result<Vec<Value>, Error> {
    let entry = |entry| pay(state, ENTRY).map(|()| entry);
    list.try_iter()?.map(entry).collect()
}

fn whole(value: &Value) -> Option<i128> {
    let whole = value.is_integer() || value.kind() == ValueKind::Bool;
    whole.then(|| i128::try_from(value.clone()).ok()).flatten()
}

/// Whole numbers stay whole; nothing where one is no number, or the result too large.
fn arithmetic(
    left: &Value,
    right: &Value,
    of_whole: fn(i128, i128) -> Option<i128>,
    of_real: fn(f64, f64) -> f64,
) -> Option<Value> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let made = of_whole(left, right)?;
        return Some(i64::try_from(made).map_or_else(|_| made.into(), Value::from));
    }
    let real = |value: &Value| match whole(value) {
        Some(whole) => Some(whole as f64),
        None => value
            .is_number()
            .then(|| f64::try_from(value.clone()).ok())
            .flatten(),
    };
    Some(of_real(real(left)?, real(right)?).into())
}

fn join(
    state: &State<'_, '_>,
    value: &Value,
    joiner: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let (joiner, attribute) = (
        joiner.unwrap_or_default(),
        options.get::<Option<&str>>("attribute")?,
    );
    options.assert_all_used()?;
    let letters;
    let parts: Box<dyn Iterator<Item = Value>> = match value.as_str() {
        Some(text) => {
            letters = text.chars().map(Value::from);
            Box::new(letters)
        }
        None => Box::new(value.try_iter()?),
    };
    let mut joined = String::new();
    for (index, part) in parts.enumerate() {
        let part = match attribute {
            Some(attribute) => part.get_attr(attribute)?,
            None => part,
        };
        pay(state, joiner.len())?;
        weigh(state, &part)?;
        joined += if index > 0 { joiner } else { "" };
        match part.as_str() {
            Some(text) => joined += text,
            None => joined += &part.to_string(),
        }
    }
    Ok(joined)
}

fn last(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => Ok(text
            .chars()
            .next_back()
            .map_or(Value::UNDEFINED, Value::from)),
        None => value.try_iter()?.try_fold(Value::UNDEFINED, |_, entry| {
            pay(state, ENTRY).map(|()| entry)
        }),
    }
}

fn reverse(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    Ok(match value.as_str() {
        Some(text) => {
            pay(state, text.len())?;
            text.chars().rev().collect::<String>().into()
        }
        None => {
            let mut all = entries(state, value)?;
            all.reverse();
            all.into()
        }
    })
}
