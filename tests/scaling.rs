//! Dynamic scaling: how shards come and go, and that neither loses, moves nor overtakes an event.

use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, IngestionError, RawEvent,
    ScalingDecision, ScalingError, ScalingPolicy, ShardManager, ShardMetricsCollector, ShardState,
    Shared,
};
use std::collections::BTreeMap;
use std::time::Duration;

const MS: u64 = 1_000_000;

fn policy() -> ScalingPolicy {
    ScalingPolicy { min_shards: 1, max_shards: 8, ..ScalingPolicy::default() }
}

/// A manager whose set of shards can change, and its clock.
fn dynamic(num_shards: u16) -> (ShardManager, Clock) {
    let clock = Clock::manual(1_000 * MS);
    let mode = BackpressureMode::DropOldest;
    let manager =
        ShardManager::with_mapper_and_clock(num_shards, 1024, mode, policy(), clock.clone());
    (manager.expect("the policy is valid"), clock)
}

fn numbered(i: u32) -> RawEvent {
    RawEvent::from_str(&format!("{{\"i\":{i}}}"))
}

/// The distribution of 10,000 events.
fn spread(manager: &ShardManager) -> BTreeMap<u16, u32> {
    let mut counts = BTreeMap::new();
    for i in 0..10_000 {
        let (shard, _) = manager.ingest_raw(numbered(i)).expect("evicts when full");
        *counts.entry(shard).or_default() += 1;
    }
    counts
}

mod routing {
    use super::*;

    #[test]
    fn a_fresh_dynamic_manager_routes_as_a_static_one() {
        let (manager, _) = dynamic(4);
        let fixed = ShardManager::new(4, 1024, BackpressureMode::DropOldest);
        for i in 0..10_000 {
            let hash = numbered(i).hash();
            assert_eq!(manager.select_shard_by_hash(hash), fixed.select_shard_by_hash(hash));
        }
        assert_eq!(spread(&manager), BTreeMap::from([(0, 2514), (1, 2521), (2, 2482), (3, 2483)]));
    }

    #[test]
    fn a_draining_shard_is_left_out_and_the_others_share_its_events() {
        let (manager, _) = dynamic(4);
        manager.drain_shard(1).expect("three others are active");
        for (hash, shard) in
            [(0xd040_2d42_6e40_48f7, 3), (0x6454_40fa_d178_4d4a, 2), (0x521e_b1ba_05eb_1622, 0)]
        {
            assert_eq!(manager.select_shard_by_hash(hash), shard);
        }
        assert_eq!(spread(&manager), BTreeMap::from([(0, 3343), (2, 3333), (3, 3324)]));
    }

    #[test]
    fn without_shards_nothing_is_routed() {
        let (manager, _) = dynamic(0);
        assert_eq!(manager.select_shard_by_hash(7), u16::MAX);
        assert!(matches!(manager.ingest_raw(numbered(1)), Err(IngestionError::Unrouted)));
        assert_eq!(manager.ingest_raw_batch(vec![numbered(2), numbered(3)]), (0, 2));
        assert_eq!(manager.stats().events_unrouted, 3);
    }

    #[test]
    fn nothing_falls_back_to_a_draining_shard() {
        let (manager, _) = dynamic(2);
        manager.drain_shard(1).expect("another is active");
        manager.remove_shard(0).expect("any shard can go");
        assert_eq!(manager.select_shard_by_hash(7), u16::MAX);
        assert!(matches!(manager.ingest_raw(numbered(1)), Err(IngestionError::Unrouted)));
        assert_eq!(manager.shard_ids(), [1]);
    }

    #[test]
    fn load_never_moves_a_keyed_event() {
        let (manager, _) = dynamic(4);
        let keyed = |i: u32| RawEvent::from_bytes_with_hash(format!("{i}"), 0x521e_b1ba_05eb_1622);
        for i in 0..900 {
            manager.ingest_raw(keyed(i)).expect("there is room");
        }
        manager.collect_metrics();
        for i in 0..100 {
            assert_eq!(manager.ingest_raw(keyed(i)).expect("there is room").0, 1);
        }
    }

