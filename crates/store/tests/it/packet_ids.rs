//! Packet identifiers over crashes: one that the client holds is never taken for another message, for the client would drop that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headwater_codec::{
    ConnAck, Connect, Delivery as Sending, Packet, PacketId, PubComp, PubRec, QoS, Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Millis, State, Transmit};
use headwater_store::{Delivery, Next};

use crate::bed::{Bed, Client, options};

const RUNS: u64 = 60;
const STEPS: usize = 400;

/// A client that is always the same, and its connection.
struct Link {
    client: Client,
    session: Session<Delivery>,
}

/// What the client remembers, whatever becomes of the server.
#[derive(Default)]
struct Peer {
    /// QoS 2 identifiers that wait for PUBREL, and the message that came under each.
    held: BTreeMap<PacketId, String>,
    received: BTreeSet<String>,
    /// Messages that it took for ones that it has.
    swallowed: Vec<String>,
    answers: VecDeque<Answer>,
}

enum Answer {
    PubRec(PacketId),
    PubComp(PacketId),
}

impl Link {
    fn new(bed: &Bed) -> Self {
        let mut client = bed.lasting("c");
        bed.run();
        assert!(bed.store.is_durable(&client.placement), "before CONNACK");
        let mut session = Session::new(Config { window: 5, ..Config::default() }, Millis(0));
        let mut connect = Connect::new(Version::V3_1_1, "c");
        connect.clean_start = false;
        let Some(Event::Connect(_)) = session.handle(Packet::Connect(connect), Millis(0)).unwrap() else {
            panic!("asks to be let in")
        };
        session.accept(client.resumed.take(), &Accept::default(), Millis(0)).unwrap();
        Self { client, session }
    }

    fn save(&self) {
        let _ = self.client.attached.save(&self.session.state(), self.client.expiry_secs).unwrap();
    }

    /// As a broker does it: what is for the client goes out as far as it may.
    fn deliver(&mut self, peer: &mut Peer) {
        if self.client.attached.reserve_packet_ids(&mut self.session) {
            self.save();
        }
        while self.session.room(QoS::ExactlyOnce) > 0 {
            match self.client.attached.next(0).unwrap() {
                Next::Delivery(delivery) => {
                    let qos = delivery.qos;
                    self.session.publish(delivery, qos).unwrap();
                }
                Next::Again => {}
                Next::Idle => break,
            }
        }
        while let Some(transmit) = self.session.poll_transmit() {
            match transmit {
                Transmit::Publish { message, delivery, .. } => peer.publish(message, delivery),
                // CONNACK or PUBREL: four bytes each.
                Transmit::Control(bytes) => bytes.chunks(4).for_each(|packet| peer.control(packet)),
            }
        }
    }

    fn answer(&mut self, peer: &mut Peer) {
        let packet = match peer.answers.pop_front() {
            Some(Answer::PubRec(id)) => Packet::PubRec(PubRec::new(id)),
            Some(Answer::PubComp(id)) => Packet::PubComp(PubComp::new(id)),
            None => return,
        };
        self.session.handle(packet, Millis(0)).unwrap();
    }
}

impl Peer {
    fn publish(&mut self, delivery: &Delivery, sending: Sending) {
        let payload = String::from_utf8(delivery.message.payload.to_vec()).unwrap();
        let id = sending.packet_id().unwrap();
        match self.held.get(&id) {
            Some(same) if *same == payload => {}
            Some(_) => self.swallowed.push(payload),
            None => {
                self.received.insert(payload.clone());
                self.held.insert(id, payload);
            }
        }
        self.answers.push_back(Answer::PubRec(id));
    }

