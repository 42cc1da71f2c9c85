//! Labelled rows in three formats: JSON lines, CSV with a header, and lines `label<TAB>text`. Rows of other kinds of task are
//! read beside it, in `ner` and `qa`, with the same means.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

use super::error::{Place, TaskError, bad, missing};
use super::ner::Named;

/// The longest text a row may have, in characters.
pub const MAX_TEXT_CHARS: usize = 20_000;

/// One row as it was written, trimmed; its label is only a name so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) label: String,
    /// The passage a question is about.
    pub(super) context: Option<String>,
    /// The entities of the text, in their order.
    pub(super) spans: Vec<Named>,
    /// The accepted answers.
    pub(super) answers: Vec<String>,
}

/// Reads all rows; the first line that is not blank decides the format.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Row>, TaskError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some((first, line)) = lines(text).find(|(_, line)| !line.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    if line.trim_start().starts_with('{') {
        read_json_lines(file, text)
    } else if let Some(columns) = Columns::of_header(line) {
        read_csv(file, text, first, columns)
    } else if line.contains('\t') {
        read_tab_lines(file, text)
    } else {
        Err(TaskError::UnknownFormat {
            place: Place::line(file, first),
        })
    }
}

/// The line, counted from 1, on which whatever follows `before` lies.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn line_at(before: &[u8]) -> usize {
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// For the rows of a text of which a line may be a row: a list that grew would hold them twice for a while, and a row of four
/// bytes is large already.
fn room(text: &str) -> Vec<Row> {
    // The shortest row is one character with a comma or a tab.
    let most = lines(text).filter(|(_, line)| line.len() > 1).count();
    Vec::with_capacity(most)
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

/// A row, its text and label checked.
pub(super) fn row(place: &Place, text: &str, label: &str) -> Result<Row, TaskError> {
    let text = text.trim();
    let place = || place.clone();
    if text.is_empty() {
        return Err(TaskError::EmptyText { place: place() });
    }
    // Bytes are counted first: counting the characters of a huge text is only needed for the message.
    if text.len() > MAX_TEXT_CHARS {
        let characters = text.chars().count();
        if characters > MAX_TEXT_CHARS {
            return Err(TaskError::TextTooLong {
                place: place(),
                characters,
                limit: MAX_TEXT_CHARS,
            });
        }
    }
    Ok(Row {
        line: place().line.unwrap_or(1),
        text: text.to_owned(),
        label: label.trim().to_owned(),
        ..Row::default()
    })
}

/// Makes a row of the object on a line.
type Reader<'r> = dyn FnMut(usize, &Map<String, Value>) -> Result<Row, TaskError> + 'r;

/// Makes a row of each JSON object, one a line.
pub(super) fn objects(
    file: &str,
    text: &str,
    read: &mut Reader<'_>,
) -> Result<Vec<Row>, TaskError> {
    let mut rows = Vec::new();
    for (line, content) in lines(text) {
        if content.trim().is_empty() {
            continue;
        }
        let place = || Place::line(file, line);
        let value: Value = serde_json::from_str(content).map_err(|error| TaskError::BadJson {
            place: place(),
            problem: json_problem(&error),
        })?;
        let Value::Object(fields) = value else {
            return Err(TaskError::UnknownFormat { place: place() });
        };
        rows.push(read(line, &fields)?);
    }
    Ok(rows)
}

/// The first of some names that a row has a value for.
#[inline(never)]
pub(super) fn given<'r>(
    fields: &'r Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'r Value)> {
    for name in names {
        match fields.get(*name) {
            None | Some(Value::Null) => {}
            Some(value) => return Some((name, value)),
        }
    }
    None
}

fn read_json_lines(file: &str, text: &str) -> Result<Vec<Row>, TaskError> {
    objects(file, text, &mut |line, fields| {
        let place = &Place::line(file, line);
        let text = match fields.get("text") {
            None | Some(Value::Null) => {
                return Err(missing(place, "text"));
            }
            Some(Value::String(text)) => text,
            Some(_) => return Err(not_text(place, "text")),
        };
        // Data sets often number their labels.
        let label = match fields.get("label") {
            None | Some(Value::Null) => {
                return Err(missing(place, "label"));
            }
            Some(Value::String(label)) => label.clone(),
            Some(Value::Number(label)) => label.to_string(),
            Some(_) => return Err(not_text(place, "label")),
        };
        row(place, text, &label)
    })
}

fn not_text(place: &Place, field: &'static str) -> TaskError {
    bad(place, field, "is not a text; put it in double quotes")
}

/// What serde_json says, without its own line number (it would count from the row's start).
pub(super) fn json_problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

