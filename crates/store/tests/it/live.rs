//! Sessions whose client is here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_codec::{QoS, SubscribeOptions, SubscriptionId};
use headwater_session::State;
use headwater_store::{Attach, AttachError, Next};
use headwater_topic::TopicFilter;

use crate::bed::{Bed, got, options};

#[test]
fn qos_0_is_forwarded_at_once_and_the_rest_when_it_is_durable() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("a/+", 2);
    let first = bed.publish("a/0", "now", 0);
    assert!(!bed.store.is_durable(&first));
    assert_eq!(client.drain(), [got("a/0", "now", 0, false)]);

    let second = bed.publish("a/1", "later", 1);
    assert_eq!(client.drain(), []);
    assert!(!bed.store.is_durable(&second));
    let woken = client.woken.load(Ordering::Relaxed);
    bed.run();
    assert!(bed.store.is_durable(&second) && bed.store.is_durable(&first));
    assert_eq!(client.woken.load(Ordering::Relaxed), woken + 1);
    assert_eq!(client.drain(), [got("a/1", "later", 1, false)], "and QoS 0 not again");
}

#[test]
fn the_lower_qos_holds() {
    let bed = Bed::new();
    for subscribed in 0..3 {
        let mut client = bed.attach(&format!("c{subscribed}"), true, 0);
        client.subscribe("t", subscribed);
        for published in 0..3 {
            bed.publish("t", "x", published);
        }
        bed.run();
        let mut qos: Vec<u8> = client.drain().iter().map(|got| got.2).collect();
        qos.sort_unstable();
        assert_eq!(qos, [0, 1.min(subscribed), 2.min(subscribed)]);
    }
}

#[test]
fn what_came_before_the_subscription_is_not_for_it_even_if_it_is_dispatched_after() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    bed.publish("t", "before", 1);
    client.subscribe("t", 1);
    bed.publish("t", "after", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "after", 1, false)]);
}

#[test]
fn a_replaced_subscription_misses_nothing_and_its_options_hold_for_what_comes_then() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    bed.publish("t", "in between", 2);
    let replaced = client.attached.subscribe(
        TopicFilter::parse("t").unwrap(),
        SubscribeOptions::new(QoS::ExactlyOnce),
        None,
    );
    assert!(replaced.existed);
    bed.publish("t", "then", 2);
    bed.run();
    assert_eq!(client.drain(), [got("t", "in between", 1, false), got("t", "then", 2, false)]);
    assert_eq!(client.attached.subscriptions(), 1);
}

#[test]
fn overlapping_subscriptions_give_one_message_with_the_highest_qos_and_all_identifiers() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    for (filter, qos, id) in [("a/#", 0, 1), ("a/+", 2, 2), ("#", 1, 3), ("b", 2, 4)] {
        let options = SubscribeOptions::new(QoS::from_u8(qos).unwrap());
        client.attached.subscribe(TopicFilter::parse(filter).unwrap(), options, SubscriptionId::new(id));
    }
    bed.publish("a/b", "x", 2);
    bed.run();
    let [delivery] = &client.deliveries()[..] else { panic!("one") };
    assert_eq!(delivery.qos, QoS::ExactlyOnce);
    let mut ids: Vec<u32> = delivery.subscription_ids.iter().map(|id| id.get()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn no_local_keeps_a_message_from_its_publisher_only() {
    let bed = Bed::new();
    let mut own = bed.attach("own", true, 0);
    let mut other = bed.attach("other", true, 0);
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::new(QoS::AtLeastOnce) };
    own.subscribe_with("t", options);
    other.subscribe_with("t", options);
    bed.publish_from("own", "t", "0", 0, false).unwrap();
    bed.publish_from("own", "t", "1", 1, false).unwrap();
    bed.run();
    assert_eq!(own.drain(), []);
    assert_eq!(other.drain(), [got("t", "0", 0, false), got("t", "1", 1, false)]);
}

