//! A client and a server of one session, joined by a wire that can be cut.

use std::collections::BTreeSet;

use headwater_codec::{Connect, Packet, Properties, Property, Publish, QoS, ReasonCode, Version};
use headwater_session::{Millis, Receipt, State, Topic, Transmit, client, server};
use headwater_testkit::wire::Wire;
use headwater_topic::TopicName;

/// Fewer than there are topics.
const ALIASES: u16 = 3;

/// The topic of a message.
fn topic_of(number: u32) -> String {
    format!("topic/{}", number % 5)
}

/// What is sent: a number and a QoS; the payload is the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) number: u32,
    pub(crate) qos: QoS,
}

/// What one side received, in order, and what of it is not acknowledged yet.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) received: Vec<Message>,
    pub(crate) receipts: Vec<(Receipt, u32)>,
    pub(crate) delivered: Vec<Message>,
    /// Messages that were refused at least once.
    pub(crate) refused: BTreeSet<u32>,
}

/// Both sides and what is between them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) version: Version,
    pub(crate) now: Millis,
    pub(crate) wire: Wire,
    pub(crate) client: client::Session<Message>,
    pub(crate) client_side: Side,
    pub(crate) server: Option<server::Session<Message>>,
    pub(crate) server_side: Side,
    pub(crate) server_config: server::Config,
    kept: Option<State<Message>>,
    connected_before: bool,
}

impl Pair {
    pub(crate) fn new(version: Version, client_window: usize, server_config: server::Config) -> Self {
        let config =
            client::Config { window: client_window, topic_aliases_out: ALIASES, ..client::Config::default() };
        let server_config =
            server::Config { topic_alias_maximum: ALIASES, topic_aliases_out: ALIASES, ..server_config };
        Self {
            version,
            now: Millis(0),
            wire: Wire::new(),
            client: client::Session::new(config),
            client_side: Side::default(),
            server: None,
            server_side: Side::default(),
            server_config,
            kept: None,
            connected_before: false,
        }
    }

    /// A new network connection: CONNECT is on its way.
    pub(crate) fn connect(&mut self) {
        assert!(self.server.is_none());
        self.wire.cut();
        let mut connect = Connect::new(self.version, "client");
        connect.keep_alive_secs = 60;
        connect.clean_start = false;
        let properties = [Property::SessionExpiryInterval(3_600), Property::TopicAliasMaximum(ALIASES)];
        if self.version == Version::V5 {
            connect.properties = Properties::from(&properties);
        }
        self.client.connect(&connect, self.now).unwrap();
        self.server = Some(server::Session::new(self.server_config, self.now));
        self.flush();
    }

    /// The connection breaks.
    pub(crate) fn cut(&mut self) {
        self.wire.cut();
        self.client.connection_lost();
        if let Some(server) = self.server.take() {
            // A server that never let the client in has nothing of the session.
            self.kept = server.into_state().or(self.kept.take());
        }
    }

    /// Writes whatever either side wants written.
    pub(crate) fn flush(&mut self) {
        while let Some(transmit) = self.client.poll_transmit(self.now) {
            for packet in packets(transmit, self.version) {
                self.wire.send_to_server(packet);
            }
        }
        let Some(server) = &mut self.server else { return };
        while let Some(transmit) = server.poll_transmit() {
            for packet in packets(transmit, self.version) {
                self.wire.send_to_client(packet);
            }
        }
    }

