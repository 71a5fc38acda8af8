//! Messages in several log topics.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater_codec::{QoS, SubscribeOptions};
use headwater_log::{Ack, Header, Log, LogOptions, Record, TopicError, TopicOptions};
use headwater_store::message::header;
use headwater_store::{
    Attach, Next, OpenError, Placement, Route, RouteError, Since, Store, StoreOptions, TemplateError,
};
use headwater_testkit::sim_disk::SimDisk;
use headwater_topic::TopicFilter;

use crate::bed::{Bed, got, messages, options};

/// `a/#` goes to `alpha`, `b/#` to `beta` under another key.
fn two_rules() -> StoreOptions {
    options().route(alpha()).route(beta())
}

fn alpha() -> Route {
    Route::new("a/#").unwrap().topic("alpha").unwrap()
}

fn beta() -> Route {
    let route = Route::new("b/+").unwrap().topic("beta").unwrap();
    route.key("constant-{1}").unwrap().header("second", "{2}").unwrap()
}

/// Log topic and partition of a message.
fn home(bed: &Bed, placement: &Placement) -> (String, u32) {
    let partition = bed.store.partition(placement.message.unwrap().0).unwrap();
    (partition.topic().to_owned(), partition.number())
}

fn reopen_with(bed: Bed, options: StoreOptions) -> Bed {
    let mut bed = bed;
    bed.options = options;
    bed.reopen()
}

fn try_open(disk: &SimDisk, options: StoreOptions) -> Result<Store, OpenError> {
    let log = Log::open(Path::new("/data"), LogOptions::default().storage(Arc::new(disk.clone()))).unwrap();
    Store::open(&log, options, 0)
}

#[test]
fn a_message_goes_where_the_first_rule_says_and_else_to_mqtt() {
    let bed = Bed::with(two_rules().route(Route::new("a/1").unwrap().topic("beta").unwrap()));
    for (topic, name) in [("a/1", "alpha"), ("a", "alpha"), ("b/1", "beta"), ("b", "mqtt"), ("c/1", "mqtt")] {
        assert_eq!(home(&bed, &bed.publish(topic, "x", 1)).0, name, "{topic}");
    }
    let names: Vec<&str> = bed.store.topics().map(|topic| topic.name()).collect();
    assert_eq!(names, ["mqtt", "alpha", "beta"]);
    assert!(bed.store.topics().all(|topic| topic.partition_count() == 4));
    assert_eq!(bed.store.lanes().iter().filter(|lane| lane.name().starts_with("alpha-")).count(), 4);
}

#[test]
fn a_log_without_rules_is_as_it_was_before_there_were_any() {
    let bed = Bed::new();
    let own = ["__headwater_retained", "__headwater_sessions", "__headwater_summaries"];
    assert_eq!(bed.log.topics(), [&own[..], &["mqtt"]].concat());
}

#[test]
fn subscribers_get_all_topics_live_and_after_they_were_away() {
    let bed = Bed::with(two_rules());
    let mut client = bed.lasting("c");
    client.subscribe("#", 2);
    let publish = |bed: &Bed, payload: &str| {
        for topic in ["a/1", "b/1", "b/2", "c"] {
            bed.publish(topic, payload, 1);
        }
        bed.publish("b/3", payload, 0);
        bed.run();
    };
    let expected = |payload: &str, qos_0: bool| {
        let mut all: Vec<_> =
            ["a/1", "b/1", "b/2", "c"].iter().map(|topic| got(topic, payload, 1, false)).collect();
        if qos_0 {
            all.insert(3, got("b/3", payload, 0, false));
        }
        all
    };
    publish(&bed, "live");
    assert_eq!(client.drain_sorted(), expected("live", true));
    let _ = client.leave();
    publish(&bed, "away");
    let bed = bed.reopen();
    assert_eq!(bed.lasting("c").drain_sorted(), expected("away", false));
}

