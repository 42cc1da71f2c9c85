use std::collections::BTreeSet;

use super::*;
use crate::principle::{MAX_TEXT_CHARS, MAX_VALUE_CHARS, MAX_VALUES, draw};
use crate::task::{parse, parse_pasted};

const VOICE: &str = "\
music\tPlay some slow jazz by Miles Davis
music\tPlay the new album
music\tPlay a song from 1994
music\tplease play some jazz
music\tPlay my album again
music\tPut on some jazz
food\tBook a table for two at the Olive Garden
food\tBook a table near the station for six people
food\tCan you book a restaurant for seven tonight please
food\tCan you find a restaurant for four in the old town
food\tBook me a table at a good restaurant near Baker Street
food\tI would like a table for ten people on Friday night
weather\tWill it rain?
weather\tIs it cold in Paris?
weather\tWhat is the forecast?
weather\tWhat is the weather like now?
weather\tWill it snow today?
weather\tWhat is the weather in Rome?
";

fn voice() -> PrincipleSet {
    write(&parse_pasted("voice", "Pick the intent.", VOICE).unwrap())
}

fn get<'a>(set: &'a PrincipleSet, id: &str) -> &'a Principle {
    set.principles
        .iter()
        .find(|principle| principle.id == id)
        .unwrap_or_else(|| panic!("no {id} in {:#?}", set.principles))
}

fn labels(task: &PrincipleSet) -> Vec<String> {
    let names: BTreeSet<&String> = task
        .principles
        .iter()
        .filter_map(|principle| principle.label.as_ref())
        .collect();
    names.into_iter().cloned().collect()
}

#[test]
fn all_three_levels_are_written_and_valid() {
    let set = voice();
    set.validate(&labels(&set)).unwrap();
    assert_eq!(labels(&set), ["food", "music", "weather"]);
    for level in [Level::Task, Level::Label, Level::Instance] {
        assert!(
            set.principles
                .iter()
                .any(|principle| principle.level == level)
        );
    }
}

#[test]
fn the_same_seeds_give_the_same_principles() {
    assert_eq!(voice(), voice());
}

#[test]
fn the_task_level_says_what_is_right_and_what_texts_look_like() {
    let set = voice();
    assert_eq!(
        get(&set, "task/answer").text,
        "The right answer is exactly one of: music, food, weather."
    );
    assert_eq!(get(&set, "task/length").text, "Use between 4 and 11 words.");
    assert_eq!(
        get(&set, "task/casing").text,
        "Most texts start with a capital letter."
    );
    assert_eq!(get(&set, "task/casing").support, 17);
}

#[test]
fn the_dominant_form_is_named_with_its_punctuation() {
    let commands = "a\tplay it\na\tplay that\nb\tstop it\nb\tstop that\n";
    let set = write(&parse_pasted("t", "i", commands).unwrap());
    assert_eq!(
        get(&set, "task/form").text,
        "Most texts are commands without a full stop."
    );
    let questions = "a\tWhere is it?\na\tWhere was it?\nb\tWho is it?\nb\tWho was it?\n";
    let set = write(&parse_pasted("t", "i", questions).unwrap());
    assert_eq!(
        get(&set, "task/form").text,
        "Most texts are questions with a question mark."
    );
}

#[test]
fn each_label_has_its_words_its_opening_and_its_length() {
    let set = voice();
    assert_eq!(
        get(&set, "label/music/words").text,
        "Use words such as \"play\", \"jazz\", \"album\", \"slow\"."
    );
    assert_eq!(
        get(&set, "label/food/words").text,
        "Use words such as \"table\", \"book\", \"restaurant\", \"people\", \"near\"."
    );
    assert_eq!(
        get(&set, "label/food/opening").text,
        "Often starts with \"Book\" or \"Can you\"."
    );
    assert_eq!(
        (
            get(&set, "label/food/opening").support,
            get(&set, "label/music/words").support
        ),
        (5, 6)
    );
    assert_eq!(
        get(&set, "label/food/length").text,
        "Use between 9 and 11 words."
    );
    assert_eq!(get(&set, "label/weather/form").text, "Write a question.");
}

