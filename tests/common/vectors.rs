//! The vectors of `vectors/routing.json`, which the JavaScript tests read as well.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Deserialize)]
pub struct Vectors {
    events: Vec<EventVector>,
    hashes: Vec<HashVector>,
}

/// An event, the hash of its bytes and, by number of shards, the shard it goes to.
#[derive(Deserialize)]
pub struct EventVector {
    #[serde(flatten)]
    input: Input,
    hash: String,
    #[serde(default)]
    shards: BTreeMap<String, u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Input {
    Text(String),
    Hex(String),
    Pattern(usize),
}

#[derive(Deserialize)]
struct HashVector {
    hash: String,
    shards: BTreeMap<String, u16>,
}

/// Reads the file.
pub fn read() -> Vectors {
    let file = include_str!("../vectors/routing.json");
    serde_json::from_str(file).expect("the file is well-formed")
}

fn parse_hash(hex: &str) -> u64 {
    u64::from_str_radix(hex, 16).expect("a hash is hexadecimal")
}

impl Vectors {
    /// The bytes of each event, and their hash.
    pub fn hashes(&self) -> impl Iterator<Item = (Vec<u8>, u64)> {
        self.events.iter().map(|event| (event.input.bytes(), parse_hash(&event.hash)))
    }

    /// Each `(hash, number of shards, shard)`.
    pub fn routes(&self) -> impl Iterator<Item = (u64, u16, u16)> {
        let of_events = self.events.iter().map(|event| (&event.hash, &event.shards));
        let of_hashes = self.hashes.iter().map(|vector| (&vector.hash, &vector.shards));
        of_events.chain(of_hashes).flat_map(|(hash, shards)| {
            let number = |n: &str| n.parse().expect("a number of shards");
            shards.iter().map(move |(n, &shard)| (parse_hash(hash), number(n), shard))
        })
    }
}

impl Input {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex(hex) => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
                .collect(),
            Self::Pattern(len) => (0..*len).map(|i| (31 * i + 7) as u8).collect(),
        }
    }
}
