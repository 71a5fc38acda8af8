//! Appending: into memory that is the file, under a lock that knows no system call.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::Core;
use super::state::Writer;
use crate::compress::{self, Compression, Failure};
use crate::error::{AppendError, InvalidBatch, SyncError};
use crate::format::batch::{HEADER_BYTES, OFFSET_END};
use crate::format::draft::Draft;
use crate::format::packed::Packed;
use crate::format::placed::{Batch, Place};
use crate::format::ready::Ready;
use crate::options::Ack;
use crate::record::Record;
use crate::segment::{Room, Tail};

impl Core {
    pub(crate) fn append(&self, records: &[Record<'_>], ack: Ack) -> Result<u64, AppendError> {
        let draft = self.draft(records)?;
        match self.compression() {
            None | Some(Compression::None) => {
                self.check_size(draft.size().bytes as u64)?;
                self.append_batch(&draft, ack)
            }
            Some(compression) => {
                self.check_decompressed(draft.size().bytes.saturating_sub(HEADER_BYTES))?;
                self.append_packed(draft.pack(compression), compression, ack)
            }
        }
    }

    pub(crate) fn append_record_batch(&self, bytes: &[u8], ack: Ack) -> Result<u64, AppendError> {
        self.check_size(bytes.len() as u64)?;
        let (ready, plain) = Ready::new(bytes, self.shared.decompressed_bytes_max)?;
        self.check_key(ready.without_key())?;
        match self.compression().filter(|compression| compression.codec() != ready.codec()) {
            None => self.append_batch(&ready, ack),
            Some(compression) => {
                if compression != Compression::None {
                    self.check_decompressed(plain.len())?;
                }
                self.append_packed(ready.repack(&plain, compression), compression, ack)
            }
        }
    }

    /// Appends a batch that was compressed, or was not, or is no more, as the topic wants it.
    fn append_packed(
        &self,
        packed: Result<Packed, Failure>,
        compression: Compression,
        ack: Ack,
    ) -> Result<u64, AppendError> {
        // The options were checked when they were set, and the records measured: nothing else fails.
        let unsupported = InvalidBatch::UnsupportedCodec { codec: compression.codec() };
        let packed = packed.map_err(|_| unsupported)?;
        self.check_size(packed.ready().size().bytes as u64)?;
        self.append_batch(&packed.ready(), ack)
    }

    fn compression(&self) -> Option<Compression> {
        compress::from_bits(self.compression.load(Ordering::Acquire))
    }

    /// What readers would refuse to decompress is not compressed.
    fn check_decompressed(&self, bytes: usize) -> Result<(), InvalidBatch> {
        let max = self.shared.decompressed_bytes_max;
        if bytes > max { Err(InvalidBatch::DecompressedTooLarge { max: max as u64 }) } else { Ok(()) }
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
