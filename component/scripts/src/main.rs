//! `shardbus-scripts`: writes scripts and the answers that the crate gives to them, as JSON. The
//! component and the npm package run the same scripts, and must give the same answers.
//!
//! The scripts are those of `tests/vectors/weather.json`, which have the counts to expect, and random ones.

mod answers;
mod random;
mod run;
mod script;

use script::{Script, Table};
use serde::Serialize;

/// The number of random scripts of each seed.
const RANDOM: u64 = 40;

/// A seed whose scripts are the same in every run.
const FIXED: u64 = 1;

#[derive(Serialize)]
struct Run {
    script: Script,
    answers: answers::Answers,
}

fn main() -> std::io::Result<()> {
    let fresh = shardbus_seeds::fresh();
    eprintln!("{}={fresh} repeats the random scripts", shardbus_seeds::VARIABLE);
    let random = [FIXED, fresh].into_iter().flat_map(|seed| {
        (0..RANDOM).map(move |number| random::script(seed.wrapping_mul(RANDOM) + number))
    });
    let scripts = Table::read().scripts.into_iter().chain(random);
    let runs: Vec<_> =
        scripts.map(|script| Run { answers: run::on_crate(&script), script }).collect();
    let path = std::env::args().nth(1).expect("usage: shardbus-scripts FILE");
    std::fs::write(path, serde_json::to_string(&runs)?)
}
