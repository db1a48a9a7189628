//! A few schedules, and that a seed decides everything about them. `cargo xtask simulate` runs many.

use shardbus_simulation::{replay, sweep};

#[test]
fn schedules_hold() {
    let swept = sweep(0..3_000, 2);
    assert_eq!(swept.schedules, 3_000, "{:?}", swept.failures.first());
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
