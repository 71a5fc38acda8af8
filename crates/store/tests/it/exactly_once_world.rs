//! Clients that publish and subscribe with QoS 2, and a broker that does not live long.
//!
//! ```text
//!   client (never forgets) -- up --> session, store -- gate --> open --> client
//! ```
//!
//! The clients are written from the specification and share nothing with the session crate. They give out the lowest packet identifier that is
//! free, so each is used again at once, and all clients use the same ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use headwater_codec::{
    Connect, Delivery as Sending, FrameReader, Limits, Packet, PacketId, Properties, Property, PubComp,
    PubRec, PubRel, Publish, QoS, ReasonCode, Version,
};
use headwater_log::ReadUpTo;
use headwater_session::persist::Change;
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Millis, Receipt, State, Transmit};
use headwater_store::{Delivery, Next, Placement};
use headwater_topic::TopicName;

use crate::bed::{Bed, Client};

/// Messages to this topic are refused by the broker.
const REFUSED: &str = "refused";
/// How many exchanges a client has under way.
const UNDER_WAY: usize = 3;

/// What a client remembers, whatever becomes of the broker.
#[derive(Clone, Default)]
pub(crate) struct Peer {
    name: &'static str,
    /// Topic and payload of what it will publish.
    queue: VecDeque<(&'static str, String)>,
    /// In the order of sending.
    sending: Vec<Exchange>,
    /// What came under each identifier that waits for PUBREL.
    held: BTreeMap<PacketId, String>,
    /// Payloads that were taken for new, RETAIN left out.
    received: Vec<String>,
    /// The same of messages with RETAIN.
    retained: Vec<String>,
    /// Payloads that were taken for what came before under their identifier, and are another.
    swallowed: Vec<String>,
    published: Vec<(&'static str, String)>,
}

#[derive(Clone)]
struct Exchange {
    packet_id: PacketId,
    topic: &'static str,
    payload: String,
    /// Whether PUBREC has come.
    received: bool,
}

impl Peer {
    fn publish_packet(&self, exchange: &Exchange, dup: bool) -> Vec<u8> {
        let delivery = Sending::ExactlyOnce { packet_id: exchange.packet_id, dup };
        let topic = TopicName::parse(exchange.topic).unwrap();
        bytes(&Packet::Publish(Publish::new(topic, exchange.payload.as_bytes()).with_delivery(delivery)))
    }

    /// Begins one more exchange.
    fn begin(&mut self) -> Option<Vec<u8>> {
        if self.sending.len() >= UNDER_WAY {
            return None;
        }
        let (topic, payload) = self.queue.pop_front()?;
        let used: BTreeSet<PacketId> = self.sending.iter().map(|one| one.packet_id).collect();
        let packet_id = (1..).map(|id| PacketId::new(id).unwrap()).find(|id| !used.contains(id)).unwrap();
        self.published.push((topic, payload.clone()));
        self.sending.push(Exchange { packet_id, topic, payload, received: false });
        Some(self.publish_packet(self.sending.last().unwrap(), false))
    }

    /// What is sent first on a new connection [MQTT-4.4.0-1].
    fn again(&self) -> VecDeque<Vec<u8>> {
        let packet = |one: &Exchange| match one.received {
            false => self.publish_packet(one, true),
            true => bytes(&Packet::PubRel(PubRel::new(one.packet_id))),
        };
        self.sending.iter().map(packet).collect()
    }

    /// Takes what the broker has written; gives the answers.
    fn take(&mut self, down: Down) -> Vec<Vec<u8>> {
        let control = match down {
            Down::Publish { payload, packet_id, retain } => {
                match self.held.get(&packet_id) {
                    Some(same) if *same == payload => {}
                    Some(_) => self.swallowed.push(payload),
                    None => {
                        let list = if retain { &mut self.retained } else { &mut self.received };
                        list.push(payload.clone());
                        self.held.insert(packet_id, payload);
                    }
                }
                return vec![bytes(&Packet::PubRec(PubRec::new(packet_id)))];
            }
            Down::Control(control) => control,
        };
        let mut frames = FrameReader::new(Limits::PROTOCOL);
        frames.extend(&control);
        let mut answers = Vec::new();
        while let Some(frame) = frames.next_frame().unwrap() {
            match frame.packet(Version::V5).unwrap() {
                Packet::PubRec(PubRec { packet_id, reason, .. }) => {
                    let place =
                        self.sending.iter().position(|one| one.packet_id == packet_id).expect("in use");
                    if reason.is_error() {
                        assert_eq!(self.sending.remove(place).topic, REFUSED);
                    } else {
                        // PUBREL in the order of PUBREC [MQTT-4.6.0-4].
                        let one = self.sending.remove(place);
                        self.sending.push(Exchange { received: true, ..one });
                        answers.push(bytes(&Packet::PubRel(PubRel::new(packet_id))));
                    }
                }
                Packet::PubComp(PubComp { packet_id, .. }) => {
                    let place =
                        self.sending.iter().position(|one| one.packet_id == packet_id).expect("in use");
                    assert!(self.sending.remove(place).received);
                }
                Packet::PubRel(PubRel { packet_id, .. }) => {
                    self.held.remove(&packet_id);
                    answers.push(bytes(&Packet::PubComp(PubComp::new(packet_id))));
                }
                Packet::ConnAck(connack) => assert!(connack.session_present, "sessions last"),
                other => panic!("{other:?}"),
            }
        }
        answers
    }

    fn is_done(&self) -> bool {
        self.queue.is_empty() && self.sending.is_empty() && self.held.is_empty()
    }
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

/// What the broker writes.
enum Down {
    Publish { payload: String, packet_id: PacketId, retain: bool },
    Control(Vec<u8>),
}

/// The broker's end of a connection, and the wire.
struct Link {
    client: Client,
    session: Session<Delivery>,
    pending: VecDeque<(Receipt, Placement)>,
    up: VecDeque<Vec<u8>>,
    open: VecDeque<Down>,
    /// What waits until the session is durable as it was saved.
    saved: Option<(Placement, VecDeque<Down>)>,
    /// What depends on what is not saved.
    unsaved: Option<VecDeque<Down>>,
}

impl Link {
    fn new(bed: &Bed, peer: &Peer) -> Self {
        let mut client = bed.lasting(peer.name);
        bed.store.wait_durable(&client.placement).unwrap();
        let mut session = Session::new(Config { window: 4, ..Config::default() }, Millis(0));
        let mut connect = Connect::new(Version::V5, peer.name);
        connect.clean_start = false;
        let properties = [Property::SessionExpiryInterval(client.expiry_secs)];
        connect.properties = Properties::from(&properties[..]);
        session.handle(Packet::Connect(connect), Millis(0)).unwrap();
        session.record_changes(1_000);
        // The session began before the history.
        let resumed = client.resumed.take().expect("a session that lasts");
        session.accept(Some(resumed), &Accept::default(), Millis(0)).unwrap();
        Self {
            client,
            session,
            pending: VecDeque::new(),
            up: peer.again(),
            open: VecDeque::new(),
            saved: None,
            unsaved: None,
        }
    }

    fn save(&self) -> Placement {
        self.client.attached.save(&self.session.state(), self.client.expiry_secs).unwrap()
    }

    /// Reads one packet.
    fn read(&mut self, bed: &Bed) {
        if !self.session.wants_packet() {
            return;
        }
        let Some(packet) = self.up.pop_front() else { return };
        let packet = Packet::decode(&packet, Version::V5).unwrap();
        match self.session.handle(packet, Millis(0)).unwrap() {
            Some(Event::Publish { publish, topic, receipt }) => {
                let receipt = receipt.unwrap();
                if topic.name().as_str() == REFUSED {
                    self.session.acknowledge(receipt, ReasonCode::NOT_AUTHORIZED).unwrap();
                } else {
                    let publish = Publish { topic: Some(topic.name()), ..publish };
                    let owned = || Bytes::copy_from_slice(publish.payload);
                    let placement = self.client.attached.publish(&publish, owned, bed.now_ms).unwrap();
                    self.pending.push_back((receipt, placement));
                }
            }
            Some(Event::Delivered { message, .. }) => self.client.attached.finish(&message).unwrap(),
            None => {}
            other => panic!("{other:?}"),
        }
        self.transmit();
    }

    /// What a broker does each turn.
    fn turn(&mut self, bed: &Bed) {
        while let Some((receipt, placement)) = self.pending.front() {
            if !bed.store.is_durable(placement) {
                break;
            }
            self.session.acknowledge(*receipt, ReasonCode::SUCCESS).unwrap();
            self.pending.pop_front();
        }
        while self.session.room(QoS::ExactlyOnce) > 0 {
            match self.client.attached.next(bed.now_ms).unwrap() {
                Next::Delivery(delivery) => {
                    let qos = delivery.qos;
                    self.session.publish(delivery, qos).unwrap();
                    self.transmit();
                }
                Next::Again => {}
                Next::Idle => break,
            }
        }
        self.transmit();
        if self.saved.as_ref().is_some_and(|(placement, _)| bed.store.is_durable(placement)) {
            self.open.extend(self.saved.take().unwrap().1);
        }
        if self.saved.is_none()
            && let Some(waiting) = self.unsaved.take()
        {
            self.saved = Some((self.save(), waiting));
        }
    }

    fn transmit(&mut self) {
        while let Some(change) = self.session.poll_change().unwrap() {
            let told = matches!(
                change,
                Change::Taken { exactly_once: true, .. } | Change::Received { .. } | Change::Released { .. }
            );
            if told {
                self.unsaved.get_or_insert_default();
            }
        }
        while let Some(transmit) = self.session.poll_transmit() {
            let down = match transmit {
                Transmit::Publish { message, delivery, .. } => Down::Publish {
                    payload: String::from_utf8(message.message.payload.to_vec()).unwrap(),
                    packet_id: delivery.packet_id().unwrap(),
                    retain: message.retain,
                },
                Transmit::Control(bytes) => Down::Control(bytes.to_vec()),
            };
            let saved = self.saved.as_mut().map(|(_, waiting)| waiting);
            self.unsaved.as_mut().or(saved).unwrap_or(&mut self.open).push_back(down);
        }
    }

    /// The network connection is gone: the broker waits for what came, or does not.
    fn detach(mut self, bed: &Bed, settles: bool) {
        if settles {
            for (receipt, placement) in std::mem::take(&mut self.pending) {
                bed.store.wait_durable(&placement).unwrap();
                self.session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
            }
        }
        let state = self.session.into_state().unwrap();
        let _ = self.client.attached.detach(&state, self.client.expiry_secs, bed.now_ms).unwrap();
    }
}

/// A broker and its clients.
pub(crate) struct World {
    pub(crate) bed: Bed,
    pub(crate) peers: Vec<Peer>,
    links: Vec<Option<Link>>,
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A client begins an exchange.
    Send(usize),
    /// The broker reads a packet of a client.
    Read(usize),
    /// The broker does what can be done for a client.
    Turn(usize),
    /// A client reads a packet.
    Take(usize),
    /// A lane of the store runs.
    Lane(usize),
    /// The broker saves a session, as it does each second.
    Save(usize),
    Checkpoint,
    /// Retention and compaction.
    Maintain,
    /// The network connection ends, and the broker waits for what came.
    Lose(usize),
    /// The same, and the broker does not wait.
    Hasten(usize),
    /// The broker's task ends without a word.
    Abandon(usize),
}

impl World {
    /// Clients that have subscribed to everything, and have so many messages to publish each.
    pub(crate) fn new(bed: Bed, names: &[&'static str], messages: usize, topics: &[&'static str]) -> Self {
        let mut peers = Vec::new();
        for name in names {
            let mut client = bed.lasting(name);
            client.subscribe("t/#", 2);
            let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
            client.leave();
            let message = |number: usize| (topics[number % topics.len()], format!("{name} {number:04}"));
            peers.push(Peer { name, queue: (0..messages).map(message).collect(), ..Peer::default() });
        }
        bed.run();
        Self::on(bed, peers)
    }

    /// These clients, and a broker that begins.
    pub(crate) fn on(bed: Bed, peers: Vec<Peer>) -> Self {
        let links = peers.iter().map(|_| None).collect();
        Self { bed, peers, links }
    }

    pub(crate) fn lanes(&self) -> usize {
        self.bed.store.lanes().len()
    }

    pub(crate) fn step(&mut self, step: Step) {
        let Self { bed, peers, links } = self;
        match step {
            Step::Lane(lane) => {
                bed.store.lanes()[lane].run(Duration::ZERO).unwrap();
                return;
            }
            Step::Checkpoint => return bed.store.checkpoint().unwrap(),
            Step::Maintain => {
                bed.log.maintain(bed.now_ms).unwrap();
                return;
            }
            _ => {}
        }
        let (Step::Send(at)
        | Step::Read(at)
        | Step::Turn(at)
        | Step::Take(at)
        | Step::Save(at)
        | Step::Lose(at)
        | Step::Hasten(at)
        | Step::Abandon(at)) = step
        else {
            return;
        };
        let (peer, slot) = (&mut peers[at], &mut links[at]);
        match step {
            Step::Lose(_) => return slot.take().into_iter().for_each(|link| link.detach(bed, true)),
            Step::Hasten(_) => return slot.take().into_iter().for_each(|link| link.detach(bed, false)),
            Step::Abandon(_) => return drop(slot.take()),
            _ => {}
        }
        let link = slot.get_or_insert_with(|| Link::new(bed, peer));
        match step {
            Step::Send(_) => link.up.extend(peer.begin()),
            Step::Read(_) => link.read(bed),
            Step::Turn(_) => link.turn(bed),
            Step::Take(_) => {
                if let Some(down) = link.open.pop_front() {
                    link.up.extend(peer.take(down));
                }
            }
            _ => _ = link.save(),
        }
    }

    /// The process dies, and perhaps the power fails: another broker on that disk.
    pub(crate) fn restart(self, disk: headwater_testkit::sim_disk::SimDisk) -> Self {
        let Self { bed, peers, links } = self;
        drop(links);
        let Bed { log, store, options, now_ms, .. } = bed;
        drop((store, log));
        Self::on(Bed::on(disk, options, now_ms), peers)
    }

    /// Nothing more is published.
    pub(crate) fn stop(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.queue.clear());
    }

    /// Goes on until nothing is under way any more.
    pub(crate) fn finish(&mut self) {
        for _ in 0..10_000 {
            for at in 0..self.peers.len() {
                for step in [Step::Send(at), Step::Read(at), Step::Turn(at), Step::Take(at)] {
                    self.step(step);
                }
            }
            self.bed.run();
            let quiet = |link: &Option<Link>| {
                link.as_ref().is_some_and(|link| {
                    link.open.is_empty()
                        && link.up.is_empty()
                        && link.saved.is_none()
                        && link.unsaved.is_none()
                        && link.session.in_flight() == 0
                        && link.client.attached.waiting() == 0
                })
            };
            if self.peers.iter().all(Peer::is_done) && self.links.iter().all(quiet) {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    /// Each message is in the log once and came to each client once, in order.
    pub(crate) fn judge(&self, what: &str) {
        let mut logged = Vec::new();
        for partition in self.bed.store.topics().flat_map(|topic| topic.partitions().collect::<Vec<_>>()) {
            let mut next = partition.start_offset();
            while next < partition.appended_end() {
                let fetched = partition.read_up_to(ReadUpTo::Appended, next, 1 << 20).unwrap();
                let payload = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
                logged.extend(fetched.views().map(|record| payload(record.unwrap().value)));
                next = fetched.next_offset();
            }
        }
        let published = || self.peers.iter().flat_map(|peer| &peer.published);
        let mut expected: Vec<&String> =
            published().filter(|(topic, _)| *topic != REFUSED).map(|(_, payload)| payload).collect();
        expected.sort_unstable();
        assert_once(&expected, &logged, &format!("{what}: the log"));
        for peer in &self.peers {
            assert_eq!(peer.swallowed, Vec::<String>::new(), "{what}: {} has swallowed", peer.name);
            assert_once(&expected, &peer.received, &format!("{what}: {}", peer.name));
        }
        let mut topics: BTreeMap<(&str, &str), Vec<&String>> = BTreeMap::new();
        for peer in &self.peers {
            for (topic, payload) in &peer.published {
                topics.entry((peer.name, topic)).or_default().push(payload);
            }
        }
        for ((publisher, topic), sent) in topics.iter().filter(|((_, topic), _)| *topic != REFUSED) {
            for list in self.peers.iter().map(|peer| &peer.received).chain([&logged]) {
                let came: Vec<&String> = list.iter().filter(|payload| sent.contains(payload)).collect();
                assert_eq!(came, *sent, "{what}: the order of {topic} from {publisher}");
            }
        }
    }

    /// What came to a client with RETAIN, sorted.
    pub(crate) fn retained(&self, at: usize) -> Vec<String> {
        let mut retained = self.peers[at].retained.clone();
        retained.sort_unstable();
        retained
    }
}

fn assert_once(expected: &[&String], found: &[String], what: &str) {
    let mut found: Vec<&String> = found.iter().collect();
    found.sort_unstable();
    let twice: Vec<&String> =
        found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let missing: Vec<&&String> = expected.iter().filter(|one| found.binary_search(one).is_err()).collect();
    assert!(twice.is_empty() && missing.is_empty(), "{what}: twice {twice:?}, missing {missing:?}");
    assert_eq!(found.len(), expected.len(), "{what}: what nobody has published");
}
