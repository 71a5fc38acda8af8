//! Rules of the specification that show only between a client and the whole broker, each with its clause.

use std::io::Write;

use headwater::codec::{
    ConnAck, Connect, Delivery, Disconnect, Packet, PacketId, PacketType, Properties, Property, PubRel,
    Publish, QoS, ReasonCode, Unsubscribe, Version, Will,
};
use headwater::topic::{TopicFilter, TopicName};

use crate::program::Broker;
use crate::raw::Raw;

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

#[test]
fn a_malformed_packet_ends_the_connection_in_each_revision() {
    // 3.1.1: [MQTT-1.5.3-1], [MQTT-1.5.3-2], [MQTT-2.2.2-2], [MQTT-3.3.1-4], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.8.3-4],
    // [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-4.8.0-1]; 5.0: [MQTT-3.15.1-1], [MQTT-4.13.1-1], [MQTT-4.13.2-1]
    let frames: [(&[u8], &[u8], u8); 12] = [
        (b"\x30\x05\x00\x03\xED\xA0\x80", b"\x30\x06\x00\x03\xED\xA0\x80\x00", 0x81),
        (b"\x30\x03\x00\x01\x00", b"\x30\x04\x00\x01\x00\x00", 0x81),
        (b"\x36\x05\x00\x01a\x00\x01", b"\x36\x06\x00\x01a\x00\x01\x00", 0x81),
        (b"\x30\x03\x00\x01#", b"\x30\x04\x00\x01#\x00", 0x90),
        (b"\x60\x02\x00\x01", b"\x60\x02\x00\x01", 0x81),
        (b"\x80\x06\x00\x01\x00\x01a\x00", b"\x80\x07\x00\x01\x00\x00\x01a\x00", 0x81),
        (b"\x82\x02\x00\x01", b"\x82\x03\x00\x01\x00", 0x82),
        (b"\x82\x06\x00\x01\x00\x01a\x40", b"\x82\x07\x00\x01\x00\x00\x01a\x40", 0x81),
        (b"\xA0\x05\x00\x01\x00\x01a", b"\xA0\x06\x00\x01\x00\x00\x01a", 0x81),
        (b"\xC1\x00", b"\xC1\x00", 0x81),
        (b"\xE1\x00", b"\xE1\x00", 0x81),
        (b"\xF1\x00", b"\xF1\x00", 0x81),
    ];
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    for (older, newer, reason) in frames {
        let mut client = Raw::connect(&broker, Version::V3_1_1, "old", 0);
        client.stream.write_all(older).unwrap();
        assert!(client.read().is_none(), "closed without a word: {older:02x?}");
        let mut client = Raw::connect(&broker, Version::V5, "new", 0);
        client.stream.write_all(newer).unwrap();
        let frame = client.read().unwrap();
        let Packet::Disconnect(said) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        assert_eq!(said.reason, ReasonCode(reason), "{newer:02x?}");
        assert!(client.read().is_none());
    }
}

/// Connects with this will, and dies or leaves.
fn with_will(broker: &Broker, version: Version, will: Option<Will<'_>>, leaves: bool) {
    let mut client = Raw::open(broker, version);
    let mut connect = Connect::new(version, "mortal");
    connect.will = will;
    client.send(&Packet::Connect(connect));
    assert!(client.read().is_some());
    if leaves {
        client.send(&Packet::Disconnect(Disconnect::NORMAL));
        assert!(client.read().is_none());
    }
}

