//! The record batch, format version 2: the unit that is written, checked and kept whole.
//!
//! ```text
//!   0      8      12     16 17   21    23       27       35      43      51     53     57     61
//!   | base | batch| lead.|m | crc| attr| last   | base   | max   | prod. | prod.| base | rec. | records..
//!   | offs.| len. | epoch|2 |    |     | off. d.| time   | time  | id    | epoch| seq. | count|
//!   | i64  | i32  | i32  |i8| u32| i16 | i32    | i64    | i64   | i64   | i16  | i32  | i32  |
//!          |<- not in the crc  ->|     |<---------------- crc32c of all this ------------------..
//!                 |<------------ batch length counts from here ---------------------..
//! ```
//!
//! Source: Apache Kafka, `DefaultRecordBatch`, and the protocol documentation "Record Batch".

use super::field::{self, Fill, Sink};
use crate::error::Damage;
use crate::producers::ProducerNumbers;

/// The bytes of a batch before its records.
pub(crate) const HEADER_BYTES: usize = 61;
/// The bytes before those that the batch length counts: base offset and the length itself.
pub(crate) const LENGTH_OVERHEAD_BYTES: usize = 12;
/// The bytes before those that the checksum covers.
pub(crate) const CRC_COVERS_FROM: usize = 21;
/// Where the format version is, the same in all versions.
pub(crate) const MAGIC_AT: usize = 16;
/// The only format version supported.
pub(crate) const MAGIC: i8 = 2;

/// No record has this offset, or a larger one: it would not be followed by an offset that Kafka can write.
pub(crate) const OFFSET_END: u64 = i64::MAX.cast_unsigned();

pub(super) const CODEC_MASK: u16 = 0x07;
pub(super) const LOG_APPEND_TIME: u16 = 0x08;
pub(super) const TRANSACTIONAL: u16 = 0x10;
pub(super) const CONTROL: u16 = 0x20;
pub(super) const DELETE_HORIZON: u16 = 0x40;
const ATTRIBUTES_UNUSED: u16 = 0xff80;

const BASE_OFFSET_BYTES: usize = 8;
const BATCH_LENGTH_BYTES: usize = 4;
const EPOCH_BYTES: usize = 4;
const MAGIC_BYTES: usize = 1;
const CRC_BYTES: usize = 4;
const CHECKED_FIELDS_BYTES: usize = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;

const _: () = assert!(LENGTH_OVERHEAD_BYTES == BASE_OFFSET_BYTES + BATCH_LENGTH_BYTES);
const _: () = assert!(MAGIC_AT == LENGTH_OVERHEAD_BYTES + EPOCH_BYTES);
const _: () = assert!(CRC_COVERS_FROM == MAGIC_AT + MAGIC_BYTES + CRC_BYTES);
const _: () = assert!(HEADER_BYTES == CRC_COVERS_FROM + CHECKED_FIELDS_BYTES);

/// A parsed header whose length fits the bytes it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) base_offset: u64,
    /// The whole batch with its header.
    pub(crate) bytes: usize,
    pub(crate) leader_epoch: i32,
    pub(crate) crc: u32,
    pub(crate) attributes: u16,
    /// The last record's offset; `base_offset` plus at most 2^31 - 1.
    pub(crate) last_offset: u64,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: u32,
}

