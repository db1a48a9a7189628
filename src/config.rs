//! Settings, their defaults, and the rules they must keep.

use crate::clock::millis;
use crate::error::{ConfigError, Rule, Rules};
use crate::scaling_policy::{ScalingOptions, ScalingPolicy};
use crate::settings::{MAX_SIZE, Numbers, Unit, settings};
use std::time::Duration;

/// The policy for an event whose shard is full by count, or whose bus is full by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackpressureMode {
    /// The new event is refused.
    DropNewest,
    /// The new event is accepted, and the oldest events of its shard are evicted until it fits.
    #[default]
    DropOldest,
    /// The new event is refused, and the producer is expected to treat that as a failure.
    FailProducer,
    /// In its last quarter a shard admits every `rate`-th arrival; once full, none.
    Sample {
        /// One arrival in `rate` is admitted; at least 1.
        rate: u32,
    },
}

/// The layout of a batch's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One event a line, with a newline between events and none after the last. A payload must
    /// not hold a newline itself.
    #[default]
    Ndjson,
    /// One JSON array.
    Json,
}

impl Format {
    /// The byte between two events.
    pub(crate) const fn separator(self) -> u8 {
        match self {
            Self::Ndjson => b'\n',
            Self::Json => b',',
        }
    }

    /// The bytes around the events of a body: `(before, after)`.
    pub(crate) const fn brackets(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Ndjson => (b"", b""),
            Self::Json => (b"[", b"]"),
        }
    }

    /// The number of bytes in a body beside its events and their separators.
    pub(crate) const fn frame_len(self) -> usize {
        let (before, after) = self.brackets();
        before.len() + after.len()
    }
}

/// The times at which batches may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// As soon as one is large enough or has waited long enough.
    #[default]
    Auto,
    /// Only while a flush is open.
    Manual,
}

settings! {
    /// The size of batches, and their longest wait.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct BatchConfig {
        /// A batch of this many events may leave.
        min_size: usize = 100, "minSize", Unit::Whole(1, BatchConfig::MAX_BATCH_SIZE_LIMIT as u64),
            default "100, or `max_size` if that is less";
        /// Most events in a batch.
        max_size: usize = 1_000, "maxSize", Unit::Whole(1, BatchConfig::MAX_BATCH_SIZE_LIMIT as u64),
            default "1000, or `min_size` if that is more";
        /// Most bytes in a batch's body, separators and brackets included.
        max_bytes: usize = 256 << 10, "maxBytes", Unit::Bytes(MAX_SIZE);
        /// A batch leaves when its oldest event has waited this long, whatever its size.
        max_delay: Duration = Duration::from_secs(1), "maxDelayMs", Unit::SomeMillis;
        /// Lets the size at which a batch leaves follow the rate of events, between `min_size` and
        /// `max_size`. If false, it is `max_size`.
        adaptive: bool = true, "adaptive", Unit::Flag;
        /// The window in which events count for their rate.
        velocity_window: Duration = Duration::from_millis(100), "velocityWindowMs", Unit::Millis;
    }

    /// The settings of a [`BatchConfig`] that are given.
    pub struct BatchOptions
}

impl BatchConfig {
    /// Most events that [`max_size`](Self::max_size) may allow.
    pub const MAX_BATCH_SIZE_LIMIT: usize = 1_000_000;

    /// Large batches, for throughput.
    #[must_use]
    pub fn high_throughput() -> Self {
        Self {
            min_size: 5_000,
            max_size: 50_000,
            max_bytes: 8 << 20,
            max_delay: Duration::from_millis(5),
            velocity_window: Duration::from_millis(50),
            ..Self::default()
        }
    }

