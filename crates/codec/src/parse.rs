//! The parsers every packet is made of: nom's, over a whole body, with errors that know field and place.
//!
//! A body is complete when it comes here, so running out of bytes is malformed, never "wait for more". A fault keeps
//! the rest of the input at which it arose; where that lies in the frame is worked out once, at the end.
//!
//! The parsers of the packets that make up most of the traffic are inlined by force: handed back through memory, the
//! union of value and fault costs more than the parsing itself.

use core::num::NonZeroU16;

use headwater_topic::{InvalidFilter, InvalidTopicName, Limits, TopicFilter, TopicName};
use nom::bytes::complete::take;
use nom::error::{ErrorKind, ParseError};
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use crate::decode_error::{DecodeError, Rule};
use crate::field::Field;
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::reason::ReasonCode;
use crate::text;
use crate::version::Version;

/// What a parser returns: the rest and a value, or a fault.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// What all parsers of one packet have to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) version: Version,
    pub(crate) topic_limits: Limits,
}

/// A broken rule, and the rest of the input that begins with the offending bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault<'a> {
    pub(crate) at: &'a [u8],
    pub(crate) field: Field,
    pub(crate) rule: Rule,
}

impl<'a> Fault<'a> {
    /// The fault as nom passes it on.
    #[cold]
    pub(crate) const fn new(at: &'a [u8], field: Field, rule: Rule) -> nom::Err<Self> {
        nom::Err::Failure(Self { at, field, rule })
    }

    /// The fault in nom's wrapping, of a parser that was given `at`.
    #[cold]
    pub(crate) fn of(error: nom::Err<Self>, at: &'a [u8]) -> Self {
        match error {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
            // Complete parsers do not ask for more.
            nom::Err::Incomplete(_) => Self { at, field: Field::Body, rule: Rule::Truncated },
        }
    }

    /// The fault, placed in the frame that was parsed.
    ///
    /// Every `at` is a piece of the frame, so the distance of the two addresses is the position.
    #[cold]
    pub(crate) fn in_frame(self, frame: &[u8]) -> DecodeError {
        let position = self.at.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
        DecodeError { rule: self.rule, field: self.field, position }
    }
}

/// nom's own parsers fail here for one reason only: the input is too short.
impl<'a> ParseError<&'a [u8]> for Fault<'a> {
    fn from_error_kind(at: &'a [u8], _kind: ErrorKind) -> Self {
        Self { at, field: Field::Body, rule: Rule::Truncated }
    }

    fn append(_at: &'a [u8], _kind: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Says which field a parser reads, if it fails.
#[inline]
fn named<'a, T>(field: Field, input: &'a [u8], parsed: Parsed<'a, T>) -> Parsed<'a, T> {
    parsed.map_err(|error| nom::Err::Failure(Fault { field, ..Fault::of(error, input) }))
}

/// One byte.
#[inline]
pub(crate) fn byte<'a>(field: Field) -> impl Fn(&'a [u8]) -> Parsed<'a, u8> {
    move |input| named(field, input, be_u8(input))
}

/// A two-byte integer (section 1.5.2).
#[inline]
pub(crate) fn two_bytes<'a>(field: Field) -> impl Fn(&'a [u8]) -> Parsed<'a, u16> {
    move |input| named(field, input, be_u16(input))
}

/// A four-byte integer (section 1.5.3).
#[inline]
pub(crate) fn four_bytes<'a>(field: Field) -> impl Fn(&'a [u8]) -> Parsed<'a, u32> {
    move |input| named(field, input, be_u32(input))
}

/// A variable byte integer at the front of bytes that may go on, or may not all be there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integer {
    /// Its value, and how many bytes it has.
    Complete(u32, usize),
    /// The bytes end inside it.
    Partial,
    /// It goes on after its fourth byte.
    TooLong,
    /// It has more bytes than it needs: its value all the same, and how many bytes.
    NotMinimal(u32, usize),
}

/// Reads a variable byte integer (section 1.5.5).
///
/// ```text
///  bit 7      bits 6..0
/// +----------+---------------------+
/// | more     | 7 bits of the value |   the least significant group comes first, four bytes at most
/// +----------+---------------------+
/// ```
///
/// The fourth byte decides: if more are to follow, it is too long, and the fifth is not waited for.
#[inline]
pub(crate) fn integer(bytes: &[u8]) -> Integer {
    let mut value = 0;
    for (byte, count) in bytes.iter().copied().zip(1..=4) {
        value |= u32::from(byte & 0x7F) << (7 * (count - 1));
        if byte & 0x80 == 0 {
            // [MQTT-1.5.5-1]: a last byte of zero adds nothing.
            return if byte == 0 && count > 1 {
                Integer::NotMinimal(value, count)
            } else {
                Integer::Complete(value, count)
            };
        }
    }
    // [MQTT-1.5.5-1]
    if bytes.len() >= 4 { Integer::TooLong } else { Integer::Partial }
}

