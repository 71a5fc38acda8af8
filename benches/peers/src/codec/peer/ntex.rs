//! `ntex-mqtt`: its codecs of 3.1.1 and of 5.0, over a `BytesMut` of its own. The payload of an encoded message is appended as a page
//! and never copied.

use ntex_bytes::{BytePages, ByteString, Bytes, BytesMut};
use ntex_codec::{Decoder, Encoder};
use ntex_mqtt::v3::codec as v3;
use ntex_mqtt::v5::codec as v5;

use super::{batch, look, look_in, ours, stopped};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "ntex-mqtt";

/// Decodes.
pub fn decode(case: &Case) -> Vec<Contestant> {
    let answers: Vec<_> = if case.is_v5() {
        packets(case, &v5::Codec::new()).iter().map(answer_v5).collect()
    } else {
        packets(case, &v3::Codec::new()).iter().map(answer_v3).collect()
    };
    compare(NAME, case.name, &answers, &case.answers);
    if case.is_v5() { vec![decoding(case, v5::Codec::new())] } else { vec![decoding(case, v3::Codec::new())] }
}

/// As [`super::taking_frames`], over the other `BytesMut`.
fn decoding<C: Decoder + 'static>(case: &Case, codec: C) -> Contestant {
    let (packets, batch) = (case.packets.len(), batch(case));
    let all = case.bytes.repeat(batch + 1);
    Contestant::refilled(
        NAME,
        batch,
        BytesMut::with_capacity(all.len()),
        move |buffer| {
            buffer.clear();
            buffer.extend_from_slice(&all);
        },
        move |buffer| {
            for _ in 0..packets {
                look_in(&codec.decode(buffer));
            }
        },
    )
}

/// Encodes into pages, which are emptied when the clock does not run.
pub fn encode(case: &Case) -> Vec<Contestant> {
    let one = if case.is_v5() {
        let packets: Vec<_> = packets(case, &v5::Codec::new()).into_iter().map(to_encode_v5).collect();
        encoding(case, packets, v5::Codec::new())
    } else {
        let packets: Vec<_> = packets(case, &v3::Codec::new()).into_iter().map(to_encode_v3).collect();
        encoding(case, packets, v3::Codec::new())
    };
    vec![one]
}

fn encoding<C: Encoder + 'static>(case: &Case, packets: Vec<Packet<C::Item>>, codec: C) -> Contestant {
    let mut pages = BytePages::default();
    packets.iter().for_each(|make| look(&codec.encodev(make(), &mut pages)));
    ours::check_encoded(NAME, case, &pages.freeze());
    let (batch, count) = (batch(case), packets.len());
    Contestant::refilled(
        NAME,
        batch,
        (Vec::new(), BytePages::default()),
        move |(left, pages): &mut (Vec<C::Item>, BytePages)| {
            pages.clear();
            left.clear();
            left.extend((0..batch).flat_map(|_| packets.iter().rev().map(|make| make())));
        },
        move |(left, pages)| {
            for _ in 0..count {
                let Some(packet) = left.pop() else { return stopped() };
                look(&codec.encodev(packet, pages));
            }
        },
    )
}

/// What is to be encoded cannot be cloned, so it is made anew each time, before the clock runs.
type Packet<P> = Box<dyn Fn() -> P>;

fn to_encode_v3(packet: v3::Decoded) -> Packet<v3::Encoded> {
    Box::new(move || match packet.clone() {
        v3::Decoded::Packet(packet, _) => v3::Encoded::Packet(packet),
        v3::Decoded::Publish(publish, payload, _) => v3::Encoded::Publish(publish, Some(payload)),
        v3::Decoded::PayloadChunk(chunk, _) => v3::Encoded::PayloadChunk(chunk),
    })
}

fn to_encode_v5(packet: v5::Decoded) -> Packet<v5::Encoded> {
    Box::new(move || match packet.clone() {
        v5::Decoded::Packet(packet, _) => v5::Encoded::Packet(packet),
        v5::Decoded::Publish(publish, payload, _) => v5::Encoded::Publish(publish, Some(payload)),
        v5::Decoded::PayloadChunk(chunk, _) => v5::Encoded::PayloadChunk(chunk),
    })
}

