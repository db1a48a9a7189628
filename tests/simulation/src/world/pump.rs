//! The scheduler `"auto"`, as `pkg-js/src/delivery/auto-scheduler.ts` has it.

use crate::plan::MS;
use crate::violation::{CheckResult, ensure};
use crate::world::drives::Drive;
use crate::world::{Event, Microtask, Next, Owner, World};
use shardbus::FlushState;

/// Whom the pump's attempts belong to.
pub const PUMP: Owner = 0;

/// Somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiter {
    Flush { flush: u32, closes: bool },
    Room,
}

/// One for all who use the bus.
#[derive(Debug)]
pub struct Pump {
    is_scheduled: bool,
    /// For when the timer is set.
    alarm: u64,
    /// The time at which it fires, which a later jump of the clock does not change.
    fires_at: u64,
    generation: u32,
    waiters: Vec<Waiter>,
    /// Counts the crashes of the host: pending events of an earlier run are dropped.
    life: u32,
}

impl Default for Pump {
    fn default() -> Self {
        Self {
            is_scheduled: false,
            alarm: u64::MAX,
            fires_at: 0,
            generation: 0,
            waiters: Vec::new(),
            life: 0,
        }
    }
}

impl Pump {
    /// The remaining time of the timer.
    pub(super) const fn sleeps_for(&self, time: u64) -> u64 {
        self.fires_at.saturating_sub(time)
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.waiters.iter().any(|waiter| matches!(waiter, Waiter::Flush { closes: true, .. }))
    }
}

impl World<'_> {
    /// At the end of this turn.
    pub(super) fn schedule_pump(&mut self) {
        if !self.pump.is_scheduled {
            self.pump.is_scheduled = true;
            self.microtasks.push_back(Microtask::Pump);
        }
    }

    /// Once others had their turn.
    fn yield_turn(&mut self) {
        if !self.pump.is_scheduled {
            self.pump.is_scheduled = true;
            self.later(0, Event::PumpTask(self.pump.life));
        }
    }

    pub(super) fn pump_task(&mut self, life: u32) -> CheckResult {
        if life == self.pump.life {
            self.pump.is_scheduled = false;
            self.run_task()?;
        }
        Ok(())
    }

    fn run_task(&mut self) -> CheckResult {
        self.ledger.begin_task();
        self.pump_once()
    }

    /// The microtask.
    pub(super) fn run_pump(&mut self) -> CheckResult {
        self.pump.is_scheduled = false;
        self.pump_once()
    }

    fn pump_once(&mut self) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        self.cut_off(PUMP)?;
        let next = self.poll_core(PUMP, None)?;
        match next {
            Next::Wait(wake) => self.set_alarm(wake.min(self.first_deadline(PUMP))),
            Next::Poll => self.schedule_pump(),
            Next::Yield => self.yield_turn(),
        }
        self.check_waiters(if let Next::Wait(wake) = next { wake } else { 0 })
    }

    fn set_alarm(&mut self, time: u64) {
        if time == self.pump.alarm {
            return;
        }
        self.pump.generation += 1;
        self.pump.alarm = time;
        if time < u64::MAX {
            let delay = self.delay_until(time);
            self.pump.fires_at = self.clocks.time() + delay;
            self.later(delay, Event::Alarm(self.pump.generation));
        }
    }

    pub(super) fn alarm_fires(&mut self, generation: u32) -> CheckResult {
        if generation == self.pump.generation {
            self.pump.alarm = u64::MAX;
            self.run_task()?;
        }
        Ok(())
    }

    pub(super) fn wait_for_flush(&mut self, timeout: Option<u64>, closes: bool) -> CheckResult {
        let end = timeout.map_or(u64::MAX, |timeout| self.clocks.now() + timeout);
        let flush = self.ledger.begin_flush_until(end)?;
        self.schedule_pump();
        self.pump.waiters.push(Waiter::Flush { flush, closes });
        if let Some(timeout) = timeout {
            self.later(timeout / MS * MS, Event::FlushTimeout(flush));
        }
        Ok(())
    }

    pub(super) fn flush_timeout(&mut self, flush: u32) -> CheckResult {
        let is_it =
            |waiter: &&Waiter| matches!(waiter, Waiter::Flush { flush: of, .. } if *of == flush);
        let waiter = self.pump.waiters.iter().find(is_it).copied();
        waiter.map_or(Ok(()), |waiter| self.let_go(waiter))
    }

    /// Lets go of those for whom it is time, if the core is to be polled again at `wake`.
    fn check_waiters(&mut self, wake: u64) -> CheckResult {
        let mut nth = 0;
        while let Some(&waiter) = self.pump.waiters.get(nth) {
            let is_time = match waiter {
                Waiter::Flush { flush, .. } => {
                    self.ledger.flush_state(flush, wake)? != FlushState::Open
                }
                Waiter::Room => self.ledger.is_ready(),
            };
            if is_time {
                self.let_go(waiter)?;
            } else {
                nth += 1;
            }
        }
        Ok(())
    }

    fn let_go(&mut self, waiter: Waiter) -> CheckResult {
        if let Some(nth) = self.pump.waiters.iter().position(|other| *other == waiter) {
            self.pump.waiters.remove(nth);
        }
        match waiter {
            Waiter::Flush { flush, closes } => {
                self.ledger.end_flush(flush)?;
                if closes {
                    self.microtasks.push_back(Microtask::Stop);
                }
            }
            Waiter::Room => {
                let still = self.pump.waiters.contains(&Waiter::Room);
                self.ledger.set_room_awaited(still);
            }
        }
        Ok(())
    }

    pub(super) fn await_room(&mut self) -> CheckResult {
        if self.is_manual() || self.closing.is_some() || self.ledger.is_ready() {
            return Ok(());
        }
        self.schedule_pump();
        self.pump.waiters.push(Waiter::Room);
        self.ledger.set_room_awaited(true);
        Ok(())
    }

    /// The host forgets its attempts; the core does not.
    pub(super) fn kill_pump(&mut self) {
        self.attempts.clear();
        self.microtasks.clear();
        let (life, generation) = (self.pump.life + 1, self.pump.generation + 1);
        self.pump = Pump { life, generation, ..Pump::default() };
    }

    pub(super) fn check_nobody_waits(&self) -> CheckResult {
        let waiters = &self.pump.waiters;
        ensure!(waiters.is_empty(), "flushes end, and room comes", "{waiters:?}");
        let drives = &self.drives;
        let waits = drives.iter().any(Drive::is_waiting);
        ensure!(!waits, "flushes end, and room comes", "{drives:?}");
        Ok(())
    }
}
