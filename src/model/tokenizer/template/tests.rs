//! Published templates write what transformers writes with them.
#![allow(clippy::unwrap_used)]

use serde_json::Value as Json;

use super::super::known;
use super::*;
use crate::model::Role;

macro_rules! templates {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../../../tests/fixtures/chat/", $name, ".jinja")))),*] };
}

const TEMPLATES: [(&str, &str); 7] = templates!(
    "smollm2",
    "qwen2_5",
    "qwen3",
    "gemma3",
    "llama3_2",
    "qwen3_training",
    "gemma3_training"
);
const EXPECTED: &str = include_str!("../../../../tests/fixtures/chat/expected.json");

fn turn(role: Role, content: &str) -> Turn {
    Turn {
        role,
        content: content.into(),
    }
}

fn turns(value: &Json) -> Vec<Turn> {
    let turns = value.as_array().unwrap().iter().map(|entry| {
        let role = match entry["role"].as_str().unwrap() {
            "system" => Role::System,
            "user" => Role::User,
            _ => Role::Assistant,
        };
        turn(role, entry["content"].as_str().unwrap())
    });
    turns.collect()
}

fn written(source: &str) -> String {
    let turns = [turn(Role::User, "Hello you")];
    let rendered = Template::new(source)
        .unwrap()
        .render(&turns, true, &Special::default());
    rendered.unwrap().text
}

