//! Which shards there are, and which of them take events.

use crate::clock::{Clock, nanos};
use crate::error::{ConfigError, ScalingError};
use crate::scaling_policy::ScalingPolicy;
use crate::shard::metrics::{ShardMetrics, ShardMetricsCollector};
use crate::sync::{Counter, Lock, LockGuard, Shared};
use std::time::Duration;

/// The state of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardState {
    /// It exists, and takes no events yet.
    Provisioning,
    /// It takes events.
    Active,
    /// It takes no events any more, and may still hold some.
    Draining,
    /// It is empty and can be removed.
    Stopped,
}

/// The change that the load asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalingDecision {
    /// Leave it.
    None,
    /// Add this many shards.
    ScaleUp(u16),
    /// Drain this many shards.
    ScaleDown(u16),
}

/// Keeps the states of all shards and decides when there should be more or fewer.
///
/// Ids are counted up and never used again. The mapper holds no events: the
/// [`ShardManager`](crate::ShardManager) does, and follows its
/// [mapper](crate::ShardManager::mapper): before it routes an event or looks a shard up, it makes
/// the shards that the mapper has added, and routes to those that are active. A shard that the
/// mapper has forgotten keeps its events until
/// [`ShardManager::remove_shard`](crate::ShardManager::remove_shard) takes it out.
#[derive(Debug)]
pub struct ShardMapper {
    policy: ScalingPolicy,
    capacity: usize,
    clock: Clock,
    state: Lock<State>,
    /// Counts the changes of the state that may concern routing. Written under the lock of `state`.
    version: Counter,
}

/// A mapper's state at one moment, as far as routing needs it.
#[derive(Debug)]
pub(super) struct View {
    /// The mapper's version.
    pub(super) version: u64,
    /// All shards, by id.
    pub(super) states: Vec<(u16, ShardState)>,
    /// The ids that keyed events are spread over.
    pub(super) keyed: Vec<u16>,
    /// The ids that unkeyed events are spread over.
    pub(super) unkeyed: Vec<u16>,
}

#[derive(Debug)]
struct State {
    /// In the order of allocation, and so by id.
    shards: Vec<MappedShard>,
    next_id: u16,
    scaled_at: Option<Since>,
}

#[derive(Debug)]
struct MappedShard {
    id: u16,
    state: ShardState,
    collector: Shared<ShardMetricsCollector>,
    /// Since when it is active; `None` for those that have been from the beginning.
    activated_at: Option<Since>,
    metrics: Option<ShardMetrics>,
    underutilized: Option<Since>,
}

impl MappedShard {
    fn new(
        id: u16,
        capacity: usize,
        state: ShardState,
        activated_at: Option<Since>,
        clock: &Clock,
    ) -> Self {
        let collector = ShardMetricsCollector::with_clock(id, capacity, clock.clone());
        let collector = Shared::new(collector);
        Self { id, state, collector, activated_at, metrics: None, underutilized: None }
    }

    fn is_active(&self) -> bool {
        self.state == ShardState::Active
    }
}

/// A moment on a clock that may go back: then the moment is now.
#[derive(Debug, Clone, Copy)]
struct Since(u64);

impl Since {
    fn has_lasted(&mut self, duration: Duration, now: u64) -> bool {
        self.0 = self.0.min(now);
        now - self.0 >= nanos(duration)
    }
}

impl State {
    /// Adds the shards up to that with the id `end`, and returns their ids.
    fn add(
        &mut self,
        end: u16,
        capacity: usize,
        state: ShardState,
        activated_at: Option<Since>,
        clock: &Clock,
    ) -> Vec<u16> {
        let first = std::mem::replace(&mut self.next_id, end);
        let mut ids = Vec::new();
        for id in first..end {
            self.shards.push(MappedShard::new(id, capacity, state, activated_at, clock));
            ids.push(id);
        }
        ids
    }

    fn active(&self) -> impl Iterator<Item = &MappedShard> {
        self.shards.iter().filter(|shard| shard.is_active())
    }

    fn active_count(&self) -> u16 {
        self.active().count() as u16
    }

