//! The tables of `docs/results.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use super::runs::{SEEDS, own_row};
use super::stats::{mean, permutation, spread};

const BEGIN: &str = "<!-- made by cargo xtask evaluate: begin -->";
const END: &str = "<!-- made by cargo xtask evaluate: end -->";

/// How likely chance makes such differences, to three decimals.
fn chance(differences: &[f64]) -> String {
    match permutation(differences) {
        None => "–".into(),
        Some(p) if p < 0.0005 => "< 0.001".into(),
        Some(p) => format!("{p:.3}"),
    }
}

/// The rows in the order of the tables.
const ROWS: [&str; 11] = [
    "untouched",
    "seeds_only",
    "all_seeds",
    "round_zero",
    "direct",
    "own_principles",
    "recorded",
    "psi",
    "lance",
    "static",
    "evokd",
];

/// Which rows of a recipe are set against each other.
fn contrasts(recipe: &str) -> &'static [(&'static str, &'static str)] {
    match recipe {
        "psi" => &[
            ("psi", "direct"),
            ("psi", "seeds_only"),
            ("direct", "seeds_only"),
        ],
        SEEDS => &[("seeds_only", "untouched")],
        "lance" => &[("lance", "round_zero"), ("lance", "seeds_only")],
        "evokd" => &[
            ("evokd", "static"),
            ("evokd", "seeds_only"),
            ("evokd", "all_seeds"),
        ],
        _ => &[],
    }
}

/// What a row is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    /// Of labels; %.
    Accuracy,
    /// Of entities (micro), or of the words of answers; %.
    F1,
    /// Of the responses that are there, nats a token.
    Loss,
}

impl Measure {
    /// By the rows of a report: all are measured alike.
    fn of(report: &Value) -> Self {
        let has = |key: &str| {
            let rows = report["rows"].as_object();
            rows.is_some_and(|rows| rows.values().any(|row| row[key].is_number()))
        };
        match (has("loss"), has("f1")) {
            (true, _) => Self::Loss,
            (_, true) => Self::F1,
            _ => Self::Accuracy,
        }
    }

    /// The end of a table's heading.
    fn named(self) -> &'static str {
        match self {
            Self::Accuracy => "",
            Self::F1 => ", F1",
            Self::Loss => ", loss",
        }
    }

    /// Decimals of a figure.
    fn decimals(self) -> usize {
        match self {
            Self::Loss => 3,
            _ => 1,
        }
    }

    /// What a difference is told in.
    fn unit(self) -> &'static str {
        match self {
            Self::Loss => "nats of loss less",
            _ => "points",
        }
    }
}

/// What runs of one table have in common: model, recipe, seeds of each label, what they are measured by.
type Kind = (String, String, String, Measure);

fn text(report: &Value, key: &str) -> String {
    report[key].as_str().unwrap_or_default().to_owned()
}

fn kind(report: &Value) -> Kind {
    (
        text(report, "model"),
        text(report, "recipe"),
        text(report, "per_label"),
        Measure::of(report),
    )
}

/// The figure of a row as a table shows it.
fn figure(report: &Value, row: &str) -> Option<f64> {
    let row = &report["rows"][row];
    match Measure::of(report) {
        Measure::Accuracy => Some(100.0 * row["accuracy"].as_f64()?),
        Measure::F1 => Some(100.0 * row["f1"].as_f64()?),
        Measure::Loss => row["loss"].as_f64(),
    }
}

/// How much better a row is than another of its run, or of one like it: a loss is better where it is less.
fn gain(row: (&Value, &str), base: (&Value, &str)) -> Option<f64> {
    let gain = figure(row.0, row.1)? - figure(base.0, base.1)?;
    Some(match Measure::of(row.0) {
        Measure::Loss => -gain,
        _ => gain,
    })
}

