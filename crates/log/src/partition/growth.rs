//! Making room, off the append lock: more space in the segment, or a new segment.
//!
//! ```text
//!                    no active segment                 no space left            segment full
//!   append -> room? ------------------> activate   ---------------> allocate  -------------> roll
//!     ^                                    |                           |                      |
//!     +------------------------------------+---------------------------+----------------------+
//! ```
//!
//! A segment that is empty and too small for a batch is opened anew when the options allow larger ones since.
//!
//! An appender that finds no room lets the append lock go, takes the growth lock, and looks again: by then
//! another one may have made the room. While a segment is rolled the old one is frozen, so that the new one's
//! base offset, which is its name, is known before its files are made.

use std::sync::Arc;

use super::Core;
use crate::error::{AppendError, SyncError};
use crate::format::mark::Mark;
use crate::format::placed::Size;
use crate::segment::{Active, Room, Segment, Tail, create_files, remove_files};

/// An appender that finds more rolled segments than this waiting to be sealed syncs itself.
const ROLLED_MAX: usize = 2;

enum Need {
    Nothing,
    Activate,
    Renew,
    Allocate(Arc<Tail>),
    Roll,
}

impl Core {
    /// Makes room for a batch that had none.
    pub(super) fn make_room(&self, size: Size) -> Result<(), AppendError> {
        let rolled = {
            let _growth = self.growth.lock();
            match self.need(size)? {
                Need::Nothing => return Ok(()),
                Need::Activate => return self.activate(),
                Need::Renew => return self.renew(),
                Need::Allocate(tail) => return Ok(tail.allocate(size.bytes)?),
                Need::Roll => self.roll()?,
            }
        };
        // Nobody asked for durability for a long time. The backlog is bounded by who makes it.
        if rolled > ROLLED_MAX {
            self.settle().map_err(AppendError::Refused)?;
        }
        Ok(())
    }

    /// What a batch needs. Under the growth lock.
    fn need(&self, size: Size) -> Result<Need, AppendError> {
        let writer = self.writer.lock();
        self.check_writable(&writer).map_err(AppendError::Refused)?;
        let next_offset = writer.next_offset;
        let Some(active) = &writer.active else { return Ok(Need::Activate) };
        match active.room(size, next_offset) {
            Room::Fits => Ok(Need::Nothing),
            Room::Extend => Ok(Need::Allocate(Arc::clone(active.tail()))),
            Room::Roll => Ok(Need::Roll),
            // The options were raised since it was opened.
            Room::Never if self.options().segment_bytes > active.capacity() as u64 => Ok(Need::Renew),
            Room::Never => {
                Err(AppendError::BatchTooLarge { bytes: size.bytes as u64, max: active.capacity() as u64 })
            }
        }
    }

    /// Opens the last segment for appending. Under the growth lock.
    fn activate(&self) -> Result<(), AppendError> {
        let list = self.segment_list();
        let Some(last) = list.last() else {
            return Err(AppendError::Refused(SyncError::Closed));
        };
        let now_ms = self.shared.clock.now_ms();
        let (segment, active) = last.activate(&self.options(), now_ms)?;
        let mut writer = self.writer.lock();
        writer.active = Some(active);
        self.change_segments(|segments| {
            segments.pop();
            segments.push(segment);
        });
        Ok(())
    }

    /// Opens the last segment, which is active and empty, anew with the options in force. Under the growth lock.
    fn renew(&self) -> Result<(), AppendError> {
        // Whoever syncs has the old one until he is done; nobody has appended to it.
        let leader = self.take_lead().map_err(AppendError::Refused)?;
        let old = self.writer.lock().active.take();
        drop((old, leader));
        self.activate()
    }

    /// Ends the active segment and begins the next; tells how many rolled segments wait to be sealed. Under the
    /// growth lock.
    fn roll(&self) -> Result<usize, AppendError> {
        let (tail, next_offset) = {
            let mut writer = self.writer.lock();
            let next_offset = writer.next_offset;
            let Some(active) = &mut writer.active else {
                return Err(AppendError::Refused(SyncError::Closed));
            };
            active.stop();
            let tail = Arc::clone(active.tail());
            writer.frozen = true;
            (tail, next_offset)
        };
        // Nothing is appended meanwhile.
        // Trimmed before the next one exists: a Kafka broker that finds zeros in the middle of a log cuts there.
        let begun =
            tail.trim().map_err(AppendError::from).and_then(|()| Ok(self.keep_producers(next_offset)?));
        let begun = begun.and_then(|()| self.begin_segment(next_offset));
        let mut writer = self.writer.lock();
        writer.frozen = false;
        let (segment, active) = begun?;
        if let Some(old) = writer.active.replace(active) {
            writer.rolled.push((old.finish(), next_offset));
        }
        self.change_segments(|segments| segments.push(segment));
        Ok(writer.rolled.len())
    }

    fn begin_segment(&self, base_offset: u64) -> Result<(Arc<Segment>, Active), AppendError> {
        let options = self.options();
        let mark = Mark { base_offset, next_offset: base_offset, ..Mark::default() };
        create_files(&self.dir, base_offset)?;
        let empty = Segment::closed(Arc::clone(&self.dir), mark, options.index_interval_bytes, true);
        // The names are synced before anything in the segment is acknowledged as durable.
        empty.activate(&options, self.shared.clock.now_ms()).inspect_err(|_| {
            // What stays all the same has no content; the next open removes it.
            let _ = remove_files(&self.dir, base_offset);
        })
    }

    /// Rolls the active segment if it is not empty and `due` says so; tells whether it did.
    pub(super) fn roll_if(&self, due: impl FnOnce(&Segment) -> bool) -> Result<bool, AppendError> {
        let _growth = self.growth.lock();
        let is_active = {
            let writer = self.writer.lock();
            self.check_writable(&writer).map_err(AppendError::Refused)?;
            writer.active.is_some()
        };
        if !self.segment_list().last().is_some_and(|segment| segment.len() > 0 && due(segment)) {
            return Ok(false);
        }
        if !is_active {
            // Not opened since the start; it has to be before it can be rolled.
            self.activate()?;
        }
        self.roll().map(|_| true)
    }

    /// Allocates the next step of space before it is needed. Who comes too late leaves it to the others.
    pub(super) fn allocate_ahead(&self, tail: &Arc<Tail>) {
        let Some(_growth) = self.growth.try_lock() else { return };
        let is_active = {
            let writer = self.writer.lock();
            !writer.closed && writer.active.as_ref().is_some_and(|active| Arc::ptr_eq(active.tail(), tail))
        };
        if is_active && tail.is_low() {
            // If it fails, who needs the space will be told.
            let _ = tail.allocate(0);
        }
    }
}
