use std::path::PathBuf;
use std::sync::Arc;

use super::{Corruption, InvalidBatch, IoError};
use crate::batch::Codec;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another writer, in this process or another one, has the directory.
    #[error("{} is in use by another writer; stop it, or open the log read-only", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Bytes that were durable are damaged. Nothing was cut or changed.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A small text file of the log cannot be understood. It was left as it is.
    #[error("{} is malformed at line {line}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected there.
        what: &'static str,
    },
    /// A file is of a format version that this release does not know. It was left as it is.
    #[error("{} has format version {found}, this release knows {known}", path.display())]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
        /// The version that is understood.
        known: u64,
    },
    /// Some partitions of a topic are there and this one is not.
    #[error("topic {topic} has no partition {partition}, but partitions above it")]
    MissingPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// There is no log in this directory (read-only opening creates none).
    #[error("{} is not a directory with a log", path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// An option has a value that cannot be.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The topics would be compressed with what this build does not have.
    #[error(transparent)]
    Compression(#[from] UnsupportedCompression),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// An option has a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("option {option} is {value}, it has to be from {min} to {max}")]
#[non_exhaustive]
pub struct InvalidOptions {
    /// The option.
    pub option: &'static str,
    /// The value given.
    pub value: u64,
    /// The least value.
    pub min: u64,
    /// The greatest value.
    pub max: u64,
}

/// A topic's compression is one that this build does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("option compression is {codec}: {}", mended(*codec))]
#[non_exhaustive]
pub struct UnsupportedCompression {
    /// The codec.
    pub codec: Codec,
}

/// What mends it that a codec is not there.
pub(super) fn mended(codec: Codec) -> &'static str {
    match codec {
        Codec::GZIP => "build headwater-log with its feature gzip",
        Codec::SNAPPY => "build headwater-log with its feature snappy",
        Codec::LZ4 => "build headwater-log with its feature lz4",
        Codec::ZSTD => "build headwater-log with its feature zstd, which needs a C compiler",
        _ => "Kafka has no such codec",
    }
}

/// Why a name cannot be the name of a topic. The rules are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTopicName {
    /// The name is empty.
    #[error("a topic name has at least one character")]
    Empty,
    /// The name is longer than 249 characters.
    #[error("a topic name has at most 249 characters, this one has {len}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The name is `.` or `..`.
    #[error("a topic cannot be named . or ..")]
    Dots,
    /// The name has a character other than ASCII letters, digits, `.`, `_` and `-`.
    #[error("a topic name consists of ASCII letters, digits, '.', '_' and '-'; byte {at} is none of these")]
    Character {
        /// The byte at fault, counted from 0.
        at: usize,
    },
}

