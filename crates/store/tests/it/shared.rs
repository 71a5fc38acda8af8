//! Shared subscriptions while members are connected.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use headwater_codec::{QoS, SubscribeOptions, SubscriptionId};
use headwater_store::Next;
use headwater_topic::TopicFilter;

use crate::bed::{Bed, options, seen};
use crate::shared_record::last_record;
use crate::worker::Worker;

pub(crate) fn numbers(all: impl IntoIterator<Item = u32>) -> Vec<String> {
    all.into_iter().map(|number| number.to_string()).collect()
}

pub(crate) fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort_by_key(|payload| payload.parse::<u32>().unwrap());
    all
}

#[test]
fn each_message_goes_to_one_member_in_turn_at_each_qos() {
    let bed = Bed::new();
    let mut workers = ["a", "b", "c"].map(|name| Worker::passing(&bed, name, "$share/g/t/#"));
    for qos in 0..3 {
        for number in 0..150 {
            bed.publish(&format!("t/{}", number % 7), &number.to_string(), qos);
            if number % 50 == 0 {
                bed.run();
            }
        }
        bed.run();
        let taken = workers.each_mut().map(Worker::work);
        assert_eq!(taken.each_ref().map(Vec::len), [50, 50, 50], "QoS {qos}");
        assert_eq!(sorted(taken.concat()), numbers(0..150), "QoS {qos}");
    }
    assert_eq!(bed.store.statistics().dropped, 0);
}

#[test]
fn a_member_that_takes_nothing_holds_a_few_and_the_others_get_the_rest_in_order() {
    let bed = Bed::with(options().shared_inbox_max(10).catch_up_bytes(2_000));
    let mut workers = ["a", "b"].map(|name| Worker::passing(&bed, name, "$share/g/t"));
    let stuck = Worker::passing(&bed, "stuck", "$share/g/t");
    for number in 0..500 {
        bed.publish("t", &number.to_string(), 1);
        if number % 100 == 99 {
            bed.run();
        }
    }
    bed.run();
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..500 {
        for (worker, taken) in workers.iter_mut().zip(&mut taken) {
            taken.extend(worker.take());
        }
    }
    for taken in &taken {
        assert!(taken.len() > 150, "{}", taken.len());
        assert_eq!(*taken, sorted(taken.clone()), "in order for each member");
    }
    assert_eq!(taken.concat().len(), 490);
    // When it goes, what waited for it goes to the others.
    stuck.leave();
    assert_eq!(bed.store.statistics().returned, 10);
    let rest: Vec<String> = workers.iter_mut().flat_map(Worker::take_all).collect();
    assert_eq!(sorted([taken.concat(), rest].concat()), numbers(0..500));
    bed.publish("t", "500", 1);
    bed.run();
    assert_eq!(workers.iter_mut().flat_map(Worker::take_all).collect::<Vec<_>>(), ["500"], "live again");
}

#[test]
fn qos_0_goes_to_a_member_with_room_or_is_dropped_and_counted() {
    let bed = Bed::with(options().inbox_max(5));
    let mut workers = ["a", "b"].map(|name| Worker::passing(&bed, name, "$share/g/t"));
    for number in 0..12 {
        bed.publish("t", &number.to_string(), 0);
    }
    assert_eq!(bed.store.statistics().dropped, 2);
    assert_eq!(workers.each_mut().map(Worker::take_all).concat().len(), 10);
    for worker in workers {
        worker.leave();
    }
    bed.publish("t", "nobody is there", 0);
    assert_eq!(bed.store.statistics().dropped, 2);
}

#[test]
fn what_came_before_the_group_is_not_for_it() {
    let bed = Bed::new();
    for qos in 0..3 {
        bed.publish("t", "before", qos);
    }
    let mut worker = Worker::passing(&bed, "a", "$share/g/t");
    bed.publish("t", "after", 1);
    bed.run();
    assert_eq!(worker.work(), ["after"]);
}

