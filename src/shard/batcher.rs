//! Cuts a shard's events into batches, and adapts their size to the rate.

use crate::batch::Batch;
use crate::clock::nanos;
use crate::config::BatchConfig;
use crate::shard::Shard;

/// Nanoseconds between two recalculations of the target, at least.
const RECALCULATION_INTERVAL: u64 = 10_000_000;

/// Samples kept for the velocity, at most.
const MAX_SAMPLES: usize = 1024;

/// Follows the rate of arrivals and says at which size a batch may leave.
///
/// The target aims at what arrives in 5 ms: `velocity / 200`, kept between `min_size` and
/// `max_size`, and approached by a quarter of the distance at a time. While nothing arrives it
/// falls back towards `min_size`, one step per velocity window.
#[derive(Debug)]
pub struct AdaptiveBatcher {
    config: BatchConfig,
    target: usize,
    /// `(time, events up to then)`, oldest first, with increasing times.
    samples: Vec<(u64, u64)>,
    /// The start of the samples that count: earlier ones wait to be dropped together.
    oldest: usize,
    total: u64,
    recalculated_at: Option<u64>,
}

impl AdaptiveBatcher {
    /// A batcher whose target starts at `min_size`.
    #[must_use]
    pub const fn new(config: BatchConfig) -> Self {
        let target = if config.adaptive { config.min_size } else { config.max_size };
        Self { config, target, samples: Vec::new(), oldest: 0, total: 0, recalculated_at: None }
    }

    /// The size at which a batch may leave.
    #[must_use]
    pub const fn batch_size(&self) -> usize {
        self.target
    }

    /// Notes that `count` events arrived, and returns the target. `now` is in nanoseconds from any
    /// fixed point; a clock that stands still leaves the target as it is.
    pub fn record(&mut self, count: usize, now: u64) -> usize {
        self.total = self.total.saturating_add(count as u64);
        if !self.config.adaptive {
            return self.target;
        }
        let window = nanos(self.config.velocity_window);
        let idle = self.samples.last().map_or(0, |&(last, _)| now.saturating_sub(last));
        self.decay(idle / window);
        match self.samples.last_mut() {
            // Arrivals of one moment are one sample, or a frozen clock would push out the samples
            // that the velocity is measured against.
            Some(last) if now <= last.0 => last.1 = self.total,
            _ => self.samples.push((now, self.total)),
        }
        let horizon = now.saturating_sub(window);
        while self.samples.len() - self.oldest > MAX_SAMPLES
            || self.samples.get(self.oldest).is_some_and(|&(time, _)| time < horizon)
        {
            self.oldest += 1;
        }
        if self.oldest >= MAX_SAMPLES {
            self.samples.drain(..self.oldest);
            self.oldest = 0;
        }
        let since = *self.recalculated_at.get_or_insert(now);
        if now.saturating_sub(since) > RECALCULATION_INTERVAL {
            self.recalculated_at = Some(now);
            self.step_towards(self.wanted());
        }
        self.target
    }

    /// Falls back for as many windows as nothing arrived in.
    fn decay(&mut self, windows: u64) {
        for _ in 0..windows {
            let before = self.target;
            self.step_towards(self.config.min_size);
            if self.target == before {
                break;
            }
        }
    }

    /// The arrivals of 5 ms at the velocity of the samples, within the bounds.
    fn wanted(&self) -> usize {
        let (Some(&(from, before)), Some(&(to, after))) =
            (self.samples.get(self.oldest), self.samples.last())
        else {
            return self.config.min_size;
        };
        let elapsed = to.saturating_sub(from);
        if elapsed == 0 {
            return self.config.min_size;
        }
        // events per second / 200 = events * 1e9 / elapsed / 200
        let wanted = (after - before).saturating_mul(5_000_000) / elapsed;
        usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .clamp(self.config.min_size, self.config.max_size)
    }

    fn step_towards(&mut self, wanted: usize) {
        let next = (3 * self.target).saturating_add(wanted) / 4;
        self.target = next.clamp(self.config.min_size, self.config.max_size);
    }
}

/// Cuts the batches of one shard: decides when, and numbers their events without gaps.
///
/// The events stay in the shard until they are cut, where they can be counted and evicted.
#[derive(Debug)]
pub struct BatchWorker {
    batcher: AdaptiveBatcher,
    next_sequence: u64,
    process_nonce: u64,
    /// The number of accepted events that the batcher has counted.
    recorded: u64,
    /// Since when the shard was seen holding something, by the caller's clock.
    waiting_since: Option<u64>,
}

impl BatchWorker {
    /// A worker whose first event has sequence number 0.
    #[must_use]
    pub fn new(config: BatchConfig, process_nonce: u64) -> Self {
        Self {
            batcher: AdaptiveBatcher::new(config),
            next_sequence: 0,
            process_nonce,
            recorded: 0,
            waiting_since: None,
        }
    }

