//! CONNACK: the server answers a CONNECT (section 3.2).

use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::reason::ReasonCode;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// The server answers a CONNECT.
///
/// ```text
///  20 | remaining length | 0000000s  session present | reason code | properties (5.0)
/// ```
///
/// Before 5.0 a return code stands where the reason code does. The five refusals are read as the reason codes in the
/// middle column; the other reason codes of CONNACK are written as the return code of the row they stand in, the
/// nearest there is:
///
/// | return code | read as | written for |
/// |---|---|---|
/// | 0 accepted | 0x00 | 0x00 |
/// | 1 protocol version | 0x84 | 0x84 |
/// | 2 identifier rejected | 0x85 | 0x85 |
/// | 3 server unavailable: try later, or elsewhere | 0x88 | 0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F |
/// | 4 bad user name or password | 0x86 | 0x86 |
/// | 5 not authorized: not in this way | 0x87 | 0x81, 0x82, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B |
///
/// 3.1.1 wants no CONNACK at all for what has no return code [MQTT-3.2.2-6]; a server that keeps to that closes the
/// connection instead of encoding one.
///
/// 3.1 has no session present flag: the byte is 0 when read, and writing a set flag is an error.
///
/// # Examples
///
/// ```
/// use headwater_codec::{ConnAck, Packet, Properties, Property, QoS, ReasonCode, SliceSink, Version};
///
/// let offer = [Property::MaximumQoS(QoS::AtLeastOnce), Property::ServerKeepAlive(60)];
/// let connack = ConnAck { properties: Properties::new(&offer), ..ConnAck::accepted(true) };
/// let mut buffer = [0; 16];
/// let mut sink = SliceSink::new(&mut buffer);
/// connack.encode(Version::V5, &mut sink)?;
/// let Packet::ConnAck(read) = Packet::decode(sink.written(), Version::V5)? else { unreachable!() };
/// assert_eq!((read.session_present, read.properties.server_keep_alive()), (true, Some(60)));
///
/// // Before 5.0 "banned" has no number of its own; "not authorized", 5, comes nearest.
/// let mut sink = SliceSink::new(&mut buffer);
/// ConnAck::refused(ReasonCode::BANNED).encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), [0x20, 2, 0, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// True if the server goes on with an earlier session; false in a refusal.
    pub session_present: bool,
    /// Whether the connection is accepted.
    pub reason: ReasonCode,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> ConnAck<'a> {
    /// The connection is accepted.
    pub const fn accepted(session_present: bool) -> Self {
        Self { session_present, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }
    }

    /// The connection is refused.
    pub const fn refused(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::EMPTY }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`ConnAck::encode`] that do not depend on the sink.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        write::encoded_len(self, version)
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is written then.
    #[inline]
    pub fn encode<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
        write::encode(self, version, Part::Whole, sink)
    }
}

/// The reason code a return code before 5.0 is read as (3.1.1, section 3.2.2.3).
const fn from_return_code(code: u8) -> Option<ReasonCode> {
    Some(match code {
        0 => ReasonCode::SUCCESS,
        1 => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        2 => ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        3 => ReasonCode::SERVER_UNAVAILABLE,
        4 => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        5 => ReasonCode::NOT_AUTHORIZED,
        // 6 to 255 are reserved.
        _ => return None,
    })
}

/// The return code before 5.0 that is written for a reason code, after the table above.
const fn to_return_code(reason: ReasonCode) -> Option<u8> {
    Some(match reason {
        ReasonCode::SUCCESS => 0,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => 1,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => 2,
        ReasonCode::UNSPECIFIED_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::SERVER_BUSY
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::USE_ANOTHER_SERVER
        | ReasonCode::SERVER_MOVED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => 3,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD => 4,
        ReasonCode::MALFORMED_PACKET
        | ReasonCode::PROTOCOL_ERROR
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::BANNED
        | ReasonCode::BAD_AUTHENTICATION_METHOD
        | ReasonCode::TOPIC_NAME_INVALID
        | ReasonCode::PACKET_TOO_LARGE
        | ReasonCode::PAYLOAD_FORMAT_INVALID
        | ReasonCode::RETAIN_NOT_SUPPORTED
        | ReasonCode::QOS_NOT_SUPPORTED => 5,
        _ => return None,
    })
}

/// The body of CONNACK.
#[inline(always)]
pub(crate) fn connack<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, ConnAck<'a>> {
    let (rest, flags) = parse::byte(Field::AcknowledgeFlags)(body)?;
    // [MQTT-3.2.2-1]; in 3.1 the whole byte is reserved.
    let known = if context.version == Version::V3_1 { 0 } else { 1 };
    if flags > known {
        return Err(Fault::new(body, Field::AcknowledgeFlags, Rule::AcknowledgeFlagsReserved { flags }));
    }
    let session_present = flags == 1;
    let (after, reason) = if context.version.has_properties() {
        parse::reason_code(PacketType::ConnAck)(rest)?
    } else {
        let (after, code) = parse::byte(Field::ReasonCode)(rest)?;
        match from_return_code(code) {
            Some(reason) => (after, reason),
            None => return Err(Fault::new(rest, Field::ReasonCode, Rule::ReasonCode { code })),
        }
    };
    // [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4]
    if session_present && reason != ReasonCode::SUCCESS {
        return Err(Fault::new(body, Field::AcknowledgeFlags, Rule::SessionPresentInRefusal));
    }
    let (rest, properties) = properties(context, PropertyPlace::ConnAck, after)?;
    Ok((rest, ConnAck { session_present, reason, properties }))
}

impl Body for ConnAck<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::ConnAck.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        // [MQTT-3.2.2-6]
        if self.session_present && self.reason != ReasonCode::SUCCESS {
            return Err(EncodeError::SessionPresentInRefusal);
        }
        if self.session_present && version == Version::V3_1 {
            return Err(EncodeError::NotInVersion { field: Field::AcknowledgeFlags, version });
        }
        let code = match version {
            Version::V3_1 | Version::V3_1_1 => to_return_code(self.reason),
            Version::V5 => {
                if self.reason.allowed_in(PacketType::ConnAck) {
                    Some(self.reason.0)
                } else {
                    None
                }
            }
        };
        let Some(code) = code else {
            return Err(EncodeError::ReasonNotAllowed { reason: self.reason, packet: PacketType::ConnAck });
        };
        out.put(&[u8::from(self.session_present), code]);
        self.properties.write(version, PropertyPlace::ConnAck, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_code_of_connack_has_a_return_code() {
        for code in (0..=u8::MAX).map(ReasonCode) {
            assert_eq!(to_return_code(code).is_some(), code.allowed_in(PacketType::ConnAck), "{code}");
        }
    }

    #[test]
    fn every_return_code_comes_back() {
        for code in 0..=u8::MAX {
            assert_eq!(from_return_code(code).and_then(to_return_code), (code <= 5).then_some(code));
        }
    }
}
