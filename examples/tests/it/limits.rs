//! What the broker bounds: time, sizes, numbers, open files.

use std::io::Write;
use std::time::{Duration, Instant};

use headwater::codec::{
    Connect, Delivery, Disconnect, Packet, PacketId, Properties, Property, Publish, QoS, ReasonCode,
    Subscribe, SubscribeFilter, Version, Will,
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

#[test]
fn the_properties_of_a_packet_fit_a_record_whatever_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--packet-bytes-max", "10KiB"]);
    // The longest identifier that fits a CONNECT, and properties that get a longer name in the record.
    let client_id = "c".repeat(10_000);
    let mut client = Raw::connect(&broker, Version::V5, &client_id, 0);
    let properties = vec![Property::UserProperty("mqtt.", ""); 1_000];
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    client.send(&Packet::Publish(
        Publish::new(TopicName::parse("t").unwrap(), b"x")
            .with_delivery(delivery)
            .with_properties(Properties::from(&properties[..])),
    ));
    let frame = client.read().unwrap();
    let Packet::PubAck(ack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(ack.reason, ReasonCode::SUCCESS);
}

/// CONNECT of a 5.0 client that takes packets of 5 bytes at the most: no CONNACK that lets it in.
fn connect_with_no_room(broker: &Broker, client_id: &str, with_will: bool) {
    let mut client = Raw::open(broker, Version::V5);
    let properties =
        [Property::SessionExpiryInterval(3_600), Property::MaximumPacketSize(5.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, client_id);
    connect.properties = Properties::from(&properties[..]);
    if with_will {
        connect.will = Some(Will::new(TopicName::parse("wills").unwrap(), b"gone"));
    }
    client.send(&Packet::Connect(connect));
    let frame = client.read().expect("CONNACK");
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(connack.reason, ReasonCode::PACKET_TOO_LARGE);
    assert!(client.read().is_none());
}

#[test]
fn a_client_that_cannot_be_let_in_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut kept = Raw::connect(&broker, Version::V5, "kept", 3_600);
    kept.subscribe("t", QoS::AtLeastOnce);
    // Neither the connection of the same client nor its session ends by one that asks for a clean start.
    connect_with_no_room(&broker, "kept", false);
    assert_eq!(kept.publish("t", b"x"), ReasonCode::SUCCESS);
    assert_eq!(kept.receive(), b"x");

    let mut listener = Raw::connect(&broker, Version::V5, "listener", 0);
    listener.subscribe("wills", QoS::AtLeastOnce);
    connect_with_no_room(&broker, "never here", true);
    // Who comes under the same name comes after whatever is left of the one before.
    let mut other = Raw::connect(&broker, Version::V5, "never here", 0);
    assert_eq!(other.publish("wills", b"not a will"), ReasonCode::SUCCESS);
    assert_eq!(listener.receive(), b"not a will");
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

#[test]
fn a_client_with_all_its_subscriptions_may_replace_each() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--subscriptions-max", "2"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    let (granted, quota) = (ReasonCode::GRANTED_QOS_0, ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(subscribe(&mut client, &["a", "b", "c"]), [granted, granted, quota]);
    assert_eq!(subscribe(&mut client, &["b", "c", "a"]), [granted, quota, granted]);
}

#[test]
fn idle_connections_leave_the_log_its_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--segment-bytes", "1MiB", "--packet-bytes-max", "64KiB"];
    let broker = Broker::start_with_files(folder.path(), &options, "-n 120");
    assert!(broker.welcome.contains("120 open files"), "{}", broker.welcome);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    let idle: Vec<_> = (0..110).map(|_| broker.connect()).collect();
    // Each partition gets new files while all the connections are there.
    for number in 0..100 {
        let reason = publisher.publish(&format!("t/{}", number % 8), &[7; 60_000]);
        assert_eq!(reason, ReasonCode::SUCCESS, "message {number}");
    }
    drop(idle);
}

#[test]
fn the_soft_limit_of_open_files_is_no_limit() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_with_files(folder.path(), &[], "-S -n 60");
    let clients: Vec<_> =
        (0..100).map(|number| Raw::connect(&broker, Version::V5, &format!("c{number}"), 0)).collect();
    assert_eq!(clients.len(), 100);
}

/// Publishes a retained message of QoS 1; its acknowledgement, `None` if the broker closes.
fn retain(client: &mut Raw, topic: &str) -> Option<ReasonCode> {
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Publish::new(TopicName::parse(topic).unwrap(), b"x");
    client.send(&Packet::Publish(publish.with_delivery(delivery).with_retain(true)));
    let frame = client.read()?;
    let Packet::PubAck(ack) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
    Some(ack.reason)
}

#[test]
fn a_retained_message_too_many_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--retained-max", "1"]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    assert_eq!(retain(&mut client, "a"), Some(ReasonCode::SUCCESS));
    assert_eq!(retain(&mut client, "b"), Some(ReasonCode::QUOTA_EXCEEDED));
    assert_eq!(retain(&mut client, "a"), Some(ReasonCode::SUCCESS));
    // Before 5.0 no acknowledgement can refuse.
    let mut old = Raw::connect(&broker, Version::V3_1_1, "old", 0);
    assert_eq!(retain(&mut old, "b"), None);
    let (_, said) = broker.stop();
    assert!(said.contains("2 not stored") && said.contains("2 messages were refused"), "{said}");
    assert_eq!(replay(folder.path(), &[]).len(), 2);
}

