//! A message on its way to the client, as bytes.

use bytes::BufMut;
use headwater_codec::{PacketId, SubscriptionId};
use headwater_session::Stage;

use super::SnapshotError;
use super::fields::{put_count, take_all, take_packet_id, take_u8, take_u32, take_u64};
use crate::delivery::{Origin, Source};

/// A message that is on its way to the client, by its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// The identifier under which it was sent.
    pub packet_id: PacketId,
    /// What the exchange waits for.
    pub stage: Stage,
    /// Whether it was ever written out.
    pub sent: bool,
    /// The RETAIN flag that it was sent with.
    pub retain: bool,
    /// Where the message is.
    pub source: Source,
    /// Where the same message is among all messages, partition and offset, if it is a retained one and was there.
    pub first: Option<(u32, u64)>,
    /// The subscription identifiers that it was sent with.
    pub subscription_ids: Vec<SubscriptionId>,
    /// The shared filter that it came by, if it did: its place in [`Snapshot::shares`](super::Snapshot::shares).
    pub share: Option<u32>,
}

impl OutgoingRecord {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u16(self.packet_id.get());
        out.put_u8(match self.stage {
            Stage::PubAck => 0,
            Stage::PubRec => 1,
            Stage::PubComp => 2,
        });
        out.put_u8(
            u8::from(self.sent)
                | u8::from(self.retain) << 1
                | u8::from(self.share.is_some()) << 2
                | u8::from(self.first.is_some()) << 3,
        );
        out.put_u8(match self.source.origin {
            Origin::Messages => 0,
            Origin::Retained => 1,
        });
        out.put_u32(self.source.partition);
        out.put_u64(self.source.offset);
        if let Some((partition, offset)) = self.first {
            out.put_u32(partition);
            out.put_u64(offset);
        }
        put_count(out, self.subscription_ids.len());
        for id in &self.subscription_ids {
            out.put_u32(id.get());
        }
        if let Some(share) = self.share {
            out.put_u32(share);
        }
    }

    /// `shares` is how many shared filters there are.
    pub(super) fn decode(input: &mut &[u8], shares: usize) -> Result<Self, SnapshotError> {
        let packet_id = take_packet_id(input)?;
        let stage = match take_u8(input, "stage")? {
            0 => Stage::PubAck,
            1 => Stage::PubRec,
            2 => Stage::PubComp,
            _ => return Err(SnapshotError::Invalid { field: "stage" }),
        };
        let flags = take_u8(input, "flags")?;
        let origin = match take_u8(input, "topic")? {
            0 => Origin::Messages,
            1 => Origin::Retained,
            _ => return Err(SnapshotError::Invalid { field: "topic" }),
        };
        let (partition, offset) = (take_u32(input, "partition")?, take_u64(input, "offset")?);
        let first = match flags & 8 {
            0 => None,
            _ => Some((take_u32(input, "partition")?, take_u64(input, "offset")?)),
        };
        let subscription_ids = take_all(input, "subscription identifiers", 4, |input| {
            SubscriptionId::new(take_u32(input, "subscription identifiers")?)
                .ok_or(SnapshotError::Invalid { field: "subscription identifier" })
        })?;
        let share = if flags & 4 == 0 { None } else { Some(take_u32(input, "shared filter")?) };
        if share.is_some_and(|place| usize::try_from(place).is_ok_and(|place| place >= shares)) {
            return Err(SnapshotError::Invalid { field: "shared filter" });
        }
        Ok(Self {
            packet_id,
            stage,
            sent: flags & 1 != 0,
            retain: flags & 2 != 0,
            source: Source { origin, partition, offset },
            first,
            subscription_ids,
            share,
        })
    }
}
