//! The events: 20,000 flights, and whether all of them arrived.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;

/// A flight as the JSON text that is sent, and the airport of origin, its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// The flight, with its place in the file as `n`.
    pub json: String,
    /// The key.
    pub origin: String,
}

/// Reads the flights of the npm package `vega-datasets`, in file order.
///
/// # Errors
///
/// If the package is not installed: `cargo xtask build` installs it.
pub fn read() -> Result<Vec<Flight>> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../node_modules/vega-datasets/data/flights-20k.json"
    );
    let text = std::fs::read(file).with_context(|| format!("{file}: run `cargo xtask build`"))?;
    let flights: Vec<Value> = serde_json::from_slice(&text)?;
    let flight = |(n, mut flight): (usize, Value)| {
        flight["n"] = n.into();
        let origin = flight["origin"].as_str().unwrap_or_default().to_owned();
        Flight { json: flight.to_string(), origin }
    };
    Ok(flights.into_iter().enumerate().map(flight).collect())
}

/// Checks that each flight arrived once and unchanged and, for each origin, in file order.
///
/// # Errors
///
/// The first fault.
pub fn check(flights: &[Flight], bodies: &[Bytes]) -> Result<()> {
    let mut latest = HashMap::new();
    let mut arrived = 0;
    for line in bodies.iter().flat_map(|body| body.split(|&byte| byte == b'\n')) {
        let event: Value = serde_json::from_slice(line)?;
        let n = event["n"].as_u64().context("an event has no number")?;
        let flight = flights.get(n as usize).context("there is no such flight")?;
        ensure!(flight.json.as_bytes() == line, "flight {n} arrived changed");
        let earlier = latest.insert(&flight.origin, n);
        ensure!(earlier < Some(n), "flight {n} of {} came after {earlier:?}", flight.origin);
        arrived += 1;
    }
    ensure!(arrived == flights.len(), "{arrived} of {} flights arrived", flights.len());
    Ok(())
}