    /// Small batches that hardly wait.
    #[must_use]
    pub fn low_latency() -> Self {
        Self {
            min_size: 100,
            max_size: 1_000,
            max_delay: Duration::from_millis(1),
            velocity_window: Duration::from_millis(20),
            ..Self::default()
        }
    }

    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut rules = Rules::default();
        self.check(&mut rules);
        rules.result()
    }

    fn check(&self, rules: &mut Rules) {
        rules.check_positive(Rule::BatchMinSize, self.min_size as f64);
        let max_size = self.max_size as f64;
        rules.check(self.max_size >= self.min_size, Rule::BatchMaxSizeOrder, max_size);
        rules.check(self.max_size <= Self::MAX_BATCH_SIZE_LIMIT, Rule::BatchMaxSize, max_size);
        rules.check_positive(Rule::BatchMaxBytes, self.max_bytes as f64);
        rules.check_positive(Rule::BatchMaxDelay, millis(self.max_delay));
        rules.check(
            !self.adaptive || !self.velocity_window.is_zero(),
            Rule::BatchVelocityWindow,
            0.0,
        );
    }
}

settings! {
    /// The limits of retrying: pauses between attempts, and their end.
    ///
    /// An outage of the destination ends nothing: [`Failure::Unavailable`](crate::Failure::Unavailable)
    /// has no limit but [`max_age`](Self::max_age). With the defaults, a refused batch holds up its
    /// lane for 13 seconds on average, and 26 at most.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RetryPolicy {
        /// Attempts that the receiver may refuse before a batch is given up, the first included.
        /// With the other defaults, ten take 13 seconds on average, and 26 at most. Failures in an
        /// outage do not count.
        max_attempts: u32 = 10, "maxAttempts", Unit::WholeOrInfinity(1, MAX_SIZE);
        /// The bound of the pause after the first failure. It doubles with every further one in a
        /// row, and the pause is random below it.
        base_delay: Duration = Duration::from_millis(200), "baseDelayMs", Unit::Millis,
            default "200, or `max_delay` if that is less";
        /// The end of the doubling: in an outage, the longest time until the receiver's return is
        /// noticed.
        max_delay: Duration = Duration::from_secs(5), "maxDelayMs", Unit::Millis,
            default "5000, or `base_delay` if that is more";
        /// Events that were accepted longer ago are given up as `expired`.
        max_age: Option<Duration> = None, "maxAgeMs", Unit::SomeMillisOrInfinity;
        /// The longest pause that a receiver may ask for.
        max_retry_after: Duration = Duration::from_secs(60), "maxRetryAfterMs", Unit::Millis;
    }

    /// The settings of a [`RetryPolicy`] that are given.
    pub struct RetryOptions
}

impl RetryPolicy {
    /// As [`max_attempts`](Self::max_attempts): no limit.
    pub const UNLIMITED: u32 = u32::MAX;

    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut rules = Rules::default();
        self.check(&mut rules);
        rules.result()
    }

    fn check(&self, rules: &mut Rules) {
        rules.check_positive(Rule::RetryMaxAttempts, f64::from(self.max_attempts));
        rules.check(self.max_delay >= self.base_delay, Rule::RetryMaxDelay, millis(self.max_delay));
        rules.check(self.max_age != Some(Duration::ZERO), Rule::RetryMaxAge, 0.0);
    }
}

