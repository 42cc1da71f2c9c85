//! JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it, which is what templates were written against.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State};

use super::bounded;

/// The value as JSON; on lines of their own, so many spaces deeper each time, with `indent`.
pub(super) fn write(
    state: &State<'_, '_>,
    value: &Value,
    indent: Option<usize>,
) -> Result<String, Error> {
    // It is paid for as text, which JSON is but for the spaces: no more than this beside each entry.
    bounded::weigh(state, value)?;
    let mut out = String::new();
    put(state, value, indent, 0, &mut out)?;
    Ok(out)
}

fn put(
    state: &State<'_, '_>,
    value: &Value,
    indent: Option<usize>,
    depth: usize,
    out: &mut String,
) -> Result<(), Error> {
    // What parts entries: a comma and a space, or with `indent` a comma and the next line.
    let gap = |depth: usize, out: &mut String| -> Result<(), Error> {
        if let Some(indent) = indent {
            let spaces = indent.min(16) * depth;
            bounded::pay(state, spaces)?;
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', spaces));
        }
        Ok(())
    };
    let between = if indent.is_some() { "," } else { ", " };
    let many = value.len().unwrap_or(0) > 0;
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => out.push_str("null"),
        ValueKind::Bool | ValueKind::Number => out.push_str(&value.to_string().to_lowercase()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (index, entry) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { between } else { "" });
                gap(depth + 1, out)?;
                put(state, &entry, indent, depth + 1, out)?;
            }
            if many {
                gap(depth, out)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { between } else { "" });
                gap(depth + 1, out)?;
                text(&key.to_string(), out);
                out.push_str(": ");
                put(state, &value.get_item(&key)?, indent, depth + 1, out)?;
            }
            if many {
                gap(depth, out)?;
            }
            out.push('}');
        }
        _ => text(&value.to_string(), out),
    }
    Ok(())
}

fn text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            letter if letter < ' ' => out.push_str(&format!("\\u{:04x}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out.push('"');
}
