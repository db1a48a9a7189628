//! How the set of shards changes.
//!
//! A change locks every shard, notes how much each has accepted, and publishes a new routing table
//! with a new version, which the shards note too. A producer that has routed by an older table
//! finds that out under the shard's lock and routes anew. So every event was accepted either
//! before the change, by the old table, or after it, by the new one.

use crate::error::ScalingError;
use crate::event::InternalEvent;
use crate::shard::routing::RoutingTable;
use crate::shard::{
    ScalingDecision, Shard, ShardManager, ShardMapper, ShardMetrics, ShardRef, ShardStats,
    Watermarks,
};
use crate::sync::LockGuard;

/// A change of the set of shards that take events.
#[derive(Debug)]
pub(crate) struct Change {
    /// The shards that were added, or that began to drain.
    pub(crate) ids: Vec<u16>,
    /// What the shards had accepted by the old table.
    pub(crate) watermarks: Watermarks,
}

fn held_by_caller() -> ScalingError {
    ScalingError::InvalidPolicy("the caller holds a shard; let go of it first".to_owned())
}

impl ShardManager {
    fn scaled(&self) -> Result<&ShardMapper, ScalingError> {
        let off = || ScalingError::InvalidPolicy("dynamic scaling is not enabled".to_owned());
        self.mapper.as_ref().ok_or_else(off)
    }

