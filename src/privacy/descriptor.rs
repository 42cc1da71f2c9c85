//! The fixed, public vocabulary in which seeds are described.
//!
//! A family sorts every text into exactly one of its bins, whatever the text is, so one seed adds 1 to one bin of a
//! family and nothing to the others. A family of one bin counts the texts that show something: one seed adds 1 or
//! nothing. Either way one seed added or taken away changes a family's counts by at most 1 in all; this is the
//! sensitivity the noise is made for. The bins are the same for all tasks, so which there are tells nothing.

use crate::task::profile::Profile;
use crate::task::{Example, TaskKind, ner};

/// One family at one granularity.
pub(super) struct Family {
    /// Its name in a brief.
    pub(super) name: &'static str,
    /// The names of its bins.
    pub(super) bins: &'static [&'static str],
    /// The bin of a text; none only in families of one bin.
    pub(super) bin: fn(&Text<'_>) -> Option<usize>,
}

/// A text and what is seen in it.
pub(super) struct Text<'a> {
    text: &'a str,
    profile: Profile,
    /// What it is the text of, where that is known.
    example: Option<&'a Example>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            profile: Profile::new(text, 0),
            example: None,
        }
    }

    pub(super) fn of(example: &'a Example) -> Self {
        Self {
            example: Some(example),
            ..Self::new(&example.text)
        }
    }

    fn has(&self, words: &str) -> bool {
        self.profile.words.iter().any(|word| listed(words, word))
    }

    fn token(&self, test: impl Fn(&str) -> bool) -> bool {
        self.text.split_whitespace().any(test)
    }
}

/// The families from the one a teacher needs most to the one it needs least; each with its granularities, the finer
/// first.
pub(super) const FAMILIES: &[&[Family]] = &[
    &[LENGTH, SHORT_OR_LONG],
    &[FORM],
    &[one("with a number", &["with a number"], |t| {
        yes(t.profile.number)
    })],
    &[TOPIC],
    &[one("with a negation", &["with a negation"], |t| {
        yes(t.has(NEGATIONS) || t.profile.words.iter().any(|word| word.ends_with("n't")))
    })],
    &[one("with a name", &["with a name"], |t| {
        yes(t.profile.name)
    })],
    &[PERSON],
    &[REGISTER],
    &[LANGUAGE],
    &[one("with a comparison", &["with a comparison"], |t| {
        yes(t.has(COMPARISONS))
    })],
    &[one("with a quotation", &["with a quotation"], |t| {
        yes(t.text.contains(['"', '“', '„', '«', '「']))
    })],
    &[one("with a link", &["with a link"], |t| {
        yes(t.token(|word| word.contains("://") || word.starts_with("www.")))
    })],
    &[one(
        "with a mention or hashtag",
        &["with a mention or hashtag"],
        |t| yes(t.token(|word| word.len() > 1 && word.starts_with(['@', '#']))),
    )],
];

/// The families of a kind of task, in the same order: those of its answers first. They are the same for all tasks of the kind.
pub(super) fn families(kind: TaskKind) -> impl Iterator<Item = &'static [Family]> + Clone {
    let own: &[&[Family]] = match kind {
        TaskKind::Classification | TaskKind::Instruct => &[],
        TaskKind::Ner => &[&[ENTITIES], &[ENTITY_LENGTH]],
        TaskKind::Qa => &[&[NUMBERS], &[PASSAGE]],
    };
    own.iter().chain(FAMILIES).copied()
}

/// How many entities a text has: one bin for each text, however many there are.
const ENTITIES: Family = Family {
    name: "Entities",
    bins: &["none", "one", "two", "three or more"],
    bin: |t| {
        Some(
            t.example
                .map_or(0, |example| ner::entities(example).len().min(3)),
        )
    },
};

