//! The command as a shell sees it: one object on standard output, one clear line on standard error, never a panic.
#![cfg(all(not(target_arch = "wasm32"), feature = "desk"))]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;
use std::process::Output;

use command::seedbed;
use serde_json::Value;

const MODEL: &str = "tests/fixtures/tiny-llama-1m";

fn object(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text.lines().count(),
        1,
        "one object and nothing else: {text}"
    );
    serde_json::from_str(&text).expect("JSON")
}

/// The line that a failing command says, checked to be one line, no panic, and to hold every word.
fn refuses(arguments: &[&str], words: &[&str]) {
    let output = seedbed(arguments);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(output.stdout.is_empty());
    assert!(!line.contains("panicked"), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    for word in words {
        assert!(line.contains(word), "{word} is not in: {line}");
    }
}

fn task_folder(root: &Path, task: &str, seeds: &str) -> String {
    fs::write(root.join("task.json"), task).expect("written");
    fs::write(root.join("seeds.jsonl"), seeds).expect("written");
    root.display().to_string()
}

const TASK: &str =
    r#"{"task":"t","type":"classification","instruction":"Which is it?","labels":["a","b"]}"#;
const SEEDS: &str = "{\"text\":\"one fine thing\",\"label\":\"a\"}\n{\"text\":\"another bad thing\",\"label\":\"b\"}\n";

#[test]
fn generate_gives_the_tokens_of_transformers_as_one_object() {
    let numbers: Value =
        serde_json::from_slice(&fs::read(format!("{MODEL}/expected.json")).expect("fixture"))
            .expect("JSON");
    let ids: Vec<String> = numbers["greedy"]["prompt_ids"]
        .as_array()
        .expect("ids")
        .iter()
        .map(ToString::to_string)
        .collect();
    let output = seedbed(&[
        "generate",
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--ids",
        &ids.join(","),
        "--max-new",
        "7",
        "--greedy",
        "--json",
    ]);
    let found = object(&output);
    let expected: Vec<Value> = numbers["greedy"]["new_ids"].as_array().expect("ids")[..7].to_vec();
    assert_eq!(found["ids"].as_array().expect("ids"), &expected);
    assert!(
        numbers["greedy"]["text"]
            .as_str()
            .expect("text")
            .starts_with(found["text"].as_str().expect("text"))
    );
}

#[test]
fn logits_has_a_row_of_the_vocabulary_for_every_position() {
    let found = object(&seedbed(&[
        "logits",
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--ids",
        "423,1394,1601",
        "--json",
    ]));
    let rows = found["logits"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    assert!(
        rows.iter()
            .all(|row| row.as_array().expect("row").len() == 2048)
    );
}

#[test]
fn logits_with_an_adapter_differ_from_those_without() {
    let adapter = format!("{MODEL}/lora_sft20");
    let plain = object(&seedbed(&[
        "logits", "--model", MODEL, "--device", "cpu", "--ids", "423,1394", "--json",
    ]));
    let adapted = object(&seedbed(&[
        "logits",
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--ids",
        "423,1394",
        "--json",
        "--adapter",
        &adapter,
    ]));
    assert_ne!(plain, adapted);
}

/// The scores that the command gives for a few tokens.
fn scores(arguments: &[&str]) -> Vec<f64> {
    let ask = ["logits", "--ids", "1,2,3,40", "--device", "cpu", "--json"];
    let object = object(&seedbed(&[&ask, arguments].concat()));
    let rows = object["logits"].as_array().expect("rows").iter();
    rows.flat_map(|row| row.as_array().expect("a row"))
        .map(|score| score.as_f64().expect("a number"))
        .collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
}

/// Merges the adapter of the fixtures into a model; gives how far the whole is from the model with its adapter beside it.
fn merged_apart(model: &str) -> f64 {
    let adapter = format!("{MODEL}/lora_sft20");
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = root.path().join("merged").display().to_string();
    let arguments = [
        "merge",
        "--model",
        model,
        "--adapter",
        &adapter,
        "--out",
        &out,
    ];
    let merged = seedbed(&arguments);
    assert!(merged.status.success(), "{merged:?}");
    let beside = scores(&["--model", model, "--adapter", &adapter]);
    let whole = scores(&["--model", &out]);
    assert!(
        apart(&whole, &scores(&["--model", model])) > 0.1,
        "the adapter changes something"
    );
    apart(&whole, &beside)
}

#[test]
fn a_merged_model_scores_like_the_model_with_its_adapter_beside_it() {
    let apart = merged_apart(MODEL);
    assert!(apart < 1e-3, "{apart}");
}

#[test]
fn a_gguf_file_is_merged_into_a_folder_of_the_hubs_layout() {
    // Sums are rounded to F16 once; scores lie within ±15.
    let apart = merged_apart(&format!("{MODEL}/gguf/model-q4_0.gguf"));
    assert!(apart < 2e-2, "{apart}");
}

/// A whole run, as short as it can be, twice: the report has every promised key, and the same seed gives the same.
#[test]
fn a_run_reports_every_row_and_repeats_itself() {
    let root = tempfile::tempdir().expect("folder");
    let out = root.path().join("run");
    let arguments = [
        "run",
        "www/tasks/snips_intent",
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--instances",
        "2",
        "--epochs",
        "1",
        "--test-limit",
        "6",
        "--seed",
        "3",
        "--json",
        "--out",
    ];
    let run = |out: &Path| {
        let mut arguments = arguments.to_vec();
        let out = out.display().to_string();
        arguments.push(&out);
        object(&seedbed(&arguments))
    };
    let mut first = run(&out);
    for row in ["untouched", "seeds_only", "direct", "psi"] {
        for key in ["accuracy", "macro_f1", "low", "high", "n"] {
            assert!(first["rows"][row][key].is_number(), "{row} {key}");
        }
        assert_eq!(first["rows"][row]["n"], 6);
    }
    assert_eq!(first["device"], "cpu");
    assert_eq!(first["seed"], 3);
    assert_eq!(first["recipe"], "psi");
    let memory = |part: &str| first["memory"][part].as_u64().expect("bytes");
    assert!(memory("total") > memory("weights") + memory("adapter") && memory("weights") > 1 << 20);
    let teacher = &first["teacher"];
    assert_eq!(teacher["kind"], "offline");
    assert!(teacher["requests"] == 0 && teacher["bytes"] == 0);
    let counts = &first["instances"];
    let refused: u64 = counts["refused"]
        .as_object()
        .expect("reasons")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(
        counts["generated"].as_u64(),
        Some(counts["accepted"].as_u64().expect("count") + refused)
    );
    for file in [
        "events.jsonl",
        "instances.jsonl",
        "principles.json",
        "report.json",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    ] {
        assert!(out.join(file).metadata().expect(file).len() > 0, "{file}");
    }
    let log = fs::read_to_string(out.join("events.jsonl")).expect("log");
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    assert!(log.lines().last().expect("events").contains("\"finished\""));

    let mut second = run(&root.path().join("again"));
    // What is reckoned from the time it took differs, as the time does.
    for report in [&mut first, &mut second] {
        report["seconds"].take();
        report["cost"]["local"].take();
    }
    assert_eq!(first, second);
}

#[test]
fn eval_measures_an_adapter_on_the_test_rows() {
    let root = tempfile::tempdir().expect("folder");
    let folder = task_folder(root.path(), TASK, SEEDS);
    fs::write(
        root.path().join("test.jsonl"),
        "{\"text\":\"x y\",\"label\":\"a\"}\n",
    )
    .expect("written");
    let adapter = format!("{MODEL}/lora_sft20");
    let found = object(&seedbed(&[
        "eval",
        &folder,
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--json",
        "--adapter",
        &adapter,
    ]));
    assert_eq!(found["n"], 1);
    assert!(found["accuracy"].is_number() && found["macro_f1"].is_number());
}

#[test]
fn a_missing_task_is_named() {
    refuses(
        &["run", "no/such/task", "--model", MODEL],
        &["no/such/task"],
    );
}

#[test]
fn a_missing_model_is_named() {
    refuses(
        &[
            "generate",
            "--model",
            "no/such/model",
            "--prompt",
            "x",
            "--device",
            "cpu",
        ],
        &["no/such/model", "config.json"],
    );
}

#[test]
fn bad_json_is_named_with_its_line() {
    let root = tempfile::tempdir().expect("folder");
    let folder = task_folder(
        root.path(),
        TASK,
        "{\"text\":\"one\",\"label\":\"a\"}\n{\"text\":\n",
    );
    refuses(
        &["run", &folder, "--model", MODEL],
        &["seeds.jsonl", "line 2"],
    );
}

#[test]
fn an_unknown_label_is_named() {
    let root = tempfile::tempdir().expect("folder");
    let folder = task_folder(root.path(), TASK, &SEEDS.replace("\"b\"", "\"zebra\""));
    refuses(&["run", &folder, "--model", MODEL], &["zebra"]);
}

#[test]
fn one_seed_is_too_few() {
    let root = tempfile::tempdir().expect("folder");
    let folder = task_folder(root.path(), TASK, SEEDS.lines().next().expect("line"));
    refuses(&["run", &folder, "--model", MODEL], &["seed"]);
}

#[test]
fn a_seed_of_a_megabyte_is_refused() {
    let root = tempfile::tempdir().expect("folder");
    let long = format!(
        "{SEEDS}{{\"text\":\"{}\",\"label\":\"a\"}}\n",
        "word ".repeat(200_000)
    );
    let folder = task_folder(root.path(), TASK, &long);
    refuses(&["run", &folder, "--model", MODEL], &["20000", "3"]);
}

/// A model folder with one file changed.
fn changed(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("folder");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = fs::read(format!("{MODEL}/{name}")).expect("fixture");
        let bytes = if name == file { change(bytes) } else { bytes };
        fs::write(root.path().join(name), bytes).expect("written");
    }
    root
}

#[test]
fn a_truncated_model_is_refused() {
    let root = changed("model.safetensors", |bytes| {
        bytes[..bytes.len() / 2].to_vec()
    });
    let folder = root.path().display().to_string();
    refuses(
        &[
            "generate", "--model", &folder, "--prompt", "x", "--device", "cpu",
        ],
        &["safetensors"],
    );
}

#[test]
fn tensors_that_do_not_fit_the_config_are_named() {
    let root = changed("config.json", |bytes| {
        String::from_utf8(bytes)
            .expect("text")
            .replace("\"intermediate_size\": 384", "\"intermediate_size\": 380")
            .into_bytes()
    });
    let folder = root.path().display().to_string();
    refuses(
        &[
            "generate", "--model", &folder, "--prompt", "x", "--device", "cpu",
        ],
        &["mlp", "384", "380"],
    );
}

#[test]
fn a_token_that_does_not_exist_is_named() {
    refuses(
        &[
            "logits", "--model", MODEL, "--device", "cpu", "--ids", "99999", "--json",
        ],
        &["99999", "2048"],
    );
}

#[test]
fn an_unknown_teacher_is_named() {
    refuses(
        &[
            "run",
            "www/tasks/snips_intent",
            "--model",
            MODEL,
            "--device",
            "cpu",
            "--teacher",
            "oracle",
        ],
        &["oracle", "offline"],
    );
}

#[test]
fn a_teacher_may_not_be_reached_over_plain_http() {
    refuses(
        &[
            "run",
            "www/tasks/snips_intent",
            "--model",
            MODEL,
            "--device",
            "cpu",
            "--rows",
            "psi",
            "--test-limit",
            "1",
            "--epochs",
            "1",
            "--instances",
            "1",
            "--teacher",
            "http://example.org/v1",
        ],
        &["http://example.org/v1", "https"],
    );
}

#[test]
fn a_run_that_does_not_fit_is_refused_with_what_would() {
    let refused = |size: &str| {
        let task = "www/tasks/snips_intent";
        let output = seedbed(&[
            "run", task, "--model", MODEL, "--device", "cpu", "--memory", size,
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    };
    let nothing = refused("1M");
    assert!(
        nothing.contains("this device grants 1.0 MiB; no setting of this model fits"),
        "{nothing}"
    );
    let less = refused("16M");
    assert!(
        less.contains("the largest that fits is a batch of"),
        "{less}"
    );
    let output = seedbed(&["run", "www/tasks/snips_intent", "--memory", "much"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("such as 800M or 4G"));
}

#[test]
fn bench_gives_every_pass_as_one_object() {
    let output = seedbed(&[
        "bench",
        "--model",
        MODEL,
        "--device",
        "cpu",
        "--only",
        "load,prefill,dpo-step",
        "--samples",
        "2",
        "--json",
    ]);
    let report = object(&output);
    let passes = |name: &str| {
        report["measures"][name]["passes"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(
        (passes("load"), passes("prefill"), passes("dpo-step")),
        (3, 3, 3)
    );
    assert_eq!(report["measures"]["prefill"]["passes"][2]["tokens"], 256);
    refuses(
        &[
            "bench",
            "--model",
            MODEL,
            "--device",
            "cpu",
            "--only",
            "prefill,speed",
        ],
        &["prefill", "sft-step"],
    );
}

#[test]
fn brief_prints_what_would_be_sent_and_nothing_of_the_seeds() {
    let brief = |more: &[&str]| {
        let output = seedbed(&[&["brief", "www/tasks/snips_intent"], more].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let plain = brief(&["--epsilon", "0"]);
    assert!(plain.starts_with("Task: ") && plain.contains("GetWeather") && !plain.ends_with('\n'));
    assert!(!plain.contains("Examples"));
    let object: Value = serde_json::from_str(&brief(&["--epsilon", "4", "--json"])).expect("JSON");
    assert_eq!(object["epsilon"], 4.0);
    assert_eq!(object["ledger"]["spent"], 4.0);
    let text = object["brief"].as_str().expect("text");
    assert!(text.starts_with(&plain) && text.contains("Examples: about "));
    let body: Value = serde_json::from_str(object["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(body["messages"][1]["content"], text);
    let seeds = std::fs::read_to_string("www/tasks/snips_intent/seeds.jsonl").expect("seeds");
    for seed in seeds.lines() {
        let seed: Value = serde_json::from_str(seed).expect("JSON");
        let words: Vec<&str> = seed["text"]
            .as_str()
            .expect("text")
            .split_whitespace()
            .collect();
        assert!(words.windows(3).all(|run| !text.contains(&run.join(" "))));
    }
}

#[test]
fn packed_weights_change_the_scores_by_little_and_the_fewer_bits_the_more() {
    let logits = |dtype: &str| -> Vec<f64> {
        let output = seedbed(&[
            "logits", "--model", MODEL, "--device", "cpu", "--dtype", dtype, "--ids", "5,6,7,8",
            "--json",
        ]);
        let rows = object(&output)["logits"].clone();
        let rows = rows.as_array().expect("rows").clone();
        rows.iter()
            .flat_map(|row| row.as_array().expect("scores").clone())
            .map(|score| score.as_f64().expect("a number"))
            .collect()
    };
    let exact = logits("f32");
    let off = |dtype: &str| -> f64 {
        let squares =
            |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let apart = squares(&mut logits(dtype).iter().zip(&exact).map(|(a, b)| a - b));
        (apart / squares(&mut exact.iter().copied())).sqrt()
    };
    let (f16, q8, q4) = (off("f16"), off("q8"), off("q4"));
    assert!(
        f16 < 1e-3 && f16 < q8 && q8 < 0.03 && q8 < q4 && q4 < 0.4,
        "{f16} {q8} {q4}"
    );
}
