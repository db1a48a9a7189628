//! The end of a host, and its next run: unload, unsettled batches, revoked leases, restores.

mod common;

use common::{
    MS, assert_accounts, bus, expect_idle, expect_send, expect_wait, key_for, ms, small, texts,
};
use proptest::prelude::*;
use shardbus::{
    Action, Batch, BatchConfig, BusConfig, EventBus, ExitOrder, Failure, Format, Lease, RawEvent,
    RestoreError, ScalingPolicy, Scheduler, Shared,
};
use std::time::Duration;

const RETRYABLE: Failure = Failure::Refused { retry_after: Duration::ZERO };

fn ingest(bus: &EventBus, words: &str) {
    for word in words.split_whitespace() {
        bus.ingest(word.as_bytes(), None).expect("there is room");
    }
}

fn words(batch: &Batch) -> String {
    texts(batch).join(" ")
}

fn acknowledge_all(bus: &EventBus, now: u64) -> Vec<String> {
    let mut delivered = Vec::new();
    while let Action::Send(lease) = bus.poll(now) {
        delivered.push(words(&lease.batch));
        assert!(bus.acknowledge(lease.id, now));
    }
    delivered
}

mod exits {
    use super::*;

    fn exit(bus: &EventBus, max_bytes: usize, order: ExitOrder) -> Vec<Lease> {
        let mut left = max_bytes;
        std::iter::from_fn(|| {
            let lease = bus.poll_exit(0, left, order)?;
            left -= lease.batch.body().len();
            Some(lease)
        })
        .collect()
    }

    fn sent(leases: &[Lease]) -> Vec<String> {
        leases.iter().map(|lease| words(&lease.batch)).collect()
    }

