//! Flushes of hosts that may end at any moment, such as the requests of Cloudflare Workers: with a
//! request end all promises and timers that it made.
//!
//! A host that polls for a flush owns it, and the leases that it is given. One owner sends, the
//! *leader*; the others wait for it. Owners look at the state of the bus and are not told, because a
//! message may be lost with its request. Each poll shows that its owner is alive, and says when the
//! owner is to poll again at the latest. After a second of silence beyond that time, its leases
//! expire, and another owner sends its batches.

use crate::delivery::flush::Flush;
use crate::delivery::lane::OutgoingState;
use crate::delivery::machine::{Delivery, Permit};
use crate::delivery::{Action, FlushState, NEVER};

const MS: u64 = 1_000_000;

/// The shortest pause between two polls of an owner that waits.
const MIN_PAUSE: u64 = 50 * MS;

/// The longest pause of an owner that sends: others can soon tell that it is gone.
const MAX_SENDER_PAUSE: u64 = 500 * MS;

/// The longest pause of the others: in an outage there are many of them, and to wake a request up
/// costs as much as a fifth of one.
const MAX_WATCHER_PAUSE: u64 = 4_000 * MS;

/// The silence after which an owner is taken to be gone: twice the longest pause of one that sends,
/// so that a slow one is left alone.
const MAX_SILENCE: u64 = 1_000 * MS;

/// The host of a flush.
#[derive(Debug)]
pub(super) struct Owner {
    flush: u32,
    began_at: u64,
    /// The time of its next poll, at the latest.
    due_at: u64,
    /// True if it has polled until it had to wait: then it stops at the end of its flush.
    has_waited: bool,
    is_lost: bool,
}

impl Owner {
    const fn is_silent(&self, now: u64) -> bool {
        self.is_lost || now.saturating_sub(self.due_at) >= MAX_SILENCE
    }
}

impl Delivery {
    /// The owner of `flush` is alive. Returns whether it leads.
    pub(crate) fn lead(&mut self, flush: u32, now: u64) -> bool {
        self.advance(now);
        let now = self.now;
        if let Some(owner) = self.owners.iter_mut().find(|owner| owner.flush == flush) {
            owner.due_at = now;
        } else {
            // No flush follows the last one, so only its owner knows when to wait is in vain.
            match self.find_flush(flush) {
                None => return false,
                Some(last) if last.is_last => self.leader = Some(flush),
                Some(_) => {}
            }
            let (began_at, due_at) = (now, now);
            self.owners.push(Owner { flush, began_at, due_at, has_waited: false, is_lost: false });
        }
        if self.leader.is_none_or(|leader| self.is_silent(leader, now))
            && self.find_flush(flush).is_some()
        {
            self.leader = Some(flush);
        }
        self.leader == Some(flush)
    }

    /// Tells whether the owner of `flush` has been silent for too long.
    pub(crate) fn is_silent(&self, flush: u32, now: u64) -> bool {
        self.find_owner(flush).is_some_and(|owner| owner.is_silent(now))
    }

    #[inline(never)]
    fn find_owner(&self, flush: u32) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.flush == flush)
    }

    /// The next action of the owner of `flush`.
    pub(crate) fn poll_flush(&mut self, flush: u32, now: u64, wall: u64, permit: Permit) -> Action {
        let leads = self.lead(flush, now);
        self.expire_leases();
        if let Some(lost) = self.lose_owner() {
            return Action::Lost(lost);
        }
        let sends = leads || self.first_deadline(flush) < NEVER;
        let mut wake = NEVER;
        if sends && self.flush_state(flush) == FlushState::Open {
            self.polled_for = Some(flush);
            let action = self.poll(now, wall, permit);
            self.polled_for = None;
            match action {
                Action::WaitUntil(at) => wake = at,
                Action::Idle => {}
                action => return action,
            }
        } else if let Some(abandoned) = self.next_abandoned() {
            // Of an owner that was lost: there may be nobody else to tell.
            return Action::Abandoned(abandoned);
        }
        let deadline = self.first_deadline(flush);
        if self.is_over(flush, deadline < NEVER) {
            self.drop_owner(flush);
            return Action::Idle;
        }
        let now = self.now;
        let end = self.find_flush(flush).map_or(NEVER, |flush| flush.end);
        let Some(owner) = self.owners.iter_mut().find(|owner| owner.flush == flush) else {
            return Action::Idle;
        };
        let max_pause = if sends { MAX_SENDER_PAUSE } else { MAX_WATCHER_PAUSE };
        let pause = ((now - owner.began_at) / 2).max(MIN_PAUSE).min(max_pause);
        owner.has_waited = true;
        owner.due_at = wake.min(deadline).min(end).min(now.saturating_add(pause));
        Action::WaitUntil(owner.due_at)
    }

    /// Expires the leases of an owner that has fallen silent, if there is one, and returns its flush.
    fn lose_owner(&mut self) -> Option<u32> {
        let now = self.now;
        let lost = self.owners.iter_mut().find(|owner| !owner.is_lost && owner.is_silent(now))?;
        lost.is_lost = true;
        let flush = lost.flush;
        while let Some((lane, nth)) = self.find(&|outgoing| outgoing.is_leased_to(flush)) {
            self.expire_nth(lane, nth);
        }
        Some(flush)
    }

    /// True if the owner is done. Its attempts belong to its request,
    /// even if another flush asked for them.
    fn is_over(&self, id: u32, has_leases: bool) -> bool {
        let flush = self.find_flush(id);
        match self.flush_state(id) {
            FlushState::Open => false,
            FlushState::TimedOut if flush.is_some() => true,
            _ => !has_leases || flush.is_some_and(|flush| self.is_time_up(flush)),
        }
    }

    /// Tells whether the owner of a flush is gone, or has waited until its end.
    pub(super) fn is_time_up(&self, flush: &Flush) -> bool {
        let is_up = |owner: &Owner| owner.is_lost || owner.has_waited && self.now >= flush.end;
        self.find_owner(flush.id).is_some_and(is_up)
    }

    /// The earliest time at which an attempt of the flush's owner should be cut off or, if that has
    /// passed, at which its lease expires; [`NEVER`] without one.
    #[inline(never)]
    fn first_deadline(&self, flush: u32) -> u64 {
        let mut first = NEVER;
        for lane in &self.lanes {
            for outgoing in lane.outgoing.iter() {
                if let OutgoingState::Leased { expires, owner, .. } = outgoing.state
                    && owner == Some(flush)
                {
                    let deadline = expires - self.margin;
                    first = first.min(if deadline > self.now { deadline } else { expires });
                }
            }
        }
        first
    }

    /// Forgets the owner of a flush that has ended, unless it looks after leases.
    pub(super) fn drop_owner(&mut self, flush: u32) {
        if self.find_flush(flush).is_some() {
            return;
        }
        if self.leader == Some(flush) {
            self.leader = None;
        }
        if self.first_deadline(flush) == NEVER {
            let place = self.owners.iter().position(|owner| owner.flush == flush);
            if let Some(place) = place {
                self.owners.swap_remove(place);
            }
        }
    }
}
