#![allow(clippy::unwrap_used)]

use std::rc::Rc;

use super::{Constraint, Shape, Spelling, Words};
use crate::generate::{Batch, Finish, GenerateError, Sampling};
use crate::kernels::{self, Choice};
use crate::model::Model;

fn model(choice: Choice) -> Option<Model> {
    let opened = pollster::block_on(kernels::open(choice)).ok()?;
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-1m");
    Some(Model::from_folder(&folder, &opened.device).unwrap())
}

fn spelling(model: &Model) -> Rc<Spelling> {
    Rc::new(Spelling::new(&model.vocabulary))
}

/// Greedy, as a run draws, and nearly even.
const SAMPLINGS: [Sampling; 3] = [
    Sampling::GREEDY,
    Sampling {
        temperature: 0.9,
        top_k: 0,
        top_p: 0.95,
    },
    Sampling {
        temperature: 8.0,
        top_k: 50,
        top_p: 1.0,
    },
];

/// What is written behind so many prompts of different lengths.
fn written(
    model: &Model,
    constraints: &[Constraint],
    sampling: Sampling,
    count: usize,
    limit: usize,
) -> Vec<String> {
    let prompts: Vec<Vec<u32>> = (0..count)
        .map(|row| {
            (0..3 + row % 5)
                .map(|i| (40 + 7 * row + i) as u32)
                .collect()
        })
        .collect();
    let mut batch = Batch::start(model, None, &prompts, limit, sampling, 11)
        .and_then(|batch| batch.held_to(constraints))
        .unwrap();
    while !batch.is_done() {
        pollster::block_on(batch.step()).unwrap();
    }
    (batch.written().iter())
        .map(|text| {
            assert_eq!(text.finish, Finish::Stop);
            assert!(text.ids.len() <= limit);
            model.vocabulary.decode(&text.ids).unwrap()
        })
        .collect()
}

fn label_shape() -> Shape {
    Shape::choice(["PlayMusic", "Play", "GetWeather", "würdig"])
}

fn object_shape() -> Shape {
    Shape::object([
        ("label", Shape::json_choice(["a \"b\"", "c"])),
        ("text", Shape::json_string()),
        ("marks", Shape::json_list(Shape::JsonNumber, 1, Some(3))),
    ])
}

#[test]
fn every_text_is_one_of_the_labels_whatever_the_sampling() {
    let model = model(Choice::Cpu).unwrap();
    let shape = [Constraint::new(spelling(&model), &label_shape()).unwrap()];
    for sampling in SAMPLINGS {
        // More prompts than lanes, so that lanes change hands.
        for text in written(&model, &shape, sampling, 70, 12) {
            assert!(
                ["PlayMusic", "Play", "GetWeather", "würdig"].contains(&text.as_str()),
                "{text}"
            );
        }
    }
}

#[test]
fn every_text_is_json_of_the_shape_even_when_the_room_is_scarce() {
    let model = model(Choice::Cpu).unwrap();
    let shape = Constraint::new(spelling(&model), &object_shape()).unwrap();
    let least = shape.least();
    let shape = [shape];
    for (sampling, limit) in SAMPLINGS.into_iter().zip([least, least + 3, 60]) {
        for text in written(&model, &shape, sampling, 6, limit) {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(["a \"b\"", "c"].contains(&value["label"].as_str().unwrap()));
            assert!(value["text"].is_string());
            let marks = value["marks"].as_array().unwrap();
            assert!((1..=3).contains(&marks.len()) && marks.iter().all(|mark| mark.is_number()));
        }
    }
}

#[test]
fn each_prompt_has_its_own_words_tagged() {
    let model = model(Choice::Cpu).unwrap();
    let spelling = spelling(&model);
    let sentences = [vec!["Ada", "wrote"], vec!["in", "New", "York", "."]];
    let shapes: Vec<Constraint> = (sentences.iter())
        .map(|words| {
            let shape = Shape::Bio {
                kinds: vec!["PER".into(), "LOC".into()],
                words: Words::Given(words.iter().map(|word| (*word).into()).collect()),
            };
            Constraint::new(spelling.clone(), &shape).unwrap()
        })
        .collect();
    for sampling in SAMPLINGS {
        let texts = written(&model, &shapes, sampling, 2, 60);
        for (text, words) in texts.iter().zip(&sentences) {
            let lines: Vec<(&str, &str)> = (text.lines())
                .map(|line| line.split_once(' ').unwrap())
                .collect();
            assert!(lines.iter().map(|(word, _)| word).eq(words));
            let mut before = "O";
            for (_, tag) in lines {
                match tag.split_once('-') {
                    Some(("I", kind)) => assert!(before.ends_with(kind), "{text}"),
                    Some(("B", kind)) => assert!(["PER", "LOC"].contains(&kind)),
                    _ => assert_eq!(tag, "O"),
                }
                before = tag;
            }
        }
    }
}

#[test]
fn free_words_are_written_with_their_tags() {
    let model = model(Choice::Cpu).unwrap();
    let shape = Shape::Bio {
        kinds: vec!["PER".into()],
        words: Words::Free { least: 3 },
    };
    let constraint = [Constraint::new(spelling(&model), &shape).unwrap()];
    for text in written(&model, &constraint, SAMPLINGS[1], 4, 40) {
        assert!(shape.fits(&text), "{text}");
        assert!(text.lines().count() >= 3);
    }
}

#[test]
fn without_an_end_marker_a_text_ends_where_nothing_more_fits() {
    let model = model(Choice::Cpu).unwrap();
    let mut spelling = Spelling::new(&model.vocabulary);
    spelling.end = None;
    let shape = [Constraint::new(Rc::new(spelling), &label_shape()).unwrap()];
    for text in written(&model, &shape, SAMPLINGS[2], 5, 12) {
        assert!(shape[0].fits(&text) && text != "Play", "{text}");
    }
}

#[test]
fn the_gpu_draws_the_same_as_the_cpu() {
    // Where there is no GPU the CPU has nothing to be compared with.
    let (Some(cpu), Some(gpu)) = (model(Choice::Cpu), model(Choice::Gpu)) else {
        return;
    };
    let shape = [Constraint::new(spelling(&cpu), &object_shape()).unwrap()];
    let texts = written(&gpu, &shape, SAMPLINGS[1], 3, 50);
    assert!(texts.iter().all(|text| shape[0].fits(text)));
    assert_eq!(texts, written(&cpu, &shape, SAMPLINGS[1], 3, 50));
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is() {
    let model = model(Choice::Cpu).unwrap();
    let spelling = spelling(&model);
    let nothing = Constraint::new(spelling.clone(), &Shape::OneOf(Vec::new()));
    assert_eq!(nothing.err(), Some(GenerateError::Unspellable));
    let long = [Constraint::new(spelling, &Shape::Text("a b c d e f".into())).unwrap()];
    let prompts = [vec![5u32, 6], vec![7]];
    let start = |limit| Batch::start(&model, None, &prompts, limit, Sampling::GREEDY, 0).unwrap();
    let refused = start(2).held_to(&long).err().unwrap().to_string();
    assert!(refused.contains("and 2 are allowed"), "{refused}");
    let none = start(20).held_to(&[]).err().unwrap().to_string();
    assert!(none.contains("2 prompts came with 0 constraints"), "{none}");
}
