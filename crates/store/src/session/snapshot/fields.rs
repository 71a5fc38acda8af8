//! The fields of a snapshot: how each kind is written and read.

use std::ops::RangeInclusive;

use bytes::{Buf, BufMut};
use headwater_codec::{PacketId, QoS, RetainHandling, SubscribeOptions, SubscriptionId};

use super::SnapshotError;
use crate::offsets::Offsets;
use crate::subscription::Terms;

/// A text that a type keeps below 65,536 bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text.as_bytes());
}

pub(super) fn take_text<'a>(input: &mut &'a [u8], field: &'static str) -> Result<&'a str, SnapshotError> {
    let length = usize::from(take_u16(input, field)?);
    let (text, rest) = input.split_at_checked(length).ok_or(SnapshotError::Truncated { field })?;
    *input = rest;
    std::str::from_utf8(text).map_err(|_| SnapshotError::Invalid { field })
}

pub(super) fn put_terms(out: &mut Vec<u8>, Terms { options, id }: Terms) {
    out.put_u8(options_byte(options));
    out.put_u32(id.map_or(0, SubscriptionId::get));
}

pub(super) fn take_terms(input: &mut &[u8]) -> Result<Terms, SnapshotError> {
    let options = options(take_u8(input, "options")?).ok_or(SnapshotError::Invalid { field: "options" })?;
    let id = SubscriptionId::new(take_u32(input, "subscription identifier")?);
    Ok(Terms { options, id })
}

pub(crate) fn put_offsets(out: &mut Vec<u8>, offsets: &Offsets) {
    put_count(out, offsets.named().len());
    for (partition, offset) in offsets.named() {
        out.put_u32(*partition);
        out.put_u64(*offset);
    }
}

pub(crate) fn take_offsets(input: &mut &[u8], field: &'static str) -> Result<Offsets, SnapshotError> {
    let named = take_all(input, field, 12, |input| Ok((take_u32(input, field)?, take_u64(input, field)?)))?;
    Offsets::from_named(named).ok_or(SnapshotError::Invalid { field })
}

/// As SUBSCRIBE writes them (5.0, section 3.8.3.1).
fn options_byte(options: SubscribeOptions) -> u8 {
    let retain_handling = match options.retain_handling {
        RetainHandling::Send => 0,
        RetainHandling::SendIfNew => 1,
        RetainHandling::DoNotSend => 2,
    };
    options.qos.as_u8()
        | u8::from(options.no_local) << 2
        | u8::from(options.retain_as_published) << 3
        | retain_handling << 4
}

fn options(byte: u8) -> Option<SubscribeOptions> {
    Some(SubscribeOptions {
        qos: QoS::from_u8(byte & 3)?,
        no_local: byte & 4 != 0,
        retain_as_published: byte & 8 != 0,
        retain_handling: match byte >> 4 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return None,
        },
    })
}

pub(crate) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}

/// As many as the count says, each of `bytes_min` bytes at least: a count that cannot be true allocates nothing.
pub(crate) fn take_all<T>(
    input: &mut &[u8],
    field: &'static str,
    bytes_min: usize,
    mut take: impl FnMut(&mut &[u8]) -> Result<T, SnapshotError>,
) -> Result<Vec<T>, SnapshotError> {
    let count = usize::try_from(take_u32(input, field)?).unwrap_or(usize::MAX);
    if count > input.len() / bytes_min {
        return Err(SnapshotError::Truncated { field });
    }
    (0..count).map(|_| take(input)).collect()
}

/// The version that the bytes begin with, if it is one of those that can be read.
pub(crate) fn take_version(input: &mut &[u8], read: RangeInclusive<u8>) -> Result<u8, SnapshotError> {
    let version = take_u8(input, "version")?;
    read.contains(&version).then_some(version).ok_or(SnapshotError::Version { version })
}

pub(crate) fn take_u8(input: &mut &[u8], field: &'static str) -> Result<u8, SnapshotError> {
    input.try_get_u8().map_err(|_| SnapshotError::Truncated { field })
}

pub(super) fn take_u16(input: &mut &[u8], field: &'static str) -> Result<u16, SnapshotError> {
    input.try_get_u16().map_err(|_| SnapshotError::Truncated { field })
}

pub(crate) fn take_u32(input: &mut &[u8], field: &'static str) -> Result<u32, SnapshotError> {
    input.try_get_u32().map_err(|_| SnapshotError::Truncated { field })
}

pub(crate) fn take_u64(input: &mut &[u8], field: &'static str) -> Result<u64, SnapshotError> {
    input.try_get_u64().map_err(|_| SnapshotError::Truncated { field })
}

pub(crate) fn take_array<const N: usize>(
    input: &mut &[u8],
    field: &'static str,
) -> Result<[u8; N], SnapshotError> {
    let (array, rest) = input.split_first_chunk().ok_or(SnapshotError::Truncated { field })?;
    *input = rest;
    Ok(*array)
}

pub(super) fn take_packet_id(input: &mut &[u8]) -> Result<PacketId, SnapshotError> {
    let id = take_u16(input, "packet identifier")?;
    PacketId::new(id).ok_or(SnapshotError::Invalid { field: "packet identifier" })
}
