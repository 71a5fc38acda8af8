//! Clients that publish and subscribe with QoS 2 while the broker is killed: everything comes once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headwater::codec::{
    Connect, Delivery, Frame, FrameReader, Limits, Packet, PacketId, Properties, Property, PubComp, PubRec,
    PubRel, Publish, QoS, Version,
};
use headwater::topic::TopicName;

use crate::program::{Broker, replay};
use crate::raw::Raw;

const KILLS: usize = 10;
const CLIENTS: usize = 2;
/// Topics of each client.
const TOPICS: usize = 3;
/// Exchanges that a client has under way.
const UNDER_WAY: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that remembers everything, and gives out the lowest identifier that is free.
struct Peer {
    name: String,
    address: SocketAddr,
    connection: Option<(TcpStream, FrameReader)>,
    /// Identifier, topic, payload and whether PUBREC came, in the order of sending.
    sending: Vec<(PacketId, String, String, bool)>,
    held: BTreeMap<PacketId, String>,
    received: Vec<String>,
    published: Vec<String>,
    /// The last message to each topic was sent.
    has_ended: bool,
    progress: Arc<AtomicUsize>,
    deadline: Instant,
}

impl Peer {
    fn new(broker: &Broker, number: usize, progress: &Arc<AtomicUsize>) -> Self {
        let name = format!("client-{number}");
        Raw::connect(broker, Version::V5, &name, 3_600).subscribe("t/#", QoS::ExactlyOnce);
        Self {
            name,
            address: broker.address,
            connection: None,
            sending: Vec::new(),
            held: BTreeMap::new(),
            received: Vec::new(),
            published: Vec::new(),
            has_ended: false,
            progress: Arc::clone(progress),
            deadline: Instant::now() + PATIENCE,
        }
    }

    /// Publishes until it is told to stop; ends when the last message to each topic of each client came.
    fn run(mut self, stop: &AtomicBool) -> Self {
        let mut number = 0;
        loop {
            assert!(
                Instant::now() < self.deadline,
                "{} does not come to an end: {:?}",
                self.name,
                self.sending
            );
            if self.connection.is_none() && !self.connect() {
                continue;
            }
            if stop.load(Ordering::Relaxed) && !self.has_ended {
                self.has_ended = true;
                (0..TOPICS).for_each(|topic| self.publish(topic, "end"));
            }
            while !self.has_ended && self.sending.len() < UNDER_WAY {
                self.publish(number % TOPICS, &number.to_string());
                number += 1;
            }
            let ends = self.received.iter().filter(|payload| payload.ends_with("end"));
            if ends.count() >= CLIENTS * TOPICS && self.sending.is_empty() && self.held.is_empty() {
                return self;
            }
            if let Some(frame) = self.read() {
                self.handle(&frame);
            }
        }
    }

