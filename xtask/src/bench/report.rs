//! From passes to figures: the middle of each measure, the tables, and how the engine compares.

use serde_json::{Value, json};

/// Tokens of an instance that has all it may have.
const INSTANCE_TOKENS: f64 = 48.0;

/// Fills in the figures and gives the tables with the whole report.
pub fn write(mut report: Value) -> (String, Value) {
    if let Some(runs) = report["runs"].as_array_mut() {
        for run in runs {
            let Some(measures) = run["measures"].as_object_mut() else {
                continue;
            };
            for (name, measured) in measures {
                let (value, unit) = figure(name, measured);
                measured["value"] = json!(value);
                measured["unit"] = json!(unit);
            }
        }
    }
    let runs = report["runs"].as_array().cloned().unwrap_or_default();
    let ratios = ratios(&runs);
    let text = format!("{}\n{}", table(&runs), ratio_table(&ratios));
    report["ratios"] = json!(ratios);
    (text, report)
}

/// The median over the passes that count, and its unit. None when nothing was measured.
fn figure(measure: &str, measured: &Value) -> (Option<f64>, &'static str) {
    type Of = fn(f64, f64) -> f64;
    let (of, unit): (Of, &'static str) = match measure {
        "load" | "sft-step" | "dpo-step" => (|ms, _| ms, "ms"),
        // By their tokens, for the engine's own may end early and others' never do.
        name if name.starts_with("instances") => (
            |ms, tokens| tokens / INSTANCE_TOKENS * 60_000.0 / ms,
            "instances/min",
        ),
        _ => (|ms, work| work * 1_000.0 / ms, "tokens/s"),
    };
    let warmup = measured["warmup"].as_u64().unwrap_or(0) as usize;
    let work = if measure.starts_with("instances") {
        "tokens"
    } else {
        "work"
    };
    let mut values: Vec<f64> = measured["passes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .skip(warmup)
        .filter_map(|pass| Some(of(pass["ms"].as_f64()?, pass[work].as_f64()?)))
        .collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = match values.len() {
        0 => None,
        even if even % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    };
    (median, unit)
}

/// `transformers.js wasm fp32, 2 threads`
pub fn who(run: &Value) -> String {
    let word = |key: &str| run[key].as_str().unwrap_or_default();
    let mut name = format!("{} {}", word("system"), word("device"));
    if word("system") == "seedbed" {
        name = format!("seedbed {} {}", word("where"), word("device"));
    }
    if !word("variant").is_empty() {
        name.push_str(&format!(" {}", word("variant")));
    }
    match run["threads"].as_u64() {
        Some(threads) if threads > 1 => format!("{name}, {threads} threads"),
        _ => name,
    }
}

/// Every figure.
fn table(runs: &[Value]) -> String {
    let mut text =
        String::from("| model | system | measure | median | passes |\n|---|---|---|---|---|\n");
    for run in runs {
        let model = run["model"].as_str().unwrap_or_default();
        if let Some(error) = run["error"].as_str() {
            text.push_str(&format!("| {model} | {} | | {error} | |\n", who(run)));
        }
        for (measure, measured) in run["measures"].as_object().into_iter().flatten() {
            let figure = match (measured["value"].as_f64(), measured["error"].as_str()) {
                (Some(value), _) => {
                    format!(
                        "{} {}",
                        short(value),
                        measured["unit"].as_str().unwrap_or_default()
                    )
                }
                (None, Some(error)) => error.to_owned(),
                (None, None) => "–".to_owned(),
            };
            let passes = measured["passes"].as_array().map_or(0, Vec::len) as u64;
            let counted = passes.saturating_sub(measured["warmup"].as_u64().unwrap_or(0));
            text.push_str(&format!(
                "| {model} | {} | {measure} | {figure} | {counted} |\n",
                who(run)
            ));
        }
    }
    text
}

/// How many times as fast the engine is, against every peer on the same kind of device. The engine in the browser where
/// that was measured, else at the desk, which the row names.
fn ratios(runs: &[Value]) -> Vec<Value> {
    let on_gpu = |run: &Value| {
        run["device"]
            .as_str()
            .is_some_and(|device| device.contains("gpu"))
    };
    let ours = |run: &&Value| run["system"] == "seedbed";
    let any_browser = runs
        .iter()
        .any(|run| ours(&run) && run["where"] == "browser");
    let mut rows = Vec::new();
    for peer in runs.iter().filter(|run| !ours(run)) {
        for our in runs.iter().filter(ours).filter(|our| {
            our["model"] == peer["model"]
                && on_gpu(our) == on_gpu(peer)
                && (!any_browser || our["where"] == "browser")
        }) {
            for (measure, measured) in peer["measures"].as_object().into_iter().flatten() {
                let own = &our["measures"][measure];
                let (Some(our_value), Some(peer_value)) =
                    (own["value"].as_f64(), measured["value"].as_f64())
                else {
                    continue;
                };
                let ratio = if own["unit"] == "ms" {
                    peer_value / our_value
                } else {
                    our_value / peer_value
                };
                let loss = |run: &Value| run["measures"][measure]["passes"][0]["loss"].as_f64();
                rows.push(json!({
                    "model": peer["model"],
                    "measure": measure,
                    "ours": who(our),
                    "peer": who(peer),
                    "our_value": our_value,
                    "peer_value": peer_value,
                    "unit": own["unit"],
                    "ratio": ratio,
                    // Of the first step, before anything is learnt: the same number means the same work.
                    "our_first_loss": loss(our),
                    "peer_first_loss": loss(peer),
                }));
            }
        }
    }
    rows
}

fn ratio_table(ratios: &[Value]) -> String {
    if ratios.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "How many times as fast as a peer (above 1: Seedbed is faster).\n\n\
         | model | measure | ours | peer | our median | peer's median | ratio |\n|---|---|---|---|---|---|---|\n",
    );
    for row in ratios {
        let word = |key: &str| row[key].as_str().unwrap_or_default();
        let number = |key: &str| row[key].as_f64().map(short).unwrap_or_default();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} {unit} | {} {unit} | {} |\n",
            word("model"),
            word("measure"),
            word("ours"),
            word("peer"),
            number("our_value"),
            number("peer_value"),
            number("ratio"),
            unit = word("unit"),
        ));
    }
    text
}

