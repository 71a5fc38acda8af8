//! Retention: raising the log start offset, and deleting the segments that are wholly before it.
//!
//! The log start offset is made durable first. From then on every segment before it is garbage, so it does not
//! matter which of the removals survive a crash, or in which order: the next open removes the rest, and what was
//! deleted never comes back. Only where the disk is too full to keep that offset does the oldest segment go first:
//! see [`Core::give_way`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Core;
use crate::error::{MaintainError, SyncError};
use crate::options::TopicOptions;
use crate::segment::{Segment, remove_files};

impl Core {
    pub(crate) fn delete_records_before(&self, offset: u64) -> Result<u64, MaintainError> {
        let end = self.durable_end();
        if offset > end {
            return Err(MaintainError::OffsetOutOfRange { offset, end });
        }
        // A topic that is being deleted waits for this lock, so no start offset outlives it.
        let _growth = self.growth.lock();
        self.check_writable(&self.writer.lock())?;
        if offset > self.start_offset() {
            self.keep_start(offset)?;
            self.drop_before_locked(offset)?;
        }
        Ok(self.start_offset())
    }

    /// Keeps the log start offset before anything is deleted; on a disk that is too full for that, the oldest
    /// segments go first, one by one. Under the growth lock.
    fn keep_start(&self, start: u64) -> Result<(), MaintainError> {
        loop {
            match self.shared.starts.raise(&[(self.topic(), self.number(), start)]) {
                Err(error) if error.is_no_space() => {
                    if self.give_way_locked(start)?.0 == 0 {
                        return Err(error.into());
                    }
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Deletes the oldest segment, if it ends at or before `start`, although that is not kept yet: for a disk on
    /// which there is no room to keep it.
    ///
    /// Until it is kept, the first segment tells where the log starts. So the oldest goes alone and its name for
    /// good, and a crash brings back a whole segment or none, never a hole.
    pub(crate) fn give_way(&self, start: u64) -> Result<(usize, u64), MaintainError> {
        let _growth = self.growth.lock();
        self.give_way_locked(start)
    }

    fn give_way_locked(&self, start: u64) -> Result<(usize, u64), MaintainError> {
        let next = self.segment_list().get(1).map(|next| next.base_offset()).filter(|next| *next <= start);
        let Some(next) = next else { return Ok((0, 0)) };
        // An earlier one may have gone without a word of its sync.
        self.dir.sync()?;
        let dropped = self.drop_before_locked(next)?;
        self.dir.sync()?;
        Ok(dropped)
    }

    /// Rolls the active segment if it is older or larger than the options allow, or holds nothing that retention by
    /// time keeps.
    pub(crate) fn roll_if_due(&self, now_ms: i64) -> Result<bool, MaintainError> {
        let options = self.options();
        let due = |segment: &Segment| {
            let old = |time: Option<i64>, age| time.is_some_and(|time| age_ms(time, now_ms) >= age);
            let (retention_ms, max_lag_ms) = (retention_ms(&options), options.max_compaction_lag_ms);
            let max_lag_ms = max_lag_ms.filter(|_| options.cleanup_policy.compacts());
            old(segment.first_append_ms(), options.segment_age_ms.min(max_lag_ms.unwrap_or(u64::MAX)))
                || retention_ms.is_some_and(|age| old(segment.last_append_ms(), age))
                // The options were lowered since it was opened.
                || segment.len() >= options.segment_bytes
        };
        Ok(self.roll_if(due)?)
    }

    /// The log start offset that retention by time and by bytes asks for. The last segment always stays.
    pub(crate) fn retained_from(&self, now_ms: i64) -> u64 {
        let options = self.options();
        let retention_ms = retention_ms(&options);
        let retention_bytes = options.retention_bytes.filter(|_| options.cleanup_policy.deletes());
        // Before the append times: those of durable records are known.
        let durable_end = self.durable_end();
        let list = self.segment_list();
        let mut bytes: u64 = list.iter().map(|segment| segment.len()).sum();
        let mut start = self.start_offset();
        for pair in list.windows(2) {
            let [segment, next] = pair else { break };
            let rest = bytes.saturating_sub(segment.len());
            let too_many = retention_bytes.is_some_and(|max| rest >= max);
            // By append time, which no record can claim. A clock that was set back only delays, and a time that is
            // not known is no reason to delete anything.
            let too_old = retention_ms.is_some_and(|max| {
                segment.len() == 0 || segment.last_append_ms().is_some_and(|time| age_ms(time, now_ms) > max)
            });
            if !(too_many || too_old) || next.base_offset() > durable_end {
                break;
            }
            bytes = rest;
            start = start.max(next.base_offset());
        }
        start
    }

    /// Deletes the segments that end at or before `start`, which was made durable as the log start offset; tells
    /// how many they were and how large.
    pub(crate) fn drop_before(&self, start: u64) -> Result<(usize, u64), SyncError> {
        let _growth = self.growth.lock();
        self.drop_before_locked(start)
    }

    fn drop_before_locked(&self, start: u64) -> Result<(usize, u64), SyncError> {
        // An exchange of segments has to be whole, or the files of one that is deleted would come back with it.
        self.finish_exchange()?;
        // No segment is deleted that somebody is about to sync or seal.
        let leader = self.take_lead()?;
        self.sync_all(&leader)?;
        let is_before = |next: &&Arc<Segment>| next.base_offset() <= start;
        let count = self.segment_list().iter().skip(1).take_while(is_before).count();
        if count > 0 {
            // The segment that becomes the first may be so new that its name is not durable. Were it lost, and a later
            // one not, the log would begin with a hole.
            self.sync_names(&leader)?;
        }
        self.start.fetch_max(start, Ordering::AcqRel);
        let mut dropped = Vec::new();
        self.change_segments(|segments| dropped.extend(segments.drain(..count.min(segments.len()))));
        for segment in &dropped {
            // Readers that hold the segment read on: its mapping lives. What cannot be removed now is removed at
            // the next open.
            let _ = remove_files(&self.dir, segment.base_offset());
        }
        Ok((dropped.len(), dropped.iter().map(|segment| segment.len()).sum()))
    }
}

/// How old segments become, where old ones are deleted.
fn retention_ms(options: &TopicOptions) -> Option<u64> {
    options.retention_ms.filter(|_| options.cleanup_policy.deletes())
}

/// How long ago something was; 0 when it lies ahead.
pub(super) fn age_ms(time: i64, now_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(time)).unwrap_or(0)
}
