//! The seeds of random tests. Each test has a part that is the same in every run, so that a
//! regression is found reliably, and a part whose seed is new in every run. `SHARDBUS_SEED=N` in
//! the environment repeats the second part.
#![allow(clippy::disallowed_types, reason = "the rule keeps the library portable")]

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

/// The variable that repeats the part of a run that is new.
pub const VARIABLE: &str = "SHARDBUS_SEED";

/// The seed of the part that is the same in every run.
const FIXED: u64 = 20_261_124;

/// The seed of this run.
///
/// # Panics
///
/// If [`VARIABLE`] is not a number from 0 to 2,147,483,647, which are the seeds of fast-check.
#[must_use]
pub fn fresh() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match std::env::var(VARIABLE) {
        Ok(text) => {
            let seed = text.parse::<u32>().ok().filter(|&seed| seed <= i32::MAX as u32);
            seed.unwrap_or_else(|| panic!("{VARIABLE} must be from 0 to 2147483647")).into()
        }
        Err(_) => RandomState::new().hash_one(()) >> 33,
    })
}

/// The variable with the share of its cases that a property has, for a quick look: above 0, and at
/// most 1.
const SHARE: &str = "SHARDBUS_RUNS_SHARE";

/// Half of a property's cases, or of the share that is asked for.
fn half(cases: u32) -> u32 {
    let share = std::env::var(SHARE).map_or(Ok(1.0), |text| text.parse::<f64>());
    let share = share.ok().filter(|&share| share > 0.0 && share <= 1.0);
    let share = share.unwrap_or_else(|| panic!("{SHARE} must be above 0, and at most 1"));
    (f64::from(cases) * share / 2.0).ceil() as u32
}

/// The configuration of proptest for the fixed part of a property: half of its cases.
#[must_use]
pub fn fixed_part(cases: u32) -> Config {
    config(half(cases), FIXED)
}

/// The configuration of proptest for the new part of a property: half of its cases. The test
/// harness shows the seed that this prints if the property fails.
#[must_use]
pub fn fresh_part(cases: u32) -> Config {
    eprintln!("{VARIABLE}={} repeats this part", fresh());
    config(half(cases), fresh())
}

/// Inputs that failed are kept beside the test, in a file to check in, and come first afterwards.
fn config(cases: u32, seed: u64) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}

/// `proptest!` with a number of cases, half of them [`fixed_part`] and half of them [`fresh_part`].
#[macro_export]
macro_rules! properties {
    ($cases:expr; $($properties:tt)*) => {
        mod fixed {
            use super::*;
            proptest::proptest! {
                #![proptest_config($crate::fixed_part($cases))]
                $($properties)*
            }
        }
        mod fresh {
            use super::*;
            proptest::proptest! {
                #![proptest_config($crate::fresh_part($cases))]
                $($properties)*
            }
        }
    };
}
