//! Settings, their defaults, and the rules they must keep.

use crate::clock::millis;
use crate::error::{ConfigError, Rules};
use crate::scaling_policy::ScalingPolicy;
use std::time::Duration;

/// What happens to an event when its shard is full by count or the bus is full by bytes.
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

/// How the events of a batch are put together.
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

    /// How many bytes a body has beside its events and their separators.
    #[must_use]
    pub const fn frame_len(self) -> usize {
        let (before, after) = self.brackets();
        before.len() + after.len()
    }
}

/// When batches may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// As soon as one is large enough or has waited long enough.
    #[default]
    Auto,
    /// Only while a flush is open.
    Manual,
}

/// How large a batch may grow and how long it may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchConfig {
    /// A batch of this many events may leave; what adaptive batching starts from.
    pub min_size: usize,
    /// Most events in a batch.
    pub max_size: usize,
    /// Most bytes in a batch's body, separators and brackets included.
    pub max_bytes: usize,
    /// A batch leaves when its oldest event has waited this long, whatever its size.
    pub max_delay: Duration,
    /// Whether the size at which a batch leaves follows the rate of arrivals, between
    /// [`min_size`](Self::min_size) and [`max_size`](Self::max_size). If not, it is `max_size`.
    pub adaptive: bool,
    /// How far back arrivals count for their rate.
    pub velocity_window: Duration,
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
        rules.check_positive("batch.min_size", self.min_size as f64);
        let max_size = self.max_size as f64;
        rules.check(
            self.max_size >= self.min_size,
            "batch.max_size",
            max_size,
            "must be at least `batch.min_size`",
        );
        rules.check(
            self.max_size <= Self::MAX_BATCH_SIZE_LIMIT,
            "batch.max_size",
            max_size,
            "must be at most 1000000",
        );
        rules.check_positive("batch.max_bytes", self.max_bytes as f64);
        rules.check_positive("batch.max_delay", millis(self.max_delay));
        rules.check(
            !self.adaptive || !self.velocity_window.is_zero(),
            "batch.velocity_window",
            0.0,
            "must be greater than 0 while `batch.adaptive` is on",
        );
    }
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            min_size: 100,
            max_size: 1_000,
            max_bytes: 256 << 10,
            max_delay: Duration::from_secs(1),
            adaptive: true,
            velocity_window: Duration::from_millis(100),
        }
    }
}

/// How long to keep trying: pauses between attempts, and what ends them.
///
/// An outage of the destination ends nothing: [`Failure::Unavailable`](crate::Failure::Unavailable)
/// has no limit but [`max_age`](Self::max_age).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts that the receiver may refuse before a batch is given up, the first included;
    /// [`UNLIMITED`](Self::UNLIMITED) for no limit.
    pub max_attempts: u32,
    /// The bound of the pause after the first failure. It doubles with every further one in a row,
    /// and the pause is random below it.
    pub base_delay: Duration,
    /// Where the doubling stops: in an outage, the longest time until the receiver's return is
    /// noticed.
    pub max_delay: Duration,
    /// Events that were accepted longer ago are given up; `None` if age ends nothing.
    pub max_age: Option<Duration>,
    /// The longest pause that a receiver may ask for.
    pub max_retry_after: Duration,
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
        rules.check_positive("retry.max_attempts", f64::from(self.max_attempts));
        rules.check(
            self.max_delay >= self.base_delay,
            "retry.max_delay",
            millis(self.max_delay),
            "must be at least `retry.base_delay`",
        );
        rules.check(
            self.max_age != Some(Duration::ZERO),
            "retry.max_age",
            0.0,
            "must be greater than 0",
        );
    }
}

impl Default for RetryPolicy {
    /// A refused batch holds up its lane for 13 seconds on average, and 26 at most.
    fn default() -> Self {
        Self {
            max_attempts: 10,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(5),
            max_age: None,
            max_retry_after: Duration::from_secs(60),
        }
    }
}

