//! The two sparse indexes of a segment, Kafka's byte for byte.
//!
//! ```text
//!  .index      | offset - base | position |          8 bytes: the batch at `position` ends with that offset
//!              |     i32       |   i32    |
//!
//!  .timeindex  | timestamp | offset - base |         12 bytes: the largest timestamp so far, and the last
//!              |    i64    |     i32       |         offset of the earliest batch that has it
//! ```
//!
//! Per batch, in this order: the batch is written; a larger maximum timestamp is noted; if more than
//! `index_interval_bytes` came since the last entry, both indexes get one (the time index only if its timestamp
//! grows); the batch's bytes are counted. So the first batch of a segment never has an entry, and no entry has
//! the position 0. On roll and on close the time index gets a last entry. Both are then trimmed to their
//! entries; before that, zeros follow the entries.
//!
//! Source: Apache Kafka, `LogSegment.append`, `OffsetIndex`, `TimeIndex`.

use super::batch::Header;
use super::field;

/// The bytes of an offset index entry.
pub(crate) const ENTRY_BYTES: usize = 8;
/// The bytes of a time index entry.
pub(crate) const TIME_ENTRY_BYTES: usize = 12;

/// An entry of the offset index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The last offset of the batch, less the segment's base offset.
    pub(crate) relative_offset: u32,
    /// Where the batch begins.
    pub(crate) position: u32,
}

impl Entry {
    pub(crate) fn encode(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (offset, position) = bytes.split_at_mut(4);
        offset.copy_from_slice(&self.relative_offset.to_be_bytes());
        position.copy_from_slice(&self.position.to_be_bytes());
        bytes
    }

    /// Whether the batch at its position, in the segment with this base offset, is the one that it speaks of. An index is never
    /// evidence about the log: the batch itself has to agree.
    pub(crate) fn leads_to(self, header: &Header, base_offset: u64) -> bool {
        base_offset.checked_add(u64::from(self.relative_offset)) == Some(header.last_offset)
            && header.base_offset >= base_offset
    }

    pub(crate) fn decode(bytes: [u8; ENTRY_BYTES]) -> Self {
        let from = &mut bytes.as_slice();
        Self {
            relative_offset: field::take_u32(from).unwrap_or_default(),
            position: field::take_u32(from).unwrap_or_default(),
        }
    }
}

/// An entry of the time index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    /// The last offset of the earliest batch with that timestamp, less the segment's base offset.
    pub(crate) relative_offset: u32,
}

impl TimeEntry {
    pub(crate) fn encode(self) -> [u8; TIME_ENTRY_BYTES] {
        let mut bytes = [0; TIME_ENTRY_BYTES];
        let (timestamp, offset) = bytes.split_at_mut(8);
        timestamp.copy_from_slice(&self.timestamp.to_be_bytes());
        offset.copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: [u8; TIME_ENTRY_BYTES]) -> Self {
        let from = &mut bytes.as_slice();
        Self {
            timestamp: field::take_i64(from).unwrap_or_default(),
            relative_offset: field::take_u32(from).unwrap_or_default(),
        }
    }
}

/// Returns the last entry at or before an offset, and the one behind it. O(log n).
pub(crate) fn floor(index: &[u8], relative_offset: u32) -> Option<(Entry, Option<Entry>)> {
    let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
    // A live index that is read by another process ends in zeros; an entry with position 0 does not exist.
    let reached = |bytes: &[u8; ENTRY_BYTES]| {
        let entry = Entry::decode(*bytes);
        entry.position != 0 && entry.relative_offset <= relative_offset
    };
    let behind = partition_near(entries, guess(entries, relative_offset), reached);
    let entry = entries.get(behind.checked_sub(1)?).map(|bytes| Entry::decode(*bytes))?;
    Some((entry, entries.get(behind).map(|bytes| Entry::decode(*bytes))))
}

/// Where an offset would be if all batches were equally long.
fn guess(entries: &[[u8; ENTRY_BYTES]], relative_offset: u32) -> usize {
    let last = entries.last().map_or(0, |bytes| Entry::decode(*bytes).relative_offset);
    let share = u64::from(relative_offset).saturating_mul(entries.len() as u64) / u64::from(last.max(1));
    usize::try_from(share).unwrap_or(usize::MAX)
}

