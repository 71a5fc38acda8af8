//! Encodes CONNECT and PUBLISH, and reads PUBACK with the parts that are public: fixed header, packet identifier, reason code,
//! properties.

#![no_std]
#![no_main]

use headwater_codec::{
    DecodeOptions, Header, Limits, PacketId, PacketType, Properties, PropertyPlace, ReasonCode, Status,
};
use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(input.version, input) && puback(input.answer).is_some_and(|id| id.get() == 7)
}

/// The packet identifier of a PUBACK that says it went well.
fn puback(frame: &[u8]) -> Option<PacketId> {
    let Ok(Status::Complete(header)) = Header::decode(frame, &Limits::PROTOCOL) else { return None };
    if header.packet_type != PacketType::PubAck || header.packet_len() != frame.len() {
        return None;
    }
    let (id, rest) = frame.get(header.header_len()..)?.split_first_chunk::<2>()?;
    let reason = ReasonCode(rest.first().copied().unwrap_or(0));
    if reason.is_error() || !reason.allowed_in(PacketType::PubAck) {
        return None;
    }
    // A device has few properties to expect here: their length is one byte.
    if let [_, length, properties @ ..] = rest {
        if usize::from(*length) != properties.len() {
            return None;
        }
        Properties::decode(properties, PropertyPlace::PubAck, DecodeOptions::default()).ok()?;
    }
    PacketId::new(u16::from_be_bytes(*id))
}
