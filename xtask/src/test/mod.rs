//! Every check, as a list of steps that can also be run one by one.
//!
//! A step whose tools this machine cannot have is skipped, and the table says why; in CI (where `CI`
//! is `true`) it fails, unless [`steps::SKIPPED_IN_CI`] lists it. Each step is a process; up to three
//! run at a time, and all of them run although one fails.

mod changed;
mod process;
mod report;
mod schedule;
mod session;
mod steps;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::builder::PossibleValuesParser;
use xshell::Shell;

use crate::say;
use report::Counts;
use schedule::Schedule;
use steps::{STEPS, Step};

/// The exit code that says that a step was skipped which `--only` asks for.
const SKIPPED: u8 = 3;

/// The steps of `--quick`.
const QUICK: [&str; 7] = ["fmt", "clippy", "rust", "simulate", "biome", "unit", "js"];

/// The modes of steps that have more than one.
#[derive(Clone)]
pub struct Options {
    /// With a part of their work.
    quick: bool,
    /// The runtimes to run the suite in; without one, all.
    runtimes: Vec<String>,
    /// Of the random inputs that are new in each run: the same for all steps.
    seed: u64,
}

/// The variable that gives a seed, to repeat a run.
const SEED: &str = "SHARDBUS_SEED";

/// The seed that was given, or a new one.
fn seed() -> Result<u64> {
    match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed} is not a seed")),
        // As large a one as every generator takes.
        Err(_) => Ok(RandomState::new().build_hasher().finish() >> 33),
    }
}

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
#[command(after_help = "Exit codes: 0 if nothing failed, 1 if a step failed or could not run \
                        because one that it needs failed, 2 for wrong arguments, 3 if a step that \
                        --only names, or a runtime that --runtime names, was skipped because this \
                        machine lacks its tools (with CI=true that is a failure).")]
pub struct Args {
    /// Run this step and the steps that it needs; may be given several times
    #[arg(long, value_name = "STEP", value_parser = names())]
    only: Vec<String>,
    /// Answer within a minute once everything is compiled: formats, lints, native and unit tests,
    /// those of `tests/js` that are not slow, and 2,000 schedules
    #[arg(long, conflicts_with_all = ["only", "changed"])]
    quick: bool,
    /// Run the steps that the files need which differ from the branch `main`
    #[arg(long, conflicts_with = "only")]
    changed: bool,
    /// Run the suite (the step `runtimes`) in the runtimes alone whose names contain this; may be
    /// given several times
    #[arg(long, value_name = "NAME", conflicts_with_all = ["changed", "quick"])]
    runtime: Vec<String>,
    /// List the steps
    #[arg(long)]
    list: bool,
    /// Be the process of this step
    #[arg(long, hide = true, value_name = "STEP", value_parser = names())]
    step: Option<String>,
}

impl Args {
    /// The steps that the caller names.
    fn named(&self) -> Vec<&str> {
        let suite = (!self.runtime.is_empty()).then_some("runtimes");
        self.only.iter().map(String::as_str).chain(suite).collect()
    }
}

/// The result of a step.
#[derive(Clone, PartialEq, Debug)]
enum Verdict {
    Passed {
        seconds: f64,
    },
    Failed {
        seconds: f64,
        why: String,
    },
    /// It needs a step that did not pass.
    NotRun {
        why: String,
    },
    /// This machine lacks a tool that it needs.
    Skipped {
        seconds: f64,
        why: String,
    },
}

/// The names of the steps.
fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

/// Runs the steps, and reports the result of each.
pub fn run(sh: Shell, args: &Args) -> Result<ExitCode> {
    if args.list {
        for Step { name, about, .. } in STEPS {
            println!("{name:<24}{about}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options { quick: args.quick, runtimes: args.runtime.clone(), seed: seed()? };
    if let Some(name) = &args.step {
        let step = STEPS.iter().find(|step| step.name == name).context("clap checked the name")?;
        return process::run_here(sh, step, options);
    }
    let is_named = |step: &Step| args.named().contains(&step.name);
    let Some(chosen) = choose(&sh, args)? else {
        say("no file that differs from main needs a check");
        return Ok(ExitCode::SUCCESS);
    };
    let schedule =
        Schedule::new(&STEPS.iter().collect::<Vec<_>>(), |step| chosen.contains(&step.name));
    let start = Instant::now();
    let together = chosen.len() > 1;
    say(format_args!("{SEED}={} repeats the random inputs of this run", options.seed));
    let verdicts = run_all(schedule, together, &options);
    let counts = Counts::of(verdicts.iter().map(|(_, verdict)| verdict));
    println!("\n{}", report::table(&verdicts, start.elapsed().as_secs_f64()));
    for (step, verdict) in &verdicts {
        if let Verdict::Failed { why, .. } = verdict {
            let output = if together { process::output(step) } else { String::new() };
            println!("{}", report::failure(step.name, why, options.seed, &output));
        }
    }
    println!("{counts}");

    let is_skipped = |(step, verdict): &(&Step, Verdict)| {
        is_named(step) && matches!(verdict, Verdict::Skipped { .. })
    };
    Ok(match counts.failed {
        0 if verdicts.iter().any(is_skipped) => ExitCode::from(SKIPPED),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The names of the steps to run, not of those that they need. `None` if there is nothing to do.
fn choose(sh: &Shell, args: &Args) -> Result<Option<Vec<&'static str>>> {
    let all = || STEPS.iter().map(|step| step.name);
    if args.quick {
        return Ok(Some(QUICK.to_vec()));
    }
    if args.changed {
        let files = changed::files(sh)?;
        let steps = changed::steps(files.iter().map(String::as_str));
        let steps = steps.unwrap_or_else(|| all().collect());
        return Ok(Some(steps).filter(|steps| !steps.is_empty()));
    }
    let named = args.named();
    Ok(Some(all().filter(|name| named.is_empty() || named.contains(name)).collect()))
}

/// Runs each step as soon as its turn comes. If steps run `together`, each one's output is kept,
/// and printed when it ends, so that outputs do not mix. Otherwise they run one after another and
/// print as they go.
fn run_all(
    mut schedule: Schedule<&'static Step>,
    together: bool,
    options: &Options,
) -> Vec<(&'static Step, Verdict)> {
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let (sender, ended) = mpsc::channel();
    let start = Instant::now();
    loop {
        while together || schedule.running().next().is_none() {
            let Some(step) = schedule.start() else { break };
            let minutes = start.elapsed().as_secs_f64() / 60.0;
            say(format_args!("{} begins at {minutes:.1} min: {}", step.name, step.about));
            let (sender, options) = (sender.clone(), options.clone());
            thread::spawn(move || {
                let verdict = process::run(step, together, in_ci, &options);
                sender.send((step, verdict)).expect("the table waits for every step");
            });
        }
        if schedule.running().next().is_none() {
            return schedule.verdicts();
        }
        let (step, verdict) = ended.recv().expect("a step that runs will end");
        if together {
            let result = match &verdict {
                Verdict::Passed { seconds } => format!("passed after {seconds:.1} s"),
                Verdict::Skipped { why, .. } => format!("skipped: {why}"),
                Verdict::Failed { seconds, .. } => format!("FAILED after {seconds:.1} s"),
                Verdict::NotRun { why } => format!("not run: {why}"),
            };
            say(format_args!("{} {result}; what it said:", step.name));
            eprintln!("{}", process::output(step));
        }
        schedule.end(step.name, verdict);
    }
}
