//! What lets a run go on after its process was killed or its tab closed.
//!
//! A run is a function of what it is given and of what is computed on the way. Whatever takes time is *kept*: a line of
//! the log with the texts that were written, the scores that were read, where a training is. What is large lies in a file
//! that is written before the line that names it. To resume is to run the same stages from the same start, with what was
//! kept in place of the device's work; so every stream of random numbers comes to where it was, and nothing of it need be
//! stored. Events that the log holds already are not told again.
//!
//! A log that was cut short counts as far as its last kept line ([`read_log`]): what came after it is done again, and told
//! again. A training keeps a checkpoint (factors, both moments of the optimiser, steps) twice a minute, and goes on from
//! the last.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::{Event, Monitor};
use crate::Error;
use crate::train::{Checkpoint, Resumable, Row};

/// Grows when a log of before cannot be gone on with any more.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (log 1)");
/// How every kept line begins.
const MARK: &str = r#"{"type":"kept","#;

/// Something that was computed, as a line of the log.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// What it is: `start`, `texts`, `scores`, `votes`, `training`, and of a teacher `cleared`, `principles` or `unanswered`.
    pub what: String,
    /// A checksum of what it was computed from.
    pub of: u32,
    /// Seconds that the run had worked by then.
    pub at: f64,
    /// Its texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// Its numbers; those of fractions are their 32 bits, since a log must not round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u32>,
    /// The file that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A log that a run cannot go on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It was begun with something else.
    #[error(
        "this run was begun with {what} {then}, and now it is {now}; resume it with {then}, or begin a new run"
    )]
    Other {
        /// What differs.
        what: &'static str,
        /// What the run was begun with.
        then: String,
        /// What it was to go on with.
        now: String,
    },
    /// What was kept is not what the run asks for.
    #[error("what the log holds next ({0}) is not what this run computes there; begin a new run")]
    Strayed(String),
    /// A line in the middle cannot be read.
    #[error("line {0} of the log is damaged; begin a new run")]
    Line(usize),
    /// A file of the log cannot be read or written.
    #[error("{name}: {cause}; free some space, or begin a new run")]
    File {
        /// Its name.
        name: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// Work that ends later.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;

/// Where the files of a run's log are: a folder at the desk, the browser's own storage in a tab.
pub trait Files {
    /// Writes a file; it is there whole, or not at all, when the log names it.
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>) -> Waiting<'a, ()>;
    /// Reads a file.
    fn get<'a>(&'a self, name: &'a str) -> Waiting<'a, Vec<u8>>;
    /// Forgets a file that is needed no more; if that fails, it only takes room.
    fn remove(&self, name: &str);
}

/// A run's log as the run uses it.
pub struct Journal {
    files: Rc<dyn Files>,
    past: RefCell<VecDeque<Kept>>,
    /// Kept lines so far, which number the files.
    count: Cell<usize>,
    every: Duration,
}

impl Journal {
    /// The log of a run that begins, or goes on after what [`read_log`] found.
    pub fn new(files: Rc<dyn Files>, past: Vec<Kept>) -> Self {
        Self {
            files,
            count: Cell::new(past.len()),
            past: RefCell::new(past.into()),
            every: Duration::from_secs(30),
        }
    }

    /// Keeps a checkpoint of a training that often, rather than every half minute. The result is the same.
    pub fn checkpoint_every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    fn is_past(&self) -> bool {
        !self.past.borrow().is_empty()
    }
}

/// What a log holds to go on from, and how many of its bytes that is; what lies behind them is to be cut off.
///
/// # Errors
///
/// [`LogError::Line`] for a kept line that cannot be read, unless it is the last, which may have been cut short.
pub fn read_log(log: &str) -> Result<(Vec<Kept>, usize), LogError> {
    let (mut past, mut whole, mut at) = (Vec::new(), 0, 0);
    for (index, line) in log.split_inclusive('\n').enumerate() {
        at += line.len();
        if line.starts_with(MARK) && line.ends_with('\n') {
            match serde_json::from_str(line) {
                Ok(kept) => past.push(kept),
                Err(_) if at == log.len() => break,
                Err(_) => return Err(LogError::Line(index + 1)),
            }
            whole = at;
        }
    }
    Ok((past, whole))
}

