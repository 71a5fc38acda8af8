//! Appending: into memory that is the file, under a lock that knows no system call.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::Core;
use super::state::Writer;
use crate::error::{AppendError, SyncError};
use crate::format::batch::OFFSET_END;
use crate::format::draft::Draft;
use crate::format::placed::{Batch, Place};
use crate::format::ready::Ready;
use crate::options::Ack;
use crate::record::Record;
use crate::segment::{Room, Tail};

impl Core {
    pub(crate) fn append(&self, records: &[Record<'_>], ack: Ack) -> Result<u64, AppendError> {
        let draft = self.draft(records)?;
        self.append_batch(&draft, ack)
    }

    pub(crate) fn append_record_batch(&self, bytes: &[u8], ack: Ack) -> Result<u64, AppendError> {
        self.check_size(bytes.len() as u64)?;
        let batch = Ready::new(bytes)?;
        self.check_key(batch.without_key())?;
        self.append_batch(&batch, ack)
    }

    fn append_batch(&self, batch: &impl Batch, ack: Ack) -> Result<u64, AppendError> {
        let size = batch.size();
        let (offset, tail, unsynced_bytes) = loop {
            if let Some(appended) = self.try_append(batch)? {
                break appended;
            }
            self.make_room(size)?;
        };
        fence(Ordering::SeqCst);
        self.appended_moved.notify_after_fence();
        self.shared.unsynced.notify_after_fence();
        if tail.is_low() {
            self.allocate_ahead(&tail);
        }
        drop(tail); // Who waits does not keep the segment open.
        if ack == Ack::Durable {
            self.wait_durable(offset.saturating_add(u64::from(size.last_offset_delta)))
                .map_err(|error| AppendError::NotDurable { offset, error })?;
        } else {
            self.flush_if_too_much(unsynced_bytes);
        }
        Ok(offset)
    }

    /// Checks and measures a batch, outside of any lock.
    fn draft<'a>(&self, records: &'a [Record<'a>]) -> Result<Draft<'a>, AppendError> {
        self.check_key(records.iter().position(|record| record.key.is_none()))?;
        let mut untimed = false;
        for (at, record) in records.iter().enumerate() {
            match record.timestamp {
                None => untimed = true,
                Some(timestamp) if timestamp < 0 => {
                    return Err(AppendError::NegativeTimestamp { record: at, timestamp });
                }
                Some(_) => {}
            }
        }
        let now_ms = if untimed { self.shared.clock.now_ms().max(0) } else { 0 };
        let Some(draft) = Draft::new(records, now_ms) else {
            if records.is_empty() {
                return Err(AppendError::EmptyBatch);
            }
            // A batch counts its records in 31 bits; so many cannot fit a segment either.
            let max = self.batch_bytes_max.load(Ordering::Acquire);
            return Err(AppendError::BatchTooLarge { bytes: u64::MAX, max });
        };
        self.check_size(draft.size().bytes as u64)?;
        Ok(draft)
    }

    /// Refuses a record without a key, if there is one, where the topic is compacted.
    fn check_key(&self, without_key: Option<usize>) -> Result<(), AppendError> {
        match without_key.filter(|_| self.compacted.load(Ordering::Acquire)) {
            Some(record) => Err(AppendError::KeyRequired { record }),
            None => Ok(()),
        }
    }

    fn check_size(&self, bytes: u64) -> Result<(), AppendError> {
        let max = self.batch_bytes_max.load(Ordering::Acquire);
        if bytes > max { Err(AppendError::BatchTooLarge { bytes, max }) } else { Ok(()) }
    }

    /// Appends if there is room; the offset, the segment it went to, and the bytes that are not durable now.
    fn try_append(&self, batch: &impl Batch) -> Result<Option<(u64, Arc<Tail>, u64)>, AppendError> {
        let size = batch.size();
        let mut writer = self.writer.lock();
        self.check_writable(&writer).map_err(AppendError::Refused)?;
        let Writer { active, next_offset, frozen, unsynced_bytes, .. } = &mut *writer;
        let offset = *next_offset;
        let end = offset.checked_add(u64::from(size.last_offset_delta)).and_then(|last| last.checked_add(1));
        let Some(end) = end.filter(|end| *end <= OFFSET_END) else {
            return Err(AppendError::OffsetsExhausted { next: offset });
        };
        let Some(active) =
            active.as_mut().filter(|active| !*frozen && active.room(size, offset) == Room::Fits)
        else {
            return Ok(None);
        };
        let place = Place {
            base_offset: offset,
            leader_epoch: self.dir.epochs.current(),
            // Taken under the lock, so that offsets and times rise together as long as the clock does.
            log_append_ms: self
                .log_append_time
                .load(Ordering::Acquire)
                .then(|| self.shared.clock.now_ms().max(0)),
        };
        if !active.append(batch, place, || self.shared.clock.now_ms()) {
            return Ok(None);
        }
        *next_offset = end;
        *unsynced_bytes = unsynced_bytes.saturating_add(size.bytes as u64);
        // Released after the bytes and the index entries were: who sees the end sees all below it.
        self.appended.store(*next_offset, Ordering::Release);
        Ok(Some((offset, Arc::clone(active.tail()), *unsynced_bytes)))
    }

    /// An error when nothing can be appended any more.
    pub(super) fn check_writable(&self, writer: &Writer) -> Result<(), SyncError> {
        if let Some(error) = self.failed.get() {
            return Err(SyncError::Failed(Arc::clone(error)));
        }
        if writer.closed { Err(SyncError::Closed) } else { Ok(()) }
    }
}
