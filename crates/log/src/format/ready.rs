//! A record batch that somebody else made: checked as a Kafka broker checks it, and written as it is but for its place.
//!
//! ```text
//!   baseOffset | batchLength | leaderEpoch | magic | crc | attributes .. maxTimestamp .. recordCount | records..
//!   replaced   | kept        | replaced    | kept  | kept, unless attributes or maxTimestamp change  | kept
//! ```
//!
//! Base offset and leader epoch are outside of Kafka's checksum. Two fields inside of it may change, and then the checksum
//! does: with log append time the attributes and the largest timestamp; with create time the largest timestamp, if the
//! producer's was not that of its records. Source: Apache Kafka, `LogValidator`.

use std::borrow::Cow;

use super::batch::{HEADER_BYTES, Header};
use super::packed::Packed;
use super::placed::{Batch, Place, Size};
use super::{record, sealed};
use crate::batch::Codec;
use crate::compress::{self, Compression, Failure};
use crate::error::{Damage, InvalidBatch};
use crate::producers::ProducerNumbers;

/// Kafka's codecs are 0 to 4.
const CODEC_MAX: u8 = 4;
/// What Kafka writes for a record without a timestamp.
const NO_TIMESTAMP: i64 = -1;

/// A batch that may be appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready<'a> {
    header: Header,
    records: &'a [u8],
    last_offset_delta: u32,
    max_timestamp: i64,
    without_key: Option<usize>,
}

impl<'a> Ready<'a> {
    /// Checks a batch. O(bytes), without allocating where it is not compressed; where it is, at most `decompressed_bytes_max`
    /// bytes become of its records. The records that are decompressed are given beside it.
    pub(crate) fn new(
        bytes: &'a [u8],
        decompressed_bytes_max: usize,
    ) -> Result<(Self, Cow<'a, [u8]>), InvalidBatch> {
        let header = Header::parse(bytes).map_err(|damage| refused(&damage, bytes.len()))?;
        let Some((whole, rest)) = bytes.split_at_checked(header.bytes) else {
            return Err(InvalidBatch::Incomplete { bytes: header.bytes as u64, given: bytes.len() as u64 });
        };
        if !rest.is_empty() {
            return Err(InvalidBatch::MoreThanOne { at: whole.len() as u64, left: rest.len() as u64 });
        }
        if header.base_offset != 0 {
            return Err(InvalidBatch::BaseOffset { found: header.base_offset });
        }
        header.verify(whole).map_err(|damage| refused(&damage, bytes.len()))?;
        check_header(&header)?;
        let records = whole.get(HEADER_BYTES..).unwrap_or_default();
        let plain = decompressed(&header, records, decompressed_bytes_max)?;
        let (max_timestamp, without_key) = check_records(&header, &plain)?;
        Ok((Self { max_timestamp, without_key, ..Self::packed(header, records) }, plain))
    }

    /// A batch that needs no check.
    pub(super) fn packed(header: Header, records: &'a [u8]) -> Self {
        // One less than the number of records, which is above 0.
        let last_offset_delta = header.record_count.saturating_sub(1);
        let (max_timestamp, without_key) = (header.max_timestamp, None);
        Self { header, records, last_offset_delta, max_timestamp, without_key }
    }

    /// The first record without a key.
    pub(crate) fn without_key(&self) -> Option<usize> {
        self.without_key
    }

    /// The same batch with another codec; `plain` are its records, not compressed.
    pub(crate) fn repack(&self, plain: &[u8], compression: Compression) -> Result<Packed, Failure> {
        let header = Header { max_timestamp: self.max_timestamp, ..self.header };
        Packed::new(&header, plain, compression)
    }

    pub(crate) fn codec(&self) -> Codec {
        Codec(self.header.codec())
    }
}

impl Batch for Ready<'_> {
    fn size(&self) -> Size {
        Size { bytes: self.header.bytes, last_offset_delta: self.last_offset_delta }
    }

    fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    fn producer(&self) -> Option<ProducerNumbers> {
        self.header.producer()
    }

    fn encode(&self, place: Place, target: &mut [u8]) -> bool {
        let Some((_, records)) = target.split_at_mut_checked(HEADER_BYTES) else { return false };
        if records.len() != self.records.len() {
            return false;
        }
        records.copy_from_slice(self.records);
        let header = Header { max_timestamp: self.max_timestamp, ..self.header };
        sealed::put(header, place, self.header.max_timestamp != self.max_timestamp, target)
    }
}

