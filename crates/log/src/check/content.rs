//! What is in a batch whose checksum holds: its records against its header.

use super::finding::Problem;
use crate::error::{Damage, ReadError};
use crate::fetched::{Place, Views};
use crate::format::batch::Header;

/// Compares the records of a batch that is not compressed with its header; the first thing that is wrong.
pub(super) fn problem(header: &Header, bytes: &[u8], place: &Place, sparse: bool) -> Option<Problem> {
    let wrong = |record, field| Some(Problem::Content(Damage::Record { record, field }));
    let (mut next, mut seen, mut largest) = (header.base_offset, 0_u32, None);
    for view in Views::of_batch(bytes, place) {
        let view = match view {
            Ok(view) => view,
            Err(ReadError::Corrupt(corruption)) => return Some(Problem::Content(corruption.what)),
            Err(_) => return None,
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
