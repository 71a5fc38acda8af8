//! What the broker bounds: time, sizes, numbers, open files.

use std::io::Write;
use std::time::{Duration, Instant};

use headwater::codec::{
    Delivery, Packet, PacketId, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter, Version,
};
use headwater::topic::{TopicFilter, TopicName};

use crate::program::{Broker, replay};
use crate::raw::Raw;

#[test]
fn nothing_that_it_says_need_be_written_for_the_broker_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_mute(folder.path());
    let mut client = Raw::connect(&broker, Version::V5, "c", 3_600);
    assert_eq!(client.publish("t", b"x"), ReasonCode::SUCCESS);
    let (status, _) = broker.stop();
    assert!(status.success(), "{status}");
    assert_eq!(replay(folder.path(), &[]).len(), 1);
}

/// A PUBLISH of QoS 0.
fn publish_packet(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let publish = Publish::new(TopicName::parse(topic).unwrap(), payload);
    Packet::Publish(publish).encode(Version::V5, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_stream_without_a_pause_lives_on_and_a_packet_that_does_not_end_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--packet-timeout", "1s"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    let packet = publish_packet("t", &[7; 1_000]);
    let (head, rest) = packet.split_at(500);
    let begin = Instant::now();
    client.stream.write_all(head).unwrap();
    // Whenever the broker looks, a packet has begun and is not complete.
    let mut count = 1;
    while begin.elapsed() < Duration::from_millis(2_500) {
        std::thread::sleep(Duration::from_millis(50));
        client.stream.write_all(&[rest, head].concat()).unwrap();
        count += 1;
    }
    client.stream.write_all(rest).unwrap();
    assert_eq!(client.publish("t", b"last"), ReasonCode::SUCCESS);
    assert_eq!(replay(folder.path(), &[]).len(), count + 1);
    client.stream.write_all(head).unwrap();
    assert!(client.read().is_none());
}

#[test]
fn a_retained_message_may_be_as_large_as_a_packet() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--packet-bytes-max", "2MiB"]);
    let mut publisher = Raw::connect(&broker, Version::V3_1_1, "publisher", 0);
    let payload = vec![7; (2 << 20) - 100];
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    publisher.send(&Packet::Publish(
        Publish::new(TopicName::parse("t").unwrap(), &payload).with_delivery(delivery).with_retain(true),
    ));
    let frame = publisher.read().expect("PUBACK");
    assert!(matches!(frame.packet(Version::V3_1_1).unwrap(), Packet::PubAck(_)));
    let mut reader = Raw::connect(&broker, Version::V3_1_1, "reader", 0);
    reader.subscribe("t", QoS::AtLeastOnce);
    assert!(reader.receive() == payload);
}

/// SUBSCRIBE with these filters: the reasons.
fn subscribe(client: &mut Raw, filters: &[&str]) -> Vec<ReasonCode> {
    let filters: Vec<_> = filters
        .iter()
        .map(|text| SubscribeFilter::new(TopicFilter::parse(text).unwrap(), QoS::AtMostOnce))
        .collect();
    client.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters)));
    let frame = client.read().expect("SUBACK");
    let Packet::SubAck(suback) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
    suback.reasons.iter().collect()
}
