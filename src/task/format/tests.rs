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
    assert_eq!(task.seeds[1], Example::new("oh no", 1));
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
fn other_kinds_are_named_with_those_there_are() {
    let message = parse(&task_with("type", "poem".into()), SEEDS, None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "the task kind `poem` is not supported: bring a task of the type `classification`, `ner`, `qa` or `instruct`"
    );
}

const NER: &str = r#"{"task":"t","type":"ner","instruction":"i","labels":["person","place"]}"#;

fn tagged(rows: &[(&str, &str)]) -> String {
    let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    rows.iter()
        .map(|(tokens, tags)| {
            format!(
                "{}\n",
                serde_json::json!({"tokens": list(tokens), "tags": list(tags)})
            )
        })
        .collect()
}

#[test]
fn a_task_of_entities_has_its_types_and_a_group_for_texts_without() {
    let seeds = tagged(&[
        ("Ann left Rome", "B-person O B-place"),
        ("so it goes", "O O O"),
        ("Ann left", "B-person O"),
    ]);
    let test = tagged(&[("Bo left", "B-person O"), ("ann left", "O O")]);
    let task = parse(NER, &seeds, Some(&test)).unwrap();
    assert_eq!(task.kind, TaskKind::Ner);
    assert_eq!(task.labels, ["person", "place", "no entity"]);
    assert_eq!(task.types(), ["person", "place"]);
    assert_eq!(task.seeds_per_label(), [1, 1, 1]);
    assert!(task.is_open());
    assert_eq!(task.test.len(), 1);
    assert_eq!(
        task.warnings,
        ["1 test row is also a seed and is left out of the test"]
    );
    let found = parse(
        r#"{"task":"t","type":"ner","instruction":"i"}"#,
        &seeds,
        None,
    );
    assert_eq!(found.unwrap().labels, ["person", "place", "no entity"]);
}

#[test]
fn what_is_wrong_with_entities_is_named() {
    let good = ("Ann left", "B-person O");
    let refusal = |rows: &[(&str, &str)]| parse(NER, &tagged(rows), None).unwrap_err().to_string();
    assert_eq!(
        refusal(&[good, ("Ann", "B-animal")]),
        "seeds.jsonl, line 2: unknown label `animal`; known labels: person, place"
    );
    assert!(refusal(&[good, ("Ann left", "B-person")]).contains("has 1 tags for 2 tokens"));
    assert!(refusal(&[("so", "O"), ("it goes", "O O")]).contains("`no entity`"));
    let broken = parse(NER, &tagged(&[good, ("Bo Day", "O I-place")]), None).unwrap();
    assert!(broken.warnings[0].starts_with("seeds.jsonl: 1 tags go on with an entity"));
    assert_eq!(broken.seeds[1].label, 1);
    let taken = r#"{"task":"t","type":"ner","instruction":"i","labels":["no entity"]}"#;
    assert!(parse(taken, &tagged(&[("Ann", "B-no entity")]), None).is_err());
}

#[test]
fn one_type_of_entity_is_a_task() {
    let json = r#"{"task":"t","type":"ner","instruction":"i","labels":["person"]}"#;
    let task = parse(
        json,
        &tagged(&[("Ann", "B-person"), ("Bo", "B-person")]),
        None,
    )
    .unwrap();
    assert_eq!(task.seeds_per_label(), [2, 0]);
}

#[test]
fn questions_with_listed_answers_have_them_as_labels() {
    let json = r#"{"task":"t","type":"qa","instruction":"i","labels":["no","yes"]}"#;
    let rows = "{\"question\":\"is it\",\"context\":\"a\",\"answer\":\"yes\"}\n{\"question\":\"is it\",\"context\":\"b\",\"answer\":\"no\"}\n";
    let task = parse(json, rows, None).unwrap();
    assert!(!task.is_open());
    assert_eq!(task.seeds_per_label(), [1, 1]);
    assert_eq!(task.seeds[0].context.as_deref(), Some("a"));
    let other = format!("{rows}{{\"question\":\"x\",\"answer\":\"maybe\"}}");
    let message = parse(json, &other, None).unwrap_err().to_string();
    assert_eq!(
        message,
        "seeds.jsonl, line 3: unknown label `maybe`; known labels: no, yes"
    );
    let one = parse(json, &rows.replace("\"no\"", "\"yes\""), None);
    assert!(matches!(one, Err(TaskError::OneLabel { .. })));
}