#[test]
fn a_will_is_published_once_if_there_is_one_and_kept_if_it_says_so() {
    // 3.1.1: [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.2-12], [MQTT-3.1.2-16], [MQTT-3.1.2-17], [MQTT-3.14.4-3];
    // 5.0: [MQTT-3.1.2-10], [MQTT-3.1.2-14], [MQTT-3.1.2-15], [MQTT-3.14.4-3]
    for version in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path(), &[]);
        let mut listener = Raw::connect(&broker, version, "listener", 0);
        listener.subscribe("wills/#", QoS::AtLeastOnce);
        let will = |topic: &'static str, payload: &'static [u8], retain| {
            Some(Will { qos: QoS::AtLeastOnce, retain, ..Will::new(name(topic), payload) })
        };
        with_will(&broker, version, will("wills/a", b"left", true), true);
        with_will(&broker, version, will("wills/a", b"died", false), false);
        assert_eq!(listener.receive(), b"died");
        with_will(&broker, version, None, false);
        with_will(&broker, version, will("wills/b", b"kept", true), false);
        assert_eq!(listener.receive(), b"kept", "and nothing of one that had no will");

        let mut later = Raw::connect(&broker, version, "later", 0);
        later.subscribe("wills/#", QoS::AtLeastOnce);
        let frame = later.read().unwrap();
        let Packet::Publish(publish) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
        assert_eq!((publish.payload, publish.retain), (&b"kept"[..], true), "the others were not retained");
    }
}

#[test]
fn a_message_arrives_as_it_was_sent_but_for_dup() {
    // [MQTT-3.3.1-3], [MQTT-3.3.2-4], [MQTT-3.3.2-15] to [MQTT-3.3.2-18], [MQTT-3.3.2-20], [MQTT-3.1.3-10]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut reader = Raw::connect(&broker, Version::V5, "reader", 0);
    reader.subscribe("t", QoS::AtLeastOnce);
    let list = [
        Property::PayloadFormatIndicator(true),
        Property::ContentType("text/plain"),
        Property::ResponseTopic(name("answers/7")),
        Property::CorrelationData(&[0, 0xFF]),
        Property::UserProperty("b", "1"),
        Property::UserProperty("a", "2"),
        Property::UserProperty("b", "3"),
    ];
    let sent = Publish::new(name("t"), b"x").with_properties(Properties::from(&list[..]));
    let again = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: true };
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.send(&Packet::Publish(sent.with_delivery(again)));
    let will = Will { properties: sent.properties, qos: QoS::AtLeastOnce, ..Will::new(name("t"), b"x") };
    with_will(&broker, Version::V5, Some(will), false);
    for _ in 0..2 {
        let frame = reader.read().unwrap();
        let Packet::Publish(got) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        assert!(!got.delivery.dup());
        assert_eq!((got.topic, got.payload), (sent.topic, sent.payload));
        let properties = got.properties;
        assert_eq!(properties.payload_format_indicator(), Some(true));
        assert_eq!(properties.content_type(), Some("text/plain"));
        assert_eq!(properties.response_topic(), Some(name("answers/7")));
        assert_eq!(properties.correlation_data(), Some(&[0, 0xFF][..]));
        let user: Vec<_> = properties.user_properties().collect();
        assert_eq!(user, [("b", "1"), ("a", "2"), ("b", "3")]);
    }
}

#[test]
fn unsubscribe_is_answered_once_and_what_was_sent_before_it_is_completed() {
    // [MQTT-3.10.4-2] to [MQTT-3.10.4-6], [MQTT-3.11.3-1], [MQTT-3.11.3-2]
    for version in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(folder.path(), &[]);
        let mut reader = Raw::connect(&broker, version, "reader", 3_600);
        reader.subscribe("t", QoS::AtLeastOnce);
        let mut publisher = Raw::connect(&broker, version, "publisher", 0);
        publisher.publish("t", b"before");
        let frame = reader.read().unwrap();
        let Packet::Publish(first) = frame.packet(version).unwrap() else { panic!("{frame:?}") };

        let filters = ["never/was", "t", "t"].map(|text| TopicFilter::parse(text).unwrap());
        let packet_id = PacketId::new(77).unwrap();
        reader.send(&Packet::Unsubscribe(Unsubscribe::new(packet_id, &filters)));
        let frame = reader.read().unwrap();
        let Packet::UnsubAck(answer) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
        assert_eq!(answer.packet_id, packet_id);
        let none = ReasonCode::NO_SUBSCRIPTION_EXISTED;
        let reasons = if version == Version::V5 { vec![none, ReasonCode::SUCCESS, none] } else { vec![] };
        assert_eq!(answer.reasons.iter().collect::<Vec<_>>(), reasons);
        // Also if there is nothing to end.
        reader.send(&Packet::Unsubscribe(Unsubscribe::new(packet_id, &filters[..1])));
        let frame = reader.read().unwrap();
        assert!(
            matches!(frame.packet(version), Ok(Packet::UnsubAck(answer)) if answer.packet_id == packet_id)
        );
        publisher.publish("t", b"after");

        drop(reader);
        let mut reader = Raw::connect(&broker, version, "reader", 3_600);
        let frame = reader.read().unwrap();
        let Packet::Publish(again) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
        assert_eq!((again.payload, again.packet_id()), (&b"before"[..], first.packet_id()));
        assert!(again.delivery.dup());
        reader.send(&Packet::PingReq);
        let frame = reader.read().unwrap();
        assert_eq!(
            frame.packet(version),
            Ok(Packet::PingResp),
            "nothing came after the subscription had ended"
        );
    }
}

