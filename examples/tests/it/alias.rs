//! Topic aliases between clients and the whole broker.

use std::collections::BTreeMap;

use headwater::codec::{
    Connect, Delivery, Packet, PacketId, Properties, Property, Publish, QoS, ReasonCode, Version,
};
use headwater::topic::TopicName;

use crate::program::Broker;
use crate::raw::Raw;

/// A client of 5.0 that takes so many aliases; what CONNACK said that the broker takes.
fn connect(broker: &Broker, client_id: &str, taken: Option<u16>, packet_bytes: u32) -> (Raw, Option<u16>) {
    let mut raw = Raw::open(broker, Version::V5);
    let mut properties = vec![Property::MaximumPacketSize(packet_bytes.try_into().unwrap())];
    properties.extend(taken.map(Property::TopicAliasMaximum));
    let mut connect = Connect::new(Version::V5, client_id);
    connect.properties = Properties::from(&properties[..]);
    raw.send(&Packet::Connect(connect));
    let frame = raw.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    let offered = connack.properties.topic_alias_maximum();
    (raw, offered)
}

/// Publishes with QoS 1 under an alias; without a topic if that is empty.
fn publish(raw: &mut Raw, topic: &str, alias: u16, payload: &[u8]) -> Result<(), ReasonCode> {
    let properties = [Property::TopicAlias(alias.try_into().unwrap())];
    let mut publish = Publish::new(TopicName::parse("unused").unwrap(), payload)
        .with_delivery(Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false })
        .with_properties(Properties::from(&properties));
    publish.topic = TopicName::parse(topic).ok();
    raw.send(&Packet::Publish(publish));
    let frame = raw.read().unwrap();
    match frame.packet(Version::V5).unwrap() {
        Packet::PubAck(ack) if ack.reason == ReasonCode::SUCCESS => Ok(()),
        Packet::Disconnect(disconnect) => Err(disconnect.reason),
        other => panic!("{other:?}"),
    }
}

/// What a message was: topic, whether the topic was left out, alias.
type Seen = (String, bool, Option<u16>);

/// The next message, of QoS 0; `names` is what the client has kept of aliases.
fn receive(raw: &mut Raw, names: &mut BTreeMap<u16, String>) -> Seen {
    let frame = raw.read().expect("PUBLISH");
    let Packet::Publish(publish) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    let alias = publish.properties.topic_alias().map(|alias| alias.get());
    let topic = match (publish.topic, alias) {
        (Some(topic), alias) => {
            names.extend(alias.map(|alias| (alias, topic.to_string())));
            topic.to_string()
        }
        (None, alias) => names[&alias.unwrap()].clone(),
    };
    (topic, publish.topic.is_none(), alias)
}

#[test]
fn a_message_under_an_alias_reaches_its_subscribers_under_its_topic() {
    // [MQTT-3.3.2-12]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--topic-alias-max", "2"]);
    let mut listener = Raw::connect(&broker, Version::V3_1_1, "listener", 0);
    listener.subscribe("factory/#", QoS::AtMostOnce);
    let (mut raw, offered) = connect(&broker, "sensor", None, 1_000);
    assert_eq!(offered, Some(2));
    for (topic, alias) in
        [("factory/one", 1), ("factory/two", 2), ("", 1), ("", 2), ("factory/three", 1), ("", 1)]
    {
        publish(&mut raw, topic, alias, b"x").unwrap();
    }
    for expected in ["one", "two", "one", "two", "three", "three"] {
        let frame = listener.read().unwrap();
        let Packet::Publish(publish) = frame.packet(Version::V3_1_1).unwrap() else { panic!("{frame:?}") };
        assert_eq!(publish.topic.unwrap().as_str(), format!("factory/{expected}"));
    }
}

