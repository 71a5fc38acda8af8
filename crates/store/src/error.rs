//! What can go wrong, an enum an operation.

use headwater_log::{AppendError, ReadError, SyncError, TopicError};

use crate::session::SnapshotError;

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A log topic cannot be opened or created.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// A topic of the store cannot be read.
    #[error("{topic} cannot be read: {error}")]
    Read {
        /// The log topic.
        topic: &'static str,
        /// Why.
        error: ReadError,
    },
    /// A session cannot be read back.
    #[error("record {offset} of __headwater_sessions: {error}")]
    Session {
        /// The record.
        offset: u64,
        /// Why.
        error: SnapshotError,
    },
    /// A session that a power failure took something from cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A session that a power failure took something from cannot be made durable.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A session belongs to a log with another number of partitions.
    #[error(
        "record {offset} of __headwater_sessions is of a log with {found} partitions, this one has {partitions}"
    )]
    Partitions {
        /// The record.
        offset: u64,
        /// How many the session knows.
        found: usize,
        /// How many there are.
        partitions: usize,
    },
}

/// A message was not taken: it must not be acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The packet has no topic name; a topic alias is resolved before.
    #[error("a message without a topic name")]
    NoTopic,
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// A session cannot be attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Another connection has the session: end that first.
    #[error("another connection has the session")]
    InUse,
    /// The log did not take a record of the session.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// A lane stopped: its partition takes nothing more until the log is opened again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaneError {
    /// What was appended could not be made durable.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// What is durable cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
