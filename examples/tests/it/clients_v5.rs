//! rumqttc, a client by others, as judge of the broker: MQTT 5.0.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, LastWillProperties, Packet, Publish, PublishProperties, SubscribeProperties,
};
use rumqttc::v5::{Client, Connection, Event, MqttOptions};

use crate::program::Broker;

const WAIT: Duration = Duration::from_secs(30);
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A client, and the messages that came while something else was waited for.
struct Peer {
    client: Client,
    connection: Connection,
    inbox: VecDeque<Publish>,
    connack: Option<ConnAck>,
}

impl Peer {
    fn connect(options: MqttOptions) -> Self {
        let (client, connection) = Client::new(options, 1_000);
        let mut peer = Self { client, connection, inbox: VecDeque::new(), connack: None };
        peer.until(|packet| matches!(packet, Packet::ConnAck(_)));
        peer
    }

    /// Runs the connection until such a packet has come.
    fn until(&mut self, wanted: impl Fn(&Packet) -> bool) {
        self.until_event(|event| matches!(event, Event::Incoming(packet) if wanted(packet)));
    }

    fn until_event(&mut self, wanted: impl Fn(&Event) -> bool) {
        let deadline = Instant::now() + WAIT;
        loop {
            // Pings come for ever.
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.connection.recv_timeout(left).expect("an event in time").unwrap();
            let found = wanted(&event);
            match event {
                Event::Incoming(Packet::Publish(publish)) => self.inbox.push_back(publish),
                Event::Incoming(Packet::ConnAck(connack)) => self.connack = Some(connack),
                _ => {}
            }
            if found {
                return;
            }
        }
    }

    fn session_present(&self) -> bool {
        self.connack.as_ref().is_some_and(|connack| connack.session_present)
    }

    fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.subscribe_with(Filter::new(filter, qos), None);
    }

    fn subscribe_with(&mut self, filter: Filter, id: Option<usize>) {
        let properties = SubscribeProperties { id, user_properties: Vec::new() };
        self.client.subscribe_many_with_properties([filter], properties).unwrap();
        self.until(|packet| matches!(packet, Packet::SubAck(_)));
    }

    /// Publishes, and waits until QoS 0 is written, QoS 1 or 2 acknowledged for good.
    fn publish(&mut self, topic: &str, payload: &str, qos: QoS, retain: bool) {
        self.publish_with(topic, payload, qos, retain, PublishProperties::default());
    }

    fn publish_with(
        &mut self,
        topic: &str,
        payload: &str,
        qos: QoS,
        retain: bool,
        properties: PublishProperties,
    ) {
        let payload = payload.to_owned();
        self.client.publish_with_properties(topic, qos, retain, payload, properties).unwrap();
        match qos {
            QoS::AtMostOnce => {
                self.until_event(|event| matches!(event, Event::Outgoing(Outgoing::Publish(_))))
            }
            QoS::AtLeastOnce => self.until(|packet| matches!(packet, Packet::PubAck(_))),
            QoS::ExactlyOnce => self.until(|packet| matches!(packet, Packet::PubComp(_))),
        }
    }

    fn receive(&mut self) -> Publish {
        if self.inbox.is_empty() {
            self.until(|packet| matches!(packet, Packet::Publish(_)));
        }
        self.inbox.pop_front().expect("it has come")
    }

    /// The next one, as topic, payload, QoS and retain.
    fn seen(&mut self) -> (String, String, QoS, bool) {
        let publish = self.receive();
        (text(&publish.topic), text(&publish.payload), publish.qos, publish.retain)
    }

    /// With DISCONNECT, and until the broker has closed.
    fn goodbye(mut self) {
        self.client.disconnect().unwrap();
        while self.connection.recv_timeout(WAIT).expect("an event in time").is_ok() {}
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn options(broker: &Broker, name: &str) -> MqttOptions {
    let mut options = MqttOptions::new(name, broker.address.ip().to_string(), broker.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    options
}

fn message(topic: &str, payload: &str, qos: QoS, retain: bool) -> (String, String, QoS, bool) {
    (topic.to_owned(), payload.to_owned(), qos, retain)
}

#[test]
fn rumqttc_publishes_and_subscribes_at_every_qos() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut reader = Peer::connect(options(&broker, "reader"));
    reader.subscribe("factory/+/t/#", QoS::ExactlyOnce);
    let mut writer = Peer::connect(options(&broker, "writer"));
    for number in 0..300 {
        let (qos, line) = (EVERY_QOS[number % 3], number % 3);
        writer.publish(&format!("factory/{line}/u"), "not asked for", qos, false);
        writer.publish(&format!("factory/{line}/t/x"), &number.to_string(), qos, false);
    }
    let mut received: Vec<_> = (0..300).map(|_| reader.seen()).collect();
    // Keeps the order within each topic.
    received.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = (0..3).flat_map(|line| {
        let topic = format!("factory/{line}/t/x");
        (line..300).step_by(3).map(move |number| message(&topic, &number.to_string(), EVERY_QOS[line], false))
    });
    assert_eq!(received, expected.collect::<Vec<_>>(), "each once, in order of its topic");
}

#[test]
fn properties_come_as_rumqttc_has_sent_them() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut reader = Peer::connect(options(&broker, "reader"));
    reader.subscribe_with(Filter::new("p/#", QoS::ExactlyOnce), Some(77));
    let mut writer = Peer::connect(options(&broker, "writer"));
    let sent = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(600),
        response_topic: Some("answers/here".to_owned()),
        correlation_data: Some(vec![0, 255].into()),
        user_properties: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        content_type: Some("text/plain".to_owned()),
        ..PublishProperties::default()
    };
    for qos in EVERY_QOS {
        writer.publish_with("p/x", "text", qos, false, sent.clone());
        let mut got = reader.receive().properties.expect("properties");
        // [MQTT-3.3.2-6] What it waited is taken off.
        assert!(
            got.message_expiry_interval.take().is_some_and(|secs| (590..=600).contains(&secs)),
            "{qos:?}"
        );
        let expected = PublishProperties {
            message_expiry_interval: None,
            subscription_identifiers: vec![77],
            ..sent.clone()
        };
        assert_eq!(got, expected, "{qos:?}");
    }
}