    /// One packet arrives at the server, if one is under way.
    pub(crate) fn deliver_to_server(&mut self) -> bool {
        let Some(server) = self.server.as_mut().filter(|server| server.wants_packet()) else { return false };
        let Some(bytes) = self.wire.at_server() else { return false };
        let packet = Packet::decode(&bytes, self.version).unwrap();
        match server.handle(packet, self.now).unwrap() {
            Some(server::Event::Connect(connect)) => {
                let resumed = self.kept.take().filter(|_| !connect.clean_start);
                server.accept(resumed, &server::Accept::default(), self.now).unwrap();
            }
            Some(server::Event::Publish { publish, topic, receipt }) => {
                self.server_side.take(&publish, &topic, receipt)
            }
            Some(server::Event::Delivered { message, reason }) => {
                assert!(!reason.is_error() || self.client_side.refused.contains(&message.number));
                self.server_side.delivered.push(message);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        self.flush();
        true
    }

    /// One packet arrives at the client, if one is under way.
    pub(crate) fn deliver_to_client(&mut self) -> bool {
        if !self.client.wants_packet() {
            return false;
        }
        let Some(bytes) = self.wire.at_client() else { return false };
        let packet = Packet::decode(&bytes, self.version).unwrap();
        match self.client.handle(packet, self.now).unwrap() {
            Some(client::Event::Connected { connack, unfinished }) => {
                assert_eq!(unfinished, [], "the server kept the session");
                assert!(connack.session_present || !self.connected_before || self.version == Version::V3_1);
                self.connected_before = true;
            }
            Some(client::Event::Publish { publish, topic, receipt }) => {
                self.client_side.take(&publish, &topic, receipt)
            }
            Some(client::Event::Delivered { message, reason }) => {
                assert!(!reason.is_error() || self.server_side.refused.contains(&message.number));
                self.client_side.delivered.push(message);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        self.flush();
        true
    }

    /// The server's application acknowledges the oldest, or some other, message; or refuses it.
    pub(crate) fn acknowledge_at_server(&mut self, which: usize, reason: ReasonCode) {
        let Some(receipt) = self.server_side.take_receipt(which, reason) else { return };
        match (&mut self.server, &mut self.kept) {
            (Some(server), _) if server.is_open() => server.acknowledge(receipt, reason).unwrap(),
            (_, Some(kept)) => kept.acknowledge(receipt, reason),
            (_, None) => {}
        }
        self.flush();
    }

    /// The client's application does.
    pub(crate) fn acknowledge_at_client(&mut self, which: usize, reason: ReasonCode) {
        if let Some(receipt) = self.client_side.take_receipt(which, reason) {
            self.client.acknowledge(receipt, reason).unwrap();
        }
        self.flush();
    }

    /// Runs without further faults until nothing happens any more.
    pub(crate) fn settle(&mut self) {
        if self.server.is_none() {
            self.connect();
        }
        loop {
            let moved = self.deliver_to_server() | self.deliver_to_client();
            let acknowledged = !self.server_side.receipts.is_empty() || !self.client_side.receipts.is_empty();
            self.acknowledge_at_server(0, ReasonCode::SUCCESS);
            self.acknowledge_at_client(0, ReasonCode::SUCCESS);
            if !moved && !acknowledged {
                return;
            }
        }
    }
}

impl Side {
    fn take(&mut self, publish: &Publish<'_>, topic: &Topic<'_>, receipt: Option<Receipt>) {
        let number = std::str::from_utf8(publish.payload).unwrap().parse().unwrap();
        assert_eq!(topic.name().as_str(), topic_of(number), "whatever aliases there were");
        assert!(!publish.dup() || publish.topic.is_some(), "a resend has its full topic");
        self.received.push(Message { number, qos: publish.delivery.qos() });
        self.receipts.extend(receipt.map(|receipt| (receipt, number)));
    }

    fn take_receipt(&mut self, which: usize, reason: ReasonCode) -> Option<Receipt> {
        if self.receipts.is_empty() {
            return None;
        }
        let (receipt, number) = self.receipts.remove(which % self.receipts.len());
        if reason.is_error() {
            self.refused.insert(number);
        }
        Some(receipt)
    }
}

/// What is to be written, one packet each.
pub(crate) fn packets(transmit: Transmit<'_, Message>, version: Version) -> Vec<Vec<u8>> {
    match transmit {
        Transmit::Control(bytes) => split(bytes),
        Transmit::Publish { message, delivery, aliases } => {
            let payload = message.number.to_string();
            let name = topic_of(message.number);
            let topic = TopicName::parse(&name).unwrap();
            let alias = aliases.alias(topic);
            let properties: Vec<Property<'_>> = alias.iter().map(|alias| alias.property()).collect();
            let mut publish = Publish::new(topic, payload.as_bytes())
                .with_delivery(delivery)
                .with_properties(Properties::from(&properties[..]));
            if let Some(alias) = alias {
                publish.topic = publish.topic.filter(|_| !alias.is_known());
                alias.written();
            }
            let mut packet = Vec::new();
            publish.encode(version, &mut packet).unwrap();
            vec![packet]
        }
    }
}

/// Control packets are small: the length is one byte.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let [_, length, ..] = bytes {
        assert!(*length < 128);
        let (packet, rest) = bytes.split_at(2 + usize::from(*length));
        packets.push(packet.to_vec());
        bytes = rest;
    }
    packets
}