fn refused(source: &str) -> String {
    let turns = [turn(Role::User, "Hello you")];
    match Template::new(source)
        .and_then(|template| template.render(&turns, true, &Special::default()))
    {
        Ok(rendered) => panic!("{rendered:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_families_templates_write_what_transformers_writes() {
    let expected: Json = serde_json::from_str(EXPECTED).unwrap();
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let special = Special {
        bos: text(&expected["special"]["bos_token"]),
        eos: text(&expected["special"]["eos_token"]),
        thinking: None,
    };
    for (name, source) in TEMPLATES {
        // transformers was given a date, for the day must not matter.
        let source = source.replace("strftime_now(\"%d %b %Y\")", "\"26 Jul 2024\"");
        let template = Template::new(&source).unwrap();
        for case in expected["templates"][name].as_array().unwrap() {
            let open = case["open"].as_bool().unwrap();
            let rendered = template
                .render(&turns(&case["turns"]), open, &special)
                .unwrap();
            assert_eq!(rendered.text, case["text"].as_str().unwrap(), "{name}");
            let letters = |byte: usize| rendered.text[..byte].chars().count();
            let generated: Vec<Vec<usize>> = rendered
                .generated
                .iter()
                .map(|range| vec![letters(range.start), letters(range.end)])
                .collect();
            assert_eq!(serde_json::json!(generated), case["generated"], "{name}");
        }
    }
}

#[test]
fn what_a_browser_build_writes_is_what_transformers_writes() {
    let expected: Json = serde_json::from_str(EXPECTED).unwrap();
    let special = Special {
        bos: expected["special"]["bos_token"].as_str().map(str::to_owned),
        ..Special::default()
    };
    // The variants for training mark what the model writes; they come with no model.
    for (name, source) in &TEMPLATES[..5] {
        let source = source.replace("strftime_now(\"%d %b %Y\")", "\"26 Jul 2024\"");
        let known = known::Template::new(&source).unwrap();
        for case in expected["templates"][*name].as_array().unwrap() {
            let (turns, open) = (turns(&case["turns"]), case["open"].as_bool().unwrap());
            let rendered = known.render(&turns, open, &special).unwrap();
            assert_eq!(rendered.text, case["text"].as_str().unwrap(), "{name}");
            // Models that can think aloud are asked not to, in the same words.
            let quiet = Special {
                thinking: Some(false),
                ..special.clone()
            };
            let whole = Template::new(&source).unwrap();
            assert_eq!(
                known.render(&turns, open, &quiet).unwrap().text,
                whole.render(&turns, open, &quiet).unwrap().text,
                "{name}"
            );
        }
    }
}

#[test]
fn a_browser_build_refuses_what_gemmas_template_refuses_and_templates_it_does_not_know() {
    let gemma = known::Template::new(TEMPLATES[3].1).unwrap();
    let twice = [turn(Role::User, "a"), turn(Role::User, "b")];
    assert!(gemma.render(&twice, true, &Special::default()).is_err());
    assert!(known::Template::new("{{ '[INST]' + messages[0].content }}").is_err());
}

#[test]
fn a_model_that_can_think_aloud_is_asked_not_to() {
    let template = Template::new(TEMPLATES[2].1).unwrap();
    let special = Special {
        thinking: Some(false),
        ..Special::default()
    };
    let rendered = template
        .render(&[turn(Role::User, "x")], true, &special)
        .unwrap();
    assert!(
        rendered
            .text
            .ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        "{}",
        rendered.text
    );
}

#[test]
fn python_methods_do_as_in_python() {
    for (expression, expected) in [
        ("'  a b '.strip()", "a b"),
        ("'xxaxx'.strip('x')", "a"),
        ("'  a '.lstrip() + '|'", "a |"),
        ("'a\\n\\n'.rstrip('\\n')", "a"),
        ("'a,b,,c'.split(',')|join('-')", "a-b--c"),
        ("' a  b c '.split()|join('-')", "a-b-c"),
        ("' a  b c '.split(none, 1)|join('-')", "a-b c "),
        ("'a=b=c'.split('=', 1)[-1]", "b=c"),
        (
            "'abc'.startswith('ab') ~ 'abc'.endswith(('x', 'c'))",
            "TrueTrue",
        ),
        (
            "'ÄB'.lower() + 'äb'.upper() + 'aB cD'.title() + 'aBC'.capitalize()",
            "äbÄBAb CdAbc",
        ),
        ("'aaa'.replace('a', 'b', 2)", "bba"),
        ("'äbc'.find('c')", "2"),
        ("'abc'.find('x')", "-1"),
        (
            "messages[0].get('role') ~ messages[0].get('x', 'none')",
            "usernone",
        ),
        ("messages[0].items()|length", "2"),
        ("messages[0].keys()|list|join(',')", "role,content"),
        ("', '.join(['a', 'b'])", "a, b"),
    ] {
        let found = written(&format!("{{{{ {expression} }}}}"));
        assert_eq!(
            found.to_lowercase(),
            expected.to_lowercase(),
            "{expression}"
        );
    }
}

#[test]
fn json_has_the_separators_of_python_and_leaves_letters_alone() {
    assert_eq!(
        written(r#"{{ {"b": [1, 2.5, none], "a": "ä\"<\n"} | tojson }}"#),
        r#"{"a": "ä\"<\n", "b": [1, 2.5, null]}"#
    );
    assert_eq!(
        written("{{ {'a': [1], 'b': []} | tojson(indent=2) }}"),
        "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}"
    );
    assert_eq!(written("{{ true | tojson }}"), "true");
}

#[test]
fn namespaces_loop_controls_and_macros_are_there() {
    assert_eq!(
        written(
            "{% set n = namespace(x=0) %}{% for i in range(9) %}{% if i == 4 %}{% break %}{% endif %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}"
        ),
        "6"
    );
    assert_eq!(
        written(
            "{% for i in range(4) %}{% if i % 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}"
        ),
        "02"
    );
    assert_eq!(
        written("{% macro m(a, b='y') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }}"),
        "xy"
    );
}

#[test]
fn dates_are_written_as_strftime_writes_them() {
    assert_eq!(time::at(1_721_952_000, "%d %b %Y"), "26 Jul 2024");
    assert_eq!(
        time::at(951_782_399, "%A %-d %B %y %H:%M:%S %m %%"),
        "Monday 28 February 00 23:59:59 02 %"
    );
    assert_eq!(time::at(951_782_400, "%Y-%m-%d %a"), "2000-02-29 Tue");
}

#[test]
fn a_template_refuses_in_its_own_words() {
    assert!(
        refused("{{ raise_exception('roles must alternate') }}").contains("roles must alternate")
    );
}

#[test]
fn a_broken_template_is_an_error() {
    assert!(refused("{% for %}").contains("chat template"));
    assert!(refused("{%}{% generation %}").contains("chat template"));
    assert!(refused("{{ messages | no_such_filter }}").contains("no_such_filter"));
    assert!(refused("{{ 'a'.no_such_method() }}").contains("no_such_method"));
}

#[test]
fn a_template_without_end_is_stopped() {
    let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{{ c }}{% endfor %}{% endfor %}{% endfor %}";
    assert!(refused(nested).contains("chat template"));
}
