//! The deterministic simulation of `tests/simulation/`.

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::exec;

/// Options of `cargo xtask simulate`.
#[derive(clap::Args)]
pub struct Args {
    /// Number of schedules to run
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The seed of the first one; the others' follow it. Without it, half of the schedules begin at 0
    /// and half at `SHARDBUS_SEED` or, where that is not set, at a new seed
    #[arg(long)]
    from: Option<u64>,
    /// Replay this schedule alone, and show its events
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

impl Args {
    /// As many as take a second.
    pub fn quick() -> Self {
        Self { seeds: 2_000, from: None, seed: None }
    }

    /// As many as CI runs.
    pub fn short() -> Self {
        Self { seeds: 100_000, from: None, seed: None }
    }
}

/// Runs schedules on all cores, and stops at the first that breaks a rule.
pub fn run(sh: &Shell, args: &Args) -> Result<()> {
    let simulation = cmd!(sh, "cargo run --quiet --profile simulation --package")
        .args(["shardbus-simulation", "--"]);
    let Args { seeds, from, seed } = args;
    exec(match seed {
        Some(seed) => simulation.arg("--seed").arg(seed.to_string()),
        None => {
            let from = from.map(|from| ["--from".to_owned(), from.to_string()]);
            simulation.arg("--seeds").arg(seeds.to_string()).args(from.into_iter().flatten())
        }
    })
    .context("a schedule broke a rule")
}
