//! The scheduler `"manual"`, as `pkg-js/src/delivery/manual-scheduler.ts` has it: requests that do
//! what the core says, until they end.

use crate::trace::note;
use crate::violation::CheckResult;
use crate::world::{Event, Microtask, Next, Owner, World};

/// One flush, and the attempts that it begins.
#[derive(Debug)]
pub struct Drive {
    id: Owner,
    flush: u32,
    /// True if others expired it, and ended its flush.
    is_lost: bool,
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
        let end = timeout.map_or(u64::MAX, |timeout| self.clocks.now() + timeout);
        let flush = self.ledger.begin_flush_until(end)?;
        let id = self.next_drive;
        self.next_drive += 1;
        self.ledger.begin_task();
        self.drives.push(Drive {
            id,
            flush,
            is_lost: false,
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

    /// Does what the core says until there is a reason to wait.
    fn go_on(&mut self, id: Owner) -> CheckResult {
        self.cut_off(id)?;
        loop {
            let Some(&mut Drive { flush, .. }) = self.find(id) else { return Ok(()) };
            match self.poll_core(id, Some(flush))? {
                _ if self.is_stopped => return Ok(()),
                Next::Poll => {}
                Next::Yield => {
                    self.later(0, Event::DriveTask(id));
                    return Ok(());
                }
                Next::Wait(u64::MAX) => return self.end_drive(id),
                Next::Wait(time) => {
                    self.sleep_until(id, time);
                    return Ok(());
                }
            }
        }
    }

    /// The owner of a flush has been silent for so long that its request counts as ended.
    pub(super) fn lose_drive(&mut self, flush: u32) -> CheckResult {
        if let Some(nth) = self.drives.iter().position(|drive| drive.flush == flush) {
            let drive = &mut self.drives[nth];
            drive.is_lost = true;
            let (id, lives) = (drive.id, drive.lives);
            note!(self.ledger, "    drive {id} is lost");
            self.attempts.retain(|attempt| attempt.owner != id);
            if !lives {
                self.drives.remove(nth);
            }
        }
        self.ledger.end_flush(flush)
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

    /// Ends the flush, and stays with the attempts that it leaves behind.
    fn end_drive(&mut self, id: Owner) -> CheckResult {
        let Some(drive) = self.find(id) else { return Ok(()) };
        if drive.lingers {
            self.drives.retain(|drive| drive.id != id);
            return Ok(());
        }
        drive.lingers = true;
        let (flush, is_lost, closes) = (drive.flush, drive.is_lost, drive.closes);
        if !is_lost {
            self.ledger.end_flush(flush)?;
        }
        if closes {
            self.microtasks.push_back(Microtask::Stop);
        }
        self.go_on(id)
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
        let is_stopped = self.is_stopped;
        let Some(drive) = self.find(id) else { return Ok(()) };
        if !drive.lives || !drive.sleeps || is_stopped {
            return Ok(());
        }
        drive.sleeps = false;
        self.go_on(id)
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