/// A variable byte integer inside a packet.
#[inline]
pub(crate) fn variable<'a>(field: Field) -> impl Fn(&'a [u8]) -> Parsed<'a, u32> {
    move |input| {
        let rule = match integer(input) {
            Integer::Complete(value, count) => {
                return named(field, input, take(count).parse(input)).map(|(rest, _)| (rest, value));
            }
            Integer::Partial => Rule::Truncated,
            Integer::TooLong => Rule::VariableByteIntegerTooLong,
            Integer::NotMinimal(..) => Rule::VariableByteIntegerNotMinimal,
        };
        Err(Fault::new(input, field, rule))
    }
}

/// Binary data: a two-byte length and as many bytes (section 1.5.6).
#[inline(always)]
pub(crate) fn binary(field: Field, input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = two_bytes(field)(input)?;
    named(field, rest, take(length).parse(rest))
}

/// The text of a string's bytes.
#[inline]
fn utf8(field: Field, bytes: &[u8]) -> Result<&str, nom::Err<Fault<'_>>> {
    // [MQTT-1.5.4-1], 3.1.1: [MQTT-1.5.3-1]. std refuses surrogates and overlong forms, too.
    core::str::from_utf8(bytes)
        .map_err(|error| Fault::new(from(bytes, error.valid_up_to()), field, Rule::IllFormedUtf8))
}

/// The bytes from a position on, which is within them.
fn from(bytes: &[u8], position: usize) -> &[u8] {
    bytes.split_at_checked(position).map_or(bytes, |(_, rest)| rest)
}

/// A string contains U+0000. [MQTT-1.5.4-2], 3.1.1: [MQTT-1.5.3-2]
#[cold]
fn null_character(text: &str, field: Field) -> nom::Err<Fault<'_>> {
    let position = text.bytes().take_while(|byte| *byte != 0).count();
    Fault::new(from(text.as_bytes(), position), field, Rule::NullCharacter)
}

/// A string: UTF-8 without U+0000.
#[inline(always)]
pub(crate) fn string(field: Field, input: &[u8]) -> Parsed<'_, &str> {
    let (rest, bytes) = binary(field, input)?;
    let text = utf8(field, bytes)?;
    if text::has_null(text) { Err(null_character(text, field)) } else { Ok((rest, text)) }
}

/// Goes past a string that will be read later, after all the checks of [`string`].
#[inline]
pub(crate) fn skip_string(field: Field, input: &[u8]) -> Parsed<'_, ()> {
    let (rest, bytes) = binary(field, input)?;
    if text::is_plain(bytes) { Ok((rest, ())) } else { skip_letters(field, input) }
}

/// As [`skip_string`], where there is more than ASCII.
#[inline(never)]
fn skip_letters(field: Field, input: &[u8]) -> Parsed<'_, ()> {
    string(field, input).map(|(rest, _)| (rest, ()))
}

/// A topic name: a string that keeps the rules of names (section 4.7), U+0000 among them.
#[inline(always)]
pub(crate) fn topic_name(field: Field, limits: Limits, input: &[u8]) -> Parsed<'_, TopicName<'_>> {
    let (rest, bytes) = binary(field, input)?;
    let text = utf8(field, bytes)?;
    match TopicName::parse_with(text, limits) {
        Ok(name) => Ok((rest, name)),
        Err(error) => Err(wrong_topic_name(text, field, error)),
    }
}

#[cold]
fn wrong_topic_name(text: &str, field: Field, error: InvalidTopicName) -> nom::Err<Fault<'_>> {
    match error {
        InvalidTopicName::Nul { .. } => null_character(text, field),
        error => Fault::new(text.as_bytes(), field, Rule::TopicName(error)),
    }
}

/// Bytes that hold strings, and all of them as one text if they are one.
///
/// A list of strings is mostly UTF-8 from end to end, the lengths and options between the strings being small numbers.
/// Then it is checked in one go, and a string is cut from it at two positions, with no second look at its letters.
///
/// ```text
///  00 05 p l a n t 01 00 03 a / b 00      text, whole
///        |-------|          |---|         cut from it
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strings<'a> {
    text: Option<&'a str>,
}

impl<'a> Strings<'a> {
    /// Looks at all the bytes.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { text: core::str::from_utf8(bytes).ok() }
    }

    /// The text of a string's bytes, which are a part of those the value was made of.
    #[inline]
    fn utf8(self, field: Field, bytes: &'a [u8]) -> Result<&'a str, nom::Err<Fault<'a>>> {
        if let Some(text) = self.text {
            let start = bytes.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
            if let Some(text) = text.get(start..start.wrapping_add(bytes.len())) {
                return Ok(text);
            }
        }
        utf8(field, bytes)
    }
}