#[test]
fn a_session_from_before_a_topic_gets_all_that_is_routed_there() {
    for seed in 0..20 {
        let bed = Bed::new();
        let mut client = bed.lasting("c");
        client.subscribe("#", 1);
        let _ = client.leave();
        bed.publish_numbers("a/1", 0..3, 1);
        let bed = reopen_with(bed, options().route(alpha()));
        bed.publish_numbers("a/1", 3..6, 1);
        let bed = reopen_with(bed, two_rules());
        bed.publish_numbers("b/1", 6..9, 1);
        let bed = bed.crash(seed);
        let mut numbers: Vec<_> = bed.lasting("c").drain().into_iter().map(|got| got.1).collect();
        numbers.sort();
        assert_eq!(numbers, (0..9).map(|number| number.to_string()).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn what_somebody_else_has_appended_and_is_not_durable_is_no_message_either() {
    let Bed { log, store, .. } = Bed::new();
    drop(store);
    let foreign = log.create_topic("alpha", messages().partitions(1)).unwrap();
    let headers = [Header::new(header::QOS, "1")];
    let record = Record::new("foreign").key("a/1").headers(&headers);
    foreign.append(&record, Ack::Appended).unwrap();
    let store = Store::open(&log, options().route(alpha()), 0).unwrap();
    let wake = Arc::new(|| {});
    let attach = Attach { client_id: "c", clean_start: true, expiry_secs: 0, wake, now_ms: 0 };
    let (mut client, ..) = store.attach(&attach).unwrap();
    client.subscribe(TopicFilter::parse("#").unwrap(), SubscribeOptions::new(QoS::AtLeastOnce), None);
    for lane in store.lanes() {
        assert_eq!(lane.run(Duration::ZERO).unwrap(), 0, "{}", lane.name());
    }
    assert!(matches!(client.next(0).unwrap(), Next::Idle));
}

#[test]
fn lanes_stay_whatever_the_rules_are_later() {
    let bed = Bed::with(two_rules());
    let mut client = bed.lasting("c");
    client.subscribe("#", 1);
    let _ = client.leave();
    let places: Vec<_> = ["a/1", "b/1", "c"].map(|topic| bed.publish(topic, "x", 1)).to_vec();
    bed.run();
    let homes = |bed: &Bed| places.iter().map(|place| home(bed, place)).collect::<Vec<_>>();
    let before = homes(&bed);
    // Without rules, and with others in another order.
    let bed = reopen_with(bed, options());
    assert_eq!(homes(&bed), before);
    assert_eq!(home(&bed, &bed.publish("a/1", "y", 1)).0, "mqtt");
    let gamma = Route::new("c").unwrap().topic("gamma").unwrap();
    let bed = reopen_with(bed, options().route(gamma).route(beta()).route(alpha()));
    assert_eq!(homes(&bed), before);
    let names: Vec<&str> = bed.store.topics().map(|topic| topic.name()).collect();
    assert_eq!(names, ["mqtt", "alpha", "beta", "gamma"]);
    bed.publish("c", "z", 1);
    bed.run();
    assert_eq!(bed.lasting("c").drain().len(), 5);
}

#[test]
fn what_was_in_a_topic_before_the_first_rule_is_no_message() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("#", 1);
    let _ = client.leave();
    let foreign = bed.log.create_topic("alpha", messages().partitions(2)).unwrap();
    let headers = [Header::new(header::QOS, "1")];
    for number in 0..20 {
        let key = format!("a/{number}");
        foreign.append(&Record::new("foreign").key(&key).headers(&headers), Ack::Appended).unwrap();
    }
    let bed = reopen_with(bed, options().route(alpha()));
    bed.publish_numbers("a/1", 0..3, 1);
    let bed = bed.crash(2);
    assert!(bed.store.topics().nth(1).is_some_and(|topic| topic.partition_count() == 2));
    let payloads: Vec<_> = bed.lasting("c").drain().into_iter().map(|got| got.1).collect();
    assert_eq!(payloads, ["0", "1", "2"]);
}

#[test]
fn a_topic_that_was_deleted_begins_anew_and_loses_nothing_that_comes() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("#", 1);
    let _ = client.leave();
    let foreign = bed.log.create_topic("alpha", messages().partitions(1)).unwrap();
    let headers = [Header::new(header::QOS, "1")];
    for _ in 0..20 {
        foreign.append(&Record::new("foreign").key("a/1").headers(&headers), Ack::Appended).unwrap();
    }
    let bed = reopen_with(bed, options().route(alpha()));
    bed.log.delete_topic("alpha").unwrap();
    let bed = bed.reopen();
    bed.publish_numbers("a/1", 0..3, 1);
    let bed = bed.reopen();
    let payloads: Vec<_> = bed.lasting("c").drain().into_iter().map(|got| got.1).collect();
    assert_eq!(payloads, ["0", "1", "2"]);
}

#[test]
fn retained_messages_and_history_come_from_every_topic() {
    let bed = Bed::with(two_rules());
    bed.retain("b/1", "kept", 1);
    bed.retain("c", "kept", 1);
    bed.run();
    let bed = bed.reopen();
    let mut client = bed.lasting("c");
    client.subscribe("#", 1);
    assert_eq!(client.drain_sorted(), [got("b/1", "kept", 1, true), got("c", "kept", 1, true)]);
    // Live, and not once more as retained.
    bed.retain("b/1", "new", 1);
    bed.run();
    assert_eq!(client.drain(), [got("b/1", "new", 1, false)]);
    let filter = TopicFilter::parse("b/+").unwrap();
    let all = SubscribeOptions::new(QoS::AtLeastOnce);
    client.attached.subscribe_since(filter, all, None, Since::Earliest).unwrap();
    assert_eq!(client.drain(), [got("b/1", "kept", 1, false), got("b/1", "new", 1, false)]);
}

#[test]
fn a_shared_subscription_gets_every_topic_once() {
    let bed = Bed::with(two_rules());
    let mut clients: Vec<_> = ["c", "d"].map(|name| bed.lasting(name)).into();
    for client in &mut clients {
        client.subscribe("$share/g/#", 1);
        let _ = client.attached.save(&Default::default(), client.expiry_secs).unwrap();
    }
    for number in 0..8 {
        bed.publish(["a/1", "b/1", "c"][number % 3], &number.to_string(), 1);
    }
    bed.run();
    let mut all = Vec::new();
    for client in &mut clients {
        for delivery in client.deliveries() {
            client.attached.finish(&delivery).unwrap();
            all.push(crate::bed::seen(&delivery).1);
        }
    }
    clients.into_iter().for_each(|client| _ = client.leave());
    bed.publish("b/2", "8", 1);
    bed.run();
    // One more topic than the group knows.
    let bed = reopen_with(bed, two_rules().route(Route::new("d").unwrap().topic("delta").unwrap()));
    bed.publish("d", "9", 1);
    bed.run();
    all.extend(bed.lasting("c").drain().into_iter().map(|got| got.1));
    all.sort();
    assert_eq!(all, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn another_number_of_partitions_of_mqtt_than_the_lanes_have_is_refused() {
    let Bed { disk, log, store, .. } = Bed::with(two_rules());
    let grown = log.alter_topic("mqtt", TopicOptions::default().partitions(6)).unwrap();
    assert_eq!(grown.partition_count(), 6);
    drop((store, grown));
    log.close().unwrap();
    let refusal = |partitions| {
        let mut options = two_rules();
        options.messages.partitions = partitions;
        match try_open(&disk, options).unwrap_err() {
            OpenError::Topic(TopicError::PartitionCount { found, wanted, .. }) => (found, wanted),
            other => panic!("{other}"),
        }
    };
    assert_eq!(refusal(None), (6, 4));
    assert_eq!(refusal(Some(6)), (4, 6));
}

#[test]
fn a_record_of_the_registry_that_cannot_be_read_is_an_error() {
    let refusal = |records: &[(&str, &[u8])]| {
        let Bed { disk, log, store, .. } = Bed::with(two_rules());
        let topic = log.topic("__headwater_topics").unwrap();
        for (key, value) in records {
            topic.append(&Record::new(*value).key(*key), Ack::Appended).unwrap();
        }
        drop((store, topic));
        log.close().unwrap();
        try_open(&disk, two_rules()).unwrap_err().to_string()
    };
    let valid = |first: u8| [&[1, 0, 0, 0, first, 0, 0, 0, 1][..], &[0; 8]].concat();
    assert!(refusal(&[("gamma", &[2])]).contains("record 2 of __headwater_topics, a log topic: version 2"));
    assert!(refusal(&[("gamma", &valid(12)[..12])]).contains("ends inside starts"));
    assert!(refusal(&[("gamma", &valid(13))]).contains("no valid first lane"), "a gap");
    assert!(refusal(&[("gamma", &valid(11))]).contains("no valid first lane"), "an overlap");
}

#[test]
fn a_rule_that_cannot_be_is_refused_by_what_is_wrong() {
    let rule = || Route::new("a/+").unwrap();
    assert!(matches!(Route::new("a/#/b"), Err(RouteError::Filter(_))));
    assert_eq!(Route::new("$share/g/a"), Err(RouteError::Shared));
    for name in ["", "a/b", "..", &"a".repeat(250)] {
        assert!(matches!(rule().topic(name), Err(RouteError::Topic(_))), "{name}");
    }
    for name in ["__consumer_offsets", "__headwater_sessions", "__"] {
        assert_eq!(rule().topic(name), Err(RouteError::ReservedTopic), "{name}");
    }
    let level = TemplateError::Level { level: 3, levels: 2 };
    assert_eq!(rule().key("{3}"), Err(RouteError::Key(level)));
    assert_eq!(rule().header("a", "{3}"), Err(RouteError::Header(level)));
    assert_eq!(rule().key("x{"), Err(RouteError::Key(TemplateError::Unclosed { at: 1 })));
    for name in ["", "mqtt.", "mqtt.qos"] {
        assert_eq!(rule().header(name, "x"), Err(RouteError::HeaderName), "{name}");
    }
    assert!(rule().header("mqtt", "x").is_ok() && Route::new("a/#").unwrap().key("{9}").is_ok());
    let message = rule().key("{site}").unwrap_err().to_string();
    assert!(message.starts_with("the key of a rule: the braces at byte 0 hold none of"), "{message}");
}

#[test]
fn a_record_is_not_larger_than_the_rule_says() {
    let (topic, client_id) = ("a/".to_owned() + &"b".repeat(3_000), "c".repeat(2_000));
    let route = Route::new("#").unwrap().key("{topic}-{client-id}-{2}").unwrap();
    let route = route.header("one", "{client-id}{client-id}").unwrap().header("two", "constant").unwrap();
    let size = |options: StoreOptions| {
        let bed = Bed::with(options);
        let placement = bed.publish_from(&client_id, &topic, "x", 1, false).unwrap();
        bed.run();
        let (lane, offset) = placement.message.unwrap();
        let partition = bed.store.partition(lane).unwrap();
        u64::try_from(partition.read(offset, 1 << 20).unwrap().bytes().len()).unwrap()
    };
    let more = size(options().route(route.clone())) - size(options());
    let said = route.record_bytes_more(u64::try_from(topic.len()).unwrap(), 2_000);
    assert!((said - 3_500..=said).contains(&more), "{more} and not {said}");
}
