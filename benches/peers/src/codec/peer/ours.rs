//! `headwater-codec`.

use std::hint::black_box;
use std::io::IoSlice;

use headwater_codec::frame::{Limits, Status, first};
use headwater_codec::{
    Delivery, FanOut, FrameReader, Packet, PacketId, Properties, Property, Publish, Receiver, SliceSink,
    Version,
};

use super::{batch, look, stopped};
use crate::codec::answer::{Answer, compare};
use crate::codec::case::Case;
use crate::timing::Contestant;

/// Decodes, and leaves properties and filters where they are.
pub const NAME: &str = "headwater";
/// Decodes, and iterates over all properties and filters.
pub const ITERATED: &str = "headwater, iterated";
/// Decodes frames that a `FrameReader` cut, each with a reference of its own on the bytes.
pub const FRAMES: &str = "headwater, FrameReader";
/// Encodes into a `Vec`.
pub const VEC: &str = "headwater, Vec";

/// All ways to decode.
pub fn decode(case: &Case) -> Vec<Contestant> {
    compare(NAME, case.name, &answers(case.bytes, case.version), &case.answers);
    let mut all = vec![decoding(NAME, case, |_| {})];
    if case.lists {
        all.push(decoding(ITERATED, case, iterate));
    }
    if case.packets.len() > 1 {
        all.push(frames(case));
    }
    all
}

/// One packet: the slice. Many: each framed where it lies, then decoded.
fn decoding(name: &'static str, case: &Case, also: impl Fn(&Packet<'_>) + 'static) -> Contestant {
    let (bytes, version) = (case.bytes, case.version);
    if case.packets.len() == 1 {
        return Contestant::repeated(name, move || {
            let packet = Packet::decode(black_box(bytes), black_box(version));
            look(&packet);
            if let Ok(packet) = &packet {
                also(packet);
            }
        });
    }
    let limits = Limits::default();
    Contestant::repeated(name, move || {
        let mut rest = black_box(bytes);
        while let Ok(Status::Complete(frame)) = first(rest, &limits) {
            let packet = Packet::decode(frame, black_box(version));
            look(&packet);
            if let Ok(packet) = &packet {
                also(packet);
            }
            rest = rest.split_at(frame.len()).1;
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
            for filter in subscribe.filters.iter() {
                black_box(&filter);
            }
        }
        _ => {}
    }
}

fn each(properties: Properties<'_>) {
    for property in properties.iter() {
        black_box(&property);
    }
}

fn frames(case: &Case) -> Contestant {
    let (bytes, version, packets, batch) = (case.bytes, case.version, case.packets.len(), batch(case));
    let all = bytes.repeat(batch);
    Contestant::refilled(
        FRAMES,
        batch,
        FrameReader::new(Limits::default()),
        move |frames| frames.extend(&all),
        move |frames| {
            for _ in 0..packets {
                let Ok(Some(frame)) = frames.next_frame() else { return stopped() };
                look(&frame.packet(black_box(version)));
            }
        },
    )
}

/// Encodes into a slice and into a `Vec`.
pub fn encode(case: &Case) -> Vec<Contestant> {
    let (packets, version, size) = (case.packets, case.version, case.bytes.len());
    let mut room = vec![0; size + 64];
    let into_slice = Contestant::repeated(NAME, move || {
        let mut sink = SliceSink::new(&mut room);
        for packet in packets {
            look(&black_box(packet).encode(black_box(version), &mut sink));
        }
        black_box(sink.written());
    });
    let mut buffer = Vec::with_capacity(size + 64);
    let into_vec = Contestant::repeated(VEC, move || {
        buffer.clear();
        for packet in packets {
            look(&black_box(packet).encode(black_box(version), &mut buffer));
        }
        black_box(&buffer);
    });
    vec![into_slice, into_vec]
}

/// Encodes all but the payload, which is sent from where it lies.
pub fn vectored(case: &Case) -> Option<Contestant> {
    let [Packet::Publish(publish)] = case.packets else { return None };
    let version = case.version;
    let mut room = [0; 128];
    let (head, payload) = slices(publish, version, &mut room);
    check_encoded(NAME, case, &[head, payload].concat());
    let publish = *publish;
    Some(Contestant::repeated(NAME, move || {
        let (head, payload) = slices(black_box(&publish), black_box(version), &mut room);
        black_box(&[IoSlice::new(head), IoSlice::new(payload)]);
    }))
}

/// Stamps the heads for 1,000 receivers.
pub const STAMPED: &str = "headwater, stamped";
/// Encodes the head anew for each of them.
pub const HEADS: &str = "headwater, heads encoded";
/// Encodes the whole packet anew for each of them.
pub const WHOLE: &str = "headwater, packets encoded";

