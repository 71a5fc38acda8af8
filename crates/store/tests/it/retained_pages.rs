//! Many retained messages for one subscriber: in pages, between which everybody else goes on.

use std::collections::BTreeSet;

use headwater_codec::QoS;
use headwater_store::Next;

use crate::bed::{Bed, Client, got, messages, options};

/// How many retained messages are read at a time.
const PAGE: usize = 64;

/// A store with room for a hundred thousand, and this many in it.
fn retained(count: usize) -> Bed {
    let large = messages().segment_bytes(1 << 20).allocate_ahead_bytes_max(1 << 18);
    let bed = Bed::with(options().messages(large).state(large).retained_max(200_000));
    for number in 0..count {
        bed.retain(&topic(number), "x", 1);
    }
    bed.run();
    bed
}

fn topic(number: usize) -> String {
    format!("site/{}/line/{}/sensor/{}", number % 50, number / 50 % 50, number / 2_500)
}

#[test]
fn a_hundred_thousand_come_to_one_subscriber_a_page_at_a_time_and_others_go_on_between_pages() {
    let bed = retained(100_000);
    assert_eq!(bed.store.statistics().retained, 100_000);
    let mut other = bed.attach("other", true, 0);
    other.subscribe("other/+", 1);
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 1);
    assert_eq!(client.attached.waiting(), 0, "nothing is read before it is asked for");

    let (mut topics, mut live) = (Vec::new(), 0);
    let mut sent = 0;
    while let Some(delivery) = client.next() {
        if !delivery.retain {
            live += 1;
            continue;
        }
        topics.push(delivery.message.topic.clone());
        // One live message at most waits beside the page.
        assert!(client.attached.waiting() <= PAGE, "{} wait", client.attached.waiting());
        if topics.len() % (100 * PAGE) == 1 {
            // Somebody publishes, retains and forgets; nobody waits for the hundred thousand.
            let payload = topics.len().to_string();
            bed.retain("other/1", &payload, 1);
            bed.run();
            assert_eq!(other.drain(), [got("other/1", &payload, 1, false)]);
            bed.retain("other/1", "", 1);
            bed.run();
            assert_eq!(other.drain(), [got("other/1", "", 1, false)]);
            sent += 2;
            assert!(client.attached.waiting() <= PAGE + 2);
        }
    }
    assert_eq!(topics.len(), 100_000);
    assert_eq!(topics.iter().collect::<BTreeSet<_>>().len(), 100_000, "each once");
    assert!(sent > 30 && live == sent, "{live} of {sent} live messages came between the others");
    assert_eq!(client.attached.waiting(), 0);
}

/// What one call gave.
fn step(client: &mut Client) -> Option<usize> {
    match client.attached.next(client.now_ms).unwrap() {
        Next::Delivery(delivery) => {
            assert_eq!(delivery.qos, QoS::AtLeastOnce);
            Some(1)
        }
        Next::Again => Some(0),
        Next::Idle => None,
    }
}

#[test]
fn a_filter_whose_matches_are_rare_lets_others_go_on_before_it_finds_one() {
    let bed = retained(20_000);
    bed.retain("zone/1/line/1/sensor/x", "y", 1);
    bed.run();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("+/+/+/+/+/x", 1);
    let (mut calls, mut found) = (0, 0);
    while let Some(one) = step(&mut client) {
        calls += 1;
        found += one;
        assert!(client.attached.waiting() <= PAGE);
        // The lock of the retained messages is free.
        bed.retain("busy/topic", "z", 1);
    }
    assert_eq!(found, 1);
    assert!(calls >= 3, "all was searched in {calls} calls");
}

#[test]
fn what_is_owed_after_pages_without_a_match_is_owed_over_a_reconnection() {
    let bed = retained(20_000);
    bed.retain("zone/1/line/1/sensor/x", "y", 1);
    bed.run();
    let mut client = bed.lasting("c");
    client.subscribe("+/+/+/+/+/x", 1);
    assert_eq!(step(&mut client), Some(0), "nothing on the first page");
    let _ = client.leave();
    let bed = bed.reopen();
    assert_eq!(bed.lasting("c").drain(), [got("zone/1/line/1/sensor/x", "y", 1, true)]);
}
