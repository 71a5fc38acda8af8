//! UNSUBACK: the server answers an UNSUBSCRIBE (section 3.11).

use crate::encode_error::EncodeError;
use crate::field::Field;
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

/// The server answers an UNSUBSCRIBE.
///
/// ```text
///  B0 | remaining length | packet identifier | properties (5.0) | reason code (5.0), once for each filter
/// ```
///
/// Before 5.0 the packet ends behind the identifier: writing one with reason codes is an error there.
///
/// # Examples
///
/// ```
/// use headwater_codec::{PacketId, ReasonCode, SliceSink, UnsubAck, Version};
///
/// let mut buffer = [0; 16];
/// let mut sink = SliceSink::new(&mut buffer);
/// let reasons = [ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED];
/// UnsubAck::new(PacketId::MIN, &reasons).encode(Version::V5, &mut sink)?;
/// assert_eq!(sink.written(), [0xB0, 5, 0, 1, 0, 0x00, 0x11]);
///
/// let mut sink = SliceSink::new(&mut buffer);
/// UnsubAck::new(PacketId::MIN, &[]).encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), [0xB0, 2, 0, 1]);
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// The identifier of the UNSUBSCRIBE. [MQTT-3.10.4-5]
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What became of each filter, in order [MQTT-3.11.3-1]; at least one in 5.0, none before.
    pub reasons: ReasonCodes<'a>,
}

impl<'a> UnsubAck<'a> {
    /// An UNSUBACK with these reason codes; give none before 5.0.
    pub const fn new(packet_id: PacketId, reasons: &'a [ReasonCode]) -> Self {
        Self { packet_id, properties: Properties::EMPTY, reasons: ReasonCodes::new(reasons) }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`UnsubAck::encode`] that do not depend on the sink.
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

/// The body of UNSUBACK.
#[inline(always)]
pub(crate) fn unsuback<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, UnsubAck<'a>> {
    let (rest, packet_id) = parse::packet_id(body)?;
    if !context.version.has_properties() {
        return Ok((rest, UnsubAck::new(packet_id, &[])));
    }
    let (rest, properties) = properties(context, PropertyPlace::UnsubAck, rest)?;
    let (rest, reasons) = reason_codes(context, PacketType::UnsubAck, rest)?;
    Ok((rest, UnsubAck { packet_id, properties, reasons }))
}

impl Body for UnsubAck<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::UnsubAck.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        let packet = PacketType::UnsubAck;
        out.put(&self.packet_id.get().to_be_bytes());
        self.properties.write(version, PropertyPlace::UnsubAck, out)?;
        match (version.has_properties(), self.reasons.is_empty()) {
            (false, false) => return Err(EncodeError::NotInVersion { field: Field::ReasonCode, version }),
            (true, true) => return Err(EncodeError::NoReasonCodes { packet }),
            (false, true) | (true, false) => {}
        }
        for reason in self.reasons.iter() {
            // [MQTT-3.11.3-2]
            if !reason.allowed_in(packet) {
                return Err(EncodeError::ReasonNotAllowed { reason, packet });
            }
            out.put_u8(reason.0);
        }
        Ok(())
    }
}