/// The partition point, looked for around a guess in steps that double, and then by halves. O(log of how wrong it was).
fn partition_near<T>(entries: &[T], guess: usize, reached: impl Fn(&T) -> bool) -> usize {
    let (mut low, mut high) = (0, entries.len());
    let (mut at, mut step) = (guess.min(high.saturating_sub(1)), 1);
    let up = entries.get(at).is_some_and(&reached);
    while let Some(entry) = entries.get(at) {
        match (reached(entry), up) {
            (true, _) => low = at.saturating_add(1),
            (false, _) => high = at,
        }
        if reached(entry) != up {
            break;
        }
        let next = if up { at.checked_add(step) } else { at.checked_sub(step) };
        let Some(next) = next else { break };
        (at, step) = (next, step.saturating_mul(2));
    }
    let between = entries.get(low..high).unwrap_or_default();
    low.saturating_add(between.partition_point(reached))
}

/// Returns the last entry at or before an offset and at or before a position. O(log n).
pub(crate) fn floor_within(index: &[u8], relative_offset: u32, position: u32) -> Option<Entry> {
    let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
    let reached = |bytes: &[u8; ENTRY_BYTES]| {
        let entry = Entry::decode(*bytes);
        entry.position <= position && entry.relative_offset <= relative_offset
    };
    let before = entries.partition_point(reached).checked_sub(1)?;
    entries.get(before).map(|bytes| Entry::decode(*bytes))
}

/// Returns the last entry whose timestamp is below `timestamp`. O(log n).
pub(crate) fn time_floor(index: &[u8], timestamp: i64) -> Option<TimeEntry> {
    let (entries, _) = index.as_chunks::<TIME_ENTRY_BYTES>();
    let before =
        entries.partition_point(|bytes| TimeEntry::decode(*bytes).timestamp < timestamp).checked_sub(1)?;
    entries.get(before).map(|bytes| TimeEntry::decode(*bytes))
}

/// Returns the last entry of an offset index without zeros behind it.
pub(crate) fn last(index: &[u8]) -> Option<Entry> {
    index.as_chunks::<ENTRY_BYTES>().0.last().map(|bytes| Entry::decode(*bytes))
}

/// Returns the last entry of a time index.
pub(crate) fn last_time(index: &[u8]) -> Option<TimeEntry> {
    index.as_chunks::<TIME_ENTRY_BYTES>().0.last().map(|bytes| TimeEntry::decode(*bytes))
}

/// Decides which batches of a segment get index entries; the one place that knows the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Builder {
    base_offset: u64,
    interval_bytes: u64,
    bytes_since_entry: u64,
    max: Option<TimeEntry>,
    last_time_entry: Option<i64>,
}

/// The entries that a batch gives rise to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entries {
    pub(crate) offset: Option<Entry>,
    pub(crate) time: Option<TimeEntry>,
}

impl Builder {
    pub(crate) fn new(base_offset: u64, interval_bytes: u32) -> Self {
        Self {
            base_offset,
            interval_bytes: u64::from(interval_bytes),
            bytes_since_entry: 0,
            max: None,
            last_time_entry: None,
        }
    }

    /// A builder that goes on where a closed segment with this time index ended, or with the batch of its last entry.
    pub(crate) fn resume(base_offset: u64, interval_bytes: u32, time_index: &[u8]) -> Self {
        let last = last_time(time_index);
        Self {
            max: last,
            last_time_entry: last.map(|entry| entry.timestamp),
            ..Self::new(base_offset, interval_bytes)
        }
    }

    /// Takes note of a batch. `None` when its offset or position is beyond what an index can hold.
    pub(crate) fn add(
        &mut self,
        position: usize,
        bytes: usize,
        last_offset: u64,
        max_timestamp: i64,
    ) -> Option<Entries> {
        let relative_offset = relative(self.base_offset, last_offset)?;
        let position = i32::try_from(position).ok()?.cast_unsigned();
        if self.max.is_none_or(|max| max_timestamp > max.timestamp) {
            self.max = Some(TimeEntry { timestamp: max_timestamp, relative_offset });
        }
        let mut entries = Entries::default();
        if self.bytes_since_entry > self.interval_bytes {
            entries.offset = Some(Entry { relative_offset, position });
            entries.time = self.last();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(bytes as u64);
        Some(entries)
    }

    /// The entry that the time index gets on roll and on close, if it needs one.
    pub(crate) fn last(&mut self) -> Option<TimeEntry> {
        let entry = self.max.filter(|max| self.last_time_entry.is_none_or(|last| max.timestamp > last))?;
        self.last_time_entry = Some(entry.timestamp);
        Some(entry)
    }

    /// The largest timestamp so far.
    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        self.max.map(|max| max.timestamp)
    }
}

