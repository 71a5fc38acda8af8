//! rumqttc, a client by others, as judge of the broker: MQTT 3.1.1.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Outgoing, Packet, Publish, QoS};

use crate::program::Broker;

const WAIT: Duration = Duration::from_secs(30);
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A client, and the messages that came while something else was waited for.
struct Peer {
    client: Client,
    connection: Connection,
    inbox: VecDeque<Publish>,
    session_present: bool,
}

impl Peer {
    fn connect(options: MqttOptions) -> Self {
        let (client, connection) = Client::new(options, 1_000);
        let mut peer = Self { client, connection, inbox: VecDeque::new(), session_present: false };
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
                Event::Incoming(Packet::ConnAck(connack)) => self.session_present = connack.session_present,
                _ => {}
            }
            if found {
                return;
            }
        }
    }

    fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.client.subscribe(filter, qos).unwrap();
        self.until(|packet| matches!(packet, Packet::SubAck(_)));
    }

    /// Publishes, and waits until QoS 0 is written, QoS 1 or 2 acknowledged for good.
    fn publish(&mut self, topic: &str, payload: &str, qos: QoS, retain: bool) {
        self.client.publish(topic, qos, retain, payload).unwrap();
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
        (publish.topic, String::from_utf8(publish.payload.to_vec()).unwrap(), publish.qos, publish.retain)
    }

    /// With DISCONNECT, and until the broker has closed.
    fn goodbye(mut self) {
        self.client.disconnect().unwrap();
        while self.connection.recv_timeout(WAIT).expect("an event in time").is_ok() {}
    }
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
        reader.subscribe(&topic, QoS::ExactlyOnce);
        assert_eq!(reader.seen(), message(&topic, "new", qos, true));
        writer.publish(&topic, "", qos, true);
        writer.publish(&topic, "live", QoS::AtLeastOnce, false);
        assert_eq!(reader.seen(), message(&topic, "", qos, false));
        assert_eq!(reader.seen(), message(&topic, "live", QoS::AtLeastOnce, false));
    }

    let mut reader = Peer::connect(options(&broker, "reader"));
    reader.subscribe("will", QoS::AtLeastOnce);
    for (name, payload) in [("polite", "must not come"), ("doomed", "died")] {
        let mut options = options(&broker, name);
        options.set_last_will(LastWill::new("will", payload, QoS::AtLeastOnce, false));
        let peer = Peer::connect(options);
        // Who is dropped closes its socket and says nothing.
        if name == "polite" { peer.goodbye() } else { drop(peer) }
    }
    assert_eq!(reader.seen(), message("will", "died", QoS::AtLeastOnce, false));
}

#[test]
fn rumqttc_comes_back_to_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let lasting = |broker: &Broker| {
        let mut options = options(broker, "lasting");
        options.set_clean_session(false);
        options
    };
    let mut reader = Peer::connect(lasting(&broker));
    assert!(!reader.session_present);
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
    assert!(reader.session_present);
    for number in 0..50 {
        let qos = EVERY_QOS[1 + number % 2];
        assert_eq!(reader.seen(), message("away/x", &number.to_string(), qos, false));
    }
}
