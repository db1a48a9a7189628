//! Calls every function of the asynchronous component of the bus, and prints the outcomes.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;

use bindings::shardbus::bus::async_bus::{Bus, Stats};
use bindings::shardbus::bus::types::{Backpressure, BatchOptions, Options, Scheduler};
use wasip3::cli::stdout;
use wasip3::clocks::monotonic_clock;
use wasip3::exports::cli::run::Guest;
use wasip3::wit_stream;

/// A millisecond.
const MS: u64 = 1_000_000;

/// The driver.
struct Driver;

wasip3::cli::command::export!(Driver);

impl Guest for Driver {
    async fn run() -> Result<(), ()> {
        let lines = [
            flushed().await,
            in_the_background().await,
            rejected().await,
            with_room().await,
            hanging().await,
            closed().await,
            wrong().await,
        ];
        let (mut writer, text) = wit_stream::new();
        let printed = stdout::write_via_stream(text);
        let rest = writer.write_all((lines.join("\n") + "\n").into_bytes()).await;
        drop(writer);
        if rest.is_empty() { printed.await.map_err(drop) } else { Err(()) }
    }
}

/// A bus whose batches have ten events.
async fn bus(options: Options) -> Bus {
    let batch =
        BatchOptions { max_size: Some(10), adaptive: Some(false), ..BatchOptions::default() };
    let created = Bus::create(Options { batch: Some(batch), ..options }).await;
    created.expect("the options are right")
}

fn offer(bus: &Bus, word: &str, count: usize) -> usize {
    let event = |n| format!(r#"{{"word":"{word}","n":{n}}}"#);
    (0..count).filter(|&n| bus.ingest(event(n).as_bytes(), None).is_ok()).count()
}

fn counts(stats: &Stats) -> String {
    let lost = stats.abandoned.permanent + stats.abandoned.shutdown;
    format!("delivered {}, abandoned {lost}, batches {}", stats.delivered, stats.batches.delivered)
}

async fn flushed() -> String {
    let bus = bus(Options { shards: Some(4), ..Options::default() }).await;
    offer(&bus, "later", 25);
    let report = bus.flush().await;
    format!("flush: delivered {}, pending {}", report.delivered, report.pending)
}

async fn in_the_background() -> String {
    let bus = bus(Options::default()).await;
    offer(&bus, "event", 10);
    while bus.stats().delivered < 10 {
        monotonic_clock::wait_for(MS).await;
    }
    format!("background: {}", counts(&bus.stats()))
}

async fn rejected() -> String {
    let bus = bus(Options::default()).await;
    offer(&bus, "event", 4);
    offer(&bus, "reject", 1);
    bus.flush().await;
    let stats = bus.stats();
    format!("outcomes: delivered {}, abandoned {}", stats.delivered, stats.abandoned.permanent)
}

async fn with_room() -> String {
    let few = Options {
        capacity: Some(8),
        backpressure: Some(Backpressure::DropNewest),
        ..Options::default()
    };
    let bus = bus(few).await;
    let at_once = offer(&bus, "event", 100);
    let mut accepted = 0;
    for _ in 0..100 {
        bus.ready().await;
        accepted += offer(&bus, "event", 1);
    }
    format!("ready: {at_once} at once, {accepted} with room")
}

async fn hanging() -> String {
    let bus = bus(Options { timeout: Some(MS), ..Options::default() }).await;
    offer(&bus, "hang", 1);
    while bus.stats().batches.retries < 2 {
        monotonic_clock::wait_for(MS).await;
    }
    let report = bus.close(MS).await;
    format!(
        "timeout: delivered {}, abandoned {}, pending {}",
        report.delivered, report.abandoned, report.pending
    )
}

async fn closed() -> String {
    let bus = bus(Options::default()).await;
    offer(&bus, "event", 15);
    let report = bus.close(60_000 * MS).await;
    bus.ready().await;
    let rejection = bus.ingest(b"1", None).err().map(|reason| reason.name());
    format!("close: delivered {}, then {rejection:?}", report.delivered)
}

async fn wrong() -> String {
    let with_store =
        Options { has_store: Some(true), scheduler: Some(Scheduler::Auto), ..Options::default() };
    let error = Bus::create(with_store).await.err().map(|error| error.setting);
    format!("options: {error:?}")
}