fn packets<C: Decoder>(case: &Case, codec: &C) -> Vec<C::Item> {
    let mut buffer = BytesMut::copy_from_slice(case.bytes);
    let mut packets = Vec::new();
    while !buffer.is_empty() {
        match codec.decode(&mut buffer) {
            Ok(Some(packet)) => packets.push(packet),
            _ => stopped(),
        }
    }
    packets
}

fn answer_v3(packet: &v3::Decoded) -> Answer {
    let packet = match packet {
        v3::Decoded::Publish(p, payload, _) => {
            return Answer::new("publish")
                .fact("topic", &p.topic)
                .fact("QoS", u8::from(p.qos))
                .maybe("packet identifier", p.packet_id)
                .bytes("payload", Some(payload));
        }
        v3::Decoded::Packet(packet, _) => packet,
        v3::Decoded::PayloadChunk(..) => panic!("every payload was there"),
    };
    match packet {
        v3::Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", &c.client_id)
            .fact("keep alive", c.keep_alive)
            .fact("clean", c.clean_session)
            .maybe("user name", c.username.as_ref())
            .bytes("password", c.password.as_ref().map(Bytes::as_ref))
            .maybe("will topic", c.last_will.as_ref().map(|will| &will.topic))
            .maybe("will QoS", c.last_will.as_ref().map(|will| u8::from(will.qos)))
            .bytes("will payload", c.last_will.as_ref().map(|will| will.message.as_ref())),
        v3::Packet::Subscribe { packet_id, topic_filters } => Answer::new("subscribe")
            .fact("packet identifier", packet_id)
            .filters(topic_filters.iter().map(|(filter, qos)| (&**filter, u8::from(*qos)))),
        v3::Packet::PublishAck { packet_id } => Answer::new("puback").fact("packet identifier", packet_id),
        other => panic!("no case has a {other:?}"),
    }
}

fn answer_v5(packet: &v5::Decoded) -> Answer {
    let packet = match packet {
        v5::Decoded::Publish(p, payload, _) => {
            return Answer::new("publish")
                .fact("topic", &p.topic)
                .fact("QoS", u8::from(p.qos))
                .maybe("packet identifier", p.packet_id)
                .bytes("payload", Some(payload))
                .maybe("message expiry interval", p.properties.message_expiry_interval)
                .maybe("content type", p.properties.content_type.as_ref())
                .bytes("correlation data", p.properties.correlation_data.as_ref().map(Bytes::as_ref))
                .user(pairs(&p.properties.user_properties));
        }
        v5::Decoded::Packet(packet, _) => packet,
        v5::Decoded::PayloadChunk(..) => panic!("every payload was there"),
    };
    match packet {
        v5::Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", &c.client_id)
            .fact("keep alive", c.keep_alive)
            .fact("clean", c.clean_start)
            .maybe("user name", c.username.as_ref())
            .bytes("password", c.password.as_ref().map(Bytes::as_ref))
            .maybe("will topic", c.last_will.as_ref().map(|will| &will.topic))
            .fact("session expiry interval", c.session_expiry_interval_secs)
            .maybe("receive maximum", c.receive_max)
            .maybe("maximum packet size", c.max_packet_size)
            .fact("topic alias maximum", c.topic_alias_max)
            .user(pairs(&c.user_properties)),
        v5::Packet::Subscribe(s) => Answer::new("subscribe")
            .fact("packet identifier", s.packet_id)
            .filters(s.topic_filters.iter().map(|(filter, options)| (&**filter, u8::from(options.qos)))),
        v5::Packet::PublishAck(ack) => Answer::new("puback").fact("packet identifier", ack.packet_id),
        other => panic!("no case has a {other:?}"),
    }
}

fn pairs(list: &[(ByteString, ByteString)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (&**name, &**value))
}
