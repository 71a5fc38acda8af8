//! A message as a record and back.

use bytes::Bytes;
use headwater_codec::{Delivery as Sending, PacketId, Properties, Property, Publish, QoS};
use headwater_log::{Ack, Header, Record};
use headwater_store::Message;
use headwater_store::message::header;
use headwater_topic::TopicName;
use proptest::prelude::*;

use crate::bed::Bed;

/// What was published, as its parts.
#[derive(Debug, Clone)]
struct Published {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    text: Option<bool>,
    expiry: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation: Option<Vec<u8>>,
    user: Vec<(String, String)>,
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,8}", "mqtt\\.[a-z.]{0,12}", "mqtt\\.user-property\\.[a-z]{0,4}", "[^\0]{0,6}"]
}

fn published() -> impl Strategy<Value = Published> {
    let parts = (
        "[a-z]{1,5}(/[a-z]{0,5}){0,3}",
        proptest::collection::vec(any::<u8>(), 0..40),
        0_u8..3,
        any::<bool>(),
        any::<Option<bool>>(),
        any::<Option<u32>>(),
        proptest::option::of(string()),
        proptest::option::of("[a-z]{1,5}"),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        proptest::collection::vec((string(), string()), 0..5),
    );
    parts.prop_map(
        |(topic, payload, qos, retain, text, expiry, content_type, response_topic, correlation, user)| {
            Published {
                topic,
                payload,
                qos,
                retain,
                text,
                expiry,
                content_type,
                response_topic,
                correlation,
                user,
            }
        },
    )
}

impl Published {
    fn properties(&self) -> Vec<Property<'_>> {
        let mut list = Vec::new();
        list.extend(self.text.map(Property::PayloadFormatIndicator));
        list.extend(self.expiry.map(Property::MessageExpiryInterval));
        list.extend(self.content_type.as_deref().map(Property::ContentType));
        let topic = self.response_topic.as_deref().map(|topic| TopicName::parse(topic).unwrap());
        list.extend(topic.map(Property::ResponseTopic));
        list.extend(self.correlation.as_deref().map(Property::CorrelationData));
        list.extend(self.user.iter().map(|(name, value)| Property::UserProperty(name, value)));
        list
    }

    fn sending(&self) -> Sending {
        let packet_id = PacketId::MIN;
        match self.qos {
            0 => Sending::AtMostOnce,
            1 => Sending::AtLeastOnce { packet_id, dup: false },
            _ => Sending::ExactlyOnce { packet_id, dup: false },
        }
    }
}

/// The record at the place where a message was put, as a message.
fn read_back(bed: &Bed, place: (u32, u64)) -> (Message, Vec<String>) {
    bed.run();
    let partition = bed.store.partition(place.0).unwrap();
    let fetched = partition.read(place.1, 1).unwrap();
    let record = fetched.views().next().unwrap().unwrap();
    let names = record.headers.iter().map(|header| header.key.to_owned()).collect();
    (Message::from_record(&record, fetched.bytes()).unwrap(), names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_comes_back_from_the_log_as_it_was(all in proptest::collection::vec(published(), 1..8)) {
        let bed = Bed::new();
        for published in &all {
            let properties = published.properties();
            let topic = TopicName::parse(&published.topic).unwrap();
            let publish = Publish::new(topic, &published.payload)
                .with_delivery(published.sending())
                .with_retain(published.retain)
                .with_properties(Properties::from(&properties[..]));
            let owned = || Bytes::copy_from_slice(&published.payload);
            let placement = bed.store.publish(&publish, owned, "who", 77_000).unwrap();
            let (message, _) = read_back(&bed, placement.message.unwrap());

            let direct = Message::from_publish(&publish, owned(), "who", 77_000).unwrap();
            prop_assert_eq!(&message, &direct);
            prop_assert_eq!(message.qos.as_u8(), published.qos);
            prop_assert_eq!((message.retain, message.timestamp_ms), (published.retain, 77_000));
            prop_assert_eq!(&message.client_id[..], b"who");

            let mut scratch = Vec::new();
            message.fill(&[], 77_000, &mut scratch);
            let again = message.publish(published.sending(), published.retain, &scratch);
            prop_assert_eq!(again, publish);
        }
    }
}

#[test]
fn the_usual_message_has_two_headers() {
    let bed = Bed::new();
    let placement = bed.publish("a", "x", 1);
    let (_, names) = read_back(&bed, placement.message.unwrap());
    assert_eq!(names, [header::QOS, header::CLIENT_ID]);
}

#[test]
fn the_document_names_every_header() {
    let document = include_str!("../../../../docs/mapping.md");
    let table = [
        header::TOPIC,
        header::QOS,
        header::RETAIN,
        header::CLIENT_ID,
        header::PAYLOAD_FORMAT_INDICATOR,
        header::MESSAGE_EXPIRY_INTERVAL,
        header::CONTENT_TYPE,
        header::RESPONSE_TOPIC,
        header::CORRELATION_DATA,
    ];
    let mut rest = document;
    for name in table {
        let row = format!("| `{name}` |");
        rest = rest.split_once(&row).unwrap_or_else(|| panic!("no row for {name}, or not in this order")).1;
    }
    for name in [header::USER_PROPERTY, header::SOURCE, header::ADDED] {
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
}

/// Appends a record that the store did not write.
fn foreign(bed: &Bed, record: &Record<'_>) {
    bed.store.messages().append(record, Ack::Appended).unwrap();
    bed.run();
}

#[test]
fn a_record_of_somebody_else_is_read_as_far_as_it_goes() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 2);
    let headers = [
        Header::new(header::QOS, "2"),
        Header::new(header::MESSAGE_EXPIRY_INTERVAL, "soon"),
        Header::new(header::RESPONSE_TOPIC, "a/+"),
        Header::new(header::TOPIC, "a/#"),
        Header::new("mqtt.of-a-later-version", "1"),
        Header::new("trace", "7"),
        Header::new("bytes", &[0xff]),
        Header::new("nul", "a\0b"),
        Header { key: "none", value: None },
    ];
    foreign(&bed, &Record::new("x").key("t").headers(&headers));
    let delivery = client.next().unwrap();
    assert_eq!(delivery.qos, QoS::ExactlyOnce);
    let mut properties = Vec::new();
    delivery.message.fill(&[], bed.now_ms, &mut properties);
    assert_eq!(properties, [Property::UserProperty("trace", "7"), Property::UserProperty("none", "")]);
}

#[test]
fn a_record_that_cannot_be_a_message_is_skipped_and_counted() {
    let bed = Bed::new();
    let mut client = bed.attach("c", true, 0);
    client.subscribe("#", 2);
    let headers = [Header::new(header::QOS, "1")];
    foreign(&bed, &Record::new("no key").headers(&headers));
    foreign(&bed, &Record::new("a wildcard").key("a/#").headers(&headers));
    foreign(&bed, &Record::new("no text").key(&[0xff]).headers(&headers));
    bed.publish("t", "good", 1);
    bed.run();
    assert_eq!(client.drain().len(), 1);
    assert_eq!(bed.store.statistics().not_messages, 3);
}
