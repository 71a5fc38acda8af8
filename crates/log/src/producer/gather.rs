//! A batch that grows: records are encoded as they come, behind room for the header.
//!
//! ```text
//!   buffer  | room for the header | record | record | record |  free           |
//!            61 bytes                                        ^ used             ^ batch_bytes
//! ```
//!
//! A record is copied once here, and once with its batch into the log's file. Timestamps are relative to the first record's,
//! offsets count from 0: what is not known yet (offset, leader epoch, the number of the batch) stands in the header, which is
//! filled last.

use super::memory::Buffer;
use super::receipt::{Outcome, Promise};
use crate::compress::{self, Compression};
use crate::format::batch::HEADER_BYTES;
use crate::format::field::Fill;
use crate::format::record;
use crate::format::sealed::{Sealed, Stamp};
use crate::producers::ProducerNumbers;
use crate::record::Record;

/// The batch of a partition that takes records, or was closed and waits to be appended.
#[derive(Debug)]
pub(super) struct Gathered {
    buffer: Buffer,
    used: usize,
    /// It is not filled beyond this, unless by its first record.
    limit: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
    promise: Promise,
    /// By the clock that nobody sets.
    opened_ms: u64,
    due_ms: u64,
}

/// The bytes of a batch of this record alone.
pub(super) fn batch_bytes(record: &Record<'_>) -> usize {
    HEADER_BYTES.saturating_add(record::encoded_len(record, 0, 0))
}

impl Gathered {
    /// An empty one.
    pub(super) fn new(buffer: Buffer, limit: usize, promise: Promise, opened_ms: u64, due_ms: u64) -> Self {
        Self {
            buffer,
            used: HEADER_BYTES,
            limit,
            base_timestamp: 0,
            max_timestamp: 0,
            count: 0,
            promise,
            opened_ms,
            due_ms,
        }
    }

    /// Adds a record; its number in the batch, or `None` when there is no room for it.
    #[inline]
    pub(super) fn put(&mut self, record: &Record<'_>, timestamp: i64) -> Option<u32> {
        let number = self.count;
        let base = if number == 0 { timestamp } else { self.base_timestamp };
        let delta = timestamp.wrapping_sub(base);
        let measured = record::measure(record, delta, i64::from(number));
        let end = self.used.checked_add(measured.bytes)?;
        if end > self.limit && number > 0 {
            return None;
        }
        let mut sink = Fill::new(self.buffer.get_mut(self.used..end)?);
        record::encode_measured(measured, record, delta, i64::from(number), &mut sink);
        debug_assert!(sink.is_exact(), "the length of a record is what its encoder counted");
        self.used = end;
        self.base_timestamp = base;
        self.max_timestamp = if number == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        self.count = number.checked_add(1)?;
        Some(number)
    }

    pub(super) fn outcome(&self) -> &Outcome {
        self.promise.outcome()
    }

    pub(super) fn promise(&self) -> &Promise {
        &self.promise
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The bytes of its records.
    pub(super) fn record_bytes(&self) -> usize {
        self.used.saturating_sub(HEADER_BYTES)
    }

    pub(super) fn opened_ms(&self) -> u64 {
        self.opened_ms
    }

    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// The batch to be appended, with its checksum. Compressed into `packed`, if that makes it smaller.
    pub(super) fn seal<'a>(
        &'a mut self,
        producer: ProducerNumbers,
        compression: Compression,
        packed: &'a mut Vec<u8>,
    ) -> Option<Sealed<'a>> {
        let plain = self.buffer.get_mut(..self.used)?;
        let mut codec = Compression::None.codec();
        if compression != Compression::None {
            packed.resize(HEADER_BYTES, 0);
            let done = compress::compress(compression, plain.get(HEADER_BYTES..)?, packed);
            if done.is_ok() && packed.len() < plain.len() {
                codec = compression.codec();
            }
        }
        let stamp = Stamp {
            codec: codec.0,
            record_count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer,
        };
        stamp.seal(if codec == Compression::None.codec() { plain } else { packed })
    }

    /// Gives the memory back; what is left is to say what became of it.
    pub(super) fn into_promise(self) -> Promise {
        self.promise
    }
}
