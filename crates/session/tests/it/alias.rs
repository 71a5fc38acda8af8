//! Topic aliases, of either role: what comes, and what is sent.

use std::collections::BTreeMap;

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Packet, Properties, Property, Publish, QoS, ReasonCode, Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Alias, Millis, ProtocolError, State, Transmit, client};
use headwater_topic::TopicName;

use crate::server::{control, encoded, exactly_once, id};

/// A server that takes `taken` aliases and would use `used`, with a client that takes `peer`.
fn open(taken: u16, used: u16, peer: u16, version: Version) -> Session<&'static str> {
    let config = Config { topic_alias_maximum: taken, topic_aliases_out: used, ..Config::default() };
    let mut session = Session::new(config, Millis(0));
    let properties = [Property::TopicAliasMaximum(peer)];
    let mut connect = Connect::new(version, "client");
    if version == Version::V5 {
        connect.properties = Properties::from(&properties);
    }
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    session.poll_transmit();
    session
}

/// A client of a session that the server knows.
fn resumed(config: client::Config) -> client::Session<&'static str> {
    client::Session::resumed(config, State::default())
}

/// The client, whose server was told `taken` and takes `peer`.
fn connect(session: &mut client::Session<&'static str>, taken: u16, peer: u16) {
    let properties = [Property::TopicAliasMaximum(taken), Property::SessionExpiryInterval(9)];
    let mut connect = Connect::new(Version::V5, "client");
    connect.clean_start = false;
    connect.properties = Properties::from(&properties);
    session.connect(&connect, Millis(0)).unwrap();
    session.poll_transmit(Millis(0));
    let properties = [Property::TopicAliasMaximum(peer)];
    let connack = ConnAck { properties: Properties::from(&properties), ..ConnAck::accepted(true) };
    session.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
}

fn aliased<'a>(topic: &'a str, delivery: Delivery, properties: &'a [Property<'a>]) -> Packet<'a> {
    let mut publish = Publish::new(TopicName::parse("unused").unwrap(), b"x").with_delivery(delivery);
    publish.topic = TopicName::parse(topic).ok();
    Packet::Publish(publish.with_properties(Properties::from(properties)))
}

fn alias(number: u16) -> [Property<'static>; 1] {
    [Property::TopicAlias(number.try_into().unwrap())]
}

/// What the server makes of a PUBLISH: its topic.
fn topic_at_server(session: &mut Session<&'static str>, packet: Packet<'_>) -> Result<String, ProtocolError> {
    match session.handle(packet, Millis(1))? {
        Some(Event::Publish { topic, .. }) => Ok(topic.name().to_string()),
        other => panic!("{other:?}"),
    }
}

