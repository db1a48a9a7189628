//! Delivery by examples: triggers, leases, retries, flushes, drains and the end. The simulation checks
//! the same machine against a model.

mod common;

use common::{
    MS, assert_accounts, bus, expect_idle, expect_send, expect_wait, key_for, ms, small, texts,
};
use shardbus::{
    AbandonReason, Action, BackpressureMode, BatchConfig, BusConfig, Clock, EventBus, Failure,
    FlushReport, FlushState, Format, Lease, RetryPolicy, Scheduler, Shared,
};
use std::time::Duration;

const RETRYABLE: Failure = Failure::Refused { retry_after: Duration::ZERO };

/// Words, as the texts of events.
fn strings(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// Ingests each word of `words`.
fn ingest(bus: &EventBus, words: &str) {
    for word in words.split_whitespace() {
        bus.ingest(word.as_bytes(), None).expect("there is room");
    }
}

/// Polls until there is nothing to do at `now`, and acknowledges everything. Returns the payloads.
fn deliver_all(bus: &EventBus, now: u64) -> Vec<String> {
    let mut delivered = Vec::new();
    while let Action::Send(lease) = bus.poll(now) {
        delivered.extend(texts(&lease.batch));
        assert!(bus.acknowledge(lease.id, now));
    }
    delivered
}

/// Polls, expecting a batch that was given up.
#[track_caller]
fn expect_abandoned(bus: &EventBus, now: u64) -> (AbandonReason, Vec<String>) {
    match bus.poll(now) {
        Action::Abandoned(abandoned) => (abandoned.reason, texts(&abandoned.batch)),
        other => panic!("expected an abandoned batch at {now}, got {other:?}"),
    }
}

/// A bus that sends only under a flush.
fn manual() -> EventBus {
    bus(BusConfig { scheduler: Scheduler::Manual, ..small() })
}

mod triggers {
    use super::*;

    #[test]
    fn an_empty_bus_has_nothing_to_do() {
        expect_idle(&bus(small()), 0);
        expect_idle(&manual(), 0);
    }

    #[test]
    fn a_batch_leaves_when_it_is_large_enough() {
        let bus = bus(small());
        ingest(&bus, "a");
        assert_eq!(expect_wait(&bus, 0), 100 * MS, "its delay");
        ingest(&bus, "b");
        let lease = expect_send(&bus, 0);
        assert_eq!(&lease.batch.body()[..], b"a\nb");
        assert_eq!((lease.attempt, lease.deadline), (1, 500 * MS));
    }

    #[test]
    fn a_batch_leaves_when_it_has_waited_long_enough() {
        let bus = bus(small());
        ingest(&bus, "a");
        assert_eq!(expect_wait(&bus, 7 * MS), 107 * MS);
        assert_eq!(expect_wait(&bus, 107 * MS - 1), 107 * MS);
        assert_eq!(texts(&expect_send(&bus, 107 * MS).batch), ["a"]);
    }

    #[test]
    fn waiting_counts_from_acceptance_by_the_wall_clock() {
        let bus = bus(small());
        bus.clock().set(1_000 * MS);
        ingest(&bus, "a");
        bus.clock().set(1_060 * MS);
        assert_eq!(expect_wait(&bus, 5 * MS), 45 * MS, "60 of 100 ms are over");
    }

    #[test]
    fn a_batch_leaves_when_its_body_cannot_grow() {
        let bus = bus(BusConfig {
            max_event_bytes: 8,
            batch: BatchConfig { min_size: 50, max_size: 50, max_bytes: 8, ..small().batch },
            ..small()
        });
        ingest(&bus, "aaa");
        expect_wait(&bus, 0);
        ingest(&bus, "bbbb");
        let lease = expect_send(&bus, 0);
        assert_eq!(&lease.batch.body()[..], b"aaa\nbbbb");
    }

    #[test]
    fn without_adaptation_a_batch_waits_for_the_maximum() {
        let batch = BatchConfig { adaptive: false, ..small().batch };
        let bus = bus(BusConfig { batch, ..small() });
        ingest(&bus, "a b c");
        expect_wait(&bus, 0);
        ingest(&bus, "d e");
        assert_eq!(texts(&expect_send(&bus, 0).batch), ["a", "b", "c", "d"]);
    }

    #[test]
    fn bodies_are_put_together_in_the_format_of_the_bus() {
        for (format, body) in [(Format::Ndjson, &b"1\n2"[..]), (Format::Json, b"[1,2]")] {
            let bus = bus(BusConfig { format, ..small() });
            ingest(&bus, "1 2");
            let lease = expect_send(&bus, 0);
            assert_eq!(&lease.batch.body()[..], body);
            assert_eq!(texts(&lease.batch), ["1", "2"]);
            assert_eq!(lease.batch.payload_bytes(), 2);
        }
    }

    #[test]
    fn both_maxima_cut() {
        let bus = bus(BusConfig {
            max_event_bytes: 9,
            batch: BatchConfig { max_bytes: 9, ..small().batch },
            ..small()
        });
        ingest(&bus, "1 2 3 4 5 6666 7777 8888");
        let mut bodies = Vec::new();
        let mut sequence = 0;
        let flush = bus.begin_flush();
        while let Action::Send(lease) = bus.poll(0) {
            assert_eq!(lease.batch.sequence_start, sequence, "without a gap");
            sequence += lease.batch.len() as u64;
            bodies.push(String::from_utf8_lossy(lease.batch.body()).into_owned());
            assert!(bus.acknowledge(lease.id, 0));
        }
        bus.end_flush(flush);
        assert_eq!(bodies, ["1\n2\n3\n4", "5\n6666", "7777\n8888"]);
    }

    #[test]
    fn a_wall_clock_that_stands_still_delays_nothing_for_ever() {
        let bus = bus(small());
        ingest(&bus, "a");
        for now in (0..100).step_by(10) {
            assert_eq!(expect_wait(&bus, now * MS), 100 * MS);
        }
        expect_send(&bus, 100 * MS);
    }

    #[test]
    fn a_wall_clock_that_goes_back_delays_nothing_for_ever() {
        let bus = bus(small());
        bus.clock().set(5_000 * MS);
        ingest(&bus, "a");
        bus.clock().set(0);
        ingest(&bus, "b");
        let lease = expect_send(&bus, 0);
        let stamps = (lease.batch.first_timestamp(), lease.batch.last_timestamp());
        assert_eq!(stamps, (5_000 * MS, 5_000 * MS + 1));
        assert!(bus.acknowledge(lease.id, 0));
        ingest(&bus, "c");
        assert_eq!(expect_wait(&bus, 0), 100 * MS);
        expect_send(&bus, 100 * MS);
    }

    #[test]
    fn a_wall_clock_that_jumps_ahead_sends_pending_events_and_breaks_nothing() {
        let bus = bus(small());
        ingest(&bus, "a");
        expect_wait(&bus, 0);
        bus.clock().set(u64::MAX / 2);
        let lease = expect_send(&bus, 1);
        assert!(bus.acknowledge(lease.id, 1));
        ingest(&bus, "b");
        assert_eq!(expect_wait(&bus, 2), 2 + 100 * MS);
    }

    #[test]
    fn a_time_that_goes_back_is_taken_to_stand_still() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 1_000 * MS);
        assert!(bus.fail(lease.id, Failure::Refused { retry_after: ms(50) }, 0));
        assert_eq!(expect_wait(&bus, 0), 1_050 * MS);
        assert_eq!(expect_send(&bus, 1_050 * MS).deadline, 1_550 * MS);
    }

    #[test]
    fn the_end_of_time_breaks_nothing() {
        let bus = bus(small());
        ingest(&bus, "a");
        expect_wait(&bus, 0);
        let lease = expect_send(&bus, u64::MAX);
        assert_eq!(lease.deadline, u64::MAX);
        let never = Failure::Refused { retry_after: Duration::MAX };
        assert!(bus.fail(lease.id, never, u64::MAX));
        let lease = expect_send(&bus, u64::MAX);
        assert!(bus.acknowledge(lease.id, u64::MAX));
        ingest(&bus, "b");
        expect_idle(&bus, u64::MAX);
        assert_accounts(&bus.stats());
    }

    #[test]
    fn settings_without_bounds_mean_never_and_not_at_once() {
        let bus = bus(BusConfig {
            batch: BatchConfig {
                max_bytes: usize::MAX,
                max_delay: Duration::from_secs(18_446_744_074),
                velocity_window: Duration::MAX,
                ..small().batch
            },
            timeout: Duration::MAX,
            ..small()
        });
        ingest(&bus, "a");
        // A delay of 584 years and more.
        expect_idle(&bus, 5);
        ingest(&bus, "b");
        let lease = expect_send(&bus, 5);
        assert_eq!((lease.batch.len(), lease.deadline), (2, u64::MAX));
        expect_idle(&bus, 5);
    }
}

