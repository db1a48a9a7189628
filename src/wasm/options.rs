//! The constructor's options, as they cross from JavaScript: a number each.

use super::nanos;
use crate::{
    BackpressureMode, BatchConfig, BusConfig, Format, RetryPolicy, ScalingPolicy, Scheduler,
};
use std::time::Duration;

/// An option; `None` if it was not given, and the core's default fills in. TypeScript has checked
/// the types.
#[derive(Clone, Copy)]
struct Given(Option<f64>);

impl Given {
    fn number(self) -> Option<f64> {
        self.0
    }

    fn size(self) -> Option<usize> {
        self.0.map(|number| number as usize)
    }

    fn count(self) -> Option<u16> {
        self.0.map(|number| number as u16)
    }

    fn flag(self) -> Option<bool> {
        self.0.map(|number| number != 0.0)
    }

    fn duration(self) -> Option<Duration> {
        self.0.map(|ms| Duration::from_nanos(nanos(ms)))
    }
}

/// All options, in the order in which they cross: that of `optionNumbers` in
/// `pkg-js/src/numbers.ts`.
pub(super) struct Options {
    shards: Given,
    capacity: Given,
    max_bytes: Given,
    max_event_bytes: Given,
    /// 0 drops the oldest, 1 the newest, 2 fails the producer, 3 samples.
    backpressure: Given,
    sample: Given,
    is_json: Given,
    is_manual: Given,
    timeout_ms: Given,
    batch: BatchOptions,
    retry: RetryOptions,
    is_scaled: Given,
    scaling: ScalingOptions,
}

struct BatchOptions {
    min_size: Given,
    max_size: Given,
    max_bytes: Given,
    max_delay_ms: Given,
    is_adaptive: Given,
    velocity_window_ms: Given,
}

struct RetryOptions {
    attempts: Given,
    min_delay_ms: Given,
    max_delay_ms: Given,
}

struct ScalingOptions {
    min_shards: Given,
    max_shards: Given,
    auto_scale: Given,
    fill_ratio_threshold: Given,
    flush_latency_threshold_ms: Given,
    underutilized_threshold: Given,
    cooldown_ms: Given,
    scale_down_delay_ms: Given,
    metrics_window_ms: Given,
}

impl Options {
    /// NaN stands for what was not given.
    pub(super) fn from_numbers(numbers: &[f64]) -> Self {
        let mut numbers = numbers.iter().copied();
        let mut next = || Given(numbers.next().filter(|number| !number.is_nan()));
        Self {
            shards: next(),
            capacity: next(),
            max_bytes: next(),
            max_event_bytes: next(),
            backpressure: next(),
            sample: next(),
            is_json: next(),
            is_manual: next(),
            timeout_ms: next(),
            batch: BatchOptions {
                min_size: next(),
                max_size: next(),
                max_bytes: next(),
                max_delay_ms: next(),
                is_adaptive: next(),
                velocity_window_ms: next(),
            },
            retry: RetryOptions { attempts: next(), min_delay_ms: next(), max_delay_ms: next() },
            is_scaled: next(),
            scaling: ScalingOptions {
                min_shards: next(),
                max_shards: next(),
                auto_scale: next(),
                fill_ratio_threshold: next(),
                flush_latency_threshold_ms: next(),
                underutilized_threshold: next(),
                cooldown_ms: next(),
                scale_down_delay_ms: next(),
                metrics_window_ms: next(),
            },
        }
    }
}

