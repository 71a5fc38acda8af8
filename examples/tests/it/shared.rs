//! Shared subscriptions, by clients that come, go and are killed with the broker.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater::codec::{
    Connect, Disconnect, Packet, PacketId, Properties, Property, PubAck, PubComp, PubRec, QoS, ReasonCode,
    Subscribe, SubscribeFilter, Unsubscribe, Version,
};
use headwater::topic::TopicFilter;

use crate::program::Broker;
use crate::raw::Raw;

const FILTER: &str = "$share/g/t/#";

/// A subscriber in a thread of its own: what it gets, it acknowledges and tells, until `stop` comes.
struct Worker {
    thread: JoinHandle<()>,
    told: Receiver<usize>,
}

impl Worker {
    fn start(mut client: Raw) -> Self {
        let (tell, told) = channel();
        client.subscribe(FILTER, QoS::AtLeastOnce);
        client.subscribe("stop", QoS::AtLeastOnce);
        Self { thread: std::thread::spawn(move || work(client, &tell)), told }
    }

    /// What it has got when it was stopped.
    fn end(self) -> Vec<usize> {
        self.thread.join().unwrap();
        self.told.iter().collect()
    }
}

fn work(mut client: Raw, tell: &Sender<usize>) {
    loop {
        let payload = String::from_utf8(client.receive()).unwrap();
        if payload == "stop" {
            return;
        }
        tell.send(payload.parse().unwrap()).unwrap();
    }
}

/// Publishes numbers with QoS 1, and waits for each acknowledgement.
fn publish(publisher: &mut Raw, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let acknowledged = publisher.publish(&format!("t/{}", number % 7), number.to_string().as_bytes());
        assert!(!acknowledged.is_error());
    }
}

fn count(all: impl IntoIterator<Item = usize>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for number in all {
        *counts.entry(number).or_default() += 1;
    }
    counts
}

#[test]
fn each_message_goes_to_one_subscriber_in_every_version() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let workers = [(Version::V5, "a"), (Version::V3_1_1, "b"), (Version::V3_1, "c")]
        .map(|(version, name)| Worker::start(Raw::connect(&broker, version, name, 0)));
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publish(&mut publisher, 0..1_000);
    let mut got: [Vec<usize>; 3] = Default::default();
    let deadline = Instant::now() + Duration::from_secs(20);
    while got.iter().map(Vec::len).sum::<usize>() < 1_000 {
        assert!(Instant::now() < deadline, "{got:?}");
        for (worker, got) in workers.iter().zip(&mut got) {
            got.extend(worker.told.recv_timeout(Duration::from_millis(10)));
        }
    }
    // What came too often comes before this, or is found by the others' sum.
    publisher.publish("stop", b"stop");
    for (worker, got) in workers.into_iter().zip(&mut got) {
        got.extend(worker.end());
    }
    for got in &got {
        assert!((200..=500).contains(&got.len()), "fair: {}", got.len());
    }
    let counts = count(got.concat());
    assert_eq!(counts.len(), 1_000);
    assert!(counts.values().all(|count| *count == 1));
}

