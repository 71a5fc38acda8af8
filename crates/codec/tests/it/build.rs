//! Frames put together by hand, and what the codec says of them.

use headwater_codec::{DecodeError, Field, Packet, ReasonCode, Rule, Version};

/// A frame of a first byte and a body, with the right remaining length.
pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let mut length = body.len();
    loop {
        let more = length > 0x7F;
        frame.push((length & 0x7F) as u8 | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    frame.extend_from_slice(body);
    frame
}

/// A string or binary field: two bytes of length, then the bytes.
pub(crate) fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("test fields are short");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// The body of a CONNECT: name, level, flags, keep alive of 10 seconds, and what follows.
pub(crate) fn connect(name: &[u8], level: u8, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let rest = rest.concat();
    frame(0x10, &[&field(name)[..], &[level, flags, 0, 10], &rest].concat())
}

/// The packet in a frame that has to be right.
pub(crate) fn right(frame: &[u8], version: Version) -> Packet<'_> {
    match Packet::decode(frame, version) {
        Ok(packet) => packet,
        Err(error) => panic!("{version}: {frame:02x?}: {error}"),
    }
}

/// The error of a frame that has to be wrong.
pub(crate) fn wrong(frame: &[u8], version: Version) -> DecodeError {
    match Packet::decode(frame, version) {
        Ok(packet) => panic!("{version}: {frame:02x?} was read as {packet:?}"),
        Err(error) => error,
    }
}

/// Asserts rule, field, position and answer of a frame that has to be wrong.
#[track_caller]
pub(crate) fn refused(frame: &[u8], version: Version, rule: Rule, field: Field, position: usize, answer: u8) {
    let error = wrong(frame, version);
    assert_eq!((error.rule, error.field, error.position), (rule, field, position), "{version}: {error}");
    assert_eq!(error.reason_code(), ReasonCode(answer), "{error}");
}

/// Asserts that a frame cannot be read because one field runs past its end.
#[track_caller]
pub(crate) fn cut_short(frame: &[u8], version: Version, field: Field) {
    let error = wrong(frame, version);
    assert_eq!((error.rule, error.field), (Rule::Truncated, field), "{version}: {error}");
    assert_eq!(error.reason_code(), ReasonCode::MALFORMED_PACKET);
    assert!(error.position <= frame.len());
}
