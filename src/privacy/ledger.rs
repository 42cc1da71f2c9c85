//! The ledger: what left, what it told, and what is left of the budget. Nothing is ever taken out of it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Brief, BriefError, Cleared, Destination, Epsilon, Release, estimate_tokens};

/// One line of the ledger. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", try_from = "Line")]
pub enum Entry {
    /// A brief passed the guard, and what it tells was charged: whether or not it reaches the teacher.
    Cleared {
        /// When.
        at: u64,
        /// Where it may go.
        destination: String,
        /// What it cost anew.
        epsilon: Epsilon,
        /// The noisy drawings that it tells.
        releases: Vec<Release>,
        /// Its bytes.
        bytes: usize,
        /// Its tokens, estimated.
        tokens: usize,
        /// The brief itself.
        text: String,
    },
    /// A brief was refused.
    Refused {
        /// When.
        at: u64,
        /// Why, without the span.
        reason: String,
    },
    /// Seeds were put into a brief as they stand; no bound holds for them. Never in a browser.
    Shared {
        /// When.
        at: u64,
        /// Where they may go.
        destination: String,
        /// How many.
        seeds: usize,
    },
    /// A request left.
    Sent {
        /// When.
        at: u64,
        /// Where to.
        destination: String,
        /// Bytes of its body.
        bytes: usize,
        /// The body itself.
        body: String,
    },
    /// A request was answered, or failed.
    Answered {
        /// When.
        at: u64,
        /// The HTTP status; 0 where there was none.
        status: u16,
        /// Bytes that came back.
        bytes: usize,
        /// Tokens of the request and of the answer, where they are known.
        tokens: Option<(u64, u64)>,
        /// The text that was answered.
        text: String,
    },
    /// A file was downloaded.
    Download {
        /// When.
        at: u64,
        /// From where.
        url: String,
        /// Its bytes.
        bytes: u64,
    },
}

/// An entry as it is read: flat, for a reader of tagged objects takes a hundredth of the browser's module.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    at: u64,
    destination: Option<String>,
    epsilon: Option<Epsilon>,
    releases: Option<Vec<Release>>,
    bytes: Option<u64>,
    tokens: Option<serde_json::Value>,
    text: Option<String>,
    reason: Option<String>,
    seeds: Option<usize>,
    body: Option<String>,
    status: Option<u16>,
    url: Option<String>,
}

impl Line {
    fn entry(self) -> Option<Entry> {
        let at = self.at;
        let bytes = self.bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let tokens = self.tokens.as_ref();
        Some(match self.r#type.as_str() {
            "cleared" => Entry::Cleared {
                at,
                destination: self.destination?,
                epsilon: self.epsilon?,
                releases: self.releases?,
                bytes: bytes?,
                tokens: usize::try_from(tokens?.as_u64()?).ok()?,
                text: self.text?,
            },
            "refused" => Entry::Refused {
                at,
                reason: self.reason?,
            },
            "shared" => Entry::Shared {
                at,
                destination: self.destination?,
                seeds: self.seeds?,
            },
            "sent" => Entry::Sent {
                at,
                destination: self.destination?,
                bytes: bytes?,
                body: self.body?,
            },
            "answered" => Entry::Answered {
                at,
                status: self.status?,
                bytes: bytes?,
                tokens: match tokens {
                    None => None,
                    Some(pair) => Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?)),
                },
                text: self.text?,
            },
            "download" => Entry::Download {
                at,
                url: self.url?,
                bytes: self.bytes?,
            },
            _ => return None,
        })
    }
}

impl TryFrom<Line> for Entry {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        line.entry().ok_or("no entry of a ledger")
    }
}

/// What has left, with a budget of ε over all rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    total: Epsilon,
    spent: Epsilon,
    bytes_sent: usize,
    entries: Vec<Entry>,
}

impl Ledger {
    /// An empty ledger with the user's total. Noisy drawings compose: the ε of all that are told add up.
    pub fn new(total: Epsilon) -> Self {
        Self {
            version: 1,
            total,
            spent: Epsilon::ZERO,
            bytes_sent: 0,
            entries: Vec::new(),
        }
    }

    /// The user's total.
    pub fn total(&self) -> Epsilon {
        self.total
    }

    /// Another total, as the user wishes. What is spent stays spent.
    pub fn set_total(&mut self, total: Epsilon) {
        self.total = total;
    }

