//! What the broker does not let itself be harmed by.

use std::io::{Read, Write};

use headwater::codec::{Connect, Packet, QoS, ReasonCode, Version};

use crate::program::{Broker, refusal, run};
use crate::raw::Raw;

#[test]
fn a_connection_that_sends_garbage_is_closed_and_the_broker_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..200 {
        let mut stream = broker.connect();
        let bytes: Vec<u8> = (0..rng.usize(1..300)).map(|_| rng.u8(..)).collect();
        if round % 2 == 0 {
            // Garbage behind a CONNECT that is right.
            let mut connect = Vec::new();
            Connect::new(Version::V5, "garbage").encode(&mut connect).unwrap();
            stream.write_all(&connect).unwrap();
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.write_all(&[0; 64]);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(broker.is_running());
    let mut client = Raw::connect(&broker, Version::V5, "good", 0);
    assert_eq!(client.publish("t", b"x"), ReasonCode::SUCCESS);
}

#[test]
fn a_malformed_packet_is_answered_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    // QoS 3.
    client.stream.write_all(b"\x36\x05\x00\x01a\x00\x00").unwrap();
    let frame = client.read().unwrap();
    let Packet::Disconnect(disconnect) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(disconnect.reason, ReasonCode::MALFORMED_PACKET);
    assert!(client.read().is_none());
}

#[test]
fn a_packet_above_the_limit_is_refused_from_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--packet-bytes-max", "10KiB"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    assert_eq!(client.publish("t", &[0; 10_000]), ReasonCode::SUCCESS);
    // 256 MiB to come.
    client.stream.write_all(b"\x30\xff\xff\xff\x7f").unwrap();
    let frame = client.read().unwrap();
    let Packet::Disconnect(disconnect) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(disconnect.reason, ReasonCode::PACKET_TOO_LARGE);
}

#[test]
fn a_version_that_is_not_spoken_is_refused_in_words_the_client_knows() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::open(&broker, Version::V3_1_1);
    client.stream.write_all(b"\x10\x0d\x00\x04MQTT\x07\x02\x00\x00\x00\x01c").unwrap();
    let frame = client.read().unwrap();
    assert_eq!(&frame.bytes()[..], [0x20, 2, 0, 1]);
    assert!(client.read().is_none());
}

#[test]
fn a_malformed_connect_of_3_1_1_is_closed_without_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    // The reserved flag is set.
    let mut client = Raw::open(&broker, Version::V3_1_1);
    client.stream.write_all(b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x00\x00\x01c").unwrap();
    assert!(client.read().is_none());
    let mut client = Raw::open(&broker, Version::V5);
    client.stream.write_all(b"\x10\x0e\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x01c").unwrap();
    let frame = client.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(connack.reason, ReasonCode::MALFORMED_PACKET);
}

#[test]
fn a_3_1_1_client_may_have_more_qos_2_messages_under_way_than_the_broker_keeps() {
    use headwater::codec::{Delivery, PacketId, Publish};
    use headwater::topic::TopicName;
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--inflight-max", "10"]);
    let mut client = Raw::connect(&broker, Version::V3_1_1, "c", 0);
    let ids = (1..=100).filter_map(PacketId::new);
    for packet_id in ids.clone() {
        let publish = Publish::new(TopicName::parse("t").unwrap(), b"x");
        client.send(&Packet::Publish(publish.with_delivery(Delivery::ExactlyOnce { packet_id, dup: false })));
    }
    for packet_id in ids.clone() {
        let frame = client.read().unwrap();
        let Packet::PubRec(received) = frame.packet(Version::V3_1_1).unwrap() else { panic!("{frame:?}") };
        assert_eq!(received.packet_id, packet_id);
    }
    for packet_id in ids {
        client.send(&Packet::PubRel(headwater::codec::PubRel::new(packet_id)));
        let frame = client.read().unwrap();
        assert!(
            matches!(frame.packet(Version::V3_1_1).unwrap(), Packet::PubComp(ack) if ack.packet_id == packet_id)
        );
    }
}

