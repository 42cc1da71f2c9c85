//! Attacks on the guard, each by name.
use super::*;
use crate::privacy::sketch::tests::task;
use crate::privacy::{Entry, Epsilon};

const SEED: &str = "my cat Zebulon sleeps on the red sofa";

fn own(instruction: &str, labels: [&str; 2]) -> Task {
    let mut task = task(&[
        (SEED, 0),
        ("call Zebulon at 030-901820 or zeb@mail.example", 1),
    ]);
    task.instruction = instruction.into();
    task.labels = labels.map(str::to_owned).to_vec();
    task
}

fn agreed() -> Destination {
    Destination::parse("https://api.example.org/v1").unwrap()
}

fn check(task: &Task) -> Result<Vec<Warning>, BriefError> {
    Guard::new(task, agreed()).check(&Brief::of(task))
}

fn refused(instruction: &str, labels: [&str; 2]) -> Option<(Rule, Place)> {
    match check(&own(instruction, labels)) {
        Err(BriefError::Refused { rule, place, .. }) => Some((rule, place)),
        _ => None,
    }
}

#[test]
fn plain_words_pass_without_a_warning() {
    assert_eq!(
        check(&own("Sort texts on cats.", ["cat", "call"])),
        Ok(vec![])
    );
}

#[test]
fn an_instruction_that_repeats_a_seed_is_refused() {
    let copied = Some((Rule::Copy, Place::Instruction));
    assert_eq!(
        refused("Such as: my cat, ZEBULON, sleeps; on", ["a", "b"]),
        copied
    );
}

#[test]
fn a_seed_disguised_with_marks_spaces_or_look_alikes_is_refused() {
    let copied = Some((Rule::Copy, Place::Instruction));
    for disguise in [
        "mycatzebulonsleepsontheredsofa",
        "m y c a t z e b u l o n s l e e p s o n t h e r e d",
        "my_cat_zebulon_sleeps_on_the_red",
        "my cat zеbulоn slеерs оn the red sofa",
        "ｍｙ ｃａｔ ｚｅｂｕｌｏｎ ｓｌｅｅｐｓ ｏｎ",
    ] {
        assert_eq!(refused(disguise, ["a", "b"]), copied, "{disguise}");
    }
}

#[test]
fn a_seed_spread_over_label_names_is_refused() {
    assert_eq!(
        refused("Sort.", ["my cat zebulon", "sleeps on"]),
        Some((Rule::Copy, Place::Labels))
    );
}

#[test]
fn invisible_characters_are_refused() {
    let hidden = Some((Rule::Invisible, Place::Instruction));
    assert_eq!(refused("Sort\u{200b} these.", ["a", "b"]), hidden);
    assert_eq!(refused("Sort\u{e0041} these.", ["a", "b"]), hidden);
    assert_eq!(refused("Sort\nthese.", ["a", "b"]), None);
}

#[test]
fn a_refusal_names_the_rule_and_the_place_but_not_the_span() {
    let task = own("Such as: my cat Zebulon sleeps on", ["a", "b"]);
    let error = check(&task).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the instruction repeats one of your examples, so the brief was not sent; describe the task in other words"
    );
    assert!(
        matches!(&error, BriefError::Refused { span, .. } if span == "my cat zebulon sleeps on")
    );
}

#[test]
fn confirmed_own_words_pass_with_a_warning() {
    let task = own("Such as: my cat Zebulon sleeps on it", ["a", "b"]);
    let guard = Guard::new(&task, agreed()).with_own_words_confirmed();
    let warnings = guard.check(&Brief::of(&task)).unwrap();
    assert_eq!(warnings[0].rule, Rule::Copy);
}

#[test]
fn instances_that_repeat_the_users_words_and_personal_data_in_them_are_warnings() {
    let task = own("Sort texts by the mood; ask jo@mail.example", ["a", "b"]);
    let guard = Guard::new(&task, agreed()).with_instances(["sort texts by the mood now"]);
    let rules: Vec<Rule> = guard
        .check(&Brief::of(&task))
        .unwrap()
        .iter()
        .map(|w| w.rule)
        .collect();
    assert_eq!(rules, [Rule::Copy, Rule::Personal(PersonalKind::Email)]);
}

#[test]
fn a_canary_is_refused_even_in_the_users_own_words() {
    let task = own("Sort by xq-7731 please", ["a", "b"]);
    let guard = Guard::new(&task, agreed())
        .with_own_words_confirmed()
        .with_canary("XQ 7731");
    assert!(matches!(
        guard.check(&Brief::of(&task)),
        Err(BriefError::Refused {
            rule: Rule::Canary,
            ..
        })
    ));
}

#[test]
fn a_brief_of_another_task_is_refused() {
    let (one, other) = (own("Sort.", ["a", "b"]), own("Sort it.", ["a", "b"]));
    let checked = Guard::new(&one, agreed()).check(&Brief::of(&other));
    assert_eq!(checked, Err(BriefError::OtherTask));
}

#[test]
fn an_overlong_brief_is_refused() {
    let task = own(&"word ".repeat(700), ["a", "b"]);
    assert!(matches!(check(&task), Err(BriefError::TooLong { .. })));
}

