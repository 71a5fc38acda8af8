//! The limit, entered as if it were a crate.

use std::hint::black_box;
use std::io::IoSlice;

use headwater_codec::Packet as Ours;

use super::{look_in, ours, stopped};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::codec::limit::decode::{Packet, each_filter, each_property, packet};
use crate::codec::limit::encode::{self, Message};
use crate::codec::limit::property::Property;
use crate::timing::Contestant;

/// Leaves properties and filters where they are.
pub const NAME: &str = "LIMIT";
/// Iterates over all properties and filters.
pub const ITERATED: &str = "LIMIT, iterated";

/// Decodes, with and without iterating.
pub fn decode(case: &Case) -> Vec<Contestant> {
    let mut answers = Vec::new();
    let mut rest = case.bytes;
    while let Some((packet, size)) = packet(rest, case.is_v5()) {
        answers.push(answer(&packet));
        rest = rest.split_at(size).1;
    }
    compare(NAME, case.name, &answers, &case.answers);
    let mut all = vec![decoding(NAME, case, |_| {})];
    if case.lists {
        all.push(decoding(ITERATED, case, iterate));
    }
    all
}

fn decoding(name: &'static str, case: &Case, also: impl Fn(&Packet<'_>) + 'static) -> Contestant {
    let (bytes, v5) = (case.bytes, case.is_v5());
    if case.packets.len() == 1 {
        return Contestant::repeated(name, move || {
            let decoded = packet(black_box(bytes), black_box(v5));
            match &decoded {
                Some((packet, size)) => {
                    black_box((packet, size));
                    also(packet);
                }
                None => stopped(),
            }
        });
    }
    Contestant::repeated(name, move || {
        let mut rest = black_box(bytes);
        while let Some((packet, size)) = &packet(rest, black_box(v5)) {
            black_box(packet);
            also(packet);
            rest = rest.split_at(*size).1;
        }
    })
}

fn iterate(packet: &Packet<'_>) {
    match packet {
        Packet::Publish(publish) => each(publish.properties),
        Packet::Connect(connect) => {
            each(connect.properties);
            if let Some(will) = &connect.will {
                each(will.properties);
            }
        }
        Packet::Subscribe(subscribe) => {
            each(subscribe.properties);
            for filter in each_filter(subscribe.filters) {
                black_box(&filter);
            }
        }
        Packet::PubAck(_) => {}
    }
}

fn each(properties: &[u8]) {
    for property in each_property(properties) {
        black_box(&property);
    }
}

/// Encodes into a slice.
pub fn encode(case: &Case) -> Vec<Contestant> {
    let packets = packets(case);
    let mut room = vec![0; 2 * case.bytes.len() + 64];
    let size = pass(&packets, &mut room);
    ours::check_encoded(NAME, case, room.get(..size).unwrap_or_default());
    vec![Contestant::repeated(NAME, move || {
        black_box(pass(black_box(&packets), &mut room));
        black_box(&room);
    })]
}

fn pass(packets: &[encode::Packet], room: &mut [u8]) -> usize {
    let mut at = 0;
    for packet in packets {
        match room.get_mut(at..).and_then(|rest| encode::packet(packet, rest)) {
            Some(size) => at += size,
            None => stopped(),
        }
    }
    at
}

/// Encodes all but the payload.
pub fn vectored(case: &Case) -> Option<Contestant> {
    let Some(encode::Packet::Publish(message)) = packets(case).into_iter().next() else { return None };
    let mut room = [0; 128];
    let size = encode::head(&message, &mut room).unwrap_or_default();
    ours::check_encoded(NAME, case, &[room.get(..size).unwrap_or_default(), message.payload].concat());
    Some(Contestant::repeated(NAME, move || {
        let message = black_box(&message);
        let size = encode::head(message, &mut room);
        look_in(&Ok::<_, ()>(size));
        let head = room.get(..size.unwrap_or_default()).unwrap_or_default();
        black_box(&[IoSlice::new(head), IoSlice::new(message.payload)]);
    }))
}

/// The packets of a case as the limit takes them.
fn packets(case: &Case) -> Vec<encode::Packet> {
    let v5 = case.is_v5();
    let each = case.packets.iter().filter_map(|packet| match packet {
        Ours::Publish(p) => Some(encode::Packet::Publish(Message {
            flags: p.qos().as_u8() << 1,
            topic: p.topic?.as_str(),
            packet_id: p.packet_id().map_or(0, |id| id.get()),
            properties: v5.then(|| p.properties.iter().filter_map(property).collect()),
            payload: p.payload,
        })),
        Ours::PubAck(ack) => Some(encode::Packet::PubAck(ack.packet_id.get())),
        _ => None,
    });
    each.collect()
}

fn property(property: headwater_codec::Property<'static>) -> Option<Property<'static>> {
    use headwater_codec::Property as P;
    Some(match property {
        P::MessageExpiryInterval(secs) => Property::Four(0x02, secs),
        P::ContentType(text) => Property::Bytes(0x03, text.as_bytes()),
        P::CorrelationData(data) => Property::Bytes(0x09, data),
        P::UserProperty(name, value) => Property::Pair(name.as_bytes(), value.as_bytes()),
        _ => return None,
    })
}

fn answer(packet: &Packet<'_>) -> Answer {
    let id = |id: u16| Some(id).filter(|id| *id != 0);
    match packet {
        Packet::Publish(p) => properties(
            Answer::new("publish")
                .fact("topic", p.topic)
                .fact("QoS", p.flags >> 1 & 3)
                .maybe("packet identifier", id(p.packet_id))
                .bytes("payload", Some(p.payload)),
            p.properties,
        ),
        Packet::Connect(c) => properties(
            Answer::new("connect")
                .fact("client identifier", c.client_id)
                .fact("keep alive", c.keep_alive_secs)
                .fact("clean", c.clean)
                .maybe("user name", c.user_name)
                .bytes("password", c.password)
                .maybe("will topic", c.will.map(|will| will.topic))
                .maybe("will QoS", c.will.map(|will| will.qos))
                .bytes("will payload", c.will.map(|will| will.payload)),
            c.properties,
        ),
        Packet::Subscribe(s) => {
            let answer = Answer::new("subscribe").fact("packet identifier", s.packet_id);
            properties(answer.filters(each_filter(s.filters)), s.properties)
        }
        Packet::PubAck(packet_id) => Answer::new("puback").fact("packet identifier", packet_id),
    }
}

fn properties(answer: Answer, bytes: &[u8]) -> Answer {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or("not UTF-8");
    each_property(bytes).fold(answer, |answer, property| match property {
        Property::Four(0x02, secs) => answer.fact("message expiry interval", secs),
        Property::Four(0x11, secs) => answer.fact("session expiry interval", secs),
        Property::Four(0x27, size) => answer.fact("maximum packet size", size),
        Property::Two(0x21, packets) => answer.fact("receive maximum", packets),
        Property::Two(0x22, aliases) => answer.fact("topic alias maximum", aliases),
        Property::Bytes(0x03, bytes) => answer.fact("content type", text(bytes)),
        Property::Bytes(0x09, bytes) => answer.bytes("correlation data", Some(bytes)),
        Property::Pair(name, value) => answer.user([(text(name), text(value))]),
        other => panic!("no case has a property {other:?}"),
    })
}