/// The length of a text's longest entity.
const ENTITY_LENGTH: Family = Family {
    name: "Longest entity",
    bins: &["no entity", "one word", "two words", "three words or more"],
    bin: |t| {
        let entities = t.example.map_or(&[][..], ner::entities);
        let words = |entity: &crate::task::Entity| entity.of(t.text).split_whitespace().count();
        Some(entities.iter().map(words).max().unwrap_or(0).min(3))
    },
};

/// How many numbers a question holds: about how many steps it takes.
const NUMBERS: Family = Family {
    name: "Numbers in the question",
    bins: &["none", "one", "two", "three or more"],
    bin: |t| {
        let number = |word: &&String| word.starts_with(|c: char| c.is_ascii_digit());
        Some(t.profile.words.iter().filter(number).count().min(3))
    },
};

/// How long the passage of a question is.
const PASSAGE: Family = Family {
    name: "Passage",
    bins: &[
        "no passage",
        "up to 50 words",
        "51 to 150 words",
        "over 150 words",
    ],
    bin: |t| {
        let passage = t.example.and_then(|example| example.context.as_ref());
        Some(passage.map_or(0, |passage| {
            1 + [50, 150].partition_point(|&most| passage.split_whitespace().count() > most)
        }))
    },
};

const fn one(
    name: &'static str,
    bins: &'static [&'static str],
    bin: fn(&Text<'_>) -> Option<usize>,
) -> Family {
    Family { name, bins, bin }
}

fn yes(shown: bool) -> Option<usize> {
    shown.then_some(0)
}

pub(super) const LENGTH: Family = Family {
    name: "Length",
    bins: &[
        "up to 5 words",
        "6 to 10 words",
        "11 to 20 words",
        "21 to 50 words",
        "over 50 words",
    ],
    bin: |t| Some([5, 10, 20, 50].partition_point(|&most| t.profile.words.len() > most)),
};

pub(super) const SHORT_OR_LONG: Family = Family {
    name: "Length",
    bins: &["up to 10 words", "over 10 words"],
    bin: |t| Some(usize::from(t.profile.words.len() > 10)),
};

pub(super) const FORM: Family = Family {
    name: "Form",
    bins: &["question", "command", "statement"],
    bin: |t| Some(t.profile.form as usize),
};

const PERSON: Family = Family {
    name: "Person",
    bins: &["I or we", "you", "neither"],
    bin: |t| {
        Some(match (t.profile.first_person, t.profile.second_person) {
            (true, _) => 0,
            (_, true) => 1,
            _ => 2,
        })
    },
};

const REGISTER: Family = Family {
    name: "Register",
    bins: &["casual", "plain", "formal"],
    bin: |t| {
        let profile = &t.profile;
        let casual = profile.lower_case && profile.mark.is_none()
            || t.has(CASUAL)
            || t.text.contains("!!")
            || t.text
                .chars()
                .any(|c| matches!(c, '\u{1f300}'..='\u{1faff}'));
        let formal = profile.capital && profile.mark.is_some() && profile.words.len() > 5;
        Some(if casual {
            0
        } else if formal {
            2
        } else {
            1
        })
    },
};

const LANGUAGE: Family = Family {
    name: "Language",
    bins: &[
        "English",
        "German",
        "French",
        "Spanish",
        "another in Latin letters",
        "Cyrillic letters",
        "Arabic letters",
        "Chinese, Japanese or Korean",
        "another",
    ],
    bin: |t| Some(language(t)),
};

/// By the letters most used, and in Latin letters by the most small words; English where there are none.
fn language(t: &Text<'_>) -> usize {
    let mut scripts = [0; 5];
    for c in t.text.chars().filter(|c| c.is_alphabetic()) {
        let script = match c {
            '\u{0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => 0,
            '\u{400}'..='\u{52f}' => 1,
            '\u{600}'..='\u{77f}' | '\u{fb50}'..='\u{fefc}' => 2,
            '\u{1100}'..='\u{11ff}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7af}' => 3,
            _ => 4,
        };
        scripts[script] += 1;
    }
    // The first of the largest.
    let mut script = 0;
    for other in 1..scripts.len() {
        if scripts[other] > scripts[script] {
            script = other;
        }
    }
    if script > 0 {
        return 4 + script;
    }
    let words = &t.profile.words;
    let count = |list: &str| words.iter().filter(|word| listed(list, word)).count();
    let mut best = (0, count(SMALL_WORDS[0]));
    for (language, list) in SMALL_WORDS.iter().enumerate().skip(1) {
        let seen = count(list);
        if seen > best.1 {
            best = (language, seen);
        }
    }
    best.0
}

