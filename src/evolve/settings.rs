//! The knobs of a run, each with its range, and the switches that take a part of a method away.

use serde::{Deserialize, Serialize};

use super::RowName;
use crate::Error;
use crate::curate::pack::Cuts;
use crate::generate::Sampling;
use crate::privacy::{Brief, Destination, Epsilon, Ledger};

/// An order of stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// Principles first, then instances from them (arXiv 2507.05991).
    #[default]
    Psi,
    /// The model reviews, writes, cleans and prefers, round after round (arXiv 2412.15151).
    Lance,
    /// The student's errors decide what is written next (arXiv 2403.06414).
    Evokd,
}

impl Recipe {
    /// All recipes.
    pub const ALL: [Self; 3] = [Self::Psi, Self::Lance, Self::Evokd];

    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::Lance => "lance",
            Self::Evokd => "evokd",
        }
    }

    /// The rows a run makes unless told otherwise.
    pub fn usual_rows(self) -> &'static [RowName] {
        use RowName::{
            AllSeeds, Direct, Evokd, Lance, Psi, RoundZero, SeedsOnly, Static, Untouched,
        };
        match self {
            Self::Psi => &[Untouched, SeedsOnly, Direct, Psi],
            Self::Lance => &[Untouched, SeedsOnly, RoundZero, Lance],
            Self::Evokd => &[Untouched, SeedsOnly, AllSeeds, Static, Evokd],
        }
    }

    /// All rows it can make.
    pub fn rows(self) -> &'static [RowName] {
        use RowName::{Direct, OwnPrinciples, Psi, Recorded, SeedsOnly, Untouched};
        match self {
            Self::Psi => &[Untouched, SeedsOnly, Direct, OwnPrinciples, Recorded, Psi],
            other => other.usual_rows(),
        }
    }

    /// Rounds of a run unless told otherwise: PSI has one; LANCE has at least two as published; EvoKD's many short ones
    /// are as many as keep a batch near sixteen instances.
    pub fn usual_rounds(self) -> usize {
        match self {
            Self::Psi => 1,
            Self::Lance => 2,
            Self::Evokd => 8,
        }
    }
}

/// A part of a method that is switched off, to see what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ablation {
    /// PSI with principles about the task as a whole alone.
    TaskLevelOnly,
    /// PSI with principles about single labels alone.
    LabelLevelOnly,
    /// PSI with all principles, whether or not the seeds vote for them.
    NoSelection,
    /// PSI that keeps whatever is written.
    NoFilter,
    /// LANCE without preference training.
    SftOnly,
    /// LANCE without fine-tuning on new instances.
    DpoOnly,
    /// LANCE without the reviewer: every seed goes both ways, and everything is used.
    NoReview,
    /// LANCE without the cleaner.
    NoCleaning,
    /// EvoKD that writes hard instances alone.
    NoEasy,
    /// EvoKD whose analysis sees what is wrong alone.
    NoCorrect,
    /// EvoKD without replay of earlier batches and seeds.
    NoHistory,
    /// EvoKD that takes the label an instance was written for, instead of labelling it apart.
    NoSeparation,
}

impl Ablation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::TaskLevelOnly,
        Self::LabelLevelOnly,
        Self::NoSelection,
        Self::NoFilter,
        Self::SftOnly,
        Self::DpoOnly,
        Self::NoReview,
        Self::NoCleaning,
        Self::NoEasy,
        Self::NoCorrect,
        Self::NoHistory,
        Self::NoSeparation,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskLevelOnly => "task_level_only",
            Self::LabelLevelOnly => "label_level_only",
            Self::NoSelection => "no_selection",
            Self::NoFilter => "no_filter",
            Self::SftOnly => "sft_only",
            Self::DpoOnly => "dpo_only",
            Self::NoReview => "no_review",
            Self::NoCleaning => "no_cleaning",
            Self::NoEasy => "no_easy",
            Self::NoCorrect => "no_correct",
            Self::NoHistory => "no_history",
            Self::NoSeparation => "no_separation",
        }
    }

    /// The recipe it belongs to.
    pub fn recipe(self) -> Recipe {
        match self {
            Self::TaskLevelOnly | Self::LabelLevelOnly | Self::NoSelection | Self::NoFilter => {
                Recipe::Psi
            }
            Self::SftOnly | Self::DpoOnly | Self::NoReview | Self::NoCleaning => Recipe::Lance,
            Self::NoEasy | Self::NoCorrect | Self::NoHistory | Self::NoSeparation => Recipe::Evokd,
        }
    }
}

