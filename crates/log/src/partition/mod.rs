//! One partition: an ordered, append-only run of records.
//!
//! ```text
//!   log start offset           durable end          appended end
//!         |                         |                    |
//!   ------+-------------------------+--------------------+
//!  deleted|   read by everybody     |  ReadUpTo::Appended|  the next append goes here
//! ```

pub(crate) mod any;
mod append;
mod commit;
mod compact;
mod exchange;
mod flush;
mod growth;
mod open;
mod producers;
mod reached;
mod read;
mod retention;
mod signal;
mod state;
mod timestamps;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::reached::Reached;
pub(crate) use self::signal::Signal;
pub(crate) use self::state::{Core, KnownProducers};
use crate::compaction::{Cleanable, CompactProgress, CompactReport};
use crate::error::{AppendError, CompactError, MaintainError, ReadError, SyncError};
use crate::fetched::Fetched;
use crate::options::{Ack, ReadUpTo};
use crate::producers::{Appended, ProducerNumbers};
use crate::record::Record;
use crate::report::SegmentInfo;

/// A handle to one partition. Clones are cheap and stand for the same partition.
///
/// One thread at a time appends, many may wait and read: reading takes no lock that an append holds, and no
/// append waits for the disk unless it asks to. The one exception bounds what is not durable: who finds three
/// full segments that nobody has synced syncs them first.
///
/// Offsets are dense: the first record of a new partition has 0, each next one more. When the log is closed
/// or the topic deleted, every operation of the handle fails with `Closed`.
#[derive(Clone)]
pub struct Partition {
    core: Arc<Core>,
}

