//! What a read gives: whole batches, and the records in them.

use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batches, Codec, Headers};
use crate::compress::{self, Failure};
use crate::error::{Corruption, Damage, ReadError};
use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::record::{self, Decoded};
use crate::record::{RecordView, StoredHeaders, StoredRecord};
use crate::unpacked::{Unpacked, Visit};

/// Where the bytes of a [`Fetched`] come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
    pub(crate) segment: u64,
    pub(crate) position: u64,
}

impl Place {
    pub(crate) fn corruption(&self, at: usize, what: Damage) -> Corruption {
        Corruption {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            segment: self.segment,
            position: self.position.saturating_add(at as u64),
            what,
        }
    }

    /// Why the records of the batch at `at` are not there.
    pub(crate) fn undecoded(
        &self,
        header: &Header,
        at: usize,
        failure: Failure,
        bytes_max: usize,
    ) -> ReadError {
        let (topic, partition, offset) = (Arc::clone(&self.topic), self.partition, header.base_offset);
        match failure {
            Failure::Unsupported => {
                ReadError::UnsupportedCodec { topic, partition, offset, codec: header.codec() }
            }
            Failure::TooLarge => ReadError::DecompressedTooLarge {
                topic,
                partition,
                segment: self.segment,
                position: self.position.saturating_add(at as u64),
                offset,
                max: bytes_max as u64,
            },
            Failure::Malformed => {
                self.corruption(at, Damage::Compressed { codec: Codec(header.codec()) }).into()
            }
        }
    }
}

/// The result of a read: whole batches, checked, as one piece of memory.
///
/// From a [`Partition`](crate::Partition) that is the log's own memory, and nothing is copied: as long as the value, or a
/// part that was taken from it, is held, the segment's mapping lives, also when retention has deleted the file. From
/// a [`ReadOnlyPartition`](crate::ReadOnlyPartition) it is a copy, made once.
///
/// A compressed batch is decompressed when [`Fetched::views`] or [`Fetched::records`] get to it, once, and kept until the value
/// is dropped, or until the last of the records' parts is: for each batch at most
/// [`LogOptions::decompressed_bytes_max`](crate::LogOptions). Who wants one of them in memory at a time goes by
/// [`Fetched::batches`]. A clone has the same batches, and decompresses for itself.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log = Log::open(dir.path(), LogOptions::default())?;
/// let partition = log.create_topic("t", TopicOptions::default())?.partition(0).ok_or("no partition")?;
/// partition.append_batch(&[Record::new("a"), Record::new("b")], Ack::Durable)?;
///
/// let fetched = partition.read(1, 1 << 20)?; // from the middle of the batch
/// for record in fetched.views() {
///     assert_eq!(record?.value, Some(b"b".as_slice()));
/// }
/// assert_eq!(fetched.next_offset(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    bytes: Bytes,
    from: u64,
    next: u64,
    place: Place,
    unpacked: Unpacked,
}

impl Fetched {
    /// Whole batches; `decompressed_bytes_max` is what each may become.
    pub(crate) fn new(
        bytes: Bytes,
        from: u64,
        next: u64,
        place: Place,
        decompressed_bytes_max: usize,
    ) -> Self {
        Self { bytes, from, next, place, unpacked: Unpacked::new(decompressed_bytes_max) }
    }

