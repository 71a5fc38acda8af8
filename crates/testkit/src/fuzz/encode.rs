//! Packets of any shape to be encoded.

use headwater_codec::{
    ConnAck, DecodeOptions, EncodeError, Field, Packet, PacketType, PropertyId, ReasonCode, ReasonCodes,
    SubAck, Version,
};
use headwater_topic::Limits as TopicLimits;

use super::build::{self, Input, Lists};
use super::{fan_out, places, sinks, version};

/// A packet, right or wrong, built from the input: the first byte chooses the revision, the second the kind, and the fields
/// follow. What encodes reads equal, what does not has the reason that its error gives, and no sink has half a packet. A
/// message is stamped for many receivers as well.
///
/// # Panics
///
/// When one of this does not hold.
pub fn encode(input: &[u8]) {
    let mut input = Input(input);
    let version = version(input.byte());
    let number = usize::from(input.byte());
    let Some(kind) = PacketType::ALL.get(number % PacketType::ALL.len()) else { return };
    let lists = Lists::read(&mut input, *kind);
    let packet = build::packet(&mut input, *kind, version, &lists);
    match sinks::encode(&packet, version) {
        Ok(wire) => {
            // The caller may have built names of more levels than a receiver takes by default.
            let options = DecodeOptions::default().topic_limits(TopicLimits::SPECIFICATION);
            let read = Packet::decode_with(&wire, version, options);
            let mut reasons = Vec::new();
            assert_eq!(read, Ok(as_read(packet, version, &mut reasons)));
        }
        Err(error) => assert!(justified(error, &packet, version), "{error}: {packet:?}"),
    }
    if let Packet::Publish(message) = packet {
        fan_out::fan_out(message, version, &mut input);
    }
}

/// The packet as its receiver reads it: before 5.0 there are fewer reason codes.
fn as_read<'a>(packet: Packet<'a>, version: Version, reasons: &'a mut Vec<ReasonCode>) -> Packet<'a> {
    match packet {
        Packet::ConnAck(ack) if version < Version::V5 => {
            let reason = match ack.reason.0 {
                0 | 0x84..=0x88 => ack.reason,
                // Later, or elsewhere.
                0x80 | 0x83 | 0x89 | 0x97 | 0x9C | 0x9D | 0x9F => ReasonCode::SERVER_UNAVAILABLE,
                // Not in this way.
                _ => ReasonCode::NOT_AUTHORIZED,
            };
            ConnAck { reason, ..ack }.into()
        }
        Packet::SubAck(ack) if version < Version::V5 => {
            let one = |code: ReasonCode| if code.is_error() { ReasonCode::UNSPECIFIED_ERROR } else { code };
            reasons.extend(ack.reasons.iter().map(one));
            SubAck { reasons: ReasonCodes::new(reasons), ..ack }.into()
        }
        other => other,
    }
}

/// True if what the error says is so.
fn justified(error: EncodeError, packet: &Packet<'_>, version: Version) -> bool {
    let old = version < Version::V5;
    match error {
        EncodeError::TooLong { bytes, .. } => bytes > 65_535,
        EncodeError::NullCharacter { field } => has_null(packet, field),
        EncodeError::NotInVersion { version: named, .. } => old && named == version,
        EncodeError::PropertyNotAllowed { property, place } => !property.allowed_in(place),
        EncodeError::PropertyTwice { property } => property != PropertyId::UserProperty,
        EncodeError::PropertyOutOfRange { property } => property == PropertyId::MaximumQoS,
        EncodeError::NoTopic => matches!(packet, Packet::Publish(publish) if publish.topic.is_none()),
        EncodeError::NoFilters { packet: kind } => {
            kind == packet.packet_type()
                && match packet {
                    Packet::Subscribe(subscribe) => subscribe.filters.is_empty(),
                    Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.is_empty(),
                    _ => false,
                }
        }
        EncodeError::NoLocalShared => match packet {
            Packet::Subscribe(subscribe) => subscribe
                .filters
                .iter()
                .any(|subscription| subscription.options.no_local && subscription.filter.shared().is_some()),
            _ => false,
        },
        EncodeError::NoReasonCodes { packet: kind } => {
            kind == packet.packet_type()
                && match packet {
                    Packet::SubAck(ack) => ack.reasons.is_empty(),
                    Packet::UnsubAck(ack) => ack.reasons.is_empty(),
                    _ => false,
                }
        }
        EncodeError::ReasonNotAllowed { reason, packet: kind } => {
            kind == packet.packet_type() && !reason.allowed_in(kind)
        }
        EncodeError::SessionPresentInRefusal => {
            matches!(packet, Packet::ConnAck(ack) if ack.session_present && ack.reason != ReasonCode::SUCCESS)
        }
        EncodeError::PasswordWithoutUserName => match packet {
            Packet::Connect(connect) => old && connect.user_name.is_none() && connect.password.is_some(),
            _ => false,
        },
        EncodeError::AuthenticationDataAlone => match packet {
            Packet::Connect(connect) => {
                connect.properties.authentication_data().is_some()
                    && connect.properties.authentication_method().is_none()
            }
            _ => false,
        },
        EncodeError::NoAuthenticationMethod => {
            matches!(packet, Packet::Auth(auth) if auth.properties.authentication_method().is_none())
        }
        // Nothing that is built here is larger than the protocol allows, or than a sink that grows takes.
        _ => false,
    }
}

/// True if a text in this field has a U+0000.
fn has_null(packet: &Packet<'_>, field: Field) -> bool {
    match (field, packet) {
        (Field::ClientId, Packet::Connect(connect)) => connect.client_id.contains('\0'),
        (Field::UserName, Packet::Connect(connect)) => {
            connect.user_name.is_some_and(|name| name.contains('\0'))
        }
        // Texts are printed with escapes.
        (Field::Property(id), _) => places::properties(packet)
            .flat_map(|(_, properties)| properties.iter())
            .any(|property| property.id() == id && format!("{property:?}").contains("\\0")),
        _ => false,
    }
}