#[test]
fn questions_with_free_answers_are_grouped_by_the_form_of_these() {
    let json = r#"{"task":"t","type":"qa","instruction":"i"}"#;
    let rows = "{\"question\":\"how many\",\"answer\":7}\n{\"question\":\"who\",\"answers\":[\"Ann Bo\",\"Ann\"]}\n{\"question\":\"WHO\",\"answer\":\"Cy\"}\n";
    let task = parse(json, rows, Some("{\"question\":\"how much\",\"answer\":8}")).unwrap();
    assert!(task.is_open() && task.labels.len() == 7);
    assert_eq!(task.label_of(&task.seeds[0]), "a number");
    assert_eq!(task.label_of(&task.seeds[1]), "a name");
    assert_eq!(
        task.warnings,
        ["the seed \"WHO\" has two answers; the first is kept"]
    );
    let more = parse_rows(&task, "nobody\twho was it").unwrap();
    assert_eq!((more.len(), task.label_of(&more[0])), (1, "one word"));
}

#[test]
fn instructions_have_one_group_and_responses_that_keep_their_lines() {
    let json = r#"{"task":"t","type":"instruct","instruction":"i"}"#;
    let rows = "{\"prompt\":\"Name two birds.\",\"completion\":\"a wren\\na tit\"}\n{\"prompt\":\"Why?\",\"completion\":\"So.\"}\n";
    let test = "{\"messages\":[{\"role\":\"user\",\"content\":\"why?\"},{\"role\":\"assistant\",\"content\":\"No.\"}]}";
    let task = parse(json, rows, Some(test)).unwrap();
    assert!(task.is_open() && task.labels == [INSTRUCTION]);
    assert_eq!(task.said(&task.seeds[0]), "a wren\na tit");
    assert_eq!(task.seeds_per_label(), [2]);
    assert!(task.test.is_empty());
    assert!(task.warnings[0].starts_with("1 test row is also a seed"));
    let labelled = r#"{"task":"t","type":"instruct","instruction":"i","labels":["a","b"]}"#;
    assert_eq!(
        parse(labelled, rows, None).unwrap_err().to_string(),
        "task.json: the field `labels` is there, but instructions have no labels; leave it out"
    );
}

#[test]
fn questions_are_read_out_of_conversations_too() {
    let json = r#"{"task":"t","type":"qa","instruction":"i"}"#;
    let rows = [
        r#"{"messages":[{"role":"user","content":"2 and 2?"},{"role":"assistant","content":"4"}]}"#,
        r#"{"conversations":[{"from":"human","value":"3 and 3?"},{"from":"gpt","value":"6"}]}"#,
        r#"{"instruction":"How many?","input":"Ann has 2 pens.","output":"2"}"#,
        r#"{"prompt":"4 and 4?","completion":"8"}"#,
        r#"{"prompt":"5 and 5?","chosen":"10","rejected":"11"}"#,
        // As it was before: an input alone is the question.
        r#"{"input":"6 and 6?","output":"12"}"#,
    ];
    let task = parse(json, &rows.join("\n"), None).unwrap();
    let said: Vec<String> = task.seeds.iter().map(|seed| task.said(seed)).collect();
    assert_eq!(said, ["4", "6", "2", "8", "10", "12"]);
    assert_eq!(task.seeds[2].context.as_deref(), Some("Ann has 2 pens."));
    assert_eq!(task.seeds[5].text, "6 and 6?");
    let bad = format!("{}\n{{\"messages\":[]}}", rows[0]);
    let message = parse(json, &bad, None).unwrap_err().to_string();
    assert!(
        message.starts_with("seeds.jsonl, line 2: the field `messages`"),
        "{message}"
    );
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
    assert_eq!(task.test, [Example::new("new", 1)]);
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

#[test]
fn every_type_that_is_shown_has_a_group_where_that_can_be() {
    // `place` is the most frequent type, and never alone.
    let seeds = tagged(&[
        ("Ann Rome", "B-person B-place"),
        ("Bo Oslo Bern", "B-person B-place B-place"),
        ("Cy", "B-person"),
    ]);
    let task = parse(NER, &seeds, None).unwrap();
    assert_eq!(task.seeds_per_label(), [2, 1, 0]);
    assert!(
        !task
            .warnings
            .iter()
            .any(|warning| warning.contains("without a seed"))
    );
}