    /// The batches as they stand in the segment file, which is also how Kafka's protocol carries them.
    ///
    /// The first one may begin before the offset that was asked for.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether there was nothing to read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The offset to read from next: the one behind the last batch, or the one asked for when there was none.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Visits the records from the offset on that was asked for, as [`Bytes`] that may be kept.
    ///
    /// Records for brokers (transaction markers) are left out. A batch that cannot be decoded gives one error,
    /// then the batch after it follows: [`ReadError::UnsupportedCodec`], [`ReadError::DecompressedTooLarge`] or
    /// [`ReadError::Corrupt`].
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records { views: self.views() }
    }

    /// Visits the same records as [`Fetched::records`], borrowed.
    #[must_use]
    pub fn views(&self) -> Views<'_> {
        Views {
            from: self.from,
            with_control: false,
            ..Views::of_batch(&self.bytes, &self.place, &self.unpacked)
        }
    }

    /// Visits the batches, each with its header and its bytes: also those whose records are compressed or for brokers.
    ///
    /// The first one may begin before the offset that was asked for. It costs a look at the header of each; nothing is
    /// copied.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, Codec, Log, LogOptions, Record, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let partition = log.create_topic("t", TopicOptions::default())?.partition(0).ok_or("no partition")?;
    /// partition.append_batch(&[Record::new("a"), Record::new("b")], Ack::Durable)?;
    ///
    /// for batch in partition.read(0, 1 << 20)?.batches() {
    ///     let batch = batch?;
    ///     assert_eq!((batch.base_offset(), batch.last_offset(), batch.record_count()), (0, 1, 2));
    ///     assert_eq!(batch.codec(), Codec::NONE);
    ///     assert_eq!(batch.bytes().len(), 77); // as they are in the file
    ///     assert_eq!(batch.records().count(), 2);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn batches(&self) -> Batches<'_> {
        Batches::new(&self.bytes, &self.place, self.unpacked.bytes_max())
    }

    /// The first offset, from the one on that was asked for, whose record has a timestamp at or after `timestamp`.
    ///
    /// Compressed batches are decompressed one at a time, and not at all where the header says that they are earlier.
    pub(crate) fn first_at_or_after(&self, timestamp: i64) -> Result<Option<u64>, ReadError> {
        let bytes_max = self.unpacked.bytes_max();
        for found in Headers::new(&self.bytes, &self.place) {
            let (header, at, bytes) = found?;
            if header.is_control() || header.last_offset < self.from {
                continue;
            }
            let mut records = bytes.get(HEADER_BYTES..).unwrap_or_default();
            let decompressed;
            if header.codec() != 0 {
                if header.max_timestamp < timestamp {
                    continue;
                }
                decompressed = compress::decompress(header.codec(), records, bytes_max)
                    .map_err(|failure| self.place.undecoded(&header, at, failure, bytes_max))?;
                records = &decompressed;
            }
            let mut visited = Visited::new(&header, at, records);
            while let Some(view) = visited.next() {
                let view = view.map_err(|damage| self.place.corruption(at, damage))?;
                if view.timestamp >= timestamp && view.offset >= self.from {
                    return Ok(Some(view.offset));
                }
            }
        }
        Ok(None)
    }
}

impl<'a> IntoIterator for &'a Fetched {
    type Item = Result<StoredRecord, ReadError>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.records()
    }
}

/// Visits the records of a [`Fetched`] or a [`Batch`](crate::Batch); made by their `records`.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    pub(crate) views: Views<'a>,
}

impl Iterator for Records<'_> {
    type Item = Result<StoredRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let view = self.views.next()?;
        let bytes = self.views.source;
        Some(view.map(|view| StoredRecord {
            offset: view.offset,
            timestamp: view.timestamp,
            key: view.key.map(|key| bytes.slice_ref(key)),
            value: view.value.map(|value| bytes.slice_ref(value)),
            headers: StoredHeaders::new(
                u32::try_from(view.headers.len()).unwrap_or(u32::MAX),
                bytes.slice_ref(view.headers.bytes()),
            ),
        }))
    }
}

/// Visits the records of a [`Fetched`] or a [`Batch`](crate::Batch), borrowed; made by their `views`.
#[derive(Debug, Clone)]
pub struct Views<'a> {
    headers: Headers<'a>,
    /// What the headers are in.
    bytes: &'a Bytes,
    /// What the records of the batch that is visited are in: that, or what was decompressed.
    source: &'a Bytes,
    unpacked: Visit<'a>,
    from: u64,
    /// Whether records for brokers are visited too.
    with_control: bool,
    batch: Option<Visited<'a>>,
}

/// A batch that is being visited, by its records, which are not compressed any more.
#[derive(Debug, Clone)]
pub(crate) struct Visited<'a> {
    at: usize,
    rest: &'a [u8],
    base_offset: u64,
    last_offset: u64,
    base_timestamp: i64,
    /// The timestamp of every record, if it is that of the append.
    append_time: Option<i64>,
    record_count: u32,
    seen: u32,
    /// What the next record's offset has to be at least.
    next_offset: u64,
}

