//! The properties of a schedule.

use fastrand::Rng;
use shardbus::{
    BackpressureMode, BatchConfig, BusConfig, Format, RetryPolicy, ScalingPolicy, Scheduler,
};
use std::time::Duration;

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

/// Longest `Retry-After` of a callback.
pub const MAX_RETRY_AFTER: u64 = 500 * MS;

/// The actions of a step, in the order of [`Plan::actions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    Produce,
    Happen,
    Pass,
    Flush,
    Drain,
    ScaleUp,
    ScaleDown,
    Clocks,
    Kill,
    AwaitRoom,
    Close,
    StrayAnswer,
    Wake,
    Refuse,
    Forget,
    Exit,
    Stage,
}

/// The answers of a callback, in the order of [`Plan::answers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Deliver,
    DeliverLate,
    Throw,
    Refuse,
    RetryAfter,
    Permanent,
    TooLarge,
    Hang,
    Partial,
}

const ACTIONS: [(Do, u32); 17] = [
    (Do::Produce, 45),
    (Do::Happen, 60),
    (Do::Pass, 10),
    (Do::Flush, 10),
    (Do::Drain, 3),
    (Do::ScaleUp, 5),
    (Do::ScaleDown, 5),
    (Do::Clocks, 6),
    (Do::Kill, 3),
    (Do::AwaitRoom, 3),
    (Do::Close, 1),
    (Do::StrayAnswer, 4),
    (Do::Wake, 4),
    (Do::Refuse, 1),
    (Do::Forget, 4),
    (Do::Exit, 5),
    (Do::Stage, 1),
];

const ANSWERS: [(End, u32); 9] = [
    (End::Deliver, 20),
    (End::DeliverLate, 4),
    (End::Throw, 4),
    (End::Refuse, 4),
    (End::RetryAfter, 4),
    (End::Permanent, 3),
    (End::TooLarge, 4),
    (End::Hang, 3),
    (End::Partial, 6),
];

/// Everything about a schedule that is decided beforehand.
#[derive(Debug)]
pub struct Plan {
    pub config: BusConfig,
    pub nonce: u64,
    pub steps: u32,
    /// The weight of each action.
    actions: Weights<Do, 17>,
    /// The weight of each answer.
    answers: Weights<End, 9>,
    /// Of 8 events, how many have a key.
    pub keyed: u8,
    /// Of 8 events, how many are as large as they may be.
    pub large: u8,
    /// Of 64 callbacks, how many call the bus.
    pub reentrant: u8,
    /// Of 64 events, how many make the receiver refuse their batch, for as long as it has faults.
    pub poisonous: u8,
    /// Of 8 batches, how many the host holds on to.
    pub kept: u8,
    /// True if the host has a store, whose batches outlive it.
    pub has_store: bool,
    /// Of 8 writes to it, how many fail.
    pub write_failures: u8,
    /// Of 8 reads from it, how many fail.
    pub read_failures: u8,
    /// Of 64 kept batches, how many get damaged when the host crashes.
    pub damaged: u8,
    /// Of 8 times that the weather of the destination changes, how often it is bad.
    pub storms: u8,
    /// True if late answers, which the host no longer awaits, still reach the core.
    pub forwards_late_answers: bool,
    /// Most events that a producer offers in one turn.
    pub burst: usize,
    /// The seed of every other decision.
    pub rng: Rng,
}

/// Something to choose from.
#[derive(Debug)]
struct Weights<T, const N: usize> {
    of: [(T, u32); N],
    total: u32,
}

impl<T: Copy, const N: usize> Weights<T, N> {
    /// Leaves out some entries, and raises others: a rare entry among all is common among a few.
    /// `always` stays.
    fn swarm(of: [(T, u32); N], rng: &mut Rng, always: usize) -> Self {
        let mut of = of;
        for (_, weight) in of.iter_mut().skip(always) {
            *weight *= [0, 1, 1, 3][rng.usize(..4)];
        }
        Self { of, total: of.iter().map(|(_, weight)| weight).sum() }
    }

    #[inline]
    fn pick(&self, rng: &mut Rng) -> T {
        let mut rest = rng.u32(..self.total);
        for (what, weight) in &self.of {
            if rest < *weight {
                return *what;
            }
            rest -= weight;
        }
        self.of[0].0
    }
}

