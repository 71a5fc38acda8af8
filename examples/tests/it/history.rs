//! Subscriptions that begin in the past, over a socket.

use headwater::codec::{
    Packet, PacketId, Properties, Property, QoS, ReasonCode, Subscribe, SubscribeFilter, Version,
};
use headwater::topic::TopicFilter;

use crate::program::Broker;
use crate::raw::Raw;

fn subscribe_from(client: &mut Raw, filters: &[&str], from: &[&str]) -> Vec<ReasonCode> {
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
    suback.reasons.iter().collect()
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
    assert_eq!(subscribe_from(&mut client, &["a", "b"], &["yesterday"]), [refused, refused]);
    assert_eq!(subscribe_from(&mut client, &["a"], &["earliest", "earliest"]), [refused]);
    assert_eq!(
        subscribe_from(&mut client, &["$share/g/a", "c"], &["earliest"]),
        [refused, ReasonCode::GRANTED_QOS_1]
    );
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish("a", b"not for it");
    publisher.publish("c", b"for it");
    assert_eq!(client.receive(), b"for it");
}
