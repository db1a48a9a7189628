//! Every event offered to an `EventBus` ends in exactly one place, whatever happens: random
//! operations on random small buses, checked after every step against a model that knows where
//! each single event is.

mod common;
#[path = "accounting/delivery.rs"]
mod delivery;
#[path = "accounting/endings.rs"]
mod endings;
#[path = "accounting/model.rs"]
mod model;

use common::ms;
use model::{Model, Payload, Step};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{
    BackpressureMode, BatchConfig, BusConfig, ExitOrder, Failure, Format, RetryPolicy, Scheduler,
};

fn configs() -> impl Strategy<Value = BusConfig> {
    let mode = prop_oneof![
        1 => Just(BackpressureMode::DropNewest),
        1 => Just(BackpressureMode::FailProducer),
        3 => Just(BackpressureMode::DropOldest),
        1 => (1u32..5).prop_map(|rate| BackpressureMode::Sample { rate }),
    ];
    let format = prop_oneof![Just(Format::Ndjson), Just(Format::Json)];
    let scheduler = prop_oneof![3 => Just(Scheduler::Auto), 1 => Just(Scheduler::Manual)];
    // Room for a few events at most, so that both bounds are met all the time.
    let bounds = (1u16..=5, 1u32..=4, 6usize..24, 0u64..200);
    (mode, format, scheduler, bounds, batches(), retries(), 1u64..100).prop_map(
        |(backpressure, format, scheduler, bounds, mut batch, retry, timeout)| {
            let (shards, log_capacity, max_event_bytes, more_bytes) = bounds;
            batch.max_bytes += max_event_bytes + 2;
            BusConfig {
                shards,
                capacity: 1 << log_capacity,
                max_bytes: max_event_bytes as u64 + more_bytes,
                max_event_bytes,
                max_key_bytes: 1 << 10,
                routing_seed: 0,
                backpressure,
                format,
                scheduler,
                batch,
                retry: Some(retry),
                scaling: None,
                has_store: false,
                max_store_bytes: 0,
                timeout: ms(timeout),
            }
        },
    )
}

/// `max_bytes` is the limit of a body beyond its largest event.
fn batches() -> impl Strategy<Value = BatchConfig> {
    (1usize..4, 0usize..5, 0usize..40, 1u64..40, any::<bool>()).prop_map(
        |(min_size, more, max_bytes, max_delay, adaptive)| BatchConfig {
            min_size,
            max_size: min_size + more,
            max_bytes,
            max_delay: ms(max_delay),
            adaptive,
            velocity_window: ms(20),
        },
    )
}

fn retries() -> impl Strategy<Value = RetryPolicy> {
    (1u32..4, 0u64..20, 0u64..40).prop_map(|(max_attempts, base_delay, more)| RetryPolicy {
        max_attempts,
        base_delay: ms(base_delay),
        max_delay: ms(base_delay + more),
        ..RetryPolicy::default()
    })
}

fn payloads() -> impl Strategy<Value = Payload> {
    prop_oneof![
        20 => (0usize..26).prop_map(Payload::Padded),
        1 => Just(Payload::Empty),
        1 => Just(Payload::TwoLines),
    ]
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        4 => (0u64..3).prop_map(|after| Failure::Refused { retry_after: ms(20 * after) }),
        // Seldom: in an outage, few waits are checked.
        1 => (0u64..3).prop_map(|after| Failure::Unavailable { retry_after: ms(20 * after) }),
        1 => Just(Failure::Permanent),
        2 => Just(Failure::Split),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ingest = (payloads(), proptest::option::of(0u8..8));
    let answer = (any::<Index>(), proptest::bool::weighted(0.2));
    let step = prop_oneof![
        60 => ingest.prop_map(|(payload, key)| Step::Ingest { payload, key }),
        30 => any::<bool>().prop_map(|keep| Step::Poll { keep }),
        15 => answer.clone().prop_map(|(which, late)| Step::Acknowledge { which, late }),
        15 => (answer.clone(), failures()).prop_map(|((which, late), failure)| {
            Step::Fail { which, late, failure }
        }),
        5 => answer.prop_map(|(which, late)| Step::Expire { which, late }),
        15 => (0u64..50).prop_map(|by| Step::Pass(ms(by))),
        8 => (0u64..60).prop_map(|by| Step::WallForward(ms(by))),
        2 => (0u64..60).prop_map(|by| Step::WallBack(ms(by))),
        2 => (0u64..60).prop_map(|by| Step::TimeBack(ms(by))),
        4 => Just(Step::ExpireLeases),
        6 => any::<Index>().prop_map(Step::Forget),
        5 => (0usize..70).prop_map(|max_bytes| Step::Drain { max_bytes }),
        6 => Just(Step::BeginFlush),
        4 => any::<Index>().prop_map(Step::EndFlush),
        1 => Just(Step::HostRefuses),
        1 => proptest::bool::weighted(0.3).prop_map(|close| {
            if close { Step::Close } else { Step::AbandonEverything }
        }),
    ];
    let step = prop_oneof![10 => step, 2 => endings()];
    proptest::collection::vec(step, 1..150)
}

/// The actions of a host that is about to end, or begins anew.
fn endings() -> impl Strategy<Value = Step> {
    let order = prop_oneof![Just(ExitOrder::Oldest), Just(ExitOrder::Newest)];
    let format = prop_oneof![Just(Format::Ndjson), Just(Format::Json)];
    let restored = (proptest::collection::vec(1usize..16, 1..6), format);
    prop_oneof![
        9 => (0usize..80, order, any::<bool>()).prop_map(|(max_bytes, order, keep)| {
            Step::Exit { max_bytes, order, keep }
        }),
        3 => any::<bool>().prop_map(|keep| Step::Stage { keep }),
        1 => Just(Step::Recall),
        3 => any::<Index>().prop_map(Step::Release),
        3 => Just(Step::BeginRestore),
        8 => (restored, proptest::bool::weighted(0.1), any::<bool>()).prop_map(
            |((lens, format), is_damaged, keep)| Step::Restore { lens, format, is_damaged, keep }
        ),
        3 => Just(Step::EndRestore),
    ]
}

shardbus_seeds::properties! {
    1_500;

    #[test]
    fn every_event_is_in_exactly_one_place_after_every_call(
        config in configs(),
        nonce in any::<u64>(),
        steps in steps(),
    ) {
        let mut model = Model::new(config, nonce);
        for step in steps {
            model.take(step)?;
            model.check()?;
        }
        model.end()?;
    }
}