impl<'a> Visited<'a> {
    pub(crate) fn new(header: &Header, at: usize, records: &'a [u8]) -> Self {
        Self {
            at,
            rest: records,
            base_offset: header.base_offset,
            last_offset: header.last_offset,
            base_timestamp: header.base_timestamp,
            append_time: header.is_log_append_time().then_some(header.max_timestamp),
            record_count: header.record_count,
            seen: 0,
            next_offset: header.base_offset,
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<Result<RecordView<'a>, Damage>> {
        self.step().map(|record| record.map(|(offset, decoded)| self.view(offset, &decoded)))
    }

    /// The next record as it is encoded, and its offset: each behind the one before, within the batch, and as many as its
    /// header says.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<Result<(u64, Decoded<'a>), Damage>> {
        if self.seen == self.record_count {
            let left_over = Damage::Record { record: self.seen, field: "recordCount" };
            return (!self.rest.is_empty()).then_some(Err(left_over));
        }
        let seen = self.seen;
        let malformed = |field| Damage::Record { record: seen, field };
        let record = record::decode(&mut self.rest).map_err(malformed).and_then(|decoded| {
            let offset = self.base_offset.saturating_add(u64::from(decoded.offset_delta));
            if (self.next_offset..=self.last_offset).contains(&offset) {
                self.next_offset = offset.saturating_add(1);
                Ok((offset, decoded))
            } else {
                Err(malformed("offsetDelta"))
            }
        });
        self.seen += 1;
        Some(record)
    }

    /// What follows the record that was given last.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn view(&self, offset: u64, decoded: &Decoded<'a>) -> RecordView<'a> {
        let timestamp =
            self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(decoded.timestamp_delta));
        RecordView { offset, timestamp, key: decoded.key, value: decoded.value, headers: decoded.headers }
    }
}

impl<'a> Views<'a> {
    /// All records of one batch.
    pub(crate) fn of_batch(bytes: &'a Bytes, place: &'a Place, unpacked: &'a Unpacked) -> Self {
        let headers = Headers::new(bytes, place);
        let unpacked = unpacked.visit();
        Self { headers, bytes, source: bytes, unpacked, from: 0, with_control: true, batch: None }
    }

    /// Goes to the next batch that has records for the reader; `None` at the end.
    fn next_batch(&mut self) -> Option<Result<Visited<'a>, ReadError>> {
        loop {
            let (header, at, bytes) = match self.headers.next()? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            if (header.is_control() && !self.with_control) || header.last_offset < self.from {
                continue;
            }
            let records = bytes.get(HEADER_BYTES..)?;
            if header.codec() == 0 {
                self.source = self.bytes;
                return Some(Ok(Visited::new(&header, at, records)));
            }
            return Some(match self.unpacked.next(header.codec(), records) {
                Ok(records) => {
                    self.source = records;
                    Ok(Visited::new(&header, at, records))
                }
                Err(failure) => {
                    Err(self.headers.place.undecoded(&header, at, failure, self.unpacked.bytes_max()))
                }
            });
        }
    }
}

