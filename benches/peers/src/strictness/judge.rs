//! What each codec does with a packet.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::BytesMut;
use headwater_codec::{Packet, Version};
use mqtt_codec_kit::common::Decodable;
use mqtt_tiny::packets::TryFromIterator;
use ntex_codec::Decoder as _;
use tokio_util::codec::Decoder as _;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// An error.
    Rejected,
    /// A packet came out.
    Accepted,
    /// It asks for more bytes, though the packet is whole: a connection that waits for ever.
    Waits,
    /// The thread would have ended.
    Panicked,
}

/// A codec and how it takes one whole packet; `None` for a revision it does not speak.
pub type Judge = (&'static str, fn(&[u8], Version) -> Option<Verdict>);

/// All codecs.
pub const JUDGES: [Judge; 7] = [
    ("headwater", |bytes, version| Some(of(Packet::decode(bytes, version)))),
    ("mqttrs", mqttrs),
    ("mqtt-tiny", |bytes, version| v4_only(version, || of(mqtt_tiny::Packet::try_from_iter(bytes.to_vec())))),
    ("rumqttc", |bytes, version| Some(rumqttc(bytes, version))),
    ("rmqtt-codec", |bytes, version| Some(rmqtt(bytes, version))),
    ("ntex-mqtt", |bytes, version| Some(ntex(bytes, version))),
    ("mqtt-codec-kit", |bytes, version| Some(kit(bytes, version))),
];

/// Asks a codec; a panic is a verdict.
pub fn ask(judge: Judge, bytes: &[u8], version: Version) -> Option<Verdict> {
    catch_unwind(AssertUnwindSafe(|| judge.1(bytes, version))).unwrap_or(Some(Verdict::Panicked))
}

fn of<T, E>(result: Result<T, E>) -> Verdict {
    if result.is_ok() { Verdict::Accepted } else { Verdict::Rejected }
}

fn of_option<T, E>(result: Result<Option<T>, E>) -> Verdict {
    match result {
        Ok(Some(_)) => Verdict::Accepted,
        Ok(None) => Verdict::Waits,
        Err(_) => Verdict::Rejected,
    }
}

fn v4_only(version: Version, ask: impl FnOnce() -> Verdict) -> Option<Verdict> {
    (version != Version::V5).then(ask)
}

fn mqttrs(bytes: &[u8], version: Version) -> Option<Verdict> {
    v4_only(version, || of_option(mqttrs::decode_slice(bytes)))
}

fn rumqttc(bytes: &[u8], version: Version) -> Verdict {
    let mut buffer = BytesMut::from(bytes);
    if version == Version::V5 {
        match rumqttc::v5::mqttbytes::v5::Packet::read(&mut buffer, None) {
            Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) => Verdict::Waits,
            result => of(result),
        }
    } else {
        match rumqttc::mqttbytes::v4::Packet::read(&mut buffer, usize::MAX) {
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => Verdict::Waits,
            result => of(result),
        }
    }
}

fn rmqtt(bytes: &[u8], version: Version) -> Verdict {
    let mut buffer = BytesMut::from(bytes);
    if version == Version::V5 {
        of_option(rmqtt_codec::v5::Codec::default().decode(&mut buffer))
    } else {
        of_option(rmqtt_codec::v3::Codec::default().decode(&mut buffer))
    }
}

fn ntex(bytes: &[u8], version: Version) -> Verdict {
    let mut buffer = ntex_bytes::BytesMut::copy_from_slice(bytes);
    if version == Version::V5 {
        of_option(ntex_mqtt::v5::codec::Codec::new().decode(&mut buffer))
    } else {
        of_option(ntex_mqtt::v3::codec::Codec::new().decode(&mut buffer))
    }
}

fn kit(bytes: &[u8], version: Version) -> Verdict {
    let mut rest = bytes;
    if version == Version::V5 {
        of(mqtt_codec_kit::v5::packet::VariablePacket::decode(&mut rest))
    } else {
        of(mqtt_codec_kit::v4::packet::VariablePacket::decode(&mut rest))
    }
}
