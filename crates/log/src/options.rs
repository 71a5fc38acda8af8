//! What a program may choose. Options are given at each start; only the number of partitions is on disk.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::compress::Compression;
use crate::error::{InvalidOptions, UnsupportedCompression};
use crate::storage::{Disk, Storage};

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ack {
    /// The record is in the operating system's page cache: it survives the end of this process, not the loss
    /// of power. The next sync makes it durable; when that comes is what [`TopicOptions::flush_ms`] and
    /// [`TopicOptions::flush_bytes`] say.
    Appended,
    /// The record is on disk: it survives the loss of power.
    Durable,
}

/// How far a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReadUpTo {
    /// To the last durable record. What was read once is never replaced by something else.
    #[default]
    Durable,
    /// To the last appended record. After a loss of power its offset may name another record.
    Appended,
}

/// Which time a record has when it is read: Kafka's `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The one that its producer gave it, or the log's clock at the append when it gave none.
    #[default]
    CreateTime,
    /// That of the append of its batch, by the log's clock; what the producer gave stays in the file, unseen. It is bit 3
    /// of the batch's attributes, and the time is the batch's largest timestamp (KIP-32).
    LogAppendTime,
}

/// What becomes of records that are old, or were replaced: Kafka's `cleanup.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CleanupPolicy {
    /// Old segments are deleted, as `retention_ms` and `retention_bytes` say.
    #[default]
    Delete,
    /// Of each key the last record stays, for ever; `retention_ms` and `retention_bytes` do nothing. Every record needs a
    /// key.
    Compact,
    /// Both.
    CompactAndDelete,
}

impl CleanupPolicy {
    /// Whether records that were replaced go.
    #[must_use]
    pub fn compacts(self) -> bool {
        self != Self::Delete
    }

    /// Whether old segments go.
    #[must_use]
    pub fn deletes(self) -> bool {
        self != Self::Compact
    }
}

/// What opening a log does about damage of what was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDamage {
    /// The log does not open, and nothing is changed. What was known to be durable, or was closed cleanly, is not read; damage
    /// there is an error of the read that meets it.
    #[default]
    Refuse,
    /// Every segment is read and checked whole. The bytes of a damaged one are set aside in a file beside it, never
    /// deleted, and what holds of it takes its place: the records before the damage, and, as a segment of their own, those
    /// behind it, when the damaged batch's length, or the index, tells where they begin. What is missing is in
    /// [`Log::recovery`](crate::Log::recovery); its offsets are not given again, and who reads there gets the next
    /// record that is there. The log end does not fall.
    ///
    /// It costs a read of the whole log, and the space of a damaged segment twice. Damage of a small text file, and a
    /// format version that is not known, stay errors.
    Quarantine,
}

/// The options of a log.
///
/// # Examples
///
/// ```
/// use headwater_log::{LogOptions, TopicOptions};
///
/// let options = LogOptions::default()
///     .topic_defaults(TopicOptions::default().retention_ms(Some(7 * 24 * 3600 * 1000)));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogOptions {
    /// The options of topics that are on disk when the log is opened, until others are set for them.
    pub topic_defaults: TopicOptions,
    /// Whether every read checks every checksum, not only the first read of each batch since the segment was
    /// opened. Default: false.
    pub verify_every_read: bool,
    /// The most that the records of one compressed batch may take when they are decompressed, by a reader or to check a batch
    /// that is appended: a few kilobytes can be made that become gigabytes. Above it a read is
    /// [`ReadError::DecompressedTooLarge`](crate::ReadError), and an append is refused. 4 KiB to 2^31 - 1. Default: 64 MiB, some
    /// sixty times the largest batch that [`TopicOptions::batch_bytes_max`] allows by default; what is text seldom shrinks to a
    /// twentieth.
    pub decompressed_bytes_max: usize,
    /// So many segments that take no appends are mapped at a time, each with its two indexes; the longest unused ones
    /// are unmapped for others. A segment that takes appends, or was rolled and waits to be synced, is mapped
    /// besides, and so is what somebody holds a [`Fetched`](crate::Fetched) of. At least 1. Default: 1024.
    pub mapped_segments_max: usize,
    /// A wall clock that jumps ahead by more than this is not believed: retention by time goes on as if it had not jumped, until
    /// [`Log::confirm_clock`](crate::Log::confirm_clock), or until it has shown the new time for as long as this, without a
    /// restart. For a log that is opened the time since its marks were written last is such a jump. `None` believes every clock.
    /// Default: a day.
    pub clock_step_ms_max: Option<u64>,
    /// A producer that has appended nothing to a partition for so long is forgotten there by [`Log::maintain`](crate::Log::maintain):
    /// a batch that it sends once more is appended once more. It is counted from the append, by the log's clock, and after a
    /// crash from the opening; a clock that has jumped ahead is believed as for retention. Kafka's `producer.id.expiration.ms`,
    /// which goes by the timestamps of records. Default: a day.
    pub producer_id_expiration_ms: u64,
    /// So many producers are remembered in each partition. When one more comes, a quarter of them is forgotten, those that
    /// have appended nothing for longest, as if they had expired; with some 200 bytes each this bounds the memory. At least 1.
    /// Default: 10,000.
    pub producers_max: usize,
    /// What opening does about damage. Default: [`OnDamage::Refuse`].
    pub on_damage: OnDamage,
    /// The memory for the keys of a compaction: 24 bytes each, of which 9 in 10 are used. It is allocated while a partition
    /// is compacted, and no more of it than there can be keys; what has more keys is compacted in several passes. 4 KiB or
    /// more. Kafka's `log.cleaner.dedupe.buffer.size`. Default: 128 MiB.
    pub cleaner_dedupe_bytes: u64,
    /// Where the files are. Default: [`Disk`].
    pub storage: Arc<dyn Storage>,
    /// Where the time comes from. Default: [`SystemClock`].
    pub clock: Arc<dyn Clock>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            topic_defaults: TopicOptions::default(),
            verify_every_read: false,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            mapped_segments_max: 1024,
            clock_step_ms_max: Some(24 * 3600 * 1000),
            producer_id_expiration_ms: 24 * 3600 * 1000,
            producers_max: 10_000,
            on_damage: OnDamage::default(),
            cleaner_dedupe_bytes: 128 << 20,
            storage: Arc::new(Disk),
            clock: Arc::new(SystemClock),
        }
    }
}