/// Why a topic could not be created, opened, altered or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name breaks Kafka's rules.
    #[error(transparent)]
    Name(#[from] InvalidTopicName),
    /// A topic of this name is there already.
    #[error("topic {topic} exists already")]
    Exists {
        /// The topic.
        topic: String,
    },
    /// There is no topic of this name.
    #[error("there is no topic {topic}")]
    NotFound {
        /// The topic.
        topic: String,
    },
    /// The topic has another number of partitions than was asked for.
    #[error("topic {topic} has {found} partitions, {wanted} were asked for")]
    PartitionCount {
        /// The topic.
        topic: String,
        /// The number on disk.
        found: u32,
        /// The number asked for.
        wanted: u32,
    },
    /// Partitions are added, never removed: their records would go with them, and keys would change places.
    #[error(
        "topic {topic} has {found} partitions, {wanted} are fewer; partitions are never removed, delete the topic"
    )]
    FewerPartitions {
        /// The topic.
        topic: String,
        /// The number on disk.
        found: u32,
        /// The number asked for.
        wanted: u32,
    },
    /// An option has a value that cannot be.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The topic would be compressed with what this build does not have.
    #[error(transparent)]
    Compression(#[from] UnsupportedCompression),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// A directory that the topic needs is there already, and what is in it is not of an unfinished topic.
    /// It was left as it is.
    #[error("{} is in the way: it is not empty; move it elsewhere", path.display())]
    InTheWay {
        /// The directory.
        path: PathBuf,
    },
    /// `partition.metadata` of the topic, read for the partitions that are added, cannot be understood.
    #[error(transparent)]
    Open(Box<OpenError>),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why records could not be appended, or not be made durable. [`AppendError::NotDurable`] alone leaves records in the
/// log; after any other one nothing was appended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The batch is larger than the topic allows. Nothing was appended.
    #[error("a batch of {bytes} bytes is above the limit of {max}; split it or raise batch_bytes_max")]
    BatchTooLarge {
        /// The batch's length as it would stand on disk.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// A batch needs at least one record.
    #[error("a batch without records cannot be appended")]
    EmptyBatch,
    /// The bytes given are not a record batch that can be appended.
    #[error("the record batch was refused: {0}")]
    InvalidBatch(#[from] InvalidBatch),
    /// A producer id, an epoch or a sequence number is negative.
    #[error(
        "producer {producer_id} with epoch {epoch} and sequence {sequence}: none of them may be negative"
    )]
    InvalidProducer {
        /// The producer id.
        producer_id: i64,
        /// The producer's epoch.
        epoch: i16,
        /// The number of the first record.
        sequence: i32,
    },
    /// A producer begins with another sequence number than the one behind its last batch: batches between them are
    /// missing, or it was appended so long ago that it is not among the last five that are remembered. In a new epoch a
    /// producer begins with 0. Kafka's error 45, `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error(
        "producer {producer_id} in epoch {epoch} sent sequence {found}, and {expected} is next; send what is between"
    )]
    OutOfOrderSequence {
        /// The producer id.
        producer_id: i64,
        /// The epoch of the batch.
        epoch: i16,
        /// The sequence number that the next batch has to begin with.
        expected: i32,
        /// The one that it begins with.
        found: i32,
    },
    /// A producer has appended in a later epoch: this one was taken over. Kafka's error 47, `INVALID_PRODUCER_EPOCH`.
    #[error(
        "producer {producer_id} is in epoch {current}, the batch is of {epoch}; begin again with a new producer id"
    )]
    InvalidProducerEpoch {
        /// The producer id.
        producer_id: i64,
        /// The epoch of the batch.
        epoch: i16,
        /// The latest epoch.
        current: i16,
    },
    /// A record's timestamp is before 1970. Kafka's clients refuse these too.
    #[error("timestamp {timestamp} of record {record} is negative")]
    NegativeTimestamp {
        /// The record's place among those given, from 0.
        record: usize,
        /// The timestamp in milliseconds.
        timestamp: i64,
    },
    /// A record without a key, for a topic that is compacted: of what would it be the last? Kafka refuses these too.
    #[error(
        "record {record} has no key, and the topic is compacted; give it one, or set cleanup_policy to Delete"
    )]
    KeyRequired {
        /// The record's place in its batch, from 0.
        record: usize,
    },
    /// The partition has given its last offsets: Kafka's are below 2^63 - 1.
    #[error("the partition is at offset {next}, and the last one there can be is 9223372036854775806")]
    OffsetsExhausted {
        /// The next offset to be given.
        next: u64,
    },
    /// The disk is full. Nothing was appended; the next append tries again.
    #[error("no space: {0}")]
    NoSpace(Arc<IoError>),
    /// The operating system refused before anything was appended.
    #[error("{0}")]
    Io(Arc<IoError>),
    /// The segment that takes appends is damaged. Nothing was appended.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The partition does not take records now; nothing was appended. [`SyncError::Closed`] and
    /// [`SyncError::Failed`] are for good, until the log is opened anew. [`SyncError::Io`] is not: full segments wait
    /// to be synced, that failed, and the next append tries again.
    #[error("nothing was appended: {0}")]
    Refused(SyncError),
    /// The records were appended, but are not known to be durable: whether they survive is open, and to append them
    /// again may double them. Only from [`Ack::Durable`](crate::Ack::Durable). After [`SyncError::Io`] a later sync,
    /// or [`Partition::wait_durable`](crate::Partition::wait_durable), can still make them durable.
    #[error("appended at offset {offset}, but not known to be durable: {error}")]
    NotDurable {
        /// The offset of the first of the records.
        offset: u64,
        /// Why they are not durable.
        error: SyncError,
    },
}

impl From<IoError> for AppendError {
    fn from(error: IoError) -> Self {
        if error.is_no_space() { Self::NoSpace(Arc::new(error)) } else { Self::Io(Arc::new(error)) }
    }
}

