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
use crate::format::sealed::Sealed;
use crate::options::Ack;
use crate::producers::{Appended, ProducerNumbers, Producers, Verdict};
use crate::record::Record;
use crate::segment::{Room, Tail};

/// Where a batch is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) offset: u64,
    pub(crate) last_offset: u64,
    /// The timestamp of its records, where the topic has log append time; not known of a duplicate.
    pub(crate) log_append_ms: Option<i64>,
    /// It was there already, and nothing was appended.
    pub(crate) is_duplicate: bool,
    /// The bytes that are not durable now.
    unsynced_bytes: u64,
}

/// What became of a batch under the append lock.
enum Tried {
    /// It was appended to this segment.
    Appended(Placed, Arc<Tail>),
    Duplicate(Placed),
    NoRoom,
}

impl Core {
    pub(crate) fn append(&self, records: &[Record<'_>], ack: Ack) -> Result<u64, AppendError> {
        self.append_records(records, None, ack).map(|appended| appended.offset)
    }

    pub(crate) fn append_idempotent(
        &self,
        records: &[Record<'_>],
        producer: ProducerNumbers,
        ack: Ack,
    ) -> Result<Appended, AppendError> {
        producer.check()?;
        self.append_records(records, Some(producer), ack)
    }

    fn append_records(
        &self,
        records: &[Record<'_>],
        producer: Option<ProducerNumbers>,
        ack: Ack,
    ) -> Result<Appended, AppendError> {
        let mut draft = self.draft(records, producer)?;
        match self.compression() {
            None | Some(Compression::None) => {
                self.check_size(draft.size().bytes as u64)?;
                self.append_batch(&mut draft, ack)
            }
            Some(compression) => {
                self.check_decompressed(draft.size().bytes.saturating_sub(HEADER_BYTES))?;
                self.append_packed(draft.pack(compression), compression, ack)
            }
        }
    }

    pub(crate) fn append_record_batch(&self, bytes: &[u8], ack: Ack) -> Result<u64, AppendError> {
        self.check_size(bytes.len() as u64)?;
        let (mut ready, plain) = Ready::new(bytes, self.shared.decompressed_bytes_max)?;
        if let Some(record) = ready.without_key().filter(|_| self.needs_key()) {
            return Err(AppendError::KeyRequired { record });
        }
        match self.compression().filter(|compression| compression.codec() != ready.codec()) {
            None => self.append_batch(&mut ready, ack).map(|appended| appended.offset),
            Some(compression) => {
                if compression != Compression::None {
                    self.check_decompressed(plain.len())?;
                }
                let packed = ready.repack(&plain, compression);
                self.append_packed(packed, compression, ack).map(|appended| appended.offset)
            }
        }
    }

    /// Appends a batch that was compressed, or was not, or is no more, as the topic wants it.
    fn append_packed(
        &self,
        packed: Result<Packed, Failure>,
        compression: Compression,
        ack: Ack,
    ) -> Result<Appended, AppendError> {
        // The options were checked when they were set, and the records measured: nothing else fails.
        let unsupported = InvalidBatch::UnsupportedCodec { codec: compression.codec() };
        let packed = packed.map_err(|_| unsupported)?;
        self.check_size(packed.ready().size().bytes as u64)?;
        self.append_batch(&mut packed.ready(), ack)
    }

    /// What the topic wants batches to be compressed with.
    pub(crate) fn compression(&self) -> Option<Compression> {
        compress::from_bits(self.compression.load(Ordering::Acquire))
    }

    /// What readers would refuse to decompress is not compressed.
    pub(crate) fn check_decompressed(&self, bytes: usize) -> Result<(), InvalidBatch> {
        let max = self.shared.decompressed_bytes_max;
        if bytes > max { Err(InvalidBatch::DecompressedTooLarge { max: max as u64 }) } else { Ok(()) }
    }

    /// Appends a batch that this process has made and sealed. With [`Ack::Durable`] the caller syncs.
    pub(crate) fn append_sealed(&self, mut batch: Sealed<'_>, ack: Ack) -> Result<Placed, AppendError> {
        self.check_size(batch.size().bytes as u64)?;
        let placed = self.place(&mut batch)?;
        if ack == Ack::Appended {
            self.flush_if_too_much(placed.unsynced_bytes);
        }
        Ok(placed)
    }

    /// A batch may not be larger than this.
    pub(crate) fn batch_bytes_max(&self) -> u64 {
        self.batch_bytes_max.load(Ordering::Acquire)
    }

    fn append_batch(&self, batch: &mut impl Batch, ack: Ack) -> Result<Appended, AppendError> {
        let placed = self.place(batch)?;
        if ack == Ack::Durable {
            // Of a duplicate too: the first one may have been asked for less.
            self.wait_durable(placed.last_offset)
                .map_err(|error| AppendError::NotDurable { offset: placed.offset, error })?;
        } else {
            self.flush_if_too_much(placed.unsynced_bytes);
        }
        Ok(Appended { offset: placed.offset, is_duplicate: placed.is_duplicate })
    }

    fn place(&self, batch: &mut impl Batch) -> Result<Placed, AppendError> {
        let size = batch.size();
        let (placed, tail) = loop {
            match self.try_append(batch)? {
                Tried::Appended(placed, tail) => break (placed, tail),
                Tried::Duplicate(placed) => return Ok(placed),
                Tried::NoRoom => self.make_room(size)?,
            }
        };
        fence(Ordering::SeqCst);
        self.appended_moved.notify_after_fence();
        self.shared.unsynced.notify_after_fence();
        if tail.is_low() {
            self.allocate_ahead(&tail);
        }
        Ok(placed) // The tail goes here: who waits does not keep the segment open.
    }

    /// Checks and measures a batch, outside of any lock.
    fn draft<'a>(
        &self,
        records: &'a [Record<'a>],
        producer: Option<ProducerNumbers>,
    ) -> Result<Draft<'a>, AppendError> {
        let needs_key = self.needs_key();
        let mut untimed = false;
        for (at, record) in records.iter().enumerate() {
            if needs_key && record.key.is_none() {
                return Err(AppendError::KeyRequired { record: at });
            }
            match record.timestamp {
                None => untimed = true,
                Some(timestamp) if timestamp < 0 => {
                    return Err(AppendError::NegativeTimestamp { record: at, timestamp });
                }
                Some(_) => {}
            }
        }
        let now_ms = if untimed { self.shared.clock.now_ms().max(0) } else { 0 };
        let Some(draft) = Draft::new(records, now_ms, producer) else {
            if records.is_empty() {
                return Err(AppendError::EmptyBatch);
            }
            // A batch counts its records in 31 bits; so many cannot fit a segment either.
            let max = self.batch_bytes_max.load(Ordering::Acquire);
            return Err(AppendError::BatchTooLarge { bytes: u64::MAX, max });
        };
        Ok(draft)
    }

