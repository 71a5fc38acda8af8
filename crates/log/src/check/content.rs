//! What is in a batch whose checksum holds: its records against its header.

use super::finding::Problem;
use crate::batch::Codec;
use crate::compress::{self, Failure};
use crate::error::Damage;
use crate::fetched::Visited;
use crate::format::batch::{HEADER_BYTES, Header};

/// What was seen of the records of a batch.
#[derive(Debug)]
pub(super) enum Content {
    /// All of them are as the header says, or this is the first thing that is not.
    Seen(Option<Problem>),
    /// The codec is not built in, or there is none of this number.
    Closed,
}

/// Compares the records of a batch with its header; a compressed one is decompressed to at most so many bytes.
pub(super) fn look(header: &Header, bytes: &[u8], sparse: bool, decompressed_bytes_max: usize) -> Content {
    let records = bytes.get(HEADER_BYTES..header.bytes).unwrap_or_default();
    let codec = Codec(header.codec());
    Content::Seen(match compress::plain(codec.0, records, decompressed_bytes_max) {
        Ok(records) => problem(header, &records, sparse),
        Err(Failure::Unsupported) => return Content::Closed,
        Err(Failure::TooLarge) => Some(Problem::DecompressedTooLarge { max: decompressed_bytes_max as u64 }),
        Err(Failure::Malformed) => Some(Problem::Content(Damage::Compressed { codec })),
    })
}

/// The first thing that is wrong.
fn problem(header: &Header, records: &[u8], sparse: bool) -> Option<Problem> {
    let wrong = |record, field| Some(Problem::Content(Damage::Record { record, field }));
    let (mut next, mut seen, mut largest) = (header.base_offset, 0_u32, None);
    let mut visited = Visited::new(header, 0, records);
    while let Some(view) = visited.next() {
        let view = match view {
            Ok(view) => view,
            Err(damage) => return Some(Problem::Content(damage)),
        };
        // Offsets rise by one, unless compaction took records out.
        if view.offset < next || (view.offset > next && !sparse) {
            return wrong(seen, "offsetDelta");
        }
        next = view.offset.saturating_add(1);
        seen = seen.saturating_add(1);
        largest = largest.max(Some(view.timestamp));
    }
    if next != header.next_offset() && !sparse {
        return wrong(seen, "lastOffsetDelta");
    }
    // After compaction the header keeps that of records that went.
    let found = largest.filter(|found| *found != header.max_timestamp && !sparse)?;
    Some(Problem::MaxTimestamp { stated: header.max_timestamp, found })
}
