//! The results of the steps, as a table and in one line.

use std::fmt::Write as _;

use super::{SEED, Verdict, process, steps::Step};

/// The number of steps by result.
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

/// The number of lines of a failed step's output that are repeated.
const LAST_LINES: usize = 50;

/// Why a step failed, how it ended, and how to repeat it alone.
pub fn failure(name: &str, why: &str, seed: u64, output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    format!(
        "{name} failed: {why}\nto repeat it: {SEED}={seed} cargo xtask test --only {name}\n{last}\n"
    )
}

/// A row for each step, with the time on the clock and that of the processors.
pub fn table(verdicts: &[(&Step, Verdict)], seconds: f64) -> String {
    let time =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |time| format!("{time:.1}"));
    let mut table = format!("{:<24}{:>8}{:>8}  result\n", "step", "seconds", "cpu");
    let mut all = 0.0;
    for (step, verdict) in verdicts {
        let (seconds, result) = match verdict {
            Verdict::Passed { seconds } => (Some(*seconds), "ok".to_owned()),
            Verdict::Failed { seconds, .. } => (Some(*seconds), "FAILED".to_owned()),
            Verdict::NotRun { why } => (None, format!("not run: {why}")),
            Verdict::Skipped { seconds, why } => (Some(*seconds), format!("skipped: {why}")),
        };
        let cpu = seconds.and_then(|_| process::cpu_seconds(step));
        all += cpu.unwrap_or_default();
        let _ = writeln!(table, "{:<24}{:>8}{:>8}  {result}", step.name, time(seconds), time(cpu));
    }
    let _ = writeln!(table, "{:<24}{:>8}{:>8}", "all", time(Some(seconds)), time(Some(all)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_failed_step_the_end_of_its_output_is_repeated() {
        let output: String = (1..=100).map(|line| format!("line {line}\n")).collect();
        let text = failure("js", "it broke", 7, &output);
        let is_there = |part: &str| text.lines().any(|line| line == part);
        assert!(is_there("to repeat it: SHARDBUS_SEED=7 cargo xtask test --only js"));
        assert_eq!([50, 51, 100].map(|n| is_there(&format!("line {n}"))), [false, true, true]);
    }

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
