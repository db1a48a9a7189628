//! Everything around a bus: time, producers, callbacks, faults, and the host.
//!
//! A schedule has two parts. In the first, each step runs an action that was drawn, or the next
//! pending event; every fault can occur. Then the faults stop: clocks run, callbacks deliver, the
//! host lives. From there, all accepted events must be settled within the time that leases, pauses
//! and delays can take together. At the end the bus is closed, if it was not before.
//!
//! A host with a store has several runs: after a crash, or the release of a closed bus, a new one
//! begins with the store's batches.

mod callback;
mod clocks;
mod drives;
mod exits;
mod pump;
mod quiesce;
mod restarts;

use crate::ledger::{KEYS, Ledger, Offer, Outbox, Polled};
use crate::plan::{Do, MS, Plan};
use crate::tally::Tally;
use crate::trace::{Trace, note};
use crate::violation::{CheckResult, ensure, ensure_eq};
use callback::{Answer, Weather};
pub(crate) use callback::{failure, outcomes};
pub(crate) use clocks::Clocks;
use drives::Drive;
use fastrand::Rng;
use pump::Pump;
use shardbus::Scheduler;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The most flushes that are open at a time.
const MAX_WAITING: usize = 8;

/// The owner of an attempt: the pump, or a drive.
type Owner = u32;

/// An attempt whose callback has not settled.
#[derive(Debug)]
struct Attempt {
    lease: u64,
    deadline: u64,
    owner: Owner,
}

/// Pending events of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A callback settles.
    Answer(u64, Answer),
    /// The pump's timer fires, if it was not set anew.
    Alarm(u32),
    /// Others had their turn; the pump goes on, if its host lives.
    PumpTask(u32),
    /// A flush's time is up.
    FlushTimeout(u32),
    /// A drive's timer fires, if it still sleeps this sleep.
    DriveWake(Owner, u32),
    /// Others had their turn; the drive goes on.
    DriveTask(Owner),
    /// A batch is written, or not, and its attempt may begin.
    Written(u64, bool),
    /// A batch is read, or not, for whoever asked for it in a run of the host.
    Loaded { ticket: u64, is_read: bool, owner: Owner },
    /// The batches that remained at closing are written.
    LastWrites,
}

/// The microtasks at the end of the turn.
#[derive(Debug, Clone, Copy)]
enum Microtask {
    Pump,
    Answer(u64, Answer),
    WakeDrive(Owner),
    Stop,
}

/// The continuation of a host that has polled the core.
#[derive(Debug, Clone, Copy)]
enum Next {
    Poll,
    /// In a task of its own.
    Yield,
    Wait(u64),
}

/// A bus and its world.
#[derive(Debug)]
pub struct World<'a> {
    plan: &'a Plan,
    rng: Rng,
    ledger: Ledger,
    clocks: Clocks,
    queue: BinaryHeap<Reverse<(u64, u32, Event)>>,
    /// Events of one moment happen in the order in which they were queued.
    queued: u32,
    microtasks: VecDeque<Microtask>,
    attempts: Vec<Attempt>,
    pump: Pump,
    drives: Vec<Drive>,
    next_drive: Owner,
    /// Keys of what earlier runs have left, and that the bus has not had yet.
    to_restore: VecDeque<String>,
    life: u32,
    /// The counts of earlier runs.
    earlier: Tally,
    /// The flush of the events from before the bus was closed.
    closing: Option<u32>,
    /// The batches that remained at closing are being written.
    is_stopping: bool,
    /// The host let go of the bus.
    is_stopped: bool,
    is_quiet: bool,
    /// The state of the destination, and its end.
    weather: (Weather, u64),
    /// The number of callbacks on the stack.
    depth: u32,
    step: u64,
    crashes: u64,
    reentries: u64,
}