impl From<Options> for BusConfig {
    /// Limits that were not given follow those that were, as far as they can: a small
    /// `batch.maxSize` alone is not an error because of a `batch.minSize` that nobody wrote, and
    /// one of 0 is an error of its own.
    fn from(options: Options) -> Self {
        let default = Self::default();
        let format = match options.is_json.flag() {
            Some(true) => Format::Json,
            _ => default.format,
        };
        let batch = batch(&options.batch, &default.batch);
        let max_bytes = options.max_bytes.number().map_or(default.max_bytes, |bytes| bytes as u64);
        let fits = batch.max_bytes.saturating_sub(format.frame_len()).min(max_bytes as usize);
        let is_scaled = options.is_scaled.flag().is_some();
        let least = options.scaling.min_shards.count().filter(|_| is_scaled);
        let shards = options.shards.count().or(least.map(|least| least.max(1)));
        let shards = shards.unwrap_or(default.shards);
        Self {
            shards,
            capacity: options.capacity.size().unwrap_or(default.capacity),
            max_bytes,
            max_event_bytes: options
                .max_event_bytes
                .size()
                .unwrap_or_else(|| default.max_event_bytes.min(fits).max(1)),
            backpressure: match options.backpressure.size() {
                Some(1) => BackpressureMode::DropNewest,
                Some(2) => BackpressureMode::FailProducer,
                Some(3) => BackpressureMode::Sample {
                    rate: options.sample.size().unwrap_or_default() as u32,
                },
                _ => default.backpressure,
            },
            format,
            scheduler: match options.is_manual.flag() {
                Some(true) => Scheduler::Manual,
                _ => default.scheduler,
            },
            batch,
            retry: retry(&options.retry, &default.retry),
            scaling: is_scaled.then(|| scaling(&options.scaling, shards)),
            timeout: options.timeout_ms.duration().unwrap_or(default.timeout),
        }
    }
}

fn batch(options: &BatchOptions, default: &BatchConfig) -> BatchConfig {
    let (min_size, max_size) = (options.min_size.size(), options.max_size.size());
    let max_size = max_size.unwrap_or_else(|| default.max_size.max(min_size.unwrap_or_default()));
    BatchConfig {
        min_size: min_size.unwrap_or_else(|| default.min_size.min(max_size).max(1)),
        max_size,
        max_bytes: options.max_bytes.size().unwrap_or(default.max_bytes),
        max_delay: options.max_delay_ms.duration().unwrap_or(default.max_delay),
        adaptive: options.is_adaptive.flag().unwrap_or(default.adaptive),
        velocity_window: options.velocity_window_ms.duration().unwrap_or(default.velocity_window),
    }
}

fn retry(options: &RetryOptions, default: &RetryPolicy) -> RetryPolicy {
    let (min_delay, max_delay) = (options.min_delay_ms.duration(), options.max_delay_ms.duration());
    let max_delay =
        max_delay.unwrap_or_else(|| default.max_delay.max(min_delay.unwrap_or_default()));
    RetryPolicy {
        attempts: options.attempts.size().map_or(default.attempts, |attempts| attempts as u32),
        min_delay: min_delay.unwrap_or_else(|| default.min_delay.min(max_delay)),
        max_delay,
    }
}

/// Most shards unless the options say: more lanes than a host keeps connections to one receiver
/// would wait for each other.
const DEFAULT_MAX_SHARDS: u16 = 8;

fn scaling(options: &ScalingOptions, shards: u16) -> ScalingPolicy {
    let default = ScalingPolicy::default();
    let number = |given: Given, default| given.number().unwrap_or(default);
    ScalingPolicy {
        min_shards: options.min_shards.count().unwrap_or(default.min_shards),
        max_shards: options.max_shards.count().unwrap_or(DEFAULT_MAX_SHARDS.max(shards)),
        auto_scale: options.auto_scale.flag().unwrap_or(default.auto_scale),
        fill_ratio_threshold: number(options.fill_ratio_threshold, default.fill_ratio_threshold),
        flush_latency_threshold_us: options
            .flush_latency_threshold_ms
            .number()
            .map_or(default.flush_latency_threshold_us, |ms| (ms * 1000.0) as u64),
        underutilized_threshold: number(
            options.underutilized_threshold,
            default.underutilized_threshold,
        ),
        cooldown: options.cooldown_ms.duration().unwrap_or(default.cooldown),
        scale_down_delay: options
            .scale_down_delay_ms
            .duration()
            .unwrap_or(default.scale_down_delay),
        metrics_window: options.metrics_window_ms.duration().unwrap_or(default.metrics_window),
        ..default
    }
}