mod tasks {
    use super::*;

    /// The number of batches that go out before the host is to yield.
    fn sent_in_task(bus: &EventBus) -> usize {
        let mut sent = 0;
        while let Action::Send(lease) = bus.poll(0) {
            assert!(bus.acknowledge(lease.id, 0));
            sent += 1;
        }
        sent
    }

    #[test]
    fn a_host_that_begins_no_task_is_never_told_to_yield() {
        let bus = bus(small());
        ingest(&bus, &"1 ".repeat(60));
        assert_eq!(sent_in_task(&bus), 15);
        expect_idle(&bus, 0);
    }

    #[test]
    fn others_get_their_turn_after_eight_batches() {
        let bus = bus(small());
        ingest(&bus, &"1 ".repeat(60));
        bus.begin_task();
        assert_eq!(sent_in_task(&bus), 8);
        assert!(matches!(bus.poll(0), Action::Yield));
        assert!(matches!(bus.poll(0), Action::Yield), "only a new task renews it");
        bus.begin_task();
        assert_eq!(sent_in_task(&bus), 7);
        expect_idle(&bus, 0);
    }

    #[test]
    fn others_get_their_turn_after_256_kib() {
        let batch = BatchConfig { min_size: 1, max_size: 1, ..BatchConfig::default() };
        let bus = bus(BusConfig { max_event_bytes: 128 << 10, batch, ..small() });
        let event = format!("\"{}\"", "x".repeat((128 << 10) - 2));
        ingest(&bus, &[&*event; 4].join(" "));
        bus.begin_task();
        assert_eq!(sent_in_task(&bus), 2);
        assert!(matches!(bus.poll(0), Action::Yield));
        bus.begin_task();
        assert_eq!(sent_in_task(&bus), 2);
    }

    #[test]
    fn a_bus_with_nothing_to_send_does_not_make_its_host_yield() {
        let bus = bus(small());
        ingest(&bus, &"1 ".repeat(32));
        bus.begin_task();
        assert_eq!(sent_in_task(&bus), 8);
        expect_idle(&bus, 0);
    }
}

mod owners {
    use super::*;

    const SECOND: u64 = 1_000 * MS;

