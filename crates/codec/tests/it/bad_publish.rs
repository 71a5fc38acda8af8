//! Bad input: PUBLISH and the packets that acknowledge it.

use headwater_codec::{Field, Packet, PacketId, Publish, Rule, Version};
use headwater_topic::{InvalidTopicName, Limits, TopicName};

use crate::build::{field, frame, refused, right, wrong};

const V3_1_1: Version = Version::V3_1_1;
const V5: Version = Version::V5;

#[test]
fn rejects_publish_with_both_qos_bits_set() {
    for flags in [0b0110, 0b0111, 0b1110, 0b1111] {
        for version in Version::ALL {
            let frame = frame(0x30 | flags, b"\x00\x01a\x00\x01\x00");
            refused(&frame, version, Rule::QosReserved, Field::Flags, 0, 0x81);
        }
    }
}

#[test]
fn rejects_dup_with_qos_0() {
    for flags in [0b1000, 0b1001] {
        for version in Version::ALL {
            let frame = frame(0x30 | flags, b"\x00\x01a\x00");
            refused(&frame, version, Rule::DupWithQos0, Field::Flags, 0, 0x81);
        }
    }
}

#[test]
fn rejects_packet_identifier_0_wherever_there_is_one() {
    let rule = Rule::PacketIdZero;
    for version in Version::ALL {
        for first in [0x32, 0x34, 0x3A, 0x3D] {
            refused(&frame(first, b"\x00\x01a\x00\x00\x00"), version, rule, Field::PacketId, 5, 0x82);
        }
        for first in [0x40, 0x50, 0x62, 0x70, 0xB0] {
            refused(&[first, 2, 0, 0], version, rule, Field::PacketId, 2, 0x82);
        }
        for first in [0x82, 0x90, 0xA2] {
            refused(&frame(first, b"\x00\x00\x00\x00\x01a\x00"), version, rule, Field::PacketId, 2, 0x82);
        }
    }
}

#[test]
fn rejects_an_empty_topic_name_without_a_topic_alias() {
    let rule = Rule::TopicName(InvalidTopicName::Empty);
    refused(b"\x30\x02\x00\x00", V3_1_1, rule, Field::TopicName, 4, 0x82);
    refused(b"\x30\x03\x00\x00\x00", V5, rule, Field::TopicName, 2, 0x82);
    refused(b"\x30\x05\x00\x00\x02\x01\x00", V5, rule, Field::TopicName, 2, 0x82);
    let Packet::Publish(publish) = right(b"\x30\x07\x00\x00\x03\x23\x00\x05!", V5) else {
        panic!("a PUBLISH")
    };
    assert_eq!((publish.topic, publish.payload), (None, &b"!"[..]));
    assert_eq!(publish.properties.topic_alias().map(u16::from), Some(5));
}

#[test]
fn rejects_a_topic_name_with_a_wildcard() {
    for (topic, position) in [(&b"+"[..], 0), (b"#", 0), (b"a/#", 2), (b"a/+/b", 2), (b"a+b", 1)] {
        let rule = Rule::TopicName(InvalidTopicName::Wildcard { position });
        refused(&frame(0x30, &field(topic)), V3_1_1, rule, Field::TopicName, 4, 0x90);
        let body = [&field(topic)[..], &[0]].concat();
        refused(&frame(0x30, &body), V5, rule, Field::TopicName, 4, 0x90);
    }
}

#[test]
fn rejects_ill_formed_utf8_surrogates_and_nul_in_a_topic_name() {
    for version in Version::ALL {
        for bad in [&b"a\xED\xA0\x80"[..], b"a\xED\xBF\xBF", b"a\xC0\x80", b"a\xF4\x90\x80\x80", b"a\xC3"] {
            let frame = frame(0x30, &[&field(bad)[..], &[0]].concat());
            refused(&frame, version, Rule::IllFormedUtf8, Field::TopicName, 5, 0x81);
        }
        let frame = frame(0x30, &[&field(b"a\0b")[..], &[0]].concat());
        refused(&frame, version, Rule::NullCharacter, Field::TopicName, 5, 0x81);
    }
}

#[test]
fn a_topic_with_too_many_levels_is_refused_unless_options_allow_it() {
    let slashes = "/".repeat(128);
    let frame = frame(0x30, &field(slashes.as_bytes()));
    let error = wrong(&frame, V3_1_1);
    let rule = Rule::TopicName(InvalidTopicName::TooManyLevels { position: 127, levels_max: 128 });
    assert_eq!((error.rule, error.reason_code().0), (rule, 0x90));
    let options = headwater_codec::DecodeOptions::default().topic_limits(Limits::SPECIFICATION);
    let Ok(Packet::Publish(publish)) = Packet::decode_with(&frame, V3_1_1, options) else {
        panic!("a PUBLISH")
    };
    assert_eq!(publish.topic.map(TopicName::as_str), Some(&slashes[..]));
}

#[test]
fn a_remaining_length_above_127_is_read_right() {
    for size in [100, 127, 128, 200, 16_383, 16_384, 70_000] {
        let payload = vec![0x5A; size];
        let frame = frame(0x30, &[&b"\x00\x01a"[..], &payload].concat());
        let topic = TopicName::parse("a").expect("a name");
        assert_eq!(right(&frame, V3_1_1), Publish::new(topic, &payload).into());
    }
}

#[test]
fn an_acknowledgement_may_end_behind_identifier_or_reason_in_5_0() {
    for first in [0x40, 0x50, 0x62, 0x70] {
        let short = [first, 2, 0x12, 0x34];
        let reason = [first, 3, 0x12, 0x34, 0];
        let long = [first, 4, 0x12, 0x34, 0, 0];
        assert_eq!(right(&short, V5), right(&reason, V5));
        assert_eq!(right(&short, V5), right(&long, V5));
        assert_eq!(right(&short, V5).packet_id(), PacketId::new(0x1234));
    }
    assert_eq!(right(&[0xE0, 0], V5), right(&[0xE0, 1, 0], V5));
    assert_eq!(right(&[0xE0, 0], V5), right(&[0xE0, 2, 0, 0], V5));
}
