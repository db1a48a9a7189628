//! Runs schedules, or replays one.

use shardbus_simulation::{ENOUGH, Failure, Tally, replay, sweep};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: shardbus-simulation [--seeds N] [--from SEED] | --seed SEED";

/// The number of lines shown of a schedule that fails in a sweep.
const LINES: usize = 60;

/// The interval of a sweep's progress reports.
const SCHEDULES_PER_REPORT: u64 = 1_000_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seeds, mut from, mut seed) = (200_000, None, None);
    while let Some(name) = args.next() {
        let value = args.next().and_then(|value| value.replace('_', "").parse().ok());
        match (&*name, value) {
            ("--seeds", Some(value)) => seeds = value,
            ("--from", Some(value)) => from = Some(value),
            ("--seed", Some(value)) => seed = Some(value),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    match seed {
        Some(seed) => show(seed, None),
        None => match from {
            Some(from) => run_all(std::slice::from_ref(&(from..from + seeds))),
            None => {
                let (half, fresh) = (seeds / 2, shardbus_seeds::fresh());
                println!("half of the schedules begin at {}={fresh}", shardbus_seeds::VARIABLE);
                run_all(&[0..half, fresh..fresh + (seeds - half)])
            }
        },
    }
}

fn run_all(parts: &[Range<u64>]) -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let start = Instant::now();
    let (mut schedules, mut tally) = (0, Tally::default());
    for seeds in parts {
        let mut from = seeds.start;
        while from < seeds.end {
            let to = (from + SCHEDULES_PER_REPORT).min(seeds.end);
            let part = sweep(from..to, threads);
            schedules += part.schedules;
            tally += part.tally;
            if let Some(Failure { seed, .. }) = part.failures.first() {
                println!("a schedule failed after {schedules}\n");
                return show(*seed, Some(LINES));
            }
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{schedules} schedules held, in {seconds:.1} s ({:.0} a second)",
                schedules as f64 / seconds
            );
            from = to;
        }
    }
    println!("\nin these schedules:");
    for (name, count) in tally.rows() {
        println!("{count:>15}  {name}");
    }
    let missing = tally.missing();
    if schedules >= ENOUGH && !missing.is_empty() {
        println!("\nnever in these schedules: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Replays a schedule and prints its log.
fn show(seed: u64, lines: Option<usize>) -> ExitCode {
    let (result, trace) = replay(seed, lines);
    for line in trace {
        println!("{line}");
    }
    match result {
        Ok(Tally { steps, .. }) => {
            println!("\nseed {seed} holds: {steps} steps");
            ExitCode::SUCCESS
        }
        Err(Failure { seed, step, violation }) => {
            println!("\nseed {seed} fails in step {step}: {violation}");
            println!("to replay all of it: cargo xtask simulate --seed {seed}");
            ExitCode::FAILURE
        }
    }
}
