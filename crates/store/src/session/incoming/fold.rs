//! After a crash: the identifiers that records since the last saved session hold.

use std::collections::HashMap;

use headwater_codec::PacketId;
use headwater_log::{ReadError, ReadUpTo, RecordView};

use super::super::snapshot::{IncomingRecord, Snapshot};
use crate::error::OpenError;
use crate::lane::MessageLane;
use crate::message::header;
use crate::offsets::Offsets;
use crate::store::MESSAGES_TOPIC;
use crate::topics::Beginnings;

/// How much is read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Gives the sessions that were connected when the process ended what their clients have published since they were saved, and tells for
/// each of those whether that was anything. What is before `checkpoint` is in them.
///
/// Reads `mqtt` from there, or from where the oldest of these sessions was saved; nothing if there are none.
pub(in super::super) fn fold(
    snapshots: &mut HashMap<Box<str>, Snapshot>,
    lanes: &[MessageLane],
    beginnings: &Beginnings,
    checkpoint: &Offsets,
) -> Result<Vec<Box<str>>, OpenError> {
    let mut changed = Vec::new();
    for (partition, lane) in (0..).zip(lanes) {
        let begins =
            snapshots.values().filter_map(|snapshot| Some(snapshot.incoming_from.as_ref()?.of(partition)));
        let Some(begin) = begins.min() else { return Ok(changed) };
        // What was in a log topic before the store used it is no message.
        let mut next = begin.max(checkpoint.of(partition)).max(beginnings.of(partition));
        while next < lane.partition.appended_end() {
            let fetched = match lane.partition.read_up_to(ReadUpTo::Appended, next, CHUNK_BYTES) {
                Ok(fetched) => fetched,
                // Retention was faster: whose message is gone by time has not asked for it in that time.
                Err(ReadError::OffsetOutOfRange { start, .. }) if start > next => {
                    next = start;
                    continue;
                }
                Err(error) => return Err(OpenError::Read { topic: MESSAGES_TOPIC, error }),
            };
            for record in fetched.views() {
                let record = match record {
                    Ok(record) => record,
                    // Not written here.
                    Err(ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. }) => {
                        continue;
                    }
                    Err(error) => return Err(OpenError::Read { topic: MESSAGES_TOPIC, error }),
                };
                let Some((client_id, packet_id)) = held(&record) else { continue };
                let Some(snapshot) = snapshots.get_mut(client_id) else { continue };
                let is_later = |from: &Offsets| record.offset >= from.of(partition);
                if snapshot.incoming_from.as_ref().is_some_and(is_later)
                    && snapshot.hold_one(IncomingRecord { packet_id, place: None })
                {
                    changed.push(client_id.into());
                }
            }
            next = fetched.next_offset();
        }
    }
    changed.sort_unstable();
    changed.dedup();
    Ok(changed)
}

/// The client and the identifier that a record holds.
fn held<'a>(record: &RecordView<'a>) -> Option<(&'a str, PacketId)> {
    let text = |name| record.header(name).flatten().and_then(|value| std::str::from_utf8(value).ok());
    let packet_id = text(header::PACKET_ID)?.parse().ok().and_then(PacketId::new)?;
    Some((text(header::CLIENT_ID)?, packet_id))
}