    /// Replaces the nonce that later batches carry.
    pub(crate) const fn set_process_nonce(&mut self, process_nonce: u64) {
        self.process_nonce = process_nonce;
    }

    /// The sequence number that the next event to leave will have.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The size at which a batch may leave.
    #[must_use]
    pub const fn target_batch_size(&self) -> usize {
        self.batcher.batch_size()
    }

    /// Cuts a batch if one may leave at `now` (in nanoseconds from any fixed point, not going
    /// back).
    pub fn poll(&mut self, shard: &mut Shard, now: u64) -> Option<Batch> {
        self.is_due(shard, now).then(|| self.flush(shard, now)).flatten()
    }

    /// Cuts a batch of the shard's events, without waiting for more.
    pub fn flush(&mut self, shard: &mut Shard, now: u64) -> Option<Batch> {
        self.cut(shard, now, usize::MAX, usize::MAX)
    }

    /// [`flush`](Self::flush) with bounds that may be lower than the configured ones. `now` may be
    /// the time of a poll long ago, so no event is taken to have waited since then.
    pub(crate) fn cut(
        &mut self,
        shard: &mut Shard,
        now: u64,
        max_len: usize,
        max_bytes: usize,
    ) -> Option<Batch> {
        if max_len == 0 {
            return None;
        }
        self.count_arrivals(shard, now);
        let max_len = max_len.min(self.batcher.config.max_size);
        let max_bytes = max_bytes.min(self.batcher.config.max_bytes);
        let parts = shard.take_body(max_len, max_bytes)?;
        let key = (shard.id, self.next_sequence, self.process_nonce);
        let batch = Batch::new(key, shard.format(), parts);
        self.next_sequence = self.next_sequence.saturating_add(batch.len() as u64);
        // The next look tells for the others.
        self.waiting_since = None;
        Some(batch)
    }

    /// The time at which a batch will be due even if nothing more arrives; `None` while nothing
    /// waits.
    pub fn deadline(&mut self, shard: &Shard, now: u64) -> Option<u64> {
        self.observe(shard, now);
        let rest = nanos(self.batcher.config.max_delay).saturating_sub(self.waited(shard, now));
        (!shard.is_empty()).then(|| now.saturating_add(rest))
    }

    /// Events, and bytes with one more for each, that may come before a batch can be due by its size:
    /// the target may fall meanwhile, but not below its minimum.
    pub(crate) fn leeway(&self, shard: &Shard) -> (usize, usize) {
        let config = &self.batcher.config;
        let len = if config.adaptive { config.min_size } else { config.max_size };
        let short_of = |limit: usize, now: usize| limit.saturating_sub(1).saturating_sub(now);
        (
            short_of(len.min(shard.high_water()), shard.len()),
            short_of(config.max_bytes, shard.body_len()),
        )
    }

    fn count_arrivals(&mut self, shard: &Shard, now: u64) {
        let accepted = shard.stats().events_ingested;
        if accepted > self.recorded {
            self.batcher.record((accepted - self.recorded) as usize, now);
            self.recorded = accepted;
        }
    }

    fn observe(&mut self, shard: &Shard, now: u64) {
        self.count_arrivals(shard, now);
        // The age by the wall clock now: from here on it may stand still.
        let since = now.saturating_sub(shard.oldest_age());
        let known = self.waiting_since.unwrap_or(since);
        self.waiting_since = (!shard.is_empty()).then_some(known.min(since));
    }

    /// Tells whether a batch may leave at `now`.
    pub(crate) fn is_due(&mut self, shard: &Shard, now: u64) -> bool {
        self.observe(shard, now);
        // A body that cannot grow any more need not wait, nor a shard that is about to fill up.
        !shard.is_empty()
            && (shard.len() >= self.batcher.batch_size().min(shard.high_water())
                || shard.body_len() >= self.batcher.config.max_bytes
                || self.waited(shard, now) >= nanos(self.batcher.config.max_delay))
    }

