//! The end of a schedule: the faults stop, the bus comes to rest, and is closed.

use crate::ledger::{MAX_PAUSES, Offer, Outbox, Polled, SILENCE};
use crate::plan::{MAX_RETRY_AFTER, MS};
use crate::trace::note;
use crate::violation::{CheckResult, ensure, ensure_eq};
use crate::world::World;
use crate::world::drives::Drive;
use shardbus::BusConfig;
use std::cmp::Reverse;

/// Steps that the quiet part may take; far more than any should.
const MAX_QUIET_STEPS: u32 = 20_000;

impl World<'_> {
    /// Faults stop. All events must be settled in time, and all waiters released.
    pub(super) fn quiesce(&mut self) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        self.is_quiet = true;
        self.begin_step();
        self.clocks.run();
        note!(self.ledger, "{} at {}: the faults stop", self.step, self.clocks.now());
        self.ledger.forget_all();
        let until = self.clocks.time() + self.longest_rest();
        if self.is_manual() {
            if self.closing.is_none() {
                self.flush(None)?;
            } else if !self.drives.iter().any(Drive::is_closing) {
                // The host that was to close the bus crashed.
                self.stop()?;
            }
        } else if self.closing.is_some() && !self.pump.is_closing() {
            self.stop()?;
        } else {
            self.schedule();
        }
        self.end_turn()?;
        for steps in 0.. {
            ensure!(steps < MAX_QUIET_STEPS, "a bus comes to rest");
            if self.ledger.is_restoring()
                && self.is_manual()
                && self.closing.is_none()
                && !self.drives.iter().any(Drive::is_waiting)
            {
                // Nothing but a flush makes it go on.
                self.flush(None)?;
                self.end_turn()?;
            }
            let next = self.queue.peek().map(|Reverse((time, ..))| *time);
            // With a queue that is empty, a flush has ended at once: its events were too old.
            let is_over = match next {
                None => !(self.is_manual() && self.ledger.is_restoring()),
                Some(next) => next > until,
            };
            if self.is_stopped || is_over {
                break;
            }
            self.begin_step();
            self.run_next()?;
            self.end_turn()?;
        }
        if self.is_stopped {
            return Ok(());
        }
        ensure_eq!(self.ledger.unsettled(), 0, "what was accepted is settled in time");
        ensure!(!self.ledger.is_restoring(), "what was left is restored in time");
        ensure!(self.closing.is_none(), "closing ends in time");
        self.check_nobody_waits()?;
        let mut idle = self.ledger.poll(self.clocks.now(), false)?;
        // Drives do not poll the core once nothing is pending, so the last abandoned batch is
        // reported only when there are events to send again.
        while self.is_manual() && idle == Polled::Abandoned {
            idle = self.ledger.poll(self.clocks.now(), false)?;
        }
        ensure_eq!(idle, Polled::Idle, "a bus that holds nothing is idle");
        ensure!(!self.ledger.is_draining(), "a shard that drains is gone once it is empty");
        self.ledger.check()
    }

    /// The longest time until everything is settled.
    fn longest_rest(&self) -> u64 {
        let BusConfig { batch, retry, timeout, .. } = &self.plan.config;
        let ms = |duration: &std::time::Duration| duration.as_nanos() as u64;
        // A clock that went back is taken to stand still until it is where it was.
        let lag = self.ledger.now().saturating_sub(self.clocks.now());
        let lease = ms(timeout) + ms(&BusConfig::LEASE_MARGIN);
        // The next probe, after one that hangs, and the lanes that follow it.
        let outage =
            retry.as_ref().map_or(0, |retry| ms(&retry.max_delay) + ms(&retry.base_delay) + lease);
        let pause = retry.as_ref().map_or(0, |retry| ms(&retry.max_delay)).max(MAX_RETRY_AFTER);
        // And the timers: the pump's, which was set by whatever clock there was, and those of flushes.
        let timer = self.pump.sleeps_for(self.clocks.time());
        // Recovered batches are sent one at a time.
        let [pause_of_sender, pause_of_watcher] = MAX_PAUSES;
        let restore = 3 * pause_of_sender * (self.to_restore.len() as u64 + 1);
        lag + timer
            + lease
            + pause
            + outage
            + 2 * ms(&batch.max_delay)
            + SILENCE
            + pause_of_watcher
            + 3_000 * MS
            + restore
    }

    /// The bus is closed and its host releases it.
    pub(super) fn end(&mut self) -> CheckResult {
        self.begin_step();
        if !self.is_stopped {
            if self.closing.is_none() {
                self.close()?;
                self.end_turn()?;
            }
            self.stop()?;
        }
        self.ledger.ingest(Offer { len: 4, key: None, has_newline: false })?;
        self.stray_answer()?;
        self.ledger.check_end()?;
        self.ledger.outbox.as_ref().map_or(Ok(()), Outbox::check)
    }
}