    fn find(&mut self, id: u16) -> Option<&mut MappedShard> {
        let at = self.shards.binary_search_by_key(&id, |shard| shard.id).ok()?;
        self.shards.get_mut(at)
    }

    /// The ids that keyed events are spread over, and those that unkeyed ones are: all active
    /// shards, and those of them that are not overfull.
    ///
    /// Load steers unkeyed events only, and never to fewer than half of the active shards: then it
    /// would move the load instead of spreading it.
    fn selection(&self, policy: &ScalingPolicy) -> (Vec<u16>, Vec<u16>) {
        let (mut active, mut roomy) = (Vec::new(), Vec::new());
        for shard in self.active() {
            active.push(shard.id);
            let threshold = policy.fill_ratio_threshold;
            if shard.metrics.is_none_or(|metrics| metrics.fill_ratio <= threshold) {
                roomy.push(shard.id);
            }
        }
        let unkeyed = if roomy.len() * 2 >= active.len() { roomy } else { active.clone() };
        (active, unkeyed)
    }

    fn is_cooling_down(&mut self, cooldown: Duration, now: u64) -> bool {
        self.scaled_at.as_mut().is_some_and(|since| !since.has_lasted(cooldown, now))
    }
}

impl ShardMapper {
    /// `initial` active shards of `capacity` slots, on the system's clock.
    ///
    /// # Errors
    ///
    /// As [`with_clock`](Self::with_clock).
    pub fn new(initial: u16, capacity: usize, policy: ScalingPolicy) -> Result<Self, ConfigError> {
        Self::with_clock(initial, capacity, policy, Clock::default())
    }

    /// [`new`](Self::new) on a clock of the caller's. `max_shards` is raised to `initial` if it is
    /// lower.
    ///
    /// # Errors
    ///
    /// The first rule that the policy breaks.
    pub fn with_clock(
        initial: u16,
        capacity: usize,
        policy: ScalingPolicy,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let policy = policy.normalize();
        let policy = ScalingPolicy { max_shards: policy.max_shards.max(initial), ..policy };
        policy.validate()?;
        Ok(Self::of_valid(initial, capacity, policy, clock))
    }

    /// [`with_clock`](Self::with_clock) for a policy that keeps every rule.
    pub(super) fn of_valid(
        initial: u16,
        capacity: usize,
        policy: ScalingPolicy,
        clock: Clock,
    ) -> Self {
        let mut state = State { shards: Vec::new(), next_id: 0, scaled_at: None };
        state.add(initial, capacity, ShardState::Active, None, &clock);
        let (state, version) = (Lock::new(state), Counter::default());
        Self { policy, capacity, clock, state, version }
    }

