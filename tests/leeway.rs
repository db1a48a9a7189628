//! A host that polls only at the end of the leeway or of its wait sees the same as a host that polls
//! after each event.

mod common;

use common::{MS, ms};
use proptest::prelude::*;
use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, Failure, Lease, RetryPolicy,
};
use std::fmt::Debug;

/// Polls and answers, and keeps a log of all results.
struct Host {
    bus: EventBus,
    /// False for the host that polls after each event.
    uses_leeway: bool,
    now: u64,
    wake: u64,
    events: usize,
    bytes: usize,
    leases: Vec<Lease>,
    polls: u32,
    log: Vec<String>,
}

#[derive(Debug, Clone)]
enum Step {
    Ingest { len: usize, key: Option<u8> },
    Pass(u64),
    Acknowledge,
    Fail(Failure),
    Flush,
    EndFlush,
    Drain(usize),
    AwaitRoom(bool),
    ScaleUp,
}

impl Host {
    fn new(config: &BusConfig, uses_leeway: bool) -> Self {
        let bus = EventBus::new(*config, Clock::manual(0)).expect("it is valid");
        bus.seed(7);
        let (events, bytes, wake) = (0, 0, u64::MAX);
        let (leases, log) = (Vec::new(), Vec::new());
        Self { bus, uses_leeway, now: 0, wake, events, bytes, leases, polls: 0, log }
    }

    fn note(&mut self, what: impl Debug) {
        self.log.push(format!("{}: {what:?}", self.now));
    }

    fn poll(&mut self) {
        loop {
            self.polls += 1;
            (self.events, self.bytes, self.wake) = (0, 0, u64::MAX);
            match self.bus.poll(self.now) {
                Action::Send(lease) => {
                    self.note((lease.batch.id(), lease.attempt, lease.batch.body()));
                    self.leases.push(lease);
                }
                Action::Abandoned(abandoned) => {
                    self.note((abandoned.reason, abandoned.batch.id(), abandoned.batch.body()));
                }
                Action::WaitUntil(wake) => {
                    self.wake = wake;
                    if self.uses_leeway {
                        (self.events, self.bytes) = self.bus.leeway();
                    }
                    return;
                }
                Action::Idle => return,
                other => panic!("there is no store, and no task: {other:?}"),
            }
        }
    }

    fn pass(&mut self, nanos: u64) {
        let end = self.now + nanos;
        while self.wake <= end {
            self.set_time(self.wake.max(self.now));
            self.poll();
        }
        self.set_time(end);
    }

    fn set_time(&mut self, now: u64) {
        self.now = now;
        self.bus.clock().set(now);
    }

    fn ingest(&mut self, len: usize, key: Option<u8>) {
        let payload = vec![b'x'; len];
        let result = self.bus.ingest(&payload, key.as_ref().map(std::slice::from_ref));
        self.note(&result);
        let has_leeway = self.events > 0 && self.bytes > len && result.is_ok();
        if has_leeway {
            self.events -= 1;
            self.bytes -= len + 1;
        } else {
            self.poll();
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ingest { len, key } => return self.ingest(len, key),
            Step::Pass(time) => return self.pass(time),
            Step::Acknowledge | Step::Fail(_) if self.leases.is_empty() => return,
            Step::Acknowledge => {
                let lease = self.leases.remove(0);
                let live = self.bus.acknowledge(lease.id, self.now);
                self.note(live);
            }
            Step::Fail(failure) => {
                let lease = self.leases.remove(0);
                let live = self.bus.fail(lease.id, failure, self.now);
                self.note(live);
            }
            Step::Flush => {
                let flush = self.bus.begin_flush();
                self.note(self.bus.flush_report(flush));
            }
            Step::EndFlush => (0..100).for_each(|flush| self.bus.end_flush(flush)),
            Step::Drain(max) => {
                let drained = self.bus.drain(max);
                self.note(drained.map(|batch| (batch.id(), batch.body().clone())));
            }
            Step::AwaitRoom(awaited) => {
                self.bus.set_room_awaited(awaited);
                self.note(self.bus.is_ready());
            }
            Step::ScaleUp => {
                let ids = self.bus.scale_up(1).ok();
                self.note(ids);
            }
        }
        self.poll();
    }
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop_oneof![
        Just(Failure::Unavailable { retry_after: ms(0) }),
        Just(Failure::Refused { retry_after: ms(5) }),
        Just(Failure::Permanent),
        Just(Failure::Split),
    ];
    prop_oneof![
        40 => (1usize..60, proptest::option::weighted(0.3, b'a'..=b'f'))
            .prop_map(|(len, key)| Step::Ingest { len, key }),
        8 => prop_oneof![Just(0), Just(1), Just(MS), Just(20 * MS), Just(150 * MS), Just(700 * MS)]
            .prop_map(Step::Pass),
        6 => Just(Step::Acknowledge),
        3 => failure.prop_map(Step::Fail),
        1 => Just(Step::Flush),
        2 => Just(Step::EndFlush),
        1 => (0usize..500).prop_map(Step::Drain),
        1 => proptest::bool::weighted(0.3).prop_map(Step::AwaitRoom),
        1 => Just(Step::ScaleUp),
    ]
}

