//! An outage of the destination costs no event: nothing is abandoned, the receiver is probed
//! seldom, and its return is noticed soon. With the defaults except for the size of batches.

mod common;

use common::{MS, assert_accounts, bus, expect_send, expect_wait, key_for, small, texts};
use shardbus::{
    AbandonReason, Action, BatchConfig, BusConfig, EventBus, ExitOrder, Failure, Outcome,
    RetryPolicy, Scheduler,
};
use std::time::Duration;

const SECOND: u64 = 1_000 * MS;
const HOUR: u64 = 3_600 * SECOND;

/// Nobody answers.
const DOWN: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// The default retries with small batches.
fn patient() -> BusConfig {
    BusConfig { retry: Some(RetryPolicy::default()), ..small() }
}

/// A bus of several lanes, each of which holds a batch.
fn lanes(count: u16) -> EventBus {
    let bus = bus(BusConfig { shards: count, ..patient() });
    bus.seed(7);
    for shard in 0..count {
        offer(&bus, shard, count);
    }
    bus
}

/// Offers a batch's worth of events to a shard.
fn offer(bus: &EventBus, shard: u16, count: u16) {
    for payload in ["1", "2"] {
        bus.ingest(payload.as_bytes(), Some(&key_for(shard, count))).expect("there is room");
    }
}

/// Answers every attempt with `answer` from `from` to `to`, and returns when attempts began.
fn attempts(bus: &EventBus, from: u64, to: u64, answer: impl Fn(&EventBus, u64, u64)) -> Vec<u64> {
    let (mut now, mut begun) = (from, Vec::new());
    while now < to {
        match bus.poll(now) {
            Action::Send(lease) => {
                begun.push(now);
                answer(bus, lease.id, now);
            }
            Action::WaitUntil(wake) => now = wake,
            Action::Idle => break,
            other => panic!("something was given up: {other:?}"),
        }
    }
    begun
}

fn fail(bus: &EventBus, lease: u64, now: u64) {
    assert!(bus.fail(lease, DOWN, now));
}

fn deliver(bus: &EventBus, lease: u64, now: u64) {
    assert!(bus.acknowledge(lease, now));
}

/// Polls, expecting a batch that was given up.
#[track_caller]
fn expect_abandoned(bus: &EventBus, now: u64) -> (AbandonReason, u32, Vec<String>) {
    match bus.poll(now) {
        Action::Abandoned(it) => (it.reason, it.attempts, texts(&it.batch)),
        other => panic!("expected an abandoned batch at {now}, got {other:?}"),
    }
}

#[test]
fn an_outage_of_any_length_gives_nothing_up() {
    for count in [1, 5] {
        let bus = lanes(count);
        attempts(&bus, 0, 50 * HOUR, fail);
        attempts(&bus, 50 * HOUR, 51 * HOUR, deliver);
        assert_accounts(&bus.stats());
        assert_eq!(bus.stats().delivered, 2 * u64::from(count));
    }
}

#[test]
fn an_outage_of_a_minute_costs_a_receiver_some_twenty_requests() {
    for seed in 0..200 {
        let bus = lanes(1);
        bus.seed(seed);
        let count = attempts(&bus, 0, 60 * SECOND, fail).len();
        assert!((12..=25).contains(&count), "{count} requests");
    }
}

#[test]
fn lanes_share_the_probes_of_an_outage() {
    let bus = lanes(8);
    let begun = attempts(&bus, 0, 60 * SECOND, fail);
    assert!((20..=33).contains(&begun.len()), "8 that were under way, and probes: {begun:?}");
    let pauses: Vec<_> = begun[8..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= 100 * MS), "one at a time: {pauses:?}");
}

#[test]
fn a_return_is_noticed_within_five_seconds() {
    for seed in 0..200 {
        let bus = lanes(3);
        bus.seed(seed);
        let up_at = 60 * SECOND + seed * 77 * MS;
        attempts(&bus, 0, up_at, fail);
        let begun = attempts(&bus, up_at, up_at + HOUR, deliver);
        assert!(begun[0] - up_at <= 5 * SECOND, "noticed after {} ns", begun[0] - up_at);
        assert_eq!(bus.stats().delivered, 6);
    }
}