impl Plan {
    /// The schedule of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(mix(seed));
        // A few are long, and their buses large, so that what grows has time to.
        let is_long = rng.u8(..) < 2;
        let mut config = config(&mut rng, is_long);
        let has_store = rng.u8(..4) == 0;
        config.has_store = has_store;
        if has_store {
            config.max_store_bytes = [0, rng.u64(1..3_000), u64::MAX][rng.usize(..3)];
        }
        Self {
            config,
            nonce: rng.u64(1..),
            steps: if is_long { 3_000 } else { rng.u32(30..150) },
            // Producing, and running the next pending event, are always included.
            actions: Weights::swarm(ACTIONS, &mut rng, 3),
            answers: Weights::swarm(ANSWERS, &mut rng, 1),
            keyed: [0, 4, 8, 8][rng.usize(..4)],
            large: rng.u8(0..4),
            reentrant: [0, 4, 16][rng.usize(..3)],
            kept: [0, 0, 0, 2][rng.usize(..4)],
            poisonous: [0, 0, 0, 1, 8][rng.usize(..5)],
            has_store,
            write_failures: [0, 0, 1, 4][rng.usize(..4)],
            read_failures: [0, 1, 4, 8][rng.usize(..4)],
            damaged: [0, 0, 2, 16][rng.usize(..4)],
            storms: [0, 2, 4, 7][rng.usize(..4)],
            forwards_late_answers: rng.bool(),
            burst: [1, 3, 8][rng.usize(..3)],
            rng,
        }
    }

    /// The settings and the nonce of another run: some of what earlier runs have left may be in
    /// another format, or too large by now.
    pub fn of_life(&self, life: u32, rng: &mut Rng) -> (BusConfig, u64) {
        let mut config = self.config;
        if rng.u8(..4) == 0 {
            config.format =
                if config.format == Format::Json { Format::Ndjson } else { Format::Json };
        }
        if rng.u8(..4) == 0 {
            config.batch.max_bytes = config.max_event_bytes + 2 + rng.usize(..100);
        }
        (config, mix(self.nonce ^ u64::from(life)).max(1))
    }

    #[inline]
    pub fn action(&self, rng: &mut Rng) -> Do {
        self.actions.pick(rng)
    }

    #[inline]
    pub fn end(&self, rng: &mut Rng) -> End {
        self.answers.pick(rng)
    }
}

/// The finaliser of SplitMix64: seeds that follow one another have nothing in common.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from `least` on and below one of `ends`: small ones are as likely as large ones.
pub fn up_to(rng: &mut Rng, least: u64, ends: [u64; 3]) -> u64 {
    let end = ends[rng.usize(..3)];
    rng.u64(least..end)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A small bus, so that every bound is met, or a larger one.
fn config(rng: &mut Rng, is_large: bool) -> BusConfig {
    let scale: usize = if is_large { 40 } else { 1 };
    let backpressure = match rng.u8(..8) {
        0 => BackpressureMode::DropNewest,
        1 => BackpressureMode::FailProducer,
        2 => BackpressureMode::Sample { rate: rng.u32(1..5) },
        _ => BackpressureMode::DropOldest,
    };
    let max_event_bytes = rng.usize(6..32);
    let shards = rng.u16(1..5);
    let scaling = rng.bool().then(|| scaling(rng, shards));
    let min_size = rng.usize(1..5);
    let base_delay = rng.u64(0..200);
    BusConfig {
        shards,
        capacity: scale.next_power_of_two() << rng.u32(1..6),
        max_bytes: max_event_bytes as u64 + scale as u64 * up_to(rng, 0, [100, 400, 2_000]),
        max_event_bytes,
        max_key_bytes: 1 << 10,
        routing_seed: 0,
        backpressure,
        format: if rng.bool() { Format::Ndjson } else { Format::Json },
        scheduler: if rng.u8(..4) == 0 { Scheduler::Manual } else { Scheduler::Auto },
        batch: BatchConfig {
            min_size,
            max_size: min_size + scale * rng.usize(..8),
            max_bytes: max_event_bytes + 2 + scale * rng.usize(..100),
            max_delay: ms(up_to(rng, 1, [20, 20, 500])),
            adaptive: rng.bool(),
            velocity_window: ms(rng.u64(5..100)),
        },
        retry: (rng.u8(..16) > 0).then(|| RetryPolicy {
            max_attempts: rng.u32(1..5),
            base_delay: ms(base_delay),
            max_delay: ms(base_delay + rng.u64(..500)),
            max_age: (rng.u8(..4) == 0).then(|| ms(up_to(rng, 1, [100, 2_000, 20_000]))),
            max_retry_after: ms(up_to(rng, 0, [100, 1_000, 1_000])),
        }),
        scaling,
        has_store: false,
        max_store_bytes: 0,
        timeout: ms(up_to(rng, 20, [100, 100, 1500])),
    }
}

fn scaling(rng: &mut Rng, shards: u16) -> ScalingPolicy {
    ScalingPolicy {
        fill_ratio_threshold: [0.3, 0.7, 1.0][rng.usize(..3)],
        push_latency_threshold_ns: 10_000,
        flush_latency_threshold_us: rng.u64(1_000..1_000_000),
        min_shards: rng.u16(1..=shards),
        max_shards: shards + rng.u16(..4),
        cooldown: ms(rng.u64(1..300)),
        scale_down_delay: ms(rng.u64(1..500)),
        underutilized_threshold: [0.0, 0.1, 0.5][rng.usize(..3)],
        metrics_window: ms(rng.u64(1..200)),
        auto_scale: rng.u8(..4) > 0,
    }
}
