//! Which shard a hash belongs to.

use crate::shard::mapper::View;
use crate::shard::{ShardRef, ShardState, ShardStats};
use crate::sync::{Shared, Snapshot};
use std::ops::Deref;

/// The shards at one moment.
#[derive(Debug)]
pub(super) struct RoutingTable {
    /// Counts the changes of `keyed`. A shard that has seen a later version refuses events that
    /// were routed by this one.
    pub(super) version: u64,
    /// The version of the mapper that this table follows.
    pub(super) mapper_version: u64,
    /// All shards, oldest first and so by ascending id, whether they take events or not.
    pub(super) shards: Vec<ShardRef>,
    /// Those that keyed events are spread over.
    pub(super) keyed: Vec<ShardRef>,
    /// Those that unkeyed events are spread over.
    pub(super) unkeyed: Vec<ShardRef>,
    /// The number of shards that take events, or did until they began to drain.
    pub(super) num_activated: u16,
    /// Sums of the counters of shards that were removed.
    pub(super) removed: ShardStats,
}

impl RoutingTable {
    /// A table in which all shards take events.
    pub(super) fn of(shards: Vec<ShardRef>) -> Self {
        Self {
            version: 0,
            mapper_version: 0,
            keyed: shards.clone(),
            unkeyed: shards.clone(),
            num_activated: shards.len() as u16,
            shards,
            removed: ShardStats::default(),
        }
    }

    /// The table after this one, which routes as the mapper says: with a shard by `new_shard` for
    /// each id that is new, and without `gone`, which takes no events. A shard that the mapper has
    /// forgotten stays until it is gone.
    pub(super) fn following(
        &self,
        view: &View,
        gone: Option<&ShardRef>,
        new_shard: impl Fn(u16) -> ShardRef,
    ) -> Self {
        let (mut shards, mut removed) = (self.shards.clone(), self.removed);
        for &(id, _) in &view.states {
            if self.position(id).is_none() {
                shards.push(new_shard(id));
            }
        }
        if let Some(gone) = gone
            && let Some(at) = self.position(gone.id())
        {
            shards.remove(at);
            removed = removed.plus(&gone.counters().stats());
        }
        let (keyed, unkeyed) = (pick(&shards, &view.keyed), pick(&shards, &view.unkeyed));
        let reroutes = !keyed.iter().map(ShardRef::id).eq(self.keyed.iter().map(ShardRef::id));
        let is_provisioning = |(_, state): &&(u16, ShardState)| *state == ShardState::Provisioning;
        let num_provisioning = view.states.iter().filter(is_provisioning).count();
        Self {
            version: self.version + u64::from(reroutes),
            mapper_version: view.version,
            keyed,
            unkeyed,
            num_activated: (shards.len() - num_provisioning) as u16,
            shards,
            removed,
        }
    }

    fn position(&self, id: u16) -> Option<usize> {
        // The shard's index if no shard before it was removed, as in a set that does not change.
        let own = usize::from(id);
        if self.shards.get(own).is_some_and(|shard| shard.id() == id) {
            return Some(own);
        }
        self.shards.binary_search_by_key(&id, ShardRef::id).ok()
    }

    /// The shard with this id.
    #[inline]
    pub(super) fn find(&self, id: u16) -> Option<&ShardRef> {
        self.position(id).map(|at| &self.shards[at])
    }

    /// The shard that takes events with this hash.
    #[inline]
    pub(super) fn route(&self, hash: u64, is_keyed: bool) -> Option<&ShardRef> {
        let shards = if is_keyed { &self.keyed } else { &self.unkeyed };
        shards.get(reduce(hash, shards.len()))
    }
}

/// The shards with these ids.
#[inline(never)]
fn pick(shards: &[ShardRef], ids: &[u16]) -> Vec<ShardRef> {
    let mut picked = Vec::new();
    for shard in shards {
        if ids.contains(&shard.id()) {
            picked.push(shard.clone());
        }
    }
    picked
}

/// Holds the present table. Without scaling there is only one, and no event pays for a snapshot of
/// it.
#[derive(Debug)]
pub(super) enum Routes {
    Fixed(RoutingTable),
    Changing(Snapshot<RoutingTable>),
}

impl Routes {
    /// The table now; a later [`store`](Self::store) does not change the loaded one.
    #[inline]
    pub(super) fn load(&self) -> impl Deref<Target = RoutingTable> {
        match self {
            Self::Fixed(table) => Loaded::Fixed(table),
            Self::Changing(snapshot) => Loaded::Snapshot(snapshot.load()),
        }
    }

    /// The shard that takes every event, if one does and will.
    #[inline]
    pub(super) fn only(&self) -> Option<&ShardRef> {
        match self {
            Self::Fixed(RoutingTable { shards, .. }) if shards.len() == 1 => shards.first(),
            _ => None,
        }
    }

    /// Replaces the table, which must be one that changes.
    pub(super) fn store(&self, table: RoutingTable) {
        match self {
            Self::Fixed(_) => debug_assert!(false, "the set of shards is fixed"),
            Self::Changing(snapshot) => snapshot.store(table),
        }
    }
}

/// The result of [`Routes::load`].
enum Loaded<'a, S> {
    Fixed(&'a RoutingTable),
    Snapshot(S),
}

impl<S: Deref<Target = Shared<RoutingTable>>> Deref for Loaded<'_, S> {
    type Target = RoutingTable;

    #[inline]
    fn deref(&self) -> &RoutingTable {
        match self {
            Self::Fixed(table) => table,
            Self::Snapshot(snapshot) => snapshot,
        }
    }
}

/// `floor(hash * n / 2^64)`: Lemire's multiply-shift reduction, where the high bits of the hash
/// decide. Index `k` owns the hashes in `[ceil(k * 2^64 / n), ceil((k + 1) * 2^64 / n))`.
///
/// Source: D. Lemire, "Fast random integer generation in an interval", 2019.
#[inline]
pub(crate) fn reduce(hash: u64, n: usize) -> usize {
    // In halves, because wasm would call a function for a product of 128 bits. `n` has 32 at most.
    let (high, low, n) = (hash >> 32, hash & u64::from(u32::MAX), n as u64);
    ((high * n + ((low * n) >> 32)) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    shardbus_seeds::properties! {
        256;

        #[test]
        fn halves_lose_nothing(hash: u64, n in 1usize..=1 << 16) {
            let product = u128::from(hash) * n as u128;
            prop_assert_eq!(reduce(hash, n), (product >> 64) as usize);
        }
    }

    #[test]
    fn boundaries_are_exact() {
        assert_eq!(reduce(0, 7), 0);
        assert_eq!(reduce(u64::MAX, 7), 6);
        assert_eq!(reduce(0x8000_0000_0000_0000, 3), 1);
        assert_eq!(reduce(0x5555_5555_5555_5555, 3), 0);
        assert_eq!(reduce(0x5555_5555_5555_5556, 3), 1);
        assert_eq!(reduce(0xdead_beef_dead_beef, 7), 6);
    }

    #[test]
    fn one_shard_takes_everything() {
        for hash in [0, 1, 1 << 63, u64::MAX] {
            assert_eq!(reduce(hash, 1), 0);
        }
    }
}
