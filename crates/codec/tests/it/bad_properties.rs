//! Bad input: properties, every kind in every place.

use headwater_codec::{Field, Packet, Properties, PropertyId, PropertyPlace, Rule, Version};

use crate::build::{cut_short, frame, refused, right, wrong};

const V5: Version = Version::V5;

/// The 27 properties: identifier, a right value, and the places of table 2-4.
const TABLE: [(u8, &[u8], &str); 27] = [
    (0x01, &[1], "PUBLISH will"),
    (0x02, &[0, 0, 0, 9], "PUBLISH will"),
    (0x03, &[0, 1, b'x'], "PUBLISH will"),
    (0x08, &[0, 1, b'x'], "PUBLISH will"),
    (0x09, &[0, 1, 0xFF], "PUBLISH will"),
    (0x0B, &[0xFF, 0xFF, 0xFF, 0x7F], "PUBLISH SUBSCRIBE"),
    (0x11, &[0, 0, 0, 0], "CONNECT CONNACK DISCONNECT"),
    (0x12, &[0, 1, b'x'], "CONNACK"),
    (0x13, &[0, 0], "CONNACK"),
    (0x15, &[0, 1, b'x'], "CONNECT CONNACK AUTH"),
    (0x16, &[0, 1, 0xFF], "CONNECT CONNACK AUTH"),
    (0x17, &[0], "CONNECT"),
    (0x18, &[0, 0, 0, 0], "will"),
    (0x19, &[1], "CONNECT"),
    (0x1A, &[0, 1, b'x'], "CONNACK"),
    (0x1C, &[0, 1, b'x'], "CONNACK DISCONNECT"),
    (0x1F, &[0, 1, b'x'], "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"),
    (0x21, &[0, 1], "CONNECT CONNACK"),
    (0x22, &[0, 0], "CONNECT CONNACK"),
    (0x23, &[0, 1], "PUBLISH"),
    (0x24, &[1], "CONNACK"),
    (0x25, &[0], "CONNACK"),
    (
        0x26,
        &[0, 1, b'n', 0, 1, b'v'],
        "CONNECT CONNACK PUBLISH will PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK \
         DISCONNECT AUTH",
    ),
    (0x27, &[0, 0, 0, 1], "CONNECT CONNACK"),
    (0x28, &[1], "CONNACK"),
    (0x29, &[1], "CONNACK"),
    (0x2A, &[1], "CONNACK"),
];

/// The places: name, first byte, what stands before the properties, what stands behind.
const PLACES: [(&str, PropertyPlace, u8, &[u8], &[u8]); 14] = [
    ("CONNECT", PropertyPlace::Connect, 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A", b"\x00\x00"),
    ("will", PropertyPlace::Will, 0x10, b"\x00\x04MQTT\x05\x06\x00\x0A\x00\x00\x00", b"\x00\x01t\x00\x00"),
    ("CONNACK", PropertyPlace::ConnAck, 0x20, &[0, 0], &[]),
    ("PUBLISH", PropertyPlace::Publish, 0x30, &[0, 1, b'a'], b"payload"),
    ("PUBACK", PropertyPlace::PubAck, 0x40, &[0, 1, 0], &[]),
    ("PUBREC", PropertyPlace::PubRec, 0x50, &[0, 1, 0], &[]),
    ("PUBREL", PropertyPlace::PubRel, 0x62, &[0, 1, 0], &[]),
    ("PUBCOMP", PropertyPlace::PubComp, 0x70, &[0, 1, 0], &[]),
    ("SUBSCRIBE", PropertyPlace::Subscribe, 0x82, &[0, 1], &[0, 1, b'a', 0]),
    ("SUBACK", PropertyPlace::SubAck, 0x90, &[0, 1], &[0]),
    ("UNSUBSCRIBE", PropertyPlace::Unsubscribe, 0xA2, &[0, 1], &[0, 1, b'a']),
    ("UNSUBACK", PropertyPlace::UnsubAck, 0xB0, &[0, 1], &[0]),
    ("DISCONNECT", PropertyPlace::Disconnect, 0xE0, &[0], &[]),
    ("AUTH", PropertyPlace::Auth, 0xF0, &[0x18], &[]),
];

/// The frame with these properties in a place.
fn with_properties(place: usize, properties: &[u8]) -> Vec<u8> {
    let (_, _, first, before, after) = PLACES[place];
    frame(first, &[before, &[properties.len() as u8], properties, after].concat())
}

/// What else has to stand there for a right packet: a method with authentication data, and in every AUTH.
fn companion(place: usize, id: u8) -> &'static [u8] {
    match (PLACES[place].0, id) {
        ("AUTH", 0x15) => &[],
        ("AUTH", _) | ("CONNECT", 0x16) => b"\x15\x00\x01m",
        _ => &[],
    }
}

