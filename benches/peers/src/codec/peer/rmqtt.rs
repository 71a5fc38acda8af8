//! `rmqtt-codec`: its codecs of 3.1.1 and of 5.0. Frames are split off a `BytesMut`; strings and payloads are shared.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rmqtt_codec::types::Publish;
use rmqtt_codec::{v3, v5};
use tokio_util::codec::{Decoder, Encoder};

use super::{batch, look, look_in, ours, stopped, taking_frames};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "rmqtt-codec";

/// Decodes.
pub fn decode(case: &Case) -> Vec<Contestant> {
    let answers: Vec<_> = if case.is_v5() {
        packets(case, v5::Codec::default()).iter().map(|(packet, _)| answer_v5(packet)).collect()
    } else {
        packets(case, v3::Codec::default()).iter().map(|(packet, _)| answer_v3(packet)).collect()
    };
    compare(NAME, case.name, &answers, &case.answers);
    let one = if case.is_v5() {
        let mut codec = v5::Codec::default();
        taking_frames(NAME, case, move |buffer| look_in(&codec.decode(buffer)))
    } else {
        let mut codec = v3::Codec::default();
        taking_frames(NAME, case, move |buffer| look_in(&codec.decode(buffer)))
    };
    vec![one]
}

/// Encodes into a `BytesMut`.
pub fn encode(case: &Case) -> Vec<Contestant> {
    let one = if case.is_v5() {
        let packets = packets(case, v5::Codec::default());
        encoding(case, packets.into_iter().map(|(packet, _)| packet).collect(), v5::Codec::default())
    } else {
        let packets = packets(case, v3::Codec::default());
        encoding(case, packets.into_iter().map(|(packet, _)| packet).collect(), v3::Codec::default())
    };
    vec![one]
}

/// A packet to encode is taken by value: clones of all of them for each call of a batch are made before.
fn encoding<P: Clone + 'static, C: Encoder<P> + 'static>(
    case: &Case,
    packets: Vec<P>,
    mut codec: C,
) -> Contestant {
    let mut buffer = BytesMut::with_capacity(2 * case.bytes.len() + 64);
    packets.iter().cloned().for_each(|packet| look(&codec.encode(packet, &mut buffer)));
    ours::check_encoded(NAME, case, &buffer);
    let (batch, count) = (batch(case), packets.len());
    Contestant::refilled(
        NAME,
        batch,
        (Vec::new(), buffer),
        move |(left, _): &mut (Vec<P>, BytesMut)| {
            left.clear();
            left.extend((0..batch).flat_map(|_| packets.iter().rev().cloned()));
        },
        move |(left, buffer)| {
            buffer.clear();
            for _ in 0..count {
                let Some(packet) = left.pop() else { return stopped() };
                look(&codec.encode(packet, buffer));
            }
            black_box(buffer);
        },
    )
}

fn packets<C: Decoder>(case: &Case, mut codec: C) -> Vec<C::Item> {
    let mut buffer = BytesMut::from(case.bytes);
    let mut packets = Vec::new();
    while !buffer.is_empty() {
        match codec.decode(&mut buffer) {
            Ok(Some(packet)) => packets.push(packet),
            _ => stopped(),
        }
    }
    packets
}

fn publish(p: &Publish) -> Answer {
    let answer = Answer::new("publish")
        .fact("topic", &p.topic)
        .fact("QoS", p.qos.value())
        .maybe("packet identifier", p.packet_id)
        .bytes("payload", Some(&p.payload));
    match &p.properties {
        None => answer,
        Some(properties) => answer
            .maybe("message expiry interval", properties.message_expiry_interval)
            .maybe("content type", properties.content_type.as_ref())
            .bytes("correlation data", properties.correlation_data.as_ref().map(Bytes::as_ref))
            .user(pairs(&properties.user_properties)),
    }
}

fn answer_v3(packet: &v3::Packet) -> Answer {
    match packet {
        v3::Packet::Publish(p) => publish(p),
        v3::Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", &c.client_id)
            .fact("keep alive", c.keep_alive)
            .fact("clean", c.clean_session)
            .maybe("user name", c.username.as_ref())
            .bytes("password", c.password.as_ref().map(Bytes::as_ref))
            .maybe("will topic", c.last_will.as_ref().map(|will| &will.topic))
            .maybe("will QoS", c.last_will.as_ref().map(|will| will.qos.value()))
            .bytes("will payload", c.last_will.as_ref().map(|will| will.message.as_ref())),
        v3::Packet::Subscribe { packet_id, topic_filters } => Answer::new("subscribe")
            .fact("packet identifier", packet_id)
            .filters(topic_filters.iter().map(|(filter, qos)| (&**filter, qos.value()))),
        v3::Packet::PublishAck { packet_id } => Answer::new("puback").fact("packet identifier", packet_id),
        other => panic!("no case has a {other:?}"),
    }
}

fn answer_v5(packet: &v5::Packet) -> Answer {
    match packet {
        v5::Packet::Publish(p) => publish(p),
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
            .filters(s.topic_filters.iter().map(|(filter, options)| (&**filter, options.qos.value()))),
        v5::Packet::PublishAck(ack) => Answer::new("puback").fact("packet identifier", ack.packet_id),
        other => panic!("no case has a {other:?}"),
    }
}

fn pairs(list: &[v5::UserProperty]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (&**name, &**value))
}
