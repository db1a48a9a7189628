//! Deterministic simulation of a whole bus: the core, a model of its host in JavaScript, and
//! everything that can go wrong.
//!
//! A seed is a schedule: it decides the settings of the bus, the producers' events, the callbacks'
//! answers, the clocks' times, and when shards are added or removed, the host crashes and the bus
//! is closed. There is no other source of chance, no clock and no thread in a schedule, so a seed
//! that fails once fails always.
//!
//! | module | purpose |
//! | --- | --- |
//! | `plan` | draws the properties of a schedule |
//! | `ledger` | a bus beside a model of it that knows where each event is: every answer is checked |
//! | `world` | virtual time, producers, callbacks, faults, and the two schedulers of the host |
//! | `tally` | counts of the simulated events |
//! | `violation` | violations of invariants |
//! | `trace` | a log of a schedule, on a replay only |
//! | `sweep` | many seeds on all cores |

mod ledger;
mod plan;
mod sweep;
mod tally;
mod trace;
mod violation;
mod world;

pub use sweep::{ENOUGH, Sweep, sweep};
pub use tally::Tally;
pub use violation::Violation;

use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::World;
use std::panic::AssertUnwindSafe;

/// A schedule that broke a rule.
#[derive(Debug)]
pub struct Failure {
    /// Replays the schedule.
    pub seed: u64,
    /// The step in which the rule was broken.
    pub step: u64,
    /// The rule.
    pub violation: Violation,
}

/// Runs the schedule of a seed. Returns what happened in it.
///
/// # Errors
///
/// The first rule that was broken.
pub fn run(seed: u64) -> Result<Tally, Failure> {
    run_traced(seed, Trace::off()).0
}

/// [`run`], and what happened: its last `lines` lines, or all.
pub fn replay(seed: u64, lines: Option<usize>) -> (Result<Tally, Failure>, Vec<String>) {
    let (result, trace) = run_traced(seed, Trace::on(lines));
    (result, trace.into_lines())
}

fn run_traced(seed: u64, trace: Trace) -> (Result<Tally, Failure>, Trace) {
    let plan = Plan::draw(seed);
    let mut world = World::new(&plan, trace);
    // A world that panicked is only asked what happened in it.
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = result.unwrap_or_else(|panic| Err(Violation::of_panic(&*panic)));
    let tally = world.tally();
    let failure =
        |violation: Box<Violation>| Failure { seed, step: tally.steps, violation: *violation };
    let result = result.map(|()| tally).map_err(failure);
    (result, world.into_trace())
}