/// A topic filter: a string that keeps the rules of filters (sections 4.7 and 4.8.2), U+0000 among them.
#[inline(always)]
pub(crate) fn topic_filter<'a>(
    strings: Strings<'a>,
    limits: Limits,
    input: &'a [u8],
) -> Parsed<'a, TopicFilter<'a>> {
    let (rest, bytes) = binary(Field::TopicFilter, input)?;
    let text = strings.utf8(Field::TopicFilter, bytes)?;
    match TopicFilter::parse_with(text, limits) {
        Ok(filter) => Ok((rest, filter)),
        Err(error) => Err(wrong_topic_filter(text, error)),
    }
}

#[cold]
fn wrong_topic_filter(text: &str, error: InvalidFilter) -> nom::Err<Fault<'_>> {
    match error {
        InvalidFilter::Nul { .. } => null_character(text, Field::TopicFilter),
        error => Fault::new(text.as_bytes(), Field::TopicFilter, Rule::TopicFilter(error)),
    }
}

/// A packet identifier.
#[inline]
pub(crate) fn packet_id(input: &[u8]) -> Parsed<'_, PacketId> {
    let (rest, id) = two_bytes(Field::PacketId)(input)?;
    match NonZeroU16::new(id) {
        Some(id) => Ok((rest, id.into())),
        // [MQTT-2.2.1-3], [MQTT-2.2.1-4]; 3.1.1: [MQTT-2.3.1-1]
        None => Err(Fault::new(input, Field::PacketId, Rule::PacketIdZero)),
    }
}

/// A reason code that the packet's section lists (5.0, section 2.4).
#[inline]
pub(crate) fn reason_code<'a>(packet: PacketType) -> impl Fn(&'a [u8]) -> Parsed<'a, ReasonCode> {
    move |input| {
        let (rest, code) = byte(Field::ReasonCode)(input)?;
        let reason = ReasonCode(code);
        if reason.allowed_in(packet) {
            Ok((rest, reason))
        } else {
            Err(Fault::new(input, Field::ReasonCode, Rule::ReasonCode { code }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_the_variable_byte_integer_are_those_of_table_1_1() {
        let table: [(&[u8], u32); 8] = [
            (&[0x00], 0),
            (&[0x7F], 127),
            (&[0x80, 0x01], 128),
            (&[0xFF, 0x7F], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xFF, 0xFF, 0x7F], 2_097_151),
            (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
            (&[0xFF, 0xFF, 0xFF, 0x7F], 268_435_455),
        ];
        for (bytes, value) in table {
            assert_eq!(integer(bytes), Integer::Complete(value, bytes.len()));
            assert_eq!(integer(&bytes[..bytes.len() - 1]), Integer::Partial);
        }
    }

    #[test]
    fn a_variable_byte_integer_is_too_long_from_its_fourth_byte_on() {
        assert_eq!(integer(&[0xFF; 3]), Integer::Partial);
        assert_eq!(integer(&[0xFF; 4]), Integer::TooLong);
        assert_eq!(integer(&[0x80; 5]), Integer::TooLong);
    }

    #[test]
    fn a_variable_byte_integer_uses_as_few_bytes_as_it_can() {
        let table: [(&[u8], u32); 4] = [
            (&[0x80, 0x00], 0),
            (&[0xFF, 0x00], 127),
            (&[0x80, 0x80, 0x00], 0),
            (&[0xFF, 0xFF, 0xFF, 0x00], 2_097_151),
        ];
        for (bytes, value) in table {
            assert_eq!(integer(bytes), Integer::NotMinimal(value, bytes.len()));
        }
    }

    #[test]
    fn a_fault_knows_its_place_in_the_frame() {
        let frame = b"\x00\x04ab\xFFd";
        let Err(nom::Err::Failure(fault)) = string(Field::ClientId, frame) else {
            panic!("0xFF is not UTF-8")
        };
        assert_eq!(
            fault.in_frame(frame),
            DecodeError { rule: Rule::IllFormedUtf8, field: Field::ClientId, position: 4 }
        );
    }

    #[test]
    fn truncation_is_placed_where_the_missing_bytes_should_begin() {
        let frame = b"\x00\x04abc";
        let Err(nom::Err::Failure(fault)) = string(Field::UserName, frame) else {
            panic!("one byte is missing")
        };
        assert_eq!((fault.rule, fault.in_frame(frame).position), (Rule::Truncated, 2));
    }
}
