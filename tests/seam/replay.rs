//! The library behaves the same with threads and without: the same random operations on both
//! builds give the same results, the same batches and the same counters.

use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Debug, Clone, Copy)]
enum Mode {
    DropNewest,
    DropOldest,
    FailProducer,
    Sample(u32),
}

#[derive(Debug, Clone)]
enum ManagerOp {
    IngestRaw(Vec<u8>),
    IngestHashed(u64),
    IngestValue(i64),
    IngestBatch(u8),
    Select(u64),
    Pop {
        shard: u16,
        max: usize,
    },
    /// Look at everything while this shard is held.
    Hold {
        shard: u16,
    },
    SetClock(u64),
    /// With a set of shards that can change: by the manager, and by its mapper.
    Add,
    Activate(u16),
    Drain(u16),
    Remove(u16),
    CollectMetrics,
    MapperUp(u16),
    MapperDown(u16),
    MapperFinalize,
}

#[derive(Debug, Clone)]
enum BusOp {
    Ingest { payload: Vec<u8>, key: Option<u8> },
    Poll,
    Acknowledge(Index),
    Retry { which: Index, after_ms: u64 },
    Unavailable { which: Index, after_ms: u64 },
    Settle { which: Index, outcomes: Vec<(usize, Ending)> },
    Probe,
    GiveUp(Index),
    Split(Index),
    Expire(Index),
    Exit { max_bytes: usize, newest: bool },
    Stage,
    Recall,
    Release(Index),
    Forget,
    BeginRestore,
    Restore { which: Index, flip: Option<Index> },
    EndRestore,
    Pass { ms: u64 },
    SetClock(u64),
    Drain { max_bytes: usize },
    BeginFlush,
    EndFlush(Index),
    ScaleUp(u16),
    ScaleDown(u16),
    ShardFor(u8),
    AbandonEverything,
    NextAbandoned,
    Close,
}

#[derive(Debug, Clone)]
struct Settings {
    shards: u16,
    capacity: usize,
    max_bytes: u64,
    mode: Mode,
    json: bool,
    manual: bool,
    scaling: bool,
    attempts: u32,
    ages: bool,
    nonce: u64,
}

/// Outcomes of single events, for either build.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Delivered,
    Unavailable,
    Refused,
    Permanent,
    Split,
}

