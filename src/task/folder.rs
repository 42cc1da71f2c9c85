//! A task as a folder: `task.json`, seeds and, to measure, test rows.

use std::io::ErrorKind;
use std::path::Path;

use super::error::{Place, TaskError};
use super::format::{Source, parse_named};
use super::{Task, rows};

/// The endings that rows may have, in the order they are looked for. The content decides the format, not the ending.
const ENDINGS: [&str; 4] = ["jsonl", "csv", "tsv", "txt"];

/// Reads a task from a folder with `task.json`, `seeds.jsonl` and, where there are test rows, `test.jsonl` (or the
/// same names with `.csv`, `.tsv`, `.txt`).
///
/// # Errors
///
/// A missing or unreadable file, bytes that are not UTF-8, and everything that [`parse`](super::parse) refuses.
pub fn read_folder(folder: &Path) -> Result<Task, TaskError> {
    let task_json = read(folder, "task.json")?.ok_or_else(|| missing(folder, "task.json"))?;
    let (seeds_file, seeds) =
        read_rows(folder, "seeds")?.ok_or_else(|| missing(folder, "seeds.jsonl"))?;
    let test = read_rows(folder, "test")?;
    parse_named(
        &task_json,
        &Source {
            file: &seeds_file,
            text: &seeds,
        },
        test.as_ref()
            .map(|(file, text)| Source { file, text })
            .as_ref(),
    )
}

fn missing(folder: &Path, file: &str) -> TaskError {
    TaskError::MissingFile {
        path: folder.join(file).display().to_string(),
    }
}

fn read_rows(folder: &Path, stem: &str) -> Result<Option<(String, String)>, TaskError> {
    for ending in ENDINGS {
        let file = format!("{stem}.{ending}");
        if let Some(text) = read(folder, &file)? {
            return Ok(Some((file, text)));
        }
    }
    Ok(None)
}

fn read(folder: &Path, file: &str) -> Result<Option<String>, TaskError> {
    let path = folder.join(file);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(TaskError::Unreadable {
                path: path.display().to_string(),
                problem: error.to_string(),
            });
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Err(TaskError::NotUtf8 {
                place: Place::line(file, rows::line_at(good)),
            })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TASK: &str = r#"{"task":"t","type":"classification","instruction":"i","labels":["a","b"],"licence":"CC0 1.0"}"#;
    const SEEDS: &str = "{\"text\":\"x y\",\"label\":\"a\"}\n{\"text\":\"z\",\"label\":\"b\"}\n";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_read_with_its_test_rows() {
        let test = b"text,label\nnew,b\n";
        let folder = folder(&[
            ("task.json", TASK.as_bytes()),
            ("seeds.jsonl", SEEDS.as_bytes()),
            ("test.csv", test),
        ]);
        let task = read_folder(folder.path()).unwrap();
        assert_eq!((task.seeds.len(), task.test.len()), (2, 1));
        assert_eq!(task.licence.as_deref(), Some("CC0 1.0"));
    }

    #[test]
    fn a_missing_file_is_named_with_the_remedy() {
        let message = read_folder(folder(&[]).path()).unwrap_err().to_string();
        assert!(message.contains("task.json is missing"), "{message}");
        let folder = folder(&[("task.json", TASK.as_bytes())]);
        let message = read_folder(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("seeds.jsonl is missing: a task folder holds"),
            "{message}"
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_named_with_their_line() {
        let folder = folder(&[
            ("task.json", TASK.as_bytes()),
            ("seeds.jsonl", b"{\"text\":\"x\",\"label\":\"a\"}\n\xff\xfe"),
        ]);
        assert_eq!(
            read_folder(folder.path()),
            Err(TaskError::NotUtf8 {
                place: Place::line("seeds.jsonl", 2)
            })
        );
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_unreadable() {
        let folder = folder(&[]);
        std::fs::create_dir(folder.path().join("task.json")).unwrap();
        assert!(matches!(
            read_folder(folder.path()),
            Err(TaskError::Unreadable { .. })
        ));
    }
}
