//! `logits`, `generate` and `merge`: a model by itself, without a task.

use std::path::PathBuf;

use seedbed::Error;
use seedbed::generate::{Batch, Sampling};
use seedbed::model::{Model, merge_folder};
use serde_json::json;

use super::{AdaptedArguments, print};

/// Print the scores over the vocabulary at every position of a sequence.
#[derive(Debug, clap::Args)]
pub struct Logits {
    #[command(flatten)]
    model: AdaptedArguments,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    ids: Vec<u32>,
    /// Print {"logits": [[…] per position]}.
    #[arg(long)]
    json: bool,
}

impl Logits {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let (model, adapter, _) = self.model.open().await?;
        let logits = model.logits(&self.ids, adapter.as_ref()).await?;
        if self.json {
            return print(&json!({ "logits": logits }));
        }
        for (position, row) in logits.iter().enumerate() {
            let mut ranked: Vec<(usize, &f32)> = row.iter().enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(a.1));
            let best: Vec<String> = ranked
                .iter()
                .take(5)
                .map(|(id, score)| {
                    Ok(format!(
                        "{:?} {score:.3}",
                        model.vocabulary.decode(&[*id as u32])?
                    ))
                })
                .collect::<Result<_, Error>>()?;
            println!("{position}: {}", best.join(", "));
        }
        Ok(())
    }
}

/// Continue a prompt.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).args(["prompt", "ids"])))]
pub struct Generate {
    #[command(flatten)]
    model: AdaptedArguments,
    /// Text to continue, as it stands.
    #[arg(long)]
    prompt: Option<String>,
    /// Token ids to continue, separated by commas.
    #[arg(long, value_delimiter = ',')]
    ids: Vec<u32>,
    /// Most new tokens.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_new: usize,
    /// Always take the best token.
    #[arg(long)]
    greedy: bool,
    /// Divide scores by this before drawing.
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// Draw among the best so many tokens only; 0 for all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Draw among the best tokens that together have this probability.
    #[arg(long, default_value_t = 0.95)]
    top_p: f32,
    /// Seed of the draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print {"ids": […], "text": "…"}.
    #[arg(long)]
    json: bool,
}

impl Generate {
    /// Does it.
    pub async fn run(self) -> Result<(), Error> {
        let (model, adapter, _) = self.model.open().await?;
        let prompt = self.prompt_ids(&model)?;
        let sampling = match self.greedy {
            true => Sampling::GREEDY,
            false => Sampling {
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
            },
        };
        let mut batch = Batch::start(
            &model,
            adapter.as_ref(),
            &[prompt],
            self.max_new,
            sampling,
            self.seed,
        )?;
        while !batch.is_done() {
            batch.step().await?;
        }
        let ids = &batch.written()[0].ids;
        let text = model.vocabulary.decode(ids)?;
        if self.json {
            return print(&json!({ "ids": ids, "text": text }));
        }
        println!("{text}");
        Ok(())
    }

    fn prompt_ids(&self, model: &Model) -> Result<Vec<u32>, Error> {
        let ids = match &self.prompt {
            // Models that were trained on texts with a beginning are lost without it.
            Some(prompt) => {
                let mut ids: Vec<u32> = model.vocabulary.begin().into_iter().collect();
                ids.extend(model.vocabulary.encode(prompt)?);
                ids
            }
            None => self.ids.clone(),
        };
        if ids.is_empty() {
            return Err(Error::Setting(
                "the prompt is empty; give at least one word".into(),
            ));
        }
        Ok(ids)
    }
}

/// Add an adapter into a model's weights and write the whole as a model folder.
///
/// What comes out needs no adapter: any tool that reads the hub's layout runs it.
#[derive(Debug, clap::Args)]
pub struct Merge {
    /// Folder of a model in the hub's layout, a GGUF file, or the name of a model that `seedbed pull` has fetched.
    #[arg(long, value_name = "PATH", default_value = "models/seedbed-3m")]
    model: PathBuf,
    /// PEFT directory of the adapter.
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// Folder to write the merged model to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Merge {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        merge_folder(
            &super::models::place(&self.model)?.0,
            &self.adapter,
            &self.out,
        )?;
        println!("{}", self.out.display());
        Ok(())
    }
}
