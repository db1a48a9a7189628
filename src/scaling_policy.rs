//! The conditions on which the number of shards changes by itself.

use crate::clock::millis;
use crate::error::{ConfigError, Rule, Rules};
use crate::settings::{Numbers, Unit, settings};
use std::time::Duration;

settings! {
    /// Thresholds and bounds of dynamic scaling.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct ScalingPolicy {
        /// Fewest shards.
        min_shards: u16 = 1, "minShards", Unit::Whole(1, u16::MAX as u64);
        /// Most shards. More lanes than a host keeps connections to one receiver would wait for each
        /// other.
        max_shards: u16 = 8, "maxShards", Unit::Whole(1, u16::MAX as u64),
            default "8, or `shards` if that is more";
        /// Adds and drains shards automatically. If false, only `scale_up` and `scale_down` do.
        auto_scale: bool = true, "autoScale", Unit::Flag;
        /// A shard is overloaded when it is fuller than this, as a share of its `capacity`.
        fill_ratio_threshold: f64 = 0.7, "fillRatioThreshold", Unit::SomeShare;
        /// A shard is overloaded when its batches take longer than this to be delivered on average.
        flush_latency_threshold_us: u64 = 1_000_000, "flushLatencyThresholdMs", Unit::Micros,
            read Numbers::micros;
        /// A shard is underutilized when it is emptier than this, as a share of its `capacity`, and
        /// nothing arrived in the last window.
        underutilized_threshold: f64 = 0.1, "underutilizedThreshold", Unit::Share;
        /// The time for which the number of shards stays as it is after a change, and for which a
        /// new shard's metrics do not count.
        cooldown: Duration = Duration::from_secs(1), "cooldownMs", Unit::SomeMillis;
        /// The time for which a shard must have been underutilized before it may be drained.
        scale_down_delay: Duration = Duration::from_secs(10), "scaleDownDelayMs", Unit::SomeMillis;
        /// The interval at which the load is measured.
        metrics_window: Duration = Duration::from_millis(100), "metricsWindowMs", Unit::SomeMillis;
    } and {
        /// A shard is overloaded when pushing takes longer than this on average, in nanoseconds: its
        /// lock is contended. Measured on the system's clock, so never on wasm.
        push_latency_threshold_ns: u64 = 10_000;
    }

    /// The settings of a [`ScalingPolicy`] that are given.
    pub struct ScalingOptions
}

impl ScalingPolicy {
    /// At most one shard per CPU, of which there are `cpus`: for a container that may not use all
    /// that the machine has, and for tests.
    #[must_use]
    pub fn default_for_cpus(cpus: u16) -> Self {
        Self { max_shards: cpus.max(1), ..Self::default() }
    }

    /// Adds shards early and keeps them.
    #[must_use]
    pub fn high_throughput() -> Self {
        let cpus = cpus();
        Self {
            fill_ratio_threshold: 0.6,
            push_latency_threshold_ns: 5_000,
            flush_latency_threshold_us: 500_000,
            min_shards: cpus.min(4),
            max_shards: cpus.saturating_mul(2),
            cooldown: Duration::from_millis(500),
            scale_down_delay: Duration::from_secs(30),
            underutilized_threshold: 0.05,
            metrics_window: Duration::from_millis(50),
            ..Self::default()
        }
    }

    /// Adds shards late and drains them late.
    #[must_use]
    pub fn conservative() -> Self {
        Self {
            fill_ratio_threshold: 0.8,
            push_latency_threshold_ns: 20_000,
            flush_latency_threshold_us: 2_000_000,
            cooldown: Duration::from_secs(5),
            scale_down_delay: Duration::from_secs(60),
            underutilized_threshold: 0.05,
            metrics_window: Duration::from_millis(200),
            ..Self::default()
        }
    }

    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut rules = Rules::default();
        self.check(&mut rules);
        rules.result()
    }

    pub(crate) fn check(&self, rules: &mut Rules) {
        let Self { fill_ratio_threshold: fill, underutilized_threshold: under, .. } = *self;
        rules.check(fill > 0.0 && fill <= 1.0, Rule::FillRatioThreshold, fill);
        rules.check((0.0..=1.0).contains(&under), Rule::UnderutilizedThreshold, under);
        rules.check_positive(Rule::MinShards, f64::from(self.min_shards));
        rules.check(
            self.max_shards >= self.min_shards,
            Rule::MaxShards,
            f64::from(self.max_shards),
        );
        rules.check_positive(Rule::Cooldown, millis(self.cooldown));
        rules.check_positive(Rule::MetricsWindow, millis(self.metrics_window));
        rules.check_positive(Rule::ScaleDownDelay, millis(self.scale_down_delay));
    }

    /// The policy with `max_shards` raised to `min_shards` if it is lower.
    #[must_use]
    pub fn normalize(self) -> Self {
        Self { max_shards: self.max_shards.max(self.min_shards), ..self }
    }
}

/// The number of threads that can run at once; 1 where that is unknown.
fn cpus() -> u16 {
    std::thread::available_parallelism()
        .map_or(1, |cpus| u16::try_from(cpus.get()).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_presets_are_valid() {
        for policy in [
            ScalingPolicy::default(),
            ScalingPolicy::high_throughput(),
            ScalingPolicy::conservative(),
        ] {
            assert_eq!(policy.validate(), Ok(()));
        }
    }

    #[test]
    fn rules_are_checked_in_order_and_name_the_field() {
        type Break = fn(&mut ScalingPolicy);
        let cases: [(Break, &str); 11] = [
            (|p| p.fill_ratio_threshold = f64::NAN, "scaling.fill_ratio_threshold"),
            (|p| p.fill_ratio_threshold = f64::INFINITY, "scaling.fill_ratio_threshold"),
            (|p| p.fill_ratio_threshold = 0.0, "scaling.fill_ratio_threshold"),
            (|p| p.fill_ratio_threshold = 1.01, "scaling.fill_ratio_threshold"),
            (|p| p.underutilized_threshold = f64::NAN, "scaling.underutilized_threshold"),
            (|p| p.underutilized_threshold = -0.1, "scaling.underutilized_threshold"),
            (|p| p.min_shards = 0, "scaling.min_shards"),
            (|p| (p.min_shards, p.max_shards) = (3, 2), "scaling.max_shards"),
            (|p| p.cooldown = Duration::ZERO, "scaling.cooldown"),
            (|p| p.metrics_window = Duration::ZERO, "scaling.metrics_window"),
            (|p| p.scale_down_delay = Duration::ZERO, "scaling.scale_down_delay"),
        ];
        let mut all_broken = ScalingPolicy::default();
        for (break_it, field) in cases.into_iter().rev() {
            let mut policy = ScalingPolicy::default();
            break_it(&mut policy);
            assert_eq!(policy.validate().map_err(|error| error.rule.parts().0), Err(field));
            break_it(&mut all_broken);
            assert_eq!(all_broken.validate().map_err(|error| error.rule.parts().0), Err(field));
        }
    }

    #[test]
    fn normalizing_raises_the_maximum() {
        let policy = ScalingPolicy { min_shards: 9, max_shards: 2, ..ScalingPolicy::default() };
        assert_eq!(policy.normalize().max_shards, 9);
    }
}
