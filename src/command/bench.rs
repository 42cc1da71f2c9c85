//! `bench`: timing a model at the desk.

use std::time::Instant;

use seedbed::Error;
use seedbed::bench::{self, Measure, Repeats, Sample};
use seedbed::kernels::{Counted, Kind, Opened, counted};
use seedbed::model::Model;
use serde_json::{Value, json};

use super::{ModelArguments, print};

/// Loading is no work on a loaded model, so it is measured here.
const LOAD: &str = "load";
/// What a training step holds is no time.
const MEMORY: &str = "memory";
/// Tokens of a row of the step whose memory is measured.
const MEMORY_TOKENS: usize = 128;

/// Time a model: reading, decoding, writing instances, training.
#[derive(Debug, clap::Args)]
pub struct Bench {
    #[command(flatten)]
    model: ModelArguments,
    /// What to time: load, prefill, decode-N for N sequences at once, instances or instances-N, sft-step,
    /// dpo-step; memory for what a training step on 4 × 128 tokens holds.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "load,prefill,decode-1,decode-8,decode-64,instances,sft-step,dpo-step"
    )]
    only: Vec<String>,
    /// Passes that count.
    #[arg(long, default_value_t = 5)]
    samples: usize,
    /// Passes before those that count.
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Seconds after which a measure begins no further pass.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    budget: f64,
    /// Print one object with every pass.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let repeats = Repeats {
            warmup: self.warmup,
            samples: self.samples.max(1),
            budget_ms: self.budget * 1e3,
        };
        // A wrong name is said now, and not after minutes of measuring.
        for name in self
            .only
            .iter()
            .filter(|name| ![LOAD, MEMORY].contains(&name.as_str()))
        {
            Measure::parse(name)?;
        }
        let (model, opened) = self.model.open().await?;
        let mut measures = serde_json::Map::new();
        for name in &self.only {
            if name == MEMORY {
                let held = bench::memory(&model, MEMORY_TOKENS).await?;
                let held =
                    held.map(|(memory, reserved)| json!({"worked_out": memory, "held": reserved}));
                if !self.json {
                    println!("{MEMORY:12} {}", held.clone().unwrap_or(Value::Null));
                }
                measures.insert(name.clone(), json!({"passes": [], "memory": held}));
                continue;
            }
            let before = counted();
            let passes = match name.as_str() {
                LOAD => self.load(&opened, repeats)?,
                name => bench::measure(&model, Measure::parse(name)?, repeats).await?,
            };
            if !self.json {
                println!("{}", line(name, &passes, repeats));
                if opened.kind == Kind::Gpu {
                    println!("{:12}{}", "", told(&before, &passes));
                }
            }
            let measured = json!({
                "warmup": repeats.warmup.min(passes.len().saturating_sub(1)),
                "passes": passes.iter().map(object).collect::<Vec<_>>(),
                "counters": (opened.kind == Kind::Gpu).then(|| counters(&before, &passes)),
            });
            measures.insert(name.clone(), measured);
        }
        if self.json {
            return print(&json!({
                "device": opened.kind.name(),
                "device_name": opened.name,
                "model": model.name,
                "parameters": model.decoder.config().parameters(),
                "measures": measures,
            }));
        }
        Ok(())
    }

    /// Reads and places the model anew, in place of the passes of the library.
    fn load(&self, opened: &Opened, repeats: Repeats) -> Result<Vec<Sample>, Error> {
        let begin = Instant::now();
        let mut passes = Vec::new();
        while passes.len() < repeats.warmup + repeats.samples {
            if !passes.is_empty() && begin.elapsed().as_secs_f64() * 1e3 > repeats.budget_ms {
                break;
            }
            let start = Instant::now();
            Model::from_folder(&self.model.model, &opened.device)?;
            passes.push(Sample {
                ms: start.elapsed().as_secs_f64() * 1e3,
                work: 1,
                tokens: 0,
                loss: None,
            });
        }
        Ok(passes)
    }
}

fn object(pass: &Sample) -> Value {
    json!({"ms": pass.ms, "work": pass.work, "tokens": pass.tokens, "loss": pass.loss})
}

/// What all passes together cost, each divided by `by`: kernels started, bytes sent, bytes read back.
fn shares(before: &Counted, by: usize) -> [f64; 3] {
    let after = counted();
    [
        after.dispatches - before.dispatches,
        after.uploaded - before.uploaded,
        after.read_back - before.read_back,
    ]
    .map(|sum| sum as f64 / by.max(1) as f64)
}

fn tokens(passes: &[Sample]) -> usize {
    passes.iter().map(|pass| pass.tokens).sum()
}

/// For programs, by the names that the bench in the browser uses. Reading the prompts before decoding is counted too.
fn counters(before: &Counted, passes: &[Sample]) -> Value {
    let [dispatches, uploaded, read] = shares(before, tokens(passes));
    let [each_pass, ..] = shares(before, passes.len());
    json!({
        "dispatches_per_token": dispatches,
        "uploaded_bytes_per_token": uploaded,
        "read_bytes_per_token": read,
        "dispatches_per_pass": each_pass,
    })
}

/// For a person.
fn told(before: &Counted, passes: &[Sample]) -> String {
    let [dispatches, uploaded, read] = shares(before, tokens(passes));
    let [each_pass, ..] = shares(before, passes.len());
    format!(
        "{dispatches:12.2} dispatches a token, {each_pass:.0} a pass; {uploaded:.0} bytes sent and {read:.0} read a token"
    )
}

/// For a person: the middle pass.
fn line(name: &str, passes: &[Sample], repeats: Repeats) -> String {
    let warmup = repeats.warmup.min(passes.len().saturating_sub(1));
    let mut counted: Vec<&Sample> = passes.iter().skip(warmup).collect();
    counted.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    match counted.get(counted.len() / 2) {
        Some(pass) => format!("{name:12}{:12.2} ms for {} tokens", pass.ms, pass.tokens),
        None => format!("{name:12}           – not in this version"),
    }
}