    /// The time for which the oldest event has waited. Its timestamp tells best, but the wall clock
    /// may stand still or go back; then the time since the shard was first seen holding an event
    /// does.
    fn waited(&self, shard: &Shard, now: u64) -> u64 {
        let seen = self.waiting_since.map_or(0, |since| now.saturating_sub(since));
        shard.oldest_age().max(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackpressureMode, Format};
    use crate::event::RawEvent;
    use crate::shard::ring_buffer::RingBuffer;
    use crate::shard::{ByteBudget, ShardStats};
    use crate::sync::Shared;
    use crate::{Clock, InternalEvent};
    use proptest::prelude::*;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    fn config(min_size: usize, max_size: usize) -> BatchConfig {
        BatchConfig { min_size, max_size, ..BatchConfig::default() }
    }

    fn adaptive(min_size: usize, max_size: usize) -> AdaptiveBatcher {
        AdaptiveBatcher::new(config(min_size, max_size))
    }

    /// Feeds `per_ms` events a millisecond and collects the target after each recalculation.
    fn targets(
        batcher: &mut AdaptiveBatcher,
        per_ms: usize,
        ms: std::ops::Range<u64>,
    ) -> Vec<usize> {
        let mut targets = vec![batcher.batch_size()];
        for t in ms {
            let target = batcher.record(per_ms, t * MS);
            if targets.last() != Some(&target) {
                targets.push(target);
            }
        }
        targets
    }

    #[test]
    fn the_target_approaches_what_arrives_in_5_ms() {
        let mut batcher = adaptive(1000, 10_000);
        let targets = targets(&mut batcher, 1000, 0..400);
        assert_eq!(
            targets[..9],
            [1000, 2000, 2750, 3312, 3734, 4050, 4287, 4465, 4598],
            "a million a second"
        );
        assert_eq!(targets.last(), Some(&4997), "the floor never reaches 5000 from below");
    }

    #[test]
    fn the_target_stays_within_its_bounds() {
        assert_eq!(targets(&mut adaptive(1000, 10_000), 3000, 0..900).last(), Some(&9997));
        assert_eq!(targets(&mut adaptive(1000, 10_000), 199, 0..400), [1000]);
        assert_eq!(targets(&mut adaptive(100, 2000), 1_000_000, 0..400).last(), Some(&1997));
    }

    #[test]
    fn without_adaptation_the_target_is_the_maximum() {
        let mut batcher = AdaptiveBatcher::new(BatchConfig { adaptive: false, ..config(10, 500) });
        assert_eq!(batcher.batch_size(), 500);
        assert_eq!(targets(&mut batcher, 1, 0..100), [500]);
    }

    #[test]
    fn the_target_decays_while_nothing_arrives() {
        let mut batcher = adaptive(1000, 10_000);
        targets(&mut batcher, 1000, 0..400);
        let busy = batcher.batch_size();
        let after_pause = batcher.record(1, 400 * MS + 300 * MS);
        assert!(after_pause < busy / 2 + 1000, "three windows: {after_pause}");
        assert_eq!(batcher.record(1, 60_000 * MS), 1000, "a minute");
    }

    #[test]
    fn a_frozen_clock_leaves_the_target_and_the_samples_alone() {
        let mut batcher = adaptive(100, 10_000);
        targets(&mut batcher, 1000, 0..200);
        let before = batcher.batch_size();
        for _ in 0..10_000 {
            assert_eq!(batcher.record(500, 200 * MS), before);
        }
        assert!(batcher.samples.len() - batcher.oldest <= 110);
    }

    fn worker(config: &BatchConfig) -> BatchWorker {
        BatchWorker::new(*config, 7)
    }

    fn shard_with(events: usize) -> Shard {
        let mut shard = Shard::with_parts(
            2,
            RingBuffer::new(1 << 14, Format::Ndjson, 4096),
            BackpressureMode::DropNewest,
            Clock::manual(0),
            Shared::new(ByteBudget::unlimited()),
        );
        push(&mut shard, events);
        shard
    }

    fn push(shard: &mut Shard, events: usize) {
        for i in 0..events {
            shard.try_push_raw(RawEvent::from_str(&format!("{i:04}"))).expect("there is room");
        }
    }

    #[test]
    fn a_batch_waits_for_its_size() {
        let mut worker = worker(&config(10, 100));
        let mut shard = shard_with(9);
        assert!(worker.poll(&mut shard, 0).is_none());
        push(&mut shard, 1);
        let batch = worker.poll(&mut shard, 0).expect("ten are enough");
        assert_eq!((batch.len(), batch.shard_id, batch.process_nonce), (10, 2, 7));
        assert_eq!(&batch.body()[..9], b"0000\n0001");
        assert_eq!(batch.id(), "0000000000000007-2-0");
        assert!(worker.poll(&mut shard, 0).is_none());
    }

    #[test]
    fn a_batch_does_not_wait_longer_than_max_delay() {
        let mut worker = worker(&config(10, 100));
        let mut shard = shard_with(1);
        assert_eq!(worker.deadline(&shard, 5 * MS), Some(1005 * MS));
        assert!(worker.poll(&mut shard, 1004 * MS).is_none());
        assert!(worker.poll(&mut shard, 1005 * MS).is_some(), "due with nothing new");
        assert_eq!(worker.deadline(&shard, 1005 * MS), None, "nothing waits");
    }

    #[test]
    fn what_a_cut_leaves_behind_keeps_its_age() {
        let clock = Clock::manual(0);
        let budget = Shared::new(ByteBudget::unlimited());
        let ring = RingBuffer::new(64, Format::Ndjson, 4096);
        let mut shard =
            Shard::with_parts(0, ring, BackpressureMode::DropNewest, clock.clone(), budget);
        let mut worker = worker(&config(2, 2));
        push(&mut shard, 3);
        clock.set(400 * MS);
        assert_eq!(worker.poll(&mut shard, 400 * MS).map(|b| b.len()), Some(2));
        let third_event = 3;
        assert_eq!(worker.deadline(&shard, 400 * MS), Some(1000 * MS + third_event));
    }

    #[test]
    fn a_wall_clock_that_stands_still_delays_nothing_for_ever() {
        let mut worker = worker(&config(10, 10));
        let mut shard = shard_with(1);
        for now in (0..1000).step_by(100) {
            assert!(worker.poll(&mut shard, now * MS).is_none());
        }
        assert!(worker.poll(&mut shard, 1000 * MS).is_some());
    }

    #[test]
    fn a_shard_in_its_last_quarter_does_not_wait_for_the_size() {
        let mut worker = worker(&config(100, 100));
        let mut shard = Shard::new(0, 16, BackpressureMode::DropNewest);
        push(&mut shard, 11);
        assert!(worker.poll(&mut shard, 0).is_none());
        push(&mut shard, 1);
        assert_eq!(worker.poll(&mut shard, 0).map(|b| b.len()), Some(12));
    }

    #[test]
    fn sequence_numbers_saturate() {
        let mut worker = worker(&config(1, 10));
        worker.next_sequence = u64::MAX - 1;
        let mut shard = shard_with(5);
        assert!(worker.poll(&mut shard, 0).is_some());
        assert_eq!(worker.next_sequence(), u64::MAX);
    }

    #[test]
    fn a_nonce_of_zero_becomes_one() {
        let mut worker = BatchWorker::new(config(1, 1), 0);
        let batch = worker.poll(&mut shard_with(1), 0).expect("one is enough");
        assert_eq!(batch.process_nonce, 1);
    }

    shardbus_seeds::properties! {
        256;

        /// For any arrivals and any cuts: both maxima hold, nothing is lost or doubled, order
        /// holds, and sequence numbers have no gap.
        #[test]
        fn batches_keep_both_maxima_order_and_a_gap_free_sequence(
            steps in proptest::collection::vec((0usize..400, 0u64..300, any::<bool>()), 1..40),
            max_size in 1usize..200,
            max_bytes in 6usize..1000,
            format in prop_oneof![Just(Format::Ndjson), Just(Format::Json)],
        ) {
            let config = BatchConfig {
                min_size: max_size.div_ceil(3),
                max_size,
                max_bytes,
                max_delay: Duration::from_millis(100),
                ..BatchConfig::default()
            };
            let mut worker = BatchWorker::new(config, 1);
            let mut shard = Shard::with_parts(
                0,
                RingBuffer::new(1 << 15, format, 4096),
                BackpressureMode::DropNewest,
                Clock::manual(0),
                Shared::new(ByteBudget::unlimited()),
            );
            let mut now = 0;
            let mut pushed = 0u64;
            let mut seen = Vec::new();
            for (count, pause, flush) in steps {
                for _ in 0..count {
                    shard.try_push_raw(RawEvent::from_str(&(pushed % 10_000).to_string()))
                        .expect("there is room");
                    pushed += 1;
                }
                now += pause * MS;
                while let Some(batch) =
                    if flush { worker.flush(&mut shard, now) } else { worker.poll(&mut shard, now) }
                {
                    prop_assert!(batch.len() <= max_size);
                    prop_assert!(batch.body().len() <= max_bytes);
                    prop_assert_eq!(batch.sequence_start, seen.len() as u64);
                    seen.extend(batch.events());
                }
            }
            while let Some(batch) = worker.flush(&mut shard, now) {
                seen.extend(batch.events());
            }
            prop_assert_eq!(seen.len() as u64, pushed);
            prop_assert_eq!(worker.next_sequence(), pushed);
            for (i, InternalEvent { raw, .. }) in (0u64..).zip(&seen) {
                let expected = (i % 10_000).to_string();
                prop_assert_eq!(&raw[..], expected.as_bytes());
            }
            prop_assert!(seen.windows(2).all(|w| w[0].insertion_ts < w[1].insertion_ts));
            let ShardStats { events_ingested, events_dropped, .. } = shard.stats();
            prop_assert_eq!((events_ingested, events_dropped), (pushed, 0));
        }
    }
}
