//! Whatever the rules are, subscribers get the same.

use std::collections::BTreeMap;

use headwater_codec::{Delivery as Sending, PacketId, Properties, Property, Publish, QoS};
use headwater_log::{Header, Record, StoredRecord};
use headwater_store::{Message, Route, StoreOptions};
use headwater_topic::TopicName;
use proptest::prelude::*;

use crate::bed::{Bed, Client, options};

/// A rule as its parts.
#[derive(Debug, Clone)]
struct Rule {
    filter: String,
    topic: &'static str,
    key: String,
    headers: Vec<(String, String)>,
}

fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("{topic}"),
        Just("{1}"),
        Just("{2}"),
        Just("{client-id}"),
        Just("{{"),
        Just("a/+"),
        Just("-")
    ];
    proptest::collection::vec(part, 0..3).prop_map(|parts| parts.concat())
}

fn rule() -> impl Strategy<Value = Rule> {
    // All end with #, so that every template is allowed.
    let filter =
        prop_oneof![Just("#"), Just("a/#"), Just("+/b/#"), Just("+/+/#"), Just("b/#"), Just("a/b/#")];
    let topic = prop_oneof![Just("mqtt"), Just("alpha"), Just("beta")];
    let headers = proptest::collection::vec(("[a-z]{1,3}", template()), 0..3);
    (filter, topic, template(), headers).prop_map(|(filter, topic, key, headers)| Rule {
        filter: filter.to_owned(),
        topic,
        key,
        headers,
    })
}

impl Rule {
    fn route(&self) -> Route {
        let route = Route::new(&self.filter).unwrap().topic(self.topic).unwrap().key(&self.key).unwrap();
        self.headers.iter().fold(route, |route, (name, value)| route.header(name, value).unwrap())
    }

    /// Level by level, as the specification says it.
    fn matches(&self, topic: &str) -> bool {
        let mut levels = topic.split('/');
        for part in self.filter.split('/') {
            match (part, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (part, Some(level)) if part == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

fn routed(rules: &[Rule]) -> StoreOptions {
    rules.iter().fold(options(), |options, rule| options.route(rule.route()))
}

#[derive(Debug, Clone)]
enum Step {
    Publish { client: u8, topic: String, qos: u8, retain: bool },
    Run,
    Drain,
    Leave,
    Come,
    Reopen,
}

fn topic() -> impl Strategy<Value = String> {
    "[abc](/[abc]){0,2}"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..2, topic(), 0_u8..3, any::<bool>())
            .prop_map(|(client, topic, qos, retain)| Step::Publish { client, topic, qos, retain }),
        2 => Just(Step::Run),
        1 => Just(Step::Drain),
        1 => Just(Step::Leave),
        1 => Just(Step::Come),
        1 => Just(Step::Reopen),
    ]
}

/// Of each publisher and topic, what came, in order; what was published with QoS 0 has an order of its own.
type Received = BTreeMap<(String, String, bool), Vec<(String, u8, bool)>>;

fn receive(client: &mut Client, received: &mut Received) {
    for delivery in client.deliveries() {
        let (topic, payload, qos, retain) = crate::bed::seen(&delivery);
        let publisher = String::from_utf8(delivery.message.client_id.to_vec()).unwrap();
        let at_most_once = delivery.message.qos == QoS::AtMostOnce;
        received.entry((publisher, topic, at_most_once)).or_default().push((payload, qos, retain));
    }
}

fn play(rules: &[Rule], steps: &[Step]) -> Received {
    let mut bed = Bed::with(routed(rules));
    let mut received = Received::new();
    let come = |bed: &Bed| {
        let mut client = bed.lasting("c");
        if client.resumed.is_none() {
            client.subscribe("a/#", 1).subscribe("+/b", 2).subscribe("c", 0);
        }
        client
    };
    let mut client = Some(come(&bed));
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Publish { client, topic, qos, retain } => {
                let publisher = format!("p{client}");
                let placement =
                    bed.publish_from(&publisher, topic, &number.to_string(), *qos, *retain).unwrap();
                let home = bed.store.partition(placement.message.unwrap().0).unwrap().topic();
                let first = rules.iter().find(|rule| rule.matches(topic));
                assert_eq!(home, first.map_or("mqtt", |rule| rule.topic), "{topic}");
            }
            Step::Run => bed.run(),
            Step::Drain => {
                if let Some(client) = &mut client {
                    receive(client, &mut received);
                }
            }
            Step::Leave => {
                bed.run();
                if let Some(client) = client.take() {
                    let _ = client.leave();
                }
            }
            Step::Come => {
                client.get_or_insert_with(|| come(&bed));
            }
            Step::Reopen => {
                bed.run();
                if let Some(client) = client.take() {
                    let _ = client.leave();
                }
                bed = bed.reopen();
            }
        }
    }
    bed.run();
    let mut client = client.unwrap_or_else(|| come(&bed));
    receive(&mut client, &mut received);
    received
}

