//! Drives a bus on tokio: one task polls it, and each attempt is a task of its own.

use anyhow::{Context as _, Result};
use shardbus::{Action, Batch, BusConfig, BusStats, Clock, EventBus, Failure, IngestionError};
use shardbus_drivers::collector::Collector;
use shardbus_drivers::{NO_ANSWER, config, flights, judge, tell_losses};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// A bus, and the task that drives it.
struct Driver {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    bus: EventBus,
    start: Instant,
    /// There may be something new to do.
    news: Notify,
    /// A batch was settled: there may be room, or nothing left.
    settled: Notify,
}

impl Driver {
    /// An attempt is dropped at its deadline.
    fn start<F, S>(config: BusConfig, send: F) -> Result<Self>
    where
        F: Fn(Arc<Batch>) -> S + Send + 'static,
        S: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let bus = EventBus::new(config, Clock::system())?;
        bus.seed(getrandom::u64().context("the system has no random numbers")?);
        let (start, news, settled) = (Instant::now(), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { bus, start, news, settled });
        let task = tokio::spawn(drive(Arc::clone(&shared), send));
        Ok(Self { shared, task })
    }

    /// Waits for room.
    async fn ingest(&self, payload: &[u8], key: &[u8]) -> Result<(), IngestionError> {
        let Shared { bus, news, settled, .. } = &*self.shared;
        loop {
            let room = settled.notified();
            let result = bus.ingest(payload, Some(key));
            let Err(IngestionError::Backpressure) = result else {
                news.notify_one();
                return result.map(drop);
            };
            bus.set_room_awaited(true);
            news.notify_one();
            room.await;
            bus.set_room_awaited(false);
        }
    }

    /// Delivers the pending events, for no longer than `limit`.
    async fn close(self, limit: Duration) -> BusStats {
        let Shared { bus, news, settled, .. } = &*self.shared;
        bus.close();
        let flush = bus.begin_flush();
        let flushed = async {
            loop {
                let progress = settled.notified();
                news.notify_one();
                if bus.flush_report(flush).is_none_or(|report| report.pending == 0) {
                    break;
                }
                progress.await;
            }
        };
        if timeout(limit, flushed).await.is_err() {
            bus.abandon_everything();
        }
        self.task.abort();
        tell_losses(bus);
        bus.stats()
    }
}

async fn drive<F, S>(shared: Arc<Shared>, send: F)
where
    F: Fn(Arc<Batch>) -> S + Send + 'static,
    S: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let Shared { bus, start, news, .. } = &*shared;
    let at = |nanos: u64| *start + Duration::from_nanos(nanos);
    loop {
        match bus.poll(start.elapsed().as_nanos() as u64) {
            Action::Send(lease) => {
                let attempt = timeout_at(at(lease.deadline), send(Arc::clone(&lease.batch)));
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let answer = attempt.await.unwrap_or(Err(NO_ANSWER));
                    let Shared { bus, start, news, settled } = &*shared;
                    let now = start.elapsed().as_nanos() as u64;
                    match answer {
                        Ok(()) => bus.acknowledge(lease.id, now),
                        Err(failure) => bus.fail(lease.id, failure, now),
                    };
                    news.notify_one();
                    settled.notify_waiters();
                });
            }
            Action::Abandoned(lost) => {
                eprintln!("{} events are lost: {:?}", lost.batch.len(), lost.reason);
            }
            Action::WaitUntil(then) => tokio::select! {
                () = sleep_until(at(then)) => {}
                () = news.notified() => {}
            },
            _ => news.notified().await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let flights = flights::read()?;
    let collector = Collector::start()?;
    let (client, url) = (reqwest::Client::new(), collector.url.clone());
    let driver = Driver::start(config(), move |batch| {
        let request = client.post(&url).header("idempotency-key", batch.id());
        let response = request.body(batch.body().clone()).send();
        async move {
            let response = response.await.map_err(|_| NO_ANSWER)?;
            let retry_after =
                response.headers().get("retry-after").and_then(|text| text.to_str().ok());
            judge(response.status().as_u16(), retry_after)
        }
    })?;
    for flight in &flights {
        driver.ingest(flight.json.as_bytes(), flight.origin.as_bytes()).await?;
    }
    let stats = driver.close(Duration::from_secs(60)).await;
    flights::check(&flights, &collector.stop())?;
    println!("{} flights delivered, {} retries", stats.delivered, stats.batches.retries);
    Ok(())
}