settings! {
    /// Settings of an [`EventBus`](crate::EventBus).
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct BusConfig {
        /// Ordered lanes; each has its own batch in flight. While their number may change, the number
        /// to begin with.
        shards: u16 = 1, "shards", Unit::Whole(1, u16::MAX as u64),
            default "1, or `scaling.min_shards`";
        /// Slots per shard, rounded up to a power of two; one stays free. Memory grows as they fill.
        capacity: usize = 65_536, "capacity", Unit::Whole(2, BusConfig::MAX_CAPACITY as u64);
        /// Most payload bytes held: pending, in flight and to be retried, in all shards together.
        /// Batches of earlier runs come beside it.
        max_bytes: u64 = 8 << 20, "maxBytes", Unit::Bytes(BusConfig::MAX_BYTES);
        /// Most bytes of one event, as UTF-8.
        max_event_bytes: usize = 256 << 10, "maxEventBytes", Unit::Bytes(MAX_SIZE),
            default "256 KiB, or less where `batch.max_bytes` or `max_bytes` is less";
        /// Most bytes of an event's key, as UTF-8.
        max_key_bytes: usize = 1 << 10, "maxKeyBytes", Unit::Bytes(BusConfig::MAX_BYTES);
        /// The seed of the hash that routes. Where strangers choose keys, a secret one keeps them
        /// from choosing them for one shard. With 0, every bus routes alike. An event that comes with
        /// its hash is routed by that.
        routing_seed: u64 = 0, "routingSeed", Unit::Halves, read Numbers::halves;
        /// The policy for an event that finds no room.
        backpressure: BackpressureMode = BackpressureMode::DropOldest, "backpressure",
            Unit::Backpressure;
        /// The layout of a body.
        format: Format = Format::Ndjson, "format", Unit::Choice(["ndjson", "json"]);
        /// The times at which batches may leave.
        scheduler: Scheduler = Scheduler::Auto, "scheduler", Unit::Choice(["auto", "manual"]);
        /// The host keeps copies of batches beyond its life: then [`poll`](crate::EventBus::poll)
        /// asks it to [store](crate::Action::Store) events that have waited for
        /// [`max_delay`](BatchConfig::max_delay).
        has_store: bool = false, "store", Unit::Presence;
        /// The bytes that the host's store may hold of this bus, as [encoded](crate::Batch::encode);
        /// less than [`max_bytes`](Self::max_bytes) stands for as many. Within it, batches may be in
        /// the store alone, beyond [`max_bytes`](Self::max_bytes). 0 if none may.
        max_store_bytes: u64 = 0, "maxBytes", Unit::OfStore;
        /// The longest time of one attempt. Then it counts as failed.
        timeout: Duration = Duration::from_secs(10), "timeoutMs", Unit::SomeMillis;
    } and {
        /// The settings of batches.
        batch: BatchConfig = BatchConfig::DEFAULT;
        /// The limits of retrying; `None`: each batch has one attempt.
        retry: Option<RetryPolicy> = Some(RetryPolicy::DEFAULT);
        /// The conditions on which the number of shards changes; `None` if it never does.
        scaling: Option<ScalingPolicy> = None;
    }

    /// The settings of an [`EventBus`](crate::EventBus) that are given, as in JavaScript: the same
    /// options make the same bus. It becomes a [`BusConfig`], whose other settings have their
    /// defaults.
    ///
    /// Limits that are not given follow those that are, as far as they can: a small `batch.max_size`
    /// alone breaks no rule because of a `batch.min_size` that nobody wrote.
    ///
    /// - `batch.min_size` and `batch.max_size`, and `retry.base_delay` and `retry.max_delay`, follow
    ///   each other.
    /// - An event of `max_event_bytes` fits into `batch.max_bytes` and `max_bytes`.
    /// - `shards` is `scaling.min_shards`, and `scaling.max_shards` at least `shards`.
    ///
    /// # Examples
    ///
    /// ```
    /// use shardbus::{BatchOptions, BusConfig, BusOptions};
    ///
    /// let batch = BatchOptions { max_size: Some(50), ..BatchOptions::default() };
    /// let config = BusConfig::from(BusOptions { batch, ..BusOptions::default() });
    /// assert_eq!((config.batch.min_size, config.batch.max_size), (50, 50));
    /// assert_eq!(config.validate(), Ok(()));
    /// ```
    pub struct BusOptions {
        /// The settings of batches.
        batch: BatchOptions = BatchOptions::NONE;
        /// The limits of retrying; `None`: each batch has one attempt.
        retry: Option<RetryOptions> = Some(RetryOptions::NONE);
        /// The conditions on which the number of shards changes; `None` if it never does.
        scaling: Option<ScalingOptions> = None;
    }
}

