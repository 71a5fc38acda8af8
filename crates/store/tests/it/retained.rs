//! Retained messages.

use headwater_codec::{PacketId, QoS, RetainHandling, SubscribeOptions};
use headwater_session::{InFlight, Stage, State};
use headwater_store::Store;

use crate::bed::{Bed, Client, got, seen};

#[test]
fn the_last_one_of_a_topic_is_sent_to_who_subscribes() {
    let bed = Bed::new();
    bed.retain("a/1", "old", 1);
    bed.retain("a/1", "new", 2);
    bed.retain("a/2", "other", 0);
    bed.retain("b", "elsewhere", 1);
    bed.publish("a/3", "not retained", 1);
    let mut client = bed.attach("c", true, 0);
    client.subscribe("a/+", 1);
    assert_eq!(client.drain(), [got("a/1", "new", 1, true), got("a/2", "other", 0, true)]);
}

#[test]
fn an_empty_payload_forgets() {
    let bed = Bed::new();
    bed.retain("t", "x", 1);
    let forgotten = bed.retain("t", "", 1);
    assert!(forgotten.retained.is_some());
    let nothing = bed.retain("t", "", 1);
    assert_eq!(nothing.retained, None, "there is nothing to forget");
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    assert_eq!(client.drain(), []);
    assert_eq!(bed.reopen().store.statistics().retained, 0);
}

#[test]
fn survives_a_stop_and_a_crash() {
    let bed = Bed::new();
    bed.retain("t/1", "one", 1);
    bed.retain("t/2", "two", 2);
    bed.run();
    bed.retain("t/1", "not durable", 1);
    let bed = bed.crash(3).reopen();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t/#", 2);
    let all = client.drain();
    assert_eq!(all[1], got("t/2", "two", 2, true));
    assert!(all[0] == got("t/1", "one", 1, true) || all[0] == got("t/1", "not durable", 1, true), "{all:?}");
    assert_eq!(all.len(), 2);
}

#[test]
fn a_retained_message_whose_record_is_gone_does_not_wait_for_the_offset_to_come_again() {
    // The retained record is durable, the one of all messages is not: two files, two syncs.
    for seed in 0..20 {
        let bed = Bed::new();
        let placement = bed.retain("t", "x", 1);
        let lanes = bed.store.lanes();
        let retained = lanes.iter().find(|lane| lane.name() == "retained").unwrap();
        retained.run(std::time::Duration::ZERO).unwrap();
        assert!(!bed.store.is_durable(&placement));
        drop(lanes);
        let bed = bed.crash(seed);
        let mut client = bed.attach("c", true, 0);
        client.subscribe("t", 1);
        assert_eq!(client.drain(), [got("t", "x", 1, true)], "seed {seed}");
    }
}

#[test]
fn the_options_of_the_subscription_decide_when() {
    let bed = Bed::new();
    bed.retain("t", "x", 1);
    let mut client = bed.attach("c", true, 0);
    let with =
        |retain_handling| SubscribeOptions { retain_handling, ..SubscribeOptions::new(QoS::AtLeastOnce) };
    client.subscribe_with("t", with(RetainHandling::DoNotSend));
    assert_eq!(client.drain(), []);
    client.subscribe_with("t", with(RetainHandling::SendIfNew));
    assert_eq!(client.drain(), [], "it is not new");
    client.subscribe_with("t", with(RetainHandling::Send));
    assert_eq!(client.drain(), [got("t", "x", 1, true)]);
    client.subscribe_with("+", with(RetainHandling::SendIfNew));
    assert_eq!(client.drain(), [got("t", "x", 1, true)]);
}

#[test]
fn a_message_that_comes_with_the_subscription_comes_once() {
    let bed = Bed::new();
    bed.retain("t", "before", 1);
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    // Live for the subscription, and in the tree before its retained messages are read.
    bed.retain("t", "after", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "after", 1, false)]);
}

#[test]
fn who_subscribes_again_gets_it_again_although_it_came_live_before() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t", 1);
    bed.retain("t", "x", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "x", 1, false)]);
    client.subscribe("t", 1);
    assert_eq!(client.drain(), [got("t", "x", 1, true)]);
}

