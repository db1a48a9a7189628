//! Random scripts.

use crate::script::{Answer, Backpressure, Batch, Format, Options, Retry, Rule, Script, Step};
use fastrand::Rng;

/// Answers that do not depend on the batches of other shards.
const ANSWERS: [Answer; 5] =
    [Answer::Refused, Answer::Permanent, Answer::Split, Answer::Single, Answer::Delivered];

/// The script of a seed.
pub fn script(seed: u64) -> Script {
    let mut rng = Rng::with_seed(seed);
    let shards = if rng.bool() { 1 } else { rng.u16(2..6) };
    let options = options(&mut rng, shards);
    let mut number = 0;
    let steps = (0..rng.usize(1..6)).map(|_| step(&mut rng, &mut number)).chain([Step::Flush]);
    let steps = steps.collect();
    let rules = (0..rng.usize(0..4)).map(|_| rule(&mut rng, shards)).collect();
    Script { name: format!("script {seed}"), options, steps, rules, expect: Default::default() }
}

fn options(rng: &mut Rng, shards: u16) -> Options {
    let policies = [
        Backpressure::DropOldest,
        Backpressure::DropNewest,
        Backpressure::FailProducer,
        Backpressure::Sample(3),
    ];
    let batch = Batch {
        max_size: rng.usize(1..20),
        max_bytes: rng.bool().then(|| rng.usize(60..600)),
        adaptive: false,
    };
    let retry = Retry { max_attempts: rng.u32(1..5), base_delay_ms: 1, max_delay_ms: 1 };
    Options {
        shards: Some(shards),
        capacity: rng.bool().then(|| rng.usize(2..40)),
        max_bytes: rng.bool().then(|| rng.u64(100..2000)),
        max_event_bytes: Some(rng.usize(40..60)),
        backpressure: rng.bool().then(|| policies[rng.usize(..policies.len())]),
        format: rng.bool().then(|| if rng.bool() { Format::Json } else { Format::Ndjson }),
        batch,
        retry: Some(retry),
    }
}

fn step(rng: &mut Rng, number: &mut u32) -> Step {
    match rng.u8(..10) {
        0..6 => Step::Offer((0..rng.usize(1..30)).map(|_| event(rng, number)).collect()),
        6..9 => Step::Flush,
        _ => Step::Drain(rng.usize(1..400)),
    }
}

fn event(rng: &mut Rng, number: &mut u32) -> (String, Option<String>) {
    *number += 1;
    let words = ["", "reject", "retry", "poison", "ü€😀", "long and longer, and longer than most"];
    let word = if rng.u8(..3) == 0 { words[rng.usize(..words.len())] } else { "" };
    let payload = format!("{{\"n\":{number},\"t\":\"{word}\"}}");
    (payload, rng.bool().then(|| format!("key {}", rng.u8(..9))))
}

fn rule(rng: &mut Rng, shards: u16) -> Rule {
    let mut answer = ANSWERS[rng.usize(..ANSWERS.len())];
    let mut attempts = rng.bool().then(|| (1, rng.u32(1..3)));
    // An outage is shared by all shards, and must end.
    if shards == 1 && rng.u8(..4) == 0 {
        (answer, attempts) = (Answer::Unavailable, Some((1, rng.u32(1..6))));
    }
    Rule {
        attempts,
        holds: rng.bool().then(|| "poison".to_owned()),
        every: rng.bool().then(|| rng.u64(1..4)),
        answer,
    }
}