/// A module that replays operations on one build and writes down everything that can be seen.
macro_rules! replayer {
    ($name:ident, $build:ident) => {
        mod $name {
            use super::{BusOp, Ending, ManagerOp, Mode, Settings};
            use std::time::Duration;
            use $build::{
                Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, ExitOrder, Failure,
                Format, Outcome, RawEvent, RetryPolicy, ScalingPolicy, Scheduler, ShardManager,
            };

            impl From<Mode> for BackpressureMode {
                fn from(mode: Mode) -> Self {
                    match mode {
                        Mode::DropNewest => Self::DropNewest,
                        Mode::DropOldest => Self::DropOldest,
                        Mode::FailProducer => Self::FailProducer,
                        Mode::Sample(rate) => Self::Sample { rate },
                    }
                }
            }

            /// The type behind `Shared`, which is where the two builds differ for all to see.
            pub fn shared() -> &'static str {
                std::any::type_name::<$build::Shared<u8>>()
            }

            fn look(manager: &ShardManager) -> String {
                let shards = manager.shard_ids().into_iter().map(|id| {
                    manager.with_shard(id, |shard| {
                        (shard.len(), shard.bytes(), shard.is_full(), shard.stats())
                    })
                });
                format!(
                    "{:?} {:?} {} {} {} {:?}",
                    manager.stats(),
                    shards.collect::<Vec<_>>(),
                    manager.all_shards_empty(),
                    manager.total_pending_in_rings(),
                    manager.num_shards(),
                    manager.mapper().map(|mapper| mapper.all_shard_ids()),
                )
            }

            pub fn manager(
                (shards, changing): (u16, bool),
                capacity: usize,
                mode: Mode,
                ops: &[ManagerOp],
            ) -> Vec<String> {
                let clock = Clock::manual(0);
                let policy = ScalingPolicy {
                    max_shards: 6,
                    cooldown: Duration::from_nanos(20),
                    ..ScalingPolicy::default()
                };
                let manager = if changing {
                    let (mode, clock) = (mode.into(), clock.clone());
                    ShardManager::with_mapper_and_clock(shards, capacity, mode, policy, clock)
                        .expect("the policy is valid")
                } else {
                    ShardManager::with_clock(shards, capacity, mode.into(), clock.clone())
                };
                let mut trace = Vec::new();
                for op in ops {
                    let result = match op {
                        ManagerOp::IngestRaw(bytes) => {
                            let event = RawEvent::from_bytes(bytes.clone());
                            format!("{:?}", manager.ingest_raw(event))
                        }
                        ManagerOp::IngestHashed(hash) => {
                            let event = RawEvent::from_bytes_with_hash("{}", *hash);
                            format!("{:?}", manager.ingest_raw(event))
                        }
                        ManagerOp::IngestValue(number) => {
                            let value = serde_json::json!({ "b": number, "a": [number] });
                            format!("{:?}", manager.ingest(value))
                        }
                        ManagerOp::IngestBatch(count) => {
                            let event = |i| RawEvent::from_str(&format!("{i}"));
                            format!("{:?}", manager.ingest_raw_batch((0..*count).map(event).collect()))
                        }
                        ManagerOp::Select(hash) => {
                            manager.select_shard_by_hash(*hash).to_string()
                        }
                        ManagerOp::Pop { shard, max } => {
                            let popped = manager.with_shard(*shard, |shard| shard.pop_batch(*max));
                            let payloads = popped.iter().flatten().map(|event| event.raw.clone());
                            format!("{popped:?} {:?}", payloads.collect::<Vec<_>>())
                        }
                        ManagerOp::Hold { shard } => {
                            let shard = manager.shard(*shard);
                            let guard = shard.as_ref().map(|shard| shard.lock());
                            let total = manager.try_total_pending_in_rings();
                            let again = shard.as_ref().map(|shard| shard.try_lock().is_some());
                            drop(guard);
                            format!("{total:?} {again:?}")
                        }
                        ManagerOp::SetClock(now) => {
                            clock.set(*now);
                            clock.now().to_string()
                        }
                        ManagerOp::Add => format!("{:?}", manager.add_shard()),
                        ManagerOp::Activate(id) => format!("{:?}", manager.activate_shard(*id)),
                        ManagerOp::Drain(id) => format!("{:?}", manager.drain_shard(*id)),
                        ManagerOp::Remove(id) => format!("{:?}", manager.remove_shard(*id)),
                        ManagerOp::CollectMetrics => format!("{:?}", manager.collect_metrics()),
                        ManagerOp::MapperUp(count) => {
                            format!("{:?}", manager.mapper().map(|mapper| mapper.scale_up(*count)))
                        }
                        ManagerOp::MapperDown(count) => {
                            format!("{:?}", manager.mapper().map(|mapper| mapper.scale_down(*count)))
                        }
                        ManagerOp::MapperFinalize => {
                            let stopped = manager.mapper().map(|mapper| mapper.finalize_draining());
                            let gone = manager.mapper().map(|mapper| mapper.remove_stopped_shards());
                            format!("{stopped:?} {gone:?}")
                        }
                    };
                    trace.push(format!("{op:?}: {result}, then {}", look(&manager)));
                }
                trace
            }

            fn config(settings: &Settings) -> BusConfig {
                BusConfig {
                    shards: settings.shards,
                    capacity: settings.capacity,
                    max_bytes: settings.max_bytes,
                    max_event_bytes: 16,
                    max_key_bytes: 1 << 10,
                    routing_seed: 0,
                    backpressure: settings.mode.into(),
                    format: if settings.json { Format::Json } else { Format::Ndjson },
                    scheduler: if settings.manual { Scheduler::Manual } else { Scheduler::Auto },
                    batch: BatchConfig {
                        min_size: 2,
                        max_size: 5,
                        max_bytes: 40,
                        max_delay: Duration::from_millis(50),
                        ..BatchConfig::default()
                    },
                    retry: Some(RetryPolicy {
                        max_attempts: settings.attempts,
                        base_delay: Duration::from_millis(10),
                        max_delay: Duration::from_millis(30),
                        max_age: settings.ages.then(|| Duration::from_millis(150)),
                        ..RetryPolicy::default()
                    }),
                    scaling: settings.scaling.then(|| ScalingPolicy {
                        min_shards: 1,
                        max_shards: 6,
                        cooldown: Duration::from_millis(20),
                        scale_down_delay: Duration::from_millis(40),
                        metrics_window: Duration::from_millis(10),
                        ..ScalingPolicy::default()
                    }),
                    has_store: settings.nonce % 2 == 1,
                    max_store_bytes: settings.nonce % 4 * 100,
                    timeout: Duration::from_millis(100),
                }
            }

            fn outcome(&(len, ending): &(usize, Ending)) -> (usize, Outcome) {
                let retry_after = Duration::from_millis(5);
                let outcome = match ending {
                    Ending::Delivered => Outcome::Delivered,
                    Ending::Unavailable => Outcome::Failed(Failure::Unavailable { retry_after }),
                    Ending::Refused => Outcome::Failed(Failure::Refused { retry_after }),
                    Ending::Permanent => Outcome::Failed(Failure::Permanent),
                    Ending::Split => Outcome::Failed(Failure::Split),
                };
                (len, outcome)
            }

            pub fn bus(settings: &Settings, ops: &[BusOp]) -> Vec<String> {
                let bus = EventBus::new(config(settings), Clock::manual(0)).expect("valid");
                bus.seed(settings.nonce);
                let mut now = 0;
                let mut leases = Vec::new();
                let mut flushes = Vec::new();
                // The host's copies of staged batches and of drained ones.
                let mut staged = Vec::new();
                let mut copies = Vec::new();
                let mut trace = Vec::new();
                for op in ops {
                    // Some lease ever handed out, or one that never was.
                    let lease = |which: &super::Index| match &leases[..] {
                        [] => 7,
                        leases => *which.get(leases),
                    };
                    let result = match op {
                        BusOp::Ingest { payload, key } => {
                            let key = key.map(|key| [key]);
                            let key = key.as_ref().map(|key| &key[..]);
                            format!("{:?}", bus.ingest(payload, key))
                        }
                        BusOp::Poll => {
                            let action = bus.poll(now);
                            let body = match &action {
                                Action::Send(lease) => {
                                    leases.push(lease.id);
                                    Some(lease.batch.body().clone())
                                }
                                Action::Abandoned(abandoned) => {
                                    Some(abandoned.batch.body().clone())
                                }
                                _ => None,
                            };
                            format!("{action:?} {body:?}")
                        }
                        BusOp::Acknowledge(which) => bus.acknowledge(lease(which), now).to_string(),
                        BusOp::Retry { which, after_ms } => {
                            let retry_after = Duration::from_millis(*after_ms);
                            let failure = Failure::Refused { retry_after };
                            bus.fail(lease(which), failure, now).to_string()
                        }
                        BusOp::Unavailable { which, after_ms } => {
                            let retry_after = Duration::from_millis(*after_ms);
                            let failure = Failure::Unavailable { retry_after };
                            bus.fail(lease(which), failure, now).to_string()
                        }
                        BusOp::Probe => {
                            bus.probe();
                            String::new()
                        }
                        BusOp::Settle { which, outcomes } => {
                            let outcomes: Vec<_> = outcomes.iter().map(outcome).collect();
                            bus.settle(lease(which), &outcomes, now).to_string()
                        }
                        BusOp::GiveUp(which) => {
                            bus.fail(lease(which), Failure::Permanent, now).to_string()
                        }
                        BusOp::Split(which) => {
                            bus.fail(lease(which), Failure::Split, now).to_string()
                        }
                        BusOp::Expire(which) => bus.expire(lease(which), now).to_string(),
                        BusOp::Exit { max_bytes, newest } => {
                            let order = if *newest { ExitOrder::Newest } else { ExitOrder::Oldest };
                            let lease = bus.poll_exit(now, *max_bytes, order);
                            leases.extend(lease.iter().map(|lease| lease.id));
                            let body = lease.as_ref().map(|lease| lease.batch.body().clone());
                            format!("{lease:?} {body:?}")
                        }
                        BusOp::Stage => {
                            staged = bus.stage(now);
                            copies.extend(staged.iter().map(|batch| batch.encode()));
                            format!("{staged:?}")
                        }
                        BusOp::Recall => {
                            bus.recall();
                            String::new()
                        }
                        BusOp::Release(which) => {
                            let batch = (!staged.is_empty()).then(|| which.index(staged.len()));
                            format!("{:?}", batch.map(|nth| bus.release(&staged[nth])))
                        }
                        BusOp::Forget => {
                            staged.clear();
                            String::new()
                        }
                        BusOp::BeginRestore => {
                            bus.begin_restore();
                            format!("{} {}", bus.wants_restored(), bus.is_restoring())
                        }
                        BusOp::Restore { which, flip } => {
                            let mut bytes = match &copies[..] {
                                [] => b"no copy".to_vec(),
                                copies => which.get(copies).clone(),
                            };
                            if let Some(at) = flip {
                                let at = at.index(bytes.len());
                                bytes[at] ^= 1;
                            }
                            let restored = bus.restore(&bytes);
                            let body = restored.as_ref().map(|batch| batch.body().clone());
                            format!("{bytes:?} {restored:?} {body:?}")
                        }
                        BusOp::EndRestore => {
                            bus.end_restore();
                            bus.is_restoring().to_string()
                        }
                        BusOp::Pass { ms } => {
                            now += ms * 1_000_000;
                            now.to_string()
                        }
                        BusOp::SetClock(wall) => {
                            bus.clock().set(*wall);
                            bus.clock().now().to_string()
                        }
                        BusOp::Drain { max_bytes } => {
                            let batch = bus.drain(*max_bytes);
                            copies.extend(batch.as_ref().map(|batch| batch.encode()));
                            let body = batch.as_ref().map(|batch| batch.body().clone());
                            format!("{batch:?} {body:?}")
                        }
                        BusOp::BeginFlush => {
                            let flush = bus.begin_flush();
                            flushes.push(flush);
                            flush.to_string()
                        }
                        BusOp::EndFlush(which) => {
                            if !flushes.is_empty() {
                                bus.end_flush(flushes.swap_remove(which.index(flushes.len())));
                            }
                            String::new()
                        }
                        BusOp::ScaleUp(count) => format!("{:?}", bus.scale_up(*count)),
                        BusOp::ScaleDown(count) => format!("{:?}", bus.scale_down(*count)),
                        BusOp::ShardFor(key) => bus.shard_for(&[*key]).to_string(),
                        BusOp::AbandonEverything => {
                            bus.abandon_everything();
                            String::new()
                        }
                        BusOp::NextAbandoned => {
                            let abandoned = bus.next_abandoned();
                            let body = abandoned.as_ref().map(|abandoned| abandoned.batch.body());
                            format!("{abandoned:?} {body:?}")
                        }
                        BusOp::Close => {
                            bus.close();
                            bus.is_closed().to_string()
                        }
                    };
                    let reports: Vec<_> =
                        flushes.iter().map(|&flush| bus.flush_report(flush)).collect();
                    trace.push(format!(
                        "{op:?}: {result}, then {:?} {reports:?} {:?} {} {}",
                        bus.stats(),
                        bus.room(),
                        bus.is_ready(),
                        bus.lost(),
                    ));
                }
                trace
            }
        }
    };
}

