//! Sessions that outlive their connection.

use headwater_codec::{PacketId, QoS, SubscribeOptions, SubscriptionId};
use headwater_log::{Ack, AppendError, ReadUpTo, Record, TopicOptions};
use headwater_session::{InFlight, Incoming, Stage, State};
use headwater_store::{Delivery, OpenError, Store};
use headwater_topic::TopicFilter;

use crate::bed::{Bed, Client, got, messages, options};

#[test]
fn what_came_while_away_is_delivered_once_and_then_live() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    assert!(client.resumed.is_none());
    client.subscribe("t/+", 1);
    let _ = client.leave();
    bed.publish("t/1", "away 1", 1);
    bed.publish("t/2", "away 2", 2);
    bed.publish("other", "not for it", 1);
    bed.publish("t/3", "QoS 0 is not kept", 0);
    bed.run();

    let mut client = bed.lasting("c");
    assert!(client.resumed.is_some());
    bed.publish("t/4", "just now", 1);
    bed.run();
    let expected =
        [got("t/1", "away 1", 1, false), got("t/2", "away 2", 1, false), got("t/4", "just now", 1, false)];
    assert_eq!(client.drain_sorted(), expected);
    bed.publish("t/1", "live", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t/1", "live", 1, false)]);
    assert_eq!(client.drain(), []);
}

#[test]
fn a_stop_in_between_changes_nothing() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 2);
    let _ = client.leave();
    bed.publish("t", "1", 2);
    let bed = bed.reopen();
    bed.publish("t", "2", 2);
    bed.run();
    let mut client = bed.lasting("c");
    assert_eq!(client.drain(), [got("t", "1", 2, false), got("t", "2", 2, false)]);
    let _ = client.leave();
    let bed = bed.reopen();
    assert_eq!(bed.lasting("c").drain(), []);
}

#[test]
fn a_subscription_with_qos_0_gets_nothing_of_what_it_missed() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 0);
    let _ = client.leave();
    bed.publish("t", "missed", 1);
    bed.run();
    let mut client = bed.lasting("c");
    bed.publish("t", "live", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "live", 0, false)]);
}

/// A session that missed three messages under the first QoS, and then subscribes with the second.
fn replaced(missed_under: u8, then: u8) -> (Bed, Client) {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", missed_under);
    let _ = client.leave();
    bed.publish_numbers("t", 0..3, 2);
    let mut client = bed.lasting("c");
    client.subscribe("t", then);
    (bed, client)
}

#[test]
fn who_replaces_a_subscription_by_one_of_qos_0_still_gets_what_was_not_read() {
    let (bed, mut client) = replaced(1, 0);
    bed.publish("t", "live", 1);
    bed.run();
    let missed = ["0", "1", "2"].map(|payload| got("t", payload, 1, false));
    assert_eq!(client.drain(), [&missed[..], &[got("t", "live", 0, false)]].concat());
}

#[test]
fn who_replaces_a_subscription_of_qos_0_does_not_get_what_was_sent_at_most_once() {
    let (bed, mut client) = replaced(0, 2);
    bed.publish("t", "live", 1);
    bed.run();
    assert_eq!(client.drain(), [got("t", "live", 1, false)]);
}

#[test]
fn what_held_before_a_subscription_was_replaced_outlives_connection_and_stop() {
    let (bed, client) = replaced(2, 0);
    let _ = client.leave();
    let bed = bed.reopen();
    bed.publish("t", "missed under the new one", 2);
    bed.run();
    let mut client = bed.lasting("c");
    assert_eq!(client.drain(), ["0", "1", "2"].map(|payload| got("t", payload, 2, false)));
}

#[test]
fn a_subscription_that_is_replaced_again_and_again_stays_small_and_loses_nothing() {
    let (bed, mut client) = replaced(1, 0);
    let mut sizes = Vec::new();
    for round in 0..200 {
        bed.publish("t", &format!("round {round}"), 1);
        client.subscribe("t", round % 2);
        let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
        sizes.push(session_bytes(&bed, placement.session.unwrap()));
    }
    bed.run();
    let received = client.drain();
    let kept = received.iter().filter(|got| got.2 > 0).count();
    assert!(kept >= 103, "{kept} of those that were published under QoS 1");
    assert!(sizes[199] == sizes[100], "{sizes:?}");
    client.subscribe("t", 1);
    let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    assert!(
        session_bytes(&bed, placement.session.unwrap()) < sizes[0] + 100,
        "what was read needs no history"
    );
}

