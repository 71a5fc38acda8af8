//! An offset of each partition, most of which say nothing.

/// An offset of each partition. Only those that are not 0 take memory, so that a limit that every partition has passed takes none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Partition and offset, in the order of the partitions.
    named: Box<[(u32, u64)]>,
}

impl Offsets {
    /// The offset of each partition, from the first on.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = u64>) -> Self {
        Self { named: (0..).zip(all).filter(|(_, offset)| *offset > 0).collect() }
    }

    /// From partitions and offsets; `None` unless the partitions rise.
    pub(crate) fn from_named(named: Vec<(u32, u64)>) -> Option<Self> {
        let rises = named.is_sorted_by(|(one, _), (next, _)| one < next);
        rises.then(|| Self { named: named.into() })
    }

    /// Partitions and their offsets; the others have 0.
    pub(crate) fn named(&self) -> &[(u32, u64)] {
        &self.named
    }

    /// The offset of a partition. O(log partitions).
    #[must_use]
    pub fn of(&self, partition: u32) -> u64 {
        let found = self.named.binary_search_by_key(&partition, |(partition, _)| *partition);
        found.ok().and_then(|index| self.named.get(index)).map_or(0, |(_, offset)| *offset)
    }

    /// Whether there is no limit in any partition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Each one together with that of `all`.
    pub(crate) fn each(&self, all: &[u64], choose: impl Fn(u64, u64) -> u64) -> Self {
        Self::new((0..).zip(all).map(|(partition, offset)| choose(self.of(partition), *offset)))
    }

    /// The same with another offset of one partition.
    pub(crate) fn with(&self, partition: u32, offset: u64) -> Self {
        let others = self.named.iter().filter(|(other, _)| *other != partition).copied();
        let mut named: Vec<_> = others.chain((offset > 0).then_some((partition, offset))).collect();
        named.sort_unstable();
        Self { named: named.into() }
    }

    /// Those that are behind the positions: the others have been passed, and mean no more than 0.
    pub(crate) fn behind(&self, positions: &[u64]) -> Self {
        let is_behind = |(partition, offset): &&(u32, u64)| *offset > at(positions, *partition).unwrap_or(0);
        Self { named: self.named.iter().filter(is_behind).copied().collect() }
    }

    /// Lowers those that are behind the ends; `true` if there was one.
    pub(crate) fn cut(&mut self, ends: &[u64]) -> bool {
        let mut changed = false;
        for (partition, offset) in &mut self.named {
            if let Some(end) = at(ends, *partition).filter(|end| *offset > *end) {
                *offset = end;
                changed = true;
            }
        }
        changed
    }
}

/// Whether there is such a place before the ends.
pub(crate) fn is_before((partition, offset): (u32, u64), ends: &[u64]) -> bool {
    at(ends, partition).is_some_and(|end| offset < end)
}

fn at(offsets: &[u64], partition: u32) -> Option<u64> {
    offsets.get(usize::try_from(partition).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_was_told_until_the_positions_have_passed_it() {
        let offsets = Offsets::new([5, 0, 7, 9]);
        let all = |offsets: &Offsets| (0..5).map(|partition| offsets.of(partition)).collect::<Vec<_>>();
        assert_eq!(all(&offsets), [5, 0, 7, 9, 0]);
        assert_eq!(all(&offsets.behind(&[4, 0, 7, 10])), [5, 0, 0, 0, 0]);
        assert!(offsets.behind(&[5, 0, 7, 9]).is_empty());
        assert_eq!(all(&offsets.each(&[6, 1, 6, 9], u64::min)), [5, 0, 6, 9, 0]);
        assert_eq!(all(&offsets.each(&[6, 1, 6, 9], u64::max)), [6, 1, 7, 9, 0]);
        assert_eq!(all(&offsets.with(1, 4).with(0, 0)), [0, 4, 7, 9, 0]);
        let mut cut = offsets;
        assert!(cut.cut(&[5, 3, 6, 9]));
        assert_eq!(all(&cut), [5, 0, 6, 9, 0]);
        assert!(!cut.cut(&[5, 3, 6, 9]));
    }
}
