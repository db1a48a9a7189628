//! Backpressure: each mode at the bound on slots and at the bound on bytes, on a `ShardManager` and
//! on an `EventBus`.

mod common;

use common::{assert_accounts, bus, expect_send, key_for, small, texts};
use shardbus::{
    Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, Format, IngestionError,
    ManagerStats, RawEvent, Rejected, ShardManager,
};

use BackpressureMode::{DropNewest, DropOldest, FailProducer, Sample};

/// One shard of capacity 4, which holds 3.
fn manager(mode: BackpressureMode) -> ShardManager {
    ShardManager::with_clock(1, 4, mode, Clock::manual(0))
}

fn numbered(i: usize) -> RawEvent {
    RawEvent::from_str(&format!(r#"{{"i":{i}}}"#))
}

/// Takes everything out of shard `id` and returns the numbers of the events.
fn numbers(manager: &ShardManager, id: u16) -> Vec<u64> {
    let events = manager.with_shard(id, |shard| shard.pop_batch(usize::MAX));
    let number = |event: &shardbus::InternalEvent| event.parse().expect("JSON")["i"].as_u64();
    events.expect("the shard exists").iter().filter_map(number).collect()
}

#[test]
fn drop_newest_and_fail_producer_reject_events_that_do_not_fit() {
    for mode in [DropNewest, FailProducer] {
        let manager = manager(mode);
        assert_eq!(manager.backpressure_mode(), mode);
        for i in 0..3 {
            assert_eq!(manager.ingest_raw(numbered(i)).map(|(shard, _)| shard).ok(), Some(0));
        }
        for i in 3..6 {
            assert!(matches!(manager.ingest_raw(numbered(i)), Err(IngestionError::Backpressure)));
        }
        let stats = manager.stats();
        assert_eq!((stats.events_ingested, stats.events_dropped, stats.events_full), (3, 3, 3));
        assert_eq!(numbers(&manager, 0), [0, 1, 2], "the buffer is as it was");
        assert!(manager.ingest_raw(numbered(6)).is_ok(), "there is room again");
    }
}

#[test]
fn drop_oldest_accepts_everything_and_counts_one_drop_an_eviction() {
    let manager = manager(DropOldest);
    for i in 0..5 {
        assert!(manager.ingest_raw(numbered(i)).is_ok());
    }
    let stats = manager.stats();
    assert_eq!((stats.events_ingested, stats.events_dropped, stats.events_evicted), (5, 2, 2));
    assert_eq!(numbers(&manager, 0), [2, 3, 4]);
}

#[test]
fn drop_oldest_keeps_the_newest_over_many_cycles() {
    let manager = manager(DropOldest);
    for cycle in 0..50 {
        for i in 0..7 {
            assert!(manager.ingest_raw(numbered(10 * cycle + i)).is_ok());
            assert!(manager.total_pending_in_rings() <= 3);
        }
        let last = 10 * cycle as u64 + 6;
        assert_eq!(numbers(&manager, 0), [last - 2, last - 1, last]);
        assert!(manager.all_shards_empty());
    }
    let stats = manager.stats();
    assert_eq!((stats.events_ingested, stats.events_dropped), (350, 200));
}

#[test]
fn sample_fills_a_tiny_shard_and_samples_from_then_on() {
    let manager = manager(Sample { rate: 2 });
    for i in 0..3 {
        assert!(manager.ingest_raw(numbered(i)).is_ok());
    }
    for i in 3..20 {
        assert!(matches!(manager.ingest_raw(numbered(i)), Err(IngestionError::Sampled)));
    }
    let stats = manager.stats();
    assert_eq!((stats.events_ingested, stats.events_dropped, stats.events_sampled), (3, 17, 17));
    assert_eq!(numbers(&manager, 0), [0, 1, 2]);
    assert!(manager.ingest_raw(numbered(20)).is_ok(), "there is room again");
}

#[test]
fn sample_admits_one_arrival_in_rate_in_the_last_quarter() {
    // 63 usable slots, of which 63 / 4 = 15 are the last quarter.
    let manager = ShardManager::new(1, 64, Sample { rate: 10 });
    let accepted: Vec<_> =
        (0..48 + 15 * 10 + 25).filter(|&i| manager.ingest_raw(numbered(i)).is_ok()).collect();
    assert!(accepted[..48].iter().copied().eq(0..48), "everything before the last quarter");
    assert!(accepted[48..].iter().copied().eq((57..).step_by(10).take(15)), "then every tenth");
    assert_eq!(manager.stats().events_sampled, 15 * 9 + 25);
}

#[test]
fn a_batch_counts_its_evictions_as_accepted_and_as_dropped() {
    let manager = manager(DropOldest);
    assert_eq!(manager.ingest_raw_batch((0..10).map(numbered).collect()), (10, 0));
    let stats = manager.stats();
    assert_eq!((stats.events_ingested, stats.events_dropped), (10, 7));
    assert_eq!(numbers(&manager, 0), [7, 8, 9]);
}

#[test]
fn a_batch_that_does_not_fit_is_accepted_in_part() {
    for (mode, refused) in
        [(DropNewest, (7, 0)), (FailProducer, (7, 0)), (Sample { rate: 3 }, (0, 7))]
    {
        let manager = manager(mode);
        assert_eq!(manager.ingest_raw_batch((0..10).map(numbered).collect()), (3, 0));
        let stats = manager.stats();
        assert_eq!((stats.events_ingested, stats.events_dropped), (3, 7));
        assert_eq!((stats.events_full, stats.events_sampled), refused);
        assert_eq!(numbers(&manager, 0), [0, 1, 2]);
    }
}

#[test]
fn an_empty_batch_touches_nothing() {
    for shards in [0, 1, 4] {
        let manager = ShardManager::new(shards, 4, DropOldest);
        assert_eq!(manager.ingest_raw_batch(Vec::new()), (0, 0));
        assert_eq!(manager.stats(), ManagerStats::default());
        assert!(manager.all_shards_empty());
    }
}

#[test]
fn a_batch_is_routed_event_by_event_and_keeps_its_order_in_each_shard() {
    let manager = ShardManager::new(4, 256, DropNewest);
    let events: Vec<_> = (0..400).map(numbered).collect();
    let mut expected = [const { Vec::new() }; 4];
    for (i, event) in (0..).zip(&events) {
        expected[usize::from(manager.select_shard_by_hash(event.hash()))].push(i);
    }
    assert_eq!(manager.ingest_raw_batch(events), (400, 0));
    for (id, expected) in (0..).zip(expected) {
        assert_eq!(numbers(&manager, id), expected);
    }
}

#[test]
fn a_full_shard_does_not_keep_others_from_accepting() {
    let manager = ShardManager::new(2, 4, DropNewest);
    let low = || RawEvent::from_bytes_with_hash("{}", 0);
    let high = || RawEvent::from_bytes_with_hash("{}", u64::MAX);
    assert_eq!(manager.ingest_raw_batch((0..9).map(|_| low()).collect()), (3, 0));
    assert_eq!(manager.ingest_raw(high()).map(|(shard, _)| shard).ok(), Some(1));
    let full = |id| manager.with_shard(id, |shard| shard.is_full());
    assert_eq!((full(0), full(1), full(2)), (Some(true), Some(false), None));
}

#[test]
fn counting_without_waiting_skips_held_shards() {
    let manager = ShardManager::new(3, 8, DropNewest);
    for (hash, count) in [(0, 1), (1 << 63, 2), (u64::MAX, 4)] {
        for _ in 0..count {
            manager.ingest_raw(RawEvent::from_bytes_with_hash("{}", hash)).expect("there is room");
        }
    }
    assert_eq!(manager.try_total_pending_in_rings(), (7, 0));
    let (first, last) = (manager.shard(0), manager.shard(2));
    let first_guard = first.as_ref().map(shardbus::ShardRef::lock);
    assert_eq!(manager.try_total_pending_in_rings(), (6, 1));
    let last_guard = last.as_ref().map(shardbus::ShardRef::lock);
    assert_eq!(manager.try_total_pending_in_rings(), (2, 2));
    drop((first_guard, last_guard));
    assert_eq!(manager.try_total_pending_in_rings(), (7, 0));
    assert_eq!(manager.total_pending_in_rings(), 7);
}

#[cfg(feature = "single-threaded")]
#[test]
fn an_event_for_a_shard_that_the_caller_holds_is_refused_and_counted() {
    let manager = manager(DropOldest);
    let shard = manager.shard(0).expect("the shard exists");
    let guard = shard.lock();
    assert!(matches!(manager.ingest_raw(numbered(0)), Err(IngestionError::Backpressure)));
    assert_eq!(manager.ingest_raw_batch(vec![numbered(1), numbered(2)]), (0, 0));
    drop(guard);
    assert!(manager.ingest_raw(numbered(3)).is_ok());
    let stats = manager.stats();
    assert_eq!((stats.events_ingested, stats.events_full, stats.events_dropped), (1, 3, 3));
}

#[test]
fn timestamps_follow_the_clock_and_rise_while_it_does_not() {
    let clock = Clock::manual(1_000);
    let manager = ShardManager::with_clock(1, 64, DropOldest, clock.clone());
    let mut stamps = Vec::new();
    for now in [1_000, 1_000, 500, 5_000, 5_000, 0] {
        clock.set(now);
        stamps.extend(manager.ingest_raw(numbered(0)).map(|(_, timestamp)| timestamp));
    }
    assert_eq!(stamps, [1_000, 1_001, 1_002, 5_000, 5_001, 5_002]);
}

/// One shard of capacity 4 that nothing leaves before a flush.
fn full_bus(mode: BackpressureMode) -> EventBus {
    bus(BusConfig {
        capacity: 4,
        backpressure: mode,
        scheduler: shardbus::Scheduler::Manual,
        batch: BatchConfig { max_size: 8, ..small().batch },
        ..small()
    })
}

#[test]
fn a_bus_counts_ten_events_for_three_slots_in_each_mode() {
    let refused = |full, sampled| Rejected { full, sampled, ..Rejected::default() };
    for (mode, rejected, evicted, kept) in [
        (DropNewest, refused(7, 0), 0, ["0", "1", "2"]),
        (FailProducer, refused(7, 0), 0, ["0", "1", "2"]),
        (Sample { rate: 5 }, refused(0, 7), 0, ["0", "1", "2"]),
        (DropOldest, refused(0, 0), 7, ["7", "8", "9"]),
    ] {
        let bus = full_bus(mode);
        for i in 0..10 {
            // The reason is in the counters.
            drop(bus.ingest(i.to_string().as_bytes(), None));
        }
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.offered, stats.rejected, stats.evicted), (10, rejected, evicted));
        assert_eq!(
            bus.drain(usize::MAX).map(|batch| texts(&batch)),
            Some(kept.map(str::to_owned).to_vec())
        );
    }
}

