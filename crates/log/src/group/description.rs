use super::{Assignor, TopicPartition};

/// A group, as [`Log::describe_group`](crate::Log::describe_group) describes it: Kafka's `describeConsumerGroups`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// The group's name.
    pub name: String,
    /// The generation; 0 while the group has had no members in this process.
    pub generation: u64,
    /// How its members divide partitions; `None` while it has none.
    pub assignor: Option<Assignor>,
    /// The members, in the order in which they joined.
    pub members: Vec<MemberDescription>,
    /// The partitions of which the group has committed something, or that one of its members has, in order.
    pub partitions: Vec<GroupPartition>,
}

impl GroupDescription {
    /// The sum of the lags of all partitions that have one.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.partitions.iter().filter_map(GroupPartition::lag).fold(0, u64::saturating_add)
    }
}

/// A member in a [`GroupDescription`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberDescription {
    /// Its number.
    pub member: u64,
    /// The topics that it subscribes to, or that its pattern matches.
    pub topics: Vec<String>,
    /// The partitions that it has now.
    pub partitions: Vec<TopicPartition>,
}

/// A partition in a [`GroupDescription`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The member that has it.
    pub member: Option<u64>,
    /// What the group has committed: the offset that it would read next.
    pub committed: Option<u64>,
    /// When that was, by the log's clock, in milliseconds since 1970-01-01 UTC.
    pub committed_ms: Option<i64>,
    /// The first offset that can be read.
    pub start_offset: u64,
    /// The offset behind the last durable record.
    pub durable_end: u64,
}

impl GroupPartition {
    /// How many offsets the group is behind: those from the committed one to the durable end. `None` when it has committed
    /// nothing.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.committed.map(|committed| self.durable_end.saturating_sub(committed))
    }
}
