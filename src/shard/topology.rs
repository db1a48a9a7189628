//! Changes of the set of shards.
//!
//! The mapper decides, and the manager follows: it publishes a routing table, with a new version if
//! keyed events are spread over other shards than before. A shard learns of a version from the
//! first who comes under its lock, a producer that was routed by it or the thread that changes the
//! set, and refuses from then on events that were routed by an older one: the producer routes them
//! anew. So every event was accepted either before the change, by the old table, or after it, by
//! the new one; and nobody waits for a shard to change the set, which a thread may do that holds
//! one.

use crate::error::ScalingError;
use crate::event::InternalEvent;
use crate::shard::{
    ScalingDecision, ShardManager, ShardMapper, ShardMetrics, ShardRef, ShardStats, Watermarks,
};
use crate::sync::Shared;

/// A change of the set of shards that take events.
#[derive(Debug)]
pub(crate) struct Change {
    /// The shards that were added, or that began to drain.
    pub(crate) ids: Vec<u16>,
    /// The shards' accepted events by the old table.
    pub(crate) watermarks: Watermarks,
}

impl ShardManager {
    fn scaled(&self) -> Result<&Shared<ShardMapper>, ScalingError> {
        let off = || ScalingError::InvalidPolicy("dynamic scaling is not enabled".to_owned());
        self.mapper.as_ref().ok_or_else(off)
    }

    /// Publishes a table that routes as the mapper says, if the last one does not.
    #[inline(never)]
    pub(super) fn follow(&self, mapper: &ShardMapper) {
        self.publish(mapper, None);
    }

    /// Publishes a table that routes as the mapper says, without the shard that is `gone`. Returns
    /// whether the last one had it.
    fn publish(&self, mapper: &ShardMapper, gone: Option<&ShardRef>) -> bool {
        // One at a time, and none of them waits for anything but the mapper's own lock.
        let only_here = "nothing but the manager's own code runs while it publishes a table";
        let _change = self.changes.lock().expect(only_here);
        let table = self.table.load();
        let view = mapper.view();
        let had_it = gone.is_some_and(|gone| table.find(gone.id()).is_some());
        if had_it || view.version != table.mapper_version {
            self.table.store(table.following(&view, gone, |id| self.new_shard(id)));
        }
        had_it
    }

    /// Shows every shard the present table, and returns what each had accepted by older ones.
    fn watermarks(&self) -> Watermarks {
        let table = self.table.load();
        let mut watermarks = Watermarks::default();
        for mut shard in table.shards.iter().filter_map(ShardRef::enter) {
            shard.see_table(table.version);
            watermarks.add(shard.id, shard.accepted_by_older_tables());
        }
        watermarks
    }