    #[test]
    fn pending_events_are_sent_although_a_batch_is_in_flight() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        ingest(&bus, "c d e");
        let leases = exit(&bus, 100, ExitOrder::Oldest);
        assert_eq!(sent(&leases), ["c d e"]);
        assert_eq!((leases[0].attempt, leases[0].batch.sequence_start), (1, 2));
        for lease in [first, leases[0].clone()] {
            assert!(bus.acknowledge(lease.id, 0));
        }
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.delivered, stats.in_flight), (5, 0));
    }

    #[test]
    fn nothing_that_is_in_flight_leaves_again() {
        let bus = bus(small());
        ingest(&bus, "a b c");
        assert_eq!(sent(&exit(&bus, 100, ExitOrder::Oldest)), ["a b c"]);
        assert!(exit(&bus, 100, ExitOrder::Oldest).is_empty());
        assert!(exit(&bus, 100, ExitOrder::Newest).is_empty());
    }

    #[test]
    fn the_oldest_or_the_newest_go_first_when_not_all_fit() {
        for (order, expected) in [(ExitOrder::Oldest, "a b c"), (ExitOrder::Newest, "e f g")] {
            let bus = bus(small());
            ingest(&bus, "a b c d e f g");
            let leases = exit(&bus, 5, order);
            assert_eq!(sent(&leases), [expected]);
            assert!(bus.acknowledge(leases[0].id, 0));
            let rest = acknowledge_all(&bus, 1_000 * MS).join(" ");
            let all = match order {
                ExitOrder::Oldest => format!("{expected} {rest}"),
                ExitOrder::Newest => format!("{rest} {expected}"),
            };
            assert_eq!(all, "a b c d e f g", "each once");
        }
    }

    #[test]
    fn a_batch_that_waits_for_its_retry_does_not_wait() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        assert!(bus.fail(first.id, RETRYABLE, 0));
        let again = bus.poll_exit(0, 100, ExitOrder::Oldest).expect("it may leave");
        assert_eq!((again.attempt, again.batch.id()), (2, first.batch.id()));
    }

    #[test]
    fn the_last_attempt_is_left_for_later() {
        let bus = bus(small());
        ingest(&bus, "a b");
        assert!(bus.fail(expect_send(&bus, 0).id, RETRYABLE, 0));
        assert!(bus.fail(exit(&bus, 100, ExitOrder::Oldest)[0].id, RETRYABLE, 0));
        for order in [ExitOrder::Oldest, ExitOrder::Newest] {
            assert!(exit(&bus, 100, order).is_empty());
        }
        assert_eq!(expect_send(&bus, 100 * MS).attempt, 3);
    }

    #[test]
    fn a_pause_that_the_receiver_asked_for_is_kept() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let retry_after = Duration::from_secs(1);
        let lease = expect_send(&bus, 0);
        assert!(bus.fail(lease.id, Failure::Refused { retry_after }, 0));
        assert!(bus.poll_exit(999 * MS, 100, ExitOrder::Oldest).is_none());
        assert!(bus.poll_exit(1_000 * MS, 100, ExitOrder::Oldest).is_some());
    }

    #[test]
    fn a_batch_too_large_to_unload_does_not_keep_others() {
        let bus = bus(small());
        ingest(&bus, "aaaaaaaa bbbbbbbb");
        let large = expect_send(&bus, 0);
        assert!(bus.fail(large.id, RETRYABLE, 0));
        ingest(&bus, "c");
        assert_eq!(sent(&exit(&bus, 10, ExitOrder::Oldest)), ["c"]);
    }

    #[test]
    fn shards_share_the_bytes() {
        let bus = bus(BusConfig { shards: 2, ..small() });
        for shard in [0, 1] {
            for _ in 0..4 {
                bus.ingest(b"1234", Some(&key_for(shard, 2))).expect("there is room");
            }
        }
        let leases = exit(&bus, 20, ExitOrder::Oldest);
        let shards: Vec<_> = leases.iter().map(|lease| lease.batch.shard_id).collect();
        assert_eq!(shards, [0, 1, 0]);
        let lens: Vec<_> = leases.iter().map(|lease| lease.batch.len()).collect();
        assert_eq!(lens, [2, 1, 1]);
    }

    #[test]
    fn an_exit_keeps_no_shard_from_its_turn() {
        let bus = bus(BusConfig { shards: 4, ..small() });
        for (shard, payload) in [(0, "a"), (1, "too large to exit"), (2, "c"), (3, "d")] {
            for _ in 0..2 {
                bus.ingest(payload.as_bytes(), Some(&key_for(shard, 4))).expect("there is room");
            }
        }
        assert_eq!(expect_send(&bus, 0).batch.shard_id, 0);
        let exited = bus.poll_exit(0, 9, ExitOrder::Oldest).expect("the third shard's fits");
        assert_eq!(exited.batch.shard_id, 2);
        assert_eq!(expect_send(&bus, 0).batch.shard_id, 1, "its turn");
    }

    #[test]
    fn failures_are_retried_in_order_before_later_batches() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        ingest(&bus, "c d");
        let second = bus.poll_exit(0, 100, ExitOrder::Oldest).expect("it may leave");
        ingest(&bus, "e f");
        assert!(bus.fail(second.id, RETRYABLE, 0));
        assert_eq!(expect_wait(&bus, 0), first.deadline + 1_000 * MS, "the first is in flight");
        assert!(bus.fail(first.id, RETRYABLE, 0));
        assert_eq!(acknowledge_all(&bus, 100 * MS), ["a b", "c d", "e f"]);
    }

    #[test]
    fn a_retry_waits_for_batches_in_flight_behind_it() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        ingest(&bus, "c d");
        let second = bus.poll_exit(0, 100, ExitOrder::Oldest).expect("it may leave");
        assert!(bus.fail(first.id, RETRYABLE, 0));
        assert_eq!(expect_wait(&bus, 100 * MS), second.deadline + 1_000 * MS);
        assert!(bus.acknowledge(second.id, 100 * MS));
        assert_eq!(acknowledge_all(&bus, 100 * MS), ["a b"]);
    }

    #[test]
    fn a_batch_in_flight_behind_another_can_be_split_expire_and_fail_for_good() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        let mut leases = Vec::new();
        for pair in ["c d", "e f", "g h"] {
            ingest(&bus, pair);
            leases.extend(bus.poll_exit(0, 100, ExitOrder::Oldest));
        }
        assert!(bus.fail(leases[0].id, Failure::Split, 0));
        assert!(bus.fail(leases[1].id, Failure::Permanent, 0));
        assert!(bus.expire(leases[2].id, 0));
        assert!(
            matches!(bus.poll(0), Action::Abandoned(given_up) if words(&given_up.batch) == "e f")
        );
        assert!(bus.acknowledge(first.id, 0));
        assert_eq!(acknowledge_all(&bus, 0), ["c", "d", "g h"]);
        assert_accounts(&bus.stats());
    }

    proptest! {
        /// However much fits, in whichever order: bounds hold, and each event is delivered once.
        #[test]
        fn every_event_leaves_once(
            lens in proptest::collection::vec(1usize..12, 0..60),
            budgets in proptest::collection::vec(0usize..60, 1..5),
            newest in any::<bool>(),
            shards in 1u16..4,
            json in any::<bool>(),
        ) {
            let order = if newest { ExitOrder::Newest } else { ExitOrder::Oldest };
            let format = if json { Format::Json } else { Format::Ndjson };
            let batch = BatchConfig { max_bytes: 40, ..small().batch };
            let bus = bus(BusConfig { shards, format, batch, max_event_bytes: 12, ..small() });
            for (at, len) in lens.iter().enumerate() {
                bus.ingest(format!("{at:0len$}").as_bytes(), None).ok();
            }
            let accepted = bus.stats().accepted;
            let mut leases = Vec::new();
            for budget in budgets {
                let mut left = budget;
                while let Some(lease) = bus.poll_exit(0, left, order) {
                    prop_assert!(lease.batch.body().len() <= left);
                    prop_assert!(lease.batch.len() <= 4);
                    left -= lease.batch.body().len();
                    leases.push(lease);
                }
                assert_accounts(&bus.stats());
            }
            let mut sequences: Vec<_> = leases
                .iter()
                .flat_map(|Lease { batch, .. }| (0..batch.len() as u64)
                    .map(|at| (batch.shard_id, batch.sequence_start + at)))
                .collect();
            for lease in leases {
                prop_assert!(bus.acknowledge(lease.id, 0));
            }
            let flush = bus.begin_flush();
            while let Action::Send(Lease { id, batch, .. }) = bus.poll(0) {
                sequences.extend((0..batch.len() as u64)
                    .map(|at| (batch.shard_id, batch.sequence_start + at)));
                prop_assert!(bus.acknowledge(id, 0));
            }
            bus.end_flush(flush);
            sequences.sort_unstable();
            sequences.dedup();
            prop_assert_eq!(sequences.len() as u64, accepted);
            prop_assert_eq!(bus.stats().delivered, accepted);
        }
    }
}

