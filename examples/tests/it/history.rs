//! Subscriptions that begin in the past, over a socket.

use headwater::codec::{
    Packet, PacketId, Properties, Property, QoS, ReasonCode, Subscribe, SubscribeFilter, Version,
};
use headwater::topic::TopicFilter;

use crate::program::Broker;
use crate::raw::Raw;

fn subscribe_from(client: &mut Raw, filters: &[&str], from: &[&str]) -> Vec<ReasonCode> {
    subscribe_and_ask_why(client, filters, from).0
}

/// The reasons, and the reason string.
fn subscribe_and_ask_why(
    client: &mut Raw,
    filters: &[&str],
    from: &[&str],
) -> (Vec<ReasonCode>, Option<String>) {
    let filters: Vec<_> = filters
        .iter()
        .map(|filter| SubscribeFilter::new(TopicFilter::parse(filter).unwrap(), QoS::AtLeastOnce))
        .collect();
    let properties: Vec<_> = from.iter().map(|from| Property::UserProperty("headwater-from", from)).collect();
    let mut subscribe = Subscribe::new(PacketId::MIN, &filters);
    subscribe.properties = Properties::new(&properties);
    client.send(&Packet::Subscribe(subscribe));
    let frame = client.read().expect("SUBACK");
    let Packet::SubAck(suback) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
    (suback.reasons.iter().collect(), suback.properties.reason_string().map(str::to_owned))
}

#[test]
fn what_was_published_comes_first_and_then_what_is_published_over_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    for number in 0..10 {
        publisher.publish("a", number.to_string().as_bytes());
    }
    drop(publisher);
    broker.kill();
    broker.restart();
    let mut client = Raw::connect(&broker, Version::V5, "asks", 60);
    assert_eq!(subscribe_from(&mut client, &["a"], &["-PT1H"]), [ReasonCode::GRANTED_QOS_1]);
    for number in 0..4 {
        assert_eq!(client.receive(), number.to_string().as_bytes());
    }
    drop(client);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("a", b"10");
    let mut client = Raw::connect(&broker, Version::V5, "asks", 60);
    let first: u32 = String::from_utf8(client.receive()).unwrap().parse().unwrap();
    assert!(first <= 4, "what may not have been acknowledged comes again, and nothing is left out: {first}");
    let mut expected = first + 1;
    while expected <= 10 {
        assert_eq!(client.receive(), expected.to_string().as_bytes());
        expected += 1;
    }
    publisher.publish("a", b"11");
    assert_eq!(client.receive(), b"11");
}

#[test]
fn what_is_no_beginning_is_refused_and_nothing_is_subscribed() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut client = Raw::connect(&broker, Version::V5, "asks", 0);
    let refused = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
    let (reasons, why) = subscribe_and_ask_why(&mut client, &["a", "b"], &["yesterday"]);
    assert_eq!(reasons, [refused, refused]);
    assert!(why.as_ref().is_some_and(|why| why.contains("'yesterday'") && why.contains("-PT1H")), "{why:?}");
    assert_eq!(subscribe_from(&mut client, &["a"], &["earliest", "earliest"]), [refused]);
    let (reasons, why) = subscribe_and_ask_why(&mut client, &["$share/g/a", "c"], &["earliest"]);
    assert_eq!(reasons, [refused, ReasonCode::GRANTED_QOS_1]);
    assert!(why.as_ref().is_some_and(|why| why.contains("shared subscription")), "{why:?}");
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("a", b"not for it");
    publisher.publish("c", b"for it");
    assert_eq!(client.receive(), b"for it");
}
