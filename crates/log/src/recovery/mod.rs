//! Recovery of a partition: first look, then act.
//!
//! ```text
//!   list files -> read marks -> trust or scan each segment -> plan -> (all partitions planned) -> carry out
//! ```
//!
//! While it looks, recovery changes nothing, so that an error leaves the directory as it was found. What counts:
//!
//! * A segment whose newest mark says *sealed*, and whose file has just the length that the mark says, is taken
//!   as it is, unread. Of another one, what its mark says is durable is not read either, as far as the indexes are known to
//!   be right; like that of a sealed segment it is checked when it is read. The rest is read and checked.
//! * What a mark says is durable was durable; so was everything in the segments before one whose mark says
//!   anything. Damage there is an error.
//! * Behind that nothing is proven. The first batch that does not hold ends the log; what follows is cut,
//!   segments included. What holds is written again and synced before anything else happens: the pages that the
//!   kernel shows may never have reached the disk, if a sync failed before.
//! * A directory without any mark was written by Kafka: its recovery point counts as the mark.

mod carry_out;
mod head;
mod listing;
mod plan;
mod scan;

pub(crate) use carry_out::Recovered;
pub(crate) use plan::{Known, Plan};
