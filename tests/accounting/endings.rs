//! The part of the model that is about to end, or begins anew.

use crate::common::bus;
use crate::model::{Accepted, Checked, Cut, Model, Origin, Outgoing, Place, State};
use proptest::prelude::*;
use proptest::sample::Index;
use shardbus::{Batch, BusConfig, ExitOrder, Format, RestoreError, Shared};

/// Exits.
impl Model {
    pub fn exit(&mut self, max_bytes: usize, order: ExitOrder, keep: bool) -> Checked {
        let lease = self.bus.poll_exit(self.time, max_bytes, order);
        self.advance();
        self.expire_leases();
        let expected = self.next_to_exit(max_bytes, order);
        prop_assert_eq!(lease.is_some(), expected.is_some(), "{:?} {:?}", lease, expected);
        if let (Some(lease), Some((lane, nth))) = (lease, expected) {
            prop_assert!(lease.batch.body().len() <= max_bytes);
            let reservation = self.begin_attempt(&lease, lane, nth)?;
            if keep {
                self.kept.push((lease.batch, reservation));
            }
        }
        Ok(())
    }

    /// The position of the next batch to unload.
    fn next_to_exit(&mut self, max_bytes: usize, order: ExitOrder) -> Option<(usize, usize)> {
        let has_more = |&&lane: &&usize| {
            let lane = &self.lanes[lane];
            !lane.waiting.is_empty() || lane.outgoing.iter().any(|outgoing| !outgoing.is_leased())
        };
        let share = max_bytes / self.order.iter().filter(has_more).count().max(1);
        let mut lanes = self.order.clone();
        lanes.rotate_left(self.next_exit % self.order.len());
        let (now, attempts) = (self.now, self.retry().max_attempts);
        let fits = |outgoing: &Outgoing| {
            outgoing.may_exit(now, attempts) && outgoing.cut.body.len() <= max_bytes
        };
        lanes.into_iter().find_map(|lane| {
            let nth = match order {
                ExitOrder::Oldest => {
                    self.lanes[lane].outgoing.iter().position(fits).or_else(|| {
                        let is_cut = self.cut_outgoing(lane, usize::MAX, share)
                            || self.cut_outgoing(lane, usize::MAX, max_bytes);
                        is_cut.then(|| self.lanes[lane].outgoing.len() - 1)
                    })
                }
                ExitOrder::Newest => {
                    self.cut_for_newest(lane, share);
                    self.lanes[lane].outgoing.iter().rposition(fits)
                }
            };
            let nth = nth?;
            let place = self.order.iter().position(|&other| other == lane)?;
            self.next_exit = (place + 1) % self.order.len();
            Some((lane, nth))
        })
    }

    /// Cuts all that waits so that the last batch is as large as may be.
    fn cut_for_newest(&mut self, lane: usize, share: usize) {
        let max_size = self.config().batch.max_size;
        while !self.lanes[lane].waiting.is_empty() {
            let waiting: Vec<_> = self.lanes[lane].waiting.iter().copied().collect();
            let body_len = self.body(&waiting, self.config().format).len();
            let is_cut = if body_len > share {
                self.cut_outgoing(lane, usize::MAX, body_len - share)
                    || self.cut_outgoing(lane, 1, usize::MAX)
            } else if waiting.len() > max_size {
                self.cut_outgoing(lane, waiting.len() - max_size, usize::MAX)
            } else {
                self.cut_outgoing(lane, usize::MAX, usize::MAX)
            };
            assert!(is_cut, "everything can be cut");
        }
    }

    /// Cuts a batch and lets it wait. Returns whether there was one.
    pub fn cut_outgoing(&mut self, lane: usize, max_len: usize, max_bytes: usize) -> bool {
        let cut = self.cut_within(lane, max_len, max_bytes, Place::InFlight);
        let is_cut = cut.is_some();
        let now = self.now;
        self.lanes[lane].outgoing.extend(cut.map(|cut| Outgoing::new(cut, now)));
        is_cut
    }
}

/// Copies of everything.
impl Model {
    pub fn stage(&mut self, keep: bool) -> Checked {
        self.advance();
        let staged = self.bus.stage(self.time);
        let mut seen = staged.into_iter();
        for lane in self.order.clone() {
            while self.cut_outgoing(lane, usize::MAX, usize::MAX) {}
            let mut outgoing = std::mem::take(&mut self.lanes[lane].outgoing);
            for Outgoing { cut, .. } in &mut outgoing {
                let Some(batch) = seen.next() else {
                    return Err(TestCaseError::fail("not everything is staged"));
                };
                self.check_batch(&batch, cut)?;
                if keep {
                    self.kept.push((batch, cut.reservation));
                }
            }
            self.lanes[lane].outgoing = outgoing;
        }
        prop_assert!(seen.next().is_none(), "more is staged than there is");
        Ok(())
    }