/// All tables.
pub fn of(reports: &[Value], watts: f64) -> String {
    let mut tables = String::new();
    let whole: Vec<&Value> = reports
        .iter()
        .filter(|report| report["variant"].is_null())
        .collect();
    let kinds: BTreeSet<Kind> = whole.iter().map(|report| kind(report)).collect();
    for kind in kinds {
        let runs: Vec<&Value> = whole
            .iter()
            .copied()
            .filter(|run| self::kind(run) == kind)
            .collect();
        let (model, recipe, shots, measure) = &kind;
        let _ = write!(
            tables,
            "\n### {recipe}, {shots} seeds per label, {model}{}\n\n",
            measure.named()
        );
        figures(&mut tables, &runs, *measure);
        differences(&mut tables, (recipe, *measure), &runs);
        costs(&mut tables, &runs, watts);
    }
    variants(&mut tables, reports);
    models(&mut tables, &whole);
    tables
}

/// What each model is worth before any instance is written: the reports of `seeds`, with all seeds, side by side.
fn models(tables: &mut String, whole: &[&Value]) {
    let runs: Vec<&Value> = whole
        .iter()
        .copied()
        .filter(|run| text(run, "recipe") == SEEDS && text(run, "per_label") == "all")
        .filter(|run| Measure::of(run) == Measure::Accuracy)
        .collect();
    let models: BTreeSet<String> = runs.iter().map(|run| text(run, "model")).collect();
    if models.len() < 2 {
        return;
    }
    let rows = ["untouched", "seeds_only"];
    tables.push_str("\n### Models side by side, all seeds\n\n| task |");
    for model in &models {
        for row in rows {
            let _ = write!(tables, " {model}, {row} |");
        }
    }
    let columns = models.len() * rows.len();
    let _ = writeln!(tables, "\n|---|{}", "---|".repeat(columns));
    let mut by_column = vec![Vec::new(); columns];
    for task in tasks(&runs) {
        let _ = write!(tables, "| {task} |");
        let places = models.iter().flat_map(|model| rows.map(|row| (model, row)));
        for (column, (model, row)) in by_column.iter_mut().zip(places) {
            let own = runs
                .iter()
                .filter(|run| text(run, "task") == task && text(run, "model") == *model);
            let found: Vec<f64> = own.filter_map(|run| figure(run, row)).collect();
            let _ = write!(tables, " {} |", spread(&found, 1));
            column.extend((!found.is_empty()).then(|| mean(&found)));
        }
        tables.push('\n');
    }
    tables.push_str("| mean over its tasks |");
    for column in by_column {
        let _ = write!(tables, " {} |", spread(&[mean(&column)], 1));
    }
    tables.push('\n');
}

fn tasks(runs: &[&Value]) -> BTreeSet<String> {
    runs.iter().map(|run| text(run, "task")).collect()
}

fn figures(tables: &mut String, runs: &[&Value], measure: Measure) {
    let rows: Vec<&str> = (ROWS.into_iter())
        .filter(|row| runs.iter().any(|run| figure(run, row).is_some()))
        .collect();
    let _ = writeln!(tables, "| task | runs | test rows | {} |", rows.join(" | "));
    let _ = writeln!(tables, "|---|---|---|{}", "---|".repeat(rows.len()));
    for task in tasks(runs) {
        let own: Vec<&Value> = runs
            .iter()
            .copied()
            .filter(|run| text(run, "task") == task)
            .collect();
        let n = own.iter().find_map(|run| {
            let rows = run["rows"].as_object()?;
            rows.values().next()?["n"].as_u64()
        });
        let cells: Vec<String> = (rows.iter())
            .map(|row| {
                let found = own.iter().filter_map(|run| figure(run, row));
                spread(&found.collect::<Vec<_>>(), measure.decimals())
            })
            .collect();
        let n = n.unwrap_or(0);
        let _ = writeln!(
            tables,
            "| {task} | {} | {n} | {} |",
            own.len(),
            cells.join(" | ")
        );
    }
}

