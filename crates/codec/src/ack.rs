//! What PUBACK, PUBREC, PUBREL and PUBCOMP share (sections 3.4 to 3.7).

use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Parsed};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::write::Output;

/// Declares one of the four: its documentation, its name and its parser.
macro_rules! ack {
    ($(#[doc = $doc:literal])+ $name:ident, read by $parse:ident) => {
        $(#[doc = $doc])+
        ///
        /// ```text
        ///  first byte | remaining length | packet identifier | reason code (5.0) | properties (5.0)
        /// ```
        ///
        /// Before 5.0 the packet ends behind the identifier and always means success: any other reason code, and any
        /// property, is an error of encoding there. In 5.0 a receiver takes a packet that ends behind the identifier
        /// or behind the reason code; the first is written for success without properties, the second never, since
        /// some receivers refuse it.
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use headwater_codec::{", stringify!($name), ", Packet, PacketId, SliceSink, Version};")]
        ///
        /// let packet_id = PacketId::new(7).ok_or("0 is no packet identifier")?;
        /// let mut buffer = [0; 8];
        /// let mut sink = SliceSink::new(&mut buffer);
        #[doc = concat!(stringify!($name), "::new(packet_id).encode(Version::V5, &mut sink)?;")]
        /// assert_eq!(sink.written()[1..], [2, 0, 7]);
        /// let packet = Packet::decode(sink.written(), Version::V5)?;
        /// assert_eq!(packet.packet_id(), Some(packet_id));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The identifier of the PUBLISH.
            pub packet_id: PacketId,
            /// Whether it went well; always so before 5.0.
            pub reason: ReasonCode,
            /// The properties; none before 5.0.
            pub properties: Properties<'a>,
        }

        impl<'a> $name<'a> {
            /// It went well.
            #[inline]
            pub const fn new(packet_id: PacketId) -> Self {
                Self { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::new(&[]) }
            }

            /// With another reason code, for 5.0.
            #[inline]
            pub const fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
                Self { packet_id, reason, properties: Properties::EMPTY }
            }

            /// The size of the packet in bytes.
            ///
            /// # Errors
            ///
            /// Those of `encode` that do not depend on the sink.
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

        /// The body.
        #[inline(always)]
        pub(crate) fn $parse<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, $name<'a>> {
            let (rest, (packet_id, reason, properties)) =
                ack::body(context, PacketType::$name, PropertyPlace::$name, body)?;
            Ok((rest, $name { packet_id, reason, properties }))
        }

        impl Body for $name<'_> {
            #[inline]
            fn first_byte(&self) -> u8 {
                let packet = PacketType::$name;
                packet.as_u8() << 4 | packet.fixed_flags().unwrap_or(0)
            }

            #[inline(always)]
            fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
                out.put(&self.packet_id.get().to_be_bytes());
                let (packet, place) = (PacketType::$name, PropertyPlace::$name);
                ack::write_tail(version, packet, place, self.reason, &self.properties, out)
            }
        }
    };
}

pub(crate) use ack;

/// The identifier of a body that is nothing else, which means success in every revision; `None` for any other body.
#[inline]
pub(crate) fn identifier(body: &[u8]) -> Option<PacketId> {
    match body {
        [high, low] => PacketId::new(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// The body of all four.
#[inline(always)]
pub(crate) fn body<'a>(
    context: Context,
    packet: PacketType,
    place: PropertyPlace,
    input: &'a [u8],
) -> Parsed<'a, (PacketId, ReasonCode, Properties<'a>)> {
    // Section 3.4.2.1: with a remaining length of 2 the reason code is 0x00.
    if let Some(packet_id) = identifier(input) {
        return Ok((&[], (packet_id, ReasonCode::SUCCESS, Properties::new(&[]))));
    }
    let (rest, packet_id) = parse::packet_id(input)?;
    if !context.version.has_properties() {
        return Ok((rest, (packet_id, ReasonCode::SUCCESS, Properties::new(&[]))));
    }
    // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
    let (rest, reason) = parse::reason_code(packet)(rest)?;
    // Section 3.4.2.2.1: with a remaining length of 3 there is no property length.
    if rest.is_empty() {
        return Ok((rest, (packet_id, reason, Properties::new(&[]))));
    }
    let (rest, properties) = properties(context, place, rest)?;
    Ok((rest, (packet_id, reason, properties)))
}

/// Reason code and properties at the end of a packet that may leave both out, DISCONNECT and AUTH included.
#[inline(always)]
pub(crate) fn write_tail<O: Output>(
    version: Version,
    packet: PacketType,
    place: PropertyPlace,
    reason: ReasonCode,
    properties: &Properties<'_>,
    out: &mut O,
) -> Result<(), EncodeError> {
    if reason == ReasonCode::SUCCESS && properties.none() {
        return Ok(());
    }
    write_some_tail(version, packet, place, reason, properties, out)
}

/// As [`write_tail`], where it cannot be left out.
fn write_some_tail<O: Output>(
    version: Version,
    packet: PacketType,
    place: PropertyPlace,
    reason: ReasonCode,
    properties: &Properties<'_>,
    out: &mut O,
) -> Result<(), EncodeError> {
    if !version.has_properties() {
        let field = if properties.none() { Field::ReasonCode } else { Field::Properties };
        return Err(EncodeError::NotInVersion { field, version });
    }
    if O::CHECKS && !reason.allowed_in(packet) {
        return Err(EncodeError::ReasonNotAllowed { reason, packet });
    }
    out.put_u8(reason.0);
    properties.write(version, place, out)
}