/// The size of a session in the log.
fn session_bytes(bed: &Bed, offset: u64) -> usize {
    let log = bed.log.topic("__headwater_sessions").unwrap();
    let partition = log.partitions().next().unwrap();
    let fetched = partition.read_up_to(ReadUpTo::Appended, offset, 1).unwrap();
    let record = fetched.views().next().unwrap().unwrap();
    assert_eq!(record.offset, offset);
    record.value.unwrap().len()
}

#[test]
fn what_waits_in_the_inbox_is_not_lost_when_the_client_goes() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    bed.publish_numbers("t", 0..5, 1);
    assert_eq!(client.next().unwrap().message.payload, "0");
    let _ = client.leave();
    let payloads: Vec<String> = bed.lasting("c").drain().into_iter().map(|got| got.1).collect();
    assert_eq!(payloads, ["1", "2", "3", "4"]);
}

#[test]
fn exchanges_under_way_come_back_with_their_messages() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    let id = SubscriptionId::new(9);
    client.attached.subscribe(TopicFilter::parse("t").unwrap(), SubscribeOptions::new(QoS::ExactlyOnce), id);
    bed.retain("t", "a", 1);
    bed.publish("t", "b", 2);
    bed.publish("t", "c", 2);
    bed.run();
    let deliveries = client.deliveries();
    let stages = [(Stage::PubAck, true), (Stage::PubComp, true), (Stage::PubRec, false)];
    let outgoing: Vec<InFlight<Delivery>> = deliveries
        .into_iter()
        .zip(stages)
        .zip(5..)
        .map(|((message, (stage, sent)), number)| InFlight {
            packet_id: PacketId::new(number).unwrap(),
            stage,
            sent,
            message,
        })
        .collect();
    let incoming = vec![Incoming { packet_id: PacketId::new(77).unwrap(), receipt: None }];
    let state = State::new(outgoing, incoming);
    let _ = client.attached.detach(&state, 3_600, bed.now_ms).unwrap();

    let bed = bed.reopen();
    let resumed = bed.lasting("c").resumed.unwrap();
    assert_eq!(resumed.incoming, state.incoming);
    assert_eq!(resumed.outgoing.len(), 3);
    for (now, before) in resumed.outgoing.iter().zip(&state.outgoing) {
        assert_eq!((now.packet_id, now.stage, now.sent), (before.packet_id, before.stage, before.sent));
        assert_eq!(now.message.message, before.message.message);
        assert_eq!((now.message.qos, now.message.retain), (before.message.qos, before.message.retain));
        assert_eq!(now.message.subscription_ids, before.message.subscription_ids);
    }
}

#[test]
fn identifiers_that_are_held_survive_a_crash() {
    let incoming = || vec![Incoming { packet_id: PacketId::new(5).unwrap(), receipt: None }];
    let bed = Bed::new();
    let client = bed.lasting("c");
    let _ = client.attached.save(&State::new(Vec::new(), incoming()), client.expiry_secs).unwrap();
    bed.run();
    drop(client);
    let bed = bed.crash(1);
    let client = bed.lasting("c");
    assert_eq!(
        client.resumed.unwrap().incoming,
        incoming(),
        "without a save nobody has learned that one is free"
    );

    let _ =
        client.attached.detach(&State::new(Vec::new(), incoming()), client.expiry_secs, bed.now_ms).unwrap();
    bed.run();
    let bed = bed.crash(2);
    assert_eq!(
        bed.lasting("c").resumed.unwrap().incoming,
        incoming(),
        "nothing can have happened since it left"
    );
}

