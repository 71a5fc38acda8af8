//! Subscriptions that begin in the past: what the log has comes first, then what is published, without a gap and without a double.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use headwater_codec::{
    Delivery as Sending, PacketId, Properties, Property, Publish, QoS, RetainHandling, SubscribeOptions,
    SubscriptionId,
};
use headwater_session::State;
use headwater_store::{Since, SubscribeError};
use headwater_topic::{TopicFilter, TopicName};

use crate::bed::{Bed, Client, got, messages, options, seen};

fn since(client: &mut Client, filter: &str, qos: u8, id: u32, since: Since) {
    let options = SubscribeOptions::new(QoS::from_u8(qos).unwrap());
    let filter = TopicFilter::parse(filter).unwrap();
    client.attached.subscribe_since(filter, options, SubscriptionId::new(id), since).unwrap();
}

#[test]
fn the_past_comes_in_order_and_then_the_present() {
    let bed = Bed::new();
    bed.publish_numbers("a", 0..3, 1);
    bed.publish_numbers("b", 0..1, 1);
    let mut client = bed.lasting("s");
    since(&mut client, "a", 2, 1, Since::Earliest);
    // While the past is being read, and what is not durable.
    bed.publish("a", "3", 2);
    assert_eq!(client.next().map(|one| one.message.payload.to_vec()), Some(b"0".to_vec()));
    bed.publish_numbers("a", 4..6, 1);
    let numbers =
        ["1", "2", "3", "4", "5"].map(|number| got("a", number, if number == "3" { 2 } else { 1 }, false));
    assert_eq!(client.drain(), numbers);
    bed.publish_numbers("a", 6..7, 1);
    assert_eq!(client.drain(), [got("a", "6", 1, false)]);
}

#[test]
fn a_moment_is_a_beginning() {
    let mut bed = Bed::new();
    for number in 0..5 {
        bed.now_ms += 1_000;
        bed.publish_numbers("a", number..number + 1, 1);
    }
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Moment { ms: bed.now_ms - 1_000 });
    assert_eq!(client.drain(), [got("a", "3", 1, false), got("a", "4", 1, false)]);
    since(&mut client, "#", 1, 2, Since::Moment { ms: bed.now_ms + 1 });
    assert_eq!(client.drain(), []);
    bed.publish_numbers("a", 5..6, 1);
    assert_eq!(client.drain(), [got("a", "5", 1, false)]);
}

#[test]
fn messages_of_qos_0_come_too_whether_or_not_they_are_durable() {
    let bed = Bed::new();
    bed.publish_numbers("a", 0..2, 0);
    bed.publish("a", "2", 0);
    bed.publish("a", "3", 1);
    bed.publish("a", "4", 0);
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    assert_eq!(client.drain(), [0, 1, 2, 4].map(|number| got("a", &number.to_string(), 0, false)));
    bed.run();
    bed.publish("a", "5", 0);
    assert_eq!(client.drain(), [got("a", "3", 1, false), got("a", "5", 0, false)]);
    // With QoS 0 of the subscription as well.
    let mut other = bed.lasting("t");
    since(&mut other, "a", 0, 1, Since::Earliest);
    bed.run();
    assert_eq!(other.drain(), [0, 1, 2, 3, 4, 5].map(|number| got("a", &number.to_string(), 0, false)));
}

#[test]
fn retained_messages_do_not_come_twice_and_a_shared_subscription_has_no_past_of_its_own() {
    let bed = Bed::new();
    bed.retain("a", "kept", 1);
    bed.run();
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    assert_eq!(client.drain(), [got("a", "kept", 1, false)]);
    let options = SubscribeOptions::new(QoS::AtLeastOnce);
    let filter = TopicFilter::parse("$share/g/a").unwrap();
    let refused = client.attached.subscribe_since(filter, options, None, Since::Earliest);
    assert!(matches!(refused, Err(SubscribeError::Shared)));
}

#[test]
fn a_subscription_that_is_replaced_begins_anew() {
    let bed = Bed::new();
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    bed.publish_numbers("a", 0..2, 1);
    assert_eq!(client.drain().len(), 2);
    since(&mut client, "a", 2, 1, Since::Earliest);
    bed.publish_numbers("a", 2..3, 2);
    assert_eq!(client.drain(), [got("a", "0", 1, false), got("a", "1", 1, false), got("a", "2", 2, false)]);
    // Without a beginning it goes on.
    let options = SubscribeOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..SubscribeOptions::new(QoS::AtLeastOnce)
    };
    client.subscribe_with("a", options);
    assert_eq!(client.drain(), []);
}