replayer!(threaded, shardbus_threaded);
replayer!(single_threaded, shardbus_single_threaded);

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::DropNewest),
        Just(Mode::DropOldest),
        Just(Mode::FailProducer),
        (1u32..4).prop_map(Mode::Sample),
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![9 => b'0'..=b'9', 1 => Just(b'\n')], 0..18)
}

fn manager_ops() -> impl Strategy<Value = Vec<ManagerOp>> {
    let op = prop_oneof![
        4 => payloads().prop_map(ManagerOp::IngestRaw),
        4 => any::<u64>().prop_map(ManagerOp::IngestHashed),
        2 => any::<i64>().prop_map(ManagerOp::IngestValue),
        2 => (0u8..12).prop_map(ManagerOp::IngestBatch),
        1 => any::<u64>().prop_map(ManagerOp::Select),
        2 => (0u16..5, 0usize..6).prop_map(|(shard, max)| ManagerOp::Pop { shard, max }),
        1 => (0u16..5).prop_map(|shard| ManagerOp::Hold { shard }),
        1 => (0u64..100).prop_map(ManagerOp::SetClock),
    ];
    let op = prop_oneof![3 => op, 1 => topology_ops()];
    proptest::collection::vec(op, 1..80)
}

/// Ids and counts that are sometimes too high.
fn topology_ops() -> impl Strategy<Value = ManagerOp> {
    prop_oneof![
        Just(ManagerOp::Add),
        (0u16..8).prop_map(ManagerOp::Activate),
        (0u16..8).prop_map(ManagerOp::Drain),
        (0u16..8).prop_map(ManagerOp::Remove),
        Just(ManagerOp::CollectMetrics),
        (0u16..4).prop_map(ManagerOp::MapperUp),
        (0u16..4).prop_map(ManagerOp::MapperDown),
        Just(ManagerOp::MapperFinalize),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let manual = proptest::bool::weighted(0.3);
    let flags = (any::<bool>(), manual, any::<bool>(), proptest::bool::weighted(0.2));
    (1u16..5, 1u32..4, 16u64..160, modes(), flags, 1u32..4, any::<u64>()).prop_map(
        |(
            shards,
            log_capacity,
            max_bytes,
            mode,
            (json, manual, scaling, ages),
            attempts,
            nonce,
        )| {
            Settings {
                shards,
                capacity: 1 << log_capacity,
                max_bytes,
                mode,
                json,
                manual,
                scaling,
                attempts,
                ages,
                nonce,
            }
        },
    )
}

fn bus_ops() -> impl Strategy<Value = Vec<BusOp>> {
    let ingest = (payloads(), proptest::option::of(any::<u8>()));
    let op = prop_oneof![
        12 => ingest.prop_map(|(payload, key)| BusOp::Ingest { payload, key }),
        8 => Just(BusOp::Poll),
        3 => any::<Index>().prop_map(BusOp::Acknowledge),
        3 => (any::<Index>(), 0u64..40).prop_map(|(which, after_ms)| {
            BusOp::Retry { which, after_ms }
        }),
        3 => (any::<Index>(), 0u64..40).prop_map(|(which, after_ms)| {
            BusOp::Unavailable { which, after_ms }
        }),
        2 => (any::<Index>(), outcomes()).prop_map(|(which, outcomes)| {
            BusOp::Settle { which, outcomes }
        }),
        1 => Just(BusOp::Probe),
        2 => Just(BusOp::NextAbandoned),
        1 => any::<Index>().prop_map(BusOp::GiveUp),
        1 => any::<Index>().prop_map(BusOp::Split),
        3 => prop_oneof![0u64..60, Just(1_200)].prop_map(|ms| BusOp::Pass { ms }),
        1 => (0u64..100_000_000).prop_map(BusOp::SetClock),
        1 => (0usize..50).prop_map(|max_bytes| BusOp::Drain { max_bytes }),
        2 => Just(BusOp::BeginFlush),
        1 => any::<Index>().prop_map(BusOp::EndFlush),
        1 => (0u16..4).prop_map(BusOp::ScaleUp),
        1 => (0u16..4).prop_map(BusOp::ScaleDown),
        1 => any::<u8>().prop_map(BusOp::ShardFor),
        1 => prop_oneof![9 => Just(BusOp::AbandonEverything), 1 => Just(BusOp::Close)],
    ];
    let op = prop_oneof![3 => op, 1 => ending_ops()];
    proptest::collection::vec(op, 1..100)
}

/// Not always as many as the batch has events, which changes nothing then.
fn outcomes() -> impl Strategy<Value = Vec<(usize, Ending)>> {
    let ending = prop_oneof![
        3 => Just(Ending::Delivered),
        1 => Just(Ending::Unavailable),
        1 => Just(Ending::Refused),
        1 => Just(Ending::Permanent),
        1 => Just(Ending::Split),
    ];
    proptest::collection::vec((0usize..3, ending), 0..4)
}

/// The actions of a host that is about to end, or begins anew.
fn ending_ops() -> impl Strategy<Value = BusOp> {
    let flip = proptest::option::weighted(0.1, any::<Index>());
    prop_oneof![
        2 => any::<Index>().prop_map(BusOp::Expire),
        4 => (0usize..60, any::<bool>()).prop_map(|(max_bytes, newest)| {
            BusOp::Exit { max_bytes, newest }
        }),
        2 => Just(BusOp::Stage),
        1 => Just(BusOp::Recall),
        2 => any::<Index>().prop_map(BusOp::Release),
        2 => Just(BusOp::Forget),
        2 => Just(BusOp::BeginRestore),
        4 => (any::<Index>(), flip).prop_map(|(which, flip)| BusOp::Restore { which, flip }),
        1 => Just(BusOp::EndRestore),
    ]
}

#[test]
fn the_two_builds_are_not_the_same() {
    assert_eq!(threaded::shared(), "alloc::sync::Arc<u8>");
    assert_eq!(single_threaded::shared(), "alloc::rc::Rc<u8>");
}

shardbus_seeds::properties! {
    400;

    #[test]
    fn a_manager_behaves_the_same_in_both_builds(
        shards in (0u16..5, any::<bool>()),
        log_capacity in 1u32..5,
        mode in modes(),
        ops in manager_ops(),
    ) {
        let capacity = 1 << log_capacity;
        let with_threads = threaded::manager(shards, capacity, mode, &ops);
        let without = single_threaded::manager(shards, capacity, mode, &ops);
        prop_assert_eq!(with_threads, without);
    }

    #[test]
    fn a_bus_behaves_the_same_in_both_builds(settings in settings(), ops in bus_ops()) {
        let with_threads = threaded::bus(&settings, &ops);
        let without = single_threaded::bus(&settings, &ops);
        prop_assert_eq!(with_threads, without);
    }
}