    /// Polls for a flush, expecting to be told to wait. Returns until when.
    #[track_caller]
    fn expect_owner_waits(bus: &EventBus, flush: u32, now: u64) -> u64 {
        match bus.poll_flush(flush, now) {
            Action::WaitUntil(wake) => wake,
            other => panic!("expected to wait at {now}, got {other:?}"),
        }
    }

    #[track_caller]
    fn expect_owner_sends(bus: &EventBus, flush: u32, now: u64) -> Lease {
        match bus.poll_flush(flush, now) {
            Action::Send(lease) => lease,
            other => panic!("expected a batch to send at {now}, got {other:?}"),
        }
    }

    #[track_caller]
    fn expect_owner_is_done(bus: &EventBus, flush: u32, now: u64) {
        let action = bus.poll_flush(flush, now);
        assert!(matches!(action, Action::Idle), "expected nothing to do at {now}, got {action:?}");
    }

    #[test]
    fn one_owner_sends_and_the_others_wait_for_it() {
        let bus = manual();
        ingest(&bus, "1 2");
        let (first, second) = (bus.begin_flush(), bus.begin_flush());
        let lease = expect_owner_sends(&bus, first, 0);
        assert!(expect_owner_waits(&bus, second, 0) <= 4 * SECOND);
        assert!(expect_owner_waits(&bus, first, 0) <= SECOND / 2);
        assert!(bus.acknowledge(lease.id, 1));
        expect_owner_is_done(&bus, second, 2);
        expect_owner_is_done(&bus, first, 2);
    }

    #[test]
    fn an_owner_awaits_its_own_attempts_although_its_flush_is_settled() {
        let bus = manual();
        ingest(&bus, "1");
        let flush = bus.begin_flush();
        let lease = expect_owner_sends(&bus, flush, 0);
        let empty = bus.begin_flush();
        bus.end_flush(flush);
        expect_owner_waits(&bus, flush, 0);
        assert!(bus.acknowledge(lease.id, 1));
        expect_owner_is_done(&bus, flush, 1);
        expect_owner_is_done(&bus, empty, 1);
    }

    #[test]
    fn another_owner_sends_the_batches_of_one_that_fell_silent() {
        let bus = manual();
        ingest(&bus, "1");
        let silent = bus.begin_flush();
        let lost = expect_owner_sends(&bus, silent, 0);
        let due = expect_owner_waits(&bus, silent, 0);
        let other = bus.begin_flush();
        expect_owner_waits(&bus, other, due + SECOND - 1);
        assert!(
            matches!(bus.poll_flush(other, due + SECOND), Action::Lost(flush) if flush == silent)
        );
        bus.end_flush(silent);
        let again = expect_owner_sends(&bus, other, due + SECOND);
        assert_eq!((again.attempt, again.batch.id()), (2, lost.batch.id()));
        assert!(!bus.acknowledge(lost.id, due + SECOND), "its time is up");
        expect_owner_is_done(&bus, silent, due + SECOND);
    }

    #[test]
    fn a_flush_that_lasts_until_its_end_is_over_then() {
        let bus = manual();
        ingest(&bus, "1");
        let flush = bus.begin_flush_until(30 * MS);
        let lease = expect_owner_sends(&bus, flush, 0);
        assert_eq!(expect_owner_waits(&bus, flush, 0), 30 * MS);
        expect_owner_is_done(&bus, flush, 30 * MS);
        assert_eq!(bus.flush_state(flush), FlushState::TimedOut);
        bus.end_flush(flush);
        assert!(expect_owner_waits(&bus, flush, 30 * MS) <= lease.deadline);
    }

    #[test]
    fn the_last_flush_does_not_wait_for_an_attempt_that_would_begin_too_late() {
        let bus = manual();
        ingest(&bus, "1");
        bus.close();
        let flush = bus.begin_flush_until(100 * MS);
        let lease = expect_owner_sends(&bus, flush, 0);
        assert_eq!(bus.flush_state(flush), FlushState::Open);
        let failure = Failure::Refused { retry_after: Duration::from_secs(1) };
        assert!(bus.fail(lease.id, failure, MS));
        expect_owner_is_done(&bus, flush, MS);
        assert_eq!(bus.flush_state(flush), FlushState::TimedOut);
    }

    #[test]
    fn the_last_flush_goes_on_after_its_leases_were_taken_back() {
        let bus = manual();
        ingest(&bus, "1");
        bus.close();
        let flush = bus.begin_flush_until(100 * MS);
        let lease = expect_owner_sends(&bus, flush, 0);
        expect_owner_waits(&bus, flush, 0);
        bus.recall();
        assert_eq!(bus.flush_state(flush), FlushState::Open);
        assert!(!bus.acknowledge(lease.id, 0), "it was taken back");
        assert_eq!(expect_owner_sends(&bus, flush, 0).attempt, 2);
    }
}

mod leases {
    use super::*;

    #[test]
    fn one_batch_of_a_shard_is_in_flight_at_a_time() {
        let bus = bus(small());
        ingest(&bus, "a b c d e f");
        let first = expect_send(&bus, 0);
        assert_eq!(expect_wait(&bus, 0), 1_500 * MS, "until its lease expires");
        assert!(bus.acknowledge(first.id, 0));
        let second = expect_send(&bus, 0);
        assert_eq!(texts(&second.batch), ["e", "f"]);
        assert_eq!(second.batch.sequence_start, 4);
        assert_ne!(second.id, first.id);
    }

