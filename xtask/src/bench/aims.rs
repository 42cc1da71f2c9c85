//! What is aimed at, and the page that says how far it was reached: `docs/performance.md`.

use serde_json::Value;

use super::report::{short, who};

/// A figure of ours held against the best of others at the same work.
struct Aim {
    work: &'static str,
    measure: &'static str,
    /// On which kind of device; on any where there is none.
    gpu: Option<bool>,
    models: &'static [&'static str],
    peers: &'static [&'static str],
    /// How many times as fast.
    at_least: f64,
}

const TINY: &str = "tiny-llama-1m";
const MIDDLE: &str = "llama-11m";
const LARGE: &str = "smollm2-135m";
const WRITERS: &[&str] = &["transformers.js", "wllama"];
const TRAINERS: &[&str] = &["jax-js", "TensorFlow.js"];

const AIMS: [Aim; 7] = [
    Aim {
        work: "decode, batch 1, WebGPU",
        measure: "decode-1",
        gpu: Some(true),
        models: &[TINY],
        peers: &["transformers.js"],
        at_least: 1.5,
    },
    Aim {
        work: "64 instances of 48 tokens, shared 200-token prefix",
        measure: "instances",
        gpu: None,
        models: &[TINY, MIDDLE],
        peers: WRITERS,
        at_least: 5.0,
    },
    Aim {
        work: "prefill, 256 tokens, CPU",
        measure: "prefill",
        gpu: Some(false),
        models: &[TINY, MIDDLE, LARGE],
        peers: WRITERS,
        at_least: 1.2,
    },
    Aim {
        work: "prefill, 256 tokens, WebGPU",
        measure: "prefill",
        gpu: Some(true),
        models: &[TINY],
        peers: &["transformers.js"],
        at_least: 1.2,
    },
    Aim {
        work: "LoRA SFT step, 4 × 64 tokens, WebGPU",
        measure: "sft-step",
        gpu: Some(true),
        models: &[TINY, MIDDLE],
        peers: TRAINERS,
        at_least: 2.0,
    },
    Aim {
        work: "decode, batch 1, CPU",
        measure: "decode-1",
        gpu: Some(false),
        models: &[MIDDLE, LARGE],
        peers: WRITERS,
        at_least: 1.5,
    },
    Aim {
        work: "LoRA SFT step, 4 × 64 tokens, CPU",
        measure: "sft-step",
        gpu: Some(false),
        models: &[TINY, MIDDLE],
        peers: TRAINERS,
        at_least: 3.0,
    },
];

/// Cost of a token with more instances, as a share of that with fewer.
const FLAT: f64 = 0.1;
/// What a QLoRA step may hold beyond the sum of its parts.
const HELD: f64 = 1.25;

/// One line of the table.
struct Row {
    work: String,
    ours: String,
    to_beat: String,
    figure: String,
    aim: String,
    /// None where there is nothing to judge.
    met: Option<bool>,
}

