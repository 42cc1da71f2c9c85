//! What a run will ask of the device.

use super::Recipe;
use super::stages::Bench;
use crate::Error;
use crate::generate::Batch;
use crate::kernels::Limits;
use crate::model::{LoraConfig, shared_prefix};
use crate::order;
use crate::task::Example;
use crate::train::{Memory, Workload};

/// About as long as the longest rules are.
const RULE: &str = "Use between 10 and 20 words, and begin with \"could you please tell me\".";

/// Works out the memory of a run and holds it against what the device grants.
pub(super) fn check(bench: &Bench<'_>, test: &[Example], limits: Limits) -> Result<Memory, Error> {
    let decoder = &bench.model.decoder;
    let load = workload(bench, test)?;
    Ok(Memory::check(
        decoder.config(),
        decoder.packing(),
        &load,
        limits,
    )?)
}

fn workload(bench: &Bench<'_>, test: &[Example]) -> Result<Workload, Error> {
    let (settings, task) = (bench.settings, bench.task);
    // The longest row: a seed being labelled or written, or an instance as long as one may get.
    let mut texts: Vec<&Example> = task.seeds.iter().chain(test).collect();
    order::sort(&mut texts, &|a, b| b.size().cmp(&a.size()));
    let long = &texts[..texts.len().min(settings.readers.max(settings.writers))];
    let prompts = (long.iter())
        .map(|example| bench.asked(example))
        .collect::<Result<Vec<_>, _>>()?;
    let answers: usize = bench.answer_tokens();
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let instance = bench.asked(&Example::default())?.len() + settings.max_new;
    let rules = vec![RULE.to_owned(); settings.rules];
    let mut writing = 0;
    if let Some(example) = texts.first() {
        let shots = vec![example.text.as_str(); settings.shots];
        writing = bench.writing_row(example, &rules, &shots)?.ids.len();
    }
    let length = (longest.max(instance) + answers).max(writing);
    // What is labelled together stands in the cache, as what is written together does.
    let shared = shared_prefix(&prompts);
    let own = longest - shared.min(longest);
    let labelled = shared + settings.readers * (own + answers);
    // A text that is pushed away from a plainer prompt's stands there twice.
    let sides = if settings.guidance == 1.0 { 1 } else { 2 };
    let lanes = sides * settings.writers.min(Batch::LANES);
    let written = lanes * (writing + settings.max_new);
    let pairs = usize::from(settings.recipe == Recipe::Lance);
    Ok(Workload {
        batch: settings.batch << pairs,
        length: length.min(bench.model.decoder.context()).max(1),
        rank: settings.rank,
        modules: LoraConfig::new(settings.rank, settings.alpha, None).modules()?,
        read: labelled.max(lanes * writing),
        slots: labelled.max(written),
        lanes,
    })
}
