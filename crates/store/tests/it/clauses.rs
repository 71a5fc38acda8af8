//! Rules of the specification about retained messages, subscriptions and sessions that no other file is about, each with its clause.

use bytes::Bytes;
use headwater_codec::{Delivery, PacketId, Properties, Property, Publish};
use headwater_session::{InFlight, Stage, State};
use headwater_topic::{TopicFilter, TopicName};

use crate::bed::{Bed, got};

#[test]
fn the_end_of_a_session_leaves_its_retained_messages() {
    // 3.1.1: [MQTT-3.1.2-7]
    let mut bed = Bed::new();
    let publisher = bed.attach("own", false, 10);
    bed.publish_from("own", "t", "x", 1, true).unwrap();
    let _ = publisher.leave();
    bed.now_ms += 10_000;
    assert_eq!(bed.store.expire_sessions(bed.now_ms).unwrap(), 1);
    let _ = bed.attach("own", true, 0).leave();
    assert_eq!(bed.attach("c", true, 0).subscribe("t", 1).drain(), [got("t", "x", 1, true)]);
}

#[test]
fn a_retained_message_of_any_qos_replaces_the_one_before() {
    // 3.1.1: [MQTT-3.3.1-5], [MQTT-3.3.1-7]; 5.0: [MQTT-3.3.1-5]
    let bed = Bed::new();
    for (before, after) in [(1, 0), (2, 0), (0, 1), (0, 2), (2, 1), (0, 0)] {
        bed.retain("t", "before", before);
        bed.retain("t", "after", after);
        let mut client = bed.attach("c", true, 0);
        assert_eq!(client.subscribe("t", 2).drain(), [got("t", "after", after, true)]);
        let _ = client.leave();
    }
}

#[test]
fn a_message_that_is_not_retained_neither_replaces_nor_removes_the_one_that_is() {
    // 3.1.1: [MQTT-3.3.1-12]; 5.0: [MQTT-3.3.1-8]
    let bed = Bed::new();
    bed.retain("t", "kept", 1);
    for qos in 0..3 {
        bed.publish("t", "passing", qos);
        bed.publish("t", "", qos);
    }
    bed.run();
    assert_eq!(bed.attach("c", true, 0).subscribe("t", 1).drain(), [got("t", "kept", 1, true)]);
}

#[test]
fn an_empty_retained_message_is_sent_on_as_any_other_and_not_kept() {
    // 3.1.1: [MQTT-3.3.1-10], [MQTT-3.3.1-11]; 5.0: [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    bed.retain("t", "x", 1);
    bed.retain("t", "", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "x", 1, false), got("t", "", 1, false)]);
    assert_eq!(bed.store.statistics().retained, 0);
    assert_eq!(bed.attach("later", true, 0).subscribe("t", 1).drain(), []);
}

#[test]
fn a_subscription_is_ended_by_its_own_filter_character_by_character() {
    // [MQTT-3.10.4-1]
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("a/+", 1);
    for other in ["a/b", "a/#", "+/+", "A/+", "a/+/", "/a/+", "#", "$share/g/a/+"] {
        assert!(!client.attached.unsubscribe(TopicFilter::parse(other).unwrap()), "{other}");
    }
    bed.publish("a/b", "x", 1);
    bed.run();
    assert_eq!(client.drain(), [got("a/b", "x", 1, false)]);
    assert!(client.attached.unsubscribe(TopicFilter::parse("a/+").unwrap()));
    assert_eq!(client.attached.subscriptions(), 0);
}

#[test]
fn a_message_reaches_every_session_whose_filter_matches_its_name_and_no_other() {
    // [MQTT-4.5.0-1], [MQTT-3.3.2-3], [MQTT-4.7.2-1]
    let bed = Bed::new();
    let filters = ["a/b", "a/+", "#", "+/b", "a/b/c", "a", "A/b", "+"];
    for (number, filter) in filters.iter().enumerate() {
        let mut client = bed.lasting(&number.to_string());
        client.subscribe(filter, 1);
        let _ = client.leave();
    }
    bed.publish("a/b", "x", 1);
    bed.publish("$a/b", "hidden", 1);
    bed.run();
    for (number, filter) in filters.iter().enumerate() {
        let expected = if number < 4 { vec![got("a/b", "x", 1, false)] } else { vec![] };
        assert_eq!(bed.lasting(&number.to_string()).drain(), expected, "{filter}");
    }
}

#[test]
fn a_message_that_was_sent_does_not_expire_any_more() {
    // [MQTT-4.3.3-7], [MQTT-4.3.3-13]
    let mut bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 2);
    let properties = [Property::MessageExpiryInterval(10)];
    let topic = TopicName::parse("t").unwrap();
    let delivery = Delivery::ExactlyOnce { packet_id: PacketId::MIN, dup: false };
    for payload in ["released", "sent", "never sent"] {
        let publish = Publish::new(topic, payload.as_bytes()).with_delivery(delivery);
        let publish = publish.with_properties(Properties::from(&properties[..]));
        let owned = || Bytes::copy_from_slice(payload.as_bytes());
        bed.store.publish(&publish, owned, "p", bed.now_ms).unwrap();
    }
    bed.run();
    let mut under_way = Vec::new();
    for (stage, number) in [(Stage::PubComp, 1), (Stage::PubRec, 2)] {
        let message = client.next().unwrap();
        under_way.push(InFlight { packet_id: PacketId::new(number).unwrap(), stage, sent: true, message });
    }
    let _ = client.attached.detach(&State::new(under_way, Vec::new()), 3_600, bed.now_ms).unwrap();

    bed.now_ms += 20_000;
    let mut bed = bed.reopen();
    bed.now_ms += 20_000;
    let mut client = bed.lasting("c");
    let resumed = client.resumed.take().unwrap().outgoing;
    let stages: Vec<_> =
        resumed.iter().map(|kept| (kept.message.message.payload.clone(), kept.stage)).collect();
    let expected = [("released", Stage::PubComp), ("sent", Stage::PubRec)];
    assert_eq!(stages, expected.map(|(payload, stage)| (Bytes::from(payload), stage)));
    assert_eq!(client.drain(), [], "what was not sent expires [MQTT-3.3.2-5]");
}
