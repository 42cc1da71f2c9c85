//! What a recipe may be told: its rows and rounds, the switches that take a part of a method away, who votes and who judges.

use serde::{Deserialize, Serialize};

use super::RowName;
use super::knobs::{KNOBS, Settings};
use crate::Error;
use crate::privacy::Destination;

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

/// What a text is pushed away from (`guidance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuideFrom {
    /// Its own order without its rules: it follows them more closely.
    #[default]
    Rules,
    /// The order for another label, with examples of that one and without rules: it is less like that label's texts.
    Label,
}

/// When a recipe makes more of rules than lines of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleUse {
    /// Where somebody states them who knows more than the seeds: any teacher but the offline one, whose rules are the seeds'
    /// own statistics.
    #[default]
    Taught,
    /// Whoever states them.
    Always,
    /// Never: rules are there to write from.
    Never,
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

impl Default for Settings {
    fn default() -> Self {
        Self::of(Recipe::Psi)
    }
}

impl Settings {
    /// Rounds of the run.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or_else(|| self.recipe.usual_rounds())
    }

    /// All knobs, one a line: what a run that goes on must have in common with the one that began.
    pub(super) fn lines(&self) -> String {
        let mut copy = self.clone();
        let mut lines = format!(
            "recipe {}\nteacher {}\nepsilon {}",
            self.recipe.name(),
            self.teacher.kind(),
            self.epsilon
        );
        for knob in KNOBS.iter().filter(|knob| knob.serves(self.recipe)) {
            let value = knob.get(&mut copy).to_string();
            lines.extend(["\n", knob.name, " ", &value]);
        }
        lines
    }

    /// Whether its principles are of a teacher that knows more than the seeds: any but the offline one, whose rules are the
    /// seeds' own statistics.
    pub fn is_taught(&self) -> bool {
        !matches!(self.teacher, Teacher::Offline)
    }

    /// Whether what the rules of a label say is learnt as texts of that label.
    pub fn learns_rules(&self) -> bool {
        self.makes(self.learn_rules)
    }

    /// Whether a text is made to have what its rules quote.
    pub fn holds_rules(&self) -> bool {
        self.makes(self.hold_rules)
    }

    fn makes(&self, used: RuleUse) -> bool {
        match used {
            RuleUse::Taught => self.is_taught(),
            RuleUse::Always => true,
            RuleUse::Never => false,
        }
    }

    /// Whether a part of the method is switched off.
    pub fn lacks(&self, ablation: Ablation) -> bool {
        self.ablations.contains(&ablation)
    }

    /// The peak learning rate for a model of a width and a depth. It goes through three points: 5e-3 for 6 layers 192 wide
    /// (the best of four tried), 3e-3 for 6 layers 576 wide (the best of three), and the 1e-3 that is usual for LoRA
    /// for 30 layers 576 wide (SmolLM2-135M).
    pub fn rate(&self, hidden: usize, layers: usize) -> f64 {
        let (width, depth) = (192.0 / hidden as f64, 6.0 / layers as f64);
        self.learning_rate
            .unwrap_or_else(|| (5e-3 * width.sqrt() * depth.powf(2.0 / 3.0)).min(1e-2))
    }

    /// Checks that every knob lies in its range, and that rows and switches belong to the recipe.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the knob and its range.
    pub fn check(&self) -> Result<(), Error> {
        let mut copy = self.clone();
        for knob in KNOBS {
            knob.check(&knob.get(&mut copy)).map_err(Error::Setting)?;
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
    fn a_wider_or_deeper_model_is_tuned_more_gently_unless_a_rate_is_given() {
        let usual = Settings::default();
        let rounded = |rate: f64| (rate * 1e4).round();
        assert_eq!(rounded(usual.rate(192, 6)), 50.0);
        assert_eq!(rounded(usual.rate(576, 6)), 29.0);
        assert_eq!(rounded(usual.rate(576, 30)), 10.0);
        let own = Settings {
            learning_rate: Some(0.02),
            ..Settings::default()
        };
        assert_eq!(own.rate(576, 30), 0.02);
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