impl From<BusOptions> for BusConfig {
    fn from(options: BusOptions) -> Self {
        let mut config = Self::default();
        options.give(&mut config);

        let batch = &mut config.batch;
        options.batch.give(batch);
        if options.batch.max_size.is_none() {
            batch.max_size = batch.max_size.max(batch.min_size);
        } else if options.batch.min_size.is_none() {
            batch.min_size = batch.min_size.min(batch.max_size).max(1);
        }
        if options.max_event_bytes.is_none() {
            let fits = batch.max_bytes.saturating_sub(config.format.frame_len());
            let fits = fits.min(config.max_bytes as usize);
            config.max_event_bytes = config.max_event_bytes.min(fits).max(1);
        }

        config.retry = options.retry.map(|given| {
            let mut retry = RetryPolicy::default();
            given.give(&mut retry);
            if given.max_delay.is_none() {
                retry.max_delay = retry.max_delay.max(retry.base_delay);
            } else if given.base_delay.is_none() {
                retry.base_delay = retry.base_delay.min(retry.max_delay);
            }
            retry
        });

        config.scaling = options.scaling.map(|given| {
            let mut scaling = ScalingPolicy::default();
            given.give(&mut scaling);
            if options.shards.is_none() {
                config.shards = scaling.min_shards.max(1);
            }
            if given.max_shards.is_none() {
                scaling.max_shards = scaling.max_shards.max(config.shards);
            }
            scaling
        });
        config
    }
}

/// A bound of a setting by another one: `lower` is at most `upper`.
#[derive(Debug)]
pub struct Bound {
    /// The field with the lower value, such as `batch.min_size`.
    pub lower: &'static str,
    /// The field with the upper value.
    pub upper: &'static str,
    /// Where the default of the lower one goes down with the upper one: no further than this.
    pub down_to: Option<f64>,
    /// True if the default of the upper one goes up with the lower one.
    pub goes_up: bool,
    /// True if the brackets of a body count with the lower one.
    pub has_brackets: bool,
    /// The rule that says so.
    pub rule: Rule,
}

impl Bound {
    const fn new(lower: &'static str, upper: &'static str, rule: Rule) -> Self {
        Self { lower, upper, down_to: None, goes_up: false, has_brackets: false, rule }
    }

    const fn down_to(self, least: f64) -> Self {
        Self { down_to: Some(least), ..self }
    }

    const fn up(self) -> Self {
        Self { goes_up: true, ..self }
    }
}

impl BusConfig {
    /// The bounds of settings by others, by which the npm package puts in the defaults and checks the
    /// rules: first all defaults, then all rules, each in this order. Here [`BusOptions`] does the one,
    /// and [`validate`](Self::validate) the other.
    pub const BOUNDS: [Bound; 7] = [
        Bound::new("max_event_bytes", "max_bytes", Rule::MaxEventBytesTotal).down_to(1.0),
        Bound::new("batch.min_size", "batch.max_size", Rule::BatchMaxSizeOrder).down_to(1.0).up(),
        Bound {
            has_brackets: true,
            ..Bound::new("max_event_bytes", "batch.max_bytes", Rule::MaxEventBytesBatch)
                .down_to(1.0)
        },
        Bound::new("retry.base_delay", "retry.max_delay", Rule::RetryMaxDelay).down_to(0.0).up(),
        Bound::new("scaling.min_shards", "scaling.max_shards", Rule::MaxShards),
        Bound::new("scaling.min_shards", "shards", Rule::ShardsMin).up(),
        Bound::new("shards", "scaling.max_shards", Rule::ShardsMax).up(),
    ];