impl<'a> Iterator for Views<'a> {
    type Item = Result<RecordView<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(batch) = &mut self.batch else {
                match self.next_batch()? {
                    Ok(batch) => self.batch = Some(batch),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            match batch.next() {
                Some(Ok(view)) if view.offset < self.from => {}
                Some(Ok(view)) => return Some(Ok(view)),
                Some(Err(damage)) => {
                    let at = batch.at;
                    self.batch = None;
                    return Some(Err(self.headers.place.corruption(at, damage).into()));
                }
                None => self.batch = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch::tests::encoded;
    use crate::record::Record;

    fn fetched(bytes: Vec<u8>, from: u64) -> Fetched {
        let place = Place { topic: "t".into(), partition: 0, segment: 0, position: 1000 };
        Fetched::new(bytes.into(), from, 0, place, 1000)
    }

    fn offsets(fetched: &Fetched) -> Vec<Result<u64, ReadError>> {
        fetched.views().map(|view| view.map(|view| view.offset)).collect()
    }

    fn with_header_byte(mut batch: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
        batch[at] = byte;
        batch
    }

    #[test]
    fn begins_at_the_offset_asked_for() {
        let bytes = [
            encoded(&[Record::new("a"), Record::new("b")], 10, 0),
            encoded(&[Record::new("c"), Record::new("d")], 12, 0),
        ];
        let fetched = fetched(bytes.concat(), 11);
        assert!(offsets(&fetched).iter().map(|offset| offset.as_ref().unwrap()).eq(&[11, 12, 13]));
        let owned: Vec<_> = fetched.records().map(|record| record.unwrap().value.unwrap()).collect();
        assert_eq!(owned, ["b", "c", "d"]);
    }

    #[test]
    fn a_batch_that_cannot_be_decompressed_is_one_error_and_the_next_batch_follows() {
        let one = encoded(&[Record::new("a"), Record::new("b")], 0, 0);
        let bytes = [with_header_byte(one.clone(), 22, 5), encoded(&[Record::new("c")], 2, 0)].concat();
        let seen = offsets(&fetched(bytes, 0));
        assert!(matches!(
            seen[..],
            [Err(ReadError::UnsupportedCodec { partition: 0, offset: 0, codec: 5, .. }), Ok(2)]
        ));
    }

    #[test]
    fn control_batches_are_left_out() {
        let bytes = [
            with_header_byte(encoded(&[Record::new("a")], 0, 0), 22, 0x30),
            encoded(&[Record::new("b")], 1, 0),
        ];
        assert!(matches!(offsets(&fetched(bytes.concat(), 0))[..], [Ok(1)]));
    }

    #[test]
    fn log_append_time_is_the_time_of_every_record() {
        let records = [Record::new("a").timestamp(5), Record::new("b").timestamp(9)];
        let fetched = fetched(with_header_byte(encoded(&records, 0, 0), 22, 0x08), 0);
        assert!(fetched.views().all(|view| view.unwrap().timestamp == 9));
    }

    #[test]
    fn timestamps_at_both_ends_of_the_range_come_back() {
        let records = [Record::new("a").timestamp(i64::MIN), Record::new("b").timestamp(i64::MAX)];
        let fetched = fetched(encoded(&records, 0, 0), 0);
        let timestamps: Vec<_> = fetched.views().map(|view| view.unwrap().timestamp).collect();
        assert_eq!(timestamps, [i64::MIN, i64::MAX]);
    }

    #[test]
    fn records_whose_offsets_do_not_rise_or_leave_the_batch_are_damage() {
        let batch = encoded(&[Record::new("a"), Record::new("b"), Record::new("c")], 10, 0);
        let record = (batch.len() - HEADER_BYTES) / 3;
        // Where the second record has its offset, behind length, attributes and timestamp; zig-zag of one byte.
        let at = HEADER_BYTES + record + 3;
        assert_eq!(batch[at], 2);
        // With the last offset the second record is right in itself, but not the third one.
        for (delta, record) in [(0, 1), (2, 2), (3, 1), (63, 1)] {
            let seen = offsets(&fetched(with_header_byte(batch.clone(), at, 2 * delta), 0));
            let Some(Err(ReadError::Corrupt(corruption))) = seen.last() else { unreachable!("{seen:?}") };
            assert_eq!(corruption.what, Damage::Record { record, field: "offsetDelta" }, "{delta}");
            assert_eq!(seen.len(), record as usize + 1);
        }
    }

    #[test]
    fn records_that_lie_about_their_number_are_damage_with_a_place() {
        let two = encoded(&[Record::new("a"), Record::new("b")], 0, 0);
        for (count, record) in [(1, 1), (3, 2)] {
            let seen = offsets(&fetched(with_header_byte(two.clone(), 60, count), 0));
            let Some(Err(ReadError::Corrupt(corruption))) = seen.last() else { unreachable!("{seen:?}") };
            assert!(matches!(corruption.what, Damage::Record { record: found, .. } if found == record));
            assert_eq!(corruption.position, 1000);
        }
    }
}