    #[test]
    fn shards_have_their_batches_in_flight_side_by_side() {
        let bus = bus(BusConfig { shards: 3, ..small() });
        for shard in 0..3 {
            let key = key_for(shard, 3);
            for payload in [b"1", b"2"] {
                assert_eq!(bus.ingest(payload, Some(&key)).map(|(s, _)| s).ok(), Some(shard));
            }
        }
        let mut shards = [0; 3].map(|_| expect_send(&bus, 0).batch.shard_id);
        shards.sort_unstable();
        assert_eq!(shards, [0, 1, 2]);
        expect_wait(&bus, 0);
    }

    #[test]
    fn a_busy_lane_does_not_keep_the_others_waiting() {
        let bus = bus(BusConfig { shards: 3, ..small() });
        let keys = [0, 1, 2].map(|shard| key_for(shard, 3));
        let mut turns = Vec::new();
        for _ in 0..12 {
            // Every lane always has a batch that is due.
            for key in &keys {
                while bus.stats().pending < 36 && bus.ingest(b"{}", Some(key)).is_ok() {
                    if bus.stats().shards[common::shard_of(key, 3)].pending >= 12 {
                        break;
                    }
                }
            }
            let lease = expect_send(&bus, 0);
            turns.push(lease.batch.shard_id);
            assert!(bus.acknowledge(lease.id, 0));
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn an_expired_lease_is_handed_out_again_as_the_next_attempt() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        assert_eq!(expect_wait(&bus, 1_500 * MS - 1), 1_500 * MS, "timeout and margin");
        let second = expect_send(&bus, 1_500 * MS);
        assert_eq!(second.attempt, 2);
        assert_ne!(second.id, first.id);
        assert!(Shared::ptr_eq(&first.batch, &second.batch));
        assert_eq!(first.batch.id(), second.batch.id());
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.batches.expired, stats.batches.retries), (1, 1));

        for late in [
            bus.acknowledge(first.id, 1_501 * MS),
            bus.fail(first.id, Failure::Permanent, 1_501 * MS),
            bus.fail(first.id, RETRYABLE, 1_501 * MS),
        ] {
            assert!(!late);
        }
        assert_eq!(bus.stats(), stats, "a late answer changes nothing");
        assert!(bus.acknowledge(second.id, 1_502 * MS));
        assert_eq!(bus.stats().delivered, 2);
    }

    #[test]
    fn an_answer_counts_once() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        assert!(bus.acknowledge(lease.id, 0));
        assert!(!bus.acknowledge(lease.id, 0));
        assert!(!bus.fail(lease.id, Failure::Permanent, 0));
        assert!(!bus.acknowledge(99, 0), "never given out");
        let stats = bus.stats();
        assert_eq!((stats.delivered, stats.batches.delivered), (2, 1));
        assert_eq!(stats.abandoned.permanent, 0);
    }

    #[test]
    fn an_answer_between_timeout_and_expiry_still_counts() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        assert!(bus.acknowledge(lease.id, 1_400 * MS));
        expect_idle(&bus, 1_400 * MS);
    }

    #[test]
    fn a_lease_whose_holder_is_gone_expires_at_once() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        assert!(bus.expire(first.id, MS));
        assert!(!bus.expire(first.id, MS));
        assert!(!bus.acknowledge(first.id, MS), "it is too late");
        let second = expect_send(&bus, MS);
        assert_eq!((second.attempt, second.batch.id()), (2, first.batch.id()));
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.batches.expired, stats.batches.retries), (1, 1));
    }

    #[test]
    fn a_host_that_dies_again_and_again_loses_nothing() {
        let bus = bus(small());
        ingest(&bus, "a b");
        for attempt in 1..100 {
            let now = u64::from(attempt) * 1_500 * MS;
            assert_eq!(expect_send(&bus, now).attempt, attempt);
        }
        assert_accounts(&bus.stats());
        assert_eq!(bus.stats().batches.expired, 98);
    }
}

mod retries {
    use super::*;

    #[test]
    fn a_retry_goes_before_later_batches() {
        let bus = bus(small());
        ingest(&bus, "a b c d e f");
        let first = expect_send(&bus, 0);
        assert!(bus.fail(first.id, RETRYABLE, 0));
        let wake = expect_wait(&bus, 0);
        assert!(wake <= 10 * MS);
        let again = expect_send(&bus, wake);
        assert_eq!((again.attempt, again.batch.id()), (2, first.batch.id()));
        assert!(bus.acknowledge(again.id, wake));
        assert_eq!(texts(&expect_send(&bus, wake).batch), ["e", "f"]);
    }

    /// Lets every attempt fail, and returns the pauses.
    fn pauses(seed: u64, attempts: u32) -> Vec<u64> {
        let retry = RetryPolicy { max_attempts: attempts, ..small().retry.expect("it has one") };
        let bus = bus(BusConfig { retry: Some(retry), ..small() });
        bus.seed(seed);
        ingest(&bus, "a b");
        let mut now = 0;
        let mut pauses = Vec::new();
        loop {
            match bus.poll(now) {
                Action::Send(lease) => assert!(bus.fail(lease.id, RETRYABLE, now)),
                Action::WaitUntil(wake) => {
                    pauses.push(wake - now);
                    now = wake;
                }
                Action::Abandoned(abandoned) => {
                    assert_eq!(abandoned.reason, AbandonReason::Retries);
                    assert_eq!(pauses.len(), attempts as usize - 1);
                    return pauses;
                }
                other => panic!("the batch was forgotten: {other:?}"),
            }
        }
    }