const TOPICS: [&str; 4] = ["a", "b", "c/d", "c/e"];
const FILTERS: [&str; 7] = ["a", "b", "+", "#", "c/#", "+/d", "c/+"];
const RUNS: u64 = 400;

/// What was published, in order.
struct Published {
    topic: &'static str,
    qos: u8,
    ms: i64,
    /// Whether it is in the log for good; not known before it is synced or the power fails.
    durable: Option<bool>,
}

struct Asked {
    filter: &'static str,
    id: u32,
    /// The first message that is for it.
    from: usize,
}

/// Messages by subscription, in the order in which they came.
#[derive(Default)]
struct Had(HashMap<u32, Vec<usize>>);

impl Had {
    fn take(&mut self, client: &mut Client, most: usize) {
        for _ in 0..most {
            let Some(delivery) = client.next() else { return };
            let number = std::str::from_utf8(&delivery.message.payload).unwrap().parse().unwrap();
            for id in &delivery.subscription_ids {
                self.0.entry(id.get()).or_default().push(number);
            }
        }
    }

    /// Each subscription had what is for it, each topic in order.
    fn check(&self, published: &[Published], asked: &[Asked], crashes: u32, leaves: u32) {
        for Asked { filter, id, from } in asked {
            let had = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
            let count = |number: usize| had.iter().filter(|one| **one == number).count();
            for (number, message) in published.iter().enumerate() {
                let matches =
                    TopicFilter::parse(filter).unwrap().matches(TopicName::parse(message.topic).unwrap());
                let is_due = matches && number >= *from;
                let times = count(number);
                let right = match (is_due, message.qos) {
                    (false, _) => times == 0,
                    (true, 0) if crashes + leaves == 0 => times == 1,
                    (true, 0) => times <= 1 + usize::try_from(crashes).unwrap(),
                    (true, _) if crashes == 0 => times == 1,
                    (true, _) => times >= 1 || message.durable == Some(false),
                };
                assert!(
                    right,
                    "{filter} from {from}: {number} of {} came {times} times: {had:?}",
                    message.topic
                );
            }
            if crashes == 0 {
                for topic in TOPICS {
                    let of_it =
                        had.iter().filter(|one| published[**one].topic == topic && published[**one].qos > 0);
                    assert!(of_it.is_sorted(), "{filter}: {topic} in order: {had:?}");
                }
            }
        }
    }
}

#[test]
fn every_subscription_gets_what_is_for_it_once_and_in_order_whatever_is_subscribed_when() {
    let (mut backwards, mut all) = (0, 0);
    for seed in 0..RUNS {
        let (asked, had) = life(seed, false);
        backwards += asked;
        all += had;
    }
    eprintln!("{RUNS} lives, {backwards} subscriptions that begin in the past, {all} deliveries");
    assert!(backwards > usize::try_from(RUNS).unwrap());
}

#[test]
fn nothing_is_lost_over_crashes() {
    for seed in 0..RUNS / 3 {
        life(seed, true);
    }
}

fn life(seed: u64, crashes: bool) -> (usize, usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bed = Bed::with(options().catch_up_bytes(rng.usize(1..2_000)));
    let mut client = bed.lasting("s");
    let (mut published, mut asked, mut had) = (Vec::<Published>::new(), Vec::<Asked>::new(), Had::default());
    let (mut crashed, mut left, mut backwards) = (0, 0, 0);
    let mut filters = FILTERS.to_vec();
    rng.shuffle(&mut filters);
    let leaves = rng.bool();
    for _ in 0..rng.usize(10..60) {
        match rng.u32(0..100) {
            0..45 => {
                bed.now_ms += rng.i64(0..2) * 1_000;
                let (topic, qos) = (TOPICS[rng.usize(0..TOPICS.len())], rng.u8(0..3));
                bed.publish(topic, &published.len().to_string(), qos);
                published.push(Published { topic, qos, ms: bed.now_ms, durable: None });
            }
            45..60 => {
                bed.run();
                published.iter_mut().for_each(|one| _ = one.durable.get_or_insert(true));
            }
            60..75 => had.take(&mut client, rng.usize(0..6)),
            75..90 => {
                let Some(filter) = filters.pop() else { continue };
                let id = u32::try_from(asked.len()).unwrap() + 1;
                let (from, begins) = match rng.u32(0..3) {
                    0 => (published.len(), None),
                    1 => (0, Some(Since::Earliest)),
                    _ => {
                        // Only what is durable is found by its time.
                        bed.run();
                        published.iter_mut().for_each(|one| _ = one.durable.get_or_insert(true));
                        let ms = bed.now_ms - rng.i64(-1..5) * 1_000;
                        let first = published.iter().position(|one| one.ms >= ms);
                        (first.unwrap_or(published.len()), Some(Since::Moment { ms }))
                    }
                };
                match begins {
                    Some(begins) => since(&mut client, filter, 2, id, begins),
                    None => {
                        let parsed = TopicFilter::parse(filter).unwrap();
                        let options = SubscribeOptions::new(QoS::ExactlyOnce);
                        client.attached.subscribe(parsed, options, SubscriptionId::new(id));
                    }
                }
                backwards += usize::from(begins.is_some());
                let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
                bed.store.wait_durable(&placement).unwrap();
                asked.push(Asked { filter, id, from });
            }
            90..95 if leaves => {
                let placement = client.leave();
                bed.store.wait_durable(&placement).unwrap();
                left += 1;
                client = bed.lasting("s");
            }
            95.. if crashes => {
                drop(client);
                bed = bed.crash(rng.u64(..));
                published.iter_mut().for_each(|one| _ = one.durable.get_or_insert(false));
                crashed += 1;
                client = bed.lasting("s");
            }
            _ => {}
        }
    }
    bed.run();
    had.take(&mut client, usize::MAX);
    had.check(&published, &asked, crashed, left);
    (backwards, had.0.values().map(Vec::len).sum())
}

