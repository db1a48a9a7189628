//! The clocks of the host.

use crate::plan::{MS, up_to};
use fastrand::Rng;

/// The time, and two clocks that show it badly.
#[derive(Debug)]
pub struct Clocks {
    /// Timers go by this.
    time: u64,
    /// The time of `performance.now()`.
    monotonic: Hand,
    /// The time of `Date.now()`.
    wall: Hand,
}

#[derive(Debug)]
struct Hand {
    ahead: u64,
    stands_at: Option<u64>,
}

impl Hand {
    const fn shows(&self, time: u64) -> u64 {
        match self.stands_at {
            Some(shown) => shown,
            None => time + self.ahead,
        }
    }

    fn fail(&mut self, time: u64, rng: &mut Rng) {
        let by = up_to(rng, 0, [10, 300, 5_000]) * MS;
        match rng.u8(..4) {
            0 => self.ahead += by,
            1 => self.ahead -= by.min(self.ahead),
            2 => self.stands_at = Some(self.shows(time)),
            _ => self.stands_at = None,
        }
    }
}

impl Clocks {
    /// Far enough from zero to go back.
    pub const fn new() -> Self {
        Self {
            time: 0,
            monotonic: Hand { ahead: 100_000 * MS, stands_at: None },
            wall: Hand { ahead: 1_700_000_000_000 * MS, stands_at: None },
        }
    }

    pub const fn time(&self) -> u64 {
        self.time
    }

    pub const fn now(&self) -> u64 {
        self.monotonic.shows(self.time)
    }

    pub const fn wall(&self) -> u64 {
        self.wall.shows(self.time)
    }

    pub fn advance_to(&mut self, time: u64) {
        self.time = self.time.max(time);
    }

    /// Time passes and nothing gets its turn: the host is busy, or away.
    pub const fn pass(&mut self, by: u64) {
        self.time += by;
    }

    /// One of the clocks jumps, stands still, or runs again.
    pub fn fail(&mut self, rng: &mut Rng) {
        let hand = if rng.bool() { &mut self.monotonic } else { &mut self.wall };
        hand.fail(self.time, rng);
    }

    /// Both run from now on.
    pub const fn run(&mut self) {
        self.monotonic.stands_at = None;
        self.wall.stands_at = None;
    }
}
