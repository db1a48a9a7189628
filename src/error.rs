//! Why an event, a configuration or a change of shards is refused.

use crate::codes::codes;
use std::fmt;

/// Why an event was not accepted. Each refusal is counted under one reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestionError {
    /// The shard has no free slot or the bus no free byte, and the mode does not evict.
    #[error("the buffer is full; wait for room, or choose a mode that drops")]
    Backpressure,
    /// Sampled out because the shard is close to full.
    #[error("the event was sampled out because the buffer is close to full")]
    Sampled,
    /// No shard takes events for this hash.
    #[error("no active shard takes this event; add or activate a shard")]
    Unrouted,
    /// The bus is closed.
    #[error("the bus is closed; create a new one to send more events")]
    ShuttingDown,
    /// The event is larger than the bus allows.
    #[error(
        "the event has {len} bytes and the limit is {max}; send less, or raise `max_event_bytes`"
    )]
    Oversize {
        /// Bytes of the event.
        len: usize,
        /// Most bytes an event may have.
        max: usize,
    },
    /// The event's key is longer than the bus allows.
    #[error(
        "the key has {len} bytes and the limit is {max}; use a shorter one, or raise `max_key_bytes`"
    )]
    KeyTooLong {
        /// Bytes of the key.
        len: usize,
        /// Most bytes a key may have.
        max: usize,
    },
    /// The payload would break the batch it becomes part of: it is empty, or it holds a newline
    /// and the format is [`Format::Ndjson`](crate::Format::Ndjson).
    #[error("the payload is empty or holds a newline; send one JSON text on one line")]
    Invalid,
    /// A text is not JSON. The crate's own functions that accept events never say so: this is for
    /// callers who parse with `?` on the way to one of them.
    #[error("the text is not JSON, send one JSON text: {0}")]
    Serialization(#[from] serde_json::Error),
}

codes! {
    IngestionError {
        "full" = -1: Backpressure,
        "sampled" = -2: Sampled,
        "unrouted" = -3: Unrouted,
        "oversize" = -4: Oversize,
        "invalid" = -5: Invalid | Serialization,
        "closed" = -6: ShuttingDown,
        "keyTooLong" = -8: KeyTooLong,
    }
}

/// Why a batch of an earlier run is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bus is closed, does not expect a batch, or has as many as it takes at a time.
    #[error("the bus does not take a batch now; begin a restore, and ask whether one is wanted")]
    NotNow,
    /// The bytes are not those of a batch.
    #[error("the bytes are damaged; set them aside")]
    Damaged,
    /// The bytes are those of a batch, but in the format of another version.
    #[error(
        "the bytes have format {0}, which this version does not know; leave them to one that does"
    )]
    OtherFormat(u8),
    /// There is no memory for it now.
    #[error("there is no memory for the batch now; restore it once others have left")]
    NoMemory,
    /// The body is larger than a body may be.
    #[error("the body has {len} bytes and the limit is {max}; raise `batch.max_bytes` to send it")]
    TooLarge {
        /// Bytes of the body.
        len: usize,
        /// Most bytes of a body.
        max: usize,
    },
}

codes! {
    RestoreError {
        "notNow" = 1: NotNow,
        "damaged" = 2: Damaged,
        "tooLarge" = 3: TooLarge,
        "otherFormat" = 4: OtherFormat,
        "noMemory" = 5: NoMemory,
    }
}

/// A configuration that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfigError {
    /// The rule.
    pub rule: Rule,
    /// The value of the field that breaks it; a duration's in milliseconds.
    pub value: f64,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, rule) = self.rule.parts();
        write!(f, "`{field}` is {}, but it {rule}", self.value)
    }
}

impl std::error::Error for ConfigError {}

/// Declares the rules: first those that a host can still break after checking each setting by
/// itself, then the others.
macro_rules! rules {
    (
        between { $($name:ident: $field:literal, $sentence:literal;)+ }
        alone { $($other:ident: $other_field:literal, $other_sentence:literal;)+ }
    ) => {
        /// A rule for settings.
        #[expect(missing_docs, reason = "`parts` says it")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Rule {
            $($name,)+
            $($other,)+
        }

        impl Rule {
            /// The rules between settings, by their code: `as u32`. Each is the path of its field and
            /// the rule in words.
            pub const BETWEEN: &[(&str, &str)] = &[$(($field, $sentence)),+];

            /// The path of the field, such as `batch.max_size`, and the rule in words, such as "must
            /// be greater than 0".
            #[must_use]
            pub const fn parts(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($field, $sentence),)+
                    $(Self::$other => ($other_field, $other_sentence),)+
                }
            }
        }
    };
}

