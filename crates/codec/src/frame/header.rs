//! The fixed header.

use crate::decode_error::{DecodeError, Rule};
use crate::field::Field;
use crate::frame::Limits;
use crate::packet_type::PacketType;
use crate::parse::{Integer, integer};
use crate::publish::{check_flags, flags};
use crate::version::Version;

/// What there is so far: all of it, or a part of it that is right as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<T> {
    /// All of it.
    Complete(T),
    /// More bytes are needed.
    Partial {
        /// How many more, at the least; never 0. Trying again before they are there is of no use.
        needed: usize,
    },
}

/// The fixed header of a packet.
///
/// Type and flags have passed all checks that do not depend on the revision. Those that do are made when the packet is
/// decoded: AUTH exists in 5.0 only, and 3.1 may set DUP in PUBREL, SUBSCRIBE and UNSUBSCRIBE.
///
/// # Examples
///
/// What a PUBLISH is worth waiting for can be decided by its first bytes:
///
/// ```
/// use headwater_codec::{Header, Limits, PacketType, Status};
///
/// let so_far = [0x3D, 0x80, 0x80, 0x04];
/// let Status::Complete(header) = Header::decode(&so_far, &Limits::default())? else { unreachable!() };
/// assert_eq!((header.packet_type, header.flags), (PacketType::Publish, 0b1101)); // DUP, QoS 2, retain
/// assert_eq!((header.header_len(), header.packet_len()), (4, 65_540));
/// # Ok::<(), headwater_codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of packet.
    pub packet_type: PacketType,
    /// The low four bits of the first byte.
    pub flags: u8,
    /// How many bytes follow the fixed header, at most 268,435,455.
    pub remaining_length: u32,
    /// The size of the fixed header itself, 2 to 5.
    len: u8,
}

impl Header {
    /// Reads the fixed header at the front of a buffer that may hold a part of a packet, or many packets.
    ///
    /// Looks at five bytes at most. With fewer than a header has, says how many more are needed.
    ///
    /// # Errors
    ///
    /// A reserved packet type or reserved flags, from the first byte on; a remaining length that is too long, or not
    /// minimal where the limits do not allow that, from its fourth byte on at the latest; and a packet above the limit of
    /// its kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::frame::{Header, Limits, Status};
    ///
    /// let limits = Limits::new(1000);
    /// assert_eq!(Header::decode(&[0x30, 0x80], &limits)?, Status::Partial { needed: 1 });
    /// let Status::Complete(header) = Header::decode(&[0x30, 0x80, 0x01], &limits)? else { unreachable!() };
    /// assert_eq!((header.remaining_length, header.packet_len()), (128, 131));
    /// assert!(Header::decode(&[0x30, 0xE8, 0x07], &limits).is_err()); // 1,003 bytes
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    #[inline]
    pub fn decode(buffer: &[u8], limits: &Limits) -> Result<Status<Self>, DecodeError> {
        if let Some(header) = Self::if_short(buffer, limits) {
            return Ok(Status::Complete(header));
        }
        Self::decode_in_full(buffer, limits)
    }

    /// The header if it is right and has two bytes, as most have: fewer than 128 follow.
    #[inline(always)]
    fn if_short(buffer: &[u8], limits: &Limits) -> Option<Self> {
        let [first, length @ 0..0x80, ..] = buffer else { return None };
        let packet_type = PacketType::from_u8(first >> 4)?;
        let (flags, remaining_length) = (first & 0x0F, u32::from(*length));
        (is_right(&RIGHT_SOMEWHERE, *first) && remaining_length + 2 <= limits.of(packet_type))
            .then_some(Self { packet_type, flags, remaining_length, len: 2 })
    }

    /// As [`Header::decode`], step by step.
    #[inline(never)]
    fn decode_in_full(buffer: &[u8], limits: &Limits) -> Result<Status<Self>, DecodeError> {
        let Some((first, rest)) = buffer.split_first() else {
            return Ok(Status::Partial { needed: 2 });
        };
        let (number, flags) = (first >> 4, first & 0x0F);
        let Some(packet_type) = PacketType::from_u8(number) else {
            return Err(at_0(Field::PacketType, Rule::PacketTypeReserved { packet_type: number }));
        };
        if let Err(rule) = check(packet_type, flags) {
            return Err(at_0(Field::Flags, rule));
        }
        let (remaining_length, count) = match integer(rest) {
            Integer::Complete(length, count) => (length, count),
            Integer::NotMinimal(length, count) if limits.takes_overlong_lengths() => (length, count),
            Integer::Partial => return Ok(Status::Partial { needed: 1 }),
            Integer::TooLong => return Err(at_1(Rule::VariableByteIntegerTooLong)),
            Integer::NotMinimal(..) => return Err(at_1(Rule::VariableByteIntegerNotMinimal)),
        };
        // Four bytes at most.
        let [count, ..] = count.to_le_bytes();
        let header = Self { packet_type, flags, remaining_length, len: 1 + count };
        let limit = limits.of(packet_type);
        // At most 5 + 268,435,455.
        let size = u32::from(header.len) + remaining_length;
        if size > limit {
            // Section 3.1.2.11.4: packet too large, 0x95.
            return Err(at_1(Rule::PacketTooLarge { size, limit }));
        }
        Ok(Status::Complete(header))
    }