    /// The settings as numbers, in the order of [`BusOptions::SETTINGS`], then those of
    /// [`BatchOptions`], then 0 if batches are never sent again, then those of [`RetryOptions`], then
    /// 1 if the number of shards changes, then those of [`ScalingOptions`]. Each number is a double,
    /// little-endian.
    #[must_use]
    pub fn from_numbers(numbers: &[[u8; 8]]) -> Self {
        let mut numbers = Numbers(numbers);
        let mut config = Self::default();
        config.read(&mut numbers);
        config.batch.read(&mut numbers);
        let is_retried = numbers.take() != 0.0;
        config.retry.get_or_insert_default().read(&mut numbers);
        if !is_retried {
            config.retry = None;
        }
        if numbers.take() == 1.0 {
            config.scaling.get_or_insert_default().read(&mut numbers);
        }
        config
    }

    /// The time for which a lease outlasts its attempt's timeout: time for the host to notice the
    /// timeout and say so. Only a host that died lets a lease expire.
    pub const LEASE_MARGIN: Duration = Duration::from_secs(1);

    /// Most slots of one shard.
    pub const MAX_CAPACITY: usize = 1 << 24;

    /// Most payload bytes of a bus: half of the 32-bit address space, so that held events and the
    /// body that is cut from them can be addressed together.
    pub const MAX_BYTES: u64 = i32::MAX as u64;

    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut rules = Rules::default();
        self.check(&mut rules);
        rules.result()
    }

    /// Slots that each shard's ring has.
    pub(crate) const fn slots(&self) -> usize {
        self.capacity.next_power_of_two()
    }

    fn check(&self, rules: &mut Rules) {
        let (shards, max_event_bytes) = (f64::from(self.shards), self.max_event_bytes as f64);
        rules.check_positive(Rule::Shards, shards);
        rules.check(
            (2..=Self::MAX_CAPACITY).contains(&self.capacity),
            Rule::Capacity,
            self.capacity as f64,
        );
        rules.check_positive(Rule::MaxBytes, self.max_bytes as f64);
        rules.check(self.max_bytes <= Self::MAX_BYTES, Rule::MaxBytesLimit, self.max_bytes as f64);
        rules.check_positive(Rule::MaxEventBytes, max_event_bytes);
        rules.check(
            self.max_event_bytes as u64 <= self.max_bytes,
            Rule::MaxEventBytesTotal,
            max_event_bytes,
        );
        rules.check_positive(Rule::MaxKeyBytes, self.max_key_bytes as f64);
        rules.check(
            self.max_key_bytes as u64 <= Self::MAX_BYTES,
            Rule::MaxKeyBytesLimit,
            self.max_key_bytes as f64,
        );
        rules.check(
            self.backpressure != BackpressureMode::Sample { rate: 0 },
            Rule::SampleRate,
            0.0,
        );
        self.batch.check(rules);
        rules.check(
            self.max_event_bytes.saturating_add(self.format.frame_len()) <= self.batch.max_bytes,
            Rule::MaxEventBytesBatch,
            max_event_bytes,
        );
        if let Some(retry) = &self.retry {
            retry.check(rules);
        }
        if let Some(scaling) = &self.scaling {
            scaling.check(rules);
            rules.check(self.shards >= scaling.min_shards, Rule::ShardsMin, shards);
            rules.check(self.shards <= scaling.max_shards, Rule::ShardsMax, shards);
        }
        rules.check_positive(Rule::Timeout, millis(self.timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Numeric;
    use proptest::prelude::*;

    #[test]
    fn defaults_and_presets_are_valid() {
        assert_eq!(BusConfig::default().validate(), Ok(()));
        assert_eq!(BatchConfig::high_throughput().validate(), Ok(()));
        assert_eq!(BatchConfig::low_latency().validate(), Ok(()));
    }

    #[test]
    fn every_rule_names_the_field_and_the_value() {
        fn retry(config: &mut BusConfig) -> &mut RetryPolicy {
            config.retry.get_or_insert_default()
        }
        type Break = fn(&mut BusConfig);
        let cases: [(Break, &str); 18] = [
            (|c| c.shards = 0, "`shards` is 0, but it must be greater than 0"),
            (|c| c.capacity = 1, "`capacity` is 1, but it must be from 2 to 16777216"),
            (
                |c| c.capacity = (1 << 24) + 1,
                "`capacity` is 16777217, but it must be from 2 to 16777216",
            ),
            (|c| c.max_bytes = 0, "`max_bytes` is 0, but it must be greater than 0"),
            (
                |c| c.max_bytes = 1 << 31,
                "`max_bytes` is 2147483648, but it must be less than 2 GiB",
            ),
            (|c| c.max_event_bytes = 0, "`max_event_bytes` is 0, but it must be greater than 0"),
            (
                |c| c.max_bytes = 1 << 10,
                "`max_event_bytes` is 262144, but it must be at most `max_bytes`",
            ),
            (
                |c| c.backpressure = BackpressureMode::Sample { rate: 0 },
                "`backpressure.sample` is 0, but it must be greater than 0",
            ),
            (|c| c.batch.min_size = 0, "`batch.min_size` is 0, but it must be greater than 0"),
            (
                |c| c.batch.max_size = 99,
                "`batch.max_size` is 99, but it must be at least `batch.min_size`",
            ),
            (
                |c| c.batch.max_size = 1_000_001,
                "`batch.max_size` is 1000001, but it must be at most 1000000",
            ),
            (|c| c.batch.max_bytes = 0, "`batch.max_bytes` is 0, but it must be greater than 0"),
            (
                |c| c.batch.max_delay = Duration::ZERO,
                "`batch.max_delay` is 0, but it must be greater than 0",
            ),
            (
                |c| c.batch.velocity_window = Duration::ZERO,
                "`batch.velocity_window` is 0, but it must be greater than 0 while `batch.adaptive` is on",
            ),
            (
                |c| retry(c).max_attempts = 0,
                "`retry.max_attempts` is 0, but it must be greater than 0",
            ),
            (
                |c| retry(c).max_delay = Duration::ZERO,
                "`retry.max_delay` is 0, but it must be at least `retry.base_delay`",
            ),
            (
                |c| retry(c).max_age = Some(Duration::ZERO),
                "`retry.max_age` is 0, but it must be greater than 0",
            ),
            (|c| c.timeout = Duration::ZERO, "`timeout` is 0, but it must be greater than 0"),
        ];
        for (break_it, sentence) in cases {
            let mut config = BusConfig::default();
            break_it(&mut config);
            assert_eq!(config.validate().map_err(|e| e.to_string()), Err(sentence.to_owned()));
        }
    }

    #[test]
    fn limits_that_are_not_given_follow_those_that_are() {
        let config = |change: fn(&mut BusOptions)| {
            let mut options = BusOptions::default();
            change(&mut options);
            BusConfig::from(options)
        };
        assert_eq!(config(|_| ()), BusConfig::default());
        let sizes = |config: BusConfig| (config.batch.min_size, config.batch.max_size);
        assert_eq!(sizes(config(|o| o.batch.max_size = Some(7))), (7, 7));
        assert_eq!(sizes(config(|o| o.batch.max_size = Some(0))), (1, 0), "breaks its own rule");
        assert_eq!(sizes(config(|o| o.batch.min_size = Some(2_000))), (2_000, 2_000));
        let small = config(|o| (o.format, o.batch.max_bytes) = (Some(Format::Json), Some(100)));
        assert_eq!(small.max_event_bytes, 98);
        assert_eq!(config(|o| o.max_bytes = Some(50)).max_event_bytes, 50);
        let pauses = |config: BusConfig| {
            config.retry.map(|retry| (retry.base_delay.as_millis(), retry.max_delay.as_millis()))
        };
        let given = |base, max| {
            let [base_delay, max_delay] =
                [base, max].map(|ms: Option<u64>| ms.map(Duration::from_millis));
            let retry = RetryOptions { base_delay, max_delay, ..RetryOptions::default() };
            BusConfig::from(BusOptions { retry: Some(retry), ..BusOptions::default() })
        };
        assert_eq!(pauses(given(None, Some(50))), Some((50, 50)));
        assert_eq!(pauses(given(Some(9_000), None)), Some((9_000, 9_000)));
        assert_eq!(pauses(config(|o| o.retry = None)), None);
        let scaled = |shards, min_shards| {
            let scaling = Some(ScalingOptions { min_shards, ..ScalingOptions::default() });
            let config = BusConfig::from(BusOptions { shards, scaling, ..BusOptions::default() });
            (config.shards, config.scaling.map(|scaling| scaling.max_shards))
        };
        assert_eq!(scaled(None, None), (1, Some(8)));
        assert_eq!(scaled(None, Some(3)), (3, Some(8)));
        assert_eq!(scaled(Some(20), None), (20, Some(20)));
    }

    const GROUPS: [(&str, &[crate::Setting]); 4] = [
        ("", BusOptions::SETTINGS),
        ("batch.", BatchOptions::SETTINGS),
        ("retry.", RetryOptions::SETTINGS),
        ("scaling.", ScalingOptions::SETTINGS),
    ];

    /// All numbers, with the paths of their settings, as a host hands them over that has been given
    /// none of them.
    fn numbers() -> Vec<(String, f64)> {
        let mut numbers = Vec::new();
        for (group, settings) in GROUPS {
            if matches!(group, "retry." | "scaling.") {
                numbers.push((group.to_owned(), 1.0));
            }
            for setting in settings {
                let number = match setting.unit {
                    Unit::Micros => (setting.number)() / 1000.0,
                    _ => (setting.number)(),
                };
                numbers.push((format!("{group}{}", setting.field), number));
                if setting.unit == Unit::Halves {
                    numbers.push((format!("{group}{}", setting.field), number));
                }
            }
        }
        numbers
    }

    fn config_of(numbers: &[(String, f64)]) -> BusConfig {
        let bytes: Vec<_> = numbers.iter().map(|(_, number)| number.to_le_bytes()).collect();
        BusConfig::from_numbers(&bytes)
    }

    #[test]
    fn numbers_are_read_in_the_order_of_the_settings() {
        let scaling = Some(ScalingPolicy::default());
        let mut numbers = numbers();
        assert_eq!(config_of(&numbers), BusConfig { scaling, ..BusConfig::default() });
        for (path, number) in &mut numbers {
            if matches!(&path[..], "retry." | "scaling.") {
                *number = 0.0;
            }
        }
        assert_eq!(config_of(&numbers), BusConfig { retry: None, ..BusConfig::default() });
    }

    /// The numbers that a host makes of those that it is given, as the npm package does it; or the rule
    /// that they break.
    fn completed(given: &[(&str, f64)]) -> Result<Vec<(String, f64)>, Rule> {
        let mut numbers = numbers();
        for (path, number) in &mut numbers {
            if let Some((_, given)) = given.iter().find(|(other, _)| other == path) {
                *number = *given;
            }
        }
        let find = |path: &str| numbers.iter().position(|(other, _)| other == path).unwrap();
        let places = BusConfig::BOUNDS.map(|bound| (find(bound.lower), find(bound.upper)));
        let brackets = 2.0 * numbers[find("format")].1;
        let is_given = |path: &str| given.iter().any(|(other, _)| *other == path);
        for (bound, (lower, upper)) in BusConfig::BOUNDS.iter().zip(places) {
            let beside = if bound.has_brackets { brackets } else { 0.0 };
            if let Some(least) = bound.down_to.filter(|_| !is_given(bound.lower)) {
                numbers[lower].1 = numbers[lower].1.min(numbers[upper].1 - beside).max(least);
            } else if bound.goes_up && !is_given(bound.upper) {
                numbers[upper].1 = numbers[upper].1.max(numbers[lower].1 + beside);
            }
        }
        for (bound, (lower, upper)) in BusConfig::BOUNDS.iter().zip(places) {
            let beside = if bound.has_brackets { brackets } else { 0.0 };
            if numbers[lower].1 + beside > numbers[upper].1 {
                return Err(bound.rule);
            }
        }
        Ok(numbers)
    }

    fn options_of(given: &[(&str, f64)]) -> BusOptions {
        let millis = |ms: f64| Duration::from_millis(ms as u64);
        let mut options =
            BusOptions { scaling: Some(ScalingOptions::NONE), ..BusOptions::default() };
        for &(path, number) in given {
            let BusOptions { batch, retry: Some(retry), scaling: Some(scaling), .. } = &mut options
            else {
                panic!("both groups are there");
            };
            match path {
                "batch.min_size" => batch.min_size = Some(number as usize),
                "batch.max_size" => batch.max_size = Some(number as usize),
                "batch.max_bytes" => batch.max_bytes = Some(number as usize),
                "retry.base_delay" => retry.base_delay = Some(millis(number)),
                "retry.max_delay" => retry.max_delay = Some(millis(number)),
                "scaling.min_shards" => scaling.min_shards = Some(number as u16),
                "scaling.max_shards" => scaling.max_shards = Some(number as u16),
                "shards" => options.shards = Some(number as u16),
                "max_bytes" => options.max_bytes = Some(number as u64),
                "max_event_bytes" => options.max_event_bytes = Some(number as usize),
                _ => options.format = Some(Numeric::from_number(number)),
            }
        }
        options
    }

    fn given() -> impl Strategy<Value = Vec<(&'static str, f64)>> {
        let paths = BusConfig::BOUNDS.iter().flat_map(|bound| [bound.lower, bound.upper]);
        let mut paths: Vec<_> = paths.collect();
        paths.sort_unstable();
        paths.dedup();
        let number = prop_oneof![1u32..12, Just(100), Just(1000), Just(300_000)];
        let numbers = proptest::collection::vec(number, paths.len());
        let all = numbers.prop_map(move |numbers| {
            paths.iter().copied().zip(numbers.into_iter().map(f64::from)).collect::<Vec<_>>()
        });
        let is_given = proptest::collection::vec(any::<bool>(), 32);
        (all, is_given, any::<bool>()).prop_map(|(all, is_given, is_json)| {
            let given = all.into_iter().zip(is_given).filter(|(_, is_given)| *is_given);
            let format = ("format", f64::from(u8::from(is_json)));
            given.map(|(number, _)| number).chain([format]).collect()
        })
    }

    shardbus_seeds::properties! {
        2048;

        #[test]
        fn hosts_complete_options_by_the_bounds_as_they_are_completed_here(given in given()) {
            let config = BusConfig::from(options_of(&given));
            match completed(&given) {
                Ok(numbers) => {
                    prop_assert_eq!(config.validate(), Ok(()));
                    prop_assert_eq!(config_of(&numbers), config);
                }
                Err(rule) => prop_assert_eq!(config.validate().map_err(|e| e.rule), Err(rule)),
            }
        }
    }

    #[test]
    fn capacity_is_rounded_up() {
        for (capacity, slots) in [(2, 2), (3, 4), (1000, 1024), (1 << 24, 1 << 24)] {
            let config = BusConfig { capacity, ..BusConfig::default() };
            assert_eq!(config.validate(), Ok(()));
            assert_eq!(config.slots(), slots);
        }
    }

    #[test]
    fn an_event_must_fit_into_a_batch_with_its_brackets() {
        let mut config = BusConfig { format: Format::Json, ..BusConfig::default() };
        assert_eq!(config.validate().map_err(|e| e.rule.parts().0), Err("max_event_bytes"));
        config.max_event_bytes -= 2;
        assert_eq!(config.validate(), Ok(()));
    }
}