    /// Begins a change. One at a time, and none while counters are summed up.
    fn begin_change(&self) -> Result<LockGuard<'_, ShardStats>, ScalingError> {
        let removed = self.removed.lock().map_err(|_| held_by_caller())?;
        // Found out before the mapper is touched, so that a refused change leaves no trace.
        let is_held = self.table.load().shards.iter().any(|shard| shard.enter().is_none());
        if is_held { Err(held_by_caller()) } else { Ok(removed) }
    }

    /// Publishes a table of `shards`, routed to as the mapper says. With `reroutes`, what was
    /// routed by the old table and has not arrived yet is routed anew.
    fn publish(
        &self,
        shards: Vec<ShardRef>,
        mapper: &ShardMapper,
        reroutes: bool,
    ) -> Result<Watermarks, ScalingError> {
        let old = self.table.load();
        let version = old.version + u64::from(reroutes);
        // No change both adds and removes, so the longer list has all that are concerned.
        let longer = if shards.len() > old.shards.len() { &shards } else { &old.shards };
        let concerned = longer.clone();
        // Nobody else ever holds more than one, so these cannot wait for each other.
        let mut guards = Vec::new();
        for shard in &concerned {
            guards.push(shard.enter().ok_or_else(held_by_caller)?);
        }
        let watermark = |shard: &mut LockGuard<'_, Shard>| {
            shard.table_version = version;
            (shard.id, shard.stats().events_ingested)
        };
        let watermarks = guards.iter_mut().map(watermark).collect();
        let pick = |ids: Vec<u16>| {
            let picked = shards.iter().filter(|shard| ids.contains(&shard.id()));
            picked.cloned().collect()
        };
        let (keyed, unkeyed) = mapper.selection();
        let (keyed, unkeyed) = (pick(keyed), pick(unkeyed));
        self.table.store(RoutingTable { version, shards, keyed, unkeyed });
        Ok(watermarks)
    }

    fn with_added(&self, ids: &[u16]) -> Vec<ShardRef> {
        let mut shards = self.shards();
        shards.extend(ids.iter().map(|&id| self.new_shard(id)));
        shards
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
        let _change = self.begin_change()?;
        let ids = allocate(mapper)?;
        self.publish(self.with_added(&ids), mapper, false)?;
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
        let _change = self.begin_change()?;
        if mapper.activate(id)? {
            self.publish(self.shards(), mapper, true)?;
        }
        Ok(())
    }

    /// Lets a shard take no more events. Fine if it is draining already.
    ///
    /// # Errors
    ///
    /// [`ScalingError::AtMinShards`], then [`InvalidPolicy`](ScalingError::InvalidPolicy) if the
    /// shard is unknown or was never activated, or the set of shards cannot change.
    pub fn drain_shard(&self, id: u16) -> Result<(), ScalingError> {
        let mapper = self.scaled()?;
        let _change = self.begin_change()?;
        mapper.drain_specific(id)?;
        self.publish(self.shards(), mapper, true).map(drop)
    }

    /// Removes a shard, whatever its state: it takes no more events from this moment, and what it
    /// held is returned in order. Its counters stay in the [sums](Self::stats). Nothing happens if
    /// there is no such shard.
    ///
    /// # Errors
    ///
    /// [`ScalingError::InvalidPolicy`] if the set of shards cannot change.
    pub fn remove_shard(&self, id: u16) -> Result<Vec<InternalEvent>, ScalingError> {
        let removed = self.detach_shard(id)?;
        Ok(removed.map_or_else(Vec::new, |shard| shard.lock().pop_batch(usize::MAX)))
    }

    /// [`remove_shard`](Self::remove_shard), but what the shard held stays in it.
    pub(crate) fn detach_shard(&self, id: u16) -> Result<Option<ShardRef>, ScalingError> {
        let mapper = self.scaled()?;
        let mut removed = self.begin_change()?;
        let mut shards = self.shards();
        let Some(index) = shards.iter().position(|shard| shard.id() == id) else {
            return Ok(None);
        };
        let gone = shards.remove(index);
        mapper.remove(id);
        self.publish(shards, mapper, true)?;
        let mut shard = gone.enter().ok_or_else(held_by_caller)?;
        // No table has this version, so whoever holds the old table finds out that it is old.
        shard.table_version = u64::MAX;
        *removed = removed.plus(&shard.stats());
        drop(shard);
        Ok(Some(gone))
    }

    /// Adds `count` shards that take events at once.
    pub(crate) fn grow(&self, count: u16, cools: bool) -> Result<Change, ScalingError> {
        let mapper = self.scaled()?;
        let _change = self.begin_change()?;
        let ids = if cools { mapper.scale_up(count)? } else { mapper.scale_up_force(count)? };
        let watermarks = self.publish(self.with_added(&ids), mapper, true)?;
        Ok(Change { ids, watermarks })
    }

    /// Lets up to `count` shards take no more events.
    pub(crate) fn shrink(&self, count: u16, cools: bool) -> Result<Change, ScalingError> {
        let mapper = self.scaled()?;
        let _change = self.begin_change()?;
        let ids = if cools { mapper.scale_down(count)? } else { mapper.scale_down_force(count)? };
        let watermarks = self.publish(self.shards(), mapper, true)?;
        Ok(Change { ids, watermarks })
    }

    /// Collects the metrics of all shards, and steers unkeyed events by them. `None` if the set of
    /// shards cannot change.
    pub fn collect_metrics(&self) -> Option<Vec<ShardMetrics>> {
        let mapper = self.mapper.as_ref()?;
        let _change = self.begin_change().ok()?;
        let metrics = mapper.collect_metrics();
        let table = self.table.load();
        let routed: Vec<_> = table.unkeyed.iter().map(ShardRef::id).collect();
        if routed != mapper.selection().1 {
            // Where a keyed event goes stays the same, so nothing need be routed anew.
            self.publish(table.shards.clone(), mapper, false).ok()?;
        }
        Some(metrics)
    }

    /// What the metrics last collected ask for. Changes nothing.
    #[must_use]
    pub fn evaluate_scaling(&self) -> ScalingDecision {
        self.mapper.as_ref().map_or(ScalingDecision::None, ShardMapper::evaluate_scaling)
    }

    /// Sums of the counters of the shards that were removed.
    pub(crate) fn removed_stats(&self) -> ShardStats {
        self.removed.lock().map(|removed| *removed).unwrap_or_default()
    }

    /// Handles to all shards.
    pub(crate) fn shards(&self) -> Vec<ShardRef> {
        self.table.load().shards.clone()
    }
}
