//! Compaction: of each key the last record stays. What is here knows batches and files; `partition::compact` leads it.
//!
//! ```text
//!           compacted before          to be compacted            not now
//!   start |-----------------|------------------------------|-----------------> end
//!                           ^ cleaner offset               ^ active, too young
//!
//!   1  the keys of what is to be compacted -> map: last offset of each, until it is full
//!   2  from the start on, group by group:  segments -> filter -> one segment, beside them -> swap
//!   3  cleaner offset -> behind what was in the map; once more from 1 if that was not all
//! ```
//!
//! Groups go in the order of their offsets, each durable before the next: so what a tombstone deletes is gone before the
//! tombstone is, whenever it ends. Source: Apache Kafka, `LogCleaner`, `Cleaner`.

mod cleaned;
mod filter;
mod map;
mod producers;
mod report;

pub(crate) use cleaned::Cleaned;
pub(crate) use filter::{Counts, Rules, Unreadable, Verdict, for_each_record, records_of, stays_whole};
pub(crate) use map::KeyMap;
pub(crate) use producers::LastBatches;
pub use report::{Cleanable, CompactProgress, CompactReport};