    #[test]
    fn pauses_double_up_to_the_maximum_with_full_jitter() {
        let runs: Vec<_> = (0..200).map(|seed| pauses(seed, 5)).collect();
        for (i, bound) in [10, 20, 40, 40].into_iter().enumerate() {
            let bound = bound * MS;
            assert!(runs.iter().all(|run| run[i] <= bound));
            assert!(runs.iter().any(|run| run[i] < bound / 10), "pause {i}");
            assert!(runs.iter().any(|run| run[i] > bound / 10 * 9), "pause {i}");
        }
    }

    #[test]
    fn a_seed_repeats_its_pauses() {
        assert_eq!(pauses(7, 9), pauses(7, 9));
        assert_ne!(pauses(7, 9), pauses(8, 9));
    }

    #[test]
    fn a_pause_is_no_shorter_than_the_receiver_asked_for() {
        for seed in 0..50 {
            for (asked, at_most) in [(0, 10), (3, 10), (9, 10), (10, 10), (2_000, 2_000)] {
                let bus = bus(small());
                bus.seed(seed);
                ingest(&bus, "a b");
                let lease = expect_send(&bus, 0);
                let retry_after = ms(asked);
                assert!(bus.fail(lease.id, Failure::Refused { retry_after }, 5 * MS));
                let pause = match bus.poll(5 * MS) {
                    Action::WaitUntil(wake) => wake - 5 * MS,
                    Action::Send(_) => 0,
                    other => panic!("the batch was forgotten: {other:?}"),
                };
                assert!((asked * MS..=at_most * MS).contains(&pause), "{asked}: {pause}");
            }
        }
    }

    #[test]
    fn a_flush_does_not_cut_a_pause_short() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        let retry_after = ms(300);
        assert!(bus.fail(lease.id, Failure::Refused { retry_after }, 0));
        let _flush = bus.begin_flush();
        assert_eq!(expect_wait(&bus, 0), 300 * MS);
    }

    #[test]
    fn the_last_attempt_that_fails_gives_the_batch_up() {
        let bus = bus(small());
        ingest(&bus, "a b c d e f");
        let mut now = 0;
        for attempt in 1..=3 {
            let lease = expect_send(&bus, now);
            assert_eq!((lease.attempt, lease.batch.len()), (attempt, 4));
            assert!(bus.fail(lease.id, RETRYABLE, now));
            now += 40 * MS;
        }
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.abandoned.retries, stats.batches.retries), (4, 2));
        let lost = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        assert_eq!(expect_abandoned(&bus, now), (AbandonReason::Retries, lost));
        assert_eq!(texts(&expect_send(&bus, now).batch), ["e", "f"], "the next one's turn");
    }

    #[test]
    fn a_permanent_failure_gives_the_batch_up_at_once() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        let held = lease.batch.payload_bytes();
        assert!(bus.fail(lease.id, Failure::Permanent, 0));
        drop(lease);
        assert_eq!(bus.stats().bytes.held, held, "until it was shown to the host");
        let lost = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(expect_abandoned(&bus, 0), (AbandonReason::Permanent, lost));
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.abandoned.permanent, stats.bytes.held), (2, 0));
        expect_idle(&bus, 0);
    }
}

mod splits {
    use super::*;

    fn too_large(bus: &EventBus, lease: &Lease) {
        assert!(bus.fail(lease.id, Failure::Split, 0));
    }

    #[test]
    fn a_batch_that_is_too_large_is_sent_in_halves_in_order() {
        for (format, bodies) in
            [(Format::Ndjson, ["a\nbb", "c", "d\ne"]), (Format::Json, ["[a,bb]", "[c]", "[d,e]"])]
        {
            let batch = BatchConfig { min_size: 5, max_size: 5, ..small().batch };
            let bus = bus(BusConfig { format, batch, ..small() });
            ingest(&bus, "a bb c d e later");
            let whole = expect_send(&bus, 0);
            too_large(&bus, &whole);
            let first = expect_send(&bus, 0);
            assert_eq!(texts(&first.batch), ["a", "bb", "c"]);
            assert_eq!((first.attempt, first.batch.id()), (1, whole.batch.id()));
            expect_wait(&bus, 0);
            too_large(&bus, &first);

            let mut sequence = 0;
            for body in bodies {
                let lease = expect_send(&bus, 0);
                assert_eq!(&lease.batch.body()[..], body.as_bytes());
                assert_eq!(lease.batch.sequence_start, sequence);
                sequence += lease.batch.len() as u64;
                assert!(bus.acknowledge(lease.id, 0));
            }
            assert_accounts(&bus.stats());
            assert_eq!((bus.stats().delivered, bus.stats().pending), (5, 1));
        }
    }

    #[test]
    fn halves_have_all_their_attempts_before_them_and_go_before_later_batches() {
        let bus = bus(small());
        ingest(&bus, "a b c d e f");
        too_large(&bus, &expect_send(&bus, 0));
        let mut now = 0;
        for attempt in 1..=3 {
            now += 100 * MS;
            let lease = expect_send(&bus, now);
            assert_eq!((lease.attempt, texts(&lease.batch)), (attempt, strings("a b")));
            let retry_after = Duration::ZERO;
            assert!(bus.fail(lease.id, Failure::Refused { retry_after }, now));
        }
        let (reason, lost) = expect_abandoned(&bus, now);
        assert_eq!((reason, lost), (AbandonReason::Retries, strings("a b")));
        assert_eq!(texts(&expect_send(&bus, now).batch), ["c", "d"]);
    }

    #[test]
    fn a_single_event_that_is_too_large_is_given_up() {
        let bus = bus(small());
        ingest(&bus, "a b");
        too_large(&bus, &expect_send(&bus, 0));
        too_large(&bus, &expect_send(&bus, 0));
        assert_eq!(expect_abandoned(&bus, 0), (AbandonReason::Permanent, strings("a")));
        assert_eq!(texts(&expect_send(&bus, 0).batch), ["b"]);
    }