impl Partition {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.core.topic()
    }

    /// The partition's number, from 0.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.core.number()
    }

    /// The first offset that can be read: Kafka's log start offset.
    #[must_use]
    pub fn start_offset(&self) -> u64 {
        self.core.start_offset()
    }

    /// The offset behind the last durable record. It is what Kafka's high watermark is to a single broker.
    #[must_use]
    pub fn durable_end(&self) -> u64 {
        self.core.durable_end()
    }

    /// The offset that the next record will have: Kafka's log end offset.
    #[must_use]
    pub fn appended_end(&self) -> u64 {
        self.core.appended_end()
    }

    /// Appends one record and returns its offset.
    ///
    /// With [`Ack::Durable`] it returns when the record is on disk; threads that wait at the same time share one
    /// sync.
    ///
    /// # Errors
    ///
    /// Nothing was appended, except for [`AppendError::NotDurable`] from [`Ack::Durable`]: then the record was
    /// appended, but whether it survives is not known.
    pub fn append(&self, record: &Record<'_>, ack: Ack) -> Result<u64, AppendError> {
        self.core.append(std::slice::from_ref(record), ack)
    }

    /// Appends records as one batch, which survives a crash whole or not at all, and returns the offset of the
    /// first. Where the topic names a codec the batch is compressed, before the lock is taken.
    ///
    /// # Errors
    ///
    /// As [`Partition::append`]; [`AppendError::EmptyBatch`] without records.
    pub fn append_batch(&self, records: &[Record<'_>], ack: Ack) -> Result<u64, AppendError> {
        self.core.append(records, ack)
    }

    /// Appends records as one batch with the numbers of an idempotent producer, once, however often it is sent (KIP-98).
    ///
    /// The rules are those of a Kafka broker. A batch has to begin with the sequence number behind the producer's last one in
    /// this partition, or with 0 in a later epoch; behind 2^31 - 1 comes 0. One of the producer's last five batches is not
    /// appended again: its offset is returned, and with [`Ack::Durable`] it is durable then, whatever was asked for at
    /// first. A producer that the partition does not know may begin with any number: it may have been forgotten, after
    /// [`LogOptions::producer_id_expiration_ms`](crate::LogOptions::producer_id_expiration_ms) or for
    /// [`LogOptions::producers_max`](crate::LogOptions::producers_max). What is known survives restarts and crashes as the
    /// batches do, also when retention has deleted them.
    ///
    /// Numbers come from [`Log::new_producer_id`](crate::Log::new_producer_id), epoch 0, and counting from 0, for each partition
    /// alone: [`ProducerNumbers::behind`] gives the next. After an error that leaves open whether the batch is there
    /// ([`AppendError::NotDurable`]), or none at all because the process ended, the same batch is sent again with the same
    /// numbers. [`Log::new_producer_id`](crate::Log::new_producer_id) has an example.
    ///
    /// Beyond an append it costs two look-ups in a map and a look at the clock, under the append lock; memory only for a producer
    /// that is new, some 200 bytes. A segment that is rolled, and the closing of the log, write all that is known to a
    /// snapshot, durably: up to 46 bytes for each batch that is remembered.
    ///
    /// # Errors
    ///
    /// [`AppendError::OutOfOrderSequence`] when batches between were left out, or the batch was sent longer ago than the last
    /// five; [`AppendError::InvalidProducerEpoch`] when the producer has begun a later epoch;
    /// [`AppendError::InvalidProducer`] when one of the numbers is negative. Otherwise as [`Partition::append_batch`].
    pub fn append_idempotent(
        &self,
        records: &[Record<'_>],
        producer: ProducerNumbers,
        ack: Ack,
    ) -> Result<Appended, AppendError> {
        self.core.append_idempotent(records, producer, ack)
    }

    /// Appends a record batch that is encoded already, as Kafka's Produce carries it, and returns the offset of its
    /// first record.
    ///
    /// `batch` is one batch of format version 2 with base offset 0. It is checked as a Kafka broker checks it;
    /// [`InvalidBatch`](crate::InvalidBatch) lists the rules. Several batches in one call are refused, as Kafka refuses
    /// them ([`InvalidBatch::MoreThanOne`](crate::InvalidBatch::MoreThanOne)): a batch is what is there whole or not at
    /// all. The log sets base offset and leader epoch; with [`TimestampType::LogAppendTime`](crate::TimestampType) also
    /// the timestamp and its type; and with create time the largest timestamp, if the batch misstates it, as Kafka
    /// does. Everything else is kept, producer id, epoch and sequence too, by which a batch that is sent twice is there once:
    /// see [`Partition::append_idempotent`], whose rules hold and whose errors come here as well. A timestamp that is far from now is taken (Kafka has `message.timestamp.before.max.ms`
    /// and `..after.max.ms`).
    ///
    /// A compressed batch is decompressed, to at most [`LogOptions::decompressed_bytes_max`](crate::LogOptions), and its records
    /// are checked like those of any other. It is kept as it came where the topic has its codec, at whatever level, or names none
    /// ([`TopicOptions::compression`](crate::TopicOptions)); otherwise its records are compressed anew, as a broker does with
    /// `compression.type`, and everything but codec, length and checksum is kept.
    ///
    /// It costs one walk over the bytes for the checksum, one over the records, and one
    /// copy, into the log's file, or two for a batch of 256 bytes or more; with log append time a second checksum; and the codecs.
    ///
    /// # Errors
    ///
    /// [`AppendError::InvalidBatch`] says which rule is broken, where, and how to mend it; [`AppendError::BatchTooLarge`].
    /// Otherwise as [`Partition::append`].
    ///
    /// # Examples
    ///
    /// Batches read from one partition are appended to another:
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let from = log.create_topic("from", TopicOptions::default())?.partition(0).ok_or("no partition")?;
    /// let to = log.create_topic("to", TopicOptions::default())?.partition(0).ok_or("no partition")?;
    /// from.append_batch(&[Record::new("a"), Record::new("b")], Ack::Durable)?;
    ///
    /// let batch = from.read(0, 1)?; // one batch, and its base offset is 0
    /// assert_eq!(to.append_record_batch(batch.bytes(), Ack::Durable)?, 0);
    /// assert_eq!(to.append_record_batch(batch.bytes(), Ack::Durable)?, 2);
    /// assert_eq!(to.read(2, 1)?.views().count(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn append_record_batch(&self, batch: &[u8], ack: Ack) -> Result<u64, AppendError> {
        self.core.append_record_batch(batch, ack)
    }

    /// Makes everything appended so far durable and returns the durable end.
    ///
    /// It makes no system call when there is nothing to do. Many threads may call it; one works for all.
    ///
    /// # Errors
    ///
    /// [`SyncError::Failed`] when a sync fails or has failed: the partition then takes no more appends until the
    /// log is opened anew. A sync is never tried twice. [`SyncError::Io`] when something else was refused; then
    /// nothing is lost, and the next sync tries again.
    pub fn sync(&self) -> Result<u64, SyncError> {
        self.core.sync()
    }

    /// Blocks until the record with this offset is durable, doing the sync if nobody else is.
    ///
    /// # Errors
    ///
    /// As [`Partition::sync`]; [`SyncError::NotAppended`] when there is no such record yet.
    pub fn wait_durable(&self, offset: u64) -> Result<(), SyncError> {
        self.core.wait_durable(offset)
    }

    /// Blocks until the record with this offset can be read, or until the timeout; tells which it was.
    ///
    /// It does no sync of its own. A tailing reader passes the offset that it will read next.
    ///
    /// # Errors
    ///
    /// [`SyncError::Closed`], and [`SyncError::Failed`] when the record cannot become durable any more.
    pub fn wait_readable(&self, up_to: ReadUpTo, offset: u64, timeout: Duration) -> Result<bool, SyncError> {
        self.core.wait_readable(up_to, offset, timeout)
    }

    /// A future of the same: it is ready when the record with this offset can be read.
    ///
    /// It needs no runtime and does no sync of its own: something has to call [`Partition::sync`], for instance
    /// a thread that sleeps in [`Log::wait_unsynced`](crate::Log::wait_unsynced). With [`ReadUpTo::Durable`] it
    /// is how an event loop waits for an acknowledgement. Dropping it takes its waker back.
    pub fn readable(&self, up_to: ReadUpTo, offset: u64) -> Reached {
        Reached::new(Arc::clone(&self.core), up_to, offset)
    }

    /// Reads whole batches, from the one that holds `from` on, up to the durable end.
    ///
    /// At most `max_bytes`, but at least one batch if there is any, and from one segment; empty at the end.
    ///
    /// It copies nothing and takes no lock of an append. It searches the list of segments and the index, walks the
    /// headers of at most `index_interval_bytes` of batches, and checks the checksums of those it gives that were
    /// not checked since their segment was mapped. To map a segment costs a few system calls, and once to read its
    /// indexes.
    ///
    /// # Errors
    ///
    /// [`ReadError::OffsetOutOfRange`] before the start or behind the durable end; [`ReadError::Corrupt`] when
    /// bytes are damaged; [`ReadError::Closed`]; [`ReadError::Io`] when a segment cannot be mapped.
    pub fn read(&self, from: u64, max_bytes: usize) -> Result<Fetched, ReadError> {
        self.core.read(ReadUpTo::Durable, from, max_bytes)
    }

    /// Reads like [`Partition::read`], as far as `up_to` says.
    ///
    /// # Errors
    ///
    /// As [`Partition::read`].
    pub fn read_up_to(&self, up_to: ReadUpTo, from: u64, max_bytes: usize) -> Result<Fetched, ReadError> {
        self.core.read(up_to, from, max_bytes)
    }

    /// Returns the offset of the first durable record whose timestamp is at or after `timestamp_ms`; `None` when
    /// there is none. Timestamps may come in any order.
    ///
    /// It passes the segments whose largest timestamp is earlier, in steps of one comparison, and in the first other
    /// one reads from the entry of the time index on.
    ///
    /// # Errors
    ///
    /// As [`Partition::read`].
    pub fn offset_for_timestamp(&self, timestamp_ms: i64) -> Result<Option<u64>, ReadError> {
        self.core.offset_for_timestamp(timestamp_ms)
    }

    /// Raises the log start offset, so that records before `offset` are gone for readers, and deletes the segments
    /// that hold no others; returns the log start offset. It never falls.
    ///
    /// # Errors
    ///
    /// [`MaintainError::OffsetOutOfRange`] behind the durable end; [`MaintainError::Io`] when the new log start offset
    /// could not be kept, then it is the old one, unless the disk was so full that the oldest segments went first;
    /// [`MaintainError::Sync`] when the partition is closed, or cannot be made durable.
    pub fn delete_records_before(&self, offset: u64) -> Result<u64, MaintainError> {
        self.core.delete_records_before(offset)
    }

    /// Compacts what can be compacted, whether or not it is due; returns what was done. [`Log::maintain`](crate::Log::maintain) does the
    /// same where [`TopicOptions`](crate::TopicOptions) say so.
    ///
    /// Of each key the last record stays, with its offset; what is read is in the same order as before. The segment that takes appends is left
    /// alone, and so is what is younger than `min_compaction_lag_ms`. A record without a value, a tombstone, goes `delete_retention_ms`
    /// after it was first compacted, by `now_ms`.
    ///
    /// It blocks neither appends nor readers: who has read from a segment that is replaced reads on. `watch` is called every 4 MiB or so;
    /// it must not close the log. Closing the log, and deleting the topic, end it with an error.
    ///
    /// It costs a read of all segments before the one that takes appends, twice, the second time from the page cache if they fit, a
    /// write of what stays of those in which something goes, and four syncs of the directory for each new segment. Memory:
    /// [`LogOptions::cleaner_dedupe_bytes`](crate::LogOptions::cleaner_dedupe_bytes), 1 MiB, 2 MiB for the numbers of producers, a largest batch, and
    /// the entries of a segment's indexes.
    ///
    /// # Errors
    ///
    /// [`CompactError`]. Nothing is lost, and what was done stays done; after [`CompactError::Sync`] with
    /// [`SyncError::Failed`] the partition has to be opened anew.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, CleanupPolicy, Clock, Log, LogOptions, Record, SystemClock, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let options = TopicOptions::default().cleanup_policy(CleanupPolicy::Compact).segment_bytes(4096);
    /// let state = log.create_topic("state", options)?.partition(0).ok_or("no partition")?;
    /// for n in 0..1000 {
    ///     state.append(&Record::new(&n.to_string()).key(&format!("key {}", n % 10)), Ack::Appended)?;
    /// }
    /// state.sync()?;
    ///
    /// let report = state.compact(SystemClock.now_ms(), &mut |_| {})?;
    /// assert!(report.records_superseded > 900);
    ///
    /// // What is left: one of each key, and the segment that takes appends, which is not looked at.
    /// let (mut next, mut left) = (state.start_offset(), 0);
    /// while next < state.durable_end() {
    ///     let fetched = state.read(next, 4096)?;
    ///     left += fetched.views().count();
    ///     next = fetched.next_offset();
    /// }
    /// assert!((10..100).contains(&left));
    /// # Ok(())
    /// # }
    /// ```
    pub fn compact(
        &self,
        now_ms: i64,
        watch: &mut dyn FnMut(&CompactProgress),
    ) -> Result<CompactReport, CompactError> {
        self.core.compact(now_ms, watch)
    }

    /// Tells what [`Partition::compact`] would look at, and how much of it for the first time. Costs a step for each segment.
    #[must_use]
    pub fn cleanable(&self, now_ms: i64) -> Cleanable {
        self.core.cleanable(now_ms)
    }

    /// Describes the segments, oldest first. Costs one allocation and a step for each.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.core.segment_infos()
    }

    /// The bytes of all batches in all segments. Costs a step for each segment.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.core.size_bytes()
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition")
            .field("topic", &self.topic())
            .field("number", &self.number())
            .field("start_offset", &self.start_offset())
            .field("durable_end", &self.durable_end())
            .field("appended_end", &self.appended_end())
            .finish_non_exhaustive()
    }
}
