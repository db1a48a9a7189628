//! A host that does anything, in any order.
//!
//! The hosts of a schedule do what the npm package does. One that is written in Rust may do anything:
//! answer for a lease twice, never write what it was asked to write, go on with a bus after it gave
//! up all events. Bytes say what this one does, so that a fuzzer can look for them.

use crate::ledger::{KEYS, Ledger, Offer, Outbox, Polled};
use crate::plan::{MS, Plan};
use crate::tally::Tally;
use crate::trace::{Trace, note};
use crate::violation::{CheckResult, ensure, ensure_eq};
use crate::world::{Clocks, failure, outcomes};
use fastrand::Rng;
use shardbus::{BusConfig, ExitOrder, Scheduler};

/// The most flushes that are open at a time.
const MAX_FLUSHES: usize = 4;

/// A host, and its bus.
#[derive(Debug)]
pub struct Host {
    plan: Plan,
    ledger: Ledger,
    clocks: Clocks,
    /// Leases without an answer.
    leases: Vec<u64>,
    flushes: Vec<u32>,
    /// Writes and reads that are under way.
    writes: Vec<u64>,
    reads: Vec<u64>,
    /// Keys of batches of earlier runs that the bus has not had yet.
    to_restore: Vec<String>,
    life: u32,
    /// The counts of earlier runs.
    earlier: Tally,
    steps: u64,
}

impl Host {
    /// A host of a bus with the settings of a schedule.
    pub fn new(seed: u64, trace: Trace) -> Self {
        let (plan, clocks) = (Plan::draw(seed), Clocks::new());
        let mut ledger = Ledger::new(&plan.config, plan.nonce, clocks.wall(), trace);
        note!(ledger, "{:?}", plan.config);
        ledger.outbox = plan.has_store.then(Outbox::default);
        Self {
            plan,
            ledger,
            clocks,
            leases: Vec::new(),
            flushes: Vec::new(),
            writes: Vec::new(),
            reads: Vec::new(),
            to_restore: Vec::new(),
            life: 0,
            earlier: Tally::default(),
            steps: 0,
        }
    }

    pub fn tally(&self) -> Tally {
        let mut tally = self.ledger.tally();
        tally += self.earlier;
        Tally { steps: self.steps, restarts: u64::from(self.life), ..tally }
    }

    pub fn into_trace(self) -> Trace {
        self.ledger.into_trace()
    }

    /// Carries out the operations, two bytes each, and checks everything after each of them. Then the
    /// bus is closed.
    pub fn run(&mut self, operations: &[[u8; 2]]) -> CheckResult {
        for &[operation, arguments] in operations {
            self.steps += 1;
            self.ledger.wall = self.clocks.wall();
            let now = self.clocks.now();
            note!(self.ledger, "{} at {now}: operation {operation}", self.steps);
            self.operate(operation, &mut Rng::with_seed(arguments.into()))?;
            self.ledger.check()?;
        }
        self.end()
    }

    /// One operation, with these arguments: of the 256 codes, each has as many as it is to be frequent.
    fn operate(&mut self, operation: u8, rng: &mut Rng) -> CheckResult {
        match operation {
            0..70 => self.ingest(rng),
            70..115 => self.poll(rng),
            115..140 => self.answer(rng),
            140..155 => {
                self.clocks.pass(rng.u64(..50 * MS));
                Ok(())
            }
            155..160 => {
                self.clocks.fail(rng);
                Ok(())
            }
            160..163 => {
                let lease = self.plan.config.timeout + BusConfig::LEASE_MARGIN;
                self.clocks.pass(lease.as_nanos() as u64);
                Ok(())
            }
            163..172 => self.flush(rng),
            172..178 => self.exit(rng),
            178..182 => self.ledger.drain(rng.usize(..80), rng.bool()).map(drop),
            182..184 => self.ledger.scale_up(rng.u16(1..4)),
            184..186 => self.ledger.scale_down(rng.u16(1..4)),
            186..192 => {
                match self.ledger.kept().checked_sub(1) {
                    Some(last) => self.ledger.forget(rng.usize(..=last)),
                    None => self.ledger.refuse(rng.bool()),
                }
                Ok(())
            }
            192..195 => {
                self.ledger.probe();
                Ok(())
            }
            195..197 => {
                self.ledger.recall();
                Ok(())
            }
            197..200 => self.stage(rng),
            200..203 => {
                self.ledger.set_room_awaited(rng.bool());
                Ok(())
            }
            203..205 => {
                self.ledger.begin_restore();
                Ok(())
            }
            205..207 => {
                self.ledger.end_restore();
                Ok(())
            }
            207 => {
                self.ledger.close();
                Ok(())
            }
            208 => {
                self.ledger.abandon_everything();
                Ok(())
            }
            209..212 => self.begin_life(rng),
            _ => self.use_store(rng),
        }
    }

    fn ingest(&mut self, rng: &mut Rng) -> CheckResult {
        let max = self.plan.config.max_event_bytes;
        let len = match rng.u8(..32) {
            0 => 0,
            1 => max + 1,
            _ => rng.usize(4..=max),
        };
        let key = rng.bool().then(|| rng.u8(..KEYS));
        let offer = Offer { len, key, has_newline: rng.u8(..32) == 0 };
        self.ledger.ingest(offer).map(drop)
    }

