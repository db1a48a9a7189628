//! Events that come in together, by shard.

/// Most payloads, and most shards.
pub(super) const MAX: usize = 512;

/// Payloads grouped by shard, each group in the order in which they came.
///
/// Of a fixed size, so that nothing is allocated for events.
pub(super) struct Groups<'a> {
    /// By the shard's index.
    groups: [Group; MAX],
    /// The payloads, each with the index of the next one in its group.
    payloads: [(&'a [u8], u16); MAX],
}

/// The extent of a group.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    /// The indices of the first and the last payload.
    first: u16,
    last: u16,
    /// The number of payloads.
    pub(super) count: usize,
    /// The number of their bytes.
    pub(super) bytes: usize,
}

impl<'a> Groups<'a> {
    /// Groups payloads, at most [`MAX`], which come with the index of their shard.
    pub(super) fn of(indexed: impl Iterator<Item = (usize, &'a [u8])>) -> Self {
        let mut groups = [Group::default(); MAX];
        let mut payloads = [(&[][..], 0); MAX];
        for (index, (shard, payload)) in indexed.take(MAX).enumerate() {
            let group = &mut groups[shard % MAX];
            payloads[index].0 = payload;
            let place = if group.count == 0 {
                &mut group.first
            } else {
                &mut payloads[usize::from(group.last) % MAX].1
            };
            *place = index as u16;
            group.last = index as u16;
            group.count += 1;
            group.bytes += payload.len();
        }
        Self { groups, payloads }
    }

    /// The groups, by the shard's index; those of shards without a payload are empty.
    pub(super) fn iter(&self) -> impl Iterator<Item = Group> {
        self.groups.iter().copied()
    }

    /// The payloads of a group, in order.
    pub(super) fn payloads(&self, group: Group) -> impl Iterator<Item = &'a [u8]> {
        let mut next = group.first;
        (0..group.count).map(move |_| {
            let (payload, after) = self.payloads[usize::from(next) % MAX];
            next = after;
            payload
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_payloads_in_order() {
        let payloads = [(1, &b"a"[..]), (1, b"bb"), (7, b"ccc"), (1, b""), (7, b"d")];
        let groups = Groups::of(payloads.into_iter());
        let found = |shard| {
            let group = groups.iter().nth(shard).expect("there are more shards");
            (groups.payloads(group).collect::<Vec<_>>(), group.bytes)
        };
        assert_eq!(found(1), (vec![&b"a"[..], b"bb", b""], 3));
        assert_eq!(found(7), (vec![&b"ccc"[..], b"d"], 4));
        assert_eq!(found(0), (Vec::new(), 0));
    }
}
