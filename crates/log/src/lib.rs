//! An embedded commit log: topics of partitions, appended to, synced, read back by offset or by time. Its files are
//! Apache Kafka's own.
//!
//! # Examples
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
//!
//! let dir = tempfile::tempdir()?;
//! let log = Log::open(dir.path(), LogOptions::default())?;
//! let telemetry = log.open_or_create_topic("telemetry", TopicOptions::default().partitions(8))?;
//!
//! // The key chooses the partition, as in Kafka's clients. When this returns, the record is on disk.
//! let at = telemetry.append(&Record::new("21.5").key("factory/line-1/temperature"), Ack::Durable)?;
//!
//! let partition = telemetry.partition(at.partition).ok_or("no such partition")?;
//! let mut next = partition.start_offset();
//! while next < partition.durable_end() {
//!     let fetched = partition.read(next, 1 << 20)?;
//!     for record in &fetched {
//!         let record = record?; // key and value are `Bytes` over the log's own memory
//!         assert_eq!(record.value.as_deref(), Some(b"21.5".as_slice()));
//!     }
//!     next = fetched.next_offset();
//! }
//! log.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! * A record that was acknowledged as durable survives the end of the process and the loss of power. A record
//!   that was only appended survives the end of the process.
//! * After a crash the log is a run of what was appended, in order, without holes; each batch is there whole or
//!   not at all.
//! * Readers see durable records, unless they ask for more; so an offset never names two records.
//! * No wrong byte is given at the first read since a segment was mapped: damage is an error that names topic, partition,
//!   segment and position. What a durable mark, or the recovery point, says was durable is never cut away.
//! * After a sync that failed, a partition takes no more appends until the log is opened anew.
//! * What was damaged is set aside where the program asks for it ([`OnDamage::Quarantine`]), never deleted; all that holds stays
//!   readable, and no offset is given twice.
//! * A batch that an idempotent producer sends twice is there once, also over restarts and crashes.
//! * A full disk fails the append and nothing else; retention goes on, and so do appends when there is space.
//! * Files and directories of others in the log's directory are left alone.
//!
//! Not promised: disks that lie about syncs, network file systems, two writers, and to bring back what is damaged. A read error of the
//! disk under a mapping, or another program that cuts the files, ends the process (SIGBUS); one that writes into them,
//! `std::fs` in this process included, changes bytes that somebody may hold. `docs/log-format.md` of the repository has
//! the bytes, and what each promise rests on.
//!
//! # Parts
//!
//! ```text
//!  Log ---------- one directory, one writer            ReadOnlyLog -------- beside the writer, any number
//!   '- Topic ---- name, partitions by key                '- ReadOnlyPartition
//!       '- Partition   append, sync, read, retention
//!
//!  Log::producer -> Producer -> Sender -> Receipt       gathers records of many threads into batches
//!
//!  Record -> Partition::append          Partition::read -> Fetched -> StoredRecord (kept) or RecordView (borrowed)
//!                                                            '----> Batch: header, bytes as in the file, records
//!
//!  Log::consumer -> Consumer::poll -> ConsumerRecords -> Consumer::commit     members of a group share partitions
//!
//!  Table -- folds the records of a Topic into a state, a Fold, and follows it
//!
//!  Log::check -- a closed log, read whole, nothing changed -> Finding, CheckReport
//! ```
//!
//! All input and output goes through [`storage::Storage`], the time comes from [`Clock`], and there is no
//! runtime inside, and no thread that the program did not ask for: who wants upkeep calls [`Log::maintain`], or
//! [`Log::start_maintenance`] once; who asks for a producer gets its thread with it, unless he drives it himself; who wants durable records without
//! blocking lets one thread call [`Log::wait_unsynced`] and [`Log::sync`], and waits for
//! [`Partition::readable`].
//!
//! # What works and what does not yet
//!
//! Works: topics whose options are altered while they are used, append of records, batches, and batches that are encoded already,
//! producers that gather records of many threads ([`producer`]), idempotent ones among them, group commit, segments that roll by
//! size and age, reads by offset and timestamp, retention by time, bytes and log start offset, compaction, recovery, quarantine
//! of damaged segments, checks, reading beside the writer, directories that Kafka wrote, consumer groups whose members are in one
//! process, state that is folded from a topic and follows it ([`Table`]). The guide, `docs/log.md` of the repository, has how to use
//! it all.
//!
//! Batches compressed with LZ4, Snappy, gzip and Zstandard are written and read, each with the crate's feature of that name; all but
//! `zstd`, which needs a C compiler, are on by default.
//!
//! Not yet: transactions, which are kept as Kafka wrote them, and consumer groups over several processes. A partition whose
//! directory is gone as a whole is not missed, unless another one of its topic is there. Linux is what it is tested on; other
//! systems go by plain file calls where they lack `fallocate`.

mod batch;
mod check;
mod clock;
mod compaction;
mod compress;
mod error;
mod fetched;
mod format;
mod group;
mod log;
mod options;
mod partition;
pub mod partitioner;
pub mod producer;
mod producers;
mod read_only;
mod record;
mod recovery;
mod report;
mod segment;
pub mod storage;
mod sync;
mod table;
mod topic;
mod unpacked;

pub use batch::{Batch, Batches, Codec};
pub use check::{CheckEvent, CheckReport, Finding, IndexKind, IndexProblem, Problem, Progress, Severity};
pub use clock::{Clock, SystemClock};
pub use compaction::{Cleanable, CompactProgress, CompactReport};
pub use compress::Compression;
pub use error::{
    AppendError, CloseError, CommitError, CompactError, Corruption, Damage, GroupError, InvalidBatch,
    InvalidOptions, InvalidTopicName, IoError, MaintainError, NotAssigned, OffsetsError, OpenError,
    PollError, ProducerIdError, ReadError, SeekError, SubscribeError, SyncError, TopicError,
    UnsupportedCompression,
};
pub use fetched::{Fetched, Records, Views};
pub use group::{
    Assignor, Consumer, ConsumerEvent, ConsumerOptions, ConsumerRecords, GroupDescription, GroupPartition,
    MemberDescription, MoveReason, OffsetReset, Ready, Subscription, TopicPartition,
};
pub use log::{Log, Maintenance};
pub use options::{
    Ack, CleanupPolicy, LogOptions, OnDamage, ReadOnlyOptions, ReadUpTo, TimestampType, TopicOptions,
};
pub use partition::{Partition, Reached};
pub use producers::{Appended, ProducerNumbers};
pub use read_only::{
    DurableMark, OffsetIndexEntry, ReadOnlyLog, ReadOnlyPartition, SegmentFiles, TimeIndexEntry,
};
pub use record::{Header, HeaderIter, HeadersView, Record, RecordView, StoredHeaders, StoredRecord};
pub use report::{
    AheadOffset, Compacted, MaintainReport, MalformedOffset, OffsetsRecovery, PartitionDescription,
    PartitionRecovery, RecoveryReport, SegmentInfo, SetAside, TopicDescription,
};
pub use table::{Changed, Fold, Table, TableError};
pub use topic::{Position, Topic};

/// What the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