/// The properties of the place, read from the packet.
fn properties_of<'a>(packet: &Packet<'a>, place: PropertyPlace) -> Properties<'a> {
    match packet {
        Packet::Connect(packet) if place == PropertyPlace::Will => packet.will.expect("a will").properties,
        Packet::Connect(packet) => packet.properties,
        Packet::ConnAck(packet) => packet.properties,
        Packet::Publish(packet) => packet.properties,
        Packet::PubAck(packet) => packet.properties,
        Packet::PubRec(packet) => packet.properties,
        Packet::PubRel(packet) => packet.properties,
        Packet::PubComp(packet) => packet.properties,
        Packet::Subscribe(packet) => packet.properties,
        Packet::SubAck(packet) => packet.properties,
        Packet::Unsubscribe(packet) => packet.properties,
        Packet::UnsubAck(packet) => packet.properties,
        Packet::Disconnect(packet) => packet.properties,
        Packet::Auth(packet) => packet.properties,
        Packet::PingReq | Packet::PingResp => Properties::EMPTY,
    }
}

/// Calls with each property in each place where it may stand.
fn each_allowed(mut with: impl FnMut(usize, u8, &'static [u8])) {
    let mut count = 0;
    for place in 0..PLACES.len() {
        for (id, value, places) in TABLE {
            if places.split_whitespace().any(|name| name == PLACES[place].0) {
                with(place, id, value);
                count += 1;
            }
        }
    }
    assert_eq!(count, 64);
}

#[test]
fn each_property_is_read_where_table_2_4_allows_it_and_refused_elsewhere() {
    let mut read = 0;
    for place in 0..PLACES.len() {
        let (name, property_place, _, before, _) = PLACES[place];
        for (id, value, places) in TABLE {
            let property = PropertyId::from_u8(id).expect("one of the 27");
            let bytes = [companion(place, id), &[id], value].concat();
            let frame = with_properties(place, &bytes);
            let allowed = places.split_whitespace().any(|allowed| allowed == name);
            assert_eq!(property.allowed_in(property_place), allowed);
            if allowed {
                let packet = right(&frame, V5);
                let properties = properties_of(&packet, property_place);
                assert!(properties.contains(property) && properties.iter().any(|p| p.id() == property));
                assert_eq!(properties.as_wire(), Some(&bytes[..]));
                read += 1;
            } else {
                let at = 2 + before.len() + 1 + companion(place, id).len();
                refused(&frame, V5, Rule::PropertyNotAllowed, Field::Property(property), at, 0x81);
            }
        }
    }
    assert_eq!(read, 64);
}

#[test]
fn rejects_an_unknown_property_everywhere() {
    for place in 0..PLACES.len() {
        for id in (0..0x80).filter(|id| !TABLE.iter().any(|(known, ..)| known == id)) {
            let rule = Rule::PropertyUnknown { id: u32::from(id) };
            let at = 2 + PLACES[place].3.len() + 1;
            refused(&with_properties(place, &[id, 0]), V5, rule, Field::PropertyId, at, 0x81);
        }
        // An identifier is a variable byte integer.
        let rule = Rule::PropertyUnknown { id: 128 };
        assert_eq!(wrong(&with_properties(place, &[0x80, 0x01]), V5).rule, rule);
        let error = wrong(&with_properties(place, &[0x81, 0x00]), V5);
        assert_eq!(error.rule, Rule::VariableByteIntegerNotMinimal);
    }
}

#[test]
fn rejects_a_property_that_stands_twice_unless_it_may() {
    each_allowed(|place, id, value| {
        let property = PropertyId::from_u8(id).expect("one of the 27");
        let once = [companion(place, id), &[id], value].concat();
        let twice = [&once[..], &[id], value].concat();
        let frame = with_properties(place, &twice);
        let repeatable = id == 0x26 || (id == 0x0B && PLACES[place].0 == "PUBLISH");
        if repeatable {
            right(&frame, V5);
        } else {
            let at = 2 + PLACES[place].3.len() + 1 + once.len();
            refused(&frame, V5, Rule::PropertyTwice, Field::Property(property), at, 0x82);
        }
    });
}

#[test]
fn rejects_a_property_that_runs_past_the_end_of_the_properties() {
    each_allowed(|place, id, value| {
        let property = PropertyId::from_u8(id).expect("one of the 27");
        let whole = [companion(place, id), &[id], value].concat();
        for cut in 1..=value.len() {
            let frame = with_properties(place, &whole[..whole.len() - cut]);
            cut_short(&frame, V5, Field::Property(property));
        }
    });
}

#[test]
fn rejects_properties_that_run_past_the_end_of_the_packet() {
    for (name, _, first, before, after) in PLACES {
        let frame = frame(first, &[before, &[after.len() as u8 + 1], after].concat());
        let error = wrong(&frame, V5);
        assert_eq!((error.rule, error.field), (Rule::Truncated, Field::Properties), "{name}");
    }
}

#[test]
fn rejects_a_property_length_that_is_too_long_or_not_minimal() {
    for (name, _, first, before, after) in PLACES {
        for (length, rule) in [
            (&[0x80, 0x00][..], Rule::VariableByteIntegerNotMinimal),
            (&[0x80, 0x80, 0x80, 0x80], Rule::VariableByteIntegerTooLong),
        ] {
            let frame = frame(first, &[before, length, after].concat());
            let error = wrong(&frame, V5);
            assert_eq!((error.rule, error.field), (rule, Field::Properties), "{name}");
            assert_eq!((error.position, error.reason_code().0), (2 + before.len(), 0x81));
        }
    }
}

#[test]
fn rejects_a_property_value_out_of_its_range() {
    let place_of = |name: &str| PLACES.iter().position(|place| place.0 == name).expect("a place");
    let out_of_range: [(&str, &[u8]); 15] = [
        ("PUBLISH", &[0x01, 2]),
        ("will", &[0x01, 0xFF]),
        ("PUBLISH", &[0x0B, 0]),
        ("SUBSCRIBE", &[0x0B, 0]),
        ("CONNECT", &[0x17, 2]),
        ("CONNECT", &[0x19, 2]),
        ("CONNECT", &[0x21, 0, 0]),
        ("CONNACK", &[0x21, 0, 0]),
        ("CONNACK", &[0x24, 2]),
        ("CONNACK", &[0x25, 2]),
        ("CONNECT", &[0x27, 0, 0, 0, 0]),
        ("CONNACK", &[0x27, 0, 0, 0, 0]),
        ("CONNACK", &[0x28, 2]),
        ("CONNACK", &[0x29, 2]),
        ("CONNACK", &[0x2A, 2]),
    ];
    for (name, bytes) in out_of_range {
        let place = place_of(name);
        let field = Field::Property(PropertyId::from_u8(bytes[0]).expect("a property"));
        let at = 2 + PLACES[place].3.len() + 2;
        refused(&with_properties(place, bytes), V5, Rule::PropertyOutOfRange, field, at, 0x82);
    }
    let publish = place_of("PUBLISH");
    let field = Field::Property(PropertyId::TopicAlias);
    refused(&with_properties(publish, &[0x23, 0, 0]), V5, Rule::TopicAliasZero, field, 7, 0x94);
}

#[test]
fn rejects_a_response_topic_with_a_wildcard_or_empty() {
    for place in [1, 3] {
        for (topic, answer) in [(&b"\x00\x01#"[..], 0x90), (b"\x00\x03a/+", 0x90), (b"\x00\x00", 0x82)] {
            let frame = with_properties(place, &[&[0x08], topic].concat());
            let error = wrong(&frame, V5);
            assert!(matches!(error.rule, Rule::TopicName(_)), "{error}");
            assert_eq!(error.field, Field::Property(PropertyId::ResponseTopic));
            assert_eq!(error.reason_code().0, answer);
        }
    }
}

#[test]
fn rejects_ill_formed_utf8_and_nul_in_every_string_of_every_property() {
    let mut strings = 0;
    each_allowed(|place, id, value| {
        let property = PropertyId::from_u8(id).expect("one of the 27");
        // Strings are those whose sample ends in a letter; the user property has two.
        let letters = value.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphabetic());
        for (index, _) in letters {
            for (bad, rule) in [(0xFF, Rule::IllFormedUtf8), (0x00, Rule::NullCharacter)] {
                let mut value = value.to_vec();
                value[index] = bad;
                let bytes = [companion(place, id), &[id], &value].concat();
                let at = 2 + PLACES[place].3.len() + 1 + companion(place, id).len() + 1 + index;
                refused(&with_properties(place, &bytes), V5, rule, Field::Property(property), at, 0x81);
                strings += 1;
            }
        }
    });
    // 20 places of properties with one string, 14 with two; each broken in two ways.
    assert_eq!(strings, 2 * (20 + 2 * 14));
}

#[test]
fn properties_stand_by_themselves_too() {
    let bytes = b"\x02\x00\x00\x00\x09\x26\x00\x01n\x00\x01v\x08\x00\x01x";
    let properties = Properties::decode(bytes, PropertyPlace::Publish).expect("right in PUBLISH");
    assert_eq!(properties.message_expiry_interval(), Some(9));
    assert_eq!(properties.response_topic().map(|topic| topic.as_str()), Some("x"));
    assert_eq!(properties.iter().count(), 3);
    let error = Properties::decode(bytes, PropertyPlace::SubAck).expect_err("not allowed there");
    assert_eq!((error.rule, error.position), (Rule::PropertyNotAllowed, 0));
    let error = Properties::decode(&bytes[..11], PropertyPlace::Publish).expect_err("cut");
    assert_eq!((error.rule, error.position), (Rule::Truncated, 11));
}