#[test]
fn no_local_holds_for_retained_messages_too() {
    let bed = Bed::new();
    bed.publish_from("own", "t", "x", 1, true).unwrap();
    let mut own = bed.attach("own", true, 0);
    own.subscribe_with("t", SubscribeOptions { no_local: true, ..SubscribeOptions::new(QoS::AtLeastOnce) });
    assert_eq!(own.drain(), []);
}

#[test]
fn many_come_page_by_page_and_changes_in_between_do_not_confuse() {
    let bed = Bed::new();
    for number in 0..1_000 {
        bed.retain(&format!("t/{number:04}"), "x", 1);
    }
    let mut client = bed.attach("c", true, 0);
    client.subscribe("t/+", 1);
    let mut topics: Vec<String> =
        (0..100).map(|_| client.next().unwrap().message.topic.as_str().to_owned()).collect();
    for number in 0..500 {
        bed.retain(&format!("t/{number:04}"), "", 1);
    }
    topics.extend(client.drain().into_iter().map(|got| got.0));
    let mut expected: Vec<String> = (0..1_000).map(|number| format!("t/{number:04}")).collect();
    // What was forgotten before its page came: everything between the pages that were taken and the middle.
    expected.retain(|topic| topics.contains(topic) || topic.as_str() >= "t/0500");
    assert_eq!(topics, expected);
    assert!((600..700).contains(&topics.len()), "{}", topics.len());
}

/// A client that subscribed to so many retained messages and took some of them.
fn interrupted(retained: usize, taken: usize) -> (Bed, Client) {
    let bed = Bed::new();
    for number in 0..retained {
        bed.retain(&format!("t/{number:04}"), "x", 1);
    }
    bed.run();
    let mut client = bed.lasting("c");
    client.subscribe("t/+", 1);
    for number in 0..taken {
        assert_eq!(client.next().unwrap().message.topic.as_str(), format!("t/{number:04}"));
    }
    (bed, client)
}

fn all_from(first: usize, end: usize) -> Vec<crate::bed::Got> {
    (first..end).map(|number| got(&format!("t/{number:04}"), "x", 1, true)).collect()
}

#[test]
fn what_is_owed_to_a_new_subscription_is_owed_over_reconnections_and_stops() {
    for taken in [0, 1, 63, 64, 65, 150, 200] {
        let (bed, client) = interrupted(200, taken);
        let _ = client.leave();
        let mut client = bed.lasting("c");
        if taken < 200 {
            assert_eq!(seen_topic(&mut client), format!("t/{taken:04}"));
            let _ = client.leave();
            let bed = bed.reopen();
            assert_eq!(bed.lasting("c").drain(), all_from(taken + 1, 200), "after {taken}");
        } else {
            assert_eq!(client.drain(), []);
        }
    }
}

fn seen_topic(client: &mut Client) -> String {
    client.next().unwrap().message.topic.as_str().to_owned()
}

#[test]
fn what_is_owed_to_a_new_subscription_survives_a_crash() {
    let (bed, mut client) = interrupted(100, 10);
    let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    bed.run();
    client.next().unwrap();
    drop(client);
    let bed = bed.crash(1);
    assert_eq!(bed.lasting("c").drain(), all_from(10, 100), "from what was saved last");
}

#[test]
fn a_subscription_that_is_replaced_without_new_retained_messages_is_still_owed_the_old_ones() {
    let (_bed, mut client) = interrupted(100, 10);
    let options = SubscribeOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..SubscribeOptions::new(QoS::AtLeastOnce)
    };
    client.subscribe_with("t/+", options);
    assert_eq!(client.drain(), all_from(10, 100));
}

#[test]
fn what_is_owed_is_the_message_that_is_retained_by_then() {
    let (bed, client) = interrupted(3, 1);
    let _ = client.leave();
    // Of QoS 1: it is in the log, for the session. Of QoS 0: it is not kept for who is away, but it is the retained message.
    bed.retain("t/0001", "new", 1);
    bed.retain("t/0002", "new", 0);
    bed.run();
    let expected = [got("t/0001", "new", 1, false), got("t/0002", "new", 0, true)];
    assert_eq!(bed.lasting("c").drain_sorted(), expected);
}

