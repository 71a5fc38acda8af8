//! A packet identifier of the client, as bytes.

use bytes::BufMut;
use headwater_codec::PacketId;

use super::SnapshotError;
use super::fields::{take_packet_id, take_u8, take_u32, take_u64};

/// A QoS 2 message of the client that waits for PUBREL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncomingRecord {
    /// The client's identifier.
    pub packet_id: PacketId,
    /// Where the message is, partition and offset, if it was not known to be durable: when a power failure took it, the identifier is not
    /// held.
    pub place: Option<(u32, u64)>,
}

impl IncomingRecord {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u16(self.packet_id.get());
        out.put_u8(u8::from(self.place.is_some()));
        if let Some((partition, offset)) = self.place {
            out.put_u32(partition);
            out.put_u64(offset);
        }
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Self, SnapshotError> {
        let packet_id = take_packet_id(input)?;
        let place = match take_u8(input, "place")? {
            0 => None,
            1 => Some((take_u32(input, "place")?, take_u64(input, "place")?)),
            _ => return Err(SnapshotError::Invalid { field: "place" }),
        };
        Ok(Self { packet_id, place })
    }

    /// As versions before 5 wrote it.
    pub(super) fn decode_4(input: &mut &[u8]) -> Result<Self, SnapshotError> {
        Ok(Self { packet_id: take_packet_id(input)?, place: None })
    }
}
