//! A few schedules, and that a seed decides everything about them. `cargo xtask simulate` runs many.

use shardbus_simulation::{Tally, replay, sweep};

/// Schedules that are the same in every run. In so many, everything happens.
const FIXED: u64 = 2_500;

/// Schedules that are new in every run.
const FRESH: u64 = 1_500;

#[test]
fn schedules_hold() {
    let fresh = shardbus_seeds::fresh();
    println!("{}={fresh}", shardbus_seeds::VARIABLE);
    let mut tally = Tally::default();
    for seeds in [0..FIXED, fresh..fresh + FRESH] {
        let count = seeds.end - seeds.start;
        let swept = sweep(seeds, 2);
        assert_eq!(swept.schedules, count, "{:?}", swept.failures.first());
        tally += swept.tally;
        // First of the fixed schedules alone, then of all.
        let missing = tally.missing();
        assert!(missing.is_empty(), "never happened: {}", missing.join(", "));
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..100 {
        let (first, trace) = replay(seed, None);
        let (second, again) = replay(seed, None);
        assert_eq!(first.map_err(|failure| failure.step), second.map_err(|failure| failure.step));
        assert_eq!(trace, again);
    }
}