    fn connect(&mut self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address) else {
            // It is being started.
            std::thread::sleep(Duration::from_millis(5));
            return false;
        };
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        self.connection = Some((stream, FrameReader::new(Limits::PROTOCOL)));
        let name = self.name.clone();
        let mut connect = Connect::new(Version::V5, &name);
        connect.clean_start = false;
        let properties = [Property::SessionExpiryInterval(3_600)];
        connect.properties = Properties::from(&properties[..]);
        self.send(&Packet::Connect(connect));
        let frame = loop {
            match self.read() {
                Some(frame) => break frame,
                None if self.connection.is_none() => return false,
                None => assert!(Instant::now() < self.deadline, "no CONNACK"),
            }
        };
        let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
        assert!(!connack.reason.is_error() && connack.session_present, "{connack:?}");
        // [MQTT-4.4.0-1]
        for (packet_id, topic, payload, received) in self.sending.clone() {
            if received {
                self.send(&Packet::PubRel(PubRel::new(packet_id)));
            } else {
                self.send_publish(packet_id, &topic, &payload, true);
            }
        }
        true
    }

    fn publish(&mut self, topic: usize, payload: &str) {
        let used: BTreeSet<PacketId> = self.sending.iter().map(|one| one.0).collect();
        let packet_id = (1..).map(|id| PacketId::new(id).unwrap()).find(|id| !used.contains(id)).unwrap();
        let (topic, payload) =
            (format!("t/{}/{topic}", self.name), format!("{} {topic} {payload}", self.name));
        self.published.push(payload.clone());
        self.sending.push((packet_id, topic.clone(), payload.clone(), false));
        self.send_publish(packet_id, &topic, &payload, false);
    }

    fn send_publish(&mut self, packet_id: PacketId, topic: &str, payload: &str, dup: bool) {
        let delivery = Delivery::ExactlyOnce { packet_id, dup };
        let publish =
            Publish::new(TopicName::parse(topic).unwrap(), payload.as_bytes()).with_delivery(delivery);
        self.send(&Packet::Publish(publish));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let Some((stream, _)) = &mut self.connection else { return };
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes).unwrap();
        if stream.write_all(&bytes).is_err() {
            self.connection = None;
        }
    }

    /// The next packet; `None` if none came for a while or the broker is gone.
    fn read(&mut self) -> Option<Frame> {
        let (stream, frames) = self.connection.as_mut()?;
        if let Some(frame) = frames.next_frame().unwrap() {
            return Some(frame);
        }
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => frames.extend(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => return None,
            _ => {
                self.connection = None;
                return None;
            }
        }
        frames.next_frame().unwrap()
    }

    fn handle(&mut self, frame: &Frame) {
        let place =
            |sending: &[(PacketId, String, String, bool)], id| sending.iter().position(|one| one.0 == id);
        match frame.packet(Version::V5).unwrap() {
            Packet::Publish(publish) => {
                let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                let packet_id = publish.packet_id().expect("QoS 2");
                match self.held.get(&packet_id) {
                    Some(same) => {
                        assert_eq!(*same, payload, "{}: its identifier is held for another", self.name)
                    }
                    None => {
                        self.received.push(payload.clone());
                        self.held.insert(packet_id, payload);
                    }
                }
                self.send(&Packet::PubRec(PubRec::new(packet_id)));
            }
            Packet::PubRel(pubrel) => {
                self.held.remove(&pubrel.packet_id);
                self.send(&Packet::PubComp(PubComp::new(pubrel.packet_id)));
            }
            Packet::PubRec(pubrec) => {
                assert!(!pubrec.reason.is_error(), "{pubrec:?}");
                let at = place(&self.sending, pubrec.packet_id).expect("in use");
                let mut one = self.sending.remove(at);
                one.3 = true;
                self.sending.push(one);
                self.send(&Packet::PubRel(PubRel::new(pubrec.packet_id)));
            }
            Packet::PubComp(pubcomp) => {
                let at = place(&self.sending, pubcomp.packet_id).expect("in use");
                self.sending.remove(at);
                self.progress.fetch_add(1, Ordering::Relaxed);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Kills the broker while the clients are at it; gives them back when all has come.
fn histories(broker: &mut Broker) -> Vec<Peer> {
    let mut rng = fastrand::Rng::with_seed(2);
    let progress = Arc::new(AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    let peers: Vec<Peer> = (0..CLIENTS).map(|number| Peer::new(broker, number, &progress)).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = peers.into_iter().map(|peer| scope.spawn(|| peer.run(&stop))).collect();
        for _ in 0..KILLS {
            let goal = progress.load(Ordering::Relaxed) + rng.usize(20..80);
            while progress.load(Ordering::Relaxed) < goal && running.iter().all(|peer| !peer.is_finished()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            broker.kill();
            broker.restart();
        }
        stop.store(true, Ordering::Relaxed);
        running.into_iter().map(|peer| peer.join().unwrap()).collect()
    })
}

fn assert_once(mut expected: Vec<String>, mut found: Vec<String>, what: &str) {
    expected.sort();
    found.sort();
    let twice: Vec<&String> =
        found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    let missing: Vec<&String> = expected.iter().filter(|one| found.binary_search(one).is_err()).collect();
    assert!(twice.is_empty() && missing.is_empty(), "{what}: twice {twice:?}, missing {missing:?}");
    assert_eq!(found, expected, "{what}");
}

fn logged(folder: &Path) -> Vec<String> {
    replay(folder, &[]).iter().map(|record| record["value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn qos_2_is_in_the_log_once_and_comes_once_though_the_broker_is_killed_ten_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let peers = histories(&mut broker);
    let published: Vec<String> = peers.iter().flat_map(|peer| peer.published.clone()).collect();
    assert!(published.len() > KILLS * 20);
    assert_once(published.clone(), logged(folder.path()), "the log");
    for peer in peers {
        assert_once(published.clone(), peer.received, &peer.name);
    }
}

fn lasting(broker: &Broker) -> Raw {
    Raw::connect(broker, Version::V5, "c", 3_600)
}

fn publish(id: u16, payload: &str, dup: bool, client: &mut Raw) {
    let delivery = Delivery::ExactlyOnce { packet_id: PacketId::new(id).unwrap(), dup };
    let publish = Publish::new(TopicName::parse("t/x").unwrap(), payload.as_bytes()).with_delivery(delivery);
    client.send(&Packet::Publish(publish));
}

/// What comes next: the letter of its kind, its identifier, and of a PUBLISH whether it has DUP.
fn next(client: &mut Raw) -> (char, u16, bool) {
    let frame = client.read().expect("a packet");
    match frame.packet(Version::V5).unwrap() {
        Packet::Publish(publish) => ('P', publish.packet_id().unwrap().get(), publish.delivery.dup()),
        Packet::PubRec(pubrec) => ('C', pubrec.packet_id.get(), pubrec.reason.is_error()),
        Packet::PubRel(pubrel) => ('L', pubrel.packet_id.get(), pubrel.reason.is_error()),
        Packet::PubComp(pubcomp) => ('M', pubcomp.packet_id.get(), pubcomp.reason.is_error()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_that_is_sent_again_after_a_kill_is_in_the_log_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    let mut client = lasting(&broker);
    publish(7, "first", false, &mut client);
    assert_eq!(next(&mut client), ('C', 7, false));
    broker.kill();
    broker.restart();
    let mut client = lasting(&broker);
    publish(7, "first", true, &mut client);
    assert_eq!(next(&mut client), ('C', 7, false));
    assert_eq!(logged(folder.path()), ["first"]);
}

#[test]
fn an_identifier_that_was_released_before_a_kill_names_a_new_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    for payload in ["first", "second"] {
        let mut client = lasting(&broker);
        publish(7, payload, false, &mut client);
        assert_eq!(next(&mut client), ('C', 7, false));
        client.send(&Packet::PubRel(PubRel::new(PacketId::new(7).unwrap())));
        assert_eq!(next(&mut client), ('M', 7, false));
        broker.kill();
        broker.restart();
    }
    assert_eq!(logged(folder.path()), ["first", "second"]);
}

#[test]
fn what_was_sent_before_a_kill_is_sent_again_under_its_identifier_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    lasting(&broker).subscribe("t/#", QoS::ExactlyOnce);
    let mut client = lasting(&broker);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish_at("t/1", b"x", QoS::ExactlyOnce);
    let (kind, id, dup) = next(&mut client);
    assert_eq!((kind, dup), ('P', false));
    broker.kill();
    broker.restart();
    let mut client = lasting(&broker);
    assert_eq!(next(&mut client), ('P', id, true));
    client.send(&Packet::PubRec(PubRec::new(PacketId::new(id).unwrap())));
    assert_eq!(next(&mut client), ('L', id, false));
    broker.kill();
    broker.restart();
    let mut client = lasting(&broker);
    assert_eq!(next(&mut client), ('L', id, false), "and no PUBLISH");
    client.send(&Packet::PubComp(PubComp::new(PacketId::new(id).unwrap())));
    // Nothing but what is new comes behind it.
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    publisher.publish_at("t/1", b"y", QoS::ExactlyOnce);
    let (kind, _, dup) = next(&mut client);
    assert_eq!((kind, dup), ('P', false));
}
