//! The producers of a partition while it is open: kept in snapshots, forgotten when they expire.

use super::Core;
use crate::error::IoError;
use crate::format::names;
use crate::storage;

impl Core {
    /// Keeps the producers of what is before `offset`, which is the end of what is appended, in a snapshot; durably, though
    /// what is appended need not be: a snapshot behind the end of the log is removed when the log is opened. Does nothing
    /// where there never was a producer. Under the growth lock.
    pub(super) fn keep_producers(&self, offset: u64) -> Result<(), IoError> {
        let (bytes, stray) = {
            let writer = self.writer.lock();
            let Some(producers) = &writer.producers else { return Ok(()) };
            (producers.encode(), writer.stray_snapshot)
        };
        let name = names::segment_file(offset, names::SNAPSHOT);
        storage::replace_file(&*self.dir.storage, &self.dir.path, &name, &bytes)?;
        // It is that of a segment's beginning when the segment has been made.
        self.writer.lock().stray_snapshot = Some(offset);
        if let Some(stray) = stray.filter(|stray| *stray != offset && !self.begins_segment(*stray)) {
            // The new one is durable, so it does not matter whether this one stays; the next open removes it.
            let _ = self.dir.storage.remove(&self.dir.file(stray, names::SNAPSHOT));
        }
        Ok(())
    }

    fn begins_segment(&self, offset: u64) -> bool {
        self.segment_list().iter().any(|segment| segment.base_offset() == offset)
    }

    /// Forgets the producers that have appended nothing for too long.
    pub(crate) fn expire_producers(&self, now_ms: i64) {
        if let Some(producers) = &mut self.writer.lock().producers {
            producers.expire(now_ms, self.shared.producer_id_expiration_ms);
        }
    }

    /// The ids of the producers that are remembered.
    pub(crate) fn producer_ids(&self) -> Vec<i64> {
        self.writer.lock().producers.as_ref().map_or_else(Vec::new, |producers| producers.ids().collect())
    }
}