    /// The size of the fixed header itself, 2 to 5 bytes.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.len as usize
    }

    /// The size of the whole packet in bytes.
    #[inline]
    pub const fn packet_len(&self) -> usize {
        (self.len as usize).saturating_add(self.remaining_length as usize)
    }

    /// Packet type and flags as they were on the wire.
    #[inline]
    pub(crate) const fn first_byte(&self) -> u8 {
        self.packet_type.as_u8() << 4 | self.flags
    }

    /// True if the remaining length has more bytes than it needs.
    #[inline]
    pub(crate) const fn is_overlong(&self) -> bool {
        self.len > 2 && self.remaining_length >> (7 * (self.len - 2)) == 0
    }

    /// The checks of [`Header::decode`] that depend on the revision.
    #[inline]
    pub(crate) fn check_in(&self, version: Version) -> Result<(), DecodeError> {
        if first_byte_is_right(self.first_byte(), version) && !self.is_overlong() {
            return Ok(());
        }
        self.check_in_full(version)
    }

    /// As [`Header::check_in`], step by step.
    #[cold]
    fn check_in_full(&self, version: Version) -> Result<(), DecodeError> {
        if let Err(rule) = check_in(self.packet_type, self.flags, version) {
            let field = match rule {
                Rule::PacketTypeReserved { .. } => Field::PacketType,
                _ => Field::Flags,
            };
            return Err(at_0(field, rule));
        }
        // A CONNECT has a revision of its own, which is not known here.
        if self.packet_type == PacketType::Connect { Ok(()) } else { self.check_length_in(version) }
    }

    /// Whether the remaining length may have so many bytes in this revision.
    pub(crate) fn check_length_in(&self, version: Version) -> Result<(), DecodeError> {
        // [MQTT-1.5.5-1]; 3.1 and 3.1.1 do not ask for it.
        if version >= Version::V5 && self.is_overlong() {
            return Err(at_1(Rule::VariableByteIntegerNotMinimal));
        }
        Ok(())
    }
}

#[cold]
const fn at_0(field: Field, rule: Rule) -> DecodeError {
    DecodeError { rule, field, position: 0 }
}

#[cold]
const fn at_1(rule: Rule) -> DecodeError {
    DecodeError { rule, field: Field::RemainingLength, position: 1 }
}

/// The rule the flags break in every revision, if they do.
#[inline]
const fn check(packet_type: PacketType, bits: u8) -> Result<(), Rule> {
    // [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-1], [MQTT-2.2.2-2]
    match packet_type.fixed_flags() {
        None => match check_flags(bits) {
            Ok(_) => Ok(()),
            Err(rule) => Err(rule),
        },
        Some(fixed) if bits == fixed => Ok(()),
        // 3.1 sends these three with QoS 1 and sets DUP when it repeats them.
        Some(fixed) if fixed != 0 && bits == fixed | flags::DUP => Ok(()),
        Some(_) => Err(Rule::FlagsReserved { flags: bits }),
    }
}

/// The rule that type or flags break in one revision, if they do, besides those of [`check`].
const fn check_in(packet_type: PacketType, bits: u8, version: Version) -> Result<(), Rule> {
    // Table 2.1 of 3.1.1: 15 is reserved.
    if matches!(packet_type, PacketType::Auth) && !version.has_properties() {
        return Err(Rule::PacketTypeReserved { packet_type: packet_type.as_u8() });
    }
    match packet_type.fixed_flags() {
        // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]: since 3.1.1 there is no DUP here.
        Some(fixed) if bits != fixed && !matches!(version, Version::V3_1) => {
            Err(Rule::FlagsReserved { flags: bits })
        }
        _ => Ok(()),
    }
}

/// By packet type, the flags that pass both checks in one revision, a bit for each of their sixteen values.
const fn right_flags(version: Version) -> [u16; 16] {
    let mut right = [0; 16];
    let mut first = 0_u8;
    loop {
        let (number, bits) = (first >> 4, first & 0x0F);
        if let Some(packet_type) = PacketType::from_u8(number)
            && check(packet_type, bits).is_ok()
            && check_in(packet_type, bits, version).is_ok()
        {
            #[expect(clippy::indexing_slicing, reason = "16 types, in a constant")]
            {
                right[number as usize] |= 1 << bits;
            }
        }
        if first == u8::MAX {
            return right;
        }
        first += 1;
    }
}

const RIGHT_3_1: [u16; 16] = right_flags(Version::V3_1);
const RIGHT_3_1_1: [u16; 16] = right_flags(Version::V3_1_1);
const RIGHT_5: [u16; 16] = right_flags(Version::V5);

/// Those that are right in some revision: 3.1 sets DUP where others may not, and 5.0 has one type more.
const RIGHT_SOMEWHERE: [u16; 16] = {
    let mut right = [0; 16];
    let mut number = 0;
    while number < 16 {
        #[expect(clippy::indexing_slicing, reason = "16 types, in a constant")]
        {
            right[number] = RIGHT_3_1[number] | RIGHT_3_1_1[number] | RIGHT_5[number];
        }
        number += 1;
    }
    right
};

