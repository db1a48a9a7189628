//! Any operations on a bus, in any order: each of their answers and every count is checked against the
//! simulation's model of a bus.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardbus_simulation::{operate, replay_operations};

fuzz_target!(|bytes: &[u8]| {
    if let Err(violation) = operate(bytes) {
        let (_, happened) = replay_operations(bytes, Some(60));
        panic!("{violation}\n{}", happened.join("\n"));
    }
});
