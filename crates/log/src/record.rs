//! Records as they are given to the log, and as it gives them back.

use bytes::Bytes;

use crate::format::record as wire;

/// A record to append: borrowed parts, copied once, into the log's file.
///
/// # Examples
///
/// ```
/// use headwater_log::{Header, Record};
///
/// let headers = [Header::new("content-type", "text/plain")];
/// let record = Record::new("21.5").key("factory/line-1/temperature").headers(&headers);
/// assert_eq!(record.value, Some(b"21.5".as_slice()));
/// assert_eq!(record.timestamp, None); // the log's clock will give one
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Milliseconds since 1970-01-01 UTC; `None` lets the log's clock decide at the append. Readers do not see it where the
    /// topic has [`TimestampType::LogAppendTime`](crate::TimestampType).
    pub timestamp: Option<i64>,
    /// The key, which also chooses the partition in [`Topic::append`](crate::Topic::append).
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is Kafka's tombstone, not an empty payload.
    pub value: Option<&'a [u8]>,
    /// Headers, in order; names may repeat.
    pub headers: &'a [Header<'a>],
}

impl<'a> Record<'a> {
    /// A record with this payload, without key, timestamp and headers.
    #[must_use]
    pub fn new<V: AsRef<[u8]> + ?Sized>(value: &'a V) -> Self {
        Self { value: Some(value.as_ref()), ..Self::default() }
    }

    /// A record that says that the key has no value any more.
    #[must_use]
    pub fn tombstone<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> Self {
        Self { key: Some(key.as_ref()), ..Self::default() }
    }

    /// The same record with this key.
    #[must_use]
    pub fn key<K: AsRef<[u8]> + ?Sized>(self, key: &'a K) -> Self {
        Self { key: Some(key.as_ref()), ..self }
    }

    /// The same record with this timestamp, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn timestamp(self, timestamp_ms: i64) -> Self {
        Self { timestamp: Some(timestamp_ms), ..self }
    }

    /// The same record with these headers.
    #[must_use]
    pub fn headers(self, headers: &'a [Header<'a>]) -> Self {
        Self { headers, ..self }
    }
}

/// A header of a record: a name and an optional value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name.
    pub key: &'a str,
    /// The value; Kafka distinguishes none from an empty one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// A header with a value.
    #[must_use]
    pub fn new<V: AsRef<[u8]> + ?Sized>(key: &'a str, value: &'a V) -> Self {
        Self { key, value: Some(value.as_ref()) }
    }
}

/// A record as it was read: its parts are [`Bytes`] over the log's own memory, not copies.
///
/// Each part that is held keeps the segment's mapping alive, also when retention has deleted the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's number in its partition.
    pub offset: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The payload; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers, still encoded.
    pub headers: StoredHeaders,
}

impl StoredRecord {
    /// The same record, borrowed.
    #[must_use]
    pub fn view(&self) -> RecordView<'_> {
        RecordView {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.view(),
        }
    }

    /// The value of the first header of this name; the inner `None` is a header without a value.
    #[must_use]
    pub fn header(&self, key: &str) -> Option<Option<&[u8]>> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value)
    }
}

/// A record as it was read, borrowed from a [`Fetched`](crate::Fetched): costs no reference count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// The record's number in its partition.
    pub offset: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, still encoded.
    pub headers: HeadersView<'a>,
}

impl<'a> RecordView<'a> {
    /// The value of the first header of this name; the inner `None` is a header without a value.
    #[must_use]
    pub fn header(&self, key: &str) -> Option<Option<&'a [u8]>> {
        self.headers.iter().find(|header| header.key == key).map(|header| header.value)
    }
}

/// The headers of a [`StoredRecord`], checked when the record was read, decoded as they are visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeaders {
    count: u32,
    bytes: Bytes,
}

impl StoredHeaders {
    pub(crate) fn new(count: u32, bytes: Bytes) -> Self {
        Self { count, bytes }
    }

    fn view(&self) -> HeadersView<'_> {
        HeadersView::new(self.count, &self.bytes)
    }

    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Visits the headers in order.
    pub fn iter(&self) -> HeaderIter<'_> {
        self.view().iter()
    }
}

impl<'a> IntoIterator for &'a StoredHeaders {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// The headers of a [`RecordView`], checked when the record was read, decoded as they are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadersView<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> HeadersView<'a> {
    pub(crate) fn new(count: u32, bytes: &'a [u8]) -> Self {
        Self { count, bytes }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Visits the headers in order.
    #[must_use]
    pub fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { left: self.count, rest: self.bytes }
    }
}

impl<'a> IntoIterator for HeadersView<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// Visits headers in order; made by [`StoredHeaders::iter`] and [`HeadersView::iter`].
#[derive(Debug, Clone)]
pub struct HeaderIter<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The bytes were checked when the record was read, so this does not end early.
        wire::decode_header(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}