#[test]
fn clients_of_3_1_1_without_an_identifier_do_not_disturb_each_other() {
    // 3.1.1: [MQTT-3.1.3-6]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut clients = [(); 3].map(|()| Raw::connect(&broker, Version::V3_1_1, "", 0));
    for client in &mut clients {
        client.send(&Packet::PingReq);
        let frame = client.read().unwrap();
        assert_eq!(frame.packet(Version::V3_1_1), Ok(Packet::PingResp));
    }
}

#[test]
fn the_same_client_of_3_1_1_again_closes_the_old_connection() {
    // 3.1.1: [MQTT-3.1.4-2], [MQTT-3.1.3-2]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut old = Raw::connect(&broker, Version::V3_1_1, "c", 0);
    let mut new = Raw::connect(&broker, Version::V3_1_1, "c", 0);
    assert!(old.read().is_none());
    new.send(&Packet::PingReq);
    assert!(new.read().is_some());
}

#[test]
fn connack_says_whether_the_broker_has_the_session() {
    // 3.1.1: [MQTT-3.1.2-4], [MQTT-3.1.2-6], [MQTT-3.1.4-3], [MQTT-3.2.2-2]; 5.0: [MQTT-3.1.2-4] to [MQTT-3.1.2-6], [MQTT-3.2.2-3]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    for version in VERSIONS {
        let expiry = [Property::SessionExpiryInterval(3_600)];
        for (clean_start, present) in [(false, false), (false, true), (true, false)] {
            let mut client = Raw::open(&broker, version);
            let mut connect = Connect::new(version, "c");
            connect.clean_start = clean_start;
            if version == Version::V5 {
                connect.properties = Properties::from(&expiry[..]);
            }
            client.send(&Packet::Connect(connect));
            let frame = client.read().unwrap();
            let Packet::ConnAck(ConnAck { session_present, reason, .. }) = frame.packet(version).unwrap()
            else {
                panic!("{frame:?}")
            };
            assert_eq!((session_present, reason), (present, ReasonCode::SUCCESS));
            client.send(&Packet::Disconnect(Disconnect::NORMAL));
            assert!(client.read().is_none());
        }
        // The clean start of 5.0 left a session that lasts: end it before the next revision.
        let _ = Raw::connect(&broker, version, "c", 0);
    }
}

