//! The user's callback, as a state machine: its actions when it is called, its answer, and the time
//! of that.

use crate::plan::{End, MAX_RETRY_AFTER, MS, up_to};
use crate::trace::note;
use crate::violation::CheckResult;
use crate::world::{Attempt, Event, Microtask, World};
use fastrand::Rng;
use shardbus::{Failure, Outcome};
use std::time::Duration;

/// The end of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Deliver,
    Unavailable {
        after: u64,
    },
    Refuse {
        after: u64,
    },
    Permanent,
    TooLarge,
    /// The outcome of each event follows from the seed.
    Partial {
        seed: u64,
    },
}

pub const TIMED_OUT: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// Some failure.
pub fn failure(rng: &mut Rng) -> Failure {
    let retry_after = Duration::from_nanos(rng.u64(..MAX_RETRY_AFTER));
    match rng.u8(..5) {
        0 => Failure::Permanent,
        1 => Failure::Split,
        2 => TIMED_OUT,
        3 => Failure::Unavailable { retry_after },
        _ => Failure::Refused { retry_after },
    }
}

/// The state of a destination for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Each callback ends as it is drawn.
    Fair,
    Down,
    /// It asks to be left alone.
    Busy,
    Hanging,
    /// Some answers come after the timeout.
    Slow,
}

/// The depth of nested callbacks: a flush in a callback calls the next one.
const MAX_DEPTH: u32 = 3;

/// The outcomes of consecutive events, so many in all, unless the callback counts wrongly.
pub fn outcomes(seed: u64, len: usize) -> Vec<(usize, Outcome)> {
    let mut rng = Rng::with_seed(seed);
    let mut left = if rng.u8(..16) == 0 { len + 1 } else { len };
    let mut outcomes = Vec::new();
    while left > 0 {
        let run = rng.usize(0..=left.min(4));
        let outcome =
            if rng.bool() { Outcome::Delivered } else { Outcome::Failed(failure(&mut rng)) };
        outcomes.push((run, outcome));
        left -= run;
    }
    outcomes
}

impl World<'_> {
    /// Calls the callback for an attempt.
    pub(super) fn call(&mut self, attempt: Attempt) -> CheckResult {
        let lease = attempt.lease;
        let (answer, after) = self.draw_end(lease);
        note!(self.ledger, "    the callback of lease {lease}: {answer:?} after {after:?}");
        if self.reenters() {
            self.call_bus()?;
        }
        self.attempts.push(attempt);
        match after {
            None => {}
            Some(0) => self.microtasks.push_back(Microtask::Answer(lease, answer)),
            Some(delay) => self.later(delay, Event::Answer(lease, answer)),
        }
        Ok(())
    }

    /// The callback's answer, and its time, if it ends.
    fn draw_end(&mut self, lease: u64) -> (Answer, Option<u64>) {
        if self.is_quiet {
            return (Answer::Deliver, Some(0));
        }
        let timeout = self.plan.config.timeout.as_nanos() as u64;
        let soon = if self.rng.bool() { 0 } else { self.rng.u64(..timeout) };
        match self.weather() {
            Weather::Fair => {}
            Weather::Down => return (Answer::Unavailable { after: 0 }, Some(soon)),
            Weather::Busy => {
                let after = self.rng.u64(..2 * MAX_RETRY_AFTER);
                return (Answer::Unavailable { after }, Some(soon));
            }
            Weather::Hanging => return (Answer::Deliver, None),
            Weather::Slow => {
                let after = self.rng.u64(timeout / 2..timeout * 3 / 2);
                return (Answer::Deliver, Some(after));
            }
        }
        if self.ledger.has_poison(lease, self.plan.poisonous) {
            return (Answer::Refuse { after: 0 }, Some(soon));
        }
        match self.plan.end(&mut self.rng) {
            End::Deliver => (Answer::Deliver, Some(soon)),
            // After the timeout, and perhaps after the lease.
            End::DeliverLate => {
                (Answer::Deliver, Some(timeout + self.rng.u64(..timeout + 1_500 * MS)))
            }
            End::Throw => (Answer::Unavailable { after: 0 }, Some(soon)),
            End::Refuse => (Answer::Refuse { after: 0 }, Some(soon)),
            End::RetryAfter => {
                let after = self.rng.u64(..MAX_RETRY_AFTER);
                (Answer::Refuse { after }, Some(soon))
            }
            End::Permanent => (Answer::Permanent, Some(soon)),
            End::TooLarge => (Answer::TooLarge, Some(soon)),
            End::Hang => (Answer::Deliver, None),
            End::Partial => (Answer::Partial { seed: self.rng.u64(..) }, Some(soon)),
        }
    }

    /// The destination's present state, which lasts for a while.
    fn weather(&mut self) -> Weather {
        if self.weather.1 <= self.clocks.time() {
            let weather = match self.rng.u8(..16) {
                of_16 if of_16 >= 2 * self.plan.storms => Weather::Fair,
                of_16 => [Weather::Down, Weather::Busy, Weather::Hanging, Weather::Slow]
                    [usize::from(of_16 % 4)],
            };
            let until = self.clocks.time() + up_to(&mut self.rng, 1, [100, 1_000, 5_000]) * MS;
            note!(self.ledger, "    the destination is {weather:?} until {until}");
            self.weather = (weather, until);
        }
        self.weather.0
    }

    fn reenters(&mut self) -> bool {
        !self.is_quiet && self.depth < MAX_DEPTH && self.rng.u8(..64) < self.plan.reentrant
    }

    /// A callback uses the bus that called it.
    fn call_bus(&mut self) -> CheckResult {
        self.depth += 1;
        self.reentries += 1;
        note!(self.ledger, "    the callback calls the bus");
        match self.rng.u8(..16) {
            0..8 => self.produce(3)?,
            8..11 => self.flush(None)?,
            11 => self.drain()?,
            12 => self.exit()?,
            13 => self.scale(true)?,
            14 => self.scale(false)?,
            _ => self.close()?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// A callback has ended.
    pub(super) fn answer(&mut self, lease: u64, answer: Answer) -> CheckResult {
        if self.reenters() {
            self.call_bus()?;
        }
        let attempt = self.attempts.iter().position(|attempt| attempt.lease == lease);
        let owner = attempt.map(|nth| self.attempts.remove(nth).owner);
        if owner.is_none() && !self.plan.forwards_late_answers {
            return Ok(());
        }
        let now = self.clocks.now();
        match answer {
            Answer::Deliver => self.ledger.acknowledge(lease, now)?,
            Answer::Unavailable { after } => {
                let retry_after = Duration::from_nanos(after);
                self.ledger.fail(lease, Failure::Unavailable { retry_after }, now)?;
            }
            Answer::Refuse { after } => {
                let retry_after = Duration::from_nanos(after);
                self.ledger.fail(lease, Failure::Refused { retry_after }, now)?;
            }
            Answer::Permanent => self.ledger.fail(lease, Failure::Permanent, now)?,
            Answer::TooLarge => self.ledger.fail(lease, Failure::Split, now)?,
            Answer::Partial { seed } => {
                let outcomes = outcomes(seed, self.ledger.len_of(lease).unwrap_or(3));
                self.ledger.settle_each(lease, &outcomes, now)?;
            }
        }
        match owner {
            None => {}
            Some(_) if !self.is_manual() => self.schedule_pump(),
            Some(drive) => self.microtasks.push_back(Microtask::WakeDrive(drive)),
        }
        Ok(())
    }
}
