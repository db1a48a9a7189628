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
//! | `operations` | another host, which does anything in any order |
//! | `tally` | counts of the simulated events |
//! | `violation` | violations of invariants |
//! | `trace` | a log of a schedule, on a replay only |
//! | `sweep` | many seeds on all cores |

mod ledger;
mod operations;
mod plan;
mod sweep;
mod tally;
mod trace;
mod violation;
mod world;

pub use sweep::{ENOUGH, Sweep, sweep};
pub use tally::Tally;
pub use violation::Violation;

use crate::operations::Host;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::violation::CheckResult;
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
    let result = catch(|| world.run());
    let tally = world.tally();
    let failure =
        |violation: Box<Violation>| Failure { seed, step: tally.steps, violation: *violation };
    let result = result.map(|()| tally).map_err(failure);
    (result, world.into_trace())
}

/// Has a host carry out operations that the bytes choose: the first eight say which bus it has, and
/// each two of the others an operation. Returns what happened.
///
/// # Errors
///
/// The first rule that was broken.
pub fn operate(bytes: &[u8]) -> Result<Tally, Violation> {
    operate_traced(bytes, Trace::off()).0
}

/// [`operate`], and what happened: its last `lines` lines, or all.
pub fn replay_operations(
    bytes: &[u8],
    lines: Option<usize>,
) -> (Result<Tally, Violation>, Vec<String>) {
    let (result, trace) = operate_traced(bytes, Trace::on(lines));
    (result, trace.into_lines())
}

fn operate_traced(bytes: &[u8], trace: Trace) -> (Result<Tally, Violation>, Trace) {
    let (seed, operations) = bytes.split_first_chunk().unwrap_or((&[0; 8], bytes));
    let mut host = Host::new(u64::from_le_bytes(*seed), trace);
    let result = catch(|| host.run(operations.as_chunks().0));
    let tally = host.tally();
    (result.map(|()| tally).map_err(|violation| *violation), host.into_trace())
}

/// Runs a simulation. One that panicked is only asked what happened in it.
fn catch(run: impl FnOnce() -> CheckResult) -> CheckResult {
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    result.unwrap_or_else(|panic| Err(Violation::of_panic(&*panic)))
}
