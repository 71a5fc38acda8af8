//! Where a member goes on with a partition: what was committed, or what the reset policy says.
//!
//! ```text
//!    deleted | start ........ committed ........ durable end
//!      ^ reset policy            ^ goes on here
//! ```

use std::sync::Arc;

use super::coordinator::{Group, Owned};
use super::{ConsumerEvent, MoveReason, OffsetReset, Root, TopicPartition};
use crate::error::PollError;

/// Where to go on, and what to tell of it.
pub(super) type Beginning = (u64, Option<ConsumerEvent>);

/// Where the group goes on with a partition.
pub(super) fn begin(
    root: &Root,
    group: &Group,
    reset: OffsetReset,
    partition: &TopicPartition,
    owned: &Owned,
) -> Result<Beginning, PollError> {
    let (start, end) = (owned.core.start_offset(), owned.core.durable_end());
    if let Some(committed) = root.offsets().committed(&group.name, partition, owned.topic_id) {
        let offset = committed.value.offset;
        if offset < start || offset > end {
            return out_of_range(group, reset, partition, owned, offset);
        }
        let moved = committed.was.map(|from| ConsumerEvent::Moved {
            partition: partition.clone(),
            from,
            to: offset,
            reason: MoveReason::AheadOfLog,
        });
        return Ok((offset, moved));
    }
    let begun = match reset {
        OffsetReset::None => {
            return Err(PollError::NoOffset { group: Arc::clone(&group.name), partition: partition.clone() });
        }
        OffsetReset::Earliest => group.begin_at(partition, &owned.core, start),
        OffsetReset::Latest => group.begin(partition, &owned.core, 0, end),
    };
    Ok((begun.max(start), None))
}

/// Where the group goes on with a partition of which the next offset is not there any more.
pub(super) fn out_of_range(
    group: &Group,
    reset: OffsetReset,
    partition: &TopicPartition,
    owned: &Owned,
    from: u64,
) -> Result<Beginning, PollError> {
    let (start, end) = (owned.core.start_offset(), owned.core.durable_end());
    let to = match reset {
        OffsetReset::None => {
            let (group, partition) = (Arc::clone(&group.name), partition.clone());
            return Err(PollError::OffsetOutOfRange { group, partition, offset: from, start, end });
        }
        OffsetReset::Earliest => start,
        // Who gets the partition later begins there too, unless that was deleted meanwhile.
        OffsetReset::Latest => group.begin(partition, &owned.core, start, end),
    };
    let partition = partition.clone();
    Ok((to, Some(ConsumerEvent::Moved { partition, from, to, reason: MoveReason::Deleted })))
}