#[test]
fn wills_that_wait_take_no_more_memory_than_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--wills-bytes-max", "4KiB"]);
    let mut listener = Raw::connect(&broker, Version::V5, "listener", 0);
    listener.subscribe("wills", QoS::AtLeastOnce);
    // As a payload or in properties, each is too large to wait with another one.
    let long = "x".repeat(2_000);
    let properties = [Property::WillDelayInterval(3_600), Property::UserProperty("name", &long)];
    let names = ["first", "second", "third"];
    for name in names {
        let mut will = Will::new(TopicName::parse("wills").unwrap(), name.as_bytes());
        will.properties = Properties::from(&properties[..]);
        let expiry = [Property::SessionExpiryInterval(3_600)];
        let mut connect = Connect::new(Version::V5, name);
        connect.will = Some(will);
        connect.properties = Properties::from(&expiry[..]);
        let mut client = Raw::open(&broker, Version::V5);
        client.send(&Packet::Connect(connect));
        assert!(client.read().is_some());
        client.send(&Packet::Disconnect(Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL)));
        assert!(client.read().is_none());
    }
    // Two found no room, and the third one waits.
    let published = [listener.receive(), listener.receive()];
    let waits = names.into_iter().find(|name| !published.contains(&name.as_bytes().to_vec())).unwrap();
    // Until its client is back.
    drop(Raw::connect(&broker, Version::V5, waits, 3_600));
    let (_, said) = broker.stop();
    assert!(said.contains("2 wills did not wait"), "{said}");
    assert_eq!(replay(folder.path(), &[]).len(), 2);
}

/// CONNECT that asks for a session that stays: the answer, and the seconds that it may.
fn ask(
    broker: &Broker,
    version: Version,
    client_id: &str,
    clean_start: bool,
) -> (ReasonCode, bool, Option<u32>) {
    let mut client = Raw::open(broker, version);
    let properties = [Property::SessionExpiryInterval(u32::MAX)];
    let mut connect = Connect::new(version, client_id);
    connect.clean_start = clean_start;
    if version == Version::V5 {
        connect.properties = Properties::from(&properties[..]);
    }
    client.send(&Packet::Connect(connect));
    let frame = client.read().expect("CONNACK");
    let Packet::ConnAck(connack) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
    let answer = (connack.reason, connack.session_present, connack.properties.session_expiry_interval());
    client.send(&Packet::Disconnect(Disconnect::NORMAL));
    assert!(client.read().is_none());
    answer
}

#[test]
fn a_session_too_many_is_refused_and_those_that_are_there_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sessions-max", "2"]);
    assert_eq!(ask(&broker, Version::V3_1_1, "old", false).0, ReasonCode::SUCCESS);
    assert_eq!(ask(&broker, Version::V5, "new", false).0, ReasonCode::SUCCESS);
    assert_eq!(ask(&broker, Version::V5, "another", false).0, ReasonCode::QUOTA_EXCEEDED);
    let mut client = Raw::open(&broker, Version::V3_1_1);
    client.send(&Packet::Connect(Connect::new(Version::V3_1_1, "another")));
    let frame = client.read().unwrap();
    assert_eq!(&frame.bytes()[..], [0x20, 2, 0, 3], "server unavailable");
    assert!(ask(&broker, Version::V3_1_1, "old", false).1);
    assert!(ask(&broker, Version::V5, "new", false).1);
    assert!(!ask(&broker, Version::V5, "new", true).1);
    // A session that ends makes room, once the broker has seen its end.
    drop(Raw::connect(&broker, Version::V5, "new", 0));
    let deadline = Instant::now() + Duration::from_secs(10);
    while ask(&broker, Version::V5, "another", false).0 != ReasonCode::SUCCESS {
        assert!(Instant::now() < deadline, "no room again");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (_, said) = broker.stop();
    assert!(said.contains("clients were turned away"), "{said}");
}

#[test]
fn no_session_stays_longer_than_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--session-expiry-max", "1s"]);
    assert_eq!(ask(&broker, Version::V5, "new", false), (ReasonCode::SUCCESS, false, Some(1)));
    assert_eq!(ask(&broker, Version::V3_1_1, "old", false), (ReasonCode::SUCCESS, false, None));
    // One of before 5.0 cannot be told, and is held to it all the same. Its second begins when the broker has seen it go.
    for (version, client_id) in [(Version::V5, "new"), (Version::V3_1_1, "old")] {
        let ended = (0..5).any(|_| {
            std::thread::sleep(Duration::from_millis(1_200));
            !ask(&broker, version, client_id, false).1
        });
        assert!(ended, "{client_id}");
    }
}

/// A client that always has more does not keep the others from their turn: what is sent at once fits into the buffers of a subscriber that
/// gets its own, many times into its inbox if it does not.
#[test]
fn a_flood_of_qos_0_does_not_starve_who_subscribed_on_the_same_thread() {
    const MESSAGES: usize = 6_000;
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_with_one_thread(folder.path());
    let mut subscriber = Raw::connect(&broker, Version::V5, "subscriber", 0);
    subscriber.subscribe("flood", QoS::AtMostOnce);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    let mut flood = Vec::new();
    for number in 0..MESSAGES {
        let payload = format!("{number:08}");
        let publish = Publish::new(TopicName::parse("flood").unwrap(), payload.as_bytes());
        publish.encode(Version::V5, &mut flood).unwrap();
    }
    publisher.stream.write_all(&flood).unwrap();
    for number in 0..MESSAGES {
        assert_eq!(subscriber.receive(), format!("{number:08}").as_bytes());
    }
    assert!(broker.stop().1.contains(" 0 dropped"));
}