#[test]
fn the_terms_of_the_member_hold() {
    let bed = Bed::new();
    let mut workers = ["a", "b", "c"].map(|name| bed.attach(name, true, 0));
    for (worker, qos) in workers.iter_mut().zip(0..) {
        let options = SubscribeOptions {
            retain_as_published: qos == 1,
            ..SubscribeOptions::new(QoS::from_u8(qos).unwrap())
        };
        let filter = TopicFilter::parse("$share/g/t").unwrap();
        worker.attached.subscribe(filter, options, SubscriptionId::new(u32::from(qos) + 1));
    }
    for _ in 0..3 {
        bed.retain("t", "x", 2);
    }
    bed.run();
    for (worker, qos) in workers.iter_mut().zip(0..) {
        let [delivery] = &worker.deliveries()[..] else { panic!("one each") };
        assert_eq!(seen(delivery), ("t".to_owned(), "x".to_owned(), qos, qos == 1));
        assert_eq!(delivery.subscription_ids, [SubscriptionId::new(u32::from(qos) + 1).unwrap()]);
    }
    // New terms hold for what comes then.
    let filter = TopicFilter::parse("$share/g/t").unwrap();
    for worker in &mut workers {
        let options = SubscribeOptions::new(QoS::AtLeastOnce);
        assert!(worker.attached.subscribe(filter, options, None).existed);
    }
    bed.publish("t", "y", 2);
    bed.run();
    let got: Vec<_> = workers.iter_mut().flat_map(|worker| worker.deliveries()).collect();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].qos, got[0].subscription_ids.len()), (QoS::AtLeastOnce, 0));
}

#[test]
fn no_retained_message_comes_with_a_shared_subscription() {
    let bed = Bed::new();
    bed.retain("t", "kept", 1);
    bed.run();
    let mut worker = Worker::passing(&bed, "a", "$share/g/t");
    assert_eq!(worker.take_all(), [""; 0]);
    let mut worker = Worker::lasting(&bed, "b", "$share/g/t");
    assert_eq!(worker.take_all(), [""; 0]);
}

#[test]
fn groups_and_plain_subscriptions_are_separate_and_each_gets_a_message_of_its_own() {
    let bed = Bed::new();
    let mut worker = Worker::passing(&bed, "a", "$share/g/t");
    worker.subscribe("t", QoS::AtMostOnce);
    worker.subscribe("$share/h/t", QoS::AtLeastOnce);
    worker.subscribe("$share/g/#", QoS::AtLeastOnce);
    assert_eq!(worker.client.attached.subscriptions(), 4);
    let statistics = bed.store.statistics();
    assert_eq!((statistics.subscriptions, statistics.groups), (4, 3));
    bed.publish("t", "x", 2);
    bed.run();
    let mut got: Vec<(u8, Option<String>)> = worker
        .client
        .deliveries()
        .into_iter()
        .map(|one| (one.qos.as_u8(), one.share.map(|share| share.filter().as_str().to_owned())))
        .collect();
    got.sort();
    let share = |text: &str| Some(text.to_owned());
    assert_eq!(
        got,
        [(0, None), (1, share("$share/g/#")), (1, share("$share/h/t")), (2, share("$share/g/t"))]
    );
}

#[test]
fn a_topic_below_share_is_not_for_the_plain_text_of_the_filter() {
    let bed = Bed::new();
    let mut worker = Worker::lasting(&bed, "a", "$share/g/t");
    bed.publish("$share/g/t", "x", 1);
    bed.run();
    assert_eq!(worker.take_all(), [""; 0]);
    worker.leave();
    bed.publish("$share/g/t", "y", 1);
    bed.run();
    assert_eq!(Worker::back(&bed, "a").take_all(), [""; 0]);
}