/// Whose reading of an instance is compared with the label it was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voter {
    /// The model that wrote it, which has learnt to write and to label.
    Writer,
    /// The student of the seeds alone, which has learnt to label and nothing else, and so labels better: see
    /// `benches/runs/voter`.
    #[default]
    Student,
    /// Nobody's.
    None,
}

/// How a vote is read off the likelihoods of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteRule {
    /// The likeliest label must be the one asked for.
    #[default]
    Best,
    /// The one asked for must be among the two likeliest.
    TopTwo,
    /// As `best`, after what the voter gives each label on average over what was written has been taken away (batch
    /// calibration, arXiv 2309.17249): labels are asked for in balance, so a label that wins everywhere says little.
    Calibrated,
}

/// Who reviews (LANCE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The model in words, by ten points, several times.
    Rubric,
    /// The model's likelihood of the answer.
    Likelihood,
}

/// Who writes the principles.
#[derive(Debug, Clone, Default)]
pub enum Teacher {
    /// Statistics of the seeds; nothing leaves.
    #[default]
    Offline,
    /// A file's text, from an earlier run or by hand.
    Recorded(String),
    /// An OpenAI-compatible endpoint; it is sent the brief.
    Api {
        /// Base address, as `https://host/v1`.
        url: String,
        /// The model's name there.
        model: String,
        /// The key, kept in memory only.
        key: Option<String>,
    },
}

impl Teacher {
    /// The word for it in results.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Recorded(_) => "recorded",
            Self::Api { .. } => "api",
        }
    }
}

/// The knobs of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The order of stages.
    pub recipe: Recipe,
    /// Parts of the recipe that are switched off.
    pub ablations: Vec<Ablation>,
    /// Who writes the principles.
    pub teacher: Teacher,
    /// Instances a large model wrote, as rows of text and label, for the row `recorded`.
    pub recorded: Option<String>,
    /// Accepted instances wanted for each row that has any.
    pub instances: usize,
    /// Rounds in which they are written; the recipe's usual number when `None`.
    pub rounds: Option<usize>,
    /// How much the brief may tell of one seed; nothing of the seeds is told when zero.
    pub epsilon: Epsilon,
    /// A brief that the user has seen, to be sent as it stands; without it, one is drawn.
    pub brief: Option<Brief>,
    /// What an endpoint has answered before the run, as a recorded teacher's text; it is then not asked a first time.
    pub asked: Option<String>,
    /// Whether an endpoint is told, with noise, what the student gets wrong, from the second round on (recipe `evokd`).
    pub tell_weakness: bool,
    /// Seeds that an endpoint is sent as they stand, as in the published PSI; the user has confirmed it. 0 unless told.
    #[cfg(feature = "desk")]
    pub share_seeds: usize,
    /// What has left so far, with the user's budget, where a run goes on with an earlier one's.
    pub ledger: Option<Ledger>,
    /// Whether the user has confirmed words of their own that repeat an example.
    pub own_words_confirmed: bool,
    /// Seed of every random choice, but for the noise of the brief.
    pub seed: u64,
    /// Seeds of each label that are used, drawn by chance; all when `None`. EvoKD is published with 1, 3 and 5.
    pub seeds_per_label: Option<usize>,
    /// Most test rows to measure on; all when `None`.
    pub test_limit: Option<usize>,
    /// Passes over seeds and instances that the fine-tuning of each row is as long as.
    pub epochs: usize,
    /// The rows to make.
    pub rows: Vec<RowName>,
    /// Rows of a training batch.
    pub batch: usize,
    /// Peak learning rate; [`Settings::rate`] chooses one by the model's width when `None`.
    pub learning_rate: Option<f64>,
    /// Rank of the adapter.
    pub rank: usize,
    /// `lora_alpha` of the adapter.
    pub alpha: f64,
    /// How often each seed counts beside one instance.
    pub seed_weight: usize,
    /// Most seeds shown as examples in a writing prompt.
    pub shots: usize,
    /// Most rules in a writing prompt.
    pub rules: usize,
    /// Tokens that the principles that are kept may have together.
    pub principle_tokens: usize,
    /// Instances written at once.
    pub writers: usize,
    /// Rows labelled at once.
    pub readers: usize,
    /// Most new tokens of an instance.
    pub max_new: usize,
    /// How instances are drawn.
    pub sampling: Sampling,
    /// Whose vote an instance needs.
    pub voter: Voter,
    /// How the vote is read.
    pub vote: VoteRule,
    /// Who reviews (LANCE); chosen by the model's size when `None`.
    pub judge: Option<Judge>,
    /// Reviews drawn for each answer by the rubric (LANCE).
    pub reviews: usize,
    /// Most new tokens of a review by the rubric (LANCE).
    pub review_tokens: usize,
    /// New prompts drawn from one parent, and answers to each (LANCE).
    pub draws: usize,
    /// Marks above which answers are used (LANCE).
    pub cuts: Cuts,
    /// How reviews and answers are drawn (LANCE).
    pub review_sampling: Sampling,
    /// The batch is measured after it was trained on, not before (EvoKD).
    pub evaluate_after: bool,
    /// A share of the instances is written without looking at the student, and learnt first (EvoKD + Init).
    pub init: bool,
    /// Share of all earlier instances that is learnt again, every third round (EvoKD).
    pub replay: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(Recipe::Psi)
    }
}

