//! The largest and the smallest numbers that a host can hand in: nothing overflows, and every event is
//! in one place.

mod common;

use common::{assert_accounts, bus, small};
use proptest::prelude::*;
use shardbus::{Action, BusConfig, EventBus, ExitOrder, Failure, ScalingPolicy};
use std::time::Duration;

/// Numbers near both ends, and any others.
fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0..3u64, (0..3u64).prop_map(|less| u64::MAX - less), any::<u64>()]
}

/// An operation, and its number.
fn operations() -> impl Strategy<Value = Vec<(u8, u64)>> {
    proptest::collection::vec((0u8..15, numbers()), 1..60)
}

/// Carries an operation out. Leases are numbered from 0, so small numbers are of live ones.
fn operate(bus: &EventBus, operation: u8, number: u64, now: &mut u64) {
    match operation {
        0 => bus.clock().set(number),
        1 => *now = number,
        2 => {
            bus.acknowledge(number, *now);
        }
        3 => {
            let retry_after = Duration::from_nanos(number);
            bus.fail(number % 4, Failure::Unavailable { retry_after }, *now);
        }
        4 => {
            bus.expire(number, number);
        }
        5 => drop(bus.begin_flush_until(number)),
        6 => bus.end_flush(number as u32),
        7 => drop(bus.scale_up(number as u16)),
        8 => drop(bus.scale_down(number as u16)),
        9 => drop(bus.drain(number as usize)),
        10 => drop(bus.poll_exit(number, number as usize, ExitOrder::Newest)),
        11 => bus.note_stored(1, number as u16, &(number.saturating_sub(3)..number)),
        12 => drop(bus.poll_flush(number as u32, *now)),
        13 => bus.refuse_oversize(),
        _ => match bus.poll(*now) {
            Action::WaitUntil(wake) => assert!(wake > *now || *now == u64::MAX, "{wake} is over"),
            Action::Lost(flush) => bus.end_flush(flush),
            _ => {}
        },
    }
}

shardbus_seeds::properties! {
    2_000;

    #[test]
    fn any_numbers_leave_every_event_in_one_place(
        operations in operations(),
        has_store in any::<bool>(),
        is_scaled in any::<bool>(),
    ) {
        let scaling = is_scaled.then(ScalingPolicy::default);
        let bus = bus(BusConfig { scaling, has_store, max_store_bytes: u64::MAX, ..small() });
        bus.seed(1);
        let mut now = 0;
        for (operation, number) in operations {
            // The counts tell of a refusal.
            drop(bus.ingest(b"1", (number % 2 == 0).then_some(b"key")));
            operate(&bus, operation, number, &mut now);
            let stats = bus.stats();
            assert_accounts(&stats);
            prop_assert!(stats.bytes.held <= bus.config().max_bytes);
            let refused = stats.offered - stats.accepted;
            prop_assert_eq!(bus.lost(), refused + stats.evicted);
        }
        bus.close();
        bus.abandon_everything();
        while matches!(bus.poll(now), Action::Abandoned(_)) {}
        let end = bus.stats();
        prop_assert_eq!((end.pending, end.in_flight, end.bytes.held), (0, 0, 0));
    }
}