#[test]
fn one_connection_too_many_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--connections-max", "1"]);
    let first = Raw::connect(&broker, Version::V5, "first", 0);
    let mut second = Raw::open(&broker, Version::V5);
    second.send(&Packet::Connect(Connect::new(Version::V5, "second")));
    let frame = second.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(connack.reason, ReasonCode::CONNECTION_RATE_EXCEEDED);
    assert!(second.read().is_none());
    drop(first);
    // The permit comes back when the broker has seen the end.
    for _ in 0..1_000 {
        let mut third = Raw::open(&broker, Version::V5);
        third.send(&Packet::Connect(Connect::new(Version::V5, "third")));
        let frame = third.read().unwrap();
        let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        if connack.reason == ReasonCode::SUCCESS {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("no room again");
}

#[test]
fn a_directory_in_use_is_locked_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let _broker = Broker::start(folder.path(), &[]);
    let said = refusal(folder.path());
    assert!(said.contains(&folder.path().display().to_string()) && said.contains("in use"), "{said}");
}

#[test]
fn a_flipped_bit_in_what_was_durable_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--partitions", "1"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    for number in 0..10 {
        client.publish("t", format!("message {number}").as_bytes());
    }
    let (status, _) = broker.stop();
    assert!(status.success());
    let segment = folder.path().join("mqtt-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&segment, &bytes).unwrap();
    // A clean log is not read when it is opened; one that was killed is, where it was not known to be whole. Here the reader finds it.
    let output = run("replay", &["--data", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("mqtt-0") && said.contains("00000000000000000000") && said.contains("position"),
        "{said}"
    );
}

#[test]
fn a_torn_tail_is_cut_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &["--partitions", "1"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    client.publish("t", b"whole");
    broker.kill();
    let segment = folder.path().join("mqtt-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // As much of a batch as a crash may leave: its header says more than there is.
    let head: Vec<u8> = bytes[..40].to_vec();
    bytes.truncate(end);
    bytes.extend(head);
    std::fs::write(&segment, &bytes).unwrap();
    broker.restart();
    assert!(broker.welcome.contains("torn tail"), "{}", broker.welcome);
    let records = crate::program::replay(folder.path(), &[]);
    assert_eq!(records.len(), 1);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    client.publish("t", b"behind it");
    assert_eq!(crate::program::replay(folder.path(), &[]).len(), 2);
}

#[test]
fn another_number_of_partitions_is_refused_with_the_one_there_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(Broker::start(folder.path(), &["--partitions", "2"]));
    let data = folder.path().to_str().unwrap();
    let output = run("broker", &["--data", data, "--listen", "127.0.0.1:0", "--partitions", "3"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("2 partitions") && said.contains('3'), "{said}");
}

#[test]
fn options_are_refused_with_the_right_form() {
    for (example, option, value, form) in [
        ("broker", "--listen", "1883", "127.0.0.1:1883"),
        ("broker", "--retention", "a week", "7days"),
        ("broker", "--retention-bytes", "lots", "1GiB"),
        ("broker", "--packet-timeout", "10ms", "60s"),
        ("broker", "--wills-bytes-max", "0", "512MiB"),
        ("broker", "--sessions-max", "0", "1.."),
        ("broker", "--session-expiry-max", "0s", "7days"),
        ("broker", "--retained-max", "0", "1.."),
        ("broker", "--retained-bytes-max", "some", "512MiB"),
        ("replay", "--from", "yesterday", "earliest"),
        ("replay", "--filter", "a/#/b", "factory/#"),
        ("replay", "--data", "/nowhere/at/all", "/nowhere/at/all"),
    ] {
        let output = run(example, &[option, value]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(form), "{example} {option} {value}: {said}");
    }
}

#[test]
fn a_reader_that_does_not_read_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--inbox-max", "100"]);
    let mut stuck = Raw::connect(&broker, Version::V3_1_1, "stuck", 0);
    stuck.subscribe("t", QoS::AtLeastOnce);
    let mut reader = Raw::connect(&broker, Version::V3_1_1, "reader", 0);
    reader.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Raw::connect(&broker, Version::V3_1_1, "publisher", 0);
    let payload = [7; 50_000];
    for _ in 0..300 {
        publisher.publish("t", &payload);
        assert_eq!(reader.receive().len(), payload.len());
    }
    // 15 MB later it reads after all: nothing is lost.
    for _ in 0..300 {
        assert_eq!(stuck.receive().len(), payload.len());
    }
}
