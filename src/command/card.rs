//! The data set card beside the instances of a run: what somebody who is handed them should know. It quotes no seed and no
//! principle. The page writes the same card; the words of both are in one file.

use std::collections::BTreeMap;

use seedbed::evolve::RowName;
use seedbed::task::Task;
use serde_json::Value;

use super::folder::Made;

/// The name of the card, as the hub reads it.
pub(super) const FILE: &str = "README.md";
/// The fields of the instances of a run's folder.
pub(super) const FIELDS: Option<&str> = None;

const WORDS: &str = include_str!("../../www/src/data-card.json");

/// Writes the card of what a run has made. `fields` says what the rows hold, where they are not the run's own instances.
pub(super) fn write(task: &Task, made: &Made, fields: Option<&str>) -> String {
    let words: Value = serde_json::from_str(WORDS).unwrap_or_default();
    let kind = &words["kinds"][task.kind.name()];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let known = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let (mut balance, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut accepted = 0;
    for instance in &made.instances {
        let (counts, name) = match instance["accepted"] == true {
            true => {
                accepted += 1;
                (&mut balance, &instance["label"])
            }
            false => (&mut refused, &instance["refusal"]),
        };
        *counts.entry(known(name)).or_insert(0usize) += 1;
    }
    let listed = |counts: &BTreeMap<String, usize>, none: &Value| match counts.is_empty() {
        true => text(none),
        false => {
            let line = |(name, count): (&String, &usize)| format!("- {}: {count}", code(name));
            counts.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    };
    let own = match fields {
        Some(fields) => fields.to_owned(),
        None => text(&kind["fields"]) + &text(&words["fields"]).replace("{edited}", ""),
    };
    let licence = match &task.licence {
        Some(licence) => text(&words["licence_of_task"]).replace("{licence}", &plain(licence)),
        None => text(&words["licence"]),
    };
    let started = &made.started;
    let values = [
        ("pretty_name", Value::from(task.name.as_str()).to_string()),
        ("category", text(&kind["category"])),
        ("title", plain(&task.name)),
        ("kind", text(&kind["kind"])),
        ("where", "at the desk".to_owned()),
        ("caveat", text(&kind["caveat"])),
        ("instruction", plain(&task.instruction)),
        ("groups", text(&kind["groups"])),
        (
            "labels",
            task.labels
                .iter()
                .map(|label| code(label))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("model", code(&known(&started["model"]))),
        ("device", code(&known(&started["device"]))),
        ("recipe", code(&known(&started["recipe"]))),
        ("seed", started["seed"].to_string()),
        ("teacher", teacher(made, &text(&words["unfinished"]))),
        ("seeds", started["seeds"].to_string()),
        ("lines", made.instances.len().to_string()),
        ("accepted", accepted.to_string()),
        ("changed", "0 edited, 0 deleted".to_owned()),
        ("fields", own),
        ("balance", listed(&balance, &words["nothing_kept"])),
        ("refused", listed(&refused, &words["nothing_refused"])),
        (
            "measured",
            measured(made, &text(&kind["measure"]))
                .unwrap_or_else(|| text(&words["nothing_measured"])),
        ),
        ("licence", licence),
    ];
    let lines = words["card"].as_array().into_iter().flatten().map(text);
    let template = lines.collect::<Vec<_>>().join("\n");
    // One pass, so that braces in what is put in stay what they are.
    let mut parts = template.split('{');
    let mut card = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = values.iter().find(|value| value.0 == name);
        card.push_str(value.map_or("", |value| &value.1));
        card.push_str(rest);
    }
    card + "\n"
}

fn teacher(made: &Made, unfinished: &str) -> String {
    match &made.report {
        None => unfinished.to_owned(),
        Some(report) => {
            let teacher = &report["teacher"];
            let kind = teacher["kind"].as_str().unwrap_or("unknown");
            format!("{kind}, {} bytes sent", teacher["bytes"])
        }
    }
}

/// A table of the rows that were measured, in the order they are made.
fn measured(made: &Made, measure: &str) -> Option<String> {
    let rows = &made.report.as_ref()?["rows"];
    let mut lines = Vec::new();
    for row in RowName::ALL {
        let figures = &rows[row.name()];
        let share = |name: &str| figures[name].as_f64();
        let probability = |name: &str| share(name).map(|loss| (-loss).exp());
        let found = match (share("loss"), share("f1"), figures.get("precision")) {
            (Some(_), ..) => [
                probability("loss"),
                probability("loss_high"),
                probability("loss_low"),
            ],
            (None, Some(f1), Some(_)) => [Some(f1), share("f1_low"), share("f1_high")],
            _ => [share("accuracy"), share("low"), share("high")],
        };
        if let [Some(value), Some(low), Some(high)] = found.map(|part| part.map(|p| 100.0 * p)) {
            lines.push(format!(
                "| {} | {value:.1} % | {low:.1} % to {high:.1} % | {} |",
                row.name(),
                figures["n"]
            ));
        }
    }
    (!lines.is_empty()).then(|| {
        let head = format!("| row | {measure} | 95 % interval | test rows |\n|---|---|---|---|\n");
        head + &lines.join("\n")
    })
}

/// One line without markup of its own.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        if "\\`*_{}[]<>#|".contains(c) {
            line.push('\\');
        }
        line.push(c);
    }
    line
}

