//! The refusal of options that need a store, for buses that have none.

use crate::types as wit;

/// The fault of the options that only a host with a store can keep.
pub fn check(given: &wit::Options) -> Result<(), wit::ConfigError> {
    let fault = |setting: &str, value| wit::ConfigError {
        setting: setting.to_owned(),
        value,
        rule: "must not be given to a bus without a store".to_owned(),
    };
    match (given.has_store, given.max_store_bytes) {
        (Some(true), _) => Err(fault("has-store", 1.0)),
        (_, Some(bytes @ 1..)) => Err(fault("max-store-bytes", bytes as f64)),
        _ => Ok(()),
    }
}