/// The page.
pub fn page(report: &Value) -> String {
    let runs: Vec<&Value> = report["runs"].as_array().into_iter().flatten().collect();
    let all = &runs;
    let mut rows: Vec<Row> = AIMS
        .iter()
        .flat_map(|aim| {
            let models = aim.models.iter();
            models.map(move |model| compared(aim, model, all))
        })
        .collect();
    rows.push(flatness(&runs));
    rows.push(memory(&runs));

    let machine = &report["machine"];
    let word = |value: &Value| value.as_str().unwrap_or("not known").to_owned();
    let mut text = format!(
        "# Performance\n\nWritten by `cargo xtask bench` from the newest report in `benches/runs/bench`; \
         `cargo xtask bench --table` writes it again. [benches/README.md](../benches/README.md) says what each measure is.\n\n\
         {}, commit {}, {} ({} cores, {}); {} other programs wanted the processor before it began. Median of {} passes at most. \
         Ours and theirs ran in the same Chromium, one after the other.\n\n## Aims\n\n\
         | work | ours | to beat | reached | aim | |\n|---|---|---|---|---|---|\n",
        word(&report["date"]),
        word(&report["commit"]),
        word(&machine["processor"]),
        machine["cores"],
        word(&machine["system"]),
        report["load_before"],
        report["protocol"]["samples"],
    );
    for row in &rows {
        let verdict = match row.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {verdict} |\n",
            row.work, row.ours, row.to_beat, row.figure, row.aim
        ));
    }
    let missed: Vec<&str> = (rows.iter())
        .filter(|row| row.met == Some(false))
        .map(|row| row.work.as_str())
        .collect();
    text.push_str(&match missed.is_empty() {
        true => "\nNo aim that was measured is missed.\n".to_owned(),
        false => format!("\nMissed: {}.\n", missed.join("; ")),
    });
    text.push_str("\n## All figures\n\n| model | system | measure | median | dispatches a token | peak GPU bytes |\n|---|---|---|---|---|---|\n");
    for run in &runs {
        for (measure, measured) in run["measures"].as_object().into_iter().flatten() {
            let Some(value) = measured["value"].as_f64() else {
                continue;
            };
            let counted = |key: &str| {
                measured["counters"][key]
                    .as_f64()
                    .map_or("–".to_owned(), short)
            };
            text.push_str(&format!(
                "| {} | {} | {measure} | {} {} | {} | {} |\n",
                run["model"].as_str().unwrap_or_default(),
                who(run),
                short(value),
                measured["unit"].as_str().unwrap_or_default(),
                counted("dispatches_per_token"),
                counted("peak_bytes"),
            ));
        }
    }
    let failed: Vec<String> = (runs.iter())
        .filter_map(|run| {
            let why = run["error"].as_str()?;
            Some(format!(
                "- {}, {}: {why}\n",
                run["model"].as_str()?,
                who(run)
            ))
        })
        .collect();
    if !failed.is_empty() {
        text.push_str(&format!("\n## Not measured in full\n\n{}", failed.concat()));
    }
    text
}

fn on_gpu(run: &Value) -> bool {
    run["device"]
        .as_str()
        .is_some_and(|device| device.contains("gpu"))
}

/// The best figure among runs, and whose it is. Less is better where it is milliseconds.
fn best<'r>(
    runs: impl Iterator<Item = &'r &'r Value>,
    measure: &str,
) -> Option<(f64, &'r str, &'r Value)> {
    runs.filter_map(|run| {
        let measured = &run["measures"][measure];
        Some((
            measured["value"].as_f64()?,
            measured["unit"].as_str()?,
            *run,
        ))
    })
    .max_by(|a, b| match a.1 {
        "ms" => b.0.total_cmp(&a.0),
        _ => a.0.total_cmp(&b.0),
    })
}

fn compared(aim: &Aim, model: &str, runs: &[&Value]) -> Row {
    let fitting = |run: &&&Value| {
        run["model"] == model
            && run["where"] == "browser"
            && aim.gpu.is_none_or(|gpu| gpu == on_gpu(run))
    };
    let ours = best(
        runs.iter()
            .filter(fitting)
            .filter(|run| run["system"] == "seedbed"),
        aim.measure,
    );
    let theirs = best(
        runs.iter().filter(fitting).filter(|run| {
            run["system"]
                .as_str()
                .is_some_and(|name| aim.peers.contains(&name))
        }),
        aim.measure,
    );
    let said = |found: &Option<(f64, &str, &Value)>| match found {
        Some((value, unit, run)) => format!("{} {unit} ({})", short(*value), who(run)),
        None => "–".to_owned(),
    };
    let ratio = match (&ours, &theirs) {
        (Some(ours), Some(theirs)) if ours.1 == "ms" => Some(theirs.0 / ours.0),
        (Some(ours), Some(theirs)) => Some(ours.0 / theirs.0),
        _ => None,
    };
    Row {
        work: format!("{}, {model}", aim.work),
        ours: said(&ours),
        to_beat: said(&theirs),
        figure: ratio.map_or("–".to_owned(), |ratio| format!("{} ×", short(ratio))),
        aim: format!("≥ {} ×", aim.at_least),
        met: ratio.map(|ratio| ratio >= aim.at_least),
    }
}

/// Cost of a token from 64 to 4,096 instances, at the desk.
fn flatness(runs: &[&Value]) -> Row {
    let cost = |run: &Value, measure: &str| {
        let rate = run["measures"][measure]["value"].as_f64()?;
        Some(1.0 / rate)
    };
    let found = runs
        .iter()
        .filter(|run| run["system"] == "seedbed" && run["where"] == "native")
        .find_map(|run| Some((cost(run, "instances-4096")? / cost(run, "instances")?, *run)));
    Row {
        work: "cost of a token, 4,096 instances against 64, at the desk".into(),
        ours: found.map_or("–".into(), |(_, run)| who(run)),
        to_beat: "flat".into(),
        figure: found.map_or("–".into(), |(share, _)| {
            format!("{:+.0} %", 100.0 * (share - 1.0))
        }),
        aim: format!("± {:.0} %", 100.0 * FLAT),
        // Cheaper is no fault.
        met: found.map(|(share, _)| share <= 1.0 + FLAT),
    }
}

