//! The broker that `docs/guide.md` leads to.

use std::io::Write;

use headwater::codec::{Connect, Disconnect, Packet, QoS, ReasonCode, Version};

use crate::program::{Broker, replay};
use crate::raw::Raw;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

#[test]
fn messages_of_each_qos_reach_who_subscribed_and_stand_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_small(folder.path());
    let mut count = 0;
    for version in VERSIONS {
        let mut reader = Raw::connect(&broker, version, "reader", 0);
        reader.subscribe("factory/+", QoS::AtLeastOnce);
        let mut publisher = Raw::connect(&broker, version, "publisher", 0);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
            let payload = format!("{version:?} {qos:?}");
            assert_eq!(publisher.publish_at("factory/line-1", payload.as_bytes(), qos), ReasonCode::SUCCESS);
            assert_eq!(reader.receive(), payload.as_bytes());
            count += 1;
        }
    }
    assert_eq!(replay(folder.path(), &[]).len(), count);
}

#[test]
fn a_session_and_its_messages_outlive_the_connection_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start_small(folder.path());
    for (version, client_id) in [(Version::V3_1_1, "old"), (Version::V5, "new")] {
        let mut client = Raw::connect(&broker, version, client_id, 3_600);
        client.subscribe("t", QoS::AtLeastOnce);
        client.send(&Packet::Disconnect(Disconnect::NORMAL));
        assert!(client.read().is_none());
    }
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t", b"1");
    broker.kill();
    let broker = Broker::start_small(folder.path());
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t", b"2");
    // One that is connected does not keep it from stopping.
    let mut connected = Raw::connect(&broker, Version::V5, "connected", 0);
    let (status, said) = broker.enter();
    assert!(status.success() && said.contains("stopped"), "{status}: {said}");
    let frame = connected.read().unwrap();
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN));
    assert_eq!(frame.packet(Version::V5), Ok(farewell));

    let broker = Broker::start_small(folder.path());
    for (version, client_id) in [(Version::V3_1_1, "old"), (Version::V5, "new")] {
        let mut client = Raw::connect(&broker, version, client_id, 3_600);
        assert_eq!((client.receive(), client.receive()), (b"1".to_vec(), b"2".to_vec()));
    }
}

#[test]
fn a_client_that_comes_again_takes_over_and_one_without_a_name_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_small(folder.path());
    let mut first = Raw::connect(&broker, Version::V5, "c", 3_600);
    first.subscribe("t", QoS::AtLeastOnce);
    let mut second = Raw::connect(&broker, Version::V5, "c", 3_600);
    let frame = first.read().unwrap();
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::SESSION_TAKEN_OVER));
    assert_eq!(frame.packet(Version::V5), Ok(farewell));
    Raw::connect(&broker, Version::V3_1_1, "", 0).publish("t", b"x");
    assert_eq!(second.receive(), b"x");

    let mut nameless = Raw::open(&broker, Version::V5);
    nameless.send(&Packet::Connect(Connect::new(Version::V5, "")));
    let frame = nameless.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert!(connack.properties.assigned_client_identifier().is_some());
}

#[test]
fn what_is_wrong_is_answered_by_its_reason_and_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_small(folder.path());
    let mut good = Raw::connect(&broker, Version::V5, "good", 0);
    // A packet that cannot be read, a length of five bytes, a second CONNECT.
    let connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c";
    for (bytes, reason) in [
        (&b"\x36\x05\0\x01a\0\0"[..], ReasonCode::MALFORMED_PACKET),
        (b"\x30\xff\xff\xff\xff\x01", ReasonCode::MALFORMED_PACKET),
        (connect, ReasonCode::PROTOCOL_ERROR),
    ] {
        let mut client = Raw::connect(&broker, Version::V5, "c", 0);
        client.stream.write_all(bytes).unwrap();
        let frame = client.read().unwrap();
        let farewell = Packet::Disconnect(Disconnect::new(reason));
        assert_eq!(frame.packet(Version::V5), Ok(farewell), "{bytes:02x?}");
        assert!(client.read().is_none());
    }
    assert_eq!(good.publish("t", b"x"), ReasonCode::SUCCESS);
}
