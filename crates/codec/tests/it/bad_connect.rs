//! Bad input: CONNECT and CONNACK.

use headwater_codec::{ConnAck, Connect, Field, Packet, ReasonCode, Rule, Version};

use crate::build::{connect, field, frame, refused, right};

const V3_1: Version = Version::V3_1;
const V3_1_1: Version = Version::V3_1_1;
const V5: Version = Version::V5;

/// Name and level of a revision.
fn of(version: Version) -> (&'static [u8], u8) {
    (version.protocol_name().as_bytes(), version.level())
}

/// A CONNECT with these flags; 5.0 has its empty properties.
fn with_flags(version: Version, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let (name, level) = of(version);
    let mut parts: Vec<&[u8]> = if version == V5 { vec![&[0]] } else { vec![] };
    parts.extend_from_slice(rest);
    connect(name, level, flags, &parts)
}

#[test]
fn connect_names_its_own_revision() {
    for version in Version::ALL {
        let frame = with_flags(version, 0x02, &[b"\x00\x01c"]);
        for asked in Version::ALL {
            let Packet::Connect(packet) = right(&frame, asked) else { panic!("a CONNECT") };
            assert_eq!(packet, Connect { keep_alive_secs: 10, ..Connect::new(version, "c") });
        }
        assert_eq!(Connect::peek_version(&frame), Some(version));
    }
}

#[test]
fn rejects_a_wrong_protocol_name() {
    for name in [&b""[..], b"MQTT\0", b"mqtt", b"MQT", b"MQIsdP", b"AMQP", b"\xFF\xFF\xFF\xFF"] {
        refused(&connect(name, 4, 2, &[b"\x00\x01c"]), V5, Rule::ProtocolName, Field::ProtocolName, 2, 0x84);
    }
}

#[test]
fn rejects_a_wrong_protocol_version() {
    for (name, right) in [(&b"MQTT"[..], &[4, 5][..]), (b"MQIsdp", &[3])] {
        for level in (0..=u8::MAX).filter(|level| !right.contains(level)) {
            let rule = Rule::ProtocolVersion { level };
            let frame = connect(name, level, 2, &[b"\x00\x01c"]);
            refused(&frame, V5, rule, Field::ProtocolVersion, 4 + name.len(), 0x84);
            assert_eq!(Connect::peek_version(&frame), None);
        }
    }
}

#[test]
fn rejects_the_reserved_connect_flag() {
    for version in Version::ALL {
        let frame = with_flags(version, 0x03, &[b"\x00\x01c"]);
        let position = 2 + 2 + version.protocol_name().len() + 1;
        refused(&frame, V5, Rule::ConnectFlagReserved, Field::ConnectFlags, position, 0x81);
        assert_eq!(Connect::peek_version(&frame), Some(version));
    }
}

#[test]
fn rejects_will_flags_without_a_will() {
    for flags in [0x08, 0x10, 0x18, 0x20, 0x28, 0x38] {
        for version in [V3_1_1, V5] {
            let frame = with_flags(version, flags, &[b"\x00\x01c"]);
            refused(&frame, V5, Rule::WillFlagsWithoutWill, Field::ConnectFlags, 9, 0x81);
        }
    }
}

#[test]
fn rejects_will_qos_3() {
    for version in [V3_1_1, V5] {
        let frame = with_flags(version, 0x1E, &[b"\x00\x01c", b"\x00\x01t", b"\x00\x01p"]);
        refused(&frame, V5, Rule::QosReserved, Field::ConnectFlags, 9, 0x81);
    }
}

#[test]
fn rejects_a_password_without_a_user_name_before_5_0() {
    let rest: [&[u8]; 2] = [b"\x00\x01c", b"\x00\x01p"];
    let rule = Rule::PasswordWithoutUserName;
    refused(&with_flags(V3_1_1, 0x42, &rest), V5, rule, Field::ConnectFlags, 9, 0x81);
    refused(&with_flags(V3_1, 0x42, &rest), V5, rule, Field::ConnectFlags, 11, 0x81);
    let frame = with_flags(V5, 0x42, &rest);
    let Packet::Connect(packet) = right(&frame, V5) else { panic!("a CONNECT") };
    assert_eq!((packet.user_name, packet.password), (None, Some(&b"p"[..])));
}

#[test]
fn reads_a_3_1_connect_whose_user_name_and_password_are_missing_at_the_end() {
    for (flags, rest, user_name, password) in [
        (0x82, vec![&b"\x00\x01c"[..]], None, None),
        (0xC2, vec![b"\x00\x01c"], None, None),
        (0xC2, vec![b"\x00\x01c", b"\x00\x01u"], Some("u"), None),
        (0xC2, vec![b"\x00\x01c", b"\x00\x01u", b"\x00\x01p"], Some("u"), Some(&b"p"[..])),
    ] {
        let frame = with_flags(V3_1, flags, &rest);
        let Packet::Connect(packet) = right(&frame, V3_1) else { panic!("a CONNECT") };
        assert_eq!((packet.user_name, packet.password), (user_name, password));
    }
    let frame = with_flags(V3_1_1, 0x82, &[b"\x00\x01c"]);
    refused(&frame, V3_1_1, Rule::Truncated, Field::UserName, frame.len(), 0x81);
}

