//! The broker as a whole: sessions, wills, take-over, stop and start.

use std::time::Duration;

use headwater::codec::{
    Connect, Disconnect, Packet, PacketId, Properties, Property, QoS, ReasonCode, Subscribe, SubscribeFilter,
    Version, Will,
};
use headwater::topic::{TopicFilter, TopicName};

use crate::program::{Broker, replay};
use crate::raw::Raw;

#[test]
fn says_where_it_listens_what_it_holds_and_what_to_type_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/by/it");
    let broker = Broker::start(&data, &[]);
    for part in
        [&broker.address.to_string()[..], "4 partitions", "7days", "1.0 GiB", "mosquitto_sub", "replay"]
    {
        assert!(broker.welcome.contains(part), "no {part} in\n{}", broker.welcome);
    }
    Raw::connect(&broker, Version::V5, "c", 0).publish("t", b"x");
    let (status, said) = broker.stop();
    assert!(status.success());
    assert!(said.contains("stopped: 1 messages received"), "{said}");
    let broker = Broker::start(&data, &[]);
    assert!(broker.welcome.contains("1 messages"), "{}", broker.welcome);
    assert!(broker.welcome.contains("closed cleanly"), "{}", broker.welcome);
}

#[test]
fn a_session_survives_a_stop_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    for (version, client_id) in [(Version::V3_1_1, "old"), (Version::V5, "new")] {
        let mut client = Raw::connect(&broker, version, client_id, 3_600);
        client.subscribe("t", QoS::AtLeastOnce);
        client.send(&Packet::Disconnect(Disconnect::NORMAL));
        assert!(client.read().is_none());
    }
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("t", b"1");
    broker.kill();
    broker.restart();
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("t", b"2");
    let (status, _) = broker.stop();
    assert!(status.success());
    let broker = Broker::start(folder.path(), &[]);
    for (version, client_id) in [(Version::V3_1_1, "old"), (Version::V5, "new")] {
        let mut client = Raw::connect(&broker, version, client_id, 3_600);
        assert_eq!((client.receive(), client.receive()), (b"1".to_vec(), b"2".to_vec()));
    }
}

#[test]
fn the_same_client_again_takes_over_and_the_old_connection_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut old = Raw::connect(&broker, Version::V5, "c", 3_600);
    old.subscribe("t", QoS::AtLeastOnce);
    let mut new = Raw::connect(&broker, Version::V5, "c", 3_600);
    let frame = old.read().unwrap();
    let Packet::Disconnect(disconnect) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(disconnect.reason, ReasonCode::SESSION_TAKEN_OVER);
    assert!(old.read().is_none());
    drop(old);
    Raw::connect(&broker, Version::V5, "publisher", 0).publish("t", b"x");
    assert_eq!(
        new.receive(),
        b"x",
        "the subscription went over, and the late end of the old one harms nothing"
    );
}

/// Connects with a will and dies or leaves.
fn with_will(broker: &Broker, client_id: &str, delay_secs: u32, expiry_secs: u32, leave: Option<ReasonCode>) {
    let mut client = Raw::open(broker, Version::V5);
    let delay = [Property::WillDelayInterval(delay_secs), Property::ContentType("text/plain")];
    let expiry = [Property::SessionExpiryInterval(expiry_secs)];
    let mut will = Will::new(TopicName::parse("wills").unwrap(), client_id.as_bytes());
    will.qos = QoS::AtLeastOnce;
    will.properties = Properties::from(&delay[..]);
    let mut connect = Connect::new(Version::V5, client_id);
    connect.will = Some(will);
    connect.properties = Properties::from(&expiry[..]);
    client.send(&Packet::Connect(connect));
    assert!(client.read().is_some());
    if let Some(reason) = leave {
        client.send(&Packet::Disconnect(Disconnect::new(reason)));
        assert!(client.read().is_none());
    }
}

