//! What compaction leaves of a batch: the records that stay, in the place of all of them.
//!
//! ```text
//!   base offset | length | epoch | 2 | crc | attributes | last offset | base time | max time | producer.. | count | records
//!   kept        | new    | kept  |   | new | + horizon  | kept        | (*)       | of those | kept       | new   | those
//!                                                                                   that stay                        that stay
//!
//!   (*)  the first record's time, or, with the delete horizon in the attributes, the time at which tombstones may go; as it was
//!        where the records would become too long to be decompressed
//! ```
//!
//! Base offset, last offset and the producer's numbers stay, so that a batch means the same to who looks for an offset or a
//! sequence number. Source: Apache Kafka, `MemoryRecords.filterTo`, `DefaultRecordBatch.writeEmptyHeader`, KIP-534.

use super::batch::{CONTROL, DELETE_HORIZON, HEADER_BYTES, Header, LOG_APPEND_TIME, TRANSACTIONAL};
use super::placed::Place;
use super::record::{self, Cut};
use super::sealed;
use crate::compress::{self, Compression, Failure};

/// A record that stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub(crate) cut: Cut<'a>,
    pub(crate) offset_delta: u32,
    /// Its timestamp as its batch has it, whatever the batch's timestamp type.
    pub(crate) timestamp: i64,
}

/// Appends to `out` the batch that is left of the one with this header, compressed with the codec that the header names. A `horizon`
/// is the time at which its tombstones may go, if that is known. Compressed records do not become more than `decompressed_bytes_max`
/// bytes, unless they were before.
pub(crate) fn encode(
    header: &Header,
    kept: &[Kept<'_>],
    horizon: Option<i64>,
    (compression, decompressed_bytes_max): (Compression, usize),
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let Some(first) = kept.first() else {
        encode_empty(header, out);
        return Ok(());
    };
    let append_time = header.is_log_append_time();
    let newest = kept.iter().map(|record| record.timestamp).fold(first.timestamp, Ord::max);
    let records_from = |base_timestamp: i64| {
        let mut records = Vec::new();
        for Kept { cut, offset_delta, timestamp } in kept {
            record::encode_cut(*cut, timestamp.wrapping_sub(base_timestamp), *offset_delta, &mut records);
        }
        records
    };
    let (mut base_timestamp, mut attributes) = match horizon {
        Some(horizon) => (horizon, header.attributes | DELETE_HORIZON),
        None => (first.timestamp, header.attributes),
    };
    let mut records = records_from(base_timestamp);
    if compression != Compression::None && records.len() > decompressed_bytes_max {
        // With the base that it had no record is longer than it was.
        (base_timestamp, attributes) = (header.base_timestamp, header.attributes);
        records = records_from(base_timestamp);
    }
    let left = Header {
        attributes,
        base_timestamp,
        // That of every record, or the largest of those that are left.
        max_timestamp: if append_time { header.max_timestamp } else { newest },
        record_count: u32::try_from(kept.len()).unwrap_or(u32::MAX),
        ..*header
    };
    put(left, out, |out| compress::compress(compression, &records, out))
}

/// Appends to `out` a batch without records, which stands for the one with this header.
pub(crate) fn encode_empty(header: &Header, out: &mut Vec<u8>) {
    let kept = LOG_APPEND_TIME | TRANSACTIONAL | CONTROL;
    let left =
        Header { attributes: header.attributes & kept, base_timestamp: -1, record_count: 0, ..*header };
    // No records: nothing fails.
    let _ = put(left, out, |_| Ok(()));
}

fn put(
    mut header: Header,
    out: &mut Vec<u8>,
    records: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let at = out.len();
    out.resize(at.saturating_add(HEADER_BYTES), 0);
    records(out)?;
    let Some(batch) = out.get_mut(at..) else { return Ok(()) };
    header.bytes = batch.len();
    let place =
        Place { base_offset: header.base_offset, leader_epoch: header.leader_epoch, log_append_ms: None };
    let fits = sealed::put(header, place, true, batch);
    debug_assert!(fits, "there is room for the header");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch::tests::encoded;
    use crate::record::Record;

    fn kept(header: &Header, batch: &[u8], stays: impl Fn(u32) -> bool, horizon: Option<i64>) -> Vec<u8> {
        let mut rest = &batch[HEADER_BYTES..];
        let mut all = Vec::new();
        while !rest.is_empty() {
            let (decoded, cut) = record::cut(&mut rest).unwrap();
            let timestamp = header.base_timestamp.wrapping_add(decoded.timestamp_delta);
            if stays(decoded.offset_delta) {
                all.push(Kept { cut, offset_delta: decoded.offset_delta, timestamp });
            }
        }
        let mut out = vec![9; 3];
        encode(header, &all, horizon, (Compression::None, 0), &mut out).unwrap();
        out.split_off(3)
    }

    #[test]
    fn a_batch_of_which_all_stays_is_the_same() {
        let batch = encoded(&[Record::new("a").key("k").timestamp(7), Record::new("b").timestamp(3)], 10, 4);
        let header = Header::parse(&batch).unwrap();
        assert_eq!(kept(&header, &batch, |_| true, None), batch);
    }

    #[test]
    fn an_empty_batch_has_the_bytes_that_kafka_writes() {
        // java43_empty_compacted of the vectors: kafka-clients 4.3.0, offsets 100 to 104, producer 4242, epoch 3, sequence 17.
        let header = Header {
            base_offset: 100,
            bytes: 999,
            leader_epoch: 7,
            crc: 0,
            attributes: 0,
            last_offset: 104,
            base_timestamp: 1_699_999_999_990,
            max_timestamp: 1_700_000_000_000,
            producer_id: 4242,
            producer_epoch: 3,
            base_sequence: 17,
            record_count: 5,
        };
        let mut out = Vec::new();
        encode_empty(&header, &mut out);
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "0000000000000064000000310000000702317d53c8000000000004ffffffffffffffff0000018bcfe56800000000000000109200030000001100000000"
        );
    }

    #[test]
    fn what_is_left_keeps_offsets_and_times() {
        let records = [
            Record::new("a").key("k").timestamp(50),
            Record::new("b").key("l").timestamp(90),
            Record::new("c").key("m").timestamp(70),
        ];
        let batch = encoded(&records, 10, 4);
        let header = Header::parse(&batch).unwrap();
        let left = kept(&header, &batch, |delta| delta == 2, None);
        let found = Header::parse(&left).unwrap();
        assert_eq!(found.verify(&left), Ok(()));
        assert_eq!((found.base_offset, found.last_offset, found.leader_epoch), (10, 12, 4));
        assert_eq!((found.base_timestamp, found.max_timestamp, found.record_count), (70, 70, 1));
        let stamped = kept(&header, &batch, |delta| delta > 0, Some(1_000_000));
        let found = Header::parse(&stamped).unwrap();
        assert_eq!(found.verify(&stamped), Ok(()));
        assert!(found.has_delete_horizon());
        assert_eq!((found.base_timestamp, found.max_timestamp, found.record_count), (1_000_000, 90, 2));
        let mut rest = &stamped[HEADER_BYTES..];
        let times: Vec<_> = std::iter::from_fn(|| record::decode(&mut rest).ok())
            .map(|record| found.base_timestamp + record.timestamp_delta)
            .collect();
        assert_eq!(times, [90, 70]);
    }
}