fn read_tab_lines(file: &str, text: &str) -> Result<Vec<Row>, TaskError> {
    let mut rows = room(text);
    for (line, content) in lines(text) {
        if content.trim().is_empty() {
            continue;
        }
        let Some((label, text)) = content.split_once('\t') else {
            return Err(TaskError::UnknownFormat {
                place: Place::line(file, line),
            });
        };
        rows.push(row(&Place::line(file, line), text, label)?);
    }
    Ok(rows)
}

/// Which CSV columns hold what.
struct Columns {
    text: usize,
    label: usize,
}

impl Columns {
    fn of_header(line: &str) -> Option<Self> {
        let (_, header) = CsvRecords::of(line, 1).next()?.ok()?;
        let find = |name: &str| {
            header
                .iter()
                .position(|field| field.trim().eq_ignore_ascii_case(name))
        };
        Some(Self {
            text: find("text")?,
            label: find("label")?,
        })
    }
}

fn read_csv(
    file: &str,
    text: &str,
    header: usize,
    columns: Columns,
) -> Result<Vec<Row>, TaskError> {
    let mut rows = room(text);
    for record in csv(file, text) {
        let (line, fields) = record?;
        if line <= header || fields.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let field = |column: usize, field| {
            fields.get(column).ok_or_else(|| TaskError::MissingField {
                place: Place::line(file, line),
                field,
            })
        };
        rows.push(row(
            &Place::line(file, line),
            field(columns.text, "text")?,
            field(columns.label, "label")?,
        )?);
    }
    if rows.iter().any(|row| row.label.is_empty()) {
        // Most often a text with an unquoted comma; an empty label would only be called unknown.
        let line = rows
            .iter()
            .find(|row| row.label.is_empty())
            .map_or(header, |row| row.line);
        return Err(TaskError::MissingField {
            place: Place::line(file, line),
            field: "label",
        });
    }
    Ok(rows)
}

/// A record of a CSV text, with the line on which it starts.
pub(super) type Record = (usize, Vec<String>);

/// All records of a CSV text, the header first.
pub(super) fn csv(file: &str, text: &str) -> impl Iterator<Item = Result<Record, TaskError>> {
    CsvRecords::of(text, 1).map(move |record| {
        record.map_err(|(line, problem)| TaskError::BadCsv {
            place: Place::line(file, line),
            problem,
        })
    })
}

/// RFC 4180 records, one at a time: fields may be quoted, then they may hold commas, line breaks and doubled quotes. All
/// records must have as many fields as the first one. Nothing follows a fault.
struct CsvRecords<'t> {
    characters: Peekable<Chars<'t>>,
    /// The line that is read next.
    line: usize,
    /// The fields of the first record.
    width: Option<usize>,
    done: bool,
}

impl<'t> CsvRecords<'t> {
    fn of(text: &'t str, first_line: usize) -> Self {
        Self {
            characters: text.chars().peekable(),
            line: first_line,
            width: None,
            done: false,
        }
    }

    /// The next record that is not blank.
    fn read(&mut self) -> Result<Option<Record>, (usize, &'static str)> {
        while !self.done {
            let start = self.line;
            let (fields, blank) = self.fields(start)?;
            if blank {
                continue;
            }
            if *self.width.get_or_insert(fields.len()) != fields.len() {
                return Err((start, "the row has more or fewer fields than the header"));
            }
            return Ok(Some((start, fields)));
        }
        Ok(None)
    }

    /// The fields up to the end of the record, and whether there is nothing in them.
    fn fields(&mut self, start: usize) -> Result<(Vec<String>, bool), (usize, &'static str)> {
        let mut fields = Vec::new();
        let mut field = String::new();
        let (mut quoted, mut was_quoted) = (false, false);
        loop {
            let c = self.characters.next();
            match c {
                None if quoted => return Err((start, "a quote is not closed")),
                Some('"') if quoted => {
                    if self.characters.next_if_eq(&'"').is_some() {
                        field.push('"');
                    } else {
                        quoted = false;
                    }
                }
                Some(c) if quoted => {
                    self.line += usize::from(c == '\n');
                    field.push(c);
                }
                Some('"') if field.is_empty() && !was_quoted => {
                    quoted = true;
                    was_quoted = true;
                }
                Some('\r') if self.characters.peek().is_none_or(|&next| next == '\n') => {}
                Some(',') => {
                    fields.push(std::mem::take(&mut field));
                    was_quoted = false;
                }
                None | Some('\n') => {
                    fields.push(field);
                    let blank = fields.len() == 1 && !was_quoted && fields[0].trim().is_empty();
                    self.line += 1;
                    self.done = c.is_none();
                    return Ok((fields, blank));
                }
                Some(_) if was_quoted => {
                    return Err((self.line, "there is text after a closing quote"));
                }
                Some(c) => field.push(c),
            }
        }
    }
}

