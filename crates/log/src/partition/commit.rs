//! Durability: one sync for all who wait.
//!
//! ```text
//!   thread A   append 7  wait(7): leads, captures the end 8 . fdatasync .......... durable end 8
//!   thread B   append 8     wait(8): A leads, sleeps ...........................  leads: fdatasync  durable end 10
//!   thread C      append 9     wait(9): sleeps .................................  (covered by B)
//! ```
//!
//! The leader holds no lock that an append needs. A failed sync is final: after it the kernel may show pages as
//! clean that are not on disk, so a second sync would succeed and prove nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::Core;
use crate::error::{IoError, SyncError};
use crate::sync::{Condvar, Mutex};

/// So often the one who syncs lets others go first.
const OTHERS_MAX: usize = 16;

/// The office of the one who syncs.
#[derive(Debug, Default)]
pub(super) struct Lead {
    taken: Mutex<bool>,
    freed: Condvar,
}

/// Holds the office until it is dropped.
#[derive(Debug)]
pub(super) struct Leader<'a> {
    lead: &'a Lead,
}

impl Lead {
    /// Takes the office as soon as it is free, unless `done` gives something first.
    fn take<T>(&self, mut done: impl FnMut() -> Option<T>) -> Result<Leader<'_>, T> {
        let mut taken = self.taken.lock();
        loop {
            if let Some(outcome) = done() {
                return Err(outcome);
            }
            if !*taken {
                *taken = true;
                return Ok(Leader { lead: self });
            }
            taken = self.freed.wait(taken);
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        *self.lead.taken.lock() = false;
        self.lead.freed.notify_all();
    }
}

impl Core {
    pub(crate) fn sync(&self) -> Result<u64, SyncError> {
        self.sync_to(self.appended_end())?;
        Ok(self.durable_end())
    }

    pub(crate) fn wait_durable(&self, offset: u64) -> Result<(), SyncError> {
        let end = self.appended_end();
        if offset >= end {
            return Err(SyncError::NotAppended { offset, end });
        }
        self.sync_to(offset.saturating_add(1))
    }

    fn sync_to(&self, end: u64) -> Result<(), SyncError> {
        let done = || {
            // Before the end: what became durable just before a failure is durable all the same.
            let hopeless = self.hopeless();
            if self.durable_end() >= end { Some(Ok(())) } else { hopeless.map(Err) }
        };
        match self.lead.take(done) {
            Err(outcome) => outcome,
            Ok(leader) => {
                self.let_others_append();
                self.sync_all(&leader)
            }
        }
    }

    /// Those whom the last sync has released are about to append again: what comes at once is taken along, or it would wait
    /// for a sync of its own. Costs a few system calls that do nothing where nobody comes.
    fn let_others_append(&self) {
        let mut end = self.appended_end();
        for _ in 0..OTHERS_MAX {
            thread::yield_now();
            let now = self.appended_end();
            if now == end {
                return;
            }
            end = now;
        }
    }

    /// Why nothing more can become durable, if so.
    pub(super) fn hopeless(&self) -> Option<SyncError> {
        if let Some(error) = self.failed.get() {
            return Some(SyncError::Failed(Arc::clone(error)));
        }
        self.is_closed().then_some(SyncError::Closed)
    }

