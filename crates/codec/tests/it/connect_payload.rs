//! The payload of CONNECT: which fields there are, in which order, as the connect flags say (sections 3.1.2 and 3.1.3).

use headwater_codec::{Connect, Field, Packet, QoS, Rule, Version, Will};
use headwater_topic::TopicName;

use crate::build::{connect, cut_short, field, refused, right};
use crate::generate::encode;

/// What a flag announces: its bits, its name, and its fields in 3.1.1 and 5.0.
const OPTIONAL: [(u8, &str, [&[u8]; 2]); 3] = [
    (0x04, "will", [b"\x00\x01t\x00\x01w", b"\x00\x00\x01t\x00\x01w"]),
    (0x80, "user name", [b"\x00\x01u", b"\x00\x01u"]),
    (0x40, "password", [b"\x00\x01p", b"\x00\x01p"]),
];

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

/// Each set of optional fields that the revision allows.
fn sets(version: Version) -> impl Iterator<Item = Vec<usize>> {
    let all = (0..8).map(|set| (0..3).filter(|number| set >> number & 1 == 1).collect());
    // 3.1.1: no password without a user name [MQTT-3.1.2-22].
    all.filter(move |set: &Vec<usize>| version == Version::V5 || !set.contains(&2) || set.contains(&1))
}

/// A CONNECT with these flags and, behind its client identifier, these fields.
fn with(version: Version, announced: &[usize], present: &[usize]) -> Vec<u8> {
    let flags = announced.iter().fold(0x02, |flags, number| flags | OPTIONAL[*number].0);
    let form = usize::from(version == Version::V5);
    let mut parts: Vec<&[u8]> = if version == Version::V5 { vec![&[0]] } else { vec![] };
    parts.push(b"\x00\x01c");
    parts.extend(present.iter().map(|number| OPTIONAL[*number].2[form]));
    connect(b"MQTT", version.level(), flags, &parts)
}

/// The packet that has these optional fields.
fn packet(version: Version, fields: &[usize]) -> Connect<'static> {
    let will = TopicName::parse("t").map(|topic| Will::new(topic, b"w")).ok();
    Connect {
        keep_alive_secs: 10,
        will: will.filter(|_| fields.contains(&0)),
        user_name: fields.contains(&1).then_some("u"),
        password: fields.contains(&2).then_some(&b"p"[..]),
        ..Connect::new(version, "c")
    }
}

#[test]
fn the_fields_come_in_the_order_of_section_3_1_3_whichever_there_are() {
    // [MQTT-3.1.3-1]
    for version in VERSIONS {
        let mut read = 0;
        for fields in sets(version) {
            let frame = with(version, &fields, &fields);
            let expected = Packet::from(packet(version, &fields));
            assert_eq!(right(&frame, version), expected);
            assert_eq!(encode(version, &expected), frame);
            read += 1;
        }
        assert_eq!(read, if version == Version::V5 { 8 } else { 6 });
    }
}

#[test]
fn a_field_that_no_flag_announces_is_malformed() {
    // 3.1.1: [MQTT-3.1.2-11], [MQTT-3.1.2-18], [MQTT-3.1.2-20]; 5.0: [MQTT-3.1.2-16], [MQTT-3.1.2-18]
    for version in VERSIONS {
        for announced in sets(version) {
            // Behind the last field that is announced stands one more.
            let after = announced.last().map_or(0, |last| last + 1);
            for extra in after..OPTIONAL.len() {
                let mut present = announced.clone();
                present.push(extra);
                let whole = with(version, &announced, &announced);
                let frame = with(version, &announced, &present);
                let bytes = frame.len() - whole.len();
                let rule = Rule::TrailingBytes { bytes };
                refused(&frame, version, rule, Field::Body, whole.len(), 0x81);
            }
        }
    }
}

#[test]
fn a_field_that_a_flag_announces_is_missed() {
    // 3.1.1: [MQTT-3.1.2-9], [MQTT-3.1.2-19], [MQTT-3.1.2-21]; 5.0: [MQTT-3.1.2-9], [MQTT-3.1.2-17], [MQTT-3.1.2-19]
    for version in VERSIONS {
        for announced in sets(version).filter(|set| !set.is_empty()) {
            let (last, present) = announced.split_last().expect("not empty");
            let missed = match OPTIONAL[*last].1 {
                "will" if version == Version::V5 => Field::Properties,
                "will" => Field::WillTopic,
                "user name" => Field::UserName,
                _ => Field::Password,
            };
            cut_short(&with(version, &announced, present), version, missed);
        }
        // The topic of the will is there, its payload is not.
        let frame = with(version, &[0], &[0]);
        let mut cut = frame[..frame.len() - 3].to_vec();
        cut[1] -= 3;
        cut_short(&cut, version, Field::WillPayload);
    }
}

#[test]
fn the_client_identifier_is_there_and_comes_first() {
    // [MQTT-3.1.3-3]
    for version in VERSIONS {
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        cut_short(&connect(b"MQTT", version.level(), 0x02, &[properties]), version, Field::ClientId);
        let named =
            connect(b"MQTT", version.level(), 0x82, &[properties, &field(b"first"), &field(b"second")]);
        let Packet::Connect(packet) = right(&named, version) else { panic!("a CONNECT") };
        assert_eq!((packet.client_id, packet.user_name), ("first", Some("second")));
    }
}

#[test]
fn a_client_identifier_of_1_to_23_letters_and_digits_is_read() {
    // [MQTT-3.1.3-5]
    let characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    assert_eq!(characters.len(), 62);
    for version in Version::ALL {
        for length in 1..=23 {
            for start in 0..=characters.len() - length {
                let packet = Connect::new(version, &characters[start..start + length]);
                let bytes = encode(version, &packet.into());
                assert_eq!(right(&bytes, version), packet.into());
            }
        }
    }
}

#[test]
fn the_will_may_have_each_qos_and_be_retained_or_not() {
    // 3.1.1: [MQTT-3.1.2-14]; 5.0: [MQTT-3.1.2-12]
    for version in VERSIONS {
        let form = usize::from(version == Version::V5);
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        for flags in [0x06, 0x0E, 0x16, 0x26, 0x2E, 0x36] {
            let frame =
                connect(b"MQTT", version.level(), flags, &[properties, b"\x00\x01c", OPTIONAL[0].2[form]]);
            let Packet::Connect(Connect { will: Some(will), .. }) = right(&frame, version) else {
                panic!("a CONNECT with a will")
            };
            assert_eq!((Some(will.qos), will.retain), (QoS::from_u8(flags >> 3 & 3), flags & 0x20 != 0));
        }
    }
}
