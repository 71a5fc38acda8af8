//! Bad input: the fixed header, and packets that are too long or too short for their fields.

use headwater_codec::frame::{Header, first};
use headwater_codec::{Field, FrameReader, Limits, Packet, PacketType, Rule, Status, Version};

use crate::build::{cut_short, frame, refused, right, wrong};

/// A frame of each kind that is right in every revision, or in 5.0 alone for AUTH.
fn samples() -> Vec<(PacketType, Vec<u8>)> {
    vec![
        (PacketType::Connect, b"\x10\x0C\x00\x04MQTT\x04\x02\x00\x0A\x00\x00".to_vec()),
        (PacketType::ConnAck, vec![0x20, 2, 0, 0]),
        (PacketType::Publish, vec![0x30, 3, 0, 1, b'a']),
        (PacketType::PubAck, vec![0x40, 2, 0, 1]),
        (PacketType::PubRec, vec![0x50, 2, 0, 1]),
        (PacketType::PubRel, vec![0x62, 2, 0, 1]),
        (PacketType::PubComp, vec![0x70, 2, 0, 1]),
        (PacketType::Subscribe, vec![0x82, 6, 0, 1, 0, 1, b'a', 0]),
        (PacketType::SubAck, vec![0x90, 3, 0, 1, 0]),
        (PacketType::Unsubscribe, vec![0xA2, 5, 0, 1, 0, 1, b'a']),
        (PacketType::UnsubAck, vec![0xB0, 2, 0, 1]),
        (PacketType::PingReq, vec![0xC0, 0]),
        (PacketType::PingResp, vec![0xD0, 0]),
        (PacketType::Disconnect, vec![0xE0, 0]),
        (PacketType::Auth, vec![0xF0, 0]),
    ]
}

#[test]
fn any_prefix_of_a_packet_is_incomplete_and_says_what_is_needed() {
    let limits = Limits::default();
    for (kind, packet) in samples() {
        for length in 0..packet.len() {
            let prefix = &packet[..length];
            let Ok(Status::Partial { needed }) = first(prefix, &limits) else {
                panic!("{kind}: {length} bytes are not all")
            };
            // With less than the header, the body is not known yet.
            let known = if length < 2 { 2 } else { packet.len() };
            assert_eq!(needed, known - length);
            let error = wrong(prefix, Version::V5);
            assert_eq!((error.rule, error.position), (Rule::Truncated, length));
        }
        assert_eq!(first(&packet, &limits), Ok(Status::Complete(&packet[..])));
    }
}

#[test]
fn rejects_packet_type_0_in_every_revision() {
    for version in Version::ALL {
        for flags in 0..16 {
            let rule = Rule::PacketTypeReserved { packet_type: 0 };
            refused(&[flags, 0], version, rule, Field::PacketType, 0, 0x81);
        }
    }
}

#[test]
fn rejects_packet_type_15_before_5_0() {
    let rule = Rule::PacketTypeReserved { packet_type: 15 };
    refused(&[0xF0, 0], Version::V3_1, rule, Field::PacketType, 0, 0x81);
    refused(&[0xF0, 0], Version::V3_1_1, rule, Field::PacketType, 0, 0x81);
    assert!(matches!(right(&[0xF0, 0], Version::V5), Packet::Auth(_)));
}

#[test]
fn rejects_reserved_flags_of_every_kind_but_publish() {
    for (kind, packet) in samples() {
        if kind == PacketType::Publish {
            continue;
        }
        for flags in (0..16).filter(|flags| *flags != packet[0] & 0x0F) {
            let mut bad = packet.clone();
            bad[0] = packet[0] & 0xF0 | flags;
            for version in [Version::V3_1_1, Version::V5] {
                if kind == PacketType::Auth && version < Version::V5 {
                    continue;
                }
                refused(&bad, version, Rule::FlagsReserved { flags }, Field::Flags, 0, 0x81);
            }
        }
    }
}

