//! Flushes of hosts that may end at any moment: one of them sends, and others send the
//! batches of a silent one.

use crate::ledger::sending::Polled;
use crate::ledger::{Ledger, Outgoing, State};
use crate::trace::note;
use crate::violation::{CheckResult, ensure, ensure_eq};
use shardbus::Action;

const MS: u64 = 1_000_000;

/// The silence after which others take an owner to be gone.
pub const SILENCE: u64 = 1_000 * MS;

/// The shortest pause between two polls of an owner without a reason.
const MIN_PAUSE: u64 = 50 * MS;

/// The longest pauses between two polls of an owner: of the one that sends, and of the others.
pub const MAX_PAUSES: [u64; 2] = [500 * MS, 4_000 * MS];

/// The host of a flush.
#[derive(Debug)]
pub(super) struct Owner {
    flush: u32,
    /// The time of its last sign of life, or of its next poll if it waits.
    due_at: u64,
    has_waited: bool,
    is_lost: bool,
}

impl Ledger {
    fn owner(&mut self, flush: u32) -> Option<&mut Owner> {
        self.owners.iter_mut().find(|owner| owner.flush == flush)
    }

    fn is_silent(&self, flush: u32) -> bool {
        let owner = self.owners.iter().find(|owner| owner.flush == flush);
        owner.is_some_and(|owner| owner.is_lost || self.now >= owner.due_at + SILENCE)
    }

    /// An attempt is under way, or the host reads a batch.
    pub(super) fn is_busy(&self) -> bool {
        let lanes = self.present.iter().map(|&lane| &self.lanes[lane]);
        let is_busy =
            |outgoing: &Outgoing| outgoing.is_leased() || outgoing.is_being_loaded(self.now);
        lanes.flat_map(|lane| &lane.outgoing).any(is_busy)
    }

    /// The deadlines of the owner's attempts.
    fn deadlines(&self, flush: u32) -> impl Iterator<Item = u64> {
        let lanes = self.present.iter().map(|&lane| &self.lanes[lane]);
        let timeout = move |outgoing: &Outgoing| match outgoing.state {
            State::Leased { deadline, expires, owner, .. } if owner == Some(flush) => {
                Some(if deadline > self.now { deadline } else { expires })
            }
            _ => None,
        };
        lanes.flat_map(|lane| &lane.outgoing).filter_map(timeout)
    }

