//! Options, from the types of `wit/types.wit` to the core's. Every field is named on both sides, so
//! that the compiler finds an option that one of them lacks.

use crate::types as wit;
use shardbus::{
    BackpressureMode, BatchOptions, BusOptions, ConfigError, Format, IngestionError, RetryOptions,
    ScalingOptions, Scheduler,
};
use std::time::Duration;

/// The options of a bus.
pub fn options(given: wit::Options) -> BusOptions {
    let wit::Options {
        shards,
        capacity,
        max_bytes,
        max_event_bytes,
        max_key_bytes,
        routing_seed,
        backpressure,
        format,
        scheduler,
        has_store,
        max_store_bytes,
        timeout,
        batch,
        retry,
        scaling,
    } = given;
    BusOptions {
        shards,
        capacity: capacity.map(size),
        max_bytes: max_bytes.map(u64::from),
        max_event_bytes: max_event_bytes.map(size),
        max_key_bytes: max_key_bytes.map(size),
        routing_seed,
        backpressure: backpressure.map(policy),
        format: format.map(layout),
        scheduler: scheduler.map(times),
        has_store,
        max_store_bytes,
        timeout: timeout.map(Duration::from_nanos),
        batch: batch.map(batches).unwrap_or_default(),
        retry: match retry {
            None => Some(RetryOptions::default()),
            Some(wit::Retry::Never) => None,
            Some(wit::Retry::Within(limits)) => Some(retries(limits)),
        },
        scaling: scaling.map(scales),
    }
}

fn batches(given: wit::BatchOptions) -> BatchOptions {
    let wit::BatchOptions { min_size, max_size, max_bytes, max_delay, adaptive, velocity_window } =
        given;
    BatchOptions {
        min_size: min_size.map(size),
        max_size: max_size.map(size),
        max_bytes: max_bytes.map(size),
        max_delay: max_delay.map(Duration::from_nanos),
        adaptive,
        velocity_window: velocity_window.map(Duration::from_nanos),
    }
}

fn retries(given: wit::RetryOptions) -> RetryOptions {
    let wit::RetryOptions { max_attempts, base_delay, max_delay, max_age, max_retry_after } = given;
    RetryOptions {
        max_attempts,
        base_delay: base_delay.map(Duration::from_nanos),
        max_delay: max_delay.map(Duration::from_nanos),
        max_age: max_age.map(|age| Some(Duration::from_nanos(age))),
        max_retry_after: max_retry_after.map(Duration::from_nanos),
    }
}

fn scales(given: wit::ScalingOptions) -> ScalingOptions {
    let wit::ScalingOptions {
        min_shards,
        max_shards,
        auto_scale,
        fill_ratio_threshold,
        flush_latency_threshold,
        underutilized_threshold,
        cooldown,
        scale_down_delay,
        metrics_window,
    } = given;
    ScalingOptions {
        min_shards,
        max_shards,
        auto_scale,
        fill_ratio_threshold,
        flush_latency_threshold_us: flush_latency_threshold.map(|nanos| nanos / 1000),
        underutilized_threshold,
        cooldown: cooldown.map(Duration::from_nanos),
        scale_down_delay: scale_down_delay.map(Duration::from_nanos),
        metrics_window: metrics_window.map(Duration::from_nanos),
    }
}

const fn policy(given: wit::Backpressure) -> BackpressureMode {
    match given {
        wit::Backpressure::DropOldest => BackpressureMode::DropOldest,
        wit::Backpressure::DropNewest => BackpressureMode::DropNewest,
        wit::Backpressure::FailProducer => BackpressureMode::FailProducer,
        wit::Backpressure::Sample(rate) => BackpressureMode::Sample { rate },
    }
}

const fn layout(given: wit::Format) -> Format {
    match given {
        wit::Format::Ndjson => Format::Ndjson,
        wit::Format::Json => Format::Json,
    }
}

const fn times(given: wit::Scheduler) -> Scheduler {
    match given {
        wit::Scheduler::Auto => Scheduler::Auto,
        wit::Scheduler::Manual => Scheduler::Manual,
    }
}

/// A number of items or bytes.
pub const fn size(number: u32) -> usize {
    number as usize
}

/// The rule that options break, in the names of WIT.
pub fn config_error(error: ConfigError) -> wit::ConfigError {
    let (setting, rule) = error.rule.parts();
    let [setting, rule] = [setting, rule].map(|text| text.replace('_', "-"));
    wit::ConfigError { setting, value: error.value, rule }
}

/// The reason for which an event was refused.
pub const fn rejection(error: &IngestionError) -> wit::Rejection {
    match error {
        IngestionError::Backpressure => wit::Rejection::Full,
        IngestionError::Sampled => wit::Rejection::Sampled,
        IngestionError::Unrouted => wit::Rejection::Unrouted,
        IngestionError::ShuttingDown => wit::Rejection::Closed,
        IngestionError::Oversize { .. } => wit::Rejection::Oversize,
        IngestionError::KeyTooLong { .. } => wit::Rejection::KeyTooLong,
        _ => wit::Rejection::Invalid,
    }
}
