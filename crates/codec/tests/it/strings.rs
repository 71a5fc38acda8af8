//! Strings: every place that holds one, with what a string must not contain and what must not be done to it (section 1.5.4; 1.5.3 in
//! 3.1.1).

use headwater_codec::{Field, Packet, Rule, Version};

use crate::build::{field, frame, refused, right};
use crate::generate::encode;

/// A place for a string: its name, the frame around a string, and where the string begins in it.
type Place = (&'static str, Field, fn(&[u8]) -> Vec<u8>, usize);

/// Every string of 3.1.1 that comes from the wire.
const PLACES: [Place; 6] = [
    ("client identifier", Field::ClientId, |text| connect(0x02, &[&field(text)]), 14),
    ("will topic", Field::WillTopic, |text| connect(0x06, &[b"\x00\x01c", &field(text), b"\x00\x00"]), 17),
    ("user name", Field::UserName, |text| connect(0x82, &[b"\x00\x01c", &field(text)]), 17),
    ("topic name", Field::TopicName, |text| frame(0x30, &field(text)), 4),
    ("filter", Field::TopicFilter, |text| frame(0x82, &[&[0, 1], &field(text)[..], &[0]].concat()), 6),
    ("filter", Field::TopicFilter, |text| frame(0xA2, &[&[0, 1], &field(text)[..]].concat()), 6),
];

fn connect(flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    crate::build::connect(b"MQTT", 4, flags, rest)
}

/// The string in this place of a packet.
fn string<'a>(packet: &Packet<'a>, place: Field) -> &'a str {
    match packet {
        Packet::Connect(connect) if place == Field::ClientId => connect.client_id,
        Packet::Connect(connect) if place == Field::UserName => connect.user_name.expect("a user name"),
        Packet::Connect(connect) => connect.will.expect("a will").topic.as_str(),
        Packet::Publish(publish) => publish.topic.expect("a topic").as_str(),
        Packet::Subscribe(subscribe) => subscribe.filters.iter().next().expect("one").filter.as_str(),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.iter().next().expect("one").as_str(),
        other => panic!("no string in {other:?}"),
    }
}

#[test]
fn a_byte_order_mark_is_a_character_like_any_other_wherever_it_stands() {
    // 5.0: [MQTT-1.5.4-3]; 3.1.1: [MQTT-1.5.3-3]
    for (name, place, around, _) in PLACES {
        for text in ["\u{FEFF}", "\u{FEFF}ab", "a\u{FEFF}b", "ab\u{FEFF}", "\u{FEFF}\u{FEFF}"] {
            let frame = around(text.as_bytes());
            let packet = right(&frame, Version::V3_1_1);
            assert_eq!(string(&packet, place), text, "{name}");
            assert_eq!(encode(Version::V3_1_1, &packet), frame, "{name}");
        }
    }
    // In a property, both halves of a pair.
    let frame = frame(0xE0, b"\x00\x0C\x26\x00\x03\xEF\xBB\xBF\x00\x04\xEF\xBB\xBFv");
    let Packet::Disconnect(packet) = right(&frame, Version::V5) else { panic!("a DISCONNECT") };
    let pairs: Vec<_> = packet.properties.user_properties().collect();
    assert_eq!(pairs, [("\u{FEFF}", "\u{FEFF}v")]);
}

#[test]
fn every_surrogate_is_refused_and_its_neighbours_are_not() {
    // 5.0: [MQTT-1.5.4-1]; 3.1.1: [MQTT-1.5.3-1]
    let three =
        |code: u32| [0xE0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8];
    for (_, place, around, at) in PLACES {
        for code in 0xD7F0..0xE010_u32 {
            let frame = around(&three(code));
            if (0xD800..0xE000).contains(&code) {
                refused(&frame, Version::V3_1_1, Rule::IllFormedUtf8, place, at, 0x81);
            } else {
                let packet = right(&frame, Version::V3_1_1);
                assert_eq!(string(&packet, place).chars().map(u32::from).collect::<Vec<_>>(), [code]);
            }
        }
    }
}

#[test]
fn the_null_character_is_refused_at_every_position() {
    // 5.0: [MQTT-1.5.4-2], [MQTT-4.7.3-2]; 3.1.1: [MQTT-1.5.3-2], [MQTT-4.7.3-2]
    for (_, place, around, at) in PLACES {
        for position in 0..5 {
            let mut text = *b"abcde";
            text[position] = 0;
            refused(&around(&text), Version::V3_1_1, Rule::NullCharacter, place, at + position, 0x81);
        }
    }
}