#[test]
fn after_an_outage_lanes_follow_one_another() {
    let bus = lanes(20);
    attempts(&bus, 0, 60 * SECOND, fail);
    let begun = attempts(&bus, 60 * SECOND, HOUR, deliver);
    assert_eq!(begun.len(), 20);
    let mut moments = begun[1..].to_vec();
    moments.dedup();
    assert!(moments.len() > 15, "they began in the same moments: {begun:?}");
    assert!(begun[19] - begun[0] <= 200 * MS, "and none waits for long: {begun:?}");
}

#[test]
fn one_failure_does_not_keep_the_other_lanes_waiting() {
    let bus = lanes(3);
    let first = expect_send(&bus, 0);
    fail(&bus, first.id, 0);
    deliver(&bus, expect_send(&bus, 0).id, 0);
    deliver(&bus, expect_send(&bus, 0).id, 0);
    let wake = expect_wait(&bus, 0);
    assert!((100 * MS..=200 * MS).contains(&wake), "its own pause: {wake}");
}

#[test]
fn pauses_grow_over_batches_and_end_with_the_first_answer() {
    let bus = lanes(1);
    attempts(&bus, 0, 60 * SECOND, fail);
    let wake = expect_wait(&bus, 60 * SECOND);
    deliver(&bus, expect_send(&bus, wake).id, wake);
    offer(&bus, 0, 1);
    let lease = expect_send(&bus, wake);
    fail(&bus, lease.id, wake);
    assert!(expect_wait(&bus, wake) - wake <= 200 * MS, "anew");
}

