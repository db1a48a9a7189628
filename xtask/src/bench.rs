//! The benchmarks: installs the candidates and runtimes that `benches/js` measures.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::toolchain::Tools;
use crate::{exec, npm, package, sizes};

/// The folder of the comparison in JavaScript.
pub const JS: &str = "benches/js";
/// Events of a soak in the checks: enough to show that it works, within seconds.
pub const SHORT_SOAK: u64 = 300_000;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The same table in five minutes, with fewer events and rounds
    #[arg(long)]
    quick: bool,
    /// Put the results into `benches/results`, and the plots into `README.md`
    #[arg(long, conflicts_with_all = ["only", "soak"])]
    save: bool,
    /// Leave out the native benchmark
    #[arg(long)]
    skip_native: bool,
    /// Measure these sections alone
    #[arg(long, value_name = "SECTION")]
    only: Vec<String>,
    /// Instead of measuring, send many events to a collector that is down a third of the time
    #[arg(long)]
    soak: bool,
    /// Number of events that the soak sends
    #[arg(long, default_value_t = 50_000_000, requires = "soak")]
    events: u64,
}

/// Runs the measurements that the arguments select. A result below its target is no failure.
pub fn run(sh: &Shell, args: &Args) -> Result<()> {
    package::build(sh, &Tools::set_up()?)?;
    npm::install(sh, JS)?;
    if args.soak {
        return soak(sh, args.events);
    }
    // The other runtimes.
    npm::install(sh, "tests/runtimes")?;
    let mut options: Vec<_> = args.only.iter().map(|section| format!("--only={section}")).collect();
    if !args.skip_native {
        options.push("--native".to_owned());
    }
    options.push(format!("--plan={}", if args.quick { "quick" } else { "full" }));
    if args.save {
        options.push("--save".to_owned());
    }
    compare(sh, &options)
}

/// Compares the built package with everything else.
pub fn compare(sh: &Shell, options: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let entry = sizes::default_entry(sh, package::DIST)?.to_string();
    let main = format!("{JS}/main.mjs");
    exec(cmd!(sh, "node {main} --entry-bytes {entry}").args(options))
}

/// Sends events to a collector that fails, and fails unless all of them are accounted for.
pub fn soak(sh: &Shell, events: u64) -> Result<()> {
    let soak = format!("{JS}/soak.mjs");
    let events = events.to_string();
    exec(cmd!(sh, "node --expose-gc {soak} --events {events}"))
}