/// A checksum (FNV-1a) of what something is computed from.
pub(super) struct Sum(u32);

impl Sum {
    pub fn new() -> Self {
        Self(0x811c_9dc5)
    }

    pub fn add(mut self, numbers: &[u32]) -> Self {
        for number in numbers.iter().chain([&(numbers.len() as u32)]) {
            self.0 = (self.0 ^ number).wrapping_mul(0x0100_0193).rotate_left(5);
        }
        self
    }

    pub fn lists(self, lists: &[Vec<u32>]) -> Self {
        lists.iter().fold(self, |sum, list| sum.add(list))
    }

    pub fn rows<'r>(self, rows: impl IntoIterator<Item = &'r Row>) -> Self {
        (rows.into_iter()).fold(self, |sum, row| {
            let sum = sum.add(&row.ids).add(&[row.answer as u32]);
            // As it was before rows had a weight.
            match row.weight == 1.0 {
                true => sum,
                false => sum.add(&[row.weight.to_bits()]),
            }
        })
    }

    pub fn text(self, text: &str) -> Self {
        text.bytes().fold(self, |sum, byte| sum.add(&[byte.into()]))
    }

    pub fn end(self) -> u32 {
        self.0
    }
}

/// Two halves of a number, as a kept line holds them.
pub(super) fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