impl Iterator for CsvRecords<'_> {
    type Item = Result<Record, (usize, &'static str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.read();
        self.done |= record.is_err();
        record.transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read("rows", text)
            .unwrap()
            .into_iter()
            .map(|row| (row.label, row.text))
            .collect()
    }

    fn pair(label: &str, text: &str) -> (String, String) {
        (label.to_owned(), text.to_owned())
    }

    #[test]
    fn json_lines_are_read_with_a_byte_order_mark_and_windows_line_ends() {
        let text = "\u{feff}{\"text\":\" a b \",\"label\":\"x\",\"id\":7}\r\n\r\n{\"label\":1,\"text\":\"c\"}\r\n";
        assert_eq!(pairs(text), [pair("x", "a b"), pair("1", "c")]);
    }

    #[test]
    fn bad_json_names_file_and_line() {
        let error = read(
            "seeds.jsonl",
            "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\": oops}",
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "seeds.jsonl, line 2: not valid JSON (expected value); correct that line"
        );
    }

    #[test]
    fn deeply_nested_json_is_refused_and_does_not_overflow_the_stack() {
        let deep = format!("{{\"text\":{}", "[".repeat(200_000));
        assert!(matches!(read("s", &deep), Err(TaskError::BadJson { .. })));
    }

    #[test]
    fn a_missing_field_is_named() {
        let missing = |text| match read("s", text) {
            Err(TaskError::MissingField { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing("{\"label\":\"x\"}"), "text");
        assert_eq!(missing("{\"text\":\"x\",\"label\":null}"), "label");
        assert_eq!(missing("text,label\nhello,\n"), "label");
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        assert!(matches!(
            read("s", "{\"text\":[1],\"label\":\"x\"}"),
            Err(TaskError::BadField { field: "text", .. })
        ));
    }

    #[test]
    fn csv_may_quote_commas_quotes_and_line_breaks() {
        let text = "\nLabel,id,\"text\"\r\nx,1,\"a, \"\"b\"\"\nc\"\r\ny,2,plain \"word\r\n\r\n";
        assert_eq!(
            pairs(text),
            [pair("x", "a, \"b\"\nc"), pair("y", "plain \"word")]
        );
    }

    #[test]
    fn csv_rows_keep_their_line_numbers_after_a_field_with_line_breaks() {
        let error = read("s.csv", "text,label\n\"a\nb\",x\n ,y\n").unwrap_err();
        assert_eq!(
            error,
            TaskError::EmptyText {
                place: Place::line("s.csv", 4)
            }
        );
    }

    #[test]
    fn csv_that_does_not_add_up_is_refused() {
        for (text, line) in [
            ("text,label\n\"a,x\n", 2),
            ("text,label\na,x\na,b,x\n", 3),
            ("text,label\n\"a\"b,x", 2),
        ] {
            match read("s", text) {
                Err(TaskError::BadCsv { place, .. }) => assert_eq!(place.line, Some(line)),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn lines_of_label_and_text_are_read() {
        assert_eq!(
            pairs("x\ta b\n\ny\tc\td\n"),
            [pair("x", "a b"), pair("y", "c\td")]
        );
    }

    #[test]
    fn rows_in_no_known_format_are_refused() {
        for text in ["just words", "[1, 2]", "x\ta\nno tab here"] {
            assert!(
                matches!(read("s", text), Err(TaskError::UnknownFormat { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_megabyte_in_one_row_is_refused_with_its_line_and_the_limit() {
        let text = format!(
            "{{\"text\":\"a\",\"label\":\"x\"}}\n{{\"text\":\"{}\",\"label\":\"x\"}}",
            "é".repeat(1 << 20)
        );
        let error = read("seeds.jsonl", &text).unwrap_err();
        assert_eq!(
            error,
            TaskError::TextTooLong {
                place: Place::line("seeds.jsonl", 2),
                characters: 1 << 20,
                limit: 20_000
            }
        );
        assert!(error.to_string().contains("line 2"));
        let longest = format!("x\t{}", "é".repeat(20_000));
        assert!(read("s", &longest).is_ok());
    }

    #[test]
    fn random_text_never_panics() {
        let mut rng = fastrand::Rng::with_seed(3);
        let pieces = [
            "\"",
            ",",
            "\n",
            "\r\n",
            "{",
            "}",
            "\t",
            "text,label\n",
            "a",
            "é",
            "\u{feff}",
            ":",
            "\\",
        ];
        for _ in 0..3000 {
            let text: String = (0..rng.usize(0..20))
                .map(|_| pieces[rng.usize(0..pieces.len())])
                .collect();
            let _ = read("s", &text);
        }
    }
}