impl Settings {
    /// The usual settings of a recipe.
    pub fn of(recipe: Recipe) -> Self {
        Self {
            recipe,
            ablations: Vec::new(),
            teacher: Teacher::Offline,
            recorded: None,
            instances: 140,
            rounds: None,
            epsilon: Epsilon::ROUND,
            brief: None,
            asked: None,
            tell_weakness: false,
            #[cfg(feature = "desk")]
            share_seeds: 0,
            ledger: None,
            own_words_confirmed: false,
            seed: 1,
            seeds_per_label: None,
            test_limit: None,
            epochs: 5,
            rows: recipe.usual_rows().to_vec(),
            batch: 8,
            learning_rate: None,
            rank: 16,
            alpha: 32.0,
            seed_weight: 2,
            shots: 3,
            rules: 3,
            principle_tokens: 600,
            writers: 16,
            readers: 16,
            max_new: 96,
            sampling: Sampling {
                temperature: 0.9,
                top_k: 0,
                top_p: 0.95,
            },
            voter: Voter::default(),
            vote: VoteRule::default(),
            judge: None,
            reviews: 3,
            review_tokens: 512,
            draws: 4,
            cuts: Cuts::default(),
            review_sampling: Sampling {
                temperature: 0.7,
                top_k: 0,
                top_p: 0.9,
            },
            evaluate_after: false,
            init: false,
            replay: 0.25,
        }
    }

