//! Seeds in disguise: look-alike letters, characters that cannot be seen, codes, acrostics.

use seedbed::evolve;
use seedbed::principle::{Level, Polarity, Principle, PrincipleSet};
use seedbed::privacy::{BriefError, Destination, Epsilon, Guard};
use seedbed::task::Task;

use super::task;

const SEED: &str = "my sister Zebulonia lives at the old mill";

fn disguised(instruction: &str) -> Result<(), BriefError> {
    let task = task(
        instruction,
        ["a", "b"],
        &[(SEED, "a"), ("nothing much", "b")],
    );
    check(&task)
}

fn check(task: &Task) -> Result<(), BriefError> {
    let place = Destination::parse("https://a.example").unwrap();
    let brief = evolve::brief(task, Epsilon::ZERO).unwrap();
    Guard::new(task, place).check(&brief).map(|_| ())
}

#[test]
fn a_seed_in_look_alike_letters_is_refused() {
    // Cyrillic letters and full-width ones.
    for text in [
        "my sistеr Zebulоnia livеs at the оld mill",
        "ｍｙ ｓｉｓｔｅｒ Zebulonia lives at the old mill",
    ] {
        assert!(
            matches!(disguised(text), Err(BriefError::Refused { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_seed_with_characters_that_cannot_be_seen_is_refused() {
    assert!(disguised("my sis\u{200b}ter Zebul\u{ad}onia lives at the old mill").is_err());
    assert!(disguised("Sort these.\u{e0041}\u{e0042}").is_err());
}

#[test]
fn principles_never_enter_a_brief_whatever_their_disguise() {
    let task = task(
        "Sort these.",
        ["a", "b"],
        &[(SEED, "a"), ("nothing much", "b")],
    );
    let rule = |id: &str, text: &str| Principle {
        id: id.to_owned(),
        level: Level::Task,
        label: None,
        attribute: None,
        values: Vec::new(),
        text: text.to_owned(),
        polarity: Polarity::Do,
        support: 0,
    };
    // An acrostic of ZEBULON, and base64 of the seed.
    let set = PrincipleSet {
        version: 1,
        task: "t".to_owned(),
        principles: vec![
            rule("1", "Zest. Every line. Begin. Use. Little. Or. None."),
            rule("2", "bXkgc2lzdGVyIFplYnVsb25pYSBsaXZlcw=="),
        ],
    };
    assert_eq!(set.validate(&task.labels), Ok(()));
    // There is no way to put a set into a brief: it is made of the task and of noise alone.
    let brief = evolve::brief(&task, Epsilon::ROUND).unwrap();
    assert!(
        set.principles
            .iter()
            .all(|principle| !brief.text().contains(&principle.text))
    );
}

#[test]
fn it_succeeds_to_write_a_seed_into_ones_own_words_in_code() {
    // Known and named in docs/privacy.md: whoever writes their own seed down in base64, or as an acrostic, wants it sent.
    assert_eq!(
        disguised("Sort these: bXkgc2lzdGVyIFplYnVsb25pYSBsaXZlcw=="),
        Ok(())
    );
    assert_eq!(
        disguised("My Sister Zebulonia's Letters Are Told Obliquely."),
        Ok(())
    );
}