    /// What is spent of it.
    pub fn spent(&self) -> Epsilon {
        self.spent
    }

    /// What was spent after so much was spent already.
    pub fn spent_since(&self, before: Epsilon) -> Epsilon {
        self.spent.minus(before)
    }

    /// What is left of it.
    pub fn left(&self) -> Epsilon {
        self.total.minus(self.spent)
    }

    /// Bytes of all bodies that left.
    pub fn bytes_sent(&self) -> usize {
        self.bytes_sent
    }

    /// All lines, in the order in which they were written.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Pays for a brief and writes its clearance down. Drawings that are paid for already cost nothing.
    pub(super) fn charge(
        &mut self,
        brief: &Brief,
        destination: &Destination,
        at: u64,
    ) -> Result<(), BriefError> {
        let epsilon = brief.epsilon_besides(&self.paid());
        if epsilon > self.left() {
            return Err(BriefError::Budget {
                wanted: epsilon,
                left: self.left(),
                total: self.total,
            });
        }
        if brief.shared > 0 {
            self.entries.push(Entry::Shared {
                at,
                destination: destination.url().to_owned(),
                seeds: brief.shared,
            });
        }
        self.spent = self.spent.plus(epsilon);
        self.entries.push(Entry::Cleared {
            at,
            destination: destination.url().to_owned(),
            epsilon,
            releases: brief.releases.clone(),
            bytes: brief.text().len(),
            tokens: estimate_tokens(brief.text()),
            text: brief.text().to_owned(),
        });
        Ok(())
    }