/// Differences within a run, over all tasks and seeds.
fn differences(tables: &mut String, (recipe, measure): (&str, Measure), runs: &[&Value]) {
    let mut lines = String::new();
    for (row, base) in contrasts(recipe) {
        let mut by_task: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for run in runs {
            if let Some(gain) = gain((run, row), (run, base)) {
                by_task.entry(text(run, "task")).or_default().push(gain);
            }
        }
        let all: Vec<f64> = by_task.values().flatten().copied().collect();
        if all.is_empty() {
            continue;
        }
        let above = by_task.values().filter(|gains| mean(gains) > 0.0).count();
        let p = chance(&all);
        let _ = writeln!(
            lines,
            "| {row} − {base} | {} | {} | {above} of {} | {p} |",
            spread(&all, measure.decimals()),
            all.len(),
            by_task.len()
        );
    }
    if !lines.is_empty() {
        let unit = measure.unit();
        let _ = write!(
            tables,
            "\n| difference, {unit} | mean ± deviation | pairs | tasks above 0 | p |\n|---|---|---|---|---|\n"
        );
        tables.push_str(&lines);
    }
}

/// What it took: instances, tokens, seconds, energy, bytes to the teacher.
fn costs(tables: &mut String, runs: &[&Value], watts: f64) {
    tables.push_str(
        "\n| task | kept of written, by row | tokens read + written | seconds | energy, Wh (estimate) | bytes to the teacher |\n|---|---|---|---|---|---|\n",
    );
    for task in tasks(runs) {
        let own: Vec<&Value> = runs
            .iter()
            .copied()
            .filter(|run| text(run, "task") == task)
            .collect();
        let sum = |pick: &dyn Fn(&Value) -> u64| own.iter().map(|run| pick(run)).sum::<u64>();
        let mut kept = Vec::new();
        for row in ROWS {
            let count =
                |key: &str| sum(&|run| run["instances_by_row"][row][key].as_u64().unwrap_or(0));
            if count("generated") > 0 {
                kept.push(format!(
                    "{row} {} of {}",
                    count("accepted"),
                    count("generated")
                ));
            }
        }
        let per = |total: u64| total / own.len().max(1) as u64;
        let tokens = |key: &str| per(sum(&|run| run["tokens"][key].as_u64().unwrap_or(0)));
        let seconds: Vec<f64> = own
            .iter()
            .filter_map(|run| {
                Some(
                    run["seconds"]
                        .as_object()?
                        .values()
                        .filter_map(Value::as_f64)
                        .sum(),
                )
            })
            .collect();
        let _ = writeln!(
            tables,
            "| {task} | {} | {} + {} | {:.0} | {:.2} | {} |",
            kept.join(", "),
            tokens("read"),
            tokens("written"),
            mean(&seconds),
            mean(&seconds) * watts / 3600.0,
            per(sum(&|run| run["teacher"]["bytes"].as_u64().unwrap_or(0))),
        );
    }
}

/// One run of a variant: its figure, that of the whole recipe on the same task and seed, how much better it is, and how much
/// better than what the recipe is set against first.
struct Varied {
    variant: f64,
    whole: f64,
    gain: f64,
    over_base: Option<f64>,
}