    #[test]
    fn load_spreads_unkeyed_events_over_the_others_and_does_not_pile_them_up() {
        let (manager, _) = dynamic(4);
        let full = |shard| {
            manager.with_shard(shard, |shard| {
                while shard.fill_ratio() < 0.9 {
                    shard.try_push_raw(numbered(0)).expect("there is room");
                }
            })
        };
        full(1);
        manager.collect_metrics();
        let counts = spread(&manager);
        assert_eq!(counts.keys().collect::<Vec<_>>(), [&0, &2, &3]);
        assert!(counts.values().all(|count| (3200..3500).contains(count)), "{counts:?}");

        // Observing must not steer by itself: a window without load spreads over all again.
        for id in 0..4 {
            manager.with_shard(id, |shard| shard.pop_batch(usize::MAX));
        }
        manager.collect_metrics();
        assert_eq!(spread(&manager).len(), 4);
    }
}

mod states {
    use super::*;

    #[test]
    fn a_new_shard_takes_nothing_until_it_is_activated() {
        let (manager, _) = dynamic(2);
        let id = manager.add_shard().expect("there is room");
        assert_eq!((id, manager.num_shards()), (2, 2));
        assert!(!spread(&manager).contains_key(&id));
        manager.activate_shard(id).expect("it is provisioning");
        assert_eq!(manager.num_shards(), 3);
        assert!(spread(&manager).contains_key(&id));
    }

    #[test]
    fn activating_twice_counts_once() {
        let (manager, _) = dynamic(2);
        let id = manager.add_shard().expect("there is room");
        for _ in 0..3 {
            manager.activate_shard(id).expect("it is provisioning or active");
        }
        assert_eq!(manager.num_shards(), 3);
    }

    #[test]
    fn adding_waits_for_the_cooldown_unless_it_is_forced() {
        let (manager, clock) = dynamic(1);
        assert_eq!(manager.add_shard(), Ok(1));
        assert_eq!(manager.add_shard(), Err(ScalingError::InCooldown));
        assert_eq!(manager.add_shard_force(), Ok(2));
        clock.set(clock.now() + 1000 * MS);
        assert_eq!(manager.add_shard(), Ok(3));
    }

    #[test]
    fn removing_a_shard_that_was_never_activated_counts_nothing() {
        let (manager, _) = dynamic(2);
        let id = manager.add_shard().expect("there is room");
        assert_eq!(manager.remove_shard(id), Ok(vec![]));
        assert_eq!(manager.num_shards(), 2);
        assert_eq!(manager.remove_shard(id), Ok(vec![]), "it is gone");
    }

