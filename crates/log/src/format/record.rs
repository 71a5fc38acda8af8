//! The record inside a batch.
//!
//! ```text
//!  length | attributes | timestamp delta | offset delta | key | value | header count | headers..
//!  varint | i8, 0      | varlong         | varint       | (*) | (*)   | varint       | key (**), value (*)
//!
//!  (*)  varint length, -1 for null, then the bytes      (**) the same, but never null, and UTF-8
//! ```
//!
//! `length` counts the bytes behind it. Source: Apache Kafka, `DefaultRecord`.

use super::field::{self, Sink};
use super::varint;
use crate::record::{Header, HeadersView, Record};

/// A record's parts as they stand in a batch, relative to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: u32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: HeadersView<'a>,
}

/// Puts a record with its length in front.
#[inline]
pub(crate) fn encode(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64, sink: &mut impl Sink) {
    let measured = measure(record, timestamp_delta, offset_delta);
    encode_measured(measured, record, timestamp_delta, offset_delta, sink);
}

/// How long a record is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Without the length in front.
    body: usize,
    /// The bytes that [`encode`] puts.
    pub(crate) bytes: usize,
}

/// Measures a record.
#[inline]
pub(crate) fn measure(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64) -> Measured {
    let body = body_len(record, timestamp_delta, offset_delta);
    Measured { body, bytes: len_len(body).saturating_add(body) }
}

/// The same as [`encode`] of a record that was measured.
#[inline]
pub(crate) fn encode_measured(
    measured: Measured,
    record: &Record<'_>,
    timestamp_delta: i64,
    offset_delta: i64,
    sink: &mut impl Sink,
) {
    put_len(measured.body, sink);
    encode_body(record, timestamp_delta, offset_delta, sink);
}

/// The bytes that [`encode`] puts.
#[inline]
pub(crate) fn encoded_len(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64) -> usize {
    measure(record, timestamp_delta, offset_delta).bytes
}

#[inline]
fn body_len(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64) -> usize {
    let before = 1 + varint::len(timestamp_delta) + varint::len(offset_delta);
    let headers = record.headers.iter().fold(len_len(record.headers.len()), |sum, header| {
        sum.saturating_add(nullable_len(Some(header.key.as_bytes())))
            .saturating_add(nullable_len(header.value))
    });
    before
        .saturating_add(nullable_len(record.key))
        .saturating_add(nullable_len(record.value))
        .saturating_add(headers)
}

#[inline(always)]
fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| len_len(bytes.len()).saturating_add(bytes.len()))
}

#[inline(always)]
fn len_len(len: usize) -> usize {
    varint::len(i64::try_from(len).unwrap_or(i64::MAX))
}

#[inline(always)]
fn encode_body(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64, sink: &mut impl Sink) {
    sink.put(&[0]); // attributes, none defined
    varint::put(timestamp_delta, sink);
    varint::put(offset_delta, sink);
    put_nullable(record.key, sink);
    put_nullable(record.value, sink);
    put_len(record.headers.len(), sink);
    for header in record.headers {
        put_nullable(Some(header.key.as_bytes()), sink);
        put_nullable(header.value, sink);
    }
}

#[inline(always)]
fn put_nullable(bytes: Option<&[u8]>, sink: &mut impl Sink) {
    match bytes {
        None => varint::put(-1, sink),
        Some(bytes) => {
            put_len(bytes.len(), sink);
            sink.put(bytes);
        }
    }
}

/// A length that does not fit belongs to a batch that is refused for its size after it was counted.
#[inline(always)]
fn put_len(len: usize, sink: &mut impl Sink) {
    varint::put(i64::try_from(len).unwrap_or(i64::MAX), sink);
}

/// Takes a record from the front of `from`; the error names the field at fault.
#[inline]
pub(crate) fn decode<'a>(from: &mut &'a [u8]) -> Result<Decoded<'a>, &'static str> {
    let length = varint::take_i32(from).ok_or("length")?;
    let length = usize::try_from(length).map_err(|_| "length")?;
    let mut body = field::take_slice(from, length).ok_or("length")?;
    let from = &mut body;
    let [_attributes] = field::take::<1>(from).ok_or("attributes")?;
    let timestamp_delta = varint::take_i64(from).ok_or("timestampDelta")?;
    let offset_delta = varint::take_i32(from).ok_or("offsetDelta")?;
    let offset_delta = u32::try_from(offset_delta).map_err(|_| "offsetDelta")?;
    let key = take_nullable(from).ok_or("key")?;
    let value = take_nullable(from).ok_or("value")?;
    let count = varint::take_i32(from).ok_or("headerCount")?;
    let count = u32::try_from(count).map_err(|_| "headerCount")?;
    let headers = *from;
    for _ in 0..count {
        decode_header(from)?;
    }
    if !from.is_empty() {
        return Err("length");
    }
    Ok(Decoded { timestamp_delta, offset_delta, key, value, headers: HeadersView::new(count, headers) })
}

