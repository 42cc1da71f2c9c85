//! What hostile chat templates take of the whole program: each runs in a thread of its own, so all threads are counted, and
//! nothing else is tested here.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator is unsafe by its nature; this one only counts and hands on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use seedbed::model::{ModelError, Role, Turn, Vocabulary};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that a template may make, as it grows and as it is copied.
const MOST_BYTES: usize = 48 << 20;
/// What the allocator of the system, or a table that grows with use, may keep after the first time.
const LEFT: usize = 1 << 20;

const HOSTILE: [(&str, &str); 10] = [
    ("a text many times", "{{ 'a' * 10**7 }}{{ 'a' * 10**9 }}"),
    (
        "a text doubled",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    ),
    (
        "a text doubled by a macro",
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = m(n.x) %}{% endfor %}",
    ),
    (
        "a text squared",
        "{% set x = 'a' * 100000 %}{{ x.replace('a', x) | length }}",
    ),
    (
        "a text in a list many times",
        "{% set x = 'a' * 100000 %}{{ ([x] * 1000) | join | length }}{{ [x] * 1000 }}",
    ),
    (
        "a replaced text, many times",
        "{% set x = 'a' * 1000 %}{{ (['a'] * 9999) | map('replace', 'a', x) | map('replace', 'a', x) | list | length }}",
    ),
    (
        "lists of lists",
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] + [n.x] * 9 %}{% endfor %}{{ n.x }}",
    ),
    (
        "lists of lists, compared",
        "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
    ),
    (
        "many texts kept",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = n.x + ['a' * 10000 ~ i] %}{% endfor %}",
    ),
    (
        "many texts kept where they hold themselves",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n, n.x, 'a' * 10000 ~ i] %}{% endfor %}",
    ),
];

/// A list in a list, and so on: harmless, but for the stack.
const DEEP: &str = "{% set n = namespace(x=[1]) %}{% for i in range(20000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | length }}";

/// A namespace that holds itself has no end when it is written or compared.
const ROUND: [&str; 3] = [
    "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
    "{% set n = namespace() %}{% set n.x = n %}{{ n | tojson }}",
    "{% set n = namespace() %}{% set n.x = n %}{% set m = namespace() %}{% set m.x = m %}{{ m == n }}",
];

fn asked(template: &str) -> Result<Vec<u32>, ModelError> {
    let tokenizer = include_bytes!("../fuzz/corpus/tokenizer/qwen.json");
    let vocabulary = Vocabulary::from_json(tokenizer)?.with_chat_template(template, None, None)?;
    vocabulary.prompt(&[Turn {
        role: Role::User,
        content: "Hello you".into(),
    }])
}

#[test]
fn a_hostile_template_takes_little_memory_and_leaves_none() {
    // What is made once and for all is no template's.
    asked("{{ messages[0].content }}").unwrap();
    let before = HELD.load(Relaxed);
    for (how, template) in HOSTILE {
        for _ in 0..3 {
            MOST.store(HELD.load(Relaxed), Relaxed);
            let outcome = asked(template);
            assert!(
                matches!(outcome, Err(ModelError::TemplateTakesTooMuch { .. })),
                "{how}: {outcome:?}"
            );
            let most = MOST.load(Relaxed) - before;
            assert!(most < MOST_BYTES, "{how}: {most} bytes");
        }
        let left = HELD.load(Relaxed).saturating_sub(before);
        assert!(left < LEFT, "{how}: {left} bytes are left");
    }
    assert!(asked(DEEP).is_ok());
    for template in ROUND {
        assert!(
            matches!(asked(template), Err(ModelError::Template(_))),
            "{template}"
        );
    }
}