#[test]
fn retain_is_kept_on_live_messages_only_if_asked_for() {
    let bed = Bed::new();
    let mut plain = bed.attach("plain", true, 0);
    let mut asked = bed.attach("asked", true, 0);
    plain.subscribe("t", 1);
    asked.subscribe_with(
        "t",
        SubscribeOptions { retain_as_published: true, ..SubscribeOptions::new(QoS::AtLeastOnce) },
    );
    bed.retain("t", "x", 1);
    bed.publish("t", "y", 1);
    bed.run();
    assert_eq!(plain.drain(), [got("t", "x", 1, false), got("t", "y", 1, false)]);
    assert_eq!(asked.drain(), [got("t", "x", 1, true), got("t", "y", 1, false)]);
}

#[test]
fn nothing_comes_after_unsubscribe() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    assert!(client.attached.unsubscribe(TopicFilter::parse("t").unwrap()));
    assert!(!client.attached.unsubscribe(TopicFilter::parse("t").unwrap()));
    bed.publish("t", "0", 0);
    bed.publish("t", "1", 1);
    bed.run();
    assert_eq!(client.drain(), []);
    assert_eq!(bed.store.statistics().subscriptions, 0);
}

#[test]
fn a_full_inbox_loses_only_qos_0_and_keeps_the_order() {
    let bed = Bed::with(options().inbox_max(10));
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    for number in 0..100 {
        bed.publish("t", &number.to_string(), 1);
        if number % 10 == 0 {
            bed.run();
        }
    }
    bed.run();
    for number in 0..7 {
        bed.publish("t", &format!("dropped {number}"), 0);
    }
    assert_eq!(bed.store.statistics().dropped, 7);
    let payloads: Vec<String> = client.drain().into_iter().map(|got| got.1).collect();
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(payloads, expected);

    // It has caught up: live again.
    bed.publish("t", "live", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "live", 1, false)]);
}

#[test]
fn one_that_does_not_read_does_not_hold_others_up() {
    let bed = Bed::with(options().inbox_max(4));
    let mut slow = bed.attach("slow", true, 0);
    let mut quick = bed.attach("quick", true, 0);
    slow.subscribe("t", 1);
    quick.subscribe("t", 1);
    for number in 0..50 {
        bed.publish("t", &number.to_string(), 1);
        bed.run();
        assert_eq!(quick.drain(), [got("t", &number.to_string(), 1, false)]);
    }
    assert_eq!(slow.drain().len(), 50);
}

#[test]
fn an_expired_message_is_not_sent_and_one_that_is_not_has_the_rest_of_its_time() {
    use bytes::Bytes;
    use headwater_codec::{Delivery, PacketId, Properties, Property, Publish};
    use headwater_topic::TopicName;
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    for (secs, payload) in [(10, "short"), (100, "long")] {
        let properties = [Property::MessageExpiryInterval(secs)];
        let publish = Publish::new(TopicName::parse("t").unwrap(), payload.as_bytes())
            .with_delivery(Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false })
            .with_properties(Properties::from(&properties[..]));
        bed.store.publish(&publish, Bytes::new, "p", bed.now_ms).unwrap();
    }
    bed.run();
    client.now_ms += 10_000;
    let [delivery] = &client.deliveries()[..] else { panic!("one") };
    let mut properties = Vec::new();
    delivery.message.fill(&[], client.now_ms + 999, &mut properties);
    assert_eq!(properties, [Property::MessageExpiryInterval(90)]);
    assert_eq!(bed.store.statistics().expired, 1);
}

#[test]
fn a_session_has_one_connection_at_a_time() {
    let bed = Bed::new();
    let client = bed.lasting("c");
    let attach = Attach {
        client_id: "c",
        clean_start: true,
        expiry_secs: 0,
        wake: Arc::new(|| {}),
        now_ms: bed.now_ms,
    };
    assert!(matches!(bed.store.attach(&attach), Err(AttachError::InUse)));
    let _ = client.leave();
    assert!(bed.store.attach(&attach).is_ok());
}

