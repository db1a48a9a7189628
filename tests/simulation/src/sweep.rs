//! Many schedules on all cores.
#![allow(
    clippy::disallowed_types,
    reason = "the rule keeps the library portable; this program only runs natively"
)]

use crate::{Failure, Tally, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The result of many schedules.
#[derive(Debug)]
pub struct Sweep {
    /// The number of schedules run.
    pub schedules: u64,
    /// The counts of those that passed.
    pub tally: Tally,
    /// The failures that were found; the lowest seed first.
    pub failures: Vec<Failure>,
}

/// In so many schedules everything that can happen does.
pub const ENOUGH: u64 = 1_000;

/// Seeds that a thread takes at once.
const CHUNK: u64 = 256;

/// Runs the schedules of `seeds`, and stops once one has failed.
pub fn sweep(seeds: std::ops::Range<u64>, threads: usize) -> Sweep {
    let (next, ran) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let found = Mutex::new((Tally::default(), Vec::new()));
    let work = || loop {
        let from = next.fetch_add(CHUNK, Ordering::Relaxed);
        if from >= seeds.end {
            break;
        }
        let chunk = from..(from + CHUNK).min(seeds.end);
        let (mut tally, mut failure, mut done) = (Tally::default(), None, 0);
        for seed in chunk {
            done += 1;
            match run(seed) {
                Ok(of_seed) => tally += of_seed,
                Err(found) => {
                    // Lower seeds that are under way are finished.
                    next.store(seeds.end, Ordering::Relaxed);
                    failure = Some(found);
                    break;
                }
            }
        }
        ran.fetch_add(done, Ordering::Relaxed);
        if let Ok(mut found) = found.lock() {
            found.0 += tally;
            found.1.extend(failure);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (tally, mut failures) = found.into_inner().unwrap_or_default();
    failures.sort_by_key(|failure: &Failure| failure.seed);
    Sweep { schedules: ran.into_inner(), tally, failures }
}