#[test]
fn a_batch_in_flight_occupies_no_slot() {
    let bus = full_bus(DropNewest);
    for i in 0..3 {
        assert!(bus.ingest(i.to_string().as_bytes(), None).is_ok());
    }
    assert!(matches!(bus.ingest(b"3", None), Err(IngestionError::Backpressure)));
    let _flush = bus.begin_flush();
    let lease = expect_send(&bus, 0);
    assert_eq!(lease.batch.len(), 3);
    assert!(bus.ingest(b"4", None).is_ok());
    let stats = bus.stats();
    assert_accounts(&stats);
    assert_eq!((stats.in_flight, stats.pending), (3, 1));
}

/// A bus that holds at most 20 bytes, of which one event may have 10.
fn twenty_bytes(shards: u16, mode: BackpressureMode) -> EventBus {
    bus(BusConfig { shards, max_bytes: 20, max_event_bytes: 10, backpressure: mode, ..small() })
}

#[test]
fn bytes_in_flight_and_bytes_waiting_are_bounded_together() {
    for mode in [DropNewest, FailProducer] {
        let bus = twenty_bytes(1, mode);
        assert!(bus.ingest(b"12345678", None).is_ok());
        assert!(bus.ingest(b"12345678", None).is_ok());
        assert!(matches!(bus.ingest(b"12345", None), Err(IngestionError::Backpressure)));
        let lease = expect_send(&bus, 0);
        assert_eq!(bus.stats().bytes.held, 16);
        assert!(matches!(bus.ingest(b"12345", None), Err(IngestionError::Backpressure)));
        assert!(bus.ingest(b"1234", None).is_ok());

        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(bus.stats().bytes.held, 20, "the host still has the batch");
        drop(lease);
        assert_eq!(bus.stats().bytes.held, 4);
        assert!(bus.ingest(b"0123456789", None).is_ok());
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.accepted, stats.rejected.full, stats.bytes.held), (4, 2, 14));
        assert_eq!(stats.bytes.delivered, 17, "with the separator");
    }
}

