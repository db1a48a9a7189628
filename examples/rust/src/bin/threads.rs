//! Drives a bus on threads that send and wait for answers: one for each batch that may be in flight.

use anyhow::{Context as _, Result};
use shardbus::{Action, Batch, BusConfig, BusStats, Clock, EventBus, Failure, IngestionError};
use shardbus_drivers::collector::Collector;
use shardbus_drivers::{NO_ANSWER, config, flights, judge, tell_losses};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// A bus, and the threads that deliver its batches.
struct Driver {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    bus: EventBus,
    start: Instant,
    senders: OnceLock<Vec<Thread>>,
    has_ended: AtomicBool,
}

impl Driver {
    /// `send` may take as long as it is told; a later answer changes nothing.
    fn start<F>(config: BusConfig, send: F) -> Result<Self>
    where
        F: Fn(&Batch, Duration) -> Result<(), Failure> + Send + Sync + 'static,
    {
        let count = config.shards;
        let bus = EventBus::new(config, Clock::system())?;
        bus.seed(getrandom::u64().context("the system has no random numbers")?);
        let (start, senders, has_ended) = (Instant::now(), OnceLock::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { bus, start, senders, has_ended });
        let send = Arc::new(send);
        let spawn = |_| {
            let (shared, send) = (Arc::clone(&shared), Arc::clone(&send));
            thread::spawn(move || shared.drive(&*send))
        };
        let threads: Vec<_> = (0..count).map(spawn).collect();
        let senders = threads.iter().map(|thread| thread.thread().clone()).collect();
        shared.senders.get_or_init(|| senders);
        Ok(Self { shared, threads })
    }

    /// Waits for room.
    fn ingest(&self, payload: &[u8], key: &[u8]) -> Result<(), IngestionError> {
        let Shared { bus, .. } = &*self.shared;
        loop {
            let result = bus.ingest(payload, Some(key));
            self.shared.wake();
            let Err(IngestionError::Backpressure) = result else { return result.map(drop) };
            bus.set_room_awaited(true);
            while !bus.is_ready() {
                thread::sleep(Duration::from_millis(1));
            }
            bus.set_room_awaited(false);
        }
    }

    /// Delivers the pending events, for no longer than `limit`.
    fn close(self, limit: Duration) -> BusStats {
        let Shared { bus, has_ended, .. } = &*self.shared;
        bus.close();
        let (flush, end) = (bus.begin_flush(), Instant::now() + limit);
        while bus.flush_report(flush).is_some_and(|report| report.pending > 0) {
            if Instant::now() >= end {
                bus.abandon_everything();
            }
            self.shared.wake();
            thread::sleep(Duration::from_millis(1));
        }
        has_ended.store(true, Ordering::Release);
        self.shared.wake();
        // A sender that panicked has left its batch to the others.
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
        tell_losses(bus);
        bus.stats()
    }
}

impl Shared {
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// There may be something new to do.
    fn wake(&self) {
        self.senders.get().into_iter().flatten().for_each(Thread::unpark);
    }

    fn drive(&self, send: &impl Fn(&Batch, Duration) -> Result<(), Failure>) {
        while !self.has_ended.load(Ordering::Acquire) {
            let now = self.now();
            match self.bus.poll(now) {
                Action::Send(lease) => {
                    let limit = Duration::from_nanos(lease.deadline.saturating_sub(now));
                    match send(&lease.batch, limit) {
                        Ok(()) => self.bus.acknowledge(lease.id, self.now()),
                        Err(failure) => self.bus.fail(lease.id, failure, self.now()),
                    };
                }
                Action::Abandoned(lost) => {
                    eprintln!("{} events are lost: {:?}", lost.batch.len(), lost.reason);
                }
                Action::WaitUntil(then) => {
                    thread::park_timeout(Duration::from_nanos(then.saturating_sub(now)));
                }
                _ => thread::park(),
            }
        }
    }
}

fn main() -> Result<()> {
    let flights = flights::read()?;
    let collector = Collector::start()?;
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().http_status_as_error(false).build(),
    );
    let url = collector.url.clone();
    let driver = Driver::start(config(), move |batch, limit| {
        let request = agent.post(&url).header("idempotency-key", batch.id());
        let request = request.config().timeout_global(Some(limit)).build();
        let response = request.send(&batch.body()[..]).map_err(|_| NO_ANSWER)?;
        let retry_after = response.headers().get("retry-after").and_then(|text| text.to_str().ok());
        judge(response.status().as_u16(), retry_after)
    })?;
    for flight in &flights {
        driver.ingest(flight.json.as_bytes(), flight.origin.as_bytes())?;
    }
    let stats = driver.close(Duration::from_secs(60));
    flights::check(&flights, &collector.stop())?;
    println!("{} flights delivered, {} retries", stats.delivered, stats.batches.retries);
    Ok(())
}