/// Why records are not durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A sync failed, now or earlier. The partition takes no more appends until the log is opened anew: what
    /// the kernel shows of records that were not durable may not be on disk, and a second sync would hide that.
    #[error("the partition takes no appends until it is opened anew: {0}")]
    Failed(Arc<IoError>),
    /// The operating system refused something around a sync, for instance to open one more file. Nothing is lost;
    /// the next sync tries again.
    #[error("not durable yet: {0}")]
    Io(Arc<IoError>),
    /// No record has this offset yet, so it cannot become durable.
    #[error("offset {offset} is not appended yet, the log ends at {end}")]
    NotAppended {
        /// The offset asked for.
        offset: u64,
        /// The next offset to be given.
        end: u64,
    },
    /// The log was closed, or the topic deleted.
    #[error("the log is closed")]
    Closed,
}

/// Why records could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The offset was deleted, or is not there yet.
    #[error("offset {offset} is outside of {start} to {end}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: u64,
        /// The log start offset.
        start: u64,
        /// The first offset that cannot be read yet.
        end: u64,
    },
    /// The bytes are damaged; nothing of the damaged batch was handed out.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The batch is compressed with a codec that this build does not have, or Kafka neither. Its raw bytes can still be read.
    #[error(
        "{topic}-{partition}: the batch at offset {offset} is compressed with {}: {}",
        Codec(*codec),
        mended(Codec(*codec))
    )]
    UnsupportedCodec {
        /// The topic.
        topic: Arc<str>,
        /// The partition's number.
        partition: u32,
        /// The batch's first offset.
        offset: u64,
        /// Kafka's number of the codec: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        codec: u8,
    },
    /// The batch would become more than a reader has allowed for: a bomb, or a limit that is too low. Its raw bytes can still be
    /// read.
    #[error(
        "{topic}-{partition}: the batch at offset {offset}, in segment {segment:020} at position {position}, has more than {max} \
         bytes when it is decompressed; raise decompressed_bytes_max if it may"
    )]
    DecompressedTooLarge {
        /// The topic.
        topic: Arc<str>,
        /// The partition's number.
        partition: u32,
        /// The segment's base offset, which is also its file name.
        segment: u64,
        /// The byte in the segment's `.log` file at which the batch begins.
        position: u64,
        /// The batch's first offset.
        offset: u64,
        /// The limit.
        max: u64,
    },
    /// The log was closed, or the topic deleted; beside the writer, the topic was deleted.
    #[error("the log is closed, or the topic was deleted")]
    Closed,
    /// A small text file or a mark of the log, read beside a running writer, cannot be understood.
    #[error("{0}")]
    Open(Arc<OpenError>),
    /// The operating system refused.
    #[error("{0}")]
    Io(Arc<IoError>),
}

impl From<IoError> for ReadError {
    fn from(error: IoError) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Why no producer id was given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerIdError {
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The file that tells which ids were given out is damaged; it was left as it is.
    #[error(
        "{} is damaged; remove it, and ids are given out from 0 on again, but for those that partitions know",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// That file is of a version that this release does not know; it was left as it is.
    #[error("{} has format version {found}, this release knows {known}", path.display())]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u16,
        /// The version that is understood.
        known: u16,
    },
    /// All ids were given out: there are 2^63.
    #[error("all producer ids were given out")]
    Exhausted,
    /// The operating system refused; no id was given out.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why a partition was not compacted, or not to the end. What was compacted before the error stays so; readers, appends and
/// what is not compacted are not concerned, and the next attempt begins where this one ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The topic is not compacted.
    #[error("cleanup_policy of topic {topic} is Delete; set it to Compact or CompactAndDelete")]
    Policy {
        /// The topic.
        topic: Arc<str>,
    },
    /// The log was closed, or the topic deleted.
    #[error("the log is closed, or the topic was deleted")]
    Closed,
    /// A sync of the directory has failed, now or earlier: the partition waits to be opened anew.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// What was to be compacted is damaged, or cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The operating system refused; [`IoError::is_no_space`] tells of a full disk.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl From<Corruption> for CompactError {
    fn from(corruption: Corruption) -> Self {
        Self::Read(corruption.into())
    }
}

/// Why upkeep stopped early. What was done before the error stays done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// A partition could not make its records durable.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A new segment could not be begun.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A partition could not be compacted.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// The offset given lies behind the durable end.
    #[error("offset {offset} is behind the durable end {end}")]
    OffsetOutOfRange {
        /// The offset given.
        offset: u64,
        /// The durable end.
        end: u64,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why a log could not be closed cleanly. Its lock is released all the same, and the next open recovers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// A partition could not make its records durable.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
}
