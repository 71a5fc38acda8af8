//! What a program chooses for a topic.

use super::{CleanupPolicy, SEGMENT_BYTES_MAX, TimestampType};
use crate::compress::Compression;
use crate::error::{InvalidOptions, UnsupportedCompression};

/// The options of a topic, the same for all its partitions.
///
/// The names are Kafka's where Kafka has the option (`segment.bytes`, `retention.ms`, ...).
///
/// # Examples
///
/// ```
/// use headwater_log::TopicOptions;
///
/// let options = TopicOptions::default().partitions(8).retention_bytes(Some(1 << 30));
/// assert_eq!(options.segment_bytes, 1 << 30);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicOptions {
    /// The number of partitions a new topic gets; `None` means 1. For a topic that exists, `None` takes what
    /// is there and any other number has to be the one that is there.
    pub partitions: Option<u32>,
    /// A segment is rolled before it would grow beyond this. 4 KiB to 2^31 - 1. Default: 1 GiB.
    pub segment_bytes: u64,
    /// A segment is rolled by [`Log::maintain`](crate::Log::maintain) when its first append is older than
    /// this. Default: 7 days.
    pub segment_age_ms: u64,
    /// A segment is deleted when its last append is older than this. Default: `None`, kept for ever.
    pub retention_ms: Option<u64>,
    /// The oldest segments are deleted as long as the rest has at least so many bytes. So a partition has up to a
    /// segment more than that, its indexes, 8 KiB a segment, and the space allocated ahead. Default: `None`.
    pub retention_bytes: Option<u64>,
    /// Whether old segments are deleted, or records that were replaced, or both. Kafka's `cleanup.policy`. Default:
    /// [`CleanupPolicy::Delete`].
    pub cleanup_policy: CleanupPolicy,
    /// No segment is compacted whose last append is younger than this. Kafka's `min.compaction.lag.ms`. Default: 0.
    pub min_compaction_lag_ms: u64,
    /// What is not compacted is compacted by [`Log::maintain`](crate::Log::maintain) when its first append is older than
    /// this, however little it is; and the active segment is rolled for it. Kafka's `max.compaction.lag.ms`. Default: `None`.
    pub max_compaction_lag_ms: Option<u64>,
    /// [`Log::maintain`](crate::Log::maintain) compacts a partition when more than this share of its bytes, in percent, was
    /// not compacted yet. Kafka's `min.cleanable.dirty.ratio`. 0 to 100. Default: 50.
    pub min_cleanable_dirty_percent: u8,
    /// A tombstone stays for so long after it was first compacted, so that readers who began before it see it. Kafka's
    /// `delete.retention.ms`. Default: 1 day.
    pub delete_retention_ms: u64,
    /// [`Log::maintain`](crate::Log::maintain) makes durable what it has seen not to be for so long: what was only appended is
    /// at risk for this and two intervals of upkeep. 0: all of it, each time. `None`: none of it. A roll, retention and
    /// closing sync what they need all the same. Kafka's `flush.ms`. Default: `Some(0)`.
    pub flush_ms: Option<u64>,
    /// An append that leaves so many bytes that are not durable syncs before it returns, whatever it was asked for; so
    /// no more than this and one batch of each appending thread is ever at risk. If that sync is refused, the append has succeeded
    /// all the same, and the next one says or does what is due. Kafka has `flush.messages` for it. Default: `None`.
    ///
    /// With both `None` only the program decides: by [`Ack::Durable`](crate::Ack::Durable), [`Log::sync`](crate::Log::sync), or a thread
    /// that waits for [`Log::wait_unsynced`](crate::Log::wait_unsynced).
    pub flush_bytes: Option<u64>,
    /// Which time records that are appended from now on will have. Records that are there keep theirs. Retention goes by
    /// neither, but by when the log took them. Default: [`TimestampType::CreateTime`].
    pub timestamp_type: TimestampType,
    /// What batches are compressed with when they are appended. `None` leaves that to whoever encodes them: records stay as they
    /// are, and a batch that is encoded already keeps its codec. With a codec, [`Partition::append_batch`](crate::Partition) and
    /// its like compress what they append, each batch for itself; and a batch that is encoded already is compressed anew unless it
    /// has that codec, at whatever level. Kafka's `compression.type`, whose `producer` is `None`. Default: `None`.
    pub compression: Option<Compression>,
    /// An index entry is written when more than so many bytes were appended since the last one.
    /// Default: 4096.
    pub index_interval_bytes: u32,
    /// A segment is rolled before one of its indexes would grow beyond this. 4 KiB to 2^31 - 1.
    /// Default: 10 MiB.
    pub segment_index_bytes: u32,
    /// A batch may not be larger than this, as it stands on disk, compressed or not, nor than `segment_bytes`.
    /// Default: 1,048,588, as Kafka's `max.message.bytes`.
    pub batch_bytes_max: u64,
    /// Disk space is allocated ahead in steps that grow with the segment up to this. Default: 8 MiB.
    pub allocate_ahead_bytes_max: u64,
}

fn check_level(option: &'static str, level: u8, max: u64) -> Result<(), InvalidOptions> {
    let (value, min) = (u64::from(level), 1);
    if value < min || value > max { Err(InvalidOptions { option, value, min, max }) } else { Ok(()) }
}

impl Default for TopicOptions {
    fn default() -> Self {
        Self {
            partitions: None,
            segment_bytes: 1 << 30,
            segment_age_ms: 7 * 24 * 3600 * 1000,
            retention_ms: None,
            retention_bytes: None,
            cleanup_policy: CleanupPolicy::Delete,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: None,
            min_cleanable_dirty_percent: 50,
            delete_retention_ms: 24 * 3600 * 1000,
            flush_ms: Some(0),
            flush_bytes: None,
            timestamp_type: TimestampType::CreateTime,
            compression: None,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 * 1024 * 1024,
            batch_bytes_max: 1_048_588,
            allocate_ahead_bytes_max: 8 * 1024 * 1024,
        }
    }
}

