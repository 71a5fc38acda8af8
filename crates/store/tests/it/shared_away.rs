//! Shared subscriptions whose members come, go and end.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_codec::{Delivery as Sending, PacketId, Properties, Property, Publish, QoS};
use headwater_session::{InFlight, Stage};
use headwater_store::Delivery;
use headwater_topic::TopicName;

use crate::bed::{Bed, messages, options};
use crate::shared::{numbers, sorted};
use crate::shared_record::last_record;
use crate::worker::Worker;

const FILTER: &str = "$share/g/t/#";

#[test]
fn what_comes_while_all_are_away_waits_for_the_first_that_comes() {
    let bed = Bed::new();
    Worker::lasting(&bed, "a", FILTER).leave();
    Worker::lasting(&bed, "b", FILTER).leave();
    for number in 0..50 {
        bed.publish(&format!("t/{}", number % 5), &number.to_string(), 1 + u8::try_from(number % 2).unwrap());
    }
    bed.publish("t/0", "QoS 0 does not wait", 0);
    bed.run();
    let mut c = Worker::passing(&bed, "c", FILTER);
    assert_eq!(sorted(c.work()), numbers(0..50));
    assert_eq!(Worker::back(&bed, "a").work(), [""; 0]);
    bed.publish("t/0", "50", 2);
    bed.run();
    assert_eq!(c.work(), ["50"]);
}

#[test]
fn a_stop_in_between_changes_nothing() {
    let bed = Bed::new();
    Worker::lasting(&bed, "a", FILTER).leave();
    bed.publish("t/0", "0", 1);
    let bed = bed.reopen();
    assert_eq!(bed.store.statistics().groups, 1);
    bed.publish("t/0", "1", 1);
    bed.run();
    let mut a = Worker::back(&bed, "a");
    assert_eq!(a.work(), numbers(0..2));
    bed.publish("t/0", "2", 1);
    bed.run();
    assert_eq!(a.work(), ["2"]);
    a.leave();
    let bed = bed.reopen();
    assert_eq!(Worker::back(&bed, "a").work(), [""; 0]);
}

#[test]
fn what_waited_in_an_inbox_and_what_was_not_sent_goes_to_the_others_at_once() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    let mut b = Worker::lasting(&bed, "b", FILTER);
    bed.publish_numbers("t/0", 0..20, 2);
    let sent = a.take().unwrap();
    let unsent = a.take().unwrap();
    a.under_way[1].sent = false;
    a.leave();
    let got = b.work();
    assert!(got.contains(&unsent) && !got.contains(&sent));
    assert_eq!(got.len(), 19);
    assert_eq!(bed.store.statistics().returned, 9);
    // [MQTT-4.8.2-4]
    let mut a = Worker::back(&bed, "a");
    assert_eq!(a.under_way.len(), 1);
    assert_eq!((a.under_way[0].stage, a.under_way[0].sent), (Stage::PubRec, true));
    assert_eq!((a.finish_all(), a.work(), b.work()), (vec![sent], vec![], vec![]));
}

/// A member that was sent a message with this QoS and has gone, and another one.
fn left_with_one_sent(bed: &Bed, qos: u8) -> Worker {
    let mut a = Worker::lasting(bed, "a", FILTER);
    bed.publish("t/0", "x", qos);
    bed.run();
    assert_eq!(a.take().unwrap(), "x");
    a.leave();
    let mut b = Worker::lasting(bed, "b", FILTER);
    assert_eq!(b.work(), [""; 0], "it is a's as long as its session lasts");
    b
}

#[test]
fn qos_1_that_was_sent_goes_to_another_member_when_the_session_ends() {
    for restart in [false, true] {
        let mut bed = Bed::new();
        let mut b = left_with_one_sent(&bed, 1);
        if restart {
            b.leave();
            bed = bed.reopen();
            b = Worker::back(&bed, "b");
        }
        drop(bed.attach("a", true, 0));
        assert_eq!(b.work(), ["x"], "clean start");
        b.leave();

        let mut b = left_with_one_sent(&bed, 1);
        assert_eq!(bed.store.expire_sessions(bed.now_ms + 7 * 24 * 3_600 * 1_000).unwrap(), 1);
        assert_eq!(b.work(), ["x"], "expired");
    }
}

