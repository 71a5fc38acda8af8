use std::time::Duration;

use super::{AppendError, InvalidOptions, IoError, ProducerIdError, UnsupportedCompression};

/// Why a producer could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// An option has a value that cannot be.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The codec to compress with is not built in.
    #[error(transparent)]
    Compression(#[from] UnsupportedCompression),
    /// The operating system refused the producer its thread.
    #[error(transparent)]
    Io(#[from] IoError),
    /// There is no id for it.
    #[error(transparent)]
    Id(#[from] ProducerIdError),
}

/// Why a record was not taken by a producer. Nothing of it will be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The record as a batch of its own is larger than the topic, or the producer's buffer, allows.
    #[error(
        "the record is a batch of {bytes} bytes, above the limit of {max}; split it, or raise batch_bytes_max of the topic \
         and buffer_bytes_max of the producer"
    )]
    RecordTooLarge {
        /// The bytes of a batch with this record alone, not compressed.
        bytes: u64,
        /// The lesser of both limits.
        max: u64,
    },
    /// A timestamp is before 1970. Kafka's clients refuse these too.
    #[error("timestamp {timestamp} is negative")]
    NegativeTimestamp {
        /// The timestamp in milliseconds.
        timestamp: i64,
    },
    /// A record without a key, for a topic that is compacted. Kafka refuses these too.
    #[error(
        "the record has no key, and the topic is compacted; give it one, or set cleanup_policy to Delete"
    )]
    KeyRequired,
    /// The topic has no such partition.
    #[error("there is no partition {partition}: the topic has {count}, from 0")]
    NoPartition {
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        count: u32,
    },
    /// As many bytes are gathered and not appended as may be, and that has not changed for as long as `send` waits.
    #[error(
        "no room for {bytes} bytes among the {max} of buffer_bytes_max after {waited:?}: records come faster than the log takes \
         them; wait for receipts, or raise it"
    )]
    BufferFull {
        /// The bytes that were needed for one more batch.
        bytes: u64,
        /// The limit.
        max: u64,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
}

/// Why records that a producer had taken are not in the log, or not known to be durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The append was refused, and would be again; or it was done and is not durable ([`AppendError::NotDurable`]).
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The append was refused again and again for `delivery_timeout_ms`.
    #[error("given up after {after_ms} ms: {error}")]
    TimedOut {
        /// How old the batch was then.
        after_ms: u64,
        /// The last refusal.
        error: AppendError,
    },
    /// The producer ended before the records were appended: its thread was ended by a panic of a `Clock` or a `Waker`.
    #[error("the producer has ended and did not append the records")]
    Abandoned,
}
