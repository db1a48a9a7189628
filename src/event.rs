//! Events: from producers, and in the shards.

use crate::canonical;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A JSON value that is about to become a [`RawEvent`]. As JSON it is the value itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event(
    /// The value.
    pub Value,
);

impl Event {
    /// Wraps a value.
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self(value)
    }

    /// Parses one JSON text.
    ///
    /// # Errors
    ///
    /// The parser's, if `json` is not one JSON text.
    pub fn from_slice(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json).map(Self)
    }

    /// Parses one JSON text, without [`FromStr`](std::str::FromStr) in scope.
    ///
    /// # Errors
    ///
    /// The parser's, if `json` is not one JSON text.
    #[expect(clippy::should_implement_trait, reason = "it is implemented too")]
    pub fn from_str(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json).map(Self)
    }

    /// The value.
    #[must_use]
    pub const fn as_value(&self) -> &Value {
        &self.0
    }

    /// Takes the value out.
    #[must_use]
    pub fn into_inner(self) -> Value {
        self.0
    }

    /// Writes the value in canonical form, once, and hashes it.
    #[must_use]
    pub fn into_raw(self) -> RawEvent {
        RawEvent::from_value(self.0)
    }
}

impl std::str::FromStr for Event {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> serde_json::Result<Self> {
        Self::from_str(json)
    }
}

impl From<Event> for Value {
    fn from(event: Event) -> Self {
        event.0
    }
}

impl From<Value> for Event {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// Immutable bytes of one event, and their hash. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RawEvent {
    bytes: Bytes,
    hash: u64,
    /// True if the hash stands for a key, whose events stay in one shard.
    is_keyed: bool,
}

impl RawEvent {
    /// Takes the bytes as they are, without looking into them. The hash is XXH3-64, seed 0, over
    /// exactly these bytes.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let hash = hash(&bytes);
        Self { bytes, hash, is_keyed: false }
    }

    /// Copies the text as it is, without looking into it.
    #[expect(
        clippy::should_implement_trait,
        reason = "this cannot fail, and `FromStr` would say it can"
    )]
    #[must_use]
    pub fn from_str(text: &str) -> Self {
        Self::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Takes the bytes as they are if they are one JSON text.
    ///
    /// # Errors
    ///
    /// The parser's, if they are not.
    pub fn from_bytes_validated(bytes: impl Into<Bytes>) -> serde_json::Result<Self> {
        let bytes = bytes.into();
        // In full: what merely skips values lets bad UTF-8 and lone surrogates pass.
        serde_json::from_slice::<Value>(&bytes)?;
        Ok(Self::from_bytes(bytes))
    }

    /// Takes bytes with a hash from elsewhere, such as a key's. The hash is trusted, and whatever
    /// the load, events with the same one go to the same shard until the set of shards changes.
    pub fn from_bytes_with_hash(bytes: impl Into<Bytes>, hash: u64) -> Self {
        Self { bytes: bytes.into(), hash, is_keyed: true }
    }

    /// Writes `value` in canonical form: compact, keys in ascending byte order. `From<&Value>` does
    /// the same with a value that is kept.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a value is handed over")]
    pub fn from_value(value: Value) -> Self {
        Self::from(&value)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A handle to the bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The hash that routes the event.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// True if the hash came from elsewhere.
    pub(crate) const fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Parses the bytes as JSON.
    ///
    /// # Errors
    ///
    /// The parser's, if they are not one JSON text.
    pub fn parse(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.bytes)
    }
}

impl From<&Value> for RawEvent {
    fn from(value: &Value) -> Self {
        Self::from_bytes(canonical::to_vec(value))
    }
}

impl From<Value> for RawEvent {
    fn from(value: Value) -> Self {
        Self::from_value(value)
    }
}

impl From<Event> for RawEvent {
    fn from(event: Event) -> Self {
        event.into_raw()
    }
}

impl AsRef<[u8]> for RawEvent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for RawEvent {
    /// Length and hash only: payloads do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawEvent")
            .field("len", &self.len())
            .field("hash", &format_args!("{:016x}", self.hash))
            .finish()
    }
}

/// An event that a shard accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct InternalEvent {
    /// The payload. It shares memory with its neighbours: copy it to keep it for long.
    pub raw: Bytes,
    /// The time at which it was accepted: nanoseconds since the Unix epoch, strictly increasing in
    /// its shard.
    pub insertion_ts: u64,
    /// The shard that accepted it.
    pub shard_id: u16,
}

impl InternalEvent {
    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Parses the payload as JSON.
    ///
    /// # Errors
    ///
    /// The parser's, if it is not one JSON text.
    pub fn parse(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.raw)
    }
}

impl std::fmt::Debug for InternalEvent {
    /// Everything but the payload, which does not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InternalEvent")
            .field("len", &self.raw.len())
            .field("insertion_ts", &self.insertion_ts)
            .field("shard_id", &self.shard_id)
            .finish()
    }
}

/// The hash that routes: XXH3-64 with seed 0.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    seeded_hash(bytes, 0)
}

/// [`hash`] with a seed, without which the shard of a key cannot be guessed.
// One copy of the function: with a seed that the compiler knows, it would make another.
#[inline(never)]
pub(crate) fn seeded_hash(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}