    fn state(&self) -> LockGuard<'_, State> {
        self.state.lock().expect("nothing but the mapper's own code runs while its state is locked")
    }

    /// Counts the changes that may concern routing.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.get()
    }

    /// Tells followers of the mapper that `state` has changed.
    fn note_change(&self, state: LockGuard<'_, State>) {
        self.version.add_alone(1);
        drop(state);
    }

    /// The state that routing needs.
    pub(super) fn view(&self) -> View {
        let state = self.state();
        let states = state.shards.iter().map(|shard| (shard.id, shard.state)).collect();
        let (keyed, unkeyed) = state.selection(&self.policy);
        View { version: self.version(), states, keyed, unkeyed }
    }

    /// The policy, as normalized.
    #[must_use]
    pub const fn policy(&self) -> &ScalingPolicy {
        &self.policy
    }

    /// Adds `count` active shards and returns their ids.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMaxShards`] or [`InCooldown`](ScalingError::InCooldown), in this order.
    pub fn scale_up(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.add(count, ShardState::Active, true)
    }

    /// [`scale_up`](Self::scale_up) even while cooling down. The cooldown begins anew.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMaxShards`].
    pub fn scale_up_force(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.add(count, ShardState::Active, false)
    }

    /// Adds `count` shards that take no events until they are activated.
    ///
    /// # Errors
    ///
    /// As [`scale_up`](Self::scale_up).
    pub fn scale_up_provisioning(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.add(count, ShardState::Provisioning, true)
    }

    /// [`scale_up_provisioning`](Self::scale_up_provisioning) even while cooling down. The
    /// cooldown begins anew.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMaxShards`].
    pub fn scale_up_provisioning_force(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.add(count, ShardState::Provisioning, false)
    }

    fn add(&self, count: u16, to: ShardState, cools: bool) -> Result<Vec<u16>, ScalingError> {
        let mut state = self.state();
        let now = self.clock.now();
        if count == 0 {
            return Ok(Vec::new());
        }
        // Ids end before `u16::MAX`, which means "no shard".
        let after = state.active_count().saturating_add(count);
        let end = state.next_id.checked_add(count).filter(|&end| end < u16::MAX);
        let (Some(end), true) = (end, after <= self.policy.max_shards) else {
            return Err(ScalingError::AtMaxShards);
        };
        if cools && state.is_cooling_down(self.policy.cooldown, now) {
            return Err(ScalingError::InCooldown);
        }
        state.scaled_at = Some(Since(now));
        let ids = state.add(end, self.capacity, to, Some(Since(now)), &self.clock);
        self.note_change(state);
        Ok(ids)
    }

    /// Lets a provisioning shard take events; its warm-up begins. Returns false, with nothing
    /// changed, if it is active already.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the shard is unknown, draining or stopped;
    /// [`AtMaxShards`](ScalingError::AtMaxShards), and the shard stays as it is.
    pub fn activate(&self, id: u16) -> Result<bool, ScalingError> {
        let mut state = self.state();
        let now = self.clock.now();
        let active = state.active_count();
        let shard = state.find(id).ok_or_else(|| unknown(id))?;
        match shard.state {
            ShardState::Active => Ok(false),
            ShardState::Draining | ShardState::Stopped => Err(wrong_state(id, shard.state)),
            ShardState::Provisioning if active >= self.policy.max_shards => {
                Err(ScalingError::AtMaxShards)
            }
            ShardState::Provisioning => {
                shard.state = ShardState::Active;
                shard.activated_at = Some(Since(now));
                self.note_change(state);
                Ok(true)
            }
        }
    }

    /// Takes a shard out of selection; the cooldown begins anew. Fine if it is draining already.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`], then [`InvalidPolicy`](ScalingError::InvalidPolicy) if the
    /// shard is unknown, provisioning or stopped.
    pub fn drain_specific(&self, id: u16) -> Result<(), ScalingError> {
        let mut state = self.state();
        let now = self.clock.now();
        if state.active_count() <= self.policy.min_shards {
            return Err(ScalingError::AtMinShards);
        }
        let shard = state.find(id).ok_or_else(|| unknown(id))?;
        match shard.state {
            ShardState::Draining => Ok(()),
            ShardState::Provisioning | ShardState::Stopped => Err(wrong_state(id, shard.state)),
            ShardState::Active => {
                shard.state = ShardState::Draining;
                state.scaled_at = Some(Since(now));
                self.note_change(state);
                Ok(())
            }
        }
    }

    /// Takes up to `count` shards out of selection, those with the least weight first, and returns
    /// their ids.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`] if none may go, then [`InCooldown`](ScalingError::InCooldown).
    pub fn scale_down(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.drain(count, true)
    }

    /// [`scale_down`](Self::scale_down) even while cooling down. The cooldown begins anew.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`] if none may go.
    pub fn scale_down_force(&self, count: u16) -> Result<Vec<u16>, ScalingError> {
        self.drain(count, false)
    }

    fn drain(&self, count: u16, cools: bool) -> Result<Vec<u16>, ScalingError> {
        let mut state = self.state();
        let now = self.clock.now();
        let count = count.min(state.active_count().saturating_sub(self.policy.min_shards));
        if count == 0 {
            return Err(ScalingError::AtMinShards);
        }
        if cools && state.is_cooling_down(self.policy.cooldown, now) {
            return Err(ScalingError::InCooldown);
        }
        let weight = |shard: &MappedShard| shard.metrics.map_or(0.0, |metrics| metrics.weight);
        let mut ids = Vec::new();
        for _ in 0..count {
            let mut least = f64::INFINITY;
            let mut lightest = None;
            for shard in state.shards.iter_mut().filter(|shard| shard.is_active()) {
                // The first of equals: the oldest.
                if weight(shard) < least || lightest.is_none() {
                    least = weight(shard);
                    lightest = Some(shard);
                }
            }
            let Some(lightest) = lightest else { break };
            lightest.state = ShardState::Draining;
            ids.push(lightest.id);
        }
        state.scaled_at = Some(Since(now));
        self.note_change(state);
        Ok(ids)
    }

    /// Stops the draining shards that are empty, and returns their ids. Routing sends a draining
    /// shard nothing, so an empty one stays empty; a late push only delays it until it is taken.
    pub fn finalize_draining(&self) -> Vec<u16> {
        let mut stopped = Vec::new();
        for shard in &mut self.state().shards {
            if shard.state == ShardState::Draining && shard.collector.is_empty() {
                shard.state = ShardState::Stopped;
                stopped.push(shard.id);
            }
        }
        stopped
    }

    /// Forgets a shard if it is stopped. Returns whether it was.
    pub fn remove_specific_stopped_shard(&self, id: u16) -> bool {
        let mut state = self.state();
        let before = state.shards.len();
        state.shards.retain(|shard| shard.id != id || shard.state != ShardState::Stopped);
        state.shards.len() < before
    }

    /// Forgets all stopped shards, and returns their ids.
    pub fn remove_stopped_shards(&self) -> Vec<u16> {
        let mut state = self.state();
        let is_stopped = |shard: &MappedShard| shard.state == ShardState::Stopped;
        let ids = state.shards.iter().filter(|shard| is_stopped(shard)).map(|s| s.id).collect();
        state.shards.retain(|shard| !is_stopped(shard));
        ids
    }

    /// Forgets a shard in whatever state it is. Returns the state.
    pub(crate) fn remove(&self, id: u16) -> Option<ShardState> {
        let mut state = self.state();
        let index = state.shards.iter().position(|shard| shard.id == id)?;
        let removed = state.shards.remove(index).state;
        if removed == ShardState::Active {
            state.scaled_at = Some(Since(self.clock.now()));
        }
        self.note_change(state);
        Some(removed)
    }

    /// Collects the metrics of all shards; a new window begins.
    pub fn collect_metrics(&self) -> Vec<ShardMetrics> {
        let mut state = self.state();
        let before = state.selection(&self.policy);
        let now = self.clock.now();
        let idle_below = self.policy.underutilized_threshold;
        let collect = |shard: &mut MappedShard| {
            shard.collector.set_draining(shard.state == ShardState::Draining);
            let metrics = shard.collector.collect_and_reset();
            shard.metrics = Some(metrics);
            let idle = metrics.fill_ratio < idle_below && metrics.event_rate == 0;
            shard.underutilized = idle.then(|| shard.underutilized.unwrap_or(Since(now)));
            metrics
        };
        let metrics = state.shards.iter_mut().map(collect).collect();
        if state.selection(&self.policy) != before {
            self.note_change(state);
        }
        metrics
    }

    /// The change that the metrics last collected ask for. Changes nothing.
    ///
    /// More than half of the active shards must be overloaded, or underutilized, and each must
    /// have been active for a cooldown.
    pub fn evaluate_scaling(&self) -> ScalingDecision {
        let policy = &self.policy;
        let mut state = self.state();
        let now = self.clock.now();
        if !policy.auto_scale || state.is_cooling_down(policy.cooldown, now) {
            return ScalingDecision::None;
        }
        let (mut overloaded, mut underutilized) = (0u16, 0u16);
        for shard in &mut state.shards {
            let warm =
                shard.activated_at.as_mut().is_none_or(|at| at.has_lasted(policy.cooldown, now));
            let (Some(metrics), ShardState::Active, true) = (shard.metrics, shard.state, warm)
            else {
                continue;
            };
            overloaded += u16::from(
                metrics.fill_ratio > policy.fill_ratio_threshold
                    || metrics.avg_push_latency_ns > policy.push_latency_threshold_ns
                    || metrics.avg_flush_latency_us > policy.flush_latency_threshold_us,
            );
            underutilized += u16::from(
                shard
                    .underutilized
                    .as_mut()
                    .is_some_and(|since| since.has_lasted(policy.scale_down_delay, now)),
            );
        }
        let active = state.active_count();
        if overloaded > active / 2 && active < policy.max_shards {
            ScalingDecision::ScaleUp((overloaded / 2).max(1).min(policy.max_shards - active))
        } else if underutilized > active / 2 && active > policy.min_shards {
            ScalingDecision::ScaleDown((underutilized / 2).max(1).min(active - policy.min_shards))
        } else {
            ScalingDecision::None
        }
    }

    /// The number of active shards.
    #[must_use]
    pub fn active_shard_count(&self) -> u16 {
        self.state().active_count()
    }

    /// The number of shards, in whatever state.
    #[must_use]
    pub fn total_shard_count(&self) -> u16 {
        self.state().shards.len() as u16
    }

    /// The ids of the active shards, oldest first.
    #[must_use]
    pub fn active_shard_ids(&self) -> Vec<u16> {
        self.state().active().map(|shard| shard.id).collect()
    }

    /// The ids of all shards that are not stopped, oldest first.
    #[must_use]
    pub fn all_shard_ids(&self) -> Vec<u16> {
        let is_there = |shard: &&MappedShard| shard.state != ShardState::Stopped;
        self.state().shards.iter().filter(is_there).map(|shard| shard.id).collect()
    }

    /// A shard's state.
    #[must_use]
    pub fn shard_state(&self, id: u16) -> Option<ShardState> {
        self.state().find(id).map(|shard| shard.state)
    }

    /// The collector that a shard reports to.
    #[must_use]
    pub fn metrics_collector(&self, id: u16) -> Option<Shared<ShardMetricsCollector>> {
        self.state().find(id).map(|shard| Shared::clone(&shard.collector))
    }
}