#[test]
fn reads_dup_in_three_packets_of_3_1_and_nowhere_else() {
    for (kind, packet) in samples() {
        if matches!(kind, PacketType::Publish | PacketType::Auth) {
            continue;
        }
        let mut repeated = packet.clone();
        repeated[0] |= 0b1000;
        let version = Version::V3_1;
        if matches!(kind, PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe) {
            assert_eq!(right(&repeated, version), right(&packet, version));
        } else {
            assert!(matches!(wrong(&repeated, version).rule, Rule::FlagsReserved { .. }), "{kind}");
        }
    }
}

#[test]
fn rejects_a_variable_byte_integer_of_five_bytes_at_its_fourth() {
    let limits = Limits::PROTOCOL;
    assert_eq!(Header::decode(&[0x30, 0x80, 0x80, 0x80], &limits), Ok(Status::Partial { needed: 1 }));
    let rule = Rule::VariableByteIntegerTooLong;
    refused(&[0x30, 0x80, 0x80, 0x80, 0x80], Version::V5, rule, Field::RemainingLength, 1, 0x81);
    refused(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], Version::V3_1_1, rule, Field::RemainingLength, 1, 0x81);
}

#[test]
fn rejects_a_remaining_length_with_more_bytes_than_it_needs() {
    let rule = Rule::VariableByteIntegerNotMinimal;
    for version in Version::ALL {
        refused(&[0xC0, 0x80, 0x00], version, rule, Field::RemainingLength, 1, 0x81);
        refused(&[0x40, 0x82, 0x80, 0x00, 0, 1], version, rule, Field::RemainingLength, 1, 0x81);
    }
}

#[test]
fn rejects_a_packet_above_the_limit_of_its_type_from_the_header_alone() {
    let limits = Limits::new(1000).with(PacketType::Connect, 100);
    let rule =
        |frame: &[u8]| Header::decode(frame, &limits).map_err(|error| (error.rule, error.reason_code().0));
    // 2 + 98 bytes and 3 + 997 bytes fit exactly.
    assert!(rule(&[0x10, 98]).is_ok());
    assert_eq!(rule(&[0x10, 99]), Err((Rule::PacketTooLarge { size: 101, limit: 100 }, 0x95)));
    assert!(rule(&[0x30, 0xE5, 0x07]).is_ok());
    assert_eq!(rule(&[0x30, 0xE6, 0x07]), Err((Rule::PacketTooLarge { size: 1001, limit: 1000 }, 0x95)));
    // Nothing of the body has come, and nothing is kept.
    let mut frames = FrameReader::new(limits);
    frames.extend(&[0x10, 99]);
    assert!(frames.next_frame().is_err());
    assert_eq!(frames.buffered(), 0);
}

#[test]
fn rejects_bytes_behind_the_packet() {
    for (kind, mut packet) in samples() {
        let size = packet.len();
        packet.extend_from_slice(&[0xC0, 0x00]);
        let error = wrong(&packet, Version::V5);
        assert_eq!((error.rule, error.position), (Rule::TrailingBytes { bytes: 2 }, size), "{kind}");
    }
}