    /// An owner polls. `Idle` says that it has nothing more to do.
    pub fn poll_flush(&mut self, id: u32, now: u64, keep: bool) -> CheckResult<Polled> {
        self.seed();
        self.bus.clock().set(self.wall);
        let is_hurried = self.is_hurried();
        let action = self.bus.poll_flush(id, now);
        self.follow(true)?;
        self.now = self.now.max(now);
        let leads = self.note_alive(id);
        self.expire_leases();
        if let Action::Lost(lost) = action {
            return self.lose(lost);
        }
        let silent = self.owners.iter().find(|owner| !owner.is_lost && self.is_silent(owner.flush));
        ensure!(silent.is_none(), "an owner that falls silent is found", "{silent:?}");

        let flush = self.flushes.iter().find(|flush| flush.id == id);
        let is_known = flush.is_some();
        let (end, is_last) = flush.map_or((u64::MAX, false), |flush| (flush.end, flush.is_last));
        let is_up = self.owners.iter().any(|owner| {
            owner.flush == id && (owner.is_lost || owner.has_waited && self.now >= end)
        });
        let is_settled = !is_known || self.pending_of(id) == 0 && !self.is_restoring();
        let sends = leads || self.deadlines(id).next().is_some();
        let has_polled = sends && !is_settled && !is_up;
        let wake = match action {
            Action::Abandoned(abandoned) if !has_polled => {
                return self.show_abandoned(abandoned, keep);
            }
            _ if !has_polled && !self.abandoned.is_empty() => {
                ensure!(false, "a batch that was given up is shown to any owner that polls");
                None
            }
            Action::WaitUntil(wake) => Some(wake),
            Action::Idle => None,
            action => {
                ensure!(has_polled, "one owner sends, and only while its flush is open");
                self.polled_for = Some(id);
                let polled = self.carry_out(action, is_hurried, keep);
                self.polled_for = None;
                return polled;
            }
        };
        let bounds = if has_polled { self.wait_bounds(is_hurried)? } else { None };
        let is_hopeless = |wake: u64| is_last && has_polled && !self.is_busy() && wake > end;
        let (from, to) = bounds.unwrap_or((u64::MAX, u64::MAX));
        let deadline = self.deadlines(id).min();
        let is_over = is_up || is_settled && deadline.is_none();
        let Some(wake) = wake else {
            ensure!(is_over || is_hopeless(to), "an owner goes on until its flush is over", "{id}");
            if !is_known {
                self.owners.retain(|owner| owner.flush != id);
            }
            return Ok(Polled::Idle);
        };
        ensure!(!is_over && !is_hopeless(from), "a flush that is over does not go on", "{id}");
        let max_pause = MAX_PAUSES[usize::from(!sends)];
        let asked = deadline.unwrap_or(u64::MAX).min(end);
        let earliest = from.min(asked).min(self.now + MIN_PAUSE);
        let latest = to.min(asked).min(self.now + max_pause);
        ensure!(
            (earliest..=latest).contains(&wake) && (wake > now || end <= self.now),
            "an owner looks again in time, and not at once",
            "{wake} is not in {earliest}..={latest} and after {}",
            self.now
        );
        if let Some(owner) = self.owner(id) {
            (owner.due_at, owner.has_waited) = (wake, true);
        }
        Ok(Polled::WaitUntil(wake))
    }

    /// The owner of a flush has shown that it is alive. Returns whether it is the one that sends.
    fn note_alive(&mut self, id: u32) -> bool {
        let now = self.now;
        let flush = self.flushes.iter().find(|flush| flush.id == id);
        let (is_open, is_last) = (flush.is_some(), flush.is_some_and(|flush| flush.is_last));
        if let Some(owner) = self.owner(id) {
            owner.due_at = now;
        } else if is_open {
            let owner = Owner { flush: id, due_at: now, has_waited: false, is_lost: false };
            self.owners.push(owner);
            if is_last {
                self.leader = Some(id);
            }
        }
        let is_free = self.leader.is_none_or(|leader| self.is_silent(leader));
        if is_open && is_free {
            self.leader = Some(id);
        }
        self.leader == Some(id)
    }

    fn lose(&mut self, id: u32) -> CheckResult<Polled> {
        note!(self, "    the owner of flush {id} is lost");
        self.tally.lost += 1;
        ensure!(self.is_silent(id), "only an owner that fell silent is lost");
        let was_lost =
            self.owner(id).is_some_and(|owner| std::mem::replace(&mut owner.is_lost, true));
        ensure!(!was_lost, "an owner is lost once");
        for place in 0..self.present.len() {
            let (lane, mut nth) = (self.present[place], 0);
            while let Some(outgoing) = self.lanes[lane].outgoing.get(nth) {
                let is_its =
                    matches!(outgoing.state, State::Leased { owner, .. } if owner == Some(id));
                let is_gone = is_its && self.expire_lease(lane, nth);
                nth += usize::from(!is_gone);
            }
        }
        Ok(Polled::Lost { flush: id })
    }

    /// A flush has ended; its owner stays as long as it has leases.
    pub(super) fn note_end(&mut self, id: u32) -> CheckResult {
        if self.leader == Some(id) {
            self.leader = None;
        }
        if self.deadlines(id).next().is_none() {
            self.owners.retain(|owner| owner.flush != id);
        }
        ensure_eq!(self.bus.is_silent(id, self.now), self.is_silent(id), "silence is known");
        Ok(())
    }
}