#[test]
fn a_refusal_is_an_answer_and_ends_an_outage() {
    let bus = lanes(2);
    attempts(&bus, 0, 60 * SECOND, fail);
    let wake = expect_wait(&bus, 60 * SECOND);
    let probe = expect_send(&bus, wake);
    assert!(bus.fail(probe.id, Failure::Refused { retry_after: Duration::ZERO }, wake));
    let next = expect_wait(&bus, wake);
    assert!(next - wake <= 200 * MS, "the other lane may try");
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_is_by_all_lanes() {
    let bus = lanes(3);
    let first = expect_send(&bus, 0);
    let retry_after = Duration::from_secs(20);
    assert!(bus.fail(first.id, Failure::Unavailable { retry_after }, 0));
    assert_eq!(expect_wait(&bus, 0), 20 * SECOND);
    let _flush = bus.begin_flush();
    bus.probe();
    bus.close();
    assert_eq!(expect_wait(&bus, 0), 20 * SECOND, "whatever the host asks for");
    deliver(&bus, expect_send(&bus, 20 * SECOND).id, 20 * SECOND);
}

#[test]
fn a_requested_pause_is_capped() {
    let retry_after = Duration::from_secs(86_400);
    for failure in [Failure::Unavailable { retry_after }, Failure::Refused { retry_after }] {
        let bus = lanes(1);
        let lease = expect_send(&bus, 0);
        assert!(bus.fail(lease.id, failure, 0));
        assert_eq!(expect_wait(&bus, 0), 60 * SECOND);
    }
}

#[test]
fn a_flush_probes_within_a_second_and_a_host_that_asks_at_once() {
    let bus = lanes(1);
    attempts(&bus, 0, 60 * SECOND, fail);
    let wake = expect_wait(&bus, 60 * SECOND);
    fail(&bus, expect_send(&bus, wake).id, wake);
    let asked_at = wake + 500 * MS;
    assert!(expect_wait(&bus, asked_at) > wake + 2 * SECOND);
    let _flush = bus.begin_flush();
    assert_eq!(expect_wait(&bus, asked_at), wake + SECOND);
    bus.probe();
    expect_send(&bus, asked_at);
}

#[test]
fn a_host_that_flushes_all_the_time_probes_once_a_second_at_most() {
    let bus = bus(BusConfig { scheduler: Scheduler::Manual, ..patient() });
    offer(&bus, 0, 1);
    let mut begun = 0;
    for now in (0..60_000).map(|ms| ms * MS) {
        let flush = bus.begin_flush();
        if let Action::Send(lease) = bus.poll(now) {
            begun += 1;
            fail(&bus, lease.id, now);
        }
        bus.end_flush(flush);
    }
    assert!((50..=62).contains(&begun), "{begun} requests in a minute");
}

#[test]
fn an_answer_to_another_lane_does_not_shorten_a_requested_pause() {
    let bus = lanes(2);
    let (first, second) = (expect_send(&bus, 0), expect_send(&bus, 0));
    let retry_after = Duration::from_secs(20);
    fail(&bus, first.id, 0);
    let probe = expect_wait(&bus, 0);
    let probe = expect_send(&bus, probe);
    fail(&bus, probe.id, SECOND);
    assert!(bus.fail(second.id, Failure::Unavailable { retry_after }, SECOND));
    // The first lane's next attempt began in an exit, and is answered.
    let exit = bus.poll_exit(SECOND, usize::MAX, ExitOrder::Oldest).expect("it may exit");
    deliver(&bus, exit.id, SECOND);
    assert_eq!(expect_wait(&bus, SECOND), 21 * SECOND);
}

#[test]
fn closing_ends_the_pauses_that_spread_lanes() {
    let delay = Duration::from_secs(30);
    let retry = RetryPolicy { base_delay: delay, max_delay: delay, ..RetryPolicy::default() };
    let bus = bus(BusConfig { shards: 8, retry: Some(retry), ..small() });
    bus.seed(7);
    for shard in 0..8 {
        offer(&bus, shard, 8);
    }
    attempts(&bus, 0, 120 * SECOND, fail);
    let wake = expect_wait(&bus, 120 * SECOND);
    deliver(&bus, expect_send(&bus, wake).id, wake);
    bus.close();
    for _ in 0..7 {
        deliver(&bus, expect_send(&bus, wake).id, wake);
    }
}

#[test]
fn closing_probes_at_once() {
    let bus = lanes(1);
    attempts(&bus, 0, 60 * SECOND, fail);
    expect_wait(&bus, 60 * SECOND);
    bus.close();
    deliver(&bus, expect_send(&bus, 60 * SECOND).id, 60 * SECOND);
}

#[test]
fn a_probe_whose_host_died_does_not_keep_others_from_probing() {
    let bus = lanes(2);
    attempts(&bus, 0, 60 * SECOND, fail);
    let wake = expect_wait(&bus, 60 * SECOND);
    let lost = expect_send(&bus, wake);
    assert_eq!(expect_wait(&bus, wake), wake + 1_500 * MS, "one probe at a time");
    assert!(bus.expire(lost.id, wake + MS));
    expect_send(&bus, wake + MS);
}

#[test]
fn without_retries_the_first_failure_gives_a_batch_up() {
    let refused = Failure::Refused { retry_after: Duration::ZERO };
    for failure in [DOWN, refused] {
        let bus = bus(BusConfig { retry: None, ..small() });
        offer(&bus, 0, 1);
        assert!(bus.fail(expect_send(&bus, 0).id, failure, 0));
        let lost = vec!["1".to_owned(), "2".to_owned()];
        assert_eq!(expect_abandoned(&bus, 0), (AbandonReason::Retries, 1, lost));
    }
}

mod a_store {
    use super::*;

    fn stored(bus: &EventBus, now: u64) -> Vec<Vec<String>> {
        let mut stored = Vec::new();
        while let Action::Store(batch) = bus.poll(now) {
            let start = batch.sequence_start;
            bus.note_stored(batch.process_nonce, 0, &(start..start + batch.len() as u64));
            stored.push(texts(&batch));
        }
        stored
    }

    #[test]
    fn gets_old_events_before_their_turn() {
        let bus = bus(BusConfig { has_store: true, ..patient() });
        bus.seed(7);
        offer(&bus, 0, 1);
        let lease = expect_send(&bus, 0);
        bus.ingest(b"3", None).expect("there is room");
        let due = expect_wait(&bus, 0);
        assert!(stored(&bus, due - 1).is_empty());
        assert_eq!(stored(&bus, due), [["3"]], "while the other is in flight");
        assert!(stored(&bus, due + SECOND).is_empty(), "once");
        fail(&bus, lease.id, due);
        assert_eq!(stored(&bus, due), [["1", "2"]], "the host did not say that it has it");
        assert_eq!(bus.stats().in_flight, 3);
        assert_accounts(&bus.stats());
    }

    #[test]
    fn is_asked_again_for_batches_that_it_did_not_take() {
        let bus = bus(BusConfig { has_store: true, ..patient() });
        offer(&bus, 0, 1);
        fail(&bus, expect_send(&bus, 0).id, 0);
        assert!(matches!(bus.poll(0), Action::Store(_)));
        let asked = std::iter::successors(Some(expect_wait(&bus, 0)), |&now| match bus.poll(now) {
            Action::Store(_) => None,
            Action::Send(lease) => {
                fail(&bus, lease.id, now);
                Some(now)
            }
            Action::WaitUntil(wake) => Some(wake),
            other => panic!("it waits: {other:?}"),
        });
        let last = asked.last().expect("it is asked again");
        assert!(last <= 12 * SECOND, "after {last} ns");
    }

    #[test]
    fn gets_the_events_left_by_a_partial_outcome() {
        let bus = bus(BusConfig { has_store: true, ..patient() });
        bus.seed(7);
        offer(&bus, 0, 1);
        let lease = expect_send(&bus, 0);
        bus.note_stored(7, 0, &(0..2));
        let again =
            Outcome::Failed(Failure::Refused { retry_after: 1_000 * Duration::from_secs(1) });
        assert!(bus.settle(lease.id, &[(1, Outcome::Delivered), (1, again)], 0));
        assert_eq!(stored(&bus, 0), [["2"]]);
    }
}

mod a_batch_at_fault {
    use super::*;

    #[test]
    fn is_given_up_once_the_others_were_delivered_for_an_hour() {
        let bus = lanes(2);
        let (mut now, mut given_up) = (0, None);
        while given_up.is_none() && now < 3 * HOUR {
            match bus.poll(now) {
                Action::Send(lease) if lease.batch.shard_id == 0 => fail(&bus, lease.id, now),
                Action::Send(lease) => {
                    now += 100 * MS;
                    deliver(&bus, lease.id, now);
                    offer(&bus, 1, 2);
                }
                Action::WaitUntil(wake) => now = wake,
                Action::Abandoned(abandoned) => given_up = Some((now, abandoned)),
                other => panic!("it was forgotten: {other:?}"),
            }
        }
        let (at, abandoned) = given_up.expect("it does not hold its lane for ever");
        assert_eq!((abandoned.reason, abandoned.batch.shard_id), (AbandonReason::Retries, 0));
        assert!((HOUR..=HOUR + 10 * SECOND).contains(&at), "after {at} ns");
    }

    #[test]
    fn is_found_by_trying_the_one_behind_it() {
        let bus = lanes(1);
        offer(&bus, 0, 1);
        offer(&bus, 0, 1);
        let poison = |bus: &EventBus, lease: u64, now: u64| fail(bus, lease, now);
        attempts(&bus, 0, HOUR, poison);
        let mut now = HOUR;
        let mut delivered = Vec::new();
        let lost = loop {
            match bus.poll(now) {
                Action::Send(lease) if lease.batch.sequence_start == 0 => fail(&bus, lease.id, now),
                Action::Send(lease) => {
                    delivered.push(lease.batch.sequence_start);
                    deliver(&bus, lease.id, now);
                }
                Action::WaitUntil(wake) => now = wake,
                Action::Abandoned(abandoned) => break abandoned,
                other => panic!("it was forgotten: {other:?}"),
            }
        };
        assert_eq!((lost.reason, lost.batch.sequence_start), (AbandonReason::Retries, 0));
        assert_eq!(delivered, [4], "in order from then on");
        assert!(now <= HOUR + 10 * SECOND);
        assert_accounts(&bus.stats());
    }

    #[test]
    fn of_an_earlier_run_holds_up_neither_new_nor_later_events() {
        let left: Vec<_> = {
            let earlier = lanes(1);
            offer(&earlier, 0, 1);
            std::iter::from_fn(|| earlier.drain(3)).map(|batch| batch.encode()).collect()
        };
        for is_busy in [true, false] {
            let bus = bus(patient());
            bus.seed(9);
            bus.begin_restore();
            let mut left = left.iter();
            let (mut now, mut delivered, mut given_up) = (0, 0, Vec::new());
            while given_up.is_empty() || bus.stats().in_flight > 0 {
                if bus.wants_restored()
                    && let Some(bytes) = left.next()
                {
                    bus.restore(bytes).expect("it is whole");
                }
                match bus.poll(now) {
                    Action::Send(lease)
                        if lease.batch.process_nonce == 7 && lease.batch.sequence_start == 0 =>
                    {
                        fail(&bus, lease.id, now);
                    }
                    Action::Send(lease) => {
                        now += 100 * MS;
                        delivered += u64::from(lease.batch.process_nonce == 9);
                        deliver(&bus, lease.id, now);
                        assert!(now < 2 * HOUR, "it is not given up");
                    }
                    Action::WaitUntil(wake) => now = wake,
                    Action::Abandoned(abandoned) => given_up.push(abandoned.batch.id()),
                    other => panic!("it was forgotten: {other:?}"),
                }
                if is_busy && now < HOUR + 30 * SECOND && bus.stats().shards[0].in_flight == 0 {
                    offer(&bus, 0, 1);
                }
            }
            assert_eq!(given_up, ["0000000000000007-0-0"]);
            assert!(!is_busy || delivered > 10_000, "what is new goes on: {delivered}");
            assert_accounts(&bus.stats());
        }
    }

    #[test]
    fn is_not_looked_for_while_nothing_is_behind_it() {
        let bus = lanes(1);
        attempts(&bus, 0, 3 * HOUR, fail);
        assert_eq!(bus.stats().in_flight, 2);
    }

    /// Has a bus of one lane hold three batches of four events.
    fn hold_three_batches(bus: &EventBus) {
        (0..5).for_each(|_| offer(bus, 0, 1));
    }

    /// A lane whose first batch has failed for an hour, so that the one behind it is tried next, and
    /// when that is.
    fn on_trial(bus: &EventBus) -> u64 {
        hold_three_batches(bus);
        let begun = attempts(bus, 0, HOUR, fail);
        let mut now = *begun.last().expect("it was tried");
        while now < HOUR {
            now = expect_wait(bus, now);
        }
        fail(bus, expect_send(bus, now).id, now);
        now
    }

    #[test]
    fn is_not_taken_for_another_once_it_was_drained() {
        let bus = lanes(1);
        let now = on_trial(&bus);
        assert!(bus.drain(usize::MAX).is_some());
        attempts(&bus, now, now + HOUR, deliver);
        let stats = bus.stats();
        assert_eq!((stats.drained, stats.delivered, stats.abandoned.retries), (4, 8, 0));
    }

    #[test]
    fn is_found_by_a_batch_behind_it_that_is_taken_in_part() {
        let bus = lanes(1);
        let now = on_trial(&bus);
        let tried = expect_send(&bus, now);
        assert_eq!(tried.batch.sequence_start, 4);
        let refused = Failure::Refused { retry_after: Duration::ZERO };
        assert!(bus.settle(
            tried.id,
            &[(3, Outcome::Delivered), (1, Outcome::Failed(refused))],
            now
        ));
        let (reason, _, lost) = expect_abandoned(&bus, now);
        assert_eq!((reason, lost.len()), (AbandonReason::Retries, 4));
        assert_eq!((bus.stats().delivered, bus.stats().in_flight), (3, 1));
    }

    #[test]
    fn is_not_given_up_while_an_exit_has_sent_it() {
        let bus = lanes(1);
        let now = on_trial(&bus);
        let tried = expect_send(&bus, now);
        let exit = bus.poll_exit(now, usize::MAX, ExitOrder::Oldest).expect("it may exit");
        assert_eq!(exit.batch.sequence_start, 0);
        deliver(&bus, tried.id, now);
        deliver(&bus, exit.id, now);
        assert_eq!((bus.stats().delivered, bus.stats().abandoned.retries), (8, 0));
    }

    #[test]
    fn is_not_looked_for_while_the_receiver_asks_to_be_left_alone() {
        let bus = lanes(1);
        hold_three_batches(&bus);
        let begun = attempts(&bus, 0, HOUR, fail);
        let mut now = *begun.last().expect("it was tried");
        while now < HOUR {
            now = expect_wait(&bus, now);
        }
        let retry_after = Duration::from_secs(20);
        let lease = expect_send(&bus, now);
        assert!(bus.fail(lease.id, Failure::Unavailable { retry_after }, now));
        assert_eq!(expect_wait(&bus, now), now + 20 * SECOND);
    }
}

mod ages {
    use super::*;

    fn with_max_age(config: BusConfig, seconds: u64) -> EventBus {
        let max_age = Some(Duration::from_secs(seconds));
        let retry = Some(RetryPolicy { max_age, ..RetryPolicy::default() });
        bus(BusConfig { retry, ..config })
    }

    fn ingest(bus: &EventBus, wall: u64, words: &str) {
        bus.clock().set(wall);
        for word in words.split(' ') {
            bus.ingest(word.as_bytes(), None).expect("there is room");
        }
    }

    #[test]
    fn older_events_are_abandoned_one_by_one() {
        let bus = with_max_age(patient(), 30);
        ingest(&bus, 0, "a b");
        fail(&bus, expect_send(&bus, 0).id, 0);
        ingest(&bus, 10 * SECOND, "c d e");
        ingest(&bus, 20 * SECOND, "f");
        attempts(&bus, 0, 29 * SECOND, fail);
        bus.clock().set(31 * SECOND);
        let (reason, attempts, lost) = expect_abandoned(&bus, 31 * SECOND);
        assert_eq!((reason, lost), (AbandonReason::Expired, texts_of("a b")));
        assert!(attempts > 1);
        bus.clock().set(41 * SECOND);
        assert_eq!(
            expect_abandoned(&bus, 41 * SECOND),
            (AbandonReason::Expired, 0, texts_of("c d e"))
        );
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.abandoned.expired, stats.pending), (5, 1));
        deliver(&bus, expect_send(&bus, 41 * SECOND).id, 41 * SECOND);
    }

    #[test]
    fn the_rest_of_a_batch_keeps_its_place() {
        let batch = BatchConfig { min_size: 4, max_size: 4, ..small().batch };
        let bus = with_max_age(BusConfig { batch, ..patient() }, 30);
        ingest(&bus, 0, "a b");
        ingest(&bus, 5 * SECOND, "c d");
        let lease = expect_send(&bus, 0);
        fail(&bus, lease.id, 0);
        bus.clock().set(31 * SECOND);
        assert_eq!(expect_abandoned(&bus, 31 * SECOND).2, texts_of("a b"));
        let rest = expect_send(&bus, 31 * SECOND);
        assert_eq!((texts(&rest.batch), rest.attempt), (texts_of("c d"), 2));
        assert_eq!(rest.batch.sequence_start, 2);
    }

    #[test]
    fn it_is_told_when_it_happens() {
        let bus = with_max_age(patient(), 2);
        ingest(&bus, 0, "a b");
        let lease = expect_send(&bus, 0);
        let retry_after = Duration::from_secs(50);
        assert!(bus.fail(lease.id, Failure::Unavailable { retry_after }, 0));
        assert_eq!(expect_wait(&bus, 0), 2 * SECOND + 1, "its timestamp is 1");
    }

    #[test]
    fn a_batch_in_flight_has_its_chance() {
        let bus = with_max_age(patient(), 1);
        ingest(&bus, 0, "a b");
        let lease = expect_send(&bus, 0);
        bus.clock().set(60 * SECOND);
        expect_wait(&bus, 0);
        deliver(&bus, lease.id, 0);
        assert_eq!(bus.stats().delivered, 2);
    }

    fn texts_of(words: &str) -> Vec<String> {
        words.split(' ').map(str::to_owned).collect()
    }
}

