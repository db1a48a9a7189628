//! Scripts: options, events that come in waves, and a receiver that answers by rules.

use serde::{Deserialize, Serialize};

/// The file of scripts with their expected counts.
#[derive(Deserialize)]
pub struct Table {
    /// The scripts.
    pub scripts: Vec<Script>,
}

impl Table {
    /// Reads the file.
    pub fn read() -> Self {
        let file = include_str!("../../../tests/vectors/weather.json");
        serde_json::from_str(file).expect("the file is well-formed")
    }
}

/// A script.
#[derive(Serialize, Deserialize)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// The options, in JavaScript's names and units.
    pub options: Options,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The receiver's rules: the first that applies answers an attempt. Without one, it delivers.
    pub rules: Vec<Rule>,
    /// The expected counts, by name; others are not checked.
    #[serde(default)]
    pub expect: std::collections::BTreeMap<String, u64>,
}

/// Options.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_event_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backpressure: Option<Backpressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    pub batch: Batch,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// The policy for events that find no room.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub enum Backpressure {
    DropOldest,
    DropNewest,
    FailProducer,
    Sample(u32),
}

/// The layout of bodies.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Ndjson,
    Json,
}

/// Options of batches.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    pub max_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
    /// False: else sizes would follow the time between events.
    pub adaptive: bool,
}

/// Options of retries.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    pub max_attempts: u32,
    pub base_delay_ms: u64,
    pub max_delay_ms: u64,
}

/// A step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Offers these payloads, each with its key if it has one.
    Offer(Vec<(String, Option<String>)>),
    /// Sends until nothing is pending.
    Flush,
    /// Takes out batches whose bodies have at most so many bytes together.
    Drain(usize),
    /// Sends, and kills the host during the attempt with this number, or at once if it is 0. The next
    /// host restores what the killed one had.
    Kill(usize),
}

/// A rule.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The attempts of a batch to which it applies; by default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<(u32, u32)>,
    /// It applies to bodies that hold this text; by default to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<String>,
    /// It applies if the batch's sequence number divides by this; by default always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// The answer.
    pub answer: Answer,
}

/// The answer to an attempt.
#[derive(Serialize, Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The receiver has the batch.
    #[default]
    Delivered,
    /// It does not answer.
    Unavailable,
    /// It refuses the batch.
    Refused,
    /// It will never take it.
    Permanent,
    /// It takes only a part of it.
    Split,
    /// It rejects events that hold `reject`, asks again for those that hold `retry`, and has the
    /// others.
    Single,
}

impl Script {
    /// The receiver's answer.
    pub fn answer(&self, sequence: u64, attempt: u32, body: &str) -> Answer {
        let applies = |rule: &&Rule| {
            rule.attempts.is_none_or(|(first, last)| (first..=last).contains(&attempt))
                && rule.holds.as_ref().is_none_or(|text| body.contains(text))
                && rule.every.is_none_or(|divisor| sequence.is_multiple_of(divisor))
        };
        self.rules.iter().find(applies).map_or(Answer::Delivered, |rule| rule.answer)
    }
}