    /// Adds a shard that takes no events until it is [activated](Self::activate_shard).
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMaxShards`] or [`InCooldown`](ScalingError::InCooldown), in this order;
    /// [`InvalidPolicy`](ScalingError::InvalidPolicy) if the set of shards cannot change.
    pub fn add_shard(&self) -> Result<u16, ScalingError> {
        self.provision(|mapper| mapper.scale_up_provisioning(1))
    }

    /// [`add_shard`](Self::add_shard) even while cooling down.
    ///
    /// # Errors
    ///
    /// As [`add_shard`](Self::add_shard), without the cooldown.
    pub fn add_shard_force(&self) -> Result<u16, ScalingError> {
        self.provision(|mapper| mapper.scale_up_provisioning_force(1))
    }

    fn provision(
        &self,
        allocate: impl FnOnce(&ShardMapper) -> Result<Vec<u16>, ScalingError>,
    ) -> Result<u16, ScalingError> {
        let mapper = self.scaled()?;
        let ids = allocate(mapper)?;
        self.follow(mapper);
        ids.first().copied().ok_or(ScalingError::AtMaxShards)
    }

    /// Lets a shard that was added take events. Fine if it does already.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the shard is unknown or draining, or the set of shards
    /// cannot change; [`AtMaxShards`](ScalingError::AtMaxShards), and the shard stays as it is.
    pub fn activate_shard(&self, id: u16) -> Result<(), ScalingError> {
        let mapper = self.scaled()?;
        mapper.activate(id)?;
        self.follow(mapper);
        Ok(())
    }

    /// Lets a shard take no more events, but for those that other threads are offering now. Fine if
    /// it is draining already.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`], then [`InvalidPolicy`](ScalingError::InvalidPolicy) if the
    /// shard is unknown or was never activated, or the set of shards cannot change.
    pub fn drain_shard(&self, id: u16) -> Result<(), ScalingError> {
        let mapper = self.scaled()?;
        mapper.drain_specific(id)?;
        self.follow(mapper);
        Ok(())
    }

    /// Removes a shard, whatever its state: it takes no more events from this moment, and its own
    /// are returned in order. Its counters stay in the [sums](Self::stats). Nothing happens if
    /// there is no such shard. Waits until nobody holds the shard: with threads, a caller that does
    /// waits for itself.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the set of shards cannot change or, in the single-threaded
    /// build, the caller holds the shard.
    pub fn remove_shard(&self, id: u16) -> Result<Vec<InternalEvent>, ScalingError> {
        let removed = self.detach_shard(id)?;
        Ok(removed.map_or_else(Vec::new, |shard| shard.lock().pop_batch(usize::MAX)))
    }

    /// [`remove_shard`](Self::remove_shard), but the shard keeps its events.
    pub(crate) fn detach_shard(&self, id: u16) -> Result<Option<ShardRef>, ScalingError> {
        let held = || {
            let why = "the caller holds the shard; let go of it first";
            ScalingError::InvalidPolicy(why.to_owned())
        };
        let mapper = self.scaled()?;
        let Some(shard) = self.shard(id) else { return Ok(None) };
        // Found out before the mapper is touched, so that a refused removal leaves no trace.
        drop(shard.enter().ok_or_else(held)?);
        mapper.remove(id);
        self.follow(mapper);
        // No table has this version, so a producer with an older table routes anew.
        shard.enter().ok_or_else(held)?.see_table(u64::MAX);
        // Nothing is routed to it any more. Its counters are seen either in it or in the sums.
        Ok(self.publish(mapper, Some(&shard)).then_some(shard))
    }

    /// Adds `count` shards that take events at once.
    pub(crate) fn grow(&self, count: u16, cools: bool) -> Result<Change, ScalingError> {
        let mapper = self.scaled()?;
        let ids = if cools { mapper.scale_up(count)? } else { mapper.scale_up_force(count)? };
        self.follow(mapper);
        Ok(Change { ids, watermarks: self.watermarks() })
    }

    /// Lets up to `count` shards take no more events.
    pub(crate) fn shrink(&self, count: u16, cools: bool) -> Result<Change, ScalingError> {
        let mapper = self.scaled()?;
        let ids = if cools { mapper.scale_down(count)? } else { mapper.scale_down_force(count)? };
        self.follow(mapper);
        Ok(Change { ids, watermarks: self.watermarks() })
    }

    /// Collects the metrics of all shards, and steers unkeyed events by them. `None` if the set of
    /// shards cannot change.
    pub fn collect_metrics(&self) -> Option<Vec<ShardMetrics>> {
        let mapper = self.mapper.as_ref()?;
        let metrics = mapper.collect_metrics();
        self.follow(mapper);
        Some(metrics)
    }

    /// The change that the metrics last collected ask for. Changes nothing.
    #[must_use]
    pub fn evaluate_scaling(&self) -> ScalingDecision {
        let mapper = self.mapper.as_ref();
        mapper.map_or(ScalingDecision::None, |mapper| mapper.evaluate_scaling())
    }

    /// Sums of the counters of the shards that were removed.
    pub(crate) fn removed_stats(&self) -> ShardStats {
        self.table.load().removed
    }

    /// Handles to all shards.
    pub(crate) fn shards(&self) -> Vec<ShardRef> {
        self.table().shards.clone()
    }
}