    #[test]
    fn removing_returns_stranded_events_in_order_with_their_shard() {
        let (manager, _) = dynamic(2);
        manager.with_shard(1, |shard| {
            for i in 0..50 {
                shard.try_push_raw(numbered(i)).expect("there is room");
            }
        });
        manager.drain_shard(1).expect("another is active");
        let stranded = manager.remove_shard(1).expect("it is draining");
        assert!(stranded.iter().all(|event| event.shard_id == 1));
        let expected: Vec<_> = (0..50).map(|i| numbered(i).bytes()).collect();
        assert_eq!(
            stranded.iter().map(|event| &event.raw).collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
        assert_eq!((manager.num_shards(), manager.shard_ids()), (1, vec![0]));
        assert!(manager.mapper().expect("dynamic").shard_state(1).is_none());
    }

    #[test]
    fn removing_an_active_shard_takes_it_out_of_selection_in_the_same_step() {
        let (manager, _) = dynamic(3);
        spread(&manager);
        let stranded = manager.remove_shard(1).expect("any shard can go");
        assert_eq!(stranded.len(), 1023, "a full ring");
        let counts = spread(&manager);
        assert_eq!(counts.values().sum::<u32>(), 10_000, "nothing is unrouted");
        assert_eq!(counts.keys().collect::<Vec<_>>(), [&0, &2]);
    }

    #[test]
    fn ids_are_never_used_again() {
        let (manager, _) = dynamic(2);
        for expected in 2..20 {
            let id = manager.add_shard_force().expect("there is room");
            assert_eq!(id, expected);
            manager.activate_shard(id).expect("it is provisioning");
            manager.remove_shard(id).expect("any shard can go");
        }
    }

    #[test]
    fn counters_never_go_down_when_a_shard_goes() {
        let (manager, _) = dynamic(4);
        spread(&manager);
        let before = manager.stats();
        manager.remove_shard(2).expect("any shard can go");
        assert_eq!(manager.stats(), before);
        spread(&manager);
        assert_eq!(manager.stats().events_ingested, 20_000);
    }

    #[test]
    fn a_late_push_does_not_keep_a_shard_draining() {
        let (manager, _) = dynamic(2);
        let shard = manager.shard(1).expect("it exists");
        manager.drain_shard(1).expect("another is active");
        shard.lock().try_push_raw(numbered(0)).expect("a handle outlives routing");
        let mapper = manager.mapper().expect("dynamic");
        assert!(mapper.finalize_draining().is_empty());
        assert_eq!(shard.lock().pop_batch(9).len(), 1);
        assert_eq!(mapper.finalize_draining(), [1]);
        assert_eq!(mapper.shard_state(1), Some(ShardState::Stopped));
    }

    #[test]
    fn a_static_manager_has_no_operations() {
        let manager = ShardManager::new(2, 16, BackpressureMode::DropNewest);
        let off = |result: Result<(), ScalingError>| {
            matches!(result, Err(ScalingError::InvalidPolicy(_)))
        };
        assert!(off(manager.add_shard().map(drop)));
        assert!(off(manager.activate_shard(0)));
        assert!(off(manager.drain_shard(0)));
        assert!(off(manager.remove_shard(0).map(drop)));
        assert!(manager.collect_metrics().is_none());
        assert_eq!(manager.evaluate_scaling(), ScalingDecision::None);
    }

    #[test]
    fn a_shard_with_metrics_reports_its_state() {
        let collector = Shared::new(ShardMetricsCollector::new(0, 16));
        let mut shard = shardbus::Shard::with_metrics(
            0,
            16,
            BackpressureMode::DropOldest,
            Shared::clone(&collector),
        );
        for i in 0..4 {
            shard.try_push_raw(numbered(i)).expect("there is room");
        }
        let metrics = collector.collect_and_reset();
        assert_eq!((metrics.event_rate, metrics.fill_ratio), (4, 0.25));
        shard.pop_batch(2);
        let metrics = collector.collect_and_reset();
        assert_eq!((metrics.event_rate, metrics.fill_ratio), (0, 0.125));
    }
}

mod bus {
    use super::*;

    fn bus(shards: u16, policy: ScalingPolicy) -> (EventBus, Clock) {
        let clock = Clock::manual(1_000 * MS);
        let config = BusConfig {
            shards,
            capacity: 64,
            batch: BatchConfig { min_size: 8, max_size: 8, ..BatchConfig::default() },
            scaling: Some(policy),
            ..BusConfig::default()
        };
        let bus = EventBus::new(config, clock.clone()).expect("the configuration is valid");
        bus.seed(1);
        (bus, clock)
    }

    fn poll(bus: &EventBus, clock: &Clock) -> Action {
        bus.poll(clock.now())
    }

    /// Delivers everything that may leave now. Returns the events by shard.
    fn deliver(bus: &EventBus, clock: &Clock) -> BTreeMap<u16, Vec<String>> {
        let mut delivered = BTreeMap::<_, Vec<_>>::new();
        let mut next_sequence = BTreeMap::new();
        while let Action::Send(lease) = poll(bus, clock) {
            let (shard, start) = (lease.batch.shard_id, lease.batch.sequence_start);
            let next = next_sequence.insert(shard, start + lease.batch.len() as u64);
            assert_eq!(next.unwrap_or(start), start, "gap-free");
            let of_shard = delivered.entry(shard).or_default();
            of_shard
                .extend(lease.batch.events().map(|e| String::from_utf8_lossy(&e.raw).into_owned()));
            assert!(bus.acknowledge(lease.id, clock.now()));
        }
        delivered
    }

    fn active(bus: &EventBus) -> Vec<u16> {
        let shards = bus.stats().shards;
        shards.iter().filter(|s| s.state == ShardState::Active).map(|s| s.id).collect()
    }