#[test]
fn what_was_taken_while_the_dispatcher_was_at_the_next_session_does_not_come_again() {
    let bed = Bed::new();
    // The dispatcher hands the message out and is held in `wake`, before it notes that it has.
    let (woken, wakes) = std::sync::mpsc::sync_channel(0);
    let (go_on, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let wake = Arc::new(move || {
        woken.send(()).unwrap();
        let _ = held.lock().unwrap().recv();
    });
    let attach = Attach { client_id: "c", clean_start: true, expiry_secs: 3_600, wake, now_ms: bed.now_ms };
    let (mut attached, _, _) = bed.store.attach(&attach).unwrap();
    let filter = TopicFilter::parse("t").unwrap();
    attached.subscribe(filter, SubscribeOptions::new(QoS::ExactlyOnce), None);
    bed.publish("t", "once", 2);
    std::thread::scope(|scope| {
        scope.spawn(|| bed.run());
        wakes.recv().unwrap();
        let Next::Delivery(delivery) = attached.next(bed.now_ms).unwrap() else {
            panic!("it was handed out")
        };
        assert_eq!(delivery.message.payload, "once");
        // Its exchange is complete, and the client goes.
        let _ = attached.detach(&State::default(), 3_600, bed.now_ms).unwrap();
        go_on.send(()).unwrap();
    });
    assert_eq!(bed.lasting("c").drain(), []);
    bed.publish("t", "next", 2);
    bed.run();
    assert_eq!(bed.lasting("c").drain(), [got("t", "next", 2, false)]);
}

#[test]
fn a_flood_of_qos_0_does_not_keep_the_others_waiting() {
    let bed = Bed::with(options().inbox_max(10).catch_up_bytes(500));
    let mut client = bed.lasting("c");
    client.subscribe("#", 1);
    let _ = client.leave();
    bed.publish_numbers("t", 0..50, 1);
    let mut client = bed.lasting("c");
    bed.publish_numbers("t", 50..100, 1);
    let mut received = Vec::new();
    // There is never nothing to send: whenever one is taken, there are two more.
    for _ in 0..1_000 {
        bed.publish("flood", "x", 0);
        bed.publish("flood", "x", 0);
        match client.attached.next(bed.now_ms).unwrap() {
            Next::Delivery(delivery) if delivery.qos == QoS::AtLeastOnce => {
                received.push(String::from_utf8(delivery.message.payload.to_vec()).unwrap());
            }
            _ => {}
        }
    }
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(received, expected);
    assert!(bed.store.statistics().dropped > 0, "the flood had no room");
}

#[test]
fn what_overflowed_comes_behind_what_waits() {
    let bed = Bed::with(options().inbox_max(4));
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    let mut received = Vec::new();
    for number in 0..100 {
        bed.publish("t", &number.to_string(), 1);
        if number % 7 == 0 {
            bed.run();
            received.extend(client.next());
            received.extend(client.next());
        }
    }
    bed.run();
    received.extend(client.deliveries());
    let payloads: Vec<String> = received.iter().map(|delivery| crate::bed::seen(delivery).1).collect();
    assert_eq!(payloads, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn the_inbox_is_bounded_in_bytes_too() {
    let bed = Bed::with(options().inbox_bytes_max(20_000));
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    for _ in 0..100 {
        bed.publish("t", &"x".repeat(1_000), 0);
    }
    let received = client.drain().len();
    assert!((10..20).contains(&received), "{received}");
    assert_eq!(bed.store.statistics().dropped, 100 - received as u64);
    // One that is larger than all of the room is taken when nothing else waits.
    bed.publish("t", &"y".repeat(30_000), 0);
    bed.publish("t", "no room", 0);
    assert_eq!(client.drain().len(), 1);
    bed.publish("t", "room again", 0);
    assert_eq!(client.drain().len(), 1);
}

#[test]
fn what_has_no_room_in_bytes_is_read_from_the_log() {
    let bed = Bed::with(options().inbox_bytes_max(5_000));
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    for number in 0..100 {
        bed.publish("t", &format!("{number:01000}"), 1);
        bed.run();
    }
    let payloads: Vec<String> = client.drain().into_iter().map(|got| got.1).collect();
    assert_eq!(payloads, (0..100).map(|number| format!("{number:01000}")).collect::<Vec<_>>());
    assert_eq!(bed.store.statistics().dropped, 0);
}
