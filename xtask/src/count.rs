//! Counting tests from what their runners write.

use std::fmt;
use std::ops::AddAssign;

use serde_json::Value;

/// Tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Did what they should.
    pub passed: u64,
    /// Did not.
    pub failed: u64,
    /// Were not run.
    pub skipped: u64,
}

impl Tally {
    /// One check that went well or did not.
    pub fn check(ok: bool) -> Self {
        Self {
            passed: u64::from(ok),
            failed: u64::from(!ok),
            skipped: 0,
        }
    }

    /// What a run of tests amounts to, given whether its program succeeded: a run that broke before it could count a
    /// failure has failed all the same, and so has one without any test.
    pub fn settled(mut self, succeeded: bool) -> Self {
        let silent = self.passed + self.failed == 0;
        if self.failed == 0 && (!succeeded || silent) {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Reads the summary line of `cargo test` or of wasm-bindgen's runner, as in
/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
pub fn summary(line: &str) -> Option<Tally> {
    let (_, counts) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let count = |wanted: &str| {
        counts.split(';').find_map(|part| {
            let (number, word) = part.trim().split_once(' ')?;
            (word == wanted).then(|| number.parse().ok())?
        })
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
        skipped: count("ignored").unwrap_or(0),
    })
}

/// Reads Playwright's JSON report. A test that passed on its second try has passed.
pub fn playwright(report: &[u8]) -> Option<Tally> {
    let report: Value = serde_json::from_slice(report).ok()?;
    let stats = report.get("stats")?;
    let count = |name: &str| stats.get(name).and_then(Value::as_u64);
    let errors = report
        .get("errors")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    Some(Tally {
        passed: count("expected")? + count("flaky").unwrap_or(0),
        // An error outside any test, such as a file that does not compile, is no test but still a failure.
        failed: count("unexpected")? + u64::try_from(errors).ok()?,
        skipped: count("skipped").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn summaries_of_cargo_are_read() {
        let ok = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s\n";
        assert_eq!(summary(ok), Some(tally(3, 0, 1)));
        let bad = "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.5s";
        assert_eq!(summary(bad), Some(tally(12, 2, 0)));
    }

    #[test]
    fn summaries_of_the_wasm_runner_are_read() {
        let line =
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.30s";
        assert_eq!(summary(line), Some(tally(2, 0, 0)));
    }

    #[test]
    fn other_lines_are_no_summaries() {
        for line in [
            "",
            "running 3 tests",
            "test result: ok",
            "test result: ok. many passed; 0 failed",
            "he said test result: ok. 1 passed; 0 failed",
        ] {
            assert_eq!(summary(line), None, "{line}");
        }
    }

    #[test]
    fn reports_of_playwright_are_read() {
        let report =
            br#"{"errors":[],"stats":{"expected":4,"skipped":1,"unexpected":2,"flaky":1}}"#;
        assert_eq!(playwright(report), Some(tally(5, 2, 1)));
    }

    #[test]
    fn errors_outside_tests_count_as_failures() {
        let report = br#"{"errors":[{"message":"x"}],"stats":{"expected":0,"skipped":0,"unexpected":0,"flaky":0}}"#;
        assert_eq!(playwright(report), Some(tally(0, 1, 0)));
        assert_eq!(playwright(b"{}"), None);
        assert_eq!(playwright(b"not JSON"), None);
    }

    #[test]
    fn a_run_that_broke_or_had_no_tests_has_failed() {
        assert_eq!(tally(3, 0, 0).settled(true), tally(3, 0, 0));
        assert_eq!(tally(3, 0, 0).settled(false), tally(3, 1, 0));
        assert_eq!(tally(3, 2, 0).settled(false), tally(3, 2, 0));
        assert_eq!(tally(0, 0, 4).settled(true), tally(0, 1, 4));
    }

    #[test]
    fn the_last_line_is_plain() {
        assert_eq!(tally(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(tally(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