#[test]
fn reads_long_and_empty_client_identifiers() {
    let long = "client".repeat(10);
    for version in Version::ALL {
        for text in ["", &long] {
            let frame = with_flags(version, 0x02, &[&field(text.as_bytes())]);
            let Packet::Connect(packet) = right(&frame, version) else { panic!("a CONNECT") };
            assert_eq!(packet.client_id, text);
        }
    }
}

#[test]
fn rejects_ill_formed_utf8_surrogates_and_nul_in_every_string_of_connect() {
    // Where a string begins in a 3.1.1 CONNECT that has them all, and its field.
    let parts: [&[u8]; 5] = [b"\x00\x03cid", b"\x00\x03top", b"\x00\x03pay", b"\x00\x03usr", b"\x00\x03pwd"];
    let frame = with_flags(V3_1_1, 0xC6, &parts);
    for (at, field) in [(14, Field::ClientId), (19, Field::WillTopic), (29, Field::UserName)] {
        // A surrogate, an overlong NUL, and a byte that is never UTF-8.
        for bad in [[0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xC0, 0x80, b'x'], [0xFF, b'x', b'x']] {
            let mut frame = frame.clone();
            frame[at..at + 3].copy_from_slice(&bad);
            refused(&frame, V5, Rule::IllFormedUtf8, field, at, 0x81);
        }
        let mut frame = frame.clone();
        frame[at + 1] = 0;
        refused(&frame, V5, Rule::NullCharacter, field, at + 1, 0x81);
    }
    // Will payload and password are bytes.
    let mut frame = frame.clone();
    for at in [24, 34] {
        frame[at..at + 3].copy_from_slice(&[0xFF, 0x00, 0xED]);
    }
    right(&frame, V5);
}

#[test]
fn keeps_the_byte_order_mark_in_a_string() {
    let frame = with_flags(V3_1_1, 0x02, &[b"\x00\x05e\xEF\xBB\xBFd"]);
    let Packet::Connect(packet) = right(&frame, V3_1_1) else { panic!("a CONNECT") };
    assert_eq!(packet.client_id, "e\u{FEFF}d");
}

#[test]
fn rejects_a_will_topic_with_a_wildcard_or_empty() {
    for (topic, answer) in [(&b"a/+"[..], 0x90), (b"#", 0x90), (b"", 0x82)] {
        let frame = with_flags(V3_1_1, 0x06, &[b"\x00\x01c", &field(topic), b"\x00\x00"]);
        let error = crate::build::wrong(&frame, V5);
        assert!(matches!(error.rule, Rule::TopicName(_)), "{error}");
        assert_eq!((error.field, error.position, error.reason_code().0), (Field::WillTopic, 19 - 2, answer));
    }
}

#[test]
fn rejects_authentication_data_without_a_method() {
    let frame = connect(b"MQTT", 5, 2, &[b"\x04\x16\x00\x01x", b"\x00\x01c"]);
    refused(&frame, V5, Rule::AuthenticationDataAlone, Field::Properties, 12, 0x82);
    let frame = connect(b"MQTT", 5, 2, &[b"\x08\x16\x00\x01x\x15\x00\x01m", b"\x00\x01c"]);
    right(&frame, V5);
}

#[test]
fn rejects_an_auth_without_a_method() {
    for body in [&b"\x18\x00"[..], b"\x00\x00", b"\x19\x04\x16\x00\x01x"] {
        let rule = Rule::NoAuthenticationMethod;
        refused(&frame(0xF0, body), V5, rule, Field::Properties, 3, 0x82);
    }
}

#[test]
fn rejects_reserved_acknowledge_flags() {
    for flags in 0..=u8::MAX {
        let rule = Rule::AcknowledgeFlagsReserved { flags };
        if flags > 1 {
            refused(&[0x20, 2, flags, 0], V3_1_1, rule, Field::AcknowledgeFlags, 2, 0x81);
            refused(&[0x20, 3, flags, 0, 0], V5, rule, Field::AcknowledgeFlags, 2, 0x81);
        }
        // 3.1 has no session present flag.
        if flags > 0 {
            refused(&[0x20, 2, flags, 0], V3_1, rule, Field::AcknowledgeFlags, 2, 0x81);
        }
    }
}

#[test]
fn rejects_session_present_in_a_refusal() {
    let rule = Rule::SessionPresentInRefusal;
    refused(&[0x20, 2, 1, 5], V3_1_1, rule, Field::AcknowledgeFlags, 2, 0x82);
    refused(&[0x20, 3, 1, 0x87, 0], V5, rule, Field::AcknowledgeFlags, 2, 0x82);
    assert_eq!(right(&[0x20, 2, 1, 0], V3_1_1), ConnAck::accepted(true).into());
    assert_eq!(right(&[0x20, 2, 0, 5], V3_1_1), ConnAck::refused(ReasonCode::NOT_AUTHORIZED).into());
}