    #[test]
    fn a_half_that_waits_behind_a_leased_one_is_drained_before_later_events() {
        let bus = bus(small());
        ingest(&bus, "a b c d e");
        too_large(&bus, &expect_send(&bus, 0));
        let first = expect_send(&bus, 0);
        let flush = bus.begin_flush();
        assert!(bus.drain(1).is_none(), "nothing overtakes it");
        assert_eq!(bus.drain(3).map(|batch| texts(&batch)), Some(strings("c d")));
        assert_eq!(bus.drain(3).map(|batch| texts(&batch)), Some(strings("e")));
        assert!(bus.drain(3).is_none());
        assert!(bus.acknowledge(first.id, 0));
        assert_accounts(&bus.stats());
        assert_eq!(
            bus.flush_report(flush),
            Some(FlushReport { delivered: 2, drained: 3, ..FlushReport::default() })
        );
    }

    #[test]
    fn flushes_and_bytes_count_halves_once() {
        let bus = bus(small());
        ingest(&bus, "aaaa bbbb cccc dddd");
        let flush = bus.begin_flush();
        too_large(&bus, &expect_send(&bus, 0));
        let first = expect_send(&bus, 0);
        assert_eq!(bus.stats().bytes.held, 16);
        assert!(bus.acknowledge(first.id, 0));
        drop(first);
        assert_eq!(
            bus.flush_report(flush).map(|report| (report.delivered, report.pending)),
            Some((2, 2))
        );
        bus.abandon_everything();
        assert_eq!(expect_abandoned(&bus, 0), (AbandonReason::Shutdown, strings("cccc dddd")));
        expect_idle(&bus, 0);
        assert_eq!(
            bus.flush_report(flush).map(|report| (report.abandoned, report.pending)),
            Some((2, 0))
        );
        assert_eq!(bus.stats().bytes.held, 0);
        assert_accounts(&bus.stats());
    }
}

mod flushes {
    use super::*;

    /// All results so far.
    #[track_caller]
    fn report(bus: &EventBus, flush: u32) -> FlushReport {
        bus.flush_report(flush).expect("the flush is open")
    }

    fn pending(pending: u64) -> FlushReport {
        FlushReport { pending, ..FlushReport::default() }
    }

    #[test]
    fn a_flush_covers_events_in_flight_and_pending() {
        let bus = bus(small());
        ingest(&bus, "a b c d e");
        let first = expect_send(&bus, 0);
        let flush = bus.begin_flush();
        assert_eq!(report(&bus, flush), pending(5));
        assert!(bus.acknowledge(first.id, 0));
        assert_eq!(
            report(&bus, flush),
            FlushReport { delivered: 4, pending: 1, ..FlushReport::default() }
        );
        let second = expect_send(&bus, 0);
        assert_eq!(texts(&second.batch), ["e"], "without waiting for size or time");
        assert!(bus.acknowledge(second.id, 0));
        assert_eq!(report(&bus, flush), FlushReport { delivered: 5, ..FlushReport::default() });
        bus.end_flush(flush);
        assert_eq!(bus.flush_report(flush), None);
    }

    #[test]
    fn a_flush_does_not_cover_later_events() {
        let bus = bus(small());
        ingest(&bus, "a");
        let flush = bus.begin_flush();
        ingest(&bus, "b c d e f");
        assert_eq!(report(&bus, flush), pending(1));
        let lease = expect_send(&bus, 0);
        assert_eq!(texts(&lease.batch), ["a", "b", "c", "d"], "they may ride along");
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(report(&bus, flush), FlushReport { delivered: 1, ..FlushReport::default() });
    }

    #[test]
    fn events_after_a_flush_wait_for_their_own_trigger() {
        let bus = bus(small());
        ingest(&bus, "a");
        let flush = bus.begin_flush();
        let lease = expect_send(&bus, 0);
        ingest(&bus, "b");
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(expect_wait(&bus, 0), 100 * MS, "b is not flushed");
        assert_eq!(report(&bus, flush).pending, 0);
    }

    #[test]
    fn a_flush_of_nothing_is_complete() {
        for bus in [bus(small()), manual()] {
            let flush = bus.begin_flush();
            assert_eq!(report(&bus, flush), pending(0));
            expect_idle(&bus, 0);
        }
    }

    #[test]
    fn overlapping_flushes_are_each_right() {
        let bus = manual();
        ingest(&bus, "a b c d");
        let first = bus.begin_flush();
        let lease = expect_send(&bus, 0);
        ingest(&bus, "e f");
        let second = bus.begin_flush();
        ingest(&bus, "g");
        assert_ne!(first, second);
        assert_eq!(report(&bus, first), pending(4));
        assert_eq!(report(&bus, second), pending(6));
        assert!(bus.fail(lease.id, Failure::Permanent, 0));
        let abandoned = FlushReport { abandoned: 4, ..FlushReport::default() };
        assert_eq!(report(&bus, first), abandoned);
        assert_eq!(report(&bus, second), FlushReport { pending: 2, ..abandoned });
        bus.end_flush(first);
        assert_eq!(expect_abandoned(&bus, 0).0, AbandonReason::Permanent);
        let lease = expect_send(&bus, 0);
        assert_eq!(texts(&lease.batch), ["e", "f", "g"]);
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(report(&bus, second), FlushReport { delivered: 2, ..abandoned });
        assert_eq!(bus.flush_report(first), None);
    }

