//! A group as bytes: the value of a record in `__headwater_sessions`.

use bytes::BufMut;

use crate::session::SnapshotError;
use crate::session::fields::{put_count, take_all, take_u32, take_u64, take_version};

/// The version that this code writes, and the only one that it reads.
const VERSION: u8 = 1;

/// All that is kept of a group of a shared subscription: what none of its members has finished, and where it goes on.
///
/// ```text
/// version u8 = 1
/// partitions u32, then for each: position u64
/// unfinished u32, then for each, rising: partition u32 | offset u64
/// ```
///
/// All integers are big-endian. The key of the record is the byte 0xff, which no client identifier has, and the whole filter,
/// `$share/{name}/{filter}`. Who is a member is kept with the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The first offset that has not been examined for it, a partition each.
    pub positions: Vec<u64>,
    /// Partition and offset of messages below the positions that were not finished: on their way with a member, or waiting for one.
    pub unfinished: Vec<(u32, u64)>,
}

impl GroupRecord {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + 8 * self.positions.len() + 12 * self.unfinished.len());
        out.put_u8(VERSION);
        put_count(&mut out, self.positions.len());
        for position in &self.positions {
            out.put_u64(*position);
        }
        put_count(&mut out, self.unfinished.len());
        for (partition, offset) in &self.unfinished {
            out.put_u32(*partition);
            out.put_u64(*offset);
        }
        out
    }

    /// From bytes.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] with the field. Nothing is allocated beyond the length of the input.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, SnapshotError> {
        let input = &mut bytes;
        take_version(input, VERSION..=VERSION)?;
        let positions = take_all(input, "positions", 8, |input| take_u64(input, "positions"))?;
        let unfinished = take_all(input, "unfinished", 12, |input| {
            Ok((take_u32(input, "unfinished")?, take_u64(input, "unfinished")?))
        })?;
        let is_below = |(partition, offset): &(u32, u64)| {
            let position = usize::try_from(*partition).ok().and_then(|index| positions.get(index));
            position.is_some_and(|position| offset < position)
        };
        if !unfinished.is_sorted_by(|one, next| one < next) || !unfinished.iter().all(is_below) {
            return Err(SnapshotError::Invalid { field: "unfinished" });
        }
        if !input.is_empty() {
            return Err(SnapshotError::Invalid { field: "end" });
        }
        Ok(Self { positions, unfinished })
    }

    /// Forgets what lies behind the ends of the partitions, which a power failure took; `true` if there was any.
    pub(super) fn cut(&mut self, ends: &[u64]) -> bool {
        let before = self.clone();
        for (position, end) in self.positions.iter_mut().zip(ends) {
            *position = (*position).min(*end);
        }
        let Self { positions, unfinished } = self;
        unfinished.retain(|(partition, offset)| {
            let position = usize::try_from(*partition).ok().and_then(|index| positions.get(index));
            position.is_some_and(|position| offset < position)
        });
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> GroupRecord {
        GroupRecord { positions: vec![7, 0, u64::MAX], unfinished: vec![(0, 3), (0, 6), (2, 0)] }
    }

    #[test]
    fn comes_back_as_it_was_and_every_prefix_is_an_error() {
        let bytes = example().encode();
        assert_eq!(bytes.len(), 1 + 4 + 3 * 8 + 4 + 3 * 12);
        assert_eq!(GroupRecord::decode(&bytes), Ok(example()));
        for length in 0..bytes.len() {
            assert!(GroupRecord::decode(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(GroupRecord::decode(&longer), Err(SnapshotError::Invalid { field: "end" }));
        let later = [&[2], &bytes[1..]].concat();
        assert_eq!(GroupRecord::decode(&later), Err(SnapshotError::Version { version: 2 }));
    }

    #[test]
    fn what_cannot_be_unfinished_is_refused() {
        for unfinished in
            [vec![(0, 7)], vec![(1, 0)], vec![(3, 0)], vec![(0, 2), (0, 2)], vec![(2, 1), (0, 1)]]
        {
            let bytes = GroupRecord { unfinished, ..example() }.encode();
            assert_eq!(GroupRecord::decode(&bytes), Err(SnapshotError::Invalid { field: "unfinished" }));
        }
    }

    #[test]
    fn what_a_power_failure_took_is_forgotten() {
        let mut record = example();
        assert!(!record.cut(&[7, 5, u64::MAX]));
        assert!(record.cut(&[4, 5, 100]));
        assert_eq!(record, GroupRecord { positions: vec![4, 0, 100], unfinished: vec![(0, 3), (2, 0)] });
    }
}
