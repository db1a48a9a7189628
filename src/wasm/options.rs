//! The constructor's options, as JavaScript writes them.

use super::nanos;
use crate::{
    BackpressureMode, BatchConfig, BusConfig, ConfigError, Format, RetryPolicy, ScalingPolicy,
    Scheduler,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Every option is optional; the core's defaults fill in. TypeScript has checked the types.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    shards: Option<u16>,
    capacity: Option<usize>,
    max_bytes: Option<f64>,
    max_event_bytes: Option<usize>,
    backpressure: Option<Backpressure>,
    format: Option<FormatName>,
    scheduler: Option<SchedulerName>,
    batch: BatchOptions,
    retry: RetryOptions,
    scaling: Option<ScalingOptions>,
    timeout_ms: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct BatchOptions {
    min_size: Option<usize>,
    max_size: Option<usize>,
    max_bytes: Option<usize>,
    max_delay_ms: Option<f64>,
    adaptive: Option<bool>,
    velocity_window_ms: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RetryOptions {
    attempts: Option<u32>,
    min_delay_ms: Option<f64>,
    max_delay_ms: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScalingOptions {
    min_shards: Option<u16>,
    max_shards: Option<u16>,
    auto_scale: Option<bool>,
    fill_ratio_threshold: Option<f64>,
    flush_latency_threshold_ms: Option<f64>,
    underutilized_threshold: Option<f64>,
    cooldown_ms: Option<f64>,
    scale_down_delay_ms: Option<f64>,
    metrics_window_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Backpressure {
    DropOldest,
    DropNewest,
    FailProducer,
    Sample(u32),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FormatName {
    Ndjson,
    Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SchedulerName {
    Auto,
    Manual,
}

fn duration(ms: f64) -> Duration {
    Duration::from_nanos(nanos(ms))
}

impl From<Options> for BusConfig {
    /// Limits that were not given follow those that were, as far as they can: a small
    /// `batch.maxSize` alone is not an error because of a `batch.minSize` that nobody wrote, and
    /// one of 0 is an error of its own.
    fn from(options: Options) -> Self {
        let default = Self::default();
        let format = match options.format {
            Some(FormatName::Json) => Format::Json,
            Some(FormatName::Ndjson) | None => default.format,
        };
        let batch = batch(options.batch, &default.batch);
        let max_bytes = options.max_bytes.map_or(default.max_bytes, |bytes| bytes as u64);
        let fits = batch.max_bytes.saturating_sub(format.frame_len()).min(max_bytes as usize);
        let least = options.scaling.as_ref().and_then(|scaling| scaling.min_shards);
        let shards = options.shards.or(least.map(|least| least.max(1))).unwrap_or(default.shards);
        Self {
            shards,
            capacity: options.capacity.unwrap_or(default.capacity),
            max_bytes,
            max_event_bytes: options
                .max_event_bytes
                .unwrap_or_else(|| default.max_event_bytes.min(fits).max(1)),
            backpressure: options.backpressure.map_or(default.backpressure, Into::into),
            format,
            scheduler: match options.scheduler {
                Some(SchedulerName::Manual) => Scheduler::Manual,
                Some(SchedulerName::Auto) | None => default.scheduler,
            },
            batch,
            retry: retry(&options.retry, &default.retry),
            scaling: options.scaling.map(|options| scaling(&options, shards)),
            timeout: options.timeout_ms.map_or(default.timeout, duration),
        }
    }
}

fn batch(options: BatchOptions, default: &BatchConfig) -> BatchConfig {
    let max_size = options
        .max_size
        .unwrap_or_else(|| default.max_size.max(options.min_size.unwrap_or_default()));
    BatchConfig {
        min_size: options.min_size.unwrap_or_else(|| default.min_size.min(max_size).max(1)),
        max_size,
        max_bytes: options.max_bytes.unwrap_or(default.max_bytes),
        max_delay: options.max_delay_ms.map_or(default.max_delay, duration),
        adaptive: options.adaptive.unwrap_or(default.adaptive),
        velocity_window: options.velocity_window_ms.map_or(default.velocity_window, duration),
    }
}

fn retry(options: &RetryOptions, default: &RetryPolicy) -> RetryPolicy {
    let max_delay = options.max_delay_ms.map_or_else(
        || default.max_delay.max(options.min_delay_ms.map_or(Duration::ZERO, duration)),
        duration,
    );
    RetryPolicy {
        attempts: options.attempts.unwrap_or(default.attempts),
        min_delay: options.min_delay_ms.map_or_else(|| default.min_delay.min(max_delay), duration),
        max_delay,
    }
}

/// Most shards unless the options say: more lanes than a host keeps connections to one receiver
/// would wait for each other.
const DEFAULT_MAX_SHARDS: u16 = 8;

fn scaling(options: &ScalingOptions, shards: u16) -> ScalingPolicy {
    let default = ScalingPolicy::default();
    ScalingPolicy {
        min_shards: options.min_shards.unwrap_or(default.min_shards),
        max_shards: options.max_shards.unwrap_or(DEFAULT_MAX_SHARDS.max(shards)),
        auto_scale: options.auto_scale.unwrap_or(default.auto_scale),
        fill_ratio_threshold: options.fill_ratio_threshold.unwrap_or(default.fill_ratio_threshold),
        flush_latency_threshold_us: options
            .flush_latency_threshold_ms
            .map_or(default.flush_latency_threshold_us, |ms| (ms * 1000.0) as u64),
        underutilized_threshold: options
            .underutilized_threshold
            .unwrap_or(default.underutilized_threshold),
        cooldown: options.cooldown_ms.map_or(default.cooldown, duration),
        scale_down_delay: options.scale_down_delay_ms.map_or(default.scale_down_delay, duration),
        metrics_window: options.metrics_window_ms.map_or(default.metrics_window, duration),
        ..default
    }
}

impl From<Backpressure> for BackpressureMode {
    fn from(name: Backpressure) -> Self {
        match name {
            Backpressure::DropOldest => Self::DropOldest,
            Backpressure::DropNewest => Self::DropNewest,
            Backpressure::FailProducer => Self::FailProducer,
            Backpressure::Sample(rate) => Self::Sample { rate },
        }
    }
}

/// A broken rule, with the field's path in the core; `pkg-js/src/options.ts` gives it the name
/// that the user wrote.
#[derive(Serialize)]
pub(super) struct BrokenRule {
    field: &'static str,
    value: f64,
    rule: &'static str,
}

impl From<ConfigError> for BrokenRule {
    fn from(ConfigError { field, value, rule }: ConfigError) -> Self {
        Self { field, value, rule }
    }
}
