//! Bad input: properties, every kind in every place.

use headwater_codec::{DecodeOptions, Field, Packet, Properties, PropertyId, PropertyPlace, Rule, Version};

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

/// A place for properties, and a packet around it.
struct Place {
    name: &'static str,
    place: PropertyPlace,
    first: u8,
    before: &'static [u8],
    after: &'static [u8],
}

const fn place(
    name: &'static str,
    place: PropertyPlace,
    first: u8,
    before: &'static [u8],
    after: &'static [u8],
) -> Place {
    Place { name, place, first, before, after }
}

const PLACES: [Place; 14] = [
    place("CONNECT", PropertyPlace::Connect, 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A", b"\x00\x00"),
    place(
        "will",
        PropertyPlace::Will,
        0x10,
        b"\x00\x04MQTT\x05\x06\x00\x0A\x00\x00\x00",
        b"\x00\x01t\x00\x00",
    ),
    place("CONNACK", PropertyPlace::ConnAck, 0x20, &[0, 0], &[]),
    place("PUBLISH", PropertyPlace::Publish, 0x30, &[0, 1, b'a'], b"payload"),
    place("PUBACK", PropertyPlace::PubAck, 0x40, &[0, 1, 0], &[]),
    place("PUBREC", PropertyPlace::PubRec, 0x50, &[0, 1, 0], &[]),
    place("PUBREL", PropertyPlace::PubRel, 0x62, &[0, 1, 0], &[]),
    place("PUBCOMP", PropertyPlace::PubComp, 0x70, &[0, 1, 0], &[]),
    place("SUBSCRIBE", PropertyPlace::Subscribe, 0x82, &[0, 1], &[0, 1, b'a', 0]),
    place("SUBACK", PropertyPlace::SubAck, 0x90, &[0, 1], &[0]),
    place("UNSUBSCRIBE", PropertyPlace::Unsubscribe, 0xA2, &[0, 1], &[0, 1, b'a']),
    place("UNSUBACK", PropertyPlace::UnsubAck, 0xB0, &[0, 1], &[0]),
    place("DISCONNECT", PropertyPlace::Disconnect, 0xE0, &[0], &[]),
    place("AUTH", PropertyPlace::Auth, 0xF0, &[0x18], &[]),
];

impl Place {
    /// The place with this name.
    fn named(name: &str) -> &'static Self {
        PLACES.iter().find(|place| place.name == name).expect("a place")
    }

    /// True if the property's row of the table names this place.
    fn takes(&self, places: &str) -> bool {
        places.split_whitespace().any(|name| name == self.name)
    }

    /// A frame with these properties here.
    fn with(&self, properties: &[u8]) -> Vec<u8> {
        frame(self.first, &[self.before, &[properties.len() as u8], properties, self.after].concat())
    }

    /// Where the first property begins in such a frame.
    fn start(&self) -> usize {
        2 + self.before.len() + 1
    }

    /// What else has to stand here for a right packet: a method with authentication data, and in every AUTH.
    fn companion(&self, id: u8) -> &'static [u8] {
        match (self.name, id) {
            ("AUTH", 0x15) => &[],
            ("AUTH", _) | ("CONNECT", 0x16) => b"\x15\x00\x01m",
            _ => &[],
        }
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
fn each_allowed(mut with: impl FnMut(&Place, u8, &'static [u8])) {
    let mut count = 0;
    for place in &PLACES {
        for (id, value, _) in TABLE.iter().filter(|(_, _, places)| place.takes(places)) {
            with(place, *id, value);
            count += 1;
        }
    }
    assert_eq!(count, 64);
}

fn property(id: u8) -> PropertyId {
    PropertyId::from_u8(id).expect("one of the 27")
}

#[test]
fn each_property_is_read_where_table_2_4_allows_it_and_refused_elsewhere() {
    let mut read = 0;
    for place in &PLACES {
        for (id, value, places) in TABLE {
            let (id, companion) = (property(id), place.companion(id));
            let bytes = [companion, &[id.as_u8()], value].concat();
            let frame = place.with(&bytes);
            assert_eq!(id.allowed_in(place.place), place.takes(places));
            if place.takes(places) {
                let packet = right(&frame, V5);
                let properties = properties_of(&packet, place.place);
                assert!(properties.contains(id) && properties.iter().any(|property| property.id() == id));
                assert_eq!(properties.as_wire(), Some(&bytes[..]));
                read += 1;
            } else {
                let at = place.start() + companion.len();
                refused(&frame, V5, Rule::PropertyNotAllowed, Field::Property(id), at, 0x81);
            }
        }
    }
    assert_eq!(read, 64);
}

#[test]
fn rejects_an_unknown_property_everywhere() {
    for place in &PLACES {
        for id in (0..0x80).filter(|id| !TABLE.iter().any(|(known, ..)| known == id)) {
            let rule = Rule::PropertyUnknown { id: u32::from(id) };
            refused(&place.with(&[id, 0]), V5, rule, Field::PropertyId, place.start(), 0x81);
        }
        // An identifier is a variable byte integer.
        let rule = Rule::PropertyUnknown { id: 128 };
        assert_eq!(wrong(&place.with(&[0x80, 0x01]), V5).rule, rule);
        let error = wrong(&place.with(&[0x81, 0x00]), V5);
        assert_eq!(error.rule, Rule::VariableByteIntegerNotMinimal);
    }
}

#[test]
fn rejects_a_property_that_stands_twice_unless_it_may() {
    each_allowed(|place, id, value| {
        let once = [place.companion(id), &[id], value].concat();
        let frame = place.with(&[&once[..], &[id], value].concat());
        let repeatable = id == 0x26 || (id == 0x0B && place.name == "PUBLISH");
        if repeatable {
            right(&frame, V5);
        } else {
            let at = place.start() + once.len();
            refused(&frame, V5, Rule::PropertyTwice, Field::Property(property(id)), at, 0x82);
        }
    });
}

#[test]
fn rejects_a_property_that_runs_past_the_end_of_the_properties() {
    each_allowed(|place, id, value| {
        let whole = [place.companion(id), &[id], value].concat();
        for cut in 1..=value.len() {
            let frame = place.with(&whole[..whole.len() - cut]);
            cut_short(&frame, V5, Field::Property(property(id)));
        }
    });
}

#[test]
fn rejects_properties_that_run_past_the_end_of_the_packet() {
    for Place { name, first, before, after, .. } in &PLACES {
        let frame = frame(*first, &[before, &[after.len() as u8 + 1][..], after].concat());
        let error = wrong(&frame, V5);
        assert_eq!((error.rule, error.field), (Rule::Truncated, Field::Properties), "{name}");
    }
}

#[test]
fn rejects_a_property_length_that_is_too_long_or_not_minimal() {
    for Place { name, first, before, after, .. } in &PLACES {
        for (length, rule) in [
            (&[0x80, 0x00][..], Rule::VariableByteIntegerNotMinimal),
            (&[0x80, 0x80, 0x80, 0x80], Rule::VariableByteIntegerTooLong),
        ] {
            let frame = frame(*first, &[before, length, after].concat());
            let error = wrong(&frame, V5);
            assert_eq!((error.rule, error.field), (rule, Field::Properties), "{name}");
            assert_eq!((error.position, error.reason_code().0), (2 + before.len(), 0x81));
        }
    }
}

#[test]
fn rejects_a_property_value_out_of_its_range() {
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
        let (place, field) = (Place::named(name), Field::Property(property(bytes[0])));
        refused(&place.with(bytes), V5, Rule::PropertyOutOfRange, field, place.start() + 1, 0x82);
    }
    let frame = Place::named("PUBLISH").with(&[0x23, 0, 0]);
    refused(&frame, V5, Rule::TopicAliasZero, Field::Property(PropertyId::TopicAlias), 7, 0x94);
}

#[test]
fn rejects_a_response_topic_with_a_wildcard_or_empty() {
    for place in ["will", "PUBLISH"].map(Place::named) {
        for (topic, answer) in [(&b"\x00\x01#"[..], 0x90), (b"\x00\x03a/+", 0x90), (b"\x00\x00", 0x82)] {
            let frame = place.with(&[&[0x08], topic].concat());
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
        // Strings are those whose sample ends in a letter; the user property has two.
        let letters = value.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphabetic());
        for (index, _) in letters {
            for (bad, rule) in [(0xFF, Rule::IllFormedUtf8), (0x00, Rule::NullCharacter)] {
                let mut value = value.to_vec();
                value[index] = bad;
                let bytes = [place.companion(id), &[id], &value].concat();
                let at = place.start() + place.companion(id).len() + 1 + index;
                refused(&place.with(&bytes), V5, rule, Field::Property(property(id)), at, 0x81);
                strings += 1;
            }
        }
    });
    // 20 places of properties with one string, 14 with two; each broken in two ways.
    assert_eq!(strings, 2 * (20 + 2 * 14));
}

#[test]
fn properties_stand_by_themselves_too() {
    let options = DecodeOptions::default();
    let bytes = b"\x02\x00\x00\x00\x09\x26\x00\x01n\x00\x01v\x08\x00\x01x";
    let properties = Properties::decode(bytes, PropertyPlace::Publish, options).expect("right in PUBLISH");
    assert_eq!(properties.message_expiry_interval(), Some(9));
    assert_eq!(properties.response_topic().map(|topic| topic.as_str()), Some("x"));
    assert_eq!(properties.iter().count(), 3);
    let error = Properties::decode(bytes, PropertyPlace::SubAck, options).expect_err("not allowed there");
    assert_eq!((error.rule, error.position), (Rule::PropertyNotAllowed, 0));
    let error = Properties::decode(&bytes[..11], PropertyPlace::Publish, options).expect_err("cut");
    assert_eq!((error.rule, error.position), (Rule::Truncated, 11));
}
