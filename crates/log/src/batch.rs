//! What a read gives, batch by batch: the header of each, its bytes as they are in the file, and its records.
//!
//! ```text
//!   Fetched::bytes   | header | records or compressed | header | records .. |
//!   Batch::bytes     |<---------- one batch --------->|
//! ```
//!
//! A batch is what is written, checked and replicated whole; its header is never compressed.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::compress;
use crate::error::ReadError;
use crate::fetched::{Place, Records, Views};
use crate::format::batch::Header;
use crate::options::TimestampType;
use crate::producers::ProducerNumbers;
use crate::unpacked::Unpacked;

/// One record batch of a [`Fetched`](crate::Fetched), whole and checked: made by
/// [`Fetched::batches`](crate::Fetched::batches).
///
/// It is readable also when its records are compressed, or are not for readers. Its [`Bytes`] are a part of what was
/// fetched, not a copy; as long as they are held, so is the segment's mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    header: Header,
    bytes: Bytes,
    place: Place,
    unpacked: Unpacked,
}

impl Batch {
    /// The offset of the first record that was written into it.
    #[must_use]
    pub fn base_offset(&self) -> u64 {
        self.header.base_offset
    }

    /// The offset of the last record that was written into it. Compaction keeps it when it removes records.
    #[must_use]
    pub fn last_offset(&self) -> u64 {
        self.header.last_offset
    }

    /// The segment that it is in, by base offset.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.place.segment
    }

    /// Where it begins in the segment's `.log` file, in bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.place.position
    }

    /// The leader epoch in which it was appended: 0 in a log that no broker ever led, -1 when it is not known.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        self.header.leader_epoch
    }

    /// What its records are compressed with.
    #[must_use]
    pub fn codec(&self) -> Codec {
        Codec(self.header.codec())
    }

    /// Which time its records have.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.header.is_log_append_time() {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Whether its records are part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.header.is_transactional()
    }

    /// Whether its records are for brokers (transaction markers), not for readers.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.header.is_control()
    }

    /// The header's base timestamp, in milliseconds since 1970-01-01 UTC: that of the first record. Where
    /// [`Batch::has_delete_horizon`], the time from which on compaction may drop its tombstones.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        self.header.base_timestamp
    }

    /// The largest timestamp of its records, in milliseconds since 1970-01-01 UTC; with
    /// [`TimestampType::LogAppendTime`] that of all of them.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.header.max_timestamp
    }

    /// Whether [`Batch::base_timestamp`] is a delete horizon, which only a Kafka broker sets.
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.header.has_delete_horizon()
    }

    /// What its producer numbered it with; `None` when it did not.
    #[must_use]
    pub fn producer(&self) -> Option<ProducerNumbers> {
        self.header.producer()
    }

    /// The number of records that its header says it has. After compaction it may be fewer than the offsets.
    #[must_use]
    pub fn record_count(&self) -> u32 {
        self.header.record_count
    }

    /// The whole batch as it stands in the segment's file; its length is the batch's size.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Visits all its records, those before the offset that was asked for and those for brokers included, as
    /// [`Bytes`] that may be kept.
    ///
    /// The first of all such visits decompresses the batch, if it is compressed, and it stays so until the value is dropped, or the
    /// last part of a record. A batch that cannot be decompressed gives one error: [`ReadError::UnsupportedCodec`],
    /// [`ReadError::DecompressedTooLarge`], or [`ReadError::Corrupt`].
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records { views: self.views() }
    }

    /// Visits the same records as [`Batch::records`], borrowed.
    #[must_use]
    pub fn views(&self) -> Views<'_> {
        Views::of_batch(&self.bytes, &self.place, &self.unpacked)
    }
}

/// What the records of a batch are compressed with: Kafka's number of the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Codec(pub u8);

impl Codec {
    /// Not compressed.
    pub const NONE: Self = Self(0);
    /// A gzip member.
    pub const GZIP: Self = Self(1);
    /// Snappy blocks, as a rule in the framing of the Java library.
    pub const SNAPPY: Self = Self(2);
    /// An LZ4 frame.
    pub const LZ4: Self = Self(3);
    /// A Zstandard frame.
    pub const ZSTD: Self = Self(4);

    /// Whether the records of such a batch can be read and written by this build: each codec is a feature of the crate.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_log::Codec;
    ///
    /// assert!(Codec::NONE.is_supported());
    /// assert_eq!(Codec::ZSTD.is_supported(), cfg!(feature = "zstd"));
    /// assert!(!Codec(5).is_supported()); // Kafka has no such codec
    /// ```
    #[must_use]
    pub fn is_supported(self) -> bool {
        compress::is_supported(self.0)
    }
}

/// Kafka's name of the codec, and the number of one that has none.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NONE => "none",
            Self::GZIP => "gzip",
            Self::SNAPPY => "snappy",
            Self::LZ4 => "lz4",
            Self::ZSTD => "zstd",
            Self(number) => return write!(f, "codec {number}"),
        })
    }
}

