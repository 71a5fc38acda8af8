//! `mqtt-codec-kit`: its codecs of 3.1.1 and of 5.0, over `std::io::Read` and `Write`. Everything is copied when decoded.

use std::hint::black_box;

use mqtt_codec_kit::common::encodable::VarBytes;
use mqtt_codec_kit::common::qos::QoSWithPacketIdentifier;
use mqtt_codec_kit::common::{Decodable, Encodable};
use mqtt_codec_kit::{v4, v5};

use super::{look, ours};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "mqtt-codec-kit";
/// Encodes into a slice, through `Write for &mut [u8]`.
pub const SLICE: &str = "mqtt-codec-kit, slice";

/// Decodes a slice, through `Read for &[u8]`.
pub fn decode(case: &Case) -> Vec<Contestant> {
    let answers: Vec<_> = if case.is_v5() {
        packets::<v5::packet::VariablePacket>(case).iter().map(answer_v5).collect()
    } else {
        packets::<v4::packet::VariablePacket>(case).iter().map(answer_v4).collect()
    };
    compare(NAME, case.name, &answers, &case.answers);
    let one = if case.is_v5() {
        decoding::<v5::packet::VariablePacket>(case)
    } else {
        decoding::<v4::packet::VariablePacket>(case)
    };
    vec![one]
}

fn decoding<P: Decodable<Cond: Default>>(case: &Case) -> Contestant {
    let (bytes, packets) = (case.bytes, case.packets.len());
    Contestant::repeated(NAME, move || {
        let mut rest = black_box(bytes);
        for _ in 0..packets {
            look(&P::decode(&mut rest));
        }
    })
}

/// Encodes into a `Vec` and into a slice.
pub fn encode(case: &Case) -> Vec<Contestant> {
    if case.is_v5() {
        encoding(case, packets::<v5::packet::VariablePacket>)
    } else {
        encoding(case, packets::<v4::packet::VariablePacket>)
    }
}

fn encoding<P: Encodable + 'static>(case: &Case, packets: impl Fn(&Case) -> Vec<P>) -> Vec<Contestant> {
    let all = packets(case);
    let mut buffer = Vec::with_capacity(2 * case.bytes.len() + 64);
    all.iter().for_each(|packet| look(&packet.encode(&mut buffer)));
    ours::check_encoded(NAME, case, &buffer);
    let mut room = vec![0; 2 * case.bytes.len() + 64];
    let into_vec = Contestant::repeated(NAME, move || {
        buffer.clear();
        for packet in black_box(&all) {
            look(&packet.encode(&mut buffer));
        }
        black_box(&buffer);
    });
    let all = packets(case);
    let into_slice = Contestant::repeated(SLICE, move || {
        let mut rest = room.as_mut_slice();
        for packet in black_box(&all) {
            look(&packet.encode(&mut rest));
        }
        black_box(&room);
    });
    vec![into_vec, into_slice]
}

fn packets<P: Decodable<Cond: Default>>(case: &Case) -> Vec<P> {
    let mut rest = case.bytes;
    let mut packets = Vec::new();
    while !rest.is_empty() {
        match P::decode(&mut rest) {
            Ok(packet) => packets.push(packet),
            Err(_) => panic!("{NAME}, {}: refused", case.name),
        }
    }
    packets
}

fn qos(qos: QoSWithPacketIdentifier) -> (u8, Option<u16>) {
    let (qos, packet_id) = qos.split();
    (qos as u8, packet_id)
}

fn answer_v4(packet: &v4::packet::VariablePacket) -> Answer {
    use v4::packet::VariablePacket as P;
    match packet {
        P::PublishPacket(p) => {
            let (qos, packet_id) = qos(p.qos());
            Answer::new("publish")
                .fact("topic", p.topic_name().to_string())
                .fact("QoS", qos)
                .maybe("packet identifier", packet_id)
                .bytes("payload", Some(p.payload()))
        }
        P::ConnectPacket(c) => {
            let will = c.will();
            Answer::new("connect")
                .fact("client identifier", c.client_identifier())
                .fact("keep alive", c.keep_alive())
                .fact("clean", c.clean_session())
                .maybe("user name", c.username())
                .bytes("password", c.password().map(str::as_bytes))
                .maybe("will topic", will.as_ref().map(|will| will.topic().to_string()))
                .maybe("will QoS", will.as_ref().map(|_| c.will_qos() as u8))
                .bytes("will payload", will.as_ref().map(|will| will.message().0.as_slice()))
        }
        P::SubscribePacket(s) => Answer::new("subscribe")
            .fact("packet identifier", s.packet_identifier())
            .filters(s.subscribes().iter().map(|(filter, qos)| (&***filter, *qos as u8))),
        P::PubackPacket(ack) => Answer::new("puback").fact("packet identifier", ack.packet_identifier()),
        other => panic!("no case has a {other:?}"),
    }
}

fn answer_v5(packet: &v5::packet::VariablePacket) -> Answer {
    use v5::packet::VariablePacket as P;
    match packet {
        P::PublishPacket(p) => {
            let (qos, packet_id) = qos(p.qos());
            let properties = p.properties();
            Answer::new("publish")
                .fact("topic", p.topic_name().to_string())
                .fact("QoS", qos)
                .maybe("packet identifier", packet_id)
                .bytes("payload", Some(p.payload()))
                .maybe("message expiry interval", properties.message_expiry_interval())
                .maybe("content type", properties.content_type().as_ref())
                .bytes("correlation data", properties.correlation_data().as_ref().map(bytes))
                .user(pairs(properties.user_properties()))
        }
        P::ConnectPacket(c) => {
            let properties = c.properties();
            Answer::new("connect")
                .fact("client identifier", c.client_identifier())
                .fact("keep alive", c.keep_alive())
                .fact("clean", c.clean_session())
                .maybe("user name", c.username())
                .bytes("password", c.password().map(str::as_bytes))
                .maybe("will topic", c.will().map(|will| will.topic().to_string()))
                .maybe("session expiry interval", properties.session_expiry_interval())
                .maybe("receive maximum", properties.receive_maximum())
                .maybe("maximum packet size", properties.max_packet_size())
                .maybe("topic alias maximum", properties.topic_alias_max())
                .user(pairs(properties.user_properties()))
        }
        P::SubscribePacket(s) => Answer::new("subscribe")
            .fact("packet identifier", s.packet_identifier())
            .filters(s.subscribes().iter().map(|(filter, options)| (&***filter, options.qos() as u8))),
        P::PubackPacket(ack) => Answer::new("puback").fact("packet identifier", ack.packet_identifier()),
        other => panic!("no case has a {other:?}"),
    }
}

fn bytes(value: &VarBytes) -> &[u8] {
    &value.0
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