    fn poll(&mut self, rng: &mut Rng) -> CheckResult {
        let (now, keep) = (self.clocks.now(), rng.u8(..8) == 0);
        let is_manual = self.plan.config.scheduler == Scheduler::Manual;
        let owned = is_manual.then(|| rng.choice(&self.flushes).copied()).flatten();
        let polled = match owned {
            Some(flush) => self.ledger.poll_flush(flush, now, keep)?,
            None => self.ledger.poll(now, keep)?,
        };
        match polled {
            Polled::Send { lease, .. } => self.begin_attempt(lease),
            Polled::Lost { flush } => return self.end_flush(flush),
            Polled::Yield => self.ledger.begin_task(),
            Polled::Store { ticket } => self.writes.push(ticket),
            Polled::Load { ticket } => self.reads.push(ticket),
            Polled::WaitUntil(_) | Polled::Idle | Polled::Abandoned => {}
        }
        Ok(())
    }

    fn begin_attempt(&mut self, lease: u64) {
        self.leases.push(lease);
        if self.ledger.outbox.as_ref().is_some_and(|outbox| outbox.has_write(lease)) {
            self.writes.push(lease);
        }
    }

    /// Answers for a lease: one without an answer, or any.
    fn answer(&mut self, rng: &mut Rng) -> CheckResult {
        let lease = match rng.usize(..self.leases.len().max(1)) {
            nth if nth < self.leases.len() && rng.u8(..8) > 0 => self.leases.swap_remove(nth),
            _ => rng.u64(..self.ledger.leases() + 2),
        };
        let now = self.clocks.now();
        match rng.u8(..8) {
            0..3 => self.ledger.acknowledge(lease, now),
            3..5 => self.ledger.fail(lease, failure(rng), now),
            5 => self.ledger.expire(lease, now),
            _ => {
                let len = self.ledger.len_of(lease).unwrap_or(3);
                self.ledger.settle_each(lease, &outcomes(rng.u64(..), len), now)
            }
        }
    }

    /// Opens a flush, or ends one.
    fn flush(&mut self, rng: &mut Rng) -> CheckResult {
        if self.flushes.len() < MAX_FLUSHES && (self.flushes.is_empty() || rng.bool()) {
            let end = if rng.bool() { u64::MAX } else { self.clocks.now() + rng.u64(..500) * MS };
            self.flushes.push(self.ledger.begin_flush_until(end)?);
            return Ok(());
        }
        self.end_flush(self.flushes[rng.usize(..self.flushes.len())])
    }

    fn end_flush(&mut self, flush: u32) -> CheckResult {
        self.flushes.retain(|&open| open != flush);
        self.ledger.end_flush(flush)
    }

    fn exit(&mut self, rng: &mut Rng) -> CheckResult {
        let order = if rng.bool() { ExitOrder::Oldest } else { ExitOrder::Newest };
        let (now, max_bytes) = (self.clocks.now(), rng.usize(..120));
        let polled = self.ledger.poll_exit(now, max_bytes, order, rng.u8(..8) == 0)?;
        if let Some(Polled::Send { lease, .. }) = polled {
            self.begin_attempt(lease);
        }
        Ok(())
    }

    /// Copies all unsettled batches, and releases some of them: with a store, those that it has.
    fn stage(&mut self, rng: &mut Rng) -> CheckResult {
        let (now, has_store) = (self.clocks.now(), self.plan.has_store);
        let chooses = |is_kept| if has_store { is_kept } else { rng.bool() };
        self.ledger.stage_and_release(now, chooses)
    }

    /// One of a host's operations on its store; some of them fail.
    fn use_store(&mut self, rng: &mut Rng) -> CheckResult {
        let now = self.clocks.now();
        match rng.u8(..8) {
            0..3 if !self.writes.is_empty() => {
                let ticket = self.writes.swap_remove(rng.usize(..self.writes.len()));
                self.ledger.finish_write(ticket, rng.u8(..8) >= self.plan.write_failures);
                self.ledger.evict_stored()
            }
            0..6 if !self.reads.is_empty() => {
                let ticket = self.reads.swap_remove(rng.usize(..self.reads.len()));
                self.ledger.finish_load(ticket, rng.u8(..8) >= self.plan.read_failures)
            }
            6 if self.plan.has_store => {
                self.ledger.keep_everything(now, || rng.u8(..8) < self.plan.write_failures)
            }
            7 => {
                self.ledger.outbox.iter_mut().for_each(Outbox::remove);
                Ok(())
            }
            _ => match self.to_restore.pop() {
                Some(key) => self.ledger.restore(&key).map(drop),
                None => Ok(()),
            },
        }
    }

    /// The host crashes; another one begins with the store's batches.
    fn begin_life(&mut self, rng: &mut Rng) -> CheckResult {
        if !self.plan.has_store {
            return Ok(());
        }
        self.earlier += self.ledger.tally();
        self.life += 1;
        self.leases.clear();
        self.flushes.clear();
        self.writes.clear();
        self.reads.clear();
        let wall = self.clocks.wall();
        self.to_restore = self.ledger.begin_life(&self.plan, self.life, wall, rng)?;
        Ok(())
    }

    /// The bus is closed, and gives up all events.
    fn end(&mut self) -> CheckResult {
        note!(self.ledger, "the end");
        self.ledger.wall = self.clocks.wall();
        self.ledger.close();
        self.ledger.abandon_everything();
        loop {
            match self.ledger.poll(self.clocks.now(), false)? {
                Polled::Abandoned => {}
                last => {
                    ensure_eq!(last, Polled::Idle, "a bus that gave everything up is idle");
                    break;
                }
            }
        }
        self.ledger.end_restore();
        for flush in std::mem::take(&mut self.flushes) {
            ensure_eq!(self.ledger.pending_of(flush), 0, "a closed bus leaves nothing pending");
            self.ledger.end_flush(flush)?;
        }
        ensure!(
            !self.ledger.ingest(Offer { len: 4, key: None, has_newline: false })?,
            "it is closed"
        );
        self.ledger.check_end()?;
        self.ledger.outbox.as_ref().map_or(Ok(()), Outbox::check)
    }
}
