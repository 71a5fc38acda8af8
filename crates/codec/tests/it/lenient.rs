//! What is taken only where the caller says so, and the limits that the caller sets.

use headwater_codec::topic::{InvalidTopicName, Limits as TopicLimits};
use headwater_codec::{
    Connect, DecodeError, DecodeOptions, Field, Frame, FrameReader, Limits, Packet, PacketType, Properties,
    PropertyId, PropertyPlace, Rule, Version,
};

/// A packet with its remaining length in two bytes, where one is enough.
fn padded(frame: &[u8]) -> Vec<u8> {
    [&[frame[0], frame[1] | 0x80, 0][..], &frame[2..]].concat()
}

fn framed(bytes: &[u8]) -> Frame {
    let mut frames = FrameReader::new(Limits::default().with_overlong_lengths());
    frames.extend(bytes);
    frames.next_frame().expect("lenient").expect("whole")
}

/// What a slice and a frame say, each leniently; they agree.
fn leniently(bytes: &[u8], version: Version) -> Result<PacketType, DecodeError> {
    let options = DecodeOptions::default().overlong_lengths(true);
    let alone = Packet::decode_with(bytes, version, options).map(|packet| packet.packet_type());
    assert_eq!(framed(bytes).packet(version).map(|packet| packet.packet_type()), alone);
    alone
}

#[test]
fn an_overlong_length_is_taken_before_5_0_and_only_if_asked_for() {
    let puback = padded(&[0x40, 2, 0, 7]);
    for version in Version::ALL {
        let strict = Packet::decode(&puback, version).map_err(|error| (error.rule, error.field));
        assert_eq!(strict, Err((Rule::VariableByteIntegerNotMinimal, Field::RemainingLength)));
        let lenient = leniently(&puback, version).map_err(|error| error.rule);
        let expected = match version {
            Version::V5 => Err(Rule::VariableByteIntegerNotMinimal),
            Version::V3_1 | Version::V3_1_1 => Ok(PacketType::PubAck),
        };
        assert_eq!(lenient, expected);
    }
}

#[test]
fn an_overlong_length_of_connect_is_judged_by_the_revision_that_connect_names() {
    let named = [
        (Version::V3_1, &b"\x10\x0F\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01i"[..]),
        (Version::V3_1_1, &b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x00\x00\x01i"[..]),
        (Version::V5, &b"\x10\x0E\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01i"[..]),
    ];
    for (names, frame) in named {
        let frame = padded(frame);
        assert_eq!(Connect::peek_version(&frame), Some(names));
        for passed in Version::ALL {
            let right = names < Version::V5;
            assert_eq!(leniently(&frame, passed).is_ok(), right, "{names}, read as {passed}");
            assert!(Packet::decode(&frame, passed).is_err());
        }
    }
}

#[test]
fn the_version_of_a_long_connect_is_seen() {
    let name = "x".repeat(300);
    let mut frame = Vec::new();
    assert_eq!(Connect::new(Version::V5, &name).encode(&mut frame), Ok(()));
    assert_eq!(Connect::peek_version(&frame), Some(Version::V5));
}

#[test]
fn a_limit_of_levels_holds_wherever_a_topic_stands() {
    let options = DecodeOptions::default().topic_limits(TopicLimits::default().levels_max(2));
    let publish = b"\x30\x0C\x00\x01t\x08\x08\x00\x05a/b/c".to_vec();
    let connect = b"\x10\x17\x00\x04MQTT\x04\x06\x00\x00\x00\x01i\x00\x05a/b/c\x00\x01p".to_vec();
    for (frame, field) in [(publish, Field::Property(PropertyId::ResponseTopic)), (connect, Field::WillTopic)]
    {
        assert!(Packet::decode(&frame, Version::V5).is_ok(), "{field}");
        let error = Packet::decode_with(&frame, Version::V5, options).expect_err("three levels");
        let rule = Rule::TopicName(InvalidTopicName::TooManyLevels { position: 3, levels_max: 2 });
        assert_eq!((error.rule, error.field), (rule, field));
    }
    let alone = b"\x08\x00\x05a/b/c";
    assert!(Properties::decode(alone, PropertyPlace::Publish, DecodeOptions::default()).is_ok());
    assert!(Properties::decode(alone, PropertyPlace::Publish, options).is_err());
}

#[test]
fn before_3_1_1_the_flags_of_a_will_that_is_not_there_are_disregarded() {
    for flags in [0x08, 0x18, 0x20, 0x38] {
        let mut frame = b"\x10\x0F\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01i".to_vec();
        frame[11] |= flags;
        let Ok(Packet::Connect(connect)) = Packet::decode(&frame, Version::V3_1) else {
            panic!("{flags:#x}")
        };
        assert_eq!((connect.will, connect.client_id), (None, "i"));
        let mut frame = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x00\x00\x01i".to_vec();
        frame[9] |= flags;
        let rule = Packet::decode(&frame, Version::V3_1_1).map_err(|error| error.rule);
        assert_eq!(rule.map(|_| ()), Err(Rule::WillFlagsWithoutWill));
    }
}