#[test]
fn a_message_of_qos_0_of_the_past_is_not_overtaken_and_what_follows_does_not_come_again() {
    let bed = Bed::new();
    for (number, qos) in [0, 0, 2].into_iter().enumerate() {
        bed.publish("a", &number.to_string(), qos);
    }
    let mut client = bed.lasting("s");
    since(&mut client, "a", 2, 1, Since::Earliest);
    // Nothing is durable: it goes live with one more of QoS 0 in its hands.
    assert_eq!(client.next().as_ref().map(seen), Some(got("a", "0", 0, false)));
    bed.run();
    assert_eq!(client.next().as_ref().map(seen), Some(got("a", "1", 0, false)));
    assert_eq!(client.next().as_ref().map(seen), Some(got("a", "2", 2, false)));
    since(&mut client, "+", 2, 2, Since::Earliest);
    let of_second = SubscriptionId::new(2).unwrap();
    let again: Vec<_> =
        client.deliveries().into_iter().map(|one| (seen(&one).1, one.subscription_ids)).collect();
    assert_eq!(again, ["0", "1", "2"].map(|number| (number.to_owned(), vec![of_second])));
}

#[test]
fn a_message_of_qos_0_comes_once_also_if_the_inbox_is_full_after_it() {
    let bed = Bed::with(options().inbox_max(1));
    for (number, qos) in [1, 1, 1, 0].into_iter().enumerate() {
        bed.publish("a", &number.to_string(), qos);
    }
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    assert_eq!(client.drain(), [got("a", "3", 0, false)]);
    bed.run();
    assert_eq!(client.drain(), ["0", "1", "2"].map(|number| got("a", number, 1, false)));
    // Nor does what comes later.
    bed.publish("a", "4", 0);
    assert_eq!(client.drain(), [got("a", "4", 0, false)]);
}

#[test]
fn a_message_of_qos_0_that_is_not_durable_comes_once_to_each_subscription_that_asks() {
    let bed = Bed::new();
    bed.publish("a", "0", 0);
    let mut client = bed.lasting("s");
    for (filter, id) in [("a", 1), ("+", 2), ("#", 3)] {
        since(&mut client, filter, 1, id, Since::Earliest);
        let ids: Vec<_> = client.deliveries().iter().flat_map(|one| one.subscription_ids.clone()).collect();
        assert_eq!(ids, [SubscriptionId::new(id).unwrap()]);
    }
}

#[test]
fn who_replaces_a_subscription_by_one_that_begins_later_loses_nothing_of_what_it_missed() {
    // [MQTT-3.8.4-4]
    for (then, stays) in [(2, true), (0, true), (2, false), (0, false)] {
        let mut bed = Bed::new();
        let mut client = bed.lasting("s");
        client.subscribe("a", 1);
        let _ = client.leave();
        bed.publish_numbers("a", 0..3, 2);
        bed.now_ms += 10_000;
        bed.publish_numbers("a", 3..5, 2);
        client = bed.lasting("s");
        since(&mut client, "a", then, 1, Since::Moment { ms: bed.now_ms - 5_000 });
        if !stays {
            let _ = client.leave();
            bed = bed.reopen();
            client = bed.lasting("s");
        }
        bed.publish_numbers("a", 5..6, 2);
        let mut expected: Vec<_> = [0, 1, 2].map(|number| got("a", &number.to_string(), 1, false)).into();
        let asked = (3..6).map(|number| got("a", &number.to_string(), then, false));
        // What is sent at most once is not kept for one that is away.
        expected.extend(asked.skip(if stays || then > 0 { 0 } else { 2 }));
        assert_eq!(client.drain(), expected, "{then} {stays}");
    }
}