#[test]
fn qos_2_that_was_sent_goes_to_nobody_else_when_the_session_ends() {
    for stage in [Stage::PubRec, Stage::PubComp] {
        let mut bed = Bed::new();
        let mut a = Worker::lasting(&bed, "a", FILTER);
        bed.publish("t/0", "x", 2);
        bed.run();
        assert_eq!(a.take().unwrap(), "x");
        a.under_way[0].stage = stage;
        a.leave();
        let mut b = Worker::lasting(&bed, "b", FILTER);
        // [MQTT-4.8.2-5]
        drop(bed.attach("a", true, 0));
        assert_eq!(b.work(), [""; 0]);
        b.leave();
        bed = bed.reopen();
        assert_eq!(Worker::back(&bed, "b").work(), [""; 0], "nor after a stop");
    }
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_what_it_did_not_finish_but_no_qos_2_that_was_sent() {
    let bed = Bed::new();
    let mut b = Worker::lasting(&bed, "b", FILTER);
    let mut a = Worker::passing(&bed, "a", FILTER);
    for number in 0..8 {
        bed.publish("t/0", &number.to_string(), 1 + u8::try_from(number / 2 % 2).unwrap());
    }
    bed.run();
    let own = b.work();
    let taken = [a.take().unwrap(), a.take().unwrap(), a.take().unwrap()];
    assert_eq!(a.under_way[0].stage, Stage::PubAck);
    assert_eq!(a.under_way[1].stage, Stage::PubRec);
    let done = a.finish(2);
    a.leave();
    let returned = b.work();
    let lost_with_it = &taken[1];
    assert!(!returned.contains(lost_with_it) && !returned.contains(&done));
    assert_eq!(sorted([own, returned, vec![lost_with_it.clone(), done]].concat()), numbers(0..8));
}

#[test]
fn a_message_that_was_refused_is_sent_to_nobody_else() {
    // For the store a refusal is an end like any other [MQTT-4.8.2-6].
    let bed = Bed::new();
    let mut a = Worker::passing(&bed, "a", FILTER);
    bed.publish("t/0", "x", 1);
    bed.run();
    a.take().unwrap();
    a.finish_all();
    let mut b = Worker::lasting(&bed, "b", FILTER);
    a.leave();
    assert_eq!(b.work(), [""; 0]);
}

#[test]
fn a_group_ends_with_the_session_of_its_last_member() {
    let bed = Bed::new();
    Worker::lasting(&bed, "a", FILTER).leave();
    Worker::lasting(&bed, "b", FILTER).leave();
    drop(bed.attach("a", true, 0));
    bed.publish("t/0", "for b", 1);
    bed.run();
    assert_eq!(bed.store.statistics().groups, 1);
    assert_eq!(bed.store.expire_sessions(i64::MAX).unwrap(), 1);
    assert_eq!(bed.store.statistics().groups, 0);
    let bed = bed.reopen();
    assert_eq!(bed.store.statistics().groups, 0);
    assert_eq!(Worker::lasting(&bed, "b", FILTER).work(), [""; 0], "it begins anew");
}

#[test]
fn with_qos_0_a_message_is_done_with_when_it_is_taken_and_waits_for_others_until_then() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    a.subscribe(FILTER, QoS::AtMostOnce);
    for payload in ["0", "1"] {
        bed.publish("t/0", payload, 1);
    }
    bed.run();
    assert_eq!(a.take().unwrap(), "0");
    a.leave();
    let mut b = Worker::lasting(&bed, "b", FILTER);
    assert_eq!(b.work(), ["1"]);
}

#[test]
fn a_message_that_expires_in_an_inbox_goes_to_nobody_and_is_not_kept_as_unfinished() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    let delivery = Sending::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Publish::new(TopicName::parse("t/0").unwrap(), b"x").with_delivery(delivery);
    let expiry = [Property::MessageExpiryInterval(1)];
    let publish = publish.with_properties(Properties::from(&expiry[..]));
    let _ = bed.store.publish(&publish, Bytes::new, "p", bed.now_ms).unwrap();
    bed.run();
    a.client.now_ms += 2_000;
    assert_eq!(a.take(), None);
    assert_eq!(bed.store.statistics().expired, 1);
    a.leave();
    assert_eq!(bed.store.statistics().returned, 0);
    assert_eq!(last_record(&bed, FILTER).unwrap().unfinished, []);
}

#[test]
fn what_waits_for_a_group_does_not_hold_the_position_of_the_session_back() {
    let bed = Bed::with(options().messages(messages().partitions(1)));
    let b = Worker::lasting(&bed, "b", FILTER);
    bed.publish_numbers("t/0", 0..2, 1);
    let mut a = Worker::lasting(&bed, "a", FILTER);
    a.subscribe("plain", QoS::AtLeastOnce);
    bed.publish("plain", "plain", 1);
    bed.run();
    assert_eq!(a.work(), ["plain"]);
    // Older messages come, and one of them waits when it goes.
    b.leave();
    assert_eq!(a.take().unwrap(), "0");
    a.leave();
    let mut a = Worker::back(&bed, "a");
    assert_eq!((a.finish_all(), a.work()), (numbers([0]), numbers([1])), "nothing plain comes again");
}

