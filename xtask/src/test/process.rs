//! Runs a step as a process of its own, so that its output can be kept until it ends, and it shares
//! no state with another step.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::schedule::Load;
use super::session::Session;
use super::steps::{SKIPPED_IN_CI, Step};
use super::{Options, SEED, SKIPPED, Verdict};
use crate::Unavailable;

/// The folder of the steps' outputs and reasons.
const LOGS: &str = "target/test";

/// The share of its random inputs that a property has in a quick run.
const QUICK_SHARE: &str = "0.2";

fn log(name: &str) -> PathBuf {
    Path::new(LOGS).join(format!("{name}.log"))
}

/// The file with the reason why a step did not pass: written by its process, read by ours.
fn reason(name: &str) -> PathBuf {
    Path::new(LOGS).join(format!("{name}.reason"))
}

/// Seconds of a processor that a step took: written by its process, read by ours.
fn cpu(name: &str) -> PathBuf {
    Path::new(LOGS).join(format!("{name}.cpu"))
}

/// Runs a step in this process, and leaves the reason if it does not pass.
pub fn run_here(sh: Shell, step: &Step, options: Options) -> Result<ExitCode> {
    if step.load == Load::Compiles {
        give_way(&sh);
    }
    let result = (step.run)(&Session::new(sh, options));
    if let Some(seconds) = own_cpu_seconds() {
        std::fs::write(cpu(step.name), seconds.to_string())?;
    }
    let Err(error) = result else {
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::write(reason(step.name), format!("{error:#}"))?;
    eprintln!("error: {error:#}");
    let is_skipped = error.is::<Unavailable>();
    Ok(if is_skipped { ExitCode::from(SKIPPED) } else { ExitCode::FAILURE })
}

fn may_be_skipped(name: &str, in_ci: bool) -> bool {
    !in_ci || SKIPPED_IN_CI.iter().any(|&(allowed, _)| allowed == name)
}

/// Runs a step in a new process. `keep` its output, or let it print.
pub fn run(step: &Step, keep: bool, in_ci: bool, options: &Options) -> Verdict {
    let start = Instant::now();
    let status = spawn(step, keep, options);
    let seconds = start.elapsed().as_secs_f64();
    let why = || std::fs::read_to_string(reason(step.name)).unwrap_or_default();
    match status {
        Ok(Some(0)) => Verdict::Passed { seconds },
        Ok(Some(code)) if code == i32::from(SKIPPED) && may_be_skipped(step.name, in_ci) => {
            Verdict::Skipped { seconds, why: why() }
        }
        Ok(Some(_)) => Verdict::Failed { seconds, why: why() },
        Ok(None) => Verdict::Failed { seconds, why: "it was killed".to_owned() },
        Err(error) => Verdict::Failed { seconds, why: format!("{error:#}") },
    }
}

fn spawn(step: &Step, keep: bool, options: &Options) -> Result<Option<i32>> {
    std::fs::create_dir_all(LOGS)?;
    for file in [reason(step.name), cpu(step.name)] {
        let _ = std::fs::remove_file(file);
    }
    let mut command = ourselves()?;
    command.args(["test", "--step", step.name]).stdin(Stdio::null());
    command.env(SEED, options.seed.to_string());
    if options.quick {
        command.arg("--quick").env("SHARDBUS_RUNS_SHARE", QUICK_SHARE);
    }
    command.args(options.runtimes.iter().map(|name| format!("--runtime={name}")));
    if keep {
        let output = File::create(log(step.name))?;
        command.stdout(output.try_clone()?).stderr(output);
    }
    let status = command.status().context("xtask could not start itself")?;
    Ok(status.code())
}

/// The output of a step.
pub fn output(step: &Step) -> String {
    let output = std::fs::read(log(step.name)).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

/// The processor's time that a step took, in seconds, with all that it started and waited for. Unlike
/// the time on a clock it says little of what ran beside it.
pub fn cpu_seconds(step: &Step) -> Option<f64> {
    std::fs::read_to_string(cpu(step.name)).ok()?.parse().ok()
}

/// The same of this process, on Linux.
fn own_cpu_seconds() -> Option<f64> {
    cpu_seconds_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The sum of `utime`, `stime`, `cutime` and `cstime`, of proc_pid_stat(5).
fn cpu_seconds_in(stat: &str) -> Option<f64> {
    /// On Linux the same on every machine, whatever its kernel counts in.
    const TICKS_PER_SECOND: f64 = 100.0;
    // The name before may have blanks in it.
    let (_, numbers) = stat.rsplit_once(") ")?;
    let times = numbers.split(' ').skip(11).take(4);
    let ticks: u64 = times.map(|ticks| ticks.parse::<u64>().ok()).sum::<Option<_>>()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

/// This program.
fn ourselves() -> Result<Command> {
    // Linux knows the file that runs, even when a step has built another one in its place.
    let linux = PathBuf::from("/proc/self/exe");
    Ok(Command::new(if linux.exists() { linux } else { std::env::current_exe()? }))
}

/// Lets this process and all that it starts give way: a compiler must not take the processor from
/// tests that wait for a moment.
fn give_way(sh: &Shell) {
    let id = std::process::id().to_string();
    let renice = cmd!(sh, "renice -n 10 -p {id}").quiet().ignore_stdout().ignore_stderr();
    // Without the program, everything is as right, and perhaps slower.
    let _ = renice.run();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_processes_that_were_waited_for_counts() {
        let stat = "123 (a b) c) S 1 1 1 0 -1 4194560 90 80 0 0 150 25 1000 225 20 0 1 0 9 9 9 9";
        assert_eq!(cpu_seconds_in(stat), Some(14.0));
        assert_eq!(cpu_seconds_in("123"), None);
    }
}