    #[test]
    fn an_overload_adds_as_many_shards_as_were_decided_at_once() {
        let (bus, clock) = bus(4, policy());
        clock.set(clock.now() + 200 * MS);
        for i in 0..2000 {
            bus.ingest(format!("{i}").as_bytes(), None).expect("evicts when full");
        }
        let _ = poll(&bus, &clock);
        assert_eq!(active(&bus), [0, 1, 2, 3, 4, 5], "four overloaded shards ask for two more");
    }

    #[test]
    fn slow_deliveries_add_a_shard() {
        let (bus, clock) = bus(1, policy());
        for i in 0..8 {
            bus.ingest(format!("{i}").as_bytes(), None).expect("there is room");
        }
        let Action::Send(lease) = poll(&bus, &clock) else { panic!("eight events are a batch") };
        clock.set(clock.now() + 1_500 * MS);
        assert!(bus.acknowledge(lease.id, clock.now()));
        let _ = poll(&bus, &clock);
        assert_eq!(active(&bus), [0, 1]);
    }

    #[test]
    fn idle_shards_go_after_the_delay_and_not_below_the_minimum() {
        let (bus, clock) = bus(4, ScalingPolicy { min_shards: 2, ..policy() });
        for _ in 0..300 {
            clock.set(clock.now() + 200 * MS);
            let _ = poll(&bus, &clock);
        }
        assert_eq!(active(&bus).len(), 2);
        assert_eq!(bus.stats().shards.len(), 2, "drained shards are removed");
    }

    #[test]
    fn draining_delivers_the_leftovers_in_order_and_then_removes_the_shard() {
        let (bus, clock) = bus(2, policy());
        for i in 0..5 {
            // Shard 1 by the published vectors.
            bus.ingest(format!("{i}").as_bytes(), Some(b"{\"test\":1}")).expect("there is room");
        }
        let drained = if bus.stats().shards[1].pending == 5 { 1 } else { 0 };
        // The emptier shard goes first; the other is the last and must stay.
        assert_eq!(bus.scale_down(1), Ok(vec![1 - drained]));
        assert_eq!(bus.scale_down(1), Err(ScalingError::AtMinShards));
        let ids = bus.scale_up(1).expect("there is room");
        assert_eq!(ids, [2]);
        let delivered = deliver(&bus, &clock);
        assert_eq!(delivered[&drained], ["0", "1", "2", "3", "4"]);
    }

    #[test]
    fn leftovers_do_not_wait_for_size_or_time() {
        let (bus, clock) = bus(3, policy());
        for i in 0..9 {
            bus.ingest(format!("{i}").as_bytes(), None).expect("there is room");
        }
        assert!(deliver(&bus, &clock).is_empty(), "no shard has a batch's worth");
        let going = bus.scale_down(2).expect("one must stay");
        let held: u64 =
            bus.stats().shards.iter().filter(|s| going.contains(&s.id)).map(|s| s.pending).sum();
        assert!(held > 0);
        let delivered = deliver(&bus, &clock);
        assert_eq!(delivered.values().map(Vec::len).sum::<usize>() as u64, held);
        assert!(delivered.keys().all(|id| going.contains(id)));
        assert_eq!(bus.stats().shards.len(), 1);
        assert_eq!(bus.stats().accepted, 9, "counters stay when shards go");
    }

    #[test]
    fn asking_for_more_or_fewer_than_allowed_says_so() {
        let (bus, _) = bus(1, policy());
        assert_eq!(bus.scale_up(8), Err(ScalingError::AtMaxShards));
        assert_eq!(bus.scale_up(7).map(|ids| ids.len()), Ok(7));
        assert_eq!(bus.scale_down(100).map(|ids| ids.len()), Ok(7));
        assert_eq!(bus.scale_down(1), Err(ScalingError::AtMinShards));
        assert_eq!(bus.scale_up(0), Ok(vec![]));

        let fixed = EventBus::new(BusConfig::default(), Clock::manual(0)).expect("valid");
        assert!(matches!(fixed.scale_up(1), Err(ScalingError::InvalidPolicy(_))));
    }

    #[test]
    fn nothing_is_scaled_by_itself_while_that_is_off() {
        let (bus, clock) = bus(1, ScalingPolicy { auto_scale: false, ..policy() });
        for round in 0..50 {
            for i in 0..200 {
                bus.ingest(format!("{round}-{i}").as_bytes(), None).expect("evicts when full");
            }
            clock.set(clock.now() + 500 * MS);
            let _ = poll(&bus, &clock);
        }
        assert_eq!(active(&bus), [0]);
    }

