use super::{ConsumerRecords, TopicPartition};

/// What [`Consumer::poll_event`](crate::Consumer::poll_event) has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// Records of one partition.
    Records(ConsumerRecords),
    /// These partitions are the member's from now on.
    Assigned(Vec<TopicPartition>),
    /// These partitions go to other members. They are this one's until it polls again, so it can commit now: Kafka's
    /// `onPartitionsRevoked`.
    Revoked(Vec<TopicPartition>),
    /// These partitions are not the member's any more: it was put out of the group for not polling, or their topic is gone.
    /// Commits of them are fenced. Kafka's `onPartitionsLost`.
    Lost(Vec<TopicPartition>),
    /// The member reads on at another offset than where the group had been.
    Moved {
        /// The partition.
        partition: TopicPartition,
        /// Where the group had been.
        from: u64,
        /// Where it reads on.
        to: u64,
        /// Why.
        reason: MoveReason,
    },
}

/// Why a member reads on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MoveReason {
    /// Retention has deleted what would have been next; the reset policy has decided.
    Deleted,
    /// The committed offset was ahead of the partition when the log was opened: it fell to the partition's end.
    AheadOfLog,
}
