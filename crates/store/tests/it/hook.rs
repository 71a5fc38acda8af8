//! A program's own say about each message before it is stored.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use headwater_codec::{Delivery as Sending, PacketId, Properties, Property, Publish, QoS, ReasonCode};
use headwater_log::ReadUpTo;
use headwater_store::message::header;
use headwater_store::{Incoming, InvalidChange, PublishError, Route, Verdict};
use headwater_topic::TopicName;

use crate::bed::{Bed, got, options};

fn bed_with(decide: impl Fn(&mut Incoming<'_>) -> Verdict + Send + Sync + 'static) -> Bed {
    Bed::with(options().hook(decide))
}

/// How many records there are of messages.
fn records(bed: &Bed) -> u64 {
    let partitions = bed.store.topics().flat_map(|topic| topic.partitions().collect::<Vec<_>>());
    partitions.map(|partition| partition.appended_end()).sum()
}

#[test]
fn sees_what_came_and_lets_it_pass() {
    let bed = bed_with(|message| {
        assert_eq!((message.topic().as_str(), message.payload()), ("t", &b"x"[..]));
        assert_eq!((message.client_id(), message.qos(), message.retain()), ("p", QoS::AtLeastOnce, true));
        assert_eq!(message.properties().iter().count(), 0);
        Verdict::Pass
    });
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    let placement = bed.publish_from("p", "t", "x", 1, true).unwrap();
    assert!(placement.message.is_some() && placement.retained.is_some());
    bed.run();
    assert_eq!(client.drain(), [got("t", "x", 1, false)]);
    assert_eq!(bed.store.statistics().hook_dropped, 0);
}

#[test]
fn what_is_dropped_or_refused_is_nowhere_and_is_counted() {
    let bed = bed_with(|message| match message.payload() {
        b"drop" => Verdict::Drop,
        b"refuse" => Verdict::Refuse(ReasonCode::NOT_AUTHORIZED),
        // No error, and none of PUBACK.
        b"success" => Verdict::Refuse(ReasonCode::SUCCESS),
        b"other" => Verdict::Refuse(ReasonCode::KEEP_ALIVE_TIMEOUT),
        _ => Verdict::Pass,
    });
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    for qos in 0..3 {
        let publish = |payload| bed.publish_from("p", "t", payload, qos, true);
        let dropped = publish("drop").unwrap();
        assert!(dropped.is_empty() && bed.store.is_durable(&dropped));
        bed.store.wait_durable(&dropped).unwrap();
        for (payload, expected) in [
            ("refuse", ReasonCode::NOT_AUTHORIZED),
            ("success", ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR),
            ("other", ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR),
        ] {
            let refused = publish(payload).unwrap_err();
            assert!(matches!(refused, PublishError::Refused { reason } if reason == expected), "{refused}");
        }
    }
    bed.run();
    assert_eq!((records(&bed), client.drain(), bed.store.statistics().retained), (0, vec![], 0));
    assert_eq!(bed.store.statistics().hook_dropped, 12);
}

#[test]
fn what_is_changed_is_what_is_stored_routed_retained_and_sent() {
    let route = Route::new("clean/#").unwrap().topic("clean").unwrap().header("rule", "{2}").unwrap();
    let hook = |message: &mut Incoming<'_>| {
        let topic = format!("clean/{}", message.topic());
        message.set_topic(TopicName::parse(&topic).unwrap());
        let payload = [message.payload(), b"!"].concat();
        message.set_payload(payload);
        message.set_user_properties(vec![("unit".to_owned(), "K".to_owned())]).unwrap();
        message.add_header("seen", message.client_id().to_owned().as_str()).unwrap();
        assert_eq!((message.topic().as_str(), message.payload()), (&*topic, &b"x!"[..]));
        Verdict::Pass
    };
    let bed = Bed::with(options().route(route).hook(hook));
    for qos in [0, 1] {
        let mut client = bed.attach("c", true, 0);
        client.subscribe("#", 1);
        let properties = [
            Property::ContentType("text"),
            Property::UserProperty("unit", "C"),
            Property::UserProperty("gone", "1"),
        ];
        let packet_id = PacketId::MIN;
        let sending =
            if qos == 0 { Sending::AtMostOnce } else { Sending::AtLeastOnce { packet_id, dup: false } };
        let publish = Publish::new(TopicName::parse("t").unwrap(), b"x")
            .with_delivery(sending)
            .with_retain(qos == 1)
            .with_properties(Properties::new(&properties));
        let placement = bed.store.publish(&publish, || Bytes::from_static(b"x"), "p", bed.now_ms).unwrap();
        bed.run();

        let (lane, offset) = placement.message.unwrap();
        let partition = bed.store.partition(lane).unwrap();
        assert_eq!(partition.topic(), "clean");
        let fetched = partition.read_up_to(ReadUpTo::Durable, offset, 1).unwrap();
        let record = fetched.views().next().unwrap().unwrap();
        assert_eq!((record.key, record.value), (Some(&b"clean/t"[..]), Some(&b"x!"[..])));
        let names: Vec<&str> = record.headers.iter().map(|header| header.key).collect();
        let own = names.iter().position(|name| *name == header::ADDED).unwrap();
        assert_eq!(names[own + 1..], ["rule", "seen", "unit"]);

        let delivery = client.next().unwrap();
        let mut scratch = Vec::new();
        delivery.message.fill(&[], bed.now_ms, &mut scratch);
        assert_eq!(scratch, [Property::ContentType("text"), Property::UserProperty("unit", "K")]);
        assert_eq!(crate::bed::seen(&delivery), got("clean/t", "x!", qos, false));
    }
    let mut late = bed.attach("late", true, 0);
    late.subscribe("clean/t", 1);
    assert_eq!(late.drain(), [got("clean/t", "x!", 1, true)]);
}

#[test]
fn what_no_packet_and_no_record_can_hold_is_refused_before_it_is_there() {
    let bed = bed_with(|message| {
        let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (bad, index) in [
            (vec![property("a", "b"), property("a\0", "b")], 1),
            (vec![property("a", "b\0")], 0),
            (vec![property(&"a".repeat(65_536), "b")], 0),
        ] {
            assert_eq!(message.set_user_properties(bad), Err(InvalidChange::UserProperty { index }));
        }
        assert_eq!(message.add_header("", "x"), Err(InvalidChange::HeaderName));
        assert_eq!(message.add_header("mqtt.qos", "2"), Err(InvalidChange::HeaderName));
        Verdict::Pass
    });
    let placement = bed.publish("t", "x", 1);
    bed.run();
    let (lane, offset) = placement.message.unwrap();
    let fetched = bed.store.partition(lane).unwrap().read(offset, 1).unwrap();
    assert_eq!(fetched.views().next().unwrap().unwrap().headers.len(), 2);
}

#[test]
fn a_panic_of_the_hook_is_the_publishers_alone() {
    let bed = bed_with(|message| match message.payload() {
        b"bad" => std::panic::panic_any("the hook"),
        _ => Verdict::Pass,
    });
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    for retain in [false, true] {
        let panicked = catch_unwind(AssertUnwindSafe(|| bed.publish_from("p", "t", "bad", 1, retain)));
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "the hook");
    }
    assert_eq!(records(&bed), 0);
    bed.retain("t", "good", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "good", 1, false)]);
}