/// The record at a place.
fn record_at(bed: &Bed, place: (u32, u64)) -> StoredRecord {
    bed.run();
    let fetched = bed.store.partition(place.0).unwrap().read(place.1, 1).unwrap();
    fetched.records().next().unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn subscribers_get_the_same_whatever_the_rules_are(
        rules in proptest::collection::vec(rule(), 1..4),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        prop_assert_eq!(play(&rules, &steps), play(&[], &steps));
    }

    #[test]
    fn a_record_is_a_message_and_that_is_the_same_record(
        rules in proptest::collection::vec(rule(), 0..4),
        topic in topic(),
        client_id in "[a-z{}+]{1,4}",
        user in proptest::collection::vec(("(mqtt\\.)?[a-z-]{0,4}", "[a-z{}]{0,4}"), 0..3),
        retain in any::<bool>(),
    ) {
        let bed = Bed::with(routed(&rules));
        let delivery = Sending::ExactlyOnce { packet_id: PacketId::MIN, dup: false };
        let properties: Vec<_> = user.iter().map(|(name, value)| Property::UserProperty(name, value)).collect();
        let publish = Publish::new(TopicName::parse(&topic).unwrap(), b"payload")
            .with_delivery(delivery)
            .with_retain(retain)
            .with_properties(Properties::new(&properties));
        let put = |publish: &Publish<'_>| {
            let placement = bed.store.publish(publish, Default::default, &client_id, 5).unwrap();
            record_at(&bed, placement.message.unwrap())
        };
        let record = put(&publish);
        let message = Message::from_record(&record.view(), &Default::default()).unwrap();
        prop_assert_eq!(message.client_id.as_ref(), client_id.as_bytes());
        let mut scratch = Vec::new();
        message.fill(&[], 5, &mut scratch);
        let again = message.publish(delivery, message.retain, &scratch);
        prop_assert_eq!(again, publish);
        let same = put(&again);
        prop_assert_eq!(parts(&same), parts(&record));
    }
}

fn parts(record: &StoredRecord) -> (Option<&[u8]>, Option<&[u8]>, Vec<Header<'_>>) {
    (record.key.as_deref(), record.value.as_deref(), record.headers.iter().collect())
}

#[test]
fn the_record_of_the_document_is_what_is_written() {
    let document = include_str!("../../../../docs/mapping.md");
    let route = Route::new("factory/+/+/temperature").unwrap().topic("telemetry").unwrap();
    let route = route.key("{2}/{3}").unwrap().header("site", "{1}").unwrap();
    let bed = Bed::with(options().route(route));
    let topic = "factory/line-1/press-4/temperature";
    let placement = bed.publish_from("sensor-7", topic, "21.5", 1, false).unwrap();
    let place = placement.message.unwrap();
    let record = record_at(&bed, place);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut shown = format!("topic      {}\n", bed.store.partition(place.0).unwrap().topic());
    shown += &format!("key        {}\n", text(record.key.as_deref().unwrap()));
    for (index, header) in record.headers.iter().enumerate() {
        let label = if index == 0 { "headers" } else { "" };
        shown += &format!("{label:<11}{}: {}\n", header.key, text(header.value.unwrap()));
    }
    assert!(document.contains(&format!("```\n{shown}```")), "{shown}");
}

#[test]
fn a_count_of_added_headers_that_cannot_be_is_no_harm() {
    let bed = Bed::new();
    for (count, seen) in [("1", 1), ("2", 0), ("99999999999999999999", 2), ("9", 0), ("-1", 2), ("", 2)] {
        let headers = [("mqtt.added-headers", count), ("a", "x"), ("b", "y")];
        let headers = headers.map(|(name, value)| Header::new(name, value));
        let record = Record::new("v").key("t").headers(&headers);
        let at = bed.store.messages().append(&record, headwater_log::Ack::Durable).unwrap();
        let record = record_at(&bed, (at.partition, at.offset));
        let message = Message::from_record(&record.view(), &Default::default()).unwrap();
        assert_eq!(message.properties.user_properties.len(), seen, "{count}");
    }
}