impl<'a> World<'a> {
    pub fn new(plan: &'a Plan, trace: Trace) -> Self {
        let clocks = Clocks::new();
        let mut ledger = Ledger::new(&plan.config, plan.nonce, clocks.wall(), trace);
        note!(ledger, "{:?}", plan.config);
        ledger.outbox = plan.has_store.then(Outbox::default);
        Self {
            plan,
            rng: plan.rng.clone(),
            ledger,
            clocks,
            queue: BinaryHeap::new(),
            queued: 0,
            microtasks: VecDeque::new(),
            attempts: Vec::new(),
            pump: Pump::default(),
            drives: Vec::new(),
            next_drive: 1,
            to_restore: VecDeque::new(),
            life: 0,
            earlier: Tally::default(),
            closing: None,
            is_stopping: false,
            is_stopped: false,
            is_quiet: false,
            weather: (Weather::Fair, 0),
            depth: 0,
            step: 0,
            crashes: 0,
            reentries: 0,
        }
    }

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        let Self { step: steps, crashes, reentries, .. } = *self;
        let mut tally = self.ledger.tally();
        tally += self.earlier;
        Tally { steps, crashes, reentries, restarts: u64::from(self.life), ..tally }
    }

    pub fn into_trace(self) -> Trace {
        self.ledger.into_trace()
    }

    pub fn run(&mut self) -> CheckResult {
        for _ in 0..self.plan.steps {
            self.begin_step();
            match self.plan.action(&mut self.rng) {
                Do::Happen => {
                    if !self.run_next()? {
                        self.clocks.pass(20 * MS);
                    }
                }
                action => self.act(action)?,
            }
            self.end_turn()?;
            if self.is_stopped {
                if !self.plan.has_store {
                    break;
                }
                self.begin_life()?;
                self.end_turn()?;
            }
        }
        self.quiesce()?;
        self.end()
    }

    fn begin_step(&mut self) {
        self.step += 1;
        self.ledger.wall = self.clocks.wall();
    }

    /// Runs the host's work at the end of a turn, and checks everything.
    fn end_turn(&mut self) -> CheckResult {
        self.run_micros()?;
        if self.plan.has_store {
            self.look_after_store()?;
        }
        self.ledger.check()
    }

    fn run_micros(&mut self) -> CheckResult {
        while let Some(micro) = self.microtasks.pop_front() {
            match micro {
                Microtask::Pump => self.run_pump()?,
                Microtask::Answer(lease, answer) => self.answer(lease, answer)?,
                Microtask::WakeDrive(drive) => self.wake_drive(drive)?,
                Microtask::Stop => self.stop()?,
            }
        }
        Ok(())
    }

    fn is_manual(&self) -> bool {
        self.plan.config.scheduler == Scheduler::Manual
    }

    fn later(&mut self, delay: u64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((self.clocks.time() + delay, self.queued, event)));
    }

    /// In whole milliseconds, rounded up, as timers have it.
    fn delay_until(&self, time: u64) -> u64 {
        time.saturating_sub(self.clocks.now()).div_ceil(MS) * MS
    }

    /// Runs the next pending event. Returns false if there is none.
    fn run_next(&mut self) -> CheckResult<bool> {
        let Some(Reverse((time, _, event))) = self.queue.pop() else { return Ok(false) };
        self.clocks.advance_to(time);
        self.ledger.wall = self.clocks.wall();
        note!(self.ledger, "{} at {}: {event:?}", self.step, self.clocks.now());
        match event {
            Event::Answer(lease, answer) => self.answer(lease, answer)?,
            Event::Alarm(generation) => self.alarm_fires(generation)?,
            Event::PumpTask(life) => self.pump_task(life)?,
            Event::FlushTimeout(flush) => self.flush_timeout(flush)?,
            Event::DriveWake(drive, sleep) => self.drive_timer_fires(drive, sleep)?,
            Event::DriveTask(drive) => self.drive_task(drive)?,
            Event::Written(lease, is_written) => self.written(lease, is_written)?,
            Event::Loaded { ticket, is_read, owner } => self.loaded(ticket, is_read, owner)?,
            Event::LastWrites => self.stop()?,
        }
        Ok(true)
    }

    fn act(&mut self, action: Do) -> CheckResult {
        note!(self.ledger, "{} at {}: {action:?}", self.step, self.clocks.now());
        match action {
            Do::Produce => {
                let most = self.plan.burst;
                self.produce(most)
            }
            Do::Happen => Ok(()),
            Do::Pass => {
                self.clocks.pass(self.rng.u64(..50 * MS));
                Ok(())
            }
            Do::Flush => {
                let timeout = self.rng.bool().then(|| self.rng.u64(..2_000) * MS);
                self.flush(timeout)
            }
            Do::Drain => self.drain(),
            Do::ScaleUp => self.scale(true),
            Do::ScaleDown => self.scale(false),
            Do::Clocks => {
                self.clocks.fail(&mut self.rng);
                Ok(())
            }
            Do::Kill if self.plan.has_store && self.rng.bool() => {
                self.crashes += 1;
                self.begin_life()
            }
            Do::Kill => self.kill(),
            Do::Exit => self.exit(),
            Do::Stage => self.stage(),
            Do::AwaitRoom => self.await_room(),
            Do::Close => self.close(),
            Do::StrayAnswer => self.stray_answer(),
            Do::Wake => {
                self.ledger.probe();
                self.schedule();
                Ok(())
            }
            Do::Refuse => {
                if !self.is_stopped {
                    self.ledger.refuse(self.rng.bool());
                }
                Ok(())
            }
            Do::Forget => {
                if self.ledger.kept() > 0 {
                    let nth = self.rng.usize(..self.ledger.kept());
                    self.ledger.forget(nth);
                }
                Ok(())
            }
        }
    }

    /// A producer offers up to `most` events in a turn.
    fn produce(&mut self, most: usize) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        for _ in 0..self.rng.usize(1..=most) {
            let max = self.plan.config.max_event_bytes;
            let len =
                if self.rng.u8(..8) < self.plan.large { max } else { self.rng.usize(4..=max) };
            let mut offer = Offer { len, key: None, has_newline: false };
            match self.rng.u8(..64) {
                0 => offer.len = 0,
                1 => offer.len = max + 1,
                2 => offer.has_newline = true,
                _ => {}
            }
            if self.rng.u8(..8) < self.plan.keyed {
                offer.key = Some(self.rng.u8(..KEYS));
            }
            self.ledger.ingest(offer)?;
        }
        self.schedule();
        Ok(())
    }

    fn drain(&mut self) -> CheckResult {
        if self.is_stopped {
            return Ok(());
        }
        let mut room = if self.rng.bool() { usize::MAX } else { self.rng.usize(..200) };
        let keep = self.keeps();
        while let Some(taken) = self.ledger.drain(room, keep)? {
            room -= taken;
        }
        self.schedule();
        Ok(())
    }

    fn scale(&mut self, up: bool) -> CheckResult {
        if self.is_stopped || self.closing.is_some() {
            return Ok(());
        }
        let count = self.rng.u16(1..4);
        if up {
            self.ledger.scale_up(count)?;
        } else {
            self.ledger.scale_down(count)?;
        }
        self.schedule();
        Ok(())
    }

    fn keeps(&mut self) -> bool {
        !self.is_quiet && self.rng.u8(..8) < self.plan.kept
    }

    /// Somebody answers for a lease that was given out once, or was not.
    fn stray_answer(&mut self) -> CheckResult {
        let latest = self.ledger.leases();
        let lease = (latest + 1).saturating_sub(self.rng.u64(..6));
        let now = self.clocks.now();
        if self.rng.bool() && self.attempts.iter().any(|attempt| attempt.lease == lease) {
            return Ok(());
        }
        match self.rng.u8(..3) {
            0 => self.ledger.acknowledge(lease, now),
            1 => {
                let failure = failure(&mut self.rng);
                self.ledger.fail(lease, failure, now)
            }
            _ => self.ledger.expire(lease, now),
        }
    }

    /// Polls the core until an attempt begins or the host has to wait.
    fn poll_core(&mut self, owner: Owner, flush: Option<u32>) -> CheckResult<Next> {
        loop {
            let (now, keep) = (self.clocks.now(), self.keeps());
            let polled = match flush {
                Some(flush) => self.ledger.poll_flush(flush, now, keep),
                None => self.ledger.poll(now, keep),
            };
            match polled? {
                Polled::Send { lease, deadline, .. } => {
                    self.hand_over(Attempt { lease, deadline, owner }, false)?;
                    return Ok(Next::Poll);
                }
                Polled::Lost { flush } => self.lose_drive(flush)?,
                Polled::Yield => return Ok(Next::Yield),
                Polled::WaitUntil(time) => return Ok(Next::Wait(time)),
                Polled::Idle => return Ok(Next::Wait(u64::MAX)),
                Polled::Abandoned => {}
                Polled::Store { ticket } => self.store(ticket)?,
                Polled::Load { ticket } => self.load(ticket, owner)?,
            }
        }
    }

    /// The earliest deadline among an owner's attempts.
    fn first_deadline(&self, owner: Owner) -> u64 {
        let of = self.attempts.iter().filter(|attempt| attempt.owner == owner);
        of.map(|attempt| attempt.deadline).min().unwrap_or(u64::MAX)
    }

    /// Expires an owner's attempts that have taken too long.
    fn cut_off(&mut self, owner: Owner) -> CheckResult {
        let now = self.clocks.now();
        let mut nth = 0;
        while let Some(attempt) = self.attempts.get(nth) {
            if attempt.owner == owner && attempt.deadline <= now {
                let lease = self.attempts.remove(nth).lease;
                self.ledger.fail(lease, callback::TIMED_OUT, now)?;
            } else {
                nth += 1;
            }
        }
        Ok(())
    }

    fn schedule(&mut self) {
        if !self.is_manual() {
            self.schedule_pump();
        }
    }

    fn flush(&mut self, timeout: Option<u64>) -> CheckResult {
        if self.may_flush() { self.begin_flush(timeout, false) } else { Ok(()) }
    }

    fn may_flush(&self) -> bool {
        let waiting = self.pump.waiting() + self.drives.iter().filter(|at| at.is_waiting()).count();
        self.closing.is_none() && (waiting < MAX_WAITING || self.is_quiet)
    }

    fn begin_flush(&mut self, timeout: Option<u64>, closes: bool) -> CheckResult {
        if self.is_manual() {
            self.drive(timeout, closes, false)
        } else {
            self.wait_for_flush(timeout, closes)
        }
    }

    fn close(&mut self) -> CheckResult {
        if self.closing.is_some() {
            return Ok(());
        }
        self.ledger.close();
        self.closing = Some(self.ledger.begin_flush()?);
        if self.rng.u8(..8) == 0 {
            // Its signal is aborted already: there is no time to flush.
            self.microtasks.push_back(Microtask::Stop);
            return Ok(());
        }
        let timeout = self.rng.u64(..3_000) * MS;
        self.begin_flush(Some(timeout), true)
    }

    /// The host abandons the remaining events, and releases the bus.
    fn stop(&mut self) -> CheckResult {
        if self.is_stopped || self.plan.has_store && !self.keep_what_is_left()? {
            return Ok(());
        }
        self.attempts.clear();
        self.ledger.abandon_everything();
        loop {
            match self.ledger.poll(self.clocks.now(), false)? {
                Polled::Abandoned => {}
                Polled::Idle => break,
                polled => {
                    ensure!(false, "what was given up is not sent", "{polled:?}");
                }
            }
        }
        self.is_stopped = true;
        if let Some(flush) = self.closing {
            ensure_eq!(self.ledger.pending_of(flush), 0, "a closed bus leaves nothing pending");
            self.ledger.end_flush(flush)?;
        }
        Ok(())
    }

    /// The host, or the requests that it works for, crash with their leases.
    fn kill(&mut self) -> CheckResult {
        self.crashes += 1;
        if self.is_manual() {
            self.kill_drives();
        } else {
            self.kill_pump();
        }
        if self.rng.bool() {
            self.clocks.pass(self.rng.u64(..3_000) * MS);
        }
        Ok(())
    }
}
