//! DISCONNECT: the sender is about to close the connection (section 3.14).

use crate::ack::write_tail;
use crate::encode_error::EncodeError;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Parsed};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::reason::ReasonCode;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// The sender is about to close the connection.
///
/// ```text
///  E0 | remaining length | reason code (5.0) | properties (5.0)
/// ```
///
/// Before 5.0 the packet is empty and means a normal end: any other reason code, and any property, is an error of
/// encoding there. In 5.0 both parts, or the second, may be missing; both are left out for a normal end without
/// properties.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Disconnect, EncodeError, Properties, Property, ReasonCode, SliceSink, Version};
///
/// let mut buffer = [0; 32];
/// let mut sink = SliceSink::new(&mut buffer);
/// Disconnect::NORMAL.encode(Version::V5, &mut sink)?;
/// assert_eq!(sink.written(), [0xE0, 0]);
///
/// let why = [Property::ReasonString("at 22:00")];
/// let disconnect =
///     Disconnect { reason: ReasonCode::SERVER_SHUTTING_DOWN, properties: Properties::new(&why) };
/// assert_eq!(disconnect.encoded_len(Version::V5)?, 15);
/// assert!(matches!(disconnect.encoded_len(Version::V3_1_1), Err(EncodeError::NotInVersion { .. })));
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why the connection ends.
    pub reason: ReasonCode,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// A normal end; the server drops the will. [MQTT-3.14.4-3]
    pub const NORMAL: Self = Self::new(ReasonCode::NORMAL_DISCONNECTION);

    /// A DISCONNECT with this reason.
    #[inline]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::EMPTY }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Disconnect::encode`] that do not depend on the sink.
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

/// The body of DISCONNECT.
#[inline(always)]
pub(crate) fn disconnect<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, Disconnect<'a>> {
    // Section 3.14.2.1: with a remaining length of 0 the reason code is 0x00.
    if !context.version.has_properties() || body.is_empty() {
        return Ok((body, Disconnect::NORMAL));
    }
    // [MQTT-3.14.2-1]
    let (rest, reason) = parse::reason_code(PacketType::Disconnect)(body)?;
    // Section 3.14.2.2.1: with a remaining length of 1 there is no property length.
    if rest.is_empty() {
        return Ok((rest, Disconnect::new(reason)));
    }
    let (rest, properties) = properties(context, PropertyPlace::Disconnect, rest)?;
    Ok((rest, Disconnect { reason, properties }))
}

impl Body for Disconnect<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Disconnect.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        let (packet, place) = (PacketType::Disconnect, PropertyPlace::Disconnect);
        write_tail(version, packet, place, self.reason, &self.properties, out)
    }
}