#[test]
fn a_brief_goes_to_the_destination_agreed_on_and_to_no_other() {
    let task = own("Sort.", ["a", "b"]);
    let (guard, mut ledger) = (Guard::new(&task, agreed()), Ledger::new(Epsilon::TOTAL));
    let other = Destination::parse("https://evil.example/v1").unwrap();
    assert!(matches!(
        guard.clear(Brief::of(&task), other, &mut ledger, 1),
        Err(BriefError::OtherDestination { .. })
    ));
    let (cleared, _) = guard
        .clear(Brief::of(&task), agreed(), &mut ledger, 2)
        .unwrap();
    assert_eq!(cleared.destination(), &agreed());
    assert!(matches!(
        ledger.entries(),
        [Entry::Refused { at: 1, .. }, Entry::Cleared { at: 2, .. }]
    ));
}

#[test]
fn the_ledger_holds_no_span_of_a_refusal() {
    let task = own("Such as: my cat Zebulon sleeps on it", ["a", "b"]);
    let mut ledger = Ledger::new(Epsilon::TOTAL);
    let guard = Guard::new(&task, agreed());
    assert!(
        guard
            .clear(Brief::of(&task), agreed(), &mut ledger, 1)
            .is_err()
    );
    assert!(!ledger.to_json().to_lowercase().contains("zebulon"));
}

#[test]
fn other_texts_may_hold_nothing_of_the_examples() {
    let task = own("Sort texts on cats.", ["a", "b"]);
    let guard = Guard::new(&task, agreed()).with_instances(["dial 4111 1111 1111 1111 now"]);
    let rule = |text: &str| match guard.check_text(text) {
        Err(BriefError::Refused { rule, .. }) => Some(rule),
        _ => None,
    };
    assert_eq!(rule("Write a short text on cats."), None);
    assert_eq!(rule("a cat sleeps on the red sofa"), Some(Rule::Copy));
    assert_eq!(
        rule("mention zebulon"),
        Some(Rule::Personal(PersonalKind::Name))
    );
    assert_eq!(
        rule("mail ZEB@mail.example"),
        Some(Rule::Personal(PersonalKind::Email))
    );
    assert_eq!(
        rule("dial 030 901820"),
        Some(Rule::Personal(PersonalKind::Phone))
    );
    assert_eq!(
        rule("pay 4111111111111111"),
        Some(Rule::Personal(PersonalKind::Card))
    );
    assert_eq!(rule("hid\u{200d}den"), Some(Rule::Invisible));
}

#[test]
fn random_seeds_with_canaries_never_reach_a_brief() {
    let mut rng = fastrand::Rng::with_seed(9);
    let mut entropy = crate::privacy::noise::tests::Seeded::new(9);
    for _ in 0..200 {
        let canaries: Vec<String> = (0..40)
            .map(|_| (0..12).map(|_| rng.lowercase()).collect())
            .collect();
        let texts: Vec<String> = canaries
            .iter()
            .map(|canary| format!("please {} {canary} now?", rng.alphabetic()))
            .collect();
        let seeds: Vec<(&str, usize)> = texts
            .iter()
            .map(|text| (text.as_str(), rng.usize(0..2)))
            .collect();
        let task = task(&seeds);
        let sketch = crate::privacy::Sketch::draw(&task, Epsilon::TOTAL, &mut entropy).unwrap();
        let brief = Brief::with(&task, Some(&sketch), None);
        assert!(Guard::new(&task, agreed()).check(&brief).is_ok());
        assert!(canaries.iter().all(|canary| !brief.text().contains(canary)));
    }
}

fn told(rows: &str, kind: &str) -> Task {
    let json =
        format!(r#"{{"task":"t","type":"{kind}","instruction":"Find drugs such as aspirin."}}"#);
    crate::task::parse(&json, rows, None).unwrap()
}

#[test]
fn entities_and_answers_are_private_however_short_they_are() {
    let ner = told(
        "{\"tokens\":[\"takes\",\"metformin\",\"or\",\"aspirin\"],\"tags\":[\"O\",\"B-drug\",\"O\",\"B-drug\"]}\n{\"tokens\":[\"so\",\"what\"],\"tags\":[\"O\",\"O\"]}",
        "ner",
    );
    let guard = Guard::inward(&ner);
    assert!(guard.check_text("Mention Metformin, often.").is_err());
    assert!(guard.check_text("Mention a drug, such as aspirin.").is_ok());
    assert!(guard.check_text("Mention metforminol.").is_ok());
    let qa = told(
        "{\"question\":\"where\",\"answer\":\"red sofa\"}\n{\"question\":\"is it\",\"answer\":\"yes\"}",
        "qa",
    );
    let guard = Guard::inward(&qa);
    assert!(guard.check_text("Say it lies on a RED SOFA.").is_err());
    assert!(guard.check_text("Ask for yes or no.").is_ok());
}

#[test]
fn a_passage_and_a_free_answer_are_content_of_a_seed() {
    let passage = "the fox went over the hill to see what it could see";
    let answer = "because nobody had told him of the river";
    let row = format!(
        "{{\"question\":\"why\",\"context\":\"{passage}\",\"answer\":\"{answer}\"}}\n{{\"question\":\"q\",\"answer\":\"a\"}}"
    );
    for copied in [passage, answer] {
        let mut task = told(&row, "qa");
        task.instruction = format!("Answer as in: {copied}");
        assert!(
            matches!(
                check(&task),
                Err(BriefError::Refused {
                    rule: Rule::Copy,
                    ..
                })
            ),
            "{copied}"
        );
    }
    let brief = Brief::of(&told(&row, "qa"));
    assert!(brief.text().contains("Kind: qa") && !brief.text().contains("fox"));
}