const TOPIC: Family = Family {
    name: "Topic",
    bins: &[
        "travel",
        "food",
        "money",
        "health",
        "work",
        "home",
        "technology",
        "entertainment",
        "sport",
        "shopping",
        "weather or nature",
        "science or school",
        "politics or news",
        "people or feelings",
        "no topic of this list",
    ],
    bin: |t| Some(topic(t)),
};

/// The topic with the most words in the text; the first of those in order.
fn topic(t: &Text<'_>) -> usize {
    let (mut best, mut most) = (TOPICS.len(), 0);
    for (topic, list) in TOPICS.iter().enumerate() {
        let seen = t
            .profile
            .words
            .iter()
            .filter(|word| {
                listed(list, word) || word.strip_suffix('s').is_some_and(|one| listed(list, one))
            })
            .count();
        if seen > most {
            (best, most) = (topic, seen);
        }
    }
    best
}

/// Whether a list, with single spaces, holds the word.
fn listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|other| other == word)
}

const NEGATIONS: &str = "no not never none nothing nobody cannot without dont cant nicht kein keine ne pas jamais nunca";
const COMPARISONS: &str =
    "than better worse best worst more less most least same like similar different versus vs";
const CASUAL: &str =
    "lol omg u ur gonna wanna gotta yeah yep nope hey hi thx pls btw idk haha cool awesome";

/// English, German, French, Spanish, others.
const SMALL_WORDS: [&str; 5] = [
    "the a an is are i you to of and in it my for on what how was with this that do can be not",
    "der die das und ich ist nicht ein eine zu den mit auf wie wir es sie von dem im ja für",
    "le la les et je est un une des du que pas pour dans vous en au il elle sur qui mon ma",
    "el la los las y es un una que no por para en con me mi se como del yo está qué lo",
    "il che di non per sono o os não um uma em het een van ik niet w nie na jest och att det i ve bir",
];