#[test]
fn an_alias_above_the_maximum_or_one_of_an_earlier_connection_ends_the_connection() {
    // [MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-9]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--topic-alias-max", "2"]);
    let (mut raw, _) = connect(&broker, "sensor", None, 1_000);
    publish(&mut raw, "factory/one", 1, b"x").unwrap();
    assert_eq!(publish(&mut raw, "factory/one", 3, b"x"), Err(ReasonCode::TOPIC_ALIAS_INVALID));
    assert!(raw.read().is_none());
    let (mut raw, _) = connect(&broker, "sensor", None, 1_000);
    assert_eq!(publish(&mut raw, "", 1, b"x"), Err(ReasonCode::PROTOCOL_ERROR));
    assert!(raw.read().is_none());

    let (mut raw, _) = connect(&broker, "sensor", None, 1_000);
    std::io::Write::write_all(&mut raw.stream, b"\x30\x07\0\x01a\x03\x23\0\0").unwrap();
    let frame = raw.read().unwrap();
    let Packet::Disconnect(said) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert_eq!(said.reason, ReasonCode::TOPIC_ALIAS_INVALID, "zero");
}

#[test]
fn a_client_gets_aliases_up_to_its_maximum_and_none_if_it_takes_none() {
    // [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--topic-alias-max", "3"]);
    let mut sender = Raw::connect(&broker, Version::V5, "sender", 0);
    for (taken, used) in [(None, 0), (Some(0), 0), (Some(2), 2), (Some(9), 3)] {
        let (mut raw, _) = connect(&broker, "listener", taken, 1_000);
        raw.subscribe("factory/#", QoS::AtMostOnce);
        let (mut names, mut left_out) = (BTreeMap::new(), 0);
        for index in [1, 2, 1, 2, 3, 4, 4, 1, 1] {
            let topic = format!("factory/{index}");
            sender.publish(&topic, b"x");
            let (seen, without, alias) = receive(&mut raw, &mut names);
            assert_eq!(seen, topic);
            assert_eq!(alias.is_some(), used > 0);
            assert!(alias.is_none_or(|alias| alias <= used));
            left_out += usize::from(without);
        }
        assert_eq!(names.len(), usize::from(used));
        assert_eq!(left_out > 0, used > 0, "an alias is there to be used");
    }
}

#[test]
fn a_message_that_has_no_room_for_a_new_alias_is_sent_without() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut sender = Raw::connect(&broker, Version::V5, "sender", 0);
    let topic = "factory/line-1";
    let payload = [b'x'; 50];
    let plain = Publish::new(TopicName::parse(topic).unwrap(), &payload);
    let length = u32::try_from(plain.encoded_len(Version::V5).unwrap()).unwrap();
    let (mut raw, _) = connect(&broker, "listener", Some(9), length);
    raw.subscribe("factory/#", QoS::AtMostOnce);
    let mut names = BTreeMap::new();
    for _ in 0..2 {
        sender.publish(topic, &payload);
        assert_eq!(receive(&mut raw, &mut names), (topic.to_owned(), false, None));
    }
    sender.publish(topic, b"small");
    assert_eq!(receive(&mut raw, &mut names), (topic.to_owned(), false, Some(1)));
    sender.publish(topic, &payload);
    assert_eq!(receive(&mut raw, &mut names), (topic.to_owned(), true, Some(1)));
}

#[test]
fn a_message_that_is_sent_again_has_its_full_topic() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut sender = Raw::connect(&broker, Version::V5, "sender", 0);
    let resume = || {
        let mut raw = Raw::open(&broker, Version::V5);
        let properties = [Property::SessionExpiryInterval(60), Property::TopicAliasMaximum(9)];
        let mut connect = Connect::new(Version::V5, "listener");
        connect.clean_start = false;
        connect.properties = Properties::from(&properties);
        raw.send(&Packet::Connect(connect));
        raw.read().unwrap();
        raw
    };
    let mut names = BTreeMap::new();
    let mut raw = resume();
    raw.subscribe("factory/#", QoS::AtLeastOnce);
    for _ in 0..2 {
        sender.publish("factory/one", b"x");
    }
    assert_eq!(receive(&mut raw, &mut names), ("factory/one".to_owned(), false, Some(1)));
    assert_eq!(receive(&mut raw, &mut names), ("factory/one".to_owned(), true, Some(1)));
    drop(raw);
    let mut raw = resume();
    for _ in 0..2 {
        assert_eq!(receive(&mut raw, &mut names), ("factory/one".to_owned(), false, None));
    }
}
