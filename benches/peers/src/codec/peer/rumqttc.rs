//! `rumqttc`: its `mqttbytes` of 3.1.1 and of 5.0, which are two codecs. Frames are split off a `BytesMut`; topics are copied in
//! 3.1.1, payloads shared.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::{look, ours, taking_frames};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "rumqttc";

/// Decodes.
pub fn decode(case: &Case) -> Vec<Contestant> {
    let answers: Vec<_> = if case.is_v5() {
        packets_v5(case).iter().map(answer_v5).collect()
    } else {
        packets_v4(case).iter().map(answer_v4).collect()
    };
    compare(NAME, case.name, &answers, &case.answers);
    let decode: fn(&mut BytesMut) = if case.is_v5() {
        |buffer| look(&v5::Packet::read(buffer, None))
    } else {
        |buffer| look(&v4::Packet::read(buffer, usize::MAX))
    };
    vec![taking_frames(NAME, case, decode)]
}

/// Encodes into a `BytesMut`.
pub fn encode(case: &Case) -> Vec<Contestant> {
    let one = if case.is_v5() {
        encoding(case, packets_v5(case), |packet, buffer| look(&packet.write(buffer, None)))
    } else {
        encoding(case, packets_v4(case), |packet, buffer| look(&packet.write(buffer, usize::MAX)))
    };
    vec![one]
}

fn encoding<P: 'static>(
    case: &Case,
    packets: Vec<P>,
    encode: impl Fn(&P, &mut BytesMut) + 'static,
) -> Contestant {
    let mut buffer = BytesMut::with_capacity(2 * case.bytes.len() + 64);
    packets.iter().for_each(|packet| encode(packet, &mut buffer));
    ours::check_encoded(NAME, case, &buffer);
    Contestant::repeated(NAME, move || {
        buffer.clear();
        for packet in black_box(&packets) {
            encode(packet, &mut buffer);
        }
        black_box(&buffer);
    })
}

fn packets_v4(case: &Case) -> Vec<v4::Packet> {
    let mut buffer = BytesMut::from(case.bytes);
    let all = case.answers.iter().map(|_| v4::Packet::read(&mut buffer, usize::MAX));
    all.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{NAME}, {}: {error}", case.name))
}

fn packets_v5(case: &Case) -> Vec<v5::Packet> {
    let mut buffer = BytesMut::from(case.bytes);
    let all = case.answers.iter().map(|_| v5::Packet::read(&mut buffer, None));
    all.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{NAME}, {}: {error}", case.name))
}

fn answer_v4(packet: &v4::Packet) -> Answer {
    match packet {
        v4::Packet::Publish(p) => Answer::new("publish")
            .fact("topic", &p.topic)
            .fact("QoS", p.qos as u8)
            .maybe("packet identifier", Some(p.pkid).filter(|id| *id != 0))
            .bytes("payload", Some(&p.payload)),
        v4::Packet::Connect(c) => Answer::new("connect")
            .fact("client identifier", &c.client_id)
            .fact("keep alive", c.keep_alive)
            .fact("clean", c.clean_session)
            .maybe("user name", c.login.as_ref().map(|login| &login.username))
            .bytes("password", c.login.as_ref().map(|login| login.password.as_bytes()))
            .maybe("will topic", c.last_will.as_ref().map(|will| &will.topic))
            .maybe("will QoS", c.last_will.as_ref().map(|will| will.qos as u8))
            .bytes("will payload", c.last_will.as_ref().map(|will| will.message.as_ref())),
        v4::Packet::Subscribe(s) => Answer::new("subscribe")
            .fact("packet identifier", s.pkid)
            .filters(s.filters.iter().map(|filter| (filter.path.as_str(), filter.qos as u8))),
        v4::Packet::PubAck(ack) => Answer::new("puback").fact("packet identifier", ack.pkid),
        other => panic!("no case has a {other:?}"),
    }
}

fn answer_v5(packet: &v5::Packet) -> Answer {
    match packet {
        v5::Packet::Publish(p) => {
            let answer = Answer::new("publish")
                .fact("topic", String::from_utf8_lossy(&p.topic))
                .fact("QoS", p.qos as u8)
                .maybe("packet identifier", Some(p.pkid).filter(|id| *id != 0))
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
        v5::Packet::Connect(c, will, login) => {
            let answer = Answer::new("connect")
                .fact("client identifier", &c.client_id)
                .fact("keep alive", c.keep_alive)
                .fact("clean", c.clean_start)
                .maybe("user name", login.as_ref().map(|login| &login.username))
                .bytes("password", login.as_ref().map(|login| login.password.as_bytes()))
                .bytes("will topic", will.as_ref().map(|will| will.topic.as_ref()));
            match &c.properties {
                None => answer,
                Some(properties) => answer
                    .maybe("session expiry interval", properties.session_expiry_interval)
                    .maybe("receive maximum", properties.receive_maximum)
                    .maybe("maximum packet size", properties.max_packet_size)
                    .maybe("topic alias maximum", properties.topic_alias_max)
                    .user(pairs(&properties.user_properties)),
            }
        }
        v5::Packet::Subscribe(s) => Answer::new("subscribe")
            .fact("packet identifier", s.pkid)
            .filters(s.filters.iter().map(|filter| (filter.path.as_str(), filter.qos as u8))),
        v5::Packet::PubAck(ack) => Answer::new("puback").fact("packet identifier", ack.pkid),
        other => panic!("no case has a {other:?}"),
    }
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