impl Header {
    /// Parses the header at the front of `bytes`, which are all that is left of the segment.
    ///
    /// Every length is checked against what is left before anything is done with it.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        Self::parse_within(bytes, bytes.len())
    }

    /// The same when `bytes` need only have the header, and `left` bytes are left of the segment.
    #[inline]
    pub(crate) fn parse_within(bytes: &[u8], left: usize) -> Result<Self, Damage> {
        let cut = Damage::HeaderCut { left: left.min(bytes.len()) as u64 };
        let Some(mut header) = bytes.get(..HEADER_BYTES) else { return Err(cut) };
        Self::parse_fields(&mut header, left).unwrap_or(Err(cut))
    }

    #[inline]
    fn parse_fields(from: &mut &[u8], left: usize) -> Option<Result<Self, Damage>> {
        let base_offset = field::take_i64(from)?;
        let batch_length = field::take_i32(from)?;
        let leader_epoch = field::take_i32(from)?;
        let [magic] = field::take::<1>(from)?;
        let crc = field::take_u32(from)?;
        let attributes = field::take_u16(from)?;
        let last_offset_delta = field::take_i32(from)?;
        let base_timestamp = field::take_i64(from)?;
        let max_timestamp = field::take_i64(from)?;
        let producer_id = field::take_i64(from)?;
        let producer_epoch = field::take_i16(from)?;
        let base_sequence = field::take_i32(from)?;
        let count = field::take_i32(from)?;

        let impossible = |field, value| Some(Err(Damage::HeaderField { field, value }));
        if magic.cast_signed() != MAGIC {
            return Some(Err(Damage::UnsupportedMagic { magic: magic.cast_signed() }));
        }
        let Some(bytes) = usize::try_from(batch_length)
            .ok()
            .map(|length| length.saturating_add(LENGTH_OVERHEAD_BYTES))
            .filter(|bytes| *bytes >= HEADER_BYTES)
        else {
            return Some(Err(Damage::LengthTooSmall { length: batch_length }));
        };
        if bytes > left {
            return Some(Err(Damage::LengthBeyondEnd { bytes: bytes as u64, left: left as u64 }));
        }
        let Ok(first) = u64::try_from(base_offset) else { return impossible("baseOffset", base_offset) };
        let Some(last_offset) = u64::try_from(last_offset_delta)
            .ok()
            .and_then(|delta| first.checked_add(delta))
            .filter(|last| *last < OFFSET_END)
        else {
            return impossible("lastOffsetDelta", i64::from(last_offset_delta));
        };
        let Ok(record_count) = u32::try_from(count) else {
            return impossible("recordCount", i64::from(count));
        };
        if attributes & ATTRIBUTES_UNUSED != 0 {
            return impossible("attributes", i64::from(attributes));
        }
        Some(Ok(Self {
            base_offset: first,
            bytes,
            leader_epoch,
            crc,
            attributes,
            last_offset,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count,
        }))
    }

    /// Kafka's number of the codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(crate) fn codec(&self) -> u8 {
        let [_, low] = (self.attributes & CODEC_MASK).to_be_bytes();
        low
    }

    /// Whether the records are for brokers (transaction markers), not for readers.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether the records are part of a transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether `base_timestamp` is the time at which compaction may drop tombstones, which compaction sets (KIP-534).
    pub(crate) fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON != 0
    }

    /// Whether `max_timestamp` is the timestamp of every record.
    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// What its producer numbered it with, if it did.
    pub(crate) fn producer(&self) -> Option<ProducerNumbers> {
        let numbers = ProducerNumbers::new(self.producer_id, self.producer_epoch, self.base_sequence);
        (self.producer_id >= 0).then_some(numbers)
    }

    pub(crate) fn next_offset(&self) -> u64 {
        self.last_offset.saturating_add(1)
    }

    /// The bytes before those that the checksum covers.
    pub(crate) fn head(&self) -> [u8; CRC_COVERS_FROM] {
        let mut head = [0; CRC_COVERS_FROM];
        self.encode_uncovered(&mut Fill::new(&mut head));
        head
    }

    /// Puts the fields that the checksum does not cover, the checksum included.
    pub(super) fn encode_uncovered(&self, sink: &mut impl Sink) {
        let batch_length = self.bytes.saturating_sub(LENGTH_OVERHEAD_BYTES);
        sink.put(&self.base_offset.to_be_bytes());
        sink.put(&u32::try_from(batch_length).unwrap_or(u32::MAX).to_be_bytes());
        sink.put(&self.leader_epoch.to_be_bytes());
        sink.put(&MAGIC.to_be_bytes());
        sink.put(&self.crc.to_be_bytes());
    }

    /// Puts the fields that the checksum covers.
    pub(super) fn encode_covered(&self, sink: &mut impl Sink) {
        let last_offset_delta = self.last_offset.saturating_sub(self.base_offset);
        sink.put(&self.attributes.to_be_bytes());
        sink.put(&u32::try_from(last_offset_delta).unwrap_or(u32::MAX).to_be_bytes());
        sink.put(&self.base_timestamp.to_be_bytes());
        sink.put(&self.max_timestamp.to_be_bytes());
        sink.put(&self.producer_id.to_be_bytes());
        sink.put(&self.producer_epoch.to_be_bytes());
        sink.put(&self.base_sequence.to_be_bytes());
        sink.put(&self.record_count.to_be_bytes());
    }

    /// Checks the checksum; `bytes` begin with this batch.
    #[inline]
    pub(crate) fn verify(&self, bytes: &[u8]) -> Result<(), Damage> {
        let covered = bytes.get(CRC_COVERS_FROM..self.bytes).unwrap_or_default();
        let computed = crc32c(covered);
        if computed == self.crc { Ok(()) } else { Err(Damage::Checksum { stored: self.crc, computed }) }
    }
}

