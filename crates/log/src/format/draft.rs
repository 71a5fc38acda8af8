//! A batch made of records, in two steps: it is measured outside of any lock, and written when its offset is known.

use super::batch::{HEADER_BYTES, Header};
use super::field::{Fill, Sink};
use super::packed::Packed;
use super::placed::{Batch, Place, Size};
use super::record;
use super::sealed::{self, Stamp};
use crate::compress::{Compression, Failure};
use crate::producers::ProducerNumbers;
use crate::record::Record;

/// A batch that is ready to be written but for its offset: its records, timestamps and length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    records: &'a [Record<'a>],
    now_ms: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    bytes: usize,
    last_offset_delta: u32,
    producer: Option<ProducerNumbers>,
}

impl<'a> Draft<'a> {
    /// Measures a batch; `None` without records, or with more than a batch can count. Records without a
    /// timestamp get `now_ms`.
    pub(crate) fn new(
        records: &'a [Record<'a>],
        now_ms: i64,
        producer: Option<ProducerNumbers>,
    ) -> Option<Self> {
        let first = records.first()?;
        let last_offset_delta = i32::try_from(records.len() - 1).ok()?.cast_unsigned();
        let base_timestamp = first.timestamp.unwrap_or(now_ms);
        let max_timestamp =
            records.iter().map(|record| record.timestamp.unwrap_or(now_ms)).fold(base_timestamp, Ord::max);
        let mut draft =
            Self { records, now_ms, base_timestamp, max_timestamp, bytes: 0, last_offset_delta, producer };
        draft.bytes = draft.deltas().fold(HEADER_BYTES, |sum, (record, timestamp, offset)| {
            sum.saturating_add(record::encoded_len(record, timestamp, offset))
        });
        Some(draft)
    }

    /// The records with their timestamps and offsets less those of the batch.
    fn deltas(&self) -> impl Iterator<Item = (&'a Record<'a>, i64, i64)> {
        let (now_ms, base) = (self.now_ms, self.base_timestamp);
        // Java's arithmetic wraps, so that any pair of timestamps comes back.
        let timestamp = move |record: &Record<'_>| record.timestamp.unwrap_or(now_ms).wrapping_sub(base);
        (0..).zip(self.records).map(move |(delta, record)| (record, timestamp(record), delta))
    }

    /// The same batch, compressed.
    pub(crate) fn pack(&self, compression: Compression) -> Result<Packed, Failure> {
        let mut records = Vec::with_capacity(self.bytes.saturating_sub(HEADER_BYTES));
        self.encode_records(&mut records);
        Packed::new(&self.header(), &records, compression)
    }

    fn header(&self) -> Header {
        let stamp = Stamp {
            codec: 0,
            record_count: self.last_offset_delta.saturating_add(1),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer: self.producer.unwrap_or(ProducerNumbers::NONE),
        };
        stamp.header(self.bytes)
    }

    fn encode_records(&self, sink: &mut impl Sink) {
        self.deltas().for_each(|(record, timestamp, offset)| record::encode(record, timestamp, offset, sink));
    }
}

impl Batch for Draft<'_> {
    fn size(&self) -> Size {
        Size { bytes: self.bytes, last_offset_delta: self.last_offset_delta }
    }

    fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    fn producer(&self) -> Option<ProducerNumbers> {
        self.producer
    }

    fn encode(&self, place: Place, target: &mut [u8]) -> bool {
        let Some(records) = target.get_mut(HEADER_BYTES..) else { return false };
        let mut sink = Fill::new(records);
        self.encode_records(&mut sink);
        sink.is_exact() && sealed::put(self.header(), place, true, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_records_is_not_made() {
        assert!(Draft::new(&[], 0, None).is_none());
    }

    #[test]
    fn log_append_time_is_in_the_header_and_the_records_keep_theirs() {
        let records = [Record::new("a").timestamp(5), Record::new("b").timestamp(9)];
        let draft = Draft::new(&records, 0, None).unwrap();
        let mut bytes = vec![0; draft.size().bytes];
        assert!(draft.encode(Place { base_offset: 3, leader_epoch: 0, log_append_ms: Some(77) }, &mut bytes));
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.base_timestamp, header.max_timestamp, header.is_log_append_time()), (5, 77, true));
        assert_eq!(header.verify(&bytes), Ok(()));
    }
}