#[test]
fn aliases_of_topics_go_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut takes = options(&broker, "reader");
    takes.set_topic_alias_max(Some(2));
    let mut reader = Peer::connect(takes);
    reader.subscribe("alias/#", QoS::AtLeastOnce);
    let mut writer = Peer::connect(options(&broker, "writer"));
    let alias = PublishProperties { topic_alias: Some(3), ..PublishProperties::default() };
    writer.publish_with("alias/a", "0", QoS::AtLeastOnce, false, alias.clone());
    writer.publish_with("", "1", QoS::AtLeastOnce, false, alias);
    // rumqttc checks aliases and puts the topic into its own copy of the message; the one that it hands out is as it came.
    let mut topics = BTreeMap::new();
    for number in 0..12 {
        // More topics than the reader takes aliases.
        let topic = if number < 2 { "alias/a".to_owned() } else { format!("alias/{}", number / 2 % 3) };
        if number >= 2 {
            writer.publish(&topic, &number.to_string(), QoS::AtLeastOnce, false);
        }
        let publish = reader.receive();
        assert_eq!(text(&publish.payload), number.to_string());
        let alias = publish.properties.and_then(|properties| properties.topic_alias);
        match (text(&publish.topic), alias) {
            (empty, Some(alias)) if empty.is_empty() => assert_eq!(topics.get(&alias), Some(&topic)),
            (named, Some(alias)) => {
                assert_eq!(named, topic);
                topics.insert(alias, named);
            }
            (named, None) => assert_eq!(named, topic),
        }
    }
    // [MQTT-3.1.2-26] No more than it takes.
    assert_eq!(topics.into_keys().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn rumqttc_gets_retained_messages_and_the_will_of_who_dies() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut writer = Peer::connect(options(&broker, "writer"));
    for qos in EVERY_QOS {
        let topic = format!("kept/{}", qos as u8);
        writer.publish(&topic, "old", qos, true);
        writer.publish(&topic, "new", qos, true);
        writer.publish("flush", "", QoS::AtLeastOnce, false);
        let mut reader = Peer::connect(options(&broker, "reader"));
        let own = Filter { nolocal: true, preserve_retain: true, ..Filter::new(&topic, QoS::ExactlyOnce) };
        reader.subscribe_with(own, None);
        assert_eq!(reader.seen(), message(&topic, "new", qos, true));
        reader.publish(&topic, "its own", qos, false);
        writer.publish(&topic, "", qos, true);
        assert_eq!(reader.seen(), message(&topic, "", qos, true), "as published, and nothing of its own");
    }

    let mut reader = Peer::connect(options(&broker, "reader"));
    reader.subscribe("will", QoS::AtLeastOnce);
    for (name, payload) in [("polite", "must not come"), ("doomed", "died")] {
        let mut options = options(&broker, name);
        let properties = LastWillProperties {
            delay_interval: Some(0),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: Some("text/last".to_owned()),
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        options.set_last_will(LastWill::new("will", payload, QoS::AtLeastOnce, false, Some(properties)));
        let peer = Peer::connect(options);
        // Who is dropped closes its socket and says nothing.
        if name == "polite" { peer.goodbye() } else { drop(peer) }
    }
    let will = reader.receive();
    assert_eq!(text(&will.payload), "died");
    assert_eq!(will.properties.unwrap().content_type.as_deref(), Some("text/last"));
}

#[test]
fn rumqttc_comes_back_to_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let lasting = |broker: &Broker| {
        let mut options = options(broker, "lasting");
        options.set_clean_start(false).set_session_expiry_interval(Some(3_600));
        options
    };
    let mut reader = Peer::connect(lasting(&broker));
    assert!(!reader.session_present());
    reader.subscribe("away/#", QoS::ExactlyOnce);
    reader.goodbye();
    let mut writer = Peer::connect(options(&broker, "writer"));
    for number in 0..50 {
        writer.publish("away/x", &number.to_string(), EVERY_QOS[1 + number % 2], false);
    }
    // The session outlives the broker too.
    broker.kill();
    broker.restart();
    let mut reader = Peer::connect(lasting(&broker));
    assert!(reader.session_present());
    for number in 0..50 {
        let qos = EVERY_QOS[1 + number % 2];
        assert_eq!(reader.seen(), message("away/x", &number.to_string(), qos, false));
    }
}

