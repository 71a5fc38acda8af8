//! What an append needs to know of a batch: how large it is, and how it is written to its place.
//!
//! ```text
//!   records ------> Draft ---.                       .--> room?   (size)
//!                      v      >-- Batch -- append lock
//!                    Packed  /                       '--> encode  (place)
//!                      ^  v /
//!   RecordBatch --->  Ready                          or written as a whole
//!   producer ------> Sealed
//! ```
//!
//! A topic with a codec of its own makes each of them a Packed first, which is a Ready then.

use crate::producers::ProducerNumbers;

/// What a batch takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// The whole batch with its header.
    pub(crate) bytes: usize,
    /// The offset of its last record, less that of the first.
    pub(crate) last_offset_delta: u32,
}

/// What is known of a batch only when it is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) base_offset: u64,
    pub(crate) leader_epoch: i32,
    /// The timestamp of every record, where the topic has log append time.
    pub(crate) log_append_ms: Option<i64>,
}

/// A batch that was checked and measured, and only needs its place.
pub(crate) trait Batch {
    fn size(&self) -> Size;

    /// The largest timestamp of its records, where the topic has create time.
    fn max_timestamp(&self) -> i64;

    /// What its producer numbered it with, if it did.
    fn producer(&self) -> Option<ProducerNumbers>;

    /// Writes the batch into `target`, which has exactly as many bytes as [`Batch::size`] says; false when it has
    /// not.
    fn encode(&self, place: Place, target: &mut [u8]) -> bool;

    /// The same bytes where they lie, if they lie in memory as a whole.
    fn whole(&mut self, place: Place) -> Option<&[u8]> {
        let _ = place;
        None
    }
}
