//! The writers every packet is made of, over any sink.

use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::frame::PACKET_SIZE_MAX;
use crate::id::SubscriptionId;
use crate::sink::{Counter, Sink};
use crate::text;
use crate::version::Version;

/// A packet as the two things that differ between packets.
///
/// Encoding runs [`Body::write`] twice: over [`Measure`], which checks every rule and counts, and over memory of the
/// length that was counted. So there is no second description of a packet's size that could disagree.
pub(crate) trait Body {
    /// Packet type and flags.
    fn first_byte(&self) -> u8;

    /// Writes everything behind the fixed header but the payload.
    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError>;

    /// What comes last and needs no encoding.
    #[inline]
    fn payload(&self) -> &[u8] {
        &[]
    }
}

/// What a packet writes itself to: first to be measured, then for good.
pub(crate) trait Output {
    /// True for the pass that measures. What it let pass needs no checking in the other.
    const CHECKS: bool;

    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn put_u8(&mut self, byte: u8);

    /// Appends a part with its length in front, as a variable byte integer.
    fn block(&mut self, part: impl Fn(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError>;
}

/// The lengths of a packet's blocks in order, from the first pass to the second; CONNECT with a will has two.
#[derive(Clone, Copy, Default)]
struct Blocks {
    first: u32,
    second: u32,
}

impl Blocks {
    /// Notes the length of one block more.
    #[inline]
    const fn push(&mut self, length: u32, is_first: bool) {
        if is_first {
            self.first = length;
        } else {
            self.second = length;
        }
    }

    /// The length of the next block.
    #[inline]
    const fn next(&mut self) -> u32 {
        core::mem::replace(&mut self.first, self.second)
    }
}

/// The pass that checks and counts.
#[derive(Clone, Copy, Default)]
struct Measure {
    counter: Counter,
    blocks: Blocks,
    any_block: bool,
}

impl Output for Measure {
    const CHECKS: bool = true;

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.counter.put(bytes);
    }

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.counter.put_u8(byte);
    }

    #[inline]
    fn block(&mut self, part: impl Fn(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let before = self.counter.count();
        part(self)?;
        let count = self.counter.count() - before;
        match u32::try_from(count) {
            Ok(length) if length <= SubscriptionId::MAX => {
                self.blocks.push(length, !self.any_block);
                self.any_block = true;
                // Where it stands makes no difference to the count.
                variable(self, length);
                Ok(())
            }
            // Too long for its own length; the packet is too large as well.
            _ => Err(EncodeError::PacketTooLarge { size: count, limit: PACKET_SIZE_MAX as usize }),
        }
    }
}

/// The pass that writes into memory that a sink lent.
struct Fill<'b> {
    room: &'b mut [u8],
    blocks: Blocks,
}

impl Output for Fill<'_> {
    const CHECKS: bool = false;

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        // As much room as was measured, so there always is enough.
        if let Some((room, rest)) = core::mem::take(&mut self.room).split_at_mut_checked(bytes.len()) {
            copy(room, bytes);
            self.room = rest;
        }
    }

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    #[inline]
    fn block(&mut self, part: impl Fn(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let length = self.blocks.next();
        variable(self, length);
        if length == 0 { Ok(()) } else { part(self) }
    }
}

/// Copies bytes to room of the same length. Most strings are short, and two halves that may overlap copy one without a
/// call.
#[inline(always)]
fn copy(room: &mut [u8], bytes: &[u8]) {
    if bytes.len() > 32 {
        room.copy_from_slice(bytes);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        place(room, first, last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        place(room, first, last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        place(room, first, last);
    } else {
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}

/// Sets the first and the last bytes of a room.
#[inline(always)]
fn place<const N: usize>(room: &mut [u8], first: &[u8; N], last: &[u8; N]) {
    if let Some(to) = room.first_chunk_mut::<N>() {
        *to = *first;
    }
    if let Some(to) = room.last_chunk_mut::<N>() {
        *to = *last;
    }
}

/// The pass that writes to a sink that lends nothing.
pub(crate) struct Pass<'s, S: ?Sized> {
    sink: &'s mut S,
    blocks: Blocks,
}

impl<'s, S: Sink + ?Sized> Pass<'s, S> {
    /// Writes what has no blocks.
    #[inline]
    pub(crate) fn over(sink: &'s mut S) -> Self {
        Self { sink, blocks: Blocks::default() }
    }
}

impl<S: Sink + ?Sized> Output for Pass<'_, S> {
    const CHECKS: bool = false;

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.sink.put(bytes);
    }

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.sink.put_u8(byte);
    }

    #[inline]
    fn block(&mut self, part: impl Fn(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let length = self.blocks.next();
        variable(self, length);
        if length == 0 { Ok(()) } else { part(self) }
    }
}

/// How much of a packet is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// All but the payload.
    Head,
}

/// A packet that was checked and measured.
#[derive(Clone, Copy)]
struct Measured {
    blocks: Blocks,
    /// All but the payload.
    head_len: usize,
    remaining: u32,
    /// The whole packet.
    size: usize,
}