impl TopicOptions {
    /// Sets the number of partitions.
    #[must_use]
    pub fn partitions(self, partitions: u32) -> Self {
        Self { partitions: Some(partitions), ..self }
    }

    /// Sets the greatest size of a segment.
    #[must_use]
    pub fn segment_bytes(self, segment_bytes: u64) -> Self {
        Self { segment_bytes, ..self }
    }

    /// Sets the greatest age of a segment that takes appends.
    #[must_use]
    pub fn segment_age_ms(self, segment_age_ms: u64) -> Self {
        Self { segment_age_ms, ..self }
    }

    /// Sets how long records are kept.
    #[must_use]
    pub fn retention_ms(self, retention_ms: Option<u64>) -> Self {
        Self { retention_ms, ..self }
    }

    /// Sets how many bytes are kept in each partition at least.
    #[must_use]
    pub fn retention_bytes(self, retention_bytes: Option<u64>) -> Self {
        Self { retention_bytes, ..self }
    }

    /// Sets whether records are deleted, compacted, or both.
    #[must_use]
    pub fn cleanup_policy(self, cleanup_policy: CleanupPolicy) -> Self {
        Self { cleanup_policy, ..self }
    }

    /// Sets how old records are at least when they are compacted.
    #[must_use]
    pub fn min_compaction_lag_ms(self, min_compaction_lag_ms: u64) -> Self {
        Self { min_compaction_lag_ms, ..self }
    }

    /// Sets how old records become at most before they are compacted.
    #[must_use]
    pub fn max_compaction_lag_ms(self, max_compaction_lag_ms: Option<u64>) -> Self {
        Self { max_compaction_lag_ms, ..self }
    }

    /// Sets which share of a partition, in percent, is not compacted at most.
    #[must_use]
    pub fn min_cleanable_dirty_percent(self, min_cleanable_dirty_percent: u8) -> Self {
        Self { min_cleanable_dirty_percent, ..self }
    }

    /// Sets how long tombstones stay.
    #[must_use]
    pub fn delete_retention_ms(self, delete_retention_ms: u64) -> Self {
        Self { delete_retention_ms, ..self }
    }

    /// Sets after how long upkeep makes durable what was only appended.
    #[must_use]
    pub fn flush_ms(self, flush_ms: Option<u64>) -> Self {
        Self { flush_ms, ..self }
    }

    /// Sets after how many bytes an append makes durable what was only appended.
    #[must_use]
    pub fn flush_bytes(self, flush_bytes: Option<u64>) -> Self {
        Self { flush_bytes, ..self }
    }

    /// Sets which time records have.
    #[must_use]
    pub fn timestamp_type(self, timestamp_type: TimestampType) -> Self {
        Self { timestamp_type, ..self }
    }

    /// Sets what batches are compressed with when they are appended.
    #[must_use]
    pub fn compression(self, compression: Option<Compression>) -> Self {
        Self { compression, ..self }
    }

    /// Sets the distance of index entries.
    #[must_use]
    pub fn index_interval_bytes(self, index_interval_bytes: u32) -> Self {
        Self { index_interval_bytes, ..self }
    }

    /// Sets the greatest size of an index.
    #[must_use]
    pub fn segment_index_bytes(self, segment_index_bytes: u32) -> Self {
        Self { segment_index_bytes, ..self }
    }

    /// Sets the greatest size of a batch.
    #[must_use]
    pub fn batch_bytes_max(self, batch_bytes_max: u64) -> Self {
        Self { batch_bytes_max, ..self }
    }

    /// Sets how much disk space is allocated ahead at most.
    #[must_use]
    pub fn allocate_ahead_bytes_max(self, allocate_ahead_bytes_max: u64) -> Self {
        Self { allocate_ahead_bytes_max, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let ranges = [
            ("partitions", u64::from(self.partitions.unwrap_or(1)), 1, 0x7fff_ffff),
            ("segment_bytes", self.segment_bytes, 4096, SEGMENT_BYTES_MAX),
            ("segment_index_bytes", u64::from(self.segment_index_bytes), 4096, SEGMENT_BYTES_MAX),
            ("batch_bytes_max", self.batch_bytes_max, 128, SEGMENT_BYTES_MAX),
            ("allocate_ahead_bytes_max", self.allocate_ahead_bytes_max, 4096, SEGMENT_BYTES_MAX),
            ("min_cleanable_dirty_percent", u64::from(self.min_cleanable_dirty_percent), 0, 100),
        ];
        for (option, value, min, max) in ranges {
            if value < min || value > max {
                return Err(InvalidOptions { option, value, min, max });
            }
        }
        match self.compression {
            Some(Compression::Zstd { level }) => check_level("compression.zstd.level", level, 22),
            Some(Compression::Gzip { level }) => check_level("compression.gzip.level", level, 9),
            _ => Ok(()),
        }
    }

    /// Whether the codec is built in.
    pub(crate) fn check_compression(&self) -> Result<(), UnsupportedCompression> {
        match self.compression.map(Compression::codec) {
            Some(codec) if !codec.is_supported() => Err(UnsupportedCompression { codec }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_segment_beyond_kafkas_positions() {
        let error = TopicOptions::default().segment_bytes(1 << 31).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "option segment_bytes is 2147483648, it has to be from 4096 to 2147483647"
        );
    }

    #[test]
    fn accepts_the_defaults() {
        assert_eq!(TopicOptions::default().check(), Ok(()));
    }
}