#[test]
fn a_connect_that_is_not_taken_ends_the_connection() {
    // 3.1.1: [MQTT-3.1.2-1] to [MQTT-3.1.2-3], [MQTT-3.1.4-1], [MQTT-3.2.2-5];
    // 5.0: the same three, [MQTT-3.1.4-1], [MQTT-3.1.4-2], [MQTT-3.2.2-7], [MQTT-4.12.0-1]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let connects: [(&[u8], Option<&[u8]>); 6] = [
        // Another protocol's name, a level from the future.
        (b"\x10\x0D\x00\x04MQTX\x04\x02\x00\x00\x00\x01c", Some(&[0x20, 2, 0, 1])),
        (b"\x10\x0D\x00\x04MQTT\x06\x02\x00\x00\x00\x01c", Some(&[0x20, 2, 0, 1])),
        // The reserved flag.
        (b"\x10\x0D\x00\x04MQTT\x04\x03\x00\x00\x00\x01c", None),
        (b"\x10\x0E\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x01c", Some(&[0x20, 3, 0, 0x81, 0])),
        // No identifier for a session that is to last.
        (b"\x10\x0C\x00\x04MQTT\x04\x00\x00\x00\x00\x00", Some(&[0x20, 2, 0, 2])),
        // An authentication method.
        (b"\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x04\x15\x00\x01m\x00\x01c", Some(&[0x20, 3, 0, 0x8C, 0])),
    ];
    for (connect, answer) in connects {
        let mut client = Raw::open(&broker, Version::V5);
        client.stream.write_all(connect).unwrap();
        let said = answer.is_some().then(|| client.read().unwrap().bytes().to_vec());
        assert_eq!(said.as_deref(), answer, "{connect:02x?}");
        assert!(client.read().is_none());
    }
}

#[test]
fn before_5_0_a_publish_that_is_not_allowed_is_acknowledged_all_the_same() {
    // 3.1.1: [MQTT-3.3.5-2]. The broker's one rule of who may publish where: below $SYS only itself.
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sys-interval", "never"]);
    let mut witness = Raw::connect(&broker, Version::V3_1_1, "witness", 0);
    witness.subscribe("$SYS/#", QoS::AtMostOnce);
    witness.subscribe("a", QoS::AtMostOnce);
    let packet_id = PacketId::MIN;
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Raw::connect(&broker, version, "client", 0);
        for delivery in [
            Delivery::AtMostOnce,
            Delivery::AtLeastOnce { packet_id, dup: false },
            Delivery::ExactlyOnce { packet_id, dup: false },
        ] {
            client.send(&Packet::Publish(Publish::new(name("$SYS/forged"), b"x").with_delivery(delivery)));
            let mut answers = Vec::new();
            if delivery.qos() != QoS::AtMostOnce {
                answers.push(client.read().unwrap().packet_type());
            }
            if delivery.qos() == QoS::ExactlyOnce {
                client.send(&Packet::PubRel(PubRel::with_reason(packet_id, ReasonCode::SUCCESS)));
                answers.push(client.read().unwrap().packet_type());
            }
            let expected: &[PacketType] = match delivery.qos() {
                QoS::AtMostOnce => &[],
                QoS::AtLeastOnce => &[PacketType::PubAck],
                QoS::ExactlyOnce => &[PacketType::PubRec, PacketType::PubComp],
            };
            assert_eq!(answers, expected, "{version:?}");
        }
        client.publish("a", b"genuine");
        assert_eq!(witness.receive(), b"genuine", "nobody gets what is not allowed");
    }
}

#[test]
fn a_message_that_the_disk_does_not_take_ends_the_connection_before_5_0_and_is_refused_since() {
    // 3.1.1: [MQTT-4.8.0-2]. No file may grow beyond 1 MiB; what is beyond is an error and not the end of the process.
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_with_files(folder.path(), &[], "-f 2048 && trap '' XFSZ");
    let payload = vec![b'x'; 100_000];
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Packet::Publish(Publish::new(name("a"), &payload).with_delivery(delivery));
    let mut old = Raw::connect(&broker, Version::V3_1_1, "old", 0);
    let mut taken = 0;
    old.send(&publish);
    while let Some(frame) = old.read() {
        assert_eq!(frame.packet_type(), PacketType::PubAck);
        taken += 1;
        assert!(taken < 100, "the disk takes everything");
        old.send(&publish);
    }
    assert!(taken > 0, "the first ones have room");
    // The broker lives on; a client of 5.0 is told, and stays.
    let mut new = Raw::connect(&broker, Version::V5, "new", 0);
    for _ in 0..3 {
        new.send(&publish);
        let frame = new.read().unwrap();
        let Packet::PubAck(puback) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        assert!(puback.reason.is_error(), "{puback:?}");
    }
}