#[test]
fn a_subscriber_that_dies_leaves_what_it_did_not_acknowledge_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let worker = Worker::start(Raw::connect(&broker, Version::V5, "a", 0));
    let mut doomed = Raw::connect(&broker, Version::V5, "doomed", 0);
    doomed.subscribe(FILTER, QoS::AtLeastOnce);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publish(&mut publisher, 0..300);
    let mut got: Vec<usize> =
        (0..20).map(|_| String::from_utf8(doomed.receive()).unwrap().parse().unwrap()).collect();
    // The last acknowledgement may be under way when it dies: a round trip behind it, it is not.
    doomed.send(&Packet::PingReq);
    while !matches!(doomed.read().unwrap().packet(Version::V5).unwrap(), Packet::PingResp) {}
    drop(doomed);
    publish(&mut publisher, 300..400);
    let deadline = Instant::now() + Duration::from_secs(20);
    while got.len() < 400 {
        got.push(worker.told.recv_timeout(deadline - Instant::now()).unwrap());
    }
    publisher.publish("stop", b"stop");
    got.extend(worker.end());
    assert_eq!(count(got), (0..400).map(|number| (number, 1)).collect());
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_reaches_a_member_of_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    for name in ["a", "b", "never back"] {
        Raw::connect(&broker, Version::V5, name, 3_600).subscribe(FILTER, QoS::AtLeastOnce);
    }
    let mut received = BTreeMap::new();
    for round in 0..4 {
        let clients = ["a", "b"].map(|name| Raw::connect(&broker, Version::V5, name, 3_600));
        let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
        publish(&mut publisher, round * 100..(round + 1) * 100);
        for mut client in clients {
            for _ in 0..20 {
                let payload = String::from_utf8(client.receive()).unwrap();
                *received.entry(payload.parse::<usize>().unwrap()).or_default() += 1;
            }
        }
        // The messages since the last save, and those that nobody has acknowledged.
        broker.kill();
        broker.restart();
    }
    let mut last = Raw::connect(&broker, Version::V5, "a", 3_600);
    let missing = |received: &BTreeMap<usize, usize>| (0..400).any(|number| !received.contains_key(&number));
    // What b was sent is b's as long as its session lasts, but a crash gives what was not saved to all.
    let mut others = Raw::connect(&broker, Version::V5, "b", 3_600);
    for client in [&mut last, &mut others] {
        client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while missing(&received) {
        assert!(Instant::now() < deadline, "{} of 400", received.len());
        for client in [&mut last, &mut others] {
            while let Some(payload) = client.try_receive() {
                let number: usize = String::from_utf8(payload).unwrap().parse().unwrap();
                *received.entry(number).or_default() += 1;
            }
        }
    }
    let twice: usize = received.values().map(|count| count - 1).sum();
    assert!(twice <= 400, "{twice} came twice: no more than what was not saved");
}

/// A subscriber with a session that lasts so long, subscribed and with one message of this QoS, which it has read and not acknowledged.
fn with_one(broker: &Broker, qos: QoS, expiry_secs: u32) -> (Raw, PacketId) {
    let mut client = Raw::connect(broker, Version::V5, "first", expiry_secs);
    client.subscribe(FILTER, qos);
    let mut publisher = Raw::connect(broker, Version::V5, "publisher", 0);
    publisher.publish_at("t/0", b"x", qos);
    let id = publish_of(&mut client);
    (client, id)
}

/// Reads a PUBLISH with the payload `x`.
fn publish_of(client: &mut Raw) -> PacketId {
    let frame = client.read().unwrap();
    let Packet::Publish(publish) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
    assert_eq!(publish.payload, b"x");
    publish.packet_id().unwrap()
}

/// Subscribes another client, and checks that the first message it gets is one that is published now.
fn assert_nothing_is_left(broker: &Broker) {
    let mut other = Raw::connect(broker, Version::V5, "other", 0);
    other.subscribe(FILTER, QoS::ExactlyOnce);
    Raw::connect(broker, Version::V5, "publisher", 0).publish("t/0", b"next");
    assert_eq!(other.receive(), b"next");
}

/// Says goodbye, so that what was sent before has been read.
fn goodbye(mut client: Raw) {
    client.send(&Packet::Disconnect(Disconnect::NORMAL));
    while client.read().is_some() {}
}

#[test]
fn qos_2_is_completed_with_the_client_it_was_sent_to() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let (first, id) = with_one(&broker, QoS::ExactlyOnce, 3_600);
    goodbye(first);
    assert_nothing_is_left(&broker);
    let mut first = Raw::connect(&broker, Version::V5, "first", 3_600);
    assert_eq!(publish_of(&mut first), id);
    first.send(&Packet::PubRec(PubRec::new(id)));
    assert!(
        matches!(first.read().unwrap().packet(Version::V5).unwrap(), Packet::PubRel(rel) if rel.packet_id == id)
    );
    first.send(&Packet::PubComp(PubComp::new(id)));
    goodbye(first);
    assert_nothing_is_left(&broker);
}

