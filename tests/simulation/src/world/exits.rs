//! The page is hidden, or the host wants copies.

use crate::ledger::Polled;
use crate::violation::CheckResult;
use crate::world::pump::PUMP;
use crate::world::{Attempt, Owner, World};
use shardbus::ExitOrder;

impl World<'_> {
    /// The page may go at any moment: as much as may be leaves at once, the rest as in a flush.
    pub(super) fn exit(&mut self) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        if self.is_manual() {
            return if self.may_flush() { self.drive(None, false, true) } else { Ok(()) };
        }
        self.hand_out_for_exit(PUMP)?;
        self.flush(None)?;
        self.schedule();
        Ok(())
    }

    /// Begins attempts within a budget of bytes, whatever is under way.
    pub(super) fn hand_out_for_exit(&mut self, owner: Owner) -> CheckResult {
        let order = if self.rng.bool() { ExitOrder::Oldest } else { ExitOrder::Newest };
        let mut budget = if self.rng.bool() { 60_000 } else { self.rng.usize(..300) };
        let keep = self.keeps();
        let now = self.clocks.now();
        while let Some(polled) = self.ledger.poll_exit(now, budget, order, keep)? {
            let Polled::Send { lease, deadline, bytes } = polled else { break };
            budget -= bytes;
            self.hand_over(Attempt { lease, deadline, owner }, true)?;
        }
        Ok(())
    }

    /// The host copies all unsettled batches; it may revoke its leases, and release some of the
    /// batches.
    pub(super) fn stage(&mut self) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        if self.rng.bool() {
            self.ledger.recall();
        }
        let of_8 = if self.plan.has_store { 0 } else { self.rng.u8(..8) };
        let rng = &mut self.rng;
        self.ledger.stage_and_release(self.clocks.now(), |_| rng.u8(..8) < of_8)?;
        self.schedule();
        Ok(())
    }
}