    #[test]
    fn events_after_a_change_wait_for_earlier_ones() {
        let (bus, clock) = bus(1, policy());
        for i in 0..3 {
            bus.ingest(format!("old{i}").as_bytes(), Some(b"k")).expect("there is room");
        }
        bus.scale_up(3).expect("there is room");
        for i in 0..40 {
            let key = format!("key{i}");
            bus.ingest(format!("new{i}").as_bytes(), Some(key.as_bytes())).expect("room");
        }
        let Action::Send(lease) = poll(&bus, &clock) else { panic!("the old events go at once") };
        assert_eq!(&lease.batch.body()[..], b"old0\nold1\nold2", "and nothing newer with them");
        assert!(!matches!(poll(&bus, &clock), Action::Send(_)), "the new ones wait");
        assert!(bus.acknowledge(lease.id, clock.now()));
        clock.set(clock.now() + 2_000 * MS);
        let delivered = deliver(&bus, &clock).into_values().map(|v| v.len()).sum::<usize>();
        assert_eq!(delivered, 40);
    }

    #[test]
    fn without_keys_a_change_makes_nobody_wait() {
        let (bus, clock) = bus(1, policy());
        bus.ingest(b"\"old\"", None).expect("there is room");
        bus.scale_up(3).expect("there is room");
        for i in 0..200 {
            bus.ingest(format!("{i}").as_bytes(), None).expect("there is room");
        }
        let mut shards = Vec::new();
        while let Action::Send(lease) = poll(&bus, &clock) {
            shards.push(lease.batch.shard_id);
        }
        shards.sort_unstable();
        assert_eq!(shards, [0, 1, 2, 3]);
    }

    #[test]
    fn the_policy_is_checked_with_the_configuration() {
        for (shards, policy, field) in [
            (1, ScalingPolicy { min_shards: 0, ..policy() }, "scaling.min_shards"),
            (1, ScalingPolicy { min_shards: 2, ..policy() }, "shards"),
            (9, policy(), "shards"),
            (1, ScalingPolicy { cooldown: Duration::ZERO, ..policy() }, "scaling.cooldown"),
        ] {
            let config = BusConfig { shards, scaling: Some(policy), ..BusConfig::default() };
            let error =
                EventBus::new(config, Clock::manual(0)).map(drop).map_err(|e| e.rule.parts().0);
            assert_eq!(error, Err(field));
        }
    }
}

/// The promise about keys, by simulation: when the first attempt of an event's batch begins, all
/// earlier events with its key have been settled, whatever was added or drained in between.
mod key_order {
    use super::*;
    use fastrand::Rng;
    use shardbus::{Failure, Lease};
    use std::collections::HashMap;

    const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

    struct Simulation {
        rng: Rng,
        bus: EventBus,
        clock: Clock,
        leases: Vec<Lease>,
        /// Per key, how many events were accepted, and which came last in a first attempt.
        accepted: HashMap<String, u32>,
        sent: HashMap<String, u32>,
        /// Events in flight, by key.
        in_flight: HashMap<String, Vec<u32>>,
    }

    impl Simulation {
        fn new(seed: u64) -> Self {
            let mut rng = Rng::with_seed(seed);
            let clock = Clock::manual(0);
            let backpressure = if rng.bool() {
                BackpressureMode::DropOldest
            } else {
                BackpressureMode::DropNewest
            };
            let config = BusConfig {
                shards: rng.u16(1..=4),
                capacity: 1 << rng.u32(2..8),
                max_bytes: rng.u64(200..4000),
                max_event_bytes: 100,
                backpressure,
                batch: BatchConfig {
                    min_size: 2,
                    max_size: rng.usize(2..20),
                    max_delay: Duration::from_millis(5),
                    ..BatchConfig::default()
                },
                scaling: Some(ScalingPolicy {
                    cooldown: Duration::from_millis(3),
                    scale_down_delay: Duration::from_millis(20),
                    metrics_window: Duration::from_millis(2),
                    ..policy()
                }),
                ..BusConfig::default()
            };
            let bus = EventBus::new(config, clock.clone()).expect("the configuration is valid");
            bus.seed(seed);
            Self {
                rng,
                bus,
                clock,
                leases: Vec::new(),
                accepted: HashMap::new(),
                sent: HashMap::new(),
                in_flight: HashMap::new(),
            }
        }