/// Each variant and ablation beside the whole recipe on the same task and seed.
fn variants(tables: &mut String, reports: &[Value]) {
    let mut found = BTreeMap::<(Kind, String), Vec<Varied>>::new();
    for run in reports {
        let Some(variant) = run["variant"].as_str() else {
            continue;
        };
        let whole_row = text(run, "recipe");
        let row = own_row(&whole_row, variant);
        let with = |variant: Value| {
            let mut others = reports.iter();
            others.find(|other| {
                let alike = |key: &str| other[key] == run[key];
                let same_run = kind(other) == kind(run) && alike("task") && alike("seed");
                same_run && other["variant"] == variant
            })
        };
        let Some(whole) = with(Value::Null) else {
            continue;
        };
        // What it is set against is varied alike, where that was measured.
        let base = contrasts(&whole_row).first().map(|(_, base)| {
            let varied = with(format!("{variant}+{base}").into());
            (varied.unwrap_or(whole), *base)
        });
        if let (Some(variant_figure), Some(whole_figure), Some(gain_made)) = (
            figure(run, row),
            figure(whole, &whole_row),
            gain((run, row), (whole, &whole_row)),
        ) {
            let place = found.entry((kind(run), variant.to_owned())).or_default();
            place.push(Varied {
                variant: variant_figure,
                whole: whole_figure,
                gain: gain_made,
                over_base: base.and_then(|base| gain((run, row), base)),
            });
        }
    }
    if found.is_empty() {
        return;
    }
    tables.push_str(
        "\n### Variants and ablations\n\nThe recipe's own row as it is varied (`recorded` is the row of instances that a large model wrote), beside the whole on the same tasks and seeds, and over what the \
         recipe is set against: direct in psi, round_zero in lance, static in evokd (varied alike where that was measured, as `taught+static`).\n\n\
         | model | recipe | seeds per label | variant | variant | whole | difference, points | p | over its base | p | pairs |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (((model, recipe, shots, measure), variant), runs) in found {
        let of = |pick: &dyn Fn(&Varied) -> f64| runs.iter().map(pick).collect::<Vec<f64>>();
        let gains = of(&|run| run.gain);
        let over: Vec<f64> = runs.iter().filter_map(|run| run.over_base).collect();
        let decimals = measure.decimals();
        let _ = writeln!(
            tables,
            "| {model} | {recipe}{} | {shots} | {variant} | {:.decimals$} | {:.decimals$} | {} | {} | {} | {} | {} |",
            measure.named(),
            mean(&of(&|run| run.variant)),
            mean(&of(&|run| run.whole)),
            spread(&gains, decimals),
            chance(&gains),
            spread(&over, decimals),
            chance(&over),
            gains.len()
        );
    }
}

