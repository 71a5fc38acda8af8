//! Encodes CONNECT and PUBLISH, and reads PUBACK with the parts that are public; speaks 3.1.1 and knows it when it is compiled.

#![no_std]
#![no_main]

use headwater_codec::{Header, Limits, PacketId, PacketType, Status, Version};
use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(Version::V3_1_1, input) && puback(input.short_answer).is_some_and(|id| id.get() == 7)
}

/// The packet identifier of a PUBACK.
fn puback(frame: &[u8]) -> Option<PacketId> {
    let Ok(Status::Complete(header)) = Header::decode(frame, &Limits::PROTOCOL) else { return None };
    match (header.packet_type, frame.get(header.header_len()..)?) {
        (PacketType::PubAck, [high, low]) => PacketId::new(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}