#[test]
fn sample_rejects_events_that_do_not_fit_by_bytes() {
    let bus = twenty_bytes(1, Sample { rate: 1 });
    assert!(bus.ingest(b"0123456789", None).is_ok());
    assert!(bus.ingest(b"012345678", None).is_ok());
    assert!(matches!(bus.ingest(b"01", None), Err(IngestionError::Sampled)));
    assert!(bus.ingest(b"0", None).is_ok());
    assert_eq!(bus.stats().rejected.sampled, 1);
}

#[test]
fn drop_oldest_evicts_until_the_bytes_fit() {
    let bus = twenty_bytes(1, DropOldest);
    for payload in [&b"aaaaaa"[..], b"bbbbbb", b"cccccc", b"dddddddddd"] {
        assert!(bus.ingest(payload, None).is_ok());
    }
    let stats = bus.stats();
    assert_accounts(&stats);
    assert_eq!((stats.evicted, stats.bytes.held), (2, 16));
    assert_eq!(
        bus.drain(usize::MAX).map(|batch| texts(&batch)),
        Some(vec!["cccccc".to_owned(), "dddddddddd".to_owned()])
    );
}

#[test]
fn drop_oldest_takes_bytes_from_the_shard_that_holds_most_once_its_own_is_empty() {
    let bus = twenty_bytes(3, DropOldest);
    let keys = [0, 1, 2].map(|shard| key_for(shard, 3));
    let ingest = |shard: usize, payload: &[u8]| bus.ingest(payload, Some(&keys[shard]));
    for (shard, payload) in [(0, b"aaaa"), (1, b"bbbb"), (1, b"cccc"), (0, b"dddd"), (2, b"eeee")] {
        assert!(ingest(shard, payload).is_ok());
    }
    assert!(ingest(1, b"ff").is_ok(), "evicts its own oldest, b");
    assert_eq!(bus.stats().evicted, 1);
    // Held: a, d; c, ff; e. First e goes, then a, and d and ff and c stay.
    assert!(ingest(2, b"gggggggg").is_ok());
    let stats = bus.stats();
    assert_accounts(&stats);
    let per_shard: Vec<_> = stats.shards.iter().map(|shard| shard.evicted).collect();
    assert_eq!((stats.evicted, per_shard), (3, vec![1, 1, 1]));
    assert_eq!(stats.bytes.held, 18);
    assert_eq!(stats.rejected.full, 0);
}