/// Checks all of a packet and measures it.
#[inline(always)]
fn measure<B: Body>(packet: &B, version: Version) -> Result<Measured, EncodeError> {
    let mut measure = Measure::default();
    packet.write(version, &mut measure)?;
    let body_len = measure.counter.count();
    let length = body_len.saturating_add(packet.payload().len());
    match u32::try_from(length) {
        Ok(remaining) if remaining <= SubscriptionId::MAX => {
            let header_len = 1 + variable_len(remaining);
            let (head_len, size) = (header_len + body_len, header_len + length);
            Ok(Measured { blocks: measure.blocks, head_len, remaining, size })
        }
        // Section 2.1.4: the remaining length has four bytes at most.
        _ => Err(EncodeError::PacketTooLarge {
            size: length.saturating_add(5),
            limit: PACKET_SIZE_MAX as usize,
        }),
    }
}

/// The size of a whole packet, fixed header included; checks all that [`encode`] checks but the sink's room.
#[inline]
pub(crate) fn encoded_len<B: Body>(packet: &B, version: Version) -> Result<usize, EncodeError> {
    measure(packet, version).map(|measured| measured.size)
}

/// Writes a packet; on an error nothing is written.
#[inline(never)]
pub(crate) fn encode<B: Body, S: Sink + ?Sized>(
    packet: &B,
    version: Version,
    part: Part,
    sink: &mut S,
) -> Result<(), EncodeError> {
    let Measured { blocks, head_len, remaining, size } = measure(packet, version)?;
    let limit = sink.packet_size_max();
    // [MQTT-3.1.2-24], [MQTT-3.2.2-15]
    if size > limit {
        return Err(EncodeError::PacketTooLarge { size, limit });
    }
    let needed = match part {
        Part::Whole => size,
        Part::Head => head_len,
    };
    let room = sink.room();
    if needed > room {
        return Err(EncodeError::NoRoom { needed, room });
    }
    // A short payload is copied with the head; a long one has no need of memory that is cleared first.
    let payload = if part == Part::Whole { packet.payload() } else { &[] };
    let with_head = payload.len() <= PAYLOAD_WITH_HEAD_MAX;
    let lent = if with_head { needed } else { head_len };
    match sink.lend(lent) {
        // Anything else would be a part of a packet, or more than one.
        Some(room) if room.len() != lent => {
            return Err(EncodeError::NoRoom { needed: lent, room: room.len() });
        }
        Some(room) => {
            let mut fill = Fill { room, blocks };
            head(packet, version, remaining, &mut fill)?;
            if with_head {
                fill.put(payload);
                return Ok(());
            }
        }
        None => head(packet, version, remaining, &mut Pass { sink: &mut *sink, blocks })?,
    }
    sink.put(payload);
    Ok(())
}

/// The largest payload that is written into the same lent memory as its head, in bytes.
const PAYLOAD_WITH_HEAD_MAX: usize = 64;

/// Writes all of a packet but its payload.
#[inline(always)]
fn head<B: Body, O: Output>(
    packet: &B,
    version: Version,
    remaining: u32,
    out: &mut O,
) -> Result<(), EncodeError> {
    out.put_u8(packet.first_byte());
    variable(out, remaining);
    packet.write(version, out)
}

/// A variable byte integer of at most 268,435,455 (section 1.5.5).
#[inline(always)]
pub(crate) fn variable<O: Output>(out: &mut O, value: u32) {
    let [group, ..] = (value & 0x7F).to_le_bytes();
    if value < 0x80 {
        return out.put_u8(group);
    }
    long_variable(out, value);
}

/// One that does not fit one byte.
fn long_variable<O: Output>(out: &mut O, value: u32) {
    let mut rest = value;
    loop {
        let [group, ..] = (rest & 0x7F).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.put_u8(group);
        }
        out.put_u8(group | 0x80);
    }
}

/// How many bytes a variable byte integer has.
#[inline(always)]
fn variable_len(value: u32) -> usize {
    let mut measure = Measure::default();
    variable(&mut measure, value);
    measure.counter.count()
}

/// Binary data (section 1.5.6).
#[inline(always)]
pub(crate) fn binary<O: Output>(out: &mut O, field: Field, bytes: &[u8]) -> Result<(), EncodeError> {
    match u16::try_from(bytes.len()) {
        Ok(length) => {
            out.put(&length.to_be_bytes());
            out.put(bytes);
            Ok(())
        }
        Err(_) => Err(EncodeError::TooLong { field, bytes: bytes.len() }),
    }
}

/// A string (section 1.5.4).
#[inline(always)]
pub(crate) fn string<O: Output>(out: &mut O, field: Field, string: &str) -> Result<(), EncodeError> {
    // [MQTT-1.5.4-2]
    if O::CHECKS && text::has_null(string) {
        return Err(EncodeError::NullCharacter { field });
    }
    binary(out, field, string.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Integer, integer};

    #[test]
    fn a_variable_byte_integer_comes_back_at_every_border() {
        for power in 0..28 {
            for value in [(1_u32 << power) - 1, 1 << power, (1 << power) + 1, SubscriptionId::MAX] {
                let mut room = [0; 5];
                let mut fill = Fill { room: &mut room, blocks: Blocks::default() };
                variable(&mut fill, value);
                let length = 5 - fill.room.len();
                assert_eq!(integer(&room[..length]), Integer::Complete(value, length));
                assert_eq!(variable_len(value), length);
            }
        }
    }
}
