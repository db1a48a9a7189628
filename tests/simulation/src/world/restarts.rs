//! A host that keeps batches beyond its life.

use crate::ledger::Restored;
use crate::plan::MS;
use crate::violation::CheckResult;
use crate::world::{Attempt, Event, Microtask, Owner, World};
use fastrand::Rng;

impl World<'_> {
    /// Calls the callback for an attempt, once its batch is written where that has to be.
    pub(super) fn hand_over(&mut self, attempt: Attempt, at_once: bool) -> CheckResult {
        let lease = attempt.lease;
        if !self.ledger.outbox.as_ref().is_some_and(|outbox| outbox.has_write(lease)) {
            return self.call(attempt);
        }
        let is_written = !fails(self.is_quiet, self.plan.write_failures, &mut self.rng);
        if at_once || self.rng.bool() {
            self.finish_write(lease, is_written)?;
            return self.call(attempt);
        }
        self.attempts.push(attempt);
        let delay = self.rng.u64(..20 * MS);
        self.later(delay, Event::Written(lease, is_written));
        Ok(())
    }

    /// Writes the batch that the bus asked to store, now or later, if all goes well.
    pub(super) fn store(&mut self, ticket: u64) -> CheckResult {
        let is_written = !fails(self.is_quiet, self.plan.write_failures, &mut self.rng);
        if self.rng.bool() {
            return self.finish_write(ticket, is_written);
        }
        let delay = self.rng.u64(..20 * MS);
        self.later(delay, Event::Written(ticket, is_written));
        Ok(())
    }

    fn finish_write(&mut self, ticket: u64, is_written: bool) -> CheckResult {
        self.ledger.finish_write(ticket, is_written);
        self.ledger.evict_stored()?;
        self.schedule();
        Ok(())
    }

    /// Reads the batch that the bus asked for, now or later, if all goes well.
    pub(super) fn load(&mut self, ticket: u64, owner: Owner) -> CheckResult {
        let is_read = !fails(self.is_quiet, self.plan.read_failures, &mut self.rng);
        if self.rng.bool() {
            return self.loaded(ticket, is_read, owner);
        }
        let delay = self.rng.u64(..20 * MS);
        self.later(delay, Event::Loaded { ticket, is_read, owner });
        Ok(())
    }

    /// A read has ended.
    pub(super) fn loaded(&mut self, ticket: u64, is_read: bool, owner: Owner) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        self.ledger.finish_load(ticket, is_read)?;
        if self.is_manual() {
            self.microtasks.push_back(Microtask::WakeDrive(owner));
        } else {
            self.schedule_pump();
        }
        Ok(())
    }

    /// A write has ended. The attempt begins whether it ended well or not, unless it is over.
    pub(super) fn written(&mut self, lease: u64, is_written: bool) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        self.finish_write(lease, is_written)?;
        let nth = self.attempts.iter().position(|attempt| attempt.lease == lease);
        nth.map_or(Ok(()), |nth| {
            let attempt = self.attempts.remove(nth);
            self.call(attempt)
        })
    }

    /// The host's work for its store at the end of a turn.
    pub(super) fn look_after_store(&mut self) -> CheckResult {
        if let Some(outbox) = &mut self.ledger.outbox
            && (self.is_quiet || self.rng.u8(..4) > 0)
        {
            outbox.remove();
        }
        while !self.is_stopped
            && self.ledger.wants_restored()
            && (self.is_quiet || self.rng.u8(..4) > 0)
        {
            match self.to_restore.pop_front() {
                None => self.ledger.end_restore(),
                Some(key) if self.ledger.restore(&key)? == Restored::Taken => {}
                Some(_) => continue,
            }
            self.schedule();
            self.run_micros()?;
        }
        // A host that does not wait long enough gets an error.
        if !self.ledger.wants_restored() && !self.is_stopped && self.rng.u8(..8) == 0 {
            let early = self.to_restore.front().cloned();
            early.map_or(Ok(()), |key| self.ledger.restore(&key).map(drop))
        } else {
            Ok(())
        }
    }

    /// Writes the remaining batches after closing. Returns true if they are written, and the kept
    /// ones released.
    pub(super) fn keep_what_is_left(&mut self) -> CheckResult<bool> {
        let now = self.clocks.now();
        if !self.is_stopping {
            let (is_quiet, of_8, rng) = (self.is_quiet, self.plan.write_failures, &mut self.rng);
            self.ledger.keep_everything(now, || fails(is_quiet, of_8, rng))?;
            if !self.is_quiet && self.rng.bool() {
                self.is_stopping = true;
                let delay = self.rng.u64(..20 * MS);
                self.later(delay, Event::LastWrites);
                return Ok(false);
            }
        }
        self.ledger.recall();
        self.ledger.release_kept(now)?;
        if self.ledger.is_restoring() {
            self.ledger.end_restore();
        }
        Ok(true)
    }

    /// The host has crashed, or released its bus; a new run begins with the store's batches.
    pub(super) fn begin_life(&mut self) -> CheckResult {
        if self.is_stopped {
            self.ledger.check_end()?;
        }
        self.earlier += self.ledger.tally();
        self.life += 1;
        self.queue.clear();
        self.microtasks.clear();
        self.attempts.clear();
        self.drives.clear();
        self.kill_pump();
        self.closing = None;
        (self.is_stopping, self.is_stopped) = (false, false);
        let wall = self.clocks.wall();
        self.to_restore = self.ledger.begin_life(self.plan, self.life, wall, &mut self.rng)?.into();
        Ok(())
    }
}

fn fails(is_quiet: bool, of_8: u8, rng: &mut Rng) -> bool {
    !is_quiet && rng.u8(..8) < of_8
}
