use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{NO_TIME, Tail};
use crate::format::index::{self, Builder, ENTRY_BYTES, TIME_ENTRY_BYTES};
use crate::format::placed::{Batch, Place, Size};
use crate::storage::Appender;

/// A batch gives the offset index one entry at most.
pub(super) const INDEX_ROOM_BYTES: usize = ENTRY_BYTES;
/// A batch gives the time index one entry at most, and one more place is kept for the entry on roll or close.
pub(super) const TIME_INDEX_ROOM_BYTES: usize = 2 * TIME_ENTRY_BYTES;

/// An active segment in the hands of the partition's one appender. Nothing here makes a system call, but
/// one for every 32 KiB, or for a large batch.
#[derive(Debug)]
pub(crate) struct Active {
    tail: Arc<Tail>,
    log: Appender,
    index: Appender,
    time_index: Appender,
    builder: Builder,
    /// Below this the storage was told what is to come.
    prepared: usize,
    /// Where large batches are encoded, as large as the largest of them.
    draft: Vec<u8>,
}

/// So many bytes are prepared at a time: so few that the append that does it is not much slower than others.
const PREPARE_BYTES: usize = 32 * 1024;

fn encode(batch: &impl Batch, place: Place, target: &mut [u8]) {
    let exact = batch.encode(place, target);
    debug_assert!(exact, "the length of a batch is what its encoder counted");
}

/// How far a segment and its indexes go at one moment, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(super) log: usize,
    pub(super) index: usize,
    pub(super) time_index: usize,
}

/// A batch of this size is written by a call. A page that is written through the mapping costs its share of a fault, and at the next sync
/// the kernel makes every processor that runs this program forget it, by an interrupt for each page. A smaller batch has so small a share of
/// a page that the call costs more.
const FILL_BYTES_MIN: usize = 256;

/// What a batch needs before it can be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Nothing.
    Fits,
    /// More space in this segment.
    Extend,
    /// A new segment.
    Roll,
    /// The segment is empty and the batch is larger than it can become.
    Never,
}

impl Active {
    pub(super) fn new(
        tail: Arc<Tail>,
        log: Appender,
        index: Appender,
        time_index: Appender,
        builder: Builder,
    ) -> Self {
        let prepared = log.region().published().next_multiple_of(PREPARE_BYTES);
        Self { tail, log, index, time_index, builder, prepared, draft: Vec::new() }
    }

    pub(crate) fn tail(&self) -> &Arc<Tail> {
        &self.tail
    }

    /// The bytes appended.
    fn len(&self) -> usize {
        self.log.region().published()
    }

    /// How far the segment and its indexes go. Under the append lock, so that they go equally far.
    pub(crate) fn extent(&self) -> Extent {
        Extent {
            log: self.len(),
            index: self.index.region().published(),
            time_index: self.time_index.region().published(),
        }
    }

    /// The bytes the segment can have.
    pub(crate) fn capacity(&self) -> usize {
        self.log.region().capacity()
    }

    pub(crate) fn room(&self, size: Size, base_offset: u64) -> Room {
        let last_offset = base_offset.saturating_add(u64::from(size.last_offset_delta));
        let spent = self.log.room_max() < size.bytes
            || self.index.room_max() < INDEX_ROOM_BYTES
            || self.time_index.room_max() < TIME_INDEX_ROOM_BYTES
            || index::relative(self.tail.segment().base_offset(), last_offset).is_none();
        if spent {
            return if self.len() == 0 { Room::Never } else { Room::Roll };
        }
        let fits = self.log.room() >= size.bytes
            && self.index.room() >= INDEX_ROOM_BYTES
            && self.time_index.room() >= TIME_INDEX_ROOM_BYTES;
        if fits { Room::Fits } else { Room::Extend }
    }

    /// Takes no more until space is allocated anew: the space that is there is about to be cut.
    pub(crate) fn stop(&mut self) {
        self.log.give_up_room();
    }

    /// Appends a batch for which [`Active::room`] said [`Room::Fits`]; false, with nothing appended, when it
    /// does not fit after all.
    pub(crate) fn append(
        &mut self,
        batch: &mut impl Batch,
        place: Place,
        now_ms: impl FnOnce() -> i64,
    ) -> bool {
        let segment = self.tail.segment();
        if segment.first_append_ms.load(Ordering::Relaxed) == NO_TIME {
            segment.first_append_ms.store(now_ms(), Ordering::Release);
        }
        if batch.producer().is_some() {
            // Before the batch can become durable: the mark that says so tells this as well.
            segment.numbered.store(true, Ordering::Release);
        }
        let Size { bytes, last_offset_delta } = batch.size();
        let last_offset = place.base_offset.saturating_add(u64::from(last_offset_delta));
        let max_timestamp = place.log_append_ms.unwrap_or_else(|| batch.max_timestamp());
        segment.max_timestamp.fetch_max(max_timestamp, Ordering::AcqRel);
        let Some(position) = self.write(batch, place, bytes) else { return false };
        let entries = self.builder.add(position, bytes, last_offset, max_timestamp);
        let entries = entries.unwrap_or_default();
        if let Some(entry) = entries.offset {
            self.index.append(ENTRY_BYTES, |target| target.copy_from_slice(&entry.encode()));
        }
        if let Some(entry) = entries.time {
            self.time_index.append(TIME_ENTRY_BYTES, |target| target.copy_from_slice(&entry.encode()));
        }
        true
    }

    /// Writes a batch and publishes it; tells where it begins, or that there is no room.
    fn write(&mut self, batch: &mut impl Batch, place: Place, bytes: usize) -> Option<usize> {
        let at = self.len();
        let fits = bytes <= self.log.room();
        let mut filled = false;
        if fits && bytes >= FILL_BYTES_MIN {
            if let Some(whole) = batch.whole(place) {
                filled = self.tail.fill(at, whole);
            } else {
                self.draft.resize(self.draft.len().max(bytes), 0);
                let draft = self.draft.get_mut(..bytes)?;
                encode(batch, place, draft);
                filled = self.tail.fill(at, draft);
            }
        }
        if filled {
            self.prepared = self.prepared.max(at.saturating_add(bytes));
            return self.log.publish(bytes);
        }
        self.prepare(bytes);
        self.log.append(bytes, |target| encode(batch, place, target))
    }

    /// Tells the storage of the next bytes, a piece at a time, and never of what is written.
    fn prepare(&mut self, bytes: usize) {
        let end = self.len().saturating_add(bytes);
        if end <= self.prepared {
            return;
        }
        let to = end.next_multiple_of(PREPARE_BYTES).min(self.log.region().writable());
        if to > self.prepared {
            self.tail.prepare(self.prepared, to);
            self.prepared = to;
        }
    }

    /// Ends the segment: gives the time index its last entry. The tail can be sealed from then on.
    pub(crate) fn finish(mut self) -> Arc<Tail> {
        if let Some(entry) = self.builder.last() {
            self.time_index.append(TIME_ENTRY_BYTES, |target| target.copy_from_slice(&entry.encode()));
        }
        Arc::clone(&self.tail)
    }
}