    pub fn recall(&mut self) {
        self.bus.recall();
        let now = self.now;
        let outgoing = self.lanes.iter_mut().flat_map(|lane| &mut lane.outgoing);
        for outgoing in outgoing.filter(|outgoing| outgoing.is_leased()) {
            outgoing.state = State::Paused { from: now, to: now };
        }
    }

    /// Releases something that the host has, whatever has become of it in the bus.
    pub fn release(&mut self, which: Index) -> Checked {
        if self.kept.is_empty() {
            return Ok(());
        }
        let (batch, _) = which.get(&self.kept);
        let is_it = |outgoing: &Outgoing| {
            outgoing.cut.address == Some(Shared::as_ptr(batch)) && !outgoing.is_leased()
        };
        let place = self
            .order
            .iter()
            .find_map(|&lane| Some((lane, self.lanes[lane].outgoing.iter().position(is_it)?)));
        prop_assert_eq!(self.bus.release(batch), place.is_some());
        let released = place.and_then(|(lane, nth)| self.lanes[lane].outgoing.remove(nth));
        if let Some(Outgoing { cut, .. }) = released {
            self.place(&cut, Place::Drained);
        }
        Ok(())
    }

    /// Rejects events from now on. Of a pause, only the part that the receiver asked for remains.
    pub fn close(&mut self) {
        self.bus.close();
        for outgoing in self.lanes.iter_mut().flat_map(|lane| &mut lane.outgoing) {
            if let State::Paused { from, to } = &mut outgoing.state {
                *to = *from;
            }
        }
    }
}

/// Batches of earlier runs.
impl Model {
    pub fn begin_restore(&mut self) -> Checked {
        self.bus.begin_restore();
        self.is_restoring = true;
        let lane = self.shards();
        if !self.order.contains(&lane) {
            self.order.insert(0, lane);
        }
        prop_assert!(self.bus.is_restoring());
        Ok(())
    }

    pub fn restore(
        &mut self,
        lens: &[usize],
        format: Format,
        is_damaged: bool,
        keep: bool,
    ) -> Checked {
        // Each from a life of its own.
        let nonce = self.nonce.wrapping_add(1 + self.events.len() as u64).max(1);
        let left = left(lens, format, nonce);
        let mut bytes = left.encode();
        if is_damaged {
            let at = nonce as usize % bytes.len();
            bytes[at] ^= 4;
        }
        let lane = self.shards();
        let (len, max) = (left.body().len(), self.config().batch.max_bytes);
        let restored = self.bus.restore(&bytes);
        let is_expected = self.is_restoring && self.lanes[lane].outgoing.len() < 2;
        let expected = if self.bus.is_closed() || !is_expected {
            Some(RestoreError::NotNow)
        } else if is_damaged && nonce as usize % bytes.len() == VERSION_AT {
            Some(RestoreError::OtherFormat(bytes[VERSION_AT]))
        } else if is_damaged {
            Some(RestoreError::Damaged)
        } else {
            (len > max).then_some(RestoreError::TooLarge { len, max })
        };
        prop_assert_eq!(restored.as_ref().err(), expected.as_ref());
        if let Ok(batch) = restored {
            // Held beside the bound.
            let reservation = (usize::MAX - self.events.len(), 0);
            let mut cut = self.take_in(&left, reservation);
            self.check_batch(&batch, &mut cut)?;
            self.lanes[lane].outgoing.push_back(Outgoing::new(cut, self.now));
            if keep {
                self.kept.push((batch, reservation));
            }
        }
        Ok(())
    }

    fn take_in(&mut self, left: &Batch, reservation: (usize, u64)) -> Cut {
        let first = self.events.len();
        self.events.extend(left.events().map(|event| Accepted {
            payload: event.as_bytes().to_vec(),
            timestamp: event.insertion_ts,
            place: Place::InFlight,
        }));
        self.offered += left.len() as u64;
        self.restored += left.len() as u64;
        let (nonce, shard, format) = (left.process_nonce, left.shard_id, left.format());
        let events = (first..self.events.len()).collect();
        self.batch_of(Origin { nonce, shard, format }, left.sequence_start, events, reservation)
    }

    pub fn end_restore(&mut self) -> Checked {
        self.bus.end_restore();
        self.is_restoring = false;
        let is_settled = self.lanes[self.shards()].outgoing.is_empty();
        prop_assert_eq!(self.bus.is_restoring(), !is_settled);
        Ok(())
    }
}

/// The place of the format's version.
const VERSION_AT: usize = 8;

/// A stored batch of a bus with this nonce: events of these lengths.
fn left(lens: &[usize], format: Format, nonce: u64) -> Shared<Batch> {
    let earlier = bus(BusConfig { format, max_event_bytes: 16, ..BusConfig::default() });
    earlier.seed(nonce);
    for len in lens {
        earlier.ingest(&vec![b'7'; *len], None).expect("there is room");
    }
    earlier.drain(usize::MAX).expect("there is something")
}
