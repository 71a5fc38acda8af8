//! The writers every packet is made of, over any sink.

use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::frame::PACKET_SIZE_MAX;
use crate::id::SubscriptionId;
use crate::sink::{Counter, Sink};
use crate::version::Version;

/// A packet as the two things that differ between packets.
///
/// Encoding runs [`Body::write`] twice: over a counter, which checks every rule and gives the length, and over the
/// sink. So there is no second description of a packet's size that could disagree.
pub(crate) trait Body {
    /// Packet type and flags.
    fn first_byte(&self) -> u8;

    /// Writes everything behind the fixed header but the payload.
    fn write<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError>;

    /// What comes last and needs no encoding.
    fn payload(&self) -> &[u8] {
        &[]
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

/// The size of a whole packet, fixed header included; checks all that [`encode`] checks but the sink's room.
#[inline]
pub(crate) fn encoded_len<B: Body>(packet: &B, version: Version) -> Result<usize, EncodeError> {
    remaining_length(packet, version).map(whole)
}

/// Writes a packet; on an error nothing is written.
#[inline]
pub(crate) fn encode<B: Body, S: Sink + ?Sized>(
    packet: &B,
    version: Version,
    part: Part,
    sink: &mut S,
) -> Result<(), EncodeError> {
    let remaining = remaining_length(packet, version)?;
    let size = whole(remaining);
    let limit = sink.packet_size_max();
    // [MQTT-3.1.2-24], [MQTT-3.2.2-15]
    if size > limit {
        return Err(EncodeError::PacketTooLarge { size, limit });
    }
    let needed = match part {
        Part::Whole => size,
        Part::Head => size - packet.payload().len(),
    };
    let room = sink.room();
    if needed > room {
        return Err(EncodeError::NoRoom { needed, room });
    }
    sink.put_u8(packet.first_byte());
    variable(sink, remaining);
    packet.write(version, sink)?;
    if part == Part::Whole {
        sink.put(packet.payload());
    }
    Ok(())
}

/// The remaining length of a packet.
#[inline]
fn remaining_length<B: Body>(packet: &B, version: Version) -> Result<u32, EncodeError> {
    let mut counter = Counter::new();
    packet.write(version, &mut counter)?;
    let length = counter.count().saturating_add(packet.payload().len());
    match u32::try_from(length) {
        Ok(length) if length <= SubscriptionId::MAX => Ok(length),
        // Section 2.1.4: the remaining length has four bytes at most.
        _ => Err(EncodeError::PacketTooLarge {
            size: length.saturating_add(5),
            limit: PACKET_SIZE_MAX as usize,
        }),
    }
}

/// The size of a packet with this remaining length.
#[inline]
fn whole(remaining: u32) -> usize {
    let mut prefix = Counter::new();
    variable(&mut prefix, remaining);
    1 + prefix.count() + remaining as usize
}

/// A variable byte integer of at most 268,435,455 (section 1.5.5).
#[inline]
pub(crate) fn variable<S: Sink + ?Sized>(sink: &mut S, value: u32) {
    let mut rest = value;
    loop {
        let [group, ..] = (rest & 0x7F).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return sink.put_u8(group);
        }
        sink.put_u8(group | 0x80);
    }
}

/// Binary data (section 1.5.6).
#[inline]
pub(crate) fn binary<S: Sink + ?Sized>(sink: &mut S, field: Field, bytes: &[u8]) -> Result<(), EncodeError> {
    match u16::try_from(bytes.len()) {
        Ok(length) => {
            sink.put(&length.to_be_bytes());
            sink.put(bytes);
            Ok(())
        }
        Err(_) => Err(EncodeError::TooLong { field, bytes: bytes.len() }),
    }
}

/// A string (section 1.5.4).
#[inline]
pub(crate) fn string<S: Sink + ?Sized>(sink: &mut S, field: Field, text: &str) -> Result<(), EncodeError> {
    // [MQTT-1.5.4-2]
    if text.as_bytes().contains(&0) {
        return Err(EncodeError::NullCharacter { field });
    }
    binary(sink, field, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Integer, integer};
    use crate::sink::SliceSink;

    #[test]
    fn a_variable_byte_integer_comes_back_at_every_border() {
        for power in 0..28 {
            for value in [(1_u32 << power) - 1, 1 << power, (1 << power) + 1, SubscriptionId::MAX] {
                let mut room = [0; 4];
                let mut sink = SliceSink::new(&mut room);
                variable(&mut sink, value);
                assert_eq!(integer(sink.written()), Integer::Complete(value, sink.written().len()));
            }
        }
    }
}
