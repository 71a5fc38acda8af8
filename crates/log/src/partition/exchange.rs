//! The exchange of segments: one that compaction has made, for those that it was made of.

use std::sync::Arc;

use super::Core;
use super::compact::Closed;
use crate::error::{CompactError, SyncError};
use crate::format::mark::Mark;
use crate::format::names;
use crate::options::TopicOptions;
use crate::segment::{Segment, Swap};

/// The files of a segment that is made by compaction.
const SUFFIXES: [&str; 5] = [names::LOG, names::INDEX, names::TIME_INDEX, names::HEADS, names::DURABLE];

/// An exchange of segments that is durable and not finished.
#[derive(Debug)]
pub(super) struct Pending {
    swap: Swap,
    old: Vec<Arc<Segment>>,
    new: Arc<Segment>,
}

impl Core {
    /// Puts a segment in the place of a group; false when some of that is not there any more.
    pub(super) fn exchange(
        &self,
        group: &[Closed],
        mark: Mark,
        options: &TopicOptions,
    ) -> Result<bool, CompactError> {
        let _growth = self.growth.lock();
        self.check_going()?;
        let list = self.segment_list();
        let at = list.partition_point(|segment| segment.base_offset() < mark.base_offset);
        let is_there = group.iter().enumerate().all(|(number, one)| {
            list.get(at.saturating_add(number)).is_some_and(|segment| Arc::ptr_eq(segment, &one.segment))
        });
        if !is_there {
            return Ok(false);
        }
        group.iter().try_for_each(|one| one.segment.retire())?;
        // The names have to be there for good before they are changed, and the segment behind: else this might become the last.
        self.sync_dir()?;
        let replaced = group.iter().skip(1).map(Closed::base);
        let swap = Swap::begin(&self.dir, mark.base_offset, &SUFFIXES, replaced)?;
        self.sync_dir()?;
        let new = Segment::closed(Arc::clone(&self.dir), mark, options.index_interval_bytes, false);
        let old = group.iter().map(|one| Arc::clone(&one.segment)).collect();
        *self.pending.lock() = Some(Pending { swap, old, new: Arc::new(new) });
        self.finish_exchange()?;
        Ok(true)
    }

    /// Makes the names in the directory durable; if that fails, nothing more is appended, or exchanged.
    pub(super) fn sync_dir(&self) -> Result<(), SyncError> {
        self.dir.sync().map_err(|error| self.poison(Arc::new(error)))
    }

    /// Finishes an exchange of segments that was begun, if there is one. Under the growth lock. As long as it is not finished,
    /// readers have the old segments.
    pub(super) fn finish_exchange(&self) -> Result<(), SyncError> {
        let mut pending = self.pending.lock();
        let Some(Pending { swap, old, new }) = &*pending else { return Ok(()) };
        if let Err(error) = swap.complete(&self.dir) {
            return Err(if error.is_sync() {
                self.poison(Arc::new(error))
            } else {
                SyncError::Io(Arc::new(error))
            });
        }
        self.change_segments(|segments| {
            let at = segments.partition_point(|segment| segment.base_offset() < new.base_offset());
            let end = at.saturating_add(old.len()).min(segments.len());
            segments.splice(at.min(end)..end, [Arc::clone(new)]);
        });
        *pending = None;
        Ok(())
    }
}
