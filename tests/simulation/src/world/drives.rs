//! The scheduler `"manual"`, as `pkg-js/src/delivery/manual-scheduler.ts` has it.

use crate::plan::MS;
use crate::trace::note;
use crate::violation::CheckResult;
use crate::world::{Event, Microtask, Next, Owner, World};

/// The polling interval of a drive.
pub const TICK: u64 = 50 * MS;

/// The silence of a drive after which its request counts as ended.
pub const GONE: u64 = 1_000 * MS;

/// One flush, and the attempts that it begins.
#[derive(Debug)]
pub struct Drive {
    id: Owner,
    flush: u32,
    /// Its deadline.
    end: u64,
    seen_at: u64,
    /// True if others expired it, and ended its flush.
    is_buried: bool,
    /// True if its request lives.
    lives: bool,
    /// True if its flush is over, and it awaits its own attempts.
    lingers: bool,
    closes: bool,
    sleeps: bool,
    sleep: u32,
}

impl Drive {
    pub(super) const fn is_closing(&self) -> bool {
        self.closes && self.is_waiting()
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.lives && !self.lingers
    }
}

impl World<'_> {
    /// Flushes within a request; at an exit, some of it at once.
    pub(super) fn drive(&mut self, timeout: Option<u64>, closes: bool, exits: bool) -> CheckResult {
        let flush = self.ledger.begin_flush()?;
        let id = self.next_drive;
        self.next_drive += 1;
        let now = self.clocks.now();
        self.ledger.begin_task();
        self.drives.push(Drive {
            id,
            flush,
            end: timeout.map_or(u64::MAX, |timeout| now + timeout),
            seen_at: now,
            is_buried: false,
            lives: true,
            lingers: false,
            closes,
            sleeps: false,
            sleep: 0,
        });
        if exits {
            self.hand_out_for_exit(id)?;
        }
        self.go_on(id)
    }

    fn find(&mut self, id: Owner) -> Option<&mut Drive> {
        self.drives.iter_mut().find(|drive| drive.id == id)
    }

    /// Sends the events of the drive's flush until there is a reason to wait.
    fn go_on(&mut self, id: Owner) -> CheckResult {
        let Some(wake) = self.hand_out(id)? else {
            self.later(0, Event::DriveTask(id));
            return Ok(());
        };
        let is_settled = self.is_settled(id) && self.first_deadline(id) == u64::MAX;
        let Some(&mut Drive { is_buried, end, .. }) = self.find(id) else { return Ok(()) };
        if is_settled || is_buried {
            return self.end_drive(id);
        }
        let tick = self.clocks.now() + TICK;
        self.sleep_until(id, tick.min(wake).min(end));
        Ok(())
    }

    fn is_settled(&mut self, id: Owner) -> bool {
        let flush = self.find(id).map(|drive| drive.flush);
        flush.is_none_or(|flush| self.ledger.pending_of(flush) == 0)
    }

    /// Begins the attempts that can begin now. Returns when to look again; `None` if that is once
    /// others had their turn.
    fn hand_out(&mut self, id: Owner) -> CheckResult<Option<u64>> {
        self.look(id)?;
        loop {
            let wake = self.first_deadline(id);
            let is_buried = self.find(id).is_none_or(|drive| drive.is_buried);
            if is_buried || self.is_settled(id) {
                return Ok(Some(wake));
            }
            match self.poll_core(id)? {
                Next::Poll => {}
                Next::Yield => return Ok(None),
                Next::Wait(polled) => return Ok(Some(polled.min(wake))),
            }
        }
    }

    /// Shows that the drive's request lives, and looks after those whose request does not.
    fn look(&mut self, id: Owner) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        let now = self.clocks.now();
        if let Some(drive) = self.find(id) {
            drive.seen_at = now;
        }
        for nth in 0..self.drives.len() {
            let drive = &mut self.drives[nth];
            if !drive.is_buried && now.saturating_sub(drive.seen_at) >= GONE {
                drive.is_buried = true;
                let (other, flush) = (drive.id, drive.flush);
                note!(self.ledger, "    drive {id} buries drive {other}");
                self.ledger.end_flush(flush)?;
                while let Some(nth) = self.attempts.iter().position(|at| at.owner == other) {
                    let lease = self.attempts.remove(nth).lease;
                    self.ledger.expire(lease, now)?;
                }
            }
        }
        self.drives.retain(|drive| drive.lives || !drive.is_buried);
        self.cut_off(id)
    }

    fn sleep_until(&mut self, id: Owner, time: u64) {
        let delay = self.delay_until(time);
        if let Some(drive) = self.find(id) {
            drive.sleeps = true;
            drive.sleep += 1;
            let sleep = drive.sleep;
            self.later(delay, Event::DriveWake(id, sleep));
        }
    }

    fn end_drive(&mut self, id: Owner) -> CheckResult {
        let Some(drive) = self.find(id) else { return Ok(()) };
        let (flush, is_buried, closes) = (drive.flush, drive.is_buried, drive.closes);
        drive.lingers = true;
        if !is_buried {
            self.ledger.end_flush(flush)?;
        }
        if closes {
            self.microtasks.push_back(Microtask::Stop);
        }
        self.linger(id)
    }

    /// Stays with the attempts that the flush leaves behind.
    fn linger(&mut self, id: Owner) -> CheckResult {
        if self.first_deadline(id) == u64::MAX {
            self.drives.retain(|drive| drive.id != id);
            return Ok(());
        }
        self.look(id)?;
        let tick = self.clocks.now() + TICK;
        let until = tick.min(self.first_deadline(id));
        self.sleep_until(id, until);
        Ok(())
    }

    pub(super) fn drive_timer_fires(&mut self, id: Owner, sleep: u32) -> CheckResult {
        let is_awaited = self.find(id).is_some_and(|drive| drive.lives && drive.sleep == sleep);
        if !is_awaited {
            return Ok(());
        }
        self.ledger.begin_task();
        self.wake_drive(id)
    }

    /// Its sleep ends, if it sleeps.
    pub(super) fn wake_drive(&mut self, id: Owner) -> CheckResult {
        let now = self.clocks.now();
        let is_stopped = self.is_stopped;
        let Some(drive) = self.find(id) else { return Ok(()) };
        if !drive.lives || !drive.sleeps || is_stopped {
            return Ok(());
        }
        drive.sleeps = false;
        if drive.lingers {
            self.linger(id)
        } else if now >= drive.end {
            self.end_drive(id)
        } else {
            self.go_on(id)
        }
    }

    pub(super) fn drive_task(&mut self, id: Owner) -> CheckResult {
        let lives = self.find(id).is_some_and(|drive| drive.lives);
        if !lives || self.is_stopped {
            return Ok(());
        }
        self.ledger.begin_task();
        self.go_on(id)
    }

    /// Some requests end, and with them every timer and promise of theirs.
    pub(super) fn kill_drives(&mut self) {
        let all = self.rng.bool();
        for drive in &mut self.drives {
            drive.lives &= !(all || self.rng.bool());
        }
        self.microtasks.clear();
    }
}