/// The offset relative to a segment's base; `None` when an index cannot hold it.
pub(crate) fn relative(base_offset: u64, offset: u64) -> Option<u32> {
    i32::try_from(offset.checked_sub(base_offset)?).ok().map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Wherever the search begins.
        #[test]
        fn the_partition_point_is_found_from_any_guess(
            len in 0..200_usize, behind in 0..201_usize, guess in any::<usize>(), near in 0..220_usize,
        ) {
            let entries: Vec<usize> = (0..len).collect();
            let reached = |entry: &usize| *entry < behind;
            let expected = entries.partition_point(reached);
            prop_assert_eq!(partition_near(&entries, guess, reached), expected);
            prop_assert_eq!(partition_near(&entries, near, reached), expected);
        }

        #[test]
        fn the_floor_is_the_last_entry_that_is_not_behind(
            steps in proptest::collection::vec((1..50_u32, 61..5000_u32), 0..60),
            offset in 0..3200_u32, position in 0..350_000_u32, zeros in 0..3_usize,
        ) {
            let mut all = Vec::new();
            let mut last = Entry { relative_offset: 0, position: 0 };
            for (offsets, bytes) in steps {
                let Entry { relative_offset, position } = last;
                last = Entry { relative_offset: relative_offset + offsets, position: position + bytes };
                all.push(last);
            }
            let index: Vec<u8> = all.iter().flat_map(|entry| entry.encode()).collect();
            let at = all.iter().rposition(|entry| entry.relative_offset <= offset);
            let expected = at.map(|at| (all[at], all.get(at + 1).copied()));
            prop_assert_eq!(floor(&index, offset), expected);
            // As another process sees it.
            let live = [index.clone(), vec![0; zeros * ENTRY_BYTES]].concat();
            prop_assert_eq!(floor(&live, offset).map(|(entry, _)| entry), expected.map(|(entry, _)| entry));
            let within = all.iter().rfind(|entry| entry.relative_offset <= offset && entry.position <= position);
            prop_assert_eq!(floor_within(&index, offset, position), within.copied());
        }
    }

    #[test]
    fn entries_follow_kafkas_rule() {
        let mut builder = Builder::new(1000, 100);
        // (bytes, last offset, max timestamp) -> entries
        let rows = [
            (60, 1000, 5, None, None),
            (60, 1001, 9, None, None), // 60 since the last entry: not more than 100
            (60, 1004, 7, Some((4, 120)), Some((9, 1))), // the maximum is in the batch before
            (101, 1005, 8, None, None), // counting begins with the batch that has the entry
            (10, 1006, 9, Some((6, 281)), None), // the time index does not repeat a timestamp
        ];
        let mut position = 0;
        for (bytes, last_offset, max_timestamp, offset, time) in rows {
            let entries = builder.add(position, bytes, last_offset, max_timestamp).unwrap();
            assert_eq!(entries.offset.map(|e| (e.relative_offset, e.position)), offset);
            assert_eq!(entries.time.map(|e| (e.timestamp, e.relative_offset)), time);
            position += bytes;
        }
        assert_eq!(builder.last(), None);
        builder.add(position, 1, 1007, 10).unwrap();
        assert_eq!(builder.last(), Some(TimeEntry { timestamp: 10, relative_offset: 7 }));
        assert_eq!(builder.last(), None);
    }

    #[test]
    fn offsets_beyond_32_bits_need_a_new_segment() {
        let mut builder = Builder::new(10, 0);
        assert!(builder.add(0, 1, 10 + 0x7fff_ffff, 0).is_some());
        assert!(builder.add(1, 1, 10 + 0x8000_0000, 0).is_none());
    }

    #[test]
    fn floor_ignores_the_zeros_of_a_live_index() {
        let mut index = Vec::new();
        for (relative_offset, position) in [(4, 100), (9, 200)] {
            index.extend(Entry { relative_offset, position }.encode());
        }
        index.extend([0; 80]);
        assert_eq!(floor(&index, 3), None);
        assert_eq!(floor(&index, 4).unwrap().0.position, 100);
        assert_eq!(floor(&index, 8).unwrap().0.position, 100);
        assert_eq!(floor(&index, 1 << 30).unwrap().0.position, 200);
    }

    #[test]
    fn time_floor_is_strictly_before() {
        let mut index = Vec::new();
        for (timestamp, relative_offset) in [(-5, 1), (7, 2)] {
            index.extend(TimeEntry { timestamp, relative_offset }.encode());
        }
        assert_eq!(time_floor(&index, -5), None);
        assert_eq!(time_floor(&index, 7).unwrap().relative_offset, 1);
        assert_eq!(time_floor(&index, 8).unwrap().relative_offset, 2);
        assert_eq!(last_time(&index).unwrap().timestamp, 7);
    }
}
