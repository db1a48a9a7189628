//! What came of the steps, as a table and in one line.

use std::fmt::Write as _;

use super::{Verdict, steps::Step};

/// How many steps ended in which way.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Those that passed.
    pub passed: usize,
    /// Those that failed, or needed one that did.
    pub failed: usize,
    /// Those whose tools this machine cannot have.
    pub skipped: usize,
}

impl Counts {
    /// Counts verdicts.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            match verdict {
                Verdict::Passed { .. } => counts.passed += 1,
                Verdict::Failed { .. } | Verdict::NotRun { .. } => counts.failed += 1,
                Verdict::Skipped { .. } => counts.skipped += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    /// The line that readers of CI's output look for.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// A row for each step, why those that failed did, and how to run one alone.
pub fn table(verdicts: &[(&Step, Verdict)], seconds: f64) -> String {
    let mut table = format!("{:<24}{:>8}  result\n", "step", "seconds");
    let mut failures = String::new();
    for (Step { name, .. }, verdict) in verdicts {
        let (seconds, result) = match verdict {
            Verdict::Passed { seconds } => (Some(seconds), "ok".to_owned()),
            Verdict::Failed { seconds, why } => {
                let _ = writeln!(
                    failures,
                    "{name} failed: {why}\nto run it alone: cargo xtask test --only {name}\n"
                );
                (Some(seconds), "FAILED".to_owned())
            }
            Verdict::NotRun { why } => (None, format!("not run: {why}")),
            Verdict::Skipped { seconds, why } => (Some(seconds), format!("skipped: {why}")),
        };
        let seconds = seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"));
        let _ = writeln!(table, "{name:<24}{seconds:>8}  {result}");
    }
    let _ = writeln!(table, "{:<24}{seconds:>8.1}", "all");
    if failures.is_empty() { table } else { format!("{table}\n{failures}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_did_not_run_because_another_failed_counts_as_failed() {
        let why = String::new;
        let verdicts = [
            Verdict::Passed { seconds: 1.0 },
            Verdict::Failed { seconds: 1.0, why: why() },
            Verdict::NotRun { why: why() },
            Verdict::Skipped { seconds: 1.0, why: why() },
        ];
        let counts = Counts::of(&verdicts);
        assert_eq!(counts.to_string(), "1 passed, 2 failed, 1 skipped");
    }
}
