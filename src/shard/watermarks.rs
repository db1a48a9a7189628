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
}

impl FromIterator<(u16, u64)> for Watermarks {
    /// From shards and how many events each has accepted.
    fn from_iter<I: IntoIterator<Item = (u16, u64)>>(shards: I) -> Self {
        let mut marks = Vec::new();
        for mark in shards {
            // They come in order, but for the lane of restored batches.
            let at = marks.partition_point(|other| *other < mark);
            marks.insert(at, mark);
        }
        Self { marks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_before_is_covered() {
        let watermarks: Watermarks = [(7, 3), (0, 10)].into_iter().collect();
        assert_eq!(watermarks.covers(0, 4, 3), 3, "all before");
        assert_eq!(watermarks.covers(0, 8, 5), 2, "across");
        assert_eq!(watermarks.covers(0, 10, 5), 0, "all after");
        assert_eq!(watermarks.covers(7, 0, 9), 3);
        assert_eq!(watermarks.covers(1, 0, 9), 0, "younger");
    }
}