mod outcomes {
    use super::*;

    /// A bus with one batch of `a` to `f`, and its lease.
    fn leased() -> (EventBus, u64) {
        let batch = BatchConfig { min_size: 6, max_size: 6, ..small().batch };
        let bus = bus(BusConfig { batch, ..patient() });
        for word in ["a", "b", "c", "d", "e", "f", "later"] {
            bus.ingest(word.as_bytes(), None).expect("there is room");
        }
        let lease = expect_send(&bus, 0);
        (bus, lease.id)
    }

    const REFUSED: Outcome = Outcome::Failed(Failure::Refused { retry_after: Duration::ZERO });
    const REJECTED: Outcome = Outcome::Failed(Failure::Permanent);

    #[test]
    fn each_event_has_its_own() {
        let (bus, lease) = leased();
        let outcomes = [(2, Outcome::Delivered), (1, REJECTED), (2, REFUSED), (1, REJECTED)];
        assert!(bus.settle(lease, &outcomes, 0));
        let stats = bus.stats();
        assert_accounts(&stats);
        assert_eq!((stats.delivered, stats.abandoned.permanent, stats.in_flight), (2, 2, 2));
        assert_eq!(stats.batches.delivered, 1);
        assert_eq!(expect_abandoned(&bus, 0).2, ["c"], "in order");
        assert_eq!(expect_abandoned(&bus, 0).2, ["f"]);
        let wake = expect_wait(&bus, 0);
        let again = expect_send(&bus, wake);
        assert_eq!((texts(&again.batch), again.attempt), (vec!["d".into(), "e".into()], 2));
        assert_eq!(again.batch.sequence_start, 3);
        deliver(&bus, again.id, wake);
        assert_eq!(bus.stats().delivered, 4);
    }