/// The bytes and the last offset of the batch at the front, which is known to be right: nothing else of it is looked at.
#[inline]
pub(crate) fn extent(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut header = bytes.first_chunk::<{ CRC_COVERS_FROM + 6 }>()?.as_slice();
    let base_offset = field::take_u64(&mut header)?;
    let batch_length = field::take_u32(&mut header)?;
    field::take_slice(&mut header, CRC_COVERS_FROM - LENGTH_OVERHEAD_BYTES + 2)?;
    let last_offset_delta = field::take_u32(&mut header)?;
    let bytes = usize::try_from(batch_length).ok()?.saturating_add(LENGTH_OVERHEAD_BYTES);
    Some((bytes, base_offset.saturating_add(u64::from(last_offset_delta))))
}

/// The length of the batch that begins here, as it states it itself; nothing else of it is looked at.
pub(crate) fn stated_bytes(head: &[u8]) -> Option<usize> {
    let (_, mut rest) = head.split_first_chunk::<8>()?;
    let length = usize::try_from(field::take_u32(&mut rest)?).ok()?;
    length.checked_add(LENGTH_OVERHEAD_BYTES).filter(|bytes| *bytes >= HEADER_BYTES)
}

/// The checksum that record batches carry: CRC-32C (Castagnoli).
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::draft::Draft;
    use super::super::placed::{Batch, Place};
    use super::*;
    use crate::record::{Header as RecordHeader, Record};

    /// Encodes a batch as the log would.
    pub(crate) fn encoded(records: &[Record<'_>], base_offset: u64, leader_epoch: i32) -> Vec<u8> {
        let draft = Draft::new(records, 0, None).unwrap();
        let mut bytes = vec![0; draft.size().bytes];
        let place = Place { base_offset, leader_epoch, log_append_ms: None };
        assert!(draft.encode(place, &mut bytes));
        bytes
    }

    #[test]
    fn five_records_give_the_bytes_of_kafkas_java_client() {
        // What kafka-clients 4.3.0 writes for these records at offset 100 in epoch 7.
        let base = 1_700_000_000_000;
        let headers = [RecordHeader::new("mqtt.topic", "a/b"), RecordHeader { key: "nul", value: None }];
        let large = "x".repeat(300);
        let records = [
            Record::new("hello").timestamp(base).key("k0").headers(&headers),
            Record::new("v1").timestamp(base + 5),
            Record::tombstone("k2").timestamp(base - 3),
            Record::new("").timestamp(base + 1000).key(""),
            Record::new(&large).timestamp(base + 70_000).key("k4"),
        ];
        let bytes = encoded(&records, 100, 7);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.base_offset, header.last_offset, header.leader_epoch), (100, 104, 7));
        assert_eq!((bytes.len(), header.crc), (434, 0xada3_5271));
        assert_eq!(header.max_timestamp, base + 70_000);
        assert_eq!(header.verify(&bytes), Ok(()));
    }

    #[test]
    fn every_flipped_bit_behind_the_checksum_is_found() {
        let bytes = encoded(&[Record::new("payload").key("key").timestamp(77)], 0, 0);
        for bit in CRC_COVERS_FROM * 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let verdict = Header::parse(&damaged).and_then(|header| header.verify(&damaged));
            assert!(verdict.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_huge_length_is_compared_with_what_is_left() {
        let mut bytes = encoded(&[Record::new("payload")], 0, 0);
        bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
        assert_eq!(
            Header::parse(&bytes),
            Err(Damage::LengthBeyondEnd { bytes: 0x8000_000b, left: bytes.len() as u64 })
        );
        bytes[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
        assert_eq!(Header::parse(&bytes), Err(Damage::LengthTooSmall { length: -1 }));
        bytes[8..12].copy_from_slice(&48_i32.to_be_bytes());
        assert_eq!(Header::parse(&bytes), Err(Damage::LengthTooSmall { length: 48 }));
    }

    #[test]
    fn zeros_are_no_batch() {
        assert_eq!(Header::parse(&[0; 4096]), Err(Damage::UnsupportedMagic { magic: 0 }));
        assert_eq!(Header::parse(&[0; 60]), Err(Damage::HeaderCut { left: 60 }));
    }
}