#[test]
fn who_unsubscribes_is_owed_nothing() {
    let (bed, mut client) = interrupted(100, 10);
    assert!(client.attached.unsubscribe(headwater_topic::TopicFilter::parse("t/+").unwrap()));
    assert_eq!(client.drain(), []);
    let _ = client.leave();
    assert_eq!(bed.lasting("c").drain(), []);
}

#[test]
fn one_that_is_replaced_while_it_waits_does_not_come_behind_the_new_one() {
    let bed = Bed::new();
    for number in 0..20 {
        bed.retain(&format!("r/{number:02}"), "old", 1);
    }
    bed.run();
    let mut client = bed.lasting("c");
    client.subscribe("r/#", 1);
    // All are looked up when the first is taken.
    let first = client.next().expect("there are twenty");
    bed.retain("r/15", "new", 1);
    bed.retain("r/16", "", 1);
    bed.run();
    let mut all = vec![seen(&first)];
    all.extend(client.drain());
    let of = |topic: &str| all.iter().filter(|got| got.0 == topic).cloned().collect::<Vec<_>>();
    assert_eq!(of("r/15"), [got("r/15", "new", 1, false)]);
    assert_eq!(of("r/16"), [got("r/16", "", 1, false)]);
    assert_eq!(of("r/14"), [got("r/14", "old", 1, true)]);
    assert_eq!(all.len(), 20);
}

// [MQTT-4.4.0-1]
#[test]
fn one_under_way_is_sent_again_although_it_was_replaced_and_compacted() {
    for (last, stop) in [("new", false), ("new", true), ("", true)] {
        let bed = Bed::new();
        bed.retain("t", "old", 1);
        bed.run();
        let mut client = bed.lasting("c");
        client.subscribe("t", 1);
        let message = client.next().unwrap();
        assert_eq!(seen(&message), got("t", "old", 1, true));
        let under_way = InFlight { packet_id: PacketId::MIN, stage: Stage::PubAck, sent: true, message };
        let state = State::new(vec![under_way], Vec::new());
        let _ = client.attached.detach(&state, client.expiry_secs, client.now_ms).unwrap();

        bed.retain("t", last, 1);
        // Enough for it to be in a segment that is not the last one.
        let large = "x".repeat(30_000);
        for _ in 0..4 {
            bed.retain("other", &large, 1);
        }
        bed.run();
        let retained = bed.log.topic("__headwater_retained").unwrap().partition(0).unwrap();
        let report = retained.compact(bed.now_ms, &mut |_| {}).unwrap();
        assert!(report.records_superseded > 0, "{report:?}");
        drop(retained);

        let bed = if stop { bed.reopen() } else { bed };
        let client = bed.lasting("c");
        let resumed = client.resumed.unwrap();
        let again: Vec<_> = resumed.outgoing.iter().map(|one| (one.packet_id, seen(&one.message))).collect();
        assert_eq!(again, [(PacketId::MIN, got("t", "old", 1, true))], "{last:?} {stop}");
        assert_eq!(bed.store.statistics().fell_behind, 0);
    }
}

#[test]
fn what_was_appended_and_is_not_durable_is_read_back_by_another_store_on_the_same_log() {
    let Bed { log, store, options, now_ms, disk: _disk } = {
        let bed = Bed::new();
        bed.retain("t", "old", 1);
        bed.run();
        bed.retain("t", "new", 1);
        let _ = bed.lasting("c").leave();
        bed
    };
    drop(store);
    let store = Store::open(&log, options.clone(), now_ms).unwrap();
    assert_eq!(store.statistics().sessions, 1);
    let bed = Bed { log, store, options, now_ms, disk: _disk };
    let mut client = bed.attach("d", true, 0);
    client.subscribe("t", 1);
    assert_eq!(client.drain(), [got("t", "new", 1, true)]);
}