/// Three figures are what a measurement is worth.
pub fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(system: &str, device: &str, measure: &str, ms: &[f64], work: f64) -> Value {
        let passes: Vec<Value> = ms
            .iter()
            .map(|ms| json!({"ms": ms, "work": work, "loss": 2.5}))
            .collect();
        json!({"system": system, "where": "browser", "model": "m", "device": device,
            "measures": {measure: {"warmup": 1, "passes": passes}}})
    }

    #[test]
    fn the_median_leaves_the_warm_up_out() {
        let measured = json!({"warmup": 1, "passes": [
            {"ms": 9000.0, "work": 10}, {"ms": 10.0, "work": 10}, {"ms": 30.0, "work": 10}, {"ms": 20.0, "work": 10}]});
        assert_eq!(figure("prefill", &measured), (Some(500.0), "tokens/s"));
        assert_eq!(figure("sft-step", &measured), (Some(20.0), "ms"));
        let none = json!({"warmup": 1, "passes": []});
        assert_eq!(figure("dpo-step", &none), (None, "ms"));
    }

    #[test]
    fn instances_count_by_the_tokens_that_were_written() {
        let measured = json!({"warmup": 0, "passes": [{"ms": 1000.0, "work": 64, "tokens": 480}]});
        assert_eq!(
            figure("instances", &measured),
            (Some(600.0), "instances/min")
        );
    }

    #[test]
    fn a_ratio_above_one_means_faster_for_times_and_for_rates() {
        let runs = [
            run("seedbed", "cpu", "sft-step", &[9.0, 10.0], 1.0),
            run("jax-js", "wasm", "sft-step", &[9.0, 40.0], 1.0),
            run("seedbed", "cpu", "decode-8", &[9.0, 10.0], 8.0),
            run("wllama", "wasm", "decode-8", &[9.0, 20.0], 8.0),
            run("wllama", "webgpu", "decode-8", &[9.0, 20.0], 8.0),
        ];
        let (text, report) = write(json!({"runs": runs}));
        let ratios = report["ratios"].as_array().expect("ratios");
        let found: Vec<Option<f64>> = ratios.iter().map(|row| row["ratio"].as_f64()).collect();
        // Nothing of ours ran on WebGPU, so nothing is compared with that run.
        assert_eq!(found, [Some(4.0), Some(2.0)]);
        assert_eq!(ratios[0]["peer_first_loss"], 2.5);
        assert!(
            text.contains(
                "| m | sft-step | seedbed browser cpu | jax-js wasm | 10.0 ms | 40.0 ms | 4.00 |"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_failed_measure_is_named_and_does_not_hide_the_others() {
        let mut broken = run("seedbed", "cpu", "prefill", &[1.0, 2.0], 256.0);
        broken["measures"]["decode-1"] = json!({"error": "out of memory"});
        let (text, _) = write(json!({"runs": [broken]}));
        assert!(
            text.contains("out of memory") && text.contains("128000 tokens/s"),
            "{text}"
        );
    }
}
