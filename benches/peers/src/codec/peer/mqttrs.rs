//! `mqttrs`: 3.1.1, borrows from a slice; its SUBSCRIBE copies. It does not say how much of the slice it read.

use std::hint::black_box;

use mqttrs::{Packet, decode_slice, encode_slice};

use super::{look, look_in, ours, reading_frames, stopped};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "mqttrs";

/// Decodes.
pub fn decode(case: &Case) -> Vec<Contestant> {
    if case.is_v5() {
        return Vec::new();
    }
    let answers: Vec<_> = packets(case).iter().map(answer).collect();
    compare(NAME, case.name, &answers, &case.answers);
    vec![reading_frames(NAME, case, |bytes| look_in(&decode_slice(bytes)))]
}

/// Encodes into a slice.
pub fn encode(case: &Case) -> Vec<Contestant> {
    if case.is_v5() {
        return Vec::new();
    }
    let packets = packets(case);
    let mut room = vec![0; 2 * case.bytes.len() + 64];
    let size = pass(&packets, &mut room);
    ours::check_encoded(NAME, case, room.get(..size).unwrap_or_default());
    vec![Contestant::repeated(NAME, move || {
        black_box(pass(black_box(&packets), &mut room));
        black_box(&room);
    })]
}

fn pass(packets: &[Packet<'_>], room: &mut [u8]) -> usize {
    let mut at = 0;
    for packet in packets {
        let Some(rest) = room.get_mut(at..) else { return at };
        let size = encode_slice(packet, rest);
        look(&size);
        at += size.unwrap_or_default();
    }
    at
}

fn packets(case: &Case) -> Vec<Packet<'static>> {
    let mut rest = case.bytes;
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let (packet, after) = rest.split_at(super::frame_len(rest));
        match decode_slice(packet) {
            Ok(Some(packet)) => packets.push(packet),
            _ => stopped(),
        }
        rest = after;
    }
    packets
}

fn answer(packet: &Packet<'_>) -> Answer {
    match packet {
        Packet::Publish(p) => Answer::new("publish")
            .fact("topic", p.topic_name)
            .fact("QoS", p.qospid.qos() as u8)
            .maybe("packet identifier", p.qospid.pid().map(|pid| pid.get()))
            .bytes("payload", Some(p.payload)),
        Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", c.client_id)
            .fact("keep alive", c.keep_alive)
            .fact("clean", c.clean_session)
            .maybe("user name", c.username)
            .bytes("password", c.password)
            .maybe("will topic", c.last_will.as_ref().map(|will| will.topic))
            .maybe("will QoS", c.last_will.as_ref().map(|will| will.qos as u8))
            .bytes("will payload", c.last_will.as_ref().map(|will| will.message)),
        Packet::Subscribe(s) => Answer::new("subscribe")
            .fact("packet identifier", s.pid.get())
            .filters(s.topics.iter().map(|topic| (topic.topic_path.as_str(), topic.qos as u8))),
        Packet::Puback(pid) => Answer::new("puback").fact("packet identifier", pid.get()),
        other => panic!("no case has a {other:?}"),
    }
}