#[test]
fn a_clean_start_forgets_and_an_expiry_of_zero_keeps_nothing() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    let _ = client.leave();
    let client = bed.attach("c", true, 0);
    assert!(client.resumed.is_none());
    assert!(client.placement.session.is_some(), "that it is forgotten must be durable");
    let _ = client.leave();
    assert_eq!(bed.store.statistics().sessions, 0);
    let bed = bed.reopen();
    assert_eq!(bed.store.statistics().sessions, 0);
    assert!(bed.lasting("c").resumed.is_none());
}

#[test]
fn a_session_ends_when_its_time_is_over_also_across_a_stop() {
    let mut bed = Bed::new();
    for (client_id, secs) in [("short", 10), ("long", 100), ("for ever", u32::MAX)] {
        let mut client = bed.attach(client_id, false, secs);
        client.subscribe("t", 1);
        let _ = client.leave();
    }
    let stays = bed.attach("connected", false, 1);
    bed.now_ms += 10_000;
    assert_eq!(bed.store.expire_sessions(bed.now_ms).unwrap(), 1);
    drop(stays);
    bed.run();
    let mut bed = bed.reopen();
    assert_eq!(bed.store.statistics().sessions, 3);
    bed.now_ms += 90_000;
    assert!(bed.attach("long", false, 5).resumed.is_none(), "also if nobody has looked");
    assert!(bed.attach("for ever", false, 5).resumed.is_some());
}

#[test]
fn a_connection_that_breaks_without_a_word_falls_back_to_what_was_saved() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    bed.publish("t", "1", 1);
    bed.run();
    assert_eq!(client.drain().len(), 1);
    drop(client);
    assert_eq!(bed.lasting("c").drain(), [got("t", "1", 1, false)]);
}

#[test]
fn saving_what_did_not_change_writes_nothing() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    let first = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    assert!(first.session.is_some());
    let second = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    assert_eq!(second, first, "it may have to be waited for");
    bed.run();
    assert!(client.attached.save(&State::default(), client.expiry_secs).unwrap().is_empty());
}

#[test]
fn one_that_fell_behind_retention_is_counted_and_goes_on_with_what_there_is() {
    let bed = Bed::with(options().messages(messages().retention_bytes(Some(1))));
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    let _ = client.leave();
    for number in 0..2_000 {
        bed.publish("t", &format!("{number:060}"), 1);
    }
    bed.run();
    let deleted = bed.log.maintain(bed.now_ms).unwrap();
    assert!(deleted.segments_deleted > 0);
    let mut client = bed.lasting("c");
    let received = client.drain();
    let lost = bed.store.statistics().fell_behind;
    assert!(lost > 0);
    assert_eq!(received.len() as u64 + lost, 2_000);
    assert_eq!(received.last().unwrap().1, format!("{:060}", 1_999));
}

#[test]
fn many_sessions_follow_many_topics() {
    let bed = Bed::with(options().inbox_max(7));
    for number in 0..20 {
        let mut client = bed.lasting(&format!("c{number}"));
        client.subscribe(&format!("t/{number}"), 1).subscribe("all", 2);
        if number % 2 == 0 {
            let _ = client.leave();
        } else {
            drop(client);
        }
    }
    for number in 0..400 {
        bed.publish(&format!("t/{}", number % 20), &number.to_string(), 1);
    }
    bed.publish("all", "all", 2);
    bed.run();
    for number in (0..20).step_by(2) {
        let received = bed.lasting(&format!("c{number}")).drain();
        assert_eq!(received.len(), 21, "c{number}");
    }
    // The others never saved their subscriptions.
    assert_eq!(bed.lasting("c1").drain(), []);
}

#[test]
fn a_session_of_a_later_version_or_another_log_is_refused_not_dropped() {
    let refusal = |value: &[u8]| {
        let bed = Bed::new();
        let log = bed.log.topic("__headwater_sessions").unwrap();
        log.append(&Record::new(value).key("c"), Ack::Durable).unwrap();
        Store::open(&bed.log, options(), 0).unwrap_err()
    };
    assert!(matches!(refusal(&[4]), OpenError::Session { offset: 0, .. }));
    // A session that knows one partition, in a log with four.
    let mut one = vec![2];
    one.extend([0, 0, 0, 9]);
    one.extend((-1_i64).to_be_bytes());
    one.extend([0; 8]);
    one.extend([0, 0, 0, 1]);
    one.extend([0; 8]);
    one.extend([0; 16]);
    assert!(matches!(refusal(&one), OpenError::Partitions { offset: 0, found: 1, partitions: 4 }));
}

