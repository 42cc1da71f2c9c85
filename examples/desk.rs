//! The engine as a crate: a student learns at the desk to tell glad from sad, and labels a text it has never seen.
//!
//! ```sh
//! cargo run --release --example desk
//! ```

use std::error::Error;
use std::path::Path;

use seedbed::evolve::{self, Cancel, Event, Monitor, Outcome, RowName, Settings};
use seedbed::kernels::{self, Choice};
use seedbed::model::Model;
use seedbed::task;

const TASK: &str = r#"{
    "task": "mood", "type": "classification",
    "instruction": "Say whether the message is glad or sad.", "labels": ["glad", "sad"]
}"#;

const SEEDS: &str = r#"
{"text": "what a lovely morning", "label": "glad"}
{"text": "the cake was wonderful", "label": "glad"}
{"text": "we won the match today", "label": "glad"}
{"text": "i love this little song", "label": "glad"}
{"text": "my dog ran away last night", "label": "sad"}
{"text": "the rain spoiled our trip", "label": "sad"}
{"text": "nobody came to the party", "label": "sad"}
{"text": "i lost my favourite ring", "label": "sad"}
"#;

/// Teaches the student and gives its label for `text`.
async fn learn(text: &str, mut say: impl FnMut(String)) -> Result<String, Box<dyn Error>> {
    let opened = kernels::open(Choice::Cpu).await?;
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/seedbed-3m");
    let model = Model::open(&bundled, &opened.device)?;
    let task = task::parse(TASK, SEEDS, None)?;
    let settings = Settings {
        rows: vec![RowName::Untouched, RowName::SeedsOnly],
        ..Settings::default()
    };
    // What was made is in the outcome even when a run is stopped or fails.
    let mut outcome = Outcome::default();
    let tell = |event: &Event| {
        if let Event::RowFinished { row, metrics, .. } = event {
            say(format!("{}: {:.0} %", row.name(), metrics.accuracy * 100.0));
        }
    };
    let mut monitor = Monitor::new(tell, Cancel::new());
    evolve::run(
        &model,
        &opened,
        &task,
        &settings,
        &mut monitor,
        &mut outcome,
    )
    .await?;
    let adapter = outcome.adapter.as_ref().map(|(_, adapter)| adapter);
    let shares = evolve::predict(&model, &task, adapter, text).await?;
    let best = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b]));
    Ok(task.labels[best.unwrap_or_default()].clone())
}

#[expect(clippy::print_stdout, reason = "a program for a person to watch")]
fn main() -> Result<(), Box<dyn Error>> {
    let text = "what a lovely cake";
    let label = pollster::block_on(learn(text, |line| println!("{line}")))?;
    println!("{text:?} is {label}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_student_is_measured_before_and_after_and_then_labels() {
        let mut said = Vec::new();
        let label = pollster::block_on(learn("what a lovely cake", |line| said.push(line)));
        assert!(["glad", "sad"].contains(&label.expect("the run ends well").as_str()));
        assert_eq!(said.len(), 2, "{said:?}");
    }
}
