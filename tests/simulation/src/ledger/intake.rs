//! Events in.

use crate::ledger::{Event, Exit, KEYS, Ledger, Phase};
use crate::trace::note;
use crate::violation::{CheckResult, ensure, ensure_eq};
use shardbus::{BackpressureMode, Format, IngestionError};

/// An offered payload.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Bytes of the payload; none is an event of no bytes.
    pub len: usize,
    pub key: Option<u8>,
    /// True if it has a newline in it.
    pub has_newline: bool,
}

/// Most bytes of a payload.
const MAX_LEN: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Full,
    Sampled,
}

/// The byte of an event's payload at an index: its number, then more digits.
fn byte_of(event: usize, at: usize) -> u8 {
    let digit = match at {
        0 => 1 + event / 1000 % 9,
        1 => event / 100 % 10,
        2 => event / 10 % 10,
        3 => event % 10,
        _ => (event + at * 7) % 10,
    };
    b'0' + digit as u8
}

/// Writes an event's payload: its number, then more digits, and a newline if it is to have one.
fn write_payload(event: usize, has_newline: bool, payload: &mut [u8]) {
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte = byte_of(event, at);
    }
    if has_newline && let Some(last) = payload.last_mut() {
        *last = b'\n';
    }
}

/// True if the bytes are the payload of this event.
pub fn is_payload_of(payload: &[u8], event: usize, has_newline: bool) -> bool {
    let (digits, last) = payload.split_at(payload.len() - usize::from(has_newline));
    digits.iter().enumerate().all(|(at, &byte)| byte == byte_of(event, at))
        && last.iter().all(|&byte| byte == b'\n')
}

impl Ledger {
    /// Offers an event. Returns whether it was accepted.
    pub fn ingest(&mut self, offer: Offer) -> CheckResult<bool> {
        let Offer { len, key, has_newline } = offer;
        let index = self.events.len();
        let mut bytes = [0; MAX_LEN];
        let payload = &mut bytes[..len];
        write_payload(index, has_newline, payload);
        let payload = &bytes[..len];
        let key_bytes = key.map(|key| [b'a' + key]);
        let key_bytes = key_bytes.as_ref().map(|key| &key[..]);

        self.bus.clock().set(self.wall);
        let certain = self.bus.room();
        let is_ready = self.bus.is_ready();
        let evicted = self.counts.evicted;
        let target = match key_bytes {
            Some(key) => Some(self.bus.shard_for(key)),
            // Load may send it elsewhere.
            None if self.config().scaling.is_some() => None,
            None => Some(self.bus.shard_for(payload)),
        };
        let result = self.bus.ingest(payload, key_bytes);
        self.counts.offered += 1;

        let breaks_body = len == 0 || has_newline && self.config().format == Format::Ndjson;
        let rejected = &mut self.counts.rejected;
        let (expected, count) = if self.is_closed {
            (matches!(result, Err(IngestionError::ShuttingDown)), &mut rejected.closed)
        } else if breaks_body {
            (matches!(result, Err(IngestionError::Invalid)), &mut rejected.invalid)
        } else if len > self.bus.config().max_event_bytes {
            (matches!(result, Err(IngestionError::Oversize { .. })), &mut rejected.oversize)
        } else {
            self.is_keyed |= key.is_some();
            let is_accepted = self.ingest_valid(offer, target, result)?;
            let was_certain = is_ready || (certain.0 >= 1 && certain.1 >= len as u64);
            ensure!(
                !was_certain || (is_accepted && self.counts.evicted == evicted),
                "what has room for certain is accepted, and nothing is evicted for it",
                "{offer:?} {certain:?}"
            );
            return Ok(is_accepted);
        };
        *count += 1;
        note!(self, "    {offer:?}: {result:?}");
        ensure!(expected, "an event is refused for the right reason", "{offer:?}: {result:?}");
        Ok(false)
    }

    /// The host refuses an event before it has bytes.
    pub fn refuse(&mut self, is_oversize: bool) {
        self.counts.offered += 1;
        if is_oversize {
            self.bus.refuse_oversize();
            self.counts.rejected.oversize += 1;
        } else {
            self.bus.refuse_invalid();
            self.counts.rejected.invalid += 1;
        }
    }