fn code(text: &str) -> String {
    let bare = text.replace('`', " ");
    format!(
        "`{}`",
        bare.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made() -> Made {
        let instance = |label: &str, accepted: bool| json!({"text": "a", "label": label, "accepted": accepted, "refusal": if accepted { Value::Null } else { "copy".into() }});
        Made {
            started: json!({"model": "m", "device": "cpu", "recipe": "psi", "seed": 3, "seeds": 2}),
            instances: vec![
                instance("x", true),
                instance("x", true),
                instance("y", false),
            ],
            preferences: Vec::new(),
            report: Some(json!({
                "teacher": {"kind": "offline", "bytes": 0},
                "rows": {"psi": {"accuracy": 0.5, "low": 0.25, "high": 0.75, "n": 4}},
            })),
        }
    }

    fn task(licence: &str) -> Task {
        let json = format!(
            r#"{{"task":"my {{title}}","type":"classification","instruction":"say *x* or {{seeds}}","licence":{licence}}}"#
        );
        seedbed::task::parse(&json, "x\tone thing\ny\tan other", None).unwrap()
    }

    #[test]
    fn a_card_says_how_it_was_made_how_balanced_it_is_and_what_it_reached() {
        let card = write(&task("\"CC0\""), &made(), FIELDS);
        assert!(card.starts_with("---\npretty_name: \"my {title}\"\nlicense: other\ntask_categories:\n- text-classification\n"));
        for part in [
            "recipe `psi`, random seed 3",
            "- Principles by: offline, 0 bytes sent",
            "- Lines: 3, of which accepted 2",
            "- Seeds used: 2 (not part of this data set)",
            "- `x`: 2",
            "- `copy`: 1",
            "| psi | 50.0 % | 25.0 % to 75.0 % | 4 |",
            "own data is given as CC0.",
            // What the user wrote is put in as it is, and nothing is put into that.
            "say \\*x\\* or \\{seeds\\}",
        ] {
            assert!(card.contains(part), "{part} is not in: {card}");
        }
        assert!(!card.contains("one thing"));
    }

    #[test]
    fn a_run_that_did_not_end_has_a_card_that_says_so() {
        let made = Made {
            report: None,
            instances: Vec::new(),
            ..made()
        };
        let card = write(&task("null"), &made, Some("`prompt`."));
        for part in [
            "the run did not end",
            "Nothing was measured.",
            "## Fields\n\n`prompt`.\n",
            "No licence is given here",
        ] {
            assert!(card.contains(part), "{part} is not in: {card}");
        }
    }

    #[test]
    fn every_kind_of_task_has_its_words_and_every_place_of_the_card_is_filled() {
        let words: Value = serde_json::from_str(WORDS).unwrap();
        for kind in ["classification", "ner", "qa", "instruct"] {
            for key in ["category", "kind", "groups", "caveat", "fields", "measure"] {
                assert!(words["kinds"][kind][key].is_string(), "{kind} {key}");
            }
        }
        for key in [
            "licence",
            "unfinished",
            "nothing_refused",
            "nothing_measured",
        ] {
            assert!(words[key].is_string(), "{key}");
        }
        let mut plain = task("null");
        plain.name = "t".into();
        plain.instruction = "i".into();
        let card = write(&plain, &made(), FIELDS);
        assert!(!card.contains(['{', '}']), "{card}");
        // A place that nothing is known for would be left empty.
        for line in card.lines().filter(|line| line.starts_with("- ")) {
            assert!(!line.ends_with(' ') && !line.contains("``"), "{line}");
        }
        assert!(!card.contains("\n\n\n"), "{card}");
    }
}