/// One message for 1,000 receivers: each head stamped, encoded, or encoded with the payload behind it.
pub fn fan_out(case: &Case) -> Vec<Contestant> {
    let [Packet::Publish(message)] = case.packets else { return Vec::new() };
    let (message, version, size) = (*message, case.version, case.bytes.len());
    let delivery = |packet_id| Delivery::AtLeastOnce { packet_id, dup: false };
    let ids = || (1..=1000_u16).filter_map(PacketId::new);
    let mut room = vec![0; size + 64];
    let stamped = move || {
        let Ok(mut fan_out) = FanOut::new(black_box(message), black_box(version), &mut room) else {
            return stopped();
        };
        for packet_id in ids() {
            look(&fan_out.stamp(&Receiver::new(delivery(packet_id))));
        }
    };
    let mut room = vec![0; size + 64];
    let mut encoded = move |whole: bool| {
        for packet_id in ids() {
            let message = black_box(message).with_delivery(delivery(packet_id));
            let mut sink = SliceSink::new(&mut room);
            if whole {
                look(&message.encode(black_box(version), &mut sink));
            } else {
                look(&message.encode_head(black_box(version), &mut sink));
            }
            black_box(sink.written());
        }
    };
    check_stamped(case, &message);
    let mut whole = encoded.clone();
    vec![
        Contestant::many(STAMPED, 1000, stamped),
        Contestant::many(HEADS, 1000, move || encoded(false)),
        Contestant::many(WHOLE, 1000, move || whole(true)),
    ]
}

/// Stops if a stamped packet is not the encoded one.
fn check_stamped(case: &Case, message: &Publish<'_>) {
    let mut room = vec![0; case.bytes.len() + 64];
    let Ok(mut fan_out) = FanOut::new(*message, case.version, &mut room) else { return stopped() };
    for packet_id in [1, 2, 1000].into_iter().filter_map(PacketId::new) {
        let delivery = Delivery::AtLeastOnce { packet_id, dup: false };
        let Ok(head) = fan_out.stamp(&Receiver::new(delivery)) else { return stopped() };
        let packet = [head, message.payload].concat();
        let mut alone = Vec::new();
        look(&message.with_delivery(delivery).encode(case.version, &mut alone));
        assert_eq!(packet, alone, "{}", case.name);
    }
}

#[inline]
fn slices<'a>(publish: &Publish<'a>, version: Version, room: &'a mut [u8]) -> (&'a [u8], &'a [u8]) {
    let mut sink = SliceSink::new(room);
    look(&publish.encode_head(version, &mut sink));
    (sink.into_written(), publish.payload)
}

/// Stops if somebody encoded something else than the case says.
///
/// The order of properties is free, and so are a reason code and a property length that could have been left out.
pub fn check_encoded(who: &str, case: &Case, bytes: &[u8]) {
    compare(who, case.name, &answers(bytes, case.version), &case.answers);
}

/// What we read out of bytes.
pub fn answers(bytes: &[u8], version: Version) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut rest = bytes;
    while let Ok(Status::Complete(frame)) = first(rest, &Limits::PROTOCOL) {
        match Packet::decode(frame, version) {
            Ok(packet) => answers.push(answer(&packet)),
            Err(error) => panic!("{error}"),
        }
        rest = rest.split_at(frame.len()).1;
    }
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    answers
}

fn answer(packet: &Packet<'_>) -> Answer {
    match packet {
        Packet::Publish(p) => properties(
            Answer::new("publish")
                .maybe("topic", p.topic)
                .fact("QoS", p.qos().as_u8())
                .maybe("packet identifier", p.packet_id())
                .bytes("payload", Some(p.payload)),
            p.properties,
        ),
        Packet::Connect(c) => {
            let answer = Answer::new("connect")
                .fact("client identifier", c.client_id)
                .fact("keep alive", c.keep_alive_secs)
                .fact("clean", c.clean_start)
                .maybe("user name", c.user_name)
                .bytes("password", c.password)
                .maybe("will topic", c.will.map(|will| will.topic))
                .maybe("will QoS", c.will.map(|will| will.qos.as_u8()))
                .bytes("will payload", c.will.map(|will| will.payload));
            properties(answer, c.properties)
        }
        Packet::Subscribe(s) => {
            let filters: Vec<_> = s.filters.iter().collect();
            let filters = filters.iter().map(|f| (f.filter.as_str(), f.options.qos.as_u8()));
            properties(
                Answer::new("subscribe").fact("packet identifier", s.packet_id).filters(filters),
                s.properties,
            )
        }
        Packet::PubAck(ack) => Answer::new("puback").fact("packet identifier", ack.packet_id),
        other => panic!("no case has a {}", other.packet_type()),
    }
}

fn properties(answer: Answer, properties: Properties<'_>) -> Answer {
    properties.iter().fold(answer, |answer, property| match property {
        Property::UserProperty(name, value) => answer.user([(name, value)]),
        Property::MessageExpiryInterval(secs) => answer.fact("message expiry interval", secs),
        Property::ContentType(text) => answer.fact("content type", text),
        Property::CorrelationData(data) => answer.bytes("correlation data", Some(data)),
        Property::SessionExpiryInterval(secs) => answer.fact("session expiry interval", secs),
        Property::ReceiveMaximum(packets) => answer.fact("receive maximum", packets),
        Property::MaximumPacketSize(size) => answer.fact("maximum packet size", size),
        Property::TopicAliasMaximum(aliases) => answer.fact("topic alias maximum", aliases),
        other => panic!("no case has a property {other:?}"),
    })
}