/// Settings of an [`EventBus`](crate::EventBus).
#[derive(Debug, Clone, PartialEq)]
pub struct BusConfig {
    /// Number of shards: ordered lanes, each with its own batch in flight.
    pub shards: u16,
    /// Slots of each shard's ring, rounded up to a power of two; one slot stays free.
    pub capacity: usize,
    /// Most payload bytes that the bus holds: waiting, in flight and to be retried together. Batches
    /// of earlier runs come beside it.
    pub max_bytes: u64,
    /// Most bytes of one event.
    pub max_event_bytes: usize,
    /// Most bytes of an event's key.
    pub max_key_bytes: usize,
    /// The seed of the hash that routes. Where strangers choose keys, a secret one keeps them from
    /// choosing them for one shard. With 0, every bus routes alike. An event that comes with its hash
    /// is routed by that.
    pub routing_seed: u64,
    /// What happens when there is no room.
    pub backpressure: BackpressureMode,
    /// How a body is put together.
    pub format: Format,
    /// When batches may leave.
    pub scheduler: Scheduler,
    /// How batches are cut.
    pub batch: BatchConfig,
    /// How failed batches are sent again; `None` if they never are.
    pub retry: Option<RetryPolicy>,
    /// When the number of shards changes; `None` if it never does.
    pub scaling: Option<ScalingPolicy>,
    /// The host keeps copies of batches beyond its life: then [`poll`](crate::EventBus::poll) asks
    /// it to [store](crate::Action::Store) events that have waited for
    /// [`max_delay`](BatchConfig::max_delay).
    pub has_store: bool,
    /// How long one attempt may take. Its lease lasts [`LEASE_MARGIN`](Self::LEASE_MARGIN) longer.
    pub timeout: Duration,
}

impl BusConfig {
    /// How much longer than an attempt's timeout its lease lasts: time for the host to notice the
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
        rules.check_positive("shards", shards);
        rules.check(
            (2..=Self::MAX_CAPACITY).contains(&self.capacity),
            "capacity",
            self.capacity as f64,
            "must be from 2 to 16777216",
        );
        rules.check_positive("max_bytes", self.max_bytes as f64);
        rules.check(
            self.max_bytes <= Self::MAX_BYTES,
            "max_bytes",
            self.max_bytes as f64,
            "must be less than 2 GiB",
        );
        rules.check_positive("max_event_bytes", max_event_bytes);
        rules.check(
            self.max_event_bytes as u64 <= self.max_bytes,
            "max_event_bytes",
            max_event_bytes,
            "must be at most `max_bytes`",
        );
        rules.check_positive("max_key_bytes", self.max_key_bytes as f64);
        rules.check(
            self.max_key_bytes as u64 <= Self::MAX_BYTES,
            "max_key_bytes",
            self.max_key_bytes as f64,
            "must be less than 2 GiB",
        );
        rules.check(
            self.backpressure != BackpressureMode::Sample { rate: 0 },
            "backpressure.sample",
            0.0,
            "must be greater than 0",
        );
        self.batch.check(rules);
        rules.check(
            self.max_event_bytes.saturating_add(self.format.frame_len()) <= self.batch.max_bytes,
            "max_event_bytes",
            max_event_bytes,
            "must fit into `batch.max_bytes` (in format `json` with 2 bytes for the brackets)",
        );
        if let Some(retry) = &self.retry {
            retry.check(rules);
        }
        if let Some(scaling) = &self.scaling {
            scaling.check(rules);
            rules.check(
                self.shards >= scaling.min_shards,
                "shards",
                shards,
                "must be at least `scaling.min_shards`",
            );
            rules.check(
                self.shards <= scaling.max_shards,
                "shards",
                shards,
                "must be at most `scaling.max_shards`",
            );
        }
        rules.check_positive("timeout", millis(self.timeout));
    }
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            shards: 1,
            capacity: 65_536,
            max_bytes: 8 << 20,
            max_event_bytes: 256 << 10,
            max_key_bytes: 1 << 10,
            routing_seed: 0,
            backpressure: BackpressureMode::default(),
            format: Format::default(),
            scheduler: Scheduler::default(),
            batch: BatchConfig::default(),
            retry: Some(RetryPolicy::default()),
            scaling: None,
            has_store: false,
            timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(config.validate().map_err(|e| e.field), Err("max_event_bytes"));
        config.max_event_bytes -= 2;
        assert_eq!(config.validate(), Ok(()));
    }
}