#[test]
fn a_message_of_qos_0_that_is_published_during_subscribe_comes_once() {
    let bed = Bed::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                bed.publish("a", &number.to_string(), 0);
                number += 1;
                // So few wait that no inbox is full.
                if number % 64 == 0 {
                    bed.run();
                    std::thread::yield_now();
                }
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..2_000 {
                let mut client = bed.attach("s", true, 0);
                since(&mut client, "a", 0, 1, Since::Moment { ms: i64::MAX });
                let had: Vec<u32> = (0..200)
                    .filter_map(|_| client.next())
                    .map(|one| String::from_utf8(one.message.payload.to_vec()).unwrap().parse().unwrap())
                    .collect();
                let different: BTreeSet<_> = had.iter().collect();
                assert_eq!(different.len(), had.len(), "{had:?}");
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn of_the_past_too_what_is_over_is_not_sent_and_what_is_left_of_its_time_counts_from_its_arrival() {
    // [MQTT-3.3.2-5] [MQTT-3.3.2-6]
    let mut bed = Bed::new();
    for (payload, secs) in [("short", 10), ("long", 60)] {
        let expiry = [Property::MessageExpiryInterval(secs)];
        let publish = Publish::new(TopicName::parse("a").unwrap(), payload.as_bytes())
            .with_delivery(Sending::AtLeastOnce { packet_id: PacketId::MIN, dup: false })
            .with_properties(Properties::new(&expiry));
        let owned = || Bytes::copy_from_slice(payload.as_bytes());
        bed.store.publish(&publish, owned, "publisher", bed.now_ms).unwrap();
    }
    bed.run();
    bed.now_ms += 20_000;
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    let came = client.deliveries();
    assert_eq!(came.iter().map(seen).collect::<Vec<_>>(), [got("a", "long", 1, false)]);
    let mut scratch = Vec::new();
    came[0].message.fill(&[], bed.now_ms, &mut scratch);
    assert!(scratch.contains(&Property::MessageExpiryInterval(40)), "{scratch:?}");
    assert_eq!(bed.store.statistics().expired, 1);
}

#[test]
fn of_the_past_too_who_does_not_want_what_it_published_does_not_get_it() {
    // [MQTT-3.8.3-3]
    let bed = Bed::new();
    bed.publish_from("s", "a", "mine", 1, false).unwrap();
    bed.publish_from("t", "a", "theirs", 1, false).unwrap();
    bed.run();
    let mut client = bed.lasting("s");
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::new(QoS::AtLeastOnce) };
    let filter = TopicFilter::parse("a").unwrap();
    client.attached.subscribe_since(filter, options, None, Since::Earliest).unwrap();
    assert_eq!(client.drain(), [got("a", "theirs", 1, false)]);
}

#[test]
fn the_past_begins_where_retention_has_left_the_log_also_if_that_moves_while_it_is_read() {
    let segments_of_one =
        options().messages(messages().partitions(1).retention_bytes(Some(1))).catch_up_bytes(1);
    let bed = Bed::with(segments_of_one);
    let long = "x".repeat(40_000);
    for _ in 0..3 {
        bed.publish("a", &long, 1);
        bed.run();
    }
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    let partition = bed.store.messages().partition(0).unwrap();
    let left = partition.durable_end() - partition.start_offset();
    assert!(left < 3);
    let mut client = bed.lasting("s");
    since(&mut client, "a", 1, 1, Since::Earliest);
    assert_eq!(client.drain().len(), usize::try_from(left).unwrap());
    assert_eq!(bed.store.statistics().fell_behind, 0, "what was not there was not promised");

    // It asks, does not read, and retention goes on.
    since(&mut client, "a", 1, 1, Since::Earliest);
    for _ in 0..4 {
        bed.publish("a", &long, 1);
        bed.run();
    }
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    let left = partition.durable_end() - partition.start_offset();
    assert_eq!(client.drain().len(), usize::try_from(left).unwrap());
    assert!(bed.store.statistics().fell_behind > 0, "what is gone is told");
}