impl Monitor<'_> {
    /// Keeps everything that takes time in a log, and takes what the log holds from there.
    pub fn with_journal(mut self, journal: Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Whether this part of the run was done, and told, before it was interrupted.
    pub(super) fn is_past(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_past)
    }

    /// Whether the log holds this next.
    fn is_next(&self, what: &str) -> bool {
        let Some(journal) = &self.journal else {
            return false;
        };
        let past = journal.past.borrow();
        past.front().is_some_and(|kept| kept.what == what)
    }

    /// What was kept of this, where the log holds it next.
    pub(super) fn recall_if(&self, what: &str) -> Result<Option<Kept>, LogError> {
        match self.is_next(what) {
            true => self.recall(what, 0),
            false => Ok(None),
        }
    }

    /// What was kept of this; none where it is to be computed.
    pub(super) fn recall(&self, what: &str, of: u32) -> Result<Option<Kept>, LogError> {
        let Some(journal) = &self.journal else {
            return Ok(None);
        };
        let Some(kept) = journal.past.borrow_mut().pop_front() else {
            return Ok(None);
        };
        self.set_clock(kept.at);
        if kept.what != what || kept.of != of {
            return Err(LogError::Strayed(kept.what));
        }
        Ok(Some(kept))
    }

    /// Writes down what was computed.
    pub(super) fn keep(&self, kept: Kept) {
        if let Some(journal) = &self.journal {
            journal.count.set(journal.count.get() + 1);
            let at = self.clock();
            self.send(&Event::Kept(Kept { at, ..kept }));
        }
    }

    /// Sees that a run goes on with what it was begun with: pairs of a name and what it is. A log that was begun before a knob
    /// was there is gone on with where the knob is as in `usual`.
    pub(super) fn check_start(
        &self,
        given: &[(&'static str, String)],
        usual: &str,
    ) -> Result<(), LogError> {
        let version = [("version", VERSION.to_owned())];
        let texts: Vec<(&'static str, String)> =
            version.into_iter().chain(given.to_vec()).collect();
        match self.recall("start", 0)? {
            Some(kept) => {
                for ((what, now), then) in texts.into_iter().zip(kept.texts) {
                    if now != then && !(what == "settings" && only_newer(&then, &now, usual)) {
                        let (then, now) = differing(what, then, now);
                        return Err(LogError::Other { what, then, now });
                    }
                }
            }
            None => self.keep(Kept {
                what: "start".into(),
                texts: texts.into_iter().map(|(_, text)| text).collect(),
                ..Kept::default()
            }),
        }
        Ok(())
    }

    /// Puts a training where the log left it; gives the steps of `total` that are made already.
    pub(super) async fn resume(
        &self,
        training: &mut dyn Resumable,
        of: u32,
        total: usize,
        device: &Device,
    ) -> Result<usize, Error> {
        let mut last = None;
        let mut done = 0;
        while self.is_next("training") && done < total {
            let Some(kept) = self.recall("training", of)? else {
                break;
            };
            done = kept.numbers.first().map_or(0, |step| *step as usize);
            last = kept.file;
        }
        if let (Some(journal), Some(name)) = (&self.journal, last) {
            let bytes = journal.files.get(&name).await?;
            training.restore(Checkpoint::from_bytes(&bytes, device)?)?;
        }
        Ok(done)
    }

    /// A watch over the checkpoints of one training.
    pub(super) fn checkpoints(&self, of: u32, ends: bool) -> Checkpoints {
        Checkpoints {
            of,
            ends,
            last: Instant::now(),
            file: None,
        }
    }
}

/// Whether settings differ in nothing but knobs that were not there yet, and are now as usual.
fn only_newer(then: &str, now: &str, usual: &str) -> bool {
    let has = |text: &str, begin: &str| text.lines().any(|line| line.starts_with(begin));
    let mut kept = Vec::new();
    for line in now.lines() {
        let name = line.find(' ').map_or(line, |end| &line[..=end]);
        if has(then, name) || !usual.lines().any(|usual| usual == line) {
            kept.push(line);
        }
    }
    kept.join("\n") == then
}

/// Of two long texts that differ, the parts that do.
fn differing(what: &str, then: String, now: String) -> (String, String) {
    if what != "settings" {
        return (then, now);
    }
    let lines = |text: &str, other: &str| {
        let differs = text
            .lines()
            .filter(|line| !other.lines().any(|own| own == *line));
        differs.collect::<Vec<_>>().join(", ")
    };
    (lines(&then, &now), lines(&now, &then))
}

/// Keeps where a training is, now and then and at its end.
pub(super) struct Checkpoints {
    of: u32,
    /// Nothing is trained on from the last step of this, so the optimiser need not be kept there.
    ends: bool,
    last: Instant,
    file: Option<String>,
}

impl Checkpoints {
    /// A step was made, of so many.
    pub async fn after(
        &mut self,
        monitor: &Monitor<'_>,
        training: &dyn Resumable,
        step: usize,
        total: usize,
    ) -> Result<(), Error> {
        let Some(journal) = &monitor.journal else {
            return Ok(());
        };
        if step < total && self.last.elapsed() < journal.every {
            return Ok(());
        }
        let whole = !(self.ends && step == total);
        let bytes = training.checkpoint(whole).to_bytes().await?;
        let name = format!("checkpoint-{}.bin", journal.count.get());
        journal.files.put(&name, bytes).await?;
        monitor.keep(Kept {
            what: "training".into(),
            of: self.of,
            numbers: vec![step as u32, total as u32],
            file: Some(name.clone()),
            ..Kept::default()
        });
        if let Some(before) = self.file.replace(name) {
            journal.files.remove(&before);
        }
        self.last = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::evolve::Cancel;

    fn kept(what: &str) -> Kept {
        Kept {
            what: what.into(),
            of: 5,
            at: 2.5,
            numbers: vec![f32::NEG_INFINITY.to_bits(), u32::MAX],
            ..Kept::default()
        }
    }

    fn line(what: &str) -> String {
        serde_json::to_string(&Event::Kept(kept(what))).unwrap() + "\n"
    }

    struct Nowhere;

    impl Files for Nowhere {
        fn put<'a>(&'a self, _: &'a str, _: Vec<u8>) -> Waiting<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn get<'a>(&'a self, _: &'a str) -> Waiting<'a, Vec<u8>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn remove(&self, _: &str) {}
    }

    fn journal(past: Vec<Kept>) -> Journal {
        Journal::new(Rc::new(Nowhere), past)
    }

    #[test]
    fn a_log_counts_as_far_as_its_last_whole_kept_line() {
        let note = "{\"type\":\"note\",\"text\":\"a\"}\n";
        let whole = format!("{note}{}{note}{}", line("start"), line("texts"));
        let (past, bytes) = read_log(&whole).unwrap();
        assert_eq!(past, [kept("start"), kept("texts")]);
        assert_eq!(bytes, whole.len());
        // Whatever comes after it, cut anywhere, is done again.
        let longer = format!("{whole}{note}{}", line("scores"));
        for cut in whole.len()..longer.len() {
            assert_eq!(read_log(&longer[..cut]).unwrap(), (past.clone(), bytes));
        }
        assert_eq!(read_log(note).unwrap(), (Vec::new(), 0));
    }

    #[test]
    fn a_kept_line_that_is_damaged_in_the_middle_is_named() {
        let bad = line("texts").replace("\"of\"", "\"off\"");
        let log = format!("{}{bad}{}", line("start"), line("texts"));
        assert_eq!(read_log(&log), Err(LogError::Line(2)));
    }

    #[test]
    fn events_of_the_past_are_not_told_again_and_the_clock_goes_on() {
        let told = RefCell::new(Vec::new());
        let send = |event: &Event| told.borrow_mut().push(event.clone());
        let monitor = Monitor::new(send, Cancel::new()).with_journal(journal(vec![kept("texts")]));
        monitor.send(&Event::Note {
            text: "past".into(),
        });
        assert_eq!(monitor.recall("texts", 5).unwrap(), Some(kept("texts")));
        assert!(monitor.clock() >= 2.5);
        let note = Event::Note { text: "new".into() };
        monitor.send(&note);
        assert_eq!(monitor.recall("texts", 5).unwrap(), None);
        drop(monitor);
        assert_eq!(told.into_inner(), [note]);
    }

    #[test]
    fn something_else_than_the_run_asks_for_is_refused() {
        for (what, of) in [("scores", 5), ("texts", 6)] {
            let monitor = Monitor::new(|_: &Event| (), Cancel::new())
                .with_journal(journal(vec![kept("texts")]));
            let found = monitor.recall(what, of);
            assert_eq!(found, Err(LogError::Strayed("texts".into())));
        }
    }

    #[test]
    fn a_run_that_was_begun_with_something_else_says_what_it_was() {
        let log = RefCell::new(String::new());
        let send = |event: &Event| {
            *log.borrow_mut() += &(serde_json::to_string(event).unwrap() + "\n");
        };
        let begun = [
            ("model", "a".to_owned()),
            ("settings", "x 1\ny 2".to_owned()),
        ];
        let monitor = Monitor::new(send, Cancel::new()).with_journal(journal(Vec::new()));
        monitor.check_start(&begun, "").unwrap();
        drop(monitor);
        let past = read_log(&log.into_inner()).unwrap().0;
        let again = |given: &[(&'static str, String)]| {
            Monitor::new(|_: &Event| (), Cancel::new())
                .with_journal(journal(past.clone()))
                .check_start(given, "x 7\nnew off")
        };
        assert_eq!(again(&begun), Ok(()));
        let [model, _] = begun.clone();
        let refused = again(&[model, ("settings", "x 1\ny 3".to_owned())]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "this run was begun with settings y 2, and now it is y 3; resume it with y 2, or begin a new run"
        );
        assert!(again(&[("model", "b".to_owned())]).is_err());
        let newer =
            |settings: &str| again(&[("model", "a".to_owned()), ("settings", settings.to_owned())]);
        assert_eq!(newer("x 1\nnew off\ny 2"), Ok(()));
        assert!(newer("x 1\nnew on\ny 2").is_err());
        assert!(newer("x 7\nnew off\ny 2").is_err());
    }
}
