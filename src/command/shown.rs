//! What is shown on standard error while a run goes on, and a line of figures.

use std::io::{IsTerminal, Write};

use seedbed::evolve::{Event, RowName};
use seedbed::task::Metrics;
use seedbed::train::Bytes;

/// A row's figures in one line.
pub(super) fn line(name: &str, metrics: &Metrics) -> String {
    if let Some(loss) = metrics.loss {
        return free(name, metrics, loss);
    }
    let f1 = metrics.f1.map_or(String::new(), |f1| {
        format!(
            "  F1 {:5.1} % ({:.1} to {:.1})",
            100.0 * f1,
            100.0 * metrics.f1_low.unwrap_or(0.0),
            100.0 * metrics.f1_high.unwrap_or(1.0)
        )
    });
    format!(
        "{name:<12} accuracy {:5.1} % ({:.1} to {:.1}){f1}  macro-F1 {:5.1} %  n {}",
        100.0 * metrics.accuracy,
        100.0 * metrics.low,
        100.0 * metrics.high,
        100.0 * metrics.macro_f1,
        metrics.n
    )
}

/// The figures of free responses.
fn free(name: &str, metrics: &Metrics, loss: f64) -> String {
    let ends = |low: Option<f64>, high: Option<f64>| (low.unwrap_or(0.0), high.unwrap_or(0.0));
    let (low, high) = ends(metrics.loss_low, metrics.loss_high);
    let judge = metrics.score.map_or(String::new(), |score| {
        let (low, high) = ends(metrics.score_low, metrics.score_high);
        format!("  judge {score:.2} ({low:.2} to {high:.2})")
    });
    format!(
        "{name:<12} loss {loss:.3} ({low:.3} to {high:.3})  perplexity {:.2}{judge}  F1 of words {:.1} %  n {}",
        metrics.perplexity.unwrap_or(0.0),
        100.0 * metrics.f1.unwrap_or(0.0),
        metrics.n
    )
}

/// Progress on standard error: a line that is rewritten on a terminal, a line for each stage otherwise.
pub(super) struct Shown {
    terminal: bool,
    length: usize,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            length: 0,
        }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                warnings, memory, ..
            } => {
                let of = Bytes;
                eprintln!(
                    "memory: {} at most (weights {}, adapter and optimiser {}, activations {}, keys and values {})",
                    of(memory.total),
                    of(memory.weights),
                    of(memory.adapter + memory.moments + memory.gradients),
                    of(memory.activations + memory.layer_inputs + memory.workspace),
                    of(memory.kv)
                );
                for warning in warnings {
                    self.keep(&format!("note: {warning}"));
                }
            }
            Event::Brief {
                text,
                destination,
                epsilon,
            } => {
                let size = text.len();
                self.keep(&format!(
                    "sending a brief of {size} bytes to {destination}, epsilon {epsilon}"
                ));
            }
            Event::Progress {
                stage,
                row,
                done,
                total,
                seconds_left,
                overall,
            } if self.terminal => {
                let left = seconds_left.map_or(String::new(), |left| format!(", {left:.0} s left"));
                let row = row.map_or("", RowName::name);
                self.rewrite(&format!(
                    "{:3.0} %  {} {row} {done}/{total}{left}",
                    100.0 * overall,
                    stage.name()
                ));
            }
            Event::StageFinished {
                stage,
                row,
                seconds,
            } => {
                self.keep(&format!(
                    "{:<11} {:<11} {seconds:7.1} s",
                    stage.name(),
                    row.map_or("", RowName::name)
                ));
            }
            Event::Sample {
                row,
                step,
                total,
                text,
                label,
                probability,
                answer,
            } => {
                let row = row.map_or("warm-up", RowName::name);
                let sure = probability.map_or(String::new(), |p| format!(" ({:.0} %)", 100.0 * p));
                let said = answer.as_ref().unwrap_or(label);
                self.keep(&format!("{row} {step}/{total}: {text} → {said}{sure}"));
            }
            Event::Note { text } => self.keep(&format!("note: {text}")),
            Event::RoundFinished { report } => {
                let dev = report.dev.map_or(String::new(), |dev| match dev.loss {
                    Some(loss) => format!(", loss {loss:.3} on {}", dev.n),
                    None => format!(", {:.1} % of {} right", 100.0 * dev.accuracy, dev.n),
                });
                self.keep(&format!(
                    "{} round {}: {} of {} kept, {} pairs{dev}",
                    report.row.name(),
                    report.round,
                    report.accepted,
                    report.generated,
                    report.pairs
                ));
            }
            Event::RowFinished { row, metrics, .. } => self.keep(&line(row.name(), metrics)),
            _ => {}
        }
    }

    fn rewrite(&mut self, text: &str) {
        eprint!("\r{text:<width$}", width = self.length);
        // A lost progress line is no reason to stop.
        let _ = std::io::stderr().flush();
        self.length = text.len();
    }

    fn keep(&mut self, text: &str) {
        self.end();
        eprintln!("{text}");
    }

    pub(super) fn end(&mut self) {
        if self.length > 0 {
            self.rewrite("");
            eprint!("\r");
            self.length = 0;
        }
    }
}