/// Visits the batches of a [`Fetched`](crate::Fetched); made by [`Fetched::batches`](crate::Fetched::batches).
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    bytes: &'a Bytes,
    headers: Headers<'a>,
    decompressed_bytes_max: usize,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(bytes: &'a Bytes, place: &'a Place, decompressed_bytes_max: usize) -> Self {
        Self { bytes, headers: Headers::new(bytes, place), decompressed_bytes_max }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.headers.next()?;
        Some(found.map(|(header, at, bytes)| {
            let Place { topic, partition, segment, position } = self.headers.place;
            let position = position.saturating_add(at as u64);
            let place =
                Place { topic: Arc::clone(topic), partition: *partition, segment: *segment, position };
            let unpacked = Unpacked::new(self.decompressed_bytes_max);
            Batch { header, bytes: self.bytes.slice_ref(bytes), place, unpacked }
        }))
    }
}

/// Walks from header to header over whole batches: each header, where its batch begins, and the batch's bytes.
#[derive(Debug, Clone)]
pub(crate) struct Headers<'a> {
    /// What follows the last batch that was given.
    rest: &'a [u8],
    /// Where `rest` begins.
    at: usize,
    pub(crate) place: &'a Place,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(bytes: &'a [u8], place: &'a Place) -> Self {
        Self { rest: bytes, at: 0, place }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<(Header, usize, &'a [u8]), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at;
        let header = match Header::parse(self.rest) {
            Ok(header) => header,
            Err(damage) => {
                self.rest = &[];
                return Some(Err(self.place.corruption(at, damage).into()));
            }
        };
        let (bytes, rest) = self.rest.split_at_checked(header.bytes)?;
        self.rest = rest;
        self.at = at.saturating_add(header.bytes);
        Some(Ok((header, at, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Damage;
    use crate::fetched::Fetched;
    use crate::format::batch::tests::encoded;
    use crate::record::Record;

    fn fetched(bytes: Vec<u8>, from: u64) -> Fetched {
        let place = Place { topic: "t".into(), partition: 0, segment: 7, position: 1000 };
        Fetched::new(bytes.into(), from, 0, place, 1000)
    }

    fn batches(fetched: &Fetched) -> Vec<Batch> {
        fetched.batches().map(|batch| batch.unwrap()).collect()
    }

    #[test]
    fn batches_are_parts_of_what_was_fetched() {
        let one = encoded(&[Record::new("a").timestamp(5), Record::new("b").timestamp(3)], 10, 2);
        let two = encoded(&[Record::new("c")], 12, 2);
        let fetched = fetched([one.clone(), two.clone()].concat(), 11);
        let [first, second] = batches(&fetched).try_into().unwrap();
        assert_eq!((first.base_offset(), first.last_offset(), first.record_count()), (10, 11, 2));
        assert_eq!((first.leader_epoch(), first.base_timestamp(), first.max_timestamp()), (2, 5, 5));
        assert_eq!((first.segment(), first.position()), (7, 1000));
        assert_eq!((first.codec(), first.producer()), (Codec::NONE, None));
        assert_eq!(second.position(), 1000 + one.len() as u64);
        assert_eq!([first.bytes(), second.bytes()], [&one, &two]);
        assert_eq!(first.bytes().as_ptr(), fetched.bytes().as_ptr());
        // The whole batch, whatever offset was asked for.
        assert!(first.records().map(|record| record.unwrap().offset).eq([10, 11]));
    }

    #[test]
    fn a_batch_of_an_unknown_codec_has_a_header_and_bytes_and_no_records() {
        let mut bytes = encoded(&[Record::new("a")], 0, 0);
        bytes[22] = 0x1d; // codec 5, log append time, transactional
        bytes[43..51].copy_from_slice(&9_i64.to_be_bytes());
        bytes[51..53].copy_from_slice(&1_i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&77_i32.to_be_bytes());
        let fetched = fetched(bytes.clone(), 0);
        let [batch] = batches(&fetched).try_into().unwrap();
        assert_eq!((batch.codec(), batch.codec().to_string().as_str()), (Codec(5), "codec 5"));
        assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
        assert!(batch.is_transactional() && !batch.is_control() && !batch.has_delete_horizon());
        assert_eq!(batch.producer(), Some(ProducerNumbers::new(9, 1, 77)));
        assert_eq!(batch.bytes(), &bytes);
        let records: Vec<_> = batch.records().collect();
        assert!(matches!(records[..], [Err(ReadError::UnsupportedCodec { codec: 5, .. })]));
    }

    #[test]
    fn records_for_brokers_are_visited_in_their_batch_only() {
        let mut bytes = encoded(&[Record::new("a")], 3, 0);
        bytes[22] = 0x30;
        let fetched = fetched(bytes, 3);
        assert_eq!(fetched.views().count(), 0);
        let [batch] = batches(&fetched).try_into().unwrap();
        assert!(batch.is_control());
        assert!(batch.views().map(|view| view.unwrap().offset).eq([3]));
    }

    #[test]
    fn bytes_that_are_no_batch_are_one_error_with_their_place() {
        let one = encoded(&[Record::new("a")], 0, 0);
        let fetched = fetched([one.clone(), vec![0; 70]].concat(), 0);
        let seen: Vec<_> = fetched.batches().collect();
        let [Ok(_), Err(ReadError::Corrupt(corruption))] = &seen[..] else { unreachable!("{seen:?}") };
        assert_eq!(corruption.position, 1000 + one.len() as u64);
        assert_eq!(corruption.what, Damage::UnsupportedMagic { magic: 0 });
    }
}
