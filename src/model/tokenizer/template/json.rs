//! JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it, which is what templates were written against.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Deep enough for any description of a tool, and shallow enough for the stack.
const DEEPEST: usize = 64;

/// The value as JSON; on lines of their own, so many spaces deeper each time, with `indent`.
pub(super) fn write(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let mut out = String::new();
    put(value, indent, 0, &mut out)?;
    Ok(out)
}

fn put(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a value is nested too deep for JSON",
        ));
    }
    // What parts entries: a comma and a space, or with `indent` a comma and the next line.
    let gap = |depth: usize, out: &mut String| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent.min(16) * depth));
        }
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
                gap(depth + 1, out);
                put(&entry, indent, depth + 1, out)?;
            }
            if many {
                gap(depth, out);
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { between } else { "" });
                gap(depth + 1, out);
                text(&key.to_string(), out);
                out.push_str(": ");
                put(&value.get_item(&key)?, indent, depth + 1, out)?;
            }
            if many {
                gap(depth, out);
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
