//! The constructor's options, as they cross from JavaScript: a number each.

use crate::{nanos, numbers};
use shardbus::{BackpressureMode, BusConfig, Format, RetryPolicy, ScalingPolicy, Scheduler};
use std::time::Duration;

/// Most shards unless the options say: more lanes than a host keeps connections to one receiver
/// would wait for each other.
const DEFAULT_MAX_SHARDS: u16 = 8;

/// The settings that these options ask for; TypeScript has checked the types.
///
/// Limits that were not given follow those that were, as far as they can: a small `batch.maxSize`
/// alone is not an error because of a `batch.minSize` that nobody wrote, and one of 0 is an error
/// of its own.
pub(crate) fn config(numbers: &[f64]) -> BusConfig {
    let mut options = Options(numbers);
    let mut config = BusConfig::default();
    let shards_given = options.count(&mut config.shards);
    options.size(&mut config.capacity);
    options.read(&mut config.max_bytes, |bytes| bytes as u64);
    let max_event_bytes_given = options.size(&mut config.max_event_bytes);
    options.size(&mut config.max_key_bytes);
    let (high, low) = (options.next(), options.next());
    config.routing_seed = numbers::whole(high as u32, low as u32);
    // 0 drops the oldest, 1 the newest, 2 fails the producer, 3 samples.
    let (backpressure, rate) = (options.next(), options.next());
    config.backpressure = match backpressure as u32 {
        1 => BackpressureMode::DropNewest,
        2 => BackpressureMode::FailProducer,
        3 => BackpressureMode::Sample { rate: rate as u32 },
        _ => config.backpressure,
    };
    if options.next() == 1.0 {
        config.format = Format::Json;
    }
    if options.next() == 1.0 {
        config.scheduler = Scheduler::Manual;
    }
    config.has_store = options.next() == 1.0;
    options.duration(&mut config.timeout);

    let batch = &mut config.batch;
    let min_size_given = options.size(&mut batch.min_size);
    if options.size(&mut batch.max_size) {
        if !min_size_given {
            batch.min_size = batch.min_size.min(batch.max_size).max(1);
        }
    } else {
        batch.max_size = batch.max_size.max(batch.min_size);
    }
    options.size(&mut batch.max_bytes);
    options.duration(&mut batch.max_delay);
    options.flag(&mut batch.adaptive);
    options.duration(&mut batch.velocity_window);
    if !max_event_bytes_given {
        let fits = batch.max_bytes.saturating_sub(config.format.frame_len());
        let fits = fits.min(config.max_bytes as usize);
        config.max_event_bytes = config.max_event_bytes.min(fits).max(1);
    }

    let mut retry = RetryPolicy::default();
    let is_retried = options.next() != 0.0;
    // Infinity becomes `RetryPolicy::UNLIMITED`.
    options.read(&mut retry.max_attempts, |attempts| attempts as u32);
    let base_delay_given = options.duration(&mut retry.base_delay);
    if options.duration(&mut retry.max_delay) {
        if !base_delay_given {
            retry.base_delay = retry.base_delay.min(retry.max_delay);
        }
    } else {
        retry.max_delay = retry.max_delay.max(retry.base_delay);
    }
    let mut max_age = Duration::ZERO;
    if options.duration(&mut max_age) {
        retry.max_age = Some(max_age);
    }
    options.duration(&mut retry.max_retry_after);
    config.retry = is_retried.then_some(retry);

    let is_scaled = options.next() == 1.0;
    if is_scaled {
        let mut scaling = ScalingPolicy { max_shards: DEFAULT_MAX_SHARDS, ..Default::default() };
        if options.count(&mut scaling.min_shards) && !shards_given {
            config.shards = scaling.min_shards.max(1);
        }
        if !options.count(&mut scaling.max_shards) {
            scaling.max_shards = scaling.max_shards.max(config.shards);
        }
        options.flag(&mut scaling.auto_scale);
        options.number(&mut scaling.fill_ratio_threshold);
        let flush_latency_us = &mut scaling.flush_latency_threshold_us;
        options.read(flush_latency_us, |ms| (ms * 1000.0) as u64);
        options.number(&mut scaling.underutilized_threshold);
        options.duration(&mut scaling.cooldown);
        options.duration(&mut scaling.scale_down_delay);
        options.duration(&mut scaling.metrics_window);
        config.scaling = Some(scaling);
    }
    config
}

/// Options that are still to be read, in the order in which they cross: that of `encodeOptions` in
/// `pkg-js/src/core/layout.ts`. NaN stands for one that was not given.
struct Options<'a>(&'a [f64]);

// None but `read` is inlined: called some thirty times, it would make up a twentieth of the module.
impl Options<'_> {
    #[inline(never)]
    fn next(&mut self) -> f64 {
        self.0.split_off_first().copied().unwrap_or(f64::NAN)
    }

    /// Reads an option into a setting. If it was not given, that stays as it is. Returns whether it
    /// was.
    #[inline]
    fn read<T>(&mut self, setting: &mut T, convert: impl FnOnce(f64) -> T) -> bool {
        let number = self.next();
        let is_given = !number.is_nan();
        if is_given {
            *setting = convert(number);
        }
        is_given
    }

    #[inline(never)]
    fn number(&mut self, setting: &mut f64) -> bool {
        self.read(setting, |number| number)
    }

    #[inline(never)]
    fn size(&mut self, setting: &mut usize) -> bool {
        self.read(setting, |number| number as usize)
    }

    #[inline(never)]
    fn count(&mut self, setting: &mut u16) -> bool {
        self.read(setting, |number| number as u16)
    }

    #[inline(never)]
    fn flag(&mut self, setting: &mut bool) -> bool {
        self.read(setting, |number| number != 0.0)
    }

    #[inline(never)]
    fn duration(&mut self, setting: &mut Duration) -> bool {
        self.read(setting, |ms| Duration::from_nanos(nanos(ms)))
    }
}
