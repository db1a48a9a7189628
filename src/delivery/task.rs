//! The budget of a task: a host with an event loop hands out only so much before others get their
//! turn.

/// Bytes of bodies in one task. To copy that much takes a fraction of a millisecond; with less, a
/// producer that yields after every thousand small events would outrun the bus.
const MAX_BYTES: usize = 256 << 10;

/// Batches in one task.
const MAX_BATCHES: u32 = 8;

/// The rest of the budget of the host's present task.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskBudget {
    bytes: usize,
    batches: u32,
}

impl TaskBudget {
    /// At the beginning of a task.
    pub(super) const FULL: Self = Self { bytes: MAX_BYTES, batches: MAX_BATCHES };

    pub(super) const fn is_used_up(self) -> bool {
        self.bytes == 0 || self.batches == 0
    }

    /// Notes that a batch with a body of `bytes` was handed out.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.batches = self.batches.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_used_up_stays_so() {
        let mut task = TaskBudget::FULL;
        for _ in 0..=MAX_BATCHES {
            task.spend(1);
        }
        assert!(task.is_used_up());
    }
}
