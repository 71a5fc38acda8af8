//! What can go wrong, an enum an operation.

use headwater_codec::ReasonCode;
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
    #[error("record {offset} of __headwater_sessions, a session: {error}")]
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
    /// The group of a shared subscription cannot be read back.
    #[error("record {offset} of __headwater_sessions, a shared subscription: {error}")]
    Group {
        /// The record.
        offset: u64,
        /// Why.
        error: SnapshotError,
    },
    /// How far the messages of clients were in their sessions cannot be read back.
    #[error("record {offset} of __headwater_sessions, a checkpoint: {error}")]
    Checkpoint {
        /// The record.
        offset: u64,
        /// Why.
        error: SnapshotError,
    },
    /// What is kept of a log topic that messages go to cannot be read back.
    #[error("record {offset} of __headwater_topics, a log topic: {error}")]
    Registered {
        /// The record.
        offset: u64,
        /// Why.
        error: SnapshotError,
    },
    /// The log topics have more than 2^32 partitions together.
    #[error("the log topics of the routing rules have too many partitions together")]
    TooManyPartitions,
    /// A session, or the group of a shared subscription, belongs to a log with another number of partitions.
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

/// A subscription that begins in the past was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The filter is of a shared subscription, which has one past for all of its members.
    #[error(
        "a shared subscription begins where its group is: subscribe without a beginning, or without $share/"
    )]
    Shared,
    /// Where it begins cannot be found.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A message was not taken: it must not be acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The packet has no topic name; a topic alias is resolved before.
    #[error("a message without a topic name")]
    NoTopic,
    /// Partitions were added to the log topic that the message goes to, and its key belongs to one of them.
    #[error("partitions were added to the log topic since the store was opened: open it again")]
    PartitionsAdded,
    /// The lane of the partition has stopped, so nobody would hear that the message is safe.
    #[error("lane {partition} takes nothing more until the log is opened again")]
    LaneStopped {
        /// The partition, by the number of its lane: see [`Store::partition`](crate::Store::partition).
        partition: u32,
    },
    /// There are as many retained messages as may be. Nothing was appended.
    #[error("no room for another retained message: there are {retained} with {bytes} bytes")]
    RetainedFull {
        /// How many there are.
        retained: usize,
        /// What they take.
        bytes: u64,
    },
    /// The hook refuses it.
    #[error("the hook refuses the message: {reason}")]
    Refused {
        /// What the publisher is to be told (5.0). Before, it cannot be told [MQTT-3.3.5-2].
        reason: ReasonCode,
    },
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
    /// There are as many sessions as may be, and the client has none of them.
    #[error("no room for another session: there are {sessions}")]
    Full {
        /// How many there are.
        sessions: usize,
    },
    /// The log did not take a record of the session.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A QoS 2 message of the client cannot be made durable, so it is not known whether it is to come again.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// A lane could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaneError {
    /// What was appended could not be made durable. After [`SyncError::Io`] nothing is lost: run the lane again. After another one the
    /// partition takes nothing more until the log is opened again, and whoever waits is told.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// What is durable cannot be read. The lane has stopped: its partition takes nothing more until the log is opened again. Run it all the
    /// same: what was appended before still becomes durable, and whoever waits for that is told.
    #[error(transparent)]
    Read(#[from] ReadError),
}
