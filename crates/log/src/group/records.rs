use super::TopicPartition;
use crate::error::ReadError;
use crate::fetched::{Fetched, Records, Views};
use crate::record::StoredRecord;

/// Records of one partition, as a poll gives them: what [`Consumer::commit`](crate::Consumer::commit) takes when they are done.
/// Kafka's `ConsumerRecords`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRecords {
    partition: TopicPartition,
    since: u64,
    fetched: Fetched,
}

impl ConsumerRecords {
    pub(super) fn new(partition: TopicPartition, since: u64, fetched: Fetched) -> Self {
        Self { partition, since, fetched }
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The generation from which on the member has had the partition. When it has lost it since, a commit of these records
    /// is fenced, also if it has it again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.since
    }

    /// The offset behind the records: what a commit of them commits.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.fetched.next_offset()
    }

    /// What was read, batch by batch.
    #[must_use]
    pub fn fetched(&self) -> &Fetched {
        &self.fetched
    }

    /// Visits the records as [`Bytes`](bytes::Bytes) that may be kept; as [`Fetched::records`].
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        self.fetched.records()
    }

    /// Visits the records, borrowed; as [`Fetched::views`].
    #[must_use]
    pub fn views(&self) -> Views<'_> {
        self.fetched.views()
    }
}

impl<'a> IntoIterator for &'a ConsumerRecords {
    type Item = Result<StoredRecord, ReadError>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.records()
    }
}
