//! What a run took, and what it would have taken to send everything: an estimate, with its assumptions beside it.
//!
//! Nothing is measured here but seconds, bytes and tokens. The assumptions stand in one file, which the page shows and
//! lets its visitor change (`www/src/boundary/assumptions.json`); `ui/cost.ts` computes the same.

use std::collections::BTreeMap;

use seedbed::evolve::Report;
use seedbed::privacy::estimate_tokens;
use seedbed::task::Task;
use serde::{Deserialize, Serialize};

/// A figure that is not known, between two that are believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    low: f64,
    high: f64,
}

impl Span {
    fn times(self, other: Self) -> Self {
        Self {
            low: self.low * other.low,
            high: self.high * other.high,
        }
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            low: self.low * by,
            high: self.high * by,
        }
    }
}

/// What is assumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Assumptions {
    /// What this machine draws while it works: a laptop's processor to a small graphics card.
    local_watts: Span,
    /// What a large model takes for a thousand tokens, read or written: published estimates lie far apart.
    remote_wh_per_1000_tokens: Span,
    /// Of the electricity: a grid of water and nuclear power to one of coal.
    grams_co2e_per_kwh: Span,
    /// Instances that a large model would write in one answer.
    instances_per_request: usize,
    /// Tokens around the seeds in such a request.
    tokens_of_request_frame: usize,
}

/// Energy and what it emits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Energy {
    watt_hours: Span,
    grams_co2e: Span,
}

/// What one way took, or would have taken, of a large model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remote {
    bytes_sent: usize,
    tokens: u64,
    seeds_sent: usize,
    energy: Energy,
}

/// The estimate for a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The work on this machine, by stage.
    local: BTreeMap<String, Energy>,
    /// What the teacher took.
    teacher: Remote,
    /// What it would have taken to send all seeds to a large model and let it write as many instances as were kept.
    instead: Remote,
    assumptions: Assumptions,
}

impl Cost {
    /// Of a run on a task; none where the assumptions cannot be read.
    pub fn of(report: &Report, task: &Task) -> Option<Self> {
        let text = include_str!("../../www/src/boundary/assumptions.json");
        Self::with(serde_json::from_str(text).ok()?, report, task)
    }

    fn with(assumptions: Assumptions, report: &Report, task: &Task) -> Option<Self> {
        let energy = |watt_hours: Span| Energy {
            watt_hours,
            grams_co2e: watt_hours.times(assumptions.grams_co2e_per_kwh.scaled(1e-3)),
        };
        let remote = |bytes_sent, tokens: u64, seeds_sent| Remote {
            bytes_sent,
            tokens,
            seeds_sent,
            energy: energy(
                assumptions
                    .remote_wh_per_1000_tokens
                    .scaled(tokens as f64 / 1e3),
            ),
        };
        let local = report.seconds.iter().map(|(stage, seconds)| {
            let hours = seconds / 3600.0;
            (stage.clone(), energy(assumptions.local_watts.scaled(hours)))
        });
        let texts = task.seeds.iter().flat_map(|seed| {
            let texts = [Some(seed.text.as_str()), seed.context.as_deref()];
            texts.into_iter().flatten()
        });
        let (bytes, tokens) = texts.fold((0, 0), |(bytes, tokens), text| {
            (bytes + text.len(), tokens + estimate_tokens(text))
        });
        let seeds = task.seeds.len().max(1);
        let wanted = report.instances.accepted;
        let requests = wanted.div_ceil(assumptions.instances_per_request.max(1));
        let read = requests * (tokens + assumptions.tokens_of_request_frame);
        let written = wanted * tokens.div_ceil(seeds);
        let teacher = &report.teacher;
        Some(Self {
            local: local.collect(),
            teacher: remote(
                teacher.bytes,
                teacher.tokens_in + teacher.tokens_out,
                teacher.shared_seeds,
            ),
            instead: remote(requests * bytes, (read + written) as u64, task.seeds.len()),
            assumptions,
        })
    }
}