    /// Takes the office of the leader whether or not there is something to sync.
    pub(super) fn take_lead(&self) -> Result<Leader<'_>, SyncError> {
        self.lead.take(|| self.hopeless())
    }

    /// Makes everything durable, and seals the segments that were rolled.
    pub(crate) fn settle(&self) -> Result<(), SyncError> {
        let leader = self.take_lead()?;
        self.sync_all(&leader)
    }

    /// The offset behind the last segment that is sealed: the first of the active one, or of one that waits to be sealed.
    pub(crate) fn sealed_end(&self) -> u64 {
        let active = self.segment_list().last().map_or(0, |segment| segment.base_offset());
        let waiting = self.writer.lock().rolled.first().map(|(tail, _)| tail.segment().base_offset());
        waiting.unwrap_or(active).min(self.durable_end())
    }

    /// Makes everything durable that is appended when it begins.
    pub(super) fn sync_all(&self, _leader: &Leader<'_>) -> Result<(), SyncError> {
        let outcome = self.sync_segments().map_err(Arc::new);
        match &outcome {
            Ok(()) => self.durable_moved.notify(),
            Err(error) if error.is_sync() => return Err(self.poison(Arc::clone(error))),
            // Nothing was lost, the next sync tries again.
            Err(_) => {}
        }
        outcome.map_err(SyncError::Io)
    }

    /// A sync failed: nothing is appended any more until the log is opened anew.
    pub(super) fn poison(&self, error: Arc<IoError>) -> SyncError {
        let error = Arc::clone(self.failed.get_or_init(|| error));
        self.durable_moved.notify();
        self.appended_moved.notify();
        SyncError::Failed(error)
    }

    /// Makes the names of all segments durable.
    pub(super) fn sync_names(&self, _leader: &Leader<'_>) -> Result<(), SyncError> {
        self.dir.sync().map_err(|error| self.poison(Arc::new(error)))
    }

    fn sync_segments(&self) -> Result<(), IoError> {
        let (rolled, active, end, bytes) = {
            let writer = self.writer.lock();
            let active = writer.active.as_ref().map(|active| (Arc::clone(active.tail()), active.extent()));
            (writer.rolled.clone(), active, writer.next_offset, writer.unsynced_bytes)
        };
        let times = self.shared.times();
        for (tail, next_offset) in rolled {
            // Those that an error leaves behind stay in their place for the next sync.
            let mark = tail.seal(next_offset, times)?;
            self.writer.lock().rolled.retain(|(other, _)| !Arc::ptr_eq(other, &tail));
            // Its mapping is as large as a segment may become. Who reads it maps what there is.
            let sealed = Arc::new(tail.segment().sealed(mark));
            self.change_segments(|segments| {
                let at =
                    segments.iter_mut().rev().find(|segment| segment.base_offset() == sealed.base_offset());
                at.into_iter().for_each(|segment| *segment = Arc::clone(&sealed));
            });
        }
        match active {
            Some((tail, extent)) if end > self.durable_end() => tail.sync(extent, end, times)?,
            Some((tail, _)) => tail.save_mark(times.now_ms)?,
            None => {}
        }
        let mut writer = self.writer.lock();
        writer.unsynced_bytes = writer.unsynced_bytes.saturating_sub(bytes);
        drop(writer);
        self.durable.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Ends the partition: nothing is appended any more, everything is durable, the last segment sealed.
    pub(crate) fn close(&self) -> Result<(), SyncError> {
        self.stopping.store(true, Ordering::Release);
        let _cleaning = self.cleaning.lock();
        let _growth = self.growth.lock();
        // If it cannot be finished, the next opening does it.
        let _ = self.finish_exchange();
        self.writer.lock().closed = true;
        let outcome = self.seal_all().and_then(|()| {
            let end = self.appended_end();
            self.keep_producers(end).map_err(|error| SyncError::Io(Arc::new(error)))
        });
        self.shut();
        outcome
    }

    fn seal_all(&self) -> Result<(), SyncError> {
        let leader = self.take_lead()?;
        {
            let mut writer = self.writer.lock();
            let next_offset = writer.next_offset;
            if let Some(active) = writer.active.take() {
                writer.rolled.push((active.finish(), next_offset));
            }
        }
        self.sync_all(&leader)
    }

    /// Ends the partition without a word to the disk: its topic is deleted.
    pub(crate) fn abandon(&self) {
        self.stopping.store(true, Ordering::Release);
        let _cleaning = self.cleaning.lock();
        let _growth = self.growth.lock();
        self.writer.lock().closed = true;
        // Whoever syncs now finishes first. There is no leader to wait for when syncs failed.
        let _leader = self.take_lead();
        self.shut();
    }

    /// Whatever happened, nothing is written any more: the lock on the directory is about to be released.
    fn shut(&self) {
        {
            let mut writer = self.writer.lock();
            writer.active = None;
            writer.rolled.clear();
        }
        self.closed.store(true, Ordering::Release);
        self.durable_moved.notify();
        self.appended_moved.notify();
    }
}
