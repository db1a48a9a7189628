//! The time that an event takes on its way into the component and out of it, and the same for the crate.

use shardbus::{BusOptions, Clock, EventBus};
use shardbus_component_example::{Action, Bus, Event, Host};
use std::hint::black_box;
use std::time::{Duration, Instant};
use wasmtime::Result;

/// The events of a round.
const EVENTS: usize = 10_000;

/// The instances of a round.
const INSTANCES: usize = 20;

/// The events that come in together.
const TOGETHER: usize = 100;

/// The rounds, of which the lower quartile counts: other programs interrupt for longer than a bus takes.
const ROUNDS: usize = 201;

const EVENT: &[u8] = br#"{"type":"click","user":"user-12345","page":"/docs/intro","at":1790000000000,"x":120,"y":844,"ok":true}"#;

/// Prints the time of one of so many events, in microseconds.
fn print(name: &str, count: usize, mut round: impl FnMut() -> Result<Duration>) -> Result<()> {
    round()?;
    let mut times: Vec<_> = (0..ROUNDS).map(|_| round()).collect::<Result<_>>()?;
    times.sort();
    let micros = times[ROUNDS / 4].as_secs_f64() * 1e6 / count as f64;
    println!("{name:<26}{micros:>8.3} µs");
    Ok(())
}

/// The time that a bus takes for events that come in by `offer`, and leave in batches.
fn component(host: &Host, offer: impl Fn(&mut Bus) -> Result<()>) -> Result<Duration> {
    let mut bus = host.create(1)?;
    let start = Instant::now();
    offer(&mut bus)?;
    bus.begin_flush()?;
    while let Action::Send(lease) = bus.poll(0)? {
        bus.acknowledge(black_box(&lease).id, 0)?;
    }
    let time = start.elapsed();
    assert_eq!(bus.stats()?.delivered, EVENTS as u64, "every event is delivered");
    Ok(time)
}

/// The time that the crate takes for the same.
fn native() -> Duration {
    let options = BusOptions::default();
    let bus = EventBus::new(options, Clock::manual(0)).expect("the defaults keep the rules");
    bus.seed(1);
    let start = Instant::now();
    for _ in 0..EVENTS {
        let _ = black_box(bus.ingest(EVENT, None));
    }
    let _ = bus.begin_flush();
    while let shardbus::Action::Send(lease) = bus.poll(0) {
        bus.acknowledge(black_box(&lease).id, 0);
    }
    let time = start.elapsed();
    assert_eq!(bus.stats().delivered, EVENTS as u64, "every event is delivered");
    time
}

fn main() -> Result<()> {
    let host = Host::load("target/component/core.wasm")?;
    print("`ingest`", EVENTS, || {
        component(&host, |bus| {
            for _ in 0..EVENTS {
                let _ = black_box(bus.ingest(EVENT, None)?);
            }
            Ok(())
        })
    })?;
    let events = vec![Event { payload: EVENT.to_vec(), key: None }; TOGETHER];
    print("`ingest-many` of 100", EVENTS, || {
        component(&host, |bus| {
            for _ in 0..EVENTS / TOGETHER {
                bus.ingest_many(&events)?;
            }
            Ok(())
        })
    })?;
    let lines = [EVENT; TOGETHER].join(&b'\n');
    print("`ingest-lines` of 100", EVENTS, || {
        component(&host, |bus| {
            for _ in 0..EVENTS / TOGETHER {
                bus.ingest_lines(&lines)?;
            }
            Ok(())
        })
    })?;
    print("the crate, `ingest`", EVENTS, || Ok(native()))?;
    print("an instance with its bus", INSTANCES, || {
        let start = Instant::now();
        for nonce in 0..INSTANCES as u64 {
            black_box(host.create(nonce)?);
        }
        Ok(start.elapsed())
    })
}