    #[test]
    fn a_flush_reports_its_evicted_and_drained_events() {
        let bus = bus(BusConfig {
            capacity: 8,
            backpressure: BackpressureMode::DropOldest,
            scheduler: Scheduler::Manual,
            ..small()
        });
        ingest(&bus, "a b c d e f");
        let flush = bus.begin_flush();
        let lease = expect_send(&bus, 0);
        ingest(&bus, "1 2 3 4 5 6");
        assert_eq!(
            report(&bus, flush),
            FlushReport { evicted: 1, pending: 5, ..FlushReport::default() }
        );
        assert_eq!(bus.drain(3).map(|batch| texts(&batch)), Some(vec!["f".into(), "1".into()]));
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(
            report(&bus, flush),
            FlushReport { delivered: 4, evicted: 1, drained: 1, ..FlushReport::default() }
        );
        expect_idle(&bus, 0);
    }

    #[test]
    fn a_flush_covers_every_shard() {
        let bus = bus(BusConfig { shards: 4, scheduler: Scheduler::Manual, ..small() });
        for i in 0..40 {
            ingest(&bus, &i.to_string());
        }
        let flush = bus.begin_flush();
        assert_eq!(report(&bus, flush), pending(40));
        assert_eq!(deliver_all(&bus, 0).len(), 40);
        assert_eq!(report(&bus, flush).delivered, 40);
    }

    #[test]
    fn a_manual_bus_sends_only_under_a_flush() {
        let bus = manual();
        ingest(&bus, "a b c d e f");
        expect_idle(&bus, 0);
        bus.clock().set(3_600_000 * MS);
        expect_idle(&bus, 3_600_000 * MS);
        let now = 3_600_000 * MS;
        let flush = bus.begin_flush();
        let lease = expect_send(&bus, now);
        bus.end_flush(flush);
        assert!(bus.fail(lease.id, RETRYABLE, now));
        expect_idle(&bus, now + 40 * MS);
        let flush = bus.begin_flush();
        let lease = expect_send(&bus, now + 40 * MS);
        assert_eq!(lease.attempt, 2);
        assert!(bus.acknowledge(lease.id, now + 40 * MS));
        assert_eq!(deliver_all(&bus, now + 40 * MS), ["e", "f"]);
        assert_eq!(report(&bus, flush).pending, 0);
    }

    #[test]
    fn a_manual_bus_out_of_bytes_still_waits_for_a_flush() {
        let bus = bus(BusConfig {
            max_bytes: 10,
            max_event_bytes: 10,
            scheduler: Scheduler::Manual,
            ..small()
        });
        ingest(&bus, "0123456789");
        expect_idle(&bus, 0);
    }

    #[test]
    fn an_expired_lease_of_a_manual_bus_waits_for_the_next_flush() {
        let bus = manual();
        ingest(&bus, "a b");
        let flush = bus.begin_flush();
        expect_send(&bus, 0);
        bus.end_flush(flush);
        assert_eq!(expect_wait(&bus, 0), 1_500 * MS);
        expect_idle(&bus, 1_500 * MS);
        let _flush = bus.begin_flush();
        assert_eq!(expect_send(&bus, 1_500 * MS).attempt, 2);
    }
}

mod drains {
    use super::*;

    #[test]
    fn a_drain_takes_batches_out_for_good() {
        let bus = bus(small());
        ingest(&bus, "a b c d e");
        let first = bus.drain(usize::MAX).expect("five events wait");
        assert_eq!(texts(&first), ["a", "b", "c", "d"], "max_size holds");
        assert_eq!(first.sequence_start, 0);
        let second = bus.drain(usize::MAX).expect("one event waits");
        assert_eq!((texts(&second), second.sequence_start), (vec!["e".to_owned()], 4));
        assert!(bus.drain(usize::MAX).is_none());
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.drained, stats.bytes.held), (5, 5), "the host has them");
        drop((first, second));
        assert_eq!(bus.stats().bytes.held, 0);
        expect_idle(&bus, 0);
    }

    #[test]
    fn a_drained_body_has_at_most_the_bytes_asked_for() {
        for (format, fits) in [(Format::Ndjson, ["11", "22"]), (Format::Json, ["11", "22"])] {
            let bus = bus(BusConfig { format, ..small() });
            ingest(&bus, "11 22 33");
            let exactly = if format == Format::Json { 7 } else { 5 };
            assert!(bus.drain(1).is_none(), "not even one fits");
            let batch = bus.drain(exactly + 2).expect("two events fit");
            assert_eq!(
                (texts(&batch), batch.body().len()),
                (fits.map(str::to_owned).to_vec(), exactly)
            );
        }
    }

    #[test]
    fn a_drain_that_takes_nothing_makes_no_batch_due() {
        let bus = bus(small());
        ingest(&bus, "11");
        assert!(bus.drain(1).is_none(), "it does not fit");
        // The time of the first poll may be any.
        assert_eq!(expect_wait(&bus, 5_000 * MS), 5_100 * MS);
    }

    #[test]
    fn leased_batches_stay_and_batches_to_retry_are_drained_first() {
        let bus = bus(small());
        ingest(&bus, "a b c d e");
        let lease = expect_send(&bus, 0);
        assert_eq!(bus.drain(usize::MAX).map(|batch| texts(&batch)), Some(vec!["e".to_owned()]));
        assert!(bus.drain(usize::MAX).is_none(), "the rest is with the host");
        assert!(bus.fail(lease.id, Failure::Refused { retry_after: ms(900) }, 0));
        ingest(&bus, "f");
        let retry = bus.drain(usize::MAX).expect("it waits for its next attempt");
        assert!(Shared::ptr_eq(&retry, &lease.batch));
        assert!(!bus.acknowledge(lease.id, 0));
        assert_eq!(bus.drain(usize::MAX).map(|batch| texts(&batch)), Some(vec!["f".to_owned()]));
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.drained, stats.in_flight), (6, 0));
    }

    #[test]
    fn nothing_overtakes_a_retry_that_is_too_large() {
        let bus = bus(BusConfig { shards: 2, ..small() });
        let (zero, one) = (key_for(0, 2), key_for(1, 2));
        for payload in [b"aaaa", b"bbbb"] {
            assert!(bus.ingest(payload, Some(&zero)).is_ok());
        }
        let lease = expect_send(&bus, 0);
        assert!(bus.fail(lease.id, RETRYABLE, 0));
        assert!(bus.ingest(b"c", Some(&zero)).is_ok());
        assert!(bus.drain(5).is_none());
        assert!(bus.ingest(b"d", Some(&one)).is_ok());
        let other_shard = bus.drain(5).expect("another shard's events fit");
        assert_eq!(texts(&other_shard), ["d"]);
        assert_eq!(bus.drain(9).map(|batch| batch.len()), Some(2));
        assert_eq!(bus.drain(5).map(|batch| texts(&batch)), Some(vec!["c".to_owned()]));
    }
}

