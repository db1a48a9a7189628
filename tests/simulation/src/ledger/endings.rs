//! Out for good without an answer: given up at the end, or drained.

use crate::ledger::{Exit, Ledger, Outgoing, RESTORED};
use crate::trace::note;
use crate::violation::{CheckResult, ensure};
use shardbus::AbandonReason;

impl Ledger {
    pub fn abandon_everything(&mut self) {
        note!(self, "    gives up everything");
        self.seed();
        self.bus.abandon_everything();
        self.fences.clear();
        let reason = AbandonReason::Shutdown;
        for nth in 0..self.present.len() {
            let lane = self.present[nth];
            while !self.lanes[lane].outgoing.is_empty() {
                self.abandon(lane, 0, reason);
            }
            loop {
                let count = self.cuttable(lane, None, usize::MAX);
                if count == 0 {
                    break;
                }
                self.cut(lane, count);
                self.abandon(lane, 0, reason);
            }
        }
    }

    /// Takes a batch out for good. Returns its size.
    pub fn drain(&mut self, max_bytes: usize, keep: bool) -> CheckResult<Option<usize>> {
        self.seed();
        self.bus.clock().set(self.wall);
        let drained = self.bus.drain(max_bytes);
        self.look_at_ages();
        let fence = self.fence();
        let from = self.next_to_drain(max_bytes, fence);
        let from = from.or_else(|| self.next_to_drain(max_bytes, None));
        let Some((lane, mut outgoing)) = from else {
            ensure!(drained.is_none(), "what does not fit is not drained", "{drained:?}");
            return Ok(None);
        };
        let Some(batch) = drained else {
            ensure!(false, "what fits is drained", "shard {lane}: {outgoing:?}");
            return Ok(None);
        };
        note!(self, "    drained {} with {} events", batch.id(), batch.len());
        let len = batch.body().len();
        ensure!(len <= max_bytes, "what is drained is not larger than asked for");
        self.check_batch(&batch, lane, &mut outgoing)?;
        self.lanes[lane].in_flight -= outgoing.events.len() as u64;
        self.settle(lane, outgoing.events, Exit::Drained);
        if keep {
            self.kept.push((batch, outgoing.reservation));
        } else {
            drop(batch);
            self.release(outgoing.reservation);
        }
        Ok(Some(len))
    }

    /// Removes from the model the batch that the bus drains next.
    fn next_to_drain(
        &mut self,
        max_bytes: usize,
        fence: Option<usize>,
    ) -> Option<(usize, Outgoing)> {
        for nth in 0..self.present.len() {
            let lane = self.present[nth];
            let fence = fence.filter(|_| lane != RESTORED);
            let outgoing = &self.lanes[lane].outgoing;
            // Leased batches stay with the host; earlier batches of the shard are not overtaken.
            if let Some(oldest) = outgoing.iter().position(Outgoing::is_at_hand) {
                let is_right = self.body_len(lane, &outgoing[oldest]) <= max_bytes
                    && !self.is_behind(lane, &outgoing[oldest], fence);
                if is_right {
                    return Some((lane, self.lanes[lane].outgoing.remove(oldest)?));
                }
                continue;
            }
            let count = self.cuttable(lane, fence, max_bytes);
            if count > 0 {
                return Some((lane, self.take(lane, count)));
            }
        }
        None
    }
}
