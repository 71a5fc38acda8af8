//! What opening and upkeep did, for a program to print.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::compaction::CompactReport;
use crate::error::Corruption;
use crate::group::TopicPartition;
use crate::options::TopicOptions;

/// What was found and done when the log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Every partition, by topic and number.
    pub partitions: Vec<PartitionRecovery>,
    /// What was found of the offsets of consumer groups.
    pub offsets: OffsetsRecovery,
    /// How long it took.
    pub duration: Duration,
}

impl RecoveryReport {
    /// Whether nothing had to be read, cut or rebuilt, and no offset of a group was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.partitions.iter().all(PartitionRecovery::is_clean) && self.offsets.is_clean()
    }

    /// The bytes that were cut from torn tails.
    #[must_use]
    pub fn bytes_cut(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes_cut).sum()
    }
}

/// What was found in `__headwater_offsets` when the log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetsRecovery {
    /// The groups that have committed something.
    pub groups: usize,
    /// The records that are none of a committed offset. They were passed over, and stay.
    pub malformed: u64,
    /// The first of them.
    pub first_malformed: Option<MalformedOffset>,
    /// The committed offsets that were ahead of their partition. Each fell to the end of it, durably.
    pub ahead: Vec<AheadOffset>,
    /// Whether the topic could not be read. Then no group can be used, and [`Log::consumer`](crate::Log::consumer) says why.
    pub unreadable: bool,
}

impl OffsetsRecovery {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.malformed == 0 && self.ahead.is_empty() && !self.unreadable
    }
}

/// A record in `__headwater_offsets` that is none of a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedOffset {
    /// The record's offset.
    pub offset: u64,
    /// What was wrong, by the name that Kafka's schema gives to the field.
    pub field: &'static str,
}

/// A committed offset that was ahead of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AheadOffset {
    /// The group.
    pub group: String,
    /// The partition.
    pub partition: TopicPartition,
    /// What was committed.
    pub committed: u64,
    /// The partition's end, which is what is committed now.
    pub end: u64,
}

/// What was found and done in one partition when the log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionRecovery {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The first offset that can be read.
    pub start_offset: u64,
    /// The next offset to be given.
    pub end_offset: u64,
    /// The segments kept.
    pub segments: usize,
    /// The segments that were not closed: what was not known to be durable of them was read and checked, and their indexes
    /// were completed. 0 after a clean close.
    pub segments_scanned: usize,
    /// The batches that were read for that.
    pub batches_scanned: u64,
    /// The bytes of those batches.
    pub bytes_scanned: u64,
    /// The bytes of a torn tail that were cut, trailing zeros not counted.
    pub bytes_cut: u64,
    /// Where the tail was cut: the segment's base offset and the position in its file.
    pub cut_at: Option<(u64, u64)>,
    /// The segments behind the cut that went as a whole, by base offset.
    pub segments_removed: Vec<u64>,
    /// The segments that compaction had made in the place of others when a crash came: the exchange was finished.
    pub exchanged: Vec<u64>,
    /// Bytes that were not known to be durable, held, and were written again.
    pub bytes_rewritten: u64,
    /// The first offset that was expected, when segments at the beginning are missing.
    pub missing_from: Option<u64>,
    /// Damage of what was durable. Without [`OnDamage::Quarantine`](crate::OnDamage) there is none: the log does not open.
    pub damage: Vec<Corruption>,
    /// The offsets that were durable and are in no batch that holds, in order. Whoever reads there gets the next one
    /// that is there.
    pub missing: Vec<Range<u64>>,
    /// The producers that are remembered.
    pub producers: usize,
    /// Snapshots of the producers, by offset, that could not be understood: an older one was used, and what batches behind it
    /// say. They were removed, unless they are of a version that is not known.
    pub snapshots_ignored: Vec<u64>,
    /// The segments whose bytes were set aside, damage and all; what holds of them is readable as before.
    pub set_aside: Vec<SetAside>,
}

/// The bytes of a damaged segment, set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetAside {
    /// The segment, by base offset.
    pub segment: u64,
    /// The file that has all that was in the segment's `.log` file.
    pub path: PathBuf,
    /// How many bytes that were.
    pub bytes: u64,
}

impl PartitionRecovery {
    /// Whether nothing had to be read, cut or rebuilt.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.segments_scanned == 0
            && self.cut_at.is_none()
            && self.segments_removed.is_empty()
            && self.missing_from.is_none()
            && self.snapshots_ignored.is_empty()
            && self.exchanged.is_empty()
            && self.damage.is_empty()
    }

    pub(crate) fn note_set_aside(&mut self, segment: u64, to: PathBuf) {
        if let Some(noted) = self.set_aside.iter_mut().find(|noted| noted.segment == segment) {
            noted.path = to;
        }
    }
}

/// What [`Log::maintain`](crate::Log::maintain) did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaintainReport {
    /// The segments that were rolled for their age.
    pub segments_rolled: usize,
    /// The segments that were deleted by retention.
    pub segments_deleted: usize,
    /// The bytes of the segments that were deleted.
    pub bytes_deleted: u64,
    /// The partitions that were compacted, and what that did.
    pub compacted: Vec<Compacted>,
    /// How far the wall clock is ahead of the time that retention goes by, while it is not believed: see
    /// [`LogOptions::clock_step_ms_max`](crate::LogOptions::clock_step_ms_max).
    pub clock_ahead_ms: Option<u64>,
}

/// A partition that was compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// What that did.
    pub report: CompactReport,
}

/// A topic, as [`Topic::describe`](crate::Topic::describe) describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// The topic's name.
    pub name: String,
    /// The options in force, the number of partitions among them.
    pub options: TopicOptions,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
}

impl TopicDescription {
    /// The bytes of all batches in all partitions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(PartitionDescription::bytes).sum()
    }
}

/// A partition in a [`TopicDescription`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// The partition's number, from 0.
    pub number: u32,
    /// The first offset that can be read: Kafka's log start offset.
    pub start_offset: u64,
    /// The offset behind the last durable record: Kafka's high watermark.
    pub durable_end: u64,
    /// The next offset to be given: Kafka's log end offset.
    pub appended_end: u64,
    /// The segments, oldest first; the last one takes the appends.
    pub segments: Vec<SegmentInfo>,
}

impl PartitionDescription {
    /// The bytes of all batches in all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

/// A segment, as [`Partition::segments`](crate::Partition::segments) describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// The offset of its first record, which is also its file name.
    pub base_offset: u64,
    /// The offset behind its last record.
    pub next_offset: u64,
    /// The bytes of its batches.
    pub bytes: u64,
    /// When its first append was made, by the log's clock; `None` while it is empty or when it is not known.
    pub first_append_ms: Option<i64>,
    /// No append was made after this, by the log's clock; `None` while that is not known.
    pub last_append_ms: Option<i64>,
    /// The largest timestamp of its records; `None` while it is empty.
    pub max_timestamp: Option<i64>,
}