const TOPICS: [&str; 14] = [
    "flight hotel trip travel train bus airport ticket visa vacation passport luggage taxi car city road plane",
    "food eat restaurant recipe cook dinner lunch breakfast meal pizza coffee drink table kitchen taste menu",
    "money bank account card pay payment loan credit balance transfer bill tax insurance price cash dollar",
    "health doctor pain medicine sick hospital patient disease drug symptom diet sleep cancer pregnant blood",
    "work job boss meeting office company business employee salary schedule project manager calendar team resume",
    "home house room door light garden clean lamp furniture rent apartment alarm kitchen temperature wall bed",
    "phone computer internet app software code website password data device screen server email program file",
    "music song movie film play game book album artist show tv series playlist watch read concert actor band",
    "football soccer team player match win sport league score race goal basketball baseball coach tennis olympic",
    "buy shop order store delivery product refund return size purchase package item cheap sale customer shipping",
    "weather rain snow sun temperature cold hot forecast storm wind animal dog cat tree river ocean mountain",
    "school student teacher learn study science math physics theory language history university research number",
    "government president law police war state country election vote minister court military party news attack",
    "love feel happy sad angry friend family mother father sorry afraid life hate wife husband child proud",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(name: &str, text: &str) -> &'static str {
        let family = FAMILIES
            .iter()
            .map(|granularities| &granularities[0])
            .find(|family| family.name == name)
            .map(|family| (family.bin)(&Text::new(text)).map(|bin| family.bins[bin]));
        family.flatten().unwrap_or("-")
    }

    #[test]
    fn every_text_falls_into_one_bin_of_every_family_of_several() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut texts: Vec<String> = (0..300)
            .map(|_| (0..rng.usize(0..60)).map(|_| rng.char(..)).collect())
            .collect();
        texts.extend(["", " ", "?", "🙂", "播放音乐", "play jazz"].map(str::to_owned));
        for text in &texts {
            let text = Text::new(text);
            for family in [TaskKind::Ner, TaskKind::Qa]
                .into_iter()
                .flat_map(families)
                .flat_map(|granularities| granularities.iter())
            {
                let bin = (family.bin)(&text);
                assert!(bin.is_some() || family.bins.len() == 1, "{}", family.name);
                assert!(
                    bin.is_none_or(|bin| bin < family.bins.len()),
                    "{}",
                    family.name
                );
            }
        }
    }

    #[test]
    fn texts_are_described_as_a_reader_would() {
        for (family, text, wanted) in [
            ("Length", "one two three four five", "up to 5 words"),
            ("Length", "one two three four five six", "6 to 10 words"),
            ("Form", "where is it?", "question"),
            ("Form", "play some jazz", "command"),
            (
                "Topic",
                "will it rain or snow tomorrow",
                "weather or nature",
            ),
            ("Topic", "two flights and a hotel", "travel"),
            ("Topic", "zig zag", "no topic of this list"),
            ("Person", "my card is gone", "I or we"),
            ("Register", "omg that is great", "casual"),
            ("Register", "I would like to cancel my order.", "formal"),
            (
                "Language",
                "wo ist der Bahnhof und wie komme ich hin",
                "German",
            ),
            ("Language", "où est la gare pour Lyon", "French"),
            ("Language", "где вокзал", "Cyrillic letters"),
            ("Language", "駅はどこですか", "Chinese, Japanese or Korean"),
            ("Language", "hello", "English"),
            ("with a negation", "it doesn't work", "with a negation"),
            ("with a negation", "it works", "-"),
            ("with a link", "see https://a.b", "with a link"),
            (
                "with a mention or hashtag",
                "thanks @you",
                "with a mention or hashtag",
            ),
            ("with a quotation", "he said \"no\"", "with a quotation"),
            (
                "with a comparison",
                "better than before",
                "with a comparison",
            ),
        ] {
            assert_eq!(bin(family, text), wanted, "{text}");
        }
    }

    #[test]
    fn a_text_falls_into_one_bin_however_many_entities_it_has() {
        let entity = |start, end| crate::task::Entity {
            start,
            end,
            label: 0,
        };
        let example = Example {
            answer: crate::task::Answer::Entities(vec![
                entity(0, 3),
                entity(4, 11),
                entity(12, 14),
                entity(15, 17),
            ]),
            ..Example::new("Ann Bo Cy d e Ef Gh", 0)
        };
        let text = Text::of(&example);
        assert_eq!(
            ENTITIES.bins[(ENTITIES.bin)(&text).unwrap_or(9)],
            "three or more"
        );
        assert_eq!(
            ENTITY_LENGTH.bins[(ENTITY_LENGTH.bin)(&text).unwrap_or(9)],
            "three words or more"
        );
        let question = Example {
            context: Some("w ".repeat(51)),
            ..Example::new("what is 2 and 3,5?", 0)
        };
        let text = Text::of(&question);
        assert_eq!(NUMBERS.bins[(NUMBERS.bin)(&text).unwrap_or(9)], "two");
        assert_eq!(
            PASSAGE.bins[(PASSAGE.bin)(&text).unwrap_or(9)],
            "51 to 150 words"
        );
    }

    #[test]
    fn each_topic_has_its_name() {
        assert_eq!(TOPIC.bins.len(), TOPICS.len() + 1);
        assert_eq!(LANGUAGE.bins.len(), SMALL_WORDS.len() + 4);
    }
}