#[test]
fn who_unsubscribes_keeps_what_was_sent_and_leaves_the_rest_to_the_others() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", "$share/g/t");
    let mut b = Worker::lasting(&bed, "b", "$share/g/t");
    bed.publish_numbers("t", 0..20, 1);
    let sent = [a.take().unwrap(), a.take().unwrap()];
    assert!(a.unsubscribe("$share/g/t"));
    assert!(!a.unsubscribe("$share/g/t"));
    assert_eq!(a.take(), None);
    let others = b.work();
    assert_eq!(sorted([&sent[..], &others].concat()), numbers(0..20));
    bed.publish("t", "20", 1);
    bed.run();
    assert_eq!((a.take(), b.work()), (None, numbers([20])));
    // What it was sent is its own until its session ends: then another one gets what was not acknowledged.
    a.finish(0);
    a.leave();
    assert_eq!(b.work(), [""; 0]);
    drop(bed.attach("a", true, 0));
    assert_eq!(b.work(), sent[1..]);
}

#[test]
fn a_group_ends_with_its_last_member_and_begins_anew() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", "$share/g/t");
    let mut b = Worker::passing(&bed, "b", "$share/g/t");
    bed.publish("t", "0", 1);
    bed.run();
    assert!(a.unsubscribe("$share/g/t") && b.unsubscribe("$share/g/t"));
    assert_eq!(bed.store.statistics().groups, 0);
    a.save();
    bed.publish("t", "nobody's", 1);
    bed.run();
    a.subscribe("$share/g/t", QoS::AtLeastOnce);
    a.save();
    bed.publish("t", "1", 1);
    bed.run();
    assert_eq!(a.work(), ["1"]);
    // Twice between two saves: what is written of the first end must not end the next one.
    assert!(a.unsubscribe("$share/g/t"));
    a.subscribe("$share/g/t", QoS::AtLeastOnce);
    a.save();
    assert!(last_record(&bed, "$share/g/t").is_some());
    a.leave();
    let bed = bed.reopen();
    assert_eq!(bed.store.statistics().groups, 1);
    assert_eq!(Worker::back(&bed, "a").work(), [""; 0], "the end of the old one is not that of the new one");
}

#[test]
fn members_are_woken_when_there_is_something_for_them() {
    let bed = Bed::with(options().shared_inbox_max(1));
    let mut a = Worker::passing(&bed, "a", "$share/g/t");
    let b = Worker::passing(&bed, "b", "$share/g/t");
    bed.publish_numbers("t", 0..3, 1);
    let woken = |worker: &Worker| worker.client.woken.load(Ordering::Relaxed);
    assert!(woken(&a) > 0 && woken(&b) > 0);
    assert_eq!(a.work().len(), 2, "its own, and the one for which there was no room");
    let before = woken(&a);
    b.leave();
    assert_eq!(woken(&a), before + 1, "for what the other one leaves");
    assert_eq!(a.work().len(), 1);
}

#[test]
fn a_large_group_shares_all_and_no_message_asks_every_member() {
    let bed = Bed::with(options().shared_inbox_max(2));
    let mut workers: Vec<Worker> =
        (0..100).map(|number| Worker::passing(&bed, &format!("w{number}"), "$share/g/t")).collect();
    bed.publish_numbers("t", 0..1_000, 1);
    // Only one of them does anything.
    let taken: BTreeSet<String> = workers[77].work().into_iter().collect();
    assert!(taken.len() >= 1_000 - 2 * 99, "{}", taken.len());
    let rest = workers.iter_mut().flat_map(Worker::work);
    assert_eq!(sorted(taken.into_iter().chain(rest).collect()), numbers(0..1_000));
}

#[test]
fn the_member_that_reads_gets_what_nobody_else_has_room_for_without_asking_them_all() {
    let bed = Bed::with(options().shared_inbox_max(1));
    let full: Vec<Worker> =
        (0..200).map(|number| Worker::passing(&bed, &format!("w{number}"), "$share/g/t")).collect();
    bed.publish_numbers("t", 0..300, 1);
    let mut last = bed.attach("last", true, 0);
    last.subscribe("$share/g/t", 1);
    let mut got = 0;
    for _ in 0..150 {
        got += u32::from(matches!(last.attached.next(bed.now_ms).unwrap(), Next::Delivery(_)));
    }
    assert!(got >= 100, "{got}: one for each read");
    drop(full);
}
