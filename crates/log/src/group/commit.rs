//! Committing: checked and appended under the group's lock, made durable outside of it, one sync for all who wait.

use super::TopicPartition;
use super::consumer::Consumer;
use super::records::ConsumerRecords;
use crate::error::CommitError;
use crate::options::Ack;

impl Consumer {
    /// Commits that the group is done with these records, durably: nobody of it gets them again, after a restart either.
    ///
    /// It costs one small record and a sync, which all who commit at the same time share. It does not count as a poll.
    ///
    /// # Errors
    ///
    /// [`CommitError::Fenced`] when the member has lost the partition since, [`CommitError::MovesBack`] when the group is
    /// further than this; [`CommitError`] has the others. Nothing is committed then, but for [`CommitError::NotDurable`].
    pub fn commit(&self, records: &ConsumerRecords) -> Result<(), CommitError> {
        self.commit_with(records, Ack::Durable)
    }

    /// Commits like [`Consumer::commit`]; with [`Ack::Appended`] without waiting for the disk. Then the commit is in force,
    /// and survives the end of the process, but after a loss of power an earlier one may be the last. Kafka's
    /// `commitAsync`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`].
    pub fn commit_with(&self, records: &ConsumerRecords, ack: Ack) -> Result<(), CommitError> {
        let offset = (records.partition().clone(), records.next_offset(), Some(records.generation()));
        self.commit_checked(&[offset], ack, false)
    }

    /// Commits that the group is done with all records of a partition before an offset, durably.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`]; [`CommitError::NotAssigned`] when the partition is not the member's.
    pub fn commit_offset(&self, partition: &TopicPartition, offset: u64) -> Result<(), CommitError> {
        self.commit_checked(&[(partition.clone(), offset, None)], Ack::Durable, false)
    }

    /// Commits everything that was polled of the partitions that are the member's, durably and in one batch: after a crash all
    /// of it is committed or nothing. Kafka's `commitSync`.
    ///
    /// A position before what is committed, after a seek, is left out.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`].
    pub fn commit_all(&self) -> Result<(), CommitError> {
        let (root, group, _) = self.parts();
        let mut offsets = Vec::new();
        for (partition, next, owned) in self.positions() {
            let committed = root.offsets().committed(&group.name, partition, owned.topic_id);
            if committed.is_none_or(|committed| committed.value.offset <= next) {
                offsets.push((partition.clone(), next, Some(owned.since)));
            }
        }
        if offsets.is_empty() { Ok(()) } else { self.commit_checked(&offsets, Ack::Durable, false) }
    }

    /// Commits an offset also when the group has committed more: it will read records again. The member itself goes on
    /// where it was; it seeks besides if it shall go back at once.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit_offset`], but for [`CommitError::MovesBack`].
    pub fn reset_offset(&self, partition: &TopicPartition, offset: u64) -> Result<(), CommitError> {
        self.commit_checked(&[(partition.clone(), offset, None)], Ack::Durable, true)
    }

    /// What the group has committed of a partition: the offset that it would read next; `None` when there is nothing. It may
    /// not be durable yet.
    #[must_use]
    pub fn committed(&self, partition: &TopicPartition) -> Option<u64> {
        let (root, group, _) = self.parts();
        root.committed(&group.name, partition)
    }

    fn commit_checked(
        &self,
        offsets: &[(TopicPartition, u64, Option<u64>)],
        ack: Ack,
        back: bool,
    ) -> Result<(), CommitError> {
        let (root, group, place) = self.parts();
        root.offsets().make_ready(root)?;
        let appended = group.commit(root, place, offsets, back)?;
        appended.wait(ack).map_err(CommitError::NotDurable)
    }
}
