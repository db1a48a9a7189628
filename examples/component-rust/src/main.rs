//! A bus in a Rust program: the component `core` in wasmtime, which decides, and this host, which sends.
//!
//! ```sh
//! cargo xtask component --run rust
//! ```

use shardbus_component_example::{Action, Bus, Failure, Host, Lease};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime::Result;
use wasmtime::error::Context as _;

/// A bus, its receiver, and the moment from which it counts.
struct Sender {
    bus: Bus,
    url: String,
    start: Instant,
}

impl Sender {
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Sends all held events.
    fn flush(&mut self) -> Result<()> {
        let flush = self.bus.begin_flush()?;
        while self.bus.flush_report(flush)?.is_some_and(|report| report.pending > 0) {
            let now = self.now();
            match self.bus.poll(now)? {
                Action::Send(lease) => self.deliver(&lease)?,
                Action::Abandoned(lost) => {
                    eprintln!("{} events are lost: {:?}", lost.batch.head.count, lost.reason);
                }
                Action::WaitUntil(then) => sleep(Duration::from_nanos(then.saturating_sub(now))),
                _ => {}
            }
        }
        self.bus.end_flush(flush)
    }

    fn deliver(&mut self, lease: &Lease) -> Result<()> {
        let answer = self.post(lease);
        let now = self.now();
        match answer {
            Ok(()) => self.bus.acknowledge(lease.id, now)?,
            Err(failure) => self.bus.fail(lease.id, failure, now)?,
        };
        Ok(())
    }

    /// Sends a batch.
    fn post(&self, lease: &Lease) -> Result<(), Failure> {
        let timeout = Duration::from_nanos(lease.deadline.saturating_sub(self.now()));
        let request = ureq::post(&self.url).config().timeout_global(Some(timeout)).build();
        let request = request.header("content-type", "application/x-ndjson");
        let sent = request.header("idempotency-key", &lease.batch.head.id).send(&lease.batch.body);
        match sent {
            Ok(_) => Ok(()),
            Err(ureq::Error::StatusCode(408 | 425 | 429 | 502..=504)) => {
                Err(Failure::Unavailable(0))
            }
            Err(ureq::Error::StatusCode(413)) => Err(Failure::Split),
            Err(ureq::Error::StatusCode(500..)) => Err(Failure::Refused(0)),
            Err(ureq::Error::StatusCode(_)) => Err(Failure::Permanent),
            Err(_) => Err(Failure::Unavailable(0)),
        }
    }
}

fn main() -> Result<()> {
    let url = std::env::var("COLLECTOR").context("COLLECTOR is the URL of the receiver")?;
    let host = Host::load("target/component/core.wasm")?;
    let nonce = getrandom::u64().context("the system has no random numbers")?;
    let mut bus = host.create(nonce)?;
    bus.set_clock(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64)?;
    for number in 0..1001 {
        let event = format!(r#"{{"type":"click","n":{number}}}"#);
        if let Err(reason) = bus.ingest(event.as_bytes(), None)? {
            eprintln!("event {number} is refused: {reason:?}");
        }
    }
    let mut sender = Sender { bus, url, start: Instant::now() };
    sender.flush()?;
    let stats = sender.bus.stats()?;
    let lost = stats.abandoned;
    let lost = lost.retries + lost.permanent + lost.expired + lost.shutdown;
    println!("delivered {}, abandoned {lost}", stats.delivered);
    Ok(())
}
