//! `ShardManager::ingest_raw` against that of `net-mesh`, which has the same names and the same
//! routing.
//!
//! Both get the same events with the same hashes, in the same order, into as many shards of the
//! same capacity and in the same mode, and both are emptied by `pop_batch_into` a reused vector, as
//! often and as far. Both put a timestamp on each event. They store different things: `net-mesh` a
//! handle to the caller's memory, shardbus a copy, as it bounds the bytes it holds. With events
//! made in advance (`ingest_raw`, `ingest_raw_full`, `ingest_raw_2_threads`), `net-mesh` therefore
//! copies and allocates nothing. With events from a caller's buffer, as in a program
//! (`ingest_raw_fresh`), both copy, hash and wrap each event first.
//!
//! `shards` and `pending` say how shardbus's cost depends on how many shards there are, and on how
//! many events they hold.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use shardbus_bench_native::{COUNT, CpuTime, payloads};

/// Events between two times that everything is taken out.
const ROUND: usize = 4 * COUNT;

/// The common interface of both.
trait Manager: Sync {
    const NAME: &str;
    type Event: Clone + Sync;
    type Popped;

    /// Drops the oldest when full.
    fn new(shards: u16, capacity: usize) -> Self;
    fn event(payload: &[u8]) -> Self::Event;
    fn ingest(&self, event: Self::Event);
    fn pop_into(&self, shard: u16, events: &mut Vec<Self::Popped>);

    fn pop_all(&self, shards: u16, events: &mut Vec<Self::Popped>) {
        for shard in 0..shards {
            self.pop_into(shard, events);
            black_box(&mut *events).clear();
        }
    }
}

macro_rules! manager {
    ($krate:ident, $name:literal, $mode:path) => {
        impl Manager for $krate::shard::ShardManager {
            const NAME: &str = $name;
            type Event = $krate::event::RawEvent;
            type Popped = $krate::event::InternalEvent;

            fn new(shards: u16, capacity: usize) -> Self {
                Self::new(shards, capacity, $mode)
            }

            fn event(payload: &[u8]) -> Self::Event {
                Self::Event::from_bytes(bytes::Bytes::copy_from_slice(payload))
            }

            #[inline]
            fn ingest(&self, event: Self::Event) {
                let _ = black_box(self.ingest_raw(event));
            }

            fn pop_into(&self, shard: u16, events: &mut Vec<Self::Popped>) {
                self.with_shard(shard, |shard| shard.pop_batch_into(events, usize::MAX));
            }
        }
    };
}

/// shardbus has everything at its root.
mod ours {
    pub(crate) mod shard {
        pub(crate) use shardbus::ShardManager;
    }
    pub(crate) mod event {
        pub(crate) use shardbus::{InternalEvent, RawEvent};
    }
}

manager!(ours, "shardbus", shardbus::BackpressureMode::DropOldest);
manager!(net, "net-mesh", net::config::BackpressureMode::DropOldest);

type Ours = shardbus::ShardManager;
type Theirs = net::shard::ShardManager;

fn events<M: Manager>() -> Vec<M::Event> {
    payloads().iter().map(|payload| M::event(payload)).collect()
}

/// Events that are there already, taken out before a shard is full.
fn ingest_raw<M: Manager>(group: &mut BenchmarkGroup<'_, CpuTime>, name: &str, shards: u16) {
    let (manager, events) = (M::new(shards, 4 * ROUND), events::<M>());
    let mut popped = Vec::new();
    group.throughput(Throughput::Elements(ROUND as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for event in events.iter().cycle().take(ROUND) {
                manager.ingest(event.clone());
            }
            manager.pop_all(shards, &mut popped);
        });
    });
}

/// The same from bytes on: copied, hashed and wrapped.
fn ingest_raw_fresh<M: Manager>(group: &mut BenchmarkGroup<'_, CpuTime>) {
    let (manager, payloads) = (M::new(4, 4 * ROUND), payloads());
    let mut popped = Vec::new();
    group.throughput(Throughput::Elements(ROUND as u64));
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| {
            for payload in payloads.iter().cycle().take(ROUND) {
                manager.ingest(M::event(black_box(payload)));
            }
            manager.pop_all(4, &mut popped);
        });
    });
}

/// Full shards: each event drives the oldest out.
fn ingest_raw_full<M: Manager>(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    name: &str,
    (shards, capacity): (u16, usize),
) {
    let (manager, events) = (M::new(shards, capacity), events::<M>());
    for event in events.iter().cycle().take(2 * usize::from(shards) * capacity) {
        manager.ingest(event.clone());
    }
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for event in &events {
                manager.ingest(event.clone());
            }
        });
    });
}

/// Two producers at once, each with events of its own.
fn ingest_raw_2_threads<M: Manager>(group: &mut BenchmarkGroup<'_, CpuTime>) {
    const ROUNDS: usize = 64;
    let manager = M::new(4, COUNT);
    let events = [events::<M>(), events::<M>()];
    group.throughput(Throughput::Elements((2 * ROUNDS * COUNT) as u64));
    group.bench_function(M::NAME, |bencher| {
        bencher.iter(|| {
            std::thread::scope(|scope| {
                for events in &events {
                    let manager = &manager;
                    scope.spawn(move || {
                        for event in events.iter().cycle().take(ROUNDS * COUNT) {
                            manager.ingest(event.clone());
                        }
                    });
                }
            });
        });
    });
}

fn all(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("ingest_raw");
    ingest_raw::<Ours>(&mut group, Ours::NAME, 4);
    ingest_raw::<Theirs>(&mut group, Theirs::NAME, 4);
    group.finish();

    let mut group = criterion.benchmark_group("ingest_raw_fresh");
    ingest_raw_fresh::<Ours>(&mut group);
    ingest_raw_fresh::<Theirs>(&mut group);
    group.finish();

    let mut group = criterion.benchmark_group("ingest_raw_full");
    ingest_raw_full::<Ours>(&mut group, Ours::NAME, (4, COUNT));
    ingest_raw_full::<Theirs>(&mut group, Theirs::NAME, (4, COUNT));
    group.finish();

    let mut group = criterion.benchmark_group("ingest_raw_2_threads");
    ingest_raw_2_threads::<Ours>(&mut group);
    ingest_raw_2_threads::<Theirs>(&mut group);
    group.finish();

    let mut group = criterion.benchmark_group("shards");
    for shards in [1, 4, 64] {
        ingest_raw::<Ours>(&mut group, &shards.to_string(), shards);
    }
    group.finish();

    let mut group = criterion.benchmark_group("pending");
    for (name, capacity) in [("1000", 1 << 10), ("1000000", 1 << 20)] {
        ingest_raw_full::<Ours>(&mut group, name, (1, capacity));
        ingest_raw_full::<Theirs>(&mut group, &format!("net-mesh/{name}"), (1, capacity));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = shardbus_bench_native::criterion();
    targets = all
}
criterion_main!(benches);
