//! SUBACK: the server answers a SUBSCRIBE (section 3.9).

use crate::encode_error::EncodeError;
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Parsed};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::reason::ReasonCode;
use crate::reason_codes::{ReasonCodes, reason_codes};
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// The server answers a SUBSCRIBE.
///
/// ```text
///  90 | remaining length | packet identifier | properties (5.0) | reason code, once for each filter
/// ```
///
/// Before 5.0 every error is the one return code 0x80, so an error code other than [`ReasonCode::UNSPECIFIED_ERROR`]
/// is written as it. 3.1 has no code for failure at all; 0x80 is read and written there as well, since the other
/// choice would be to grant what was not granted.
///
/// # Examples
///
/// One code for each filter, in their order:
///
/// ```
/// use headwater_codec::{Packet, PacketId, QoS, ReasonCode, SliceSink, SubAck, Version};
///
/// let reasons = [ReasonCode::from(QoS::AtLeastOnce), ReasonCode::NOT_AUTHORIZED];
/// let suback = SubAck::new(PacketId::MIN, &reasons);
/// let mut buffer = [0; 16];
/// let mut sink = SliceSink::new(&mut buffer);
/// suback.encode(Version::V5, &mut sink)?;
/// assert_eq!(sink.written(), [0x90, 5, 0, 1, 0, 0x01, 0x87]);
/// let Packet::SubAck(read) = Packet::decode(sink.written(), Version::V5)? else { unreachable!() };
/// assert_eq!(read.reasons.iter().filter(|reason| reason.is_error()).count(), 1);
///
/// // Before 5.0 there is one code for failure.
/// let mut sink = SliceSink::new(&mut buffer);
/// suback.encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), [0x90, 4, 0, 1, 0x01, 0x80]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// The identifier of the SUBSCRIBE. [MQTT-3.8.4-2]
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What became of each filter, in order [MQTT-3.9.3-1]; at least one.
    pub reasons: ReasonCodes<'a>,
}

impl<'a> SubAck<'a> {
    /// A SUBACK with these reason codes.
    pub const fn new(packet_id: PacketId, reasons: &'a [ReasonCode]) -> Self {
        Self { packet_id, properties: Properties::EMPTY, reasons: ReasonCodes::new(reasons) }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`SubAck::encode`] that do not depend on the sink.
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

/// The body of SUBACK.
#[inline(always)]
pub(crate) fn suback<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, SubAck<'a>> {
    let (rest, packet_id) = parse::packet_id(body)?;
    let (rest, properties) = properties(context, PropertyPlace::SubAck, rest)?;
    let (rest, reasons) = reason_codes(context, PacketType::SubAck, rest)?;
    Ok((rest, SubAck { packet_id, properties, reasons }))
}

impl Body for SubAck<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::SubAck.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        let packet = PacketType::SubAck;
        out.put(&self.packet_id.get().to_be_bytes());
        self.properties.write(version, PropertyPlace::SubAck, out)?;
        // [MQTT-3.8.4-6]
        if self.reasons.is_empty() {
            return Err(EncodeError::NoReasonCodes { packet });
        }
        for reason in self.reasons.iter() {
            // [MQTT-3.9.3-2]
            if !reason.allowed_in(packet) {
                return Err(EncodeError::ReasonNotAllowed { reason, packet });
            }
            let code = match version {
                Version::V3_1 | Version::V3_1_1 if reason.is_error() => ReasonCode::UNSPECIFIED_ERROR,
                Version::V3_1 | Version::V3_1_1 | Version::V5 => reason,
            };
            out.put_u8(code.0);
        }
        Ok(())
    }
}
