//! What is written, and states as bytes.

use headwater_codec::frame::{self, Limits, Status};
use headwater_codec::{Packet, Version};
use headwater_session::{State, persist};

/// Hands on each of the packets.
pub(super) fn read_control(mut bytes: &[u8], version: Version, mut then: impl FnMut(Packet<'_>)) {
    while !bytes.is_empty() {
        let first = frame::first(bytes, &Limits::default());
        let packet = if let Ok(Status::Complete(packet)) = first { packet } else { &[] };
        let packet_read = Packet::decode(packet, version);
        assert!(packet_read.is_ok(), "{bytes:?} begins with no packet of {version:?}: {packet_read:?}");
        packet_read.into_iter().for_each(&mut then);
        bytes = bytes.get(packet.len()..).unwrap_or_default();
    }
}

pub(super) fn write(message: &u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&message.to_be_bytes());
}

pub(super) fn read(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

pub(super) fn bytes(state: &State<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    persist::encode(state, &mut bytes, write).expect("a session has such states");
    bytes
}

pub(super) fn through_bytes(state: &State<u32>) -> State<u32> {
    persist::decode(&bytes(state), read).expect("it was just written")
}
