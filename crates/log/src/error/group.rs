//! What can go wrong in consumer groups.

use std::sync::Arc;

use super::{AppendError, InvalidOptions, ReadError, SyncError, TopicError};
use crate::group::{Assignor, TopicPartition};

/// Why nobody could become a member of a group, or subscribe to other topics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The group has no name, or one of more than 32,767 bytes.
    #[error("a group name has 1 to 32767 bytes, this one has {len}")]
    Name {
        /// Its length in bytes.
        len: usize,
    },
    /// No topic was named.
    #[error("group {group}: a member subscribes to at least one topic, or to a pattern")]
    Nothing {
        /// The group.
        group: Arc<str>,
    },
    /// A topic that was named is not there.
    #[error(
        "group {group}: there is no topic {topic}; create it first, or subscribe to a pattern, which takes topics that come later"
    )]
    TopicNotFound {
        /// The group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
    },
    /// The members of a group divide partitions in one way: Kafka's `INCONSISTENT_GROUP_PROTOCOL`.
    #[error(
        "group {group} has members with assignor {found:?}, {wanted:?} was asked for; all its members need the same"
    )]
    Assignor {
        /// The group.
        group: Arc<str>,
        /// That of the members that are there.
        found: Assignor,
        /// That of the one who asked.
        wanted: Assignor,
    },
    /// An option has a value that cannot be.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The offsets of groups cannot be used.
    #[error(transparent)]
    Offsets(#[from] OffsetsError),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Why the committed offsets of groups cannot be used at all.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetsError {
    /// `__headwater_offsets` could not be read when the log was opened; no group is given offsets that may be old.
    #[error(
        "the offsets of groups could not be read at the opening: {0}; mend __headwater_offsets, or use OnDamage::Quarantine"
    )]
    Unreadable(ReadError),
    /// `__headwater_offsets` could not be created.
    #[error("__headwater_offsets could not be created: {0}")]
    Topic(Arc<TopicError>),
    /// What was decided when the log was opened, that an offset ahead of its partition falls to the end of it, could not be kept.
    #[error("an offset that was ahead of its partition could not be put right: {0}")]
    Clamp(AppendError),
}

/// A member asked for a partition that it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("group {group}: {partition} is not assigned to this member in generation {generation}")]
#[non_exhaustive]
pub struct NotAssigned {
    /// The group.
    pub group: Arc<str>,
    /// The partition.
    pub partition: TopicPartition,
    /// The group's generation.
    pub generation: u64,
}

/// Why a poll gave an error. The next poll goes on: with the other partitions, or with what the member has by then.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The group has committed nothing for this partition, and there is no reset policy: Kafka's
    /// `NoOffsetForPartitionException`. It comes again at the partition's turn.
    #[error(
        "group {group} has no committed offset for {partition}; seek, or set auto_offset_reset to Earliest or Latest"
    )]
    NoOffset {
        /// The group.
        group: Arc<str>,
        /// The partition.
        partition: TopicPartition,
    },
    /// Retention has deleted what the group would read next, and there is no reset policy: Kafka's
    /// `OffsetOutOfRangeException`. It comes again at the partition's turn.
    #[error(
        "group {group}: offset {offset} of {partition} is outside of {start} to {end}; seek, or set auto_offset_reset"
    )]
    OffsetOutOfRange {
        /// The group.
        group: Arc<str>,
        /// The partition.
        partition: TopicPartition,
        /// The offset that would be next.
        offset: u64,
        /// The log start offset.
        start: u64,
        /// The durable end.
        end: u64,
    },
    /// A topic was deleted of which this member had partitions. It comes once.
    #[error("group {group}: topic {topic} was deleted")]
    TopicDeleted {
        /// The group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
    },
    /// A partition could not be read. It comes again at the partition's turn, until a seek passes the place.
    #[error("{partition}: {error}")]
    Read {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        error: ReadError,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a commit was refused, or is not durable. [`CommitError::NotDurable`] alone leaves the offsets committed in this
/// process; after any other one nothing was committed, of no partition.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The member was put out of the group, for it had not polled for longer than `max_poll_interval_ms`; or the partition was
    /// taken from it and given back since the records were polled. Others may have the records: Kafka's
    /// `CommitFailedException`, `ILLEGAL_GENERATION`.
    #[error(
        "group {group} is in generation {generation}, the commit is of generation {since}; poll again, and do the records again"
    )]
    Fenced {
        /// The group.
        group: Arc<str>,
        /// The generation that the commit belongs to.
        since: u64,
        /// The group's generation.
        generation: u64,
    },
    /// The partition is not this member's.
    #[error(transparent)]
    NotAssigned(#[from] NotAssigned),
    /// The offset is behind what is durable: there is no record before it that was read.
    #[error("offset {offset} of {partition} is beyond its durable end {end}")]
    BeyondEnd {
        /// The partition.
        partition: TopicPartition,
        /// The offset.
        offset: u64,
        /// The durable end.
        end: u64,
    },
    /// The group has committed more than that already.
    #[error(
        "group {group} has committed {committed} for {partition}, {offset} is before that; reset_offset moves back"
    )]
    MovesBack {
        /// The group.
        group: Arc<str>,
        /// The partition.
        partition: TopicPartition,
        /// The offset.
        offset: u64,
        /// What is committed.
        committed: u64,
    },
    /// The topic was deleted.
    #[error("topic {topic} was deleted")]
    TopicDeleted {
        /// The topic.
        topic: Arc<str>,
    },
    /// The offsets of groups cannot be used.
    #[error(transparent)]
    Offsets(#[from] OffsetsError),
    /// The commit could not be appended to `__headwater_offsets`.
    #[error("nothing was committed: {0}")]
    Append(AppendError),
    /// The commit is in force, but not known to be durable: after a loss of power the one before may be.
    #[error("committed, but not known to be durable: {0}")]
    NotDurable(SyncError),
}

/// Why a member could not seek.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeekError {
    /// The partition is not this member's.
    #[error(transparent)]
    NotAssigned(#[from] NotAssigned),
    /// There is nothing at this offset.
    #[error("offset {offset} of {partition} is outside of {start} to {end}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: u64,
        /// The log start offset.
        start: u64,
        /// The durable end.
        end: u64,
    },
}

/// Why a group could not be described or altered from outside.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// There is no group of this name: it has no members and no offsets.
    #[error("there is no group {group}")]
    NotFound {
        /// The group.
        group: String,
    },
    /// The group has members, who would go on with what they know: Kafka's `GROUP_NOT_EMPTY`.
    #[error("group {group} has {members} members; close them first")]
    NotEmpty {
        /// The group.
        group: String,
        /// How many.
        members: usize,
    },
    /// There is no such partition.
    #[error("there is no partition {partition}")]
    NoPartition {
        /// The partition.
        partition: TopicPartition,
    },
    /// The offset is not in the partition.
    #[error("offset {offset} of {partition} is outside of {start} to {end}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: u64,
        /// The log start offset.
        start: u64,
        /// The durable end.
        end: u64,
    },
    /// The offsets of groups cannot be used.
    #[error(transparent)]
    Offsets(#[from] OffsetsError),
    /// The change could not be appended to `__headwater_offsets`.
    #[error("nothing was changed: {0}")]
    Append(AppendError),
    /// The change is in force, but not known to be durable.
    #[error("changed, but not known to be durable: {0}")]
    NotDurable(SyncError),
}