        fn step(&mut self) {
            match self.rng.u32(0..100) {
                0..50 => self.ingest(),
                50..75 => self.poll(),
                75..88 => self.answer(),
                88..93 => {
                    let _ = self.bus.scale_up(self.rng.u16(1..3));
                }
                93..98 => {
                    let _ = self.bus.scale_down(self.rng.u16(1..3));
                }
                _ => self.clock.set(self.clock.now() + self.rng.u64(0..10) * MS),
            }
            let stats = self.bus.stats();
            let left = stats.delivered
                + stats.evicted
                + stats.abandoned.retries
                + stats.abandoned.permanent
                + stats.pending
                + stats.in_flight;
            assert_eq!(stats.accepted, left);
            assert!(stats.bytes.held <= self.bus.config().max_bytes);
        }

        fn ingest(&mut self) {
            let key = KEYS[self.rng.usize(..KEYS.len())];
            let count = self.accepted.entry(key.to_owned()).or_default();
            let payload = format!("{{\"{key}\":{count}}}");
            if self.bus.ingest(payload.as_bytes(), Some(key.as_bytes())).is_ok() {
                *count += 1;
            }
        }

        fn poll(&mut self) {
            let action = self.bus.poll(self.clock.now());
            let (batch, is_first) = match &action {
                Action::Send(lease) => (&lease.batch, lease.attempt == 1),
                Action::Abandoned(abandoned) => (&abandoned.batch, false),
                _ => return,
            };
            for event in batch.events() {
                let value = event.parse().expect("events are JSON");
                let (key, index) = value.as_object().and_then(|o| o.iter().next()).expect("one");
                let index = index.as_u64().expect("a number") as u32;
                if is_first {
                    assert!(
                        self.in_flight.get(key).is_none_or(|earlier| {
                            earlier.iter().all(|&i| {
                                batch.events().any(|e| e.raw == format!("{{\"{key}\":{i}}}"))
                            })
                        }),
                        "{key}{index} is sent while an earlier event is in flight elsewhere"
                    );
                    let last = self.sent.insert(key.clone(), index);
                    assert!(last.is_none_or(|last| last < index), "{key}{index} after {last:?}");
                    self.in_flight.entry(key.clone()).or_default().push(index);
                }
            }
            match action {
                Action::Send(lease) => self.leases.push(lease),
                Action::Abandoned(abandoned) => self.settle(&abandoned.batch),
                _ => {}
            }
        }

        fn answer(&mut self) {
            if self.leases.is_empty() {
                return;
            }
            let lease = self.leases.swap_remove(self.rng.usize(..self.leases.len()));
            let now = self.clock.now();
            match self.rng.u32(0..10) {
                0 => assert!(self.bus.fail(lease.id, Failure::Permanent, now)),
                1..4 => {
                    let retry_after = Duration::from_millis(self.rng.u64(0..4));
                    assert!(self.bus.fail(lease.id, Failure::Refused { retry_after }, now));
                }
                _ => {
                    assert!(self.bus.acknowledge(lease.id, now));
                    self.settle(&lease.batch);
                }
            }
        }

        fn settle(&mut self, batch: &shardbus::Batch) {
            for event in batch.events() {
                let value = event.parse().expect("events are JSON");
                let (key, index) = value.as_object().and_then(|o| o.iter().next()).expect("one");
                let index = index.as_u64().expect("a number") as u32;
                self.in_flight.entry(key.clone()).or_default().retain(|&i| i != index);
            }
        }
    }

    #[test]
    fn holds_whatever_shards_come_and_go() {
        let fresh = shardbus_seeds::fresh();
        println!("{}={fresh}", shardbus_seeds::VARIABLE);
        for seed in (0..750).chain(fresh..fresh + 750) {
            let mut simulation = Simulation::new(seed);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for _ in 0..300 {
                    simulation.step();
                }
            }));
            if let Err(panic) = result {
                eprintln!("seed {seed} fails");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
