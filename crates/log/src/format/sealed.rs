//! A batch that is encoded as a whole, checksum and all, and written as it is but for its place.
//!
//! ```text
//!   | room for the header, 61 bytes | records, compressed or not |     one piece of memory
//!     base offset, leader epoch: when it is appended; all else, and the checksum: when it is sealed
//! ```
//!
//! So the checksum is not made under the append lock, but for log append time, which is covered by it. A storage may write it
//! by one call, and then the batch is copied once.

use super::batch::{CRC_COVERS_FROM, HEADER_BYTES, Header, LOG_APPEND_TIME, crc32c};
use super::field::Fill;
use super::placed::{Batch, Place, Size};
use crate::producers::ProducerNumbers;

/// What is in the header of a batch beside its lengths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// Kafka's number of the codec that the records are compressed with.
    pub(crate) codec: u8,
    /// At least 1.
    pub(crate) record_count: u32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer: ProducerNumbers,
}

/// A batch that may be appended.
#[derive(Debug)]
pub(crate) struct Sealed<'a> {
    header: Header,
    /// All of it.
    buffer: &'a mut [u8],
}

impl Stamp {
    /// Makes a batch of `buffer`, whose first [`HEADER_BYTES`] are room for the header and whose rest are the records. `None`
    /// without that room.
    pub(crate) fn seal(self, buffer: &mut [u8]) -> Option<Sealed<'_>> {
        let mut header = self.header(buffer.len());
        header.encode_covered(&mut Fill::new(buffer.get_mut(CRC_COVERS_FROM..HEADER_BYTES)?));
        header.crc = crc32c(buffer.get(CRC_COVERS_FROM..)?);
        Some(Sealed { header, buffer })
    }

    /// The header of a batch of so many bytes at offset 0, neither transactional nor control, without its checksum.
    pub(super) fn header(self, bytes: usize) -> Header {
        Header {
            base_offset: 0,
            bytes,
            leader_epoch: 0,
            crc: 0,
            attributes: u16::from(self.codec),
            last_offset: u64::from(self.record_count.saturating_sub(1)),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            base_sequence: self.producer.base_sequence,
            record_count: self.record_count,
        }
    }
}

impl Batch for Sealed<'_> {
    fn size(&self) -> Size {
        Size { bytes: self.buffer.len(), last_offset_delta: self.header.record_count.saturating_sub(1) }
    }

    fn max_timestamp(&self) -> i64 {
        self.header.max_timestamp
    }

    fn producer(&self) -> Option<ProducerNumbers> {
        self.header.producer()
    }

    fn encode(&self, place: Place, target: &mut [u8]) -> bool {
        if target.len() != self.buffer.len() {
            return false;
        }
        target.copy_from_slice(self.buffer);
        put(self.header, place, false, target)
    }

    fn whole(&mut self, place: Place) -> Option<&[u8]> {
        put(self.header, place, false, self.buffer).then_some(&*self.buffer)
    }
}

/// Puts the header of a batch into its place at the front of `target`, which has the records; `header.crc` is that of the batch
/// at offset 0 with create time, unless it is `stale`. False when it does not fit.
pub(super) fn put(mut header: Header, place: Place, stale: bool, target: &mut [u8]) -> bool {
    header.last_offset =
        place.base_offset.saturating_add(header.last_offset.saturating_sub(header.base_offset));
    header.base_offset = place.base_offset;
    header.leader_epoch = place.leader_epoch;
    if let Some(log_append_ms) = place.log_append_ms {
        header.attributes |= LOG_APPEND_TIME;
        header.max_timestamp = log_append_ms;
    }
    let Some(covered) = target.get_mut(CRC_COVERS_FROM..HEADER_BYTES) else { return false };
    let mut sink = Fill::new(covered);
    header.encode_covered(&mut sink);
    let exact = sink.is_exact();
    if stale || place.log_append_ms.is_some() {
        header.crc = crc32c(target.get(CRC_COVERS_FROM..).unwrap_or_default());
    }
    let Some(uncovered) = target.get_mut(..CRC_COVERS_FROM) else { return false };
    let mut sink = Fill::new(uncovered);
    header.encode_uncovered(&mut sink);
    exact && sink.is_exact()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::draft::Draft;
    use crate::format::record;
    use crate::record::Record;

    /// A batch that is sealed is, byte for byte, the one that is encoded in its place.
    #[test]
    fn a_sealed_batch_is_the_one_that_a_draft_makes() {
        let records = [Record::new("a").timestamp(5), Record::new("b").key("k").timestamp(9)];
        let producer = ProducerNumbers::new(7, 1, 40);
        let draft = Draft::new(&records, 0, Some(producer)).unwrap();
        let mut buffer = vec![0xaa; HEADER_BYTES];
        for (number, record) in (0..).zip(&records) {
            record::encode(record, record.timestamp.unwrap() - 5, number, &mut buffer);
        }
        let stamp = Stamp { codec: 0, record_count: 2, base_timestamp: 5, max_timestamp: 9, producer };
        let mut sealed = stamp.seal(&mut buffer).unwrap();
        assert_eq!(sealed.size(), draft.size());
        for log_append_ms in [None, Some(77), None] {
            let place = Place { base_offset: 1000, leader_epoch: 3, log_append_ms };
            let [mut wanted, mut encoded] = [vec![0; draft.size().bytes], vec![0; draft.size().bytes]];
            assert!(draft.encode(place, &mut wanted) && sealed.encode(place, &mut encoded));
            assert_eq!(encoded, wanted);
            assert_eq!(sealed.whole(place), Some(wanted.as_slice()));
        }
        assert!(stamp.seal(&mut [0; HEADER_BYTES - 1]).is_none());
    }
}
