//! A few schedules, and that a seed decides everything about them. `cargo xtask simulate` runs many.

use shardbus_simulation::{Tally, replay, sweep};

#[test]
fn schedules_hold() {
    let fresh = shardbus_seeds::fresh();
    println!("{}={fresh}", shardbus_seeds::VARIABLE);
    let mut tally = Tally::default();
    for seeds in [0..1_500, fresh..fresh + 1_500] {
        let swept = sweep(seeds, 2);
        assert_eq!(swept.schedules, 1_500, "{:?}", swept.failures.first());
        tally += swept.tally;
    }
    let missing = tally.missing();
    assert!(missing.is_empty(), "never happened: {}", missing.join(", "));
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
