//! Metrics of a shard's load.

use crate::clock::Clock;
use crate::sync::{Counter, Flag};

/// Gathers the metrics of one shard between two collections.
///
/// The shard tells it the number of its events and the time of its pushes, the deliverer of the
/// events tells it the time of a delivery, and the mapper, or another maker of the collector,
/// collects. None of them waits.
#[derive(Debug)]
pub struct ShardMetricsCollector {
    shard_id: u16,
    capacity: usize,
    clock: Clock,
    /// The shard is being emptied.
    draining: Flag,
    len: Counter,
    /// Events accepted since the shard was made, and how many of them were collected.
    accepted: Counter,
    collected: Counter,
    push: Average,
    flush: Average,
}

/// A sum and how many values it has.
#[derive(Debug, Default)]
struct Average {
    sum: Counter,
    count: Counter,
}

impl Average {
    fn record(&self, value: u64) {
        self.sum.add(value);
        self.count.add(1);
    }

    /// The average since the last call; 0 with no value.
    fn take(&self) -> u64 {
        let (sum, count) = (self.sum.get(), self.count.get());
        self.sum.sub(sum);
        self.count.sub(count);
        sum.checked_div(count).unwrap_or(0)
    }
}

/// A shard's load in one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShardMetrics {
    /// The shard.
    pub shard_id: u16,
    /// Events held, as a share of the capacity.
    pub fill_ratio: f64,
    /// Events accepted in the window.
    pub event_rate: u64,
    /// The average time of a push, in nanoseconds; 0 if none was measured.
    pub avg_push_latency_ns: u64,
    /// The average time until a batch was acknowledged, in microseconds; 0 if none was.
    pub avg_flush_latency_us: u64,
    /// True if the shard is being emptied.
    pub draining: bool,
    /// The load of the shard, to compare it with others; see [`weight`](Self::weight_of).
    pub weight: f64,
    /// The time of the collection, in nanoseconds since the Unix epoch.
    pub last_updated: u64,
}

impl ShardMetrics {
    /// `fill_ratio * 100 + avg_push_latency_ns / 10 + event_rate / 1_000_000`, the formula of the
    /// system whose behaviour this is. A draining shard outweighs all others.
    #[must_use]
    pub fn weight_of(
        fill_ratio: f64,
        avg_push_latency_ns: u64,
        event_rate: u64,
        draining: bool,
    ) -> f64 {
        if draining {
            return f64::MAX;
        }
        fill_ratio * 100.0 + avg_push_latency_ns as f64 / 10.0 + event_rate as f64 / 1_000_000.0
    }
}

impl ShardMetricsCollector {
    /// A collector for a shard with `capacity` slots, on the system's clock.
    #[must_use]
    pub fn new(shard_id: u16, capacity: usize) -> Self {
        Self::with_clock(shard_id, capacity, Clock::default())
    }

    /// [`new`](Self::new) on a clock of the caller's, which dates the collections.
    #[must_use]
    pub fn with_clock(shard_id: u16, capacity: usize, clock: Clock) -> Self {
        Self {
            shard_id,
            capacity,
            clock,
            draining: Flag::default(),
            len: Counter::default(),
            accepted: Counter::default(),
            collected: Counter::default(),
            push: Average::default(),
            flush: Average::default(),
        }
    }

    /// Notes that the shard now holds `len` events, and has accepted `accepted` since it was made.
    pub(crate) fn record_state(&self, len: u64, accepted: u64) {
        self.len.set(len);
        self.accepted.set(accepted);
    }

    /// True if the shard holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// Says whether the shard is being emptied: it then outweighs all others.
    pub fn set_draining(&self, draining: bool) {
        self.draining.set(draining);
    }

    /// Set while the shard is being emptied.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Notes how long a push took. A shard with a collector measures one push in 64 itself, its
    /// first included.
    pub fn record_push(&self, nanos: u64) {
        self.push.record(nanos);
    }

    /// Notes how long a batch took from its first attempt to its acknowledgement.
    pub fn record_flush(&self, micros: u64) {
        self.flush.record(micros);
    }

    /// The window since the last collection; a new one begins.
    pub fn collect_and_reset(&self) -> ShardMetrics {
        let draining = self.is_draining();
        let accepted = self.accepted.get();
        let event_rate = accepted - self.collected.get();
        self.collected.set(accepted);
        let fill_ratio = self.len.get() as f64 / self.capacity as f64;
        let avg_push_latency_ns = self.push.take();
        ShardMetrics {
            shard_id: self.shard_id,
            fill_ratio,
            event_rate,
            avg_push_latency_ns,
            avg_flush_latency_us: self.flush.take(),
            draining,
            weight: ShardMetrics::weight_of(fill_ratio, avg_push_latency_ns, event_rate, draining),
            last_updated: self.clock.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_the_published_formula() {
        assert!((ShardMetrics::weight_of(0.5, 37, 2_500_000, false) - 56.2).abs() < 1e-9);
        assert_eq!(ShardMetrics::weight_of(0.0, 0, 0, true), f64::MAX);
    }

    #[test]
    fn a_collection_starts_a_new_window() {
        let clock = Clock::manual(99);
        let collector = ShardMetricsCollector::with_clock(3, 1024, clock.clone());
        collector.record_state(512, 600);
        collector.record_push(10);
        collector.record_push(20);
        collector.record_flush(7);
        let metrics = collector.collect_and_reset();
        assert_eq!(
            (metrics.shard_id, metrics.fill_ratio, metrics.event_rate, metrics.last_updated),
            (3, 0.5, 600, 99)
        );
        assert_eq!((metrics.avg_push_latency_ns, metrics.avg_flush_latency_us), (15, 7));

        collector.record_state(100, 650);
        clock.set(100);
        let metrics = collector.collect_and_reset();
        assert_eq!(metrics.last_updated, 100);
        assert_eq!((metrics.event_rate, metrics.fill_ratio), (50, 100.0 / 1024.0));
        assert_eq!((metrics.avg_push_latency_ns, metrics.avg_flush_latency_us), (0, 0));
    }
}