#[test]
fn the_label_most_alike_is_told_apart() {
    let seeds = "a\trate this book well\na\trate this book badly\nb\tfind this book now\nb\tfind a book here\nc\tcold rain\nc\twet rain\n";
    let set = write(&parse_pasted("t", "i", seeds).unwrap());
    let contrast = get(&set, "label/a/not/b");
    assert_eq!(
        (
            contrast.polarity,
            contrast
                .text
                .starts_with("Not b: avoid words such as \"find\"")
        ),
        (Polarity::Avoid, true)
    );
    assert!(!contrast.text.contains("book"));
    assert!(
        set.principles
            .iter()
            .all(|principle| !principle.id.starts_with("label/c/not"))
    );
}

#[test]
fn instances_vary_in_length_opening_form_and_words() {
    let set = voice();
    let values = |id| get(&set, id).values.join("; ");
    assert_eq!(
        values("instance/length"),
        "4 to 5 words; 6 to 9 words; 10 to 11 words"
    );
    assert_eq!(values("instance/food/length"), "9 to 11 words");
    assert_eq!(values("instance/food/opening"), "Book; Can you; I would");
    assert_eq!(values("instance/weather/form"), "question");
    assert_eq!(values("instance/food/mention"), "a number; a name");
    assert!(values("instance/music/words").starts_with("play; jazz; album"));
    assert_eq!(
        get(&set, "instance/music/words").label.as_deref(),
        Some("music")
    );
}

#[test]
fn a_label_with_a_single_seed_uses_what_that_seed_shows() {
    let set = write(
        &parse_pasted(
            "t",
            "i",
            "a\tplay loud jazz\nb\tbook a table\nb\tbook a room\n",
        )
        .unwrap(),
    );
    assert_eq!(get(&set, "label/a/words").support, 1);
    assert!(get(&set, "label/a/words").text.contains("jazz"));
}

#[test]
fn seeds_without_words_still_give_a_rule_for_each_label() {
    let set = write(&parse_pasted("t", "i", "a\t🙂\na\t🙂🙂\nb\t!!!\nb\t???\n").unwrap());
    assert_eq!(
        get(&set, "label/a/words").text,
        "Write a text that fits \"a\"."
    );
    set.validate(&["a".to_owned(), "b".to_owned()]).unwrap();
    draw(&set, "b", 3, &mut fastrand::Rng::with_seed(1));
}

#[test]
fn a_label_without_seeds_gets_no_rules() {
    let task = r#"{"task":"t","type":"classification","instruction":"i","labels":["a","b","c"]}"#;
    let task = parse(task, "a\tone two\nb\tthree four\n", None).unwrap();
    assert!(
        write(&task)
            .principles
            .iter()
            .all(|principle| principle.label.as_deref() != Some("c"))
    );
}

#[test]
fn many_long_labels_and_long_words_stay_within_the_limits() {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut seeds = String::new();
    for label in 0..600 {
        let name: String = format!("{label}{}", "é".repeat(77))
            .chars()
            .take(80)
            .collect();
        for _ in 0..2 {
            let words: Vec<String> = (0..rng.usize(1..9))
                .map(|_| "x".repeat(rng.usize(1..60)))
                .collect();
            seeds.push_str(&format!("{name}\t{} {}\n", rng.u32(..), words.join(" ")));
        }
    }
    let task = parse_pasted("many", "i", &seeds).unwrap();
    let set = write(&task);
    set.validate(&task.labels).unwrap();
    assert_eq!(set.principles.len(), MAX_PRINCIPLES);
    for principle in &set.principles {
        assert!(
            principle.text.chars().count() <= MAX_TEXT_CHARS
                && principle.values.len() <= MAX_VALUES
        );
        assert!(
            principle
                .values
                .iter()
                .all(|value| value.chars().count() <= MAX_VALUE_CHARS)
        );
    }
}

#[test]
fn texts_of_any_script_give_valid_principles() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..30 {
        let mut seeds = String::new();
        for row in 0..12 {
            let text: String = (0..rng.usize(1..40))
                .map(|_| rng.char(..))
                .filter(|c| !c.is_whitespace())
                .collect();
            let json = serde_json::json!({"text": format!("{row}{text}"), "label": (["a", "b", "c"][row % 3])});
            seeds.push_str(&format!("{json}\n"));
        }
        let task = parse_pasted("t", "i", &seeds).unwrap();
        write(&task).validate(&task.labels).unwrap();
    }
}
