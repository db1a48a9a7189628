//! Every event offered to a bus ends in exactly one place, whatever its host does: random operations,
//! with everything checked after each of them.

use fastrand::Rng;
use proptest::prelude::*;
use shardbus_simulation::{Tally, operate, replay_operations};

/// The rows of a tally that need callbacks, or a row of accidents.
const RARE: [&str; 3] = ["crashes", "calls from callbacks", "batches unreadable"];

/// Bytes that choose a bus and up to 150 operations.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 8..308)
}

shardbus_seeds::properties! {
    10_000;

    #[test]
    fn every_event_is_in_exactly_one_place_after_every_operation(bytes in bytes()) {
        if let Err(violation) = operate(&bytes) {
            let (_, happened) = replay_operations(&bytes, Some(60));
            return Err(TestCaseError::fail(format!("{violation}\n{}", happened.join("\n"))));
        }
    }
}

#[test]
fn random_operations_leave_nothing_out() {
    let (mut rng, mut tally) = (Rng::with_seed(0), Tally::default());
    for _ in 0..2_000 {
        let bytes: Vec<_> = (0..308).map(|_| rng.u8(..)).collect();
        tally += operate(&bytes).expect("the rules hold");
    }
    let mut missing = tally.missing();
    missing.retain(|row| !RARE.contains(row));
    assert!(missing.is_empty(), "never happened: {}", missing.join(", "));
}