/// A page with the tables where its marks are, or at its end.
pub fn placed(page: &str, tables: &str) -> String {
    let block = format!("{BEGIN}\n{tables}\n{END}");
    match (page.find(BEGIN), page.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{block}{}", &page[..begin], &page[end + END.len()..])
        }
        _ if page.is_empty() => format!("# Results\n\n{block}\n"),
        _ => format!("{}\n\n{block}\n", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(seed: u64, variant: Option<&str>, seeds: f64, psi: f64) -> Value {
        json!({"task": "t", "model": "m", "recipe": "psi", "per_label": "all", "seed": seed, "variant": variant,
            "rows": {"seeds_only": {"accuracy": seeds, "n": 7}, "direct": {"accuracy": 0.5, "n": 7}, "psi": {"accuracy": psi, "n": 7}},
            "instances_by_row": {"psi": {"accepted": 2, "generated": 5}},
            "tokens": {"read": 100, "written": 10}, "seconds": {"train": 60.0, "generate": 60.0}, "teacher": {"bytes": 9}})
    }

    #[test]
    fn the_tables_have_means_differences_costs_and_ablations() {
        let reports = [
            run(1, None, 0.5, 0.6),
            run(2, None, 0.7, 0.8),
            run(1, Some("no_filter"), 0.0, 0.55),
        ];
        let tables = of(&reports, 15.0);
        for line in [
            "### psi, all seeds per label, m",
            "| t | 2 | 7 | 60.0 ± 14.1 | 50.0 ± 0.0 | 70.0 ± 14.1 |",
            "| psi − seeds_only | 10.0 ± 0.0 | 2 | 1 of 1 | – |",
            "| t | psi 4 of 10 | 100 + 10 | 120 | 0.50 | 9 |",
            "| m | psi | all | no_filter | 55.0 | 60.0 | -5.0 | – | 5.0 | – | 1 |",
        ] {
            assert!(tables.contains(line), "{line}\n{tables}");
        }
    }

    #[test]
    fn a_variant_is_set_against_a_baseline_that_is_varied_alike_where_there_is_one() {
        let run = |seed: u64, variant: Option<&str>, rows: Value| json!({"task": "t", "model": "m", "recipe": "evokd", "per_label": "1", "seed": seed, "variant": variant, "rows": rows});
        let row = |accuracy: f64| json!({"accuracy": accuracy, "n": 7});
        let whole = || json!({"static": row(0.5), "evokd": row(0.5)});
        let reports = [
            run(1, None, whole()),
            run(2, None, whole()),
            run(1, Some("taught"), json!({"evokd": row(0.8)})),
            run(2, Some("taught"), json!({"evokd": row(0.8)})),
            run(1, Some("taught+static"), json!({"static": row(0.7)})),
        ];
        let tables = of(&reports, 15.0);
        for line in [
            "| m | evokd | 1 | taught | 80.0 | 50.0 | 30.0 ± 0.0 | – | 20.0 ± 14.1 | – | 2 |",
            "| m | evokd | 1 | taught+static | 70.0 | 50.0 | 20.0 | – | 20.0 | – | 1 |",
        ] {
            assert!(tables.contains(line), "{line}\n{tables}");
        }
    }

    #[test]
    fn entities_are_told_by_f1_and_responses_by_loss_where_less_is_better() {
        let run = |rows: Value, variant: Option<&str>| json!({"task": "t", "model": "m", "recipe": "lance", "per_label": "all", "seed": 1, "variant": variant, "rows": rows});
        let loss = |before: f64, after: f64| json!({"round_zero": {"accuracy": 0.0, "f1": 0.1, "loss": before, "n": 7}, "lance": {"accuracy": 0.0, "f1": 0.1, "loss": after, "n": 7}});
        let reports = [
            run(
                json!({"round_zero": {"accuracy": 0.9, "f1": 0.4, "n": 7}, "lance": {"accuracy": 0.9, "f1": 0.5, "n": 7}}),
                None,
            ),
            run(loss(3.0, 2.75), None),
            run(loss(3.0, 2.875), Some("sft_only")),
        ];
        let tables = of(&reports, 15.0);
        for line in [
            "### lance, all seeds per label, m, F1",
            "| t | 1 | 7 | 40.0 | 50.0 |",
            "| lance − round_zero | 10.0 | 1 | 1 of 1 | – |",
            "### lance, all seeds per label, m, loss",
            "| t | 1 | 7 | 3.000 | 2.750 |",
            "| difference, nats of loss less | mean",
            "| lance − round_zero | 0.250 | 1 | 1 of 1 | – |",
            "| m | lance, loss | all | sft_only | 2.875 | 2.750 | -0.125 | – | 0.125 | – | 1 |",
        ] {
            assert!(tables.contains(line), "{line}\n{tables}");
        }
    }

    #[test]
    fn models_stand_side_by_side_where_two_were_measured_on_their_seeds() {
        let seeds = |model: &str, task: &str, untouched: f64, seeds: f64| {
            json!({"task": task, "model": model, "recipe": SEEDS, "per_label": "all", "seed": 1, "variant": null,
                "rows": {"untouched": {"accuracy": untouched, "n": 7}, "seeds_only": {"accuracy": seeds, "n": 7}}})
        };
        let one = [seeds("small", "a", 0.1, 0.5), seeds("small", "b", 0.3, 0.7)];
        assert!(!of(&one, 15.0).contains("side by side"));
        let [a, b] = one;
        let tables = of(&[a, b, seeds("large", "a", 0.2, 0.9)], 15.0);
        for line in [
            "| task | large, untouched | large, seeds_only | small, untouched | small, seeds_only |",
            "| a | 20.0 | 90.0 | 10.0 | 50.0 |",
            "| b | – | – | 30.0 | 70.0 |",
            "| mean over its tasks | 20.0 | 90.0 | 20.0 | 60.0 |",
        ] {
            assert!(tables.contains(line), "{line}\n{tables}");
        }
    }

    #[test]
    fn the_tables_take_the_place_of_those_before_and_leave_the_rest() {
        let page = placed("# Results\n\nBy hand.\n", "one");
        let page = placed(&format!("{page}\nAlso by hand.\n"), "two");
        assert!(page.contains("By hand.") && page.contains("Also by hand."));
        assert!(page.contains("two") && !page.contains("one\n"));
    }
}
