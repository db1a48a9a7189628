//! Shared by the benchmarks: the events that they offer, and the time that they measure.

use std::time::Duration;

use cpu_time::ProcessTime;
use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// The number of different events. Together they fit in a core's cache, so that the buffer is
/// measured and not the fetching of its input.
pub const COUNT: usize = 1024;

/// JSON texts of nine fields and about 150 bytes.
#[must_use]
pub fn payloads() -> Vec<Vec<u8>> {
    let payload = |i: usize| {
        let (user, ts) = (i * 7919 % 10_000, 1_700_000_000_000_usize + i);
        format!(
            r#"{{"type":"click","id":{i:06},"user":"u-{user:05}","ts":{ts},"path":"/products/{i}","x":{},"y":{},"ok":{},"session":"s-{user:08}"}}"#,
            i % 1920,
            i % 1080,
            i.is_multiple_of(2),
        )
        .into_bytes()
    };
    (0..COUNT).map(payload).collect()
}

/// The processor's time that all threads of the process take. Other than the time on the wall, it
/// does not grow when other processes want the same cores.
pub struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ProcessTime;
    type Value = Duration;

    fn start(&self) -> ProcessTime {
        ProcessTime::now()
    }

    fn end(&self, begin: ProcessTime) -> Duration {
        begin.elapsed()
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Short enough that all benchmarks together take a minute and a half.
#[must_use]
pub fn criterion() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(30)
}