rules! {
    between {
        BatchMaxSizeOrder: "batch.max_size", "must be at least `batch.min_size`";
        BatchVelocityWindow: "batch.velocity_window", "must be greater than 0 while `batch.adaptive` is on";
        RetryMaxDelay: "retry.max_delay", "must be at least `retry.base_delay`";
        MaxEventBytesTotal: "max_event_bytes", "must be at most `max_bytes`";
        MaxEventBytesBatch: "max_event_bytes", "must fit into `batch.max_bytes` (in format `json` with 2 bytes for the brackets)";
        ShardsMin: "shards", "must be at least `scaling.min_shards`";
        ShardsMax: "shards", "must be at most `scaling.max_shards`";
        MaxShards: "scaling.max_shards", "must be at least `scaling.min_shards`";
        ShardsMemory: "shards", "must be few enough for the memory that is left";
    }
    alone {
        SampleRate: "backpressure.sample", "must be greater than 0";
        BatchMaxBytes: "batch.max_bytes", "must be greater than 0";
        BatchMaxDelay: "batch.max_delay", "must be greater than 0";
        BatchMaxSize: "batch.max_size", "must be at most 1000000";
        BatchMinSize: "batch.min_size", "must be greater than 0";
        Capacity: "capacity", "must be from 2 to 16777216";
        MaxBytes: "max_bytes", "must be greater than 0";
        MaxBytesLimit: "max_bytes", "must be less than 2 GiB";
        MaxEventBytes: "max_event_bytes", "must be greater than 0";
        MaxKeyBytes: "max_key_bytes", "must be greater than 0";
        MaxKeyBytesLimit: "max_key_bytes", "must be less than 2 GiB";
        RetryMaxAge: "retry.max_age", "must be greater than 0";
        RetryMaxAttempts: "retry.max_attempts", "must be greater than 0";
        Cooldown: "scaling.cooldown", "must be greater than 0";
        FillRatioThreshold: "scaling.fill_ratio_threshold", "must be greater than 0 and at most 1";
        MetricsWindow: "scaling.metrics_window", "must be greater than 0";
        MinShards: "scaling.min_shards", "must be greater than 0";
        ScaleDownDelay: "scaling.scale_down_delay", "must be greater than 0";
        UnderutilizedThreshold: "scaling.underutilized_threshold", "must be from 0 to 1";
        Shards: "shards", "must be greater than 0";
        Timeout: "timeout", "must be greater than 0";
    }
}

/// Checks rules one after another, and keeps the first that is broken.
#[derive(Default)]
pub(crate) struct Rules {
    broken: Option<ConfigError>,
}

impl Rules {
    // Called some thirty times for a bus: as a copy in each it would only take up room.
    #[inline(never)]
    pub(crate) fn check(&mut self, holds: bool, rule: Rule, value: f64) {
        if !holds {
            self.broken.get_or_insert(ConfigError { rule, value });
        }
    }

    /// Checks that a setting is greater than 0.
    #[inline(never)]
    pub(crate) fn check_positive(&mut self, rule: Rule, value: f64) {
        self.check(value > 0.0, rule, value);
    }

    pub(crate) fn result(self) -> Result<(), ConfigError> {
        self.broken.map_or(Ok(()), Err)
    }
}

/// Why the number of shards does not change as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalingError {
    /// The policy breaks a rule, scaling is off, the shard is unknown, or its state does not allow
    /// it.
    #[error("this cannot be done: {0}")]
    InvalidPolicy(String),
    /// There would be more shards than the policy allows, or more than there are ids.
    #[error("there are as many shards as there may be; raise `max_shards`")]
    AtMaxShards,
    /// There would be fewer shards than the policy allows.
    #[error("there are as few shards as there may be; lower `min_shards`")]
    AtMinShards,
    /// The number of shards changed a moment ago.
    #[error("the number of shards changed less than a cooldown ago; try again later")]
    InCooldown,
    /// There is no memory for so many more shards.
    #[error("there is no memory for so many more shards; add fewer")]
    NoMemory,
}

codes! {
    ScalingError {
        "at-max-shards" = -1: AtMaxShards,
        "at-min-shards" = -2: AtMinShards,
        "in-cooldown" = -3: InCooldown,
        "off" = -4: InvalidPolicy,
        "no-memory" = -5: NoMemory,
    }
}

impl From<ConfigError> for ScalingError {
    fn from(error: ConfigError) -> Self {
        Self::InvalidPolicy(error.to_string())
    }
}
