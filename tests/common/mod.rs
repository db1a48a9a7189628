//! Helpers of several integration tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use shardbus::{
    Action, BatchConfig, BusConfig, BusStats, Clock, EventBus, Lease, RawEvent, RetryPolicy,
};
use std::time::Duration;

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

/// Milliseconds as a duration.
pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A small bus configuration: batches of 2 to 4 events that wait for 100 ms at most, 3 attempts
/// with pauses from 10 to 40 ms, and a timeout of 500 ms.
pub fn small() -> BusConfig {
    BusConfig {
        capacity: 64,
        max_event_bytes: 1 << 10,
        batch: BatchConfig {
            min_size: 2,
            max_size: 4,
            max_delay: ms(100),
            adaptive: true,
            ..BatchConfig::default()
        },
        retry: Some(RetryPolicy {
            max_attempts: 3,
            base_delay: ms(10),
            max_delay: ms(40),
            ..RetryPolicy::default()
        }),
        timeout: ms(500),
        ..BusConfig::default()
    }
}

/// A bus whose wall clock stands at zero until it is set.
pub fn bus(config: BusConfig) -> EventBus {
    EventBus::new(config, Clock::manual(0)).expect("the test's configuration is valid")
}

/// A key whose events go to `shard` out of `shards`.
pub fn key_for(shard: u16, shards: u16) -> Vec<u8> {
    (0u32..)
        .map(|i| format!("key-{i}").into_bytes())
        .find(|key| shard_of(key, shards) == usize::from(shard))
        .expect("some key goes to each shard")
}

/// The shard out of `shards` for events that are routed by these bytes: the published formula,
/// written down a second time.
pub fn shard_of(bytes: &[u8], shards: u16) -> usize {
    let hash = RawEvent::from_bytes(bytes.to_vec()).hash();
    ((u128::from(hash) * u128::from(shards)) >> 64) as usize
}

/// Polls, expecting a batch to send.
#[track_caller]
pub fn expect_send(bus: &EventBus, now: u64) -> Lease {
    match bus.poll(now) {
        Action::Send(lease) => lease,
        other => panic!("expected a batch to send at {now}, got {other:?}"),
    }
}

/// Polls, expecting to be told to wait. Returns until when.
#[track_caller]
pub fn expect_wait(bus: &EventBus, now: u64) -> u64 {
    match bus.poll(now) {
        Action::WaitUntil(wake) => wake,
        other => panic!("expected to wait at {now}, got {other:?}"),
    }
}

/// Polls, expecting nothing to do.
#[track_caller]
pub fn expect_idle(bus: &EventBus, now: u64) {
    match bus.poll(now) {
        Action::Idle => {}
        other => panic!("expected nothing to do at {now}, got {other:?}"),
    }
}

/// The payloads of a batch as text.
pub fn texts(batch: &shardbus::Batch) -> Vec<String> {
    batch.events().map(|event| String::from_utf8_lossy(&event.raw).into_owned()).collect()
}

/// Every event offered is in exactly one place.
#[track_caller]
pub fn assert_accounts(stats: &BusStats) {
    let rejected = &stats.rejected;
    assert_eq!(
        stats.offered,
        stats.accepted
            + rejected.full
            + rejected.sampled
            + rejected.unrouted
            + rejected.oversize
            + rejected.invalid
            + rejected.closed,
        "offered = accepted + rejected: {stats:?}"
    );
    let abandoned = &stats.abandoned;
    assert_eq!(
        stats.accepted,
        stats.delivered
            + stats.evicted
            + abandoned.retries
            + abandoned.permanent
            + abandoned.expired
            + abandoned.shutdown
            + stats.drained
            + stats.pending
            + stats.in_flight,
        "accepted = delivered + evicted + abandoned + drained + pending + in_flight: {stats:?}"
    );
}