/// What a QLoRA step on 4 × 128 tokens holds, against what it must.
fn memory(runs: &[&Value]) -> Row {
    let found = runs.iter().find_map(|run| {
        let memory = &run["measures"]["memory"]["memory"];
        let part = |key: &str| memory["worked_out"][key].as_f64();
        let sum = [
            "weights",
            "adapter",
            "moments",
            "activations",
            "layer_inputs",
        ]
        .into_iter()
        .map(part)
        .sum::<Option<f64>>()?;
        Some((memory["held"].as_f64()?, sum, *run))
    });
    Row {
        work: format!("peak GPU memory of a QLoRA step, 4 × 128 tokens, {LARGE}"),
        ours: found.map_or("–".into(), |(held, _, run)| {
            format!("{} MB ({})", short(held / 1e6), who(run))
        }),
        to_beat: found.map_or("–".into(), |(_, sum, _)| {
            format!("{} MB, the sum of its parts", short(sum / 1e6))
        }),
        figure: found.map_or("–".into(), |(held, sum, _)| {
            format!("{} ×", short(held / sum))
        }),
        aim: format!("≤ {HELD} ×"),
        met: found.map(|(held, sum, _)| held / sum <= HELD),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(
        system: &str,
        device: &str,
        model: &str,
        measure: &str,
        value: f64,
        unit: &str,
    ) -> Value {
        json!({"system": system, "where": "browser", "model": model, "device": device,
            "measures": {measure: {"value": value, "unit": unit}}})
    }

    #[test]
    fn the_best_peer_is_what_is_to_be_beaten_and_a_miss_is_named() {
        let report = json!({"runs": [
            run("seedbed", "cpu", TINY, "sft-step", 100.0, "ms"),
            run("jax-js", "wasm", TINY, "sft-step", 280.0, "ms"),
            run("TensorFlow.js", "wasm", TINY, "sft-step", 900.0, "ms"),
            run("seedbed", "cpu", MIDDLE, "sft-step", 100.0, "ms"),
            run("jax-js", "wasm", MIDDLE, "sft-step", 1000.0, "ms"),
        ]});
        let page = page(&report);
        let line = "LoRA SFT step, 4 × 64 tokens, CPU";
        assert!(page.contains(&format!("| {line}, {TINY} | 100 ms (seedbed browser cpu) | 280 ms (jax-js wasm) | 2.80 × | ≥ 3 × | **missed** |")), "{page}");
        assert!(page.contains("10.0 × | ≥ 3 × | met |"), "{page}");
        assert!(page.contains(&format!("Missed: {line}, {TINY}.")), "{page}");
        assert!(page.contains("≥ 1.5 × | not measured |"), "{page}");
    }

    #[test]
    fn rates_count_upwards_and_a_device_of_another_kind_is_no_match() {
        let report = json!({"runs": [
            run("seedbed", "webgpu", TINY, "decode-1", 30.0, "tokens/s"),
            run("transformers.js", "webgpu", TINY, "decode-1", 10.0, "tokens/s"),
            run("transformers.js", "wasm", TINY, "decode-1", 400.0, "tokens/s"),
        ]});
        assert!(page(&report).contains("3.00 × | ≥ 1.5 × | met |"));
    }

    #[test]
    fn memory_and_flatness_are_read_off_the_desk() {
        let memory = json!({"worked_out": {"weights": 50.0, "adapter": 10.0, "moments": 20.0, "activations": 10.0, "layer_inputs": 10.0}, "held": 120.0});
        let native = json!({"system": "seedbed", "where": "native", "model": TINY, "device": "cpu", "measures": {
            "instances": {"value": 1000.0, "unit": "instances/min"},
            "instances-4096": {"value": 950.0, "unit": "instances/min"},
            "memory": {"memory": memory}}});
        let page = page(&json!({"runs": [native]}));
        assert!(page.contains("| +5 % | ± 10 % | met |"), "{page}");
        assert!(page.contains("| 1.20 × | ≤ 1.25 × | met |"), "{page}");
    }
}