#[test]
fn a_batch_in_flight_is_never_evicted() {
    let bus = twenty_bytes(1, DropOldest);
    assert!(bus.ingest(b"aaaaaaaa", None).is_ok());
    assert!(bus.ingest(b"bbbbbbbb", None).is_ok());
    let lease = expect_send(&bus, 0);
    assert!(bus.ingest(b"c", None).is_ok());
    assert!(
        matches!(bus.ingest(b"12345", None), Err(IngestionError::Backpressure)),
        "evicting c would not help"
    );
    let stats = bus.stats();
    assert_accounts(&stats);
    assert_eq!((stats.evicted, stats.rejected.full, stats.pending), (0, 1, 1));
    assert!(bus.ingest(b"1234", None).is_ok(), "evicting c helps");
    assert_eq!(bus.stats().evicted, 1);
    assert_eq!(texts(&lease.batch), ["aaaaaaaa", "bbbbbbbb"]);
    assert!(bus.acknowledge(lease.id, 0));
}

#[test]
fn an_event_over_its_maximum_is_refused_and_moves_nothing() {
    for mode in [DropNewest, FailProducer, DropOldest, Sample { rate: 1 }] {
        let bus = twenty_bytes(1, mode);
        assert!(bus.ingest(b"0123456789", None).is_ok(), "as large as allowed");
        assert!(matches!(
            bus.ingest(b"0123456789a", None),
            Err(IngestionError::Oversize { len: 11, max: 10 })
        ));
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.pending, stats.evicted, stats.rejected.oversize), (1, 0, 1));
    }
}