/// What Kafka's broker looks at in the header of a client's batch.
fn check_header(header: &Header) -> Result<(), InvalidBatch> {
    let last_offset_delta = header.last_offset.saturating_sub(header.base_offset);
    if last_offset_delta.checked_add(1) != Some(u64::from(header.record_count)) {
        return Err(InvalidBatch::RecordCount { count: header.record_count, last_offset_delta });
    }
    if header.is_control() {
        return Err(InvalidBatch::Control);
    }
    if header.is_transactional() {
        return Err(InvalidBatch::Transactional);
    }
    if header.has_delete_horizon() {
        return Err(InvalidBatch::DeleteHorizon);
    }
    if header.is_log_append_time() {
        return Err(InvalidBatch::TimestampType);
    }
    if header.codec() > CODEC_MAX {
        return Err(InvalidBatch::Codec { codec: header.codec() });
    }
    if header.producer_id > -1 && header.base_sequence < 0 {
        let (producer_id, sequence) = (header.producer_id, header.base_sequence);
        return Err(InvalidBatch::Sequence { producer_id, sequence });
    }
    if header.producer_id > -1 && header.producer_epoch < 0 {
        let (producer_id, epoch) = (header.producer_id, header.producer_epoch);
        return Err(InvalidBatch::ProducerEpoch { producer_id, epoch });
    }
    Ok(())
}

/// The records of a batch, not compressed.
fn decompressed<'a>(
    header: &Header,
    records: &'a [u8],
    bytes_max: usize,
) -> Result<Cow<'a, [u8]>, InvalidBatch> {
    let codec = Codec(header.codec());
    compress::plain(codec.0, records, bytes_max).map_err(|failure| match failure {
        Failure::Unsupported => InvalidBatch::UnsupportedCodec { codec },
        Failure::TooLarge => InvalidBatch::DecompressedTooLarge { max: bytes_max as u64 },
        Failure::Malformed => InvalidBatch::Compressed { codec },
    })
}

/// Walks the records, which are not compressed; gives their largest timestamp, and the first that has no key.
fn check_records(header: &Header, records: &[u8]) -> Result<(i64, Option<usize>), InvalidBatch> {
    let mut rest = records;
    let (mut max_timestamp, mut without_key) = (NO_TIMESTAMP, None);
    for number in 0..header.record_count {
        let at = records.len().saturating_sub(rest.len());
        let record = record::decode(&mut rest).map_err(|field| malformed(number, at, field))?;
        let at = HEADER_BYTES.saturating_add(at) as u64;
        if record.key.is_none() && without_key.is_none() {
            without_key = usize::try_from(number).ok();
        }
        if record.offset_delta != number {
            return Err(InvalidBatch::OffsetDelta { record: number, at, found: record.offset_delta });
        }
        // As a reader adds them up.
        let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        if timestamp < NO_TIMESTAMP {
            return Err(InvalidBatch::Timestamp { record: number, at, timestamp });
        }
        max_timestamp = max_timestamp.max(timestamp);
    }
    if rest.is_empty() {
        return Ok((max_timestamp, without_key));
    }
    let at = HEADER_BYTES.saturating_add(records.len()).saturating_sub(rest.len()) as u64;
    Err(InvalidBatch::LeftOver { at, left: rest.len() as u64 })
}

fn malformed(record: u32, at: usize, field: &'static str) -> InvalidBatch {
    InvalidBatch::Record { record, at: HEADER_BYTES.saturating_add(at) as u64, field }
}

/// What is damage in a segment is a batch that is refused here.
fn refused(damage: &Damage, given: usize) -> InvalidBatch {
    match *damage {
        Damage::LengthTooSmall { length } => InvalidBatch::LengthTooSmall { length },
        Damage::LengthBeyondEnd { bytes, left } => InvalidBatch::Incomplete { bytes, given: left },
        Damage::UnsupportedMagic { magic } => InvalidBatch::Magic { magic },
        Damage::HeaderField { field, value } => InvalidBatch::Field { field, value },
        Damage::Checksum { stored, computed } => InvalidBatch::Checksum { stored, computed },
        // Parsing a header and its checksum gives no other damage.
        _ => InvalidBatch::HeaderCut { given: given as u64 },
    }
}