/// A session with so many subscriptions, each with a filter of a thousand bytes.
fn with_long_filters(bed: &Bed, count: usize) -> Client {
    let mut client = bed.lasting("c");
    for number in 0..count {
        client.subscribe(&format!("{}/{number}", "x".repeat(1_000)), 1);
    }
    client
}

#[test]
fn a_session_may_be_larger_than_a_message_may() {
    let limited = options().state(TopicOptions::default().segment_bytes(8 << 20).batch_bytes_max(1_000));
    let bed = Bed::with(limited);
    let client = with_long_filters(&bed, 2_000);
    let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    assert!(session_bytes(&bed, placement.session.unwrap()) > 2_000_000);
    let _ = client.leave();
    assert_eq!(bed.reopen().lasting("c").attached.subscriptions(), 2_000);
}

#[test]
fn a_session_that_is_too_large_is_not_saved_and_goes_on_when_it_is_small_again() {
    let bed = Bed::new();
    let mut client = with_long_filters(&bed, 70);
    let refused = client.attached.save(&State::default(), client.expiry_secs);
    assert!(matches!(refused, Err(AppendError::BatchTooLarge { .. })), "{refused:?}");
    for number in 60..70 {
        let filter = format!("{}/{number}", "x".repeat(1_000));
        assert!(client.attached.unsubscribe(TopicFilter::parse(&filter).unwrap()));
    }
    let _ = client.leave();
    assert_eq!(bed.reopen().lasting("c").attached.subscriptions(), 60);
}

#[test]
fn the_size_of_a_session_is_that_of_its_subscriptions_and_of_its_partitions_not_of_both_multiplied() {
    let bed = Bed::with(options().messages(messages().partitions(64)));
    for number in 0..500 {
        bed.publish(&format!("t/{number}"), "x", 1);
    }
    bed.run();
    let mut client = bed.lasting("c");
    for number in 0..500 {
        client.subscribe(&format!("t/{number}"), 1);
    }
    let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    let bytes = session_bytes(&bed, placement.session.unwrap());
    assert!(bytes < 500 * 32 + 64 * 8 + 100, "{bytes}");
}

#[test]
fn a_session_whose_end_was_not_kept_has_ended_all_the_same() {
    let limited = options().state(TopicOptions::default().segment_bytes(8 << 20).batch_bytes_max(1_000));
    let mut bed = Bed::with(limited);
    let mut client = bed.lasting("c");
    client.subscribe("t", 2);
    // A message of QoS 2 waits for PUBREL, and the session is saved.
    let waiting = Incoming { packet_id: PacketId::MIN, receipt: None };
    let under_way = State::new(Vec::new(), vec![waiting]);
    let _ = client.attached.save(&under_way, client.expiry_secs).unwrap();
    // It was released, which the client was not told: that, and the end of the session, is too large to be kept.
    let long = "x".repeat(60_000);
    for number in 0..150 {
        client.subscribe(&format!("{number}/{long}"), 1);
    }
    let (expiry_secs, now_ms) = (client.expiry_secs, client.now_ms);
    assert!(client.attached.detach(&State::default(), expiry_secs, now_ms).is_err());
    let mut client = bed.lasting("c");
    let resumed = client.resumed.take().expect("the session goes on");
    assert_eq!(resumed.incoming, [waiting], "PUBREL comes again");
    for number in 0..150 {
        client.subscribe(&format!("{number}/{long}"), 1);
    }
    assert!(client.attached.detach(&State::default(), expiry_secs, now_ms).is_err());
    bed.now_ms = now_ms + 8 * 24 * 3_600 * 1_000;
    assert_eq!(bed.store.expire_sessions(bed.now_ms).unwrap(), 1, "it does not stay for ever");
}