#[test]
fn a_payload_that_would_break_the_body_is_refused() {
    for format in [Format::Ndjson, Format::Json] {
        let bus = bus(BusConfig { format, ..small() });
        assert!(matches!(bus.ingest(b"", None), Err(IngestionError::Invalid)));
        let two_lines = bus.ingest(b"{\n}", None);
        let breaks = format == Format::Ndjson;
        assert_eq!(matches!(two_lines, Err(IngestionError::Invalid)), breaks);
        assert_eq!(two_lines.is_err(), breaks);
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!(stats.rejected.invalid, 1 + u64::from(breaks));
    }
}

#[test]
fn rejections_by_the_host_are_counted_with_the_rest() {
    let bus = bus(small());
    bus.refuse_invalid();
    bus.refuse_oversize();
    let stats = bus.stats();
    assert_accounts(&stats);
    assert_eq!((stats.offered, stats.rejected.invalid, stats.rejected.oversize), (2, 1, 1));
}

#[test]
fn a_closed_bus_refuses_everything_for_that_reason() {
    let bus = bus(small());
    assert!(bus.ingest(b"before", None).is_ok());
    bus.close();
    bus.close();
    assert!(bus.is_closed());
    let oversize = vec![b'x'; bus.config().max_event_bytes + 1];
    for payload in [&b"after"[..], b"", b"\n", &oversize] {
        assert!(matches!(bus.ingest(payload, None), Err(IngestionError::ShuttingDown)));
    }
    let stats = bus.stats();
    assert_accounts(&stats);
    assert_eq!(stats.rejected, Rejected { closed: 4, ..Rejected::default() });
    assert_eq!((bus.room().0, bus.is_ready()), (0, false));
    assert_eq!(stats.pending, 1, "what was accepted stays");
}

#[test]
fn room_counts_down_to_nothing() {
    for mode in [DropNewest, FailProducer, DropOldest] {
        let bus = full_bus(mode);
        let bytes = bus.config().max_bytes;
        for i in 0..3 {
            assert_eq!(bus.room(), (3 - i, bytes - 2 * i as u64));
            assert!(bus.ingest(b"{}", None).is_ok());
        }
        assert_eq!(bus.room(), (0, bytes - 6));
        assert!(!bus.is_ready());
        drop(bus.drain(usize::MAX));
        assert_eq!(bus.room(), (3, bytes));
        assert!(bus.is_ready());
    }
}

#[test]
fn room_ends_where_sampling_starts() {
    // 15 usable slots, of which 15 / 4 = 3 are the last quarter.
    let bus = bus(BusConfig { capacity: 16, backpressure: Sample { rate: 9 }, ..small() });
    for i in 0..12 {
        assert_eq!((bus.room().0, bus.is_ready()), (12 - i, true));
        assert!(bus.ingest(b"{}", None).is_ok());
    }
    assert_eq!((bus.room().0, bus.is_ready()), (0, false));
}

#[test]
fn a_bus_is_ready_while_its_largest_event_fits() {
    let bus = twenty_bytes(1, DropNewest);
    assert!(bus.is_ready());
    assert!(bus.ingest(b"0123456789", None).is_ok());
    assert!(bus.is_ready(), "ten more fit");
    assert!(bus.ingest(b"0", None).is_ok());
    assert!(!bus.is_ready());
}

#[test]
fn a_bus_that_runs_out_of_bytes_does_not_wait_for_size_or_time() {
    let bus = bus(BusConfig { shards: 2, max_bytes: 40, max_event_bytes: 40, ..small() });
    let (zero, one) = (key_for(0, 2), key_for(1, 2));
    assert!(bus.ingest(&[b'x'; 30], Some(&zero)).is_ok());
    assert!(matches!(bus.poll(0), Action::WaitUntil(_)), "three quarters are not too much");
    assert!(bus.ingest(b"y", Some(&one)).is_ok());
    let leases = [expect_send(&bus, 0), expect_send(&bus, 0)];
    assert_eq!(leases.map(|lease| lease.batch.len()), [1, 1]);
}