#[test]
fn a_will_is_published_when_a_client_dies_and_not_when_it_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut listener = Raw::connect(&broker, Version::V5, "listener", 0);
    listener.subscribe("wills", QoS::AtLeastOnce);
    with_will(&broker, "leaves", 0, 0, Some(ReasonCode::SUCCESS));
    with_will(&broker, "leaves with a will", 0, 0, Some(ReasonCode::DISCONNECT_WITH_WILL));
    assert_eq!(listener.receive(), b"leaves with a will");
    with_will(&broker, "leaves with an error", 0, 0, Some(ReasonCode::UNSPECIFIED_ERROR));
    assert_eq!(listener.receive(), b"leaves with an error");
    with_will(&broker, "dies", 0, 0, None);
    assert_eq!(listener.receive(), b"dies");
    // The session ends with the connection, so the delay does too [MQTT-3.1.2-8].
    with_will(&broker, "dies with its session", 600, 0, None);
    assert_eq!(listener.receive(), b"dies with its session");
    with_will(&broker, "comes back", 1, 600, None);
    let back = Raw::connect(&broker, Version::V5, "comes back", 600);
    // A clean start ends the old session, and its will is due at once.
    with_will(&broker, "starts anew", 600, 600, None);
    Raw::connect(&broker, Version::V5, "starts anew", 0);
    assert_eq!(listener.receive(), b"starts anew");
    with_will(&broker, "stays away", 1, 600, None);
    assert_eq!(listener.receive(), b"stays away");
    drop(back);
}

#[test]
fn a_will_that_waits_is_published_when_the_broker_stops() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut listener = Raw::connect(&broker, Version::V5, "listener", 3_600);
    listener.subscribe("wills", QoS::AtLeastOnce);
    with_will(&broker, "waits", 3_600, 3_600, Some(ReasonCode::DISCONNECT_WITH_WILL));
    let (status, _) = broker.stop();
    assert!(status.success());
    let broker = Broker::start(folder.path(), &[]);
    let mut listener = Raw::connect(&broker, Version::V5, "listener", 3_600);
    assert_eq!(listener.receive(), b"waits");
}

#[test]
fn each_filter_of_a_packet_has_an_answer_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--subscriptions-max", "1"]);
    for (version, refused) in
        [(Version::V5, ReasonCode::QUOTA_EXCEEDED), (Version::V3_1_1, ReasonCode::UNSPECIFIED_ERROR)]
    {
        let mut client = Raw::connect(&broker, version, "c", 0);
        let filters =
            [("$share/g/t", QoS::ExactlyOnce), ("t", QoS::AtMostOnce), ("$share/g/t", QoS::AtLeastOnce)]
                .map(|(text, qos)| SubscribeFilter::new(TopicFilter::parse(text).unwrap(), qos));
        client.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters)));
        let frame = client.read().unwrap();
        let Packet::SubAck(suback) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
        let expected = [ReasonCode::GRANTED_QOS_2, refused, ReasonCode::GRANTED_QOS_1];
        assert_eq!(suback.reasons.iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_client_without_an_identifier_is_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::open(&broker, Version::V5);
    client.send(&Packet::Connect(Connect::new(Version::V5, "")));
    let frame = client.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert!(connack.properties.assigned_client_identifier().is_some_and(|id| id.len() > 8));
    assert_eq!(connack.properties.topic_alias_maximum(), Some(16), "the default of the option");
    assert_eq!(connack.properties.shared_subscription_available(), None, "they are available");
}

#[test]
fn a_large_payload_reaches_its_reader_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut reader = Raw::connect(&broker, Version::V5, "reader", 0);
    reader.subscribe("large", QoS::AtLeastOnce);
    let mut publisher = Raw::connect(&broker, Version::V3_1_1, "publisher", 0);
    let payload: Vec<u8> =
        (0..1_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
    publisher.publish("large", &payload);
    assert!(reader.receive() == payload);
    let records = replay(folder.path(), &["--filter", "large"]);
    assert_eq!(records.len(), 1);
}

#[test]
fn a_client_that_takes_small_packets_only_is_not_sent_large_ones() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut reader = Raw::open(&broker, Version::V5);
    let limit = [Property::MaximumPacketSize(100.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "small");
    connect.properties = Properties::from(&limit[..]);
    reader.send(&Packet::Connect(connect));
    assert!(reader.read().is_some());
    reader.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("t", &[0; 100]);
    publisher.publish("t", b"small");
    assert_eq!(reader.receive(), b"small");
}

#[test]
fn keep_alive_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::open(&broker, Version::V5);
    let mut connect = Connect::new(Version::V5, "silent");
    connect.keep_alive_secs = 1;
    client.send(&Packet::Connect(connect));
    assert!(client.read().is_some());
    let begin = std::time::Instant::now();
    let frame = client.read().unwrap();
    let Packet::Disconnect(disconnect) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(disconnect.reason, ReasonCode::KEEP_ALIVE_TIMEOUT);
    assert!(begin.elapsed() >= Duration::from_millis(1_400));
}