    /// Whether a record without a key is refused, since the topic is compacted.
    pub(crate) fn needs_key(&self) -> bool {
        self.compacted.load(Ordering::Acquire)
    }

    fn check_size(&self, bytes: u64) -> Result<(), AppendError> {
        let max = self.batch_bytes_max.load(Ordering::Acquire);
        if bytes > max { Err(AppendError::BatchTooLarge { bytes, max }) } else { Ok(()) }
    }

    /// Appends if there is room, and if the numbers of its producer say that it is new.
    fn try_append(&self, batch: &mut impl Batch) -> Result<Tried, AppendError> {
        let size = batch.size();
        let mut writer = self.writer.lock();
        self.check_writable(&writer).map_err(AppendError::Refused)?;
        let Writer { active, next_offset, frozen, unsynced_bytes, producers, .. } = &mut *writer;
        let numbers = batch.producer();
        if let (Some(numbers), Some(producers)) = (numbers, producers.as_deref())
            && let Verdict::Duplicate(sent) = producers.judge(numbers, size.last_offset_delta)?
        {
            return Ok(Tried::Duplicate(Placed {
                offset: sent.base_offset(),
                last_offset: sent.last_offset,
                log_append_ms: None,
                is_duplicate: true,
                unsynced_bytes: 0,
            }));
        }
        let offset = *next_offset;
        let end = offset.checked_add(u64::from(size.last_offset_delta)).and_then(|last| last.checked_add(1));
        let Some(end) = end.filter(|end| *end <= OFFSET_END) else {
            return Err(AppendError::OffsetsExhausted { next: offset });
        };
        let Some(active) =
            active.as_mut().filter(|active| !*frozen && active.room(size, offset) == Room::Fits)
        else {
            return Ok(Tried::NoRoom);
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
            return Ok(Tried::NoRoom);
        }
        if let Some(numbers) = numbers {
            let producers =
                producers.get_or_insert_with(|| Box::new(Producers::new(self.shared.producers_max)));
            let (last_offset, now_ms) = (end.saturating_sub(1), self.shared.clock.now_ms());
            producers.remember(numbers, last_offset, size.last_offset_delta, now_ms);
        }
        *next_offset = end;
        *unsynced_bytes = unsynced_bytes.saturating_add(size.bytes as u64);
        // Released after the bytes and the index entries were: who sees the end sees all below it.
        self.appended.store(*next_offset, Ordering::Release);
        let placed = Placed {
            offset,
            last_offset: end.saturating_sub(1),
            log_append_ms: place.log_append_ms,
            is_duplicate: false,
            unsynced_bytes: *unsynced_bytes,
        };
        Ok(Tried::Appended(placed, Arc::clone(active.tail())))
    }

    /// An error when nothing can be appended any more.
    pub(super) fn check_writable(&self, writer: &Writer) -> Result<(), SyncError> {
        if let Some(error) = self.failed.get() {
            return Err(SyncError::Failed(Arc::clone(error)));
        }
        if writer.closed { Err(SyncError::Closed) } else { Ok(()) }
    }
}