    #[test]
    fn retried_events_go_before_later_batches_and_in_order() {
        let (bus, lease) = leased();
        let outcomes = [(1, REFUSED), (1, Outcome::Delivered), (1, REFUSED), (3, REFUSED)];
        assert!(bus.settle(lease, &outcomes, 0));
        let flush = bus.begin_flush();
        let mut sent = Vec::new();
        attempts(&bus, 0, HOUR, deliver);
        sent.push(bus.stats().delivered);
        assert_eq!(sent, [7]);
        assert_eq!(bus.flush_report(flush).map(|report| report.delivered), Some(6));
    }

    #[test]
    fn they_must_cover_the_batch() {
        let (bus, lease) = leased();
        let stats = bus.stats();
        for outcomes in [
            &[][..],
            &[(5, Outcome::Delivered)],
            &[(7, Outcome::Delivered)],
            &[(usize::MAX, Outcome::Delivered), (7, Outcome::Delivered)],
        ] {
            assert!(!bus.settle(lease, outcomes, 0));
        }
        assert_eq!(bus.stats(), stats);
        assert!(bus.settle(lease, &[(0, REJECTED), (6, Outcome::Delivered)], 0));
        assert!(!bus.settle(lease, &[(6, Outcome::Delivered)], 0), "once");
        assert_eq!(bus.stats().delivered, 6);
    }

    #[test]
    fn events_that_are_refused_too_often_are_given_up() {
        let (bus, lease) = leased();
        assert!(bus.settle(lease, &[(5, Outcome::Delivered), (1, REFUSED)], 0));
        let mut now = 0;
        let lost = loop {
            match bus.poll(now) {
                Action::Send(lease) if texts(&lease.batch) == ["f"] => {
                    let refused = Failure::Refused { retry_after: Duration::ZERO };
                    assert!(bus.fail(lease.id, refused, now));
                }
                Action::Send(lease) => deliver(&bus, lease.id, now),
                Action::WaitUntil(wake) => now = wake,
                Action::Abandoned(abandoned) => break abandoned,
                other => panic!("it was forgotten: {other:?}"),
            }
        };
        assert_eq!((lost.reason, lost.attempts), (AbandonReason::Retries, 10));
        assert!(now <= 26 * SECOND, "its lane was held up for {now} ns");
    }
}