fn unknown(id: u16) -> ScalingError {
    ScalingError::InvalidPolicy(format!("there is no shard {id}"))
}

fn wrong_state(id: u16, state: ShardState) -> ScalingError {
    ScalingError::InvalidPolicy(format!("shard {id} is {state:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Cooldown 1 s, at most 8 shards, at least 1.
    fn mapper(initial: u16) -> (ShardMapper, Clock) {
        let clock = Clock::manual(1_000 * MS);
        let policy = ScalingPolicy { max_shards: 8, ..ScalingPolicy::default() };
        let mapper = ShardMapper::with_clock(initial, 1024, policy, clock.clone());
        (mapper.expect("the policy is valid"), clock)
    }

    fn selection(mapper: &ShardMapper) -> (Vec<u16>, Vec<u16>) {
        let View { keyed, unkeyed, .. } = mapper.view();
        (keyed, unkeyed)
    }

    fn pass(clock: &Clock, ms: u64) {
        clock.set(clock.now() + ms * MS);
    }

    fn fill(mapper: &ShardMapper, id: u16, len: usize) {
        mapper
            .metrics_collector(id)
            .expect("the shard exists")
            .record_state(len as u64, len as u64);
    }

    #[test]
    fn scaling_up_by_none_does_nothing() {
        let (mapper, _) = mapper(1);
        assert_eq!(mapper.scale_up(0), Ok(vec![]));
        assert_eq!(mapper.scale_up(1), Ok(vec![1]), "and starts no cooldown");
    }

    #[test]
    fn the_maximum_is_checked_before_the_cooldown() {
        let (mapper, clock) = mapper(4);
        assert_eq!(mapper.scale_up(2), Ok(vec![4, 5]));
        assert_eq!(mapper.scale_up(3), Err(ScalingError::AtMaxShards));
        assert_eq!(mapper.scale_up(2), Err(ScalingError::InCooldown));
        pass(&clock, 1000);
        assert_eq!(mapper.scale_up(2), Ok(vec![6, 7]));
        assert_eq!(mapper.active_shard_count(), 8);
    }

    #[test]
    fn a_forced_add_skips_the_cooldown_and_starts_it() {
        let (mapper, _) = mapper(1);
        assert_eq!(mapper.scale_up_provisioning(1), Ok(vec![1]));
        assert_eq!(mapper.scale_up_provisioning(1), Err(ScalingError::InCooldown));
        assert_eq!(mapper.scale_up_provisioning_force(1), Ok(vec![2]));
        assert_eq!(mapper.scale_up_provisioning_force(9), Err(ScalingError::AtMaxShards));
        assert_eq!((mapper.active_shard_count(), mapper.total_shard_count()), (1, 3));
    }

    #[test]
    fn activation_happens_once_and_only_from_provisioning() {
        let (mapper, _) = mapper(2);
        mapper.scale_up_provisioning(1).expect("there is room");
        assert_eq!(selection(&mapper).0, [0, 1]);
        assert_eq!(mapper.activate(2), Ok(true));
        assert_eq!(mapper.activate(2), Ok(false));
        assert_eq!(selection(&mapper).0, [0, 1, 2]);
        assert!(matches!(mapper.activate(9), Err(ScalingError::InvalidPolicy(_))));
        mapper.drain_specific(2).expect("two others are active");
        assert!(matches!(mapper.activate(2), Err(ScalingError::InvalidPolicy(_))));
    }

    #[test]
    fn activation_never_exceeds_the_maximum() {
        let (mapper, _) = mapper(7);
        mapper.scale_up_provisioning_force(1).expect("one fits");
        mapper.scale_up_provisioning_force(1).expect("none of them is active yet");
        assert_eq!(mapper.activate(7), Ok(true));
        assert_eq!(mapper.activate(8), Err(ScalingError::AtMaxShards));
        assert_eq!(mapper.shard_state(8), Some(ShardState::Provisioning));
    }

    #[test]
    fn draining_checks_the_minimum_first_and_ignores_the_cooldown() {
        let (mapper, clock) = mapper(1);
        assert_eq!(mapper.drain_specific(9), Err(ScalingError::AtMinShards));
        mapper.scale_up(2).expect("there is room");
        assert!(matches!(mapper.drain_specific(9), Err(ScalingError::InvalidPolicy(_))));
        assert_eq!(mapper.drain_specific(1), Ok(()), "within the cooldown");
        assert_eq!(mapper.drain_specific(1), Ok(()), "again");
        assert_eq!(selection(&mapper).0, [0, 2]);
        pass(&clock, 999);
        assert_eq!(mapper.scale_up(1), Err(ScalingError::InCooldown), "draining started it");
    }

    #[test]
    fn scaling_down_takes_the_lightest_and_the_oldest_of_equals() {
        let (mapper, clock) = mapper(4);
        fill(&mapper, 0, 500);
        fill(&mapper, 2, 10);
        mapper.collect_metrics();
        assert_eq!(mapper.scale_down(0), Err(ScalingError::AtMinShards));
        assert_eq!(mapper.scale_down(2), Ok(vec![1, 3]));
        assert_eq!(mapper.scale_down(1), Err(ScalingError::InCooldown));
        pass(&clock, 1000);
        assert_eq!(mapper.scale_down(9), Ok(vec![2]), "as many as may go");
        pass(&clock, 1000);
        assert_eq!(mapper.scale_down(1), Err(ScalingError::AtMinShards));
    }

    #[test]
    fn a_late_push_does_not_keep_a_shard_draining_for_ever() {
        let (mapper, _) = mapper(2);
        fill(&mapper, 1, 3);
        mapper.drain_specific(1).expect("another is active");
        assert_eq!(mapper.finalize_draining(), Vec::<u16>::new());
        fill(&mapper, 1, 1);
        assert_eq!(mapper.finalize_draining(), Vec::<u16>::new());
        mapper.metrics_collector(1).expect("still there").record_state(0, 4);
        assert_eq!(mapper.finalize_draining(), [1]);
        assert_eq!(mapper.all_shard_ids(), [0]);
        assert!(mapper.remove_specific_stopped_shard(1));
        assert!(!mapper.remove_specific_stopped_shard(1));
    }

    #[test]
    fn ids_are_never_used_again() {
        let (mapper, clock) = mapper(2);
        for expected in 2..50 {
            pass(&clock, 1000);
            assert_eq!(mapper.scale_up(1), Ok(vec![expected]));
            mapper.drain_specific(expected).expect("others are active");
            assert_eq!(mapper.finalize_draining(), [expected]);
            assert_eq!(mapper.remove_stopped_shards(), [expected]);
        }
        mapper.state().next_id = u16::MAX - 1;
        pass(&clock, 1000);
        assert_eq!(mapper.scale_up(1), Err(ScalingError::AtMaxShards), "65535 is no id");
    }

    #[test]
    fn more_than_half_overloaded_asks_for_half_as_many_more() {
        let (mapper, _) = mapper(4);
        for id in 0..2 {
            fill(&mapper, id, 1000);
        }
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None, "half is not more");
        for id in 0..4 {
            fill(&mapper, id, 1000);
        }
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::ScaleUp(2));
    }

    #[test]
    fn slow_batches_and_slow_pushes_are_overload_too() {
        let (mapper, _) = mapper(1);
        let collector = mapper.metrics_collector(0).expect("the shard exists");
        for (record, threshold) in [
            (ShardMetricsCollector::record_push as fn(&_, _), 10_000),
            (ShardMetricsCollector::record_flush, 1_000_000),
        ] {
            record(&collector, threshold);
            mapper.collect_metrics();
            assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None);
            record(&collector, threshold + 1);
            mapper.collect_metrics();
            assert_eq!(mapper.evaluate_scaling(), ScalingDecision::ScaleUp(1));
        }
    }

    #[test]
    fn a_fresh_shard_says_nothing_until_it_is_warm() {
        let (mapper, clock) = mapper(1);
        mapper.scale_up(1).expect("there is room");
        pass(&clock, 999);
        for id in 0..2 {
            fill(&mapper, id, 1000);
        }
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None, "cooldown");
        pass(&clock, 1);
        mapper.scale_up(1).expect("there is room");
        pass(&clock, 1000);
        mapper.state().shards[2].activated_at = Some(Since(clock.now()));
        fill(&mapper, 2, 1000);
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::ScaleUp(1), "two of three count");
    }

    #[test]
    fn shards_must_be_idle_for_the_whole_delay_to_go() {
        let (mapper, clock) = mapper(4);
        mapper.collect_metrics();
        pass(&clock, 9_999);
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None);
        pass(&clock, 1);
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::ScaleDown(2));
        for id in 0..3 {
            fill(&mapper, id, 1);
        }
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None, "events came");
    }

    #[test]
    fn nothing_is_decided_while_automatic_scaling_is_off() {
        let policy = ScalingPolicy { auto_scale: false, max_shards: 8, ..ScalingPolicy::default() };
        let mapper = ShardMapper::with_clock(2, 1024, policy, Clock::manual(0)).expect("valid");
        fill(&mapper, 0, 1000);
        fill(&mapper, 1, 1000);
        mapper.collect_metrics();
        assert_eq!(mapper.evaluate_scaling(), ScalingDecision::None);
    }

    #[test]
    fn load_steers_unkeyed_events_and_never_onto_fewer_than_half() {
        let (mapper, _) = mapper(4);
        fill(&mapper, 1, 800);
        mapper.collect_metrics();
        assert_eq!(selection(&mapper), (vec![0, 1, 2, 3], vec![0, 2, 3]));
        for id in [0, 2] {
            fill(&mapper, id, 800);
        }
        mapper.collect_metrics();
        assert_eq!(selection(&mapper), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
    }

    #[test]
    fn a_clock_that_goes_back_starts_the_wait_anew() {
        let (mapper, clock) = mapper(1);
        mapper.scale_up(1).expect("there is room");
        clock.set(5 * MS);
        assert_eq!(mapper.scale_up(1), Err(ScalingError::InCooldown));
        pass(&clock, 1000);
        assert_eq!(mapper.scale_up(1), Ok(vec![2]));
    }

    #[test]
    fn the_policy_is_normalized_and_raised_to_the_initial_shards() {
        let policy = ScalingPolicy { min_shards: 3, max_shards: 1, ..ScalingPolicy::default() };
        let mapper = ShardMapper::new(5, 1024, policy).expect("valid once normalized");
        assert_eq!(mapper.policy().max_shards, 5);
        let policy = ScalingPolicy { min_shards: 0, ..ScalingPolicy::default() };
        assert!(ShardMapper::new(1, 1024, policy).is_err());
    }
}
