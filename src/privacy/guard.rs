//! The guard before the door.

use std::collections::HashSet;

use super::brief::fits;
use super::personal::{self, PersonalKind};
use super::{Brief, BriefError, Destination, Ledger, Place, Rule, estimate_tokens};
use crate::task::words::{is_invisible, surface_words};
use crate::task::{Answer, Example, Task, ner};

/// A copy is so many words in a row …
const WORDS: usize = 5;
/// … or so many letters and digits, whatever stands between them.
const CHARACTERS: usize = 24;
/// An answer this short, the spaces around it counted, says nothing: "yes", "2", "the".
const ANSWER: usize = 5;

/// Proof that a value passed the guard, and where it may go. Only this module can make one, so a call that skips the
/// guard does not compile; and it cannot be copied, so one clearance is one call.
///
/// ```compile_fail,E0451
/// use seedbed::privacy::{Brief, Cleared, Destination};
/// fn skip(brief: Brief, destination: Destination) -> Cleared<Brief> {
///     Cleared { value: brief, destination }
/// }
/// ```
///
/// A call takes the clearance, and nothing less:
///
/// ```
/// use seedbed::principle::api::{Teacher, ask};
/// use seedbed::privacy::{Brief, Cleared, Ledger};
/// async fn call(brief: Cleared<Brief>, ledger: &mut Ledger, task: &seedbed::task::Task) {
///     let _ = ask(brief, &Teacher::new("model"), task, ledger, &mut |_| true).await;
/// }
/// ```
///
/// ```compile_fail,E0308
/// use seedbed::principle::api::{Teacher, ask};
/// use seedbed::privacy::{Brief, Cleared, Ledger};
/// async fn call(brief: Brief, ledger: &mut Ledger, task: &seedbed::task::Task) {
///     let _ = ask(brief, &Teacher::new("model"), task, ledger, &mut |_| true).await;
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use seedbed::privacy::{Brief, Cleared};
/// fn twice(cleared: Cleared<Brief>) -> (Cleared<Brief>, Cleared<Brief>) {
///     (cleared, cleared)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Cleared<T> {
    value: T,
    destination: Destination,
}

impl<T> Cleared<T> {
    /// The value that was checked.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Where it may go, and nowhere else.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }
}

/// Something the user should know of a brief that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What was found.
    pub rule: Rule,
    /// Where.
    pub place: Place,
    /// As it stands; for the user's eyes.
    pub span: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}; it will be sent as it stands",
            self.place, self.rule
        )
    }
}

/// Knows what must not leave, and where a brief may go.
#[derive(Clone, Debug)]
pub struct Guard<'a> {
    task: &'a Task,
    destination: Option<Destination>,
    instances: Vec<&'a str>,
    canaries: Vec<String>,
    confirmed: bool,
    sharing: bool,
}

impl<'a> Guard<'a> {
    /// A guard over the seeds and the test rows of a task, for the one destination that the user agreed on.
    pub fn new(task: &'a Task, destination: Destination) -> Self {
        Self {
            destination: Some(destination),
            ..Self::inward(task)
        }
    }

    /// A guard that lets no brief go anywhere, for checking only.
    pub fn inward(task: &'a Task) -> Self {
        Self {
            task,
            destination: None,
            instances: Vec::new(),
            canaries: Vec::new(),
            confirmed: false,
            sharing: false,
        }
    }

    /// Watches over generated instances too.
    #[must_use]
    pub fn with_instances(mut self, instances: impl IntoIterator<Item = &'a str>) -> Self {
        self.instances.extend(instances);
        self
    }

    /// Watches for a text that was planted to be found: it may not leave even in the user's own words.
    #[must_use]
    pub fn with_canary(mut self, canary: &str) -> Self {
        let canary = folded(canary);
        if !canary.is_empty() {
            self.canaries.push(canary);
        }
        self
    }

    /// The user has seen that their own words repeat an example, and wants them sent: this becomes a warning.
    #[must_use]
    pub fn with_own_words_confirmed(mut self) -> Self {
        self.confirmed = true;
        self
    }

    /// The user wants seeds sent as they stand ([`Brief::sharing`]), at the desk only.
    #[cfg(feature = "desk")]
    #[must_use]
    pub fn with_shared_seeds(mut self) -> Self {
        self.sharing = true;
        self
    }