#[test]
fn what_a_session_has_of_a_group_it_left_goes_to_others_when_it_ends_after_it_came_back() {
    let bed = Bed::new();
    let mut b = Worker::lasting(&bed, "b", FILTER);
    let mut a = Worker::lasting(&bed, "a", FILTER);
    bed.publish_numbers("t/0", 0..2, 1);
    let (own, left) = (b.take().unwrap(), a.take().unwrap());
    a.unsubscribe(FILTER);
    a.leave();
    let mut a = Worker::back(&bed, "a");
    assert_eq!(a.under_way.len(), 1);
    a.client.expiry_secs = 0;
    a.leave();
    assert_eq!(b.take().as_ref(), Some(&left));
    assert_eq!(sorted(b.finish_all()), sorted(vec![own, left]));
}

#[test]
fn a_session_knows_by_which_of_its_groups_a_message_came_over_a_stop() {
    let bed = Bed::new();
    let filters = ["$share/g/t/#", "$share/h/t/#", "$share/i/t/#"];
    let mut a = Worker::lasting(&bed, "a", filters[0]);
    for filter in &filters[1..] {
        a.subscribe(filter, QoS::AtLeastOnce);
    }
    a.subscribe("t/#", QoS::AtLeastOnce);
    bed.publish("t/0", "x", 1);
    bed.run();
    assert_eq!(a.take_all().len(), 4);
    a.leave();
    let bed = bed.reopen();
    let mut b = Worker::lasting(&bed, "b", filters[1]);
    let mut a = Worker::back(&bed, "a");
    let came_by =
        |one: &InFlight<Delivery>| one.message.share.as_ref().map(|share| share.filter().to_string());
    let shares: BTreeSet<Option<String>> = a.under_way.iter().map(came_by).collect();
    let expected = [None].into_iter().chain(filters.map(|filter| Some(filter.to_owned())));
    assert_eq!(shares, expected.collect());
    // All but one is finished: that one goes to the other member of its group.
    for index in (0..4).rev() {
        if came_by(&a.under_way[index]).as_deref() != Some(filters[1]) {
            a.finish(index);
        }
    }
    assert_eq!(b.work(), [""; 0]);
    a.client.expiry_secs = 0;
    a.leave();
    assert_eq!(b.work(), ["x"]);
}

#[test]
fn a_connection_that_is_dropped_leaves_what_it_had_to_the_others() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    let mut b = Worker::lasting(&bed, "b", FILTER);
    bed.publish_numbers("t/0", 0..10, 2);
    a.take();
    a.save();
    a.take();
    // As what was saved last says: one is under way with it.
    drop(a);
    assert_eq!(b.work().len(), 9);
    let mut a = Worker::back(&bed, "a");
    assert_eq!((a.finish_all().len(), a.work(), b.work()), (1, vec![], vec![]));
}

#[test]
fn what_retention_deletes_is_counted_and_the_group_goes_on() {
    let bed = Bed::with(options().messages(messages().partitions(1).retention_bytes(Some(1))));
    let mut a = Worker::lasting(&bed, "a", FILTER);
    bed.publish("t/0", "given back", 1);
    bed.run();
    a.take().unwrap();
    a.leave();
    let payload = "x".repeat(1_000);
    for number in 0..300 {
        bed.publish("t/0", &format!("{number} {payload}"), 1);
    }
    bed.run();
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    drop(bed.attach("a", true, 0));
    let mut b = Worker::lasting(&bed, "b", FILTER);
    assert_eq!(b.work(), [""; 0], "the group ended with a");
    b.leave();
    for number in 300..600 {
        bed.publish("t/0", &format!("{number} {payload}"), 1);
    }
    bed.run();
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    let got = Worker::back(&bed, "b").work();
    let lost = bed.store.statistics().fell_behind;
    assert_eq!(u64::try_from(got.len()).unwrap() + lost, 300);
    assert!(lost > 0 && !got.is_empty());
}

#[test]
fn a_returned_message_that_retention_deletes_does_not_hold_the_group_up() {
    let bed = Bed::with(options().messages(messages().partitions(1).retention_bytes(Some(1))));
    let mut a = Worker::lasting(&bed, "a", FILTER);
    let b = Worker::lasting(&bed, "b", FILTER);
    bed.publish("t/0", "sent", 1);
    bed.run();
    a.take().unwrap();
    a.leave();
    b.leave();
    let payload = "x".repeat(1_000);
    for number in 0..300 {
        bed.publish("t/0", &format!("{number} {payload}"), 1);
    }
    bed.run();
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    drop(bed.attach("a", true, 0));
    let got = Worker::back(&bed, "b").work();
    let lost = bed.store.statistics().fell_behind;
    assert_eq!(u64::try_from(got.len()).unwrap() + lost, 301);
}
