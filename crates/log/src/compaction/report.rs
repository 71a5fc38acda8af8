//! What a compaction did, and how far it is.

use std::ops::Range;
use std::sync::Arc;

/// What [`Partition::compact`](crate::Partition::compact) did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// The records that were not compacted before and were looked at, by offset.
    pub cleaned: Range<u64>,
    /// How often the partition was gone through: once, unless there were more keys than
    /// [`LogOptions::cleaner_dedupe_bytes`](crate::LogOptions::cleaner_dedupe_bytes) has room for.
    pub passes: u32,
    /// The segments that were looked at, those that are compacted already among them.
    pub segments_before: usize,
    /// The segments that they became. Of several small ones one is made.
    pub segments_after: usize,
    /// The bytes of those segments before.
    pub bytes_before: u64,
    /// The bytes of those segments after.
    pub bytes_after: u64,
    /// The bytes of segments that were written anew, in all passes.
    pub bytes_written: u64,
    /// The records that stay, of those that were looked at.
    pub records_kept: u64,
    /// The records that went because their key has a later one.
    pub records_superseded: u64,
    /// The tombstones that went because their time was over.
    pub tombstones_removed: u64,
    /// The tombstones that stay for now.
    pub tombstones_kept: u64,
    /// Records without a key, from before the topic was compacted. They stay, which is not as Kafka has it.
    pub records_without_key: u64,
    /// The keys of the records that were not compacted before; the most in any pass.
    pub keys: u64,
}

/// How far a compaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactProgress {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// Which pass it is, from 1.
    pub pass: u32,
    /// The bytes that were gone through in this pass. Each byte counts when its keys are read, and when what stays of it is
    /// written.
    pub done_bytes: u64,
    /// The bytes that are to be gone through in this pass, so counted.
    pub total_bytes: u64,
}

/// What there is to compact in a partition; made by [`Partition::cleanable`](crate::Partition::cleanable).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleanable {
    /// Kafka's cleaner offset: records before it were compacted.
    pub first_dirty_offset: u64,
    /// Records from here on are not compacted now: they are in the segment that takes appends, or too young.
    pub first_uncleanable_offset: u64,
    /// The bytes of the segments that were compacted.
    pub clean_bytes: u64,
    /// The bytes of the segments that can be compacted and were not.
    pub dirty_bytes: u64,
}

impl Cleanable {
    /// The share of what can be compacted and was not, in percent; 0 when there is nothing.
    #[must_use]
    pub fn dirty_percent(&self) -> u8 {
        let all = u128::from(self.clean_bytes) + u128::from(self.dirty_bytes);
        let percent = (u128::from(self.dirty_bytes) * 100).checked_div(all).unwrap_or(0);
        u8::try_from(percent).unwrap_or(100)
    }
}