    /// Checks a brief without letting it go.
    ///
    /// Everything in a brief but the user's own words is fixed or noisy, by construction. So it is these words that
    /// are read: a copy of a seed or a test row in them is refused (until the user confirms it), a copy of an instance
    /// is a warning (the student writes after the user's words, not the other way round), and so is personal data.
    ///
    /// # Errors
    ///
    /// [`BriefError::TooLong`], [`BriefError::Refused`], [`BriefError::OtherTask`].
    pub fn check(&self, brief: &Brief) -> Result<Vec<Warning>, BriefError> {
        if brief.instruction != self.task.instruction || brief.labels != self.task.labels {
            return Err(BriefError::OtherTask);
        }
        let refused = |rule, place, span| BriefError::Refused { rule, place, span };
        if brief.shared > 0 && !self.sharing {
            let shared = brief.text()[brief.own..].to_owned();
            return Err(refused(Rule::Copy, Place::Text, shared));
        }
        if !fits(&brief.text()[..brief.own]) {
            return Err(BriefError::TooLong {
                bytes: brief.text().len(),
                tokens: estimate_tokens(brief.text()),
            });
        }
        let whole = folded(brief.text());
        if let Some(canary) = self.canaries.iter().find(|canary| whole.contains(*canary)) {
            return Err(refused(Rule::Canary, Place::Text, canary.clone()));
        }
        let mut warnings = Vec::new();
        let labels = brief.labels.join(" ");
        for (place, text) in [
            (Place::Instruction, &brief.instruction),
            (Place::Labels, &labels),
        ] {
            if let Some(span) = invisible(text) {
                return Err(refused(Rule::Invisible, place, span));
            }
            let mut warn = |rule, span| warnings.push(Warning { rule, place, span });
            let own = Copies::new(text);
            if let Some(span) = self.own_examples().find_map(|seed| own.find(seed)) {
                if !self.confirmed {
                    return Err(refused(Rule::Copy, place, span));
                }
                warn(Rule::Copy, span);
            } else if let Some(span) = self.instances.iter().find_map(|text| own.find(text)) {
                warn(Rule::Copy, span);
            }
            for found in personal::find(text) {
                warn(Rule::Personal(found.kind), found.span);
            }
        }
        Ok(warnings)
    }

    /// Lets a brief go to a destination: checks it, charges the ledger for what it tells, and writes down either the
    /// clearance or the refusal. `at` is the time, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`Guard::check`]; [`BriefError::OtherDestination`] for any but the one agreed on; [`BriefError::Budget`].
    pub fn clear(
        &self,
        brief: Brief,
        destination: Destination,
        ledger: &mut Ledger,
        at: u64,
    ) -> Result<(Cleared<Brief>, Vec<Warning>), BriefError> {
        let checked = if self.destination.as_ref() == Some(&destination) {
            self.check(&brief)
        } else {
            Err(BriefError::OtherDestination {
                wanted: destination.host().to_owned(),
                agreed: self
                    .destination
                    .as_ref()
                    .map_or("nowhere", Destination::host)
                    .to_owned(),
            })
        };
        let passed = checked.and_then(|warnings| {
            ledger.charge(&brief, &destination, at)?;
            Ok(warnings)
        });
        match passed {
            Ok(warnings) => {
                let value = brief;
                Ok((Cleared { value, destination }, warnings))
            }
            Err(error) => {
                ledger.refuse(&error, at);
                Err(error)
            }
        }
    }

