//! The path of the npm package without WebAssembly: `EventBus::ingest_line` on a clock that the
//! host sets, and batches that leave by `poll` and `drain`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shardbus::{Action, BatchConfig, BusConfig, Clock, EventBus};
use shardbus_bench_native::{COUNT, CpuTime, payloads};

fn bus(shards: u16, max_bytes: u64, batch: BatchConfig) -> EventBus {
    let config = BusConfig { shards, max_bytes, batch, ..BusConfig::default() };
    EventBus::new(config, Clock::manual(0)).expect("the configuration is valid")
}

/// Sends and acknowledges everything that is due.
fn deliver(bus: &EventBus) {
    while let Action::Send(lease) = bus.poll(0) {
        bus.acknowledge(black_box(&lease).id, 0);
    }
}

fn all(criterion: &mut Criterion<CpuTime>) {
    let payloads = payloads();
    let bytes: usize = payloads.iter().map(Vec::len).sum();

    let mut group = criterion.benchmark_group("delivered");
    for shards in [1, 4, 64] {
        let bus = bus(shards, 8 << 20, BatchConfig::default());
        // All batches are due as soon as anybody asks.
        bus.set_room_awaited(true);
        group.throughput(Throughput::Elements(COUNT as u64));
        group.bench_function(shards.to_string(), |bencher| {
            bencher.iter(|| {
                for payload in &payloads {
                    let _ = black_box(bus.ingest_line(payload, None));
                }
                deliver(&bus);
            });
        });
    }
    group.finish();

    // The look for something to do that is had after each crossing.
    let mut group = criterion.benchmark_group("idle_poll");
    for shards in [1, 4, 64] {
        let batch = BatchConfig { max_delay: Duration::from_secs(60), ..BatchConfig::default() };
        let bus = bus(shards, 8 << 20, batch);
        for payload in &payloads[..50] {
            let _ = bus.ingest_line(payload, None);
        }
        group.throughput(Throughput::Elements(1));
        group.bench_function(shards.to_string(), |bencher| {
            bencher.iter(|| (black_box(bus.poll(0)), black_box(bus.room())));
        });
    }
    group.finish();

    // The longest single poll while a host empties 8 MiB batch by batch; criterion reports means
    // only.
    let mut group = criterion.benchmark_group("drain_8_mib");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(8 << 20));
    let mut longest = Duration::ZERO;
    group.bench_function("poll", |bencher| {
        let full = || {
            let bus = bus(1, 8 << 20, BatchConfig::default());
            for payload in payloads.iter().cycle().take((8 << 20) / bytes * COUNT) {
                let _ = bus.ingest_line(payload, None);
            }
            bus
        };
        let empty = |bus: EventBus| {
            bus.set_room_awaited(true);
            loop {
                let begin = Instant::now();
                let Action::Send(lease) = bus.poll(0) else { break };
                longest = longest.max(begin.elapsed());
                bus.acknowledge(lease.id, 0);
            }
            bus
        };
        bencher.iter_batched(full, empty, BatchSize::PerIteration);
    });
    group.finish();
    println!("the longest poll took {longest:?}");
}

criterion_group! {
    name = benches;
    config = shardbus_bench_native::criterion();
    targets = all
}
criterion_main!(benches);
