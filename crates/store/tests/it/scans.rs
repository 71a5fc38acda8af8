//! Who is behind skips what cannot be for him, and shares what is read with others who are: it changes how much is read, not what comes.

use std::collections::BTreeMap;
use std::ops::Range;

use headwater_codec::{QoS, SubscribeOptions};
use headwater_log::{Ack, Header, Record};
use headwater_store::{Next, Since, Statistics};
use headwater_topic::TopicFilter;
use proptest::prelude::*;

use crate::bed::{Bed, Got, got, messages, options, seen};

const TOPICS: [&str; 12] = [
    "a",
    "b",
    "a/b",
    "a/b/c",
    "/",
    "/a",
    "a/",
    "a//b",
    "$SYS/a",
    "$x",
    "b/c/d/e/f/g/h/i/j",
    "b/c/d/e/f/g/h/i/k",
];
const FILTERS: [&str; 20] = [
    "#",
    "+",
    "a",
    "a/#",
    "a/b",
    "+/b",
    "a/+",
    "+/+/c",
    "a/+/c",
    "/#",
    "/+",
    "+/",
    "a//b",
    "a//#",
    "$SYS/#",
    "$SYS/+",
    "nobody/#",
    "+/c/#",
    "b/c/d/e/f/g/h/i/j",
    "+/+/+/+/+/+/+/+/k",
];
const SESSIONS: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Step {
    Publish(&'static str, u8, u8),
    /// A record that is no message: nobody can subscribe to its key.
    Alien(u32, u8),
    Dispatch,
    /// A session comes, takes so many, and goes. What it does not take waits.
    Come(usize, usize),
    /// One that asks for the past takes all of it.
    Past(&'static str),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let publish = (proptest::sample::select(&TOPICS[..]), 0..3_u8, 1..6_u8);
    prop_oneof![
        12 => publish.prop_map(|(topic, qos, count)| Step::Publish(topic, qos, count)),
        2 => (0..4_u32, 0..4_u8).prop_map(|(partition, key)| Step::Alien(partition, key)),
        4 => Just(Step::Dispatch),
        4 => (0..SESSIONS.len(), 0..9_usize).prop_map(|(session, count)| Step::Come(session, count)),
        1 => proptest::sample::select(&FILTERS[..]).prop_map(Step::Past),
        1 => Just(Step::Reopen),
    ]
}

/// What of the store matters here.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    catch_up_bytes: usize,
    inbox_max: usize,
    summaries_bytes_max: usize,
}

/// What comes to whom; partitions have no order among each other, so topic by topic.
fn walk(
    steps: &[Step],
    filters: &[&str],
    shared: &str,
    sizes: Sizes,
) -> (BTreeMap<&'static str, Vec<Got>>, u64) {
    let mut bed = Bed::with(
        options()
            .catch_up_bytes(sizes.catch_up_bytes)
            .inbox_max(sizes.inbox_max)
            .summaries_bytes_max(sizes.summaries_bytes_max),
    );
    for (place, filter) in filters.iter().enumerate() {
        let mut client = bed.lasting(SESSIONS[place % SESSIONS.len()]);
        client.subscribe(filter, 2);
        client.leave();
    }
    let mut member = bed.lasting("member");
    member.subscribe(&format!("$share/g/{shared}"), 2);
    member.leave();
    let (mut came, mut number, mut skipped) = (BTreeMap::<_, Vec<Got>>::new(), 0, 0);
    for step in steps {
        match step {
            Step::Publish(topic, qos, count) => {
                for _ in 0..*count {
                    bed.publish(topic, &number.to_string(), *qos);
                    number += 1;
                }
            }
            Step::Alien(partition, key) => {
                let keys: [Option<&[u8]>; 4] = [None, Some(b"a/+"), Some(b"\xff"), Some(b"a\0")];
                let record = Record { key: keys[usize::from(*key)], ..Record::new("alien") };
                bed.store.messages().partition(*partition).unwrap().append(&record, Ack::Appended).unwrap();
            }
            Step::Dispatch => bed.run(),
            Step::Come(session, count) => {
                let mut client = bed.lasting(SESSIONS[*session]);
                let taken = std::iter::from_fn(|| client.next()).take(*count);
                came.entry(SESSIONS[*session]).or_default().extend(taken.map(|delivery| seen(&delivery)));
                client.leave();
            }
            Step::Past(filter) => {
                let mut client = bed.attach("historian", true, 0);
                let options = SubscribeOptions::new(QoS::ExactlyOnce);
                let filter = TopicFilter::parse(filter).unwrap();
                client.attached.subscribe_since(filter, options, None, Since::Earliest).unwrap();
                came.entry("historian").or_default().extend(by_topic(client.drain()));
            }
            Step::Reopen => {
                skipped += bed.store.statistics().skipped;
                bed = bed.reopen();
            }
        }
    }
    bed.run();
    for name in SESSIONS {
        let got = came.entry(name).or_default();
        got.extend(bed.lasting(name).drain());
        *got = by_topic(std::mem::take(got));
    }
    let mut member = bed.lasting("member");
    let mut shared = Vec::new();
    while let Some(delivery) = member.next() {
        shared.push(seen(&delivery));
        member.attached.finish(&delivery).unwrap();
    }
    came.insert("member", by_topic(shared));
    (came, skipped + bed.store.statistics().skipped)
}

fn by_topic(mut got: Vec<Got>) -> Vec<Got> {
    got.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    got
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn who_skips_finds_what_who_reads_all_does(
        steps in proptest::collection::vec(step(), 1..60),
        filters in proptest::collection::vec(proptest::sample::select(&FILTERS[..]), 3..6),
        shared in proptest::sample::select(&FILTERS[..]),
        catch_up_bytes in 1..1_500_usize,
        inbox_max in 1..12_usize,
        little_room in any::<bool>(),
    ) {
        let sizes = Sizes { catch_up_bytes, inbox_max, summaries_bytes_max: 0 };
        let (read, skipped) = walk(&steps, &filters, shared, sizes);
        prop_assert_eq!(skipped, 0);
        let summaries_bytes_max = if little_room { 1_200 } else { 1 << 20 };
        let (found, _) = walk(&steps, &filters, shared, Sizes { summaries_bytes_max, ..sizes });
        prop_assert_eq!(found, read);
    }
}

#[test]
fn a_record_under_the_key_of_another_topic_is_found_by_the_topic_that_its_header_names() {
    let bed = Bed::new();
    for filter in ["a", "b"] {
        let mut client = bed.lasting(filter);
        client.subscribe(filter, 1);
        client.leave();
    }
    bed.publish("a", "of a", 1);
    // As a routing rule writes it: beside the first one, whose key is its topic.
    let headers = [Header::new("mqtt.topic", "b"), Header::new("mqtt.qos", "1")];
    let record = Record::new("of b").key("a").headers(&headers);
    let partition = bed.store.messages().partition_for_key(b"a");
    bed.store.messages().partition(partition).unwrap().append(&record, Ack::Appended).unwrap();
    bed.run();
    let bed = bed.reopen();
    // The second time by what the first has learnt.
    for _ in 0..2 {
        assert_eq!(bed.lasting("a").drain(), [got("a", "of a", 1, false)]);
        assert_eq!(bed.lasting("b").drain(), [got("b", "of b", 1, false)]);
    }
}

pub(crate) fn foreign(bed: &Bed, numbers: Range<u32>) {
    for number in numbers {
        bed.publish(&format!("dev/{}/temp", number % 50), "21.5", 1);
        if number % 100 == 0 {
            bed.run();
        }
    }
    bed.run();
}

/// Sessions with these filters that have missed `foreign` messages and ten of `mine/alarm`.
pub(crate) fn missed(bed: &Bed, filters: &[(&str, &str)]) {
    for (client_id, filter) in filters {
        let mut client = bed.lasting(client_id);
        client.subscribe(filter, 1);
        client.leave();
    }
    for number in 0..10 {
        foreign(bed, number * 1_000..(number + 1) * 1_000);
        bed.publish("mine/alarm", &number.to_string(), 1);
    }
    bed.run();
}

pub(crate) fn statistics(bed: &Bed) -> (u64, u64) {
    let Statistics { scanned, skipped, .. } = bed.store.statistics();
    (scanned, skipped)
}

#[test]
fn a_narrow_filter_reads_a_small_part_of_ten_thousand_foreign_messages_and_finds_its_own() {
    let bed = Bed::with(options().catch_up_bytes(8 << 10));
    let filters = ["mine/#", "+/alarm", "mine/alarm", "mine/+"];
    let clients: Vec<_> = filters.iter().map(|filter| (*filter, *filter)).collect();
    missed(&bed, &clients);
    for filter in filters {
        let before = statistics(&bed);
        assert_eq!(bed.lasting(filter).drain().len(), 10, "{filter}");
        let (scanned, skipped) = statistics(&bed);
        assert!(skipped - before.1 > 9_000, "{filter}: {skipped} - {}", before.1);
        assert!(scanned - before.0 < 1_000, "{filter}: {scanned} - {}", before.0);
    }
}

#[test]
fn what_nobody_has_kept_is_learnt_by_the_first_who_reads_it() {
    let options = options().catch_up_bytes(8 << 10);
    let bed = Bed::with(options.clone().summaries_bytes_max(0));
    missed(&bed, &[("first", "nobody/#"), ("second", "nobody/#"), ("third", "mine/#")]);
    let bed = Bed { options, ..bed }.reopen();
    assert_eq!(bed.lasting("first").drain(), []);
    assert_eq!(statistics(&bed), (10_010, 0));
    assert_eq!(bed.lasting("second").drain(), []);
    assert_eq!(statistics(&bed), (10_010, 10_010));
    assert_eq!(bed.lasting("third").drain().len(), 10);
    assert!(statistics(&bed).0 < 12_000);
}

#[test]
fn a_hundred_sessions_that_come_back_together_read_each_record_once() {
    let all = |_| ("dev/#".to_owned(), 4_000);
    assert_eq!(together(all), 4_000);
    // Those who want less get ahead of those who want all.
    let some = |number: u32| (format!("dev/{}/#", number % 50), 80);
    let scanned = together(|number| if number % 2 == 0 { all(number) } else { some(number) });
    assert!(scanned < 4 * 4_000, "{scanned} records were read for a hundred sessions");
}

/// How many records are read for a hundred sessions, with these filters and so many messages for each, that come back at the same time.
fn together(wants: impl Fn(u32) -> (String, u32)) -> u64 {
    let bed = Bed::with(options().catch_up_bytes(8 << 10));
    let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    for (number, name) in (0..).zip(&names) {
        let mut client = bed.lasting(name);
        client.subscribe(&wants(number).0, 1);
        client.leave();
    }
    foreign(&bed, 0..4_000);
    let mut clients: Vec<_> = names.iter().map(|name| (bed.lasting(name), 0_u32, false)).collect();
    while clients.iter().any(|(_, _, idle)| !idle) {
        for (client, count, idle) in &mut clients {
            match client.attached.next(client.now_ms).unwrap() {
                Next::Delivery(_) => *count += 1,
                Next::Again => {}
                Next::Idle => *idle = true,
            }
        }
    }
    for (number, (_, count, _)) in (0..).zip(&clients) {
        assert_eq!(*count, wants(number).1, "{number}");
    }
    statistics(&bed).0
}

#[test]
fn a_session_that_fell_behind_retention_is_told_how_many_and_goes_on_from_the_start_of_the_log() {
    let bed = Bed::with(options().messages(messages().retention_bytes(Some(1))).catch_up_bytes(4 << 10));
    for (client_id, filter) in [("all", "#"), ("narrow", "mine/#"), ("member", "$share/g/#")] {
        let mut client = bed.lasting(client_id);
        client.subscribe(filter, 1);
        client.leave();
    }
    bed.publish("mine/alarm", "lost", 1);
    foreign(&bed, 0..6_000);
    bed.publish("mine/alarm", "kept", 1);
    bed.run();
    let partition = bed.store.messages().partition_for_key(b"mine/alarm");
    assert!(bed.log.maintain(bed.now_ms).unwrap().segments_deleted > 0);
    let topic = bed.store.messages();
    let starts: Vec<u64> = topic.partitions().map(|partition| partition.start_offset()).collect();
    let ends: Vec<u64> = topic.partitions().map(|partition| partition.durable_end()).collect();
    assert!(starts[partition as usize] > 0);
    let (lost, left) = (starts.iter().sum::<u64>(), ends.iter().sum::<u64>() - starts.iter().sum::<u64>());
    let mut told = 0;
    for (client_id, found) in [("all", left), ("narrow", 1), ("member", left)] {
        let mut client = bed.lasting(client_id);
        let mut count = 0;
        while let Some(delivery) = client.next() {
            count += 1;
            client.attached.finish(&delivery).unwrap();
        }
        assert_eq!(count, found, "{client_id}");
        assert_eq!(client.attached.take_fell_behind(), lost, "{client_id}");
        assert_eq!(client.attached.take_fell_behind(), 0, "{client_id} is told once");
        told += lost;
    }
    assert_eq!(bed.store.statistics().fell_behind, told);
}