fn topic_at_client(
    session: &mut client::Session<&'static str>,
    packet: Packet<'_>,
) -> Result<String, ProtocolError> {
    match session.handle(packet, Millis(1))? {
        Some(client::Event::Publish { topic, .. }) => Ok(topic.name().to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_alias_up_to_the_announced_maximum_is_taken_and_may_be_set_anew() {
    // [MQTT-3.3.2-10] [MQTT-3.3.2-12]
    let mut server = open(3, 0, 0, Version::V5);
    let mut client = resumed(client::Config::default());
    connect(&mut client, 3, 0);
    for round in ["first", "second"] {
        for number in 1..=3 {
            let (name, alias) = (format!("{round}/{number}"), alias(number));
            let set = || aliased(&name, Delivery::AtMostOnce, &alias);
            assert_eq!(topic_at_server(&mut server, set()), Ok(name.clone()));
            assert_eq!(topic_at_client(&mut client, set()), Ok(name.clone()));
        }
        for number in [2, 1, 3, 1] {
            let (name, alias) = (format!("{round}/{number}"), alias(number));
            let used = || aliased("", Delivery::AtMostOnce, &alias);
            assert_eq!(topic_at_server(&mut server, used()), Ok(name.clone()));
            assert_eq!(topic_at_client(&mut client, used()), Ok(name.clone()));
        }
    }
}

#[test]
fn the_server_announces_its_maximum_to_clients_of_5_0_that_may_use_it() {
    for (taken, told) in [(0, None), (7, Some(7))] {
        let config = Config { topic_alias_maximum: taken, ..Config::default() };
        let mut session = Session::<u32>::new(config, Millis(0));
        session.handle(Packet::Connect(Connect::new(Version::V5, "client")), Millis(0)).unwrap();
        session.accept(None, &Accept::default(), Millis(0)).unwrap();
        let bytes = control(&mut session);
        let Packet::ConnAck(connack) = Packet::decode(&bytes, Version::V5).unwrap() else { panic!() };
        assert_eq!(connack.properties.topic_alias_maximum(), told);
    }
}

#[test]
fn an_alias_above_the_maximum_or_one_that_was_not_set_is_an_error() {
    // [MQTT-3.3.2-9] [MQTT-3.3.2-11]; an unknown one: 5.0, section 3.3.4
    let above = ProtocolError::TopicAliasInvalid { alias: 4, maximum: 3 };
    let unknown = ProtocolError::TopicAliasUnknown { alias: 2 };
    for (topic, number, error, reason) in [
        ("topic", 4, above, ReasonCode::TOPIC_ALIAS_INVALID),
        ("", 4, above, ReasonCode::TOPIC_ALIAS_INVALID),
        ("", 2, unknown, ReasonCode::PROTOCOL_ERROR),
    ] {
        let alias = alias(number);
        let packet = || aliased(topic, Delivery::AtMostOnce, &alias);
        let said = encoded(&[Packet::Disconnect(Disconnect::new(reason))], Version::V5);

        let mut server = open(3, 0, 0, Version::V5);
        assert_eq!(topic_at_server(&mut server, packet()), Err(error));
        assert!(matches!(server.poll_transmit(), Some(Transmit::Control(bytes)) if bytes == said));
        let mut client = resumed(client::Config::default());
        connect(&mut client, 3, 0);
        assert_eq!(topic_at_client(&mut client, packet()), Err(error));
        assert!(matches!(client.poll_transmit(Millis(1)), Some(Transmit::Control(bytes)) if bytes == said));
    }
}

#[test]
fn aliases_end_with_the_connection() {
    // [MQTT-3.3.2-7]
    let alias = alias(1);
    let mut client = resumed(client::Config { topic_aliases_out: 5, ..Default::default() });
    connect(&mut client, 3, 3);
    topic_at_client(&mut client, aliased("topic", Delivery::AtMostOnce, &alias)).unwrap();
    assert_eq!(said(&mut client, "topic"), Some((1, false)));
    assert_eq!(said(&mut client, "topic"), Some((1, true)));
    client.connection_lost();
    connect(&mut client, 3, 3);
    assert_eq!(said(&mut client, "topic"), Some((1, false)));
    let used = topic_at_client(&mut client, aliased("", Delivery::AtMostOnce, &alias));
    assert_eq!(used, Err(ProtocolError::TopicAliasUnknown { alias: 1 }));
}

#[test]
fn a_message_that_comes_again_sets_its_alias_all_the_same() {
    let mut server = open(3, 0, 0, Version::V5);
    topic_at_server(&mut server, aliased("topic/a", exactly_once(1), &[])).unwrap();
    let used = alias(1);
    let again = aliased("topic/a", exactly_once(1).again(), &used);
    assert_eq!(server.handle(again, Millis(1)), Ok(None));
    assert_eq!(
        topic_at_server(&mut server, aliased("", Delivery::AtMostOnce, &used)),
        Ok("topic/a".to_owned())
    );
}

/// Number and whether the topic may be left out.
fn number(alias: Alias<'_>) -> (u16, bool) {
    let Property::TopicAlias(number) = alias.property() else { panic!("{alias:?}") };
    let said = (number.get(), alias.is_known());
    alias.written();
    said
}

/// The alias under which the client sends a message of QoS 0 with this topic.
fn said(session: &mut client::Session<&'static str>, topic: &str) -> Option<(u16, bool)> {
    session.publish("x", QoS::AtMostOnce).unwrap();
    match session.poll_transmit(Millis(1)) {
        Some(Transmit::Publish { aliases, .. }) => {
            aliases.alias(TopicName::parse(topic).unwrap()).map(number)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_alias_is_above_what_either_side_wants_and_none_is_used_before_5_0() {
    // [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9] [MQTT-3.3.2-11]
    for (used, peer, version) in [
        (5, 2, Version::V5),
        (2, 5, Version::V5),
        (5, 0, Version::V5),
        (0, 5, Version::V5),
        (5, 5, Version::V3_1_1),
    ] {
        let maximum = if version == Version::V5 { used.min(peer) } else { 0 };
        let mut server = open(0, used, peer, version);
        let mut client = resumed(client::Config { topic_aliases_out: used, ..Default::default() });
        connect(&mut client, 0, peer);
        let mut names = BTreeMap::new();
        for round in 0..40 {
            let name = format!("topic/{}", round * round % 7);
            server.publish("x", QoS::AtMostOnce).unwrap();
            let Some(Transmit::Publish { aliases, .. }) = server.poll_transmit() else { panic!() };
            let alias = aliases.alias(TopicName::parse(&name).unwrap()).map(number);
            assert_eq!(alias.is_some(), maximum > 0);
            if version == Version::V5 {
                assert_eq!(said(&mut client, &name), alias, "both roles choose alike");
            }
            let Some((number, known)) = alias else { continue };
            assert!((1..=maximum).contains(&number));
            if known {
                assert_eq!(names.get(&number), Some(&name), "what the peer has kept");
            }
            names.insert(number, name);
        }
        assert_eq!(names.len(), usize::from(maximum));
    }
}

#[test]
fn a_message_that_is_sent_again_has_its_full_topic() {
    let topic = TopicName::parse("topic").unwrap();
    let mut client = resumed(client::Config { topic_aliases_out: 5, ..Default::default() });
    connect(&mut client, 0, 5);
    assert_eq!(client.publish("x", QoS::AtLeastOnce).unwrap(), Some(id(1)));
    let Some(Transmit::Publish { aliases, .. }) = client.poll_transmit(Millis(1)) else { panic!() };
    assert_eq!(aliases.alias(topic).map(number), Some((1, false)));
    client.connection_lost();
    connect(&mut client, 0, 5);
    let Some(Transmit::Publish { delivery, aliases, .. }) = client.poll_transmit(Millis(1)) else { panic!() };
    assert!(delivery.dup());
    assert!(aliases.alias(topic).is_none());
}