    /// Checks any other text that is to be given away, such as principles to be shared: it may hold no copy of an
    /// example or an instance, nor personal data and names that stand in one but not in the user's own words.
    ///
    /// # Errors
    ///
    /// [`BriefError::Refused`].
    pub fn check_text(&self, text: &str) -> Result<(), BriefError> {
        let refused = |rule, span| BriefError::Refused {
            rule,
            place: Place::Text,
            span,
        };
        if let Some(span) = invisible(text) {
            return Err(refused(Rule::Invisible, span));
        }
        let whole = folded(text);
        if let Some(canary) = self.canaries.iter().find(|canary| whole.contains(*canary)) {
            return Err(refused(Rule::Canary, canary.clone()));
        }
        let copies = Copies::new(text);
        let words: HashSet<String> = surface_words(text).into_iter().map(folded).collect();
        let own = folded(&[&self.task.instruction, " ", &self.task.labels.join(" ")].concat());
        for private in self.own_examples().chain(self.instances.iter().copied()) {
            if let Some(span) = copies.find(private) {
                return Err(refused(Rule::Copy, span));
            }
            for found in personal::find(private) {
                let data = folded(&found.span);
                if whole.contains(&data) && !own.contains(&data) {
                    return Err(refused(Rule::Personal(found.kind), found.span));
                }
            }
            for name in personal::names(private) {
                let word = folded(name);
                if words.contains(&word) && !own.contains(&word) {
                    return Err(refused(Rule::Personal(PersonalKind::Name), name.to_owned()));
                }
            }
        }
        // What an answer says is private however short it is, but for what the user's own words say too.
        let example = |example: &'a Example| {
            let entities = ner::entities(example).iter();
            let entities = entities.map(|entity| entity.of(&example.text));
            let answers = match &example.answer {
                Answer::Text(answers) => answers.as_slice(),
                _ => &[],
            };
            entities.chain(answers.iter().map(String::as_str))
        };
        let said = spaced(text);
        let own = spaced(&[&self.task.instruction, " ", &self.task.labels.join(" ")].concat());
        let examples = self.task.seeds.iter().chain(&self.task.test);
        for answer in examples.flat_map(example) {
            let words = spaced(answer);
            if words.len() > ANSWER && said.contains(&words) && !own.contains(&words) {
                return Err(refused(Rule::Copy, answer.to_owned()));
            }
        }
        Ok(())
    }

    /// All that stands in the examples: texts, passages and answers that are written. (Entities are parts of their texts.)
    fn own_examples(&self) -> impl Iterator<Item = &'a str> {
        let task = self.task;
        task.seeds.iter().chain(&task.test).flat_map(|example| {
            let answers = match &example.answer {
                Answer::Text(answers) => answers.as_slice(),
                _ => &[],
            };
            let texts = [Some(&example.text), example.context.as_ref()];
            let texts = texts.into_iter().flatten().chain(answers);
            texts.map(String::as_str)
        })
    }
}

/// All runs of a text that would be copies if they stood in another one.
struct Copies {
    words: Vec<String>,
    characters: Vec<char>,
}

impl Copies {
    fn new(text: &str) -> Self {
        Self {
            words: surface_words(text).into_iter().map(folded).collect(),
            characters: folded(text).chars().collect(),
        }
    }

    /// The first run that another text shares, as it is compared: in lower case.
    fn find(&self, other: &str) -> Option<String> {
        let other = Self::new(other);
        let runs: HashSet<&[String]> = self.words.windows(WORDS).collect();
        if let Some(run) = other.words.windows(WORDS).find(|run| runs.contains(run)) {
            return Some(run.join(" "));
        }
        let runs: HashSet<&[char]> = self.characters.windows(CHARACTERS).collect();
        let shared = other
            .characters
            .windows(CHARACTERS)
            .find(|run| runs.contains(run));
        shared.map(|run| run.iter().collect())
    }
}

/// The words of a text as they are compared, with spaces around each.
fn spaced(text: &str) -> String {
    let words = surface_words(text).into_iter().map(folded);
    words.fold(String::from(" "), |all, word| all + &word + " ")
}

fn invisible(text: &str) -> Option<String> {
    text.chars()
        .find(|&c| is_invisible(c) && !matches!(c, '\n' | '\t' | '\r'))
        .map(|c| c.escape_unicode().to_string())
}

/// The letters and digits of a text in lower case, those of other alphabets that look like Latin ones as these: what
/// is left of a text however it is disguised with spaces, marks, or letters that look alike.
fn folded(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            // Full-width forms.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'а' | 'α' => 'a',
            'в' => 'b',
            'с' | 'ϲ' => 'c',
            'ԁ' => 'd',
            'е' | 'ε' => 'e',
            'н' | 'һ' => 'h',
            'і' | 'ι' | 'ı' => 'i',
            'ј' => 'j',
            'к' | 'κ' => 'k',
            'м' => 'm',
            'ո' => 'n',
            'о' | 'ο' | 'σ' => 'o',
            'р' | 'ρ' => 'p',
            'ԛ' => 'q',
            'ѕ' => 's',
            'т' | 'τ' => 't',
            'υ' => 'u',
            'ν' | 'ѵ' => 'v',
            'ѡ' | 'ԝ' => 'w',
            'х' | 'χ' => 'x',
            'у' | 'γ' => 'y',
            _ => c,
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
