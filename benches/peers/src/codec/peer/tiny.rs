//! `mqtt-tiny`: 3.1.1, from and to iterators over bytes.

use std::hint::black_box;

use mqtt_tiny::Packet;
use mqtt_tiny::packets::TryFromIterator;

use super::{batch, look, ours, stopped};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "mqtt-tiny";

/// Decodes. Byte by byte, so the large payload is left out: a whole run would wait for it.
pub fn decode(case: &Case) -> Vec<Contestant> {
    if case.is_v5() || case.vectored {
        return Vec::new();
    }
    let answers: Vec<_> = packets(case).iter().map(answer).collect();
    compare(NAME, case.name, &answers, &case.answers);
    let (bytes, packets) = (case.bytes, case.packets.len());
    vec![Contestant::repeated(NAME, move || {
        let mut rest = black_box(bytes).iter().copied();
        for _ in 0..packets {
            look(&Packet::try_from_iter(&mut rest));
        }
    })]
}

/// Encodes into a `Vec`.
pub fn encode(case: &Case) -> Vec<Contestant> {
    if case.is_v5() || case.vectored {
        return Vec::new();
    }
    let packets = packets(case);
    let mut bytes = Vec::new();
    packets.iter().cloned().for_each(|packet| bytes.extend(packet));
    ours::check_encoded(NAME, case, &bytes);
    let (batch, count) = (batch(case), packets.len());
    let state = (Vec::<Packet>::new(), bytes);
    vec![Contestant::refilled(
        NAME,
        batch,
        state,
        move |(left, _)| {
            left.clear();
            left.extend((0..batch).flat_map(|_| packets.iter().rev().cloned()));
        },
        move |(left, bytes)| {
            bytes.clear();
            for _ in 0..count {
                let Some(packet) = left.pop() else { return stopped() };
                bytes.extend(packet);
            }
            black_box(bytes);
        },
    )]
}

fn packets(case: &Case) -> Vec<Packet> {
    let mut rest = case.bytes.iter().copied();
    case.answers
        .iter()
        .map(|_| match Packet::try_from_iter(&mut rest) {
            Ok(packet) => packet,
            Err(error) => panic!("{NAME}, {}: {error}", case.name),
        })
        .collect()
}

fn answer(packet: &Packet) -> Answer {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or("not UTF-8");
    match packet {
        Packet::Publish(p) => Answer::new("publish")
            .fact("topic", text(p.topic()))
            .fact("QoS", p.qos())
            .maybe("packet identifier", p.packet_id())
            .bytes("payload", Some(p.payload())),
        Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", text(c.client_id()))
            .fact("keep alive", c.keep_alive_secs())
            .fact("clean", c.clean_session())
            .maybe("user name", c.username().map(text))
            .bytes("password", c.password())
            .maybe("will topic", c.will_topic().map(text))
            .maybe("will QoS", c.will_topic().map(|_| c.will_qos()))
            .bytes("will payload", c.will_message()),
        Packet::Subscribe(s) => Answer::new("subscribe")
            .fact("packet identifier", s.packet_id())
            .filters(s.topics_qos().iter().map(|(filter, qos)| (text(filter), *qos))),
        Packet::Puback(ack) => Answer::new("puback").fact("packet identifier", ack.packet_id()),
        other => panic!("no case has a {other:?}"),
    }
}