/// A record as it stands, cut where compaction changes it: its deltas are replaced, everything else is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'a> {
    attributes: u8,
    /// What follows the deltas.
    rest: &'a [u8],
}

/// Takes a record from the front of `from`, decoded and as it stands; the error names the field at fault.
pub(crate) fn cut<'a>(from: &mut &'a [u8]) -> Result<(Decoded<'a>, Cut<'a>), &'static str> {
    let mut body = *from;
    let decoded = decode(from)?;
    let length = varint::take_i32(&mut body).and_then(|length| usize::try_from(length).ok());
    let mut body = length.and_then(|length| body.get(..length)).ok_or("length")?;
    let [attributes] = field::take::<1>(&mut body).ok_or("attributes")?;
    varint::take_i64(&mut body).ok_or("timestampDelta")?;
    varint::take_i32(&mut body).ok_or("offsetDelta")?;
    Ok((decoded, Cut { attributes, rest: body }))
}

/// Puts a record that was cut, with other deltas.
pub(crate) fn encode_cut(cut: Cut<'_>, timestamp_delta: i64, offset_delta: u32, sink: &mut impl Sink) {
    let offset_delta = i64::from(offset_delta);
    let deltas = varint::len(timestamp_delta) + varint::len(offset_delta);
    put_len(1_usize.saturating_add(deltas).saturating_add(cut.rest.len()), sink);
    sink.put(&[cut.attributes]);
    varint::put(timestamp_delta, sink);
    varint::put(offset_delta, sink);
    sink.put(cut.rest);
}

/// Takes a header from the front of `from`.
pub(crate) fn decode_header<'a>(from: &mut &'a [u8]) -> Result<Header<'a>, &'static str> {
    let key = take_nullable(from).flatten().ok_or("header key")?;
    let key = std::str::from_utf8(key).map_err(|_| "header key")?;
    let value = take_nullable(from).ok_or("header value")?;
    Ok(Header { key, value })
}

/// The outer `None` is a malformed field, the inner one is null.
#[inline(always)]
#[expect(clippy::option_option, reason = "malformed and null are two things")]
fn take_nullable<'a>(from: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match varint::take_i32(from)? {
        -1 => Some(None),
        length => field::take_slice(from, usize::try_from(length).ok()?).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Parts = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>, i64, i32);

    fn parts() -> impl Strategy<Value = Parts> {
        let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
        let headers = proptest::collection::vec((".{0,8}", bytes()), 0..4);
        (bytes(), bytes(), headers, any::<i64>(), 0..=i32::MAX)
    }

    proptest! {
        #[test]
        fn a_record_comes_back(parts in parts()) {
            let (key, value, headers, timestamp_delta, offset_delta) = parts;
            let headers: Vec<_> =
                headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let record =
                Record { timestamp: None, key: key.as_deref(), value: value.as_deref(), headers: &headers };
            let mut bytes = Vec::new();
            encode(&record, timestamp_delta, i64::from(offset_delta), &mut bytes);
            prop_assert_eq!(encoded_len(&record, timestamp_delta, i64::from(offset_delta)), bytes.len());

            for cut in 0..bytes.len() {
                prop_assert!(decode(&mut &bytes[..cut]).is_err());
            }
            let mut rest = bytes.as_slice();
            let decoded = decode(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(decoded.timestamp_delta, timestamp_delta);
            prop_assert_eq!(i64::from(decoded.offset_delta), i64::from(offset_delta));
            prop_assert_eq!(decoded.key, key.as_deref());
            prop_assert_eq!(decoded.value, value.as_deref());
            prop_assert_eq!(decoded.headers.iter().collect::<Vec<_>>(), headers);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut rest = bytes.as_slice();
            while let Ok(decoded) = decode(&mut rest) {
                prop_assert_eq!(decoded.headers.iter().count(), decoded.headers.len());
            }
        }
    }

    #[test]
    fn refuses_a_header_without_a_name() {
        // length 8; attributes, deltas, null key, null value, one header with a null key
        let bytes = [0x10, 0, 0, 0, 1, 1, 2, 1, 1];
        assert_eq!(decode(&mut bytes.as_slice()), Err("header key"));
    }

    #[test]
    fn refuses_bytes_left_over_in_the_record() {
        let bytes = [0x0e, 0, 0, 0, 1, 1, 0, 0];
        assert_eq!(decode(&mut bytes.as_slice()), Err("length"));
    }
}
