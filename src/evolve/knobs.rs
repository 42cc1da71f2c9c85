//! The knobs of a run: each declared once, with its doc line, its usual value and its range. The struct, the command's
//! options and help, the recipe file and the page's options are read off this one table.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Ablation, GuideFrom, Judge, Recipe, RowName, RuleUse, Teacher, VoteRule, Voter};
use crate::curate::pack::Cuts;
use crate::generate::Sampling;
use crate::privacy::{Brief, Epsilon, Ledger};

/// One knob of a recipe.
pub struct Knob {
    /// Its name in a recipe file; an option of the command has hyphens for the underlines.
    pub name: &'static str,
    /// What it does, in one line.
    #[cfg(not(target_arch = "wasm32"))]
    pub doc: &'static str,
    /// The recipes that heed it; all where none is named.
    pub recipes: &'static [Recipe],
    /// The least and the largest number it may be.
    pub range: Option<(f64, f64)>,
    slot: fn(&mut Settings) -> Slot<'_>,
}

/// Where a knob's value is.
enum Slot<'s> {
    Any(&'s mut dyn Held),
    Single(&'s mut f32),
}

/// A value that JSON can hold.
trait Held {
    fn get(&self) -> Value;
    fn set(&mut self, value: &Value) -> Result<(), String>;
}

impl<T: Serialize + DeserializeOwned> Held for T {
    fn get(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn set(&mut self, value: &Value) -> Result<(), String> {
        *self = T::deserialize(value).map_err(|error| error.to_string())?;
        Ok(())
    }
}

impl Knob {
    /// Whether a recipe heeds it.
    pub fn serves(&self, recipe: Recipe) -> bool {
        self.recipes.is_empty() || self.recipes.contains(&recipe)
    }

    /// Its value.
    pub fn get(&self, settings: &mut Settings) -> Value {
        match (self.slot)(settings) {
            Slot::Any(held) => held.get(),
            // As it is written, not as 64 bits show it.
            Slot::Single(single) => single
                .to_string()
                .parse()
                .map_or(Value::Null, |n: f64| n.into()),
        }
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// One line that names the knob, and what it may be.
    pub fn set(&self, settings: &mut Settings, value: &Value) -> Result<(), String> {
        self.check(value)?;
        let set = match (self.slot)(settings) {
            Slot::Any(held) => held.set(value),
            Slot::Single(single) => value
                .as_f64()
                .map(|number| *single = number as f32)
                .ok_or_else(|| format!("{value} is no number")),
        };
        set.map_err(|problem| format!("{}: {problem}", self.words()))
    }

    /// Checks that a number lies in the range.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        if let (Some((least, most)), Some(number)) = (self.range, value.as_f64())
            && !(least..=most).contains(&number)
        {
            return Err(format!(
                "{} is {value}; it must lie between {least} and {most}",
                self.words()
            ));
        }
        Ok(())
    }

    fn words(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// The knob of a name.
///
/// # Errors
///
/// One line that names the knobs there are.
pub fn knob(name: &str) -> Result<&'static Knob, String> {
    KNOBS.iter().find(|knob| knob.name == name).ok_or_else(|| {
        let known: Vec<&str> = KNOBS.iter().map(|knob| knob.name).collect();
        format!(
            "{name} is no knob of a recipe; there are {}",
            known.join(", ")
        )
    })
}

macro_rules! recipes {
    () => { &[] };
    ($($recipe:ident)+) => { &[$(Recipe::$recipe),+] };
}

macro_rules! range {
    () => {
        None
    };
    ($least:literal, $most:literal) => {
        Some(($least as f64, $most as f64))
    };
}

/// Declares the struct, the usual values and the table. First the knobs that are fields, then those inside of one, then the
/// fields that are no knobs: what is the user's own, and what leaves the machine, is no part of a recipe.
macro_rules! settings {
    (
        of $recipe:ident;
        $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $usual:expr $(, in $least:literal..=$most:literal)? $(, for $($who:ident)+)?;)+
        inside:
        $($(#[doc = $idoc:literal])+ $kind:ident $iname:ident = $($path:ident).+ $(, in $ileast:literal..=$imost:literal)? $(, for $($iwho:ident)+)?;)+
        beside:
        $($(#[doc = $bdoc:literal])+ $(#[cfg($cfg:meta)])? $bname:ident: $btype:ty = $busual:expr;)+
    ) => {
        /// The knobs of a run.
        #[derive(Debug, Clone)]
        pub struct Settings {
            /// The order of stages.
            pub recipe: Recipe,
            $($(#[doc = $doc])+ pub $name: $type,)+
            $($(#[doc = $bdoc])+ $(#[cfg($cfg)])? pub $bname: $btype,)+
        }

        impl Settings {
            /// The usual settings of a recipe.
            pub fn of($recipe: Recipe) -> Self {
                Self { recipe: $recipe, $($name: $usual,)+ $($(#[cfg($cfg)])? $bname: $busual,)+ }
            }
        }

        /// All knobs, in the order of a recipe file.
        pub static KNOBS: &[Knob] = &[
            $(Knob {
                name: stringify!($name),
                #[cfg(not(target_arch = "wasm32"))]
                doc: concat!($($doc),+),
                recipes: recipes!($($($who)+)?),
                range: range!($($least, $most)?),
                slot: |settings| Slot::Any(&mut settings.$name),
            },)+
            $(Knob {
                name: stringify!($iname),
                #[cfg(not(target_arch = "wasm32"))]
                doc: concat!($($idoc),+),
                recipes: recipes!($($($iwho)+)?),
                range: range!($($ileast, $imost)?),
                slot: |settings| Slot::$kind(&mut settings.$($path).+),
            },)+
        ];
    };
}

settings! {
    of recipe;
    /// Rows to make, each a student to compare with the others.
    rows: Vec<RowName> = recipe.usual_rows().to_vec();
    /// Parts of the recipe that are switched off, to see what they are worth.
    ablations: Vec<Ablation> = Vec::new();
    /// Seed of every random choice, but for the noise of a brief.
    seed: u64 = 1, in 0..=9007199254740991.0;
    /// Accepted instances wanted for each row that has any.
    instances: usize = 140, in 1..=100000;
    /// Rounds in which they are written; usually 1 in psi, 2 in lance, 8 in evokd.
    rounds: Option<usize> = None, in 1..=100;
    /// Every row learns from as many instances as the row that has the fewest, so that rows compare at equal scale.
    equal: bool = false, for Psi;
    /// At most so many seeds of each label are used, drawn by chance; all unless given.
    seeds_per_label: Option<usize> = None, in 1..=1000000;
    /// At most so many test rows are measured on; all unless given.
    test_limit: Option<usize> = None, in 1..=10000000;
    /// Passes over seeds and instances that each row's fine-tuning is as long as.
    epochs: usize = 5, in 1..=1000;
    /// Rows of a training batch.
    batch: usize = 8, in 1..=1024;
    /// Peak learning rate; chosen by the model's width and depth unless given.
    learning_rate: Option<f64> = None, in 0.000000001..=1;
    /// Rank of the adapter.
    rank: usize = 16, in 1..=1024;
    /// Scale of the adapter: its side path counts alpha / rank times (`lora_alpha`).
    alpha: f64 = 32.0, in 0..=100000;
    /// How often each seed counts beside one instance.
    seed_weight: usize = 2, in 1..=1000;
    /// Most seeds shown as examples in a writing prompt.
    shots: usize = 3, in 0..=100;
    /// Most rules in a writing prompt.
    rules: usize = 3, in 0..=100, for Psi Evokd;
    /// How far a text is pushed from what would stand there without its rules towards what stands there with them: 1 not at
    /// all, 2 twice as far (classifier-free guidance, arXiv 2306.17806). Every token is then read twice.
    guidance: f64 = 1.0, in 0..=10, for Psi Evokd;
    /// What a text is pushed away from by `guidance`: `rules` (its own order without its rules) or `label` (the order for
    /// another label, drawn by chance).
    guide_from: GuideFrom = GuideFrom::default(), for Psi Evokd;
    /// Tokens that the principles that are kept may have together.
    principle_tokens: usize = 600, in 1..=100000, for Psi;
    /// Instances written at once; more are faster and need more memory.
    writers: usize = 16, in 1..=4096;
    /// Rows labelled at once; more are faster and need more memory.
    readers: usize = 16, in 1..=4096;
    /// Most new tokens of an instance.
    max_new: usize = 96, in 1..=100000;
    /// Whose reading of an instance counts: `student` (learnt to label from the seeds and nothing else; see
    /// `benches/runs/voter`), `writer` (who wrote it) or `none`.
    voter: Voter = Voter::default(), for Psi Evokd;
    /// How the vote is read: `best` (the asked label must be the likeliest), `top_two`, or `calibrated` (after taking away
    /// what each label scores on average).
    vote: VoteRule = VoteRule::default(), for Psi Evokd;
    /// An instance counts only where the reader finds its label at least so probable.
    least_agreement: f64 = 0.0, in 0..=1, for Psi Evokd;
    /// And at most so probable: what the student is sure of already teaches it little.
    most_agreement: f64 = 1.0, in 0..=1, for Psi Evokd;
    /// What is learnt from an instance counts as much as the reader finds its label probable, not all alike.
    weigh: bool = false, for Psi;
    /// Whether what a label's rules say is learnt as texts of that label, by the recipe's own students and by who reads what
    /// they bring: `taught` (where another teacher than the seeds' statistics states them), `always` or `never`.
    learn_rules: RuleUse = RuleUse::default(), for Psi Evokd;
    /// Whether a text is made to have one of the openings and one of the phrases that its rules quote: as `learn_rules`.
    hold_rules: RuleUse = RuleUse::default(), for Psi Evokd;
    /// Who reviews: `rubric` (the model in words) or `likelihood`; likelihood below 400 M parameters unless given.
    judge: Option<Judge> = None, for Lance;
    /// Reviews drawn for each answer by the rubric.
    reviews: usize = 3, in 1..=100, for Lance;
    /// Most new tokens of a review by the rubric.
    review_tokens: usize = 512, in 16..=100000, for Lance;
    /// New prompts drawn from one parent, and answers to each.
    draws: usize = 4, in 1..=100, for Lance;
    /// A batch is measured after it was trained on, not before.
    evaluate_after: bool = false, for Evokd;
    /// A quarter of the instances is written and learnt before the first look at the student (EvoKD + Init).
    init: bool = false, for Evokd;
    /// Share of all earlier instances that is learnt again, every third round.
    replay: f64 = 0.25, in 0..=1, for Evokd;
    inside:
    /// Scores are divided by it when an instance is drawn: below 1 it is more usual, above 1 more various.
    Single temperature = sampling.temperature, in 0..=10;
    /// Only the best so many tokens may be drawn; 0 for all.
    Any top_k = sampling.top_k, in 0..=1000000;
    /// Only the best tokens whose probabilities reach this sum may be drawn; 1 for all.
    Single top_p = sampling.top_p, in 0..=1;
    /// As temperature, when reviews and answers are drawn.
    Single review_temperature = review_sampling.temperature, in 0..=10, for Lance;
    /// As top_p, when reviews and answers are drawn.
    Single review_top_p = review_sampling.top_p, in 0..=1, for Lance;
    /// An answer with a mark above it gets worse answers beside it, any other gets new questions near it (0 to 10).
    Any branch_cut = cuts.branch, in 0..=10, for Lance;
    /// An answer with a mark above it is fine-tuned on (0 to 10).
    Any sft_cut = cuts.sft, in 0..=10, for Lance;
    /// Of two answers the better one is preferred when its mark is higher by more than this.
    Any gap = cuts.gap, in 0..=10, for Lance;
    beside:
    /// Who writes the principles.
    teacher: Teacher = Teacher::Offline;
    /// Instances a large model wrote, as rows of text and label, for the row `recorded`.
    recorded: Option<String> = None;
    /// How much the brief may tell of one seed; nothing of the seeds is told when zero.
    epsilon: Epsilon = Epsilon::ROUND;
    /// A brief that the user has seen, to be sent as it stands; without it, one is drawn.
    brief: Option<Brief> = None;
    /// What an endpoint has answered before the run, as a recorded teacher's text; it is then not asked a first time.
    asked: Option<String> = None;
    /// Whether an endpoint is told, with noise, what the student gets wrong, from the second round on (recipe `evokd`).
    tell_weakness: bool = false;
    /// Seeds that an endpoint is sent as they stand, as in the published PSI; the user has confirmed it. 0 unless told.
    #[cfg(feature = "desk")]
    share_seeds: usize = 0;
    /// What has left so far, with the user's budget, where a run goes on with an earlier one's.
    ledger: Option<Ledger> = None;
    /// Texts of the user's that the student answers as it learns, for the user to see; a run is the same without them.
    watch: Vec<String> = Vec::new();
    /// Whether the user has confirmed words of their own that repeat an example.
    own_words_confirmed: bool = false;
    /// How instances are drawn.
    sampling: Sampling = Sampling { temperature: 0.9, top_k: 0, top_p: 0.95 };
    /// How reviews and answers are drawn (LANCE).
    review_sampling: Sampling = Sampling { temperature: 0.7, top_k: 0, top_p: 0.9 };
    /// Marks above which answers are used (LANCE).
    cuts: Cuts = Cuts::default();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_knob_takes_its_own_usual_value_and_gives_it_back() {
        for recipe in Recipe::ALL {
            for knob in KNOBS {
                let mut settings = Settings::of(recipe);
                let value = knob.get(&mut settings);
                knob.set(&mut settings, &value).unwrap_or_else(|line| {
                    // None of its own; a number is what such a knob takes.
                    assert!(value.is_null(), "{line}");
                });
                assert_eq!(knob.get(&mut settings), value, "{}", knob.name);
            }
        }
    }

    #[test]
    fn knobs_have_different_names_and_a_doc_line_each() {
        for (place, knob) in KNOBS.iter().enumerate() {
            assert!(KNOBS[..place].iter().all(|other| other.name != knob.name));
            assert!(knob.doc.trim().ends_with('.'), "{}", knob.name);
        }
    }

    #[test]
    fn a_number_out_of_its_range_and_an_unknown_word_name_the_knob_and_what_it_may_be() {
        let mut settings = Settings::default();
        let mut refused =
            |name: &str, value: Value| knob(name).unwrap().set(&mut settings, &value).unwrap_err();
        assert_eq!(
            refused("seed_weight", json!(0)),
            "seed weight is 0; it must lie between 1 and 1000"
        );
        assert!(
            refused("voter", json!("me")).contains("expected one of `writer`, `student`, `none`")
        );
        assert!(refused("instances", json!("many")).starts_with("instances: "));
        assert!(refused("top_p", json!(1.5)).contains("between 0 and 1"));
        let unknown = knob("instancs").err().unwrap();
        assert!(unknown.contains("instancs") && unknown.contains(" instances,"));
    }

    #[test]
    fn a_fraction_is_shown_as_it_is_written() {
        let mut settings = Settings::default();
        assert_eq!(knob("temperature").unwrap().get(&mut settings), json!(0.9));
        knob("top_p")
            .unwrap()
            .set(&mut settings, &json!(0.85))
            .unwrap();
        assert_eq!(settings.sampling.top_p, 0.85);
    }
}