mod staging {
    use super::*;

    #[test]
    fn everything_is_staged_and_stays_in_the_bus() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        ingest(&bus, "c d e f g");
        let staged = bus.stage(0);
        let staged: Vec<_> = staged.iter().map(|batch| words(batch)).collect();
        assert_eq!(staged, ["a b", "c d e f", "g"]);
        assert_eq!(bus.stats().in_flight, 7);
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(acknowledge_all(&bus, 0), ["c d e f", "g"]);
    }

    #[test]
    fn a_recalled_lease_is_free_again_and_its_answer_too_late() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        bus.recall();
        assert!(!bus.acknowledge(lease.id, 0));
        assert_eq!(bus.stats().batches.expired, 0);
        let again = expect_send(&bus, 0);
        assert_eq!((again.attempt, again.batch.id()), (2, lease.batch.id()));
    }

    #[test]
    fn released_batches_are_gone_and_count_as_drained() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let lease = expect_send(&bus, 0);
        ingest(&bus, "c d e f g");
        let flush = bus.begin_flush();
        let staged = bus.stage(0);
        assert!(!bus.release(&staged[0]), "the host has it");
        assert!(bus.release(&staged[1]));
        assert!(!bus.release(&staged[1]), "it is gone");
        let report = bus.flush_report(flush).expect("the flush is open");
        assert_eq!((report.drained, report.pending), (4, 3));
        assert!(bus.acknowledge(lease.id, 0));
        assert_eq!(acknowledge_all(&bus, 0), ["g"]);
        assert_accounts(&bus.stats());
    }

    #[test]
    fn staging_does_not_carry_a_key_over_a_change_of_shards() {
        let scaling = Some(ScalingPolicy { auto_scale: false, ..ScalingPolicy::default() });
        let bus = bus(BusConfig { scaling, ..small() });
        bus.ingest(b"a", Some(b"k")).expect("there is room");
        bus.scale_up(1).expect("scaling is on");
        let moved = key_for(1, 2);
        bus.ingest(b"b", Some(&moved)).expect("there is room");
        bus.ingest(b"c", Some(&key_for(0, 2))).expect("there is room");
        assert_eq!(bus.stage(0).len(), 3, "`a` and `c` are on two sides of the change");
        let first = expect_send(&bus, 0);
        assert_eq!(words(&first.batch), "a");
        let wake = expect_wait(&bus, 0);
        assert_eq!(wake, first.deadline + 1_000 * MS, "the others are behind the fence");
        assert!(bus.acknowledge(first.id, 0));
        let mut later = acknowledge_all(&bus, 0);
        later.sort();
        assert_eq!(later, ["b", "c"]);
    }
}

