//! What the broker tells of itself below `$SYS`.

use std::collections::BTreeMap;

use headwater::codec::{Packet, PacketId, QoS, ReasonCode, Subscribe, SubscribeFilter, Unsubscribe, Version};
use headwater::topic::TopicFilter;

use crate::program::Broker;
use crate::raw::Raw;

/// Topics, whether they came with RETAIN, and payloads, until this topic comes.
fn until(client: &mut Raw, last: &str) -> BTreeMap<String, (bool, String)> {
    let mut all = BTreeMap::new();
    while !all.contains_key(last) {
        let frame = client.read().expect("a message");
        let Packet::Publish(publish) = frame.packet(client.version).unwrap() else { panic!("{frame:?}") };
        assert_eq!(publish.qos(), QoS::AtMostOnce);
        let text = String::from_utf8(publish.payload.to_vec()).unwrap();
        all.insert(publish.topic.unwrap().as_str().to_owned(), (publish.retain, text));
    }
    all
}

const LAST: &str = "$SYS/broker/store/messages/bytes";
const RECEIVED: &str = "$SYS/broker/publish/messages/received";
const STORED: &str = "$SYS/broker/store/messages/count";
const CONNECTED: &str = "$SYS/broker/clients/connected";

#[test]
fn a_client_that_asks_gets_all_statistics_and_then_those_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sys-interval", "100ms"]);
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = Raw::connect(&broker, version, "asks", 0);
        client.subscribe("$SYS/#", QoS::ExactlyOnce);
        let all = until(&mut client, LAST);
        assert!(all.len() >= 15 && all.values().all(|(retain, _)| *retain), "{all:?}");
        // As it was when it was last taken.
        assert!(all[CONNECTED].1.parse::<u32>().is_ok());
        assert!(all["$SYS/broker/version"].1.starts_with("headwater "));
        let mut other = Raw::connect(&broker, version, "other", 0);
        other.publish("a", b"1");
        let count = all[RECEIVED].1.parse::<u64>().unwrap();
        loop {
            let (retain, text) = until(&mut client, RECEIVED).remove(RECEIVED).unwrap();
            assert!(!retain, "it is live");
            if text == (count + 1).to_string() {
                break;
            }
        }
    }
    drop(broker);
}

#[test]
fn statistics_stand_nowhere_in_the_log_and_match_no_wildcard_in_front() {
    // [MQTT-4.7.2-1]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sys-interval", "50ms"]);
    let mut asks = Raw::connect(&broker, Version::V5, "asks", 0);
    let mut all = Raw::connect(&broker, Version::V5, "all", 0);
    all.subscribe("#", QoS::AtLeastOnce);
    all.subscribe("+/broker/uptime", QoS::AtLeastOnce);
    asks.subscribe("$SYS/#", QoS::AtMostOnce);
    assert_eq!(until(&mut asks, LAST)[STORED].1, "0");
    until(&mut asks, "$SYS/broker/uptime");
    Raw::connect(&broker, Version::V5, "other", 0).publish("a", b"the only one");
    assert_eq!(all.receive(), b"the only one");
    assert_eq!(until(&mut asks, STORED)[STORED].1, "1");
}

#[test]
fn nobody_but_the_broker_publishes_below_sys() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sys-interval", "never"]);
    let mut asks = Raw::connect(&broker, Version::V5, "asks", 0);
    asks.subscribe("$SYS/#", QoS::AtLeastOnce);
    asks.subscribe("a", QoS::AtLeastOnce);
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = Raw::connect(&broker, version, "forger", 0);
        let reason = client.publish("$SYS/broker/uptime", b"forged");
        let expected = if version == Version::V5 { ReasonCode::NOT_AUTHORIZED } else { ReasonCode::SUCCESS };
        assert_eq!(reason, expected, "{version:?}");
        client.publish("a", b"genuine");
        assert_eq!(asks.receive(), b"genuine");
    }
}

#[test]
fn a_session_that_comes_back_is_told_again_and_one_that_unsubscribes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &["--sys-interval", "50ms"]);
    let mut client = Raw::connect(&broker, Version::V5, "asks", 60);
    let filter = TopicFilter::parse("$SYS/broker/clients/connected").unwrap();
    let mut options = SubscribeFilter::new(filter, QoS::AtMostOnce);
    options.options.retain_as_published = true;
    client.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &[options])));
    assert!(client.read().is_some(), "SUBACK");
    until(&mut client, CONNECTED);
    drop(client);
    let mut client = Raw::connect(&broker, Version::V5, "asks", 60);
    assert!(until(&mut client, CONNECTED)[CONNECTED].0, "retain as published");
    client.send(&Packet::Unsubscribe(Unsubscribe::new(PacketId::MIN, &[filter])));
    loop {
        let frame = client.read().expect("UNSUBACK");
        if let Packet::UnsubAck(_) = frame.packet(client.version).unwrap() {
            break;
        }
    }
    client.subscribe("a", QoS::AtLeastOnce);
    // That it has come would be told. The witness hears of it twice: once that would be sent before what is published then.
    let mut other = Raw::connect(&broker, Version::V5, "other", 0);
    let mut witness = Raw::connect(&broker, Version::V5, "witness", 0);
    witness.subscribe("$SYS/broker/uptime", QoS::AtMostOnce);
    for _ in 0..2 {
        until(&mut witness, "$SYS/broker/uptime");
    }
    other.publish("a", b"nothing before this");
    assert_eq!(client.receive(), b"nothing before this");
}