    /// Rounds of the run.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or_else(|| self.recipe.usual_rounds())
    }

    /// Whether a part of the method is switched off.
    pub fn lacks(&self, ablation: Ablation) -> bool {
        self.ablations.contains(&ablation)
    }

    /// The peak learning rate for a model `hidden` wide: 5e-3 at 192, which was the best of four tried there, falling
    /// to the 1e-3 that is usual for LoRA at 576 (SmolLM2-135M).
    pub fn rate(&self, hidden: usize) -> f64 {
        self.learning_rate
            .unwrap_or_else(|| (5e-3 * (192.0 / hidden as f64).powf(1.5)).min(1e-2))
    }

    /// Checks that every knob lies in its range, and that rows and switches belong to the recipe.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the knob and its range.
    pub fn check(&self) -> Result<(), Error> {
        let ranges = [
            ("instances", self.instances, 1, 100_000),
            ("rounds", self.rounds(), 1, 100),
            ("epochs", self.epochs, 1, 1000),
            ("batch", self.batch, 1, 1024),
            ("rank", self.rank, 1, 1024),
            ("reviews", self.reviews, 1, 100),
            ("draws", self.draws, 1, 100),
            ("review tokens", self.review_tokens, 1, 100_000),
            (
                "seeds per label",
                self.seeds_per_label.unwrap_or(1),
                1,
                1_000_000,
            ),
            ("test rows", self.test_limit.unwrap_or(1), 1, 10_000_000),
        ];
        for (name, value, least, most) in ranges {
            if value < least || value > most {
                return refuse(format!(
                    "{name} is {value}; it must lie between {least} and {most}"
                ));
            }
        }
        if let Some(rate) = self.learning_rate
            && !(rate > 0.0 && rate <= 1.0)
        {
            return refuse(format!(
                "the learning rate is {rate}; it must lie above 0 and at most at 1"
            ));
        }
        if let Teacher::Api { url, .. } = &self.teacher {
            Destination::parse(url)?;
        }
        if self.rows.is_empty() {
            return refuse("no row is chosen; choose at least one".into());
        }
        let recipe = self.recipe.name();
        if let Some(row) = self
            .rows
            .iter()
            .find(|row| !self.recipe.rows().contains(row))
        {
            let known: Vec<&str> = self.recipe.rows().iter().map(|row| row.name()).collect();
            return refuse(format!(
                "the recipe {recipe} has no row {}; it has {}",
                row.name(),
                known.join(", ")
            ));
        }
        if let Some(other) = self
            .ablations
            .iter()
            .find(|ablation| ablation.recipe() != self.recipe)
        {
            return refuse(format!(
                "{} belongs to the recipe {}; this run's is {recipe}",
                other.name(),
                other.recipe().name()
            ));
        }
        for (one, other) in [
            (Ablation::TaskLevelOnly, Ablation::LabelLevelOnly),
            (Ablation::SftOnly, Ablation::DpoOnly),
        ] {
            if self.lacks(one) && self.lacks(other) {
                return refuse(format!(
                    "{} and {} leave nothing; choose one of them",
                    one.name(),
                    other.name()
                ));
            }
        }
        if self.rows.contains(&RowName::Recorded) && self.recorded.is_none() {
            return refuse(
                "the row recorded needs the instances a large model wrote; give them as a file of rows".into(),
            );
        }
        Ok(())
    }
}

fn refuse(text: String) -> Result<(), Error> {
    Err(Error::Setting(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(settings: &Settings) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let settings = Settings {
            epochs: 0,
            ..Settings::default()
        };
        assert!(refusal(&settings).contains("epochs is 0"));
    }

    #[test]
    fn the_usual_settings_of_every_recipe_are_sound() {
        for recipe in Recipe::ALL {
            assert!(Settings::of(recipe).check().is_ok(), "{}", recipe.name());
        }
    }

    #[test]
    fn rows_and_switches_of_another_recipe_are_named() {
        let mut settings = Settings::of(Recipe::Lance);
        settings.rows.push(RowName::Evokd);
        assert!(refusal(&settings).contains("lance has no row evokd"));
        let mut settings = Settings::of(Recipe::Psi);
        settings.ablations.push(Ablation::NoEasy);
        assert!(refusal(&settings).contains("no_easy belongs to the recipe evokd"));
    }

    #[test]
    fn switches_that_leave_nothing_are_refused_together() {
        let mut settings = Settings::of(Recipe::Lance);
        settings.ablations = vec![Ablation::SftOnly, Ablation::DpoOnly];
        assert!(refusal(&settings).contains("sft_only and dpo_only"));
    }

    #[test]
    fn a_recorded_row_needs_its_file() {
        let mut settings = Settings::default();
        settings.rows.push(RowName::Recorded);
        assert!(refusal(&settings).contains("recorded"));
        settings.recorded = Some(String::new());
        assert!(settings.check().is_ok());
    }
}