#[test]
fn qos_2_that_was_sent_goes_to_nobody_else_when_the_session_ends() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    // Somebody else is a member all the time: the group goes on.
    let mut stays = Raw::connect(&broker, Version::V5, "stays", 3_600);
    stays.subscribe(FILTER, QoS::ExactlyOnce);
    goodbye(stays);
    let (first, _) = with_one(&broker, QoS::ExactlyOnce, 0);
    goodbye(first);
    assert_nothing_is_left(&broker);
}

#[test]
fn qos_1_that_was_sent_goes_to_another_when_the_session_ends() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut stays = Raw::connect(&broker, Version::V5, "stays", 3_600);
    stays.subscribe(FILTER, QoS::ExactlyOnce);
    goodbye(stays);
    let (first, _) = with_one(&broker, QoS::AtLeastOnce, 0);
    goodbye(first);
    publish_of(&mut Raw::connect(&broker, Version::V5, "stays", 3_600));
}

#[test]
fn a_message_that_was_refused_is_sent_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut stays = Raw::connect(&broker, Version::V5, "stays", 3_600);
    stays.subscribe(FILTER, QoS::ExactlyOnce);
    goodbye(stays);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (mut first, id) = with_one(&broker, qos, 0);
        let reason = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
        match qos {
            QoS::ExactlyOnce => first.send(&Packet::PubRec(PubRec::with_reason(id, reason))),
            _ => first.send(&Packet::PubAck(PubAck::with_reason(id, reason))),
        }
        goodbye(first);
        assert_nothing_is_left(&broker);
    }
}

#[test]
fn a_message_that_is_larger_than_its_member_takes_is_done_with() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut small = Raw::open(&broker, Version::V5);
    let limit = [Property::MaximumPacketSize(100.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "small");
    connect.properties = Properties::from(&limit[..]);
    small.send(&Packet::Connect(connect));
    assert!(small.read().is_some());
    small.subscribe(FILTER, QoS::AtLeastOnce);
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t/0", &[0; 100]);
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t/0", b"fits");
    assert_eq!(small.receive(), b"fits");
    let mut other = Raw::connect(&broker, Version::V5, "other", 0);
    other.subscribe(FILTER, QoS::AtLeastOnce);
    goodbye(small);
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t/0", b"next");
    assert_eq!(other.receive(), b"next");
}

#[test]
fn each_member_has_the_qos_that_it_was_granted() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut members = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| {
        let mut client = Raw::connect(&broker, Version::V5, &format!("member-{}", qos.as_u8()), 0);
        client.subscribe(FILTER, qos);
        client
    });
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    for _ in 0..3 {
        publisher.publish_at("t/0", b"x", QoS::ExactlyOnce);
    }
    for (member, qos) in members.iter_mut().zip([QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]) {
        let frame = member.read().unwrap();
        let Packet::Publish(publish) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        assert_eq!(publish.qos(), qos);
    }
}

#[test]
fn no_local_on_a_shared_subscription_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    let mut bytes = Vec::new();
    let filters = [SubscribeFilter::new(TopicFilter::parse("$share/g/t").unwrap(), QoS::AtLeastOnce)];
    Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters)).encode(Version::V5, &mut bytes).unwrap();
    // The options are the last byte; the codec does not write such a packet.
    *bytes.last_mut().unwrap() |= 4;
    std::io::Write::write_all(&mut client.stream, &bytes).unwrap();
    let frame = client.read().unwrap();
    let Packet::Disconnect(disconnect) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(disconnect.reason, ReasonCode::PROTOCOL_ERROR);
    assert!(client.read().is_none());
}

#[test]
fn unsubscribe_ends_the_membership() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::connect(&broker, Version::V5, "c", 0);
    client.subscribe(FILTER, QoS::AtLeastOnce);
    let filters = [FILTER, FILTER].map(|text| TopicFilter::parse(text).unwrap());
    client.send(&Packet::Unsubscribe(Unsubscribe::new(PacketId::MIN, &filters)));
    let frame = client.read().unwrap();
    let Packet::UnsubAck(unsuback) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    let expected = [ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED];
    assert_eq!(unsuback.reasons.iter().collect::<Vec<_>>(), expected);
}