    fn ingest_valid(
        &mut self,
        offer: Offer,
        target: Option<u16>,
        result: Result<(u16, u64), IngestionError>,
    ) -> CheckResult<bool> {
        let Offer { len, key, .. } = offer;
        let shard = match (&result, target) {
            (Ok((shard, _)), _) => *shard,
            (Err(_), Some(target)) => target,
            (Err(_), None) => self.shard_that_refused()?,
        };
        note!(self, "    {len} bytes, key {key:?}: {result:?} by shard {shard}");
        ensure!(
            target.is_none_or(|target| target == shard),
            "an event goes where `shard_for` says",
            "{target:?} {shard}"
        );
        let lane = usize::from(shard);
        let phase = self.lanes.shards.get(lane).map(|lane| lane.phase);
        ensure_eq!(phase, Some(Phase::Active), "only active shards take events");
        if let Some(key) = key {
            let route = &mut self.keys[usize::from(key)].route;
            if let Some((earlier, topology)) = *route {
                ensure!(
                    earlier == shard || topology != self.topology,
                    "a key keeps its shard until the set of shards changes"
                );
            }
            *route = Some((shard, self.topology));
        }
        let verdict = self.judge(lane, len as u64);
        match (verdict, &result) {
            (Verdict::Sampled, Err(IngestionError::Sampled)) => {
                self.counts.rejected.sampled += 1;
                self.lanes[lane].sampled += 1;
                Ok(false)
            }
            (Verdict::Full, Err(IngestionError::Backpressure)) => {
                self.counts.rejected.full += 1;
                self.lanes[lane].full += 1;
                Ok(false)
            }
            (Verdict::Accepted, &Ok((_, timestamp))) => {
                if self.config().backpressure == BackpressureMode::DropOldest {
                    self.evict_for(lane, len as u64)?;
                }
                self.accept(lane, offer, timestamp)?;
                Ok(true)
            }
            _ => {
                ensure!(
                    false,
                    "backpressure does what its mode says",
                    "{result:?} instead of {verdict:?}"
                );
                Ok(false)
            }
        }
    }

    fn shard_that_refused(&self) -> CheckResult<u16> {
        let stats = self.bus.stats();
        let refused = stats.shards.iter().find(|info| {
            let lane = &self.lanes[usize::from(info.id)];
            info.full != lane.full || info.sampled != lane.sampled
        });
        ensure!(refused.is_some(), "a refusal is counted by a shard");
        Ok(refused.map_or(u16::MAX, |info| info.id))
    }

    fn judge(&mut self, lane: usize, len: u64) -> Verdict {
        let (usable, high_water) = (self.usable(), self.high_water());
        let max_bytes = self.config().max_bytes;
        let fits = self.held + len <= max_bytes;
        let mode = self.config().backpressure;
        let lane = &mut self.lanes[lane];
        let waiting = lane.waiting().len();
        let is_full = waiting >= usable;
        let accepts = match mode {
            // Nothing in flight can be evicted.
            BackpressureMode::DropOldest => self.held_by_batches + len <= max_bytes,
            BackpressureMode::DropNewest | BackpressureMode::FailProducer => !is_full && fits,
            BackpressureMode::Sample { rate } => {
                let mut admits = !is_full;
                if admits && waiting >= high_water {
                    lane.arrivals += 1;
                    admits = lane.arrivals >= rate;
                    if admits {
                        lane.arrivals = 0;
                    }
                }
                admits && fits
            }
        };
        match mode {
            _ if accepts => Verdict::Accepted,
            BackpressureMode::Sample { .. } => Verdict::Sampled,
            _ => Verdict::Full,
        }
    }

    /// Evicts the events that the bus must have evicted to take `len` bytes into a shard.
    fn evict_for(&mut self, lane: usize, len: u64) -> CheckResult {
        if self.lanes[lane].waiting().len() >= self.usable() {
            self.evict_oldest(lane)?;
        }
        while self.held + len > self.config().max_bytes {
            let from = if self.lanes[lane].waiting().is_empty() {
                // Of several that hold equally much, the last.
                let bytes = |&&lane: &&usize| self.lanes[lane].bytes;
                self.present.iter().max_by_key(bytes).copied().unwrap_or(lane)
            } else {
                lane
            };
            self.evict_oldest(from)?;
        }
        Ok(())
    }

    fn evict_oldest(&mut self, from: usize) -> CheckResult {
        let lane = &mut self.lanes[from];
        let at = lane.head;
        ensure!(at < lane.log.len(), "what is in flight is not evicted");
        let len = u64::from(self.events[lane.log[at]].len);
        lane.head += 1;
        lane.evicted += 1;
        lane.bytes -= len;
        self.held -= len;
        self.settle(from, at..at + 1, Exit::Evicted);
        Ok(())
    }

    fn accept(&mut self, lane: usize, offer: Offer, timestamp: u64) -> CheckResult {
        let Offer { len, key, has_newline } = offer;
        let index = self.events.len();
        let now = self.now;
        let to = &mut self.lanes[lane];
        let expected = self.wall.max(to.last_timestamp + 1);
        ensure_eq!(timestamp, expected, "timestamps are the clock's, and rise");
        to.last_timestamp = timestamp;
        to.log.push(index);
        to.bytes += len as u64;
        to.holding_since.get_or_insert(now);
        self.held += len as u64;
        let (life, number) = (self.life, index as u32);
        self.events.push(Event { life, number, key, len: len as u16, has_newline, timestamp });
        if let Some(key) = key {
            debug_assert!(key < KEYS);
            self.keys[usize::from(key)].pending.push_back(index);
        }
        Ok(())
    }
}