#[test]
fn rejects_a_body_longer_than_its_fields() {
    let v3 = Version::V3_1_1;
    let v5 = Version::V5;
    let cases: [(Version, u8, &[u8], usize); 15] = [
        (v3, 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x00!", 1),
        (v5, 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x00\x00\x00!!", 2),
        (v3, 0x20, &[0, 0, 0], 1),
        (v5, 0x20, &[0, 0, 0, 7], 1),
        (v3, 0x40, &[0, 1, 0], 1),
        (v5, 0x40, &[0, 1, 0, 0, 9], 1),
        (v5, 0x50, &[0, 1, 0, 0, 9], 1),
        (v5, 0x62, &[0, 1, 0, 0, 9], 1),
        (v5, 0x70, &[0, 1, 0, 0, 9], 1),
        (v3, 0xB0, &[0, 1, 0], 1),
        (v5, 0xC0, &[0], 1),
        (v5, 0xD0, &[0, 0], 2),
        (v3, 0xE0, &[0], 1),
        (v5, 0xE0, &[0, 0, 0], 1),
        (v5, 0xF0, b"\x18\x04\x15\x00\x01x!", 1),
    ];
    for (version, first, body, bytes) in cases {
        let frame = frame(first, body);
        let position = frame.len() - bytes;
        refused(&frame, version, Rule::TrailingBytes { bytes }, Field::Body, position, 0x81);
    }
}

#[test]
fn rejects_every_field_that_runs_past_the_end_of_its_body() {
    let v3 = Version::V3_1_1;
    let v5 = Version::V5;
    // The field that is cut, and the body up to the cut.
    let cases: &[(Version, u8, &[u8], Field)] = &[
        (v3, 0x10, b"", Field::ProtocolName),
        (v3, 0x10, b"\x00\x04MQT", Field::ProtocolName),
        (v3, 0x10, b"\x00\x04MQTT", Field::ProtocolVersion),
        (v3, 0x10, b"\x00\x04MQTT\x04", Field::ConnectFlags),
        (v3, 0x10, b"\x00\x04MQTT\x04\x02\x00", Field::KeepAlive),
        (v5, 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A", Field::Properties),
        (v5, 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x05\x11\x00", Field::Properties),
        (v3, 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A", Field::ClientId),
        (v3, 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x02a", Field::ClientId),
        (v5, 0x10, b"\x00\x04MQTT\x05\x06\x00\x0A\x00\x00\x00", Field::Properties),
        (v3, 0x10, b"\x00\x04MQTT\x04\x06\x00\x0A\x00\x00\x00\x02a", Field::WillTopic),
        (v3, 0x10, b"\x00\x04MQTT\x04\x06\x00\x0A\x00\x00\x00\x01a\x00\x02b", Field::WillPayload),
        (v3, 0x10, b"\x00\x04MQTT\x04\x82\x00\x0A\x00\x00\x00\x02a", Field::UserName),
        (v3, 0x10, b"\x00\x04MQTT\x04\xC2\x00\x0A\x00\x00\x00\x01a\x00\x02b", Field::Password),
        (v3, 0x20, b"", Field::AcknowledgeFlags),
        (v3, 0x20, b"\x00", Field::ReasonCode),
        (v5, 0x20, b"\x00\x00", Field::Properties),
        (v3, 0x30, b"\x00", Field::TopicName),
        (v3, 0x30, b"\x00\x02a", Field::TopicName),
        (v3, 0x32, b"\x00\x01a\x00", Field::PacketId),
        (v5, 0x30, b"\x00\x01a", Field::Properties),
        (v5, 0x30, b"\x00\x01a\x02\x01", Field::Properties),
        (v3, 0x40, b"\x00", Field::PacketId),
        (v3, 0x50, b"", Field::PacketId),
        (v3, 0x62, b"\x00", Field::PacketId),
        (v3, 0x70, b"\x00", Field::PacketId),
        (v5, 0x40, b"\x00\x01\x00\x01", Field::Properties),
        (v3, 0x82, b"\x00", Field::PacketId),
        (v5, 0x82, b"\x00\x01", Field::Properties),
        (v3, 0x82, b"\x00\x01\x00\x02a", Field::TopicFilter),
        (v3, 0x82, b"\x00\x01\x00\x01a", Field::SubscriptionOptions),
        (v3, 0x82, b"\x00\x01\x00\x01a\x00\x00", Field::TopicFilter),
        (v3, 0x90, b"\x00", Field::PacketId),
        (v5, 0x90, b"\x00\x01", Field::Properties),
        (v3, 0xA2, b"\x00", Field::PacketId),
        (v5, 0xA2, b"\x00\x01", Field::Properties),
        (v3, 0xA2, b"\x00\x01\x00\x02a", Field::TopicFilter),
        (v3, 0xB0, b"\x00", Field::PacketId),
        (v5, 0xB0, b"\x00\x01", Field::Properties),
        (v5, 0xE0, b"\x00\x01", Field::Properties),
        // Unlike PUBACK and DISCONNECT, AUTH may not end behind its reason code.
        (v5, 0xF0, b"\x18", Field::Properties),
    ];
    for (version, first, body, field) in cases {
        cut_short(&frame(*first, body), *version, *field);
    }
}
