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

/// Ways to make much of little: each would take gigabytes, or forever.
const HOSTILE: [(&str, &str); 22] = [
    (
        "loops in loops",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
    ),
    ("a text many times", "{{ 'a' * 10**8 }}"),
    ("many times a text", "{{ 10**8 * 'a' }}"),
    (
        "doubled by +",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    ),
    (
        "doubled by ~",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    ),
    (
        "doubled by a block",
        "{% set x = 'abcdefgh' %}{% for i in range(60) %}{% set y %}{{ x }}{{ x }}{% endset %}{% endfor %}{% set n = namespace(x=x) %}{% for i in range(60) %}{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}{% endfor %}",
    ),
    (
        "doubled by a macro",
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = m(n.x) %}{% endfor %}",
    ),
    (
        "doubled by replace",
        "{% set n = namespace(x='aa') %}{% for i in range(60) %}{% set n.x = n.x.replace('a', 'aa') %}{% endfor %}",
    ),
    (
        "doubled by the filter replace",
        "{% set n = namespace(x='aa') %}{% for i in range(60) %}{% set n.x = n.x|replace('a', 'aa') %}{% endfor %}",
    ),
    (
        "squared by replace",
        "{% set x = 'a' * 100000 %}{{ x.replace('a', x) | length }}",
    ),
    (
        "squared by join",
        "{% set x = 'a' * 100000 %}{{ x.join(x.replace('a', 'a ').split()) | length }}",
    ),
    (
        "one text in a list many times, joined",
        "{{ (['a' * 100000] * 100000) | join | length }}",
    ),
    (
        "one text in a list many times, as a text",
        "{% set x = 'a' * 100000 %}{{ ([x] * 1000) ~ '' }}",
    ),
    (
        "one text in a list many times, written",
        "{% set x = 'a' * 100000 %}{{ [x] * 1000 }}",
    ),
    (
        "one text in a list many times, as JSON",
        "{% set x = 'a' * 100000 %}{{ ([x] * 1000) | tojson }}",
    ),
    ("a list many times", "{{ ([messages] * 10**8) | length }}"),
    (
        "a list many times, reversed",
        "{{ (range(99999) | list * 99999) | reverse | length }}",
    ),
    (
        "doubled lists",
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    ),
    (
        "lists of lists",
        "{% set n = namespace(x=[1, 1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | string | length }}",
    ),
    (
        "lists of lists, in capitals",
        "{% set n = namespace(x=[1, 1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | upper }}",
    ),
    (
        "lists of lists, as a refusal",
        "{% set n = namespace(x=[1, 1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ raise_exception(n.x) }}",
    ),
    (
        "many large texts kept",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = n.x + ['a' * 100000 ~ i] %}{% endfor %}",
    ),
];

#[test]
fn a_template_that_makes_much_of_little_is_stopped_by_name_with_a_remedy() {
    for (how, source) in HOSTILE {
        let turns = [turn(Role::User, "Hello you")];
        let template = Template::new(source).unwrap();
        let outcome = template.render(&turns, true, &Special::default());
        let Err(ModelError::TemplateTakesTooMuch { begins, .. }) = &outcome else {
            panic!("{how}: {outcome:?}");
        };
        assert!(source.starts_with(begins.as_str()), "{how}");
        assert!(refused(source).contains("chat_template.jinja"), "{how}");
    }
}

#[test]
fn a_long_conversation_takes_a_fraction_of_what_a_template_may() {
    for (name, source) in TEMPLATES {
        let template = Template::new(source).unwrap();
        let said = "a long answer, with nothing in it that stands twice. ".repeat(40);
        let turns: Vec<Turn> = (0..100)
            .map(|at| turn([Role::User, Role::Assistant][at % 2], &said))
            .collect();
        let rendered = template.render(&turns, true, &Special::default());
        assert!(rendered.unwrap().text.len() > 200_000, "{name}");
    }
}

#[test]
fn operators_do_as_in_python() {
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("1 + 0.5", "1.5"),
        ("2 * 1.5 ~ 'a'", "3.0a"),
        ("'ab' * 2 + 'c'", "ababc"),
        ("2 * 'ab' ~ true ~ none", "ababTrueNone"),
        ("'a' * -1 ~ '|'", "|"),
        ("([1] + [2, 3]) * 2", "[1, 2, 3, 1, 2, 3]"),
        ("(range(2) | list) + ['a']", "[0, 1, 'a']"),
        ("true + 1", "2"),
        ("[1, 2, 3] | last ~ ('abc' | last)", "3c"),
        (
            "[1, 2, 3] | reverse | join(',') ~ ('abc' | reverse)",
            "3,2,1cba",
        ),
        ("messages | join('-', attribute='role')", "user"),
        ("'a b' | title ~ ('x' | upper) ~ (' y ' | trim)", "A BXy"),
    ] {
        assert_eq!(
            written(&format!("{{{{ {expression} }}}}")),
            expected,
            "{expression}"
        );
    }
    assert!(refused("{{ 'a' + 1 }}").contains("two texts"));
    assert!(refused("{{ 'a' * 'b' }}").contains("takes two numbers"));
    assert!(refused("{{ undefined_name + 'a' }}").contains("chat template"));
}