mod endings {
    use super::*;

    #[test]
    fn the_events_of_a_closed_bus_can_still_be_delivered() {
        let bus = bus(small());
        ingest(&bus, "a b c");
        bus.close();
        let flush = bus.begin_flush();
        assert_eq!(deliver_all(&bus, 0), ["a", "b", "c"]);
        assert_eq!(bus.flush_report(flush).map(|report| report.delivered), Some(3));
        expect_idle(&bus, 0);
    }

    #[test]
    fn everything_can_be_given_up_leased_batches_included() {
        let bus = bus(BusConfig { shards: 2, ..small() });
        let (zero, one) = (key_for(0, 2), key_for(1, 2));
        for payload in [b"a", b"b", b"c", b"d", b"e"] {
            assert!(bus.ingest(payload, Some(&zero)).is_ok());
        }
        let lease = expect_send(&bus, 0);
        for payload in [b"f", b"g"] {
            assert!(bus.ingest(payload, Some(&one)).is_ok());
        }
        let flush = bus.begin_flush();
        bus.close();
        bus.abandon_everything();
        bus.abandon_everything();
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.abandoned.shutdown, stats.pending, stats.in_flight), (7, 0, 0));
        assert!(!bus.acknowledge(lease.id, 0), "its answer comes too late");
        let report = bus.flush_report(flush).expect("the flush is open");
        assert_eq!((report.abandoned, report.pending), (7, 0));

        assert_eq!(bus.stats().bytes.held, 7, "until the host has seen them");
        drop(lease);
        let mut lost = Vec::new();
        while let Action::Abandoned(abandoned) = bus.poll(0) {
            assert_eq!(abandoned.reason, AbandonReason::Shutdown);
            lost.extend(texts(&abandoned.batch));
        }
        assert_eq!(lost, ["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(bus.stats().bytes.held, 0);
        expect_idle(&bus, 0);
        assert!(bus.drain(usize::MAX).is_none());
    }

    #[test]
    fn abandoned_batches_keep_both_maxima() {
        let bus = bus(small());
        for i in 0..11 {
            ingest(&bus, &i.to_string());
        }
        bus.abandon_everything();
        let mut lens = Vec::new();
        while let Action::Abandoned(abandoned) = bus.poll(0) {
            lens.push(abandoned.batch.len());
        }
        assert_eq!(lens, [4, 4, 3]);
    }
}

mod identity {
    use super::*;

    fn first_lease(nonce: Option<u64>) -> Lease {
        let bus = bus(small());
        if let Some(nonce) = nonce {
            bus.seed(nonce);
        }
        ingest(&bus, "a b");
        expect_send(&bus, 0)
    }

    #[test]
    fn a_batch_is_named_by_nonce_shard_and_sequence() {
        let lease = first_lease(Some(0xabc));
        assert_eq!(lease.batch.id(), "0000000000000abc-0-0");
        assert_eq!(lease.batch.process_nonce, 0xabc);
        assert_eq!(first_lease(Some(0)).batch.process_nonce, 1, "never 0");
        assert_eq!(first_lease(None).batch.process_nonce, 1);
    }

    #[test]
    fn a_batch_says_when_its_events_were_accepted() {
        let bus = EventBus::new(small(), Clock::manual(70)).expect("valid");
        ingest(&bus, "a");
        bus.clock().set(90);
        ingest(&bus, "b");
        let batch = expect_send(&bus, 0).batch;
        assert_eq!((batch.first_timestamp(), batch.last_timestamp()), (70, 90));
        let stamps: Vec<_> = batch.events().map(|event| event.insertion_ts).collect();
        assert_eq!(stamps, [70, 90]);
        assert!(batch.events().all(|event| event.shard_id == 0));
        assert_eq!((batch.events().len(), batch.is_empty()), (2, false));
    }

    #[test]
    fn debug_output_shows_no_payload() {
        let bus = bus(small());
        ingest(&bus, "hunter2 hunter2");
        let lease = expect_send(&bus, 0);
        ingest(&bus, "hunter2");
        for debug in [format!("{lease:?}"), format!("{bus:?}")] {
            assert!(!debug.contains("hunter2"), "{debug}");
        }
    }
}