fn config() -> impl Strategy<Value = BusConfig> {
    let mode = prop_oneof![
        Just(BackpressureMode::DropNewest),
        Just(BackpressureMode::DropOldest),
        Just(BackpressureMode::FailProducer),
        (1u32..4).prop_map(|rate| BackpressureMode::Sample { rate }),
    ];
    let bounds = (prop_oneof![Just(8usize), Just(1024)], prop_oneof![Just(600u64), Just(1 << 20)]);
    let batch = (1usize..20, prop_oneof![Just(200usize), Just(1 << 16)]);
    let max_age = proptest::option::of(Just(ms(120)));
    (prop_oneof![Just(1u16), Just(3)], mode, bounds, batch, max_age).prop_map(
        |(shards, backpressure, (capacity, max_bytes), (max_size, max_batch_bytes), max_age)| {
            BusConfig {
                shards,
                backpressure,
                capacity,
                max_bytes,
                max_event_bytes: 100,
                batch: BatchConfig {
                    min_size: 1,
                    max_size,
                    max_bytes: max_batch_bytes,
                    max_delay: ms(100),
                    // Its rate is measured by polls.
                    adaptive: false,
                    ..BatchConfig::default()
                },
                retry: Some(RetryPolicy {
                    max_attempts: 3,
                    base_delay: ms(10),
                    max_delay: ms(40),
                    max_age,
                    ..RetryPolicy::default()
                }),
                timeout: ms(500),
                ..BusConfig::default()
            }
        },
    )
}

shardbus_seeds::properties! {
    512;

    #[test]
    fn a_host_that_uses_the_leeway_sees_no_difference(
        config in config(),
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mut hosts = [false, true].map(|uses_leeway| Host::new(&config, uses_leeway));
        for step in &steps {
            for host in &mut hosts {
                host.step(step);
                let stats = host.bus.stats();
                host.note(stats);
            }
            let [often, seldom] = &mut hosts;
            prop_assert_eq!(std::mem::take(&mut often.log), std::mem::take(&mut seldom.log));
        }
    }
}

#[test]
fn an_adaptive_batch_leaves_at_its_least_size() {
    let batch =
        BatchConfig { min_size: 10, max_size: 100, adaptive: true, ..BatchConfig::default() };
    let mut host = Host::new(&BusConfig { batch, ..BusConfig::default() }, true);
    for _ in 0..10 {
        host.ingest(10, None);
    }
    assert_eq!(host.leases.len(), 1, "the tenth event makes it due");
}

#[test]
fn a_batch_that_fills_up_needs_two_polls() {
    let batch = BatchConfig { min_size: 100, max_size: 100, ..BatchConfig::default() };
    let mut host = Host::new(&BusConfig { batch, ..BusConfig::default() }, true);
    for _ in 0..100 {
        host.ingest(10, None);
    }
    assert_eq!(host.leases.len(), 1, "the hundredth event makes it due");
    // The first event, the last one, and once more after the batch was handed out.
    assert_eq!(host.polls, 3);
}
