//! The methods of Python's strings and dictionaries that chat templates call.

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};

use super::bounded::{pay, weigh};

/// What `value.method(arguments)` is in Python.
pub(super) fn method(
    state: &State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => of_text(state, text, method, arguments),
        None if value.kind() == ValueKind::Map => of_map(value, method, arguments),
        None => Err(ErrorKind::UnknownMethod.into()),
    }
}

/// Bytes of a part of a text that was split, beside its letters.
const PART: usize = 64;

fn of_text(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    // What a method makes may be three times as long, of the letters whose capitals are several.
    pay(state, 3 * text.len())?;
    Ok(match method {
        "strip" | "lstrip" | "rstrip" => {
            let (letters,): (Option<&str>,) = from_args(arguments)?;
            let strips = |letter: char| match letters {
                Some(letters) => letters.contains(letter),
                None => letter.is_whitespace(),
            };
            match method {
                "strip" => text.trim_matches(strips),
                "lstrip" => text.trim_start_matches(strips),
                _ => text.trim_end_matches(strips),
            }
            .into()
        }
        "split" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(arguments)?;
            let parts = match separator {
                Some("") => 0,
                Some(separator) => text.matches(separator).count(),
                None => text.split_whitespace().count(),
            };
            pay(state, PART * (parts + 1))?;
            split(text, separator, most)?
        }
        "startswith" | "endswith" => {
            let (wanted,): (Value,) = from_args(arguments)?;
            let holds = |wanted: &str| match method {
                "startswith" => text.starts_with(wanted),
                _ => text.ends_with(wanted),
            };
            match wanted.as_str() {
                Some(wanted) => holds(wanted),
                // A tuple: any of them.
                None => wanted
                    .try_iter()?
                    .any(|one| one.as_str().is_some_and(&holds)),
            }
            .into()
        }
        "lower" => text.to_lowercase().into(),
        "upper" => text.to_uppercase().into(),
        "title" => title(text).into(),
        "capitalize" => {
            let mut letters = text.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            let capital: String = first.collect();
            (capital + &letters.as_str().to_lowercase()).into()
        }
        "replace" => {
            let (from, to, most): (&str, &str, Option<i64>) = from_args(arguments)?;
            let most = most.and_then(|most| usize::try_from(most).ok());
            let most = most.unwrap_or(usize::MAX);
            let places = text.matches(from).take(most).count();
            pay(state, places.saturating_mul(to.len()))?;
            text.replacen(from, to, most).into()
        }
        "find" => {
            let (wanted,): (&str,) = from_args(arguments)?;
            match text.find(wanted) {
                Some(place) => text[..place].chars().count().into(),
                None => (-1).into(),
            }
        }
        "count" => {
            let (wanted,): (&str,) = from_args(arguments)?;
            text.matches(wanted).count().into()
        }
        "isdigit" => (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).into(),
        "join" => {
            let (parts,): (Value,) = from_args(arguments)?;
            let mut joined = String::new();
            for (index, part) in parts.try_iter()?.enumerate() {
                pay(state, text.len())?;
                weigh(state, &part)?;
                joined += if index > 0 { text } else { "" };
                joined += &part.to_string();
            }
            joined.into()
        }
        _ => return Err(ErrorKind::UnknownMethod.into()),
    })
}

/// Without a separator runs of white space part words; with one, every place it stands at.
fn split(text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let most = most.and_then(|most| usize::try_from(most).ok());
    let parts: Vec<Value> = match (separator, most) {
        (Some(""), _) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
        }
        (Some(separator), Some(most)) => {
            text.splitn(most + 1, separator).map(Value::from).collect()
        }
        (Some(separator), None) => text.split(separator).map(Value::from).collect(),
        (None, None) => text.split_whitespace().map(Value::from).collect(),
        (None, Some(most)) => {
            let (mut parts, mut rest) = (Vec::new(), text.trim_start());
            while !rest.is_empty() {
                let end = rest
                    .find(char::is_whitespace)
                    .filter(|_| parts.len() < most);
                let (part, behind) = rest.split_at(end.unwrap_or(rest.len()));
                parts.push(part.into());
                rest = behind.trim_start();
            }
            parts
        }
    };
    Ok(parts.into())
}

/// A capital behind everything that is no letter.
fn title(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        match inside {
            true => written.extend(letter.to_lowercase()),
            false => written.extend(letter.to_uppercase()),
        }
        inside = letter.is_alphabetic();
    }
    written
}

fn of_map(map: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let pairs = || -> Result<Vec<(Value, Value)>, Error> {
        map.try_iter()?
            .map(|key| Ok((key.clone(), map.get_item(&key)?)))
            .collect()
    };
    Ok(match method {
        "get" => {
            let (key, default): (Value, Option<Value>) = from_args(arguments)?;
            let found = map.get_item(&key)?;
            match found.is_undefined() {
                true => default.unwrap_or(Value::from(())),
                false => found,
            }
        }
        "keys" => {
            let () = from_args(arguments)?;
            map.try_iter()?.collect::<Vec<Value>>().into()
        }
        "values" => {
            let () = from_args(arguments)?;
            let values: Vec<Value> = pairs()?.into_iter().map(|(_, value)| value).collect();
            values.into()
        }
        "items" => {
            let () = from_args(arguments)?;
            let items: Vec<Value> = pairs()?
                .into_iter()
                .map(|(key, value)| Value::from(vec![key, value]))
                .collect();
            items.into()
        }
        _ => return Err(ErrorKind::UnknownMethod.into()),
    })
}
