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

/// A configuration that breaks a rule: which field, its value, and the rule in words.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// Path of the field, such as `batch.max_size`.
    pub field: &'static str,
    /// The value it had; a duration's in milliseconds.
    pub value: f64,
    /// The rule that the value breaks, such as "must be greater than 0".
    pub rule: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, but it {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for ConfigError {}

/// Checks rules one after another, and keeps the first that is broken.
#[derive(Default)]
pub(crate) struct Rules {
    broken: Option<ConfigError>,
}

impl Rules {
    // Called some thirty times for a bus: as a copy in each it would only take up room.
    #[inline(never)]
    pub(crate) fn check(
        &mut self,
        holds: bool,
        field: &'static str,
        value: f64,
        rule: &'static str,
    ) {
        if !holds {
            self.broken.get_or_insert(ConfigError { field, value, rule });
        }
    }

    /// Checks that a setting is greater than 0.
    #[inline(never)]
    pub(crate) fn check_positive(&mut self, field: &'static str, value: f64) {
        self.check(value > 0.0, field, value, "must be greater than 0");
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
}

codes! {
    ScalingError {
        "at-max-shards" = -1: AtMaxShards,
        "at-min-shards" = -2: AtMinShards,
        "in-cooldown" = -3: InCooldown,
        "off" = -4: InvalidPolicy,
    }
}

impl From<ConfigError> for ScalingError {
    fn from(error: ConfigError) -> Self {
        Self::InvalidPolicy(error.to_string())
    }
}