    fn control(&mut self, packet: &[u8]) {
        match Packet::decode(packet, Version::V3_1_1).unwrap() {
            Packet::PubRel(pubrel) => {
                self.held.remove(&pubrel.packet_id);
                self.answers.push_back(Answer::PubComp(pubrel.packet_id));
            }
            Packet::ConnAck(ConnAck { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_message_is_swallowed_because_its_identifier_was_used_before_a_crash() {
    let mut crashes = 0;
    for seed in 0..RUNS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bed = Bed::with(options().inbox_max(rng.usize(1..10)));
        let mut peer = Peer::default();
        let mut link = Link::new(&bed);
        link.client.subscribe("t/#", 2);
        link.save();
        bed.run();
        let mut safe = BTreeSet::new();
        let mut open = Vec::new();
        for number in 0..STEPS {
            match rng.u32(0..100) {
                0..35 => {
                    let topic = format!("t/{}", rng.u32(0..6));
                    open.push((number.to_string(), bed.publish(&topic, &number.to_string(), 2)));
                }
                35..50 => {
                    bed.run();
                    safe.extend(open.drain(..).map(|(payload, _)| payload));
                }
                50..70 => link.deliver(&mut peer),
                70..95 => link.answer(&mut peer),
                95..98 => link.save(),
                _ => {
                    let kept = open.into_iter().filter(|(_, placement)| bed.store.is_durable(placement));
                    safe.extend(kept.map(|(payload, _)| payload));
                    open = Vec::new();
                    drop(link);
                    bed = bed.crash(rng.u64(..));
                    peer.answers.clear();
                    link = Link::new(&bed);
                    crashes += 1;
                }
            }
        }
        bed.run();
        for _ in 0..3 * STEPS {
            link.deliver(&mut peer);
            link.answer(&mut peer);
        }
        assert_eq!(peer.swallowed, Vec::<String>::new(), "seed {seed}");
        let missing: Vec<_> = safe.difference(&peer.received).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}");
    }
    assert!(crashes > RUNS, "more than one a run on average, not {crashes}");
}

#[test]
fn identifiers_cost_one_record_for_thousands_of_messages_and_wait_until_that_is_durable() {
    let bed = Bed::new();
    let mut link = Link::new(&bed);
    let mut records = 0;
    let mut used = 0;
    let in_flight = State::default();
    let message = delivery(&bed);
    for _ in 0..10 {
        if link.client.attached.reserve_packet_ids(&mut link.session) {
            records += 1;
            let mut state = in_flight.clone();
            state.last_packet_id = link.session.last_packet_id();
            let _ = link.client.attached.save(&state, link.client.expiry_secs).unwrap();
            assert!(link.client.attached.reserving().is_some());
            assert!(!link.client.attached.reserve_packet_ids(&mut link.session), "one is under way");
        }
        while link.session.room(QoS::AtLeastOnce) > 0 {
            let id = link.session.publish(message.clone(), QoS::AtLeastOnce).unwrap().unwrap();
            link.session.discard(id).unwrap();
            while link.session.poll_transmit().is_some() {}
            used += 1;
        }
        bed.run();
        assert!(link.client.attached.reserving().is_none_or(|saved| bed.store.is_durable(&saved)));
    }
    assert!(records < 10, "{records}");
    assert!(used >= 4_096 * (records - 1), "{used} identifiers for {records} records");
}

#[test]
fn what_was_reserved_when_the_process_ended_is_avoided_as_long_as_the_session_lasts() {
    let bed = Bed::new();
    let link = Link::new(&bed);
    drop(link);
    let bed = bed.crash(1);
    let client = bed.lasting("c");
    let resumed = client.resumed.unwrap();
    let range = (PacketId::MIN, PacketId::new(4_096).unwrap());
    assert_eq!(resumed.avoided_packet_ids, [range]);
    assert_eq!(resumed.last_packet_id, Some(range.1));
    let _ = client.attached.detach(&resumed, client.expiry_secs, bed.now_ms).unwrap();
    let bed = bed.reopen();
    let resumed = bed.lasting("c").resumed.unwrap();
    assert_eq!(
        (resumed.avoided_packet_ids, resumed.last_packet_id),
        (vec![range], Some(range.1)),
        "a clean end"
    );
}

/// Any message.
fn delivery(bed: &Bed) -> Delivery {
    bed.retain("any", "", 1);
    bed.retain("any", "x", 1);
    let mut reader = bed.attach("reader", true, 0);
    reader.subscribe("any", 1);
    let delivery = reader.next().unwrap();
    drop(reader);
    delivery
}
