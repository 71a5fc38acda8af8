//! Rows of the broker's promises that no other file has, over a real socket.

use std::io::Write;
use std::time::{Duration, Instant};

use headwater::codec::{Connect, Delivery, Packet, PacketId, Publish, QoS, ReasonCode, Version, Will};
use headwater::topic::TopicName;

use crate::program::{Broker, replay};
use crate::raw::Raw;

#[test]
fn a_connect_that_does_not_end_or_dribbles_closes_the_connection_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--packet-timeout", "1s"]);
    let mut connect = Vec::new();
    Connect::new(Version::V5, &"c".repeat(200)).encode(&mut connect).unwrap();
    let begin = Instant::now();
    let mut stops = Raw::open(&broker, Version::V5);
    stops.stream.write_all(&connect[..100]).unwrap();
    let mut dribbles = Raw::open(&broker, Version::V5);
    let mut written = 0;
    for byte in &connect {
        if dribbles.stream.write_all(&[*byte]).is_err() {
            break;
        }
        written += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(written < connect.len(), "it took {:?} and was let in", begin.elapsed());
    assert!(dribbles.read().is_none());
    assert!(stops.read().is_none());
    // Nobody else had to wait for them.
    assert_eq!(Raw::connect(&broker, Version::V5, "good", 0).publish("t", b"x"), ReasonCode::SUCCESS);
}

#[test]
fn a_client_that_is_silent_for_one_and_a_half_keep_alives_is_given_up_and_its_will_fires() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut listener = Raw::connect(&broker, Version::V5, "listener", 0);
    listener.subscribe("wills", QoS::AtLeastOnce);
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = Raw::open(&broker, version);
        let mut connect = Connect::new(version, "silent");
        connect.keep_alive_secs = 1;
        connect.will = Some(Will::new(TopicName::parse("wills").unwrap(), b"silent"));
        client.send(&Packet::Connect(connect));
        assert!(client.read().is_some());
        let begin = Instant::now();
        assert_eq!(listener.receive(), b"silent");
        assert!(begin.elapsed() >= Duration::from_millis(1_400));
        let farewell = client.read().map(|frame| frame.packet_type());
        assert_eq!(farewell.is_some(), version == Version::V5);
    }
}

/// A message of QoS 1: the reason of PUBACK; `None` if the broker closes instead.
fn publish(client: &mut Raw, payload: &[u8]) -> Option<ReasonCode> {
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Publish::new(TopicName::parse("t").unwrap(), payload).with_delivery(delivery);
    client.send(&Packet::Publish(publish));
    let frame = client.read()?;
    let Packet::PubAck(ack) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
    Some(ack.reason)
}

/// The disk is full for one file: no file of the process may be longer than 4 MiB.
#[test]
fn an_append_that_fails_is_not_acknowledged_and_the_broker_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--partitions", "1", "--segment-bytes", "16MiB", "--packet-bytes-max", "64KiB"];
    // What exceeds the limit is an error then, and no signal.
    let mut broker = Broker::start_with_files(folder.path(), &options, "-f 8192 && trap '' XFSZ");
    let mut client = Raw::connect(&broker, Version::V5, "new", 0);
    let mut taken = 0;
    let refused = loop {
        match publish(&mut client, &[7; 60_000]) {
            Some(ReasonCode::SUCCESS) => taken += 1,
            other => break other,
        }
        assert!(taken < 200, "a file of 4 MiB has no room for that");
    };
    assert_eq!(refused, Some(ReasonCode::QUOTA_EXCEEDED));
    assert!(taken > 10, "{taken}");
    client.send(&Packet::PingReq);
    assert_eq!(client.read().unwrap().packet(Version::V5), Ok(Packet::PingResp));
    // Before 5.0 no acknowledgement can refuse.
    let mut old = Raw::connect(&broker, Version::V3_1_1, "old", 0);
    assert_eq!(publish(&mut old, &[7; 60_000]), None);
    assert!(broker.is_running());
    assert_eq!(replay(folder.path(), &[]).len(), taken);

    broker.kill();
    let broker = Broker::start(folder.path(), &options);
    let mut client = Raw::connect(&broker, Version::V5, "new", 0);
    assert_eq!(publish(&mut client, &[7; 60_000]), Some(ReasonCode::SUCCESS));
    assert_eq!(replay(folder.path(), &[]).len(), taken + 1);
}