impl LogOptions {
    /// Sets the options of topics that are on disk when the log is opened.
    #[must_use]
    pub fn topic_defaults(self, topic_defaults: TopicOptions) -> Self {
        Self { topic_defaults, ..self }
    }

    /// Sets whether every read checks every checksum.
    #[must_use]
    pub fn verify_every_read(self, verify_every_read: bool) -> Self {
        Self { verify_every_read, ..self }
    }

    /// Sets how much a compressed batch may become.
    #[must_use]
    pub fn decompressed_bytes_max(self, decompressed_bytes_max: usize) -> Self {
        Self { decompressed_bytes_max, ..self }
    }

    /// Sets how many segments that take no appends are mapped at a time.
    #[must_use]
    pub fn mapped_segments_max(self, mapped_segments_max: usize) -> Self {
        Self { mapped_segments_max, ..self }
    }

    /// Sets which jump of the wall clock is believed.
    #[must_use]
    pub fn clock_step_ms_max(self, clock_step_ms_max: Option<u64>) -> Self {
        Self { clock_step_ms_max, ..self }
    }

    /// Sets for how long a producer that appends nothing is remembered.
    #[must_use]
    pub fn producer_id_expiration_ms(self, producer_id_expiration_ms: u64) -> Self {
        Self { producer_id_expiration_ms, ..self }
    }

    /// Sets how many producers are remembered in each partition.
    #[must_use]
    pub fn producers_max(self, producers_max: usize) -> Self {
        Self { producers_max, ..self }
    }

    /// Sets what opening does about damage.
    #[must_use]
    pub fn on_damage(self, on_damage: OnDamage) -> Self {
        Self { on_damage, ..self }
    }

    /// Sets how much memory the keys of a compaction may take.
    #[must_use]
    pub fn cleaner_dedupe_bytes(self, cleaner_dedupe_bytes: u64) -> Self {
        Self { cleaner_dedupe_bytes, ..self }
    }

    /// Sets where the files are.
    #[must_use]
    pub fn storage(self, storage: Arc<dyn Storage>) -> Self {
        Self { storage, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        // A process of Linux has 65,530 mappings unless it is told otherwise; more is for who has raised that. A snapshot
        // counts its entries in 31 bits, five for each producer.
        let ranges = [
            ("mapped_segments_max", self.mapped_segments_max as u64, 1, u64::from(u32::MAX)),
            ("producers_max", self.producers_max as u64, 1, 100_000_000),
            ("producer_id_expiration_ms", self.producer_id_expiration_ms, 1, i64::MAX.cast_unsigned()),
            ("cleaner_dedupe_bytes", self.cleaner_dedupe_bytes, 4096, 1 << 40),
        ];
        for (option, value, min, max) in ranges {
            if value < min || value > max {
                return Err(InvalidOptions { option, value, min, max });
            }
        }
        check_decompressed(self.decompressed_bytes_max)?;
        self.topic_defaults.check()
    }

    /// Sets where the time comes from.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

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
    /// With both `None` only the program decides: by [`Ack::Durable`], [`Log::sync`](crate::Log::sync), or a thread
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

/// What a compressed batch may become unless the program says otherwise.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

fn check_decompressed(bytes_max: usize) -> Result<(), InvalidOptions> {
    let (value, min, max) = (bytes_max as u64, 4096, SEGMENT_BYTES_MAX);
    if value < min || value > max {
        return Err(InvalidOptions { option: "decompressed_bytes_max", value, min, max });
    }
    Ok(())
}

/// Kafka positions in a segment are 32-bit signed numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 0x7fff_ffff;

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

/// The options of a log that is opened beside its writer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOnlyOptions {
    /// The most that the records of one compressed batch may take when they are decompressed, as
    /// [`LogOptions::decompressed_bytes_max`]. Default: 64 MiB.
    pub decompressed_bytes_max: usize,
    /// Where the files are. Default: [`Disk`].
    pub storage: Arc<dyn Storage>,
}

impl Default for ReadOnlyOptions {
    fn default() -> Self {
        Self { decompressed_bytes_max: DECOMPRESSED_BYTES_MAX, storage: Arc::new(Disk) }
    }
}

impl ReadOnlyOptions {
    /// Sets where the files are.
    #[must_use]
    pub fn storage(self, storage: Arc<dyn Storage>) -> Self {
        Self { storage, ..self }
    }

    /// Sets how much a compressed batch may become.
    #[must_use]
    pub fn decompressed_bytes_max(self, decompressed_bytes_max: usize) -> Self {
        Self { decompressed_bytes_max, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        check_decompressed(self.decompressed_bytes_max)
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