#[test]
fn two_of_rumqttc_share_a_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let mut members = ["one", "other"].map(|name| Peer::connect(options(&broker, name)));
    for member in &mut members {
        member.subscribe("$share/group/work/#", QoS::AtLeastOnce);
        // What ends it.
        member.subscribe("end", QoS::AtLeastOnce);
    }
    let mut writer = Peer::connect(options(&broker, "writer"));
    for number in 0..100 {
        writer.publish("work/x", &number.to_string(), QoS::AtLeastOnce, false);
    }
    // To both, once all is shared out: the broker keeps no order between topics, so each message is waited for first.
    let mut numbers: Vec<Vec<usize>> = vec![Vec::new(), Vec::new()];
    while numbers.iter().map(Vec::len).sum::<usize>() < 100 {
        for (member, numbers) in members.iter_mut().zip(&mut numbers) {
            while let Ok(event) = member.connection.recv_timeout(Duration::from_millis(50)) {
                if let Event::Incoming(Packet::Publish(publish)) = event.unwrap() {
                    numbers.push(text(&publish.payload).parse().unwrap());
                }
            }
        }
    }
    writer.publish("end", "end", QoS::AtLeastOnce, false);
    for member in &mut members {
        assert_eq!(member.seen().1, "end", "nothing comes twice");
    }
    assert!(numbers.iter().all(|numbers| !numbers.is_empty() && numbers.is_sorted()), "both have work");
    let mut all = numbers.concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}
