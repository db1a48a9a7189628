//! Shards that come and go.

use crate::ledger::{Lane, Ledger, Phase, RESTORED};
use crate::trace::note;
use crate::violation::{CheckResult, ensure, ensure_eq};
use shardbus::{ScalingError, ShardState};

impl Ledger {
    pub fn scale_up(&mut self, count: u16) -> CheckResult {
        self.bus.clock().set(self.wall);
        let result = self.bus.scale_up(count);
        note!(self, "    {result:?}");
        let active = self.active();
        let Some(most) = self.config().scaling.as_ref().map(|policy| policy.max_shards) else {
            ensure!(
                matches!(result, Err(ScalingError::InvalidPolicy(_))),
                "what does not scale says so"
            );
            return Ok(());
        };
        let fits = active + count <= most;
        ensure!(
            if fits { result.is_ok() } else { result == Err(ScalingError::AtMaxShards) },
            "shards are added up to the maximum, and not beyond",
            "{active} + {count} of {most}: {result:?}"
        );
        let before = self.lanes.shards.len();
        self.follow(false)?;
        let added: Vec<_> = (before..self.lanes.shards.len()).map(|id| id as u16).collect();
        ensure_eq!(result.unwrap_or_default(), added, "new shards have new ids");
        Ok(())
    }

    pub fn scale_down(&mut self, count: u16) -> CheckResult {
        self.bus.clock().set(self.wall);
        let active = self.active();
        let result = self.bus.scale_down(count);
        note!(self, "    {result:?}");
        let Some(fewest) = self.config().scaling.as_ref().map(|policy| policy.min_shards) else {
            return Ok(());
        };
        let spare = count.min(active - fewest);
        let is_right = match &result {
            Ok(ids) => ids.len() == usize::from(spare),
            Err(error) => *error == ScalingError::AtMinShards && spare == 0,
        };
        ensure!(is_right, "shards are drained down to the minimum, and not below", "{result:?}");
        self.follow(false)?;
        let is_draining =
            |id: &u16| matches!(self.lanes[usize::from(*id)].phase, Phase::Draining | Phase::Gone);
        ensure!(
            result.is_err() || self.active() == active - spare,
            "as many shards drain as was said"
        );
        ensure!(
            result.unwrap_or_default().iter().all(is_draining),
            "the shards that were named drain"
        );
        Ok(())
    }

    fn active(&self) -> u16 {
        let is_active =
            |lane: &&usize| **lane != RESTORED && self.lanes[**lane].phase == Phase::Active;
        self.present.iter().filter(is_active).count() as u16
    }

    /// Reads the present shards. `polled`: true if the bus may have scaled by itself and removed
    /// drained shards.
    pub fn follow(&mut self, polled: bool) -> CheckResult {
        let Some(policy) = self.config().scaling else { return Ok(()) };
        let infos = self.bus.stats().shards;
        let mut has_changed = false;
        for info in &infos {
            let id = usize::from(info.id);
            if id >= self.lanes.shards.len() {
                ensure_eq!(id, self.lanes.shards.len(), "ids are counted up");
                self.lanes.shards.push(Lane::new());
                self.present.push(id);
                has_changed = true;
            }
            let lane = &mut self.lanes[id];
            match (lane.phase, info.state) {
                (Phase::Active, ShardState::Active) | (Phase::Draining, ShardState::Draining) => {}
                (Phase::Active, ShardState::Draining) => {
                    lane.phase = Phase::Draining;
                    has_changed = true;
                }
                (phase, state) => {
                    ensure!(false, "a shard is active, drains, and goes", "{phase:?} {state:?}");
                }
            }
        }
        let mut is_right = true;
        let (lanes, mut has_removed) = (&mut self.lanes, false);
        self.present.retain(|&id| {
            if id == RESTORED {
                return true;
            }
            let is_there = infos.iter().any(|info| usize::from(info.id) == id);
            let lane = &mut lanes[id];
            if !is_there {
                // A shard that was idle may begin to drain and go in one poll.
                has_changed |= lane.phase == Phase::Active;
                is_right &= polled && lane.is_empty();
                lane.phase = Phase::Gone;
                has_removed = true;
            } else if polled && lane.phase == Phase::Draining {
                is_right &= !lane.is_empty();
            }
            is_there
        });
        if has_removed {
            // Whose turn it is shifts with the others.
            self.present.iter().for_each(|&id| self.lanes[id].passed_over = 0);
        }
        ensure!(is_right, "a shard goes once it is drained, and not before");
        if has_changed {
            let scales = policy.auto_scale && !self.is_closed;
            ensure!(!polled || scales, "the bus scales by itself only if it may");
            self.topology += 1;
            if self.is_keyed {
                self.fences.push_back(self.events.len());
            }
            note!(self, "    shards: {:?}", self.bus.stats().shards);
        }
        let active = self.active();
        ensure!(
            (policy.min_shards..=policy.max_shards).contains(&active),
            "the number of active shards is within its bounds",
            "{active}"
        );
        Ok(())
    }
}
