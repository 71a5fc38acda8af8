//! Laws of what is written, told from the bytes alone: what the specification forbids a sender never leaves the encoder.

use headwater_codec::{Packet, PacketId, PacketType, Version};
use proptest::prelude::*;

use crate::generate::{any_packet, encode};

/// A variable byte integer and what follows it.
fn variable(bytes: &[u8]) -> (usize, &[u8]) {
    let count = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    // [MQTT-1.5.5-1]: four bytes at most, and the last one adds something.
    assert!(count <= 4 && (count == 1 || bytes[count - 1] != 0), "{:02x?}", &bytes[..count]);
    let value = (0..count).fold(0, |value, index| value | usize::from(bytes[index] & 0x7F) << (7 * index));
    (value, &bytes[count..])
}

/// Behind a string or binary field.
fn behind_field(bytes: &[u8]) -> &[u8] {
    &bytes[2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))..]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_first_byte_is_that_of_table_2_2((version, packet) in any_packet()) {
        // 3.1.1: [MQTT-2.2.2-1]; 5.0: [MQTT-2.1.3-1]; both: [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
        let first = encode(version, &packet)[0];
        let kind = packet.packet_type();
        prop_assert_eq!(first >> 4, kind.as_u8());
        match kind {
            PacketType::Publish => {
                // [MQTT-3.3.1-4], [MQTT-3.3.1-2]
                prop_assert!(first & 0b0110 != 0b0110);
                prop_assert!(first & 0b0110 != 0 || first & 0b1000 == 0);
            }
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
                prop_assert_eq!(first & 0x0F, 0b0010);
            }
            // [MQTT-3.15.1-1], [MQTT-3.14.1-1]
            _ => prop_assert_eq!(first & 0x0F, 0),
        }
    }

    #[test]
    fn the_remaining_length_is_short_and_true((version, packet) in any_packet()) {
        // [MQTT-1.5.5-1]
        let bytes = encode(version, &packet);
        let (length, body) = variable(&bytes[1..]);
        prop_assert_eq!(length, body.len());
    }

    #[test]
    fn a_packet_identifier_is_there_and_not_0_or_not_there((version, packet) in any_packet()) {
        // 3.1.1: [MQTT-2.3.1-1], [MQTT-2.3.1-5]; 5.0: [MQTT-2.2.1-2], [MQTT-2.2.1-3], [MQTT-2.2.1-4]
        let bytes = encode(version, &packet);
        let (_, body) = variable(&bytes[1..]);
        let id = match &packet {
            Packet::Publish(publish) => {
                let rest = behind_field(body);
                if bytes[0] & 0b0110 == 0 {
                    // Nothing stands between topic and payload, but for the properties of 5.0.
                    let rest = if version == Version::V5 {
                        let (length, rest) = variable(rest);
                        &rest[length..]
                    } else {
                        rest
                    };
                    prop_assert_eq!(rest, publish.payload);
                    return Ok(());
                }
                rest
            }
            Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::SubAck(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_) => body,
            _ => return Ok(()),
        };
        let written = u16::from_be_bytes([id[0], id[1]]);
        prop_assert!(written != 0);
        prop_assert_eq!(Some(written), packet.packet_id().map(PacketId::get));
    }

    #[test]
    fn where_there_are_no_properties_their_length_is_written_as_0((_, packet) in any_packet()) {
        // [MQTT-2.2.2-1]
        let version = Version::V5;
        let mut bytes = Vec::new();
        let (before, size) = match packet {
            Packet::Connect(connect) => {
                let bare = headwater_codec::Connect::new(version, connect.client_id);
                bare.encode(&mut bytes).expect("5.0 can say it");
                (10, 10 + 1 + 2 + connect.client_id.len())
            }
            Packet::Publish(publish) => {
                let Some(topic) = publish.topic else { return Ok(()) };
                let bare = headwater_codec::Publish::new(topic, publish.payload);
                bare.encode(version, &mut bytes).expect("5.0 can say it");
                let before = 2 + topic.as_str().len();
                (before, before + 1 + publish.payload.len())
            }
            Packet::SubAck(suback) => {
                let bare = headwater_codec::SubAck { properties: Default::default(), ..suback };
                bare.encode(version, &mut bytes).expect("5.0 can say it");
                (2, 3 + suback.reasons.len())
            }
            Packet::ConnAck(connack) => {
                let bare = headwater_codec::ConnAck { properties: Default::default(), ..connack };
                bare.encode(version, &mut bytes).expect("5.0 can say it");
                (2, 3)
            }
            _ => return Ok(()),
        };
        let (length, body) = variable(&bytes[1..]);
        prop_assert_eq!((length, body[before]), (size, 0));
    }
}