    fn paid(&self) -> HashSet<&str> {
        self.entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Cleared { releases, .. } => Some(releases),
                _ => None,
            })
            .flatten()
            .map(|release| release.id.as_str())
            .collect()
    }

    pub(super) fn refuse(&mut self, error: &BriefError, at: u64) {
        let reason = error.to_string();
        self.entries.push(Entry::Refused { at, reason });
    }

    /// Writes down a request before it leaves; it can only be one that carries a cleared brief.
    pub fn sent(&mut self, cleared: &Cleared<Brief>, body: &str, at: u64) {
        self.bytes_sent += body.len();
        self.entries.push(Entry::Sent {
            at,
            destination: cleared.destination().url().to_owned(),
            bytes: body.len(),
            body: body.to_owned(),
        });
    }

    /// Writes down what came back.
    pub fn answered(
        &mut self,
        at: u64,
        status: u16,
        bytes: usize,
        tokens: Option<(u64, u64)>,
        text: &str,
    ) {
        self.entries.push(Entry::Answered {
            at,
            status,
            bytes,
            tokens,
            text: text.to_owned(),
        });
    }

    /// Writes down a download, of a model's file for example.
    pub fn downloaded(&mut self, at: u64, url: &str, bytes: u64) {
        self.entries.push(Entry::Download {
            at,
            url: url.to_owned(),
            bytes,
        });
    }

    /// The ledger as JSON text, as [`Ledger::from_json`] reads it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a ledger back, to go on with its budget.
    ///
    /// # Errors
    ///
    /// [`BriefError::BadLedger`] for text that is none, and for one whose lines do not add up to its sums.
    pub fn from_json(json: &str) -> Result<Self, BriefError> {
        let ledger: Self = serde_json::from_str(json)
            .map_err(|error| BriefError::BadLedger(format!("line {}: no ledger", error.line())))?;
        if ledger.version != 1 {
            return Err(BriefError::BadLedger(format!("version {}", ledger.version)));
        }
        let (mut spent, mut bytes_sent, mut paid) = (Epsilon::ZERO, 0_usize, HashSet::new());
        for entry in &ledger.entries {
            match entry {
                Entry::Cleared { releases, .. } => {
                    for release in releases {
                        if paid.insert(release.id.as_str()) {
                            spent = spent.plus(release.epsilon);
                        }
                    }
                }
                Entry::Sent { body, .. } => bytes_sent += body.len(),
                _ => {}
            }
        }
        if spent != ledger.spent || bytes_sent != ledger.bytes_sent {
            return Err(BriefError::BadLedger(
                "its lines do not add up to its sums".into(),
            ));
        }
        Ok(ledger)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::noise::tests::Seeded;
    use super::super::sketch::tests::task;
    use super::super::{Guard, Sketch};
    use super::*;

    fn epsilon(thousandths: u32) -> Epsilon {
        Epsilon::new(thousandths).unwrap()
    }

    fn place() -> Destination {
        Destination::parse("http://localhost:1/v1").unwrap()
    }

    /// Sends a sketch of ε thousandths, drawn with the salt.
    fn spend(
        ledger: &mut Ledger,
        thousandths: u32,
        salt: u64,
    ) -> Result<Cleared<Brief>, BriefError> {
        let task = task(&[("x", 0), ("y", 1)]);
        let sketch = Sketch::draw(&task, epsilon(thousandths), &mut Seeded::new(salt))?;
        let brief = Brief::with(&task, Some(&sketch), None);
        Guard::new(&task, place())
            .clear(brief, place(), ledger, salt)
            .map(|(cleared, _)| cleared)
    }

    #[test]
    fn epsilon_adds_up_over_rounds_and_stops_at_the_total() {
        let mut ledger = Ledger::new(epsilon(5000));
        spend(&mut ledger, 2000, 1).unwrap();
        spend(&mut ledger, 2500, 2).unwrap();
        assert_eq!(
            (ledger.spent(), ledger.left()),
            (epsilon(4500), epsilon(500))
        );
        let error = spend(&mut ledger, 501, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this brief costs epsilon 0.501, but only 0.5 of 5 is left; raise the total, choose a smaller epsilon or use the offline teacher"
        );
        assert_eq!(ledger.spent(), epsilon(4500));
        spend(&mut ledger, 500, 4).unwrap();
        assert_eq!(ledger.left(), Epsilon::ZERO);
    }

    #[test]
    fn what_was_told_once_costs_nothing_the_second_time() {
        let mut ledger = Ledger::new(epsilon(2000));
        spend(&mut ledger, 2000, 7).unwrap();
        // The same bits give the same drawing, with the same id.
        spend(&mut ledger, 2000, 7).unwrap();
        assert_eq!(ledger.spent(), epsilon(2000));
        assert!(spend(&mut ledger, 10, 8).is_err());
    }

    #[test]
    fn every_request_is_written_down_with_its_exact_body() {
        let mut ledger = Ledger::new(Epsilon::TOTAL);
        let cleared = spend(&mut ledger, 1000, 1).unwrap();
        ledger.sent(&cleared, "{\"é\":1}", 5);
        ledger.answered(6, 200, 10, Some((3, 4)), "ok");
        ledger.downloaded(7, "https://hub.example/model", 99);
        assert_eq!(ledger.bytes_sent(), 8);
        assert_eq!(ledger.entries().len(), 4);
        assert!(
            matches!(&ledger.entries()[1], Entry::Sent { bytes: 8, body, .. } if body == "{\"é\":1}")
        );
    }

    #[test]
    fn a_ledger_is_exported_and_read_back() {
        let mut ledger = Ledger::new(Epsilon::TOTAL);
        let cleared = spend(&mut ledger, 1500, 1).unwrap();
        ledger.sent(&cleared, "{}", 5);
        ledger.answered(6, 200, 10, Some((3, 4)), "ok");
        ledger.answered(6, 0, 0, None, "");
        ledger.downloaded(7, "https://hub.example/model", 99);
        ledger.refuse(&BriefError::OtherTask, 8);
        ledger.entries.push(Entry::Shared {
            at: 9,
            destination: "https://a.example".into(),
            seeds: 2,
        });
        let read = Ledger::from_json(&ledger.to_json()).unwrap();
        assert_eq!(read, ledger);
    }

    #[test]
    fn a_ledger_that_does_not_add_up_is_refused() {
        let mut ledger = Ledger::new(Epsilon::TOTAL);
        spend(&mut ledger, 1500, 1).unwrap();
        let json = ledger.to_json();
        for bad in [
            String::new(),
            "[]".into(),
            json.replace("\"spent\":1.5", "\"spent\":0.5"),
            json.replace("\"version\":1", "\"version\":2"),
            json.replace("\"cleared\"", "\"told\""),
            json.replace("\"text\":", "\"words\":"),
            json.replace("\"bytes_sent\":0", "\"bytes_sent\":1"),
        ] {
            assert!(
                matches!(Ledger::from_json(&bad), Err(BriefError::BadLedger(_))),
                "{bad}"
            );
        }
    }
}
