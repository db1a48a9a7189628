//! A cut through all shards.

/// Per shard, how many events it had accepted at one moment: the index of its first event after
/// that moment. A shard without a watermark is younger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watermarks {
    /// Sorted by shard.
    marks: Vec<(u16, u64)>,
}

impl Watermarks {
    /// The number of the events `start..start + len` of a shard that were accepted before the
    /// moment. Not inlined: it is called in many places, and never for an event, so size matters
    /// more than speed.
    #[inline(never)]
    pub(crate) fn covers(&self, shard: u16, start: u64, len: u64) -> u64 {
        let found = self.marks.binary_search_by_key(&shard, |(id, _)| *id);
        found.map_or(0, |at| self.marks[at].1.saturating_sub(start).min(len))
    }

    /// Notes how many events a shard, which has no watermark yet, has accepted.
    pub(crate) fn add(&mut self, shard: u16, accepted: u64) {
        // They come in order, but for the lane of restored batches.
        let at = self.marks.partition_point(|(id, _)| *id < shard);
        self.marks.insert(at, (shard, accepted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_before_is_covered() {
        let mut watermarks = Watermarks::default();
        watermarks.add(7, 3);
        watermarks.add(0, 10);
        assert_eq!(watermarks.covers(0, 4, 3), 3, "all before");
        assert_eq!(watermarks.covers(0, 8, 5), 2, "across");
        assert_eq!(watermarks.covers(0, 10, 5), 0, "all after");
        assert_eq!(watermarks.covers(7, 0, 9), 3);
        assert_eq!(watermarks.covers(1, 0, 9), 0, "younger");
    }
}
