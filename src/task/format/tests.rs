use super::*;

const TASK: &str = r#"{"task":"mood","type":"classification","split":"dev","instruction":"Say the mood.",
    "labels":["glad","sad"],"licence":"CC0 1.0","source":"own","seeds":2,"notes":""}"#;
const SEEDS: &str =
    "{\"text\":\"what a day\",\"label\":\"glad\"}\n{\"text\":\"oh no\",\"label\":\"sad\"}\n";

fn seeds(rows: &[(&str, &str)]) -> String {
    rows.iter()
        .map(|(text, label)| format!("{}\n", serde_json::json!({"text": text, "label": label})))
        .collect()
}

fn task_with(field: &str, value: Value) -> String {
    let mut task: Value = serde_json::from_str(TASK).unwrap();
    task[field] = value;
    task.to_string()
}

#[test]
fn a_task_is_read_with_unknown_keys_ignored() {
    let task = parse(TASK, SEEDS, Some(&seeds(&[("lovely", "glad")]))).unwrap();
    assert_eq!(task.name, "mood");
    assert_eq!(task.kind, TaskKind::Classification);
    assert_eq!(task.labels, ["glad", "sad"]);
    assert_eq!(
        task.seeds[1],
        Example {
            text: "oh no".to_owned(),
            label: 1
        }
    );
    assert_eq!((task.seeds_per_label(), task.test.len()), (vec![1, 1], 1));
    assert_eq!(task.source.as_deref(), Some("own"));
    assert!(task.warnings.is_empty(), "{:?}", task.warnings);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_tolerated() {
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let test = seeds(&[("lovely", "glad")]);
    assert_eq!(
        parse(&windows(TASK), &windows(SEEDS), Some(&windows(&test))),
        parse(TASK, SEEDS, Some(&test))
    );
}

#[test]
fn a_task_that_lists_no_labels_takes_those_of_its_seeds() {
    let task = parse(
        &task_with("labels", Value::Null),
        &seeds(&[("a", "z"), ("b", "y"), ("c", "z")]),
        None,
    );
    assert_eq!(task.unwrap().labels, ["z", "y"]);
}

#[test]
fn pasted_seeds_need_no_task_file() {
    let task = parse_pasted(
        "mine",
        "Say the mood.",
        "text,label\nwhat a day,glad\noh no,sad\n",
    )
    .unwrap();
    assert_eq!((task.name.as_str(), task.seeds.len()), ("mine", 2));
    let labels = ["sad".to_owned(), "glad".to_owned()];
    assert_eq!(parse_seeds(SEEDS, Some(&labels)).unwrap().labels, labels);
}

#[test]
fn bad_json_in_the_task_names_file_and_line() {
    let error = parse("{\n\"task\": \"t\",\n!", SEEDS, None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("task.json, line 3: not valid JSON"),
        "{error}"
    );
    assert!(matches!(
        parse("", SEEDS, None),
        Err(TaskError::BadJson { .. })
    ));
    assert!(matches!(
        parse("[]", SEEDS, None),
        Err(TaskError::BadJson { .. })
    ));
}

#[test]
fn a_missing_field_of_the_task_is_named() {
    for field in ["task", "type", "instruction"] {
        match parse(&task_with(field, Value::Null), SEEDS, None) {
            Err(TaskError::MissingField { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_field_of_the_task_that_cannot_be_used_is_named() {
    let long = "x".repeat(2_001);
    for (field, value) in [
        ("task", Value::from("")),
        ("task", Value::from("../x")),
        ("task", Value::from(3)),
        ("instruction", Value::from("  ")),
        ("instruction", Value::from(long)),
        ("labels", Value::from("glad")),
        ("labels", serde_json::json!(["only"])),
        ("labels", serde_json::json!([["a"], ["b"]])),
    ] {
        match parse(&task_with(field, value), SEEDS, None) {
            Err(TaskError::BadField { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn other_kinds_are_named_as_not_yet_supported() {
    for kind in ["ner", "qa", "poem"] {
        let message = parse(&task_with("type", kind.into()), SEEDS, None)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&format!("`{kind}` is not yet supported by this version")),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_label_is_named_with_the_known_ones() {
    let bad = seeds(&[("a", "glad"), ("b", "mad")]);
    let message = parse(TASK, &bad, None).unwrap_err().to_string();
    assert_eq!(
        message,
        "seeds.jsonl, line 2: unknown label `mad`; known labels: glad, sad"
    );
    let message = parse(TASK, SEEDS, Some(&bad)).unwrap_err().to_string();
    assert!(
        message.starts_with("test.jsonl, line 2: unknown label"),
        "{message}"
    );
}

#[test]
fn an_empty_text_is_refused_with_its_line() {
    assert_eq!(
        parse(TASK, &seeds(&[("a", "glad"), (" \u{3000}", "sad")]), None),
        Err(TaskError::EmptyText {
            place: Place::line("seeds.jsonl", 2)
        })
    );
}

#[test]
fn a_task_without_seeds_is_refused() {
    for nothing in ["", "\n \r\n", "\u{feff}", "text,label\n"] {
        assert!(
            matches!(parse(TASK, nothing, None), Err(TaskError::NoSeeds { .. })),
            "{nothing:?}"
        );
    }
}

#[test]
fn a_single_seed_is_refused_even_when_it_is_there_twice() {
    let twice = seeds(&[("a", "glad"), ("A ", "glad")]);
    assert!(matches!(
        parse(TASK, &twice, None),
        Err(TaskError::OneSeed { .. })
    ));
}

#[test]
fn seeds_of_one_label_alone_are_refused() {
    let error = parse(TASK, &seeds(&[("a", "sad"), ("b", "sad")]), None).unwrap_err();
    assert_eq!(
        error,
        TaskError::OneLabel {
            place: Place::file("seeds.jsonl"),
            label: "sad".to_owned()
        }
    );
}

#[test]
fn a_label_without_a_seed_is_a_warning() {
    let task = task_with("labels", serde_json::json!(["glad", "sad", "mad"]));
    let task = parse(&task, SEEDS, Some(&seeds(&[("x", "mad")]))).unwrap();
    assert_eq!(task.warnings, ["labels without a seed: mad"]);
}

#[test]
fn duplicate_seeds_are_removed_and_counted() {
    let rows = seeds(&[
        ("a b", "glad"),
        ("A  b", "glad"),
        ("a b", "glad"),
        ("c", "sad"),
    ]);
    let found = parse_seeds(&rows, None).unwrap();
    assert_eq!(found.examples.len(), 2);
    assert_eq!(found.warnings, ["2 duplicate seeds removed"]);
}

#[test]
fn the_same_text_with_two_labels_keeps_the_first_and_is_named() {
    let found = parse_seeds(
        &seeds(&[("a b", "glad"), ("a b", "sad"), ("c", "sad")]),
        None,
    )
    .unwrap();
    assert_eq!(
        found.examples.iter().map(|e| e.label).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(
        found.warnings,
        ["the seed \"a b\" has two labels, `glad` and `sad`; the first is kept"]
    );
}

#[test]
fn test_rows_that_are_seeds_are_left_out_and_counted() {
    let test = seeds(&[("What a  DAY", "sad"), ("oh no", "sad"), ("new", "sad")]);
    let task = parse(TASK, SEEDS, Some(&test)).unwrap();
    assert_eq!(
        task.test,
        [Example {
            text: "new".to_owned(),
            label: 1
        }]
    );
    assert_eq!(
        task.warnings,
        ["2 test rows are also seeds and are left out of the test"]
    );
}

#[test]
fn a_task_without_test_rows_says_so() {
    let warnings = parse(TASK, SEEDS, None).unwrap().warnings;
    assert_eq!(
        warnings,
        ["there are no test rows, so nothing can be measured; add test.jsonl"]
    );
}

#[test]
fn label_names_that_cannot_be_used_are_refused() {
    for bad in [
        "",
        " ",
        "a,b",
        "a\nb",
        "a\u{200b}b",
        "<|im_end|>",
        &"x".repeat(81),
    ] {
        let task = task_with("labels", serde_json::json!(["sad", bad]));
        assert!(
            matches!(parse(&task, SEEDS, None), Err(TaskError::BadLabel { .. })),
            "{bad:?}"
        );
    }
    let pasted = parse_seeds(&seeds(&[("a", "x,y"), ("b", "z")]), None);
    assert!(matches!(pasted, Err(TaskError::BadLabel { .. })));
}

#[test]
fn a_label_listed_twice_is_refused() {
    let task = task_with("labels", serde_json::json!(["sad", "glad", "sad "]));
    assert_eq!(
        parse(&task, SEEDS, None),
        Err(TaskError::DuplicateLabel {
            label: "sad".to_owned()
        })
    );
}

#[test]
fn labels_that_differ_only_in_case_are_a_warning() {
    let found = parse_seeds("Sad\ta\nsad\tb", None).unwrap();
    assert_eq!(
        found.warnings,
        ["the labels `Sad` and `sad` differ only in case"]
    );
}

#[test]
fn messages_stay_on_one_line() {
    let bad = seeds(&[("a", "ma\nd"), ("b", "sad")]);
    let message = parse(TASK, &bad, None).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
}
