//! What a person sees of the work: one line on standard error for each step, with the time it took.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Writes one line to standard error. A closed standard error is no reason to stop.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "xtask: {line}");
}

/// Does `work` and says afterwards what was done and how long it took. For work that is silent and short.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work();
    let ending = if result.is_ok() { "" } else { ": failed" };
    say(&format!("{what}{ending} ({})", seconds(start.elapsed())));
    result
}

/// As [`step`], for work that takes long or writes lines of its own: it is named beforehand as well.
pub fn long_step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("{what} …"));
    step(what, work)
}

/// A duration as a person reads it: `0.4 s`, `3 min 05 s`.
fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_for_people() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }
}