mod closing {
    use super::*;

    #[test]
    fn closing_cuts_a_pause_short_that_nobody_asked_for() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        assert!(bus.fail(first.id, RETRYABLE, 0));
        bus.close();
        assert_eq!(words(&expect_send(&bus, 0).batch), "a b");
    }

    #[test]
    fn closing_leaves_the_pause_that_the_receiver_asked_for() {
        let bus = bus(small());
        ingest(&bus, "a b");
        let first = expect_send(&bus, 0);
        let retry_after = Duration::from_secs(3);
        assert!(bus.fail(first.id, Failure::Refused { retry_after }, 0));
        bus.close();
        assert_eq!(expect_wait(&bus, 0), 3_000 * MS);
    }
}

mod restores {
    use super::*;

    /// The stored batches of a bus with another nonce, one for each word.
    fn left(words: &[&str]) -> Vec<Shared<Batch>> {
        let bus = bus(small());
        bus.seed(7);
        words
            .iter()
            .map(|words| {
                ingest(&bus, words);
                bus.drain(usize::MAX).expect("there is something")
            })
            .collect()
    }

    #[test]
    fn recovered_batches_are_sent_beside_new_ones_a_few_at_a_time_with_their_old_ids() {
        let left = left(&["a b", "c", "d"]);
        let bus = bus(small());
        bus.seed(9);
        bus.begin_restore();
        ingest(&bus, "x y");
        assert!(bus.wants_restored());
        for batch in &left[..2] {
            assert!(bus.wants_restored());
            bus.restore(&batch.encode()).expect("it is whole");
        }
        assert!(!bus.wants_restored());
        assert_eq!(bus.restore(&left[2].encode()).err(), Some(RestoreError::NotNow));

        let first = expect_send(&bus, 0);
        assert_eq!((first.batch.id(), first.attempt), (left[0].id(), 1));
        assert_eq!(first.batch.body(), left[0].body());
        assert_eq!(acknowledge_all(&bus, 0), ["x y"], "while the other is in flight");
        assert!(bus.fail(first.id, RETRYABLE, 0));
        assert_eq!(expect_send(&bus, 100 * MS).batch.id(), left[0].id());
        bus.recall();
        assert!(bus.acknowledge(expect_send(&bus, 100 * MS).id, 100 * MS));

        bus.restore(&left[2].encode()).expect("it is whole");
        ingest(&bus, "z z");
        assert_eq!(acknowledge_all(&bus, 100 * MS), ["z z", "c", "d"], "they take turns");
        bus.end_restore();
        drop(first);

        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.offered, stats.restored, stats.delivered), (8, 4, 8));
        assert_eq!((stats.bytes.held, stats.shards.len()), (0, 1));
    }

    #[test]
    fn they_take_no_room_from_new_events() {
        let bus = bus(BusConfig { max_bytes: 2_000, max_event_bytes: 1_000, ..small() });
        bus.begin_restore();
        bus.restore(&left(&["a"])[0].encode()).expect("it needs no room");
        for _ in 0..2 {
            bus.ingest(&[b'1'; 1_000], None).expect("there is room");
        }
        assert_eq!((bus.stats().bytes.held, bus.stats().evicted), (2_000, 0));
        assert_eq!(acknowledge_all(&bus, 0).first().map(|words| &**words), Some("a"));
    }

    #[test]
    fn a_manual_flush_sends_them_and_new_events() {
        let bus = bus(BusConfig { scheduler: Scheduler::Manual, ..small() });
        bus.begin_restore();
        ingest(&bus, "x");
        let flush = bus.begin_flush();
        bus.restore(&left(&["a"])[0].encode()).expect("it is whole");
        assert_eq!(acknowledge_all(&bus, 0), ["a", "x"]);
        let report = bus.flush_report(flush).expect("the flush is open");
        assert_eq!((report.delivered, report.pending), (1, 0));
    }

    #[test]
    fn damaged_too_large_and_unexpected_batches_are_rejected() {
        let bytes = left(&["abc def"])[0].encode();
        let refused = |bus: &EventBus, bytes: &[u8]| {
            let before = bus.stats();
            let error = bus.restore(bytes).expect_err("it is refused");
            assert_eq!(bus.stats(), before);
            error
        };
        let bus = bus(small());
        assert_eq!(refused(&bus, &bytes), RestoreError::NotNow);
        bus.begin_restore();
        assert_eq!(refused(&bus, &bytes[1..]), RestoreError::Damaged);
        assert_eq!(refused(&bus, b""), RestoreError::Damaged);
        let mut newer = bytes.clone();
        newer[8] = 2;
        assert_eq!(refused(&bus, &newer), RestoreError::OtherFormat(2));
        bus.close();
        assert_eq!(refused(&bus, &bytes), RestoreError::NotNow);

        let batch = BatchConfig { max_bytes: 6, ..small().batch };
        let small = common::bus(BusConfig { batch, max_event_bytes: 6, ..small() });
        small.begin_restore();
        assert_eq!(refused(&small, &bytes), RestoreError::TooLarge { len: 7, max: 6 });
    }

    /// The checksum proves nothing about who made it.
    #[test]
    fn sequence_numbers_that_end_too_soon_are_refused() {
        let mut bytes = left(&["a b c"])[0].encode();
        let bus = bus(small());
        bus.begin_restore();
        let end = 1u64 << 53;
        for (sequence, is_right) in [(end - 3, true), (end - 2, false), (u64::MAX, false)] {
            bytes[20..28].copy_from_slice(&sequence.to_le_bytes());
            let end = bytes.len() - 8;
            let checksum = RawEvent::from_bytes(bytes[..end].to_vec()).hash();
            bytes[end..].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(bus.restore(&bytes).is_ok(), is_right);
            loop {
                match bus.poll(0) {
                    Action::Send(lease) => assert!(bus.fail(lease.id, Failure::Split, 0)),
                    Action::Abandoned(_) => {}
                    _ => break,
                }
            }
        }
    }

    #[test]
    fn it_can_be_split_flushed_staged_and_given_up() {
        let left = left(&["a b c"]);
        let bus = bus(small());
        bus.begin_restore();
        bus.restore(&left[0].encode()).expect("it is whole");
        ingest(&bus, "x");
        let flush = bus.begin_flush();
        assert!(bus.fail(expect_send(&bus, 0).id, Failure::Split, 0));
        assert_eq!(words(&expect_send(&bus, 0).batch), "x", "it is its turn");
        let half = expect_send(&bus, 0);
        assert_eq!((words(&half.batch), half.batch.id()), ("a b".to_owned(), left[0].id()));
        assert!(bus.acknowledge(half.id, 0));
        let report = bus.flush_report(flush).expect("the flush is open");
        assert_eq!((report.delivered, report.pending), (2, 2));
        let staged: Vec<_> = bus.stage(0).iter().map(|batch| words(batch)).collect();
        assert_eq!(staged, ["c", "x"]);
        bus.abandon_everything();
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.delivered, stats.abandoned.shutdown), (2, 2));
    }

    #[test]
    fn a_flush_sends_it_where_nothing_else_does() {
        let bus = bus(BusConfig { scheduler: Scheduler::Manual, ..small() });
        bus.begin_restore();
        let flush = bus.begin_flush();
        bus.restore(&left(&["a"])[0].encode()).expect("it is whole");
        assert_eq!(acknowledge_all(&bus, 0), ["a"]);
        bus.end_flush(flush);
        bus.restore(&left(&["b"])[0].encode()).expect("it is whole");
        expect_idle(&bus, 0);
    }

    #[test]
    fn a_change_of_shards_does_not_hold_it_back() {
        let scaling = Some(ScalingPolicy { auto_scale: false, ..ScalingPolicy::default() });
        let bus = bus(BusConfig {
            scaling,
            batch: BatchConfig { max_delay: ms(1), ..small().batch },
            ..small()
        });
        bus.ingest(b"a", Some(b"k")).expect("there is room");
        bus.begin_restore();
        bus.scale_up(1).expect("scaling is on");
        bus.restore(&left(&["z"])[0].encode()).expect("it is whole");
        assert_eq!(acknowledge_all(&bus, 10 * MS), ["z", "a"]);
    }
}