/// True if the first byte of a packet is right in this revision.
#[inline]
pub(crate) fn first_byte_is_right(first: u8, version: Version) -> bool {
    let right = match version {
        Version::V3_1 => &RIGHT_3_1,
        Version::V3_1_1 => &RIGHT_3_1_1,
        Version::V5 => &RIGHT_5,
    };
    is_right(right, first)
}

/// True if a first byte is in the table.
#[inline(always)]
fn is_right(table: &[u16; 16], first: u8) -> bool {
    table.get(usize::from(first >> 4)).is_some_and(|flags| flags >> (first & 0x0F) & 1 == 1)
}

/// The size of the fixed header of a frame that is one whole packet, as far as the header tells; `None` if something is
/// wrong, or only unusual, and [`whole`] has to look.
#[inline]
pub(crate) fn len_if_right(frame: &[u8], version: Version) -> Option<usize> {
    let [first, rest @ ..] = frame else { return None };
    if !first_byte_is_right(*first, version) {
        return None;
    }
    match rest {
        [length @ 0..0x80, body @ ..] if body.len() == usize::from(*length) => Some(2),
        _ => match integer(rest) {
            Integer::Complete(length, count) if rest.len() - count == length as usize => Some(1 + count),
            _ => None,
        },
    }
}

/// The fixed header of a frame that is to be one whole packet.
pub(crate) fn whole(frame: &[u8], version: Version, limits: &Limits) -> Result<Header, DecodeError> {
    let fault = |rule, field, position| Err(DecodeError { rule, field, position });
    let Status::Complete(header) = Header::decode(frame, limits)? else {
        return fault(Rule::Truncated, Field::RemainingLength, frame.len());
    };
    let size = header.packet_len();
    if frame.len() < size {
        return fault(Rule::Truncated, Field::Body, frame.len());
    }
    if frame.len() > size {
        return fault(Rule::TrailingBytes { bytes: frame.len() - size }, Field::Body, size);
    }
    header.check_in(version)?;
    Ok(header)
}

/// Finds the first packet of a buffer that may hold a part of one, or many.
///
/// The framing of the tier without a heap: decode the packet, go on behind it, and when the last packet is not complete,
/// move it to the front of the buffer, append what arrives, and try again.
///
/// # Errors
///
/// Those of [`Header::decode`]. The stream cannot be read on after one.
///
/// # Examples
///
/// ```
/// use headwater_codec::frame::{Limits, Status, first};
///
/// let limits = Limits::default();
/// let buffer = [0xC0, 0x00, 0x40, 0x02, 0x00]; // PINGREQ, and most of a PUBACK
/// assert_eq!(first(&buffer, &limits)?, Status::Complete(&buffer[..2]));
/// assert_eq!(first(&buffer[2..], &limits)?, Status::Partial { needed: 1 });
/// # Ok::<(), headwater_codec::DecodeError>(())
/// ```
#[inline]
pub fn first<'a>(buffer: &'a [u8], limits: &Limits) -> Result<Status<&'a [u8]>, DecodeError> {
    if let Some(header) = Header::if_short(buffer, limits)
        && let Some(packet) = buffer.get(..header.packet_len())
    {
        return Ok(Status::Complete(packet));
    }
    first_in_full(buffer, limits)
}

/// As [`first`], for longer packets and those that are not complete.
#[inline(never)]
fn first_in_full<'a>(buffer: &'a [u8], limits: &Limits) -> Result<Status<&'a [u8]>, DecodeError> {
    let length = match Header::decode(buffer, limits)? {
        Status::Complete(header) => header.packet_len(),
        Status::Partial { needed } => return Ok(Status::Partial { needed }),
    };
    Ok(match buffer.get(..length) {
        Some(packet) => Status::Complete(packet),
        None => Status::Partial { needed: length - buffer.len() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_byte_is_right_in_some_revision_or_refused() {
        for first in 0..=u8::MAX {
            let header = Header::decode(&[first, 0], &Limits::PROTOCOL);
            assert_eq!(header, Header::decode_in_full(&[first, 0], &Limits::PROTOCOL), "{first:#010b}");
            let right = match first >> 4 {
                0 => false,
                3 => first & 0b0110 != 0b0110 && first & 0b1110 != 0b1000,
                6 | 8 | 10 => first & 0b0111 == 0b0010,
                _ => first & 0b1111 == 0,
            };
            assert_eq!(header.is_ok(), right, "{first:#010b}");
        }
    }

    #[test]
    fn the_prefix_is_as_long_as_the_integer_was() {
        for (length, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let mut buffer = [0x30; 5];
            buffer[1..=bytes.len()].copy_from_slice(bytes);
            let Ok(Status::Complete(header)) = Header::decode(&buffer, &Limits::PROTOCOL) else {
                panic!("{length} is a length")
            };
            assert_eq!(header.remaining_length, length);
            assert_eq!(header.header_len(), 1 + bytes.len());
            assert_eq!(header.packet_len(), 1 + bytes.len() + length as usize);
        }
    }
}
