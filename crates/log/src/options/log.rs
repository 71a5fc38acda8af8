//! What a program chooses for a log.

use std::sync::Arc;

use super::{DECOMPRESSED_BYTES_MAX, OnDamage, TopicOptions, check_decompressed};
use crate::clock::{Clock, SystemClock};
use crate::error::InvalidOptions;
use crate::storage::{Disk, Storage};

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
